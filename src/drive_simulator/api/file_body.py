"""The body of files.create, update and copy: what may be written, typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from drive_simulator.api import errors
from drive_simulator.model.clock import parse_rfc3339
from drive_simulator.model.items import Item, User

MAX_NAME = 32_767

T = TypeVar("T")

_TEXTS = {"description": "description", "folderColorRgb": "folder_color", "originalFilename": "original_filename"}
_FLAGS = {"writersCanShare": "writers_can_share", "copyRequiresWriterPermission": "copy_requires_writer"}
_MAPS = {"properties": "properties", "appProperties": "app_properties"}
_READ_ONLY_ON_UPDATE = ("id", "parents", "createdTime")


@dataclass(slots=True)
class FileBody:
    """What the body asks for; None is not asked for. `extras` are the rarely set properties, None among them clears."""

    id: str | None = None
    name: str | None = None
    mime_type: str | None = None
    parents: list[str] = field(default_factory=list)
    starred: bool | None = None
    trashed: bool | None = None
    created_ms: int | None = None
    modified_ms: int | None = None
    viewed_ms: int | None = None
    target_id: str | None = None
    limited: bool | None = None
    extras: dict[str, object] = field(default_factory=dict)

    @property
    def changes_metadata(self) -> bool:
        """Whether the file itself changes, not the user's own view of it or its place."""
        return self.name is not None or bool(self.extras) or self.mime_type is not None


def read_file_body(user: User, body: Mapping[str, object], *, existing: Item | None = None) -> FileBody:
    """Read a File resource that somebody writes. Raises ApiError: 400 for wrong types, 403 `fieldNotWritable`."""
    if existing is not None:
        for field_name in _READ_ONLY_ON_UPDATE:
            if field_name in body and not (field_name == "id" and body["id"] == existing.id):
                message = (
                    "The parents field is not directly writable in update requests. Use the addParents and "
                    "removeParents parameters instead."
                    if field_name == "parents"
                    else "The resource body includes fields which are not directly writable."
                )
                raise errors.ApiError(403, "fieldNotWritable", message)
    parents: list[object] = _typed(body, "parents", list) or []
    if not all(isinstance(each, str) for each in parents):
        raise errors.bad_request("Invalid value for parents.")
    shortcut = body.get("shortcutDetails")
    name = _typed(body, "name", str)
    if name is not None and len(name) > MAX_NAME:
        raise errors.bad_request("The name is too long.")
    return FileBody(
        id=_typed(body, "id", str),
        name=name,
        mime_type=_typed(body, "mimeType", str),
        parents=[user.root.id if each == "root" else str(each) for each in parents],
        starred=_typed(body, "starred", bool),
        trashed=_typed(body, "trashed", bool),
        created_ms=_time(body, "createdTime"),
        modified_ms=_time(body, "modifiedTime"),
        viewed_ms=_time(body, "viewedByMeTime"),
        target_id=_typed(shortcut, "targetId", str) if isinstance(shortcut, dict) else None,
        limited=_typed(body, "inheritedPermissionsDisabled", bool),
        extras=_extras(body, existing),
    )


def _extras(body: Mapping[str, object], existing: Item | None) -> dict[str, object]:
    extras: dict[str, object] = {}
    writable: tuple[tuple[Mapping[str, str], type[object]], ...] = ((_TEXTS, str), (_FLAGS, bool))
    for names, kind in writable:
        for name, key in names.items():
            if name in body:
                extras[key] = _typed(body, name, kind)
    for name, key in _MAPS.items():
        given: dict[str, object] | None = _typed(body, name, dict)
        if given is not None:
            if not all(value is None or isinstance(value, str) for value in given.values()):
                raise errors.bad_request(f"Invalid value at '{name}'.")
            former = cast(dict[str, object], (existing.rare(key) if existing is not None else None) or {})
            merged = former | given
            extras[key] = {each: value for each, value in merged.items() if value is not None} or None
    downloads: dict[str, object] | None = _typed(body, "downloadRestrictions", dict)
    item_restriction = downloads.get("itemDownloadRestriction") if downloads is not None else None
    if isinstance(item_restriction, dict):
        kinds = ("restrictedForReaders", "restrictedForWriters")
        flags = {each: _typed(item_restriction, each, bool) is True for each in kinds}
        extras["download_restriction"] = flags if any(flags.values()) else None
    restrictions: list[object] | None = _typed(body, "contentRestrictions", list)
    if restrictions is not None:
        extras["content_restrictions"] = [_restriction(each) for each in restrictions] or None
    return extras


def _restriction(value: object) -> dict[str, object]:
    """One lock on the content: what of it can be written."""
    if not isinstance(value, dict):
        raise errors.bad_request("Invalid value at 'contentRestrictions'.")
    read: dict[str, object] = {"readOnly": _typed(value, "readOnly", bool) is True}
    if read["readOnly"]:
        read["type"] = "globalContentRestriction"
        read["systemRestricted"] = False
    for name, kind in (("ownerRestricted", bool), ("reason", str)):
        given: object = _typed(value, name, kind)
        if given is not None:
            read[name] = given
    return read


def _typed(body: Mapping[str, object], name: str, kind: type[T]) -> T | None:
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        raise errors.bad_request(f"Invalid value at '{name}'.")
    return value


def _time(body: Mapping[str, object], name: str) -> int | None:
    value = _typed(body, name, str)
    if value is None:
        return None
    try:
        return parse_rfc3339(str(value))
    except ValueError:
        raise errors.bad_request(f"Invalid value at '{name}'.") from None
