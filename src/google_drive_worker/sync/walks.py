"""Walks: the children of folders that have changed, read folder by folder.

A change of a folder says nothing of what is below it, though trash, sharing and place reach all of it. What a walk
could not go through is a gap of its folder.
"""

from msgspec.structs import replace

from google_drive_worker.domain.drive import DriveFile, FilesPage, UnreadableItem
from google_drive_worker.domain.ids import PageToken
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import ErrorReport
from google_drive_worker.sync.checkpoint import (
    Checkpoint,
    Sync,
    Walk,
)
from google_drive_worker.sync.gaps import (
    PLACE,
    Opened,
    close_gaps,
    find_gap,
    incomplete_search,
    open_gap,
    too_deep,
    unreadable_gap,
)
from google_drive_worker.sync.item_writer import ItemWriter
from google_drive_worker.sync.listing import corpus_of
from google_drive_worker.sync.places import DEPTH_AT_MOST
from google_drive_worker.sync.plan import WalkFolder
from google_drive_worker.sync.step import (
    Step,
    counted,
    with_sync,
    with_written,
)
from google_drive_worker.sync.tokens import follow, is_given_up, no_progress, stalled
from google_drive_worker.utils.errors import NotFound, WorkerError


def is_walked(folder: DriveFile, writer: ItemWriter) -> bool:
    """Whether what is below a changed folder is to be looked at. Of one that is out of scope it is to be deleted, where
    any of it may be there: that is asked before the folder's own record is written."""
    return not writer.is_outside(folder.id) or writer.may_hold(folder.id)


def walk_of(checkpoint: Checkpoint, folder: DriveFile) -> Walk:
    """Return the walk of a folder, from its beginning."""
    return Walk(folder.id, folder.drive_id if folder.drive_id in checkpoint.corpora else None, folder.trashed)


def is_trash_left_out(checkpoint: Checkpoint, file: DriveFile) -> bool:
    """Whether the item is in the trash that is not mirrored.

    Where such an item has come to another corpus inside a folder, that corpus' log names the folder alone, and the
    folder's walk does not see it: the log that it came from is the only one to tell of it.
    """
    return file.trashed and not checkpoint.scope.include_trashed


def write_now(checkpoint: Checkpoint, file: DriveFile, writer: ItemWriter, normalizer: Normalizer) -> bool:
    """Write an item as it is now: a delete where it is in trash that is left out, or out of scope. Return whether
    it is written."""
    is_trash, is_outside = is_trash_left_out(checkpoint, file), writer.is_outside(file.id)
    if not is_trash and not is_outside:
        writer.write(normalizer.transform_file(file))
        return True
    record = normalizer.deletion(
        "folder" if file.is_folder else "file", file.id, "trashed" if is_trash else "out_of_scope"
    )
    writer.delete(replace(record, version=file.version), is_by_place=not is_trash)
    return False


def on_children(
    checkpoint: Checkpoint, sync: Sync, action: WalkFolder, page: FilesPage, writer: ItemWriter, normalizer: Normalizer
) -> Step:
    """The children of a changed folder are written again, and its folders walked in turn."""
    walk = action.walk
    if walk not in sync.walks:  # the folder changed again meanwhile, and its walk begins again
        return Step(checkpoint)
    errors: list[ErrorReport] = []
    below: list[Walk] = []
    name = corpus_of(checkpoint, walk.drive_id)
    for item in page.items():
        if isinstance(item, UnreadableItem):
            checkpoint, more = unreadable_gap(checkpoint, item, name, "folder", walk.folder_id)
            errors += more
            walk = replace(walk, incomplete=walk.incomplete or item.id is None)
            continue
        if item.lossy:
            writer.lossy.append(item.id)
        if item.is_folder and item.id != walk.folder_id and (walk.trashed or is_walked(item, writer)):
            below.append(Walk(item.id, walk.drive_id, item.trashed, depth=walk.depth + 1))
        write_now(checkpoint, item, writer, normalizer)
    walk = replace(walk, incomplete=walk.incomplete or page.incomplete_search)
    if writer.shown:
        checkpoint = with_written(checkpoint, walk.drive_id)
    checkpoint = with_sync(checkpoint, counted(checkpoint.sync or sync, writer.records))
    checkpoint, more = _walked_on(checkpoint, action.walk, walk, page.next_page_token)
    for deeper in below:
        if deeper.depth <= DEPTH_AT_MOST:
            checkpoint = with_walk(checkpoint, deeper)
        else:
            checkpoint, lost = open_gap(checkpoint, "folder", deeper.folder_id, name, too_deep())
            more = (*more, *lost)
    return Step(checkpoint, tuple(writer.records), (*errors, *more, *writer.errors), writer.changes)


def _walked_on(checkpoint: Checkpoint, asked: Walk, walk: Walk, token: PageToken | None) -> Opened:
    """The checkpoint with the walk gone on with at the token, or ended; a gap where it did not see everything."""
    trail = follow(walk.trail, walk.page_token, token)
    if trail is None:
        again = replace(walk, page_token=None, trail=stalled(walk.trail))
        if is_given_up(again.trail):
            return end_walk(checkpoint, asked, no_progress("what is in a folder"))
        return Opened(with_walk_as(checkpoint, asked, again))
    if token is not None:
        return Opened(with_walk_as(checkpoint, asked, replace(walk, page_token=token, trail=trail)))
    if walk.incomplete:
        return end_walk(checkpoint, asked, incomplete_search("of the folder"))
    checkpoint = with_walk_as(checkpoint, asked, None)
    gap = find_gap(checkpoint, "folder", walk.folder_id)
    if gap is not None and gap.code == PLACE and gap.state == "found":  # it may be of an earlier page of this walk
        return Opened(checkpoint)
    return Opened(close_gaps(checkpoint, [("folder", walk.folder_id)]))


def end_walk(checkpoint: Checkpoint, walk: Walk, error: WorkerError) -> Opened:
    """The checkpoint without a walk that could not be gone through; a gap takes it up again, from its beginning."""
    again = Walk(walk.folder_id, walk.drive_id, walk.trashed)
    corpus = corpus_of(checkpoint, walk.drive_id)
    checkpoint = with_walk_as(checkpoint, walk, None)
    missing = isinstance(error, NotFound)
    return open_gap(checkpoint, "folder", walk.folder_id, corpus, error, missing=missing, walk=again)


def with_walk_as(checkpoint: Checkpoint, walk: Walk, then: Walk | None) -> Checkpoint:
    """Return the checkpoint with the walk replaced, or ended (`None`)."""
    sync = checkpoint.sync
    if sync is None or walk not in sync.walks:
        return checkpoint
    walks = list(sync.walks)
    at = walks.index(walk)
    walks[at : at + 1] = [] if then is None else [then]
    return with_sync(checkpoint, replace(sync, walks=tuple(walks)))


def with_walk(checkpoint: Checkpoint, walk: Walk) -> Checkpoint:
    """Return the checkpoint with a folder to be walked; a walk of it that is under way begins again."""
    sync = checkpoint.sync
    if sync is None:
        return checkpoint
    others = tuple(other for other in sync.walks if other.folder_id != walk.folder_id)
    return with_sync(checkpoint, replace(sync, walks=(*others, walk)))
