"""What a viewer may do with an item or a drive, as Drive's `capabilities` say it."""

from functools import lru_cache

from drive_simulator.model.items import BARE, RANK, SHORTCUT, THIRD_PARTY, Item

_SHORTCUT = "shortcut"
_WRITER, _COMMENTER, _READER = RANK["writer"], RANK["commenter"], RANK["reader"]
_FILE_ORGANIZER, _ORGANIZER, _OWNER = RANK["fileOrganizer"], RANK["organizer"], RANK["owner"]


def file_capabilities(item: Item, rank: int, *, opens: bool = True) -> dict[str, bool]:
    """The `capabilities` of a file for somebody of that rank on it. Shared between items: not to be changed.

    `opens` is false for who sees of a folder with limited access only that it is there.
    """
    kind = _SHORTCUT if item.mime_type == SHORTCUT else item.is_folder
    limiting = (item.is_limited, may_limit(item, rank)) if item.is_folder and not item.is_root else None
    downloads = has_content(item) and may_download(item, rank)
    shares = may_share(item, rank)
    return _file(rank, kind, item.drive is not None, item.parent is None, opens, downloads, limiting, shares)


def may_limit(item: Item, rank: int) -> bool:
    """Whether somebody of that rank may switch the folder's limited access. Source: guide "Limited access"."""
    if item.drive is not None:
        return rank >= _ORGANIZER
    return rank >= (_WRITER if item.rare("writers_can_share") is not False else _OWNER)


def may_share(item: Item, rank: int) -> bool:
    """Whether somebody of that rank may share the item, and so sees its permissions.

    Source: `permissions` and `writersCanShare` of the discovery document.
    """
    if item.drive is None and item.rare("writers_can_share") is False:
        return rank >= _OWNER
    return rank >= _WRITER


def may_download(item: Item, rank: int) -> bool:
    """Whether somebody of that rank may have its content: what the owner or the drive restricts is not for readers."""
    restriction = item.rare("download_restriction")
    restricts = restriction if isinstance(restriction, dict) else {}
    drive = item.drive.restrictions if item.drive is not None else {}
    if restricts.get("restrictedForWriters"):
        return rank >= _FILE_ORGANIZER
    closed = item.rare("copy_requires_writer") or restricts.get("restrictedForReaders")
    return rank >= (_WRITER if closed or drive.get("copyRequiresWriterPermission") else _READER)


def can_discuss(item: Item) -> bool:
    """Whether there can be comments on it."""
    return item.mime_type not in BARE and not item.mime_type.startswith(THIRD_PARTY)


def can_have_revisions(item: Item) -> bool:
    """Whether versions of its content are kept."""
    return can_discuss(item)


def has_content(item: Item) -> bool:
    """Whether there is anything in it that could be downloaded."""
    return not item.is_folder and item.mime_type != SHORTCUT and not item.mime_type.startswith(THIRD_PARTY)


def drive_capabilities(rank: int) -> dict[str, bool]:
    """The `capabilities` of a shared drive for a member of that rank."""
    organizer, manager = rank >= _ORGANIZER, rank >= _FILE_ORGANIZER
    writer, reader = rank >= _WRITER, rank >= _READER
    return {
        "canAddChildren": writer,
        "canChangeCopyRequiresWriterPermissionRestriction": organizer,
        "canChangeDomainUsersOnlyRestriction": organizer,
        "canChangeDriveBackground": organizer,
        "canChangeDriveMembersOnlyRestriction": organizer,
        "canChangeSharingFoldersRequiresOrganizerPermissionRestriction": organizer,
        "canComment": rank >= _COMMENTER,
        "canCopy": reader,
        "canDeleteChildren": organizer,
        "canDeleteDrive": organizer,
        "canDownload": reader,
        "canEdit": writer,
        "canListChildren": reader,
        "canManageMembers": organizer,
        "canReadRevisions": writer,
        "canRename": writer,
        "canRenameDrive": organizer,
        "canResetDriveRestrictions": organizer,
        "canShare": writer,
        "canTrashChildren": manager,
    }


@lru_cache(maxsize=256)
def _file(
    rank: int,
    kind: bool | str,
    in_drive: bool,
    is_root: bool,
    opens: bool,
    downloads: bool,
    limiting: tuple[bool, bool] | None,
    shares: bool,
) -> dict[str, bool]:
    is_folder, is_shortcut = kind is True, kind == _SHORTCUT
    writer, reader = rank >= _WRITER, rank >= _READER
    remover = rank >= (_FILE_ORGANIZER if in_drive else _OWNER) and not is_root
    deleter = rank >= (_ORGANIZER if in_drive else _OWNER) and not is_root
    capabilities = {
        "canAcceptOwnership": False,
        "canAddChildren": writer and is_folder,
        "canAddMyDriveParent": False,
        "canChangeCopyRequiresWriterPermission": writer,
        "canComment": rank >= _COMMENTER and not is_folder and not is_shortcut,
        "canCopy": downloads or (reader and is_shortcut),
        "canDelete": deleter,
        "canDownload": downloads,
        "canEdit": writer,
        "canListChildren": reader and is_folder and opens,
        "canModifyContent": writer and not is_folder,
        "canModifyContentRestriction": writer,
        "canModifyLabels": writer and not is_root,
        "canReadLabels": reader,
        "canReadRevisions": writer and not is_folder and not is_shortcut,
        "canRemoveChildren": writer and is_folder,
        "canRemoveMyDriveParent": rank >= _OWNER and not in_drive,
        "canRename": writer and not is_root,
        "canShare": shares,
        "canTrash": remover,
        "canUntrash": remover,
    }
    if limiting is not None:
        is_limited, may = limiting
        capabilities["canDisableInheritedPermissions"] = may and not is_limited
        capabilities["canEnableInheritedPermissions"] = may and is_limited
    return capabilities | _moving(rank, is_folder, in_drive, is_root)


def _moving(rank: int, is_folder: bool, in_drive: bool, is_root: bool) -> dict[str, bool]:
    """What may be moved and taken out, which is not the same in a shared drive."""
    writer, reader = rank >= _WRITER, rank >= _READER
    if in_drive:
        return {
            "canAddFolderFromAnotherDrive": writer and is_folder,
            "canDeleteChildren": rank >= _ORGANIZER and is_folder,
            "canMoveChildrenOutOfDrive": rank >= _ORGANIZER and is_folder,
            "canMoveChildrenWithinDrive": writer and is_folder,
            "canMoveItemOutOfDrive": rank >= _FILE_ORGANIZER and not is_root,
            "canMoveItemWithinDrive": writer and not is_root,
            "canReadDrive": reader,
            "canTrashChildren": rank >= _FILE_ORGANIZER and is_folder,
        }
    return {
        "canMoveChildrenWithinDrive": writer and is_folder,
        "canMoveItemIntoTeamDrive": rank >= _OWNER and not is_root,
        "canMoveItemOutOfDrive": rank >= _OWNER and not is_root,
        "canMoveItemWithinDrive": writer and not is_root,
    }
