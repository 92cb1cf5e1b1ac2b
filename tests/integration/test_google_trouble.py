"""What Google does to a worker: tokens rejected, grants withdrawn, storms of errors."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.server.connections_file import CLIENT_ID
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.kafka

SECOND = "conn_user_2"
SERVICE = "conn_service_account"
BAD_REQUEST = 400
SMALL_PAGES = {"GDRIVE_PAGE_SIZE": "40"}
STORM: tuple[tuple[str, int | None], ...] = (
    ("userRateLimitExceeded", None),
    ("rateLimitExceeded", 403),
    ("rateLimitExceeded", 429),
    ("internalError", None),
    ("backendError", 503),
)


def _by_category(stage: Stage, category: str) -> list[dict[str, Any]]:
    return [error for error in stage.errors() if error["error"]["category"] == category]


def _wait_refused(worker: WorkerProcess) -> None:
    worker.wait_for("step_failed", connection_id=SECOND, classification="reauth")


def test_a_rejected_listing_token_restarts_that_listing(topics: Topics, tmp_path: Path) -> None:
    """The token is not asked for again, what it led to is listed by another query, and nothing is lost."""
    world = generate(CorpusPlan(files=900, shared_drives=2, seed=3))
    with staged(world, topics, tmp_path) as stage, stage.worker(SMALL_PAGES):
        rule = Rule(Effect(page_token="invalid"), Match(method="files.list", page_token=True, skip=2, every=2), times=2)
        stage.simulator.faults.add(rule)
        stage.sync(FIRST, "full_sync")
        assert stage.simulator.faults.states()[0].struck == 2
        stage.assert_equal()
        listed = stage.simulator.counters.entries("files.list")
        tokens = Counter(entry.parameter("pageToken") for entry in listed)
        assert [tokens[entry.parameter("pageToken")] for entry in listed if entry.status == BAD_REQUEST] == [1, 1]
        assert stage.mirror.records["sync", "upsert"] == 2
        assert stage.errors() == []


@pytest.mark.parametrize("how", ["invalid", "expired"])
def test_a_rejected_change_token_leads_to_a_full_sync(topics: Topics, tmp_path: Path, how: Any) -> None:
    """A log that can't be followed any more is replaced by a new enumeration, and what happened meanwhile is in it."""
    world = generate(CorpusPlan(files=300, shared_drives=2, seed=4))
    soon = {**SMALL_PAGES, "SYNC_GAP_RETRY_S": "1", "SYNC_CONFIRM_AFTER_S": "1"}
    with staged(world, topics, tmp_path) as stage, stage.worker(soon) as worker:
        stage.sync(FIRST, "full_sync")
        stage.edit(4, 200)
        stage.simulator.faults.add(Rule(Effect(page_token=how), Match(method="changes.list"), times=1))
        stage.sync()
        worker.wait_until(lambda: not stage.state().get("gaps"), "a drive that was left is asked for twice")
        stage.settle(FIRST)
        stage.assert_equal()
        assert len(stage.mirror.completed_syncs(FIRST)) == 2


def test_a_wrong_clock_of_ours_blames_no_customer(topics: Topics, tmp_path: Path) -> None:
    """Google refuses what was signed at another time: readiness tells by how much, and the sync goes on by itself."""
    with staged(generate(CorpusPlan(files=50, seed=5)), topics, tmp_path) as stage, stage.worker() as worker:
        stage.simulator.tokens.ahead_s = -4000
        stage.trigger(SERVICE, "full_sync")
        worker.wait_until(lambda: "clock" in worker.health()[1].get("reasons", {}), "not ready")
        reason = worker.health()[1]["reasons"]["clock"]
        assert re.fullmatch(r"this host's clock is (3999|4000) s ahead of Google's; synchronize it \(NTP\)", reason)
        assert re.search(r"google_drive_clock_offset_seconds (3999|4000)\.", worker.page("/metrics"))
        worker.wait_for("step_failed", connection_id=SERVICE, classification="retriable", code="clock_skew")
        stage.simulator.tokens.ahead_s = 0.0
        stage.settle(SERVICE)
        worker.wait_ready()
        [error] = stage.errors()
        assert (error["error"]["code"], error["error"]["action"]) == ("clock_skew", "retried")
        assert error["integration_connection_id"] == error["resource"]["id"] == SERVICE
        assert error["sync_id"]
        assert "s ahead of Google's" in error["error"]["message"]
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()


def test_a_withdrawn_consent_is_one_error_and_nobody_elses_business(topics: Topics, tmp_path: Path) -> None:
    """One `reauth` record is written, and Google is not asked again by the same credentials; the others go on.

    A full sync that somebody asks for tries them once more: a suspended account comes back with the same.
    """
    world = generate(CorpusPlan(files=200, shared_drives=1, users=2, seed=5))
    with staged(world, topics, tmp_path) as stage, stage.worker() as worker:
        stage.sync(SECOND, "full_sync")
        account = stage.simulator.accounts[SECOND]
        stage.simulator.apply(lambda _: stage.simulator.tokens.revoke_grants(account.email))
        for count in (1, 2, 3):
            stage.trigger(SECOND)
            _wait_refused(worker)
            stage.sync(FIRST, "full_sync" if count == 1 else "incremental")
        stage.assert_equal(FIRST)
        assert len(worker.lines("step_failed", connection_id=SECOND)) == 1
        (error,) = stage.errors()
        assert (error["error"]["category"], error["error"]["code"]) == ("reauth", "reauth_required")
        assert error["integration_connection_id"] == SECOND
        assert error["customer_id"] == account.customer_id
        assert stage.state(SECOND)["parked"]["refused"]

        stage.simulator.apply(
            lambda _: stage.simulator.tokens.grant(account.email, CLIENT_ID, refresh_token=account.refresh_token)
        )
        stage.sync(SECOND, "full_sync")
        stage.assert_equal(FIRST, SECOND)
        assert len(stage.errors()) == 1


def test_a_storm_of_errors_is_weathered(topics: Topics, tmp_path: Path) -> None:
    """A fifth of all calls fail with 403, 429 and 5xx, some are cut off or cut short: the mirror is the Drive."""
    world = generate(CorpusPlan(files=900, shared_drives=2, seed=6))
    with staged(world, topics, tmp_path) as stage, stage.worker({"GDRIVE_PAGE_SIZE": "60"}):
        effects = [Effect(error=reason, status=status) for reason, status in STORM]
        effects += [Effect(cut="before"), Effect(cut="body"), Effect(body="truncated")]
        for effect in effects:
            stage.simulator.faults.add(Rule(effect, Match(probability=0.2 / len(effects))))
        stage.sync(FIRST, "full_sync")
        stage.edit(6, 150)
        stage.sync()
        assert sum(state.struck for state in stage.simulator.faults.states()) > 10
        stage.simulator.faults.clear()
        stage.assert_equal()
        assert _by_category(stage, "terminal") == []


def test_an_outage_parks_the_connection_and_it_recovers_by_itself(topics: Topics, tmp_path: Path) -> None:
    """What outlasts the client's retries is one `retriable` record and a rest in state; no trigger is needed after."""
    world = generate(CorpusPlan(files=200, shared_drives=1, seed=7))
    with staged(world, topics, tmp_path) as stage, stage.worker({"GDRIVE_MAX_ATTEMPTS": "1"}) as worker:
        trouble = Effect(error="backendError", status=503)  # also of what tells an outage from one list
        outage = [stage.simulator.faults.add(Rule(trouble, Match(method=each))) for each in ("files.list", "about.get")]
        stage.trigger(FIRST, "full_sync")
        worker.wait_until(lambda: "until" in stage.state().get("parked", {}), "parked")
        for rule in outage:
            stage.simulator.faults.remove(rule)
        stage.settle(FIRST)
        stage.assert_equal()
        (error,) = stage.errors()
        assert (error["error"]["category"], error["error"]["http_status"]) == ("retriable", 503)
        assert error["error"]["reason"] == "backendError"
