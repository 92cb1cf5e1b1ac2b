"""What people do to a Drive while it is being listed is in the mirror all the same: the low watermark at work."""

import random
from collections import Counter
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import random_edits
from drive_simulator.server.exchange import Exchange
from drive_simulator.server.server import Simulator
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics

pytestmark = pytest.mark.kafka

SMALL_PAGES = {"GDRIVE_PAGE_SIZE": "40"}


class Editors:
    """Make random edits right after each answer of `methods`, until `limit` of them are made or `until` is called."""

    def __init__(
        self, simulator: Simulator, seed: int, methods: set[str], *, until: str = "", memberships: bool = False
    ) -> None:
        self.done: Counter[str] = Counter()
        self._simulator = simulator
        self._random = random.Random(seed)  # noqa: S311 - edits that can be repeated
        self._methods = methods
        self._until = until
        self._memberships = memberships
        self._over = False

    def __call__(self, exchange: Exchange) -> None:
        """Edit between two pages; called in the simulator's own thread."""
        self._over = self._over or exchange.method_id == self._until or self.done.total() >= 400
        if not self._over and exchange.method_id in self._methods:
            self.done += random_edits(self._simulator.world, self._random, 6, memberships=self._memberships)


def _full_sync_under(stage: Stage, editors: Editors) -> None:
    stage.simulator.observers.append(editors)
    stage.sync(FIRST, "full_sync")
    stage.simulator.observers.remove(editors)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_edits_during_a_listing_are_in_when_the_full_sync_closes(topics: Topics, tmp_path: Path, seed: int) -> None:
    """Edits that end before the change logs are replayed are all in the mirror at the closing record."""
    world = generate(CorpusPlan(files=900, shared_drives=3, users=3, seed=seed))
    with staged(world, topics, tmp_path) as stage, stage.worker(SMALL_PAGES):
        editors = Editors(stage.simulator, seed, {"files.list"}, until="changes.list")
        _full_sync_under(stage, editors)
        stage.assert_equal()
        assert {"create", "rename", "move", "trash", "delete", "share"} <= editors.done.keys()
        assert stage.mirror.completed_syncs(FIRST) == [stage.records[-1].sync_id]


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_edits_all_through_a_full_sync_are_in_after_the_next_one(topics: Topics, tmp_path: Path, seed: int) -> None:
    """Edits that go on during the replay too, memberships among them, are in after one more incremental sync."""
    world = generate(CorpusPlan(files=900, shared_drives=3, users=3, seed=seed))
    with staged(world, topics, tmp_path) as stage, stage.worker(SMALL_PAGES):
        methods = {"files.list", "changes.list", "changes.getStartPageToken", "drives.list"}
        editors = Editors(stage.simulator, seed, methods, memberships=True)
        _full_sync_under(stage, editors)
        assert editors.done.total() > 100
        stage.sync()
        stage.assert_equal()
