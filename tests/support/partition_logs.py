"""Two clusters that the same tests hold the worker's Kafka ports to: a real broker, and the one in memory."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

from confluent_kafka import Producer, TopicPartition

from google_drive_worker.domain.message import Incoming, StoredPartition
from google_drive_worker.domain.ports import PartitionLog, TriggerListener, TriggerSource
from google_drive_worker.kafka.in_memory_clients import (
    InMemoryGroup,
    InMemoryPartitionLog,
    InMemorySource,
    OwnTopics,
    restore_from,
)
from google_drive_worker.kafka.in_memory_log import InMemoryLog, InMemoryProducer
from google_drive_worker.kafka.intake import Intake
from google_drive_worker.kafka.item_log import committed_end
from google_drive_worker.kafka.partition_log import KafkaPartitionLog
from google_drive_worker.kafka.state_store import restore
from google_drive_worker.kafka.transactions import BatchLimit, TransactionalWriter
from google_drive_worker.utils.errors import Retryable
from support.consume import read_all
from support.topics import Topics

DEADLINE_S = 30.0
TIMEOUT_S = 10.0

GroupMetadata = Callable[[], Any]


class Member(TriggerSource, Protocol):
    """A member of the group, with what its offsets are sent with."""

    def group_metadata(self) -> Any: ...


class Transaction(Protocol):
    """Another producer's transaction, one at a time."""

    async def begin(self, topic: str, key: bytes, value: bytes) -> None:
        """Open it with one message in partition 0, which the cluster has when this returns."""
        ...

    async def commit(self) -> None:
        """Let it be seen."""
        ...

    async def abort(self) -> None:
        """Take it back."""
        ...


class Cluster(Protocol):
    """Topics and a group of a test's own."""

    @property
    def names(self) -> Topics: ...

    def member(self, listener: TriggerListener, instance_id: str | None = None) -> Member:
        """A member of the group that has yet to start; a static one where it has an id."""
        ...

    def log(self, group_metadata: GroupMetadata, partition: int = 0) -> PartitionLog:
        """A partition's log that has yet to open."""
        ...

    def transaction(self) -> Transaction:
        """Another producer."""
        ...

    async def restore(self, partition: int = 0) -> StoredPartition:
        """What is committed of a partition."""
        ...

    async def committed(self, topic: str, partition: int = 0) -> list[tuple[bytes | None, bytes | None]]:
        """What readers of committed messages see."""
        ...

    async def end(self, topic: str, partition: int = 0) -> int:
        """Where they stop."""
        ...


@dataclass
class RecordingListener:
    """A `TriggerListener` that begins every partition at its first message, and keeps what it hears."""

    values: list[bytes | None] = field(default_factory=list)
    owned: set[int] = field(default_factory=set)
    assigned: list[int] = field(default_factory=list)
    revoked: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    member: Member | None = None
    holds: bool = False
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_assigned(self, partitions: list[int]) -> None:
        """Begin where the topic begins."""
        assert self.member is not None
        self.assigned += partitions
        self.owned.update(partitions)
        for partition in partitions if not self.holds else ():
            self.member.begin_at(partition, 0)
        self._told.set()

    async def on_revoked(self, partitions: list[int]) -> None:
        """Let go."""
        self.revoked += partitions
        self.owned.difference_update(partitions)
        self._told.set()

    async def on_lost(self, partitions: list[int]) -> None:
        """Drop them."""
        self.lost += partitions
        self.owned.difference_update(partitions)
        self._told.set()

    async def on_messages(self, messages: list[Incoming]) -> None:
        """Keep their values."""
        self.values += [message.value for message in messages]
        self._told.set()

    def on_trouble(self, problem: str) -> None:
        """A rebalance, or a broker that is busy."""

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until what was heard fulfils the condition."""
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self._told.clear()
                await self._told.wait()


class MemoryTransaction:
    """Another producer of the cluster in memory."""

    def __init__(self, log: InMemoryLog, transactional_id: str) -> None:
        self._producer = InMemoryProducer(log, transactional_id)
        self._producer.init_transactions()

    async def begin(self, topic: str, key: bytes, value: bytes) -> None:
        """See `Transaction.begin`."""
        self._producer.begin()
        self._producer.produce(topic, key, value, partition=0)

    async def commit(self) -> None:
        """See `Transaction.commit`."""
        self._producer.commit()

    async def abort(self) -> None:
        """See `Transaction.abort`."""
        self._producer.abort()


class MemoryCluster:
    """The cluster in memory."""

    def __init__(self) -> None:
        self.names = Topics("", "t-memory", 3)
        names = self.names
        self.broker = InMemoryLog(
            dict.fromkeys((names.trigger, names.webhook, names.data, names.errors, names.state, names.items), 3)
        )
        self.group = InMemoryGroup(self.broker, names.group_id, names.trigger)
        self._own = OwnTopics(names.trigger, names.state, names.items)

    def member(self, listener: TriggerListener, instance_id: str | None = None) -> Member:
        """See `Cluster.member`."""
        return InMemorySource(self.group, listener, instance_id)

    def log(self, group_metadata: GroupMetadata, partition: int = 0) -> PartitionLog:
        """See `Cluster.log`."""
        return InMemoryPartitionLog(self.broker, self._own, partition, f"own-{partition}", group_metadata)

    def transaction(self) -> Transaction:
        """See `Cluster.transaction`."""
        return MemoryTransaction(self.broker, "another")

    async def restore(self, partition: int = 0) -> StoredPartition:
        """See `Cluster.restore`."""
        return await restore_from(self.broker, self._own, self.names.group_id)(partition)

    async def committed(self, topic: str, partition: int = 0) -> list[tuple[bytes | None, bytes | None]]:
        """See `Cluster.committed`."""
        return [(message.key, message.value) for message in self.broker.read(topic, partition)]

    async def end(self, topic: str, partition: int = 0) -> int:
        """See `Cluster.end`."""
        return self.broker.committed_end(topic, partition)


class KafkaTransaction:
    """Another producer of the real broker."""

    def __init__(self, config: Mapping[str, Any], transactional_id: str) -> None:
        self._producer = Producer({**config, "transactional.id": transactional_id})
        self._producer.init_transactions(DEADLINE_S)

    async def begin(self, topic: str, key: bytes, value: bytes) -> None:
        """See `Transaction.begin`."""
        self._producer.begin_transaction()
        self._producer.produce(topic, value, key, 0)
        assert await asyncio.to_thread(self._producer.flush, DEADLINE_S) == 0

    async def commit(self) -> None:
        """See `Transaction.commit`."""
        await asyncio.to_thread(self._producer.commit_transaction, DEADLINE_S)

    async def abort(self) -> None:
        """See `Transaction.abort`."""
        await asyncio.to_thread(self._producer.abort_transaction, DEADLINE_S)


class KafkaCluster:
    """The real broker."""

    def __init__(self, names: Topics) -> None:
        self.names = names
        self._client = {"bootstrap.servers": names.bootstrap_servers, "log_level": 0}
        self._consumer = {**self._client, "group.id": names.group_id}

    def member(self, listener: TriggerListener, instance_id: str | None = None) -> Member:
        """See `Cluster.member`."""
        config: dict[str, Any] = {**self._consumer, "session.timeout.ms": 6_000, "heartbeat.interval.ms": 200}
        if instance_id is not None:
            config |= {"group.instance.id": instance_id, "session.timeout.ms": 30_000}
        return Intake(config, self.names.trigger, listener)

    def log(self, group_metadata: GroupMetadata, partition: int = 0) -> PartitionLog:
        """See `Cluster.log`."""
        writer = TransactionalWriter(
            {**self._client, "partitioner": "murmur2_random", "transaction.timeout.ms": 20_000},
            transactional_id=f"{self.names.prefix}-{partition}",
            position=TopicPartition(self.names.trigger, partition),
            state_topic=self.names.state,
            items_topic=self.names.items,
            group_metadata=group_metadata,
            batches=BatchLimit(),
            timeout_s=TIMEOUT_S,
        )
        return KafkaPartitionLog("commit", writer)

    def transaction(self) -> Transaction:
        """See `Cluster.transaction`."""
        return KafkaTransaction(self._client, f"{self.names.prefix}-another")

    async def restore(self, partition: int = 0) -> StoredPartition:
        """See `Cluster.restore`."""
        names = self.names
        ends_s = monotonic() + DEADLINE_S
        while True:
            try:
                return await asyncio.to_thread(
                    restore, self._consumer, names.trigger, names.state, partition, TIMEOUT_S
                )
            except Retryable:  # a broker may take a moment to lead the partitions of a new topic
                if monotonic() > ends_s:
                    raise

    async def committed(self, topic: str, partition: int = 0) -> list[tuple[bytes | None, bytes | None]]:
        """See `Cluster.committed`."""
        found = await asyncio.to_thread(read_all, self.names.bootstrap_servers, topic)
        return [(message.key, message.value) for message in found if message.partition == partition]

    async def end(self, topic: str, partition: int = 0) -> int:
        """See `Cluster.end`."""
        return await asyncio.to_thread(committed_end, self._consumer, topic, partition, TIMEOUT_S)
