"""Items, drives, users and permissions as Drive's resources, each field worked out only where it is asked for.

Field semantics follow the discovery document: `owners`, `permissions`, `shared` and `ownedByMe` are not populated on
shared-drive items; checksums and `headRevisionId` exist for blobs only, `size` for Docs editors' files too.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable
from functools import lru_cache

from drive_simulator.api import exports
from drive_simulator.api.permission_resources import permission_ids, permission_resources
from drive_simulator.model import access, content
from drive_simulator.model.capabilities import drive_capabilities, file_capabilities, may_share
from drive_simulator.model.clock import rfc3339
from drive_simulator.model.items import ENCRYPTED, FOLDER, RANK, SHORTCUT, Item, SharedDrive, User
from drive_simulator.model.revisions import Revision

Resource = dict[str, object]
Field = Callable[[Item, User], object]

_WEB = "https://drive.google.com"


def user_resource(user: User, viewer: User) -> Resource:
    """An account as the viewer sees it. Not to be changed."""
    card = viewer.cards.get(user)
    if card is None:
        card = viewer.cards[user] = _card(user, viewer)
    return card


def _card(user: User, viewer: User) -> Resource:
    return {
        "kind": "drive#user",
        "displayName": user.display_name,
        "photoLink": f"https://lh3.googleusercontent.com/a/{user.permission_id}=s64",
        "me": user is viewer,
        "permissionId": user.permission_id,
        "emailAddress": user.email,
    }


def file_resource(item: Item, viewer: User, names: Iterable[str] | None = None) -> Resource:
    """The item as the viewer sees it: the fields of those names, or all of them. What does not apply is left out."""
    fields = _fields_of(None if names is None else tuple(names))
    return {name: value for name, field in fields if (value := field(item, viewer)) is not None}


@lru_cache(maxsize=256)
def _fields_of(names: tuple[str, ...] | None) -> list[tuple[str, Field]]:
    return [(name, field) for name, field in FILE_FIELDS.items() if names is None or name in names]


def drive_resource(drive: SharedDrive, viewer: User) -> Resource:
    """The shared drive as the viewer sees it."""
    grant = drive.members.get(viewer)
    return {
        "kind": "drive#drive",
        "id": drive.id,
        "name": drive.name,
        "colorRgb": drive.color_rgb,
        "themeId": drive.theme_id,
        "backgroundImageLink": f"https://ssl.gstatic.com/team_drive_themes/{drive.theme_id}_background.jpg",
        "createdTime": rfc3339(drive.created_ms),
        "hidden": drive.id in viewer.hidden_drives,
        "restrictions": {
            "adminManagedRestrictions": False,
            "copyRequiresWriterPermission": False,
            "domainUsersOnly": False,
            "driveMembersOnly": False,
            "sharingFoldersRequiresOrganizerPermission": False,
            **drive.restrictions,
        },
        "capabilities": drive_capabilities(0 if grant is None else RANK[grant.role]),
    }


def revision_resource(item: Item, revision: Revision, viewer: User) -> Resource:
    """One revision of the item."""
    resource: Resource = {
        "kind": "drive#revision",
        "id": revision.id,
        "mimeType": revision.mime_type,
        "modifiedTime": rfc3339(revision.modified_ms),
    }
    if revision.modified_by is not None:
        resource["lastModifyingUser"] = user_resource(revision.modified_by, viewer)
    if item.is_workspace:
        links = exports.export_links(item, viewer.site.origin, revision.id)
        if links:
            resource["exportLinks"] = links
        resource["published"] = revision.published
        resource["publishAuto"] = revision.publish_auto
        resource["publishedOutsideDomain"] = revision.published_outside_domain
        if revision.published:
            resource["publishedLink"] = f"https://docs.google.com/document/d/e/{item.id}/pub"
        return resource
    resource["keepForever"] = revision.keep_forever
    resource["originalFilename"] = item.rare("original_filename") or item.name
    resource["size"] = str(revision.size)
    resource["md5Checksum"] = content.checksums(revision)[0]
    return resource


def _trashed_time(item: Item, _viewer: User) -> object:
    at = item.rare("trashed_ms")
    return rfc3339(at) if isinstance(at, int) and item.drive is not None else None


def _extra(name: str) -> Field:
    return lambda item, _viewer: None if item.extras is None else item.extras.get(name)


def _flag(name: str, default: bool) -> Field:
    def field(item: Item, _viewer: User) -> object:
        value = None if item.extras is None else item.extras.get(name)
        return default if value is None else value

    return field


def _blob(field: Callable[[Item], object]) -> Field:
    return lambda item, _viewer: None if item.size < 0 else field(item)


def _my_drive(field: Field) -> Field:
    return lambda item, viewer: field(item, viewer) if item.drive is None else None


def _user(item: Item, viewer: User) -> object:
    return None if item.modified_by is None else user_resource(item.modified_by, viewer)


def _trashing_user(item: Item, viewer: User) -> object:
    # Google fills it on shared-drive items only, as it does trashedTime.
    user = item.rare("trashing_user")
    return user_resource(user, viewer) if isinstance(user, User) and item.drive is not None else None


def _sharing_user(item: Item, viewer: User) -> object:
    for grant in item.grants or ():
        if grant.names(viewer) and grant.granted_by is not None and item.owner is not viewer:
            return user_resource(grant.granted_by, viewer)
    return None


def _shared_with_me(item: Item, viewer: User) -> object:
    at = item.shared_with_ms(viewer.email)
    return None if at is None else rfc3339(at)


def _viewed(item: Item, viewer: User) -> object:
    at = item.viewed_ms(viewer.email)
    return None if at is None else rfc3339(at)


def _modified_by_me(item: Item, viewer: User) -> object:
    return rfc3339(item.modified_ms) if item.modified_by is viewer else None


def _permissions(item: Item, viewer: User) -> object:
    return permission_resources(item) if may_share(item, access.rank(viewer, item)) else None


def _capabilities(item: Item, viewer: User) -> object:
    opens = not item.is_limited or access.opening_rank(viewer, item) > 0
    return file_capabilities(item, access.rank(viewer, item), opens=opens)


def _download_restrictions(item: Item, _viewer: User) -> object:
    own = item.rare("download_restriction") or {"restrictedForReaders": False, "restrictedForWriters": False}
    return {"itemDownloadRestriction": own, "effectiveDownloadRestrictionWithContext": own}


def _extension(item: Item) -> str:
    stem, dot, extension = item.name.rpartition(".")
    return extension if dot and stem else ""


def _shortcut(item: Item, _viewer: User) -> object:
    if item.mime_type != SHORTCUT:
        return None
    shown = {"targetId": item.target_id, "targetMimeType": item.rare("target_mime_type")}
    key = item.rare("target_resource_key")
    return shown if key is None else {**shown, "targetResourceKey": key}


_VIEWS = {
    FOLDER: (_WEB + "/drive/folders/", ""),
    "application/vnd.google-apps.document": ("https://docs.google.com/document/d/", "/edit?usp=drivesdk"),
    "application/vnd.google-apps.spreadsheet": ("https://docs.google.com/spreadsheets/d/", "/edit?usp=drivesdk"),
    "application/vnd.google-apps.presentation": ("https://docs.google.com/presentation/d/", "/edit?usp=drivesdk"),
    "application/vnd.google-apps.drawing": ("https://docs.google.com/drawings/d/", "/edit?usp=drivesdk"),
    "application/vnd.google-apps.form": ("https://docs.google.com/forms/d/", "/edit?usp=drivesdk"),
}


def _view_link(item: Item, _viewer: User) -> object:
    before, after = _VIEWS.get(item.mime_type, (_WEB + "/file/d/", "/view?usp=drivesdk"))
    return f"{before}{item.id}{after}"


def _drive_id(item: Item, _viewer: User) -> object:
    return None if item.drive is None else item.drive.id


def _parents(item: Item, viewer: User) -> object:
    """The parents that the viewer sees: a single file shared by its name shows none."""
    parent = item.parent
    if parent is None:
        return None
    parents = (parent, *item.more_parents) if item.more_parents else (parent,)
    return [each.id for each in parents if each.owner is viewer or access.sees(viewer, each)] or None


def _encryption(item: Item, _viewer: User) -> object:
    """Of a client-side encrypted file: who keeps the key, and the key itself as that service wrapped it."""
    if not item.mime_type.startswith(ENCRYPTED):
        return None
    made_up = b64encode(item.id.encode()).decode()
    metadata = {
        "wrappedKey": made_up,
        "kaclsId": "1",
        "kaclsName": "Simulated keys",
        "keyFormat": "tinkAesGcmKey",
        "aes256GcmChunkSize": "default",
        "encryptionResourceKeyHash": made_up,
        "jwt": f"simulated.{made_up}.jwt",
    }
    return {"encryptionState": "encrypted", "decryptionMetadata": metadata}


def _checksum(at: int) -> Field:
    """One of `content.Checksums`: only blobs have them, and not all of those."""

    def field(item: Item, _viewer: User) -> object:
        is_known = item.size >= 0 and (item.extras is None or "no_checksums" not in item.extras)
        return content.checksums(item)[at] if is_known else None

    return field


FILE_FIELDS: dict[str, Field] = {
    "kind": lambda _item, _viewer: "drive#file",
    "id": lambda item, _viewer: item.id,
    "name": lambda item, _viewer: item.name,
    "mimeType": lambda item, _viewer: item.mime_type,
    "resourceKey": _extra("resource_key"),
    "description": _extra("description"),
    "driveId": _drive_id,
    "teamDriveId": _drive_id,
    "parents": _parents,
    "size": lambda item, _viewer: None if item.shown_size < 0 else str(item.shown_size),
    "quotaBytesUsed": lambda item, _viewer: str(item.quota_bytes_used),
    "version": lambda item, _viewer: str(item.version),
    "headRevisionId": _blob(lambda item: content.revision_id(item.id, item.salt)),
    "md5Checksum": _checksum(0),
    "sha1Checksum": _checksum(1),
    "sha256Checksum": _checksum(2),
    "originalFilename": _blob(lambda item: item.rare("original_filename") or item.name),
    "fileExtension": _blob(_extension),
    "fullFileExtension": _blob(_extension),
    "createdTime": lambda item, _viewer: rfc3339(item.created_ms),
    "modifiedTime": lambda item, _viewer: rfc3339(item.modified_ms),
    "modifiedByMe": lambda item, viewer: item.modified_by is viewer,
    "modifiedByMeTime": _modified_by_me,
    "viewedByMe": lambda item, viewer: item.viewed_ms(viewer.email) is not None,
    "viewedByMeTime": _viewed,
    "sharedWithMeTime": _shared_with_me,
    "sharingUser": _sharing_user,
    "trashed": lambda item, _viewer: item.trashed,
    "explicitlyTrashed": lambda item, _viewer: item.explicitly_trashed,
    "trashedTime": _trashed_time,
    "trashingUser": _trashing_user,
    "starred": lambda item, viewer: item.starred_by(viewer.email),
    "shared": _my_drive(lambda item, _viewer: len(permission_ids(item)) > 1),
    "ownedByMe": _my_drive(lambda item, viewer: viewer in item.owners),
    "owners": _my_drive(lambda item, viewer: [user_resource(owner, viewer) for owner in item.owners] or None),
    "permissions": _my_drive(_permissions),
    "permissionIds": lambda item, _viewer: permission_ids(item),
    "hasAugmentedPermissions": lambda item, _viewer: None if item.drive is None else bool(item.grants),
    "inheritedPermissionsDisabled": lambda item, _viewer: item.is_limited if item.is_folder else None,
    "lastModifyingUser": _user,
    "webViewLink": _view_link,
    "webContentLink": _blob(lambda item: f"{_WEB}/uc?id={item.id}&export=download"),
    "iconLink": lambda item, _viewer: (
        f"https://drive-thirdparty.googleusercontent.com/16/type/{item.mime_type}{'+shared' if item.drive else ''}"
    ),
    "hasThumbnail": lambda item, _viewer: item.mime_type.startswith("image/"),
    "thumbnailVersion": lambda item, _viewer: "1" if item.mime_type.startswith("image/") else "0",
    "exportLinks": lambda item, viewer: exports.export_links(item, viewer.site.origin),
    "shortcutDetails": _shortcut,
    "spaces": lambda _item, _viewer: ["drive"],
    "properties": _extra("properties"),
    "appProperties": _extra("app_properties"),
    "folderColorRgb": lambda item, _viewer: (item.rare("folder_color") or "#8f8f8f") if item.is_folder else None,
    "writersCanShare": _my_drive(_flag("writers_can_share", default=True)),
    "copyRequiresWriterPermission": _flag("copy_requires_writer", default=False),
    "viewersCanCopyContent": lambda item, _viewer: not item.rare("copy_requires_writer"),
    "downloadRestrictions": _download_restrictions,
    "isAppAuthorized": lambda _item, _viewer: True,
    "clientEncryptionDetails": _encryption,
    "contentRestrictions": _extra("content_restrictions"),
    "linkShareMetadata": lambda item, _viewer: {
        "securityUpdateEligible": item.rare("resource_key") is not None,
        "securityUpdateEnabled": True,
    },
    "capabilities": _capabilities,
}
