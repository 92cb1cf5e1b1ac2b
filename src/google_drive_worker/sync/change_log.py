"""What the answers of the change logs come to: upserts, deletes with their cause, drives joined and left.

Three things that Google's logs do not say are found out here:

- An entry `removed` does not tell a deletion from a move to another corpus that we mirror as well. Where there is
  another corpus, the item is looked up before it is deleted (`look_ups`).
- A change of a folder says nothing of what is below it: a folder whose place, sharing or path is another one than the
  item index holds is walked (`walks`).
- A left drive names none of its items: a full sync follows (`drives`).
"""

from msgspec.structs import replace

from google_drive_worker.domain.drive import Change, ChangesPage, DriveFile, UnreadableItem
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import ErrorReport
from google_drive_worker.sync.change_events import events_of
from google_drive_worker.sync.checkpoint import (
    NO_CORPUS,
    USER_CORPUS,
    Checkpoint,
    Corpus,
    Removal,
    Stage,
)
from google_drive_worker.sync.drives import on_drive_change
from google_drive_worker.sync.gaps import (
    TRIES_AT_ONCE,
    Opened,
    close_gaps,
    hold_corpus,
    note_lossy,
    to_list_again,
    unreadable_gap,
)
from google_drive_worker.sync.item_writer import ItemWriter
from google_drive_worker.sync.listing import belongs, is_in_users_log_alone
from google_drive_worker.sync.look_ups import deletions_of
from google_drive_worker.sync.page_sharing import moved_corpora
from google_drive_worker.sync.plan import ReadChanges
from google_drive_worker.sync.scope import is_restricted, with_roots
from google_drive_worker.sync.step import (
    Step,
    counted,
    doubting,
    sighted,
    with_corpus,
    with_sync,
    with_written,
)
from google_drive_worker.sync.tokens import follow, is_given_up, no_progress
from google_drive_worker.sync.walks import is_trash_left_out, walk_of, with_walk, write_now


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
    if checkpoint.sync is not None and action.corpus in checkpoint.sync.own_starts:  # its log can be read from before
        left = {name: each for name, each in checkpoint.sync.own_starts.items() if name != action.corpus}
        checkpoint = with_sync(checkpoint, replace(checkpoint.sync, own_starts=left))
    return Step(checkpoint, tuple(writer.records), (*errors, *writer.errors), writer.changes)


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
    if checkpoint.scope.sync_changes and (not is_restricted(checkpoint.scope) or _is_told(entry, writer)):
        writer.records.extend(events_of(checkpoint, action, index, entry, normalizer))
    return _on_change(checkpoint, action.corpus, entry, writer, normalizer)


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
    # An entry of the page may have had the corpus listed again: its log is read on after that.
    stage: Stage = "listing" if corpus.stage == "listing" else "done"
    return replace(
        corpus, stage=stage, change_token=token, trouble=0, fresh=False, trail=replace(corpus.trail, stalls=0)
    )


def _on_change(
    checkpoint: Checkpoint, corpus: str, change: Change, writer: ItemWriter, normalizer: Normalizer
) -> Checkpoint:
    if change.change_type == "drive":
        checkpoint, records = on_drive_change(checkpoint, corpus, change, normalizer)
        writer.extend(records)
        return checkpoint
    file = change.file
    file_id = change.file_id or (file.id if file else None)
    if file_id is None:
        return checkpoint
    if change.removed or file is None:
        return _removed(checkpoint, Removal(file_id, corpus, told=True), writer, normalizer)
    if writer.is_followed(file.drive_id) and file.drive_id not in checkpoint.corpora:
        # The same page tells that the drive was left, and the answer was judged while the account was a member.
        return _asked_again(checkpoint, file)
    if belongs(checkpoint, corpus, file.drive_id):
        return _changed(checkpoint, file, writer, normalizer)
    home = checkpoint.corpora.get(file.drive_id or "")
    if corpus == USER_CORPUS and home is not None:
        if not is_in_users_log_alone(home, file_id, file.drive_id, file.parents) and not is_trash_left_out(
            checkpoint, file
        ):
            writer.write_view(normalizer.transform_file(file))
            return checkpoint  # the drive's own log has it too, but for the account's own view of it
        # The drive has been joined just now: what happened to the item before is in no log of the drive's that will be
        # read. Or it came inside a folder: the drive's log names the folder alone, and no walk sees the item where that
        # folder is not for the account to see, or the item is in the trash.
        return _changed(with_written(checkpoint, file.drive_id), file, writer, normalizer)
    return _removed(checkpoint, Removal(file_id, corpus, told=True), writer, normalizer)


def _changed(checkpoint: Checkpoint, file: DriveFile, writer: ItemWriter, normalizer: Normalizer) -> Checkpoint:
    is_held = writer.may_hold(file.id)
    write_now(checkpoint, file, writer, normalizer)
    is_fresh = any(corpus.fresh for corpus in checkpoint.corpora.values())
    if file.id in writer.spreading or (file.is_folder and is_fresh and (is_held or not writer.is_outside(file.id))):
        checkpoint = with_walk(checkpoint, walk_of(checkpoint, file))
    return checkpoint


def _asked_again(checkpoint: Checkpoint, file: DriveFile) -> Checkpoint:
    sync = checkpoint.sync
    if sync is None:
        return checkpoint
    checkpoint = with_sync(checkpoint, replace(sync, removals=(*sync.removals, Removal(FileId(file.id), NO_CORPUS))))
    return with_walk(checkpoint, walk_of(checkpoint, file)) if file.is_folder else checkpoint


def _removed(checkpoint: Checkpoint, removal: Removal, writer: ItemWriter, normalizer: Normalizer) -> Checkpoint:
    sync = checkpoint.sync
    if not writer.may_hold(removal.file_id) and all(gap.id != removal.file_id for gap in checkpoint.gaps):
        return checkpoint
    if len(checkpoint.corpora) == 1 or sync is None:
        writer.extend(deletions_of(removal.file_id, None, "removed", normalizer))
        return checkpoint
    same = removal.file_id, removal.corpus
    others = tuple(other for other in sync.removals if (other.file_id, other.corpus) != same)
    return with_sync(checkpoint, replace(sync, removals=(*others, removal)))
