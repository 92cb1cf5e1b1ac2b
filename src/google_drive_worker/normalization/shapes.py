"""What `data` holds in each record; `docs/records.md` says where each field comes from.

Fields without a default are always present, with null where Google does not say. The others are left out where Google
does not say, so that a record stays small.
"""

from typing import Literal

import msgspec

from google_drive_worker.domain.drive import ABSENT
from google_drive_worker.domain.record import DeleteCause, NamedGap, ResourceType

Encoded = msgspec.Raw
"""JSON, encoded already; its shape is named where the record's fields are documented."""


class Data(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Base of them all: immutable; what is unknown is left out."""


class PersonData(Data, frozen=True, gc=False):
    """Somebody, as Google shows them to the connection's account."""

    display_name: str | None = None
    email_address: str | None = None
    permission_id: str | None = None
    photo_link: str | None = None
    me: bool | None = None


class ChecksumsData(Data, frozen=True, gc=False):
    """Of a blob's content, in hexadecimal."""

    md5: str | None = None
    sha1: str | None = None
    sha256: str | None = None


class ShortcutData(Data, frozen=True, gc=False):
    """Where a shortcut leads."""

    target_id: str | None = None
    target_mime_type: str | None = None
    target_resource_key: str | None = None


class ContentRestrictionData(Data, frozen=True, gc=False):
    """A lock on a file's content."""

    read_only: bool | None = None
    reason: str | None = None
    restricted_at: str | None = None
    type: str | None = None


class LinkShareData(Data, frozen=True, gc=False):
    """Whether a link needs the resource key."""

    security_update_eligible: bool | None = None
    security_update_enabled: bool | None = None


class LabelFieldData(Data, frozen=True, gc=False):
    """A field of a label: a list of values, of one type or persons."""

    id: str
    value_type: str | None
    values: tuple[str | int | PersonData, ...]


class LabelData(Data, frozen=True, gc=False):
    """A label on a file, with the fields that have a value."""

    id: str
    revision_id: str | None
    fields: tuple[LabelFieldData, ...]


class FileData(Data, frozen=True, gc=False):
    """A file or a folder: what its digest is made of. `PeopleData` and `StandingData` follow it in the data."""

    id: str
    type: Literal["file", "folder"]
    name: str
    mime_type: str
    size_bytes: int | None
    created_at: str | None
    modified_at: str | None
    trashed: bool
    description: str | None = None
    drive_id: str | None = None
    parent_id: str | None = None
    parents: tuple[str, ...] | None = None
    quota_bytes_used: int | None = None
    head_revision_id: str | None = None
    checksums: ChecksumsData | None = None
    original_filename: str | None = None
    file_extension: str | None = None
    full_file_extension: str | None = None
    modified_by_me_at: str | None = None
    viewed_by_me_at: str | None = None
    shared_with_me_at: str | None = None
    explicitly_trashed: bool | None = None
    trashed_at: str | None = None
    starred: bool | None = None
    owned_by_me: bool | None = None
    web_view_link: str | None = None
    web_content_link: str | None = None
    icon_link: str | None = None
    has_thumbnail: bool | None = None
    export_formats: tuple[str, ...] | None = None
    shortcut: Encoded = ABSENT
    spaces: tuple[str, ...] | None = None
    properties: dict[str, str] | None = None
    app_properties: dict[str, str] | None = None
    folder_color_rgb: str | None = None
    writers_can_share: bool | None = None
    copy_requires_writer_permission: bool | None = None
    inherited_permissions_disabled: bool | None = None
    resource_key: str | None = None
    content_restrictions: Encoded = ABSENT
    link_share_metadata: Encoded = ABSENT


class PeopleData(Data, frozen=True, gc=False):
    """Who has to do with a file or a folder: part of its digest, but for the links to their photos."""

    trashed_by: Encoded = ABSENT
    owners: Encoded = ABSENT
    last_modified_by: Encoded = ABSENT
    shared_by: Encoded = ABSENT
    labels: Encoded = ABSENT


class StandingData(Data, frozen=True, gc=False):
    """What of a file or a folder is as of its last write, and no part of its digest."""

    version: int | None = None
    shared: bool | None = None
    has_augmented_permissions: bool | None = None
    permission_ids: tuple[str, ...] | None = None
    capabilities: Encoded = ABSENT


class SharedDriveData(Data, frozen=True, gc=False):
    """A shared drive."""

    id: str
    type: Literal["shared_drive"]
    name: str
    created_at: str | None
    hidden: bool | None = None
    org_unit_id: str | None = None
    theme_id: str | None = None
    color_rgb: str | None = None
    background_image_link: str | None = None
    restrictions: dict[str, bool | dict[str, bool]] | None = None
    capabilities: dict[str, bool] | None = None


class PermissionData(Data, frozen=True, gc=False):
    """What one grantee may do with a file, a folder or a shared drive, whatever gave it to them."""

    id: str
    type: Literal["permission"]
    file_id: str
    role: str
    grantee_type: str
    inherited: bool
    email_address: str | None = None
    domain: str | None = None
    display_name: str | None = None
    photo_link: str | None = None
    expires_at: str | None = None
    allow_file_discovery: bool | None = None
    view: str | None = None
    deleted: bool | None = None
    pending_owner: bool | None = None
    inherited_from: str | None = None


class RevisionData(Data, frozen=True, gc=False):
    """One kept version of a file's content."""

    id: str
    type: Literal["revision"]
    file_id: str
    modified_at: str | None
    size_bytes: int | None
    mime_type: str | None = None
    author: PersonData | None = None
    original_filename: str | None = None
    md5: str | None = None
    keep_forever: bool | None = None
    published: bool | None = None
    publish_auto: bool | None = None
    published_outside_domain: bool | None = None
    published_link: str | None = None
    export_formats: tuple[str, ...] | None = None


class QuotedContentData(Data, frozen=True, gc=False):
    """The passage that a comment is about."""

    mime_type: str | None = None
    value: str | None = None


class ReplyData(Data, frozen=True, gc=False):
    """An answer to a comment; a deleted one has lost its content."""

    id: str
    content: str | None
    created_at: str | None
    modified_at: str | None
    author: PersonData | None = None
    html_content: str | None = None
    action: str | None = None
    deleted: bool | None = None
    mentions: tuple[str, ...] | None = None
    assignee: str | None = None


class CommentData(Data, frozen=True, gc=False):
    """A comment with its replies, the oldest first."""

    id: str
    type: Literal["comment"]
    file_id: str
    content: str | None
    created_at: str | None
    modified_at: str | None
    resolved: bool
    replies: tuple[ReplyData, ...]
    author: PersonData | None = None
    html_content: str | None = None
    anchor: str | None = None
    quoted_content: QuotedContentData | None = None
    mentions: tuple[str, ...] | None = None
    assignee: str | None = None


class ChangeData(Data, frozen=True, gc=False):
    """An entry of a change log: what it tells of, and that as it was when the log was read."""

    id: str
    type: Literal["change"]
    log: str
    change_type: str
    changed_at: str | None
    removed: bool
    file_id: str | None = None
    drive_id: str | None = None
    name: str | None = None
    mime_type: str | None = None
    version: int | None = None
    modified_at: str | None = None
    trashed: bool | None = None
    parents: tuple[str, ...] | None = None


class DeletedData(msgspec.Struct, frozen=True, gc=False):
    """What no longer is, or no longer concerns the connection, and why."""

    id: str
    type: ResourceType
    deleted: Literal[True]
    cause: DeleteCause


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """Where the connection's changes start after a sync: the user's log, read to its end at that time."""

    page_token: str
    timestamp: str


class SyncData(msgspec.Struct, frozen=True, gc=False):
    """One end of a full sync; every field is always present."""

    id: str
    type: Literal["sync"]
    kind: Literal["full_sync"]
    status: Literal["started", "completed", "incomplete"]
    started_at: str
    completed_at: str | None
    counts: dict[str, int] | None
    cursor: Cursor | None
    gaps: tuple[NamedGap, ...] | None
