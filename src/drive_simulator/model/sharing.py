"""Permissions as they are given and taken, and the membership of shared drives. Nothing here asks whether one may."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from drive_simulator.model.access import own_grantees, viewers
from drive_simulator.model.consistency import draw_ms
from drive_simulator.model.items import Grant, GranteeType, Group, Item, Role, SharedDrive, User
from drive_simulator.model.world import Spread, World


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
    group: Group | None = None,
) -> Grant:
    """Give a direct permission and log the item, it alone. A grant of the same id is changed instead."""
    grant_id = _grant_id(world, grant_type, user, email or domain, allow_discovery=allow_discovery)
    if group is not None:
        grant_id = group.permission_id
    earlier = grant_of(item, grant_id)
    if earlier is not None:
        if expiration_ms is not None:
            set_expiration(world, item, earlier, expiration_ms)
        change_role(world, item, earlier, role)
        return earlier
    now = world.now_ms()
    grant = Grant(grant_id, grant_type, role, user, email, domain, allow_discovery, None, now, by, group)
    if expiration_ms is not None:
        set_expiration(world, item, grant, expiration_ms)
    drive = _drive_of_root(item)
    if drive is not None:
        _change_members(world, drive, lambda: [*(drive.root.grants or ()), grant])
        return grant
    with _spreading(world, item), world.changing_access(item):
        item.grants = [*(item.grants or ()), grant]
    world.note_change(item)
    return grant


def change_role(world: World, item: Item, grant: Grant, role: Role) -> None:
    """Change what a grant allows; a member's role is logged as a change of the drive."""
    drive = _drive_of_root(item)
    if drive is None:
        with _spreading(world, item):
            grant.role = role
        world.epoch += 1
        world.note_change(item)
    elif not drive.has_limits:
        grant.role = role
        world.count_members(drive)
        world.note_drive(drive, grant.people, in_own_log=False)
    else:
        # An organizer sees into folders with limited access, and others don't.
        with world.changing_access(item):
            grant.role = role
            world.count_members(drive)
        world.note_drive(drive, grant.people, in_own_log=False)


def set_expiration(world: World, item: Item, grant: Grant, expiration_ms: int | None) -> None:
    """Say when the grant ends by itself; None is never."""
    grant.expiration_ms = expiration_ms
    if expiration_ms is not None:
        world.expiring.append((expiration_ms, item, grant))


def end_expired(world: World) -> int:
    """Take away every permission whose time has come, as if somebody had; returns how many.

    Sharings that were on their way, and whose time has come, reach what is in their folders.
    """
    if world.spreading:
        _end_spreading(world)
    if not world.expiring:
        return 0
    now = world.now_ms()
    due = [(item, grant) for at, item, grant in world.expiring if at <= now and grant.expiration_ms == at]
    world.expiring = [each for each in world.expiring if each[0] > now]
    ended = 0
    for item, grant in due:
        if world.items.get(item.id) is item and any(each is grant for each in item.grants or ()):
            remove_grant(world, item, grant)
            ended += 1
    return ended


@contextmanager
def _spreading(world: World, folder: Item) -> Iterator[None]:
    """Around a change of the folder's grants: what is in it goes on with those before for `sharing_lag_s`."""
    lag_s = world.consistency.sharing_lag_s
    if not lag_s or not folder.is_folder:
        yield
        return
    folder.set_rare("passed_on", tuple(map(replace, folder.passed_on)))
    yield
    earlier = (each.due_ms for each in world.spreading if each.folder is folder)
    due_ms = max(world.now_ms() + draw_ms(lag_s, world.consistency_die), *earlier, 0)
    world.spreading.append(Spread(due_ms, folder, tuple(map(replace, folder.grants or ()))))


def _end_spreading(world: World) -> None:
    """What folders pass on becomes what they were shared with so long ago.

    An account that loses an item by it gets a removal of the item now.
    """
    now = world.now_ms()
    due = [each for each in world.spreading if each.due_ms <= now]
    world.spreading = [each for each in world.spreading if each.due_ms > now]
    for each in sorted(due, key=lambda spread: spread.due_ms):
        if world.items.get(each.folder.id) is each.folder:
            is_last = all(other.folder is not each.folder for other in world.spreading)
            with world.changing_access(each.folder):
                each.folder.set_rare("passed_on", None if is_last else each.grants)
            world.keep(each.folder)


def set_limited(world: World, folder: Item, *, limited: bool) -> None:
    """Give the folder limited access, or take that back; logged on the folder alone, as every change of sharing.

    Accounts that can't see something in it any more get a removal of it.
    """
    if folder.is_limited == limited:
        return
    with world.changing_access(folder):
        folder.set_rare("limited", True if limited else None)
        if folder.drive is not None:
            folder.drive.has_limits = True
    world.note_change(folder)


def set_resource_key(world: World, item: Item, key: str | None) -> None:
    """Give the item a key that those who have it by a link alone must show, or take it away; logged on the item."""
    item.set_rare("resource_key", key)
    world.note_change(item)


def delete_account(world: World, user: User) -> None:
    """Close the account: what was given to it stays, shown as a deleted account's. Its own files stay as they are."""
    user.deleted = True
    world.epoch += 1
    for other in world.users.values():
        other.cards.pop(user, None)
    for item in list(user.index):
        if user in own_grantees(item):
            world.note_change(item)


def set_group_members(world: World, group: Group, members: Iterable[User]) -> None:
    """Change who is in the group, and so who has what is shared with it.

    With `groups_logged` who gains an item gets an entry of what is shared with the group, and who loses it a removal,
    as by sharing; without it no log tells of it. No version changes. Source: not documented, both are assumed.
    """
    told = world.consistency.groups_logged
    given = [item for item in world.items.values() if any(grant.group is group for grant in item.grants or ())]
    shared = {item for item in given if not item.is_root}
    # What is below another of them changes with that one.
    highest = [item for item in given if item in shared and sum(at in shared for at in item.chain()) == 1]
    saw = {item: viewers(item) for item in shared}
    with ExitStack() as changes:
        for item in highest:
            changes.enter_context(world.changing_access(item, silent=not told))
        group.members = frozenset(members)
    for item in given if told else ():
        for user in viewers(item) - saw.get(item, viewers(item)):
            user.log.record(item.id, world.now_ms(), from_drive=item.drive is not None)
    for drive in [item.drive for item in given if item.is_root and item.drive is not None]:
        _recount_members(world, drive, told=told)


def _recount_members(world: World, drive: SharedDrive, *, told: bool) -> None:
    if told:
        _change_members(world, drive, lambda: drive.root.grants or [])
    else:
        world.count_members(drive)
        world.epoch += 1


def publish(world: World, item: Item, by: User, user: User) -> Grant:
    """Let the account read the published view of the item, and nothing else."""
    grant = Grant(user.permission_id, "user", "reader", user, user.email, granted_ms=world.now_ms(), granted_by=by)
    item.set_rare("published_grants", [*item.published_grants, grant])
    world.note_change(item)
    return grant


def remove_grant(world: World, item: Item, grant: Grant) -> None:
    """Take a direct permission away. Each item that an account loses by that is removed in its log."""
    drive = _drive_of_root(item)
    remaining = [each for each in item.grants or () if each is not grant]
    if drive is not None:
        _change_members(world, drive, lambda: remaining)
        return
    with _spreading(world, item), world.changing_access(item):
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


def _change_members(world: World, drive: SharedDrive, grants: Callable[[], list[Grant]]) -> None:
    """One `drive` change for each who joins or leaves and none for the items inside (guide "Retrieve changes").

    The change is in their own log and in no other.
    """
    before = dict(drive.members)
    drive.root.grants = grants()
    world.count_members(drive)
    changed = [user for user in {**before, **drive.members} if before.get(user) is not drive.members.get(user)]
    world.note_drive(drive, changed, in_own_log=False)
    # What somebody keeps by name moves from the drive's listing into "shared with me": logged where it was shared.
    now = world.now_ms()
    for user in before.keys() - drive.members.keys():
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
