"""Permissions as they are given and taken, and the membership of shared drives. Nothing here asks whether one may."""

from drive_simulator.access import own_grantees
from drive_simulator.items import Grant, GranteeType, Item, Role, SharedDrive, User
from drive_simulator.world import World


def grant_of(item: Item, permission_id: str) -> Grant | None:
    """The item's own grant of that permission id."""
    return next((grant for grant in item.grants or () if grant.id == permission_id), None)


def share(world: World, item: Item, by: User | None, user: User, role: Role) -> Grant:
    """Share the item with one account by name; a second time it changes the role. On a drive's root: membership."""
    return add_grant(world, item, by, grant_type="user", role=role, user=user, email=user.email)


def add_grant(
    world: World,
    item: Item,
    by: User | None,
    *,
    grant_type: GranteeType,
    role: Role,
    user: User | None = None,
    email: str | None = None,
    domain: str | None = None,
    allow_discovery: bool = False,
    expiration_ms: int | None = None,
) -> Grant:
    """Give a direct permission and log the item, it alone. A grant of the same id is changed instead."""
    grant_id = _grant_id(world, grant_type, user, email or domain, allow_discovery=allow_discovery)
    earlier = grant_of(item, grant_id)
    if earlier is not None:
        change_role(world, item, earlier, role)
        return earlier
    grant = Grant(grant_id, grant_type, role, user, email, domain, allow_discovery, expiration_ms, world.now_ms(), by)
    drive = _drive_of_root(item)
    if drive is not None and user is not None:
        _join(world, drive, user, grant)
        return grant
    with world.changing_access(item):
        item.grants = [*(item.grants or ()), grant]
    world.note_change(item)
    return grant


def change_role(world: World, item: Item, grant: Grant, role: Role) -> None:
    """Change what a grant allows; a member's role is logged as a change of the drive."""
    grant.role = role
    world.epoch += 1
    drive = _drive_of_root(item)
    if drive is not None:
        world.note_drive(drive, [grant.user] if grant.user is not None else [])
        return
    world.note_change(item)


def remove_grant(world: World, item: Item, grant: Grant) -> None:
    """Take a direct permission away. Each item that somebody thereby loses is removed in their log."""
    drive = _drive_of_root(item)
    remaining = [each for each in item.grants or () if each is not grant]
    if drive is not None:
        item.grants = remaining
        if grant.user is not None:
            _leave(world, drive, grant.user)
        return
    with world.changing_access(item):
        item.grants = remaining or None
    world.note_change(item)


def transfer_ownership(world: World, item: Item, new_owner: User) -> None:
    """Make `new_owner` the item's owner; the former one stays on as a writer."""
    former = item.owner
    with world.changing_access(item):
        item.owner = new_owner
        grants = [grant for grant in item.grants or () if grant.user is not new_owner]
        if former is not None:
            grants.append(
                Grant(former.permission_id, "user", "writer", former, former.email, granted_ms=world.now_ms())
            )
        item.grants = grants or None
    world.note_change(item)


def leave_drive(world: World, drive: SharedDrive, user: User) -> None:
    """End the user's membership."""
    grant = grant_of(drive.root, user.permission_id)
    if grant is not None:
        remove_grant(world, drive.root, grant)


def _join(world: World, drive: SharedDrive, user: User, grant: Grant) -> None:
    """One `drive` change in the user's log and none for the items inside (Drive guide "Retrieve changes")."""
    drive.root.grants = [*(drive.root.grants or ()), grant]
    drive.members[user] = grant
    world.note_drive(drive, [user])


def _leave(world: World, drive: SharedDrive, user: User) -> None:
    drive.members.pop(user, None)
    user.hidden_drives.discard(drive.id)
    world.note_drive(drive, [user])
    # What the user keeps by name moves from the drive's listing into "shared with me": logged where it was shared.
    now = world.now_ms()
    for item in list(user.index):
        if item.drive is drive and user in own_grantees(item):
            user.log.record(item.id, now, from_drive=True)


def _drive_of_root(item: Item) -> SharedDrive | None:
    return item.drive if item.parent is None else None


def _grant_id(
    world: World, grant_type: GranteeType, user: User | None, name: str | None, *, allow_discovery: bool
) -> str:
    if user is not None:
        return user.permission_id
    if grant_type == "anyone":
        return "anyone" if allow_discovery else "anyoneWithLink"
    if grant_type == "domain":
        return f"{world.ids.permission_id()}k" if name is None else f"{_stable(name)}k"
    return _stable(name or "")


def _stable(name: str) -> str:
    """An id for an address that is no account here, the same each time."""
    return f"{int.from_bytes(name.encode()[:24].ljust(8, b'-'), 'big') % 10**19 + 10**19:020d}"
