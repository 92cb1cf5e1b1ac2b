"""What a plan makes of a world's size and shape."""

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.truth.items import visible_items


def test_my_drives_of_given_sizes_share_nothing() -> None:
    """Each user sees what the plan gives them and nothing else, but for what lies in the trash."""
    world = generate(CorpusPlan(files=0, shared_drives=0, my_drives=(10, 100, 1_000), sharing=0))
    seen = [len(visible_items(world, user)) for user in world.users.values()]
    for planned, visible in zip((10, 100, 1_000), seen, strict=True):
        assert 0.85 * planned <= visible <= planned


def test_files_beside_given_sizes_are_the_shared_drives() -> None:
    """The two numbers don't mix."""
    world = generate(CorpusPlan(files=40, shared_drives=2, my_drives=(5, 5), sharing=0))
    in_drives = [item for item in world.items.values() if item.drive is not None and item.parent is not None]
    own = [item for item in world.items.values() if item.drive is None and item.parent is not None]
    assert (len(in_drives), len(own)) == (40, 10)
