"""A thread for blocking calls that must keep their order, and may have to be given up."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from google_drive_worker.utils.errors import Retryable

T = TypeVar("T")


class WriterThread:
    """Runs calls one after the other.

    librdkafka bounds its calls by a timeout, but was seen to wait for ever in `send_offsets_to_transaction` when a
    broker went away at the wrong moment. A call that takes too long is therefore abandoned, with its thread: a daemon,
    which holds no process back. What it had open is fenced by whoever takes the transactional id next.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._abandoned = False
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def call(self, function: Callable[[], T], timeout_s: float) -> T:
        """Run the function in the thread and return what it gives, or raise what it raises.

        Raises `Retryable` after `timeout_s` seconds, and for every call from then on: nobody knows what became of it.
        """
        if self._abandoned:
            raise Retryable("the partition's writer does not answer", code="kafka_unavailable")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(give: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may be gone by now
                loop.call_soon_threadsafe(lambda: None if answer.done() else give())

        def run() -> None:
            try:
                result = function()
            except Exception as problem:
                settle(lambda problem=problem: answer.set_exception(problem))  # type: ignore[misc]
            else:
                settle(lambda: answer.set_result(result))

        self._calls.put(run)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            self._abandoned = True
            raise Retryable(f"Kafka has not answered for {timeout_s:.0f} s", code="kafka_unavailable") from None

    def end(self) -> None:
        """Let the thread end when its calls are done."""
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
