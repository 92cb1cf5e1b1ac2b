"""What the worker says: records for the Data Plane, error reports for on-call; before they are encoded."""

from typing import Literal

import msgspec

from google_drive_worker.domain.ids import ConnectionId, CustomerId, DriveId, FileId, PageToken, SyncId
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.utils.errors import Category, NextStep

ResourceType = Literal["file", "folder", "permission", "revision", "comment", "shared_drive", "change", "sync"]
Operation = Literal["upsert", "delete"]
DeleteCause = Literal["removed", "trashed", "out_of_scope", "access_lost"]


class References(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The objects that a record refers to: where its own data went, and where a file's bytes are."""

    payload_ref: ObjectRef | None = None
    content_ref: ObjectRef | None = None


class Record(msgspec.Struct, frozen=True, gc=False):
    """One thing to write to `ingestion.data`: `data` is what the record's `data` field is encoded from, or is it.

    `version` is Drive's `File.version` of an item, which rises with each change of it; `None` where it is not known.
    """

    resource_type: ResourceType
    resource_id: str
    operation: Operation
    data: msgspec.Struct | msgspec.Raw
    references: References | None = None
    version: int | None = None


class ItemRecord(Record, frozen=True, gc=False):
    """The upsert of a file or a folder, with what decides whether it is written and what it means for what is below it.

    `digest` is the data's without what is only as of the item's last write (see `item_entry.ItemEntry`). `parent_id` is
    the first of its parents. `limits_access` says that a folder's items inherit none of its permissions,
    `has_own_permissions` that not all of its permissions are inherited. `rights` is the digest of a folder's
    capabilities. `modified_time` is `sortable`. `lossy` says that values of it made no sense and were left out.
    `has_revisions`, `has_comments` and `has_content` say that there may be such of a file, for the account to read;
    `head` is its head revision's id, or of a document its modifiedTime.
    """

    drive_id: DriveId | None = None
    trashed: bool = False
    modified_time: str | None = None
    parent_id: FileId | None = None
    name: str = ""
    limits_access: bool = False
    has_own_permissions: bool = False
    digest: int = 0
    rights: int | None = None
    lossy: bool = False
    has_revisions: bool = False
    has_comments: bool = False
    has_content: bool = False
    head: str | None = None


class PermissionFrame(msgspec.Struct, frozen=True, gc=False):
    """The record of a permission, but for the item that it is of: `id_end` ends the record's id, and the data is
    `before` the item's id and `after` it, as JSON. `digest` is the data's, without the id and the link to a photo."""

    id_end: str
    before: bytes
    after: bytes
    digest: int


class Source(msgspec.Struct, frozen=True):
    """The message that an effect goes back to."""

    topic: str
    partition: int
    offset: int
    message_id: str | None = None


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to write to `integration.errors`; holds no secret (platform contract, "Out: error").

    `sync_id` is the sync in which it happened, where there was one; `action` is what happens next.
    """

    code: str
    category: Category
    message: str
    action: NextStep = "none"
    http_status: int | None = None
    reason: str | None = None
    retry_after_s: float | None = None
    attempts: int | None = None
    customer_id: CustomerId | None = None
    connection_id: ConnectionId | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    source: Source | None = None
    sync_id: SyncId | None = None
    original: str | None = None


class RecordContext(msgspec.Struct, frozen=True):
    """What the records of one step have in common."""

    customer_id: CustomerId
    connection_id: ConnectionId
    sync_id: SyncId
    produced_at: str


class NamedGap(msgspec.Struct, frozen=True):
    """What a full sync could not read, as its closing record names it (platform contract, "Out: record")."""

    scope: str
    id: str
    code: str
    message: str


class SyncSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the record tells that opens a full sync, or closes it once `completed_at` is known.

    `counts` are its records by resource type, deletes under `deleted`; `page_token` is where the user's changes go on.
    With `gaps` it closes as incomplete.
    """

    sync_id: SyncId
    started_at: str
    completed_at: str | None = None
    counts: dict[str, int] = {}
    page_token: PageToken | None = None
    gaps: tuple[NamedGap, ...] = ()
