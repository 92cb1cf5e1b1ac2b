"""Downloads as streams: where bytes may be fetched from, and how a download goes on after a cut.

Sources: the guide "Manage downloads"; RFC 9110, sections 8.4 (Content-Encoding) and 14 (Range).
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urljoin, urlsplit

import msgspec

from google_drive_worker.client.calls import OK, Caller, Method, Tally, check_export, headers_with
from google_drive_worker.client.faults import CallKind
from google_drive_worker.client.quota import Cost
from google_drive_worker.http.addresses import address_problem
from google_drive_worker.http.retry import RetryPolicy, backoff_ceiling_s
from google_drive_worker.http.transport import BAD_ANSWER, HttpRequest, HttpResponse, HttpStream, StreamTransport
from google_drive_worker.utils.errors import (
    ChecksumMismatch,
    ItemUnavailable,
    NeedsReauth,
    NotFound,
    Retryable,
    WorkerError,
)

PARTIAL, UNSATISFIABLE = 206, 416

_ERROR_BYTES = 64 * 1024

_CLIENT_ERRORS = range(400, 500)

_TRY_AGAIN = frozenset({408, UNSATISFIABLE, 429})
"""Client errors that say nothing against the address."""

REDIRECTS_AT_MOST = 3
"""Of an export's address: one or two are seen."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_SENT_ON = frozenset({"Accept", "Range"})
"""The headers that go along with a redirect. Neither the token nor a resource key is among them."""

PROGRESS_BYTES = 256 * 1024
"""What has to come for the next cut to count as a first one: a server that cuts after each byte is given up on."""

_HOST = re.compile(r"[a-z0-9.-]{1,253}")
"""What may be dialled: other URL parsers end a host's name where `urlsplit` does not, at a backslash for one."""

_PRINTABLE = re.compile(r"[!-~]+")
"""What HTTP can carry in a request's first line."""

EXPORT_HOSTS = ("docs.google.com", "drive.google.com", "drive.usercontent.google.com")
"""Where Google's own addresses of exports and downloads lead to, beside the API's host."""

LINK = Method("drive.files.exportLink", CallKind.ITEM, Cost.DOWNLOAD)
"""What is fetched from an address that an answer named. It may redirect, and its refusals say nothing of the file."""


class Place(msgspec.Struct, frozen=True):
    """Where bytes are: a target on the API's own host, or on another one of Google's.

    What is not `is_fixed` is generated for each request, and its bytes may differ from one to the next. Where a
    redirect led, it no longer `takes_token`. `export_type` is the type of what is there, where it is an export.
    """

    target: str
    origin: str | None = None
    is_fixed: bool = True
    takes_token: bool = True
    export_type: str | None = None


def place_of(api_origin: str, url: str) -> Place | None:
    """An address out of an answer, where a token may be sent to it: the API's own host, or Google's for exports where
    the API's is Google's as well. `None` for any other."""
    ours = urlsplit(api_origin)
    if not _PRINTABLE.fullmatch(url) or address_problem(url.partition("?")[0]) is not None:
        return None
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    if (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc):
        return Place(target)
    google = (ours.hostname or "").endswith(".googleapis.com")
    if not google or parts.scheme != "https" or parts.port not in {None, 443}:
        return None
    host = parts.hostname or ""
    if not _HOST.fullmatch(host):
        return None
    if host in EXPORT_HOSTS or host.endswith((".googleapis.com", ".googleusercontent.com")):
        return Place(target, f"https://{host}")
    return None


class _Trials:
    """How far a download is, and what a failure asks for: another try, which is nothing but a delay, or its end."""

    def __init__(self, retry: RetryPolicy, random: Callable[[], float], place: Place) -> None:
        self.got = 0
        self.from_zero = False
        """Whether Range leads nowhere here: everything is read again, and what is known already is skipped."""
        self._retry = retry
        self._random = random
        self._place = place
        self._progress = 0
        self._failures = 0
        self._is_new_token = False

    @property
    def asked_from(self) -> int:
        """The first byte to ask for."""
        return 0 if self.from_zero else self.got

    def came(self, size_bytes: int) -> None:
        """So much more has come."""
        self.got += size_bytes
        self._is_new_token = False

    def to_skip(self, stream: HttpStream) -> int:
        """How many bytes of an answer are known already. Raises `Retryable` where it is not the part asked for.

        A part of an encoded answer counts encoded bytes, whose place in the file is not known.
        """
        asked_from = self.asked_from
        self.from_zero = self.from_zero or stream.is_encoded
        if stream.status == OK:
            return self.got
        is_asked = stream.headers.get("Content-Range", "").startswith(f"bytes {asked_from}-")
        if is_asked and not (asked_from and stream.is_encoded):
            return self.got - asked_from
        self.from_zero = True
        raise Retryable(
            "the server gave another part of the file than was asked for", code=BAD_ANSWER, http_status=stream.status
        )

    def delay_s(self, failure: Retryable | NeedsReauth) -> float:
        """How long to wait before the next try. Raises the failure where there is none."""
        if isinstance(failure, NeedsReauth):
            # A long download outlasts its token: as for every call, another one is tried once.
            if failure.code != "unauthorized" or self._is_new_token:
                raise failure
            self._is_new_token = True
            return 0.0
        if (self.got and not self._place.is_fixed) or isinstance(failure, ChecksumMismatch):
            raise failure
        if failure.http_status == UNSATISFIABLE:
            self.from_zero = True
        if self.got - self._progress >= PROGRESS_BYTES:
            self._progress, self._failures = self.got, 0
        self._failures += 1
        hint_s = failure.retry_after_s or 0.0
        if self._failures >= self._retry.attempts or hint_s > self._retry.hint_s:
            raise failure
        return max(hint_s, backoff_ceiling_s(self._failures, self._retry) * self._random())


async def resumed(
    caller: Caller,
    transport: StreamTransport,
    method: Method,
    place: Place,
    keys: dict[str, str],
    size: int | None,
) -> AsyncGenerator[bytes, None]:
    """The bytes at a place, gone on with by Range where the connection is cut; as often as enough comes of it."""
    shared, started_s = caller.shared, caller.shared.clock.monotonic_s()
    trials = _Trials(shared.retry, shared.random, place)
    tally, error = Tally(), "internal"
    failure: Retryable | NeedsReauth
    try:
        while True:
            try:
                async with _opened(caller, transport, method, place, keys, trials.asked_from, tally) as stream:
                    skip = trials.to_skip(stream)
                    async for piece in stream.pieces():
                        rest = piece[skip:] if skip else piece
                        skip -= len(piece) - len(rest)
                        if rest:
                            trials.came(len(rest))
                            yield rest
                if skip:
                    raise ChecksumMismatch("the file became shorter while it was read")
                if size is None or trials.got >= size:
                    error = ""
                    return
                failure = Retryable("an answer ended before all of the file had come", code="truncated")
            except (Retryable, NeedsReauth) as problem:
                failure = problem
            await shared.clock.sleep(trials.delay_s(failure))
    except (asyncio.CancelledError, GeneratorExit):
        error = "cancelled"
        raise
    except WorkerError as problem:
        error = problem.code
        if problem.attempts is None:
            problem.attempts = tally.attempts or None
        raise
    finally:
        caller.report(method, started_s, tally, error or None)


@asynccontextmanager
async def _opened(
    caller: Caller,
    transport: StreamTransport,
    method: Method,
    place: Place,
    keys: dict[str, str],
    first: int,
    tally: Tally,
) -> AsyncIterator[HttpStream]:
    """An answer that holds bytes from `first` on; anything else is raised as what it asks for."""
    async with caller.passage():
        await caller.shared.limiter.acquire(caller.quota_user, method.cost)
        token = await caller.authorizer.token()
        headers = {**headers_with(token), **keys, "Accept": "*/*"}
        if first:
            headers["Range"] = f"bytes={first}-"
        tally.attempts += 1
        for _ in range(1 + REDIRECTS_AT_MOST):
            async with transport.stream(HttpRequest("GET", place.target, headers), place.origin) as stream:
                tally.status = stream.status
                if stream.status in {OK, PARTIAL}:
                    if place.export_type is not None:
                        check_export(place.export_type, stream.status, stream.headers)
                    caller.authorizer.scopes.served(method.id)
                    yield stream
                    return
                if stream.status not in _REDIRECTS:
                    raise await _refused(caller, method, place, stream, token)
                place = _led_on(caller.shared.origin, method, place, stream)
            headers = {name: value for name, value in headers.items() if name in _SENT_ON}
        raise Retryable("the server answers with one redirect after another", code="redirected")


async def _refused(caller: Caller, method: Method, place: Place, stream: HttpStream, token: str) -> WorkerError:
    """What an answer without bytes asks for."""
    status = stream.status
    if status == UNSATISFIABLE:
        return Retryable("the server has no such part of the file", code=BAD_ANSWER, http_status=status)
    is_api = place.origin is None and place.takes_token
    if not is_api and status in _CLIENT_ERRORS and status not in _TRY_AGAIN:
        return _link_refused(status)  # where the API took the token just before
    failure = caller.refusal(method, HttpResponse(status, stream.headers, await _some(stream.pieces())), token)
    return _link_refused(status) if method is LINK and isinstance(failure, NotFound) else failure


def _link_refused(status: int) -> ItemUnavailable:
    told = "the address that Google named for the export does not give it out"
    return ItemUnavailable(told, code="link_refused", http_status=status)


def _led_on(api_origin: str, method: Method, place: Place, stream: HttpStream) -> Place:
    """Where a redirect of an export's address leads, if that is one of Google's as well. No token goes along: what such
    an address needs is written in it. Raises `Retryable` for any other redirect: no call of the API's has one.
    """
    failure = Retryable("the server answered with a redirect", code="redirected", http_status=stream.status)
    location = stream.headers.get("Location")
    if method is not LINK or not location:
        raise failure
    try:
        led = place_of(api_origin, urljoin((place.origin or api_origin) + place.target, location))
    except ValueError:  # no address at all
        led = None
    if led is None:
        raise failure
    return msgspec.structs.replace(led, is_fixed=place.is_fixed, takes_token=False, export_type=place.export_type)


async def _some(pieces: AsyncIterator[bytes]) -> bytes:
    """The beginning of a refusal's body, as far as it comes and can be read: its status counts without it as well."""
    body = b""
    try:
        async for piece in pieces:
            body += piece
            if len(body) > _ERROR_BYTES:
                break
    except Retryable:
        pass
    return body[:_ERROR_BYTES]
