"""Google Drive's resources as the worker reads them, typed; names follow Drive's discovery document.

Only the fields that the worker asks for (see `FILE_FIELDS`) are here; unknown ones are ignored. `size`, `version` and
`quotaBytesUsed` are int64 that Google sends as strings.
"""

from collections.abc import Iterator

import msgspec

from google_drive_worker.domain.ids import DriveId, FileId, PageToken

FOLDER_MIME_TYPE = "application/vnd.google-apps.folder"


class Resource(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """Base of what Google sends: immutable, camelCase on the wire."""


class User(Resource, frozen=True, gc=False):
    """Drive's `User`: somebody as Google shows them to us."""

    display_name: str | None = None
    email_address: str | None = None
    permission_id: str | None = None
    photo_link: str | None = None
    me: bool | None = None


class ShortcutDetails(Resource, frozen=True, gc=False):
    """Where a shortcut leads."""

    target_id: FileId | None = None
    target_mime_type: str | None = None
    target_resource_key: str | None = None


class ContentRestriction(Resource, frozen=True, gc=False):
    """A lock on a file's content."""

    read_only: bool | None = None
    reason: str | None = None
    restriction_time: str | None = None
    type: str | None = None


class LinkShareMetadata(Resource, frozen=True, gc=False):
    """Whether a link needs the item's resource key."""

    security_update_eligible: bool | None = None
    security_update_enabled: bool | None = None


class DriveFile(Resource, frozen=True, gc=False):
    """Drive's `File`: a file, a folder, a Workspace document or a shortcut."""

    id: FileId
    name: str = ""
    mime_type: str = "application/octet-stream"
    description: str | None = None
    drive_id: DriveId | None = None
    parents: tuple[FileId, ...] | None = None
    size: str | None = None
    quota_bytes_used: str | None = None
    version: str | None = None
    head_revision_id: str | None = None
    md5_checksum: str | None = None
    sha1_checksum: str | None = None
    sha256_checksum: str | None = None
    original_filename: str | None = None
    file_extension: str | None = None
    full_file_extension: str | None = None
    created_time: str | None = None
    modified_time: str | None = None
    modified_by_me_time: str | None = None
    viewed_by_me_time: str | None = None
    shared_with_me_time: str | None = None
    trashed: bool = False
    explicitly_trashed: bool | None = None
    trashed_time: str | None = None
    trashing_user: User | None = None
    starred: bool | None = None
    shared: bool | None = None
    owned_by_me: bool | None = None
    owners: tuple[User, ...] | None = None
    last_modifying_user: User | None = None
    sharing_user: User | None = None
    web_view_link: str | None = None
    web_content_link: str | None = None
    icon_link: str | None = None
    has_thumbnail: bool | None = None
    export_links: dict[str, str] | None = None
    shortcut_details: ShortcutDetails | None = None
    spaces: tuple[str, ...] | None = None
    properties: dict[str, str] | None = None
    app_properties: dict[str, str] | None = None
    folder_color_rgb: str | None = None
    writers_can_share: bool | None = None
    copy_requires_writer_permission: bool | None = None
    inherited_permissions_disabled: bool | None = None
    has_augmented_permissions: bool | None = None
    permission_ids: tuple[str, ...] | None = None
    resource_key: str | None = None
    capabilities: dict[str, bool] | None = None
    content_restrictions: tuple[ContentRestriction, ...] | None = None
    link_share_metadata: LinkShareMetadata | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it can have children."""
        return self.mime_type == FOLDER_MIME_TYPE


class SharedDrive(Resource, frozen=True, gc=False):
    """Drive's `Drive`: a shared drive."""

    id: DriveId
    name: str = ""
    created_time: str | None = None
    hidden: bool | None = None
    org_unit_id: str | None = None
    theme_id: str | None = None
    color_rgb: str | None = None
    background_image_link: str | None = None
    restrictions: dict[str, bool | dict[str, bool]] | None = None
    capabilities: dict[str, bool] | None = None


class Change(Resource, frozen=True, gc=False):
    """Drive's `Change`: the present state of one item of a change log, never a delta."""

    change_type: str = "file"
    time: str | None = None
    removed: bool = False
    file_id: FileId | None = None
    file: DriveFile | None = None
    drive_id: DriveId | None = None
    drive: SharedDrive | None = None


class UnreadableItem(msgspec.Struct, frozen=True, gc=False):
    """An item of a page that does not fit its type: its id where that much could be read, and what is wrong."""

    id: str | None
    problem: str


_FILE_DECODER = msgspec.json.Decoder(DriveFile)
_CHANGE_DECODER = msgspec.json.Decoder(Change)


class _IdOnly(msgspec.Struct, rename="camel"):
    id: str | None = None
    file_id: str | None = None


_ID_DECODER = msgspec.json.Decoder(_IdOnly)


def _unreadable(raw: msgspec.Raw, problem: msgspec.MsgspecError) -> UnreadableItem:
    try:
        known = _ID_DECODER.decode(raw)
    except msgspec.MsgspecError:
        return UnreadableItem(None, str(problem))
    return UnreadableItem(known.id or known.file_id, str(problem))


class FilesPage(Resource, frozen=True, gc=False):
    """One page of files.list. Its items are decoded one at a time, so that a page costs little memory."""

    files: tuple[msgspec.Raw, ...] = ()
    next_page_token: PageToken | None = None
    incomplete_search: bool = False

    def items(self) -> Iterator[DriveFile | UnreadableItem]:
        """Decode the items in turn; one that can't be read doesn't spoil the others."""
        for raw in self.files:
            try:
                yield _FILE_DECODER.decode(raw)
            except msgspec.MsgspecError as problem:
                yield _unreadable(raw, problem)


class ChangesPage(Resource, frozen=True, gc=False):
    """One page of changes.list; `new_start_page_token` stands on the last page only."""

    changes: tuple[msgspec.Raw, ...] = ()
    next_page_token: PageToken | None = None
    new_start_page_token: PageToken | None = None

    def items(self) -> Iterator[Change | UnreadableItem]:
        """Decode the items in turn; one that can't be read doesn't spoil the others."""
        for raw in self.changes:
            try:
                yield _CHANGE_DECODER.decode(raw)
            except msgspec.MsgspecError as problem:
                yield _unreadable(raw, problem)


class DrivesPage(Resource, frozen=True, gc=False):
    """One page of drives.list."""

    drives: tuple[SharedDrive, ...] = ()
    next_page_token: PageToken | None = None
