"""An HTTP proxy between a worker and the simulator that passes everything on, and alters the answers it is told to.

    with altering(stage.simulator) as proxy, stage.worker(proxy.environment) as worker:
        odd = proxy.add(html(404), Match(method="files.list", query={"driveId": drive_id}), times=1)
        stage.sync(FIRST, "full_sync")
        assert odd.struck == 1

The simulator's own faults are what Google documents. What comes through here need not be Google's at all: a front door
that answers in HTML, a page token that leads nowhere, an element of the wrong type. The simulator stays right
meanwhile, and so does the watcher that holds it against Google's document.

Theory of operation. A rule is an `Alteration` with a `Match` that says which requests it is for. The first rule that
fits and strikes decides. An alteration is given the request and `ask`, which brings the simulator's own answer to that
request, or to another one; it returns what is answered instead. So a refusal asks nothing, a transformed answer asks
once, and a token that leads in circles asks for the page before.

A batch is first a request of its own (`BATCH`), as which the whole of it can be altered. Then each of its parts is a
request as a single call is, with `in_batch` set: where none is struck, the batch is passed on as it came; else its
parts are asked for one by one. `Dropped`, raised by an alteration, ends the connection without an answer; of a part it
leaves its answer out.

Answers that are passed on stream, with their ranges. The simulator's own address in JSON (export links, downloads) is
replaced by the proxy's. Page tokens that alterations made up (`lead_back`) are understood whether rules are in force or
not. The proxy lives in a thread with a loop of its own; its methods may be called from any thread.
"""

import asyncio
import random
import re
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
import orjson
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from drive_simulator.api.call import LINK_EXPORT, LINK_OPERATION
from drive_simulator.api.dispatch import find_route
from drive_simulator.api.errors import ApiError
from drive_simulator.server.batch import Part, parse_batch, render_batch
from drive_simulator.server.server import Simulator

BATCH = "batch"
"""The method id of a whole batch request."""

UNKNOWN = "unknown"
"""The method id of what is no call of Drive's."""

JSON = "application/json; charset=UTF-8"

MADE_UP = "made-up"
MAX_KEPT = 200_000
MAX_BODY_BYTES = 256 * 1024 * 1024
START_DEADLINE_S = 10.0
CONCURRENCY = 16

_MADE_UP = re.compile(rf"{MADE_UP}\.(\d+)\.(.*)", re.DOTALL)
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server", "host"})
_BATCH_PATH = "/batch/drive/v3"


class Dropped(Exception):
    """Raised by an alteration: the connection ends without an answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call as it came. `path` is percent-encoded; `user` is the account's address, where the token is one's."""

    verb: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    method_id: str = UNKNOWN
    file_id: str | None = None
    drive_id: str | None = None
    user: str | None = None
    in_batch: bool = False

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def is_media(self) -> bool:
        """Whether bytes of a file are asked for."""
        is_export = self.method_id in {"files.export", LINK_EXPORT, LINK_OPERATION}
        return is_export or self.query.get("alt") == "media"

    def with_query(self, **parameters: str | None) -> "Request":
        """The same request with other parameters; `None` takes one away."""
        query = {**self.query, **parameters}
        return replace(self, query={name: value for name, value in query.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; the body is not compressed."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})
    body: bytes = field(default=b"", repr=False)

    @property
    def is_json(self) -> bool:
        """Whether the body is a JSON object that was served."""
        return self.status == 200 and self.body.startswith(b"{")

    def json(self) -> dict[str, Any]:
        """The body's JSON object."""
        found = orjson.loads(self.body)
        assert isinstance(found, dict)
        return found


Ask = Callable[[Request], Awaitable[Answer]]
"""Brings the simulator's answer to a request."""

Alteration = Callable[[Request, Ask], Awaitable[Answer]]
"""Answers a request instead of the simulator. Raises `Dropped`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a rule is for; absent members fit everything.

    `method` is a method id or its beginning with a star; without one every call of Drive's fits, but not whole batches.
    Of `query` each parameter must be that text, be there (`True`), or be absent (`False`). `file_id` and `drive_id`
    (in the path or the query) are one id, or some. `path` is searched as a regular expression; `fits` decides the rest.
    """

    method: str | None = None
    path: str | None = None
    query: Mapping[str, str | bool] = field(default_factory=dict)
    file_id: str | Collection[str] | None = None
    drive_id: str | Collection[str] | None = None
    user: str | None = None
    in_batch: bool | None = None
    fits: Callable[[Request], bool] | None = None

    def __call__(self, request: Request) -> bool:
        """Whether the request is one of those."""
        return (
            self._is_of_method(request.method_id)
            and (self.path is None or re.search(self.path, request.path) is not None)
            and all(_is_given(request.query.get(name), value) for name, value in self.query.items())
            and _is_one_of(request.file_id, self.file_id)
            and _is_one_of(request.drive_id, self.drive_id)
            and self.user in {None, request.user}
            and self.in_batch in {None, request.in_batch}
            and (self.fits is None or self.fits(request))
        )

    def _is_of_method(self, method_id: str) -> bool:
        if self.method is None:
            return method_id not in {BATCH, UNKNOWN}
        if self.method.endswith("*"):
            return method_id.startswith(self.method[:-1])
        return self.method == method_id


def _is_given(value: str | None, wanted: str | bool) -> bool:
    return (value is not None) is wanted if isinstance(wanted, bool) else value == wanted


def _is_one_of(value: str | None, wanted: str | Collection[str] | None) -> bool:
    if wanted is None or isinstance(wanted, str):
        return wanted in {None, value}
    return value in wanted


EVERYTHING = Match()


@dataclass(slots=True, eq=False)
class Rule:
    """A rule in force, and what became of it: how often it has struck, and which requests. Made by `AlteringProxy.add`.

    It strikes `times` at most, after `skip` requests that fit; of those that fit only a `share`, by the proxy's die.
    One that lets tries through never strikes the same target twice running.
    """

    alteration: Alteration
    match: Match
    times: int | None = None
    skip: int = 0
    share: float = 1.0
    lets_tries_through: bool = False
    is_on: bool = True
    struck: int = 0
    requests: list[Request] = field(default_factory=list)
    _just_struck: set[tuple[str, str]] = field(default_factory=set)

    def off(self) -> None:
        """End the rule: answers are right again."""
        self.is_on = False

    def strikes(self, request: Request, die: random.Random) -> bool:
        """Whether this request is struck; counts it."""
        if not self.is_on or not self.match(request):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if (self.times is not None and self.struck >= self.times) or (self.share < 1 and die.random() >= self.share):
            return False
        target = request.method_id, request.path
        if self.lets_tries_through and target in self._just_struck:
            self._just_struck.remove(target)
            return False
        self._just_struck.add(target)
        self.struck += 1
        self.requests.append(request)
        return True


def lead_back(steps: int, token: str | None) -> str:
    """A made-up page token, numbered `steps`, that leads to the page which `token` leads to (`None`: the first)."""
    return f"{MADE_UP}.{steps}.{token or ''}"


def led_back(token: str | None) -> tuple[int, str | None] | None:
    """The number of a made-up token and the token that it stands for; `None` for any other token."""
    found = _MADE_UP.fullmatch(token or "")
    return None if found is None else (int(found[1]), found[2] or None)


class AlteringProxy:
    """The proxy before one simulator. `seed` is for the shares of rules. Made and served by `altering`."""

    def __init__(self, simulator: Simulator, seed: int = 0) -> None:
        self._simulator = simulator
        self._die = random.Random(seed)  # noqa: S311 - oddities that can be repeated
        self._rules: tuple[Rule, ...] = ()
        self._turn = threading.Lock()
        self._requests: deque[Request] = deque(maxlen=MAX_KEPT)
        self._port = 0
        self._session: aiohttp.ClientSession | None = None
        self.altered: Counter[str] = Counter()
        """Answers that were altered, by method id."""

    @property
    def origin(self) -> str:
        """`http://HOST:PORT`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The worker's settings for it."""
        return {"GDRIVE_API_BASE_URL": f"{self.origin}/drive/v3"}

    def add(
        self,
        alteration: Alteration,
        match: Match = EVERYTHING,
        *,
        times: int | None = None,
        skip: int = 0,
        share: float = 1.0,
        lets_tries_through: bool = False,
    ) -> Rule:
        """Put a rule behind the others, in force from now on."""
        rule = Rule(alteration, match, times, skip, share, lets_tries_through)
        with self._turn:
            self._rules = (*self._rules, rule)
        return rule

    def clear(self, user: str | None = None) -> None:
        """End all rules, or those for the requests of one user: answers are right again."""
        with self._turn:
            for rule in self._rules:
                if user in {None, rule.match.user}:
                    rule.off()
            self._rules = tuple(rule for rule in self._rules if rule.is_on)

    def requests(self, match: Match = EVERYTHING) -> list[Request]:
        """The requests that came so far, altered or not, of those that fit; parts of batches among them."""
        return [each for each in tuple(self._requests) if match(each)]

    async def serve(self, ready: threading.Event, closing: asyncio.Event) -> None:
        """Listen until `closing` is set."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._session:
            try:
                await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
                self._port = runner.addresses[0][1]
                ready.set()
                await closing.wait()
            finally:
                await runner.cleanup()

    async def _serve(self, incoming: web.Request) -> web.StreamResponse:
        request = self._read(incoming.method, incoming.raw_path, incoming.headers, await incoming.read())
        try:
            if request.path == _BATCH_PATH:
                answer = await self._answer_batch(replace(request, method_id=BATCH))
            else:
                rule = self._struck_by(request)
                if rule is None and request.is_media:
                    return await self._pass_on(incoming, request)
                answer = await self._answer(request, rule)
        except (Dropped, aiohttp.ClientError):  # where the simulator cuts, so does the proxy
            return _cut(incoming)
        return web.Response(status=answer.status, headers=_ended(answer.headers), body=answer.body)

    def _read(
        self, verb: str, raw_path: str, headers: Mapping[str, str], body: bytes, *, in_batch: bool = False
    ) -> Request:
        path, _, text = raw_path.partition("?")
        query = dict(parse_qsl(text, keep_blank_values=True))
        method_id, file_id, drive_id, user = UNKNOWN, None, query.get("driveId"), None
        with suppress(ApiError):
            route = find_route(verb, path)
            method_id, file_id = route.method_id, route.path_parameters.get("fileId", query.get("id"))
            drive_id = route.path_parameters.get("driveId", drive_id)
        with suppress(ApiError):
            user = self._simulator.tokens.authenticate(headers).user
        return Request(verb, path, query, headers, body, method_id, file_id, drive_id, user, in_batch)

    def _struck_by(self, request: Request) -> Rule | None:
        self._requests.append(request)
        rule = next((each for each in self._rules if each.strikes(request, self._die)), None)
        if rule is not None:
            self.altered[request.method_id] += 1
        return rule

    async def _answer(self, request: Request, rule: Rule | None) -> Answer:
        return await (self._ask(request) if rule is None else rule.alteration(request, self._ask))

    async def _answer_batch(self, batch: Request) -> Answer:
        rule = self._struck_by(batch)
        if rule is not None:
            return await rule.alteration(batch, self._ask)
        try:
            parts = parse_batch(batch.headers.get("Content-Type", ""), batch.body)
        except ApiError:
            return await self._ask(batch)
        asked = [self._read_part(part, batch) for part in parts]
        rules = [self._struck_by(each) for each in asked]
        if not any(rules) and not any(led_back(each.query.get("pageToken")) for each in asked):
            return await self._ask(batch)
        turn = asyncio.Semaphore(CONCURRENCY)

        async def answer(request: Request, rule: Rule | None) -> Answer | None:
            try:
                async with turn:
                    return await self._answer(request, rule)
            except Dropped:
                return None

        found = await asyncio.gather(*(answer(*each) for each in zip(asked, rules, strict=True)))
        served = [(part, each) for part, each in zip(parts, found, strict=True) if each is not None]
        answers = [(each.status, each.headers, each.body) for _, each in served]
        content_type, body = render_batch([part for part, _ in served], answers)
        return Answer(200, {"Content-Type": content_type}, body)

    def _read_part(self, part: Part, batch: Request) -> Request:
        headers = {"Authorization": batch.headers.get("Authorization", ""), **part.headers}
        return self._read(part.method, part.path_qs, headers, part.body, in_batch=True)

    async def _ask(self, request: Request) -> Answer:
        """The simulator's whole answer, not compressed, its address the proxy's."""
        made_up = led_back(request.query.get("pageToken"))
        if made_up is not None:
            request = request.with_query(pageToken=made_up[1])
        headers = {**_ended(request.headers), "Accept-Encoding": "identity"}
        async with self._send(request, headers) as response:
            body, found = await response.read(), dict(_ended(response.headers))
        if not request.is_media and response.headers.get("Content-Type", "").startswith("application/json"):
            body = body.replace(self._simulator.origin.encode(), self.origin.encode())
        return Answer(response.status, found, body)

    async def _pass_on(self, incoming: web.Request, request: Request) -> web.StreamResponse:
        """Stream what the simulator answers."""
        async with self._send(request, _ended(request.headers)) as response:
            outgoing = web.StreamResponse(status=response.status, headers=_ended(response.headers))
            outgoing.content_length = response.content_length
            await outgoing.prepare(incoming)
            try:
                async for piece in response.content.iter_any():
                    await outgoing.write(piece)
            except aiohttp.ClientError:
                return _cut(incoming, outgoing)
            await outgoing.write_eof()
            return outgoing

    def _send(self, request: Request, headers: Mapping[str, str]) -> aiohttp.client._RequestContextManager:
        assert self._session is not None
        address = URL(self._simulator.origin + request.target, encoded=True)
        return self._session.request(
            request.verb, address, headers=headers, data=request.body or None, allow_redirects=False
        )


def _ended(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """The headers that are not about one connection alone."""
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)


def _cut(incoming: web.Request, outgoing: web.StreamResponse | None = None) -> web.StreamResponse:
    """End the connection; the response is for aiohttp alone."""
    if incoming.transport is not None:
        incoming.transport.abort()
    return outgoing or web.Response(status=500)


@contextmanager
def altering(simulator: Simulator, *, seed: int = 0) -> Iterator[AlteringProxy]:
    """A proxy that listens before the simulator while the block runs."""
    proxy = AlteringProxy(simulator, seed)
    loop, ready = asyncio.new_event_loop(), threading.Event()
    closing = asyncio.Event()

    def run() -> None:
        try:
            loop.run_until_complete(proxy.serve(ready, closing))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    thread = threading.Thread(target=run, name="altering-proxy", daemon=True)
    thread.start()
    try:
        assert ready.wait(START_DEADLINE_S), "the proxy does not listen"
        yield proxy
    finally:
        loop.call_soon_threadsafe(closing.set)
        thread.join(START_DEADLINE_S)
