"""Permissions turned into records. Most items of a drive have the same permissions, so each is encoded once, and an
item's records are copies of it with the item's id in its place."""

from collections.abc import Sequence

import msgspec

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.record import PermissionFrame, Record
from google_drive_worker.domain.sharing import Permission
from google_drive_worker.normalization.digests import digest_of
from google_drive_worker.normalization.shapes import PermissionData
from google_drive_worker.normalization.values import utc_time

_encode = msgspec.json.Encoder().encode

_PLACE = b'"file_id":'
"""Stands before the item's id. Inside of a value its quotes would be escaped, and no name ends so."""


def permission_frames(permissions: Sequence[Permission]) -> tuple[PermissionFrame, ...]:
    """Encode the permissions, without the item that they are of."""
    return tuple(map(_frame, permissions))


def transform_permissions(file_id: FileId, frames: Sequence[PermissionFrame]) -> list[Record]:
    """Make the upserts of an item's permissions; the resource id is `{file_id}/{permission id}`."""
    quoted = _encode(file_id)
    return [
        Record("permission", file_id + frame.id_end, "upsert", msgspec.Raw(frame.before + quoted + frame.after))
        for frame in frames
    ]


def _frame(permission: Permission) -> PermissionFrame:
    before, place, after = _encode(_data(permission)).partition(_PLACE)
    after = after.removeprefix(b'""')
    return PermissionFrame(f"/{permission.id}", before + place, after, digest_of(before, after))


def _data(permission: Permission) -> PermissionData:
    details = permission.permission_details
    inherited = bool(details) and all(detail.inherited for detail in details)
    giving = next((detail for detail in details if detail.role == permission.role), details[0] if details else None)
    return PermissionData(
        id=permission.id,
        type="permission",
        file_id="",
        role=permission.role,
        grantee_type=permission.type,
        inherited=inherited,
        email_address=permission.email_address,
        domain=permission.domain,
        display_name=permission.display_name,
        photo_link=permission.photo_link,
        expires_at=utc_time(permission.expiration_time),
        allow_file_discovery=permission.allow_file_discovery,
        view=permission.view,
        deleted=permission.deleted,
        pending_owner=permission.pending_owner,
        inherited_from=giving.inherited_from if inherited and giving is not None else None,
    )
