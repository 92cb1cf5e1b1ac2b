"""The bytes of files that somebody should have mirrored, by their checksums, worked out as `truth` is."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from drive_simulator.api import exports
from drive_simulator.model import content
from drive_simulator.model.capabilities import may_download
from drive_simulator.model.items import FOLDER, SHORTCUT, Item, User
from drive_simulator.model.world import World
from drive_simulator.truth.reach import Reach, visible


@dataclass(frozen=True, slots=True)
class VisibleContent:
    """What a user can have of a file's bytes: their size and SHA-256, or why there are none."""

    status: Literal["available", "not_downloadable", "not_exportable"]
    size: int | None = None
    sha256: str | None = None


def visible_contents(
    world: World,
    user: User,
    export_types: Mapping[str, str],
    *,
    include_trashed: bool = False,
    include_shared_drives: bool = True,
) -> dict[str, VisibleContent]:
    """By file's id; documents as `export_types` says by their MIME type. Folders and shortcuts are not among them."""
    reach = Reach(world, user)
    return {
        item.id: _content(item, reach.standing(item), export_types.get(item.mime_type, ""))
        for item in visible(world, user, include_trashed=include_trashed, include_shared_drives=include_shared_drives)
        if item.mime_type not in {FOLDER, SHORTCUT}
    }


def _content(item: Item, standing: int, export_type: str) -> VisibleContent:
    if item.is_workspace and not export_type:
        return VisibleContent("not_exportable")
    if not may_download(item, standing):
        return VisibleContent("not_downloadable")
    if not item.is_workspace:
        return VisibleContent("available", content.content_of(item)[0], content.checksums(item)[2])
    exported = exports.export(item, export_type)
    if exported is None:
        return VisibleContent("not_exportable")
    return VisibleContent("available", len(exported), sha256(exported).hexdigest())
