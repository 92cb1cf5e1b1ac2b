"""An account of a low role: it reads or comments in shared drives, or writes single items of a drive that is not its.

Such an account does not see who is a member, while it sees the permissions of an item that it writes, which rest on the
members too.
"""

import random
from collections.abc import Iterator

from drive_simulator.edits.edit import ALL_DRIVES, Edit, manager_of
from drive_simulator.model.items import SharedDrive, User
from drive_simulator.model.world import World

LOW_ROLES = ("reader", "commenter")

_SINGLE_ITEMS = 3


def lowered(world: World, user: User, die: random.Random) -> Iterator[Edit]:
    """The edits, each to be made before the next is asked for, that leave the user a low role in every drive."""
    for drive in world.drives.values():
        manager = manager_of(drive)
        if manager is None:
            continue
        if manager is user:
            other = die.choice([each for each in world.users.values() if each is not user])
            yield _made_member(drive, user, other, "organizer")
            manager = other
        role = die.choice((*LOW_ROLES, None))
        if role is not None:
            yield _made_member(drive, manager, user, role)
            continue
        if user in drive.members:
            path = f"files/{drive.id}/permissions/{user.permission_id}"
            yield Edit("leave_drive", manager.email, "DELETE", path, ALL_DRIVES)
        items = [item for item in drive.root.subtree() if item is not drive.root]
        for item in die.sample(items, min(len(items), _SINGLE_ITEMS)):
            body = {"type": "user", "role": "writer", "emailAddress": user.email}
            yield Edit("share", manager.email, "POST", f"files/{item.id}/permissions", ALL_DRIVES, body)


def _made_member(drive: SharedDrive, manager: User, user: User, role: str) -> Edit:
    path = f"files/{drive.id}/permissions"
    if user in drive.members:
        return Edit("change_member", manager.email, "PATCH", f"{path}/{user.permission_id}", ALL_DRIVES, {"role": role})
    body = {"type": "user", "role": role, "emailAddress": user.email}
    return Edit("join_drive", manager.email, "POST", path, ALL_DRIVES, body)
