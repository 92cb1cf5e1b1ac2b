"""What hangs on files, as it is mirrored and as it is: revisions and comments."""

from collections.abc import Collection

from drive_simulator.truth import visible_comments, visible_revisions
from drive_simulator.world import World
from support.mirroring import FIRST, Stage

Shown = dict[str, tuple[object, object, object, object]]
"""By resource id: when it was modified, size, content, resolved."""


def _mirrored(stage: Stage, resource_type: str) -> Shown:
    return {
        record.resource_id: (record.data.modified_at, record.data.size_bytes, record.data.content, record.data.resolved)
        for record in stage.mirror.held(FIRST, resource_type)
    }


def _truth(stage: Stage) -> tuple[Shown, Shown]:
    email = stage.email()

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


def assert_equal_with_details(stage: Stage) -> None:
    """Fail where the first connection's mirror is not what its user sees, revisions and comments too."""
    stage.assert_equal()
    revisions, comments = _truth(stage)
    assert _mirrored(stage, "revision") == revisions
    assert _mirrored(stage, "comment") == comments


def assert_details_of(stage: Stage, file_ids: Collection[str]) -> None:
    """Fail where the mirror has not just the revisions and comments of those files."""
    for resource_type, truth in zip(("revision", "comment"), _truth(stage), strict=True):
        wanted = {key: shown for key, shown in truth.items() if key.partition("/")[0] in file_ids}
        assert wanted
        assert _mirrored(stage, resource_type) == wanted
