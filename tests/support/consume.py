"""Reading a topic as its committed readers see it."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

BATCH = 5_000
POLL_S = 0.2
LOOK_S = 0.02
"""A client gathers messages for as long as it may: who only reads to an end asks for what is there, more often."""

FORGETFUL_S = 5.0
"""When a client that hears nothing is replaced: after a restart some know no broker any more (librdkafka#5301)."""


PASSING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError._TIMED_OUT,  # noqa: SLF001 - confluent-kafka spells librdkafka's own codes so
    KafkaError._TRANSPORT,  # noqa: SLF001
}
"""What a broker says, or does not say, that has just come back: a client asks again, and is answered."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it stands in a partition."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    timestamp_ms: int


def partitions_of(bootstrap_servers: str, topic: str, *, deadline_s: float = 10.0) -> list[int]:
    """The partitions of a topic, in order. Raises `KafkaException` where there is no such topic."""
    return _partitions(AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0}), topic, deadline_s)


def _partitions(client: AdminClient, topic: str, deadline_s: float) -> list[int]:
    found = client.list_topics(topic, timeout=deadline_s).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    return sorted(found.partitions)


def end_offsets(
    bootstrap_servers: str,
    topic: str,
    *,
    deadline_s: float = 10.0,
    isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
) -> dict[int, int]:
    """Where a read_committed reader's view of each partition ends now: before the first open transaction."""
    ends_s = time.monotonic() + deadline_s
    while True:
        try:
            return _end_offsets(bootstrap_servers, topic, deadline_s, isolation)
        except KafkaException as problem:
            if problem.args[0].code() not in PASSING or time.monotonic() > ends_s:
                raise


def _end_offsets(bootstrap_servers: str, topic: str, deadline_s: float, isolation: IsolationLevel) -> dict[int, int]:
    client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    asked = {
        TopicPartition(topic, partition): OffsetSpec.latest()  # type: ignore[no-untyped-call]
        for partition in _partitions(client, topic, deadline_s)
    }
    answers = client.list_offsets(asked, isolation_level=isolation, request_timeout=deadline_s)
    return {tp.partition: int(answer.result(deadline_s).offset) for tp, answer in answers.items()}


def wait_for_open_transactions(bootstrap_servers: str, topic: str, *, deadline_s: float = 75.0) -> None:
    """Wait until every transaction that is open now has ended.

    A commit is answered before its markers stand in every partition: who has seen it in one topic may look into another
    too early; and one whose producer died ends when the broker next looks for such, some time after its own timeout.
    Raises `TimeoutError` after `deadline_s`.
    """
    deadline = time.monotonic() + deadline_s
    written = end_offsets(bootstrap_servers, topic, isolation=IsolationLevel.READ_UNCOMMITTED)
    while not all(end >= written[partition] for partition, end in end_offsets(bootstrap_servers, topic).items()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{topic}: a transaction is still open after {deadline_s} s")


class TopicReader:
    """Reads a topic from its beginning, and keeps up with it from call to call. Every call blocks."""

    def __init__(self, bootstrap_servers: str, topic: str, *, isolation: str = "read_committed") -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._reached = dict.fromkeys(partitions_of(bootstrap_servers, topic), 0)
        self._config: dict[str, str | int | bool] = {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "reader-without-a-group",
            "log_level": 0,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 20,
        }
        self._consumer = self._new_consumer()

    def _new_consumer(self) -> Consumer:
        """A client that goes on where the last one came to."""
        consumer = Consumer(self._config)
        consumer.assign([TopicPartition(self._topic, partition, at) for partition, at in self._reached.items()])
        return consumer

    def read_some(self, timeout_s: float = POLL_S) -> list[Message]:
        """What has come since the last call, waiting up to `timeout_s` for the first of it."""
        messages: list[Message] = []
        for raw in self._consumer.consume(BATCH, timeout_s):
            _take(raw, messages, self._reached)
        return messages

    def read_to_end(self, *, deadline_s: float = 30.0) -> list[Message]:
        """What has come since the last call, up to the end offsets as they are now.

        Raises `TimeoutError` after `deadline_s`, with how far it came.
        """
        deadline = time.monotonic() + deadline_s
        ends = end_offsets(self._bootstrap_servers, self._topic, deadline_s=deadline_s)
        messages: list[Message] = []
        came_s = time.monotonic()
        while not all(self._reached[partition] >= end for partition, end in ends.items()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._topic}: read to {self._reached} of {ends} in {deadline_s} s")
            came = self.read_some(LOOK_S)
            messages += came
            if came:
                came_s = time.monotonic()
            elif time.monotonic() - came_s > FORGETFUL_S:
                self._consumer.close()
                self._consumer = self._new_consumer()
                came_s = time.monotonic()
        return messages

    def close(self) -> None:
        """Let go of the consumer."""
        self._consumer.close()


def read_all(
    bootstrap_servers: str,
    topic: str,
    *,
    until: Callable[[Sequence[Message]], bool] | None = None,
    deadline_s: float = 30.0,
    isolation: str = "read_committed",
) -> list[Message]:
    """Read a topic from its beginning; the messages of a partition come in its order.

    Without `until` it reads to the end offsets as they are when it is called; with it, on until `until(messages)`
    holds, which is asked after each batch. Raises `TimeoutError` after `deadline_s`, with how far it came. It blocks:
    call it by `asyncio.to_thread` in asynchronous tests.
    """
    deadline = time.monotonic() + deadline_s
    messages: list[Message] = []
    with closing(TopicReader(bootstrap_servers, topic, isolation=isolation)) as reader:
        if until is None:
            return reader.read_to_end(deadline_s=deadline_s)
        while not until(messages):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic}: read {len(messages)} messages in {deadline_s} s")
            messages += reader.read_some()
    return messages


def latest_by_key(messages: Sequence[Message]) -> dict[bytes, Message]:
    """What compaction leaves in the end: the last message of each key, tombstones dropped."""
    last = {message.key: message for message in messages if message.key is not None}
    return {key: message for key, message in last.items() if message.value is not None}


def _headers(raw: KafkaMessage) -> dict[str, bytes]:
    pairs = raw.headers() or []
    found = pairs.items() if isinstance(pairs, dict) else pairs
    return {name: value.encode() if isinstance(value, str) else value or b"" for name, value in found}


def _take(raw: KafkaMessage, messages: list[Message], reached: dict[int, int]) -> None:
    partition, offset = raw.partition(), raw.offset()
    if (error := raw.error()) is not None:
        # The end event is the one way to see past a partition's closing transaction marker, which is no message.
        if error.code() in PASSING:
            return
        if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's public name for it
            raise KafkaException(error)
        if partition is not None and offset is not None:
            reached[partition] = max(reached[partition], offset)
        return
    if partition is None or offset is None:
        return
    reached[partition] = max(reached[partition], offset + 1)
    headers = _headers(raw)
    messages.append(Message(partition, offset, raw.key(), raw.value(), headers, raw.timestamp()[1]))
