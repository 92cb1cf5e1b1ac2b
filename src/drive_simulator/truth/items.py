"""What somebody should have mirrored, straight from the model: what tests compare a mirror with.

Which items, permissions, revisions, comments and contents these are is worked out from the model, here and in `reach`,
`sharing`, `details` and `contents`, not by the rooms that the API answers from: it must not share their mistakes.
The fields of an item are rendered as the API renders them.
"""

from collections.abc import Iterable

from drive_simulator.api.resources import Resource, drive_resource, file_resource
from drive_simulator.model.items import Item, User
from drive_simulator.model.world import World
from drive_simulator.truth.contents import VisibleContent, visible_contents
from drive_simulator.truth.details import (
    VisibleComment,
    VisibleReply,
    VisibleRevision,
    visible_comments,
    visible_revisions,
)
from drive_simulator.truth.reach import Reach, visible
from drive_simulator.truth.sharing import VisiblePermission, untold, visible_permissions

__all__ = [
    "VisibleComment",
    "VisibleContent",
    "VisiblePermission",
    "VisibleReply",
    "VisibleRevision",
    "untold",
    "visible",
    "visible_comments",
    "visible_contents",
    "visible_drives",
    "visible_items",
    "visible_paths",
    "visible_permissions",
    "visible_revisions",
]


def visible_items(
    world: World,
    user: User,
    *,
    include_trashed: bool = False,
    include_shared_drives: bool = True,
    among: Iterable[Item] | None = None,
) -> dict[str, Resource]:
    """`visible`, by id, as Drive's file resources; `among` as there."""
    scope = {"include_trashed": include_trashed, "include_shared_drives": include_shared_drives}
    items = visible(world, user, **scope, among=among)
    return {item.id: file_resource(item, user) for item in items}


def visible_paths(
    world: World, user: User, *, include_trashed: bool = False, among: Iterable[Item] | None = None
) -> dict[str, tuple[str, ...]]:
    """By id: the names from the top of the Drive down to each folder that the user sees, its own the last.

    A folder is missing here where the user does not see one of those above it. `among`: of these items alone.
    """
    reach = Reach(world, user)
    found: dict[str, tuple[str, ...]] = {}
    for folder in visible(world, user, include_trashed=include_trashed, among=among):
        path = _path_of(folder, user, reach) if folder.is_folder else None
        if path is not None:
            found[folder.id] = path
    return found


def _path_of(folder: Item, user: User, reach: Reach) -> tuple[str, ...] | None:
    *inner, top = folder.chain()
    if top.drive is None and top.owner is not user:
        return None
    if not all(each is user.root or reach.sees(each) for each in (*inner, top)):
        return None
    return tuple(each.name for each in reversed(inner))


def visible_drives(world: World, user: User) -> dict[str, Resource]:
    """The shared drives that the user is a member of, by id."""
    drives = world.drives.values()
    return {drive.id: drive_resource(drive, user) for drive in drives if Reach(world, user).sees(drive.root)}
