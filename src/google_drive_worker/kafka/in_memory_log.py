"""A Kafka cluster in memory: topics, transactions and offsets, by a broker's rules.

What a broker guarantees, this one does, in one process and on one thread:

- A message that a transaction writes has its offset at once, and its transaction's end takes one too. Readers of what
  is committed see nothing at or after the first message of an open transaction, and nothing of an aborted one.
- `init_transactions` ends the epoch of the producer that had the transactional id, and aborts what it left open.
- Offsets are committed with a transaction, by a member of the group's present generation alone.
- A compacted topic keeps the latest committed value of each key at its offset, and tombstones until they are dropped.

Consumer groups, and what the worker's ports make of it all, stand in `in_memory_clients`. Both are held to the same
tests as a real broker (`tests/contract/test_partition_log.py`). Sources: KIP-98, KIP-447, Kafka's log compaction.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from google_drive_worker.domain.message import ANY_PARTITION, Headers, Incoming, RecordBatch
from google_drive_worker.domain.partitioning import murmur2
from google_drive_worker.messages.record import output_headers
from google_drive_worker.utils.errors import Fenced, Retryable

Place = tuple[str, int]
"""A topic and a partition of it."""


class GroupMetadata(NamedTuple):
    """Who commits offsets: a member, by the generation that it knows."""

    group_id: str
    member_id: str
    generation: int


class Membership(Protocol):
    """Judges who may commit offsets of a group."""

    def check(self, metadata: GroupMetadata) -> None:
        """Raise `Fenced` where the member is none, or its generation is over."""
        ...


@dataclass(slots=True)
class _Transaction:
    """`first_offsets` are those of its first message in each partition; `positions` are sent and not committed yet."""

    status: Literal["open", "committed", "aborted"] = "open"
    first_offsets: dict[Place, int] = field(default_factory=dict)
    positions: dict[tuple[str, Place], int] = field(default_factory=dict)


class _Message(NamedTuple):
    """One place in a partition; without `is_data` it is the mark of a transaction's end."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    transaction: _Transaction | None
    is_data: bool = True

    @property
    def is_committed(self) -> bool:
        return self.is_data and (self.transaction is None or self.transaction.status == "committed")


@dataclass(slots=True)
class _Partition:
    messages: list[_Message] = field(default_factory=list)
    end: int = 0

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        transaction: _Transaction | None,
        *,
        is_data: bool = True,
    ) -> int:
        offset = self.end
        self.messages.append(_Message(offset, key, value, headers, transaction, is_data))
        self.end += 1
        return offset

    def since(self, offset: int) -> list[_Message]:
        return self.messages[bisect_left(self.messages, offset, key=lambda message: message.offset) :]


class InMemoryLog:
    """A cluster with these topics, each of so many partitions. Everything happens at once; nothing waits."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._topics = {name: [_Partition() for _ in range(partitions)] for name, partitions in topics.items()}
        self._epochs: dict[str, int] = {}
        self._open: dict[str, _Transaction] = {}
        self._positions: dict[tuple[str, Place], int] = {}
        self._memberships: dict[str, Membership] = {}
        self._watchers: list[Callable[[], None]] = []

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""
        return len(self._topics[topic])

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
        partition: int = ANY_PARTITION,
    ) -> Place:
        """Write one message outside of any transaction, and return where it went."""
        place = self.add(topic, key, value, headers or [], partition, None)
        self._tell()
        return place

    def read(self, topic: str, partition: int, offset: int = 0) -> list[Incoming]:
        """What readers of committed messages see from that offset on."""
        end = self.committed_end(topic, partition)
        return [
            Incoming(topic, partition, message.offset, message.key, message.value, message.headers)
            for message in self._topics[topic][partition].since(offset)
            if message.offset < end and message.is_committed
        ]

    def committed_end(self, topic: str, partition: int) -> int:
        """The offset up to which readers of committed messages read: Kafka's last stable offset."""
        place = (topic, partition)
        firsts = [each.first_offsets[place] for each in self._open.values() if place in each.first_offsets]
        return min(firsts, default=self._topics[topic][partition].end)

    def position(self, group_id: str, topic: str, partition: int) -> int:
        """Where the group goes on: its committed offset, else the first message's.

        Raises `Retryable` while a transaction that moves it is open.
        """
        key = (group_id, (topic, partition))
        if any(key in transaction.positions for transaction in self._open.values()):
            raise Retryable("a transaction that moves the group's position is open", code="kafka_unavailable")
        messages = self._topics[topic][partition].messages
        return self._positions.get(key, messages[0].offset if messages else self._topics[topic][partition].end)

    def compact(self, topic: str, *, drops_tombstones: bool = False) -> None:
        """Keep of each key its latest committed message, as the log cleaner does after a while. Offsets stay.

        With `drops_tombstones` those go as well, which the cleaner does once `delete.retention.ms` is over.
        """
        for number, partition in enumerate(self._topics[topic]):
            end = self.committed_end(topic, number)
            clean = [message for message in partition.messages if message.offset < end and message.is_committed]
            latest = {message.key: message for message in clean}
            kept = [each for each in latest.values() if each.value is not None or not drops_tombstones]
            dirty = partition.since(end)
            partition.messages = sorted(kept, key=lambda message: message.offset) + dirty

    def guard(self, group_id: str, membership: Membership) -> None:
        """Let that judge who commits offsets of the group."""
        self._memberships[group_id] = membership

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call it whenever there may be more to read."""
        self._watchers.append(watcher)

    # What `InMemoryProducer` is made of.

    def take(self, transactional_id: str) -> int:
        """Begin the id's next epoch and return it; what the last one left open is aborted."""
        left_open = self._open.pop(transactional_id, None)
        if left_open is not None:
            self._end(left_open, "aborted")
        epoch = self._epochs.get(transactional_id, -1) + 1
        self._epochs[transactional_id] = epoch
        return epoch

    def check(self, transactional_id: str, epoch: int) -> None:
        """Raise `Fenced` where that is not the id's epoch any more."""
        if self._epochs.get(transactional_id) != epoch:
            raise Fenced("another producer took the transactional id over")

    def begin(self, transactional_id: str) -> _Transaction:
        """The id's open transaction."""
        return self._open.setdefault(transactional_id, _Transaction())

    def add(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        partition: int,
        transaction: _Transaction | None,
    ) -> Place:
        """Write one message, and return where it went."""
        partitions = self._topics[topic]
        number = partition
        if number == ANY_PARTITION:
            number = (murmur2(key or b"") & 0x7FFFFFFF) % len(partitions)
        place = (topic, number)
        offset = partitions[number].append(key, value, headers, transaction)
        if transaction is not None:
            transaction.first_offsets.setdefault(place, offset)
        return place

    def send_offsets(self, transaction: _Transaction, metadata: GroupMetadata, positions: Mapping[Place, int]) -> None:
        """Let the positions count with the transaction, if the member may commit any."""
        membership = self._memberships.get(metadata.group_id)
        if membership is not None:
            membership.check(metadata)
        transaction.positions.update({(metadata.group_id, place): offset for place, offset in positions.items()})

    def finish(self, transactional_id: str, status: Literal["committed", "aborted"]) -> None:
        """End the id's open transaction."""
        transaction = self._open.pop(transactional_id, None)
        if transaction is not None:
            self._end(transaction, status)

    def _end(self, transaction: _Transaction, status: Literal["committed", "aborted"]) -> None:
        transaction.status = status
        if status == "committed":
            self._positions.update(transaction.positions)
        for topic, number in transaction.first_offsets:
            self._topics[topic][number].append(None, None, [], transaction, is_data=False)
        self._tell()

    def _tell(self) -> None:
        for watcher in self._watchers:
            watcher()


class InMemoryProducer:
    """A transactional producer. Every call raises `Fenced` once another one has taken the transactional id."""

    def __init__(self, log: InMemoryLog, transactional_id: str) -> None:
        self._log = log
        self._id = transactional_id
        self._epoch = -1
        self._transaction: _Transaction | None = None

    def init_transactions(self) -> None:
        """Take the transactional id."""
        self._epoch = self._log.take(self._id)

    def begin(self) -> None:
        """Begin a transaction."""
        self._log.check(self._id, self._epoch)
        self._transaction = self._log.begin(self._id)

    def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
        partition: int = ANY_PARTITION,
    ) -> None:
        """Write one message in the transaction."""
        self._log.add(topic, key, value, headers or [], partition, self._checked())

    def produce_records(self, batch: RecordBatch) -> None:
        """Write a step's records in the transaction."""
        for value, idempotency_key in zip(batch.values, batch.idempotency_keys, strict=True):
            self.produce(batch.topic, batch.key, value, output_headers(idempotency_key))

    def send_offsets(self, metadata: GroupMetadata, positions: Mapping[Place, int]) -> None:
        """Let the group go on from there once the transaction is committed. Raises `Fenced` as `Membership.check`."""
        self._log.send_offsets(self._checked(), metadata, positions)

    def commit(self) -> None:
        """Let all of it be seen."""
        self._checked()
        self._log.finish(self._id, "committed")
        self._transaction = None

    def abort(self) -> None:
        """Let none of it be seen, ever."""
        self._checked()
        self._log.finish(self._id, "aborted")
        self._transaction = None

    def _checked(self) -> _Transaction:
        self._log.check(self._id, self._epoch)
        if self._transaction is None:
            raise RuntimeError("no transaction was begun")
        return self._transaction
