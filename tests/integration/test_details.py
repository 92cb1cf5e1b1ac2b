"""Revisions and comments on a real broker: after the files, through kills, and when somebody edits and speaks."""

import random
from pathlib import Path

import pytest

from drive_simulator.corpus import CorpusPlan, generate
from drive_simulator.corpus_details import Details
from drive_simulator.edits import random_edits
from drive_simulator.truth import visible_comments, visible_revisions
from drive_simulator.world import World
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics

pytestmark = pytest.mark.kafka

SETTINGS = {
    "GDRIVE_PAGE_SIZE": "50",
    "KAFKA_SESSION_TIMEOUT_MS": "1500",
    "GDRIVE_QUOTA_PROJECT_PER_MINUTE": "1000000000",
    "GDRIVE_QUOTA_USER_PER_MINUTE": "1000000000",
}
RICH = Details(shared=0, limited=0, commented=0.3, revised=0.3)
EDITS = 120

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


def _assert_equal(stage: Stage) -> None:
    stage.assert_equal()
    revisions, comments = _truth(stage)
    assert _mirrored(stage, "revision") == revisions
    assert _mirrored(stage, "comment") == comments


def test_revisions_and_comments_are_mirrored_through_kills_and_edits(topics: Topics, tmp_path: Path) -> None:
    """Each once, in a full sync that is killed in its pass, and in the incremental ones after it."""
    world = generate(CorpusPlan(files=600, shared_drives=2, users=2, seed=17, sharing=0, details=RICH))
    draw = random.Random(17)  # noqa: S311 - edits that can be repeated
    with staged(world, topics, tmp_path, latency_ms=20, details=True) as stage, stage.worker(SETTINGS) as worker:
        counters = stage.simulator.counters
        stage.trigger(FIRST, "full_sync")
        for _ in range(2):
            before = counters.count("comments.list")
            worker.wait_until(lambda before=before: counters.count("comments.list") > before + 60, "a page")  # type: ignore[misc]
            worker.kill()
            worker.start()
        stage.settle(FIRST)
        _assert_equal(stage)
        kinds = {record.resource_type for record in stage.records}
        assert {"file", "revision", "comment"} <= kinds
        assert stage.records[-1].resource_type == "sync"

        for _ in range(2):
            stage.simulator.apply(
                lambda world: random_edits(world, draw, EDITS, memberships=False, also=("comments", "revisions"))
            )
            stage.sync()
            _assert_equal(stage)
        assert stage.errors() == []


def test_an_incremental_sync_does_not_wait_for_the_pass(topics: Topics, tmp_path: Path) -> None:
    """A file that is edited while the pass is under way is in the mirror long before it ends."""
    world = generate(CorpusPlan(files=900, shared_drives=0, users=1, seed=5, sharing=0, details=RICH))
    with staged(world, topics, tmp_path, latency_ms=150, details=True) as stage, stage.worker(SETTINGS) as worker:
        counters = stage.simulator.counters
        stage.trigger(FIRST, "full_sync")
        worker.wait_until(lambda: counters.count("comments.list") > 0, "the pass")
        logs = counters.count("changes.list")
        stage.trigger(FIRST)
        worker.wait_until(lambda: counters.count("changes.list") > logs, "the log")
        assert FIRST in stage.under_way()
        stage.settle(FIRST)
        _assert_equal(stage)
