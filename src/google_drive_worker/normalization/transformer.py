"""Google's resources turned into records. Pure, and total: a value that makes no sense is dropped, never its file.

`docs/records.md` lists every field with its source.
"""

from typing import Literal, cast

import msgspec

from google_drive_worker.domain.content import ContentStatus
from google_drive_worker.domain.drive import (
    ABSENT,
    FOLDER_MIME_TYPE,
    DriveFile,
    FilesPage,
    SharedDrive,
    UnreadableItem,
    read_file,
    unreadable,
)
from google_drive_worker.domain.file_types import holds_of
from google_drive_worker.domain.lenient import UNREADABLE
from google_drive_worker.domain.listed import ListedPage
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.domain.record import (
    DeleteCause,
    ItemRecord,
    Record,
    References,
    ResourceType,
    SyncSummary,
)
from google_drive_worker.domain.times import sortable
from google_drive_worker.normalization.changes import transform_change
from google_drive_worker.normalization.details import transform_comment, transform_revision
from google_drive_worker.normalization.digests import digest_of, digest_of_permissions, digest_of_record
from google_drive_worker.normalization.exports import EXPORT_FORMATS
from google_drive_worker.normalization.labels import labels_of
from google_drive_worker.normalization.nested import Nested, content_restrictions_of, nested_of, shortcut_of
from google_drive_worker.normalization.permissions import permission_frames, transform_permissions
from google_drive_worker.normalization.shapes import (
    ChecksumsData,
    Cursor,
    DeletedData,
    FileData,
    PeopleData,
    SharedDriveData,
    StandingData,
    SyncData,
)
from google_drive_worker.normalization.values import flags, snake_case, utc_time

__all__ = [
    "deletion",
    "digest_of_permissions",
    "digest_of_record",
    "permission_frames",
    "read_page",
    "sync_record",
    "transform_change",
    "transform_comment",
    "transform_drive",
    "transform_file",
    "transform_permissions",
    "transform_revision",
    "with_content",
    "with_path",
]

_HANGING = frozenset({"permission", "revision", "comment"})
"""What hangs on a file and has its id before its own."""

_encode = msgspec.json.Encoder().encode


def transform_file(file: DriveFile) -> ItemRecord:
    """Make the upsert of a file, or of a folder (which has a resource type of its own); its data is encoded at once.

    A thousand files as structs are megabytes that no cache of the processor holds until they are encoded and freed one
    by one, a page later: done here, both cost half.
    """
    kind: Literal["file", "folder"] = "folder" if file.mime_type == FOLDER_MIME_TYPE else "file"
    nested, labels = nested_of(file), file.label_info
    data = _encode(_file_data(file, nested, kind))
    people = _encode(
        PeopleData(
            nested.trashed_by,
            nested.owners,
            nested.last_modified_by,
            nested.shared_by,
            ABSENT if labels is ABSENT else labels_of(labels),
        )
    )
    standing = _encode(
        StandingData(
            file.version, file.shared, file.has_augmented_permissions, file.permission_ids, nested.capabilities
        )
    )
    parents, holds = file.parents, holds_of(file.mime_type)
    return ItemRecord(
        kind,
        file.id,
        "upsert",
        msgspec.Raw(b"%b%b%b}" % (data[:-1], _further(people), _further(standing))),
        version=file.version,
        drive_id=file.drive_id,
        trashed=file.trashed,
        modified_time=sortable(file.modified_time),
        parent_id=parents[0] if parents else None,
        name=file.name if kind == "folder" else "",
        limits_access=file.inherited_permissions_disabled is True,
        has_own_permissions=file.has_augmented_permissions is True,
        digest=digest_of(data[:-1], _further(people)),
        rights=digest_of(bytes(nested.capabilities)) if kind == "folder" and nested.capabilities else None,
        lossy=file.lossy,
        has_revisions=holds.revisions and b'"can_read_revisions":false' not in standing,
        has_comments=holds.comments and b'"can_comment":false' not in standing,
        has_content=holds.content,
        head=file.head_revision_id or file.modified_time,
    )


def _further(members: bytes) -> bytes:
    """The members of an object, to follow others."""
    return b"" if members == b"{}" else b"," + members[1:-1]


def read_page(page: FilesPage) -> list[ItemRecord | UnreadableItem]:
    """Read the items of a listing's page, with their upserts: those that were not read when it came."""
    if not isinstance(page, ListedPage):
        return [_read_listed(raw) for raw in page.files]
    items: list[ItemRecord | UnreadableItem | None] = list(page.listed)
    for number in page.unread:
        items[number] = _read_listed(page.files[number])
    return cast("list[ItemRecord | UnreadableItem]", items)


def _read_listed(resource: msgspec.Raw) -> ItemRecord | UnreadableItem:
    try:
        return transform_file(read_file(resource))
    except UNREADABLE as problem:
        return unreadable(resource, problem)


def _file_data(file: DriveFile, nested: Nested, kind: Literal["file", "folder"]) -> FileData:
    # Positions are half as expensive as names here, and so is looking for what most files lack before calling for it:
    # this runs once for each file of a drive. In the order of FileData; the tests hold every field to its source.
    parents = file.parents
    viewed, shared_with_me, trashed = file.viewed_by_me_time, file.shared_with_me_time, file.trashed_time
    modified = utc_time(file.modified_time)
    shortcut, locks = file.shortcut_details, file.content_restrictions
    return FileData(
        file.id,
        kind,
        file.name,
        file.mime_type,
        file.size,
        utc_time(file.created_time),
        modified,
        file.trashed,
        file.description,
        file.drive_id,
        parents[0] if parents else None,
        parents,
        file.quota_bytes_used,
        file.head_revision_id,
        _checksums(file),
        file.original_filename,
        file.file_extension,
        file.full_file_extension,
        modified if file.modified_by_me_time == file.modified_time else utc_time(file.modified_by_me_time),
        None if viewed is None else utc_time(viewed),
        None if shared_with_me is None else utc_time(shared_with_me),
        file.explicitly_trashed,
        None if trashed is None else utc_time(trashed),
        file.starred,
        file.owned_by_me,
        file.web_view_link,
        file.web_content_link,
        file.icon_link,
        file.has_thumbnail,
        EXPORT_FORMATS.get(file.mime_type),
        ABSENT if shortcut is ABSENT else shortcut_of(shortcut),
        file.spaces,
        file.properties,
        file.app_properties,
        file.folder_color_rgb,
        file.writers_can_share,
        file.copy_requires_writer_permission,
        file.inherited_permissions_disabled,
        file.resource_key,
        ABSENT if locks is ABSENT else content_restrictions_of(locks),
        nested.link_share_metadata,
    )


def transform_drive(drive: SharedDrive) -> Record:
    """Make the upsert of a shared drive."""
    data = SharedDriveData(
        id=drive.id,
        type="shared_drive",
        name=drive.name,
        created_at=utc_time(drive.created_time),
        hidden=drive.hidden,
        org_unit_id=drive.org_unit_id,
        theme_id=drive.theme_id,
        color_rgb=drive.color_rgb,
        background_image_link=drive.background_image_link,
        restrictions=_restrictions(drive),
        capabilities=flags(drive.capabilities),
    )
    return Record("shared_drive", drive.id, "upsert", data)


def with_path(record: Record, path: tuple[str, ...]) -> Record:
    """Add a folder's path to its upsert."""
    data = bytes(record.data) if isinstance(record.data, msgspec.Raw) else _encode(record.data)
    data = data[:-1] + b',"path":' + _encode(path) + b"}"
    return Record(record.resource_type, record.resource_id, record.operation, msgspec.Raw(data), record.references)


def with_content(record: Record, status: ContentStatus, ref: ObjectRef | None) -> Record:
    """Add what became of a file's content to its upsert, and the reference to where that is."""
    data = bytes(record.data) if isinstance(record.data, msgspec.Raw) else _encode(record.data)
    data = data[:-1] + b',"content_status":"' + status.encode() + b'"}'
    references = record.references if ref is None else References(content_ref=ref)
    return Record(record.resource_type, record.resource_id, record.operation, msgspec.Raw(data), references)


def deletion(resource_type: ResourceType, resource_id: str, cause: DeleteCause) -> Record:
    """Make the delete of a resource: a consumer drops what it holds under this type and id.

    The id of what hangs on an item, `{file_id}/{own id}`, is its own in the data.
    """
    own_id = resource_id.rpartition("/")[2] if resource_type in _HANGING else resource_id
    return Record(resource_type, resource_id, "delete", DeletedData(own_id, resource_type, True, cause))


def sync_record(summary: SyncSummary) -> Record:
    """Make the record that opens or closes a full sync.

    Counts and the new cursor are known when it closes. A consumer may then drop what it holds of the connection under
    an older sync id, unless the record names gaps.
    """
    ended = summary.completed_at
    data = SyncData(
        id=summary.sync_id,
        type="sync",
        kind="full_sync",
        status="started" if ended is None else "incomplete" if summary.gaps else "completed",
        started_at=summary.started_at,
        completed_at=ended,
        counts=None if ended is None else summary.counts,
        cursor=None if ended is None else Cursor(summary.page_token or "", ended),
        gaps=None if ended is None else summary.gaps,
    )
    return Record("sync", summary.sync_id, "upsert", data)


def _checksums(file: DriveFile) -> ChecksumsData | None:
    if file.md5_checksum is None and file.sha1_checksum is None and file.sha256_checksum is None:
        return None
    return ChecksumsData(file.md5_checksum, file.sha1_checksum, file.sha256_checksum)


def _restrictions(drive: SharedDrive) -> dict[str, bool | dict[str, bool]] | None:
    if drive.restrictions is None:
        return None
    return {
        snake_case(name): {snake_case(inner): flag for inner, flag in value.items()}
        if isinstance(value, dict)
        else value
        for name, value in drive.restrictions.items()
    }
