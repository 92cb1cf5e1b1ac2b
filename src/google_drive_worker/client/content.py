"""The bytes of files: downloads, and exports of Workspace documents in each of the ways that Google has for them.

Source: the guide "Download and export files". Where files.export fails (it gives 10 MB at most, and there are documents
for which it answers 500 for ever), an export goes by files.download, an operation that is polled until it names an
address, and where that fails by one of the file's `exportLinks`.
"""

import hashlib
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from google_drive_worker.client.calls import Call, Caller, Method
from google_drive_worker.client.downloads import LINK, Place, place_of, resumed
from google_drive_worker.client.faults import CallKind
from google_drive_worker.client.isolation import unavailable
from google_drive_worker.client.quota import Cost
from google_drive_worker.domain.content import Source
from google_drive_worker.domain.drive import DriveFile
from google_drive_worker.http.retry import backoff_ceiling_s
from google_drive_worker.http.transport import StreamTransport
from google_drive_worker.utils.errors import (
    ChecksumMismatch,
    ItemUnavailable,
    NotFound,
    SkipItem,
    WorkerError,
)

VIDEO = "application/vnd.google-apps.vid"

POLLS = 60
"""How often it is asked whether an operation is done: with backoff up to ten seconds, for some ten minutes."""

POLL_CAP_S = 10.0

_BAD_REQUEST = 400

_PLAIN = re.compile(r"[\w-]{1,128}", re.ASCII)

EXPORT_TOO_LARGE, NOT_EXPORTABLE, TOO_LARGE = "export_too_large", "not_exportable", "content_too_large"

_FINAL = frozenset({EXPORT_TOO_LARGE, NOT_EXPORTABLE, TOO_LARGE, "not_downloadable", "abusive_file", "access_denied"})
"""Codes of the refusals of bytes that Drive documents, and of our own limit. No other refusal is final."""

_FINAL_STATUSES = frozenset({3, 7, 9, 12})
"""Codes of `google.rpc.Status` that an operation ends with for good: invalid argument, permission denied, failed
precondition, unimplemented. Any other may pass: `not_found` is said of the operation as well, and of a file that is
gone its metadata tells."""


_GET = Method("drive.files.get.media", CallKind.ITEM, Cost.DOWNLOAD)
_EXPORT = Method("drive.files.export", CallKind.ITEM, Cost.DOWNLOAD)
_DOWNLOAD = Method("drive.files.download", CallKind.ITEM, Cost.DOWNLOAD)
_OPERATION = Method("drive.operations.get", CallKind.ITEM, Cost.READ)
_LINKS = Method("drive.files.get", CallKind.ITEM, Cost.READ)


class _Response(msgspec.Struct, rename="camel"):
    download_uri: str | None = None


class _Failure(msgspec.Struct):
    code: int | None = None


class _Operation(msgspec.Struct):
    name: str
    done: bool = False
    error: _Failure | None = None
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
        read_on = resumed(caller, transport, _GET, Place(caller.target(call)), keys, source.file.size)
        pieces = _verified(source.file, read_on)
    else:
        pieces = _exported(_Export(caller, transport, path, source.export_type, keys), source.file.mime_type)
    taken, failure = 0, None
    try:
        async with aclosing(pieces):  # a reader that stops early closes the connection
            async for piece in pieces:
                taken += len(piece)
                if taken > source.limit_bytes:
                    told = f"it has more than max_file_size_bytes ({source.limit_bytes})"
                    raise SkipItem(told, code=TOO_LARGE)
                yield piece
    except WorkerError as problem:
        failure = problem
    if failure is not None:  # an export's failures are told apart already, way by way
        raise await _as_trouble_of_the_file(caller, failure, _GET, path) if source.export_type is None else failure


async def _as_trouble_of_the_file(caller: Caller, failure: WorkerError, method: Method, path: str) -> WorkerError:
    """The failure as this file's own, final or a gap (`SkipItem`); itself where it is the connection's, or tells of
    other bytes.

    A refusal that Drive does not document for contents is never final.
    """
    if isinstance(failure, ItemUnavailable | NotFound) or (isinstance(failure, SkipItem) and failure.code in _FINAL):
        return failure
    return unavailable(failure) if isinstance(failure, SkipItem) else await caller.isolate(failure, method, path)


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


@dataclass(frozen=True, slots=True)
class _Export:
    """A document's export that is asked for."""

    caller: Caller
    transport: StreamTransport
    path: str
    export_type: str
    keys: dict[str, str]


async def _exported(export: _Export, mime_type: str) -> AsyncGenerator[bytes, None]:
    """An export, in the first way that gives it. Films go by the last two ways alone.

    Raises the connection's trouble at once. Where every way fails for the file alone, one that may pass makes it a gap
    (`ItemUnavailable`); otherwise the first refusal is what is raised, which is final.
    """
    ways: tuple[Callable[[_Export], AsyncGenerator[bytes, None]], ...] = (_by_operation, _by_link)
    if mime_type != VIDEO:
        ways = (_by_export, *ways)
    failures: list[SkipItem] = []
    for way in ways:
        is_begun, problem = False, None
        try:
            async with aclosing(way(export)) as pieces:
                async for piece in pieces:
                    is_begun = True
                    yield piece
        except WorkerError as raised:
            problem = raised
        if problem is None:
            return
        failure = await _as_trouble_of_the_file(export.caller, problem, LINK, export.path)
        if not isinstance(failure, SkipItem) or is_begun or _is_last_word(way, failure):
            raise failure
        if isinstance(failure, NotFound):  # the look-up that follows says whether the file is gone
            failure = SkipItem(failure.message, code=NOT_EXPORTABLE, http_status=failure.http_status)
        failures.append(failure)
    raise next((each for each in failures if isinstance(each, ItemUnavailable)), failures[0])


def _is_last_word(way: Callable[[_Export], AsyncGenerator[bytes, None]], failure: SkipItem) -> bool:
    """Whether no further way is worth a try: what files.export refuses for good, but for the size, all of them do."""
    if way is _by_export:
        return not isinstance(failure, ItemUnavailable) and failure.code != EXPORT_TOO_LARGE
    return way is _by_link and isinstance(failure, NotFound)


async def _by_export(export: _Export) -> AsyncGenerator[bytes, None]:
    """files.export."""
    query = [("mimeType", export.export_type)]
    asked = Call(f"{export.path}/export", query, headers=export.keys, export_type=export.export_type)
    try:
        whole = await export.caller.call(_EXPORT, asked, bytes)
    except SkipItem as problem:
        if problem.http_status != _BAD_REQUEST or problem.code != NOT_EXPORTABLE:
            raise
        refusal = SkipItem(
            f"Google does not export it to {export.export_type}",
            code=NOT_EXPORTABLE,
            http_status=_BAD_REQUEST,
            reason=problem.reason,
        )
        raise refusal from None
    yield whole


async def _by_operation(export: _Export) -> AsyncGenerator[bytes, None]:
    """files.download: what is prepared by an operation, at the address that it ends with."""
    caller = export.caller
    begin = Call(f"{export.path}/download", [("mimeType", export.export_type)], verb="POST", headers=export.keys)
    operation = await caller.call(_DOWNLOAD, begin, _OPERATION_DECODER.decode)
    for number in range(1, POLLS + 1):
        if operation.done:
            break
        await caller.shared.clock.sleep(min(POLL_CAP_S, backoff_ceiling_s(number, caller.shared.retry)))
        asked = Call(f"/operations/{quote(operation.name, safe='')}")
        try:
            operation = await caller.call(_OPERATION, asked, _OPERATION_DECODER.decode)
        except NotFound as gone:  # the operation is, and not the file
            raise unavailable(gone) from None
    if not operation.done:
        raise ItemUnavailable("Google does not finish preparing the export", code="operation_unfinished")
    if operation.error is not None:
        told = f"Google could not prepare the export (google.rpc.Status {operation.error.code})"
        if operation.error.code in _FINAL_STATUSES:
            raise SkipItem(told, code=NOT_EXPORTABLE)
        raise ItemUnavailable(told, code="operation_failed")
    uri = operation.response.download_uri if operation.response is not None else None
    async with aclosing(_at_address(export, uri, is_fixed=True)) as pieces:
        async for piece in pieces:
            yield piece


async def _by_link(export: _Export) -> AsyncGenerator[bytes, None]:
    """What the file's export link for that type leads to, made new each time that it is asked for."""
    query = [("supportsAllDrives", "true"), ("fields", "exportLinks")]
    links = await export.caller.call(_LINKS, Call(export.path, query, headers=export.keys), _LINKS_DECODER.decode)
    link = (links.export_links or {}).get(export.export_type)
    if link is None:
        raise SkipItem("Google has no link of that export", code=NOT_EXPORTABLE)
    async with aclosing(_at_address(export, link, is_fixed=False)) as pieces:
        async for piece in pieces:
            yield piece


async def _at_address(export: _Export, url: str | None, *, is_fixed: bool) -> AsyncGenerator[bytes, None]:
    """The bytes at an address that an answer named. Raises `ItemUnavailable` where it named none that may be asked."""
    place = None if url is None else place_of(export.caller.shared.origin, url)
    if place is None:
        raise ItemUnavailable("Google names no address of the export that may be asked", code="bad_address")
    place = msgspec.structs.replace(place, is_fixed=is_fixed, export_type=export.export_type)
    async with aclosing(resumed(export.caller, export.transport, LINK, place, export.keys, None)) as pieces:
        async for piece in pieces:
            yield piece


def _resource_keys(source: Source) -> dict[str, str]:
    """The header by which a file with a resource key is opened (guide "Access link-shared files")."""
    key = source.file.resource_key
    if key is None or not _PLAIN.fullmatch(key) or not _PLAIN.fullmatch(source.file.id):
        return {}  # no header could carry it
    return {"X-Goog-Drive-Resource-Keys": f"{source.file.id}/{key}"}
