"""What is put on top of a generated corpus."""

from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.world import World
from drive_simulator.truth.items import visible_comments, visible_permissions, visible_revisions


def world_of(details: Details) -> World:
    """A thousand files in two shared drives and two My Drives."""
    return generate(CorpusPlan(files=1_000, shared_drives=2, users=2, details=details), clock=ManualClock())


def test_the_shares_are_as_planned() -> None:
    """Each detail is on the planned share of those it can be on."""
    world = world_of(Details(shared=0.05, limited=0.1, commented=0.1, revised=0.2, labelled=0.5))
    items = [item for item in world.items.values() if item.parent is not None]
    folders = [item for item in items if item.is_folder]
    assert 0.05 <= sum(bool(item.grants) for item in items) / len(items) < 0.09
    assert 0.05 <= sum(item.is_limited for item in folders) / len(folders) <= 0.1
    assert 0.08 <= sum(bool(item.rare("comments")) for item in items) / len(items) < 0.12
    assert sum(bool(item.rare("labels")) for item in items) == len(items) // 2
    assert any(drive.has_limits for drive in world.drives.values())
    alice = next(iter(world.users.values()))
    assert {each.type for each in visible_permissions(world, alice).values()} == {"user", "group", "domain", "anyone"}
    revisions = visible_revisions(world, alice)
    assert len(revisions) > len({item_id for item_id, _ in revisions}) * 1.2
    assert any(comment.resolved for comment in visible_comments(world, alice).values())


def test_details_change_nothing_of_the_tree() -> None:
    """The same seed has the same items with the same names and places, whatever is put on top."""
    plain, decorated = world_of(Details(0, 0, 0, 0, 2, 0)), world_of(Details(0.5, 0.5, 0.5, 0.5, 9, 0.5))
    trees = [[(i.id, i.name, i.parents, i.modified_ms) for i in world.items.values()] for world in (plain, decorated)]
    assert trees[0] == trees[1]
