"""What a viewer may do with an item or a drive, as Drive's `capabilities` say it."""

from functools import lru_cache

from drive_simulator.items import RANK, Item

_WRITER, _COMMENTER, _READER = RANK["writer"], RANK["commenter"], RANK["reader"]
_FILE_ORGANIZER, _ORGANIZER, _OWNER = RANK["fileOrganizer"], RANK["organizer"], RANK["owner"]


def file_capabilities(item: Item, rank: int) -> dict[str, bool]:
    """The `capabilities` of a file for somebody of that rank on it. Shared between items: not to be changed."""
    return _file(rank, item.is_folder, item.drive is not None, item.size >= 0, item.parent is None)


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
        "canReadRevisions": reader,
        "canRename": writer,
        "canRenameDrive": organizer,
        "canResetDriveRestrictions": organizer,
        "canShare": writer,
        "canTrashChildren": manager,
    }


@lru_cache(maxsize=256)
def _file(rank: int, is_folder: bool, in_drive: bool, is_blob: bool, is_root: bool) -> dict[str, bool]:
    writer, reader = rank >= _WRITER, rank >= _READER
    remover = rank >= (_FILE_ORGANIZER if in_drive else _OWNER) and not is_root
    deleter = rank >= (_ORGANIZER if in_drive else _OWNER) and not is_root
    capabilities = {
        "canAcceptOwnership": False,
        "canAddChildren": writer and is_folder,
        "canAddMyDriveParent": False,
        "canChangeCopyRequiresWriterPermission": writer,
        "canComment": rank >= _COMMENTER,
        "canCopy": reader and not is_folder,
        "canDelete": deleter,
        "canDownload": reader and is_blob,
        "canEdit": writer,
        "canListChildren": reader and is_folder,
        "canModifyContent": writer and not is_folder,
        "canModifyContentRestriction": writer,
        "canModifyLabels": False,
        "canReadLabels": False,
        "canReadRevisions": reader and not is_folder,
        "canRemoveChildren": writer and is_folder,
        "canRemoveMyDriveParent": rank >= _OWNER and not in_drive,
        "canRename": writer and not is_root,
        "canShare": writer,
        "canTrash": remover,
        "canUntrash": remover,
    }
    if in_drive:
        capabilities |= {
            "canAddFolderFromAnotherDrive": writer and is_folder,
            "canDeleteChildren": rank >= _ORGANIZER and is_folder,
            "canMoveChildrenOutOfDrive": rank >= _ORGANIZER and is_folder,
            "canMoveChildrenWithinDrive": writer and is_folder,
            "canMoveItemOutOfDrive": rank >= _FILE_ORGANIZER and not is_root,
            "canMoveItemWithinDrive": writer and not is_root,
            "canReadDrive": reader,
            "canTrashChildren": rank >= _FILE_ORGANIZER and is_folder,
        }
    else:
        capabilities |= {
            "canMoveChildrenWithinDrive": writer and is_folder,
            "canMoveItemIntoTeamDrive": rank >= _OWNER and not is_root,
            "canMoveItemOutOfDrive": rank >= _OWNER and not is_root,
            "canMoveItemWithinDrive": writer and not is_root,
        }
    return capabilities
