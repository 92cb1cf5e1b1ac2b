"""The life of owned partitions, on the cluster in memory: opened, written to, opened again, let go of, and fenced."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from google_drive_worker.domain.partitioning import partition_of
from google_drive_worker.ownership import REOPEN_CAP_S
from google_drive_worker.sync.state_records import decode_state
from google_drive_worker.utils.errors import Fenced, InstanceFenced, Retryable, first_of
from support.lives import CONNECTION, DEADLINE_S, HOME, PARTITIONS, Life
from support.partition_logs import MemoryCluster, RecordingListener


class Town:
    """A cluster and its workers."""

    def __init__(self, directory: Path, stack: AsyncExitStack) -> None:
        self.cluster = MemoryCluster()
        self._directory = directory
        self._stack = stack
        self._made = 0

    async def worker(self) -> Life:
        """One more worker, which joins the group; at the end it leaves."""
        self._made += 1
        return await self._stack.enter_async_context(self._living(self._directory / str(self._made)))

    @asynccontextmanager
    async def _living(self, directory: Path) -> AsyncIterator[Life]:
        life = Life(self.cluster, directory)
        async with asyncio.TaskGroup() as group:
            life.ownership.connect(life.source, life.scheduler, group)
            life.source.start()
            yield life
            life.gate.is_open.set()
            await life.source.stop()
        assert life.source.failure is None

    def trigger(self, kind: str = "full_sync", *, connection: str = CONNECTION, partition: int = HOME) -> None:
        """A trigger for a connection."""
        value = {
            "message_id": "m1",
            "customer_id": "cust_1",
            "integration_id": "google-drive",
            "integration_connection_id": connection,
            "trigger_type": kind,
        }
        names = self.cluster.names
        self.cluster.broker.append(names.trigger, connection.encode(), json.dumps(value).encode(), [], partition)

    async def state(self, number: int = HOME) -> tuple[int, dict[str, str]]:
        """The committed position, and what each connection of the partition owes."""
        stored = await self.cluster.restore(number)
        checkpoints = decode_state(stored.state).checkpoints
        return stored.position, {name: each.owed.kind for name, each in checkpoints.items() if each.owed}

    async def written(self) -> list[bytes | None]:
        """The committed records."""
        return [value for _, value in await self.cluster.committed(self.cluster.names.data, HOME)]


@asynccontextmanager
async def a_town(directory: Path) -> AsyncIterator[Town]:
    """A cluster without workers; those that come leave it at the end."""
    async with asyncio.timeout(DEADLINE_S), AsyncExitStack() as stack:
        yield Town(directory, stack)


async def test_an_assigned_partition_is_opened_and_accepts_triggers(tmp_path: Path) -> None:
    """What a trigger owes is committed with the position after it, and a turn is asked for."""
    async with a_town(tmp_path) as town:
        worker = await town.worker()
        await worker.until_open()
        assert worker.ownership.assigned == worker.ownership.ready == {0, 1, 2}
        town.trigger()
        await worker.until_committed()
        assert await town.state() == (1, {CONNECTION: "full"})
        assert worker.happenings.messages == [(HOME, 0, "accepted")]
        assert worker.scheduler.waiting == 1


async def test_what_is_committed_is_there_for_the_next_owner(tmp_path: Path) -> None:
    """It begins after the last trigger, with its checkpoints, and asks a turn for each connection."""
    async with a_town(tmp_path) as town:
        first = await town.worker()
        await first.until_open()
        town.trigger()
        await first.until_committed()
        await first.source.stop()
        assert first.ownership.assigned == set()
        second = await town.worker()
        await second.until_open()
        assert (HOME, 1) in second.happenings.opened
        assert second.scheduler.waiting == 1
        town.trigger("incremental", connection="conn_def", partition=partition_of("conn_def", PARTITIONS))
        await second.until_committed()
        assert [outcome for *_, outcome in second.happenings.messages] == ["accepted"]


async def test_a_trigger_on_a_wrong_partition_is_passed_on_to_its_own(tmp_path: Path) -> None:
    """It is accepted there: by way of the topic, in the transaction that moves the position past it."""
    async with a_town(tmp_path) as town:
        worker = await town.worker()
        await worker.until_open()
        wrong = (HOME + 1) % PARTITIONS
        town.trigger(partition=wrong)
        await worker.until_committed(2)
        assert worker.happenings.messages == [(wrong, 0, "passed_on"), (HOME, 0, "accepted")]
        assert await town.state(wrong) == (1, {})
        assert await town.state() == (1, {CONNECTION: "full"})


async def test_a_revoked_partition_commits_what_is_written_first(tmp_path: Path) -> None:
    """The member that gets it waits for that, and finds it."""
    async with a_town(tmp_path) as town:
        first = await town.worker()
        await first.until_open()
        first.gate.shut()
        first.write(b"under way")
        await first.gate.waiting.wait()
        first.write(b"pending")
        leaving = asyncio.create_task(first.source.stop(), name="leaving")
        second = await town.worker()
        for _ in range(100):
            await asyncio.sleep(0)
        assert HOME not in second.ownership.assigned
        assert HOME in first.ownership.ready
        first.gate.is_open.set()
        await leaving
        await second.until_open()
        assert await town.written() == [b"under way", b"pending"]
        assert [problem for _, problem in first.happenings.closed] == [None] * PARTITIONS


async def test_a_lost_partition_drops_what_is_not_committed(tmp_path: Path) -> None:
    """It is another worker's already."""
    async with a_town(tmp_path) as town:
        worker = await town.worker()
        await worker.until_open()
        worker.write(b"committed")
        await worker.until_committed()
        worker.gate.shut()
        worker.write(b"under way")
        await worker.gate.waiting.wait()
        worker.write(b"pending")
        await town.cluster.group.expel(worker.source)
        await worker.source.find_out()
        assert worker.ownership.assigned == worker.ownership.ready == set()
        worker.gate.is_open.set()
        assert await town.written() == [b"committed"]


async def test_a_partition_in_trouble_is_opened_again_after_growing_rests(tmp_path: Path) -> None:
    """Each rest is twice the one before, up to a limit; a partition that is well does not wait for it."""
    async with a_town(tmp_path) as town:
        town.cluster.broker.append(town.cluster.names.trigger, None, b"another integration's", [], 0)
        worker = await town.worker()
        worker.gate.openings = 3 * 9
        await worker.until_open()
        rests = worker.clock.sleeps
        assert len(rests) == 3 * 9
        assert sorted(rests)[::PARTITIONS][:4] == [1.0, 2.0, 4.0, 8.0]
        assert max(rests) == REOPEN_CAP_S
        assert all(isinstance(problem, Retryable) for _, problem in worker.happenings.closed)


async def test_what_a_failed_commit_held_comes_again(tmp_path: Path) -> None:
    """The partition is opened from what is committed, and the trigger is read once more."""
    async with a_town(tmp_path) as town:
        worker = await town.worker()
        await worker.until_open()
        worker.gate.commits = 2
        town.trigger()
        await worker.until_committed()
        assert await town.state() == (1, {CONNECTION: "full"})
        assert worker.happenings.messages == [(HOME, 0, "accepted")] * 3
        assert [number for number, _ in worker.happenings.closed] == [HOME] * 2
        assert worker.clock.sleeps == [1.0, 2.0]


async def test_a_zombies_commit_is_fenced_by_the_next_owner(tmp_path: Path) -> None:
    """It was frozen when the group gave its partitions away, and the next owner has opened them since."""
    async with a_town(tmp_path) as town:
        zombie = await town.worker()
        await zombie.until_open()
        zombie.gate.shut()
        zombie.write(b"late")
        await zombie.gate.waiting.wait()
        await town.cluster.group.expel(zombie.source)
        heir = await town.worker()
        await heir.until_open()
        heir.write(b"in time")
        await heir.until_committed()
        zombie.gate.is_open.set()
        await zombie.happenings.until(lambda: bool(zombie.happenings.closed))
        [(number, problem), *_] = zombie.happenings.closed
        assert number == HOME
        assert isinstance(problem, Fenced)
        assert await town.written() == [b"in time"]
        await zombie.source.find_out()
        assert zombie.ownership.assigned == set()


async def test_a_zombies_commit_is_fenced_by_the_groups_generation(tmp_path: Path) -> None:
    """Also before any other worker has opened the partition."""
    async with a_town(tmp_path) as town:
        zombie = await town.worker()
        await zombie.until_open()
        zombie.gate.shut()
        zombie.write(b"late")
        await zombie.gate.waiting.wait()
        await town.cluster.group.expel(zombie.source)
        zombie.gate.is_open.set()
        await zombie.happenings.until(lambda: bool(zombie.happenings.closed))
        assert isinstance(zombie.happenings.closed[0][1], Fenced)
        assert await town.written() == []
        await zombie.source.find_out()


async def test_a_damaged_state_record_costs_its_connection_alone(tmp_path: Path) -> None:
    """It starts over; the others of the partition are as they were."""
    async with a_town(tmp_path) as town:
        state = town.cluster.names.state
        town.cluster.broker.append(state, b"conn_damaged", b"{", [], HOME)
        worker = await town.worker()
        await worker.until_open()
        assert list(worker.happenings.damaged) == ["conn_damaged"]
        town.trigger()
        await worker.until_committed()
        assert await town.state() == (1, {CONNECTION: "full"})


async def test_state_of_a_newer_worker_keeps_its_partition_closed(tmp_path: Path) -> None:
    """The others are open; it is tried over and over, for the day the newer worker's record is gone."""
    async with a_town(tmp_path) as town:
        state = town.cluster.names.state
        town.cluster.broker.append(state, b"conn_new", b'{"version": 99}', [], HOME)
        worker = await town.worker()
        await worker.until_open(*({0, 1, 2} - {HOME}))
        await worker.happenings.until(lambda: len(worker.happenings.closed) > 2)
        assert HOME not in worker.ownership.ready
        assert {problem.code for _, problem in worker.happenings.closed if problem} == {"newer_state"}
        town.cluster.broker.append(state, b"conn_new", None, [], HOME)
        await worker.until_open()


async def test_a_worker_whose_instance_is_taken_ends(tmp_path: Path) -> None:
    """A commit may find it out before the membership does: there is no way back for it."""
    cluster = MemoryCluster()
    life = Life(cluster, tmp_path, "same")
    listener = RecordingListener()
    listener.member = cluster.member(listener, "same")

    async def live() -> None:
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            life.ownership.connect(life.source, life.scheduler, group)
            life.source.start()
            await life.until_open()
            assert listener.member is not None
            listener.member.start()
            await listener.until(lambda: bool(listener.owned))
            life.write(b"late")

    with pytest.raises(ExceptionGroup) as ended:
        await live()
    assert isinstance(first_of(ended.value), InstanceFenced)
    assert isinstance(life.source.failure, InstanceFenced)
    assert await cluster.committed(cluster.names.data, HOME) == []
    await listener.member.stop()
