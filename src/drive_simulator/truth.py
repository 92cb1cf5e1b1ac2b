"""What somebody should have mirrored, straight from the model: what tests compare a mirror with."""

from collections.abc import Iterator

from drive_simulator.access import grantees
from drive_simulator.items import Item, User
from drive_simulator.resources import Resource, drive_resource, file_resource
from drive_simulator.world import World


def visible(
    world: World, user: User, *, include_trashed: bool = False, include_shared_drives: bool = True
) -> Iterator[Item]:
    """Every item that the user sees: My Drive, what is shared with them, and the drives they are a member of.

    Roots are not among them. Trash, also that of a folder above, is left out unless asked for.
    """
    for item in world.items.values():
        if item.parent is None or (item.drive is not None and not include_shared_drives):
            continue
        member = item.drive is not None and user in item.drive.members
        # Worked out from the grants, not read from the listings: the truth must not share their mistakes.
        if (member or user in grantees(item)) and (include_trashed or not item.trashed):
            yield item


def visible_items(
    world: World, user: User, *, include_trashed: bool = False, include_shared_drives: bool = True
) -> dict[str, Resource]:
    """`visible`, by id, as Drive's file resources."""
    items = visible(world, user, include_trashed=include_trashed, include_shared_drives=include_shared_drives)
    return {item.id: file_resource(item, user) for item in items}


def visible_drives(world: World, user: User) -> dict[str, Resource]:
    """The shared drives that the user is a member of, by id."""
    return {drive.id: drive_resource(drive, user) for drive in world.drives.values() if user in drive.members}
