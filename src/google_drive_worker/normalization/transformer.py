"""Google's resources turned into records. Pure, and total: a value that makes no sense is dropped, never its file.

`docs/records.md` lists every field with its source.
"""

from typing import Literal

import msgspec

from google_drive_worker.domain.drive import (
    FOLDER_MIME_TYPE,
    ContentRestriction,
    DriveFile,
    LinkShareMetadata,
    SharedDrive,
    ShortcutDetails,
    User,
)
from google_drive_worker.domain.record import DeleteCause, Record, ResourceType, SyncSummary
from google_drive_worker.normalization.exports import EXPORT_FORMATS
from google_drive_worker.normalization.shapes import (
    ChecksumsData,
    ContentRestrictionData,
    Cursor,
    DeletedData,
    FileData,
    LinkShareData,
    PersonData,
    SharedDriveData,
    ShortcutData,
    SyncData,
)
from google_drive_worker.normalization.values import flags, integer, snake_case, utc_time

_encode = msgspec.json.Encoder().encode


def transform_file(file: DriveFile) -> Record:
    """Make the upsert of a file, or of a folder (which has a resource type of its own); its data is encoded at once.

    A thousand files as structs are megabytes that no cache of the processor holds until they are encoded and freed one
    by one, a page later: done here, both cost half.
    """
    kind: Literal["file", "folder"] = "folder" if file.mime_type == FOLDER_MIME_TYPE else "file"
    return Record(kind, file.id, "upsert", msgspec.Raw(_encode(_file_data(file, kind))))


def _file_data(file: DriveFile, kind: Literal["file", "folder"]) -> FileData:
    # Positions are half as expensive as names here, and so is looking for what most files lack before calling for it:
    # this runs once for each file of a drive. In the order of FileData; the tests hold every field to its source.
    parents, owners = file.parents, file.owners
    viewed, shared_with_me, trashed = file.viewed_by_me_time, file.shared_with_me_time, file.trashed_time
    modified = utc_time(file.modified_time)
    trashed_by, shared_by = file.trashing_user, file.sharing_user
    shortcut, locks, link_share = file.shortcut_details, file.content_restrictions, file.link_share_metadata
    return FileData(
        file.id,
        kind,
        file.name,
        file.mime_type,
        integer(file.size),
        utc_time(file.created_time),
        modified,
        file.trashed,
        file.description,
        file.drive_id,
        parents[0] if parents else None,
        parents,
        integer(file.version),
        integer(file.quota_bytes_used),
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
        None if trashed_by is None else _person(trashed_by),
        file.starred,
        file.shared,
        file.owned_by_me,
        None if owners is None else tuple(map(_person, owners)),
        None if file.last_modifying_user is None else _person(file.last_modifying_user),
        None if shared_by is None else _person(shared_by),
        file.web_view_link,
        file.web_content_link,
        file.icon_link,
        file.has_thumbnail,
        _export_formats(file),
        None if shortcut is None else _shortcut(shortcut),
        file.spaces,
        file.properties,
        file.app_properties,
        file.folder_color_rgb,
        file.writers_can_share,
        file.copy_requires_writer_permission,
        file.inherited_permissions_disabled,
        file.has_augmented_permissions,
        file.permission_ids,
        file.resource_key,
        flags(file.capabilities),
        None if locks is None else tuple(map(_content_restriction, locks)),
        None if link_share is None else _link_share(link_share),
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


def deletion(resource_type: ResourceType, resource_id: str, cause: DeleteCause) -> Record:
    """Make the delete of a resource: a consumer drops what it holds under this type and id."""
    return Record(resource_type, resource_id, "delete", DeletedData(resource_id, resource_type, True, cause))


def sync_record(summary: SyncSummary) -> Record:
    """Make the record that opens or closes a full sync.

    Counts and the new cursor are known when it closes. A consumer then drops what it holds of the connection under an
    older sync id.
    """
    ended = summary.completed_at
    data = SyncData(
        id=summary.sync_id,
        type="sync",
        kind="full_sync",
        status="started" if ended is None else "completed",
        started_at=summary.started_at,
        completed_at=ended,
        counts=None if ended is None else summary.counts,
        cursor=None if ended is None else Cursor(summary.page_token or "", ended),
    )
    return Record("sync", summary.sync_id, "upsert", data)


def _person(user: User) -> PersonData:
    return PersonData(user.display_name, user.email_address, user.permission_id, user.photo_link, user.me)


def _checksums(file: DriveFile) -> ChecksumsData | None:
    if file.md5_checksum is None and file.sha1_checksum is None and file.sha256_checksum is None:
        return None
    return ChecksumsData(file.md5_checksum, file.sha1_checksum, file.sha256_checksum)


def _shortcut(details: ShortcutDetails) -> ShortcutData:
    return ShortcutData(details.target_id, details.target_mime_type, details.target_resource_key)


def _export_formats(file: DriveFile) -> tuple[str, ...] | None:
    """What Google says of this very file, else what its type can be exported to."""
    if file.export_links is not None:
        return tuple(file.export_links)
    return EXPORT_FORMATS.get(file.mime_type)


def _content_restriction(lock: ContentRestriction) -> ContentRestrictionData:
    return ContentRestrictionData(lock.read_only, lock.reason, utc_time(lock.restriction_time), lock.type)


def _link_share(metadata: LinkShareMetadata) -> LinkShareData:
    return LinkShareData(metadata.security_update_eligible, metadata.security_update_enabled)


def _restrictions(drive: SharedDrive) -> dict[str, bool | dict[str, bool]] | None:
    if drive.restrictions is None:
        return None
    return {
        snake_case(name): {snake_case(inner): flag for inner, flag in value.items()}
        if isinstance(value, dict)
        else value
        for name, value in drive.restrictions.items()
    }
