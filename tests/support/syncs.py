"""Small checkpoints, pages and answers to decide on."""

from datetime import UTC, datetime

import msgspec

from google_drive_worker.domain.drive import (
    FOLDER_MIME_TYPE,
    ChangesPage,
    DriveFile,
    DrivesPage,
    FilesPage,
    SharedDrive,
    read_file,
)
from google_drive_worker.domain.ids import ConnectionId, CustomerId, DriveId, FileId, PageToken, SyncId
from google_drive_worker.domain.record import Source
from google_drive_worker.sync.checkpoint import (
    USER_CORPUS,
    Checkpoint,
    Corpus,
    Owed,
    Part,
    Scope,
    Stage,
    Sync,
    SyncKind,
)
from google_drive_worker.sync.step import Step

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CONNECTION = ConnectionId("conn_abc")
CUSTOMER = CustomerId("cust_123")
SYNC = SyncId("019a0000-0000-7000-8000-000000000001")
SOURCE = Source("integration.trigger", 0, 7, "message-7")
D, E = DriveId("drive-d"), DriveId("drive-e")


def token(text: str) -> PageToken:
    """A page token."""
    return PageToken(text)


def owed(kind: SyncKind, *, customer: str = CUSTOMER, page_token: str | None = None) -> Owed:
    """A sync that a trigger asked for."""
    return Owed(kind, CustomerId(customer), SOURCE, None if page_token is None else token(page_token))


def corpus(stage: Stage, change: str | None = "c1", listing: str | None = None, **more: bool) -> Corpus:
    """A corpus; a start token yet to be taken has none, and `listing` is where its listing goes on, in one part."""
    change_token = None if stage == "start_token" or change is None else token(change)
    parts = () if listing is None else (Part(page_token=token(listing)),)
    made = Corpus(stage, change_token, parts=parts)
    return msgspec.structs.replace(made, **more)


def syncing(kind: SyncKind, *, user: Corpus | None = None, scope: Scope | None = None, **drives: Corpus) -> Checkpoint:
    """A connection in mid-sync: the user's corpus, and drives as `d=` and `e=`."""
    corpora = {USER_CORPUS: user or corpus("done")} | {f"drive-{name}": each for name, each in drives.items()}
    sync = Sync(SYNC, kind, "2026-11-23T12:00:00.000Z", SOURCE)
    return Checkpoint(CONNECTION, CUSTOMER, scope=scope or Scope(), sync=sync, corpora=corpora, last_sync_id=SYNC)


def sync_of(step_or_checkpoint: Step | Checkpoint) -> Sync:
    """The sync in progress."""
    sync = state(step_or_checkpoint).sync
    assert sync is not None
    return sync


def state(step_or_checkpoint: Step | Checkpoint) -> Checkpoint:
    """The checkpoint of a step that has one."""
    if isinstance(step_or_checkpoint, Checkpoint):
        return step_or_checkpoint
    assert step_or_checkpoint.checkpoint is not None
    return step_or_checkpoint.checkpoint


def file(name: str, **fields: object) -> dict[str, object]:
    """A file of the user's as Drive sends it."""
    return {"id": name, "name": name, "mimeType": "text/plain", "ownedByMe": True, **fields}


def folder(name: str, **fields: object) -> dict[str, object]:
    """A folder of the user's."""
    return file(name, mimeType=FOLDER_MIME_TYPE, **fields)


def in_drive(name: str, drive: str, **fields: object) -> dict[str, object]:
    """A file in a shared drive."""
    return {"id": name, "name": name, "mimeType": "text/plain", "driveId": drive, **fields}


def read(fields: dict[str, object]) -> DriveFile:
    """A file as the worker reads it."""
    return read_file(msgspec.json.encode(fields))


def files_page(*files: dict[str, object], more: str | None = None, incomplete: bool = False) -> FilesPage:
    """A page of a listing."""
    raws = tuple(msgspec.Raw(msgspec.json.encode(each)) for each in files)
    return FilesPage(raws, None if more is None else token(more), incomplete)


def changes_page(*changes: dict[str, object], more: str | None = None, start: str | None = None) -> ChangesPage:
    """A page of a change log; without `more` it is the last one."""
    raws = tuple(msgspec.Raw(msgspec.json.encode(each)) for each in changes)
    last = token(start or "c2") if more is None else None
    return ChangesPage(raws, None if more is None else token(more), last)


def changed(fields: dict[str, object]) -> dict[str, object]:
    """An entry that shows an item."""
    return {"changeType": "file", "fileId": fields["id"], "removed": False, "file": fields}


def removed(name: str) -> dict[str, object]:
    """An entry that says an item is gone from this log's corpus."""
    return {"changeType": "file", "fileId": name, "removed": True}


def drive_change(drive: str, *, left: bool = False, rights: tuple[str, ...] | None = None) -> dict[str, object]:
    """An entry of the user's log about a shared drive; `rights` are the user's capabilities there."""
    capabilities = {} if rights is None else {"capabilities": dict.fromkeys(rights, True)}
    shown = {} if left else {"drive": {"id": drive, "name": drive, **capabilities}}
    return {"changeType": "drive", "driveId": drive, "removed": left, **shown}


def drives_page(*drives: str, more: str | None = None) -> DrivesPage:
    """A page of drives.list."""
    shown = tuple(SharedDrive(DriveId(each), each) for each in drives)
    return DrivesPage(shown, None if more is None else token(more))


def written(step: Step) -> list[str]:
    """The step's records, in words."""
    return [f"{record.operation} {record.resource_type} {record.resource_id}" for record in step.records]


def ids(*names: str) -> tuple[FileId, ...]:
    """File ids."""
    return tuple(FileId(name) for name in names)
