"""Who sees what, as pure functions over the model.

Somebody sees an item that they own, that was shared with them by name on the item or on a folder above it, that lies
in a My Drive folder of theirs, or that is in a shared drive they are a member of. The *grantees* of an item are those
who see it otherwise than as members of its drive; it stands in the listing of "my drive and shared with me" of each.

With `Consistency.opened_links_listed` who opened an item by a link is a grantee for as long as the link opens it.

A folder with limited access (`inheritedPermissionsDisabled`) is opened by its owner, by organizers of its drive and by
whom it names itself. Who could open it otherwise still sees the folder, but nothing in it: Google's `metadata` view.
Source: "Manage folders with limited and expansive access" of the Drive guides.

The sharing of a folder may reach what is in it later than the folder itself: see `Item.passed_on`.
"""

from collections.abc import Iterator
from typing import cast

from drive_simulator.model.items import RANK, Grant, Item, SharedDrive, User

NOBODY: frozenset[User] = frozenset()

Sight = tuple[frozenset[User], frozenset[User], SharedDrive | None]
"""The grantees of an item, the members of its drive who see it, and the drive that it is in."""


def own_grantees(item: Item) -> frozenset[User]:
    """Whom the item itself, not a folder above it, makes a grantee. A shared drive's root makes members instead."""
    if item.drive is not None and item.parent is None:
        return NOBODY
    named = NOBODY.union(*(grant.people for grant in item.grants or ()))
    if item.extras is not None and "opened_by" in item.extras:
        named |= {user for user in opened_by(item) if opening_rank(user, item) > 0}
    return named if item.drive is not None or item.owner is None else named | {item.owner}


def inner_grantees(item: Item) -> frozenset[User]:
    """The accounts that see what is in the item because of the item itself.

    They are `own_grantees`, but those of before while a sharing is on its way.
    """
    if item.extras is None or "passed_on" not in item.extras:
        return own_grantees(item)
    if item.drive is not None and item.parent is None:
        return NOBODY
    named = NOBODY.union(*(grant.people for grant in item.passed_on))
    named |= {user for user in opened_by(item) if opening_rank(user, item) > 0}
    return named if item.drive is not None or item.owner is None else named | {item.owner}


def opened_by(item: Item) -> frozenset[User]:
    """Who opened it by a link, and has it among their items for as long as the link opens it."""
    return cast(frozenset[User], item.rare("opened_by") or NOBODY)


def adds_nobody(item: Item, seen_by: frozenset[User]) -> bool:
    """Whether the item brings no grantee beyond those. Cheap: most items of a tree bring none."""
    if item.grants or (item.extras is not None and "opened_by" in item.extras):
        return own_grantees(item) <= seen_by
    return item.drive is not None or item.owner is None or item.owner in seen_by


def openers(item: Item) -> frozenset[User]:
    """Who sees what is in it, otherwise than as a member of its drive."""
    found = NOBODY
    for at in item.chain():
        own = inner_grantees(at)
        if not own <= found:
            found |= own
        if at.is_limited:
            break
    return found


def grantees(item: Item) -> frozenset[User]:
    """Who sees it otherwise than as a member of its drive."""
    own = own_grantees(item)
    return own if item.parent is None else own | openers(item.parent)


def members(drive: SharedDrive | None) -> frozenset[User]:
    """The members of the drive; none where there is no drive."""
    return NOBODY if drive is None else frozenset(drive.members)


def organizers(drive: SharedDrive | None) -> frozenset[User]:
    """The members who see all of the drive whatever is limited in it."""
    return NOBODY if drive is None else frozenset(u for u, grant in drive.members.items() if grant.role == "organizer")


def member_viewers(item: Item) -> frozenset[User]:
    """The members of its drive who see it as such."""
    return organizers(item.drive) if _is_below_limits(item) else members(item.drive)


def member_openers(item: Item) -> frozenset[User]:
    """The members of its drive who see what is in it as such."""
    return organizers(item.drive) if item.is_limited or _is_below_limits(item) else members(item.drive)


def viewers(item: Item) -> frozenset[User]:
    """Everybody who sees the item."""
    return grantees(item) | member_viewers(item)


def sights(item: Item) -> Iterator[tuple[Item, Sight]]:
    """The item and everything below it, parents first, with who sees each."""
    managers = organizers(item.drive)
    pending = [(item, grantees(item), openers(item), member_viewers(item))]
    while pending:
        at, seen_by, opened_by, seen_by_members = pending.pop()
        yield at, (seen_by, seen_by_members, at.drive)
        if at.children is None:
            continue
        inside = managers if at.is_limited else seen_by_members
        for child in at.children:
            seen = opened_by if adds_nobody(child, opened_by) else opened_by | own_grantees(child)
            pending.append((child, seen, _inside(child, opened_by, seen), inside))


def _inside(item: Item, opened_by: frozenset[User], seen: frozenset[User]) -> frozenset[User]:
    """`openers` of an item of which those of the folder above, and its own grantees, are known."""
    if item.extras is None:
        return seen
    if "limited" in item.extras:
        return inner_grantees(item)
    return opened_by | inner_grantees(item) if "passed_on" in item.extras else seen


def rank(user: User, item: Item) -> int:
    """The user's standing on the item, a value of `RANK`; 0 for none. Links and domain shares count."""
    best = opening_rank(user, item)
    if best == 0 and item.is_limited and item.parent is not None and opening_rank(user, item.parent):
        return RANK["reader"]
    return best


def opening_rank(user: User, item: Item) -> int:
    """The user's standing on the item: as `rank`, but 0 where they see no more than that the folder is."""
    in_my_drive = item.drive is None
    best = RANK["owner"] if in_my_drive and item.owner is user else 0
    is_cut = False
    at: Item | None = item
    while at is not None:
        if in_my_drive and at.owner is user and not is_cut and best < RANK["writer"]:
            best = RANK["writer"]
        # As `passed_on` and `is_limited`, without the calls: every item of every page comes this way.
        extras, grants = at.extras, at.grants
        if extras is not None and "passed_on" in extras and at is not item:
            grants = list(at.passed_on)
        if grants:
            for grant in grants:
                if (not is_cut or grant.role == "organizer") and _reaches(grant, user):
                    best = max(best, RANK[grant.role])
        is_cut = is_cut or (extras is not None and "limited" in extras)
        at = at.parent
    return best


def _reaches(grant: Grant, user: User) -> bool:
    """Whether the grant is for that account: by name, for everybody or for its domain."""
    if grant.user is user or grant.type == "anyone":
        return True
    return grant.names(user) or (grant.type == "domain" and grant.domain == user.email.partition("@")[2])


def sees(user: User, item: Item) -> bool:
    """Whether the item is among what the user has, not merely reachable by a link."""
    if item.drive is not None:
        grant = item.drive.members.get(user)
        if grant is not None and (grant.role == "organizer" or not _is_below_limits(item)):
            return True
    for at in item.chain():
        if user in (own_grantees(at) if at is item or at.extras is None else inner_grantees(at)):
            return True
        if at is not item and at.is_limited:
            return False
    return False


def owns(user: User, item: Item) -> bool:
    """Whether the account is an owner of the item. Items of shared drives have none; some old files have several."""
    return user in item.owners


def keeps_trash_of(user: User, item: Item) -> bool:
    """Whether the item, once in the trash, is in that account's: its owners', or the members' of its shared drive."""
    return user in item.drive.members if item.drive is not None else owns(user, item)


def has_handled(user: User, item: Item) -> bool:
    """Whether the account created, modified, opened or shared an item of a shared drive."""
    if user in {item.modified_by, item.rare("created_by")} or item.viewed_ms(user.email) is not None:
        return True
    return any(grant.granted_by is user for grant in item.grants or ())


def in_my_drive(user: User, item: Item) -> bool:
    """Whether the item lies below the user's own root folder."""
    return item.drive is None and any(at is user.root for at in item.chain())


def _is_below_limits(item: Item) -> bool:
    if item.drive is None or not item.drive.has_limits:
        return False
    return any(at is not item and at.is_limited for at in item.chain())


Held = dict[str, list[tuple[Grant, Item]]]
"""The grants in force on an item by permission id, each with the item that gives it, the nearest first."""


def held(item: Item) -> Held:
    """What is in force on the item: the owners' implied grants first, its own, then what folders above give."""
    found: Held = {}
    if item.drive is None:
        _add_owners(found, item)
    is_cut = False
    for at in item.chain():
        for grant in (at.grants or ()) if at is item else at.passed_on:
            if not is_cut or grant.role == "organizer":
                found.setdefault(grant.id, []).append((grant, at))
        is_cut = is_cut or at.is_limited
    return found


def _add_owners(found: Held, item: Item) -> None:
    """An owner's access, and that of the owners of the folders above; owning several adds nothing."""
    for at in item.chain():
        owner = at.owner
        if owner is not None and owner.permission_id not in found:
            implied = Grant(owner.permission_id, "user", "owner" if at is item else "writer", owner, owner.email)
            found.setdefault(implied.id, []).append((implied, at))
        if at.is_limited:
            return


def held_in_metadata_view(item: Item, opened: Held) -> Held:
    """Whom a folder with limited access shows itself to and no more; `opened` is `held` of the same item."""
    if not item.is_limited or item.parent is None:
        return {}
    return {each: grants for each, grants in held(item.parent).items() if each not in opened}
