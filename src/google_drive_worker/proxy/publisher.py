"""Messages to Kafka, each acknowledged before its sender hears of it."""

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

DELIVERY_TIMEOUT_MS = 5_000
"""After that a message is given up: who sent it waits, and Google comes again."""

_POLL_S = 0.1
_PROBE_TIMEOUT_S = 2.0


class NotTaken(Exception):
    """Kafka did not acknowledge the message; the text says why."""


class Place(NamedTuple):
    """Where an acknowledged message stands."""

    topic: str
    partition: int
    offset: int


class Publisher(Protocol):
    """Takes messages for Kafka."""

    async def publish(self, topic: str, key: str | None, value: bytes) -> Place:
        """Write one message; returns once every replica that has to has it. Raises `NotTaken`."""
        ...

    async def problem(self) -> str | None:
        """Why nothing can be written now; None where it can."""
        ...


class KafkaPublisher:
    """A `Publisher` over one producer, from `start` to `stop`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._producer = Producer(
            {
                **config,
                "enable.idempotence": True,  # one that is tried again is not written twice
                "linger.ms": 0,
                "delivery.report.only.error": False,
                "message.timeout.ms": DELIVERY_TIMEOUT_MS,
            }
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="kafka-acknowledgements", daemon=True)

    def start(self) -> None:
        """Begin to hear of acknowledgements."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for what is under way, up to `DELIVERY_TIMEOUT_MS`; blocks."""
        self._producer.flush(DELIVERY_TIMEOUT_MS / 1000)
        self._stopping.set()
        self._thread.join()

    async def publish(self, topic: str, key: str | None, value: bytes) -> Place:
        """Write one message; see `Publisher`."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Place] = loop.create_future()

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            # The loop is gone where the proxy was stopped in the meantime: nobody waits any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, outcome, error, message)

        try:
            self._producer.produce(topic, value, None if key is None else key.encode(), on_delivery=on_delivery)
        except (BufferError, KafkaException) as problem:
            raise NotTaken(str(problem)) from None
        return await outcome

    async def problem(self) -> str | None:
        """Why nothing can be written now; see `Publisher`."""
        try:
            await asyncio.to_thread(self._producer.list_topics, timeout=_PROBE_TIMEOUT_S)
        except KafkaException as problem:
            return str(problem.args[0].str())
        return None

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_S)


def _settle(outcome: asyncio.Future[Place], error: KafkaError | None, message: Message) -> None:
    if outcome.done():  # its request was broken off
        return
    if error is not None:
        outcome.set_exception(NotTaken(error.str()))
    else:
        outcome.set_result(Place(message.topic() or "", message.partition() or 0, message.offset() or 0))
