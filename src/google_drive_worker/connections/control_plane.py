"""Connections from the Control Plane, and what is reported to it (platform contract, "Control Plane").

A connection's description is asked for when it is needed and kept for a short while. When the Control Plane can't be
reached, the last description goes on counting for some hours: a sync whose credentials are still good needs nobody. A
connection that was never described waits; so does one that was not active, since it may be by now.
"""

import asyncio
import random as system_random
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from google_drive_worker.connections.description import Described, connection_of, field_problem, to_secret
from google_drive_worker.domain.connection import Connection, Grant, Secret, TemporaryKeys
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.ports import Clock
from google_drive_worker.domain.reports import CredentialsRefused, Report, SyncEnded
from google_drive_worker.http.retry import RetryPolicy, parse_retry_after_s, retrying
from google_drive_worker.http.transport import HttpRequest, HttpResponse, Transport
from google_drive_worker.messages.nesting import TOO_DEEP, is_too_deep
from google_drive_worker.utils.errors import (
    NeedsReauth,
    Retryable,
    StoreUnavailable,
    Terminal,
    UnknownConnection,
    WorkerError,
)

S = TypeVar("S", bound=msgspec.Struct)

RETRY = RetryPolicy(attempts=4, base_s=0.2, cap_s=2.0, total_s=8.0, hint_s=5.0)
"""Short: a connection that waits for an answer holds a turn, and is better parked."""

KEPT_FOR_S = 5.0
"""How long a description counts without being asked for again: as long as a pause may go unheeded, twice."""

KEPT_IN_NEED_S = 6 * 3600.0
"""How long it counts when the Control Plane can't be asked."""

ASK_AGAIN_S = 10.0
"""How long a Control Plane that could not be asked is let be, by connections that have a description to go on with."""

KEPT_AT_MOST = 10_000
"""How many descriptions are kept, of some 2 KB each."""

_DEFAULT_LIFETIME_S = 3600.0
_OK, _CREATED, _NO_CONTENT = 200, 201, 204
_NOT_FOUND = 404
_REFUSED = frozenset({401, 403})
_PASSING = frozenset({408, 425, 429})
_SERVER_ERRORS = 500
_OF_ONE_CONNECTION = frozenset({*_REFUSED, _OK, 500})
"""Statuses that say nothing of other connections: a right that is missing, an answer or a row that is broken."""

_NO_SEGMENTS = frozenset({".", ".."})
"""Ids that would be another path (RFC 3986, section 5.2.4), however they are quoted."""


class _Answer(Described, frozen=True, kw_only=True):
    connection_id: ConnectionId


class _Token(msgspec.Struct):
    access_token: Secret
    expires_in: float | None = None
    token_type: str = "Bearer"  # noqa: S105  (no secret: RFC 6750's name)


class _Cursor(msgspec.Struct):
    page_token: str | None
    timestamp: str
    sync_id: str
    counts: dict[str, int]


class _Status(msgspec.Struct):
    status: Literal["reauth_required"]
    reason: str


_ANSWER = msgspec.json.Decoder(_Answer, dec_hook=to_secret)
_TOKEN = msgspec.json.Decoder(_Token, strict=False, dec_hook=to_secret)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KEYS = msgspec.json.Decoder(TemporaryKeys, dec_hook=to_secret)


class _Kept(NamedTuple):
    connection: Connection
    at_s: float
    let_be_until_s: float = float("-inf")

    def counts_in_need(self, now_s: float) -> bool:
        return self.connection.status == "active" and now_s - self.at_s < KEPT_IN_NEED_S


class ControlPlane:
    """Implements `Connections`, `Reports` and `TokenSource` by the Control Plane's HTTP interface."""

    def __init__(
        self,
        base_path: str,
        transport: Transport,
        clock: Clock,
        *,
        retry: RetryPolicy = RETRY,
        random: Callable[[], float] = system_random.random,
        kept_for_s: float = KEPT_FOR_S,
    ) -> None:
        """Make no call yet. `base_path` stands before every path, on the transport's host."""
        self._base_path = base_path.rstrip("/")
        self._transport = transport
        self._clock = clock
        self._retry = retry
        self._random = random
        self._kept_for_s = kept_for_s
        self._kept: OrderedDict[ConnectionId, _Kept] = OrderedDict()
        self._doubted: set[ConnectionId] = set()
        self._asking: dict[ConnectionId, asyncio.Task[Connection]] = {}
        self._under_way: set[asyncio.Task[Connection]] = set()
        self._down_until_s = float("-inf")

    async def close(self) -> None:
        """End what is asked for still, though nobody may wait for it any more."""
        under_way = tuple(self._under_way)
        for asking in under_way:
            asking.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def get(self, connection_id: ConnectionId) -> Connection:
        """Return the connection as the Control Plane has it, or had it a short while ago.

        Raises `UnknownConnection` where there is none of that id, `Terminal` where what it says of it can't be used,
        `Retryable` where it can't be asked and the connection is not known to be active.
        """
        now_s, kept = self._clock.monotonic_s(), self._kept.get(connection_id)
        if kept is not None and connection_id not in self._doubted:
            if now_s - kept.at_s < self._kept_for_s:
                return kept.connection
            if now_s < max(self._down_until_s, kept.let_be_until_s) and kept.counts_in_need(now_s):
                return kept.connection
        try:
            return await self._ask_once(connection_id)
        except Retryable as failure:
            now_s, kept = self._clock.monotonic_s(), self._kept.get(connection_id)
            if failure.http_status not in _OF_ONE_CONNECTION:
                self._down_until_s = now_s + ASK_AGAIN_S
            if kept is None or not kept.counts_in_need(now_s):
                raise
            self._kept[connection_id] = kept._replace(let_be_until_s=now_s + ASK_AGAIN_S)
            return kept.connection

    def doubt(self, connection_id: ConnectionId) -> None:
        """What is kept of the connection may be out of date: ask again the next time, and heed no older question."""
        self._doubted.add(connection_id)
        self._asking.pop(connection_id, None)

    async def refresh_token(self, connection_id: ConnectionId) -> Grant:
        """A fresh access token for a connection whose refresh token the Control Plane keeps to itself.

        Raises `NeedsReauth` where it has none to give, `UnknownConnection`, or `Retryable`.
        """
        answer = await self._exchange("POST", connection_id, "/refresh-token", b"{}")
        if answer.status not in {_OK, _CREATED}:
            raise NeedsReauth(
                f"the Control Plane has no access token for the connection (HTTP {answer.status})",
                http_status=answer.status,
            )
        token = _decoded(_TOKEN, answer)
        return Grant(
            token.access_token, _DEFAULT_LIFETIME_S if token.expires_in is None else max(0.0, token.expires_in)
        )

    async def object_store_keys(self, connection_id: ConnectionId) -> TemporaryKeys | None:
        """Short-lived keys for the connection's prefix of the object store; `None` where the environment's are to do.

        Raises `Retryable` where the Control Plane can't be asked, or refuses for another reason than that it has none:
        the environment's keys may open more than the connection is to have.
        """
        answer = await self._exchange("POST", connection_id, "/object-store-credentials", b"{}", missing_is_none=True)
        if answer.status == _NOT_FOUND:
            return None
        if answer.status not in {_OK, _CREATED}:
            told = f"the Control Plane gives no keys to the object store (HTTP {answer.status})"
            raise StoreUnavailable(told, http_status=answer.status)
        return _decoded(_KEYS, answer)

    async def report(self, report: Report) -> None:
        """Tell of a sync that ended, or of credentials that Google refuses. Raises any `WorkerError`."""
        match report:
            case SyncEnded(connection_id=connection_id):
                cursor = _Cursor(report.page_token, report.completed_at, report.sync_id, report.counts)
                what, body = "/cursor", msgspec.json.encode(cursor)
            case CredentialsRefused(connection_id=connection_id):
                what, body = "/status", msgspec.json.encode(_Status("reauth_required", report.reason))
        answer = await self._exchange("PUT", connection_id, what, body)
        if answer.status not in {_OK, _CREATED, 202, _NO_CONTENT}:
            raise Terminal(f"the Control Plane refused a report (HTTP {answer.status})", http_status=answer.status)

    async def _ask_once(self, connection_id: ConnectionId) -> Connection:
        """Ask, together with whoever asks for the same meanwhile."""
        asking = self._asking.get(connection_id)
        if asking is None:
            asking = asyncio.create_task(self._ask(connection_id), name=f"control-plane:{connection_id}")
            self._asking[connection_id] = asking
            self._under_way.add(asking)
            asking.add_done_callback(self._asked)
        return await asyncio.shield(asking)

    def _asked(self, asking: asyncio.Task[Connection]) -> None:
        self._under_way.discard(asking)
        if not asking.cancelled():
            asking.exception()  # whoever waited may be gone, and nobody else would have read it

    async def _ask(self, connection_id: ConnectionId) -> Connection:
        """Ask, and keep the answer, unless it was doubted before it came."""
        connection: Connection | None = None
        try:
            connection = await self._described(connection_id)
        except Terminal:
            if self._is_latest(connection_id):  # what it says now, be it nothing, is what counts
                self._kept.pop(connection_id, None)
                self._doubted.discard(connection_id)
            raise
        finally:
            if self._is_latest(connection_id):
                del self._asking[connection_id]
                if connection is not None:
                    self._keep(connection)
        return connection

    def _is_latest(self, connection_id: ConnectionId) -> bool:
        return self._asking.get(connection_id) is asyncio.current_task()

    def _keep(self, connection: Connection) -> None:
        connection_id = connection.connection_id
        self._doubted.discard(connection_id)
        self._kept[connection_id] = _Kept(connection, self._clock.monotonic_s())
        self._kept.move_to_end(connection_id)
        if len(self._kept) > KEPT_AT_MOST:
            self._kept.popitem(last=False)

    async def _described(self, connection_id: ConnectionId) -> Connection:
        answer = await self._exchange("GET", connection_id, "")
        if answer.status != _OK:
            raise Terminal(
                f"the Control Plane does not describe the connection (HTTP {answer.status})",
                code="bad_connection",
                http_status=answer.status,
            )
        return _described(connection_id, answer)

    async def _exchange(
        self,
        method: str,
        connection_id: ConnectionId,
        what: str,
        body: bytes | None = None,
        *,
        missing_is_none: bool = False,
    ) -> HttpResponse:
        """The Control Plane's answer, whatever a person has to decide; what passes is tried again, within bounds."""
        if connection_id in _NO_SEGMENTS:
            raise UnknownConnection("no connection can have that id")
        target = f"{self._base_path}/api/v1/connections/{quote(connection_id, safe='')}{what}"
        headers = {"Accept": "application/json"} | ({} if body is None else {"Content-Type": "application/json"})

        async def attempt(_: int) -> HttpResponse:
            answer = await self._transport.send(HttpRequest(method, target, headers, body))
            if answer.status == _NOT_FOUND and not missing_is_none:
                raise _not_found(answer)
            if answer.status in _REFUSED:
                raise Retryable(
                    f"the Control Plane refuses the worker (HTTP {answer.status}): its certificate is not allowed this",
                    code="control_plane_refused",
                    http_status=answer.status,
                )
            if answer.status in _PASSING or answer.status >= _SERVER_ERRORS:
                raise Retryable(
                    f"the Control Plane can't answer now (HTTP {answer.status})",
                    code="control_plane_unavailable",
                    http_status=answer.status,
                    retry_after_s=parse_retry_after_s(answer.headers.get("Retry-After"), self._clock.now()),
                )
            return answer

        try:
            return await retrying(attempt, policy=self._retry, clock=self._clock, random=self._random)
        except Retryable as failure:
            if failure.http_status is not None:
                raise
            problem = Retryable(
                f"the Control Plane can't be reached: {failure.message}",
                retry_after_s=failure.retry_after_s,
                code=failure.code,
                attempts=failure.attempts,
            )
        raise problem


def _described(connection_id: ConnectionId, answer: HttpResponse) -> Connection:
    """What the answer describes. Raises `Terminal` where a person has to mend it there; what is no JSON at all was
    written by something in between, and passes."""
    if is_too_deep(answer.body):
        raise _unusable(TOO_DEEP)
    problem: WorkerError
    try:
        described = _ANSWER.decode(answer.body)
        if described.connection_id == connection_id:
            return connection_of(connection_id, described)
        problem = _unusable("it is of another connection")
    except msgspec.ValidationError as error:
        problem = _unusable(field_problem(str(error)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = _unreadable(error)
    raise problem  # outside of `except`: a decoder's error carries a part of what it read


def _not_found(answer: HttpResponse) -> WorkerError:
    """Return what a 404 means: what is not in JSON was said by something in between, and passes."""
    try:
        _OBJECT.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Retryable(
            "something answers in the Control Plane's place (HTTP 404 without JSON): look at CONTROL_PLANE_BASE_URL",
            code="control_plane_unavailable",
            http_status=answer.status,
        )
    return UnknownConnection("the Control Plane knows no connection of that id", http_status=answer.status)


def _unusable(what: str) -> Terminal:
    return Terminal(f"what the Control Plane says of the connection can't be used: {what}", code="bad_connection")


def _decoded(decoder: "msgspec.json.Decoder[S]", answer: HttpResponse) -> S:
    if is_too_deep(answer.body):
        raise Retryable(f"the Control Plane's answer can't be used: {TOO_DEEP}", code="bad_answer", http_status=_OK)
    problem: Retryable
    try:
        return decoder.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        problem = _unreadable(error)
    raise problem


def _unreadable(error: Exception) -> Retryable:
    what = field_problem(str(error)) if isinstance(error, msgspec.MsgspecError) else type(error).__name__
    return Retryable(f"the Control Plane's answer can't be used: {what}", code="bad_answer", http_status=_OK)
