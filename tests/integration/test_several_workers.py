"""Workers of one group: each connection is one worker's, and somebody takes over where one goes."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from google_drive_worker.domain.partitioning import partition_of
from support.mirroring import Stage, staged
from support.topics import Topics
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.kafka

PAGES = {"files.list", "changes.list"}
"""What is read page by page; the permissions of folders are asked for anew by whoever takes up the work."""

SETTINGS = {"GDRIVE_PAGE_SIZE": "50", "KAFKA_SESSION_TIMEOUT_MS": "3000"}
CONNECTIONS = tuple(f"conn_user_{number}" for number in range(1, 7))


def _owned(worker: WorkerProcess) -> set[int]:
    """The partitions that a worker has open, by its log."""
    open_now: set[int] = set()
    for line in worker.lines():
        if line["event"] == "partition_opened":
            open_now.add(line["partition"])
        elif line["event"] == "partition_released":
            open_now.discard(line["partition"])
    return open_now


def _synced_by(worker: WorkerProcess) -> set[str]:
    return {line["connection_id"] for line in worker.lines("sync_started")}


def _edit_and_sync(stage: Stage, seed: int) -> None:
    stage.edit(seed, 100)
    for connection in CONNECTIONS:
        stage.trigger(connection)
    stage.settle(*CONNECTIONS)
    stage.assert_equal(*CONNECTIONS)


def test_two_workers_share_the_connections_and_one_takes_over(topics: Topics, tmp_path: Path) -> None:
    """Both sync, no connection is synced by two at a time; when one stops, in order or killed, the other goes on."""
    world = generate(CorpusPlan(files=1_500, shared_drives=3, users=6, seed=7))
    with ExitStack() as stack:
        stage = stack.enter_context(staged(world, topics, tmp_path, latency_ms=20))
        first, second = (stack.enter_context(stage.worker(SETTINGS)) for _ in range(2))
        first.wait_until(lambda: bool(_owned(second)) and len(_owned(first) | _owned(second)) == 3, "shared")
        first.wait_until(lambda: not _owned(first) & _owned(second), "shared out")

        for connection in CONNECTIONS:
            stage.trigger(connection, "full_sync")
        stage.settle(*CONNECTIONS)
        stage.assert_equal(*CONNECTIONS)
        assert _synced_by(first)
        assert _synced_by(second)
        assert _synced_by(first).isdisjoint(_synced_by(second))
        for worker in (first, second):
            assert {partition_of(name, topics.partitions) for name in _synced_by(worker)} <= _owned(worker)

        assert second.terminate() == 0
        _edit_and_sync(stage, 1)
        assert _synced_by(first) == set(CONNECTIONS)

        second.start()
        first.wait_until(lambda: bool(_owned(second)) and not _owned(first) & _owned(second), "shared out again")
        first.kill()
        _edit_and_sync(stage, 2)
        assert stage.errors() == []


def test_a_connection_in_mid_sync_changes_hands(topics: Topics, tmp_path: Path) -> None:
    """A worker that joins gets partitions whose listings are under way, and no page is listed twice."""
    world = generate(CorpusPlan(files=4_000, shared_drives=3, users=6, seed=8))
    settings = {**SETTINGS, "GDRIVE_MAX_CONCURRENT_LISTINGS": "1"}  # a sync takes longer than a worker to join
    with staged(world, topics, tmp_path, latency_ms=200) as stage, stage.worker(settings) as first:
        for connection in CONNECTIONS:
            stage.trigger(connection, "full_sync")
        first.wait_until(lambda: stage.simulator.counters.count("files.list") > 20, "listing")
        with stage.worker(settings) as second:
            second.wait_until(lambda: bool(_owned(second)), "a partition")
            stage.settle(*CONNECTIONS)
            stage.assert_equal(*CONNECTIONS)
            taken_over = [line for line in second.lines("sync_completed") if line["kind"] == "full"]
            assert taken_over
            assert not second.lines("sync_started")
            assert not first.lines("partition_reopening")
            assert [entry for entry in stage.simulator.counters.repeated_pages() if entry.method_id in PAGES] == []
            assert stage.mirror.duplicates.total() == 0


def test_a_static_member_returns_to_its_partitions(topics: Topics, tmp_path: Path) -> None:
    """Stopped or killed, it gets them back within the session timeout, and the other worker is not disturbed."""
    world = generate(CorpusPlan(files=50, shared_drives=1, users=6, seed=9))
    with ExitStack() as stack:
        stage = stack.enter_context(staged(world, topics, tmp_path))
        first, second = (
            stack.enter_context(stage.worker({"KAFKA_SESSION_TIMEOUT_MS": "30000", "KAFKA_GROUP_INSTANCE_ID": name}))
            for name in ("worker-0", "worker-1")
        )
        first.wait_until(lambda: bool(_owned(second)) and len(_owned(first) | _owned(second)) == 3, "shared")
        first.wait_until(lambda: not _owned(first) & _owned(second), "shared out")
        owned, others = _owned(first), _partition_lines(second)
        for end in (first.terminate, first.kill):
            opened = len(first.lines("partition_opened"))
            end()
            first.start()
            first.wait_until(lambda before=opened: len(first.lines("partition_opened")) == before + len(owned), "back")  # type: ignore[misc]
            assert {line["partition"] for line in first.lines("partition_opened")[opened:]} == owned
            for connection in CONNECTIONS:
                stage.trigger(connection, "full_sync")
            stage.settle(*CONNECTIONS)
        assert _partition_lines(second) == others
        stage.assert_equal(*CONNECTIONS)


def test_a_worker_whose_instance_id_is_taken_ends(topics: Topics, tmp_path: Path) -> None:
    """It says why; the one that took it has all its partitions."""
    world = generate(CorpusPlan(files=10, shared_drives=1, users=1, seed=9))
    settings = {"KAFKA_GROUP_INSTANCE_ID": "worker-0"}
    with staged(world, topics, tmp_path) as stage, stage.worker(settings) as first:
        first.wait_until(lambda: len(_owned(first)) == 3, "all")
        with stage.worker(settings) as second:
            second.wait_until(lambda: not first.running, "the first has ended")
            second.wait_until(lambda: len(_owned(second)) == 3, "all")
            last = json.loads(first.tail(1))
            assert (last["event"], last["code"]) == ("worker_failed", "instance_fenced")
            assert "KAFKA_GROUP_INSTANCE_ID" in last["message"]


def _partition_lines(worker: WorkerProcess) -> list[tuple[str, int]]:
    """What the worker's log tells of its partitions."""
    return [(line["event"], line["partition"]) for line in worker.lines() if line["event"].startswith("partition_")]
