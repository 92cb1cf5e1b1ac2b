"""What a failed fetch comes to: start over, leave something out, or park the sync with a time to try again."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.reports import CredentialsRefused
from google_drive_worker.domain.times import from_rfc3339, rfc3339
from google_drive_worker.sync.change_log import leave_drive
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Parked, Reading
from google_drive_worker.sync.content import on_refused_contents
from google_drive_worker.sync.details import on_refused, pass_page_failed
from google_drive_worker.sync.error_reports import report_of
from google_drive_worker.sync.forgetting import on_unknown
from google_drive_worker.sync.labels import on_refused_labels
from google_drive_worker.sync.parts import PROOF_TIMES, asked, is_trusted, part_asked, parts_of, start_over
from google_drive_worker.sync.plan import (
    Action,
    ListContent,
    ListDetails,
    ListDrives,
    ListFiles,
    ProveOrder,
    ReadChanges,
    ReadContent,
    ReadDetails,
    TakeStartToken,
    WalkFolder,
    step_name,
    still_wanted,
)
from google_drive_worker.sync.step import Step, doubting, give_up, with_corpus, with_sync
from google_drive_worker.utils.errors import (
    NeedsReauth,
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

RESTARTS_AT_ONCE = 3
"""How often a listing starts over without a rest: expired tokens happen, tokens refused on and on are an outage."""


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
        case PageTokenRejected(), _:
            return _on_rejected_token(checkpoint, action, error, now, jitter)
        case SkipItem(), TakeStartToken(corpus) | ListFiles(corpus) | ReadChanges(corpus) if corpus != USER_CORPUS:
            return _on_lost_drive(checkpoint, action, corpus, error, now, jitter, normalizer)
        case SkipItem(), WalkFolder(walk):
            sync = checkpoint.sync
            if sync is None:
                return Step(checkpoint)
            if walk.drive_id is not None:
                checkpoint = doubting(checkpoint, doubted=True, only=walk.drive_id)
            return Step(with_sync(checkpoint, replace(sync, walks=tuple(w for w in sync.walks if w != walk))))
        case SkipItem(), ListDetails(corpus) | ListContent(corpus):
            # Gone by now, which its log or the user's will tell; or it was, and is joined again when that is read.
            return Step(doubting(_without_details(checkpoint, corpus), doubted=True, only=corpus))
        case Terminal(), ListDetails() | ReadDetails():  # a scope that does not cover them: the rest goes on without
            return Step(on_refused(checkpoint), errors=(report_of(checkpoint, error),))
        case Terminal(), ListContent() | ReadContent():
            return Step(on_refused_contents(checkpoint), errors=(report_of(checkpoint, error),))
        case _:
            return park(checkpoint, step_name(action), error, now, jitter)


def _without_details(checkpoint: Checkpoint, corpus: str) -> Checkpoint:
    sync = checkpoint.sync
    if sync is None:
        return checkpoint
    details = tuple(each for each in sync.details if each.corpus != corpus)
    content = tuple(each for each in sync.content if each.corpus != corpus)
    return with_sync(checkpoint, replace(sync, details=details, content=content))


def _on_rejected_token(
    checkpoint: Checkpoint, action: Action, error: WorkerError, now: datetime, jitter: float
) -> Step:
    sync = checkpoint.sync
    if sync is None:
        return Step(checkpoint)
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
            if again.refusals <= RESTARTS_AT_ONCE:
                return Step(checkpoint)
            return park(checkpoint, step, error, now, jitter)
        case WalkFolder(walk) if walk.page_token is not None:
            walks = tuple(replace(w, page_token=None) if w == walk else w for w in sync.walks)
            checkpoint = with_sync(checkpoint, replace(sync, walks=walks, restarts=sync.restarts + 1))
        case ListDrives(token) if token is not None:
            checkpoint = with_sync(checkpoint, replace(sync, drives_token=None, restarts=sync.restarts + 1))
        case ReadChanges():
            # The log can't be followed any more: everything is enumerated anew, from new start tokens.
            if sync.kind == "full":  # these were new: without a rest, full sync would follow upon full sync
                return park(
                    replace(give_up(checkpoint), parked=checkpoint.parked), step_name(action), error, now, jitter
                )
            return Step(give_up(checkpoint), errors=(report_of(checkpoint, error),))
        case ListDetails(name, token) | ListContent(name, token) if token is not None:
            details = _restarted(sync.details, name) if isinstance(action, ListDetails) else sync.details
            content = _restarted(sync.content, name) if isinstance(action, ListContent) else sync.content
            sync = replace(sync, details=details, content=content)
            checkpoint = with_sync(checkpoint, replace(sync, restarts=sync.restarts + 1))
        case _:
            return park(checkpoint, step_name(action), error, now, jitter)
    if sync.restarts < RESTARTS_AT_ONCE:
        return Step(checkpoint)
    return park(checkpoint, step_name(action), error, now, jitter)


def _restarted(readings: tuple[Reading, ...], corpus: str) -> tuple[Reading, ...]:
    return tuple(replace(each, page_token=None) if each.corpus == corpus else each for each in readings)


def _going_on_as(checkpoint: Checkpoint, before: str, after: str) -> Checkpoint:
    """The checkpoint, a rest in it told of the step's new name: a part that starts over has a query anew."""
    parked = checkpoint.parked
    if parked is None or parked.step != before:
        return checkpoint
    return replace(checkpoint, parked=replace(parked, step=after))


def _on_lost_drive(
    checkpoint: Checkpoint,
    action: Action,
    drive_id: str,
    error: WorkerError,
    now: datetime,
    jitter: float,
    normalizer: Normalizer,
) -> Step:
    """The drive is dropped. A full sync that has to begin anew for it rests first, lest one follow upon the other."""
    kind, before = checkpoint.sync.kind if checkpoint.sync is not None else None, checkpoint.parked
    checkpoint, records = leave_drive(checkpoint, drive_id, normalizer)
    if kind == "incremental" or checkpoint.owed is None:
        return Step(checkpoint, tuple(records))
    rest = park(replace(checkpoint, parked=before), step_name(action), error, now, jitter)
    return replace(rest, records=tuple(records))


def park(checkpoint: Checkpoint, step: str, error: WorkerError, now: datetime, jitter: float) -> Step:
    """Rest, in state: until a time where trying again may help, else until the next trigger.

    One cause makes one error record, however often it is tried. What fails while the sync rests already, because it was
    under way, changes nothing of a rest that waits for somebody, and is no attempt more; a rest is never made shorter.
    """
    if isinstance(error, UnknownConnection):
        return on_unknown(checkpoint, step, error, now)
    before = checkpoint.parked
    reported = before.reported if before is not None else ()
    errors = () if error.code in reported else (report_of(checkpoint, error),)
    reported = reported if error.code in reported else (*reported, error.code)[-CODES_KEPT:]
    if before is not None and before.until is None:
        return Step(replace(checkpoint, parked=replace(before, reported=reported)), errors=errors)
    resting = before if before is not None and _rests(before, now) else None
    attempts = 1 if before is None else before.attempts if resting else before.attempts + 1
    until = None
    if isinstance(error, Retryable | PageTokenRejected | SkipItem):
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
    return bool(parked.until) and from_rfc3339(parked.until or "") > now


def _rest_s(error: WorkerError, attempts: int, jitter: float) -> float:
    ceiling = min(PARK_CAP_S, PARK_BASE_S * 2.0 ** min(attempts - 1, 16))
    rest_s = ceiling * (0.5 + jitter / 2)
    asked_s = error.retry_after_s if isinstance(error, Retryable) else None
    return max(rest_s, asked_s or 0.0)
