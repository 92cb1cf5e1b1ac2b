"""What a mirror of the account's Drive should hold, by the simulator's truth, and how that changes with each edit."""

from collections.abc import Collection, Mapping

from drive_simulator.model.items import User
from drive_simulator.model.world import World
from google_drive_worker.demo.true_records import EVERYTHING, Key, owner_of, pack, true_records


class DayTruth:
    """The records that a mirror should hold now, each as a digest. It follows the world by `update`."""

    def __init__(self, world: World, user: User) -> None:
        self._world = world
        self._user = user
        self._held: dict[str, dict[Key, int]] = {}
        for key, fields in true_records(world, user):
            self._held.setdefault(owner_of(key), {})[key] = hash(pack(fields))

    def __contains__(self, key: Key) -> bool:
        return key in self._held.get(owner_of(key), ())

    def update(self, item_ids: Collection[str]) -> dict[Key, str]:
        """Look at these items and drives again; returns the records that make an equal mirror equal again.

        The value is the operation. What hangs on an item goes with it: no delete of its own is needed.
        """
        items = [self._world.items[each] for each in item_ids if each in self._world.items]
        now: dict[str, dict[Key, int]] = {}
        for key, fields in true_records(self._world, self._user, EVERYTHING, items):
            now.setdefault(owner_of(key), {})[key] = hash(pack(fields))
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
