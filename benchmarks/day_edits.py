"""What people do in Drive in the bench of a day: each edit as a call, and the places that it is made in."""

from dataclasses import dataclass

from drive_simulator.edits.edit import ALL_DRIVES, Edit, manager_of
from drive_simulator.model.access import rank
from drive_simulator.model.clock import rfc3339
from drive_simulator.model.items import RANK, Item, SharedDrive, User
from drive_simulator.model.world import World
from drive_simulator.truth.reach import Reach, visible


@dataclass(frozen=True, slots=True)
class FolderSize:
    """A folder, and how many items and folders that the account mirrors are below it."""

    folder: Item
    items: int
    folders: int


def mirrored_below(world: World, user: User, folder: Item) -> list[Item]:
    """The items below the folder that a mirror of the user's Drive holds."""
    reach = Reach(world, user)
    return [item for item in folder.subtree() if item is not folder and not item.trashed and reach.sees(item)]


def size_of(world: World, user: User, folder: Item) -> FolderSize:
    """The folder with what is below it."""
    below = mirrored_below(world, user, folder)
    return FolderSize(folder, len(below), sum(item.is_folder for item in below))


def folder_like(
    world: World, user: User, items: int, folders: int, *, in_drive: bool, apart: tuple[Item, ...] = ()
) -> FolderSize:
    """The folder whose size is the nearest to those numbers: of the user's own in My Drive, or of a shared drive.

    None of those in `apart` is taken. Raises ValueError where there is none.
    """
    found = [
        size_of(world, user, item)
        for item in visible(world, user)
        if item.is_folder and item not in apart and _is_at_hand(user, item, in_drive=in_drive)
    ]
    return min(found, key=lambda each: abs(each.items - items) + abs(each.folders - folders))


def drive_like(world: World, user: User, items: int) -> tuple[SharedDrive, FolderSize]:
    """The shared drive that the user writes, whose size is the nearest to that number, with what is in it."""
    found = [
        (drive, size_of(world, user, drive.root))
        for drive in world.drives.values()
        if user in drive.members and RANK[drive.members[user].role] >= RANK["writer"]
    ]
    return min(found, key=lambda each: abs(each[1].items - items))


def files_of(world: World, user: User, count: int) -> list[Item]:
    """Files of the user's own My Drive, shared with no others."""
    files = (
        item
        for item in visible(world, user)
        if not item.is_folder and item.owner is user and item.drive is None and not item.grants and item.size > 0
    )
    return [item for item, _ in zip(files, range(count), strict=False)]


def view(world: World, user: User, item: Item) -> Edit:
    """The user opens the item."""
    return patch("view", user, item, {"viewedByMeTime": rfc3339(world.now_ms())})


def patch(kind: str, user: User, item: Item, body: dict[str, object]) -> Edit:
    """The user changes something of the item."""
    return Edit(kind, user.email, "PATCH", f"files/{item.id}", ALL_DRIVES, body)


def rename(actor: User, item: Item, name: str) -> Edit:
    """The item has another name."""
    return patch("rename", actor, item, {"name": name})


def comment(actor: User, item: Item, text: str) -> Edit:
    """Somebody says something of the file."""
    return Edit("comment", actor.email, "POST", f"files/{item.id}/comments", {"fields": "*"}, {"content": text})


def share(actor: User, item: Item, other: User, role: str = "reader") -> Edit:
    """The item is shared with one more; in a shared drive's own id, that one becomes a member."""
    body = {"type": "user", "role": role, "emailAddress": other.email}
    return Edit("share", actor.email, "POST", f"files/{item.id}/permissions", ALL_DRIVES, body)


def trash(actor: User, item: Item, *, trashed: bool) -> Edit:
    """The item goes to the trash, or comes back."""
    return patch("trash" if trashed else "restore", actor, item, {"trashed": trashed})


def write(actor: User, item: Item, content: bytes) -> Edit:
    """The file has other bytes."""
    return Edit("content", actor.email, "PATCH", f"files/{item.id}", ALL_DRIVES, content=content)


def move(actor: User, item: Item, folder: Item) -> Edit:
    """The item goes to another folder. Raises ValueError for what is at the top already."""
    if item.parent is None:
        raise ValueError("the top of a Drive goes nowhere")
    query = {**ALL_DRIVES, "addParents": folder.id, "removeParents": item.parent.id}
    return Edit("move", actor.email, "PATCH", f"files/{item.id}", query, {})


def change_role(actor: User, drive: SharedDrive, member: User, role: str) -> Edit:
    """A member of the drive has another role."""
    path = f"files/{drive.id}/permissions/{member.permission_id}"
    return Edit("role", actor.email, "PATCH", path, ALL_DRIVES, {"role": role})


def leave(actor: User, drive: SharedDrive, member: User) -> Edit:
    """A member of the drive is taken out."""
    return Edit("leave", actor.email, "DELETE", f"files/{drive.id}/permissions/{member.permission_id}", ALL_DRIVES)


def editor_of(item: Item) -> User:
    """One who may do everything with the item. Raises ValueError where nobody may."""
    found = item.owner if item.drive is None else manager_of(item.drive)
    if found is None:
        raise ValueError(f"nobody may change {item.id}")
    return found


def manager(drive: SharedDrive) -> User:
    """One who manages the drive. Raises ValueError where it has none."""
    found = manager_of(drive)
    if found is None:
        raise ValueError(f"nobody manages the shared drive {drive.name}")
    return found


def _is_at_hand(user: User, item: Item, *, in_drive: bool) -> bool:
    if in_drive:
        return item.drive is not None and rank(user, item) >= RANK["writer"] and not item.is_limited
    return item.drive is None and item.owner is user and not item.grants and not item.is_limited
