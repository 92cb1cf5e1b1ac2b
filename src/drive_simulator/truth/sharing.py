"""The permissions that somebody should have mirrored, worked out from the model's grants alone, as `truth` is.

The API's way to them goes over other code (`access`, `permission_resources`), so that both find each other's mistakes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from drive_simulator.model.clock import rfc3339
from drive_simulator.model.items import RANK, Grant, Item, User
from drive_simulator.model.world import World
from drive_simulator.truth.reach import Reach, visible


@dataclass(frozen=True, slots=True)
class VisiblePermission:
    """One grantee's permission on one item, in no API's words.

    `inherited`: none of what gives it is the item's own. `inherited_from` is, on shared-drive items, where the first
    of what gives it comes from whose role is the permission's, the nearest folder first. `view` is `metadata` where the
    grantee sees of a folder with limited access only that it is there.
    """

    role: str
    type: str
    email: str | None = None
    domain: str | None = None
    inherited: bool = False
    inherited_from: str | None = None
    expiration_time: str | None = None
    allow_discovery: bool | None = None
    view: str | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class _Given:
    """One thing that gives a permission: a grant, or that somebody owns an item (`source`)."""

    grant: Grant
    source: Item


_Table = dict[str, tuple[_Given, ...]]


def visible_permissions(
    world: World,
    user: User,
    *,
    include_trashed: bool = False,
    include_shared_drives: bool = True,
    among: Iterable[Item] | None = None,
) -> dict[tuple[str, str], VisiblePermission]:
    """By item's id and permission's id: those of every visible item whose sharing the user may see.

    Who may share it may see it: the owner, and writers unless `writersCanShare` is off. The members of shared drives
    are among them, under the drive's id. `among`: of these items alone, members of drives apart.
    """
    reach, tables = Reach(world, user), _Tables(world.now_ms())
    scope = {"include_trashed": include_trashed, "include_shared_drives": include_shared_drives}
    items = list(visible(world, user, **scope, among=among))
    if include_shared_drives:
        items += [drive.root for drive in world.drives.values() if reach.sees(drive.root)]
    found: dict[tuple[str, str], VisiblePermission] = {}
    for item in items:
        closed = item.drive is None and item.rare("writers_can_share") is False
        if reach.standing(item) >= RANK["owner" if closed else "writer"]:
            for permission_id, permission in tables.permissions(item).items():
                found[item.id, permission_id] = permission
    return found


def untold(world: World, user: User) -> frozenset[str]:
    """The ids of the items below a folder that the user does not see: of its sharing no log of theirs tells."""
    reach = Reach(world, user)
    return frozenset(
        item.id
        for item in world.items.values()
        if any(at is not item and at is not user.root and not reach.sees(at) for at in item.chain())
    )


class _Tables:
    """What is given on each item, from the top down; a folder's is worked out once."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._of_folders: dict[Item, _Table] = {}

    def permissions(self, item: Item) -> dict[str, VisiblePermission]:
        table = self._table(item)
        found = {each: _permission(item, given) for each, given in table.items()}
        if item.is_limited and item.parent is not None:
            for each, given in self._folder_table(item.parent).items():
                if each not in found:
                    found[each] = _permission(item, given, view="metadata")
        return found

    def _folder_table(self, folder: Item) -> _Table:
        known = self._of_folders.get(folder)
        if known is None:
            known = self._of_folders[folder] = self._table(folder)
        return known

    def _table(self, item: Item) -> _Table:
        own = [
            _Given(grant, item)
            for grant in item.grants or ()
            if grant.expiration_ms is None or grant.expiration_ms > self._now_ms
        ]
        if item.drive is None and item.owner is not None:
            owner = item.owner
            own.insert(0, _Given(Grant(owner.permission_id, "user", "owner", owner, owner.email), item))
        above = {} if item.parent is None else self._folder_table(item.parent)
        table: _Table = {}
        for given in own:
            table[given.grant.id] = (*table.get(given.grant.id, ()), given)
        for permission_id, inherited in above.items():
            passed = tuple(each for each in inherited if not item.is_limited or each.grant.role == "organizer")
            if passed:
                table[permission_id] = (*table.get(permission_id, ()), *passed)
        return table


def _permission(item: Item, given: tuple[_Given, ...], view: str | None = None) -> VisiblePermission:
    role = max((_role(item, each) for each in given), key=RANK.__getitem__)
    alike = [each for each in given if _role(item, each) == role]
    grant = max((each.grant for each in alike), key=lambda each: each.lasts_until_ms)
    # Owning the folders above as well gives an owner nothing.
    inherited = all(each.source is not item for each in given)
    from_drive = inherited and item.drive is not None
    is_person = grant.type in {"user", "group"}
    deleted = is_person and (grant.email is None if grant.user is None else grant.user.deleted)
    return VisiblePermission(
        role="reader" if view is not None else role,
        type=grant.type,
        email=grant.email if is_person and not deleted else None,
        domain=grant.domain if grant.type == "domain" else None,
        inherited=inherited,
        inherited_from=(given if view is not None else alike)[0].source.id if from_drive else None,
        expiration_time=None if grant.expiration_ms is None else rfc3339(grant.expiration_ms),
        allow_discovery=None if is_person else grant.allow_discovery,
        view=view,
        deleted=deleted,
    )


def _role(item: Item, given: _Given) -> str:
    """An owner of a folder above writes what is in it."""
    return "writer" if given.grant.role == "owner" and given.source is not item else given.grant.role
