"""Since when the account sees what it sees: a record that deletes what it saw all the while is wrong.

Answers are under way while somebody edits, so that a delete can come too late for an item that was restored meanwhile.
What was in sight without a break since the answer was asked for is no such item.
"""

from drive_simulator.model.items import User
from drive_simulator.model.world import World
from drive_simulator.truth.items import (
    visible_comments,
    visible_drives,
    visible_items,
    visible_permissions,
    visible_revisions,
)
from drive_simulator.truth.reach import visible
from google_drive_worker.domain.connection import ConnectionSettings
from simulation.scopes import holds_drive, within

Key = tuple[str, str]
"""A resource type and a resource's id."""


class Sights:
    """What of the items and drives that are to be mirrored is in sight, and since which moment. Edits make moments."""

    def __init__(self, world: World, user: User, *, scoped: bool, details: bool) -> None:
        self._world = world
        self._user = user
        self._scoped = scoped
        self._details = details
        self._since: dict[Key, int] = {}
        self.moment = 0

    def look(self, settings: ConnectionSettings) -> None:
        """Take note of what is in sight now: after each edit, and before anything is judged."""
        self.moment += 1
        now = self._in_sight(settings)
        self._since = {key: self._since.get(key, self.moment) for key in now}

    def holds(self, key: Key) -> bool:
        """Whether that was in sight when it was last looked."""
        return key in self._since

    def stood(self, key: Key, since: int) -> bool:
        """Whether that has been in sight at that moment and ever since."""
        return self._since.get(key, since + 1) <= since

    def _in_sight(self, settings: ConnectionSettings) -> set[Key]:
        world, user, drives_too = self._world, self._user, bool(settings.include_shared_drives)
        drives = set(visible_drives(world, user)) if drives_too else set[str]()
        items = visible(world, user, include_trashed=settings.include_trashed, include_shared_drives=drives_too)
        keys = {("folder" if item.is_folder else "file", item.id) for item in items}
        if self._scoped:
            files = visible_items(
                world, user, include_trashed=settings.include_trashed, include_shared_drives=drives_too
            )
            inside = within(settings, user, files, set(visible_drives(world, user)))
            keys = {key for key in keys if key[1] in inside}
            drives = {drive_id for drive_id in drives if holds_drive(settings, drive_id)}
        return keys | {("shared_drive", drive_id) for drive_id in drives} | self._hanging(settings, keys, drives)

    def _hanging(self, settings: ConnectionSettings, items: set[Key], drives: set[str]) -> set[Key]:
        """What hangs on those: permissions of each, and of files revisions and comments."""
        world, user = self._world, self._user
        owners = {item_id for _, item_id in items} | drives
        found: list[tuple[str, tuple[str, str]]] = []
        if settings.sync_permissions:
            found += [("permission", each) for each in visible_permissions(world, user, include_trashed=True)]
        if self._details and settings.sync_revisions:
            found += [
                ("revision", each)
                for each in visible_revisions(world, user, include_trashed=True, max_revisions=settings.max_revisions)
            ]
        if self._details and settings.sync_comments:
            found += [("comment", each) for each in visible_comments(world, user, include_trashed=True)]
        return {(kind, f"{owner}/{own}") for kind, (owner, own) in found if owner in owners}
