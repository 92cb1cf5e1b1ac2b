"""What must hold at rest: the mirror's revisions and comments are those that the account may read."""

from collections.abc import Iterator

from drive_simulator.items import User
from drive_simulator.truth import visible_comments, visible_revisions
from drive_simulator.world import World
from google_drive_worker.demo.mirror import Difference, Mirror
from google_drive_worker.domain.connection import ConnectionSettings
from simulation.google import CONNECTION

_Shown = tuple[object, ...]


def differences_of_details(
    mirror: Mirror, world: World, user: User, settings: ConnectionSettings
) -> Iterator[Difference]:
    """Where the mirror's revisions and comments are not those of the user's files, or differ from them."""
    scope = {
        "include_trashed": settings.include_trashed,
        "include_shared_drives": bool(settings.include_shared_drives),
    }
    expected: dict[tuple[str, str], _Shown] = {}
    if settings.sync_revisions:
        revisions = visible_revisions(world, user, max_revisions=settings.max_revisions, **scope)
        for (file_id, own_id), each in revisions.items():
            expected["revision", f"{file_id}/{own_id}"] = (each.modified_time, each.size, None, None)
    if settings.sync_comments:
        for (file_id, own_id), said in visible_comments(world, user, **scope).items():
            shown = (said.modified_time, None, said.content, said.resolved)
            expected["comment", f"{file_id}/{own_id}"] = shown
    held = {
        (kind, each.resource_id): (each.data.modified_at, each.data.size_bytes, each.data.content, each.data.resolved)
        for kind in ("revision", "comment")
        for each in mirror.held(CONNECTION, kind)
    }
    for key in held.keys() | expected.keys():
        if key not in expected:
            yield Difference("unexpected", *key)
        elif key not in held:
            yield Difference("missing", *key)
        elif held[key] != expected[key]:
            yield Difference("different", *key, "details", expected[key], held[key])
