"""The sync engine: pure decisions. What was asked for, what comes next, and what each answer comes to.

Theory of operation. A connection's checkpoint holds what it owes and the sync in progress. `begin` turns what is owed
into a sync; `plan.plan` says what may be fetched; each answer goes through `on_answer` (or `on_failure`), whose `Step`
is committed as a whole; when nothing is left to fetch, `complete` closes the sync. Steps of one connection are applied
in turn, in any order of answers: the fetches of one sync run side by side. The stages of a corpus:

    full sync, or drive joined:  start_token ──▶ listing ──▶ changes ──▶ done
    incremental sync:                                        changes ──▶ done

When all corpora are done, revisions and comments of what was listed or has changed are read: see `details`; then the
contents of files: see `content`.

A crash between two steps loses nothing: the checkpoint is the sync.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import cast

from msgspec.structs import replace

from google_drive_worker.domain.drive import ChangesPage, DrivesPage, FilesPage, SharedDrive
from google_drive_worker.domain.ids import ConnectionId, CustomerId, FileId, PageToken, new_sync_id
from google_drive_worker.domain.item_entry import IndexChanges, ItemEntry, ItemIndex
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import ErrorReport, SyncSummary
from google_drive_worker.domain.reports import SyncEnded
from google_drive_worker.domain.times import due_moment, rfc3339
from google_drive_worker.sync.change_log import on_changes
from google_drive_worker.sync.channels import untold
from google_drive_worker.sync.checkpoint import (
    NO_CORPUS,
    USER_CORPUS,
    Checkpoint,
    Corpus,
    GapScope,
    Lost,
    Owed,
    Parked,
    Removal,
    Scope,
    Sync,
    SyncKind,
    Unfinished,
    Walk,
)
from google_drive_worker.sync.content import (
    Contents,
    contents_noted,
    on_contents,
)
from google_drive_worker.sync.details import (
    Hanging,
    files_in,
    on_details,
    pass_page_read,
)
from google_drive_worker.sync.drives import delete_lost, on_drive_found
from google_drive_worker.sync.error_reports import notice_of
from google_drive_worker.sync.gap_retries import (
    GAP_RESTS,
    GapRests,
    has_due,
    next_retry,
    read_again,
    settle,
    try_due,
    without_unlisted,
)
from google_drive_worker.sync.gaps import (
    GapKey,
    as_gap,
    close_gaps,
    forget_items,
    hard_gaps,
    is_told,
    named_gaps,
    note_lossy,
    open_gap,
    report_missing,
    with_gaps_seen,
)
from google_drive_worker.sync.item_writer import EMPTY_INDEX, ItemWriter, gone_entry
from google_drive_worker.sync.items import (
    NOWHERE,
    ItemsAnswer,
    LookedUp,
    Shared,
    misplaced_in,
)
from google_drive_worker.sync.listing import corpus_of, on_drives, on_files, on_order, on_start_token
from google_drive_worker.sync.look_ups import on_looked_up, without_shown
from google_drive_worker.sync.members import misjudged, on_members, with_members_due
from google_drive_worker.sync.page_sharing import sighted_of
from google_drive_worker.sync.passes import note_due, read_on
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
    step_name,
    still_wanted,
)
from google_drive_worker.sync.rechecks import (
    NO_RECHECKS,
    Rechecks,
    begin_due,
    next_recheck,
    note_listed,
    settle_rechecks,
    verify_on,
)
from google_drive_worker.sync.scope import follows, holds_drive, with_roots
from google_drive_worker.sync.sharing import Found
from google_drive_worker.sync.step import Step, counted, to_follow, with_gone, with_sync
from google_drive_worker.sync.unseen import look_for_unseen
from google_drive_worker.sync.walks import on_children
from google_drive_worker.sync.witnesses import with_witnesses
from google_drive_worker.utils.errors import PageTokenRejected

MAX_CONTESTED = 8
"""How many customers' names at a time are kept of those that a connection can't all be of."""

CONNECTING = "Connect"
"""Name of the step before any fetch: finding the connection and its credentials."""

COMPLETING = "Complete"
"""Name of the step that ends a sync."""

TURN = "Turn"
"""Name of the step that a bug of our own stopped."""

Answer = PageToken | DrivesPage | SharedDrive | ItemsAnswer | Shared | Found | Hanging | Contents | tuple[str, ...]


def accept(checkpoint: Checkpoint | None, connection_id: ConnectionId, owed: Owed) -> Checkpoint:
    """A trigger becomes state: the connection owes a sync. Any number of triggers owe one at the most.

    One that comes during a sync makes an incremental sync follow, since the running one may have read the logs already.
    A full sync asked for during a full sync is that one, unless that one rests or has gaps: then it starts over. A sync
    that rests until somebody acts is tried again; one that rests until there are other credentials looks for them, and
    tries the same again where a full sync is wanted.
    """
    if checkpoint is None:
        checkpoint = Checkpoint(connection_id, owed.customer_id)
    running, kind_asked = checkpoint.sync, owed.kind
    ours = owed.customer_id == checkpoint.customer_id
    if owed.kind == "full" and running is not None and running.kind == "full" and ours:
        if checkpoint.parked is None and not checkpoint.gaps:
            owed = replace(owed, kind="incremental")
        else:
            checkpoint = replace(checkpoint, sync=None)
    parked = checkpoint.parked
    if parked is not None and (parked.until is None or parked.refused is not None):
        parked = replace(parked, until="", refused=None if kind_asked == "full" else parked.refused)
    wishes = [] if checkpoint.owed is None else [checkpoint.owed, *checkpoint.contested]
    before = next((wish for wish in wishes if wish.customer_id == owed.customer_id), None)
    if before is not None:  # the older cursor counts: the newer one leaves out what lies between
        kind: SyncKind = "full" if before.kind == "full" else owed.kind
        owed = replace(owed, kind=kind, page_token=before.page_token, corpora=_both(before.corpora, owed.corpora))
    # Whose the connection is, is known when the sync begins: till then no customer's wish takes another's place.
    others = [wish for wish in wishes if wish.customer_id != owed.customer_id]
    others.sort(key=lambda wish: wish.customer_id != checkpoint.customer_id)  # who it was of last is kept first
    return replace(checkpoint, owed=owed, contested=tuple(others[:MAX_CONTESTED]), parked=parked)


def _both(before: tuple[str, ...] | None, after: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The corpora that one of two wishes names, `None` where one wants all."""
    return None if before is None or after is None else tuple(dict.fromkeys((*before, *after)))


def due_at(checkpoint: Checkpoint, now: datetime) -> datetime | None:
    """When the connection wants its next turn: at once, at a later moment, or (`None`) not until a trigger comes.

    A rest that looks longer than any that is asked for is over.
    """
    if checkpoint.owed is None and checkpoint.sync is None:
        moments = (next_retry(checkpoint, now), next_recheck(checkpoint, now))
        retry = min((moment for moment in moments if moment is not None), default=None)
        parked = checkpoint.parked
        if retry is None or parked is None or not parked.until:
            return retry
        return max(retry, due_moment(parked.until, now))
    if checkpoint.parked is None or checkpoint.parked.until == "":
        return now
    if checkpoint.parked.until is None:
        return None
    return due_moment(checkpoint.parked.until, now)


def begin(
    checkpoint: Checkpoint,
    customer_id: CustomerId,
    scope: Scope,
    now: datetime,
    entropy: int,
    normalizer: Normalizer,
) -> Step:
    """What is owed becomes the sync in progress; a full one opens with its `sync` record.

    An incremental sync goes on from the worker's own cursors, else from the trigger's; with neither it is a full one.
    The trigger's is enough where there is no shared drive; as soon as one turns up, a full sync takes over.
    `customer_id` is the connection's own: a trigger in another customer's name begins nothing and is reported.
    `entropy` is 74 random bits for the sync's id.
    """
    if checkpoint.sync is not None:
        return Step(checkpoint)
    wishes = (*(() if checkpoint.owed is None else (checkpoint.owed,)), *checkpoint.contested)
    refused = tuple(_mismatch(checkpoint, wish) for wish in wishes if wish.customer_id != customer_id)
    owed = next((wish for wish in wishes if wish.customer_id == customer_id), None)
    if owed is None and not wishes and customer_id == checkpoint.customer_id and _is_due_by_itself(checkpoint, now):
        owed = Owed("incremental", customer_id, corpora=())
        checkpoint = replace(checkpoint, parked=None)  # what it says is of a sync that is over
    if owed is None:
        kept = replace(checkpoint, customer_id=customer_id, owed=None, contested=()) if checkpoint.corpora else None
        if kept is not None and customer_id != checkpoint.customer_id:
            kept = replace(kept, gaps=(), unfinished=None)  # they were another customer's
        return Step(kept, errors=refused)
    sync_id = new_sync_id(int(now.timestamp() * 1000), entropy, after=checkpoint.last_sync_id)
    anew = owed.kind == "full" or customer_id != checkpoint.customer_id  # cursors are not handed from one to another
    is_another = customer_id != checkpoint.customer_id
    drives = _known_drives(checkpoint, customer_id)
    expected = tuple(name for name in drives if follows(scope, name))
    user = _user_before(checkpoint, customer_id)
    if customer_id != checkpoint.customer_id or not checkpoint.scope.mirrors_as(scope):
        checkpoint = replace(checkpoint, gaps=(), relistings=(), verification=None)
    corpora = {} if anew else _corpora_to_follow(checkpoint, owed, scope, now)
    kind: SyncKind = "incremental" if corpora else "full"
    # Drives are enumerated by a full sync, and where a trigger's cursor, which is the user's log alone, is all we have.
    from_trigger = kind == "incremental" and not checkpoint.corpora
    drives_listed = not scope.include_shared_drives or (kind == "incremental" and not from_trigger)
    sync = Sync(
        sync_id,
        kind,
        rfc3339(now),
        owed.source,
        drives_listed=drives_listed,
        logs_before=_read_logs(checkpoint, customer_id) if kind == "full" else {},
        from_trigger=from_trigger,
    )
    if kind == "incremental":
        drives = ()
    still = [name for name in expected if holds_drive(scope, name)]
    dropped = [name for name in drives if holds_drive(checkpoint.scope, name) and name not in still]
    deletions = tuple(normalizer.deletion("shared_drive", name, "out_of_scope") for name in dropped)
    lost = tuple(Lost(name) for name in drives if not follows(scope, name))
    checkpoint = replace(
        checkpoint,
        customer_id=customer_id,
        scope=scope,
        owed=None,
        contested=(),
        sync=counted(sync, deletions),
        lost=(*checkpoint.lost, *lost),
        # The tokens stay in mind: one that leads back to what was read would tell of the same changes again.
        corpora=corpora or {USER_CORPUS: Corpus("start_token", trail=replace(user.trail, stalls=0))},
        expected=expected if kind == "full" else checkpoint.expected,
        last_sync_id=sync_id,
        in_doubt=kind == "incremental" and (from_trigger or checkpoint.in_doubt),
        labels_refused=kind == "incremental" and checkpoint.labels_refused,
        details_refused=kind == "incremental" and checkpoint.details_refused,
        contents_refused=kind == "incremental" and checkpoint.contents_refused,
    )
    if kind == "full":
        checkpoint = with_roots(read_again(replace(checkpoint, relistings=()), now))
    else:
        checkpoint = begin_due(try_due(checkpoint, now), now)
    if kind == "incremental":
        return Step(checkpoint, errors=refused)
    gone = {FileId(name): gone_entry(ItemEntry(is_folder=True, corpus=name), sync, None) for name in dropped}
    changes = IndexChanges(gone, ends_seen=True, wipes=is_another)
    opening = normalizer.sync_record(_summary(checkpoint, sync))
    return Step(checkpoint, (opening, *deletions), refused, changes)


def _is_due_by_itself(checkpoint: Checkpoint, now: datetime) -> bool:
    """Whether something is to be asked for again without anybody's wish."""
    recheck = next_recheck(checkpoint, now)
    return has_due(checkpoint, now) or (recheck is not None and recheck <= now)


def _known_drives(checkpoint: Checkpoint, customer_id: CustomerId) -> tuple[str, ...]:
    """The shared drives that are mirrored, or may be: the list of drives has to name those that are in scope."""
    if customer_id != checkpoint.customer_id:
        return ()
    gaps = (gap.id for gap in checkpoint.gaps if gap.scope == "corpus")
    known = dict.fromkeys((*checkpoint.corpora, *checkpoint.expected, *gaps))
    return tuple(name for name in known if name != USER_CORPUS)


def _user_before(checkpoint: Checkpoint, customer_id: CustomerId) -> Corpus:
    """The user's corpus as the sync before left it; an empty one where that was another customer's, or none."""
    same = customer_id == checkpoint.customer_id
    return checkpoint.corpora.get(USER_CORPUS, Corpus()) if same else Corpus()


def _read_logs(checkpoint: Checkpoint, customer_id: CustomerId) -> dict[str, PageToken]:
    """Where each log was read to, by corpus, as far as it was this customer's; those not used by a full sync before."""
    if customer_id != checkpoint.customer_id:
        return {}
    before = {} if checkpoint.sync is None else checkpoint.sync.logs_before
    read = {name: corpus.change_token for name, corpus in checkpoint.corpora.items() if corpus.change_token is not None}
    return {**before, **read}


def _corpora_to_follow(checkpoint: Checkpoint, owed: Owed, scope: Scope, now: datetime) -> dict[str, Corpus]:
    if checkpoint.corpora:
        if not checkpoint.scope.mirrors_as(scope):
            return {}
        followed = to_follow(checkpoint.corpora, owed.corpora)
        if scope.sync_permissions:
            followed = with_members_due(followed, now)
        return {name: replace(corpus, sighted=0) for name, corpus in followed.items()}
    if owed.page_token is not None:
        return {USER_CORPUS: Corpus("changes", owed.page_token)}
    return {}


def _mismatch(checkpoint: Checkpoint, owed: Owed) -> ErrorReport:
    message = "the trigger names another customer than the connection's own; nothing was synced for it"
    report = notice_of(
        checkpoint,
        "customer_mismatch",
        message,
        category="invalid_message",
        resource_type="connection",
        resource_id=checkpoint.connection_id,
    )
    return replace(report, customer_id=owed.customer_id, source=owed.source)


def on_answer(
    checkpoint: Checkpoint,
    action: Action,
    answer: Answer,
    normalizer: Normalizer,
    index: ItemIndex = EMPTY_INDEX,
) -> Step:
    """The step that an answer comes to: nothing, where its sync or drive has been dropped meanwhile.

    Nothing either, where permissions in it may be out of date: it is asked for again then. `index` is the connection's
    part of the item index, the steps before this one included.
    """
    before, sync = checkpoint, checkpoint.sync
    if sync is None or not still_wanted(checkpoint, action):
        return Step(checkpoint)
    permissions: Found | None = {} if checkpoint.scope.sync_permissions else None
    places = NOWHERE
    if isinstance(answer, Shared):
        if answer.sighted != sighted_of(checkpoint, action):
            return Step(checkpoint)
        again = misjudged(checkpoint, answer.permissions)
        if again is not None:
            return Step(again)
        permissions = None if permissions is None else answer.permissions
        places, answer = answer.places, answer.answer
    if isinstance(action, ReadChanges) and isinstance(answer, ChangesPage):
        checkpoint = untold(checkpoint, action.corpus, answer)
    if checkpoint.parked is not None and _is_well_again(checkpoint.parked, action, answer):
        checkpoint = replace(checkpoint, parked=None)
    writer = ItemWriter(
        checkpoint,
        permissions,
        index,
        normalizer,
        in_doubt=checkpoint.in_doubt,
        listed=isinstance(action, ListFiles | WalkFolder),
        places=places,
    )
    step = _decided(checkpoint, sync, action, answer, writer, index, normalizer)
    step = _with_gaps_of_items(step, action, answer, writer, permissions)
    step = _with_news_of_items(step, action, answer, writer, permissions)
    return note_listed(before, _with_what_hangs(step, action, answer, writer, index, normalizer), action)


def _with_news_of_items(
    step: Step, action: Action, answer: Answer, writer: ItemWriter, permissions: Found | None
) -> Step:
    """The step with what its items tell beside their records: witnesses, what is out of sight, what is there again."""
    if permissions is not None and isinstance(action, ListFiles | ReadChanges | WalkFolder | LookUpRemoved):
        step = with_witnesses(step, cast("ItemsAnswer", answer), permissions, writer.shown)
    if writer.hidden and step.checkpoint is not None:
        # Its drive may have been left between the answer and the question, and be joined again before a log says so.
        step = replace(step, checkpoint=with_gone(step.checkpoint, writer.hidden))
    if isinstance(action, ReadChanges | WalkFolder) and step.checkpoint is not None:
        step = replace(step, checkpoint=without_shown(step.checkpoint, writer.shown))
    return step


def _with_what_hangs(
    step: Step, action: Action, answer: Answer, writer: ItemWriter, index: ItemIndex, normalizer: Normalizer
) -> Step:
    """The step with what is to be read of its files' revisions, comments and contents."""
    if not isinstance(action, ListFiles | ReadChanges | WalkFolder | LookUpRemoved):
        return step
    checkpoint = step.checkpoint
    if checkpoint is not None and checkpoint.scope.sync_content:
        step = contents_noted(step, files_in(cast("ItemsAnswer", answer)), index, normalizer)
    return note_due(step, writer.due)


def _with_gaps_of_items(
    step: Step, action: Action, answer: Answer, writer: ItemWriter, permissions: Found | None
) -> Step:
    """The step with the gaps that its items open and close, and those to be looked up that a list shows by mistake."""
    checkpoint = step.checkpoint
    if checkpoint is None or checkpoint.sync is None:
        return step
    errors: list[ErrorReport] = []
    home_of = partial(_home_of, checkpoint, action, answer)
    for item_id, problem in writer.unread.items():
        scope: GapScope = "permissions"
        before = checkpoint
        checkpoint, more = open_gap(checkpoint, scope, item_id, home_of(item_id), as_gap(problem))
        odd = writer.odd.get(item_id, ())
        errors += odd if odd and is_told(checkpoint, before, scope, item_id) else more if not odd else ()
    if checkpoint.gaps:
        written = [each for each in step.records if each.resource_type in {"file", "folder"}]
        gone = {*writer.dropped, *(each.resource_id for each in written if each.operation == "delete")}
        there = {*writer.shown, *(each.resource_id for each in written if each.operation == "upsert")}
        checkpoint = with_gaps_seen(forget_items(checkpoint, gone - there), there, home_of)
        whole = there if permissions is None else {each for each in there if FileId(each) in permissions}
        read: set[GapKey] = {("item", each) for each in whole}
        if permissions is not None:
            read |= {("permissions", each) for each in whole}
            read -= {("permissions", each) for each in writer.unread}
        lossy = {*writer.lossy}
        if isinstance(answer, Contents):
            lossy.update(each.file.id for each in answer.found if each.file.lossy)
        checkpoint = close_gaps(checkpoint, read - {("item", each) for each in lossy})
    checkpoint, more = misplaced_in(checkpoint, writer.places, home_of, writer.misplaced)
    errors += more
    for item_id in writer.lossy:
        checkpoint = note_lossy(checkpoint, "item", item_id, home_of(item_id))
    if writer.questions and checkpoint.sync is not None:
        again = tuple(Removal(file_id, NO_CORPUS) for file_id in writer.questions)
        removals = tuple(dict.fromkeys((*checkpoint.sync.removals, *again)))
        checkpoint = with_sync(checkpoint, replace(checkpoint.sync, removals=removals))
    if checkpoint is step.checkpoint:
        return step
    return replace(step, checkpoint=checkpoint, errors=(*step.errors, *errors))


def _home_of(checkpoint: Checkpoint, action: Action, answer: Answer, item_id: FileId) -> str:
    """The corpus that the gap of an answer's item is counted in: of one that the answer does not show, as before."""
    match action:
        case ListFiles(corpus):
            return corpus
        case WalkFolder(walk):
            return corpus_of(checkpoint, walk.drive_id)
        case ReadChanges() | LookUpRemoved():
            shown = (file for file in files_in(cast("ItemsAnswer", answer)) if str(file.id) == item_id)
            file = next(shown, None)
            if file is not None:
                return corpus_of(checkpoint, file.drive_id)
        case ReadMembers():
            return item_id
        case _:
            pass
    return next((gap.corpus for gap in checkpoint.gaps if gap.id == item_id), USER_CORPUS)


def _decided(
    checkpoint: Checkpoint,
    sync: Sync,
    action: Action,
    answer: Answer,
    writer: ItemWriter,
    index: ItemIndex,
    normalizer: Normalizer,
) -> Step:
    match action, answer:
        case TakeStartToken(), str():
            return on_start_token(checkpoint, action, PageToken(answer))
        case ListDrives(), DrivesPage():
            return on_drives(checkpoint, sync, answer, normalizer)
        case ListFiles(), FilesPage():
            return on_files(checkpoint, sync, action, answer, writer, normalizer)
        case ProveOrder(), tuple():
            return on_order(checkpoint, sync, action, answer)
        case ReadChanges(), ChangesPage():
            return on_changes(checkpoint, action, answer, writer, normalizer)
        case WalkFolder(), FilesPage():
            return on_children(checkpoint, sync, action, answer, writer, normalizer)
        case LookUpRemoved(), Mapping():
            return on_looked_up(checkpoint, sync, action, cast("LookedUp", answer), writer, normalizer)
        case LookUpDrive(), SharedDrive():
            return on_drive_found(checkpoint, action, answer, normalizer)
        case ReadMembers(), Mapping():
            return on_members(checkpoint, sync, action, cast("Found", answer), writer)
        case _:
            return pass_page_read(_decided_of_files(checkpoint, sync, action, answer, index, normalizer), action)


def _decided_of_files(
    checkpoint: Checkpoint, sync: Sync, action: Action, answer: Answer, index: ItemIndex, normalizer: Normalizer
) -> Step:
    """What comes after the metadata: what hangs on files, and their contents."""
    match action, answer:
        case ReadDetails(), Hanging():
            return on_details(checkpoint, sync, action, answer, index, normalizer)
        case ReadContent(), Contents():
            return on_contents(checkpoint, sync, action, answer, index, normalizer)
        case _:
            raise TypeError(f"{type(answer).__name__} is no answer to {type(action).__name__}")


def _is_well_again(parked: Parked, action: Action, answer: Answer) -> bool:
    """Whether the action's success ends the trouble: that of the same step does, and no other part's of its listing.

    Where tokens were refused, a first page says nothing of the next one's, unless there is no next one.
    """
    if parked.code == PageTokenRejected.code and _is_first_of_more(action, answer):
        return False
    return parked.step in {step_name(action), CONNECTING, COMPLETING, TURN}


def _is_first_of_more(action: Action, answer: Answer) -> bool:
    match action, answer:
        case ListFiles(_, None), FilesPage(next_page_token=more):
            return more is not None
        case WalkFolder(Walk(page_token=None)), FilesPage(next_page_token=more):
            return more is not None
        case ListDrives(None), DrivesPage(next_page_token=more):
            return more is not None
        case _:
            return False


def complete(
    checkpoint: Checkpoint,
    now: datetime,
    normalizer: Normalizer,
    rests: GapRests = GAP_RESTS,
    rechecks: Rechecks = NO_RECHECKS,
    index: ItemIndex = EMPTY_INDEX,
) -> Step:
    """Nothing is left to fetch: the sync ends, a full one with its closing record, and the cursors stand.

    Where revisions and comments of what it listed are yet to be read, that begins instead. A full sync with gaps closes
    as incomplete; the sync that fills the last of them closes it for a second time.
    """
    sync = checkpoint.sync
    if sync is None:
        return Step(checkpoint)
    if checkpoint.lost:
        return delete_lost(checkpoint, index, normalizer)
    if sync.kind == "full" and not sync.unseen.is_done:
        looked = look_for_unseen(checkpoint, sync, index, normalizer)
        after = looked.checkpoint
        if after is None or after.sync is None or not after.sync.unseen.is_done or after.sync.removals:
            return looked
        if looked.records or not looked.changes.is_empty:
            return looked
        checkpoint, sync = after, after.sync
    more = verify_on(checkpoint, sync, index) or read_on(checkpoint, sync, index)
    if more is not None:
        return more
    ended = rfc3339(now)
    checkpoint, errors = report_missing(checkpoint)
    checkpoint = settle(without_unlisted(checkpoint) if sync.kind == "full" else checkpoint, now, rests)
    checkpoint = settle_rechecks(checkpoint, now, rechecks)
    summary, gaps = _summary(checkpoint, sync, ended), hard_gaps(checkpoint)
    report = SyncEnded(
        connection_id=checkpoint.connection_id,
        customer_id=checkpoint.customer_id,
        sync_id=sync.sync_id,
        kind=sync.kind,
        started_at=sync.started_at,
        completed_at=ended,
        page_token=summary.page_token,
        counts=sync.counts,
        trigger_message_id=sync.source.message_id if sync.source else None,
        gaps=len(gaps),
    )
    unfinished = checkpoint.unfinished
    after = replace(checkpoint, sync=None, parked=None, completed_at=ended)
    if sync.kind == "full":
        left = Unfinished(sync.sync_id, sync.started_at, sync.counts) if gaps else None
        changes = IndexChanges(ends_seen=not gaps)
        return Step(replace(after, unfinished=left), (normalizer.sync_record(summary),), errors, changes, (report,))
    if unfinished is None or gaps:
        return Step(after, errors=errors, reports=(report,))
    closing = SyncSummary(
        sync_id=unfinished.sync_id,
        started_at=unfinished.started_at,
        completed_at=ended,
        counts=unfinished.counts,
        page_token=summary.page_token,
    )
    record, changes = normalizer.sync_record(closing), IndexChanges(ends_seen=True)
    return Step(replace(after, unfinished=None), (record,), errors, changes, (report,), unfinished.sync_id)


def _summary(checkpoint: Checkpoint, sync: Sync, ended: str | None = None) -> SyncSummary:
    user = checkpoint.corpora[USER_CORPUS]
    return SyncSummary(
        sync_id=sync.sync_id,
        started_at=sync.started_at,
        completed_at=ended,
        counts=sync.counts,
        page_token=user.change_token,
        gaps=named_gaps(checkpoint),
    )
