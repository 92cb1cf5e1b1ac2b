"""The records that a mirror of an account's Drive should hold, with every field that is compared, by the truth."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from drive_simulator.model.items import Item, User
from drive_simulator.model.world import World
from drive_simulator.truth.items import (
    visible_comments,
    visible_drives,
    visible_items,
    visible_paths,
    visible_permissions,
    visible_revisions,
)
from google_drive_worker.demo import equality
from google_drive_worker.demo.equality import RecordFields

Key = tuple[str, str]
"""A record's resource type and id."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is mirrored, as a connection's settings say."""

    trashed: bool = False
    shared_drives: bool = True
    permissions: bool = True
    revisions: bool = True
    comments: bool = True
    max_revisions: int | None = None


EVERYTHING = Wanted()
"""All but the trash."""


def owner_of(key: Key) -> str:
    """The id of the item, or the shared drive, that the record is of or hangs on."""
    return key[1].partition("/")[0]


def pack(fields: RecordFields) -> bytes:
    """Bring the fields to one form: equal fields give equal bytes."""
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def true_records(
    world: World, user: User, wanted: Wanted = EVERYTHING, among: Iterable[Item] | None = None
) -> Iterator[tuple[Key, RecordFields]]:
    """The records of these items (all: None), and those of all shared drives, with the fields that they should have."""
    items = None if among is None else list(among)
    trashed, drives = wanted.trashed, wanted.shared_drives
    paths = visible_paths(world, user, include_trashed=trashed, among=items)
    for item_id, resource in visible_items(
        world, user, include_trashed=trashed, include_shared_drives=drives, among=items
    ).items():
        fields = equality.item_fields(resource, paths.get(item_id))
        yield (str(fields["type"]), item_id), fields
    for drive_id, resource in visible_drives(world, user).items() if drives else ():
        yield ("shared_drive", drive_id), equality.drive_fields(resource)
    if wanted.permissions:
        for (item_id, own), permission in visible_permissions(
            world, user, include_trashed=trashed, include_shared_drives=drives, among=items
        ).items():
            yield ("permission", f"{item_id}/{own}"), equality.permission_fields(item_id, own, permission)
    yield from _true_details(world, user, wanted, items)


def _true_details(
    world: World, user: User, wanted: Wanted, among: list[Item] | None
) -> Iterator[tuple[Key, RecordFields]]:
    trashed, drives = wanted.trashed, wanted.shared_drives
    if wanted.revisions:
        for (item_id, own), revision in visible_revisions(
            world,
            user,
            include_trashed=trashed,
            include_shared_drives=drives,
            max_revisions=wanted.max_revisions,
            among=among,
        ).items():
            yield ("revision", f"{item_id}/{own}"), equality.revision_fields(item_id, own, revision)
    if wanted.comments:
        for (item_id, own), comment in visible_comments(
            world, user, include_trashed=trashed, include_shared_drives=drives, among=among
        ).items():
            yield ("comment", f"{item_id}/{own}"), equality.comment_fields(item_id, own, comment)
