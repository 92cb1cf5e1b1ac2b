"""What a full sync did not see: items that the index holds and no list has shown. Absence is a question, so they are
looked up by their ids before the sync ends."""

from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import ItemEntry, ItemIndex
from google_drive_worker.sync.checkpoint import NO_CORPUS, Checkpoint, Removal, Sync, Unseen
from google_drive_worker.sync.step import Step, with_sync

SCANNED_AT_ONCE = 5_000
"""How many entries one step goes through: few enough that nothing else waits for it."""

ASKED_AT_ONCE = 100
"""How many items are looked up before the scan goes on: what fits into a batch."""


def look_for_unseen(checkpoint: Checkpoint, sync: Sync, index: ItemIndex) -> Step:
    """Go on through the index, and have the next items looked up that the full sync did not see."""
    after, due, scanned = sync.unseen.after, list[Removal](), 0
    while scanned < SCANNED_AT_ONCE and len(due) < ASKED_AT_ONCE:
        entries = index.scan(after)
        for item_id, entry in entries:
            after, scanned = item_id, scanned + 1
            if is_unseen(sync, item_id, entry, index):
                due.append(Removal(item_id, NO_CORPUS))
                if len(due) == ASKED_AT_ONCE:
                    break
        if not entries:
            sync = replace(sync, unseen=Unseen(is_done=True), removals=(*sync.removals, *due))
            return Step(with_sync(checkpoint, sync))
    return Step(with_sync(checkpoint, replace(sync, unseen=Unseen(after), removals=(*sync.removals, *due))))


def is_unseen(sync: Sync, item_id: FileId, entry: ItemEntry, index: ItemIndex) -> bool:
    """Whether the mirror holds an item that neither this full sync nor a later one has written or seen. A shared drive
    has an entry of its own, of which its members' records and its log tell."""
    if entry.is_gone or entry.corpus == item_id:
        return False
    return (entry.changed_in is None or entry.changed_in < sync.sync_id) and not index.is_seen(item_id)
