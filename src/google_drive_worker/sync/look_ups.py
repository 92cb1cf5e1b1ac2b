"""Look-ups by id: an item that left a corpus, or could not be read, is gone, there, or asked for once more later."""

from collections.abc import Container
from typing import NamedTuple

from msgspec.structs import replace

from google_drive_worker.domain.drive import DriveFile
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import DeleteCause, ErrorReport, Record
from google_drive_worker.sync.checkpoint import (
    NO_CORPUS,
    USER_CORPUS,
    Checkpoint,
    GapScope,
    Removal,
    Sync,
    Walk,
)
from google_drive_worker.sync.drives import is_listed_through
from google_drive_worker.sync.error_reports import notice_of
from google_drive_worker.sync.gaps import (
    PLACE,
    Opened,
    close_gaps,
    find_gap,
    home_of,
    is_confirmed,
    open_gap,
)
from google_drive_worker.sync.item_writer import ItemWriter
from google_drive_worker.sync.items import LookedUp
from google_drive_worker.sync.plan import LookUpRemoved, due_removals
from google_drive_worker.sync.scope import MY_DRIVE, lists, with_roots
from google_drive_worker.sync.step import (
    Step,
    counted,
    with_corpus,
    with_gone,
    with_sync,
    with_written,
)
from google_drive_worker.sync.walks import is_walked, walk_of, with_walk, write_now
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, SkipItem


def deletions_of(file_id: FileId, file: DriveFile | None, cause: DeleteCause, normalizer: Normalizer) -> list[Record]:
    """An entry `removed` holds the id alone: where it is not known if it was a folder, both are deleted."""
    if file is not None:
        return [normalizer.deletion("folder" if file.is_folder else "file", file_id, cause)]
    return [normalizer.deletion("file", file_id, cause), normalizer.deletion("folder", file_id, cause)]


def on_looked_up(
    checkpoint: Checkpoint,
    sync: Sync,
    action: LookUpRemoved,
    found: LookedUp,
    writer: ItemWriter,
    normalizer: Normalizer,
) -> Step:
    """What is gone for good is deleted; what is in a corpus of ours is written as it is now; the rest is a gap.

    It may stand in that corpus' log too. But where the entry came before, and a page of the other log that was on its
    way meanwhile after it, no other step would correct it.
    """
    asked, due = set(action.file_ids), set(due_removals(checkpoint))
    errors: list[ErrorReport] = []
    walked: list[Walk] = []
    left: list[Removal] = []
    for removal in sync.removals:
        answer = found.get(removal.file_id)
        if removal.file_id not in asked or removal not in due:
            left.append(removal)
        elif isinstance(answer, DriveFile) and _is_contradicted(checkpoint, removal, answer):
            drive = checkpoint.corpora[removal.corpus]
            if drive.held:
                checkpoint, more = open_gap(checkpoint, "item", removal.file_id, removal.corpus, _UNDECIDED, told=True)
                errors += more
            else:
                checkpoint = with_corpus(checkpoint, removal.corpus, replace(drive, stage="changes"))
                left.append(replace(removal, again=True))
        elif isinstance(answer, DriveFile):
            checkpoint, more, walk = _on_there(checkpoint, sync, removal, answer, writer, normalizer)
            walked += [] if walk is None else [walk]
            errors += more
        elif answer is not None:
            checkpoint, more = _on_not_there(checkpoint, removal, answer, writer, normalizer)
            errors += more
    # What is below a folder that is not ours is not ours by that folder: it is asked for in turn.
    below = (
        Removal(each, NO_CORPUS, unseen=True) for folder_id in writer.emptied for each in writer.children(folder_id)
    )
    left = list(dict.fromkeys((*left, *below)))
    checkpoint = with_sync(checkpoint, replace(counted(checkpoint.sync or sync, writer.records), removals=tuple(left)))
    for walk in walked:
        checkpoint = with_walk(checkpoint, walk)
    checkpoint = with_roots(checkpoint, writer.roots_below())
    return Step(checkpoint, tuple(writer.records), (*errors, *writer.errors), writer.changes)


def _is_contradicted(checkpoint: Checkpoint, removal: Removal, file: DriveFile) -> bool:
    """Whether an item is in the very drive whose log told that it left: it came back meanwhile, or a link opens it.

    What that log says next tells which: it names an item that came back, or a folder above it.
    """
    drive = checkpoint.corpora.get(removal.corpus)
    if drive is None or not removal.told or removal.corpus != file.drive_id:
        return False
    return drive.held or (not removal.again and drive.stage in {"changes", "done"})


_UNDECIDED = ItemUnavailable("a log told that it left its drive, and can't be read on now", code="log_held")


def without_shown(checkpoint: Checkpoint, shown: Container[str]) -> Checkpoint:
    """Return the checkpoint without the items to be looked up that an answer has shown: once more, or because nothing
    told of them."""
    sync = checkpoint.sync
    if sync is None or not any(removal.again or removal.unseen for removal in sync.removals):
        return checkpoint
    left = tuple(
        removal for removal in sync.removals if not ((removal.again or removal.unseen) and removal.file_id in shown)
    )
    return with_sync(checkpoint, replace(sync, removals=left))


class _There(NamedTuple):
    """What an item that was looked up and is there comes to; a folder may be walked."""

    checkpoint: Checkpoint
    errors: tuple[ErrorReport, ...] = ()
    walk: Walk | None = None


def _on_there(
    checkpoint: Checkpoint,
    sync: Sync,
    removal: Removal,
    file: DriveFile,
    writer: ItemWriter,
    normalizer: Normalizer,
) -> _There:
    file_id, walk, errors = removal.file_id, None, list[ErrorReport]()
    if file.lossy:
        writer.lossy.append(file_id)
    if _is_listed_anyhow(checkpoint, sync, removal, file) or _is_told_gone(removal, writer):
        return _There(checkpoint)  # that an item left a corpus too says nothing against its delete
    is_ours = _is_ours(checkpoint, removal, file, writer)
    if not is_ours and _is_to_be_listed(checkpoint, file):
        return _There(close_gaps(checkpoint, [("item", file_id), ("folder", file_id)]))
    if not is_ours:
        if sync.kind == "full" and file_id in (checkpoint.scope.folder_ids or ()):
            errors.append(_no_root(checkpoint, file_id))
        writer.extend(deletions_of(file_id, file, "out_of_scope", normalizer))
        writer.emptied.append(file_id)
    else:
        is_to_walk = file.is_folder and _is_to_walk(checkpoint, removal, file, writer)
        if file_id not in {MY_DRIVE, file.drive_id}:  # no listing shows the top of a Drive either
            is_written = write_now(checkpoint, file, writer, normalizer)
            checkpoint = with_written(checkpoint, file.drive_id) if is_written else checkpoint
        if is_to_walk or file_id in writer.spreading:
            walk = walk_of(checkpoint, file)
    if walk is None or walk.folder_id != file_id:  # else the walk's end closes the gap; `root` is no folder's own id
        checkpoint = close_gaps(checkpoint, [("folder", file_id)])
    if file_id not in writer.lossy and file_id not in writer.misplaced:
        checkpoint = close_gaps(checkpoint, [("item", file_id)])
    return _There(checkpoint, tuple(errors), walk)


def _is_told_gone(removal: Removal, writer: ItemWriter) -> bool:
    """Whether a log told that an item left its corpus that is deleted already. One that was looked for in vain is there
    again, if it is there."""
    return removal.told and removal.corpus != NO_CORPUS and writer.is_known_gone(removal.file_id)


def _is_to_be_listed(checkpoint: Checkpoint, file: DriveFile) -> bool:
    """Whether the item is in a drive of which a listing is owed: that brings the item, where the account sees it."""
    drive = checkpoint.corpora.get(file.drive_id or "")
    return drive is not None and (drive.stage in {"start_token", "listing"} or drive.unlisted)


def _on_not_there(
    checkpoint: Checkpoint, removal: Removal, problem: SkipItem, writer: ItemWriter, normalizer: Normalizer
) -> Opened:
    file_id = removal.file_id
    known_gone = isinstance(problem, NotFound) and writer.is_known_gone(file_id)
    if not known_gone and not _is_gone(checkpoint, removal, problem):
        return _with_question(checkpoint, removal, problem)
    checkpoint = close_gaps(checkpoint, [(scope, file_id) for scope in _looked_up(checkpoint, file_id)])
    if known_gone:
        return Opened(checkpoint)
    writer.extend(deletions_of(file_id, None, "removed", normalizer))
    is_named = file_id in (checkpoint.scope.folder_ids or ())
    return Opened(with_gone(checkpoint, [file_id], deleted=True), (_no_root(checkpoint, file_id),) if is_named else ())


def _is_gone(checkpoint: Checkpoint, removal: Removal, problem: SkipItem) -> bool:
    """Whether a look-up without the item proves that it is gone, or not for the account to see.

    A change log has told so, or Google says for the second time, a rest after the first, that it finds none of that id.
    What can't be looked up for any other reason proves nothing.
    """
    if isinstance(problem, ItemUnavailable):
        return False
    if removal.told:
        return True
    gaps = [find_gap(checkpoint, scope, removal.file_id) for scope in _looked_up(checkpoint, removal.file_id)]
    return isinstance(problem, NotFound) and any(
        gap is not None and gap.code != PLACE and is_confirmed(gap) for gap in gaps
    )


def _looked_up(checkpoint: Checkpoint, file_id: FileId) -> tuple[GapScope, ...]:
    """The scopes of gaps that a look-up by id fills. Of the top of a drive, permissions are the drive's members."""
    return ("item", "folder") if file_id in checkpoint.corpora else ("item", "folder", "permissions")


def _with_question(checkpoint: Checkpoint, removal: Removal, problem: SkipItem) -> Opened:
    """The checkpoint with the item to be looked up again later."""
    missing = isinstance(problem, NotFound)
    looked_up = _looked_up(checkpoint, removal.file_id)
    scope: GapScope = next(
        (each for each in looked_up if find_gap(checkpoint, each, removal.file_id) is not None), "item"
    )
    corpus = home_of(checkpoint, scope, removal.file_id, removal.corpus or USER_CORPUS)
    return open_gap(checkpoint, scope, removal.file_id, corpus, problem, missing=missing, told=removal.told)


def _is_to_walk(checkpoint: Checkpoint, removal: Removal, folder: DriveFile, writer: ItemWriter) -> bool:
    """Whether what is below a folder that was looked up is to be read: it is named, or its walk has failed."""
    gap = find_gap(checkpoint, "folder", removal.file_id)
    if gap is not None and gap.code == PLACE:  # what is below it may have come into scope or left it
        return True
    return (bool(checkpoint.scope.folder_ids) or gap is not None) and is_walked(folder, writer)


def _no_root(checkpoint: Checkpoint, folder_id: FileId) -> ErrorReport:
    """The report of a folder that the scope names and the account can't see."""
    message = "folder_ids names this folder, and there is none that the account can see; the others are mirrored"
    return notice_of(checkpoint, "scope_not_found", message, resource_type="folder", resource_id=folder_id)


def _is_listed_anyhow(checkpoint: Checkpoint, sync: Sync, removal: Removal, file: DriveFile) -> bool:
    """Whether a full sync has listed the drive that the item is in: that wrote it, or its log will, unless only a link
    opens it."""
    drive = checkpoint.corpora.get(file.drive_id or "")
    if drive is None or sync.kind != "full" or removal.corpus != USER_CORPUS:
        return False
    is_shared = file.shared_with_me_time is not None or bool(file.parents)
    is_listed = lists(checkpoint.scope, file.drive_id or "") and is_listed_through(drive)
    return is_shared and is_listed and removal.file_id not in (checkpoint.scope.folder_ids or ())


def _is_in_ours(checkpoint: Checkpoint, file: DriveFile, writer: ItemWriter) -> bool:
    """Whether an item is in a folder of ours that lets everyone in who sees it, or at the top of a drive of ours. Other
    folders may be such as well, but at the end of a full sync, which has listed what they let in. One
    above which the account sees no folder is shared with the account itself, which lets it in."""
    is_full = checkpoint.sync is not None and checkpoint.sync.kind == "full"
    for parent_id in file.parents or ():
        parent = writer.held(parent_id)
        if str(parent_id) == file.drive_id:
            if parent_id in checkpoint.corpora:
                return True
            continue
        if not is_full and not writer.is_known_gone(parent_id):
            return True
        if parent is not None and (not parent.limits_access or parent.parent_id is None):
            return True
    return False


def _is_ours(checkpoint: Checkpoint, removal: Removal, file: DriveFile, writer: ItemWriter) -> bool:
    """Whether one of our corpora has the item now. One that only a link opens is in no corpus."""
    # Google names a parent only to those who can open it: below a shared folder nothing else tells of the sharing.
    is_shared = file.shared_with_me_time is not None or bool(file.parents)
    is_root = removal.file_id in (checkpoint.scope.folder_ids or ())
    if removal.unseen and not is_root:
        # A link opens items too, with their parents: that it is ours shows in it, or in the folder that it is in.
        if file.drive_id is not None and not checkpoint.scope.include_shared_drives:
            return False
        return bool(file.owned_by_me) or file.shared_with_me_time is not None or _is_in_ours(checkpoint, file, writer)
    was_shown = not removal.told and removal.corpus != NO_CORPUS and not is_root  # and no log told that it left
    if file.drive_id is None:
        return was_shown or bool(file.owned_by_me) or is_shared
    drive = checkpoint.corpora.get(file.drive_id)
    if removal.corpus == USER_CORPUS and is_root:
        # It need not have left a corpus: it is named. The top of a drive has no parent.
        is_top = drive is not None and str(file.id) == file.drive_id
        return checkpoint.scope.include_shared_drives and (is_shared or is_top)
    if was_shown:
        return drive is not None or checkpoint.scope.include_shared_drives
    if drive is None:
        # It is shared by name or with a folder, unless it is just that sharing that ended. Should the drive have been
        # joined meanwhile, its listing brings the item.
        return checkpoint.scope.include_shared_drives and removal.corpus != USER_CORPUS and is_shared
    if removal.corpus == USER_CORPUS:
        # A drive that was joined just now is yet to be listed: that brings the item, unless only a link opens it. So it
        # is with one of which the account sees no folder.
        return file.shared_with_me_time is not None or (is_shared and drive.stage in {"changes", "done"})
    # Where its own drive's log said that it is not for the account to see, a link opens it: should it have come back
    # into sight since, a later entry of that log says so, of the item or of a folder above.
    return removal.corpus != file.drive_id
