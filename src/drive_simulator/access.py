"""Who sees what, as pure functions over the model.

Somebody sees an item that they own, that was shared with them by name on the item or on a folder above it, that lies
in a My Drive folder of theirs, or that is in a shared drive they are a member of. The *grantees* of an item are those
who see it otherwise than as members of its drive; it stands in the listing of "my drive and shared with me" of each.
"""

from collections.abc import Iterator

from drive_simulator.items import RANK, Grant, Item, SharedDrive, User

NOBODY: frozenset[User] = frozenset()

Sight = tuple[frozenset[User], SharedDrive | None]
"""The grantees of an item and the drive that it is in."""


def own_grantees(item: Item) -> frozenset[User]:
    """Whom the item itself, not a folder above it, makes a grantee. A shared drive's root makes members instead."""
    if item.drive is not None and item.parent is None:
        return NOBODY
    named = frozenset(grant.user for grant in item.grants or () if grant.user is not None)
    return named if item.drive is not None or item.owner is None else named | {item.owner}


def adds_nobody(item: Item, seen_by: frozenset[User]) -> bool:
    """Whether the item brings no grantee beyond those. Cheap: most items of a tree bring none."""
    if item.grants:
        return own_grantees(item) <= seen_by
    return item.drive is not None or item.owner is None or item.owner in seen_by


def grantees(item: Item) -> frozenset[User]:
    """Who sees it otherwise than as a member of its drive."""
    found = NOBODY
    for at in item.chain():
        own = own_grantees(at)
        if not own <= found:
            found |= own
    return found


def members(drive: SharedDrive | None) -> frozenset[User]:
    """The members of the drive, nobody where there is none."""
    return NOBODY if drive is None else frozenset(drive.members)


def viewers(item: Item) -> frozenset[User]:
    """Everybody who sees the item."""
    return grantees(item) | members(item.drive)


def sights(item: Item) -> Iterator[tuple[Item, Sight]]:
    """The item and everything below it, parents first, with who sees each."""
    pending = [(item, grantees(item))]
    while pending:
        at, seen_by = pending.pop()
        yield at, (seen_by, at.drive)
        if at.children is not None:
            pending.extend(
                (child, seen_by if adds_nobody(child, seen_by) else seen_by | own_grantees(child))
                for child in at.children
            )


def rank(user: User, item: Item) -> int:
    """The user's standing on the item, a value of `RANK`; 0 for none. Links and domain shares count."""
    best = RANK["owner"] if item.drive is None and item.owner is user else 0
    domain = user.email.partition("@")[2]
    for at in item.chain():
        if at.drive is None and at.owner is user:
            best = max(best, RANK["writer"])
        for grant in at.grants or ():
            reaches = (
                grant.user is user or grant.type == "anyone" or (grant.type == "domain" and grant.domain == domain)
            )
            if reaches:
                best = max(best, RANK[grant.role])
    return best


def sees(user: User, item: Item) -> bool:
    """Whether the item is among what the user has, not merely reachable by a link."""
    if item.drive is not None and user in item.drive.members:
        return True
    return any(user in own_grantees(at) for at in item.chain())


def in_my_drive(user: User, item: Item) -> bool:
    """Whether the item lies below the user's own root folder."""
    return item.drive is None and any(at is user.root for at in item.chain())


def inherited_grants(item: Item) -> Iterator[tuple[Grant, Item]]:
    """The grants of the folders above it, each with its folder, nearest first."""
    at = item.parent
    while at is not None:
        for grant in at.grants or ():
            yield grant, at
        at = at.parent
