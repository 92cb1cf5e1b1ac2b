"""How every call of the Drive API goes: token, quota, HTTP, decode; its errors turned into what to do, and retried.

One table says what an error asks for (`faults.py`), one policy how often it is tried (`retry.py`). `many.py` makes many
calls at once, by the same table and the same policy.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from google_drive_worker.client.auth import Authorizer
from google_drive_worker.client.faults import DAILY_LIMIT, RATE_LIMITED, CallKind, drive_error
from google_drive_worker.client.load import Load, LoadObserver, is_outage
from google_drive_worker.client.quota import Cost, QuotaLimiter
from google_drive_worker.domain.drive import FilesPage
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.ports import Clock
from google_drive_worker.http.retry import RetryPolicy, retrying
from google_drive_worker.http.transport import HttpRequest, HttpResponse, Transport
from google_drive_worker.utils.errors import Retryable, WorkerError

T = TypeVar("T")

OK = 200
NO_CONTENT = 204
UNAUTHORIZED = 401
_FORBIDDEN = 403
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


class Caller:
    """Calls the API for one connection. Safe for concurrent calls."""

    def __init__(self, connection_id: ConnectionId, authorizer: Authorizer, shared: Shared, load: Load) -> None:
        self.load = load
        self.connection_id = connection_id
        self.authorizer = authorizer
        self.shared = shared
        self.quota_user = quota_user(connection_id)

    async def call(self, method: Method, call: Call, decode: Callable[[bytes], T]) -> T:
        """Make one call with all its tries, and report it. Raises what `Drive` says."""
        shared = self.shared
        target = self.target(call)
        started_s = shared.clock.monotonic_s()
        tally = Tally()
        error: str | None = "internal"
        try:
            result = await retrying(
                lambda _: self._attempt(method, call, target, decode, tally),
                policy=shared.retry,
                clock=shared.clock,
                random=shared.random,
                may_retry=lambda failure: self.load.may_retry(1, failure, shared.clock.monotonic_s()),
            )
            error = None
            is_first = tally.attempts == 1
            self.load.earn(at_once=int(is_first), again=int(not is_first))
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

    def report(self, method: Method, started_s: float, tally: Tally, error: str | None) -> None:
        """Tell of a call that is over; `error` is what it came to."""
        shared = self.shared
        if shared.on_call is not None:
            duration_s = shared.clock.monotonic_s() - started_s
            shared.on_call(CallReport(method.id, self.connection_id, tally.status, duration_s, tally.attempts, error))

    def target(self, call: Call) -> str:
        """The call's path and query, as they are sent."""
        common = [("prettyPrint", "false"), ("quotaUser", self.quota_user)]
        query = urlencode([*call.query, *common], quote_via=quote, safe="(),")
        return f"{self.shared.base_path}{call.path}?{query}"

    def refusal(self, method: Method, response: HttpResponse, token: str) -> WorkerError:
        """What an answer that is no success asks for; the token and the quota learn from it."""
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
        return failure

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[Passage]:
        """Pass the connection's breaker with one request, and tell it what became of that.

        Raises `Retryable` at once while it is open: the request takes no quota and no place.
        """
        breaker, clock = self.load.breaker, self.shared.clock
        is_probe = await breaker.enter(clock.monotonic_s)
        passage = Passage()
        try:
            yield passage
        except WorkerError as failure:
            if is_outage(failure):
                breaker.failed(failure, clock.monotonic_s())
            else:
                breaker.gave_up(is_probe=is_probe)
            raise
        except BaseException:
            breaker.gave_up(is_probe=is_probe)
            raise
        if passage.outage is not None:
            breaker.failed(passage.outage, clock.monotonic_s())
        else:
            breaker.succeeded()

    async def _attempt(self, method: Method, call: Call, target: str, decode: Callable[[bytes], T], tally: Tally) -> T:
        """Send once; once more with a new token where Google refuses the first."""
        response, token = await self._send(method, call, target, tally)
        if response.status == UNAUTHORIZED:
            self.authorizer.invalidate(token)
            response, token = await self._send(method, call, target, tally)
        if response.status in {OK, NO_CONTENT}:
            return decoded(decode, response.body)
        raise self.refusal(method, response, token)

    async def _send(self, method: Method, call: Call, target: str, tally: Tally) -> tuple[HttpResponse, str]:
        tally.status = None
        async with self.passage() as passage:
            await self.shared.limiter.acquire(self.quota_user, method.cost)
            token = await self.authorizer.token()
            tally.attempts += 1
            headers = headers_with(token)
            if call.headers:
                headers.update(call.headers)
            response = await self.shared.transport.send(HttpRequest(call.verb, target, headers, call.body))
            tally.status = response.status
            if is_outage_status(response.status):
                passage.outage = self.refusal(method, response, token)
        return response, token


def is_outage_status(status: int) -> bool:
    """Whether an answer of that status says that Google has trouble of its own."""
    return status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT


def headers_with(token: str) -> dict[str, str]:
    """The headers of a call."""
    return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def quota_user(connection_id: ConnectionId) -> str:
    """The `quotaUser` of a connection: 32 characters (Google takes 40), always the same, telling nobody's id."""
    return hashlib.sha256(connection_id.encode()).hexdigest()[:32]


def decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    """Decode a 200: one that is no JSON of the right shape came broken, and is worth another try."""
    try:
        return decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        kind = type(problem).__name__
    raise Retryable(f"Google's answer can't be read ({kind})", code="bad_answer", http_status=OK)
