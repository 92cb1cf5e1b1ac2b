"""The Control Plane's client against the stand-in, over real mutual TLS."""

import asyncio
import gc
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from control_plane_simulator.authority import Authority, Identity
from control_plane_simulator.server import serving
from control_plane_simulator.state import State
from google_drive_worker.connections.control_plane import ASK_AGAIN_S, KEPT_FOR_S, KEPT_IN_NEED_S, ControlPlane
from google_drive_worker.connections.mutual_tls import CertificateFiles, MutualTlsTransport
from google_drive_worker.connections.setup import FILE_NAMES, NO_CONNECTION, control_plane, problems_of
from google_drive_worker.domain.connection import AccessToken, Secret
from google_drive_worker.domain.ids import ConnectionId, CustomerId, PageToken, SyncId
from google_drive_worker.domain.reports import CredentialsRefused, SyncEnded
from google_drive_worker.http.transport import TransportLimits
from google_drive_worker.utils.errors import Misconfigured, NeedsReauth, Retryable, Terminal, UnknownConnection
from support.clock import ManualClock

ONE = ConnectionId("conn/1 ü")
LIMITS = TransportLimits(connect_timeout_s=5, total_timeout_s=5)
DESCRIBED: dict[str, Any] = {
    "customer_id": "cust_1",
    "credentials": {"type": "access_token", "access_token": "CANARY-token"},
    "settings": {"sync_comments": False, "what_a_later_platform_adds": [1]},
}


class Bench:
    """A stand-in, its authority, and a worker's side of it."""

    def __init__(self, directory: Path) -> None:
        self.state = State({ONE: DESCRIBED})
        self.authority = Authority()
        self.clock = ManualClock()
        self.files = CertificateFiles(directory / "client.crt", directory / "client.key", directory / "ca.crt")
        self.admit(self.authority.client(), self.authority)

    def admit(self, client: Identity, authority: Authority) -> None:
        """Write the worker's files."""
        client.write(self.files.certificate.parent, "client")
        assert self.files.authority is not None
        self.files.authority.write_bytes(authority.certificate)

    @asynccontextmanager
    async def open(self, identity: Identity | None = None) -> AsyncIterator[tuple[ControlPlane, MutualTlsTransport]]:
        """Serve, and open the worker's side."""
        async with serving(self.state, self.authority, identity=identity) as url:
            transport = MutualTlsTransport(url, self.files, FILE_NAMES, LIMITS)
            try:
                yield ControlPlane("", transport, self.clock, random=lambda: 0.5), transport
            finally:
                await transport.close()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A sound one."""
    return Bench(tmp_path)


async def test_a_connection_is_described(bench: Bench) -> None:
    """Whatever its id; unknown settings are a later platform's; who asks is known by the certificate."""
    async with bench.open() as (plane, _):
        connection = await plane.get(ONE)
    assert (connection.connection_id, connection.customer_id) == (ONE, "cust_1")
    assert connection.credentials == AccessToken(Secret("CANARY-token"))
    assert connection.settings.sync_comments is False
    assert [call.client for call in bench.state.calls] == ["google-drive-worker"]


async def test_a_description_counts_for_a_short_while(bench: Bench) -> None:
    """Then, and as soon as it is doubted, it is asked for again; many who ask at once are one call."""
    async with bench.open() as (plane, _):
        await asyncio.gather(*(plane.get(ONE) for _ in range(20)))
        assert bench.state.count("GET") == 1
        bench.state.connections[ONE] = {**DESCRIBED, "status": "paused"}
        assert (await plane.get(ONE)).status == "active"
        plane.doubt(ONE)
        assert (await plane.get(ONE)).status == "paused"
        await plane.get(ONE)
        assert bench.state.count("GET") == 2
        bench.clock.advance(KEPT_FOR_S + 1)
        await plane.get(ONE)
        assert bench.state.count("GET") == 3


async def test_a_control_plane_that_is_down_stops_only_who_is_not_known(bench: Bench) -> None:
    """What was described goes on counting, without a call for each; what was not has to wait."""
    async with bench.open() as (plane, _):
        await plane.get(ONE)
        bench.state.down = True
        bench.clock.advance(60)
        assert (await plane.get(ONE)).customer_id == "cust_1"
        calls = len(bench.state.calls)
        for _ in range(5):
            await plane.get(ONE)
        assert len(bench.state.calls) == calls
        with pytest.raises(Retryable) as caught:
            await plane.get(ConnectionId("another"))
        assert caught.value.code == "control_plane_unavailable"
        bench.state.down = False
        bench.clock.advance(ASK_AGAIN_S + 1)
        bench.state.connections[ONE] = {**DESCRIBED, "customer_id": "cust_2"}
        assert (await plane.get(ONE)).customer_id == "cust_2"
        bench.state.down = True
        bench.clock.advance(KEPT_IN_NEED_S + 1)
        with pytest.raises(Retryable):
            await plane.get(ONE)


async def test_an_unknown_connection_is_no_outage(bench: Bench) -> None:
    """Nobody tries it again; what was known of it counts no longer."""
    async with bench.open() as (plane, _):
        await plane.get(ONE)
        del bench.state.connections[ONE]
        plane.doubt(ONE)
        for _ in range(2):
            with pytest.raises(UnknownConnection):
                await plane.get(ONE)


@pytest.mark.parametrize("body", ["<html>not here</html>", "", '"gone"', "404"])
async def test_a_404_that_is_not_the_control_planes_own_passes(bench: Bench, body: str) -> None:
    """A proxy says so as well, for a minute: it speaks no JSON, and nothing is forgotten for it."""
    async with bench.open() as (plane, _):
        bench.state.instead[ONE] = (404, body)
        with pytest.raises(Retryable, match="404 without JSON") as caught:
            await plane.get(ONE)
        assert caught.value.code == "control_plane_unavailable"


async def test_a_pause_that_was_known_counts_no_longer_where_nobody_can_be_asked(bench: Bench) -> None:
    """The trigger that ends it may be here already: the connection is tried again, and not left until another one."""
    bench.state.connections[ONE] = {**DESCRIBED, "status": "paused"}
    async with bench.open() as (plane, _):
        assert (await plane.get(ONE)).status == "paused"
        bench.state.down = True
        bench.clock.advance(KEPT_FOR_S + 1)
        for _ in range(2):
            with pytest.raises(Retryable) as caught:
                await plane.get(ONE)
            assert caught.value.code == "control_plane_unavailable"


@pytest.mark.parametrize("trouble", [(500, "broken"), (403, "not yours"), (200, "<html>busy</html>")])
async def test_trouble_with_one_connection_leaves_the_others_alone(bench: Bench, trouble: tuple[int, str]) -> None:
    """They are asked for as before; it goes on by what was known of it, and is let be for a while."""
    other = ConnectionId("another")
    bench.state.connections[other] = DESCRIBED
    async with bench.open() as (plane, _):
        await plane.get(ONE)
        await plane.get(other)
        bench.state.instead[other] = trouble
        bench.state.connections[ONE] = {**DESCRIBED, "status": "paused"}
        bench.clock.advance(KEPT_FOR_S + 1)
        assert (await plane.get(other)).status == "active"
        assert (await plane.get(ONE)).status == "paused"
        calls = len(bench.state.calls)
        assert (await plane.get(other)).status == "active"
        assert len(bench.state.calls) == calls


async def test_a_doubt_is_not_answered_by_what_was_asked_before_it(bench: Bench) -> None:
    """An answer that was under way already may be older than its cause; it does not replace the newer one either."""
    async with bench.open() as (plane, _):
        bench.state.connections[ONE] = {**DESCRIBED, "status": "paused"}
        bench.state.latency_s = 0.3
        before = asyncio.create_task(plane.get(ONE))
        await _until(lambda: len(bench.state.calls) == 1)
        bench.state.latency_s = 0.0
        bench.state.connections[ONE] = DESCRIBED
        bench.state.instead[ONE] = (200, json.dumps({**DESCRIBED, "connection_id": ONE}))
        plane.doubt(ONE)
        assert (await plane.get(ONE)).status == "active"
        bench.state.instead[ONE] = (200, json.dumps({**DESCRIBED, "connection_id": ONE, "status": "paused"}))
        assert (await before).status == "paused"
        assert (await plane.get(ONE)).status == "active"


async def test_nothing_is_left_of_who_went_away(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """A question whose asker was cancelled ends with the client, and its failure is nobody's surprise."""
    bench.state.latency_s = 1.0
    async with bench.open() as (plane, _):
        asker = asyncio.create_task(plane.get(ONE))
        await _until(lambda: len(bench.state.calls) == 1)
        asker.cancel()
        await asyncio.wait([asker])
        await plane.close()
        assert [task for task in asyncio.all_tasks() if task.get_name().startswith("control-plane:")] == []
        bench.state.latency_s, bench.state.down = 0.2, True
        asker = asyncio.create_task(plane.get(ONE))
        await _until(lambda: len(bench.state.calls) == 2)
        asker.cancel()
        await asyncio.wait([asker])
        await _until(lambda: not [each for each in asyncio.all_tasks() if each.get_name().startswith("control-plane:")])
        gc.collect()
    assert caplog.messages == []


@pytest.mark.parametrize("segment", [".", ".."])
async def test_an_id_never_becomes_another_path(bench: Bench, segment: str) -> None:
    """No call is made for it."""
    async with bench.open() as (plane, _):
        with pytest.raises(UnknownConnection):
            await plane.get(ConnectionId(segment))
    assert bench.state.calls == []


async def test_keys_that_are_refused_are_not_the_environments(bench: Bench) -> None:
    """Only where the Control Plane has none to offer may the environment's do."""
    async with bench.open() as (plane, _):
        assert await plane.object_store_keys(ONE) is None
        bench.state.instead[ONE] = (409, "{}")
        with pytest.raises(Retryable) as caught:
            await plane.object_store_keys(ONE)
    assert caught.value.code == "object_store_unavailable"


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - there is no event to wait for: what holds is seen from outside
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("credentials", [{"type": "password"}, {"type": "access_token"}, "CANARY-token"])
async def test_a_description_that_makes_no_sense_is_told_without_its_secrets(bench: Bench, credentials: Any) -> None:
    """It names the field."""
    bench.state.connections[ONE] = {**DESCRIBED, "credentials": credentials}
    async with bench.open() as (plane, _):
        with pytest.raises(Terminal, match="can't be used") as caught:
            await plane.get(ONE)
    assert caught.value.code == "bad_connection"
    assert "CANARY" not in repr(caught.value.__dict__)


async def test_settings_that_make_no_sense_are_not_taken_for_none(bench: Bench) -> None:
    """An empty list would mirror everything: the connection is refused, and is back when it is described well."""
    async with bench.open() as (plane, _):
        senseless: dict[str, object] = {
            "drive_ids": [],
            "folder_ids": [""],
            "max_revisions": 0,
            "max_file_size_bytes": -1,
        }
        for name, value in senseless.items():
            bench.state.connections[ONE] = {**DESCRIBED, "settings": {name: value}}
            plane.doubt(ONE)
            with pytest.raises(Terminal, match=rf"settings\.{name}: .* was given; allowed") as caught:
                await plane.get(ONE)
            assert caught.value.code == "bad_settings"
        bench.state.connections[ONE] = DESCRIBED
        assert (await plane.get(ONE)).settings.drive_ids is None


async def test_reports_arrive_in_the_contracts_words(bench: Bench) -> None:
    """A cursor after a sync, and a status where the customer has to authorize anew."""
    ended = SyncEnded(
        connection_id=ONE,
        customer_id=CustomerId("cust_1"),
        sync_id=SyncId("sync-1"),
        kind="full",
        started_at="2026-11-25T10:00:00.000Z",
        completed_at="2026-11-25T10:00:01.000Z",
        page_token=PageToken("42"),
        counts={"file": 3},
    )
    async with bench.open() as (plane, _):
        await plane.report(ended)
        await plane.report(CredentialsRefused(connection_id=ONE, reason="reauth_required", credentials="of these"))
        with pytest.raises(NeedsReauth):
            await plane.refresh_token(ONE)
        assert await plane.object_store_keys(ONE) is None
    cursor = {"page_token": "42", "timestamp": ended.completed_at, "sync_id": "sync-1", "counts": {"file": 3}}
    assert bench.state.cursors == {ONE: [cursor]}
    assert bench.state.statuses == {ONE: [{"status": "reauth_required", "reason": "reauth_required"}]}


@pytest.mark.parametrize(
    ("server", "client", "trusted", "told"),
    [
        ("sound", "sound", "other", "the server's certificate is not accepted: .*(issuer|signature|self-signed)"),
        ("expired", "sound", "ours", "the server's certificate is not accepted: certificate has expired"),
        ("elsewhere", "sound", "ours", "the server's certificate is not accepted: .*(mismatch|not valid for)"),
        ("sound", "other", "ours", "the server does not accept our certificate .*another authority"),
        ("sound", "expired", "ours", "the server does not accept our certificate .*expired"),
        ("sound", "as_server", "ours", "the server does not accept our certificate .*not allowed"),
    ],
)
async def test_a_wrong_certificate_on_either_side_is_refused_with_its_reason(
    bench: Bench, server: str, client: str, trusted: str, told: str
) -> None:
    """Of another authority, expired, or for another host or purpose: nothing is exchanged."""
    other, ours = Authority(), bench.authority
    servers = {
        "sound": ours.server(),
        "expired": ours.server(expired=True),
        "elsewhere": ours.server(("control-plane.example",)),
    }
    clients = {
        "sound": ours.client(),
        "other": other.client(),
        "expired": ours.client(expired=True),
        "as_server": ours.server(("google-drive-worker",)),
    }
    bench.admit(clients[client], other if trusted == "other" else ours)
    async with bench.open(servers[server]) as (plane, _):
        with pytest.raises(Retryable, match=told) as caught:
            await plane.get(ONE)
    assert caught.value.code == "certificate_refused"
    assert caught.value.message.startswith("the Control Plane can't be reached: ")
    assert bench.state.calls == []


async def test_a_client_certificate_that_has_expired_is_told_before_anybody_refuses_it(bench: Bench) -> None:
    """It is in use, since the server is the judge; the worker says which file it is."""
    bench.admit(bench.authority.client(expired=True), bench.authority)
    async with bench.open() as (_, transport):
        await transport.refresh()
        assert re.match(r"CONTROL_PLANE_MTLS_CERT_PATH: .*client\.crt expired on \d{4}-", transport.problem or "")


async def test_a_certificate_whose_time_cant_be_read_is_used_all_the_same(bench: Bench) -> None:
    """OpenSSL takes more forms than are looked into; a rotation to one of them goes through."""
    async with bench.open() as (plane, transport):
        await plane.get(ONE)
        client = bench.authority.client("trusted")
        label = (b" CERTIFICATE-", b" TRUSTED CERTIFICATE-")
        bench.admit(client._replace(certificate=client.certificate.replace(*label)), bench.authority)
        plane.doubt(ONE)
        await plane.get(ONE)
        assert transport.problem is None
    assert bench.state.calls[-1].client == "trusted"


async def test_it_is_looked_whether_connections_can_be_had(bench: Bench) -> None:
    """Whether the Control Plane can be reached, and lets us in; what is wrong is told in a line."""
    async with (
        serving(bench.state, bench.authority) as url,
        control_plane(url, bench.files, bench.clock, timeout_s=5) as owner,
    ):
        assert await problems_of(owner) == []
        bench.state.instead[NO_CONNECTION] = (403, "")
        (line,) = await problems_of(owner)
        assert "its certificate is not allowed this" in line
        bench.admit(Authority("another").client(), bench.authority)
        (line,) = await problems_of(owner)
        assert line.startswith("the Control Plane can't be reached: the server does not accept our certificate")
        bench.files.key.unlink()
        (line,) = await problems_of(owner)
        assert line.startswith("CONTROL_PLANE_MTLS_KEY_PATH: there is no file")


async def test_who_shows_no_certificate_is_let_in_nowhere(bench: Bench) -> None:
    """The stand-in is as strict as the real one."""
    context = ssl.create_default_context(cadata=bench.authority.certificate.decode())
    async with serving(bench.state, bench.authority) as url, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"{url}/api/v1/connections/x", ssl=context)
    assert bench.state.calls == []


async def test_certificates_rotate_without_a_dropped_call(bench: Bench) -> None:
    """Files are replaced while calls are under way: each goes through, by the old identity or the new one."""
    bench.state.latency_s = 0.05
    async with bench.open() as (plane, _):
        stop = asyncio.Event()

        async def ask_on() -> int:
            asked = 0
            while not stop.is_set():
                plane.doubt(ONE)
                await plane.get(ONE)
                asked += 1
            return asked

        asking = [asyncio.create_task(ask_on()) for _ in range(4)]
        for name in ("second", "third"):
            client = bench.authority.client(name)
            client.write(bench.files.certificate.parent, "client")
            async with asyncio.timeout(10):
                while bench.state.calls[-1:] == [] or bench.state.calls[-1].client != name:
                    await asyncio.wait(asking, timeout=0.01)
        stop.set()
        assert all(await asyncio.gather(*asking))


async def test_new_files_that_do_not_fit_leave_the_old_ones_in_use(bench: Bench) -> None:
    """A rotation may be half done. What is wrong is told, and gone when it is mended."""
    async with bench.open() as (plane, transport):
        await plane.get(ONE)
        bench.files.key.write_bytes(bench.authority.client().key)
        plane.doubt(ONE)
        await plane.get(ONE)
        assert (transport.problem or "").startswith("CONTROL_PLANE_MTLS_CERT_PATH, CONTROL_PLANE_MTLS_KEY_PATH: ")
        bench.admit(bench.authority.client("mended"), bench.authority)
        plane.doubt(ONE)
        await plane.get(ONE)
        assert not transport.problem
        assert bench.state.calls[-1].client == "mended"


@pytest.mark.parametrize(("missing", "name"), [(0, "CERT"), (1, "KEY"), (2, "CA")])
async def test_a_missing_file_is_named_with_its_variable(bench: Bench, missing: int, name: str) -> None:
    """Before any call is made."""
    path = bench.files[missing]
    assert path is not None
    path.unlink()
    async with bench.open() as (plane, transport):
        with pytest.raises(Misconfigured, match=f"CONTROL_PLANE_MTLS_{name}_PATH: there is no file"):
            await plane.get(ONE)
        assert transport.problem is not None
