"""The consumer of notifications, in a thread and a group of its own: at least once, whatever the triggers' group does.

A batch is handed to the event loop, which returns when all that it led to in our own partitions is committed, with
what is to be sent on. Only when that is sent as well the batch's offsets are committed. So none is lost, and one that
comes again is known by its number. The group is another one than the triggers': its rebalances stop no sync, and the
topic may have any number of partitions, or be missing.
"""

import asyncio
import threading
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from google_drive_worker.domain.message import Incoming, Outgoing
from google_drive_worker.utils.errors import Retryable

POLL_S = 0.1
"""How long one poll waits, and so a stop."""

BATCH = 500
"""Notifications handed to the loop at a time."""

HANDOVER_S = 60.0
"""How long the thread waits for the loop, well under `max.poll.interval.ms`."""

SEND_S = 10.0
"""How long sending on may take."""

REST_S = 0.5
"""The rest before a batch that could not be done is read again."""

_MISSING = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001


class Listener(Protocol):
    """Who takes notifications in, on the event loop."""

    async def on_notifications(self, messages: list[Incoming]) -> list[Outgoing]:
        """Take them in; return what is to be sent on when all else is committed.

        Raises `Retryable` where that failed: they come again.
        """
        ...

    def on_trouble(self, problem: str) -> None:
        """The broker says something that a person should know; the client goes on trying by itself."""
        ...


class NotificationIntake:
    """Consumes one topic. `consumer` and `producer` are the clients' configurations."""

    def __init__(
        self, consumer: Mapping[str, Any], producer: Mapping[str, Any], topic: str, listener: Listener
    ) -> None:
        self._consumer_config = {
            **consumer,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "partition.assignment.strategy": "cooperative-sticky",
            "allow.auto.create.topics": False,
            "error_cb": lambda error: self._tell(error.str()),
        }
        self._producer_config = {**producer, "enable.idempotence": True, "linger.ms": 5}
        self._topic = topic
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed: BaseException | None = None

    @property
    def failure(self) -> BaseException | None:
        """What ended the thread, if anything but `stop` did."""
        return self._failed

    def start(self) -> None:
        """Join the group. To be called on the event loop that the listener lives on."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Leave the group; a batch under way is finished or comes again."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        consumer, producer = Consumer(self._consumer_config), Producer(self._producer_config)
        try:
            consumer.subscribe([self._topic])
            while not self._stopping.is_set():
                messages = self._poll(consumer)
                if messages:
                    self._take(consumer, producer, messages)
        except BaseException as problem:
            self._failed = problem
        finally:
            consumer.close()

    def _poll(self, consumer: Consumer) -> list[Incoming]:
        first = consumer.poll(POLL_S)
        if first is None:
            return []
        messages: list[Incoming] = []
        for message in [first, *consumer.consume(BATCH - 1, timeout=0)]:
            error = message.error()
            if error is None:
                messages.append(_incoming(message))
            elif error.code() in _MISSING:
                self._tell(f"the topic {self._topic} is missing: no notification comes")
            else:
                self._tell(error.str())
        return messages

    def _take(self, consumer: Consumer, producer: Producer, messages: list[Incoming]) -> None:
        firsts: dict[int, int] = {}
        lasts: dict[int, int] = {}
        for message in messages:
            firsts.setdefault(message.partition, message.offset)
            lasts[message.partition] = message.offset
        try:
            outgoing = self._wait_for(self._listener.on_notifications(messages))
            _send(producer, outgoing)
        except (Retryable, TimeoutError) as problem:
            self._tell(f"notifications could not be taken in, and are read again: {problem}")
            self._stopping.wait(REST_S)
            self._seek(consumer, firsts)
            return
        positions = [TopicPartition(self._topic, partition, last + 1) for partition, last in lasts.items()]
        try:
            consumer.commit(offsets=positions, asynchronous=False)
        except KafkaException as problem:  # a rebalance: whoever reads them next knows them by their numbers
            self._tell(problem.args[0].str())

    def _seek(self, consumer: Consumer, firsts: Mapping[int, int]) -> None:
        for partition, first in firsts.items():
            try:
                consumer.seek(TopicPartition(self._topic, partition, first))
            except KafkaException as problem:  # it went away meanwhile, and is read anew from what is committed
                self._tell(problem.args[0].str())

    def _wait_for(self, heard: Coroutine[Any, Any, list[Outgoing]]) -> list[Outgoing]:
        assert self._loop is not None  # noqa: S101 - start() set it
        return asyncio.run_coroutine_threadsafe(heard, self._loop).result(HANDOVER_S)

    def _tell(self, problem: str) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._listener.on_trouble, problem)


def _send(producer: Producer, outgoing: list[Outgoing]) -> None:
    """Send, and wait until the broker has all of it. Raises `Retryable`."""
    problems: list[str] = []

    def note(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            problems.append(error.str())

    ends_s = time.monotonic() + SEND_S
    for topic, key, value, headers, partition in outgoing:
        try:
            producer.produce(topic, value, key, partition, headers=headers, on_delivery=note)
        except (BufferError, KafkaException) as problem:
            raise Retryable(f"the broker takes nothing: {problem}") from problem
    if outgoing and producer.flush(max(0.1, ends_s - time.monotonic())):
        problems.append("no answer in time")
    if problems:
        raise Retryable(problems[0], code="kafka_unavailable")


def _incoming(message: Message) -> Incoming:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None  # noqa: S101 - a message without an error has all three
    assert partition is not None  # noqa: S101
    assert offset is not None  # noqa: S101
    key, value = message.key(), message.value()
    return Incoming(topic, partition, offset, _bytes(key), _bytes(value))


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
