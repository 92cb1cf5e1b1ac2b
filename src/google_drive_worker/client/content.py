"""The bytes of files: downloads, resumed by Range, and exports of Workspace documents.

Sources: the guides "Download and export files" and "Manage downloads"; RFC 9110, section 14 (Range). An export over
10 MB goes by files.download, an operation that is polled until it names an address, and where that fails by one of the
file's `exportLinks`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

import msgspec

from google_drive_worker.client.calls import OK, UNAUTHORIZED, Call, Caller, Method, Tally, headers_with
from google_drive_worker.client.faults import CallKind
from google_drive_worker.client.quota import Cost
from google_drive_worker.domain.content import Source
from google_drive_worker.http.addresses import address_problem
from google_drive_worker.http.retry import backoff_ceiling_s
from google_drive_worker.http.transport import HttpRequest, HttpResponse, HttpStream, StreamTransport
from google_drive_worker.utils.errors import ChecksumMismatch, Retryable, SkipItem, Terminal, WorkerError

PARTIAL, UNSATISFIABLE, BAD_REQUEST = 206, 416, 400

POLLS = 60
"""How often it is asked whether an operation is done: with backoff up to ten seconds, for some ten minutes."""

POLL_CAP_S = 10.0

_ERROR_BYTES = 64 * 1024

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


async def content_of(caller: Caller, transport: StreamTransport, source: Source) -> AsyncIterator[bytes]:
    """The bytes of a file; see `Drive.content`."""
    path = f"/files/{quote(source.file.id, safe='')}"
    keys = _resource_keys(source)
    pieces: AsyncIterator[bytes]
    if source.export_type is None:
        call = Call(path, [("alt", "media"), ("supportsAllDrives", "true")])
        pieces = _resumed(caller, transport, _GET, _Place(caller.target(call)), keys, source.file.size)
    else:
        pieces = _exported(caller, transport, path, source.export_type, keys)
    taken = 0
    async for piece in pieces:
        taken += len(piece)
        if taken > source.limit_bytes:
            told = f"it has more than max_file_size_bytes ({source.limit_bytes})"
            raise SkipItem(told, code="content_too_large")
        yield piece


async def _exported(
    caller: Caller, transport: StreamTransport, path: str, export_type: str, keys: dict[str, str]
) -> AsyncIterator[bytes]:
    """files.export, which gives 10 MB at most; then the ways for larger ones."""
    export = Call(f"{path}/export", [("mimeType", export_type)], headers=keys)
    refused: SkipItem | None = None
    try:
        whole = await caller.call(_EXPORT, export, bytes)
    except SkipItem as problem:
        if problem.code != "export_too_large":
            raise
        refused = problem
    except Terminal as problem:
        if problem.http_status == BAD_REQUEST:
            raise SkipItem(
                f"Google does not export it to {export_type}", code="not_exportable", http_status=BAD_REQUEST
            ) from None
        raise
    if refused is None:
        yield whole
        return
    place = await _operated(caller, path, export_type, keys) or await _linked(caller, path, export_type, keys)
    if place is None:
        raise refused
    async for piece in _resumed(caller, transport, _LINK, place, keys, None):
        yield piece


async def _operated(caller: Caller, path: str, export_type: str, keys: dict[str, str]) -> "_Place | None":
    """Where files.download says that the bytes are; `None` where it fails."""
    try:
        begin = Call(f"{path}/download", [("mimeType", export_type)], verb="POST", headers=keys)
        operation = await caller.call(_DOWNLOAD, begin, _OPERATION_DECODER.decode)
        for number in range(1, POLLS + 1):
            if operation.done:
                uri = operation.response.download_uri if operation.response is not None else None
                return None if operation.error is not None or uri is None else _place_of(caller, uri)
            await caller.shared.clock.sleep(min(POLL_CAP_S, backoff_ceiling_s(number, caller.shared.retry)))
            asked = Call(f"/operations/{quote(operation.name, safe='')}")
            operation = await caller.call(_OPERATION, asked, _OPERATION_DECODER.decode)
    except (SkipItem, Retryable):
        return None
    return None


async def _linked(caller: Caller, path: str, export_type: str, keys: dict[str, str]) -> "_Place | None":
    """Where the file's export link for that type leads; `None` where it has none."""
    query = [("supportsAllDrives", "true"), ("fields", "exportLinks")]
    links = await caller.call(_LINKS, Call(path, query, headers=keys), _LINKS_DECODER.decode)
    link = (links.export_links or {}).get(export_type)
    return None if link is None else _place_of(caller, link)


class _Place(msgspec.Struct, frozen=True):
    """Where bytes are: a target on the API's own host, or on another one of Google's."""

    target: str
    origin: str | None = None


def _place_of(caller: Caller, url: str) -> _Place | None:
    """An address out of an answer, where a token may be sent to it: the API's own host, or Google's for exports where
    the API's is Google's as well. `None` for any other."""
    ours = urlsplit(caller.shared.origin)
    if address_problem(url.partition("?")[0]) is not None:
        return None
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    if (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc):
        return _Place(target)
    google = (ours.hostname or "").endswith(".googleapis.com")
    if not google or parts.scheme != "https" or parts.port not in {None, 443}:
        return None
    host = parts.hostname or ""
    if host in EXPORT_HOSTS or host.endswith((".googleapis.com", ".googleusercontent.com")):
        return _Place(target, f"https://{host}")
    return None


async def _resumed(
    caller: Caller,
    transport: StreamTransport,
    method: Method,
    place: _Place,
    keys: dict[str, str],
    size: int | None,
) -> AsyncIterator[bytes]:
    """The bytes at a place, gone on with by Range where the connection is cut; as often as something comes of it."""
    shared, got, failures, started_s = caller.shared, 0, 0, caller.shared.clock.monotonic_s()
    tally, error = Tally(), "internal"
    try:
        while True:
            try:
                async with _opened(caller, transport, method, place, keys, got, tally) as stream:
                    skip = _to_skip(stream, got)
                    async for piece in stream.pieces():
                        rest = piece[skip:] if skip else piece
                        skip -= len(piece) - len(rest)
                        if rest:
                            got, failures = got + len(rest), 0
                            yield rest
                if size is None or got >= size:
                    error = ""
                    return
                failure = Retryable("an answer ended before all of the file had come", code="truncated")
            except Retryable as problem:
                failure = problem
            failures += 1
            error = failure.code
            if failures >= shared.retry.attempts or isinstance(failure, ChecksumMismatch):
                raise failure
            if failure.retry_after_s is not None and failure.retry_after_s > shared.retry.hint_s:
                raise failure
            backoff_s = backoff_ceiling_s(failures, shared.retry) * shared.random()
            await shared.clock.sleep(max(failure.retry_after_s or 0.0, backoff_s))
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
    place: _Place,
    keys: dict[str, str],
    got: int,
    tally: Tally,
) -> AsyncIterator[HttpStream]:
    """An answer that holds bytes; anything else is raised as what it asks for."""
    await caller.shared.limiter.acquire(caller.quota_user, method.cost)
    token = await caller.authorizer.token()
    headers = {**headers_with(token), **keys, "Accept": "*/*"}
    if got:
        headers["Range"] = f"bytes={got}-"
    tally.attempts += 1
    async with transport.stream(HttpRequest("GET", place.target, headers), place.origin) as stream:
        tally.status = stream.status
        if stream.status in {OK, PARTIAL}:
            yield stream
            return
        if stream.status == UNSATISFIABLE and got:
            raise ChecksumMismatch("the file became shorter while it was read")
        body = await _some(stream.pieces())
        failure = caller.refusal(method, HttpResponse(stream.status, stream.headers, body), token)
        if stream.status == UNAUTHORIZED:
            failure = Retryable("Google refused the access token", code="unauthorized", http_status=UNAUTHORIZED)
        raise failure


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
    return {} if key is None else {"X-Goog-Drive-Resource-Keys": f"{source.file.id}/{key}"}
