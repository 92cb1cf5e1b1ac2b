"""The bytes of files: downloads, resumed by Range, and exports of Workspace documents.

Sources: the guides "Download and export files" and "Manage downloads"; RFC 9110, section 14 (Range). An export over
10 MB goes by files.download, an operation that is polled until it names an address, and where that fails by one of the
file's `exportLinks`.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from google_drive_worker.client.calls import OK, Call, Caller, Method, Tally, headers_with
from google_drive_worker.client.faults import CallKind
from google_drive_worker.client.quota import Cost
from google_drive_worker.domain.content import Source
from google_drive_worker.domain.drive import DriveFile
from google_drive_worker.http.addresses import address_problem
from google_drive_worker.http.retry import RetryPolicy, backoff_ceiling_s
from google_drive_worker.http.transport import HttpRequest, HttpResponse, HttpStream, StreamTransport
from google_drive_worker.utils.errors import ChecksumMismatch, NeedsReauth, Retryable, SkipItem, Terminal, WorkerError

VIDEO = "application/vnd.google-apps.vid"

PARTIAL, UNSATISFIABLE, BAD_REQUEST = 206, 416, 400

POLLS = 60
"""How often it is asked whether an operation is done: with backoff up to ten seconds, for some ten minutes."""

POLL_CAP_S = 10.0

_ERROR_BYTES = 64 * 1024

_CLOSED = frozenset({401, 403})

REDIRECTS_AT_MOST = 3
"""Of an export's address: one or two are seen."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_SENT_ON = frozenset({"Accept", "Range"})
"""The headers that go along with a redirect. Neither the token nor a resource key is among them."""

PROGRESS_BYTES = 256 * 1024
"""What has to come for the next cut to count as a first one: a server that cuts after each byte is given up on."""

_PLAIN = re.compile(r"[\w-]{1,128}", re.ASCII)

_HOST = re.compile(r"[a-z0-9.-]{1,253}")
"""What may be dialled: other URL parsers end a host's name where `urlsplit` does not, at a backslash for one."""


EXPORT_HOSTS = ("docs.google.com", "drive.google.com", "drive.usercontent.google.com")
"""Where Google's own addresses of exports and downloads lead to, beside the API's host."""

_GET = Method("drive.files.get.media", CallKind.ITEM, Cost.DOWNLOAD)
_EXPORT = Method("drive.files.export", CallKind.ITEM, Cost.DOWNLOAD)
_DOWNLOAD = Method("drive.files.download", CallKind.ITEM, Cost.DOWNLOAD)
_OPERATION = Method("drive.operations.get", CallKind.ITEM, Cost.READ)
_LINK = Method("drive.files.exportLink", CallKind.ITEM, Cost.DOWNLOAD)
_LINKS = Method("drive.files.get", CallKind.ITEM, Cost.READ)


class _Response(msgspec.Struct, rename="camel"):
    download_uri: str | None = None


class _Operation(msgspec.Struct):
    name: str
    done: bool = False
    error: msgspec.Raw | None = None
    response: _Response | None = None


class _Links(msgspec.Struct, rename="camel"):
    export_links: dict[str, str] | None = None


_OPERATION_DECODER = msgspec.json.Decoder(_Operation)
_LINKS_DECODER = msgspec.json.Decoder(_Links)


async def content_of(caller: Caller, transport: StreamTransport, source: Source) -> AsyncGenerator[bytes, None]:
    """The bytes of a file; see `Drive.content`."""
    path = f"/files/{quote(source.file.id, safe='')}"
    keys = _resource_keys(source)
    pieces: AsyncGenerator[bytes, None]
    if source.export_type is None:
        call = Call(path, [("alt", "media"), ("supportsAllDrives", "true")])
        read_on = _resumed(caller, transport, _GET, Place(caller.target(call)), keys, source.file.size)
        pieces = _verified(source.file, read_on)
    else:
        pieces = _exported(caller, transport, source, path, keys)
    taken = 0
    async with aclosing(pieces):  # whoever stops reading lets go of the connection as well
        async for piece in pieces:
            taken += len(piece)
            if taken > source.limit_bytes:
                told = f"it has more than max_file_size_bytes ({source.limit_bytes})"
                raise SkipItem(told, code="content_too_large")
            yield piece


async def _verified(file: DriveFile, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same bytes. Raises `ChecksumMismatch` at their end where they are not those that Drive shows.

    SHA-256 is what the object store holds them against; for files of which Drive shows none, the next best is looked at
    here. So is the size.
    """
    name, expected = ("sha1", file.sha1_checksum) if file.sha1_checksum else ("md5", file.md5_checksum)
    digest = hashlib.new(name, usedforsecurity=False) if expected and not file.sha256_checksum else None
    size_bytes = 0
    async with aclosing(pieces):
        async for piece in pieces:
            size_bytes += len(piece)
            if digest is not None:
                digest.update(piece)
            yield piece
    if file.size is not None and file.size != size_bytes:
        raise ChecksumMismatch(f"{size_bytes} bytes came, and Drive shows {file.size}")
    if digest is not None and digest.hexdigest() != (expected or "").lower():
        raise ChecksumMismatch(f"the bytes are not those that Drive shows: their {name} differs")


async def _exported(
    caller: Caller, transport: StreamTransport, source: Source, path: str, keys: dict[str, str]
) -> AsyncGenerator[bytes, None]:
    """files.export, which gives 10 MB at most; then the ways for larger ones, and for films, which go by them alone."""
    export_type = source.export_type or ""
    refused: SkipItem | None = None
    if source.file.mime_type != VIDEO:
        whole = await _export(caller, path, export_type, keys)
        if isinstance(whole, bytes):
            yield whole
            return
        refused = whole
    place = await _operated(caller, path, export_type, keys) or await _linked(caller, path, export_type, keys)
    if place is None:
        raise refused or SkipItem("Google does not give out the film", code="not_exportable")
    async with aclosing(_resumed(caller, transport, _LINK, place, keys, None)) as pieces:
        async for piece in pieces:
            yield piece


async def _export(caller: Caller, path: str, export_type: str, keys: dict[str, str]) -> bytes | SkipItem:
    """What files.export gives; the refusal of what is too large for it."""
    export = Call(f"{path}/export", [("mimeType", export_type)], headers=keys)
    try:
        return await caller.call(_EXPORT, export, bytes)
    except SkipItem as problem:
        if problem.http_status == BAD_REQUEST and problem.code == "not_exportable":
            told = f"Google does not export it to {export_type}"
            raise SkipItem(told, code=problem.code, http_status=BAD_REQUEST) from None
        if problem.code != "export_too_large":
            raise
        return problem


async def _operated(caller: Caller, path: str, export_type: str, keys: dict[str, str]) -> "Place | None":
    """Where files.download says that the bytes are; `None` where it fails."""
    try:
        begin = Call(f"{path}/download", [("mimeType", export_type)], verb="POST", headers=keys)
        operation = await caller.call(_DOWNLOAD, begin, _OPERATION_DECODER.decode)
        for number in range(1, POLLS + 1):
            if operation.done:
                uri = operation.response.download_uri if operation.response is not None else None
                return None if operation.error is not None or uri is None else place_of(caller.shared.origin, uri)
            await caller.shared.clock.sleep(min(POLL_CAP_S, backoff_ceiling_s(number, caller.shared.retry)))
            asked = Call(f"/operations/{quote(operation.name, safe='')}")
            operation = await caller.call(_OPERATION, asked, _OPERATION_DECODER.decode)
    except (SkipItem, Retryable):
        return None
    return None


async def _linked(caller: Caller, path: str, export_type: str, keys: dict[str, str]) -> "Place | None":
    """Where the file's export link for that type leads; `None` where it has none."""
    query = [("supportsAllDrives", "true"), ("fields", "exportLinks")]
    links = await caller.call(_LINKS, Call(path, query, headers=keys), _LINKS_DECODER.decode)
    link = (links.export_links or {}).get(export_type)
    place = None if link is None else place_of(caller.shared.origin, link)
    return None if place is None else msgspec.structs.replace(place, is_fixed=False)


class Place(msgspec.Struct, frozen=True):
    """Where bytes are: a target on the API's own host, or on another one of Google's.

    What is not `is_fixed` is made anew each time that it is asked for, and the second time may be other bytes. Where a
    redirect led, it no longer `takes_token`.
    """

    target: str
    origin: str | None = None
    is_fixed: bool = True
    takes_token: bool = True


def place_of(api_origin: str, url: str) -> Place | None:
    """An address out of an answer, where a token may be sent to it: the API's own host, or Google's for exports where
    the API's is Google's as well. `None` for any other."""
    ours = urlsplit(api_origin)
    if address_problem(url.partition("?")[0]) is not None:
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

    def __init__(self, retry: RetryPolicy, random: Callable[[], float], place: "Place") -> None:
        self.got = 0
        self._retry = retry
        self._random = random
        self._place = place
        self._progress = 0
        self._failures = 0
        self._is_new_token = False

    def came(self, size_bytes: int) -> None:
        """So much more has come."""
        self.got += size_bytes
        self._is_new_token = False

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
        if self.got - self._progress >= PROGRESS_BYTES:
            self._progress, self._failures = self.got, 0
        self._failures += 1
        hint_s = failure.retry_after_s or 0.0
        if self._failures >= self._retry.attempts or hint_s > self._retry.hint_s:
            raise failure
        return max(hint_s, backoff_ceiling_s(self._failures, self._retry) * self._random())


async def _resumed(
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
                async with _opened(caller, transport, method, place, keys, trials.got, tally) as stream:
                    skip = _to_skip(stream, trials.got)
                    async for piece in stream.pieces():
                        rest = piece[skip:] if skip else piece
                        skip -= len(piece) - len(rest)
                        if rest:
                            trials.came(len(rest))
                            yield rest
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
        raise
    finally:
        caller.report(method, started_s, tally, error or None)


def _to_skip(stream: HttpStream, got: int) -> int:
    """How many bytes of an answer are known already. Raises `ChecksumMismatch` where it is of another content."""
    if stream.status == OK:
        return got
    if not stream.headers.get("Content-Range", "").startswith(f"bytes {got}-"):
        raise ChecksumMismatch("the server gave another part of the file than was asked for")
    return 0


@asynccontextmanager
async def _opened(
    caller: Caller,
    transport: StreamTransport,
    method: Method,
    place: Place,
    keys: dict[str, str],
    got: int,
    tally: Tally,
) -> AsyncIterator[HttpStream]:
    """An answer that holds bytes; anything else is raised as what it asks for."""
    async with caller.passage():
        await caller.shared.limiter.acquire(caller.quota_user, method.cost)
        token = await caller.authorizer.token()
        headers = {**headers_with(token), **keys, "Accept": "*/*"}
        if got:
            headers["Range"] = f"bytes={got}-"
        tally.attempts += 1
        for _ in range(1 + REDIRECTS_AT_MOST):
            async with transport.stream(HttpRequest("GET", place.target, headers), place.origin) as stream:
                tally.status = stream.status
                if stream.status in {OK, PARTIAL}:
                    caller.authorizer.scopes.served(method.id)
                    yield stream
                    return
                if stream.status not in _REDIRECTS:
                    raise await _refused(caller, method, place, stream, token, got)
                place = _led_on(caller.shared.origin, method, place, stream)
            headers = {name: value for name, value in headers.items() if name in _SENT_ON}
        raise Terminal("the server answers with one redirect after another", code="redirected")


async def _refused(
    caller: Caller, method: Method, place: Place, stream: HttpStream, token: str, got: int
) -> WorkerError:
    """What an answer without bytes asks for."""
    if stream.status == UNSATISFIABLE and got:
        return ChecksumMismatch("the file became shorter while it was read")
    if stream.status in _CLOSED and not (place.origin is None and place.takes_token):
        told = "Google's address of the export does not let us in"  # where the API took the token just before
        return SkipItem(told, code="link_refused", http_status=stream.status)
    body = await _some(stream.pieces())
    return caller.refusal(method, HttpResponse(stream.status, stream.headers, body), token, place.target)


def _led_on(api_origin: str, method: Method, place: Place, stream: HttpStream) -> Place:
    """Where a redirect of an export's address leads, if that is one of Google's as well. No token goes along: what such
    an address needs is written in it. Raises `Terminal` for any other redirect: no call of the API's has one.
    """
    failure = Terminal("the server answered with a redirect", code="redirected", http_status=stream.status)
    location = stream.headers.get("Location")
    if method is not _LINK or not location:
        raise failure
    try:
        led = place_of(api_origin, urljoin((place.origin or api_origin) + place.target, location))
    except ValueError:  # no address at all
        led = None
    if led is None:
        raise failure
    return msgspec.structs.replace(led, is_fixed=place.is_fixed, takes_token=False)


async def _some(pieces: AsyncIterator[bytes]) -> bytes:
    body = b""
    async for piece in pieces:
        body += piece
        if len(body) > _ERROR_BYTES:
            break
    return body[:_ERROR_BYTES]


def _resource_keys(source: Source) -> dict[str, str]:
    """The header by which a file with a resource key is opened (guide "Access link-shared files")."""
    key = source.file.resource_key
    if key is None or not _PLAIN.fullmatch(key) or not _PLAIN.fullmatch(source.file.id):
        return {}  # no header could carry it
    return {"X-Goog-Drive-Resource-Keys": f"{source.file.id}/{key}"}
