"""The simulator as a server: Drive, OAuth, batches and the admin endpoints on one port, to embed or to run.

simulator = Simulator(generate(CorpusPlan(files=2_000)))
await simulator.start()          # or: with run_in_thread(simulator): …
simulator.base_url               # http://127.0.0.1:PORT/drive/v3
await simulator.stop()
"""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl

from aiohttp import web

from drive_simulator.api.call import LINK_SCOPES, Services
from drive_simulator.api.credential_errors import no_credentials
from drive_simulator.api.discovery import methods
from drive_simulator.api.dispatch import DriveApi, find_route, handlers_of
from drive_simulator.api.dispatch import error_response as answer_of
from drive_simulator.api.errors import ApiError
from drive_simulator.api.listing import Lister, ListingRules
from drive_simulator.api.methods import (
    about,
    changes,
    channels,
    comments,
    downloads,
    drives,
    exports,
    files,
    labels,
    permissions,
    replies,
    revisions,
)
from drive_simulator.api.operations import Operations
from drive_simulator.api.uploads import UploadSessions
from drive_simulator.api.wire import Request, Response
from drive_simulator.auth import oauth
from drive_simulator.auth.service_account import DEFAULT_EMAIL, new_service_account
from drive_simulator.faults import plan as faults
from drive_simulator.faults.effects import CUT, before, cut_at, error_response, faults_middleware
from drive_simulator.faults.notifications import NotificationFaults
from drive_simulator.faults.plan import FaultPlan
from drive_simulator.model.sharing import end_expired
from drive_simulator.model.world import World
from drive_simulator.push.channels import ChannelBook
from drive_simulator.push.notifications import Notifier, Pace
from drive_simulator.server.admin import PREFIX, add_admin_routes, add_consistency_routes
from drive_simulator.server.batch import parse_batch, run_batch
from drive_simulator.server.channel_routes import add_channel_routes
from drive_simulator.server.compression import compress, wants_gzip
from drive_simulator.server.connections_file import (
    CLIENT_ID,
    CLIENT_SECRET,
    Account,
    connections_toml,
    refresh_token_of,
)
from drive_simulator.server.counters import Counters
from drive_simulator.server.exchange import Exchange
from drive_simulator.server.quota import UNLIMITED, Quota, QuotaModel
from drive_simulator.server.truth_routes import add_truth_routes

MAX_BODY_BYTES = 256 * 1024 * 1024
UNKNOWN_METHOD = "unknown"

Observer = Callable[[Exchange], None]
T = TypeVar("T")

_ROOMS = (
    *(about, changes, channels, comments, downloads, drives),
    *(exports, files, labels, permissions, replies, revisions),
)


class Simulator:
    """A simulated Google over one world. `observers` are called for every Drive call, parts of batches included."""

    def __init__(
        self,
        world: World,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        latency_ms: float = 0,
        quota: QuotaModel | None = None,
        rules: ListingRules | None = None,
        seed: int = 0,
        pace: Pace | None = None,
    ) -> None:
        self.world = world
        self.faults = FaultPlan(seed=seed)
        self.counters = Counters()
        self.quota = Quota(quota or UNLIMITED)
        self.rules = rules or ListingRules()
        self.tokens = oauth.TokenService(world.users)
        self.observers: list[Observer] = []
        self.latency_ms = latency_ms
        self._host = host
        self._port = port
        self._batch_order = random.Random(seed)  # noqa: S311 - the order of parts
        self.operations = Operations(lambda: world.ids.token(24))
        uploads = UploadSessions(lambda: world.ids.token(24))
        self.channels = ChannelBook(world)
        self.notification_faults = NotificationFaults(seed=seed)
        self.notifier = Notifier(self.channels, self.notification_faults, pace or Pace())
        lister = Lister(world, self.rules)
        self._services = Services(world, self.rules, lister, uploads, self.operations, self.channels)
        tables = (room.HANDLERS for room in _ROOMS)
        self._api = DriveApi(self._services, handlers_of(*tables), self._authenticate)
        self._runner: web.AppRunner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._accounts: dict[str, Account] = {}

    @property
    def origin(self) -> str:
        """`http://HOST:PORT`, once started."""
        return f"http://{self._host}:{self._port}"

    @property
    def base_url(self) -> str:
        """What stands for Google's `https://www.googleapis.com/drive/v3`."""
        return self.origin + "/drive/v3"

    @property
    def token_uri(self) -> str:
        """The address of the token endpoint."""
        return self.origin + "/token"

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The accounts that `write_connections` writes, by connection id."""
        return self._accounts

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        self._loop = asyncio.get_running_loop()
        strike = faults_middleware(self.faults, self.tokens, self._classify, self._note_struck)
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[strike])
        add_admin_routes(app, self.faults, self.counters, self.tokens, self.quota)
        add_consistency_routes(app, self.world)
        add_truth_routes(app, self.world)
        add_channel_routes(app, self.channels, self.notifier, self.notification_faults)
        self.tokens.add_routes(app)
        for path in ("/batch/drive/v3", "/batch"):
            app.router.add_post(path, self._serve_batch)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, self._host, self._port, backlog=512)
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        self._services.base_url = self.world.site.origin = self.origin
        self._open_accounts()
        await self.notifier.start()

    async def stop(self) -> None:
        """Stop listening and drop what is open."""
        await self.notifier.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def access_token(self, email: str) -> str:
        """An access token of that user with every scope, without a call to the token endpoint."""
        return self.tokens.issue_access_token(email)

    def write_connections(self, path: Path | str, *, push: bool = False) -> None:
        """Write a connections.toml that the worker takes as it is: a connection for each user, one service account."""
        Path(path).write_text(connections_toml(self._accounts, self.token_uri, push=push), encoding="utf-8")

    def apply(self, function: Callable[[World], T]) -> T:
        """Run `function` on the world between two calls: the way to change or compare the world of a served simulator.

        What has expired is gone by then. Not from within the server's own loop while it runs in a thread.
        """
        loop = self._loop
        if loop is None or not loop.is_running() or _running_loop() is loop:
            return self._run(function)

        async def run() -> T:
            return self._run(function)

        return asyncio.run_coroutine_threadsafe(run(), loop).result()

    def _run(self, function: Callable[[World], T]) -> T:
        end_expired(self.world)
        return function(self.world)

    def handle(self, request: Request) -> Response:
        """Serve one Drive call without its transport; faults are not for here. Counts and observes it."""
        method_id, email = UNKNOWN_METHOD, None
        path: dict[str, str] = {}
        try:
            route = find_route(request.http_method, request.path)
            method_id, path = route.method_id, route.path_parameters
            call = self._api.authorize(request, route)
            email = call.user.email
            media = call.text("alt") == "media"
            refusal = self.quota.charge(method_id, email, call.text("quotaUser"), media=media)
            if refusal is not None:
                raise refusal
            response = self._api.execute(call)
        except ApiError as error:
            response = answer_of(error)
        self.counters.record(method_id, email, {**dict(request.query), **path}, response.status)
        if self.observers:
            exchange = Exchange(request, method_id, email, response)
            for observer in self.observers:
                observer(exchange)
        return response

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        came_at_s = time.time()
        self.counters.requests += 1
        body = await request.read()
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)
        query = tuple(parse_qsl(request.query_string, keep_blank_values=True))
        response = self.handle(
            Request(request.method, request.rel_url.raw_path, query, request.headers, body, came_at_s)
        )
        headers = dict(response.headers)
        headers["Content-Type"] = response.content_type
        if response.stream is not None and request.method == "HEAD":
            headers["Content-Length"] = str(response.stream.length)
            return web.Response(status=response.status, headers=headers)
        if response.stream is not None:
            return await _send_stream(request, response, headers)
        payload = response.body
        if payload and wants_gzip(request.headers):
            payload = compress(payload)
            headers["Content-Encoding"] = "gzip"
        headers["Vary"] = "Origin, X-Origin, Referer"
        return web.Response(status=response.status, body=payload, headers=headers)

    async def _serve_batch(self, request: web.Request) -> web.StreamResponse:
        self.counters.requests += 1
        serve = partial(self._dispatch_part, time.time())
        try:
            parts = parse_batch(request.headers.get("Content-Type", ""), await request.read())
        except ApiError as error:
            return error_response(error)
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)
        content_type, body = await run_batch(parts, request.headers, serve, order=self._batch_order)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _dispatch_part(
        self, came_at_s: float, http_method: str, path_qs: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        path, _, query = path_qs.partition("?")
        parameters = tuple(parse_qsl(query, keep_blank_values=True))
        request = Request(http_method, path, parameters, headers, body, came_at_s)
        call = self._name_call(request, query) if self.faults.states() else None
        effect = self.faults.decide(call) if call is not None else None
        error = await before(effect, call, self.tokens) if effect is not None and call is not None else None
        if error is not None and call is not None:
            self._note_struck(call, error.status)
        response = self.handle(request) if error is None else answer_of(error)
        told = b"" if http_method == "HEAD" else response.body
        return response.status, {"Content-Type": response.content_type, **response.headers}, told

    def _note_struck(self, call: faults.Call, status: int) -> None:
        """Count a call that a fault answered instead of the API; status 0 is no answer at all."""
        path = {} if call.file_id is None else {"fileId": call.file_id}
        parameters = {**dict(parse_qsl(call.query, keep_blank_values=True)), **path}
        self.counters.record(call.method_id, call.user, parameters, status)

    def _classify(self, request: web.Request) -> faults.Call | None:
        if request.path.startswith(PREFIX) or not self.faults.states():
            return None
        if request.path.startswith("/batch"):
            return faults.Call(faults.BATCH, self._user_of(request.headers), request.path)
        if request.path == "/token":
            return faults.Call(faults.TOKEN_ENDPOINT, path=request.path)
        query = tuple(parse_qsl(request.query_string, keep_blank_values=True))
        return self._name_call(
            Request(request.method, request.rel_url.raw_path, query, request.headers), request.query_string
        )

    def _name_call(self, request: Request, query: str) -> faults.Call | None:
        try:
            route = find_route(request.http_method, request.path)
        except ApiError:
            return None
        values = dict(request.query)
        return faults.Call(
            route.method_id,
            self._user_of(request.headers, values.get("access_token")),
            request.path,
            query,
            route.path_parameters.get("fileId"),
            media=values.get("alt") == "media",
            page_token="pageToken" in values,
        )

    def _user_of(self, headers: Mapping[str, str], access_token: str | None = None) -> str | None:
        """Who calls, for the faults' plan; None where that is not known."""
        with suppress(ApiError):
            return self.tokens.authenticate(headers, access_token=access_token).user
        return None

    def _authenticate(
        self, headers: Mapping[str, str], access_token: str | None, method_id: str, *, media: bool
    ) -> str:
        if not headers.get("Authorization") and access_token is None:
            is_read = method_id in methods() and methods()[method_id].http_method == "GET"
            raise no_credentials(method_id, is_read=is_read, media=media)
        access = self.tokens.authenticate(headers, access_token=access_token)
        oauth.authorize(access, LINK_SCOPES.get(method_id, method_id), media=media)
        return access.user

    def _open_accounts(self) -> None:
        if self._accounts:
            return
        users = list(self.world.users)
        self.tokens.add_client(CLIENT_ID, CLIENT_SECRET)
        for number, email in enumerate(users, start=1):
            refresh_token = self.tokens.grant(email, CLIENT_ID, refresh_token=refresh_token_of(email))
            self._accounts[f"conn_user_{number}"] = Account(email, f"cust_{number}", refresh_token=refresh_token)
        service_account = new_service_account(self.token_uri)
        self.tokens.add_service_account(service_account)
        if DEFAULT_EMAIL not in self.world.robots:
            self.world.add_user(DEFAULT_EMAIL, "Service account", robot=True)
        if users:
            info = service_account.info()
            self._accounts["conn_service_account"] = Account(users[0], "cust_service_account", service_account=info)


async def _send_stream(request: web.Request, response: Response, headers: dict[str, str]) -> web.StreamResponse:
    """Send a body while it is made; cut short where a fault wants it."""
    stream = response.stream
    assert stream is not None  # noqa: S101 - for the type checker
    left = stream.length
    if CUT in request:
        left = cut_at(request[CUT], left)
    outgoing = web.StreamResponse(status=response.status, headers={**headers, "Content-Length": str(stream.length)})
    await outgoing.prepare(request)
    for block in stream.blocks():
        await outgoing.write(block[:left])
        left -= len(block)
        if left <= 0:
            break
    if CUT in request and request.transport is not None:
        request.transport.close()
    else:
        await outgoing.write_eof()
    return outgoing


@contextmanager
def run_in_thread(
    simulator: Simulator, *, new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> Iterator[Simulator]:
    """Serve the simulator in a thread with a loop of its own, while the block runs. Raises what `start` raises."""
    loop = (new_loop or asyncio.new_event_loop)()
    thread = threading.Thread(target=_run_forever, args=(loop,), name="drive-simulator", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(simulator.start(), loop).result()
        yield simulator
    finally:
        asyncio.run_coroutine_threadsafe(simulator.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _run_forever(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
