"""How every call of the Drive API goes: token, quota, HTTP, decode; its errors turned into what to do, and retried.

One table says what an error asks for (`faults.py`), one policy how often it is tried (`retry.py`), one set of rules
whether it is one item's or everybody's (`isolation.py`). `many.py` makes many calls at once, by the same three.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from google_drive_worker.client.auth import Authorizer
from google_drive_worker.client.faults import DAILY_LIMIT, INSUFFICIENT_SCOPE, RATE_LIMITED, CallKind, drive_error
from google_drive_worker.client.isolation import (
    NEEDS_PROOF,
    PROBE_RETRY,
    may_be_an_items,
    of_call,
    of_transport,
    retryable,
    terminal,
    unavailable,
)
from google_drive_worker.client.load import PAGE_SHARES, Load, LoadObserver, is_outage
from google_drive_worker.client.quota import Cost, QuotaLimiter
from google_drive_worker.domain.drive import FilesPage
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.ports import Clock
from google_drive_worker.http.retry import RetryPolicy, retrying
from google_drive_worker.http.transport import BAD_ANSWER, HttpRequest, HttpResponse, Transport
from google_drive_worker.utils.errors import NeedsReauth, Retryable, Terminal, WorkerError

T = TypeVar("T")

OK = 200
NO_CONTENT = 204
UNAUTHORIZED = 401
_FORBIDDEN = 403
_HTML = "text/html"
_REQUEST_TIMEOUT = 408
_SERVER_ERROR = 500

Parameter = tuple[str, str]


class CallReport(msgspec.Struct, frozen=True, gc=False):
    """One call of the port, with all its tries: for metrics and traces. Holds no secret and nothing from Drive.

    A call that travelled in batches has a report of its own; its duration is that of all that it travelled with.
    """

    method: str
    """Google's id of the method, such as `drive.files.list`."""
    connection_id: ConnectionId
    status: int | None
    """Of the last answer; `None` where none came."""
    duration_s: float
    attempts: int
    """How often it was sent."""
    error: str | None
    """The code of the error that it came to, `cancelled`, or `internal` for a bug of ours; `None` for success."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the API: Google's id of it, what a refusal concerns, and its price."""

    id: str
    kind: CallKind
    cost: Cost


@dataclass(frozen=True, slots=True)
class Call:
    """What a call asks for: a path under the API's address, percent-encoded already, its parameters, headers of its
    own, and a body."""

    path: str
    query: Sequence[Parameter] = ()
    verb: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    has_fixed_page: bool = False
    """Whether a smaller page would be another answer, and no part of the same."""
    export_type: str | None = None
    """The type of the bytes that are asked for, where it is an export: nothing else is taken for them."""

    @property
    def can_be_cut(self) -> bool:
        """Whether a smaller page can be asked for instead."""
        return not self.has_fixed_page and any(name == "pageSize" for name, _ in self.query)

    @property
    def has_page_token(self) -> bool:
        """Whether it goes on from a page token."""
        return any(name == "pageToken" for name, _ in self.query)


class _About(msgspec.Struct):
    """What the probe brings: any JSON object will do, and a portal's page in HTML will not."""

    kind: str | None = None


_ABOUT_DECODER = msgspec.json.Decoder(_About)
_PROBE = Method("drive.about.get", CallKind.ACCOUNT, Cost.READ)
_ABOUT = Call("/about", [("fields", "kind")])
"""The neutral probe: it needs no item, no drive, and none of the scopes of a file's contents."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the Drives of all connections have in common."""

    transport: Transport
    limiter: QuotaLimiter
    clock: Clock
    random: Callable[[], float]
    retry: RetryPolicy
    origin: str
    base_path: str
    page_size: int
    on_call: Callable[[CallReport], None] | None
    observer: LoadObserver
    decode_listing: Callable[[bytes], FilesPage]


@dataclass(slots=True)
class Passage:
    """A request on its way past the breaker; `outage` is set where its answer is one."""

    outage: WorkerError | None = None


@dataclass(slots=True)
class Tally:
    """What one call came to, for its report."""

    attempts: int = 0
    status: int | None = None
    was_sent: bool = False
    """Whether its last try was: there may have been no token for it."""
    share: int = PAGE_SHARES
    """How much of a whole page it asks for."""


class Caller:
    """Calls the API for one connection. Safe for concurrent calls."""

    def __init__(self, connection_id: ConnectionId, authorizer: Authorizer, shared: Shared, load: Load) -> None:
        self.load = load
        self.connection_id = connection_id
        self.authorizer = authorizer
        self.shared = shared
        self.quota_user = quota_user(connection_id)

    async def call(self, method: Method, call: Call, decode: Callable[[bytes], T]) -> T:
        """Make one call with all its tries, and report it. Raises what `Drive` says.

        A call for one item that goes on failing raises `ItemUnavailable` where Google answers other calls. A page that
        goes on failing is tried smaller.
        """
        shared = self.shared
        started_s = shared.clock.monotonic_s()
        tally = Tally(share=self.load.page_share.size)
        error: str | None = "internal"
        try:
            result = await self._tried(method, call, decode, tally)
            error = None
        except asyncio.CancelledError:
            error = "cancelled"
            raise
        except WorkerError as failure:
            error = failure.code
            failure.attempts = failure.attempts or tally.attempts or None
            raise
        finally:
            self.report(method, started_s, tally, error)
        return result

    async def _tried(self, method: Method, call: Call, decode: Callable[[bytes], T], tally: Tally) -> T:
        shared = self.shared
        try:
            result = await retrying(
                lambda number: self._try(method, call, decode, tally, number),
                policy=shared.retry,
                clock=shared.clock,
                random=shared.random,
                may_retry=lambda failure: self.load.may_retry(1, failure, shared.clock.monotonic_s()),
            )
        except (Retryable, NeedsReauth) as failure:
            if method.kind is not CallKind.ITEM or not tally.was_sent:
                raise
            final = await self.isolate(failure, method, call.path)
            if final is failure:
                raise
            self.load.earn(at_once=0, again=max(0, tally.attempts - 1))  # they were no retries against an outage
            raise final from None
        is_first = tally.attempts == 1
        self.load.earn(at_once=int(is_first), again=int(not is_first))
        return result

    async def isolate(self, failure: WorkerError, method: Method, path: str) -> WorkerError:
        """What the last failure of a call for one item is in the end: `ItemUnavailable` where it is that item's.

        It is where the neutral probe is answered, but for a scope that is proven to be lacking. Otherwise it is the
        failure itself, or what the probe came to where that says less than the failure: a token is not given up because
        of one item.
        """
        if not may_be_an_items(failure):
            return failure
        told = await self.probe()
        if told is None:
            return self.given_up(failure, method, path)
        if failure.code in NEEDS_PROOF and told.code == failure.code:
            return terminal(failure)
        return told if isinstance(failure, NeedsReauth) and not isinstance(told, NeedsReauth) else failure

    def given_up(self, failure: WorkerError, method: Method, path: str, attempts: int | None = None) -> WorkerError:
        """What a call for an item comes to that failed in all its tries, while what needs no item is answered."""
        if failure.code == INSUFFICIENT_SCOPE and self.authorizer.scopes.refused(method.id, path):
            return terminal(failure)
        return unavailable(failure, attempts)

    async def confirm(self, failure: WorkerError) -> None:
        """Raise `Terminal` where a refusal concerns the connection: where the probe is refused in the same way."""
        if failure.code in NEEDS_PROOF:
            told = await self.probe()
            if told is not None and told.code == failure.code:
                raise terminal(failure)

    async def probe(self) -> WorkerError | None:
        """Ask for what needs no item: `None` where that is answered, else what it came to."""
        shared, started_s, tally = self.shared, self.shared.clock.monotonic_s(), Tally()
        told: WorkerError | None = None
        try:
            await retrying(
                lambda _: self._attempt(_PROBE, _ABOUT, _ABOUT_DECODER.decode, tally),
                policy=PROBE_RETRY,
                clock=shared.clock,
                random=shared.random,
            )
        except WorkerError as failure:
            told = failure
        self.report(_PROBE, started_s, tally, None if told is None else told.code)
        return told

    def report(self, method: Method, started_s: float, tally: Tally, error: str | None) -> None:
        """Tell of a call that is over; `error` is what it came to."""
        shared = self.shared
        if shared.on_call is not None:
            duration_s = shared.clock.monotonic_s() - started_s
            shared.on_call(CallReport(method.id, self.connection_id, tally.status, duration_s, tally.attempts, error))

    def target(self, call: Call, share: int = PAGE_SHARES) -> str:
        """The call's path and query, as they are sent; its page is that share of the whole one."""
        common = [("prettyPrint", "false"), ("quotaUser", self.quota_user)]
        asked = call.query if share == PAGE_SHARES else [_cut_page(each, share) for each in call.query]
        query = urlencode([*asked, *common], quote_via=quote, safe="(),")
        return f"{self.shared.base_path}{call.path}?{query}"

    def refusal(self, method: Method, response: HttpResponse, token: str) -> WorkerError:
        """What an answer that is no success asks for; the token, the quota and what is known of the scopes learn of it.

        Refusals that need proof are `Terminal` where there is some, and `Retryable` until then.
        """
        failure = drive_error(
            method.id,
            method.kind,
            response.status,
            response.headers,
            response.body,
            now=self.shared.clock.now(),
            redact=lambda text: text.replace(token, "***"),
        )
        if response.status == UNAUTHORIZED:
            self.authorizer.invalidate(token)
        if failure.code == RATE_LIMITED:
            by_project = response.status == _FORBIDDEN and failure.reason == "rateLimitExceeded"
            self.shared.limiter.refused(self.quota_user, by_project=by_project)
        if failure.code == DAILY_LIMIT and isinstance(failure, Retryable):
            self.shared.limiter.close(failure)
        if failure.code in NEEDS_PROOF and not self._is_proven(method, failure):
            return retryable(failure)
        return failure

    def _is_proven(self, method: Method, failure: WorkerError) -> bool:
        lacks_scope = failure.code == INSUFFICIENT_SCOPE and self.authorizer.scopes.is_lacking(method.id)
        return method is _PROBE or lacks_scope

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[Passage]:
        """Pass the connection's breaker with one request, and tell it what became of that.

        Raises `Retryable` at once while it is open: the request takes no quota and no place.
        """
        breaker = self.load.breaker
        while await breaker.enter(self.shared.clock.monotonic_s):
            await self._probe_breaker()
        passage = Passage()
        try:
            yield passage
        except WorkerError as failure:
            if is_outage(failure) and breaker.failed(failure):
                with suppress(WorkerError):
                    await self._probe_breaker()
            raise
        if passage.outage is None:
            breaker.succeeded()
        elif breaker.failed(passage.outage):
            with suppress(WorkerError):
                await self._probe_breaker()

    async def _probe_breaker(self) -> None:
        """Make the probe that the breaker asks for. Raises what is no outage and yet kept it from being made."""
        breaker, clock = self.load.breaker, self.shared.clock
        started_s, tally = clock.monotonic_s(), Tally()
        passage = Passage()
        try:
            await self._exchange(_PROBE, _ABOUT, tally, passage)
        except WorkerError as failure:
            if not is_outage(failure):
                breaker.probe_gave_up()
                raise
            passage.outage = failure
        except BaseException:
            breaker.probe_gave_up()
            raise
        if passage.outage is None:
            breaker.succeeded()
        else:
            breaker.probe_failed(passage.outage, clock.monotonic_s())
        self.report(_PROBE, started_s, tally, None if passage.outage is None else passage.outage.code)

    async def _try(self, method: Method, call: Call, decode: Callable[[bytes], T], tally: Tally, number: int) -> T:
        """One try of a call, which proves what needs proof and cuts a page that fails."""
        sent = tally.attempts
        has_pages = method.kind is not CallKind.ITEM and call.can_be_cut
        try:
            result = await self._attempt(method, call, decode, tally)
        except Retryable as failure:
            await self.confirm(failure)
            if has_pages and tally.attempts > sent:
                tally.share = self.load.page_failed(failure.code, tally.share, number)
            raise
        if has_pages:
            self.load.page_came()
        return result

    async def _attempt(self, method: Method, call: Call, decode: Callable[[bytes], T], tally: Tally) -> T:
        """Send once; once more with a new token where Google refuses the first."""
        response, token = await self._send(method, call, tally)
        if response.status == UNAUTHORIZED:
            self.authorizer.invalidate(token)
            response, token = await self._send(method, call, tally)
        if response.status in {OK, NO_CONTENT}:
            if call.export_type is not None:
                check_export(call.export_type, response.status, response.headers)
            self.authorizer.scopes.served(method.id)
            return decoded(decode, response.body)
        failure = self.refusal(method, response, token)
        raise of_call(failure, has_page_token=call.has_page_token)

    async def _send(self, method: Method, call: Call, tally: Tally) -> tuple[HttpResponse, str]:
        tally.status, tally.was_sent = None, False
        async with self.passage() as passage:
            return await self._exchange(method, call, tally, passage)

    async def _exchange(self, method: Method, call: Call, tally: Tally, passage: Passage) -> tuple[HttpResponse, str]:
        await self.shared.limiter.acquire(self.quota_user, method.cost)
        token = await self.authorizer.token()
        tally.attempts, tally.was_sent = tally.attempts + 1, True
        headers = headers_with(token)
        if call.headers:
            headers.update(call.headers)
        target = self.target(call, tally.share if call.can_be_cut else PAGE_SHARES)
        response = await self.send(HttpRequest(call.verb, target, headers, call.body), method.kind)
        tally.status = response.status
        if is_outage_status(response.status):
            passage.outage = self.refusal(method, response, token)
        return response, token

    async def send(self, request: HttpRequest, kind: CallKind) -> HttpResponse:
        """Send one request. Raises as the transport does, but for an answer that is not Drive's or too large."""
        try:
            return await self.shared.transport.send(request)
        except Terminal as failure:
            raise of_transport(failure, kind) from None


def _cut_page(parameter: Parameter, share: int) -> Parameter:
    """The parameter of a call whose page is that share of a whole one."""
    name, value = parameter
    return (name, str(max(1, int(value) * share // PAGE_SHARES))) if name == "pageSize" else parameter


def is_outage_status(status: int) -> bool:
    """Whether an answer of that status says that Google has trouble of its own."""
    return status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT


def headers_with(token: str) -> dict[str, str]:
    """The headers of a call."""
    return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def quota_user(connection_id: ConnectionId) -> str:
    """The `quotaUser` of a connection: 32 characters (Google takes 40), always the same, telling nobody's id."""
    return hashlib.sha256(connection_id.encode()).hexdigest()[:32]


def check_export(export_type: str, status: int, headers: Mapping[str, str]) -> None:
    """Raise `Retryable` where a success is no export to that type: without content, or somebody's page in HTML."""
    came = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if status == NO_CONTENT or (came == _HTML and export_type != _HTML):
        told = f"what came is no export to {export_type}: HTTP {status}, {came or 'of no type'}"
        raise Retryable(told, code=BAD_ANSWER, http_status=status)


def decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    """Decode a 200: one that is no JSON of the right shape came broken, and is worth another try."""
    try:
        return decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        kind = type(problem).__name__
    raise Retryable(f"Google's answer can't be read ({kind})", code="bad_answer", http_status=OK)
