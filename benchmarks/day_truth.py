"""What a mirror of the account's Drive should hold, by the simulator's truth, and how that changes with each edit."""

from collections.abc import Collection, Iterable, Iterator, Mapping

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
from google_drive_worker.demo.equality import Fields

Key = tuple[str, str]
"""A record's resource type and id."""


def packed(fields: Fields) -> bytes:
    """The fields in one form: equal fields give equal bytes."""
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def owner_of(key: Key) -> str:
    """The id of the item, or the shared drive, that the record is of or hangs on."""
    return key[1].partition("/")[0]


class Truth:
    """The records that a mirror should hold now, each as a digest. It follows the world by `update`."""

    def __init__(self, world: World, user: User) -> None:
        self._world = world
        self._user = user
        self._held: dict[str, dict[Key, int]] = {}
        for key, fields in true_records(world, user):
            self._held.setdefault(owner_of(key), {})[key] = hash(packed(fields))

    def __contains__(self, key: Key) -> bool:
        return key in self._held.get(owner_of(key), ())

    def update(self, item_ids: Collection[str]) -> dict[Key, str]:
        """Look at these items and drives again; returns the records that make an equal mirror equal again.

        The value is the operation. What hangs on an item goes with it: no delete of its own is needed.
        """
        items = [self._world.items[each] for each in item_ids if each in self._world.items]
        now: dict[str, dict[Key, int]] = {}
        for key, fields in true_records(self._world, self._user, items):
            now.setdefault(owner_of(key), {})[key] = hash(packed(fields))
        touched = set(item_ids) | (now.keys() & self._world.drives.keys())
        changed: dict[Key, str] = {}
        for item_id in touched:
            before, after = self._held.pop(item_id, {}), now.get(item_id, {})
            changed |= least_records(before, after)
            if after:
                self._held[item_id] = after
        return changed


def least_records(before: Mapping[Key, int], after: Mapping[Key, int]) -> dict[Key, str]:
    """The fewest records that bring one item, and what hangs on it, from one state to another."""
    upserts = {key: "upsert" for key, digest in after.items() if before.get(key) != digest}
    gone = [key for key in before if key not in after]
    items = [key for key in gone if "/" not in key[1]]
    return upserts | dict.fromkeys(items or gone, "delete")


def true_records(world: World, user: User, among: Iterable[Item] | None = None) -> Iterator[tuple[Key, Fields]]:
    """The records of these items (all: None), and those of all shared drives, with the fields that they should have."""
    items = None if among is None else list(among)
    paths = visible_paths(world, user, among=items)
    for item_id, resource in visible_items(world, user, among=items).items():
        fields = equality.item_fields(resource, paths.get(item_id))
        yield (str(fields["type"]), item_id), fields
    for drive_id, resource in visible_drives(world, user).items():
        yield ("shared_drive", drive_id), equality.drive_fields(resource)
    for (item_id, own), permission in visible_permissions(world, user, among=items).items():
        yield ("permission", f"{item_id}/{own}"), equality.permission_fields(item_id, own, permission)
    for (item_id, own), revision in visible_revisions(world, user, among=items).items():
        yield ("revision", f"{item_id}/{own}"), equality.revision_fields(item_id, own, revision)
    for (item_id, own), comment in visible_comments(world, user, among=items).items():
        yield ("comment", f"{item_id}/{own}"), equality.comment_fields(item_id, own, comment)
