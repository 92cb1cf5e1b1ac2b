"""The end of a full sync, held against the item index: what it did not see, and what its scope does not cover any more.

Absence is a question: an item that the index holds and no list has shown is looked up by its id before the sync ends.
What hangs on items and is not mirrored any more is deleted, record by record.
"""

from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import DetailDigests, Digest, IndexChanges, ItemEntry, ItemIndex
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import Record, ResourceType
from google_drive_worker.sync.checkpoint import NO_CORPUS, Checkpoint, Removal, Scope, Sync, Unseen
from google_drive_worker.sync.passes import begin_passes
from google_drive_worker.sync.step import Step, counted, with_sync

SCANNED_AT_ONCE = 5_000
"""How many entries one step goes through: few enough that nothing else waits for it."""

ASKED_AT_ONCE = 100
"""How many items are looked up before the scan goes on: what fits into a batch."""

DELETED_AT_ONCE = 2_000
"""How many deletes one step writes, and a few more."""


def look_for_unseen(checkpoint: Checkpoint, sync: Sync, index: ItemIndex, normalizer: Normalizer) -> Step:
    """Go on through the index: the next items that the full sync did not see are to be looked up, and what hangs on the
    others and is out of scope is deleted."""
    after, scanned, is_done = sync.unseen.after, 0, False
    narrowing = _Narrowing(checkpoint.scope, index, normalizer)
    due: list[Removal] = []
    while scanned < SCANNED_AT_ONCE and len(due) < ASKED_AT_ONCE and len(narrowing.records) < DELETED_AT_ONCE:
        entries = index.scan(after)
        for item_id, entry in entries:
            after, scanned = item_id, scanned + 1
            if is_unseen(sync, item_id, entry, index):
                due.append(Removal(item_id, NO_CORPUS, unseen=True))
            elif not entry.is_gone:
                narrowing.apply(item_id, entry)
            if len(due) == ASKED_AT_ONCE:
                break
        if not entries:
            is_done = True
            break
    unseen = Unseen(None if is_done else after, is_done)
    sync = replace(counted(sync, narrowing.records), unseen=unseen, removals=(*sync.removals, *due))
    sync = begin_passes(checkpoint, sync) if is_done else sync
    return Step(with_sync(checkpoint, sync), tuple(narrowing.records), changes=narrowing.changes)


def is_unseen(sync: Sync, item_id: FileId, entry: ItemEntry, index: ItemIndex) -> bool:
    """Whether the mirror holds an item that neither this full sync nor a later one has written or seen. A shared drive
    has an entry of its own, of which its members' records and its log tell."""
    if entry.is_gone or entry.corpus == item_id:
        return False
    return (entry.changed_in is None or entry.changed_in < sync.sync_id) and not index.is_seen(item_id)


class _Narrowing:
    """Gathers the deletes of what hangs on items and is not mirrored any more."""

    def __init__(self, scope: Scope, index: ItemIndex, normalizer: Normalizer) -> None:
        self.records: list[Record] = []
        self._scope = scope
        self._index = index
        self._normalizer = normalizer
        self._entries: dict[FileId, ItemEntry | None] = {}
        self._details: dict[FileId, DetailDigests | None] = {}

    @property
    def changes(self) -> IndexChanges:
        """What they change of the index."""
        return IndexChanges(self._entries, self._details)

    def apply(self, item_id: FileId, entry: ItemEntry) -> None:
        """Delete what is out of scope of the item's."""
        after, scope = entry, self._scope
        if entry.permissions is not None and not scope.sync_permissions:
            self._delete("permission", item_id, entry.permissions.held)
            after = replace(after, permissions=None)
        no_revisions = entry.head is not None and not scope.sync_revisions
        no_comments = entry.comments is not None and not scope.sync_comments
        if no_revisions or no_comments:
            details = self._index.details(item_id) or DetailDigests()
            if no_revisions:
                self._delete("revision", item_id, details.revisions or ())
                after, details = replace(after, head=None), replace(details, revisions=None)
            if no_comments:
                self._delete("comment", item_id, details.comments or ())
                after, details = replace(after, comments=None), replace(details, comments=None)
            self._details[item_id] = None if details == DetailDigests() else details
        if after is not entry:
            self._entries[item_id] = after

    def _delete(self, kind: ResourceType, item_id: FileId, held: tuple[tuple[str, Digest], ...]) -> None:
        self.records.extend(self._normalizer.deletion(kind, f"{item_id}/{each}", "out_of_scope") for each, _ in held)
