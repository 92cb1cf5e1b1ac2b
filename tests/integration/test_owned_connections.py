"""A worker whose connections are the Control Plane's: credentials, pauses, reports, outages."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from control_plane_simulator.state import as_refreshed_here, connections_of
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.server.connections_file import CLIENT_ID, connections_toml
from support.control_plane import Plane, control_plane_in_thread
from support.mirroring import FIRST, Stage, staged
from support.s3_server import BUCKET, KEYS, front_of, object_in, s3_server
from support.topics import Topics
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.kafka


@contextmanager
def owned(
    topics: Topics,
    directory: Path,
    seed: int,
    *,
    refreshed_there: bool,
    settings: Mapping[str, str] | None = None,
    keys: Mapping[str, str] | None = None,
    files: int = 400,
) -> Iterator[tuple[Stage, Plane, WorkerProcess]]:
    """A stage whose worker asks the Control Plane, which knows the simulator's connections, and may offer S3 `keys`."""
    with staged(generate(CorpusPlan(files=files, shared_drives=1, seed=seed)), topics, directory) as stage:
        toml = directory / "known.toml"
        toml.write_text(connections_toml(stage.simulator.accounts, stage.simulator.token_uri))
        known = {
            name: {**(as_refreshed_here(each) if refreshed_there else each), "settings": _SETTINGS}
            | ({} if keys is None else {"object_store_credentials": dict(keys)})
            for name, each in connections_of(toml).items()
        }
        with control_plane_in_thread(known, directory / "certificates") as plane:
            environment = {**plane.environment, "CONNECTIONS_FILE": "", **(settings or {})}
            with stage.worker(environment) as worker:
                yield stage, plane, worker


_SETTINGS: dict[str, Any] = {"sync_revisions": False, "sync_comments": False}


def test_tokens_are_the_control_planes_and_cursors_are_reported(topics: Topics, tmp_path: Path) -> None:
    """The worker holds no refresh token; each sync that is committed is reported with its cursor and counts."""
    with owned(topics, tmp_path, 11, refreshed_there=True) as (stage, plane, worker):
        stage.sync(FIRST, "full_sync")
        stage.edit(1, 60)
        stage.sync()
        stage.assert_equal()
        worker.wait_until(lambda: len(plane.state.cursors.get(FIRST, ())) == 2, "reported")
        assert plane.state.count("POST", "refresh-token") == 1
        full, incremental = plane.state.cursors[FIRST]
        assert full["counts"]["file"] > 0
        assert incremental["page_token"] == stage.state()["corpora"]["user"]["change_token"]
        assert incremental["sync_id"] == stage.state()["last_sync_id"]
        assert plane.state.statuses == {}


def test_a_control_plane_that_is_down_keeps_nobody_from_going_on(topics: Topics, tmp_path: Path) -> None:
    """Credentials that are good go on being used; the cursor that could not be told comes later, and fails no sync."""
    with owned(topics, tmp_path, 12, refreshed_there=False) as (stage, plane, worker):
        stage.sync(FIRST, "full_sync")
        plane.state.down = True
        stage.edit(2, 60)
        stage.sync()
        stage.assert_equal()
        worker.wait_for("report_failed", connection_id=FIRST)
        assert stage.errors() == []
        plane.state.down = False
        last = stage.state()["last_sync_id"]
        worker.wait_until(lambda: plane.state.cursors[FIRST][-1]["sync_id"] == last, "reported")


def test_refused_credentials_are_reported_once_and_new_ones_are_taken_at_once(topics: Topics, tmp_path: Path) -> None:
    """Google is not asked again by those; the trigger that comes with the new ones goes through."""
    with owned(topics, tmp_path, 13, refreshed_there=False) as (stage, plane, worker):
        account, tokens = stage.simulator.accounts[FIRST], stage.simulator.tokens
        stage.sync(FIRST, "full_sync")
        stage.edit(3, 40)
        stage.simulator.apply(lambda _: tokens.revoke_grants(account.email))
        stage.trigger()
        worker.wait_until(lambda: bool(plane.state.statuses.get(FIRST)), "reported")
        for _ in range(2):
            asked = plane.state.count("GET")
            stage.trigger()
            worker.wait_until(lambda before=asked: plane.state.count("GET") > before, "looked for others")  # type: ignore[misc]
        assert plane.state.statuses == {FIRST: [{"status": "reauth_required", "reason": "reauth_required"}]}
        assert [error["error"]["category"] for error in stage.errors()] == ["reauth"]

        stage.simulator.apply(lambda _: tokens.grant(account.email, CLIENT_ID, refresh_token="1//renewed"))
        renewed = {**plane.state.connections[FIRST]["credentials"], "refresh_token": "1//renewed"}
        plane.state.connections[FIRST] = {**plane.state.connections[FIRST], "credentials": renewed}
        stage.sync()
        stage.assert_equal()
        assert len(plane.state.statuses[FIRST]) == 1


def test_a_connection_that_the_control_plane_does_not_know_is_reported(topics: Topics, tmp_path: Path) -> None:
    """Each trigger of one that was never synced makes one error, leaves no state, and keeps nobody else waiting."""
    with owned(topics, tmp_path, 14, refreshed_there=False, files=50) as (stage, plane, worker):
        for wanted in (1, 2):
            stage.trigger("conn_stranger", "full_sync")
            worker.wait_until(lambda count=wanted: len(stage.errors()) == count, "reported")  # type: ignore[misc]
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()
        errors = stage.errors()
        assert [error["integration_connection_id"] for error in errors] == ["conn_stranger"] * 2
        assert {(error["error"]["code"], error["error"]["http_status"]) for error in errors} == {
            ("unknown_connection", 404)
        }
        assert len({error["source"]["message_id"] for error in errors}) == 2
        assert stage.state("conn_stranger") == {}
        assert plane.state.statuses == {}


def test_a_pause_is_honoured_in_the_middle_of_a_sync(topics: Topics, tmp_path: Path) -> None:
    """The sync stops where it is, without a restart, and goes on from there when it is triggered again."""
    settings = {"GDRIVE_PAGE_SIZE": "5"}
    with owned(topics, tmp_path, 14, refreshed_there=False, settings=settings) as (stage, plane, worker):
        slow = stage.simulator.faults.add(Rule(Effect(latency_ms=2000), Match(method="files.list")))
        stage.trigger(FIRST, "full_sync")
        worker.wait_until(lambda: bool(stage.state().get("sync")), "under way")
        sync_id = stage.state()["sync"]["sync_id"]
        plane.state.connections[FIRST] = {**plane.state.connections[FIRST], "status": "paused"}
        worker.wait_until(lambda: "parked" in stage.state(), "parked", deadline_s=60)
        assert stage.state()["parked"]["code"] == "connection_paused"
        calls = stage.simulator.counters.count("files.list")
        stage.simulator.faults.remove(slow)
        plane.state.connections[FIRST] = {**plane.state.connections[FIRST], "status": "active"}
        assert stage.simulator.counters.count("files.list") == calls
        stage.sync()
        stage.assert_equal()
        assert stage.mirror.completed_syncs(FIRST) == [sync_id]


def test_a_service_account_writes_by_the_keys_that_are_offered_to_it(topics: Topics, tmp_path: Path) -> None:
    """Large records of a connection go to S3 by its own keys from the Control Plane, never by the environment's."""
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    keys = {"access_key_id": "sts", "secret_access_key": "s", "session_token": "offered", "expires_at": ends}
    with s3_server() as server, front_of(server) as front:
        store = {**KEYS, "S3_BUCKET_NAME": BUCKET, "S3_ENDPOINT_URL": front.url, "WORKER_PAYLOAD_LIMIT_BYTES": "1500"}
        with owned(topics, tmp_path, 15, refreshed_there=False, settings=store, keys=keys, files=60) as (
            stage,
            plane,
            worker,
        ):
            stage.mirror.fetch = lambda ref: object_in(server, ref.uri.removeprefix(f"s3://{BUCKET}/"))
            connection = "conn_service_account"
            stage.sync(connection, "full_sync")
            worker.wait_until(lambda: bool(plane.state.cursors.get(connection)), "reported")
            assert plane.state.connections[connection]["credentials"]["type"] == "service_account"
            assert plane.state.count("POST", "object-store-credentials") == 1
        mine = [headers for _, path, headers in front.seen if "/cust_service_account/" in path]
    assert mine
    assert {headers.get("x-amz-security-token") for headers in mine} == {"offered"}


def test_the_cursor_of_the_last_sync_is_reported_before_the_worker_ends(topics: Topics, tmp_path: Path) -> None:
    """A stop waits for what its last commit has to tell."""
    with owned(topics, tmp_path, 16, refreshed_there=False, files=60) as (stage, plane, worker):
        plane.state.latency_s = 0.5
        stage.sync(FIRST, "full_sync")
        assert worker.terminate() == 0
        assert plane.state.cursors[FIRST][-1]["sync_id"] == stage.state()["last_sync_id"]
