"""What the simulator says of permissions, as the comparison with a mirror takes it."""

from collections.abc import Mapping
from dataclasses import asdict

import msgspec

from drive_simulator.items import User
from drive_simulator.reach import Reach
from drive_simulator.truth import VisiblePermission
from drive_simulator.world import World
from google_drive_worker.demo.mirror import TruePermission


def true_permissions(found: Mapping[tuple[str, str], VisiblePermission]) -> dict[tuple[str, str], TruePermission]:
    """The simulator's permissions as the mirror's truth."""
    return {key: msgspec.convert(asdict(each), TruePermission) for key, each in found.items()}


def untold(world: World, user: User) -> frozenset[str]:
    """The items below a folder that the user does not see: what becomes of its sharing no log of theirs tells."""
    reach = Reach(world, user)
    return frozenset(
        item.id
        for item in world.items.values()
        if any(at is not item and at is not user.root and not reach.sees(at) for at in item.chain())
    )
