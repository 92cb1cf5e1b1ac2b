"""Who may do what with an item: Drive's `Permission`, and what of an item decides where its permissions come from."""

import msgspec

from google_drive_worker.domain.drive import ABSENT, FOLDER_MIME_TYPE, Resource
from google_drive_worker.domain.ids import DriveId, FileId


class PermissionDetail(Resource, frozen=True, gc=False):
    """Where a permission comes from: of the item itself, of a folder above it, or of the drive's membership."""

    permission_type: str | None = None
    role: str | None = None
    inherited: bool = False
    inherited_from: FileId | None = None


class Permission(Resource, frozen=True, gc=False):
    """Drive's `Permission`: what one grantee may do with one item, whatever gave it to them."""

    id: str
    type: str = ""
    role: str = ""
    email_address: str | None = None
    domain: str | None = None
    display_name: str | None = None
    photo_link: str | None = None
    expiration_time: str | None = None
    allow_file_discovery: bool | None = None
    view: str | None = None
    deleted: bool | None = None
    pending_owner: bool | None = None
    permission_details: tuple[PermissionDetail, ...] = ()


class ItemSharing(Resource, frozen=True, gc=False):
    """The part of a `File` that tells where its permissions come from.

    `permissions` are there where Google gives them in a listing: on items of My Drive whose sharing the user may see.
    `permission_ids` and `has_augmented_permissions` are there on items of shared drives.
    """

    id: FileId
    name: str = ""
    mime_type: str = "application/octet-stream"
    drive_id: DriveId | None = None
    parents: tuple[FileId, ...] | None = None
    trashed: bool = False
    permission_ids: tuple[str, ...] | None = None
    has_augmented_permissions: bool | None = None
    inherited_permissions_disabled: bool | None = None
    permissions: msgspec.Raw = ABSENT

    @property
    def is_folder(self) -> bool:
        """Whether it can have children."""
        return self.mime_type == FOLDER_MIME_TYPE
