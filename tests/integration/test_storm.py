"""A storm of errors over one connection, and what the other one, in the same process, notices of it."""

import statistics
from pathlib import Path

import pytest

from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.server.quota import unit_model
from support.details import assert_equal_with_details
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics
from support.worker_process import WorkerProcess

pytestmark = [pytest.mark.kafka, pytest.mark.alone]

SECOND = "conn_user_2"
STORM: tuple[tuple[str, int | None], ...] = (
    ("userRateLimitExceeded", None),
    ("rateLimitExceeded", 403),
    ("rateLimitExceeded", 429),
    ("internalError", 500),
    ("backendError", 502),
    ("backendError", 503),
)
SHARE = 0.3
QUOTA = unit_model(project_per_minute=16_000_000, user_per_minute=4_000_000)
"""So much that a storm of quota answers, which takes a limiter down to its floor, still lets a sync through in seconds;
little enough that its calls wait for some ten seconds in all."""

SETTINGS = {
    "GDRIVE_PAGE_SIZE": "50",
    "GDRIVE_QUOTA_MODEL": "units",
    "GDRIVE_QUOTA_PROJECT_PER_MINUTE": "16000000",
    "GDRIVE_QUOTA_USER_PER_MINUTE": "4000000",
}
SYNCS = 7
LEAST_S = 0.1
"""A quiet sync counts as at least so long: it is some calls of 20 ms, and two processors run all of this."""


def _begin_storm(stage: Stage) -> None:
    """Let `SHARE` of all calls of the first connection fail, alone and as parts of batches."""
    each = 1 - (1 - SHARE) ** (1 / len(STORM))  # the first rule that strikes decides
    for reason, status in STORM:
        rule = Rule(Effect(error=reason, status=status), Match(user=stage.email(FIRST), probability=each))
        stage.simulator.faults.add(rule)


def _latencies_s(stage: Stage, worker: WorkerProcess, seed: int, count: int) -> list[float]:
    """How long so many small incremental syncs of the second connection take, each after an edit."""
    found = []
    for number in range(count):
        stage.edit(seed + number, 2, memberships=False)
        before = len(worker.lines("sync_completed", connection_id=SECOND))
        stage.trigger(SECOND)
        worker.wait_until(
            lambda before=before: len(worker.lines("sync_completed", connection_id=SECOND)) > before,  # type: ignore[misc]
            "a small sync",
        )
        found.append(worker.served_s(SECOND))
    return found


def _metric(worker: WorkerProcess, name: str) -> float:
    lines = worker.page("/metrics").splitlines()
    return next(float(line.removeprefix(f"{name} ")) for line in lines if line.startswith(f"{name} "))


def test_a_storm_is_weathered_within_the_quota_and_nobody_else_notices(topics: Topics, tmp_path: Path) -> None:
    """With 30 % of its calls failing a connection's mirror comes out equal; the other's syncs take as long as ever."""
    details = Details(shared=0.1, limited=0.01, commented=0.3, revised=0.3)
    world = generate(CorpusPlan(files=200, shared_drives=2, users=2, seed=21, details=details))
    with (
        staged(world, topics, tmp_path, quota=QUOTA, latency_ms=20, details=True) as stage,
        stage.worker(SETTINGS) as worker,
    ):
        stage.sync(SECOND, "full_sync")
        quiet_s = _latencies_s(stage, worker, 100, SYNCS)
        _begin_storm(stage)
        stage.trigger(FIRST, "full_sync")
        worker.wait_for("sync_started", connection_id=FIRST)
        in_storm_s = _latencies_s(stage, worker, 200, SYNCS)
        assert FIRST in stage.under_way()
        stage.settle(FIRST, SECOND)
        stage.sync(FIRST)
        struck = sum(state.struck for state in stage.simulator.faults.states())
        stage.simulator.faults.clear()
        assert_equal_with_details(stage)
        stage.assert_equal(FIRST, SECOND)

        calls = stage.simulator.counters
        assert struck > SHARE / 2 * calls.count(user=stage.email(FIRST))
        assert stage.simulator.quota.refused == 0
        assert [each for each in stage.errors() if each["error"]["category"] != "retriable"] == []
        quiet, stormy = statistics.median(quiet_s), statistics.median(in_storm_s)
        assert _metric(worker, "google_drive_quota_wait_seconds_total") > 1
        assert stormy <= 2 * max(quiet, LEAST_S), f"quiet {quiet_s}, in the storm {in_storm_s}"
