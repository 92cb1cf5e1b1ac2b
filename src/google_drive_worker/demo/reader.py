"""A thread that reads topics from their beginning and keeps up with them, or says loudly that it did not.

The embedded Kafka drops what is over 5 MiB a partition, so the reader starts before anything is produced and lets the
client fetch far ahead of it. Were something dropped all the same, the fetch for it is an error (`RecordsLost`), because
no offset reset is allowed.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

BATCH = 2_000
POLL_S = 0.05
TICK_S = 0.05
FETCH_AHEAD_KBYTES = 1 << 20
FETCH_AHEAD_MESSAGES = 1_000_000

Take = Callable[[str, int, int, bytes | None, bytes | None], None]
"""Called in the reader's thread with topic, partition, offset, key and value; in the order of each partition."""


class RecordsLost(Exception):
    """Messages were dropped before they were read: whatever was rebuilt from the topic is worthless."""


class Stalled(Exception):
    """What was waited for did not come, and nothing else did."""


class TopicReader:
    """Reads every partition of `topics` (name to partition count) from offset 0 until closed, read_committed.

    An exception that `take` raises, and every error of Kafka's that does not pass, ends it; the waiting calls raise it.
    """

    def __init__(self, bootstrap_servers: str, topics: Mapping[str, int], take: Take) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._partitions = [(topic, number) for topic, count in topics.items() for number in range(count)]
        self._take = take
        self._reached = dict.fromkeys(self._partitions, 0)
        self._messages = 0
        self._failure: Exception | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def messages(self) -> int:
        """How many messages were read so far."""
        return self._messages

    def check(self) -> None:
        """Raise what ended the reader, if anything did."""
        if self._failure is not None:
            raise self._failure

    async def until(
        self,
        condition: Callable[[], bool],
        what: str,
        *,
        patience_s: float,
        tick: Callable[[], None] | None = None,
    ) -> None:
        """Wait until the condition holds; `tick` is called some twenty times a second meanwhile.

        Raises `Stalled`, naming `what`, once no message has come for `patience_s`, and what ended the reader.
        """
        seen, moved_s = self._messages, time.monotonic()
        while not condition():
            self.check()
            if self._messages != seen:
                seen, moved_s = self._messages, time.monotonic()
            elif time.monotonic() - moved_s > patience_s:
                raise Stalled(f"{what} did not come, and nothing has come for {patience_s:.0f} s")
            if tick is not None:
                tick()
            await asyncio.sleep(TICK_S)
        self.check()

    async def until_caught_up(self, *, patience_s: float) -> None:
        """Wait until all that stands in the topics now has been taken. Raises as `until` does."""
        ends = await asyncio.to_thread(self._ends, patience_s)
        await self.until(
            lambda: all(self._reached[at] >= end for at, end in ends.items()),
            "the end of the topics",
            patience_s=patience_s,
        )

    def _ends(self, timeout_s: float) -> dict[tuple[str, int], int]:
        consumer = Consumer({"bootstrap.servers": self._bootstrap_servers, "group.id": "demo-reader-ends"})
        try:
            return {
                (topic, number): consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=timeout_s)[1]
                for topic, number in self._partitions
            }
        finally:
            consumer.close()

    def _run(self) -> None:
        try:
            consumer = Consumer(
                {
                    "bootstrap.servers": self._bootstrap_servers,
                    "group.id": "demo-reader",  # required by the client; it joins no group and commits nothing
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "isolation.level": "read_committed",
                    "auto.offset.reset": "error",
                    "fetch.wait.max.ms": 10,
                    "queued.min.messages": FETCH_AHEAD_MESSAGES,
                    "queued.max.messages.kbytes": FETCH_AHEAD_KBYTES,
                }
            )
            try:
                consumer.assign([TopicPartition(topic, number, 0) for topic, number in self._partitions])
                while not self._stopping.is_set():
                    for message in consumer.consume(BATCH, POLL_S):
                        self._read(message)
            finally:
                consumer.close()
        except Exception as failure:
            self._failure = failure

    def _read(self, message: Message) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if (error := message.error()) is not None:
            code = error.code()
            if code == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the library's public name for it
                raise RecordsLost(f"{topic}, partition {partition}: messages were dropped before they could be read")
            if code == KafkaError._PARTITION_EOF and topic is not None:  # noqa: SLF001 - as above
                self._advance(topic, partition, offset)
            elif error.fatal() or not (error.retriable() or code in _PASSING):
                raise KafkaException(error)
            return
        if topic is None or partition is None or offset is None:
            return
        self._take(topic, partition, offset, message.key(), message.value())
        self._messages += 1
        self._advance(topic, partition, offset + 1)

    def _advance(self, topic: str, partition: int | None, offset: int | None) -> None:
        # The end event counts too: a transaction's marker takes an offset, and is no message.
        if partition is not None and offset is not None:
            self._reached[topic, partition] = max(self._reached[topic, partition], offset)


_PASSING = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE}  # noqa: SLF001 - as above
