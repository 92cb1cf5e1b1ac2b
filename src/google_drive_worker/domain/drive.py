"""Google Drive's resources as the worker reads them, typed; names follow Drive's discovery document.

Only the fields that the worker asks for (see `FILE_FIELDS`) are here; unknown ones are ignored.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Annotated

import msgspec

from google_drive_worker.domain.ids import DriveId, FileId, PageToken
from google_drive_worker.domain.lenient import NOT_EMPTY, UNREADABLE, Reader, Resource, is_lossy
from google_drive_worker.domain.times import sortable

FOLDER_MIME_TYPE = "application/vnd.google-apps.folder"


Int64 = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
"""What Google sends as a string of digits."""

ABSENT = msgspec.Raw(b"")
"""Stands for a nested object that Google did not send; to be compared by identity."""


WHERE_IT_IS = frozenset({"mime_type", "drive_id", "parents", "trashed"})
"""Fields of a `File` that decide whether and where it is mirrored."""


class User(Resource, frozen=True, gc=False):
    """Drive's `User`: somebody as Google shows them to us."""

    display_name: str | None = None
    email_address: str | None = None
    permission_id: str | None = None
    photo_link: str | None = None
    me: bool | None = None


class DriveFile(Resource, frozen=True, gc=False):
    """Drive's `File`: a file, a folder, a Workspace document or a shortcut. Made by `read_file`.

    What is nested stays as Google wrote it, as JSON: no decision rests on it, and most files of a drive have the same.
    """

    DECISIVE = WHERE_IT_IS

    id: Annotated[FileId, NOT_EMPTY]
    name: str = ""
    mime_type: str = "application/octet-stream"
    description: str | None = None
    drive_id: DriveId | None = None
    parents: tuple[FileId, ...] | None = None
    size: Int64 | None = None
    quota_bytes_used: Int64 | None = None
    version: Int64 | None = None
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
    trashing_user: msgspec.Raw = ABSENT
    starred: bool | None = None
    shared: bool | None = None
    owned_by_me: bool | None = None
    owners: msgspec.Raw = ABSENT
    last_modifying_user: msgspec.Raw = ABSENT
    sharing_user: msgspec.Raw = ABSENT
    web_view_link: str | None = None
    web_content_link: str | None = None
    icon_link: str | None = None
    has_thumbnail: bool | None = None
    shortcut_details: msgspec.Raw = ABSENT
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
    capabilities: msgspec.Raw = ABSENT
    content_restrictions: msgspec.Raw = ABSENT
    link_share_metadata: msgspec.Raw = ABSENT
    label_info: msgspec.Raw = ABSENT
    lossy: bool = is_lossy()

    @property
    def is_folder(self) -> bool:
        """Whether it can have children."""
        return self.mime_type == FOLDER_MIME_TYPE


DIGEST_BYTES = 8
"""How long a digest of a drive is: two drives that differ have practically never the same."""

DECISIVE_RIGHTS = ("canComment", "canManageMembers", "canReadRevisions", "canTrashChildren")
"""Who manages a drive sees into every folder with limited access; two are of what hangs on files. Together they tell
each role of a member from each other one."""


class SharedDrive(Resource, frozen=True, gc=False):
    """Drive's `Drive`: a shared drive."""

    id: Annotated[DriveId, NOT_EMPTY]
    name: str = ""
    created_time: str | None = None
    hidden: bool | None = None
    org_unit_id: str | None = None
    theme_id: str | None = None
    color_rgb: str | None = None
    background_image_link: str | None = None
    restrictions: dict[str, bool | dict[str, bool]] | None = None
    capabilities: dict[str, bool] | None = None
    lossy: bool = is_lossy()

    @property
    def rights(self) -> tuple[str, ...] | None:
        """What the account may, of what tells its role in the drive; `None` where Google doesn't say."""
        may = self.capabilities
        return None if may is None else tuple(name for name in DECISIVE_RIGHTS if may.get(name))

    @property
    def digest(self) -> str:
        """A digest of all that is told of the drive, but for the address of its picture, which comes and goes."""
        told = msgspec.json.encode(msgspec.structs.replace(self, background_image_link=None), order="deterministic")
        return blake2b(told, digest_size=DIGEST_BYTES).hexdigest()


class Change(Resource, frozen=True, gc=False):
    """Drive's `Change`: the present state of one item of a change log, never a delta. Made by `read_change`."""

    change_type: str = "file"
    time: str | None = None
    removed: bool = False
    file_id: FileId | None = None
    file: DriveFile | None = None
    drive_id: DriveId | None = None
    drive: SharedDrive | None = None


class UnreadableItem(msgspec.Struct, frozen=True, gc=False):
    """An item of a page that does not fit its type: its id and (`sortable`) time where they could be read, and what is
    wrong."""

    id: str | None
    problem: str
    modified_time: str | None = None


def odd_in(elements: Iterable[object]) -> list[UnreadableItem]:
    """Those of a list's elements that could not be read."""
    return [each for each in elements if isinstance(each, UnreadableItem)]


class _ChangeEntry(Resource, frozen=True, gc=False):
    DECISIVE = frozenset({"change_type", "removed", "file_id", "drive_id"})

    change_type: str = "file"
    time: str | None = None
    removed: bool = False
    file_id: FileId | None = None
    file: msgspec.Raw = ABSENT
    drive_id: DriveId | None = None
    drive: msgspec.Raw = ABSENT


class _Known(Resource, frozen=True, gc=False):
    id: str | None = None
    change_type: str | None = None
    file_id: str | None = None
    drive_id: str | None = None
    modified_time: str | None = None


class _ChangeTime(Resource, frozen=True, gc=False):
    time: str | None = None


_NULL = b"null"

# Not strict: a number may stand in quotes.
_FILE: Reader[DriveFile] = Reader(DriveFile, strict=False)
_CHANGE: Reader[_ChangeEntry] = Reader(_ChangeEntry)
_DRIVE: Reader[SharedDrive] = Reader(SharedDrive)
_KNOWN: Reader[_Known] = Reader(_Known)
_CHANGE_TIME: Reader[_ChangeTime] = Reader(_ChangeTime)
_decode_file = _FILE.decode


def read_file(resource: bytes | msgspec.Raw) -> DriveFile:
    """Read a `File` resource, without the values that make no sense.

    Raises one of `UNREADABLE` where it has no id, or what decisions rest on makes no sense.
    """
    try:
        return _decode_file(resource)
    except UNREADABLE:
        return _FILE.salvage(resource)[0]


def read_change(resource: bytes | msgspec.Raw) -> Change:
    """Read a `Change` resource, with the file that it shows. Raises one of `UNREADABLE`."""
    entry = _CHANGE.read(resource)
    file = read_file(entry.file) if _is_shown(entry.file) else None
    # A drive that can't be read must not pass for one that is not there any more.
    drive = _DRIVE.read(entry.drive) if _is_shown(entry.drive) else None
    if entry.change_type == "file" and file is None and not entry.file_id:
        raise msgspec.ValidationError("it names no file")
    if entry.change_type == "drive" and drive is None and not entry.drive_id:
        raise msgspec.ValidationError("it names no drive")
    return Change(entry.change_type, entry.time, entry.removed, entry.file_id, file, entry.drive_id, drive)


def _is_shown(nested: msgspec.Raw) -> bool:
    return nested is not ABSENT and bytes(nested) != _NULL


def time_of(change: bytes | msgspec.Raw) -> str | None:
    """When a `Change` happened, `sortable`; `None` where that can't be read."""
    try:
        return sortable(_CHANGE_TIME.read(change).time)
    except UNREADABLE:
        return None


def unreadable(raw: bytes | msgspec.Raw, problem: Exception) -> UnreadableItem:
    """What is known of an item that could not be read because of that problem, which is one of `UNREADABLE`."""
    text = str(problem) if isinstance(problem, msgspec.MsgspecError) else type(problem).__name__
    try:
        known = _KNOWN.read(raw)
    except UNREADABLE:
        return UnreadableItem(None, text)
    of_change = known.drive_id if known.change_type == "drive" else known.file_id
    return UnreadableItem(known.id or of_change or None, text, sortable(known.modified_time))


class FilesPage(Resource, frozen=True, gc=False):
    """One page of files.list. Its items are decoded one at a time, so that a page costs little memory."""

    files: Sequence[msgspec.Raw] = ()
    next_page_token: PageToken | None = None
    incomplete_search: bool = False

    def mentioning(self, text: bytes) -> Sequence[msgspec.Raw]:
        """The items that hold that text, wherever in them."""
        return [raw for raw in self.files if text in bytes(raw)]

    def items(self) -> Iterator[DriveFile | UnreadableItem]:
        """Decode the items in turn; one that can't be read doesn't spoil the others."""
        for raw in self.files:
            try:
                yield read_file(raw)
            except UNREADABLE as problem:
                yield unreadable(raw, problem)


class ChangesPage(Resource, frozen=True, gc=False):
    """One page of changes.list; `new_start_page_token` stands on the last page only."""

    changes: tuple[msgspec.Raw, ...] = ()
    next_page_token: PageToken | None = None
    new_start_page_token: PageToken | None = None

    def items(self) -> Iterator[Change | UnreadableItem]:
        """Decode the items in turn; one that can't be read doesn't spoil the others."""
        for raw in self.changes:
            try:
                yield read_change(raw)
            except UNREADABLE as problem:
                yield unreadable(raw, problem)


class DrivesPage(Resource, frozen=True, gc=False):
    """One page of drives.list."""

    drives: tuple[SharedDrive | UnreadableItem, ...] = ()
    next_page_token: PageToken | None = None
