"""Many triggers, few syncs."""

from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from support.mirroring import FIRST, staged
from support.topics import Topics

pytestmark = pytest.mark.kafka

ONE_BY_ONE = {"GDRIVE_MAX_CONCURRENT_LISTINGS": "1"}


def test_twenty_triggers_at_once_are_two_syncs_at_the_most(topics: Topics, tmp_path: Path) -> None:
    """Those that come before the sync begins are one with it; all that come during it are one more."""
    with staged(generate(CorpusPlan(files=500)), topics, tmp_path, latency_ms=50) as stage, stage.worker() as worker:
        stage.trigger(FIRST, "full_sync", times=20)
        stage.settle(FIRST)
        stage.assert_equal()
        assert len(worker.lines("message_accepted")) == 20
        kinds = [line["kind"] for line in worker.lines("sync_started")]
        assert kinds in (["full"], ["full", "incremental"])
        assert len(worker.lines("sync_completed")) == len(kinds)


def test_a_trigger_during_a_sync_makes_one_more(topics: Topics, tmp_path: Path) -> None:
    """Five that come in mid-sync bring one incremental sync after it, which begins when the first has ended."""
    world = generate(CorpusPlan(files=900))
    with staged(world, topics, tmp_path, latency_ms=200) as stage, stage.worker(ONE_BY_ONE) as worker:
        stage.trigger(FIRST, "full_sync")
        worker.wait_until(lambda: stage.simulator.counters.count("files.list") >= 2, "listing")
        stage.trigger(FIRST, "poll", times=5)
        worker.wait_until(lambda: len(worker.lines("message_accepted")) == 6, "all accepted")
        assert not worker.lines("sync_completed")
        stage.settle(FIRST)
        stage.assert_equal()
        assert [line["kind"] for line in worker.lines("sync_started")] == ["full", "incremental"]
        # A sync is told of as completed when it is committed, by which time the next may have begun.
        assert [line["kind"] for line in worker.lines("sync_completed")] == ["full", "incremental"]
