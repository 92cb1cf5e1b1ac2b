"""The worker's life on the cluster in memory: it runs, stops in good order, and ends where it can't go on."""

import asyncio
import json
from pathlib import Path

import pytest

from google_drive_worker.bootstrap import CONDITIONS
from google_drive_worker.observability.health import Readiness
from google_drive_worker.observability.metrics import Metrics
from google_drive_worker.reporter import Reporter
from google_drive_worker.scheduler import Seat
from google_drive_worker.telemetry import Telemetry
from google_drive_worker.utils.errors import InstanceFenced, first_of
from google_drive_worker.worker import Parts, Worker
from support.lives import CONNECTION, DEADLINE_S, HOME, PARTITIONS, Life
from support.partition_logs import MemoryCluster, RecordingListener


async def _nothing_lacks() -> dict[str, list[str]]:
    return {"kafka": [], "connections": []}


async def _watch_nothing() -> None:
    """The object store is well."""


def worker_of(life: Life) -> Worker:
    """A worker with that ownership."""
    reporter = Reporter(None, life.clock, lambda report, error: None)
    parts = Parts(life.source, life.ownership, life.scheduler, reporter, _watch_nothing)
    telemetry = Telemetry(Metrics(), Readiness(CONDITIONS))
    return Worker(
        lacks=_nothing_lacks, assemble=lambda: parts, telemetry=telemetry, clock=life.clock, shutdown_s=DEADLINE_S
    )


def send_trigger(cluster: MemoryCluster) -> None:
    """A trigger for the connection."""
    value = {
        "message_id": "m1",
        "customer_id": "cust_1",
        "integration_id": "google-drive",
        "integration_connection_id": CONNECTION,
        "trigger_type": "full_sync",
    }
    cluster.broker.append(cluster.names.trigger, CONNECTION.encode(), json.dumps(value).encode(), [], HOME)


async def test_a_worker_commits_what_its_turns_wrote_before_it_stops(tmp_path: Path) -> None:
    """A turn under way may end; what it writes is committed, and the group is left."""
    began, may_end, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def turn(seat: Seat) -> None:
        began.set()
        await may_end.wait()
        life.write(b"the turn's last page")

    cluster = MemoryCluster()
    life = Life(cluster, tmp_path, turn=turn)
    worker = worker_of(life)
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        running = group.create_task(worker.run(stop), name="worker")
        await life.until_open()
        send_trigger(cluster)
        await began.wait()
        stop.set()
        await asyncio.sleep(0)
        may_end.set()
        await running
    assert [value for _, value in await cluster.committed(cluster.names.data, HOME)] == [b"the turn's last page"]
    assert (await cluster.restore(HOME)).position == 1
    assert life.ownership.assigned == set()
    assert sorted(life.happenings.closed, key=lambda each: each[0]) == [(number, None) for number in range(PARTITIONS)]


async def test_a_worker_ends_where_its_source_has_ended(tmp_path: Path) -> None:
    """The first thing that it looks at next is the source; the others of the group get its partitions."""
    cluster = MemoryCluster()
    life = Life(cluster, tmp_path, "same")
    listener = RecordingListener()
    listener.member = cluster.member(listener, "same")
    worker = worker_of(life)

    async def take_its_place() -> None:
        await life.until_open()
        assert listener.member is not None
        listener.member.start()

    with pytest.raises(ExceptionGroup) as ended:
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(worker.run(asyncio.Event()), take_its_place())
    assert isinstance(first_of(ended.value), InstanceFenced)
    assert listener.owned == set(range(PARTITIONS))
    await listener.member.stop()
