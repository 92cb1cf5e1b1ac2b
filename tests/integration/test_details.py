"""Revisions and comments on a real broker: after the files, through kills, and when somebody edits and speaks."""

import random
from pathlib import Path

import pytest

from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import random_edits
from drive_simulator.faults.plan import Effect, Match, Rule
from support.details import assert_equal_with_details
from support.mirroring import FIRST, staged
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
        assert_equal_with_details(stage)
        kinds = {record.resource_type for record in stage.records}
        assert {"file", "revision", "comment"} <= kinds
        assert stage.records[-1].resource_type == "sync"

        for _ in range(2):
            stage.simulator.apply(
                lambda world: random_edits(world, draw, EDITS, memberships=False, also=("comments", "revisions"))
            )
            stage.sync()
            assert_equal_with_details(stage)
        assert stage.errors() == []


def test_a_files_own_quota_is_that_files_business(topics: Topics, tmp_path: Path) -> None:
    """`quotaExceeded`, which lasts for hours, is an error record of that file; the next full sync mends it."""
    world = generate(CorpusPlan(files=80, shared_drives=1, users=1, seed=23, details=RICH))
    with staged(world, topics, tmp_path, details=True) as stage, stage.worker(SETTINGS):
        rules = stage.simulator.faults
        for method in ("revisions.list", "comments.list"):
            rules.add(Rule(Effect(error="quotaExceeded"), Match(method=method, skip=3), times=2))
        stage.sync(FIRST, "full_sync")
        assert [state.struck for state in rules.states()] == [2, 2]
        found = [(each["error"]["category"], each["error"]["reason"]) for each in stage.errors()]
        assert found == [("skipped_item", "quotaExceeded")] * 2  # the two lists of a file have one cause
        assert len({each["resource"]["id"] for each in stage.errors()}) == 2
        lists = {(gap["scope"], gap["id"]) for gap in stage.state()["gaps"]}
        assert lists == {
            (scope, each["resource"]["id"]) for each in stage.errors() for scope in ("revisions", "comments")
        }
        stage.assert_equal()
        stage.sync(FIRST, "full_sync")
        assert_equal_with_details(stage)
        assert len(stage.errors()) == 2


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
        assert_equal_with_details(stage)
