"""A partition's thread: calls in order, and none that holds the worker up for ever."""

import threading

import pytest

from google_drive_worker.kafka.writer_thread import WriterThread
from google_drive_worker.utils.errors import Fenced, Retryable


async def test_calls_run_in_order_and_give_what_they_return() -> None:
    """One after the other, all in one thread."""
    thread = WriterThread("writer")
    names = [await thread.call(lambda: threading.current_thread().name, 5) for _ in range(3)]
    thread.end()
    assert names == ["writer"] * 3


async def test_a_call_raises_what_it_raises() -> None:
    """The verdict of the writer reaches whoever asked."""

    def fail() -> None:
        raise Fenced("somebody else's")

    thread = WriterThread("writer")
    with pytest.raises(Fenced, match="somebody else's"):
        await thread.call(fail, 5)
    assert await thread.call(lambda: 1, 5) == 1
    thread.end()


async def test_a_call_that_never_ends_is_abandoned_with_its_thread() -> None:
    """The client library was seen to hang: the partition is then opened anew, by another thread."""
    gate = threading.Event()
    thread = WriterThread("writer")
    with pytest.raises(Retryable, match="has not answered"):
        await thread.call(gate.wait, 0.01)
    with pytest.raises(Retryable, match="does not answer"):
        await thread.call(lambda: None, 5)
    gate.set()
    thread.end()
