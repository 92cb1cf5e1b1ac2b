"""Google Drive API v3 as the worker calls it: the ports `Drive` and `Drives`.

What is asked for, and how its answer is read, stands here; how a call goes, in `calls.py` and `many.py`. Paths,
parameters and limits: Google's discovery document `drive.v3.json`.
"""

import random as system_random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from google_drive_worker.client import fields
from google_drive_worker.client.auth import Authorizers
from google_drive_worker.client.calls import OK, Call, Caller, CallReport, Method, Parameter, Shared
from google_drive_worker.client.content import content_of
from google_drive_worker.client.faults import CallKind
from google_drive_worker.client.isolation import unavailable
from google_drive_worker.client.load import LoadObserver, Loads, Unwatched
from google_drive_worker.client.many import Page, call_many, list_many
from google_drive_worker.client.quota import Cost, QuotaLimiter
from google_drive_worker.client.view import View, query_literal, query_of
from google_drive_worker.domain.channel import Watched
from google_drive_worker.domain.connection import Connection, Secret
from google_drive_worker.domain.content import Source
from google_drive_worker.domain.details import Comment, Revision
from google_drive_worker.domain.drive import (
    ChangesPage,
    DriveFile,
    DrivesPage,
    FilesPage,
    SharedDrive,
    UnreadableItem,
    read_file,
)
from google_drive_worker.domain.ids import DriveId, FileId, PageToken
from google_drive_worker.domain.lenient import Reader
from google_drive_worker.domain.pages import (
    ListPage,
    read_changes_page,
    read_comments_page,
    read_drives_page,
    read_files_page,
    read_permissions_page,
    read_revisions_page,
    read_start_page_token,
    read_times,
)
from google_drive_worker.domain.ports import Clock
from google_drive_worker.domain.sharing import ItemSharing, Permission
from google_drive_worker.domain.times import TimeRange, from_rfc3339, rfc3339
from google_drive_worker.http.addresses import address_problem
from google_drive_worker.http.retry import DRIVE_RETRY, RetryPolicy
from google_drive_worker.http.transport import StreamTransport, Transport
from google_drive_worker.utils.errors import (
    ItemUnavailable,
    Misconfigured,
    NotFound,
    PageTokenRejected,
    SkipItem,
    Terminal,
)

T = TypeVar("T")
P = TypeVar("P", bound=Page)

PAGE_SIZE_AT_MOST = 1000
_DRIVES_PAGE_SIZE = 100

_LATEST_MS = 253_402_300_799_000
"""The end of the year 9999: the last moment that can be written down."""


class _ChannelOrder(msgspec.Struct):
    id: str
    address: str
    token: str
    expiration: str
    type: str = "web_hook"


class _Channel(msgspec.Struct, rename="camel"):
    resource_id: str
    expiration: Annotated[int, msgspec.Meta(ge=0, le=_LATEST_MS)] | None = None


class _ChannelIds(msgspec.Struct, rename="camel"):
    id: str
    resource_id: str


_FILES_LIST = Method("drive.files.list", CallKind.LISTING, Cost.LIST)
_FILES_GET = Method("drive.files.get", CallKind.ITEM, Cost.READ)
_CHANGES_LIST = Method("drive.changes.list", CallKind.LISTING, Cost.LIST)
_START_PAGE_TOKEN = Method("drive.changes.getStartPageToken", CallKind.LISTING, Cost.READ)
_DRIVES_GET = Method("drive.drives.get", CallKind.ITEM, Cost.READ)
_DRIVES_LIST = Method("drive.drives.list", CallKind.ACCOUNT, Cost.LIST)

_CHANGES_WATCH = Method("drive.changes.watch", CallKind.LISTING, Cost.OTHER)
_CHANNELS_STOP = Method("drive.channels.stop", CallKind.LISTING, Cost.OTHER)

_PERMISSIONS_LIST = Method("drive.permissions.list", CallKind.ITEM, Cost.LIST)
_REVISIONS_LIST = Method("drive.revisions.list", CallKind.ITEM, Cost.LIST)
_COMMENTS_LIST = Method("drive.comments.list", CallKind.ITEM, Cost.LIST)

_JSON = {"Content-Type": "application/json"}
_CHANNEL = msgspec.json.Decoder(_Channel, strict=False)
_SHARING: Reader[ItemSharing] = Reader(ItemSharing, strict=False)
_DRIVE: Reader[SharedDrive] = Reader(SharedDrive)


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
        downloads: StreamTransport | None = None,
        observer: LoadObserver | None = None,
        decode_listing: Callable[[bytes], FilesPage] = read_files_page,
    ) -> None:
        """Check what comes from configuration; make no call.

        `base_url` is Drive's (`GDRIVE_API_BASE_URL`), on the host of `transport`; `page_size` (`GDRIVE_PAGE_SIZE`)
        goes from 1 to 1,000; `include_shared_drives` (`GDRIVE_INCLUDE_SHARED_DRIVES`) holds where a connection's
        settings don't say. `downloads` brings the bytes of files; without it there are none. `decode_listing` reads the
        pages of a listing. Raises `Misconfigured`.
        """
        if problem := address_problem(base_url):
            raise Misconfigured(f"GDRIVE_API_BASE_URL {problem}")
        if not 1 <= page_size <= PAGE_SIZE_AT_MOST:
            raise Misconfigured(f"GDRIVE_PAGE_SIZE must be from 1 to {PAGE_SIZE_AT_MOST}, not {page_size}")
        parts = urlsplit(base_url)
        origin, base_path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
        observer = observer or Unwatched()
        self._shared = Shared(
            transport, limiter, clock, random, retry, origin, base_path, page_size, on_call, observer, decode_listing
        )
        self._loads = Loads(observer, clock.monotonic_s())
        self._downloads = downloads
        self._authorizers = authorizers
        self._include_shared_drives = include_shared_drives

    def open(self, connection: Connection) -> "DriveApi":
        """The Drive of that connection, as its credentials and settings are now; cheap, no call is made."""
        wanted = connection.settings.include_shared_drives
        load = self._loads.of(connection.connection_id, self._shared.clock.monotonic_s())
        view = View(
            include_shared_drives=self._include_shared_drives if wanted is None else wanted,
            sync_permissions=connection.settings.sync_permissions,
            exclude_mime_types=connection.settings.exclude_mime_types,
            label_ids=connection.settings.label_ids,
        )
        caller = Caller(connection.connection_id, self._authorizers.of(connection), self._shared, load)
        return DriveApi(caller, self._shared, view, self._downloads)


class DriveApi:
    """Implements `Drive` for one connection. Safe for concurrent calls."""

    def __init__(self, caller: Caller, shared: Shared, view: View, downloads: StreamTransport | None) -> None:
        """Made by `DriveApis.open`."""
        self._caller = caller
        self._shared = shared
        self._view = view
        self._downloads = downloads

    def without_labels(self) -> "DriveApi":
        """The same Drive, which asks for no labels; see `Drive.without_labels`."""
        if not self._view.label_ids:
            return self
        return DriveApi(self._caller, self._shared, replace(self._view, label_ids=()), self._downloads)

    async def is_served(self) -> bool:
        """about.get; see `Drive.is_served`."""
        return await self._caller.probe() is None

    async def start_page_token(self, drive_id: DriveId | None) -> PageToken:
        """changes.getStartPageToken; see `Drive.start_page_token`."""
        query = [*self._view.in_drive(drive_id), ("fields", fields.START_PAGE_TOKEN_FIELDS)]
        return await self._call(
            _of(_START_PAGE_TOKEN, drive_id), "/changes/startPageToken", query, read_start_page_token
        )

    async def list_drives(self, page_token: PageToken | None) -> DrivesPage:
        """drives.list; see `Drive.list_drives`."""
        query = [("pageSize", str(_DRIVES_PAGE_SIZE)), ("fields", fields.DRIVES_PAGE_FIELDS), *_page(page_token)]
        return await self._call(_DRIVES_LIST, "/drives", query, read_drives_page)

    async def get_drive(self, drive_id: DriveId) -> SharedDrive:
        """drives.get; see `Drive.get_drive`."""
        query = [("fields", fields.SHARED_DRIVE_FIELDS)]
        return await self._call(_DRIVES_GET, f"/drives/{quote(drive_id, safe='')}", query, _DRIVE.read)

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
        q = query_of(modified, include_trashed=include_trashed)
        method = _of(_FILES_LIST, drive_id)
        return await self._list(method, q, drive_id, page_token, self._shared.decode_listing, order_by)

    async def oldest_times(
        self, drive_id: DriveId | None, *, include_trashed: bool, since: str | None = None
    ) -> tuple[str, ...]:
        """files.list from the other end, for the times alone; see `Drive.oldest_times`."""
        q = query_of(TimeRange(since), include_trashed=include_trashed)
        query = [*self._view.listing(drive_id, q, "modifiedTime", PAGE_SIZE_AT_MOST), ("fields", fields.TIMES_FIELDS)]
        call = Call("/files", query, has_fixed_page=True)
        return await self._caller.call(_of(_FILES_LIST, drive_id), call, read_times)

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
        q = children if include_trashed else f"{children} and trashed = false"
        return await self._list(_FILES_LIST, q, drive_id, page_token, read_files_page)

    async def list_changes(self, drive_id: DriveId | None, page_token: PageToken) -> ChangesPage:
        """changes.list; see `Drive.list_changes`."""
        query = [
            *self._view.in_drive(drive_id),
            *self._view.items_from_all_drives(drive_id),
            ("includeRemoved", "true"),
            ("includeCorpusRemovals", "true"),
            ("spaces", "drive"),
            ("pageSize", str(self._shared.page_size)),
            ("fields", self._view.fields(drive_id, fields.CHANGES_PAGE_FIELDS, fields.SHARED_CHANGES_PAGE_FIELDS)),
            *self._view.labels,
            ("pageToken", page_token),
        ]
        return await self._call(_of(_CHANGES_LIST, drive_id), "/changes", query, read_changes_page)

    async def watch_changes(
        self,
        drive_id: DriveId | None,
        page_token: PageToken,
        *,
        channel_id: str,
        address: str,
        token: Secret,
        expires_at: str,
    ) -> Watched:
        """changes.watch; see `Drive.watch_changes`."""
        query = [
            *self._view.in_drive(drive_id),
            *self._view.items_from_all_drives(drive_id),
            ("includeRemoved", "true"),
            ("includeCorpusRemovals", "true"),
            ("spaces", "drive"),
            ("pageToken", page_token),
        ]
        expiration = str(int(from_rfc3339(expires_at).timestamp() * 1000))
        body = msgspec.json.encode(_ChannelOrder(channel_id, address, token.reveal(), expiration))
        made = await self._caller.call(
            _of(_CHANGES_WATCH, drive_id), Call("/changes/watch", query, "POST", _JSON, body), _CHANNEL.decode
        )
        ends = made.expiration
        return Watched(made.resource_id, None if ends is None else rfc3339(datetime.fromtimestamp(ends / 1000, UTC)))

    async def stop_channel(self, channel_id: str, resource_id: str) -> None:
        """channels.stop; see `Drive.stop_channel`."""
        body = msgspec.json.encode(_ChannelIds(channel_id, resource_id))
        await self._caller.call(_CHANNELS_STOP, Call("/channels/stop", (), "POST", _JSON, body), len)

    async def get_files(self, file_ids: Sequence[FileId]) -> Mapping[FileId, DriveFile | SkipItem]:
        """files.get of each; see `Drive.get_files`. A file whose answer doesn't fit its type is
        `ItemUnavailable`."""
        wanted = fields.LABELLED_FILE_FIELDS if self._view.label_ids else fields.FILE_FIELDS
        return await self._get_many(file_ids, wanted, _of_one(read_file), self._view.labels)

    def content(self, source: Source) -> AsyncGenerator[bytes, None]:
        """files.get, files.export or files.download; see `Drive.content`."""
        if self._downloads is None:
            raise Terminal("the worker was made without a way to download")
        return content_of(self._caller, self._downloads, source)

    async def item_sharings(self, file_ids: Sequence[FileId]) -> Mapping[FileId, ItemSharing | SkipItem]:
        """files.get; see `Drive.item_sharings`."""
        return await self._get_many(file_ids, fields.SHARING_FIELDS, _of_one(_SHARING.read))

    async def list_permissions(
        self, file_ids: Sequence[FileId]
    ) -> Mapping[FileId, tuple[Permission | UnreadableItem, ...] | SkipItem]:
        """permissions.list; see `Drive.list_permissions`."""
        query = [("supportsAllDrives", "true"), ("pageSize", "100"), ("fields", fields.PERMISSIONS_PAGE_FIELDS)]
        lists = await self._list_many(_PERMISSIONS_LIST, file_ids, "permissions", query, read_permissions_page)
        return _joined(lists)

    async def list_revisions(
        self, file_ids: Sequence[FileId]
    ) -> Mapping[FileId, tuple[Revision | UnreadableItem, ...] | SkipItem]:
        """revisions.list; see `Drive.list_revisions`."""
        query = [("pageSize", "1000"), ("fields", fields.REVISIONS_PAGE_FIELDS)]
        lists = await self._list_many(_REVISIONS_LIST, file_ids, "revisions", query, read_revisions_page)
        return _joined(lists)

    async def list_comments(
        self, file_ids: Sequence[FileId]
    ) -> Mapping[FileId, tuple[Comment | UnreadableItem, ...] | SkipItem]:
        """comments.list; see `Drive.list_comments`."""
        query = [("includeDeleted", "true"), ("pageSize", "100"), ("fields", fields.COMMENTS_PAGE_FIELDS)]
        lists = await self._list_many(_COMMENTS_LIST, file_ids, "comments", query, read_comments_page)
        return _joined(lists)

    async def _get_many(
        self, file_ids: Sequence[FileId], wanted: str, decode: Callable[[bytes], T], also: Sequence[Parameter] = ()
    ) -> Mapping[FileId, T | SkipItem]:
        query = [("supportsAllDrives", "true"), ("fields", wanted), *also]
        calls = {file_id: Call(_path_of(file_id), query) for file_id in file_ids if _is_one(file_id)}
        found: dict[FileId, T | SkipItem] = dict.fromkeys(file_ids, NotFound("no file has such an id"))
        for file_id, answer in (await call_many(self._caller, _FILES_GET, calls, decode)).items() if calls else ():
            found[file_id] = unavailable(answer) if isinstance(answer, PageTokenRejected) else answer
        return found

    async def _list_many(
        self,
        method: Method,
        file_ids: Sequence[FileId],
        what: str,
        query: list[Parameter],
        decode: Callable[[bytes], P],
    ) -> Mapping[FileId, list[P] | SkipItem]:
        def call_of(file_id: FileId, page_token: PageToken | None) -> Call:
            return Call(f"{_path_of(file_id)}/{what}", [*query, *_page(page_token)])

        found = await list_many(self._caller, method, filter(_is_one, file_ids), call_of, decode)
        return {file_id: found.get(file_id, NotFound("no file has such an id")) for file_id in file_ids}

    async def _call(self, method: Method, path: str, query: list[Parameter], decode: Callable[[bytes], T]) -> T:
        return await self._caller.call(method, Call(path, query), decode)

    async def _list(
        self,
        method: Method,
        q: str,
        drive_id: DriveId | None,
        page_token: PageToken | None,
        decode: Callable[[bytes], FilesPage],
        order_by: str | None = None,
    ) -> FilesPage:
        query = [
            *self._view.listing(drive_id, q, order_by, self._shared.page_size),
            ("fields", self._view.fields(drive_id, fields.FILES_PAGE_FIELDS, fields.SHARED_FILES_PAGE_FIELDS)),
            *self._view.labels,
            *_page(page_token),
        ]
        return await self._call(method, "/files", query, decode)


def _joined(lists: Mapping[FileId, list[ListPage[T]] | SkipItem]) -> dict[FileId, tuple[T, ...] | SkipItem]:
    """What stands on all of an item's pages."""
    return {
        file_id: pages if isinstance(pages, SkipItem) else tuple(each for page in pages for each in page.items)
        for file_id, pages in lists.items()
    }


def _of(method: Method, drive_id: DriveId | None) -> Method:
    """The method as it is called for that corpus: the user's own is no thing that could be refused or not found."""
    return method if drive_id is not None else replace(method, kind=CallKind.ACCOUNT)


def _is_one(file_id: FileId) -> bool:
    """Whether it can be a file's id: these would make another address of the call's."""
    return file_id not in {"", ".", ".."}


def _path_of(file_id: FileId) -> str:
    return f"/files/{quote(file_id, safe='')}"


def _page(page_token: PageToken | None) -> list[Parameter]:
    return [("pageToken", page_token)] if page_token else []  # an empty one means the first page


def _of_one(read: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """The reading of one item's answer: where that is JSON and does not fit its type, it costs the item alone."""

    def read_one(body: bytes) -> T:
        try:
            return read(body)
        except msgspec.ValidationError as problem:
            text = str(problem)
        raise ItemUnavailable(f"the file's metadata can't be read: {text}", code="unreadable_item", http_status=OK)

    return read_one
