"""What hangs on files, as it is mirrored and as it is: revisions and comments."""

from collections.abc import Collection

from drive_simulator.model.world import World
from drive_simulator.truth.items import visible_comments, visible_revisions
from support.mirroring import FIRST, MAX_SHOWN, Stage

Shown = dict[str, tuple[object, object, object, object]]
"""By resource id: when it was modified, size, content, resolved."""


def _mirrored(stage: Stage, resource_type: str, connection_id: str = FIRST) -> Shown:
    return {
        record.resource_id: (record.data.modified_at, record.data.size_bytes, record.data.content, record.data.resolved)
        for record in stage.mirror.held(connection_id, resource_type)
    }


def _truth(stage: Stage, connection_id: str = FIRST) -> tuple[Shown, Shown]:
    email = stage.email(connection_id)

    def look(world: World) -> tuple[Shown, Shown]:
        user = world.user(email)
        revisions: Shown = {
            f"{file_id}/{own_id}": (each.modified_time, each.size, None, None)
            for (file_id, own_id), each in visible_revisions(world, user).items()
        }
        comments: Shown = {
            f"{file_id}/{own_id}": (each.modified_time, None, each.content, each.resolved)
            for (file_id, own_id), each in visible_comments(world, user).items()
        }
        return revisions, comments

    return stage.simulator.apply(look)


def assert_equal_with_details(stage: Stage, connection_id: str = FIRST) -> None:
    """Fail where a connection's mirror is not what its user sees, revisions and comments too."""
    stage.assert_equal(connection_id)
    revisions, comments = _truth(stage, connection_id)
    for resource_type, truth in (("revision", revisions), ("comment", comments)):
        held = _mirrored(stage, resource_type, connection_id)
        odd = sorted(key for key in held.keys() | truth.keys() if held.get(key) != truth.get(key))
        shown = [f"{key}: {held.get(key)}, not {truth.get(key)}" for key in odd[:MAX_SHOWN]]
        assert not odd, f"{connection_id}: {len(odd)} differences of {len(truth)} {resource_type}s: {shown}"


def assert_details_of(stage: Stage, file_ids: Collection[str]) -> None:
    """Fail where the mirror has not just the revisions and comments of those files."""
    for resource_type, truth in zip(("revision", "comment"), _truth(stage), strict=True):
        wanted = {key: shown for key, shown in truth.items() if key.partition("/")[0] in file_ids}
        assert wanted
        assert _mirrored(stage, resource_type) == wanted
