"""When gaps are tried again, and what each brings back into the sync that tries it: see `gaps` for their life."""

from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from zlib import crc32

from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.times import due_moment, rfc3339
from google_drive_worker.sync.checkpoint import (
    USER_CORPUS,
    Changed,
    Checkpoint,
    Corpus,
    Gap,
    GapScope,
    Pass,
    Removal,
    Stage,
    Sync,
)
from google_drive_worker.sync.gaps import SOFT_TRIES, to_list_again
from google_drive_worker.sync.scope import lists, wants_contents, wants_details, with_roots
from google_drive_worker.sync.step import owe_full, with_corpus

T = TypeVar("T")

TRIED_AT_ONCE = 200
"""How many gaps one sync tries: few enough that their look-ups stay a small sync. The others follow at once."""


class GapRests(NamedTuple):
    """How long gaps rest, in seconds: the first time, at most (it doubles each time), and before an item that Google
    does not find is looked up again."""

    first_s: float = 60.0
    at_most_s: float = 6 * 3600.0
    confirm_s: float = 180.0


GAP_RESTS = GapRests()


def read_again(checkpoint: Checkpoint, now: datetime) -> Checkpoint:
    """Return the checkpoint whose full sync, which begins, reads all that its gaps cover once more.

    One that Google did not find rests on all the same: a second answer counts only some minutes after the first. Of an
    item that a log told to have left, what the full sync lists, or sweeps, is the answer.
    """
    kept = [gap for gap in checkpoint.gaps if not gap.soft and not (gap.scope == "item" and gap.told)]
    gaps = tuple(
        gap if gap.missing and not _is_due(gap, now) else replace(gap, state="tried", retry_at=None) for gap in kept
    )
    return replace(checkpoint, gaps=gaps, unfinished=None)


def has_due(checkpoint: Checkpoint, now: datetime) -> bool:
    """Whether the rest of a gap is over."""
    first = next_retry(checkpoint, now)
    return first is not None and first <= now


def next_retry(checkpoint: Checkpoint, now: datetime) -> datetime | None:
    """When the first of the gaps is to be tried; `None` where there is none that rests."""
    times = (due_moment(gap.retry_at, now) for gap in checkpoint.gaps if gap.retry_at is not None)
    return min(times, default=None)


def _is_due(gap: Gap, now: datetime) -> bool:
    return gap.retry_at is not None and due_moment(gap.retry_at, now) <= now


def try_due(checkpoint: Checkpoint, now: datetime) -> Checkpoint:
    """Return the checkpoint whose sync, which begins, tries the gaps whose rest is over."""
    chosen = [gap for gap in checkpoint.gaps if _is_due(gap, now)][:TRIED_AT_ONCE]
    sync = checkpoint.sync
    if sync is None or not chosen:
        return checkpoint
    tried = {gap: replace(gap, state="tried", retry_at=None) for gap in chosen}
    checkpoint = replace(checkpoint, gaps=tuple(tried.get(gap, gap) for gap in checkpoint.gaps))
    for gap in chosen:
        corpus = checkpoint.corpora.get(gap.id)
        if gap.scope == "corpus" and corpus is not None and gap.told:
            checkpoint = owe_full(checkpoint)  # nothing less tells what is gone
        elif gap.scope == "corpus" and corpus is not None:
            checkpoint = _taken_up(checkpoint, gap.id, corpus)
        elif gap.scope == "permissions" and corpus is not None:
            checkpoint = with_corpus(checkpoint, gap.id, replace(corpus, members_due=True))
        else:
            checkpoint = _with_work(checkpoint, gap)
    return checkpoint


def _taken_up(checkpoint: Checkpoint, name: str, corpus: Corpus) -> Checkpoint:
    """The checkpoint with the corpus gone on with: its listing from where it stands, where it is not through, else its
    log. With a listing all that hangs on its files is read again, and with the user's the drives are listed: an entry
    of that log that told of one may be what was missed.

    A corpus that is not listed as a whole is walked from the folders that the scope names.
    """
    scope, sync = checkpoint.scope, checkpoint.sync
    is_anew = corpus.unlisted or corpus.stage == "start_token"
    corpus = replace(corpus, held=False, trouble=0)
    if corpus.unlisted and corpus.stage != "start_token":
        is_listed = lists(scope, name)
        stage: Stage = "listing" if is_listed else corpus.stage
        corpus = replace(corpus, stage=stage, unlisted=False, relisted=is_listed)
    checkpoint = with_corpus(checkpoint, name, corpus)
    if not is_anew or sync is None:
        return checkpoint
    if not lists(scope, name):
        checkpoint = with_roots(checkpoint)
        sync = checkpoint.sync or sync
    whole = (Pass(is_whole=True, corpus=name),)
    details = _joined(sync.details, whole if wants_details(checkpoint) else ())
    sync = replace(sync, details=details, content=_joined(sync.content, whole if wants_contents(checkpoint) else ()))
    if name == USER_CORPUS and scope.include_shared_drives:
        sync = replace(sync, drives_listed=False, drives_token=None)
    gaps = tuple(
        replace(gap, state="tried", retry_at=None) if (gap.scope, gap.id) == ("corpus", name) else gap
        for gap in checkpoint.gaps
    )
    return replace(checkpoint, sync=sync, gaps=gaps)


def list_now(checkpoint: Checkpoint, name: str) -> Checkpoint:
    """Return the checkpoint whose sync lists a corpus again from the beginning, with all that hangs on its files."""
    if checkpoint.sync is None:
        return checkpoint
    return _taken_up(checkpoint, name, to_list_again(checkpoint.corpora[name]))


def _with_work(checkpoint: Checkpoint, gap: Gap) -> Checkpoint:
    """The checkpoint with what fills the gap to be done in its sync."""
    if gap.scope == "corpus":  # a drive that the list of drives left out
        return replace(checkpoint, expected=_joined(checkpoint.expected, (gap.id,)))
    if checkpoint.sync is None:
        return checkpoint
    return replace(checkpoint, sync=_with_work_of(checkpoint.sync, gap))


def _with_work_of(sync: Sync, gap: Gap) -> Sync:
    file_id = FileId(gap.id)
    match gap.scope:
        case "drives":
            return replace(sync, drives_listed=False, drives_token=None)
        case "contents":
            return replace(sync, contents=_joined(sync.contents, (file_id,)))
        case "folder" if gap.walk is not None and not gap.missing:
            return replace(sync, walks=_joined(sync.walks, (gap.walk,)))
        case "revisions":
            return replace(sync, changed=_with_due(sync.changed, Changed(file_id, revisions=True)))
        case "comments":
            return replace(sync, changed=_with_due(sync.changed, Changed(file_id, comments=True)))
        case _:
            return replace(sync, removals=_joined(sync.removals, (Removal(file_id, gap.corpus, gap.told),)))


def _with_due(queue: tuple[Changed, ...], due: Changed) -> tuple[Changed, ...]:
    """The queue with what is due of a file: it stands there once."""
    queued = {each.file_id: each for each in queue}
    before = queued.get(due.file_id, due)
    queued[due.file_id] = replace(
        before, revisions=before.revisions or due.revisions, comments=before.comments or due.comments
    )
    return tuple(queued.values())


def _joined(before: tuple[T, ...], more: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*before, *more)))


_OF_A_FILE: frozenset[GapScope] = frozenset({"permissions", "revisions", "comments", "contents"})
"""Scopes of what hangs on one file; `permissions` of a drive are its members."""


def without_unlisted(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint of a full sync that ends, without the gaps of files that it has not listed: it reads what
    hangs on each file that is in scope, so one of which it has not come across is none, or its corpus is a gap."""
    corpora = checkpoint.corpora
    gaps = tuple(
        gap
        for gap in checkpoint.gaps
        if gap.state == "found"
        or gap.scope not in _OF_A_FILE
        or gap.id in {gap.corpus, *corpora}
        or (gap.corpus in corpora and corpora[gap.corpus].held)
    )
    return checkpoint if len(gaps) == len(checkpoint.gaps) else replace(checkpoint, gaps=gaps)


def settle(checkpoint: Checkpoint, now: datetime, rests: GapRests) -> Checkpoint:
    """Return the checkpoint of a sync that ends: its gaps rest from now on.

    A gap that was tried and of which nothing more was heard rests as long as one that failed.
    """
    if all(gap.state == "resting" for gap in checkpoint.gaps):
        return checkpoint
    kept = (gap for gap in checkpoint.gaps if not gap.soft or gap.attempts <= SOFT_TRIES)
    gaps = tuple(gap if gap.state == "resting" else _rested(gap, now, rests, checkpoint) for gap in kept)
    return replace(checkpoint, gaps=gaps)


def _rested(gap: Gap, now: datetime, rests: GapRests, checkpoint: Checkpoint) -> Gap:
    attempts = gap.attempts + (gap.state != "found")
    rest_s = min(rests.at_most_s, rests.first_s * 2.0 ** min(attempts - 1, 16))
    if gap.missing:
        rest_s = max(rest_s, rests.confirm_s)
    # Gaps of many connections do not come back as one, those of one connection do.
    jitter = 1.0 + crc32(checkpoint.connection_id.encode()) / 0xFFFFFFFF / 10
    retry_at = rfc3339(now + timedelta(seconds=rest_s * jitter))
    return replace(gap, state="resting", attempts=attempts, retry_at=retry_at)


def postpone(checkpoint: Checkpoint, now: datetime, rests: GapRests) -> Checkpoint:
    """Return the checkpoint with the gaps that are due resting once more: the connection is not active now."""
    if not has_due(checkpoint, now):
        return checkpoint
    gaps = tuple(_rested(gap, now, rests, checkpoint) if _is_due(gap, now) else gap for gap in checkpoint.gaps)
    return replace(checkpoint, gaps=gaps)
