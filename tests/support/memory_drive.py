"""A Drive in memory that implements the worker's port: files that are there, a log that grows, answers held back."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from google_drive_worker.domain.channel import Watched
from google_drive_worker.domain.connection import Connection, Secret
from google_drive_worker.domain.content import Source
from google_drive_worker.domain.details import Comment, Revision
from google_drive_worker.domain.drive import ChangesPage, DriveFile, DrivesPage, FilesPage, SharedDrive
from google_drive_worker.domain.ids import ConnectionId, DriveId, FileId, PageToken
from google_drive_worker.domain.sharing import ItemSharing, Permission
from google_drive_worker.domain.times import TimeRange
from google_drive_worker.utils.errors import NotFound, PageTokenRejected, SkipItem, UnknownConnection, WorkerError
from support.syncs import changed, changes_page, files_page, read, removed

T = TypeVar("T")


@dataclass
class MemoryDrive:
    """One user's My Drive. `gate` holds every answer back while it is clear; `problems` are raised, one a call.

    `permissions`, `revisions` and `comments` are lists of Google's resources by the id of what they hang on.
    """

    files: dict[str, dict[str, object]] = field(default_factory=dict)
    permissions: dict[str, object] = field(default_factory=dict)
    revisions: dict[str, object] = field(default_factory=dict)
    comments: dict[str, object] = field(default_factory=dict)
    contents: dict[str, bytes | Exception] = field(default_factory=dict)
    log: list[dict[str, object]] = field(default_factory=list)
    page_size: int = 2
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    problems: list[Exception] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    channels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate.set()

    def put(self, item: dict[str, object]) -> None:
        """Create or change a file."""
        self.files[str(item["id"])] = item
        self.log.append(changed(item))

    def delete(self, name: str) -> None:
        """Delete a file for good."""
        del self.files[name]
        self.log.append(removed(name))

    async def content(self, source: Source) -> AsyncGenerator[bytes, None]:
        """The bytes that `contents` has for the file, or what it raises."""
        found = self.contents[source.file.id]
        self.calls.append(f"content {source.file.id}")
        self.served = True
        if isinstance(found, Exception):
            raise found
        yield found

    async def is_served(self) -> bool:
        """As `served` says."""
        self.calls.append("about")
        return self.served

    async def start_page_token(self, drive_id: DriveId | None) -> PageToken:
        """The end of the log."""
        await self._call(f"start {drive_id}")
        return PageToken(str(len(self.log)))

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
        """A channel that lives until it is stopped."""
        await self._call(f"watch {drive_id} {page_token}")
        assert address
        assert token.reveal()
        if channel_id in self.channels:
            raise SkipItem("taken", code="channel_not_unique", http_status=400)
        self.channels[channel_id] = f"resource of {drive_id}"
        return Watched(self.channels[channel_id], expires_at)

    async def stop_channel(self, channel_id: str, resource_id: str) -> None:
        """End it."""
        await self._call("stop")
        if self.channels.get(channel_id) != resource_id:
            raise NotFound("no such channel")
        del self.channels[channel_id]

    async def list_drives(self, page_token: PageToken | None) -> DrivesPage:
        """There is none."""
        await self._call(f"drives {page_token}")
        return DrivesPage()

    async def get_drive(self, drive_id: DriveId) -> SharedDrive:
        """There is none."""
        await self._call(f"drive {drive_id}")
        raise NotFound("no such drive", http_status=404)

    async def list_files(
        self,
        drive_id: DriveId | None,
        page_token: PageToken | None,
        *,
        include_trashed: bool,
        modified: TimeRange | None = None,
    ) -> FilesPage:
        """The files of the range, a page at a time: by id, which is the order asked for where they have no times."""
        await self._call(f"files {drive_id} {page_token}")
        wanted = [name for name, each in self.files.items() if include_trashed or not each.get("trashed")]
        inside = sorted(name for name in wanted if _is_inside(self.files[name], modified or TimeRange()))
        return self._page(sorted(inside, key=self._time_of, reverse=modified is not None), page_token)

    async def oldest_times(
        self, drive_id: DriveId | None, *, include_trashed: bool, since: str | None = None
    ) -> tuple[str, ...]:
        """All times from there on, oldest first."""
        await self._call(f"times {drive_id}")
        kept = [name for name, each in self.files.items() if include_trashed or not each.get("trashed")]
        return tuple(sorted(time for name in kept if (time := self._time_of(name)) >= (since or "0")))

    async def list_children(
        self, folder_id: FileId, drive_id: DriveId | None, page_token: PageToken | None, *, include_trashed: bool
    ) -> FilesPage:
        """The files that name the folder as their parent."""
        await self._call(f"children {folder_id} {drive_id}")
        children = [name for name, each in self.files.items() if folder_id in (_parents(each))]
        kept = sorted(name for name in children if include_trashed or not self.files[name].get("trashed"))
        return self._page(kept, page_token)

    async def list_changes(self, drive_id: DriveId | None, page_token: PageToken) -> ChangesPage:
        """The log from there on. Raises `PageTokenRejected` for a token that it never gave out."""
        await self._call(f"changes {drive_id} {page_token}")
        if not page_token.isdigit() or int(page_token) > len(self.log):
            raise PageTokenRejected("not a token of this log")
        start = int(page_token)
        entries = self.log[start : start + self.page_size]
        end = start + len(entries)
        return changes_page(*entries, more=str(end) if end < len(self.log) else None, start=str(end))

    async def get_files(self, file_ids: Sequence[FileId]) -> Mapping[FileId, DriveFile | SkipItem]:
        """The files, those that are there."""
        await self._call(f"get {' '.join(file_ids)}")
        return {each: read(self.files[each]) if each in self.files else NotFound("no such file") for each in file_ids}

    async def item_sharings(self, file_ids: Sequence[FileId]) -> Mapping[FileId, ItemSharing | SkipItem]:
        """What tells where their permissions come from."""
        await self._call(f"sharings {' '.join(file_ids)}")
        return {each: _found(each, self.files, self.files.get(each), ItemSharing) for each in file_ids}

    async def list_permissions(self, file_ids: Sequence[FileId]) -> Mapping[FileId, tuple[Permission, ...] | SkipItem]:
        """Their permissions."""
        await self._call(f"permissions {' '.join(file_ids)}")
        return {
            each: _found(each, self.files, self.permissions.get(each, ()), tuple[Permission, ...]) for each in file_ids
        }

    async def list_revisions(self, file_ids: Sequence[FileId]) -> Mapping[FileId, tuple[Revision, ...] | SkipItem]:
        """Their revisions."""
        await self._call(f"revisions {' '.join(file_ids)}")
        return {each: _found(each, self.files, self.revisions.get(each, ()), tuple[Revision, ...]) for each in file_ids}

    async def list_comments(self, file_ids: Sequence[FileId]) -> Mapping[FileId, tuple[Comment, ...] | SkipItem]:
        """Their comments."""
        await self._call(f"comments {' '.join(file_ids)}")
        return {each: _found(each, self.files, self.comments.get(each, ()), tuple[Comment, ...]) for each in file_ids}

    def without_labels(self) -> "MemoryDrive":
        """Nothing in it has labels."""
        return self

    def open(self, connection: Connection) -> "MemoryDrive":
        """Whoever asks gets this Drive."""
        del connection
        return self

    def _page(self, names: list[str], page_token: PageToken | None) -> FilesPage:
        if page_token is not None and page_token not in names:
            raise PageTokenRejected("the file that it names is gone")
        rest = names if page_token is None else names[names.index(page_token) + 1 :]
        page = rest[: self.page_size]
        return files_page(*(self.files[name] for name in page), more=page[-1] if len(rest) > len(page) else None)

    def _time_of(self, name: str) -> str:
        return str(self.files[name].get("modifiedTime", ""))

    async def _call(self, name: str) -> None:
        self.calls.append(name)
        self.under_way += 1
        self.asked.set()
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
        finally:
            self.under_way -= 1
        if self.problems:
            raise self.problems.pop(0)


def _found(name: str, files: Mapping[str, object], resource: object, kind: type[T]) -> T | SkipItem:
    return msgspec.convert(resource, kind, strict=False) if name in files else NotFound("no such file")


def _is_inside(item: dict[str, object], modified: TimeRange) -> bool:
    """As Drive's search has it: whoever has no time is in no range that has a limit."""
    time = str(item.get("modifiedTime", ""))
    if not time:
        return modified == TimeRange()
    return (modified.since or "") <= time and (modified.until is None or time < modified.until)


def _parents(item: dict[str, object]) -> tuple[object, ...]:
    parents = item.get("parents")
    return tuple(parents) if isinstance(parents, list) else ()


@dataclass
class MemoryConnections:
    """Implements `Connections`; `problem` is raised while there is one."""

    known: dict[ConnectionId, Connection] = field(default_factory=dict)
    problem: WorkerError | None = None
    doubted: list[ConnectionId] = field(default_factory=list)

    async def get(self, connection_id: ConnectionId) -> Connection:
        """The connection. Raises `UnknownConnection`."""
        if self.problem is not None:
            raise self.problem
        if connection_id not in self.known:
            raise UnknownConnection("no connection of that id")
        return self.known[connection_id]

    def doubt(self, connection_id: ConnectionId) -> None:
        """It is noted who was doubted."""
        self.doubted.append(connection_id)
