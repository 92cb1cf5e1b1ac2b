"""The Control Plane's HTTP interface (platform contract, "Control Plane"), for clients with a certificate of ours."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from aiohttp import web

from control_plane_simulator.authority import Authority, Identity
from control_plane_simulator.state import Call, State

_STATE = web.AppKey("state", State)
_REPORTS = {"cursor": {"page_token", "timestamp", "sync_id", "counts"}, "status": {"status", "reason"}}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(
    state: State,
    authority: Authority,
    *,
    identity: Identity | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[str]:
    """Serve until left; gives the base URL. Clients must show a certificate that the authority signed.

    `identity` is the server's own where it is to be another than a sound one of the authority's.
    """
    app = web.Application(middlewares=[_behave])
    app[_STATE] = state
    app.add_routes(
        [
            web.get("/api/v1/connections/{id}", _describe),
            web.post("/api/v1/connections/{id}/refresh-token", _refresh_token),
            web.put("/api/v1/connections/{id}/cursor", _take_report),
            web.put("/api/v1/connections/{id}/status", _take_report),
            web.post("/api/v1/connections/{id}/object-store-credentials", _object_store_credentials),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=_context(authority, identity or authority.server()))
        await site.start()
        bound = runner.addresses[0][1]
        yield f"https://{host}:{bound}"
    finally:
        await runner.cleanup()


def _context(authority: Authority, identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.certificate.decode())
    with TemporaryDirectory() as directory:  # the ssl module loads a key from a file alone
        context.load_cert_chain(*identity.write(Path(directory), "server"))
    return context


@web.middleware
async def _behave(request: web.Request, handler: Handler) -> web.StreamResponse:
    state = request.app[_STATE]
    connection_id = request.match_info.get("id", "")
    what = request.path.partition(f"/connections/{connection_id}")[2].strip("/")
    state.calls.append(Call(request.method, connection_id, what, _client_of(request)))
    if state.latency_s:
        await asyncio.sleep(state.latency_s)
    if state.down:
        return web.json_response({"error": "unavailable"}, status=503)
    if connection_id in state.instead:
        status, text = state.instead[connection_id]
        return web.Response(status=status, text=text)
    if connection_id not in state.connections:
        return web.json_response({"error": "no such connection"}, status=404)
    return await handler(request)


def _client_of(request: web.Request) -> str:
    certificate = request.transport.get_extra_info("peercert") if request.transport is not None else None
    subject = dict(each[0] for each in (certificate or {}).get("subject", ()))
    return str(subject.get("commonName", ""))


async def _describe(request: web.Request) -> web.StreamResponse:
    return web.json_response(request.app[_STATE].described(request.match_info["id"]))


async def _take_report(request: web.Request) -> web.StreamResponse:
    state, kind = request.app[_STATE], request.path.rpartition("/")[2]
    report = await request.json()
    if not isinstance(report, dict) or set(report) != _REPORTS[kind]:
        return web.json_response({"error": f"a {kind} has the fields {sorted(_REPORTS[kind])}"}, status=400)
    kept = state.cursors if kind == "cursor" else state.statuses
    kept.setdefault(request.match_info["id"], []).append(report)
    return web.Response(status=204)


async def _refresh_token(request: web.Request) -> web.StreamResponse:
    """Refresh at Google, as the real one does: the refresh token never leaves this process."""
    credentials = request.app[_STATE].connections[request.match_info["id"]].get("refresh_credentials")
    if credentials is None:
        return web.json_response({"error": "the connection has no refresh token here"}, status=409)
    form = {name: credentials[name] for name in ("client_id", "client_secret", "refresh_token")}
    async with (
        aiohttp.ClientSession() as session,
        session.post(credentials["token_uri"], data={"grant_type": "refresh_token", **form}) as response,
    ):
        answer = await response.json()
    if response.status != 200:  # noqa: PLR2004 - HTTP's OK
        return web.json_response({"error": answer.get("error", "refused")}, status=409)
    shown = {name: answer[name] for name in ("access_token", "expires_in", "token_type")}
    return web.json_response(shown)


async def _object_store_credentials(request: web.Request) -> web.StreamResponse:
    credentials = request.app[_STATE].connections[request.match_info["id"]].get("object_store_credentials")
    if credentials is None:
        return web.json_response({"error": "not offered"}, status=404)
    return web.json_response(credentials)
