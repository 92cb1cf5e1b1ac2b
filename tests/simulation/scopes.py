"""Random scopes, and what of a user's Drive is within one: worked out from the model alone."""

import random
from collections.abc import Container, Mapping

from msgspec.structs import replace

from drive_simulator.model.items import Item, User
from drive_simulator.model.world import World
from google_drive_worker.demo.mirror import Difference, Mirror
from google_drive_worker.domain.connection import ConnectionSettings
from google_drive_worker.domain.ids import FileId
from simulation.google import CONNECTION

Resources = Mapping[str, Mapping[str, object]]

_TYPES = ("image/jpeg", "application/pdf", "text/plain", "application/vnd.google-apps.document")


def with_scope(settings: ConnectionSettings, world: World, die: random.Random) -> ConnectionSettings:
    """The settings with other drives, folders and types left out: often folders, whose like is hardest to follow."""
    folders = ["root", *world.drives]
    folders += [item.id for item in world.items.values() if item.is_folder and item.parent is not None]
    drives = ["root", *world.drives]
    return replace(
        settings,
        folder_ids=tuple(map(FileId, die.sample(folders, min(len(folders), die.randint(1, 3)))))
        if die.random() < 0.7
        else (),
        drive_ids=tuple(die.sample(drives, die.randint(1, len(drives)))) if die.random() < 0.4 else (),
        exclude_mime_types=tuple(die.sample(_TYPES, 1)) if die.random() < 0.4 else (),
    )


def within(settings: ConnectionSettings, user: User, files: Resources, drives: Container[str]) -> set[str]:
    """Which of the items that the user sees are in scope; `drives` are those that the user is a member of."""
    roots = {user.root.id if folder_id == "root" else folder_id for folder_id in settings.folder_ids or ()}
    return {
        file_id
        for file_id, file in files.items()
        if file["mimeType"] not in settings.exclude_mime_types
        and (_in_drives(settings, file, drives) or _below(files, file_id, roots))
    }


def holds_drive(settings: ConnectionSettings, drive_id: str) -> bool:
    """Whether a shared drive is in scope as a whole."""
    return drive_id in settings.drive_ids if settings.drive_ids else not settings.folder_ids


def path_differences(mirror: Mirror, world: World, user: User, files: Resources) -> list[Difference]:
    """Where the paths of the mirror's folders are not what the model says."""
    found = []
    for record in mirror.held(CONNECTION, "folder"):
        item = world.items.get(record.resource_id)
        if item is not None and record.resource_id in files:
            path = _path_of(item, user, files)
            if path != record.data.path:
                found.append(Difference("different", "folder", item.id, "path", path, record.data.path))
    return found


def is_opened_by_link(world: World, difference: Difference) -> bool:
    """Whether the mirror has it too much and a link opens it: where such a folder is named, and below one of limited
    access in a drive of the account's, nothing that Drive shows tells it from one that is shared."""
    at = world.items.get(difference.resource_id.partition("/")[0])
    while at is not None:
        if any(grant.type == "anyone" for grant in at.grants or ()):
            return difference.kind == "unexpected"
        at = at.parent
    return False


def _in_drives(settings: ConnectionSettings, file: Mapping[str, object], drives: Container[str]) -> bool:
    drive_id = file.get("driveId")
    is_member = drive_id is None or str(drive_id) in drives
    return holds_drive(settings, str(drive_id or "root")) and (is_member or not settings.drive_ids)


def _below(files: Resources, file_id: str, roots: set[str]) -> bool:
    """Whether one of the folders is above it, as far as the user sees what is above."""
    if file_id in roots:
        return True
    parents = files[file_id].get("parents") if file_id in files else None
    return any(_below(files, each, roots) for each in (parents if isinstance(parents, list | tuple) else ()))


def _path_of(item: Item, user: User, files: Resources) -> tuple[str, ...] | None:
    names: list[str] = []
    at: Item | None = item
    while at is not None and at.parent is not None:
        names.append(at.name)
        if not files.get(at.id, {}).get("parents"):
            return None
        at = at.parent
    own = at is not None and (at.drive is not None or at.owner is user)
    return tuple(reversed(names)) if own else None
