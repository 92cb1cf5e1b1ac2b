"""The main job on a real broker: a whole Drive, then what changed of it."""

from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from support.mirroring import FIRST, staged
from support.topics import Topics

pytestmark = pytest.mark.kafka

SEED = 20_250_120


def test_a_full_sync_and_two_thousand_edits_end_equal(topics: Topics, tmp_path: Path) -> None:
    """Five shared drives and My Drive, 20,000 items, then 2,000 random edits: the committed mirror is the Drive."""
    world = generate(CorpusPlan(files=20_000, shared_drives=5, users=3, seed=SEED))
    with staged(world, topics, tmp_path) as stage, stage.worker({"GDRIVE_PAGE_SIZE": "1000"}):
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()
        assert stage.mirror.duplicates.total() == 0

        stage.edit(SEED, 2_000)
        stage.sync()
        stage.assert_equal()
        assert len(stage.mirror.completed_syncs(FIRST)) <= 2, "two full syncs at the most: one may follow by itself"
