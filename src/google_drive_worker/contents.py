"""The bytes of files, from Drive to the object store: what is there already is not fetched again.

Only so many streams are open at once in a worker, whatever the number of connections, since each holds some megabytes.
Connections take turns at them: one with many large files is served no more than one with a few.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from weakref import WeakValueDictionary

from google_drive_worker.domain.content import Content, ContentStatus, Mirrored, Source
from google_drive_worker.domain.drive import DriveFile
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.domain.ports import Drive, ObjectStore
from google_drive_worker.sync.checkpoint import Scope
from google_drive_worker.sync.content import source_of
from google_drive_worker.utils.errors import (
    ChecksumMismatch,
    ItemUnavailable,
    NotFound,
    SkipItem,
    StoreUnavailable,
    WorkerError,
)

SMALL_AT_ONCE = 8
"""Files of less than a part of an upload that are fetched side by side, by all connections together."""

LARGE_AT_ONCE = 2
"""Larger ones: each has two parts of 8 MB on their way, and one in the making."""

LARGE_FROM_BYTES = 8 * 1024 * 1024

_STATUSES: dict[str, ContentStatus] = {
    "content_too_large": "too_large",
    "export_too_large": "too_large",
    "not_exportable": "not_exportable",
    "abusive_file": "abusive",
    "not_downloadable": "not_downloadable",
    "access_denied": "not_downloadable",
}
"""What the final refusals of one file's bytes come to."""


class Places:
    """So many at once, and connections in turn: each has one in the queue, behind which its others wait."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._turns: WeakValueDictionary[ConnectionId, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def one(self, whose: ConnectionId) -> AsyncIterator[None]:
        """Wait for a place, and have it while the block runs."""
        turn = self._turns.setdefault(whose, asyncio.Lock())
        async with turn:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()


class ContentMirror:
    """Brings contents into the store, within the worker's bounds."""

    def __init__(self) -> None:
        self._small = Places(SMALL_AT_ONCE)
        self._large = Places(LARGE_AT_ONCE)

    async def mirror(
        self, whose: ConnectionId, drive: Drive, store: ObjectStore, scope: Scope, files: Sequence[DriveFile]
    ) -> tuple[Mirrored, ...]:
        """What became of the contents of a connection's files; none of a file that can have none, or is gone.

        Raises what concerns more than one file: `Retryable` (the store's as well), `NeedsReauth`, `Terminal`.
        """
        wanted = [(file, source) for file in files if (source := source_of(scope, file)) is not None]
        tasks: list[asyncio.Task[Mirrored | None]] = []
        failures: list[WorkerError] = []

        async def mirror_one(file: DriveFile, source: Source | Content) -> Mirrored | None:
            """One file; its failure ends the others. It is not raised: a failing group forgets that it is cancelled."""
            try:
                return await self._mirror(whose, drive, store, file, source)
            except WorkerError as error:
                failures.append(error)
                for other in tasks:
                    other.cancel()
                return None

        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(mirror_one(file, source), name="contents of a file") for file, source in wanted]
        if failures:
            raise failures[0]
        return tuple(found for task in tasks if (found := task.result()) is not None)

    async def _mirror(
        self, whose: ConnectionId, drive: Drive, store: ObjectStore, file: DriveFile, source: Source | Content
    ) -> Mirrored | None:
        if isinstance(source, Content):
            return Mirrored(file, source)
        try:
            ref = await self._stored(whose, drive, store, source)
        except NotFound as problem:
            there = (await drive.get_files([file.id])).get(file.id)
            if isinstance(there, NotFound):
                return None  # its removal is decided elsewhere
            told = "Google shows the file and does not find its bytes"
            missing = ItemUnavailable(told, code="bytes_not_found", http_status=problem.http_status)
            return Mirrored(file, Content("unavailable", problem=missing), source.head)
        except ItemUnavailable as problem:
            return Mirrored(file, Content("unavailable", problem=problem), source.head)
        except SkipItem as problem:
            return Mirrored(file, Content(_STATUSES.get(problem.code, "unavailable"), problem=problem), source.head)
        return Mirrored(file, Content("stored", ref), source.head)

    async def _stored(self, whose: ConnectionId, drive: Drive, store: ObjectStore, source: Source) -> ObjectRef:
        """The object of the bytes, there already or new. Raises `ItemUnavailable` where this one can't be stored."""
        is_large = source.export_type is None and (source.file.size or 0) > LARGE_FROM_BYTES
        async with (self._large if is_large else self._small).one(whose):
            try:
                return await self._found_or_fetched(drive, store, source)
            except StoreUnavailable as problem:
                failure = problem
            if not await _takes_objects(store):
                raise failure
            told = f"the object store takes other objects, and not this one: {failure.message}"
            raise ItemUnavailable(told, code="not_stored", http_status=failure.http_status)

    async def _found_or_fetched(self, drive: Drive, store: ObjectStore, source: Source) -> ObjectRef:
        """Bytes that are not those that Drive shows, damaged or changed meanwhile, are fetched once more."""
        sha256 = source.file.sha256_checksum if source.export_type is None else None
        known = await store.find(sha256, source.content_type) if sha256 else await store.recall(source.topic)
        if known is not None:
            return known
        try:
            ref = await self._streamed(drive, store, source, sha256)
        except ChecksumMismatch:
            ref = await self._streamed_again(drive, store, source, sha256)
        if sha256 is None:
            await store.note(source.topic, ref)
        return ref

    async def _streamed_again(self, drive: Drive, store: ObjectStore, source: Source, sha256: str | None) -> ObjectRef:
        try:
            return await self._streamed(drive, store, source, sha256)
        except ChecksumMismatch as problem:
            failure = problem
        raise ItemUnavailable(f"twice in a row: {failure.message}", code=ChecksumMismatch.code, attempts=2)

    async def _streamed(self, drive: Drive, store: ObjectStore, source: Source, sha256: str | None) -> ObjectRef:
        """Fetch and store; whatever stops it half-way, the connection to Google is let go of."""
        async with aclosing(drive.content(source)) as pieces:
            return await store.put_stream(pieces, source.content_type, sha256=sha256)


async def _takes_objects(store: ObjectStore) -> bool:
    """Whether the store keeps a small stream now, in the way that exports go."""
    try:
        await store.put_stream(_probe(), "text/plain")
    except StoreUnavailable:
        return False
    return True


async def _probe() -> AsyncIterator[bytes]:
    yield b"google-drive-worker looks whether the store takes objects\n"
