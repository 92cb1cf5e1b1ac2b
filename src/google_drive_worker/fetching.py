"""What the engine plans, fetched: each action becomes calls to Google, and their answers one answer of the engine's.

An answer that holds items brings along what was found out of them: their permissions, where they are, what hangs on
them, what became of their contents. All of it together is one step.
"""

from collections.abc import Awaitable, Generator
from typing import NamedTuple, TypeVar

from google_drive_worker.contents import ContentMirror
from google_drive_worker.domain.drive import DriveFile
from google_drive_worker.domain.ids import DriveId, FileId
from google_drive_worker.domain.ports import Drive, ObjectStore
from google_drive_worker.domain.sharing import ItemSharing
from google_drive_worker.sync import engine
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.content import Contents, source_of, wanted_contents
from google_drive_worker.sync.details import Hanging
from google_drive_worker.sync.items import NOWHERE, Shared
from google_drive_worker.sync.page_sharing import items_in, permissions_of, sighted_of
from google_drive_worker.sync.places import KnownPlaces, places_of
from google_drive_worker.sync.plan import (
    Action,
    ListDrives,
    ListFiles,
    LookUpDrive,
    LookUpRemoved,
    ProveOrder,
    ReadChanges,
    ReadContent,
    ReadDetails,
    ReadMembers,
    TakeStartToken,
    WalkFolder,
    drive_of,
)
from google_drive_worker.sync.sharing import (
    FoldersOfConnection,
    ListPermissions,
    Question,
    ReadSharings,
    Reply,
)
from google_drive_worker.sync.witnesses import read_members
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, Retryable, SkipItem

T = TypeVar("T")

SharingsRead = dict[FileId, ItemSharing | SkipItem]
"""What Google said of the folders above an answer's items: where they are and what they pass on rests on the same."""


class Sources(NamedTuple):
    """What an answer is made of: the connection's Drive and object store, and what is known of its folders."""

    drive: Drive
    store: ObjectStore
    contents: ContentMirror
    folders: FoldersOfConnection
    places: KnownPlaces


_ALONE = (
    TakeStartToken,
    ListDrives,
    ListFiles,
    ReadChanges,
    WalkFolder,
    LookUpDrive,
)
"""Actions of one corpus, folder or list, which may fail while all others succeed."""

_OF_ALL = frozenset({"rate_limited", "sharing_rate_limited", "daily_limit_exceeded", "object_store_unavailable"})
"""Codes of trouble that is never one corpus' own."""


async def fetch(sources: Sources, checkpoint: Checkpoint, action: Action) -> engine.Answer:
    """Return the answer to an action that was planned from the checkpoint. Raises what `alone` does."""
    return await alone(sources.drive, action, _fetch(sources, checkpoint, action))


async def alone(drive: Drive, action: Action, call: Awaitable[T]) -> T:
    """Return what the action's call does.

    Raises what `Drive` and `ObjectStore` raise. Where an action of one corpus or folder fails, and Google serves a call
    that needs neither, the trouble is theirs alone: `ItemUnavailable`.
    """
    try:
        return await call
    except Retryable as error:
        if not isinstance(action, _ALONE) or error.code in _OF_ALL or not await drive.is_served():
            raise
        problem = error
    raise ItemUnavailable(
        problem.message,
        code=problem.code,
        http_status=problem.http_status,
        reason=problem.reason,
        attempts=problem.attempts,
    )


async def _fetch(sources: Sources, checkpoint: Checkpoint, action: Action) -> engine.Answer:
    drive, scope = sources.drive, checkpoint.scope
    if isinstance(action, ReadContent):
        return await _contents(sources, checkpoint, action)
    if isinstance(action, ReadDetails):
        return await hanging(drive, action)
    answer = await first_answer(drive, action)
    items = items_in(action, answer)
    if items is None or checkpoint.sync is None:
        return answer
    read: SharingsRead = {}
    places = await found_by(drive, places_of(items, scope, checkpoint.corpora, sources.places), read)
    if not scope.sync_permissions:
        return answer if places is NOWHERE else Shared(items, {}, sighted_of(checkpoint, action), places)
    found = await found_by(drive, permissions_of(action, items, checkpoint, sources.folders), read)
    return Shared(items, found, sighted_of(checkpoint, action), places)


async def _contents(sources: Sources, checkpoint: Checkpoint, action: ReadContent) -> Contents:
    """The contents of the files that the action names."""
    drive, scope = sources.drive, checkpoint.scope
    there = await drive.get_files(action.file_ids)
    files = wanted_contents(checkpoint, (file for file in there.values() if isinstance(file, DriveFile)))
    found = await sources.contents.mirror(checkpoint.connection_id, drive, sources.store, scope, files)
    expected = {file.id for file in files if source_of(scope, file) is not None}
    missing = {file_id for file_id, file in there.items() if isinstance(file, NotFound)}
    gone = (missing | expected) - {each.file.id for each in found}
    unread = {file_id: file for file_id, file in there.items() if isinstance(file, ItemUnavailable)}
    return Contents(found, tuple(sorted(gone)), unread)


async def first_answer(drive: Drive, action: Action) -> engine.Answer:
    """Return what Google answers to an action that one call asks, before anything more is found out of its items."""
    match action:
        case TakeStartToken(corpus):
            return await drive.start_page_token(drive_of(corpus))
        case ListDrives(token):
            return await drive.list_drives(token)
        case ListFiles(corpus, token, trashed, modified):
            return await drive.list_files(drive_of(corpus), token, include_trashed=trashed, modified=modified)
        case ProveOrder(corpus, trashed, since):
            return await drive.oldest_times(drive_of(corpus), include_trashed=trashed, since=since)
        case ReadChanges(corpus, token):
            return await drive.list_changes(drive_of(corpus), token)
        case WalkFolder(walk, trashed):
            return await drive.list_children(walk.folder_id, walk.drive_id, walk.page_token, include_trashed=trashed)
        case LookUpRemoved(file_ids):
            return await drive.get_files(file_ids)
        case LookUpDrive(drive_id):
            return await drive.get_drive(DriveId(drive_id))
        case ReadMembers(drives, witnesses):
            return read_members(drives, witnesses, await drive.list_permissions((*drives, *witnesses)))
        case ReadDetails() | ReadContent():
            raise TypeError("what is wanted of files rests on more than a Drive")


async def hanging(drive: Drive, action: ReadDetails) -> Hanging:
    """Revisions and comments of the files that the action names."""
    revised = [each.file_id for each in action.changed if each.revisions]
    commented = [each.file_id for each in action.changed if each.comments]
    revisions = await drive.list_revisions(revised) if revised else {}
    comments = await drive.list_comments(commented) if commented else {}
    return Hanging(revisions, comments)


async def found_by(drive: Drive, finding: Generator[Question, Reply, T], read: SharingsRead | None = None) -> T:
    """Ask Google what the finding asks, until it knows. What was `read` for the same answer is not asked for again."""
    read = {} if read is None else read
    try:
        question = next(finding)
        while True:
            match question:
                case ReadSharings(file_ids):
                    unread = [file_id for file_id in file_ids if file_id not in read]
                    if unread:
                        read.update(await drive.item_sharings(unread))
                    question = finding.send({file_id: read[file_id] for file_id in file_ids if file_id in read})
                case ListPermissions(file_ids):
                    question = finding.send(await drive.list_permissions(file_ids))
    except StopIteration as end:
        found: T = end.value
        return found
