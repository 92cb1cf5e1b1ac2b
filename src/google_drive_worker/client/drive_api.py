"""Google Drive API v3 as the worker calls it: the ports `Drive` and `Drives`.

Every call goes the same way: token, quota, HTTP, decode; its errors are turned into what to do (`faults.py`) and
retried in one place (`retry.py`). Paths, parameters and limits: Google's discovery document `drive.v3.json`.
"""

import asyncio
import hashlib
import random as system_random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from google_drive_worker.client import fields
from google_drive_worker.client.addresses import address_problem
from google_drive_worker.client.auth import Authorizer, Authorizers
from google_drive_worker.client.faults import RATE_LIMITED, CallKind, drive_error
from google_drive_worker.client.quota import Cost, QuotaLimiter
from google_drive_worker.client.retry import DRIVE_RETRY, RetryPolicy, retrying
from google_drive_worker.client.transport import HttpRequest, HttpResponse, Transport
from google_drive_worker.domain.connection import Connection
from google_drive_worker.domain.details import Comment, DetailsPage, Revision
from google_drive_worker.domain.drive import ChangesPage, DriveFile, DrivesPage, FilesPage, read_file
from google_drive_worker.domain.ids import ConnectionId, DriveId, FileId, PageToken
from google_drive_worker.domain.ports import Clock
from google_drive_worker.domain.sharing import ItemSharing, Permission
from google_drive_worker.domain.times import TimeRange
from google_drive_worker.utils.errors import Misconfigured, NotFound, Retryable, SkipItem, WorkerError

T = TypeVar("T")

PAGE_SIZE_AT_MOST = 1000
_DRIVES_PAGE_SIZE = 100
_OK = 200
_UNAUTHORIZED = 401
_FORBIDDEN = 403

Parameter = tuple[str, str]


class CallReport(msgspec.Struct, frozen=True, gc=False):
    """One call of the port, with all its tries: for metrics and traces. Holds no secret and nothing from Drive."""

    method: str
    """Google's id of the method, such as `drive.files.list`."""
    connection_id: ConnectionId
    status: int | None
    """Of the last answer; `None` where none came."""
    duration_s: float
    attempts: int
    """HTTP requests sent."""
    error: str | None
    """The code of the error that was raised, `cancelled`, or `internal` for a bug of ours; `None` for success."""


class _StartPageToken(msgspec.Struct, rename="camel"):
    start_page_token: PageToken


class _Modified(msgspec.Struct, rename="camel"):
    modified_time: str | None = None


class _PermissionsPage(msgspec.Struct, rename="camel"):
    permissions: tuple[Permission, ...] = ()
    next_page_token: PageToken | None = None


class _TimesPage(msgspec.Struct):
    files: tuple[_Modified, ...] = ()


@dataclass(frozen=True, slots=True)
class _Method:
    id: str
    kind: CallKind
    cost: Cost


_FILES_LIST = _Method("drive.files.list", CallKind.LISTING, Cost.LIST)
_FILES_GET = _Method("drive.files.get", CallKind.ITEM, Cost.READ)
_CHANGES_LIST = _Method("drive.changes.list", CallKind.LISTING, Cost.LIST)
_START_PAGE_TOKEN = _Method("drive.changes.getStartPageToken", CallKind.LISTING, Cost.READ)
_DRIVES_LIST = _Method("drive.drives.list", CallKind.LISTING, Cost.LIST)

_PERMISSIONS_LIST = _Method("drive.permissions.list", CallKind.ITEM, Cost.LIST)

_FILES_PAGE = msgspec.json.Decoder(FilesPage)
_SHARING = msgspec.json.Decoder(ItemSharing)
_PERMISSIONS_PAGE = msgspec.json.Decoder(_PermissionsPage)
_TIMES_PAGE = msgspec.json.Decoder(_TimesPage)
_CHANGES_PAGE = msgspec.json.Decoder(ChangesPage)
_DRIVES_PAGE = msgspec.json.Decoder(DrivesPage)
_TOKEN = msgspec.json.Decoder(_StartPageToken)


@dataclass(slots=True)
class _Tally:
    """What one call came to, for its report."""

    attempts: int = 0
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """What the Drives of all connections have in common."""

    transport: Transport
    limiter: QuotaLimiter
    clock: Clock
    random: Callable[[], float]
    retry: RetryPolicy
    base_path: str
    page_size: int
    on_call: Callable[[CallReport], None] | None


class DriveApis:
    """Implements `Drives`: opens the Drive of any connection, on one transport, one limiter and one set of tokens."""

    def __init__(
        self,
        *,
        base_url: str,
        transport: Transport,
        authorizers: Authorizers,
        limiter: QuotaLimiter,
        clock: Clock,
        retry: RetryPolicy = DRIVE_RETRY,
        page_size: int = 100,
        include_shared_drives: bool = True,
        random: Callable[[], float] = system_random.random,
        on_call: Callable[[CallReport], None] | None = None,
    ) -> None:
        """Check what comes from configuration; make no call.

        `base_url` is Drive's (`GDRIVE_API_BASE_URL`), on the host of `transport`; `page_size` (`GDRIVE_PAGE_SIZE`)
        goes from 1 to 1,000; `include_shared_drives` (`GDRIVE_INCLUDE_SHARED_DRIVES`) holds where a connection's
        settings don't say. Raises `Misconfigured`.
        """
        if problem := address_problem(base_url):
            raise Misconfigured(f"GDRIVE_API_BASE_URL {problem}")
        if not 1 <= page_size <= PAGE_SIZE_AT_MOST:
            raise Misconfigured(f"GDRIVE_PAGE_SIZE must be from 1 to {PAGE_SIZE_AT_MOST}, not {page_size}")
        base_path = urlsplit(base_url).path.rstrip("/")
        self._shared = Shared(transport, limiter, clock, random, retry, base_path, page_size, on_call)
        self._authorizers = authorizers
        self._include_shared_drives = include_shared_drives

    def open(self, connection: Connection) -> "DriveApi":
        """The Drive of that connection, as its credentials and settings are now; cheap, no call is made."""
        wanted = connection.settings.include_shared_drives
        return DriveApi(
            connection.connection_id,
            self._authorizers.of(connection),
            self._shared,
            include_shared_drives=self._include_shared_drives if wanted is None else wanted,
            sync_permissions=connection.settings.sync_permissions,
        )


class DriveApi:
    """Implements `Drive` for one connection. Safe for concurrent calls."""

    def __init__(
        self,
        connection_id: ConnectionId,
        authorizer: Authorizer,
        shared: Shared,
        *,
        include_shared_drives: bool,
        sync_permissions: bool,
    ) -> None:
        """Made by `DriveApis.open`."""
        self._connection_id = connection_id
        self._authorizer = authorizer
        self._shared = shared
        self._include_shared_drives = include_shared_drives
        self._sync_permissions = sync_permissions
        self._quota_user = quota_user(connection_id)

    async def start_page_token(self, drive_id: DriveId | None) -> PageToken:
        """changes.getStartPageToken; see `Drive.start_page_token`."""
        query = [*self._in_drive(drive_id), ("fields", fields.START_PAGE_TOKEN_FIELDS)]
        answer = await self._call(_START_PAGE_TOKEN, "/changes/startPageToken", query, _TOKEN.decode)
        return answer.start_page_token

    async def list_drives(self, page_token: PageToken | None) -> DrivesPage:
        """drives.list; see `Drive.list_drives`."""
        query = [("pageSize", str(_DRIVES_PAGE_SIZE)), ("fields", fields.DRIVES_PAGE_FIELDS), *_page(page_token)]
        return await self._call(_DRIVES_LIST, "/drives", query, _DRIVES_PAGE.decode)

    async def list_files(
        self,
        drive_id: DriveId | None,
        page_token: PageToken | None,
        *,
        include_trashed: bool,
        modified: TimeRange | None = None,
    ) -> FilesPage:
        """files.list of one corpus; see `Drive.list_files`.

        Of the orders, Google advises against createdTime for large collections and names modifiedTime instead.
        """
        order_by = None if modified is None else "modifiedTime desc"
        q = _query_of(modified, include_trashed=include_trashed)
        return await self._list(q, drive_id, page_token, order_by)

    async def oldest_times(
        self, drive_id: DriveId | None, *, include_trashed: bool, since: str | None = None
    ) -> tuple[str, ...]:
        """files.list from the other end, for the times alone; see `Drive.oldest_times`."""
        q = _query_of(TimeRange(since), include_trashed=include_trashed)
        query = [*self._listing(drive_id, q, "modifiedTime", PAGE_SIZE_AT_MOST), ("fields", fields.TIMES_FIELDS)]
        page = await self._call(_FILES_LIST, "/files", query, _TIMES_PAGE.decode)
        return tuple(file.modified_time for file in page.files if file.modified_time is not None)

    async def list_children(
        self,
        folder_id: FileId,
        drive_id: DriveId | None,
        page_token: PageToken | None,
        *,
        include_trashed: bool,
    ) -> FilesPage:
        """files.list of a folder; see `Drive.list_children`."""
        children = f"{query_literal(folder_id)} in parents"
        return await self._list(
            children if include_trashed else f"{children} and trashed = false", drive_id, page_token
        )

    async def list_changes(self, drive_id: DriveId | None, page_token: PageToken) -> ChangesPage:
        """changes.list; see `Drive.list_changes`."""
        query = [
            *self._in_drive(drive_id),
            *self._items_from_all_drives(drive_id),
            ("includeRemoved", "true"),
            ("includeCorpusRemovals", "true"),
            ("spaces", "drive"),
            ("pageSize", str(self._shared.page_size)),
            ("fields", self._fields(drive_id, fields.CHANGES_PAGE_FIELDS, fields.SHARED_CHANGES_PAGE_FIELDS)),
            ("pageToken", page_token),
        ]
        return await self._call(_CHANGES_LIST, "/changes", query, _CHANGES_PAGE.decode)

    async def get_file(self, file_id: FileId) -> DriveFile:
        """files.get; see `Drive.get_file`. A file whose answer doesn't fit its type is a `SkipItem`."""
        if file_id in {"", ".", ".."}:  # would be another address
            raise NotFound("no file has such an id")
        query = [("supportsAllDrives", "true"), ("fields", fields.FILE_FIELDS)]
        return await self._call(_FILES_GET, f"/files/{quote(file_id, safe='')}", query, _decode_file)

    async def list_details(
        self, drive_id: DriveId | None, page_token: PageToken | None, *, include_trashed: bool
    ) -> DetailsPage:
        """files.list; see `Drive.list_details`."""
        raise NotImplementedError

    async def item_sharings(self, file_ids: Sequence[FileId]) -> Mapping[FileId, ItemSharing | SkipItem]:
        """files.get; see `Drive.item_sharings`."""
        return {file_id: await _or_skip(self._item_sharing(file_id)) for file_id in file_ids}

    async def list_permissions(self, file_ids: Sequence[FileId]) -> Mapping[FileId, tuple[Permission, ...] | SkipItem]:
        """permissions.list; see `Drive.list_permissions`."""
        return {file_id: await _or_skip(self._permissions(file_id)) for file_id in file_ids}

    async def list_revisions(self, file_ids: Sequence[FileId]) -> Mapping[FileId, tuple[Revision, ...] | SkipItem]:
        """revisions.list; see `Drive.list_revisions`."""
        raise NotImplementedError

    async def list_comments(self, file_ids: Sequence[FileId]) -> Mapping[FileId, tuple[Comment, ...] | SkipItem]:
        """comments.list; see `Drive.list_comments`."""
        raise NotImplementedError

    async def _item_sharing(self, file_id: FileId) -> ItemSharing:
        query = [("supportsAllDrives", "true"), ("fields", fields.SHARING_FIELDS)]
        return await self._call(_FILES_GET, f"/files/{quote(file_id, safe='')}", query, _SHARING.decode)

    async def _permissions(self, file_id: FileId) -> tuple[Permission, ...]:
        found: list[Permission] = []
        page_token: PageToken | None = None
        while True:
            query = [
                ("supportsAllDrives", "true"),
                ("pageSize", "100"),
                ("fields", fields.PERMISSIONS_PAGE_FIELDS),
                *_page(page_token),
            ]
            path = f"/files/{quote(file_id, safe='')}/permissions"
            page = await self._call(_PERMISSIONS_LIST, path, query, _PERMISSIONS_PAGE.decode)
            found.extend(page.permissions)
            page_token = page.next_page_token
            if page_token is None:
                return tuple(found)

    async def _list(
        self, q: str, drive_id: DriveId | None, page_token: PageToken | None, order_by: str | None = None
    ) -> FilesPage:
        query = [
            *self._listing(drive_id, q, order_by, self._shared.page_size),
            ("fields", self._fields(drive_id, fields.FILES_PAGE_FIELDS, fields.SHARED_FILES_PAGE_FIELDS)),
            *_page(page_token),
        ]
        return await self._call(_FILES_LIST, "/files", query, _FILES_PAGE.decode)

    def _listing(self, drive_id: DriveId | None, q: str, order_by: str | None, page_size: int) -> list[Parameter]:
        return [
            ("corpora", "user" if drive_id is None else "drive"),
            *self._in_drive(drive_id),
            *self._items_from_all_drives(drive_id),
            *([("q", q)] if q else []),
            *([("orderBy", order_by)] if order_by else []),
            ("pageSize", str(page_size)),
        ]

    def _fields(self, drive_id: DriveId | None, plain: str, with_permissions: str) -> str:
        return with_permissions if drive_id is None and self._sync_permissions else plain

    def _in_drive(self, drive_id: DriveId | None) -> list[Parameter]:
        if drive_id is not None:
            return [("driveId", drive_id), ("supportsAllDrives", "true")]
        return [("supportsAllDrives", "true")] if self._include_shared_drives else []

    def _items_from_all_drives(self, drive_id: DriveId | None) -> list[Parameter]:
        wanted = drive_id is not None or self._include_shared_drives
        return [("includeItemsFromAllDrives", "true")] if wanted else []

    async def _call(self, method: _Method, path: str, query: list[Parameter], decode: Callable[[bytes], T]) -> T:
        """Make one call with all its tries, and report it."""
        shared = self._shared
        common = [("prettyPrint", "false"), ("quotaUser", self._quota_user)]
        target = f"{shared.base_path}{path}?{urlencode([*query, *common], quote_via=quote, safe='(),')}"
        started_s = shared.clock.monotonic_s()
        tally = _Tally()
        error: str | None = "internal"
        try:
            result = await retrying(
                lambda _: self._attempt(method, target, decode, tally),
                policy=shared.retry,
                clock=shared.clock,
                random=shared.random,
            )
            error = None
        except asyncio.CancelledError:
            error = "cancelled"
            raise
        except WorkerError as failure:
            error = failure.code
            failure.attempts = failure.attempts or tally.attempts or None
            raise
        finally:
            if shared.on_call is not None:
                duration_s = shared.clock.monotonic_s() - started_s
                shared.on_call(
                    CallReport(method.id, self._connection_id, tally.status, duration_s, tally.attempts, error)
                )
        return result

    async def _attempt(self, method: _Method, target: str, decode: Callable[[bytes], T], tally: _Tally) -> T:
        """Send once; once more with a new token where Google refuses the first."""
        response, token = await self._send(method, target, tally)
        if response.status == _UNAUTHORIZED:
            self._authorizer.invalidate(token)
            response, token = await self._send(method, target, tally)
        if response.status == _OK:
            return _decoded(decode, response.body)
        failure = drive_error(
            method.id,
            method.kind,
            response.status,
            response.headers,
            response.body,
            now=self._shared.clock.now(),
            redact=lambda text: text.replace(token, "***"),
        )
        if response.status == _UNAUTHORIZED:
            self._authorizer.invalidate(token)
        if failure.code == RATE_LIMITED:
            by_project = response.status == _FORBIDDEN and failure.reason == "rateLimitExceeded"
            self._shared.limiter.refused(self._quota_user, by_project=by_project)
        raise failure

    async def _send(self, method: _Method, target: str, tally: _Tally) -> tuple[HttpResponse, str]:
        tally.status = None
        await self._shared.limiter.acquire(self._quota_user, method.cost)
        token = await self._authorizer.token()
        tally.attempts += 1
        response = await self._shared.transport.send(
            HttpRequest("GET", target, {"Authorization": f"Bearer {token}", "Accept": "application/json"})
        )
        tally.status = response.status
        return response, token


async def _or_skip(call: Awaitable[T]) -> T | SkipItem:
    try:
        return await call
    except SkipItem as problem:
        return problem


def quota_user(connection_id: ConnectionId) -> str:
    """The `quotaUser` of a connection: 32 characters (Google takes 40), always the same, telling nobody's id."""
    return hashlib.sha256(connection_id.encode()).hexdigest()[:32]


def query_literal(value: str) -> str:
    r"""Write `value` as a string of Drive's query language: in quotes, `'` and `\` escaped (guide "Search query")."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _query_of(modified: TimeRange | None, *, include_trashed: bool) -> str:
    return " and ".join([*_range_terms(modified), *([] if include_trashed else ["trashed = false"])])


def _range_terms(modified: TimeRange | None) -> list[str]:
    """The range as terms of a query; a time without a zone is UTC (guide "Search query terms and operators")."""
    if modified is None:
        return []
    since = [] if modified.since is None else [f"modifiedTime >= {query_literal(modified.since)}"]
    until = [] if modified.until is None else [f"modifiedTime < {query_literal(modified.until)}"]
    return since + until


def _page(page_token: PageToken | None) -> list[Parameter]:
    return [] if page_token is None else [("pageToken", page_token)]


def _decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    """Decode a 200: one that is no JSON of the right shape came broken, and is worth another try."""
    try:
        return decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        kind = type(problem).__name__
    raise Retryable(f"Google's answer can't be read ({kind})", code="bad_answer", http_status=_OK)


def _decode_file(body: bytes) -> DriveFile:
    try:
        return read_file(body)
    except msgspec.ValidationError as problem:
        text = str(problem)
    except UnicodeDecodeError:
        text = "it is no UTF-8"
    raise SkipItem(f"the file's metadata can't be read: {text}", code="unreadable_item", http_status=_OK)
