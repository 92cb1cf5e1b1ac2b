"""Marked secrets in full, failing and crashing syncs: none of them leaves the worker but to who has to know it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from control_plane_simulator.state import as_refreshed_here, connections_of
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.server.connections_file import CLIENT_ID, CLIENT_SECRET, refresh_token_of
from google_drive_worker.demo.mirror import Mirror
from support.canaries import Canaries, referred_objects, topics_as_written
from support.consume import read_all
from support.control_plane import control_plane_in_thread
from support.credentials import new_private_key
from support.mirroring import FIRST, Stage, staged
from support.produce import send
from support.push import channels_of, proxy_process
from support.s3_server import BUCKET, Front, front_of, keys_in, object_in, s3_server
from support.topics import Topics
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.kafka

SERVICE = "conn_service_account"
PAGES = ("/metrics", "/health/live", "/health/ready")
SETTINGS = {
    "LOG_LEVEL": "DEBUG",
    "KAFKA_SESSION_TIMEOUT_MS": "1500",
    "WORKER_PAYLOAD_LIMIT_BYTES": "1300",
    "GDRIVE_PAGE_SIZE": "20",
    "GDRIVE_MAX_RETRY_TIME_S": "3",
    "S3_BUCKET_NAME": BUCKET,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": "us-east-1",
}
"""Everything is logged, a third of the records leave objects, and a dead worker's partitions are soon free."""


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 server, with STS beside it."""
    with s3_server() as url:
        yield url


class Watch:
    """Gathers all that a worker lets out."""

    def __init__(self, stage: Stage, s3: str, front: Front) -> None:
        self.canaries = Canaries()
        self.stage = stage
        self.pages: dict[str, bytes] = {}
        self.sent: list[str] = []
        self._s3, self._front = s3, front
        stage.mirror = Mirror(lambda ref: object_in(s3, ref.uri.removeprefix(f"s3://{BUCKET}/")))
        stage.simulator.tokens.observers.append(self.canaries.on_grant)

    def look(self, worker: WorkerProcess) -> None:
        """Keep what the health server shows at the moment."""
        for path in PAGES:
            if text := worker.page(path):
                self.pages[f"{path} {len(self.pages)}"] = text.encode()

    def send(self, topic: str, *values: str) -> None:
        """Messages of ours: they may hold secrets, what is said of them may not."""
        self.sent += values
        for value in values:
            self.canaries.see("sent", value)
        send(self.stage.topics.bootstrap_servers, topic, [(FIRST, value) for value in values])

    def let_out(self, worker: WorkerProcess) -> dict[str, bytes]:
        """All of it, by place. Asserts that there is something of every kind."""
        topics = topics_as_written(self.stage.topics)
        ours = {each.encode() for each in self.sent}
        objects = {
            f"object {key}": key.encode() + b"\n" + object_in(self._s3, key) for key in keys_in(self._s3, "cust_")
        }
        places = {name: text for name, text in topics.items() if text.partition(b"\n")[2].rstrip(b"\n") not in ours}
        for kind in ("data", "errors", "state"):
            assert any(name.startswith(kind) for name in places), kind
        assert referred_objects(self.stage.records)
        assert objects
        assert {path.split()[0] for path in self.pages} == set(PAGES)
        return {**places, **objects, **self.pages, "log": worker.text().encode()}

    def assert_silent(self, worker: WorkerProcess) -> None:
        """Each secret was where it belongs, and is nowhere else."""
        self.canaries.see("S3", json.dumps([headers for _, _, headers in self._front.seen]))
        assert self.canaries.unseen() == set()
        places = self.let_out(worker)
        found = self.canaries.found_in(places)
        assert not found, "\n".join(f"{name} stands in: {place}" for place, name in sorted(found)[:20])
        assert '"Bearer ' not in worker.text()


def fall_and_rise(stage: Stage, worker: WorkerProcess) -> None:
    """A full sync that is killed while it is under way, and gone on with by the next process."""
    stage.trigger(FIRST, "full_sync")
    worker.wait_until(lambda: bool(stage.state().get("sync")), "a sync under way")
    worker.kill()
    worker.start()
    worker.wait_ready()


def fail_now_and_then(stage: Stage) -> None:
    """Refused tokens, outages, answers that make no sense, and cuts, of which a sync recovers."""
    for rule in (
        Rule(Effect(expire_tokens=True), Match(method="files.list", skip=2), times=1),
        Rule(Effect(error="backendError"), Match(method="files.list", every=3), times=2),
        Rule(Effect(body="garbage"), Match(method="files.list", every=4), times=1),
        Rule(Effect(cut_after_bytes=1_000), Match(media=True, every=3), times=3),
    ):
        stage.simulator.faults.add(rule)


def marked_connections(stage: Stage, canaries: Canaries) -> str:
    """The connections file with marked secrets, and connections beside it that can't work."""
    client_secret = canaries.mark("client secret")
    text = stage.connections_file.read_text()
    stage.simulator.tokens.add_client(CLIENT_ID, client_secret)
    text = text.replace(CLIENT_SECRET, client_secret)
    for email in sorted({account.email for account in stage.simulator.accounts.values()}):
        refresh_token = canaries.mark(f"refresh token of {email}")
        stage.simulator.tokens.grant(email, CLIENT_ID, refresh_token=refresh_token)
        text = text.replace(refresh_token_of(email), refresh_token)
    info = stage.simulator.accounts[SERVICE].service_account
    assert info is not None
    canaries.mark_pem("service account's key", info["private_key"])
    broken = "\n".join(new_private_key().splitlines()[:-3])
    canaries.mark_pem("broken key", broken + "\n-")
    user = {"type": "authorized_user", "client_id": CLIENT_ID, "client_secret": client_secret}
    revoked = canaries.mark("revoked refresh token")
    elsewhere = canaries.mark("refresh token for elsewhere")
    others: dict[str, dict[str, Any]] = {
        "conn_revoked": {**user, "refresh_token": revoked, "token_uri": stage.simulator.token_uri},
        "conn_elsewhere": {**user, "refresh_token": elsewhere, "token_uri": "https://token.example.com/token"},
    }
    for name, credentials in others.items():
        lines = "".join(f"{field} = {json.dumps(value)}\n" for field, value in credentials.items())
        text += f'\n[{name}]\ncustomer_id = "cust_unknown"\n[{name}.credentials]\n{lines}'
    text += '\n[conn_broken]\ncustomer_id = "cust_unknown"\n[conn_broken.credentials]\ntype = "service_account"\n'
    text += f'info = {{ client_email = "x@example.com", private_key = {json.dumps(broken)} }}\n'
    return text.replace("sync_comments = false\n", "sync_comments = false\nsync_content = true\n", 1)


def test_no_secret_of_a_connections_file_is_let_out(topics: Topics, tmp_path: Path, s3: str) -> None:
    """Nor the keys that S3's STS gives out, the webhook secrets, or a channel's token, whoever repeats them wrongly."""
    with (
        staged(generate(CorpusPlan(files=60, shared_drives=1)), topics, tmp_path, latency_ms=30, push=True) as stage,
        front_of(s3) as front,
        proxy_process(stage.environment) as address,
    ):
        watch = Watch(stage, s3, front)
        canaries = watch.canaries
        stage.connections_file.write_text(marked_connections(stage, canaries))
        (tmp_path / "identity").write_text(canaries.mark("web identity"))
        settings = {
            **SETTINGS,
            "S3_ENDPOINT_URL": front.url,
            "AWS_ENDPOINT_URL_STS": front.url,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "identity"),
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/drive",
            "GDRIVE_WEBHOOK_ADDRESS": address,
            "WEBHOOK_TOKEN_SECRET": canaries.mark("webhook secret"),
            "WEBHOOK_TOKEN_SECRET_PREVIOUS": canaries.mark("webhook secret before"),
        }
        canaries.see("files", stage.connections_file.read_text() + (tmp_path / "identity").read_text())
        canaries.see("settings", json.dumps(settings))
        fail_now_and_then(stage)
        stage.simulator.faults.add(Rule(Effect(error="internal_failure"), Match(method="oauth.token"), times=1))
        with stage.worker(settings) as worker:
            watch.look(worker)
            fall_and_rise(stage, worker)
            stage.trigger_all([SERVICE, "conn_revoked", "conn_elsewhere", "conn_broken"], "full_sync")
            watch.look(worker)
            for _, _, headers in front.seen:
                if "x-amz-security-token" in headers:
                    canaries.mark("session token of STS", headers["x-amz-security-token"])
            assert "session token of STS" in canaries.secrets
            stage.settle(FIRST, SERVICE)
            worker.wait_until(lambda: bool(channels_of(stage)), "channels")
            token = stage.simulator.apply(lambda _: stage.simulator.channels.living()[0].order.token)
            assert token
            canaries.mark("channel token", token)
            wrong = json.dumps({"integration_id": "google-drive", "message_id": "m", "headers": [["Token", token]]})
            watch.send(topics.webhook, wrong, wrong[:-3])
            secret = canaries.secrets["client secret"]
            purge = stage.trigger_value(kind="purge", credentials={"client_secret": secret})
            watch.send(topics.trigger, purge, f'{{"integration_id": "google-drive", "refresh_token": "{secret}')
            stage.edit(3, 20)
            stage.sync()
            worker.wait_until(lambda: len(stage.errors()) >= 7, "every error is told")
            watch.look(worker)
            assert worker.terminate() == 0
            codes = {error["error"]["code"] for error in stage.errors()}
            assert {"invalid_message", "bad_credentials"} < codes
            assert {error["error"]["category"] for error in stage.errors()} >= {"reauth", "terminal"}
            for message in read_all(topics.bootstrap_servers, topics.webhook):
                canaries.see("webhook", message.value or b"")
            watch.assert_silent(worker)


def test_no_secret_of_the_control_planes_is_let_out(topics: Topics, tmp_path: Path, s3: str) -> None:
    """Nor the worker's key to it, the keys that it gives out, or what it describes wrongly; no report holds any."""
    with (
        staged(generate(CorpusPlan(files=60, shared_drives=1)), topics, tmp_path, latency_ms=30) as stage,
        front_of(s3) as front,
    ):
        watch = Watch(stage, s3, front)
        canaries = watch.canaries
        stage.connections_file.write_text(marked_connections(stage, canaries))
        known = connections_of(stage.connections_file)
        keys = {
            "access_key_id": "testing",
            "secret_access_key": canaries.mark("secret key to S3"),
            "session_token": canaries.mark("session token to S3"),
            "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        }
        connections: dict[str, Any] = {
            **known,
            FIRST: {**as_refreshed_here(known[FIRST]), "object_store_credentials": keys},
        }
        for name, token in {"conn_refused": "refused token", "conn_lines": "token\r\nX-Injected: CANARY"}.items():
            given = canaries.mark(token) if name == "conn_refused" else canaries.mark("token with lines", token)
            connections[name] = {
                "customer_id": "cust_unknown",
                "credentials": {"type": "access_token", "access_token": given},
            }
        odd = {"type": "access_token", "access_token": [canaries.mark("token of a wrong type")]}
        connections["conn_odd"] = {"customer_id": "cust_unknown", "credentials": odd}
        canaries.see("descriptions", json.dumps(connections))
        fail_now_and_then(stage)
        with control_plane_in_thread(connections, tmp_path / "certificates") as plane:
            key = (plane.directory / "client.key").read_text()
            canaries.mark_pem("client key", key)
            canaries.see("client key", key)
            chain = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": canaries.mark("secret key of the chain")}
            settings = {**SETTINGS, **plane.environment, **chain, "CONNECTIONS_FILE": "", "S3_ENDPOINT_URL": front.url}
            canaries.see("settings", json.dumps(settings))
            with stage.worker(settings) as worker:
                watch.look(worker)
                fall_and_rise(stage, worker)
                failing = ["conn_revoked", "conn_broken", "conn_refused", "conn_lines", "conn_odd"]
                stage.trigger_all(failing, "full_sync")
                watch.look(worker)
                stage.settle(FIRST)
                worker.wait_until(lambda: bool(plane.state.cursors.get(FIRST)), "reported")
                worker.wait_until(lambda: len(stage.errors()) >= len(failing), "every error is told")
                plane.state.down = True
                stage.edit(4, 20)
                stage.sync()
                watch.look(worker)
                assert worker.terminate() == 0
                assert {"conn_revoked", "conn_refused"} <= set(plane.state.statuses)
                reported = json.dumps([plane.state.cursors, plane.state.statuses]).encode()
                assert not canaries.found_in({"reports": reported})
                watch.assert_silent(worker)
