"""What is asked for again by itself, since neither lists nor logs can be believed to tell everything.

Google's lists lag behind, and leave items out. So what was listed because it became visible (all of a full sync, a
drive that was joined, a folder that was gained, moved or shared) is listed again after a while: a `Relisting`. It
brings only what is new, and never an older version.

Some changes are in no log: an entry may never come, comments may make none, and so may the sharing of folders that the
account does not see. So all items that the index holds are asked for by their ids, in rounds and within a budget, each
file with its comments: the `Verification`. Items are asked for in the order of their ids, so that the one that was
verified longest ago comes first.

    noted in a sync ──(the sync ends)──▶ waiting ──(due_at, a sync begins)──▶ under way ──▶ waiting once more, or done

Both are work of incremental syncs of their own, as gaps are, and wait where the connection is not active.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from google_drive_worker.domain.item_entry import ItemIndex
from google_drive_worker.domain.times import due_moment, from_rfc3339, rfc3339
from google_drive_worker.sync.checkpoint import (
    NO_CORPUS,
    USER_CORPUS,
    Changed,
    Checkpoint,
    Relisting,
    Removal,
    Stage,
    Sync,
    Verification,
    Walk,
)
from google_drive_worker.sync.gaps import to_list_again
from google_drive_worker.sync.listing import corpus_of
from google_drive_worker.sync.plan import Action, ListFiles, WalkFolder
from google_drive_worker.sync.scope import lists, wants_details, with_roots
from google_drive_worker.sync.step import Step, with_corpus, with_sync
from google_drive_worker.sync.walks import with_walk

WALKS_AT_MOST = 100
"""How many folders of a corpus are noted to be listed again: beyond that, all of the corpus is."""

SLICE_UNITS = 3_000
"""How many quota units one sync spends on the verification: few enough that it stays a small sync."""

SCANNED_AT_ONCE = 5_000
"""How many entries of the index one slice goes through."""

LOOK_UP_UNITS = 5
"""What files.get costs (Drive's usage limits)."""

LIST_UNITS = 100
"""What comments.list costs (Drive's usage limits)."""

ROUND_AT_LEAST = timedelta(days=1)
"""How long a round of the verification takes at least."""

POSTPONED = timedelta(hours=1)
"""How long all of it waits where the connection is not active."""


class Rechecks(NamedTuple):
    """After how many seconds what was listed is listed again, once for each of them; and how many quota units a second
    the verification of a connection spends (0: none)."""

    relist_after_s: tuple[float, ...] = ()
    verify_units_per_s: float = 0.0


NO_RECHECKS = Rechecks()


def note_listed(before: Checkpoint, step: Step, action: Action) -> Step:
    """Return the step of an incremental sync with what it has listed to its end, or walked, to be listed again. A full
    sync lists everything, which is noted when it ends."""
    after = step.checkpoint
    if after is None or before.sync is None or after.sync is None or after.sync.kind == "full":
        return step
    match action:
        case ListFiles(name) if name in before.corpora and name in after.corpora:
            corpus = after.corpora[name]
            if before.corpora[name].stage == "listing" and corpus.stage != "listing" and not corpus.unlisted:
                return replace(step, checkpoint=_with_corpus_noted(after, name))
        case WalkFolder(walk):
            is_over = all(each.folder_id != walk.folder_id for each in after.sync.walks)
            if is_over and walk in before.sync.walks and walk.depth == 0 and not walk.trashed:
                return replace(step, checkpoint=_with_folder_noted(after, walk))
        case _:
            pass
    return step


def _with_corpus_noted(checkpoint: Checkpoint, name: str) -> Checkpoint:
    """The checkpoint with all of the corpus to be listed again, unless it is that which lists it now."""
    of_corpus = [each for each in checkpoint.relistings if each.corpus == name]
    if any(each.walk is None and each.due_at is None for each in of_corpus):
        return checkpoint
    others = tuple(each for each in checkpoint.relistings if each.corpus != name)
    return replace(checkpoint, relistings=(*others, Relisting(name)))


def _with_folder_noted(checkpoint: Checkpoint, walk: Walk) -> Checkpoint:
    """The checkpoint with what is below the folder to be listed again, unless it is that which lists it now."""
    name = corpus_of(checkpoint, walk.drive_id)
    of_corpus = [each for each in checkpoint.relistings if each.corpus == name]
    under_way = [each.walk for each in of_corpus if each.due_at is None]
    if any(each is None or each.folder_id == walk.folder_id for each in under_way):
        return checkpoint
    if len(of_corpus) >= WALKS_AT_MOST:
        return _with_corpus_noted(checkpoint, name)
    others = tuple(each for each in checkpoint.relistings if each.walk is None or each.walk.folder_id != walk.folder_id)
    again = Relisting(name, Walk(walk.folder_id, walk.drive_id))
    return replace(checkpoint, relistings=(*others, again))


def next_recheck(checkpoint: Checkpoint, now: datetime) -> datetime | None:
    """When the first of it is due; `None` where there is none."""
    moments = [each.due_at for each in checkpoint.relistings]
    moments.append(None if checkpoint.verification is None else checkpoint.verification.due_at)
    return min((due_moment(moment, now) for moment in moments if moment is not None), default=None)


def begin_due(checkpoint: Checkpoint, now: datetime) -> Checkpoint:
    """Return the checkpoint whose incremental sync, which begins, does what is due."""
    due = [each for each in checkpoint.relistings if _is_due(each.due_at, now) and _can_be_listed(checkpoint, each)]
    begun = {each: replace(each, times=each.times + 1, due_at=None) for each in due}
    checkpoint = replace(checkpoint, relistings=tuple(begun.get(each, each) for each in checkpoint.relistings))
    for each in due:
        checkpoint = _listed_again(checkpoint, each)
    sync, verification = checkpoint.sync, checkpoint.verification
    if sync is not None and verification is not None and _is_due(verification.due_at, now):
        began = verification.began_at if verification.after is not None else rfc3339(now)
        checkpoint = replace(checkpoint, verification=replace(verification, due_at=None, began_at=began))
        checkpoint = with_sync(checkpoint, replace(checkpoint.sync or sync, is_verifying=True))
    return checkpoint


def _is_due(moment: str | None, now: datetime) -> bool:
    return moment is not None and due_moment(moment, now) <= now


def _can_be_listed(checkpoint: Checkpoint, relisting: Relisting) -> bool:
    """Whether nothing else of its corpus is to be listed first."""
    corpus = checkpoint.corpora.get(relisting.corpus)
    return corpus is not None and corpus.stage in {"changes", "done"} and not (corpus.held or corpus.unlisted)


def _listed_again(checkpoint: Checkpoint, relisting: Relisting) -> Checkpoint:
    name = relisting.corpus
    if relisting.walk is not None:
        return with_walk(checkpoint, relisting.walk)
    if not lists(checkpoint.scope, name):
        return with_roots(checkpoint)
    stage: Stage = "listing"
    corpus = replace(to_list_again(checkpoint.corpora[name]), unlisted=False, stage=stage)
    checkpoint = with_corpus(checkpoint, name, corpus)
    if name == USER_CORPUS and checkpoint.scope.include_shared_drives and checkpoint.sync is not None:
        return with_sync(checkpoint, replace(checkpoint.sync, drives_listed=False, drives_token=None))
    return checkpoint


def verify_on(checkpoint: Checkpoint, sync: Sync, index: ItemIndex) -> Step | None:
    """Return the step that takes the next items to verify out of the index, for this sync the only ones; `None` where
    it is not to verify any."""
    verification = checkpoint.verification
    if not sync.is_verifying or verification is None:
        return None
    comments_too = checkpoint.scope.sync_comments and wants_details(checkpoint)
    asked: list[Removal] = []
    commented: list[Changed] = []
    after, scanned, units, is_end = verification.after, 0, 0, False
    while units < SLICE_UNITS and scanned < SCANNED_AT_ONCE and not is_end:
        entries = index.scan(after)
        is_end = not entries
        for item_id, entry in entries:
            after, scanned = item_id, scanned + 1
            if entry.is_gone or entry.corpus == item_id:
                continue
            asked.append(Removal(item_id, NO_CORPUS, unseen=True))
            units += LOOK_UP_UNITS
            if comments_too and entry.has_comments:
                commented.append(Changed(item_id, comments=True, head=entry.head))
                units += LIST_UNITS
            if units >= SLICE_UNITS:
                break
    verification = replace(
        verification,
        after=None if is_end else after,
        rounds=verification.rounds + is_end,
        units=units,
    )
    known = {each.file_id for each in sync.changed}
    sync = replace(
        sync,
        is_verifying=False,
        removals=tuple(dict.fromkeys((*sync.removals, *asked))),
        changed=(*sync.changed, *(each for each in commented if each.file_id not in known)),
    )
    return Step(with_sync(replace(checkpoint, verification=verification), sync))


def settle_rechecks(checkpoint: Checkpoint, now: datetime, rechecks: Rechecks) -> Checkpoint:
    """Return the checkpoint of a sync that ends: what it listed, and the verification, wait for their next time."""
    sync = checkpoint.sync
    if sync is not None and sync.kind == "full":
        checkpoint = replace(checkpoint, relistings=tuple(map(Relisting, checkpoint.corpora)))
    relistings = tuple(
        each if each.due_at is not None else replace(each, due_at=_later(now, rechecks.relist_after_s[each.times]))
        for each in checkpoint.relistings
        if each.corpus in checkpoint.corpora and (each.due_at is not None or each.times < len(rechecks.relist_after_s))
    )
    return replace(checkpoint, relistings=relistings, verification=_settled(checkpoint.verification, now, rechecks))


def _settled(verification: Verification | None, now: datetime, rechecks: Rechecks) -> Verification | None:
    if rechecks.verify_units_per_s <= 0:
        return None
    if verification is None:
        return Verification(began_at=rfc3339(now), due_at=rfc3339(now + ROUND_AT_LEAST))
    if verification.due_at is not None:
        return verification
    due_at = now + min(ROUND_AT_LEAST, timedelta(seconds=verification.units / rechecks.verify_units_per_s))
    if verification.after is None:
        due_at = max(due_at, from_rfc3339(verification.began_at) + ROUND_AT_LEAST)
    return replace(verification, due_at=rfc3339(due_at))


def postpone_rechecks(checkpoint: Checkpoint, now: datetime) -> Checkpoint:
    """Return the checkpoint with what is due waiting on: the connection is not active now."""
    first = next_recheck(checkpoint, now)
    if first is None or first > now:
        return checkpoint
    later = rfc3339(now + POSTPONED)
    verification = checkpoint.verification
    if verification is not None and _is_due(verification.due_at, now):
        verification = replace(verification, due_at=later)
    relistings = tuple(
        replace(each, due_at=later) if _is_due(each.due_at, now) else each for each in checkpoint.relistings
    )
    return replace(checkpoint, relistings=relistings, verification=verification)


def _later(now: datetime, seconds: float) -> str:
    return rfc3339(now + timedelta(seconds=seconds))
