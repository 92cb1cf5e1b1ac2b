"""Edits of what files hold: uploads, documents written on, the same bytes anew, and who may have them."""

import random
from collections.abc import Sequence

from drive_simulator.edits.edit import ALL_DRIVES, Edit, manager_of, new_name, pick_item_where
from drive_simulator.model.content import read
from drive_simulator.model.items import FOLDER, RANK, SHORTCUT, Item, User
from drive_simulator.model.world import World
from drive_simulator.truth.reach import Reach


def edit_of_content(world: World, user: User, awaited: Sequence[str], die: random.Random) -> Edit | None:
    """Somebody writes on a file of the user's Drive, uploads what it held anyway, or says who may download it: a file
    most often that is `awaited`, whose bytes are on their way to the mirror."""
    readers_alone = die.random() < 0.3
    found = _awaited(world, awaited, die) if not readers_alone and awaited and die.random() < 0.7 else None
    if found is None:
        reach, most = Reach(world, user), RANK["commenter" if readers_alone else "owner"]
        found = pick_item_where(
            world,
            die,
            lambda item: item.mime_type not in {FOLDER, SHORTCUT} and reach.sees(item) and reach.standing(item) <= most,
        )
    if found is None:
        return None
    item, actor = found
    path = f"files/{item.id}"
    if readers_alone:
        body = {"copyRequiresWriterPermission": not item.rare("copy_requires_writer")}
        return Edit("restrict_download", actor.email, "PATCH", path, ALL_DRIVES, body)
    if item.is_workspace:
        return Edit("write", actor.email, "PATCH", path, ALL_DRIVES, content=new_name(die).encode())
    return Edit("upload", actor.email, "PATCH", path, ALL_DRIVES, content=_bytes_for(world, item, die))


def _awaited(world: World, awaited: Sequence[str], die: random.Random) -> tuple[Item, User] | None:
    item = world.items.get(die.choice(awaited))
    actor = None if item is None else item.owner if item.drive is None else manager_of(item.drive)
    return None if item is None or actor is None else (item, actor)


def _bytes_for(world: World, item: Item, die: random.Random) -> bytes:
    """New bytes, few or many; those that it has, or those of another file: a new head, and nothing to fetch."""
    draw = die.random()
    if draw < 0.2:
        return read(item, end=4_096)
    if draw < 0.4:
        other = die.choice(list(world.items.values()))
        return b"" if other.size < 0 else read(other, end=4_096)
    return new_name(die).encode() * die.choice((1, 10, 300))
