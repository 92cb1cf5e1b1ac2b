"""What one user's grants reach, worked out from owners, grants and limits of access alone: the ground of `truth`.

A grant whose time has come counts no more, whether or not anybody has looked.
"""

from collections.abc import Iterable, Iterator

from drive_simulator.model.items import RANK, Item, User
from drive_simulator.model.world import World


def visible(
    world: World,
    user: User,
    *,
    include_trashed: bool = False,
    include_shared_drives: bool = True,
    among: Iterable[Item] | None = None,
) -> Iterator[Item]:
    """Every item that the user sees: My Drive, what is shared with them, and the drives they are a member of.

    Roots are not among them. Trash, also that of a folder above, is left out unless asked for; where no list shows the
    trash of others, it is no part of what the user has. `among`: of these items alone.
    """
    reach = Reach(world, user)
    for item in world.items.values() if among is None else among:
        if item.parent is None or (item.drive is not None and not include_shared_drives):
            continue
        if reach.sees(item) and (not item.trashed or (include_trashed and reach.has_in_trash(item))):
            yield item


class Reach:
    """What one user's grants reach, folder by folder from the top down; each folder is worked out once."""

    def __init__(self, world: World, user: User) -> None:
        self._user = user
        self._now_ms = world.now_ms()
        self._shares_trash = world.consistency.others_trash_listed
        self._domain = user.email.partition("@")[2]
        self._folders: dict[Item, tuple[bool, int]] = {}

    def sees(self, item: Item) -> bool:
        """Whether it is among what the user has.

        What is merely reachable by a link, or for the whole domain, is not, unless the user opened it by one.
        """
        if item.parent is not None and self._inside(item.parent)[0]:
            return True
        return self._own(item)[0] or (self._has_opened(item) and self._at(item)[0])

    def has_in_trash(self, item: Item) -> bool:
        """Whether an item in the trash is in the user's: one of their own, or of a drive that they are a member of."""
        if self._shares_trash:
            return True
        if item.drive is not None:
            return self._own(item.drive.root)[0]
        return item.owner is self._user or any(
            grant.user is self._user and grant.role == "owner" for grant in item.grants or ()
        )

    def standing(self, item: Item) -> int:
        """What the user may do with the item, a value of `RANK`; 0 is nothing."""
        opened = self._inside(item)[1] if item.is_folder else self._at(item)[1]
        if item.drive is None and item.owner is self._user:
            return RANK["owner"]
        if opened == 0 and item.is_limited and item.parent is not None and self._inside(item.parent)[1]:
            return RANK["reader"]
        return opened

    def _inside(self, folder: Item) -> tuple[bool, int]:
        """Whether the user has what is in the folder, and their standing on it."""
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = self._at(folder)
        return known

    def _at(self, item: Item) -> tuple[bool, int]:
        has, standing = self._own(item)
        if item.parent is not None:
            above_has, above = self._inside(item.parent)
            if item.is_limited:
                # The organizers' alone passes.
                above_has = above == RANK["organizer"] and above_has
                above = above if above_has else 0
            has, standing = has or above_has, max(standing, above)
        return has or (standing > 0 and self._has_opened(item)), standing

    def _has_opened(self, item: Item) -> bool:
        """Whether the user opened the item when no more than a link gave it to them."""
        opened_by = item.rare("opened_by")
        return isinstance(opened_by, frozenset) and self._user in opened_by

    def _own(self, item: Item) -> tuple[bool, int]:
        owns = item.drive is None and item.owner is self._user
        has, standing = owns, RANK["writer"] if owns else 0
        for grant in item.grants or ():
            if grant.expiration_ms is not None and grant.expiration_ms <= self._now_ms:
                continue
            named = grant.user is self._user or (grant.group is not None and self._user in grant.group.members)
            if named or grant.type == "anyone" or (grant.type == "domain" and grant.domain == self._domain):
                has, standing = has or named, max(standing, RANK[grant.role])
        return has, standing
