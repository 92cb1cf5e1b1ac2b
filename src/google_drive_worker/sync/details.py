"""Revisions and comments: a pass of their own after a full sync's metadata, and what the logs tell of afterwards.

A list of each file's costs a hundred times what a file costs in a listing, so the metadata comes first. When all of it
is written, every corpus that was listed is gone through once more, page by page, with no more of each file than tells
whether it can have revisions or comments. That is part of the full sync, whose closing record stands at its end; but an
incremental sync that is asked for meanwhile is not kept waiting: between two pages the logs are read on (`let_in`).
However often that is, the pass goes on by a page at least in between (`pass_pages_due`).

The pass' pages are read only while nothing else is: what a log says of a file comes before or after what hangs on it,
never between. A file that the logs tell of is read anew when they are through, its revisions where its head changed.

Of a file of which the account may read less than it did, what it read is deleted, by what the index holds of it. One of
which it may read more is read, also where a walk brings it: no log tells of a folder's sharing below the folder.

What Google's logs do not tell: a revision that is purged, or kept forever, while the head stays. The next full sync
sets that right.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Literal, NamedTuple, cast

import msgspec
from msgspec.structs import replace

from google_drive_worker.domain.details import Comment, DetailedFile, DetailsPage, Revision
from google_drive_worker.domain.drive import Change, DriveFile, UnreadableItem, odd_in
from google_drive_worker.domain.file_types import holds_of
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import DetailDigests, IndexChanges, ItemEntry, ItemIndex
from google_drive_worker.domain.lenient import UNREADABLE, Reader
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import DeleteCause, ErrorReport, Record, ResourceType
from google_drive_worker.sync.checkpoint import Changed, Checkpoint, GapScope, Reading, Scope, Sync
from google_drive_worker.sync.content import on_metadata_listed
from google_drive_worker.sync.error_reports import skipped, unread
from google_drive_worker.sync.gaps import (
    Opened,
    as_gap,
    close_gaps,
    find_gap,
    forget_scopes,
    home_of,
    is_confirmed,
    is_confirmed_of_many,
    is_told,
    note_lossy,
    open_gap,
    read_on,
    unreadable,
    unreadable_of_pass,
)
from google_drive_worker.sync.item_writer import full_sync_of, held, is_gone_now, merged
from google_drive_worker.sync.items import NOWHERE, ItemsAnswer, Places, held_of, misplaced_in
from google_drive_worker.sync.listing import belongs, corpus_of
from google_drive_worker.sync.plan import Action, ListContent, ListDetails, ReadContent, ReadDetails
from google_drive_worker.sync.scope import gone_through, wants_contents, wants_details
from google_drive_worker.sync.step import Step, counted, is_hidden, to_follow, with_gone, with_sync
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, SkipItem

_READ_IN_PART = ""
"""The head that revisions were read at where not all of them could be: other than any, so that they are read again when
their file changes."""

LOGS_A_PAGE = 50
"""For how many change logs that a sync reads which is let in a page more of the pass is read before the next one."""

CHANGED_AT_MOST = 500
"""How many changed files are kept in mind: more would weigh on every step, and all of them are gone through instead."""


class Hanging(msgspec.Struct, frozen=True):
    """What hangs on some files: the answer to `ReadDetails`, and with its page that to `ListDetails`.

    A file that was not asked for is in neither mapping; one that can't be had has its reason in its place, and so has
    an element of its list that can't be read. `places` tells which files of the page were left out.
    """

    revisions: Mapping[FileId, tuple[Revision | UnreadableItem, ...] | SkipItem]
    comments: Mapping[FileId, tuple[Comment | UnreadableItem, ...] | SkipItem]
    page: DetailsPage | None = None
    places: Places = NOWHERE


def changed_of(scope: Scope, file: DetailedFile) -> Changed | None:
    """What is to be asked of a file, if anything: what its type lacks, or the account may not read, is not asked."""
    holds, may = holds_of(file.mime_type), file.capabilities or {}
    revisions = scope.sync_revisions and holds.revisions and may.get("canReadRevisions") is not False
    comments = scope.sync_comments and holds.comments and may.get("canComment") is not False
    if not (revisions or comments):
        return None
    return Changed(file.id, revisions, comments, file.head_revision_id or file.modified_time)


def on_metadata_done(checkpoint: Checkpoint, sync: Sync) -> Checkpoint | None:
    """The sync with the pass begun, where all else is done and one is due; `None` where nothing is left to begin."""
    if not sync.listed or not (wants_details(checkpoint) or wants_contents(checkpoint)):
        return None
    listed = tuple(name for name in sync.listed if name in checkpoint.corpora)
    due = tuple(map(Reading, listed)) if wants_details(checkpoint) else ()
    content = (*sync.content, *on_metadata_listed(checkpoint, listed))
    return with_sync(checkpoint, replace(sync, listed=(), details=(*sync.details, *due), content=content))


def let_in(checkpoint: Checkpoint, scope: Scope) -> Checkpoint | None:
    """The checkpoint with what is owed let in before what hangs on files; `None` where nothing is owed, or all that is
    left of the sync is not just that.

    An incremental sync becomes part of this one: the logs are read on. So a file whose comments can't be had holds up
    no other's changes. The next one is let in when as many pages of the pass were read as are due then. For a full
    sync, or another scope, the running one ends without a closing record, since not all was read and the next one reads
    all of it again. A wish in another customer's name waits for the end: it may come to nothing.
    """
    sync, owed = checkpoint.sync, checkpoint.owed
    if sync is None or owed is None or not goes_first(checkpoint):
        return None
    if owed.customer_id != checkpoint.customer_id or checkpoint.contested:
        return None
    if owed.kind == "full" or not checkpoint.scope.mirrors_as(scope):
        return replace(checkpoint, sync=None)
    sync = replace(sync, pass_pages_due=1 + len(checkpoint.corpora) // LOGS_A_PAGE)
    return replace(checkpoint, scope=scope, owed=None, sync=sync, corpora=to_follow(checkpoint.corpora, scope))


def goes_first(checkpoint: Checkpoint) -> bool:
    """Whether what is owed goes before what is left of the sync."""
    sync, owed = checkpoint.sync, checkpoint.owed
    if sync is None or owed is None or not is_all_that_is_left(checkpoint):
        return False
    return owed.kind == "full" or sync.pass_pages_due == 0


def pass_page_read(step: Step, action: Action) -> Step:
    """Return the step with a page less due, where the action was one: changed files count where no page is left."""
    sync = None if step.checkpoint is None else step.checkpoint.sync
    if step.checkpoint is None or sync is None or sync.pass_pages_due == 0:
        return step
    is_page = isinstance(action, ListDetails | ListContent)
    if not is_page and (sync.details or sync.content or not isinstance(action, ReadDetails | ReadContent)):
        return step
    sync = replace(sync, pass_pages_due=sync.pass_pages_due - 1)
    return replace(step, checkpoint=with_sync(step.checkpoint, sync))


def pass_page_failed(checkpoint: Checkpoint, action: Action) -> Checkpoint:
    """Return the checkpoint with no page due, where the action was of the pass: what fails holds up no log."""
    sync = checkpoint.sync
    if sync is None or not isinstance(action, ListDetails | ReadDetails | ListContent | ReadContent):
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
    checkpoint = forget_scopes(checkpoint, ("details", "revisions", "comments"))
    return replace(checkpoint, sync=left, details_refused=True)


def noted(
    step: Step, files: Iterable[DriveFile], index: ItemIndex, normalizer: Normalizer, *, told: bool, anew: bool = False
) -> Step:
    """The step with the files of its answer to be read again for what hangs on them; those that it deleted need it no
    more.

    Of what a log or a look-up has `told` of: comments, and revisions where the head is another one; nothing where only
    the account's own view of the file has changed. Of what a walk brings: what was never read. Files of which nothing
    is held, or none of it counts (`anew`), are read as a whole. What the account may not read any more is deleted.
    """
    checkpoint = step.checkpoint
    if checkpoint is None or checkpoint.sync is None or not wants_details(checkpoint):
        return step
    sync, scope, entries = checkpoint.sync, checkpoint.scope, step.changes.entries
    changed = {each.file_id: each for each in sync.changed if not is_gone_now(entries, each.file_id)}
    lost: list[tuple[FileId, Changed | None]] = []
    for file in files:
        known = held(index, file.id)
        name = corpus_of(checkpoint, file.drive_id)
        if name in sync.listed or is_gone_now(entries, file.id) or (known is None and file.id not in entries):
            continue  # its turn comes with all of its corpus, or there is nothing to be read
        may = changed_of(scope, _detailed(file))
        if known is not None and not file.is_folder:
            lost.append((file.id, may))
        due = may
        if may is not None and known is not None and not anew:
            after = entries.get(file.id) or known
            passes = any(each.corpus == name for each in sync.details)
            due = _told_of(may, known, after) if told else None if passes else _never_read(may, known)
        earlier = changed.pop(file.id, None)
        if may is not None and (due is not None or earlier is not None):
            nothing = replace(may, revisions=False, comments=False)
            due = _with_earlier(due or nothing, may, earlier)
            if due.revisions or due.comments:
                changed[file.id] = due
    step = replace(step, checkpoint=_with_changed(checkpoint, sync, changed.values()))
    return without_lost(step, lost, index, normalizer)


def _told_of(may: Changed, known: ItemEntry, after: ItemEntry) -> Changed | None:
    """What is to be read of a file that is held and that a log names. `version` rises with every change but the
    account's own view of a file; whether it does with a comment is not documented."""
    same_head = known.head is not None and known.head == may.head
    due = replace(may, revisions=may.revisions and not same_head)
    if known.version is not None and known.version == after.version:
        is_view = known.digest != after.digest and known.comments is not None
        due = replace(due, comments=due.comments and not is_view)
    return due if due.revisions or due.comments else None


def _never_read(may: Changed, known: ItemEntry) -> Changed | None:
    """What was never read of a file that is held, or whose revisions have another head."""
    same_head = known.head is not None and known.head == may.head
    due = replace(may, revisions=may.revisions and not same_head, comments=may.comments and known.comments is None)
    return due if due.revisions or due.comments else None


def _with_earlier(due: Changed, may: Changed, earlier: Changed | None) -> Changed:
    """What is due, with what an earlier step of the sync left to be read: a log tells of a file, then its folder's walk
    brings it once more. What the account may not read any more is left out."""
    if earlier is None:
        return due
    return replace(
        due,
        revisions=due.revisions or (may.revisions and earlier.revisions),
        comments=due.comments or (may.comments and earlier.comments),
    )


def without_lost(
    step: Step, may_read: Iterable[tuple[FileId, Changed | None]], index: ItemIndex, normalizer: Normalizer
) -> Step:
    """The step with the deletes of what hangs on files and the account may not read any more, by what it may read."""
    records: list[Record] = []
    entries: dict[FileId, ItemEntry | None] = {}
    details: dict[FileId, DetailDigests | None] = {}
    for file_id, may in may_read:
        written = index.details(file_id)
        entry = step.changes.entries.get(file_id) or held(index, file_id)
        if written is None or entry is None:
            continue
        for kind, ids, is_kept in (
            ("revision", written.revisions, may is not None and may.revisions),
            ("comment", written.comments, may is not None and may.comments),
        ):
            if ids is None or is_kept:
                continue
            records += [
                normalizer.deletion(cast("ResourceType", kind), f"{file_id}/{each}", "access_lost") for each, _ in ids
            ]
            if kind == "revision":
                entry, written = replace(entry, head=None), replace(written, revisions=None)
            else:
                entry, written = replace(entry, comments=None), replace(written, comments=None)
            entries[file_id], details[file_id] = entry, written
    if not entries:
        return step
    checkpoint = step.checkpoint
    if checkpoint is not None and checkpoint.sync is not None:
        checkpoint = with_sync(checkpoint, counted(checkpoint.sync, records))
    changes = merged(step.changes, IndexChanges(entries, details))
    return replace(step, checkpoint=checkpoint, records=(*step.records, *records), changes=changes)


def files_in(answer: ItemsAnswer) -> Iterator[DriveFile]:
    """The items that an answer shows, those that can be read; read only as they are asked for."""
    shown = answer.values() if isinstance(answer, Mapping) else answer.items()
    for item in shown:
        file = item.file if isinstance(item, Change) else item
        if isinstance(file, DriveFile):
            yield file


def _with_changed(checkpoint: Checkpoint, sync: Sync, changed: Iterable[Changed]) -> Checkpoint:
    kept = tuple(changed)
    if len(kept) <= CHANGED_AT_MOST and not sync.details:
        return with_sync(checkpoint, replace(sync, changed=kept))
    everything = tuple(Reading(name) for name in gone_through(checkpoint) if name not in sync.listed)
    if len(kept) > CHANGED_AT_MOST or (everything and set(everything) <= set(sync.details)):
        # Also what was gone through already: they may stand on any page.
        return with_sync(checkpoint, replace(sync, changed=(), details=everything))
    return with_sync(checkpoint, replace(sync, changed=kept))


def on_details_page(
    checkpoint: Checkpoint, sync: Sync, action: ListDetails, answer: Hanging, index: ItemIndex, normalizer: Normalizer
) -> Step:
    """A page of the pass is written; the corpus goes on at its token, or is through."""
    page = answer.page or DetailsPage()
    heads = {file.id: file.head_revision_id or file.modified_time for file in page.read}
    reading = next(each for each in sync.details if each.corpus == action.corpus)
    written = _write(checkpoint, heads, answer, index, normalizer, corpus=action.corpus)
    checkpoint = with_gone(written.checkpoint or checkpoint, _gone_of(answer))
    unreadable_files = odd_in(page.files)
    checkpoint, odd = unreadable_of_pass(checkpoint, ("revisions", "comments"), unreadable_files, action.corpus)
    checkpoint, doubtful = misplaced_in(
        checkpoint, answer.places, lambda _: action.corpus, held_of(answer.places, index)
    )
    incomplete = page.incomplete_search or any(each.id is None for each in unreadable_files)
    after, checkpoint, errors = read_on(checkpoint, "details", reading, page.next_page_token, incomplete=incomplete)
    details = tuple(each for each in (after if each == reading else each for each in sync.details) if each is not None)
    sync = replace(counted(sync, written.records), details=details)
    step = replace(written, checkpoint=with_sync(checkpoint, sync), errors=(*written.errors, *odd, *doubtful, *errors))
    ours = [file for file in page.read if belongs(checkpoint, action.corpus, file.drive_id)]
    return without_lost(step, [(file.id, changed_of(checkpoint.scope, file)) for file in ours], index, normalizer)


def on_details(
    checkpoint: Checkpoint, sync: Sync, action: ReadDetails, answer: Hanging, index: ItemIndex, normalizer: Normalizer
) -> Step:
    """What hangs on changed files is held against what was written of it."""
    heads = {each.file_id: each.head for each in action.changed}
    written = _write(checkpoint, heads, answer, index, normalizer, corpus=None)
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


def _write(
    checkpoint: Checkpoint,
    heads: Mapping[FileId, str | None],
    answer: Hanging,
    index: ItemIndex,
    normalizer: Normalizer,
    *,
    corpus: str | None,
) -> Step:
    """The records of what hangs on files that are held, as far as they differ from those written last; all of them
    where a full sync is not completed.

    What can't be had is a gap of `corpus`, or where that is not known, of the file's earlier gap or the user's corpus.
    """
    hanging = _HangingWriter(index, normalizer, is_whole=full_sync_of(checkpoint) is not None)
    errors: list[ErrorReport] = []
    for file_id, revisions in answer.revisions.items():
        entry = hanging.entry(file_id)
        if entry is None:
            continue  # it was deleted meanwhile, with what hung on it
        if isinstance(revisions, SkipItem):
            checkpoint, more = _unread(checkpoint, "revisions", file_id, corpus, revisions)
            errors += more
            if is_hidden(revisions) and find_gap(checkpoint, "revisions", file_id) is None:
                hanging.write("revision", file_id, {}, cause="access_lost")
            continue
        checkpoint, odd = _with_elements(checkpoint, "revisions", file_id, corpus, revisions)
        errors.extend(odd.reports)
        kept = checkpoint.scope.max_revisions or len(revisions)
        newest = revisions[-kept:] if kept else ()
        beyond = {each.id for each in revisions[: len(revisions) - kept] if isinstance(each, Revision)}
        read = {each.id: each for each in newest if isinstance(each, Revision)}
        told = [normalizer.transform_revision(file_id, each) for each in read.values()]
        hanging.write("revision", file_id, dict(zip(read, told, strict=True)), is_partial=odd.any, beyond=beyond)
        hanging.entries[file_id] = replace(entry, head=_READ_IN_PART if odd.any else heads.get(file_id))
    for file_id, comments in answer.comments.items():
        entry = hanging.entry(file_id)
        if entry is None:
            continue
        if isinstance(comments, SkipItem):
            checkpoint, more = _unread(checkpoint, "comments", file_id, corpus, comments)
            errors += more
            if is_hidden(comments) and find_gap(checkpoint, "comments", file_id) is None:
                hanging.write("comment", file_id, {}, cause="access_lost")
            continue
        checkpoint, odd = _with_elements(checkpoint, "comments", file_id, corpus, comments)
        errors.extend(odd.reports)
        said = {each.id: each for each in comments if isinstance(each, Comment) and not each.deleted}
        told = [normalizer.transform_comment(file_id, each) for each in said.values()]
        hanging.write("comment", file_id, dict(zip(said, told, strict=True)), is_partial=odd.any)
        hanging.entries[file_id] = replace(entry, comments=odd.any or bool(said))
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


def _unread(checkpoint: Checkpoint, scope: GapScope, file_id: FileId, corpus: str | None, problem: SkipItem) -> Opened:
    """What a file's list that can't be had comes to: a gap, an error record, or nothing where it is not for the account
    to see. None of it says that the file is gone.

    That nothing is found is believed the second time: one such answer would take all that is held of the list away.
    """
    is_missing = isinstance(problem, NotFound) or problem.http_status == _NOT_FOUND
    is_believed = is_confirmed(find_gap(checkpoint, scope, file_id)) or is_confirmed_of_many(checkpoint, corpus)
    if isinstance(problem, ItemUnavailable) or (is_missing and not is_believed):
        home = corpus or home_of(checkpoint, scope, file_id)
        return open_gap(checkpoint, scope, file_id, home, as_gap(problem), missing=is_missing)
    checkpoint = close_gaps(checkpoint, [(scope, file_id)])
    if is_hidden(problem):
        return Opened(checkpoint)
    return Opened(checkpoint, (unread(checkpoint, "file", file_id, scope, problem),))


_NOT_FOUND = 404


class _Odd(NamedTuple):
    """Whether a file's list holds elements that can't be read, and their error records where they are new."""

    any: bool
    reports: tuple[ErrorReport, ...] = ()


def _with_elements(
    checkpoint: Checkpoint, scope: GapScope, file_id: FileId, corpus: str | None, elements: Iterable[object]
) -> tuple[Checkpoint, _Odd]:
    """The checkpoint with a gap of the list where some of it can't be read, and without one where all of it was."""
    elements = tuple(elements)
    odd, home = odd_in(elements), corpus or home_of(checkpoint, scope, file_id)
    if not odd and any(isinstance(each, Revision | Comment) and each.lossy for each in elements):
        return note_lossy(checkpoint, scope, file_id, home), _Odd(any=False)
    if not odd:
        return close_gaps(checkpoint, [(scope, file_id)]), _Odd(any=False)
    before = checkpoint
    checkpoint, _ = open_gap(checkpoint, scope, file_id, home, unreadable(odd[0].problem))
    kind: ResourceType = "revision" if scope == "revisions" else "comment"
    reports = tuple(
        skipped(checkpoint, file_id if each.id is None else f"{file_id}/{each.id}", kind, each.problem) for each in odd
    )
    return checkpoint, _Odd(any=True, reports=reports if is_told(checkpoint, before, scope, file_id) else ())


def wanted_of(
    checkpoint: Checkpoint, corpus: str, page: DetailsPage, outside: Collection[FileId] = ()
) -> list[Changed]:
    """What is to be asked of the files of a page of the pass, those that are not out of scope."""
    return [
        due
        for file in page.read
        if (checkpoint.scope.include_trashed or not file.trashed) and belongs(checkpoint, corpus, file.drive_id)
        if file.id not in outside and (due := changed_of(checkpoint.scope, file)) is not None
    ]


_CAPABILITIES: Reader[dict[str, bool] | None] = Reader(dict[str, bool] | None)


def _detailed(file: DriveFile) -> DetailedFile:
    try:
        capabilities = _CAPABILITIES.read(file.capabilities) if file.capabilities else None
    except UNREADABLE:
        capabilities = None
    return DetailedFile(
        file.id,
        file.mime_type,
        file.drive_id,
        file.parents,
        file.trashed,
        file.modified_time,
        file.head_revision_id,
        capabilities,
    )
