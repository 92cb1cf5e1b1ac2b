"""A fleet that grows and shrinks in the middle of its work: forty connections, from one worker to four and back."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from google_drive_worker.domain.partitioning import partition_of
from support.mirroring import Stage, staged
from support.one_owner import CallLog, assert_one_at_a_time, spans_of
from support.topics import Topics
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.kafka

CONNECTIONS = tuple(f"conn_user_{number}" for number in range(1, 41))
SLOW_MS, SWIFT_MS = 1_000, 5
"""Google's latency while the fleet changes, so that this is in mid-sync, and afterwards."""

AT_LEAST = 5
"""How many connections have to be in the middle of a sync when the fleet changes."""

SETTINGS = {"GDRIVE_PAGE_SIZE": "5", "GDRIVE_MAX_CONCURRENT_LISTINGS": "1", "KAFKA_SESSION_TIMEOUT_MS": "3000"}
"""A sync is many calls, one after the other, so that it takes longer than a worker to come or go."""


@dataclass
class Fleet:
    """Workers of one group; `all` are those that ever ran, each of them once."""

    stage: Stage
    stack: ExitStack
    all: list[WorkerProcess] = field(default_factory=list)
    running: list[WorkerProcess] = field(default_factory=list)

    def grow(self, count: int) -> None:
        """Start workers until there are so many, and wait until all partitions are shared out among them."""
        while len(self.running) < count:
            worker = self.stack.enter_context(self.stage.worker(SETTINGS, start=False))
            worker.start()
            self.all.append(worker)
            self.running.append(worker)
        self._wait_until_shared_out()

    def shrink(self, end: Callable[[WorkerProcess], object]) -> None:
        """End the worker that came last, and wait until the others have taken over what was its own."""
        end(self.running.pop())
        self._wait_until_shared_out()

    def _wait_until_shared_out(self) -> None:
        def is_shared_out() -> bool:
            owned = [number for worker in self.running for number in _owned(worker)]
            return sorted(owned) == list(range(self.stage.topics.partitions)) and all(map(_owned, self.running))

        self.running[0].wait_until(is_shared_out, f"shared out among {len(self.running)}", deadline_s=60)


def _owned(worker: WorkerProcess) -> set[int]:
    return {span.partition for span in spans_of([worker]) if span.end_s == float("inf")}


def _stop(worker: WorkerProcess) -> None:
    assert worker.terminate() == 0


def _change_in_mid_sync(fleet: Fleet, steps: Iterable[int], give_work: Callable[[], None]) -> None:
    """Take the fleet through those numbers of workers, each time while connections are being synced.

    The last one to go of those that have to go is killed, the others stop in order.
    """
    stage = fleet.stage
    stage.simulator.latency_ms = SLOW_MS
    for wanted in steps:
        while len(fleet.running) != wanted:
            give_work()
            fleet.running[0].wait_until(lambda: len(stage.under_way()) >= AT_LEAST, "syncs under way")
            if len(fleet.running) < wanted:
                fleet.grow(wanted)
            else:
                fleet.shrink(WorkerProcess.kill if len(fleet.running) == wanted + 1 else _stop)
    stage.simulator.latency_ms = SWIFT_MS
    stage.settle(*CONNECTIONS)
    stage.assert_equal(*CONNECTIONS)


def test_a_fleet_changes_size_in_mid_sync(wide_topics: Topics, tmp_path: Path) -> None:
    """Through full and incremental syncs all mirrors stay equal and in order, and no connection is two workers'."""
    world = generate(CorpusPlan(files=40, shared_drives=2, my_drives=(60,) * len(CONNECTIONS), seed=41))
    with ExitStack() as stack:
        stage = stack.enter_context(staged(world, wide_topics, tmp_path))
        log = CallLog({stage.email(name): name for name in CONNECTIONS})
        stage.simulator.observers.append(log)
        fleet = Fleet(stage, stack)
        seeds = count(41)
        fleet.grow(1)

        stage.simulator.latency_ms = SLOW_MS
        stage.trigger_all(CONNECTIONS, "full_sync")
        _change_in_mid_sync(fleet, [4, 1], give_work=lambda: None)
        assert stage.mirror.duplicates.total() == 0

        def edit_and_trigger() -> None:
            stage.edit(next(seeds), 100)
            stage.trigger_all(CONNECTIONS)

        _change_in_mid_sync(fleet, [2, 4, 2, 1], give_work=edit_and_trigger)

        partitions = {name: partition_of(name, wide_topics.partitions) for name in CONNECTIONS}
        assert_one_at_a_time(spans_of(fleet.all), log.calls(), partitions)
        sync_ids: dict[str, list[str]] = defaultdict(list)
        for record in stage.records:
            sync_ids[record.integration_connection_id].append(record.sync_id)
        assert all(ids == sorted(ids) for ids in sync_ids.values())
        assert stage.errors() == []
