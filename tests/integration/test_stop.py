"""A worker that is stopped in order in the middle of its work, and one that takes up where it was. Crashes: `chaos`."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.kafka

SLOW_MS = 60
SETTINGS = {"GDRIVE_PAGE_SIZE": "40", "KAFKA_SESSION_TIMEOUT_MS": "1500"}
LISTED, CHANGED = "files.list", "changes.list"
PAGES = {LISTED, CHANGED}
"""What is read page by page; the permissions of folders are asked for anew by whoever takes up the work."""


def _wait_for_calls(stage: Stage, worker: WorkerProcess, method: str, count: int) -> None:
    worker.wait_until(lambda: stage.simulator.counters.count(method) >= count, f"{count} calls of {method}")


def _interrupt(stage: Stage, worker: WorkerProcess, method: str, counts: Iterable[int]) -> None:
    """Stop and start the worker each time the simulator has served so many calls, one of them at least its own.

    A worker that has not called Google yet may not have come so far as to heed a SIGTERM.
    """
    counters = stage.simulator.counters
    for count in counts:
        _wait_for_calls(stage, worker, method, max(count, counters.count(method) + 1))
        assert worker.terminate() == 0
        worker.start()


def test_sigterm_in_mid_sync_lists_no_page_twice(topics: Topics, tmp_path: Path) -> None:
    """A worker stopped in order finishes its pages, ends with 0, and its successor goes on with the next ones."""
    world = generate(CorpusPlan(files=6_000, shared_drives=3, users=2, seed=5))
    with staged(world, topics, tmp_path, latency_ms=SLOW_MS) as stage, stage.worker(SETTINGS) as worker:
        stage.trigger(FIRST, "full_sync")
        _wait_for_calls(stage, worker, LISTED, 12)
        assert worker.terminate() == 0
        assert stage.state()["sync"]["kind"] == "full"
        assert worker.lines("worker_stopped")
        worker.start()
        _interrupt(stage, worker, LISTED, [40, 75])
        stage.settle(FIRST)
        stage.assert_equal()
        assert [entry for entry in stage.simulator.counters.repeated_pages() if entry.method_id in PAGES] == []
        assert stage.mirror.duplicates.total() == 0
        assert stage.mirror.records["sync", "upsert"] == 2


def test_sigterm_while_changes_are_read_reads_no_page_twice(topics: Topics, tmp_path: Path) -> None:
    """The same in an incremental sync: no page of a change log or of a changed folder is read twice."""
    world = generate(CorpusPlan(files=600, shared_drives=2, users=2, seed=6))
    with staged(world, topics, tmp_path, latency_ms=SLOW_MS) as stage, stage.worker(SETTINGS) as worker:
        stage.sync(FIRST, "full_sync")
        stage.edit(6, 500, memberships=False)
        stage.simulator.counters.clear()
        stage.trigger()
        _interrupt(stage, worker, CHANGED, [2, 5])
        stage.settle(FIRST)
        stage.assert_equal()
        assert [entry for entry in stage.simulator.counters.repeated_pages() if entry.method_id == CHANGED] == []
