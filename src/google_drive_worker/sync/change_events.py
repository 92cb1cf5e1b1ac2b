"""Events: a record for each entry of the change logs, beside what it comes to."""

from google_drive_worker.domain.drive import Change
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import Record
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.plan import ReadChanges


def events_of(
    checkpoint: Checkpoint, action: ReadChanges, index: int, change: Change, normalizer: Normalizer
) -> list[Record]:
    """The record of the entry at `index` of a page; none for shared drives that are not mirrored."""
    if change.change_type == "drive" and not checkpoint.scope.include_shared_drives:
        return []
    return [normalizer.transform_change(_event_id(action, index, change), action.corpus, change)]


def _event_id(action: ReadChanges, index: int, change: Change) -> str:
    """What is the same whenever that entry is read, and different for every other.

    Log, item and time are: an entry that a later change replaces gets that change's time. By page and place alone an
    entry could be told only as long as nothing on its page is replaced. No slash stands in it, since with an item goes
    all whose id begins with the item's and a slash, and an event outlives its item.
    """
    file_id = change.file_id or (None if change.file is None else change.file.id)
    drive_id = change.drive_id or (None if change.drive is None else change.drive.id)
    item_id = (drive_id or file_id) if change.change_type == "drive" else (file_id or drive_id)
    when = change.time or f"{action.page_token}.{index}"
    return f"{action.corpus}:{change.change_type}:{item_id or index}:{when}"
