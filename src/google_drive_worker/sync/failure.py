"""What a failed fetch comes to: start over, leave something out, or park the sync with a time to try again."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import IndexChanges
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import ErrorReport
from google_drive_worker.domain.reports import CredentialsRefused
from google_drive_worker.domain.times import due_moment, rfc3339
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Parked, Walk
from google_drive_worker.sync.content import on_refused_contents
from google_drive_worker.sync.details import on_refused, pass_page_failed
from google_drive_worker.sync.drives import is_listed_through, leave_drive, no_longer_expected, with_users_files_again
from google_drive_worker.sync.error_reports import report_of
from google_drive_worker.sync.forgetting import on_unknown
from google_drive_worker.sync.gaps import (
    TRIES_AT_ONCE,
    as_gap,
    find_gap,
    hold_corpus,
    home_of,
    is_confirmed,
    open_gap,
)
from google_drive_worker.sync.labels import on_refused_labels
from google_drive_worker.sync.parts import PROOF_TIMES, asked, is_trusted, part_asked, parts_of, start_over
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
    TakeStartToken,
    WalkFolder,
    due_removals,
    step_name,
    still_wanted,
    without_rest,
)
from google_drive_worker.sync.step import Step, give_up, with_corpus, with_sync
from google_drive_worker.sync.walks import end_walk, with_walk_as
from google_drive_worker.utils.errors import (
    NeedsReauth,
    NotFound,
    PageTokenRejected,
    Retryable,
    SkipItem,
    Terminal,
    UnknownConnection,
    WorkerError,
)

PARK_BASE_S = 2.0
"""The first rest after a failure; the client has then been trying for its own bounded time already."""

PARK_CAP_S = 900.0
"""The longest rest: a connection is looked at four times an hour at least."""

CREDENTIALS_LOOK_S = 300.0
"""How often it is looked whether credentials that Google refused have been replaced. No call to Google is made."""

CODES_KEPT = 8
"""How many causes are remembered as reported: a sync that rests has one, or a few."""


def on_failure(
    checkpoint: Checkpoint,
    action: Action,
    error: WorkerError,
    now: datetime,
    jitter: float,
    normalizer: Normalizer,
    *,
    labelled: bool = False,
) -> Step:
    """The step for an action that failed: nothing, where nobody waits for it any more.

    `jitter` is from 0 to 1; `labelled` says that the call asked for labels.
    """
    if not still_wanted(checkpoint, action):
        return Step(checkpoint)
    checkpoint = pass_page_failed(checkpoint, action)
    without = on_refused_labels(checkpoint, action, error) if labelled else None
    if without is not None:
        return without
    match error, action:
        case _, ProveOrder(corpus):  # it is not proven then, and nothing needs it
            return Step(with_corpus(checkpoint, corpus, replace(checkpoint.corpora[corpus], order="ignored")))
        case PageTokenRejected(), ReadChanges():
            return _on_rejected_log(checkpoint, action, error, now, jitter)
        case PageTokenRejected(), _:
            return _on_rejected_token(checkpoint, action, error, now, jitter)
        case NotFound(), LookUpDrive(drive_id):
            return _on_missing_drive(checkpoint, drive_id, error, normalizer)
        case SkipItem(), _:
            return _on_trouble(checkpoint, action, error) or park(checkpoint, step_name(action), error, now, jitter)
        case Terminal(code="insufficient_scope"), ReadDetails():  # the rest goes on without
            return Step(on_refused(_given_up(checkpoint, action)), errors=(report_of(checkpoint, error),))
        case Terminal(code="insufficient_scope"), ReadContent():
            return Step(on_refused_contents(_given_up(checkpoint, action)), errors=(report_of(checkpoint, error),))
        case _:
            return park(checkpoint, step_name(action), error, now, jitter)


def _on_trouble(checkpoint: Checkpoint, action: Action, error: SkipItem) -> Step | None:
    """A call failed for one thing alone, while others succeed: the sync goes on. `None` of what is no such call."""
    match action:
        case TakeStartToken() | ListFiles() | ReadChanges() | LookUpDrive():
            return _on_trouble_of_a_corpus(checkpoint, action, error)
        case WalkFolder(walk):
            return _on_trouble_of_a_walk(checkpoint, walk, error)
        case LookUpRemoved(file_ids):
            return _on_trouble_of_look_ups(checkpoint, file_ids, error)
        case ListDrives():
            return _on_trouble_of_drives(checkpoint, error)
        case _:
            return None


_OfACorpus = TakeStartToken | ListFiles | ReadChanges | LookUpDrive
"""What is asked of a corpus itself."""


def _on_trouble_of_a_corpus(checkpoint: Checkpoint, action: _OfACorpus, error: SkipItem) -> Step:
    """A call of one corpus failed while others succeed. It is made again a few times, then the sync goes on without it.

    That a drive is not found says nothing yet, whichever call says so: it is looked up by its id.
    """
    name = action.drive_id if isinstance(action, LookUpDrive) else action.corpus
    if name not in checkpoint.corpora:
        checkpoint, errors = open_gap(no_longer_expected(checkpoint, name), "corpus", name, name, error)
        return Step(checkpoint, errors=errors)
    checkpoint = _doubted(checkpoint, name, error)
    corpus = checkpoint.corpora[name]
    if corpus.trouble < TRIES_AT_ONCE:
        return Step(with_corpus(checkpoint, name, replace(corpus, trouble=corpus.trouble + 1)))
    return _held(checkpoint, name, error)


def _doubted(checkpoint: Checkpoint, name: str, error: SkipItem) -> Checkpoint:
    """The checkpoint with the drive to be looked up, where it was not found."""
    corpus = checkpoint.corpora.get(name)
    if corpus is None or name == USER_CORPUS or not isinstance(error, NotFound):
        return checkpoint
    return with_corpus(checkpoint, name, replace(corpus, doubtful=True))


def _given_up(checkpoint: Checkpoint, action: Action) -> Checkpoint:
    """The checkpoint without a rest for an action that is given up."""
    parked = checkpoint.parked
    is_for_it = parked is not None and parked.step == step_name(action)
    return replace(checkpoint, parked=None) if is_for_it else checkpoint


def _held(checkpoint: Checkpoint, name: str, error: WorkerError) -> Step:
    """The step that goes on without a corpus; what it rested for is not asked for any more in this sync."""
    checkpoint, errors = hold_corpus(without_rest(checkpoint, name), name, error)
    return Step(checkpoint, errors=errors)


def _on_trouble_of_a_walk(checkpoint: Checkpoint, walk: Walk, error: WorkerError) -> Step:
    """A folder's page can't be had: it is asked for again, and after some tries the folder is a gap.

    One that is not found is looked up by its id before it is walked again: it may be gone.
    """
    token = None if isinstance(error, PageTokenRejected) else walk.page_token
    again = replace(walk, page_token=token, trouble=walk.trouble + 1)
    if again.trouble <= TRIES_AT_ONCE:
        return Step(with_walk_as(checkpoint, walk, again))
    checkpoint, errors = end_walk(_given_up(checkpoint, WalkFolder(walk)), walk, error)
    return Step(checkpoint, errors=errors)


def _on_trouble_of_look_ups(checkpoint: Checkpoint, file_ids: Iterable[FileId], error: SkipItem) -> Step:
    """Items can't be looked up now: each is a gap."""
    sync, asked, errors = checkpoint.sync, set(file_ids), list[ErrorReport]()
    if sync is None:
        return Step(checkpoint)
    checkpoint = _given_up(checkpoint, LookUpRemoved(()))
    due = [removal for removal in due_removals(checkpoint) if removal.file_id in asked]
    for removal in due:
        corpus = home_of(checkpoint, "item", removal.file_id, removal.corpus or USER_CORPUS)
        checkpoint, more = open_gap(checkpoint, "item", removal.file_id, corpus, as_gap(error), told=removal.told)
        errors += more
    left = tuple(removal for removal in sync.removals if removal not in due)
    return Step(with_sync(checkpoint, replace(sync, removals=left)), errors=tuple(errors))


def _on_trouble_of_drives(checkpoint: Checkpoint, error: WorkerError) -> Step:
    """The list of drives can't be read: it starts over, and after some tries the sync goes on with those it has."""
    sync = checkpoint.sync
    if sync is None:
        return Step(checkpoint)
    sync = replace(sync, drives_token=None, restarts=sync.restarts + 1)
    if sync.restarts <= TRIES_AT_ONCE:
        return Step(with_sync(checkpoint, sync))
    checkpoint = with_sync(_given_up(checkpoint, ListDrives(None)), replace(sync, drives_listed=True))
    checkpoint, errors = open_gap(checkpoint, "drives", "drives", USER_CORPUS, error)
    return Step(checkpoint, errors=errors)


def _on_missing_drive(checkpoint: Checkpoint, drive_id: FileId, error: NotFound, normalizer: Normalizer) -> Step:
    """Google does not find a drive by its id: it is left where Google said so before, a rest ago, and else a gap.

    The user's log is read on first: where the drive was left since, it tells so.
    """
    is_gone, corpus = is_confirmed(find_gap(checkpoint, "corpus", drive_id)), checkpoint.corpora.get(drive_id)
    if corpus is None:  # the list of drives left it out
        checkpoint = no_longer_expected(checkpoint, drive_id)
        if is_gone:
            checkpoint, left = leave_drive(checkpoint, drive_id, normalizer)
            return Step(checkpoint, tuple(left), changes=IndexChanges({drive_id: None}))
    elif is_gone:
        was_listed = is_listed_through(corpus)
        checkpoint, left = leave_drive(checkpoint, drive_id, normalizer)
        checkpoint = checkpoint if was_listed else with_users_files_again(checkpoint)
        return Step(checkpoint, tuple(left), changes=IndexChanges({drive_id: None}))
    else:
        checkpoint = with_corpus(checkpoint, drive_id, replace(corpus, held=True))
        user = checkpoint.corpora[USER_CORPUS]
        if user.stage == "done":
            checkpoint = with_corpus(checkpoint, USER_CORPUS, replace(user, stage="changes"))
    checkpoint = without_rest(checkpoint, drive_id)
    checkpoint, errors = open_gap(checkpoint, "corpus", drive_id, drive_id, error, missing=True)
    return Step(checkpoint, errors=errors)


def _on_rejected_log(
    checkpoint: Checkpoint, action: ReadChanges, error: PageTokenRejected, now: datetime, jitter: float
) -> Step:
    """The log can't be followed any more: everything is enumerated again, from new start tokens."""
    sync, name = checkpoint.sync, action.corpus
    if sync is not None and name in sync.own_starts:
        # Where the sync before had read to is too old: what the full sync needs is what came since its own start.
        checkpoint = with_corpus(
            checkpoint, name, replace(checkpoint.corpora[name], change_token=sync.own_starts[name])
        )
        left = {other: each for other, each in sync.own_starts.items() if other != name}
        return Step(with_sync(checkpoint, replace(sync, own_starts=left)))
    if sync is not None and sync.kind == "full":
        # These were new: without a rest, full sync would follow upon full sync.
        return park(replace(give_up(checkpoint), parked=checkpoint.parked), step_name(action), error, now, jitter)
    return Step(give_up(checkpoint), errors=(report_of(checkpoint, error),))


def _on_rejected_token(
    checkpoint: Checkpoint, action: Action, error: PageTokenRejected, now: datetime, jitter: float
) -> Step:
    """Google takes a page token no longer: that listing starts over, and after some tries it is a gap."""
    match action:
        case ListFiles(name, token, _, modified):
            corpus = checkpoint.corpora[name]
            refused = part_asked(corpus, modified, token)
            if refused is None:
                return Step(checkpoint)
            again = start_over(refused, trusted=is_trusted(corpus))
            parts = tuple(again if part == refused else part for part in parts_of(corpus))
            in_order = corpus.times_in_order if corpus.times_in_order >= PROOF_TIMES else 0  # they come once more
            corpus = replace(corpus, listing_token=None, parts=parts, times_in_order=in_order)
            step = step_name(ListFiles(name, None, modified=asked(again)))
            checkpoint = _going_on_as(with_corpus(checkpoint, name, corpus), step_name(action), step)
            return Step(checkpoint) if again.refusals <= TRIES_AT_ONCE else _held(checkpoint, name, error)
        case WalkFolder(walk):
            return _on_trouble_of_a_walk(checkpoint, walk, error)
        case ListDrives():
            return _on_trouble_of_drives(checkpoint, error)
        case _:
            return park(checkpoint, step_name(action), error, now, jitter)


def _going_on_as(checkpoint: Checkpoint, before: str, after: str) -> Checkpoint:
    """The checkpoint, a rest in it told of the step's new name: a part that starts over has a query anew."""
    parked = checkpoint.parked
    if parked is None or parked.step != before:
        return checkpoint
    return replace(checkpoint, parked=replace(parked, step=after))


def park(checkpoint: Checkpoint, step: str, error: WorkerError, now: datetime, jitter: float) -> Step:
    """Rest, in state: until a time where trying again may help, else until the next trigger.

    One cause makes one error record, however often it is tried. What fails while the sync rests already, because it was
    under way, changes nothing of a rest that waits for somebody, and is no attempt more; a rest is never made shorter.
    """
    if isinstance(error, UnknownConnection):
        return on_unknown(checkpoint, step, error, now)
    before = checkpoint.parked
    reported = before.reported if before is not None else ()
    passes = isinstance(error, Retryable | PageTokenRejected | SkipItem)
    report = report_of(checkpoint, error, action="retried" if passes else None)
    errors = () if error.code in reported else (report,)
    reported = reported if error.code in reported else (*reported, error.code)[-CODES_KEPT:]
    if before is not None and before.until is None:
        return Step(replace(checkpoint, parked=replace(before, reported=reported)), errors=errors)
    resting = before if before is not None and _rests(before, now) else None
    attempts = 1 if before is None else before.attempts if resting else before.attempts + 1
    until = None
    if passes:
        until = rfc3339(now + timedelta(seconds=_rest_s(error, attempts, jitter)))
        if resting is not None:  # what failed first is what has to succeed
            later = max(until, resting.until or "")
            return Step(replace(checkpoint, parked=replace(resting, until=later, reported=reported)), errors=errors)
    parked = Parked(error.code, step, attempts, until, reported, before.refused if before is not None else None)
    return Step(replace(checkpoint, parked=parked), errors=errors)


def awaiting_credentials(before: Checkpoint, step: Step, refused: str, now: datetime) -> Step:
    """The step that was decided on `before`, after Google refused credentials: the rest lasts until there are others.

    Whoever owns the connection is to be told. They are looked for every now and then, without a trigger too.
    """
    checkpoint = step.checkpoint
    if checkpoint is None or checkpoint.parked is None:
        return step
    known = before.parked is not None and before.parked.refused == refused
    until = rfc3339(now + timedelta(seconds=CREDENTIALS_LOOK_S))
    checkpoint = replace(checkpoint, parked=replace(checkpoint.parked, until=until, refused=refused))
    return replace(step, checkpoint=checkpoint, reports=() if known else (_refusal(checkpoint, refused),))


def _refusal(checkpoint: Checkpoint, refused: str) -> CredentialsRefused:
    return CredentialsRefused(connection_id=checkpoint.connection_id, reason=NeedsReauth.code, credentials=refused)


def is_refused(checkpoint: Checkpoint, credentials: str) -> bool:
    """Whether the connection rests because Google takes these credentials no longer."""
    return checkpoint.parked is not None and checkpoint.parked.refused == credentials


def rest_refused(checkpoint: Checkpoint, now: datetime) -> Step:
    """The rest prolonged, since the credentials are still the same.

    It is reported again: nobody knows whether the report before was told before a worker ended.
    """
    parked = checkpoint.parked
    if parked is None or parked.refused is None:
        return Step(checkpoint)
    until = rfc3339(now + timedelta(seconds=CREDENTIALS_LOOK_S))
    again = replace(checkpoint, parked=replace(parked, until=until))
    return Step(again, reports=(_refusal(again, parked.refused),))


def _rests(parked: Parked, now: datetime) -> bool:
    return bool(parked.until) and due_moment(parked.until or "", now) > now


def _rest_s(error: WorkerError, attempts: int, jitter: float) -> float:
    ceiling = min(PARK_CAP_S, PARK_BASE_S * 2.0 ** min(attempts - 1, 16))
    rest_s = ceiling * (0.5 + jitter / 2)
    asked_s = error.retry_after_s if isinstance(error, Retryable) else None
    return max(rest_s, asked_s or 0.0)
