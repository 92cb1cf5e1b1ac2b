"""What the worker tells of itself."""

import math
from datetime import timedelta

import pytest
from msgspec.structs import replace

from google_drive_worker.client.calls import CallReport
from google_drive_worker.client.load import BreakerState
from google_drive_worker.domain.message import Incoming
from google_drive_worker.entry import Entry, Tally
from google_drive_worker.normalization import transformer
from google_drive_worker.observability.health import Readiness
from google_drive_worker.observability.metrics import Metrics
from google_drive_worker.partition import Committed
from google_drive_worker.sync.checkpoint import Checkpoint, Parked
from google_drive_worker.sync.engine import complete
from google_drive_worker.telemetry import Telemetry, state_of
from google_drive_worker.utils.errors import Retryable
from support.syncs import CONNECTION, NOW, owed, syncing

IDLE = replace(syncing("full"), sync=None)
LATER = "2026-11-23T12:05:00.000Z"


class Bench:
    """A telemetry with what it tells to."""

    def __init__(self) -> None:
        self.metrics, self.readiness = Metrics(), Readiness()
        self.telemetry = Telemetry(self.metrics, self.readiness)

    def sample(self, name: str, **labels: str) -> float | None:
        """A metric's present value."""
        return self.metrics.registry.get_sample_value(name, labels)


def test_records_count_only_when_they_are_committed() -> None:
    """By type and operation, errors by category."""
    made = Bench()
    entry = Entry([], tallies=(Tally("file", "upsert", 3), Tally("error", "reauth", 1)))
    made.telemetry.on_commit(0, Committed([entry, entry], 0.1))
    assert made.sample("records_produced_total", type="file", operation="upsert") == 6
    assert made.sample("errors_produced_total", category="reauth") == 2
    assert made.sample("google_drive_commits_total", outcome="committed") == 1


def test_messages_count_as_processed_and_the_rejected_as_failed() -> None:
    """Under their topic."""
    made = Bench()
    message = Incoming("integration.trigger", 0, 1, b"\xff", b"{}")
    for outcome in ("accepted", "rejected", "skipped"):
        made.telemetry.on_message(message, outcome)
    assert made.sample("messages_processed_total", topic="integration.trigger") == 3
    assert made.sample("messages_failed_total", topic="integration.trigger") == 1


def test_the_clocks_offset_is_no_number_before_it_is_measured() -> None:
    """Zero would say that the clock is right."""
    made = Bench()
    for seconds in (None, 312.0, None):
        made.telemetry.clock_offset(seconds)
        shown = made.sample("google_drive_clock_offset_seconds")
        assert shown is not None
        assert math.isnan(shown) if seconds is None else shown == seconds


def test_calls_count_by_outcome() -> None:
    """An error's code, or ok."""
    made = Bench()
    made.telemetry.on_call(CallReport("drive.files.list", CONNECTION, 200, 0.1, 1, None))
    made.telemetry.on_call(CallReport("drive.files.list", CONNECTION, 429, 0.1, 6, "rate_limited"))
    for outcome in ("ok", "rate_limited"):
        assert made.sample("google_drive_api_calls_total", method="files.list", outcome=outcome) == 1


def test_what_the_client_does_under_load_is_counted() -> None:
    """Retries, breakers by the state that they are in now, batches, and quota."""
    made = Bench()
    made.telemetry.on_call(CallReport("drive.files.list", CONNECTION, 200, 0.1, 3, None))
    assert made.sample("google_drive_api_retries_total", method="files.list") == 2
    failure = Retryable("no", code="unavailable")
    made.telemetry.on_breaker(CONNECTION, BreakerState.CLOSED, BreakerState.OPEN, failure)
    assert made.sample("google_drive_breakers", state="open") == 1
    made.telemetry.on_breaker(CONNECTION, BreakerState.OPEN, BreakerState.HALF_OPEN, failure)
    assert made.sample("google_drive_breakers", state="open") == 0
    assert made.sample("google_drive_breakers", state="half_open") == 1
    made.telemetry.on_breaker(CONNECTION, BreakerState.HALF_OPEN, BreakerState.CLOSED, None)
    assert made.sample("google_drive_breakers", state="half_open") == 0
    assert made.sample("google_drive_breaker_changes_total", state="closed") == 1
    made.telemetry.on_budget_spent(CONNECTION, "worker", failure)
    assert made.sample("google_drive_retries_refused_total", budget="worker") == 1
    made.telemetry.on_batch(70)
    assert made.sample("google_drive_batch_calls_sum") == 70
    made.telemetry.on_quota(100, 2.5)
    made.telemetry.on_quota(5, 0)
    assert made.sample("google_drive_quota_units_total") == 105
    assert made.sample("google_drive_quota_wait_seconds_total") == 2.5


def test_a_syncs_length_is_from_its_beginning_across_restarts() -> None:
    """Its start is in the checkpoint. It counts when it is committed."""
    made = Bench()
    made.telemetry.on_sync_started(syncing("full"))
    ended = complete(syncing("full"), NOW + timedelta(seconds=90), transformer)
    made.telemetry.on_commit(0, Committed([Entry([], reports=ended.reports)], 0.1))
    assert made.sample("google_drive_sync_seconds_sum", kind="full", outcome="completed") == 90


def test_a_condition_with_problems_is_not_ready() -> None:
    """And names them; without any it is ready again."""
    made = Bench()
    made.telemetry.ready("topics", ["there is no topic a", "there is no topic b"])
    assert made.readiness.problems() == {"topics": "there is no topic a; there is no topic b"}
    made.telemetry.ready("topics", [])
    assert made.readiness.problems() == {}


def test_trouble_of_any_kind_is_told_and_raises_nothing() -> None:
    """Logs are for on-call; a failed one must stop nobody."""
    made = Bench()
    made.telemetry.on_trouble(CONNECTION, "ListDrives", Retryable("later"))
    made.telemetry.on_opened(0, 3, {CONNECTION: "damaged"})
    made.telemetry.on_closed(0, None)
    made.telemetry.on_closed(0, Retryable("unknown outcome"))
    made.telemetry.on_broker_trouble("all brokers are down")
    made.telemetry.gauges(2, {"idle": 4})
    assert made.sample("google_drive_commits_total", outcome="unknown") == 1


@pytest.mark.parametrize(
    ("checkpoint", "state"),
    [
        (IDLE, "idle"),
        (replace(IDLE, owed=owed("full")), "waiting"),
        (syncing("full"), "syncing"),
        (replace(syncing("full"), parked=Parked("unavailable", "Connect", until=LATER)), "parked"),
        (replace(syncing("full"), parked=Parked("unavailable", "Connect", until="")), "syncing"),
        (replace(IDLE, owed=owed("full"), parked=Parked("reauth_required", "Connect")), "blocked"),
    ],
)
def test_a_connection_is_counted_under_one_state(checkpoint: Checkpoint, state: str) -> None:
    """The one that says why nothing happens, if nothing does."""
    assert state_of(checkpoint, NOW) == state
    if state == "parked":
        assert state_of(checkpoint, NOW + timedelta(minutes=6)) == "syncing"
