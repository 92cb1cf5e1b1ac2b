"""The truth of some items is what the truth of all says of them."""

import random

from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.truth.items import (
    visible_comments,
    visible_items,
    visible_paths,
    visible_permissions,
    visible_revisions,
)


def test_truth_of_some_items_is_the_same_as_in_the_whole() -> None:
    """Items, paths, permissions, revisions and comments are those of the whole, of these items alone."""
    world = generate(CorpusPlan(300, 2, seed=5, details=Details(shared=0.1, commented=0.3, revised=0.2)))
    user = next(iter(world.users.values()))
    some = random.Random(5).sample(list(world.items.values()), 60)  # noqa: S311 - a simulation
    ids = {item.id for item in some}
    whole, part = visible_items(world, user), visible_items(world, user, among=some)
    assert part == {key: value for key, value in whole.items() if key in ids}
    paths = visible_paths(world, user)
    assert visible_paths(world, user, among=some) == {key: value for key, value in paths.items() if key in ids}
    for truth in (visible_revisions, visible_comments):
        of_all, of_some = truth(world, user), truth(world, user, among=some)
        assert of_some
        assert of_some == {key: value for key, value in of_all.items() if key[0] in ids}
    members = world.drives.keys()
    permissions = visible_permissions(world, user)
    found = visible_permissions(world, user, among=some)
    assert found == {key: value for key, value in permissions.items() if key[0] in ids | members}
