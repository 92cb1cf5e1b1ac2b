"""Entries of a change log turned into records. Pure, and total: a time that makes no sense is dropped."""

from google_drive_worker.domain.drive import Change
from google_drive_worker.domain.record import Record
from google_drive_worker.normalization.shapes import ChangeData
from google_drive_worker.normalization.values import utc_time


def transform_change(resource_id: str, log: str, change: Change) -> Record:
    """Make the record of an entry of that log: what changed, and what Drive showed of it when the log was read."""
    file, drive = change.file, change.drive
    file_id = change.file_id or (None if file is None else file.id)
    drive_id = change.drive_id or (None if drive is None else drive.id) or (None if file is None else file.drive_id)
    data = ChangeData(
        id=resource_id,
        type="change",
        log=log,
        change_type=change.change_type,
        changed_at=utc_time(change.time),
        removed=change.removed,
        file_id=file_id,
        drive_id=drive_id,
        name=file.name if file is not None else None if drive is None else drive.name,
        mime_type=None if file is None else file.mime_type,
        version=None if file is None else file.version,
        modified_at=None if file is None else utc_time(file.modified_time),
        trashed=None if file is None else file.trashed,
        parents=None if file is None else file.parents,
    )
    return Record("change", resource_id, "upsert", data)
