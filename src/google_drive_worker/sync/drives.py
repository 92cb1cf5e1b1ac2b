"""Shared drives that are joined, left, and found again.

A left drive names none of its items: the item index does. What the account saw of it as a member alone is deleted; what
has permissions of its own, or is below such a folder, is looked up, since it may be shared by name.
"""

from datetime import timedelta

from msgspec.structs import replace

from google_drive_worker.domain.drive import Change, SharedDrive
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import DetailDigests, IndexChanges, ItemEntry, ItemIndex
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import Record
from google_drive_worker.domain.times import from_rfc3339, rfc3339, sortable
from google_drive_worker.sync.checkpoint import NO_CORPUS, USER_CORPUS, Checkpoint, Corpus, Lost, Removal
from google_drive_worker.sync.gap_retries import list_now
from google_drive_worker.sync.gaps import forget_corpus, forget_items
from google_drive_worker.sync.item_writer import gone_entry
from google_drive_worker.sync.plan import LookUpDrive, without_rest
from google_drive_worker.sync.scope import follows, holds_drive, lists, with_roots
from google_drive_worker.sync.step import (
    Step,
    counted,
    owe_full,
    sighted,
    with_corpus,
    with_sync,
)

SCANNED_AT_ONCE = 2_000
"""How many entries of the index one step goes through for what a left drive held: each may be a delete."""

LOOKED_UP_AT_ONCE = 500
"""How many items of a joined drive stand in the checkpoint to be looked up."""

CLOCKS_APART = timedelta(minutes=5)
"""How far Google's clock and ours may be apart."""


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
    checkpoint = _joined(checkpoint, drive)
    is_held, sync = holds_drive(checkpoint.scope, action.drive_id), checkpoint.sync
    records = (normalizer.transform_drive(drive),) if is_held else ()
    return Step(checkpoint if sync is None else with_sync(checkpoint, counted(sync, records)), records)


def _joined(checkpoint: Checkpoint, drive: SharedDrive) -> Checkpoint:
    """The checkpoint with one more shared drive, to be listed.

    As a member the user sees more than was shared with them: what a walk brings of it counts as written, too. Where the
    sync goes on from a trigger's cursor, the drive may have been mirrored before, and a full sync has to sweep it.
    """
    if checkpoint.sync is not None and checkpoint.sync.from_trigger:
        checkpoint = owe_full(checkpoint)
    due = checkpoint.scope.sync_permissions
    joined = Corpus(
        "start_token", written=True, joined=True, members_due=due, rights=drive.rights, drive_digest=drive.digest
    )
    return with_roots(with_corpus(no_longer_expected(checkpoint, drive.id), drive.id, joined))


def no_longer_expected(checkpoint: Checkpoint, drive_id: str) -> Checkpoint:
    """Return the checkpoint with the drive looked up, which the list of drives had left out."""
    return replace(checkpoint, expected=tuple(name for name in checkpoint.expected if name != drive_id))


def on_drive_change(
    checkpoint: Checkpoint, log: str, change: Change, normalizer: Normalizer
) -> tuple[Checkpoint, list[Record]]:
    """Return what a log's entry of a shared drive comes to: it is joined, left, or has changed.

    What has changed is in two logs: only the user's tells of the account's own coming and going.
    """
    drive_id = change.drive_id or (change.drive.id if change.drive else None)
    if drive_id is None or not follows(checkpoint.scope, drive_id):
        return checkpoint, []
    if change.removed or change.drive is None:
        return _left(checkpoint, drive_id, normalizer)
    known = checkpoint.corpora.get(drive_id)
    if known is None:
        if drive_id not in checkpoint.expected and all(each.drive_id != drive_id for each in checkpoint.lost):
            checkpoint = replace(checkpoint, lost=(*checkpoint.lost, Lost(drive_id, is_joined=True)))
        checkpoint = _joined(checkpoint, change.drive)
    else:
        # Who is a member may be what has changed.
        due = known.members_due or checkpoint.scope.sync_permissions
        rights = known.rights if change.drive.rights is None else change.drive.rights
        digest = change.drive.digest if log == USER_CORPUS else known.drive_digest
        is_same = log == USER_CORPUS and known.drive_digest == digest and not _is_from_before(checkpoint, change)
        is_unexplained = known.unexplained or is_same
        corpus = replace(known, members_due=due, rights=rights, drive_digest=digest, unexplained=due and is_unexplained)
        checkpoint = _perhaps_rejoined(with_corpus(checkpoint, drive_id, corpus), known)
        if (known.rights is not None and known.rights != rights) or (is_unexplained and not due):
            # Items in folders with limited access, or what hangs on files, have gone out of sight or come into it. No
            # log says so: none of what came, and where the account was away in between none of what went.
            checkpoint = owe_full(checkpoint)
    is_held = holds_drive(checkpoint.scope, drive_id)
    return checkpoint, [normalizer.transform_drive(change.drive)] if is_held else []


def _left(checkpoint: Checkpoint, drive_id: str, normalizer: Normalizer) -> tuple[Checkpoint, list[Record]]:
    """A log tells that a drive was left."""
    is_known = drive_id in checkpoint.corpora
    was_listed = is_known and is_listed_through(checkpoint.corpora[drive_id])
    checkpoint, records = leave_drive(checkpoint, drive_id, normalizer)
    if is_known and not was_listed:
        checkpoint = with_users_files_again(checkpoint)
    return checkpoint, records


def _is_from_before(checkpoint: Checkpoint, change: Change) -> bool:
    """Whether an entry is of before the full sync in progress, whose lists show what came of it.

    Google's clock tells when an entry was made and ours when the sync began: what is close is not from before.
    """
    sync, time = checkpoint.sync, sortable(change.time)
    if sync is None or sync.kind != "full" or time is None:
        return False
    return time < rfc3339(from_rfc3339(sync.started_at) - CLOCKS_APART)


def is_listed_through(corpus: Corpus) -> bool:
    """Whether all of a shared drive was listed, so that the index holds all that the account saw of it."""
    return corpus.stage in {"changes", "done"} and not corpus.unlisted


def with_users_files_again(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint with the user's files to be listed again, after a drive was left of which nothing was read.

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
    return replace(with_sync(checkpoint, replace(sync, removals=(*sync.removals, *checkpoint.gone))), gone=())


def leave_drive(checkpoint: Checkpoint, drive_id: str, normalizer: Normalizer) -> tuple[Checkpoint, list[Record]]:
    """Drop a shared drive that the user can no longer see; `delete_lost` deletes what the index holds of it."""
    left = checkpoint.corpora.get(drive_id)
    is_held = holds_drive(checkpoint.scope, drive_id)
    deletions = [normalizer.deletion("shared_drive", drive_id, "access_lost")] if is_held else []
    lost = tuple(each for each in checkpoint.lost if each.drive_id != drive_id)
    checkpoint = replace(no_longer_expected(checkpoint, drive_id), lost=(*lost, Lost(drive_id)))
    if checkpoint.in_doubt:  # the mirror may hold items of it that the index has nothing of
        checkpoint = owe_full(checkpoint)
    if left is None:
        return forget_corpus(checkpoint, drive_id), deletions
    corpora = {name: corpus for name, corpus in checkpoint.corpora.items() if name != drive_id}
    sync = checkpoint.sync
    if sync is not None:
        sync = replace(
            sync,
            walks=tuple(walk for walk in sync.walks if walk.drive_id != drive_id),
            removals=tuple(removal for removal in sync.removals if removal.corpus != drive_id),
            details=tuple(each for each in sync.details if each.corpus != drive_id),
            content=tuple(each for each in sync.content if each.corpus != drive_id),
        )
    checkpoint = forget_corpus(without_rest(replace(checkpoint, corpora=corpora, sync=sync), drive_id), drive_id)
    # What is under way of the user's own was judged while the account was a member.
    return sighted(checkpoint, [USER_CORPUS]), deletions


def is_lost_due(checkpoint: Checkpoint) -> bool:
    """Whether the index is gone through now for what a drive holds that was joined, perhaps again: what it finds is
    looked up, a few items at a time."""
    sync = checkpoint.sync
    if sync is None or len(sync.removals) >= LOOKED_UP_AT_ONCE:
        return False
    return any(each.drive_id in checkpoint.corpora for each in checkpoint.lost)


def delete_lost(checkpoint: Checkpoint, index: ItemIndex, normalizer: Normalizer) -> Step:
    """Go on through the index, and delete the next items of a shared drive that was left.

    That waits until all logs are read (`engine.complete`): an item may have moved to another drive of ours, whose log
    tells so. What a drive held that was joined again is not deleted but looked up, whatever its place is by now.
    """
    sync = checkpoint.sync
    if sync is None or not checkpoint.lost:
        return Step(checkpoint)
    joined = (each for each in checkpoint.lost if each.drive_id in checkpoint.corpora)
    lost = next(joined, checkpoint.lost[0])
    is_looked_up = lost.is_joined or lost.drive_id in checkpoint.corpora
    entries = index.scan(lost.after, LOOKED_UP_AT_ONCE if is_looked_up else SCANNED_AT_ONCE)
    shared = _SharedByName(index)
    records: list[Record] = []
    gone: dict[FileId, ItemEntry | None] = {}
    details: dict[FileId, DetailDigests | None] = {}
    removals: list[Removal] = []
    for item_id, entry in entries:
        if entry.corpus != lost.drive_id or entry.is_gone or item_id == lost.drive_id:
            continue
        if is_looked_up:
            removals.append(Removal(item_id, NO_CORPUS, unseen=True))
            continue
        is_of_now = (entry.changed_in or "") >= sync.sync_id or index.is_seen(item_id)  # perhaps since it was left
        if shared.may_be(entry) or is_of_now:
            removals.append(Removal(item_id, lost.drive_id, told=True, unseen=True))
            continue
        records.append(normalizer.deletion("folder" if entry.is_folder else "file", item_id, "access_lost"))
        gone[item_id] = gone_entry(entry, sync, entry.version)
        if index.details(item_id) is not None:
            details[item_id] = None
    rest = (replace(lost, after=entries[-1][0]),) if entries else ()
    others = tuple(each for each in checkpoint.lost if each != lost)
    sync = replace(counted(sync, records), removals=tuple(dict.fromkeys((*sync.removals, *removals))))
    checkpoint = forget_items(replace(checkpoint, lost=(*rest, *others), sync=sync), gone.keys())
    return Step(checkpoint, tuple(records), changes=IndexChanges(gone, details))


class _SharedByName:
    """Tells which items may be shared with the account by name: those with permissions of their own, and those below
    folders with such."""

    def __init__(self, index: ItemIndex) -> None:
        self._index = index
        self._below: dict[FileId, bool] = {}

    def may_be(self, entry: ItemEntry) -> bool:
        """Whether an item of that entry may be."""
        if entry.has_own_permissions:
            return True
        above: list[FileId] = []
        folder_id, answer = entry.parent_id, False
        while folder_id is not None and folder_id not in self._below and folder_id not in above:
            above.append(folder_id)
            folder = self._index.get(folder_id)
            if folder is None or folder.has_own_permissions:
                answer = folder is not None
                break
            folder_id = folder.parent_id
        else:
            answer = folder_id is not None and self._below.get(folder_id, False)
        self._below.update(dict.fromkeys(above, answer))
        return answer
