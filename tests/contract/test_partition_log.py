"""The worker's Kafka ports: what holds on a real broker holds on the cluster in memory, and the other way round."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from google_drive_worker.domain.message import Batch, Outgoing, RecordBatch
from google_drive_worker.messages.record import output_headers
from google_drive_worker.utils.errors import Fenced, InstanceFenced
from support.partition_logs import DEADLINE_S, Cluster, KafkaCluster, Member, MemoryCluster, RecordingListener


@pytest.fixture(params=["memory", pytest.param("broker", marks=pytest.mark.kafka)])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Each of the two in turn."""
    if request.param == "memory":
        return MemoryCluster()
    return KafkaCluster(request.getfixturevalue("topics"))


@asynccontextmanager
async def joined(
    cluster: Cluster, instance_id: str | None = None, *, holds: bool = False
) -> AsyncIterator[tuple[Member, RecordingListener]]:
    """A member of the group, which leaves it at the end."""
    listener = RecordingListener(holds=holds)
    listener.member = member = cluster.member(listener, instance_id)
    member.start()
    try:
        yield member, listener
    finally:
        await member.stop()
    assert member.failure is None


@asynccontextmanager
async def alone(cluster: Cluster) -> AsyncIterator[Member]:
    """The group's only member, which owns all partitions."""
    async with joined(cluster) as (member, listener):
        await listener.until(lambda: listener.owned == {0, 1, 2})
        yield member


def batch(cluster: Cluster, position: int, value: bytes, **state: bytes | None) -> Batch:
    """A record and some state."""
    record = Outgoing(cluster.names.data, b"key", value, [], 0)
    return Batch(position, [record], [(key.encode(), each) for key, each in state.items()])


async def test_a_commit_is_seen_as_a_whole(cluster: Cluster) -> None:
    """Messages, state and index entries, in order, and the group's position."""
    async with alone(cluster) as member:
        log = cluster.log(member.group_metadata, 1)
        await log.open()
        names = cluster.names
        batched = RecordBatch(names.data, b"key", [b"1", b"2"], [b"a", b"b"], 2)
        error = Outgoing(names.errors, b"key", b"e", output_headers(b"c"), 1)
        await log.commit(Batch(7, [batched, error], [(b"s", b"4")], [(b"i", b"5"), (b"j", None)]))
        [at] = [number for number in range(3) if await cluster.committed(names.data, number)]
        assert await cluster.committed(names.data, at) == [(b"key", b"1"), (b"key", b"2")]
        assert await cluster.committed(names.errors, 1) == [(b"key", b"e")]
        assert await cluster.committed(names.items, 1) == [(b"i", b"5"), (b"j", None)]
        assert await cluster.restore(1) == (7, {b"s": b"4"})
        await log.close()


async def test_a_partition_without_commits_begins_at_its_first_message(cluster: Cluster) -> None:
    """A new group misses no trigger."""
    assert await cluster.restore() == (0, {})


async def test_the_latest_value_of_each_key_is_restored(cluster: Cluster) -> None:
    """A tombstone ends a key; one that is written again after it is there."""
    async with alone(cluster) as member:
        log = cluster.log(member.group_metadata)
        await log.open()
        await log.commit(batch(cluster, 1, b"1", a=b"old", b=b"old", c=b"old"))
        await log.commit(batch(cluster, 2, b"2", a=b"new", b=None, c=None))
        await log.commit(batch(cluster, 3, b"3", c=b"again"))
        assert await cluster.restore() == (3, {b"a": b"new", b"c": b"again"})
        await log.close()


async def test_what_is_open_or_aborted_is_not_seen(cluster: Cluster) -> None:
    """Readers wait at the first message of an open transaction, and skip an aborted one."""
    names, another = cluster.names, cluster.transaction()
    await another.begin(names.state, b"key", b"aborted")
    await another.abort()
    await another.begin(names.state, b"key", b"committed")
    await another.commit()
    end = await cluster.end(names.state)
    await another.begin(names.state, b"key", b"open")
    assert await cluster.committed(names.state) == [(b"key", b"committed")]
    assert await cluster.end(names.state) == end == 4
    assert (await cluster.restore()).state == {b"key": b"committed"}
    await another.commit()
    assert (await cluster.restore()).state == {b"key": b"open"}


async def test_an_open_transaction_holds_readers_back_from_what_came_after(cluster: Cluster) -> None:
    """Also from what another producer has committed since."""
    another = cluster.transaction()
    async with alone(cluster) as member:
        log = cluster.log(member.group_metadata)
        await log.open()
        await another.begin(cluster.names.data, b"key", b"open")
        await log.commit(batch(cluster, 1, b"committed"))
        assert await cluster.committed(cluster.names.data) == []
        await another.abort()
        assert await cluster.committed(cluster.names.data) == [(b"key", b"committed")]
        await log.close()


async def test_opening_fences_the_log_that_was_opened_before(cluster: Cluster) -> None:
    """Its next commit writes nothing, though its member is one still."""
    async with alone(cluster) as member:
        first, second = (cluster.log(member.group_metadata) for _ in range(2))
        await first.open()
        await first.commit(batch(cluster, 1, b"first", a=b"first"))
        await second.open()
        with pytest.raises(Fenced):
            await first.commit(batch(cluster, 9, b"late", a=b"late"))
        await second.commit(batch(cluster, 2, b"second"))
        assert await cluster.restore() == (2, {b"a": b"first"})
        assert [value for _, value in await cluster.committed(cluster.names.data)] == [b"first", b"second"]
        await first.close()
        await second.close()


async def test_a_generation_that_is_over_commits_nothing(cluster: Cluster) -> None:
    """A member that was frozen in a rebalance is refused, before another log of the partition is opened."""
    async with alone(cluster) as member:
        old: Any = member.group_metadata()
        log = cluster.log(lambda: old)
        await log.open()
        await log.commit(batch(cluster, 1, b"in time", a=b"in time"))
        async with joined(cluster) as (_, listener):
            await listener.until(lambda: bool(listener.owned))
            with pytest.raises(Fenced):
                await log.commit(batch(cluster, 9, b"late", a=b"late"))
        assert await cluster.restore() == (1, {b"a": b"in time"})
        assert await cluster.committed(cluster.names.data) == [(b"key", b"in time")]
        await log.close()


async def test_a_commit_goes_on_through_a_rebalance(cluster: Cluster) -> None:
    """A member that is in the new generation commits by it."""
    async with alone(cluster) as member:
        log = cluster.log(member.group_metadata)
        await log.open()
        await log.commit(batch(cluster, 1, b"before"))
        async with joined(cluster) as (_, listener):
            await listener.until(lambda: bool(listener.owned))
            await log.commit(batch(cluster, 2, b"after"))
        assert (await cluster.restore()).position == 2
        await log.close()


async def test_who_left_the_group_commits_nothing(cluster: Cluster) -> None:
    """Offsets without a generation would be taken by the broker: the log refuses by itself."""
    async with alone(cluster) as member:
        log = cluster.log(member.group_metadata)
        await log.open()
    with pytest.raises(Fenced):
        await log.commit(batch(cluster, 9, b"late", a=b"late"))
    assert await cluster.restore() == (0, {})
    await log.close()


async def test_a_closed_log_commits_nothing(cluster: Cluster) -> None:
    """Nor is one opened that was closed before."""
    async with alone(cluster) as member:
        log, unopened = cluster.log(member.group_metadata), cluster.log(member.group_metadata)
        await log.open()
        await log.close()
        await unopened.close()
        with pytest.raises(Fenced):
            await unopened.open()
        with pytest.raises(Fenced):
            await log.commit(batch(cluster, 9, b"late"))
    assert (await cluster.restore()).position == 0


async def test_messages_come_from_where_they_are_let_come(cluster: Cluster) -> None:
    """From the offset that is asked for, until they are held; what is committed later comes by itself."""
    names, another = cluster.names, cluster.transaction()
    for value in (b"1", b"2"):
        await another.begin(names.trigger, b"key", value)
        await another.commit()
    async with joined(cluster, holds=True) as (member, listener):
        await listener.until(lambda: listener.owned == {0, 1, 2})
        assert listener.values == []
        member.begin_at(0, 2)
        await listener.until(lambda: listener.values == [b"2"])
        await another.begin(names.trigger, b"key", b"3")
        await another.commit()
        await listener.until(lambda: listener.values == [b"2", b"3"])
        member.hold(0)
        await another.begin(names.trigger, b"key", b"4")
        await another.commit()
        member.begin_at(0, 4)
        await listener.until(lambda: listener.values[2:] == [b"3", b"4"])


async def test_partitions_move_to_a_member_that_joins_and_back(cluster: Cluster) -> None:
    """What stays is not disturbed; what moves is revoked before it is assigned."""
    async with joined(cluster) as (_, first):
        await first.until(lambda: first.owned == {0, 1, 2})
        async with joined(cluster) as (_, second):
            await second.until(lambda: bool(second.owned))
            assert len(first.revoked) == len(second.assigned) == 1
            assert first.owned | second.owned == {0, 1, 2}
        await first.until(lambda: first.owned == {0, 1, 2})
        assert second.revoked == second.assigned
        assert first.lost == second.lost == []


async def test_a_static_member_that_returns_gets_its_partitions_back(cluster: Cluster) -> None:
    """The others of the group are not disturbed, neither when it leaves nor when it returns."""
    async with joined(cluster, "stays") as (staying, other):
        await other.until(lambda: other.owned == {0, 1, 2})
        async with joined(cluster, "leaves") as (_, first):
            await first.until(lambda: bool(first.owned))
            owned = set(first.owned)
            await other.until(lambda: len(other.owned) == 2)
        generation = staying.group_metadata()
        async with joined(cluster, "leaves") as (member, again):
            await again.until(lambda: again.owned == owned)
            [number] = owned
            log = cluster.log(member.group_metadata, number)
            await log.open()
            await log.commit(Batch(5))
            assert (await cluster.restore(number)).position == 5
            await log.close()
        assert staying.group_metadata() == generation
        assert (len(other.revoked), other.lost) == (1, [])


async def test_an_instance_that_joins_twice_fences_the_first(cluster: Cluster) -> None:
    """The first one's commits fail, and its source says that it has ended."""
    listener = RecordingListener()
    listener.member = first = cluster.member(listener, "same")
    first.start()
    await listener.until(lambda: listener.owned == {0, 1, 2})
    old: Any = first.group_metadata()
    log = cluster.log(lambda: old)
    await log.open()
    async with joined(cluster, "same") as (_, heir):
        await heir.until(lambda: heir.owned == {0, 1, 2})
        with pytest.raises(InstanceFenced):
            await log.commit(batch(cluster, 9, b"late", a=b"late"))
        async with asyncio.timeout(DEADLINE_S):
            while first.failure is None:  # noqa: ASYNC110 - its end is no event
                await asyncio.sleep(0.05)
        assert isinstance(first.failure, InstanceFenced)
        await first.stop()
        await log.close()
    assert await cluster.restore() == (0, {})
