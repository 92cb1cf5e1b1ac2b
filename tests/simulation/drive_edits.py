"""Edits of who may do what in a shared drive: the logs tell least of it, and random edits seldom hit it."""

import random
from collections.abc import Iterator

from drive_simulator.edits.edit import manager_of
from drive_simulator.edits.random_edits import Edit
from drive_simulator.model.items import FOLDER, Item, SharedDrive, User
from drive_simulator.model.world import World
from simulation.low_roles import LOW_ROLES

_QUERY = {"supportsAllDrives": "true"}
_ROLES = ("reader", "commenter", "writer")
_MEMBER_ROLES = ("reader", "commenter", "writer", "fileOrganizer", "organizer")


def trees_in_drives(world: World, die: random.Random, count: int) -> Iterator[Edit]:
    """The edits that make so many items in every drive, half of them folders in folders."""
    for drive in world.drives.values():
        manager = manager_of(drive)
        for number in range(count if manager is not None else 0):
            folders = [item.id for item in drive.root.subtree() if item.is_folder][-6:]
            kind = FOLDER if number % 2 == 0 else "text/plain"
            body = {"name": f"item {number}", "mimeType": kind, "parents": [die.choice(folders)]}
            assert manager is not None
            yield Edit("create", manager.email, "POST", "files", _QUERY, body)


def sharing_in_a_drive(world: World, user: User, die: random.Random, *, low_role: bool = False) -> Edit | None:
    """Somebody shares, unshares, limits or moves something in a drive of the user's, or changes its members.

    With `low_role` any drive may be one of which the user has single items, and the user's role stays a low one.
    """
    drives = [drive for drive in world.drives.values() if low_role or user in drive.members]
    if not drives:
        return None
    drive = die.choice(drives)
    manager = manager_of(drive)
    if manager is None:
        return None
    if die.random() < 0.2:
        return _member_edit(world, drive, manager, die, low=user if low_role else None)
    items = [item for item in drive.root.subtree() if item is not drive.root]
    folders = [item for item in items if item.is_folder]
    if not items:
        return None
    item = die.choice(folders) if folders and die.random() < 0.7 else die.choice(items)
    return _item_edit(world, item, folders, manager, die)


def _member_edit(
    world: World, drive: SharedDrive, manager: User, die: random.Random, *, low: User | None
) -> Edit | None:
    other = die.choice(list(world.users.values()))
    path = f"files/{drive.id}/permissions"
    roles = LOW_ROLES if other is low else _MEMBER_ROLES
    if other is manager:
        return None
    if other not in drive.members:
        body = {"type": "user", "role": die.choice(roles), "emailAddress": other.email}
        return Edit("join_drive", manager.email, "POST", path, _QUERY, body)
    if die.random() < 0.3:
        return Edit("leave_drive", manager.email, "DELETE", f"{path}/{other.permission_id}", _QUERY)
    body = {"role": die.choice(roles)}
    return Edit("change_member", manager.email, "PATCH", f"{path}/{other.permission_id}", _QUERY, body)


def _item_edit(world: World, item: Item, folders: list[Item], manager: User, die: random.Random) -> Edit:
    path = f"files/{item.id}"
    grants = item.grants or []
    draw = die.random()
    if grants and draw < 0.1:
        return Edit("unshare", manager.email, "DELETE", f"{path}/permissions/{die.choice(grants).id}", _QUERY)
    if grants and draw < 0.6:  # the ids stay the same: nothing but the log tells of it
        body: dict[str, object] = {"role": die.choice(_ROLES)}
        return Edit("change_role", manager.email, "PATCH", f"{path}/permissions/{die.choice(grants).id}", _QUERY, body)
    if item.is_folder and draw < 0.7:
        body = {"inheritedPermissionsDisabled": not item.is_limited}
        return Edit("limit", manager.email, "PATCH", path, _QUERY, body)
    if item.parent is not None and draw < 0.8:
        target = die.choice([*folders, item.parent])
        query = {**_QUERY, "addParents": target.id, "removeParents": item.parent.id}
        return Edit("move_in_drive", manager.email, "PATCH", path, query, {})
    friend = die.choice(list(world.users.values()))
    body = {"type": "user", "role": die.choice(_ROLES), "emailAddress": friend.email}
    return Edit("share", manager.email, "POST", f"{path}/permissions", _QUERY, body)
