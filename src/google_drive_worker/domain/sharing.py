"""Who may do what with an item: Drive's `Permission`, and what of an item decides where its permissions come from."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated

import msgspec

from google_drive_worker.domain.drive import ABSENT, FOLDER_MIME_TYPE, WHERE_IT_IS, UnreadableItem, odd_in, unreadable
from google_drive_worker.domain.ids import DriveId, FileId
from google_drive_worker.domain.lenient import NOT_EMPTY, UNREADABLE, Reader, Resource, is_lossy


class PermissionDetail(Resource, frozen=True, gc=False):
    """Where a permission comes from: of the item itself, of a folder above it, or of the drive's membership."""

    permission_type: str | None = None
    role: str | None = None
    inherited: bool = False
    inherited_from: FileId | None = None


class Permission(Resource, frozen=True, gc=False):
    """Drive's `Permission`: what one grantee may do with one item, whatever gave it to them.

    One without a role says nothing (`roled`).
    """

    id: Annotated[str, NOT_EMPTY]
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
    lossy: bool = is_lossy()


class ItemSharing(Resource, frozen=True, gc=False):
    """The part of a `File` that tells where its permissions come from.

    `permissions` are there where Google gives them in a listing: on items of My Drive whose sharing the user may see.
    `permission_ids` and `has_augmented_permissions` are there on items of shared drives.
    """

    DECISIVE = WHERE_IT_IS

    id: Annotated[FileId, NOT_EMPTY]
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


class PermissionSet(msgspec.Struct, frozen=True):
    """All permissions of an item; many items of a drive share one. `ids` are theirs, sorted.

    Where `is_visible` is false the account may not see them, which is not to say that there are none. `unreadable` are
    those that could not be read: where there are any, the set is not whole, and no absence from it means anything.
    `lossy` says that values of some made no sense and were left out.
    """

    permissions: tuple[Permission, ...] = ()
    ids: tuple[str, ...] = ()
    is_visible: bool = True
    unreadable: tuple[UnreadableItem, ...] = ()
    lossy: bool = False


UNSEEN = PermissionSet(is_visible=False)
"""Permissions that the account may not see."""

REMEMBERED_BYTES = 8192
"""How long the permissions of a listed item may be to be kept with what was read from them: some thirty of them."""

_PERMISSIONS = msgspec.json.Decoder(tuple[Permission, ...] | None)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_PERMISSION: Reader[Permission] = Reader(Permission, strict=False)
_SHARING: Reader[ItemSharing] = Reader(ItemSharing, strict=False)  # as `read_file` reads the same resource
_decode_sharing = _SHARING.decode


def roled(permission: Permission | UnreadableItem) -> Permission | UnreadableItem:
    """Return the permission; where it has no role, an element that can't be read. One without a type is `lossy`."""
    if isinstance(permission, UnreadableItem):
        return permission
    if permission.role:
        return permission if permission.type else msgspec.structs.replace(permission, lossy=True)
    return UnreadableItem(permission.id, "Object missing required field `role`")


def set_of(permissions: Iterable[Permission | UnreadableItem]) -> PermissionSet:
    """Those permissions as a set, with those among them that could not be read."""
    elements = tuple(permissions)
    read = tuple(each for each in elements if not isinstance(each, UnreadableItem))
    return PermissionSet(
        read,
        tuple(sorted(each.id for each in read)),
        unreadable=tuple(odd_in(elements)),
        lossy=any(each.lossy for each in read),
    )


def read_sharing(resource: bytes | msgspec.Raw) -> ItemSharing | None:
    """What a `File` resource tells of its sharing; `None` for one that can't be read."""
    try:
        return _decode_sharing(resource)
    except UNREADABLE:
        pass
    try:
        return _SHARING.salvage(resource)[0]
    except UNREADABLE:
        return None


def read_permissions(raw: msgspec.Raw) -> PermissionSet | None:
    """The permissions that stand in an item itself; `None` where they can't be read, `UNSEEN` where none are shown.

    Most files of a folder have the same, byte for byte, which is read once.
    """
    text = bytes(raw)
    return _read_once(text) if len(text) <= REMEMBERED_BYTES else _read(text)


@lru_cache(maxsize=512)
def _read_once(text: bytes) -> PermissionSet | None:
    return _read(text)


def _read(text: bytes) -> PermissionSet | None:
    if not text:
        return UNSEEN
    elements: Iterable[Permission | UnreadableItem] | None
    try:
        elements = _PERMISSIONS.decode(text)
    except UNREADABLE:
        try:
            elements = map(_read_permission, _ELEMENTS.decode(text))
        except UNREADABLE:
            return None
    return UNSEEN if elements is None else set_of(map(roled, elements))


def _read_permission(resource: msgspec.Raw) -> Permission | UnreadableItem:
    try:
        return _PERMISSION.read(resource)
    except UNREADABLE as problem:
        return unreadable(resource, problem)
