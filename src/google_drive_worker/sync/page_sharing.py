"""Which items of an answer have permissions to be found, and the finding of them."""

from collections.abc import Iterator, Mapping

import msgspec

from google_drive_worker.domain.drive import (
    ABSENT,
    FOLDER_MIME_TYPE,
    ChangesPage,
    DriveFile,
    FilesPage,
)
from google_drive_worker.domain.ids import DriveId, FileId
from google_drive_worker.domain.lenient import UNREADABLE, Resource
from google_drive_worker.domain.sharing import ItemSharing, read_sharing
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint
from google_drive_worker.sync.items import ItemsAnswer
from google_drive_worker.sync.listing import belongs, corpus_of, is_in_users_log_alone
from google_drive_worker.sync.plan import Action, ListFiles, LookUpRemoved, ReadChanges, WalkFolder
from google_drive_worker.sync.sharing import Finding, FoldersOfConnection, nothing_known, sharings_of


class _ChangedItem(Resource, frozen=True, gc=False):
    mime_type: str = ""
    drive_id: DriveId | None = None


class _Entry(Resource, frozen=True, gc=False):
    change_type: str = "file"
    file: msgspec.Raw = ABSENT
    drive_id: str | None = None


_ENTRY = msgspec.json.Decoder(_Entry)
_ITEM = msgspec.json.Decoder(_ChangedItem | None)


def moved_corpora(checkpoint: Checkpoint, action: ReadChanges, page: ChangesPage) -> Iterator[str]:
    """The corpora in which others may have other permissions since a page of a log: that of a folder, or a drive.

    A folder that is in another corpus than the log's stands in that one's log too, which will tell.
    """
    for entry, item in _read_entries(page):
        if entry.change_type == "drive" and entry.drive_id is not None:
            yield entry.drive_id
        elif item is None or item.mime_type != FOLDER_MIME_TYPE:
            continue
        elif corpus_of(checkpoint, item.drive_id) == action.corpus:
            yield action.corpus


def tells_of_others(page: ChangesPage) -> bool:
    """Whether it holds a folder or a drive."""
    return any(
        entry.change_type == "drive" or (item is not None and item.mime_type == FOLDER_MIME_TYPE)
        for entry, item in _read_entries(page)
    )


def _read_entries(page: ChangesPage) -> Iterator[tuple[_Entry, _ChangedItem | None]]:
    for change in page.changes:
        try:
            entry = _ENTRY.decode(change)
            yield entry, _ITEM.decode(entry.file) if entry.file else None
        except UNREADABLE:
            continue  # it changes nothing of ours either


def sighted_of(checkpoint: Checkpoint, action: Action) -> int:
    """What rises when something changes that the permissions in an answer to that action may rest on."""
    match action:
        case ListFiles(corpus) | ReadChanges(corpus):
            name = corpus
        case WalkFolder(walk):
            name = corpus_of(checkpoint, walk.drive_id)
        case _:
            return checkpoint.sync.sightings if checkpoint.sync is not None else 0
    return checkpoint.corpora[name].sighted if name in checkpoint.corpora else 0


def items_in(action: Action, answer: object) -> ItemsAnswer | None:
    """The answer as one that holds items; `None` where it is of another kind."""
    match action, answer:
        case ((ListFiles() | WalkFolder()), FilesPage()):
            return answer
        case ReadChanges(), ChangesPage():
            return answer
        case LookUpRemoved(), Mapping():
            return answer
        case _:
            return None


def permissions_of(action: Action, answer: ItemsAnswer, checkpoint: Checkpoint, known: FoldersOfConnection) -> Finding:
    """Find the permissions of the items that an answer brings and that are to be written.

    `checkpoint` is the one that the action was planned from. A page that tells of a changed folder goes by nothing that
    was known before it, and leaves nothing behind: what it looks up may be older than another page that is on its way.
    """
    drives = {name: corpus.members for name, corpus in checkpoint.corpora.items() if name != USER_CORPUS}
    trashed_too = checkpoint.scope.include_trashed
    if isinstance(answer, ChangesPage) and tells_of_others(answer):
        known = nothing_known()
    if isinstance(answer, Mapping):
        there = [file for file in answer.values() if isinstance(file, DriveFile)]
        items = [sharing_of(file) for file in there if trashed_too or not file.trashed]
        derived = [item for item in items if item.drive_id in drives]
        others = [item.id for item in items if item.drive_id not in drives]
        return sharings_of(derived, drives, known, also=others)
    items = [
        item
        for item in sharings_in(answer)
        if (trashed_too or not item.trashed) and _is_to_be_written(checkpoint, action, item)
    ]
    return sharings_of(items, drives, known)


def _is_to_be_written(checkpoint: Checkpoint, action: Action, item: ItemSharing) -> bool:
    """Whether the item may be the action's own to write; what turns out not to be is looked up in vain."""
    match action:
        case ListFiles(corpus):
            return belongs(checkpoint, corpus, item.drive_id)
        case ReadChanges(corpus):
            home = checkpoint.corpora.get(item.drive_id or "")
            is_told = home is not None and is_in_users_log_alone(home, item.id, item.drive_id, item.parents)
            return belongs(checkpoint, corpus, item.drive_id) or (corpus == USER_CORPUS and is_told)
        case _:
            return True


def sharings_in(answer: ItemsAnswer) -> Iterator[ItemSharing]:
    """The answer's items, with what tells where they are and where their permissions come from."""
    if isinstance(answer, Mapping):
        yield from (sharing_of(file) for file in answer.values() if isinstance(file, DriveFile))
        return
    raws = answer.files if isinstance(answer, FilesPage) else _files_of(answer)
    for raw in raws:
        item = read_sharing(raw)
        if item is not None:
            yield item


def _files_of(page: ChangesPage) -> Iterator[msgspec.Raw]:
    for change in page.changes:
        try:
            entry = _ENTRY.decode(change)
        except UNREADABLE:
            continue
        if entry.file:
            yield entry.file


def sharing_of(file: DriveFile) -> ItemSharing:
    """What a file tells of where it is and where its permissions come from."""
    return ItemSharing(
        id=FileId(file.id),
        name=file.name,
        mime_type=file.mime_type,
        drive_id=file.drive_id,
        parents=file.parents,
        trashed=file.trashed,
        permission_ids=file.permission_ids,
        has_augmented_permissions=file.has_augmented_permissions,
        inherited_permissions_disabled=file.inherited_permissions_disabled,
    )
