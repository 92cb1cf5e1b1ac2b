"""When a mirror is equal to the Drive: every documented field of a record, as the simulated Drive says it should be.

Both sides come to the same flat form: the names of `docs/records.md`, without what is absent or null. `record_fields`
reads it off a record's `data`; the other functions work it out from what the simulator says. `NOT_COMPARED` names the
documented fields that are left out, each with its reason.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from drive_simulator.truth.items import VisibleComment, VisibleReply, VisibleRevision

RecordFields = dict[str, object]
"""A record's data by documented name; what is absent, null or not compared is left out."""

_AS_WRITTEN = "is as of the item's last write"
_FROM_TYPE = "follows from the MIME type, which is compared"
_NOT_KNOWN = "is no part of what the simulator says"

_OF_ITEMS = {
    "version": _AS_WRITTEN,
    "shared": _AS_WRITTEN,
    "has_augmented_permissions": _AS_WRITTEN,
    "permission_ids": _AS_WRITTEN,
    "capabilities": _AS_WRITTEN,
    "export_formats": _FROM_TYPE,
    "labels": "is compared where labels are mirrored",
    "content_status": "is compared with the bytes",
}

NOT_COMPARED: Mapping[str, Mapping[str, str]] = {
    "file": _OF_ITEMS,
    "folder": _OF_ITEMS,
    "shared_drive": {"capabilities": _AS_WRITTEN},
    "permission": {
        "display_name": _NOT_KNOWN,
        "photo_link": _AS_WRITTEN,
        "pending_owner": _NOT_KNOWN,
    },
    "revision": {
        "author": "is compared by its address alone, as `author_address`",
        "original_filename": _NOT_KNOWN,
        "publish_auto": _NOT_KNOWN,
        "published_outside_domain": _NOT_KNOWN,
        "published_link": _NOT_KNOWN,
    },
    "comment": {
        "author": "is compared by its name alone, as `author_name`",
        "html_content": _NOT_KNOWN,
        "quoted_content": "is compared by its text alone, as `quoted`",
    },
}
"""By resource type: the documented fields that `RecordFields` don't have, with the reason."""


class PermissionTruth(Protocol):
    """A permission as the simulator says it is."""

    @property
    def role(self) -> str:
        """Its role."""
        ...

    @property
    def type(self) -> str:
        """The kind of grantee."""
        ...

    @property
    def email(self) -> str | None:
        """The grantee's address."""
        ...

    @property
    def domain(self) -> str | None:
        """The grantee's domain."""
        ...

    @property
    def inherited(self) -> bool:
        """Whether it is given by folders above alone."""
        ...

    @property
    def inherited_from(self) -> str | None:
        """The folder or drive that gives it."""
        ...

    @property
    def expiration_time(self) -> str | None:
        """When it ends."""
        ...

    @property
    def allow_discovery(self) -> bool | None:
        """Whether a search finds it."""
        ...

    @property
    def view(self) -> str | None:
        """What part of the item it is for."""
        ...

    @property
    def deleted(self) -> bool:
        """Whether the grantee's account is."""
        ...


def record_fields(resource_type: str, data: Mapping[str, object]) -> RecordFields:
    """What is compared of a record's `data`."""
    left_out = NOT_COMPARED.get(resource_type, {})
    fields = {name: _plain(value) for name, value in data.items() if name not in left_out}
    if resource_type == "permission":
        fields.setdefault("deleted", False)
    elif resource_type == "revision":
        fields["author_address"] = _of(data.get("author"), "email_address")
        fields["export_formats"] = _sorted(data.get("export_formats"))
    elif resource_type == "comment":
        fields["author_name"] = _of(data.get("author"), "display_name")
        fields["quoted"] = _of(data.get("quoted_content"), "value")
        replies = data.get("replies")
        fields["replies"] = [_mirrored_reply(each) for each in replies] if isinstance(replies, list) else []
    return _without_null(fields)


def item_fields(resource: Mapping[str, object], path: Sequence[str] | None = None) -> RecordFields:
    """What a record of that `File` resource should have; `path` is a folder's."""
    is_folder = resource["mimeType"] == "application/vnd.google-apps.folder"
    fields: RecordFields = {"type": "folder" if is_folder else "file"}
    for name, (source, convert) in _ITEM_FIELDS.items():
        value = resource.get(source)
        if value is not None:
            fields[name] = convert(value)
    parents = resource.get("parents")
    fields["parent_id"] = parents[0] if isinstance(parents, list | tuple) and parents else None
    checksums = {name: resource.get(f"{name}Checksum") for name in ("md5", "sha1", "sha256")}
    fields["checksums"] = _without_null(checksums) or None
    fields["path"] = None if path is None else list(path)
    return _without_null(fields)


def drive_fields(resource: Mapping[str, object]) -> RecordFields:
    """What a record of that `Drive` resource should have."""
    fields: RecordFields = {"type": "shared_drive"}
    fields |= {name: convert(resource.get(source)) for name, (source, convert) in _DRIVE_FIELDS.items()}
    return _without_null(fields)


def permission_fields(item_id: str, permission_id: str, permission: PermissionTruth) -> RecordFields:
    """What a record of that permission should have."""
    return _without_null(
        {
            "id": permission_id,
            "type": "permission",
            "file_id": item_id,
            "role": permission.role,
            "grantee_type": permission.type,
            "inherited": permission.inherited,
            "email_address": permission.email,
            "domain": permission.domain,
            "expires_at": permission.expiration_time,
            "allow_file_discovery": permission.allow_discovery,
            "view": permission.view,
            "deleted": permission.deleted,
            "inherited_from": permission.inherited_from,
        }
    )


def revision_fields(file_id: str, revision_id: str, revision: VisibleRevision) -> RecordFields:
    """What a record of that revision should have."""
    return _without_null(
        {
            "id": revision_id,
            "type": "revision",
            "file_id": file_id,
            "modified_at": revision.modified_time,
            "size_bytes": revision.size,
            "mime_type": revision.mime_type,
            "author_address": revision.author,
            "md5": revision.md5,
            "keep_forever": revision.keep_forever,
            "published": revision.published,
            "export_formats": _sorted(revision.export_formats),
        }
    )


def comment_fields(file_id: str, comment_id: str, comment: VisibleComment) -> RecordFields:
    """What a record of that comment should have."""
    return _without_null(
        {
            "id": comment_id,
            "type": "comment",
            "file_id": file_id,
            "content": comment.content,
            "created_at": comment.created_time,
            "modified_at": comment.modified_time,
            "resolved": comment.resolved,
            "author_name": comment.author,
            "anchor": comment.anchor,
            "quoted": comment.quoted,
            "mentions": list(comment.mentions) or None,
            "assignee": comment.assignee,
            "replies": [_true_reply(each) for each in comment.replies],
        }
    )


def differing(expected: RecordFields, actual: RecordFields) -> list[tuple[str, object, object]]:
    """The fields in which a record is not what it should be: name, what it should be, what it is."""
    names = [*expected, *(name for name in actual if name not in expected)]
    return [(name, expected.get(name), actual.get(name)) for name in names if expected.get(name) != actual.get(name)]


def _same(value: object) -> object:
    return value


def _int(value: object) -> object:
    return int(str(value))


def _list(value: object) -> object:
    return list(value) if isinstance(value, list | tuple) else value


def _snake(value: object) -> object:
    """The object with its names in snake_case, and its texts and flags as they are."""
    if isinstance(value, Mapping):
        return {_snake_name(str(name)): _snake(each) for name, each in value.items()}
    return [_snake(each) for each in value] if isinstance(value, list | tuple) else value


def _snake_name(name: str) -> str:
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return snake.removesuffix("_time") + "_at" if snake.endswith("_time") else snake


def _person(value: object) -> object:
    """Without the link to the photo, which is as of the item's last write."""
    names = {"displayName", "emailAddress", "permissionId", "me"}
    person = value if isinstance(value, Mapping) else {}
    return {_snake_name(name): each for name, each in person.items() if name in names and each is not None}


def _persons(value: object) -> object:
    return [_person(each) for each in value] if isinstance(value, list | tuple) else value


Convert = Callable[[object], object]

_ITEM_FIELDS: Mapping[str, tuple[str, Convert]] = {
    "id": ("id", _same),
    "name": ("name", _same),
    "mime_type": ("mimeType", _same),
    "size_bytes": ("size", _int),
    "created_at": ("createdTime", _same),
    "modified_at": ("modifiedTime", _same),
    "trashed": ("trashed", _same),
    "description": ("description", _same),
    "drive_id": ("driveId", _same),
    "parents": ("parents", _list),
    "quota_bytes_used": ("quotaBytesUsed", _int),
    "head_revision_id": ("headRevisionId", _same),
    "original_filename": ("originalFilename", _same),
    "file_extension": ("fileExtension", _same),
    "full_file_extension": ("fullFileExtension", _same),
    "modified_by_me_at": ("modifiedByMeTime", _same),
    "viewed_by_me_at": ("viewedByMeTime", _same),
    "shared_with_me_at": ("sharedWithMeTime", _same),
    "explicitly_trashed": ("explicitlyTrashed", _same),
    "trashed_at": ("trashedTime", _same),
    "starred": ("starred", _same),
    "owned_by_me": ("ownedByMe", _same),
    "web_view_link": ("webViewLink", _same),
    "web_content_link": ("webContentLink", _same),
    "icon_link": ("iconLink", _same),
    "has_thumbnail": ("hasThumbnail", _same),
    "shortcut": ("shortcutDetails", _snake),
    "spaces": ("spaces", _list),
    "properties": ("properties", _same),
    "app_properties": ("appProperties", _same),
    "folder_color_rgb": ("folderColorRgb", _same),
    "writers_can_share": ("writersCanShare", _same),
    "copy_requires_writer_permission": ("copyRequiresWriterPermission", _same),
    "inherited_permissions_disabled": ("inheritedPermissionsDisabled", _same),
    "resource_key": ("resourceKey", _same),
    "content_restrictions": ("contentRestrictions", _snake),
    "link_share_metadata": ("linkShareMetadata", _snake),
    "trashed_by": ("trashingUser", _person),
    "owners": ("owners", _persons),
    "last_modified_by": ("lastModifyingUser", _person),
    "shared_by": ("sharingUser", _person),
}

_DRIVE_FIELDS: Mapping[str, tuple[str, Convert]] = {
    "id": ("id", _same),
    "name": ("name", _same),
    "created_at": ("createdTime", _same),
    "hidden": ("hidden", _same),
    "org_unit_id": ("orgUnitId", _same),
    "theme_id": ("themeId", _same),
    "color_rgb": ("colorRgb", _same),
    "background_image_link": ("backgroundImageLink", _same),
    "restrictions": ("restrictions", _snake),
}


_MADE_FOR_ITEMS = frozenset({"type", "parent_id", "checksums", "path"})

COMPARED: Mapping[str, frozenset[str]] = {
    "file": frozenset(_ITEM_FIELDS) | _MADE_FOR_ITEMS,
    "folder": frozenset(_ITEM_FIELDS) | _MADE_FOR_ITEMS,
    "shared_drive": frozenset(_DRIVE_FIELDS) | {"type"},
    "permission": frozenset(
        {"id", "type", "file_id", "role", "grantee_type", "inherited", "email_address", "domain", "expires_at"}
        | {"allow_file_discovery", "view", "deleted", "inherited_from"}
    ),
    "revision": frozenset(
        {"id", "type", "file_id", "modified_at", "size_bytes", "mime_type", "author_address", "md5", "keep_forever"}
        | {"published", "export_formats"}
    ),
    "comment": frozenset(
        {"id", "type", "file_id", "content", "created_at", "modified_at", "resolved", "author_name", "anchor"}
        | {"quoted", "mentions", "assignee", "replies"}
    ),
}
"""By resource type: the names that `RecordFields` may have."""


def _plain(value: object) -> object:
    """A record's value without the links to persons' photos."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items() if name != "photo_link" and each is not None}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _mirrored_reply(reply: object) -> RecordFields:
    given = reply if isinstance(reply, Mapping) else {}
    left_out = {"author", "html_content", "photo_link"}
    fields = {name: each for name, each in given.items() if name not in left_out}
    fields["deleted"] = given.get("deleted") or False
    return _without_null(fields | {"author_name": _of(given.get("author"), "display_name")})


def _true_reply(reply: VisibleReply) -> RecordFields:
    return _without_null(
        {
            "id": reply.id,
            "content": reply.content,
            "created_at": reply.created_time,
            "modified_at": reply.modified_time,
            "author_name": reply.author,
            "action": reply.action,
            "deleted": reply.deleted,
            "mentions": list(reply.mentions) or None,
            "assignee": reply.assignee,
        }
    )


def _of(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, Mapping) else None


def _sorted(value: object) -> object:
    return sorted(map(str, value)) if isinstance(value, list | tuple) and value else None


def _without_null(fields: Mapping[str, object]) -> RecordFields:
    return {name: value for name, value in fields.items() if value is not None}
