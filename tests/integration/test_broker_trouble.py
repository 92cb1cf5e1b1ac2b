"""A broker that goes away in the middle of a sync, and a worker that is frozen while another takes its place."""

import signal
from pathlib import Path

import pytest

from drive_simulator.corpus import CorpusPlan, generate
from support.kafka_broker import KafkaBroker
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics, create_topics
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.kafka

SECOND = "conn_user_2"
SETTINGS = {"GDRIVE_PAGE_SIZE": "40", "KAFKA_SESSION_TIMEOUT_MS": "1500"}


def _wait_for_pages(stage: Stage, worker: WorkerProcess, count: int) -> None:
    counters = stage.simulator.counters
    worker.wait_until(lambda: counters.count("files.list") >= count, f"{count} pages")


def _assert_exact(stage: Stage, *connections: str) -> None:
    stage.settle(*connections, deadline_s=120)
    stage.assert_equal(*connections)
    assert stage.mirror.duplicates.total() == 0


@pytest.mark.parametrize("kill", [False, True], ids=["restarted", "killed"])
def test_a_broker_gone_in_mid_sync_costs_nothing_but_time(
    private_broker: KafkaBroker, tmp_path: Path, *, kill: bool
) -> None:
    """Commits under way may hang or end in doubt: the partition opens anew, from what is committed."""
    topics = create_topics(private_broker.bootstrap_servers)
    world = generate(CorpusPlan(files=3_000, shared_drives=3, users=2, seed=7))
    with staged(world, topics, tmp_path, latency_ms=60) as stage, stage.worker(SETTINGS) as worker:
        stage.trigger(FIRST, "full_sync")
        _wait_for_pages(stage, worker, 12)
        private_broker.restart(kill=kill)
        _assert_exact(stage, FIRST)
        assert worker.terminate() == 0
        assert "Traceback" not in worker.text()


def test_a_frozen_worker_writes_nothing_once_another_has_taken_over(topics: Topics, tmp_path: Path) -> None:
    """It wakes up with a page in hand, and is fenced: what a committed reader sees holds each record once."""
    world = generate(CorpusPlan(files=3_000, shared_drives=3, users=2, seed=8))
    with (
        staged(world, topics, tmp_path, latency_ms=60) as stage,
        stage.worker(SETTINGS) as frozen,
        stage.worker(SETTINGS) as other,
    ):
        stage.trigger(FIRST, "full_sync")
        stage.trigger(SECOND, "full_sync")
        _wait_for_pages(stage, frozen, 16)
        frozen.signal(signal.SIGSTOP)
        opened = len(other.lines("partition_opened"))
        other.wait_until(lambda: len(other.lines("partition_opened")) > opened, "takeover")
        frozen.signal(signal.SIGCONT)
        _assert_exact(stage, FIRST, SECOND)
        assert stage.mirror.repeated_messages == 0
