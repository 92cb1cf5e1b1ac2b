"""Revisions and comments: read after a sync's metadata, of the files that changed or, in a full sync, of all.

A list of each file's costs a hundred times what a file costs in a listing, so the metadata comes first. Which files are
read, the item index tells (`passes`). In a full sync that is part of it, whose closing record stands at its end; but an
incremental sync that is asked for meanwhile is not kept waiting: between two steps the logs are read on (`let_in`).
However often that is, the passes go on in between (`pass_pages_due`).

They are read only while nothing else is: what a log says of a file comes before or after what hangs on it, never
between.

What Google's logs do not tell: a revision that is purged, or kept forever, while the head stays. The next full sync
sets that right.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from google_drive_worker.domain.details import Comment, Revision
from google_drive_worker.domain.drive import Change, DriveFile, UnreadableItem, odd_in
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import DetailDigests, IndexChanges, ItemEntry, ItemIndex
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import DeleteCause, ErrorReport, Record, ResourceType
from google_drive_worker.sync.checkpoint import Checkpoint, GapScope, Scope, Sync
from google_drive_worker.sync.error_reports import skipped, unread
from google_drive_worker.sync.gaps import (
    as_gap,
    close_gaps,
    find_gap,
    forget_scopes,
    is_confirmed,
    is_confirmed_of_many,
    is_told,
    note_lossy,
    open_gap,
    unreadable,
)
from google_drive_worker.sync.item_writer import full_sync_of, held
from google_drive_worker.sync.items import ItemsAnswer
from google_drive_worker.sync.listing import home_of_entry
from google_drive_worker.sync.plan import Action, ReadContent, ReadDetails
from google_drive_worker.sync.step import Step, counted, is_hidden, to_follow, with_gone, with_sync
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, SkipItem

LOGS_A_PAGE = 50
"""For how many change logs that a sync reads which is let in the passes take files once more before the next one."""


class Hanging(msgspec.Struct, frozen=True):
    """What hangs on some files: the answer to `ReadDetails`.

    A file that was not asked for is in neither mapping; one that can't be had has its reason in its place, and so has
    an element of its list that can't be read.
    """

    revisions: Mapping[FileId, tuple[Revision | UnreadableItem, ...] | SkipItem]
    comments: Mapping[FileId, tuple[Comment | UnreadableItem, ...] | SkipItem]


def let_in(checkpoint: Checkpoint, scope: Scope) -> Checkpoint | None:
    """The checkpoint with what is owed let in before what hangs on files; `None` where nothing is owed, or all that is
    left of the sync is not just that.

    An incremental sync becomes part of this one: the logs are read on. So a file whose comments can't be had holds up
    no other's changes. The next one is let in when the passes have taken the next files so many times as are due then,
    for which all that was noted by then is read. For a full sync, or another scope, the running one ends without a
    closing record, since not all was read and the next one reads all of it again. A wish in another customer's name
    waits for the end: it may come to nothing.
    """
    sync, owed = checkpoint.sync, checkpoint.owed
    if sync is None or owed is None or not goes_first(checkpoint):
        return None
    if owed.customer_id != checkpoint.customer_id or checkpoint.contested:
        return None
    if owed.kind == "full" or not checkpoint.scope.mirrors_as(scope):
        return replace(checkpoint, sync=None)
    sync = replace(sync, pass_pages_due=1 + len(checkpoint.corpora) // LOGS_A_PAGE)
    return replace(checkpoint, scope=scope, owed=None, sync=sync, corpora=to_follow(checkpoint.corpora, owed.corpora))


def goes_first(checkpoint: Checkpoint) -> bool:
    """Whether what is owed goes before what is left of the sync. A full sync whose passes are through reads the few
    files that are left and closes first: it would not close otherwise, where each sync that is let in adds some."""
    sync, owed = checkpoint.sync, checkpoint.owed
    if sync is None or owed is None or not is_all_that_is_left(checkpoint):
        return False
    if owed.kind == "full":
        return True
    is_closing = sync.kind == "full" and not (sync.details or sync.content)
    return sync.pass_pages_due == 0 and not is_closing


def pass_page_read(step: Step, action: Action) -> Step:
    """Return the step with one less due, where the action read a few files and no pass is left to go on."""
    sync = None if step.checkpoint is None else step.checkpoint.sync
    if step.checkpoint is None or sync is None or sync.pass_pages_due == 0:
        return step
    if not isinstance(action, ReadDetails | ReadContent) or sync.details or sync.content:
        return step
    sync = replace(sync, pass_pages_due=sync.pass_pages_due - 1)
    return replace(step, checkpoint=with_sync(step.checkpoint, sync))


def pass_page_failed(checkpoint: Checkpoint, action: Action) -> Checkpoint:
    """Return the checkpoint with no page due, where the action was of the pass: what fails holds up no log."""
    sync = checkpoint.sync
    if sync is None or not isinstance(action, ReadDetails | ReadContent):
        return checkpoint
    return with_sync(checkpoint, replace(sync, pass_pages_due=0))


def is_all_that_is_left(checkpoint: Checkpoint) -> bool:
    """Whether the sync has nothing more to do than to read what hangs on files."""
    sync = checkpoint.sync
    if sync is None or sync.walks or sync.removals:
        return False
    if not (sync.details or sync.changed or sync.content or sync.contents):
        return False
    return all(
        corpus.held or (corpus.stage == "done" and not corpus.members_due and not corpus.doubtful)
        for corpus in checkpoint.corpora.values()
    )


def on_refused(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint without the pass, where a scope does not cover it: nobody asks again before the next full sync.

    So it is one error, however many syncs have files that changed. Contents may be covered all the same.
    """
    sync = checkpoint.sync
    left = None if sync is None else replace(sync, details=(), changed=())
    checkpoint = forget_scopes(checkpoint, ("revisions", "comments"))
    return replace(checkpoint, sync=left, details_refused=True)


def files_in(answer: ItemsAnswer) -> Iterator[DriveFile]:
    """The items that an answer shows, those that can be read; read only as they are asked for."""
    shown = answer.values() if isinstance(answer, Mapping) else answer.items()
    for item in shown:
        file = item.file if isinstance(item, Change) else item
        if isinstance(file, DriveFile):
            yield file


def on_details(
    checkpoint: Checkpoint, sync: Sync, action: ReadDetails, answer: Hanging, index: ItemIndex, normalizer: Normalizer
) -> Step:
    """What hangs on files is held against what was written of it."""
    written = _write(checkpoint, answer, index, normalizer)
    left = tuple(each for each in sync.changed if each not in action.changed)
    sync = replace(counted(sync, written.records), changed=left)
    return replace(written, checkpoint=with_sync(with_gone(written.checkpoint or checkpoint, _gone_of(answer)), sync))


def _gone_of(answer: Hanging) -> Iterator[FileId]:
    """The files to be looked for again should a drive be joined once more: nothing that was asked of them is found.

    That deletes nothing. Whether a file is gone its log says: there are files of which Google finds no comments, or no
    revisions, though they are there.
    """
    found = (answer.revisions, answer.comments)
    for file_id in dict.fromkeys(chain(*found)):
        if all(isinstance(each[file_id], NotFound) for each in found if file_id in each):
            yield file_id


def _write(checkpoint: Checkpoint, answer: Hanging, index: ItemIndex, normalizer: Normalizer) -> Step:
    """The records of what hangs on files that are held, as far as they differ from those written last; all of them
    where a full sync is not completed. What can't be had is a gap."""
    hanging = _HangingWriter(index, normalizer, is_whole=full_sync_of(checkpoint) is not None)
    errors: list[ErrorReport] = []
    for file_id, revisions in answer.revisions.items():
        entry = hanging.entry(file_id)
        if entry is None:
            continue  # it was deleted meanwhile, with what hung on it
        home = home_of_entry(checkpoint, entry)
        if isinstance(revisions, SkipItem):
            checkpoint, more, is_owed = _unread(checkpoint, "revisions", file_id, home, revisions)
            errors += more
            if is_hidden(revisions) and not is_owed:
                hanging.write("revision", file_id, {}, cause="access_lost")
            hanging.entries[file_id] = replace(entry, revisions_due=is_owed)
            continue
        checkpoint, odd = _with_elements(checkpoint, "revisions", file_id, home, revisions)
        errors.extend(odd.reports)
        kept = checkpoint.scope.max_revisions or len(revisions)
        newest = revisions[-kept:] if kept else ()
        beyond = {each.id for each in revisions[: len(revisions) - kept] if isinstance(each, Revision)}
        read = {each.id: each for each in newest if isinstance(each, Revision)}
        told = [normalizer.transform_revision(file_id, each) for each in read.values()]
        hanging.write("revision", file_id, dict(zip(read, told, strict=True)), is_partial=odd.any, beyond=beyond)
        hanging.entries[file_id] = replace(entry, revisions_due=odd.any)
    for file_id, comments in answer.comments.items():
        entry = hanging.entry(file_id)
        if entry is None:
            continue
        home = home_of_entry(checkpoint, entry)
        if isinstance(comments, SkipItem):
            checkpoint, more, is_owed = _unread(checkpoint, "comments", file_id, home, comments)
            errors += more
            if is_hidden(comments) and not is_owed:
                hanging.write("comment", file_id, {}, cause="access_lost")
            said_before = entry.comments if is_owed else bool(entry.comments)
            hanging.entries[file_id] = replace(entry, comments=said_before, comments_due=is_owed)
            continue
        checkpoint, odd = _with_elements(checkpoint, "comments", file_id, home, comments)
        errors.extend(odd.reports)
        said = {each.id: each for each in comments if isinstance(each, Comment) and not each.deleted}
        told = [normalizer.transform_comment(file_id, each) for each in said.values()]
        hanging.write("comment", file_id, dict(zip(said, told, strict=True)), is_partial=odd.any)
        hanging.entries[file_id] = replace(entry, comments=odd.any or bool(said), comments_due=odd.any)
    return Step(checkpoint, tuple(hanging.records), tuple(errors), hanging.changes)


class _HangingWriter:
    """Gathers the records of what hangs on files, and what they change of the index."""

    def __init__(self, index: ItemIndex, normalizer: Normalizer, *, is_whole: bool) -> None:
        self.records: list[Record] = []
        self.entries: dict[FileId, ItemEntry | None] = {}
        self._details: dict[FileId, DetailDigests | None] = {}
        self._index = index
        self._normalizer = normalizer
        self._is_whole = is_whole

    @property
    def changes(self) -> IndexChanges:
        """What differs from the index."""
        entries = {file_id: entry for file_id, entry in self.entries.items() if entry != self._index.get(file_id)}
        details = {each: digests for each, digests in self._details.items() if digests != self._index.details(each)}
        return IndexChanges(entries, details)

    def entry(self, file_id: FileId) -> ItemEntry | None:
        """The file's entry, where the mirror holds the file."""
        return self.entries.get(file_id) or held(self._index, file_id)

    def write(
        self,
        kind: Literal["revision", "comment"],
        file_id: FileId,
        records: Mapping[str, Record],
        *,
        is_partial: bool = False,
        beyond: Collection[str] = (),
        cause: DeleteCause = "removed",
    ) -> None:
        """Write those records that differ, and the deletes of those that are gone; of a list that `is_partial` none is.
        Those `beyond` how many are mirrored are out of scope."""
        before = self._details.get(file_id) or self._index.details(file_id) or DetailDigests()
        old = dict((before.revisions if kind == "revision" else before.comments) or ())
        now = {each: self._normalizer.digest_of_record(record) for each, record in records.items()}
        for each in old if not is_partial else ():
            if each not in now:
                why = "out_of_scope" if each in beyond else cause
                self.records.append(self._normalizer.deletion(kind, f"{file_id}/{each}", why))
        self.records.extend(record for each, record in records.items() if self._is_whole or old.get(each) != now[each])
        digests = tuple(sorted(({**old, **now} if is_partial else now).items()))
        is_revision = kind == "revision"
        self._details[file_id] = (
            replace(before, revisions=digests) if is_revision else replace(before, comments=digests)
        )


class _Unread(NamedTuple):
    """The checkpoint with a list that can't be had, its error records, and whether it is asked for again."""

    checkpoint: Checkpoint
    errors: tuple[ErrorReport, ...] = ()
    is_owed: bool = False


def _unread(checkpoint: Checkpoint, scope: GapScope, file_id: FileId, corpus: str, problem: SkipItem) -> _Unread:
    """What a file's list that can't be had comes to: a gap, an error record, or nothing where it is not for the account
    to see. None of it says that the file is gone.

    That nothing is found is believed the second time: one such answer would take all that is held of the list away.
    """
    is_missing = isinstance(problem, NotFound) or problem.http_status == _NOT_FOUND
    is_believed = is_confirmed(find_gap(checkpoint, scope, file_id)) or is_confirmed_of_many(checkpoint, corpus)
    if isinstance(problem, ItemUnavailable) or (is_missing and not is_believed):
        opened = open_gap(checkpoint, scope, file_id, corpus, as_gap(problem), missing=is_missing)
        return _Unread(*opened, is_owed=True)
    checkpoint = close_gaps(checkpoint, [(scope, file_id)])
    if is_hidden(problem):
        return _Unread(checkpoint)
    return _Unread(checkpoint, (unread(checkpoint, "file", file_id, scope, problem),))


_NOT_FOUND = 404


class _Odd(NamedTuple):
    """Whether a file's list holds elements that can't be read, and their error records where they are new."""

    any: bool
    reports: tuple[ErrorReport, ...] = ()


def _with_elements(
    checkpoint: Checkpoint, scope: GapScope, file_id: FileId, corpus: str, elements: Iterable[object]
) -> tuple[Checkpoint, _Odd]:
    """The checkpoint with a gap of the list where some of it can't be read, and without one where all of it was."""
    elements = tuple(elements)
    odd = odd_in(elements)
    if not odd and any(isinstance(each, Revision | Comment) and each.lossy for each in elements):
        return note_lossy(checkpoint, scope, file_id, corpus), _Odd(any=False)
    if not odd:
        return close_gaps(checkpoint, [(scope, file_id)]), _Odd(any=False)
    before = checkpoint
    checkpoint, _ = open_gap(checkpoint, scope, file_id, corpus, unreadable(odd[0].problem))
    kind: ResourceType = "revision" if scope == "revisions" else "comment"
    reports = tuple(
        skipped(checkpoint, file_id if each.id is None else f"{file_id}/{each.id}", kind, each.problem) for each in odd
    )
    return checkpoint, _Odd(any=True, reports=reports if is_told(checkpoint, before, scope, file_id) else ())
