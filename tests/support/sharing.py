"""What the simulator says of permissions, as the comparison with a mirror takes it."""

from collections.abc import Mapping
from dataclasses import asdict

import msgspec

from drive_simulator.truth.items import VisiblePermission
from google_drive_worker.demo.mirror import TruePermission


def true_permissions(found: Mapping[tuple[str, str], VisiblePermission]) -> dict[tuple[str, str], TruePermission]:
    """The simulator's permissions as the mirror's truth."""
    return {key: msgspec.convert(asdict(each), TruePermission) for key, each in found.items()}
