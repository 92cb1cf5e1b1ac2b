"""The worker's Kafka ports over an `InMemoryLog`: a partition's log, what is restored, and a consumer group.

The group is a cooperative one: what a member keeps is not taken from it, and what moves is revoked before it is
assigned. A member is static where it has an instance id. It leaves without a rebalance then, and gets its partitions
back when it returns; `expel` is what the end of its session timeout does.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import NamedTuple

from google_drive_worker.domain.message import Batch, RecordBatch, StoredPartition
from google_drive_worker.domain.ports import Restore, TriggerListener
from google_drive_worker.kafka.in_memory_log import GroupMetadata, InMemoryLog, InMemoryProducer
from google_drive_worker.utils.errors import Fenced, InstanceFenced

BATCH = 500
"""Messages handed to the listener at a time."""


_INSTANCE_FENCED = "another worker joined the consumer group under this one's instance id"


class OwnTopics(NamedTuple):
    """The topics that a partition's log writes to by role."""

    trigger: str
    state: str
    items: str


class InMemoryPartitionLog:
    """A `PartitionLog`. `transactional_id` is the partition's, whichever worker owns it."""

    def __init__(
        self,
        log: InMemoryLog,
        topics: OwnTopics,
        partition: int,
        transactional_id: str,
        group_metadata: Callable[[], GroupMetadata],
    ) -> None:
        self._producer = InMemoryProducer(log, transactional_id)
        self._topics = topics
        self._partition = partition
        self._group_metadata = group_metadata
        self._closed = False

    async def open(self) -> None:
        """See `PartitionLog.open`."""
        self._require_open()
        self._producer.init_transactions()

    async def commit(self, batch: Batch) -> None:
        """See `PartitionLog.commit`."""
        self._require_open()
        producer = self._producer
        producer.begin()
        try:
            for message in batch.messages:
                if isinstance(message, RecordBatch):
                    producer.produce_records(message)
                else:
                    producer.produce(*message)
            for topic, values in ((self._topics.items, batch.items), (self._topics.state, batch.state)):
                for key, value in values:
                    producer.produce(topic, key, value, partition=self._partition)
            producer.send_offsets(self._group_metadata(), {(self._topics.trigger, self._partition): batch.position})
        except BaseException:
            producer.abort()
            raise
        producer.commit()

    async def close(self) -> None:
        """See `PartitionLog.close`."""
        self._closed = True

    def _require_open(self) -> None:
        if self._closed:
            raise Fenced("the partition's log is closed")


def restore_from(log: InMemoryLog, topics: OwnTopics, group_id: str) -> Restore:
    """How partitions are restored from that cluster."""

    async def restore(partition: int) -> StoredPartition:
        state: dict[bytes, bytes] = {}
        for message in log.read(topics.state, partition):
            if message.key is not None and message.value is None:
                state.pop(message.key, None)
            elif message.key is not None and message.value is not None:
                state[message.key] = message.value
        return StoredPartition(log.position(group_id, topics.trigger, partition), state)

    return restore


class InMemoryGroup:
    """A consumer group that shares the partitions of one topic. It judges who commits offsets."""

    def __init__(self, log: InMemoryLog, group_id: str, topic: str) -> None:
        self.log = log
        self.group_id = group_id
        self.topic = topic
        self._generation = 0
        self._members: dict[str, InMemorySource | None] = {}
        self._owners: dict[int, str] = {}
        self._fenced: set[str] = set()
        self._joined = 0
        self._rebalancing = asyncio.Lock()
        log.guard(group_id, self)

    def check(self, metadata: GroupMetadata) -> None:
        """See `Membership.check`. Raises `InstanceFenced` where another member has the member's identity."""
        if metadata.member_id in self._fenced:
            raise InstanceFenced(_INSTANCE_FENCED)
        if metadata.member_id not in self._members or metadata.generation != self._generation:
            raise Fenced("the consumer group has a newer generation")

    async def join(self, source: "InMemorySource") -> None:
        """Take the member in, and share the partitions out again."""
        async with self._rebalancing:
            self._joined += 1
            member_id = f"{source.instance_id or 'member'}-{self._joined}"
            before = self._id_of(source.instance_id)
            if before is None:
                self._members[member_id] = source
                source.member_id = member_id
                await self._rebalance()
                return
            await self._take_the_place_of(before, member_id, source)

    async def leave(self, source: "InMemorySource") -> None:
        """Let the member go in good order: a static one keeps its partitions for when it returns."""
        async with self._rebalancing:
            if self._members.get(source.member_id) is not source:
                return
            mine = self.owned_by(source.member_id)
            await source.revoke(mine)
            if source.instance_id is not None:
                self._members[source.member_id] = None
                return
            await self._remove(source.member_id)

    async def expel(self, source: "InMemorySource") -> None:
        """End the session of a member that was not heard of for too long, or of a static one that left."""
        async with self._rebalancing:
            await self._remove(source.member_id)

    def owned_by(self, member_id: str) -> list[int]:
        """The partitions that the member has."""
        return sorted(number for number, owner in self._owners.items() if owner == member_id)

    def metadata_of(self, member_id: str) -> GroupMetadata:
        """What the member commits offsets with, as of now."""
        return GroupMetadata(self.group_id, member_id, self._generation)

    def _id_of(self, instance_id: str | None) -> str | None:
        if instance_id is None:
            return None
        return next((each for each in self._members if each.rpartition("-")[0] == instance_id), None)

    async def _take_the_place_of(self, before: str, member_id: str, source: "InMemorySource") -> None:
        fenced = self._members.pop(before)
        self._members[member_id] = source
        source.member_id = member_id
        for number in self.owned_by(before):
            self._owners[number] = member_id
        self._fenced.add(before)
        if fenced is not None:
            fenced.fence()
        source.refresh(self.metadata_of(member_id))
        await source.assign(self.owned_by(member_id))

    async def _remove(self, member_id: str) -> None:
        if self._members.pop(member_id, None) is None and not self.owned_by(member_id):
            return
        for number in self.owned_by(member_id):
            del self._owners[number]
        await self._rebalance()

    async def _rebalance(self) -> None:
        self._generation += 1
        shares = self._shares()
        present = {member_id: source for member_id, source in self._members.items() if source is not None}
        for member_id, source in present.items():
            source.refresh(self.metadata_of(member_id))
        for member_id, source in present.items():
            moving = [number for number in self.owned_by(member_id) if shares[number] != member_id]
            await source.revoke(moving)
        for member_id, source in present.items():
            new = [number for number, owner in shares.items() if owner == member_id != self._owners.get(number)]
            self._owners.update(dict.fromkeys(new, member_id))
            await source.assign(new)

    def _shares(self) -> dict[int, str]:
        """Who is to have each partition: as evenly as it goes, and otherwise as it is."""
        partitions = self.log.partitions(self.topic)
        if not self._members:
            return {}
        by_load = sorted(self._members, key=lambda member_id: -len(self.owned_by(member_id)))
        quota, more = divmod(partitions, len(by_load))
        shares: dict[int, str] = {}
        room: dict[str, int] = {}
        for at, member_id in enumerate(by_load):
            most = quota + (at < more)
            kept = self.owned_by(member_id)[:most]
            shares.update(dict.fromkeys(kept, member_id))
            room[member_id] = most - len(kept)
        free = iter([number for number in range(partitions) if number not in shares])
        for member_id, places in room.items():
            for _ in range(places):
                shares[next(free)] = member_id
        return shares


class InMemorySource:
    """A `TriggerSource`: one member of a group. With an `instance_id` it is a static one."""

    def __init__(self, group: InMemoryGroup, listener: TriggerListener, instance_id: str | None = None) -> None:
        self.instance_id = instance_id
        self.member_id = ""
        self._group = group
        self._listener = listener
        self._metadata: GroupMetadata | None = None
        self._assigned: set[int] = set()
        self._positions: dict[int, int] = {}
        self._failure: BaseException | None = None
        self._wake = asyncio.Event()
        self._calling = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        group.log.watch(self._wake.set)

    @property
    def failure(self) -> BaseException | None:
        """See `TriggerSource.failure`."""
        return self._failure

    def start(self) -> None:
        """See `TriggerSource.start`."""
        self._task = asyncio.create_task(self._run(), name="in-memory-source")

    async def stop(self) -> None:
        """See `TriggerSource.stop`."""
        await self._end()
        await self._group.leave(self)
        self._metadata = None

    async def crash(self) -> None:
        """End as a process does that is killed: the group learns of it by `InMemoryGroup.expel`."""
        await self._end()

    async def find_out(self) -> None:
        """Learn, as a member does that was expelled without knowing it, that its partitions are another's."""
        lost, self._metadata = sorted(self._assigned), None
        self._assigned.clear()
        self._positions.clear()
        async with self._calling:
            await self._listener.on_lost(lost)

    def group_metadata(self) -> GroupMetadata:
        """What offsets are sent with: as of the last rebalance that the member heard of.

        Raises `Fenced` where it is no member.
        """
        if self._metadata is None:
            raise Fenced("the worker is no member of its consumer group")
        return self._metadata

    def begin_at(self, partition: int, offset: int) -> None:
        """See `TriggerSource.begin_at`."""
        self._positions[partition] = offset
        self._wake.set()

    def hold(self, partition: int) -> None:
        """See `TriggerSource.hold`."""
        self._positions.pop(partition, None)

    # What the group does with a member.

    def refresh(self, metadata: GroupMetadata) -> None:
        """There is a new generation, and the member is in it."""
        self._metadata = metadata

    def fence(self) -> None:
        """Another member has its identity."""
        self._failure = InstanceFenced(_INSTANCE_FENCED)
        if self._task is not None:
            self._task.cancel()

    async def assign(self, partitions: Iterable[int]) -> None:
        """These are the member's from now on."""
        if new := list(partitions):
            self._assigned.update(new)
            async with self._calling:
                await self._listener.on_assigned(new)

    async def revoke(self, partitions: Iterable[int]) -> None:
        """These go to another member, or are free."""
        if going := list(partitions):
            async with self._calling:
                await self._listener.on_revoked(going)
            self._assigned.difference_update(going)
            for number in going:
                self.hold(number)

    async def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            await self._group.join(self)
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._deliver()
        except Exception as problem:
            self._failure = problem

    async def _deliver(self) -> None:
        async with self._calling:
            topic, log = self._group.topic, self._group.log
            messages = [each for number, offset in self._positions.items() for each in log.read(topic, number, offset)]
            if not messages:
                return
            for message in messages[:BATCH]:
                self._positions[message.partition] = message.offset + 1
            await self._listener.on_messages(messages[:BATCH])
            if len(messages) > BATCH:
                self._wake.set()
