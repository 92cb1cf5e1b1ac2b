"""What the answers of the change logs come to: upserts, deletes with their cause, drives joined and left.

Three things that Google's logs do not say are found out here:

- An entry `removed` does not tell a deletion from a move to another corpus that we mirror as well. Where there is
  another corpus, the item is looked up before it is deleted.
- A change of a folder says nothing of what is below it, though trash, sharing and place reach all of it. Every changed
  folder is therefore walked.
- A left drive names none of its items, and the worker keeps no list of them. A full sync follows, whose closing record
  lets the consumer sweep them away.
"""

from typing import NamedTuple

from msgspec.structs import replace

from google_drive_worker.domain.drive import Change, ChangesPage, DriveFile, FilesPage, SharedDrive, UnreadableItem
from google_drive_worker.domain.ids import FileId, PageToken
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import DeleteCause, ErrorReport, Record
from google_drive_worker.sync.change_events import events_of
from google_drive_worker.sync.checkpoint import (
    NO_CORPUS,
    USER_CORPUS,
    Checkpoint,
    Corpus,
    GapScope,
    Removal,
    Sync,
    Walk,
)
from google_drive_worker.sync.error_reports import notice_of
from google_drive_worker.sync.gap_retries import list_now
from google_drive_worker.sync.gaps import (
    PLACE,
    TRIES_AT_ONCE,
    Opened,
    close_gaps,
    find_gap,
    forget_corpus,
    hold_corpus,
    incomplete_search,
    is_confirmed,
    note_lossy,
    open_gap,
    to_list_again,
    too_deep,
    unreadable_gap,
)
from google_drive_worker.sync.items import ItemWriter, LookedUp
from google_drive_worker.sync.listing import belongs, corpus_of
from google_drive_worker.sync.page_sharing import moved_corpora
from google_drive_worker.sync.places import DEPTH_AT_MOST
from google_drive_worker.sync.plan import LookUpDrive, LookUpRemoved, ReadChanges, WalkFolder, without_rest
from google_drive_worker.sync.scope import MY_DRIVE, follows, holds_drive, is_restricted, lists, with_roots
from google_drive_worker.sync.step import (
    Step,
    counted,
    doubting,
    owe_full,
    sighted,
    with_corpus,
    with_gone,
    with_sync,
)
from google_drive_worker.sync.tokens import follow, is_given_up, no_progress, stalled
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, SkipItem, WorkerError


def on_changes(
    checkpoint: Checkpoint, action: ReadChanges, page: ChangesPage, writer: ItemWriter, normalizer: Normalizer
) -> Step:
    """A page's entries become records and things to find out; the log goes on at the page's token."""
    log = checkpoint.corpora[action.corpus]
    trail = follow(log.trail, action.page_token, page.next_page_token)
    if trail is None:  # the page comes again, and with it the events that it tells of
        return _on_stalled_log(checkpoint, action.corpus, log)
    entries = list(page.items())
    if any(isinstance(each, UnreadableItem) for each in entries) and log.trouble < TRIES_AT_ONCE:
        # An entry comes once: what damaged it may have passed when the page is read again.
        return Step(with_corpus(checkpoint, action.corpus, replace(log, trouble=log.trouble + 1)))
    checkpoint = with_corpus(checkpoint, action.corpus, replace(log, trail=trail))
    errors: list[ErrorReport] = []
    for index, item in enumerate(entries):
        if isinstance(item, UnreadableItem):
            checkpoint, more = _on_unreadable(checkpoint, action.corpus, item)
            errors += more
        else:
            checkpoint = _on_entry(checkpoint, action, index, item, writer, normalizer)
    sync = checkpoint.sync
    if sync is not None:
        checkpoint = with_sync(checkpoint, counted(sync, writer.records))
        if checkpoint.scope.sync_permissions or checkpoint.scope.paths or is_restricted(checkpoint.scope):
            checkpoint = sighted(checkpoint, moved_corpora(checkpoint, action, page))
        checkpoint = with_roots(checkpoint, writer.roots_below())
    corpus = checkpoint.corpora.get(action.corpus)
    if corpus is not None:
        checkpoint = with_corpus(checkpoint, action.corpus, _read(corpus, page))
        if page.next_page_token is None and not corpus.unlisted:
            checkpoint = close_gaps(checkpoint, [("corpus", action.corpus)])
    if action.corpus == USER_CORPUS and page.next_page_token is None:
        checkpoint = replace(doubting(checkpoint, doubted=False), gone=())
    return Step(checkpoint, tuple(writer.records), (*errors, *writer.errors), writer.remembered)


def _on_unreadable(checkpoint: Checkpoint, name: str, entry: UnreadableItem) -> Opened:
    """An entry that can't be read is a gap of its item; without an id, the corpus is listed again."""
    checkpoint, errors = unreadable_gap(checkpoint, entry, name, "corpus", name)
    if entry.id is None and name in checkpoint.corpora:
        checkpoint = with_corpus(checkpoint, name, to_list_again(checkpoint.corpora[name]))
    return Opened(checkpoint, errors)


def _on_entry(
    checkpoint: Checkpoint, action: ReadChanges, index: int, entry: Change, writer: ItemWriter, normalizer: Normalizer
) -> Checkpoint:
    """An entry becomes its event, where these are mirrored, and the records of what has changed."""
    if entry.file is not None and entry.file.lossy:
        writer.lossy.append(entry.file.id)
    if entry.drive is not None and entry.drive.lossy:
        checkpoint = note_lossy(checkpoint, "drives", "drives", USER_CORPUS)
    if checkpoint.scope.sync_changes and _is_told(entry, writer):
        writer.records.extend(events_of(checkpoint, action, index, entry, normalizer))
    checkpoint, records = _on_change(checkpoint, action.corpus, entry, writer, normalizer)
    writer.extend(records)
    return checkpoint


def _on_stalled_log(checkpoint: Checkpoint, name: str, log: Corpus) -> Step:
    """The log is read again from the same token, and after some tries the sync goes on without it."""
    again = replace(log.trail, stalls=log.trail.stalls + 1)  # what was read stays in mind
    checkpoint = with_corpus(checkpoint, name, replace(log, trail=again))
    if not is_given_up(again):
        return Step(checkpoint)
    checkpoint, errors = hold_corpus(checkpoint, name, no_progress("a change log"))
    return Step(checkpoint, errors=errors)


def _is_told(change: Change, writer: ItemWriter) -> bool:
    """Whether an entry is of something in scope, or of what the mirror may hold."""
    file_id = change.file_id or (change.file.id if change.file else None)
    if change.change_type == "drive" or file_id is None:
        return True
    return writer.may_hold(file_id) or (change.file is not None and not writer.is_outside(file_id))


def _read(corpus: Corpus, page: ChangesPage) -> Corpus:
    if page.next_page_token is not None:
        return replace(corpus, change_token=page.next_page_token, trouble=0)
    token = page.new_start_page_token or corpus.change_token
    # The tokens stay in mind: one that leads back to what an earlier sync has read would tell events twice.
    return replace(corpus, stage="done", change_token=token, trouble=0, trail=replace(corpus.trail, stalls=0))


def _on_change(
    checkpoint: Checkpoint, corpus: str, change: Change, writer: ItemWriter, normalizer: Normalizer
) -> tuple[Checkpoint, list[Record]]:
    if change.change_type == "drive":
        return _on_drive_change(checkpoint, change, normalizer)
    file = change.file
    file_id = change.file_id or (file.id if file else None)
    if file_id is None:
        return checkpoint, []
    if change.removed or file is None:
        return _removed(checkpoint, Removal(file_id, corpus, told=True), writer, normalizer)
    if belongs(checkpoint, corpus, file.drive_id):
        return _changed(checkpoint, file, writer, normalizer)
    home = checkpoint.corpora.get(file.drive_id or "")
    if corpus == USER_CORPUS and home is not None:
        if home.stage in {"changes", "done"} and not _is_hidden(checkpoint, file):
            return checkpoint, []  # the drive's own log has it too
        # The drive has been joined just now: what happened to the item before is in no log of the drive's that will be
        # read. Or it came in the trash inside a folder: the drive's log names the folder alone, and no walk sees it.
        checkpoint = with_corpus(checkpoint, str(file.drive_id), replace(home, written=True))
        return _changed(checkpoint, file, writer, normalizer)
    return _removed(checkpoint, Removal(file_id, corpus, told=True), writer, normalizer)


def _changed(
    checkpoint: Checkpoint, file: DriveFile, writer: ItemWriter, normalizer: Normalizer
) -> tuple[Checkpoint, list[Record]]:
    if file.is_folder and _is_walked(file, writer):
        checkpoint = _with_walk(checkpoint, _walk_of(checkpoint, file))
    return checkpoint, [_record_of(checkpoint, file, writer, normalizer)]


def _is_walked(folder: DriveFile, writer: ItemWriter) -> bool:
    """Whether what is below a changed folder is to be looked at. Of one that is out of scope it is to be deleted, where
    any of it may be there: that is asked before the folder's own record is written."""
    return not writer.is_outside(folder.id) or writer.may_hold(folder.id)


def _walk_of(checkpoint: Checkpoint, folder: DriveFile) -> Walk:
    return Walk(folder.id, folder.drive_id if folder.drive_id in checkpoint.corpora else None, folder.trashed)


def _is_hidden(checkpoint: Checkpoint, file: DriveFile) -> bool:
    """Whether the item is in the trash that is not mirrored.

    Where such an item has come to another corpus inside a folder, that corpus' log names the folder alone, and the
    folder's walk does not see it: the log that it came from is the only one to tell of it.
    """
    return file.trashed and not checkpoint.scope.include_trashed


def _record_of(checkpoint: Checkpoint, file: DriveFile, writer: ItemWriter, normalizer: Normalizer) -> Record:
    if writer.is_outside(file.id):
        record = normalizer.deletion("folder" if file.is_folder else "file", file.id, "out_of_scope")
    elif _is_hidden(checkpoint, file):
        record = normalizer.deletion("folder" if file.is_folder else "file", file.id, "trashed")
    else:
        record = normalizer.transform_file(file)
    return record if record.version == file.version else replace(record, version=file.version)


def _removed(
    checkpoint: Checkpoint, removal: Removal, writer: ItemWriter, normalizer: Normalizer
) -> tuple[Checkpoint, list[Record]]:
    sync = checkpoint.sync
    if not writer.may_hold(removal.file_id):
        return checkpoint, []
    if len(checkpoint.corpora) == 1 or sync is None:
        return checkpoint, _deletions(removal.file_id, None, "removed", normalizer)
    same = removal.file_id, removal.corpus
    others = tuple(other for other in sync.removals if (other.file_id, other.corpus) != same)
    return with_sync(checkpoint, replace(sync, removals=(*others, removal))), []


def _deletions(file_id: FileId, file: DriveFile | None, cause: DeleteCause, normalizer: Normalizer) -> list[Record]:
    """An entry `removed` holds the id alone: where nobody knows if it was a folder, both are deleted."""
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
    way meanwhile after it, nobody else would set it right.
    """
    asked = set(action.file_ids)
    errors: list[ErrorReport] = []
    walked: list[Walk] = []
    for removal in sync.removals:
        if removal.file_id in asked & found.keys():
            answer = found[removal.file_id]
            if isinstance(answer, DriveFile):
                checkpoint, more, walk = _on_there(checkpoint, sync, removal, answer, writer, normalizer)
                walked += [] if walk is None else [walk]
            else:
                checkpoint, more = _on_not_there(checkpoint, removal, answer, writer, normalizer)
            errors += more
    left = tuple(removal for removal in sync.removals if removal.file_id not in asked)
    checkpoint = with_sync(checkpoint, replace(counted(checkpoint.sync or sync, writer.records), removals=left))
    for walk in walked:
        checkpoint = _with_walk(checkpoint, walk)
    checkpoint = with_roots(checkpoint, writer.roots_below())
    return Step(checkpoint, tuple(writer.records), (*errors, *writer.errors), writer.remembered)


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
    if _is_listed_anyhow(checkpoint, sync, removal, file):
        return _There(checkpoint)
    is_ours = _is_ours(checkpoint, removal, file)
    if not is_ours and _is_to_be_listed(checkpoint, file):
        return _There(close_gaps(checkpoint, [("item", file_id), ("folder", file_id)]))
    if not is_ours:
        if sync.kind == "full" and file_id in (checkpoint.scope.folder_ids or ()):
            errors.append(_no_root(checkpoint, file_id))
        writer.extend(_deletions(file_id, file, "out_of_scope", normalizer))
    else:
        if file.is_folder and _is_to_walk(checkpoint, removal, file, writer):
            walk = _walk_of(checkpoint, file)
        if file_id not in {MY_DRIVE, file.drive_id}:  # no listing shows the top of a Drive either
            writer.write(_record_of(checkpoint, file, writer, normalizer))
    if walk is None:  # else the walk's end closes the folder's gap
        checkpoint = close_gaps(checkpoint, [("folder", file_id)])
    if file_id not in writer.lossy and file_id not in writer.misplaced:
        checkpoint = close_gaps(checkpoint, [("item", file_id)])
    return _There(checkpoint, tuple(errors), walk)


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
    checkpoint = close_gaps(checkpoint, [(scope, file_id) for scope in _LOOKED_UP])
    if known_gone:
        return Opened(checkpoint)
    writer.extend(_deletions(file_id, None, "removed", normalizer))
    is_named = file_id in (checkpoint.scope.folder_ids or ())
    return Opened(with_gone(checkpoint, [file_id]), (_no_root(checkpoint, file_id),) if is_named else ())


def _is_gone(checkpoint: Checkpoint, removal: Removal, problem: SkipItem) -> bool:
    """Whether a look-up without the item proves that it is gone, or not for the account to see.

    A change log has told so, or Google says for the second time, a rest after the first, that it finds none of that id.
    What can't be looked up for any other reason proves nothing.
    """
    if isinstance(problem, ItemUnavailable):
        return False
    if removal.told:
        return True
    gaps = [find_gap(checkpoint, scope, removal.file_id) for scope in _LOOKED_UP]
    return isinstance(problem, NotFound) and any(
        gap is not None and gap.code != PLACE and is_confirmed(gap) for gap in gaps
    )


_LOOKED_UP: tuple[GapScope, ...] = ("item", "folder", "permissions")
"""The scopes of gaps that a look-up by id fills."""


def _with_question(checkpoint: Checkpoint, removal: Removal, problem: SkipItem) -> Opened:
    """The checkpoint with the item to be looked up again later."""
    missing = isinstance(problem, NotFound)
    corpus = removal.corpus or USER_CORPUS
    tried = [each for each in _LOOKED_UP if find_gap(checkpoint, each, removal.file_id) is not None]
    # Of the top of a drive, a gap of permissions is of the drive's members, and no look-up fills it.
    scope: GapScope = tried[0] if tried and removal.file_id not in checkpoint.corpora else "item"
    return open_gap(checkpoint, scope, removal.file_id, corpus, problem, missing=missing, told=removal.told)


def _is_to_walk(checkpoint: Checkpoint, removal: Removal, folder: DriveFile, writer: ItemWriter) -> bool:
    """Whether what is below a folder that was looked up is to be read: it is named, or its walk has failed."""
    gap = find_gap(checkpoint, "folder", removal.file_id)
    if gap is not None and gap.code == PLACE:  # what is below it may have come into scope or left it
        return True
    return (bool(checkpoint.scope.folder_ids) or gap is not None) and _is_walked(folder, writer)


def _no_root(checkpoint: Checkpoint, folder_id: FileId) -> ErrorReport:
    """The report of a folder that the scope names and the account can't see."""
    message = "folder_ids names this folder, and there is none that the account can see; the others are mirrored"
    return notice_of(checkpoint, "scope_not_found", message, resource_type="folder", resource_id=folder_id)


def _is_listed_anyhow(checkpoint: Checkpoint, sync: Sync, removal: Removal, file: DriveFile) -> bool:
    """Whether a full sync has listed the drive that the item is in: that wrote it, or its log will, unless only a link
    opens it."""
    listed = sync.kind == "full" and removal.corpus == USER_CORPUS and file.drive_id in sync.listed
    return listed and removal.file_id not in (checkpoint.scope.folder_ids or ())


def _is_ours(checkpoint: Checkpoint, removal: Removal, file: DriveFile) -> bool:
    """Whether one of our corpora has the item now. One that only a link opens is in nobody's corpus."""
    # Google names a parent only to those who can open it: below a shared folder nothing else tells of the sharing.
    is_shared = file.shared_with_me_time is not None or bool(file.parents)
    is_root = removal.file_id in (checkpoint.scope.folder_ids or ())
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
        # A drive that was joined just now is yet to be listed: that brings the item, unless only a link opens it.
        return drive.stage in {"changes", "done"} or file.shared_with_me_time is not None
    # Where its own drive's log said that it is not for the account to see, a link opens it: should it have come back
    # into sight since, a later entry of that log says so, of the item or of a folder above.
    return removal.corpus != file.drive_id


def on_drive_found(checkpoint: Checkpoint, action: LookUpDrive, drive: SharedDrive, normalizer: Normalizer) -> Step:
    """A drive that a call did not find is there: it is asked again, and goes on without it where that fails too.

    One that the list of drives left out is joined.
    """
    corpus = checkpoint.corpora.get(action.drive_id)
    gaps = tuple(
        replace(gap, missing=False) if (gap.scope, gap.id) == ("corpus", action.drive_id) else gap
        for gap in checkpoint.gaps
    )
    checkpoint = replace(checkpoint, gaps=gaps)
    if corpus is not None:
        return Step(with_corpus(checkpoint, action.drive_id, replace(corpus, doubtful=False)))
    joined = Corpus("start_token", members_due=checkpoint.scope.sync_permissions, rights=drive.rights)
    checkpoint = no_longer_expected(with_corpus(checkpoint, action.drive_id, joined), action.drive_id)
    is_held, sync = holds_drive(checkpoint.scope, action.drive_id), checkpoint.sync
    records = (normalizer.transform_drive(drive),) if is_held else ()
    return Step(checkpoint if sync is None else with_sync(checkpoint, counted(sync, records)), records)


def no_longer_expected(checkpoint: Checkpoint, drive_id: str) -> Checkpoint:
    """Return the checkpoint with the drive looked up, which the list of drives had left out."""
    return replace(checkpoint, expected=tuple(name for name in checkpoint.expected if name != drive_id))


def on_children(
    checkpoint: Checkpoint, sync: Sync, action: WalkFolder, page: FilesPage, writer: ItemWriter, normalizer: Normalizer
) -> Step:
    """The children of a changed folder are written anew, and its folders walked in their turn."""
    walk = action.walk
    if walk not in sync.walks:  # the folder changed again meanwhile, and its walk begins anew
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
        if item.is_folder and item.id != walk.folder_id and (walk.trashed or _is_walked(item, writer)):
            below.append(Walk(item.id, walk.drive_id, item.trashed, depth=walk.depth + 1))
        writer.write(_record_of(checkpoint, item, writer, normalizer))
    walk = replace(walk, incomplete=walk.incomplete or page.incomplete_search)
    checkpoint = with_sync(checkpoint, counted(checkpoint.sync or sync, writer.records))
    checkpoint, more = _walked_on(checkpoint, action.walk, walk, page.next_page_token)
    for deeper in below:
        if deeper.depth <= DEPTH_AT_MOST:
            checkpoint = _with_walk(checkpoint, deeper)
        else:
            checkpoint, lost = open_gap(checkpoint, "folder", deeper.folder_id, name, too_deep())
            more = (*more, *lost)
    return Step(checkpoint, tuple(writer.records), (*errors, *more, *writer.errors), writer.remembered)


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
    return Opened(close_gaps(with_walk_as(checkpoint, asked, None), [("folder", walk.folder_id)]))


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


def _with_walk(checkpoint: Checkpoint, walk: Walk) -> Checkpoint:
    sync = checkpoint.sync
    if sync is None:
        return checkpoint
    others = tuple(other for other in sync.walks if other.folder_id != walk.folder_id)
    return with_sync(checkpoint, replace(sync, walks=(*others, walk)))


def _on_drive_change(checkpoint: Checkpoint, change: Change, normalizer: Normalizer) -> tuple[Checkpoint, list[Record]]:
    drive_id = change.drive_id or (change.drive.id if change.drive else None)
    if drive_id is None or not follows(checkpoint.scope, drive_id):
        return checkpoint, []
    if change.removed or change.drive is None:
        return leave_drive(checkpoint, drive_id, normalizer)
    known = checkpoint.corpora.get(drive_id)
    if known is None:
        # As a member the user sees more than was shared with them: what a walk brings of it counts as written, too.
        due = checkpoint.scope.sync_permissions
        joined = Corpus("start_token", written=True, members_due=due, rights=change.drive.rights)
        checkpoint = with_corpus(checkpoint, drive_id, joined)
        checkpoint = with_roots(checkpoint)
    else:
        # Who is a member may be what has changed.
        due = known.members_due or checkpoint.scope.sync_permissions
        rights = known.rights if change.drive.rights is None else change.drive.rights
        checkpoint = with_corpus(checkpoint, drive_id, replace(known, members_due=due, rights=rights))
        checkpoint = _perhaps_rejoined(checkpoint, known)
        if known.rights is not None and known.rights != rights:
            # Items in folders with limited access, or what hangs on files, have gone out of sight or come into it. No
            # log says so: none of what came, and where the account was away in between none of what went.
            checkpoint = owe_full(checkpoint)
    is_held = holds_drive(checkpoint.scope, drive_id)
    return checkpoint, [normalizer.transform_drive(change.drive)] if is_held else []


def with_users_files_again(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint with the user's files to be listed again, after a drive was left that no log told of.

    The user's listing left out what of the drive is shared with them by name, since the drive's own was to bring it.
    """
    if not lists(checkpoint.scope, USER_CORPUS):
        return with_roots(checkpoint)
    return list_now(checkpoint, USER_CORPUS)


def _perhaps_rejoined(checkpoint: Checkpoint, drive: Corpus) -> Checkpoint:
    """A drive of ours was left and joined again, perhaps: what was looked for in between was taken for gone."""
    sync = checkpoint.sync
    if drive.doubted:
        return owe_full(checkpoint)
    if sync is None or not checkpoint.gone:
        return checkpoint
    again = tuple(Removal(file_id, NO_CORPUS) for file_id in checkpoint.gone)
    return replace(with_sync(checkpoint, replace(sync, removals=(*sync.removals, *again))), gone=())


def leave_drive(checkpoint: Checkpoint, drive_id: str, normalizer: Normalizer) -> tuple[Checkpoint, list[Record]]:
    """Drop a shared drive that the user can no longer see.

    Where items of it may have been written, a full sync is owed, which sweeps them. One that never got as far as its
    first page owes nothing: else a drive that is listed but can't be read would bring full sync upon full sync. One
    that we never heard of was joined and left between two readings of the log; a walk or a look-up of what was shared
    by name may have seen it with a member's eyes, and what a trigger's cursor knew of it nobody can tell.
    """
    left = checkpoint.corpora.get(drive_id)
    is_held = holds_drive(checkpoint.scope, drive_id)
    deletions = [normalizer.deletion("shared_drive", drive_id, "access_lost")] if is_held else []
    if left is None:
        return owe_full(forget_corpus(no_longer_expected(checkpoint, drive_id), drive_id)), deletions
    corpora = {name: corpus for name, corpus in checkpoint.corpora.items() if name != drive_id}
    sync = checkpoint.sync
    if sync is not None:
        sync = replace(
            sync,
            walks=tuple(walk for walk in sync.walks if walk.drive_id != drive_id),
            removals=tuple(removal for removal in sync.removals if removal.corpus != drive_id),
            listed=tuple(name for name in sync.listed if name != drive_id),
            details=tuple(each for each in sync.details if each.corpus != drive_id),
            content=tuple(each for each in sync.content if each.corpus != drive_id),
        )
    checkpoint = forget_corpus(without_rest(replace(checkpoint, corpora=corpora, sync=sync), drive_id), drive_id)
    if left.written or left.stage in {"changes", "done"} or left.listing_token is not None:
        checkpoint = owe_full(checkpoint)
    # What is under way of the user's own was judged while the account was a member.
    return sighted(checkpoint, [USER_CORPUS]), deletions
