"""A listing that is split into parts, by a worker that is killed over and over in the middle of it."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.server.counters import CallEntry
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics

pytestmark = pytest.mark.kafka

LISTED = "files.list"
AT_ONCE = 16
KILLS = (12, 60, 110)
"""After so many pages asked for: when the parts are being opened, and twice when all of them are under way."""


def _listings(stage: Stage) -> tuple[CallEntry, ...]:
    return stage.simulator.counters.entries(LISTED)


def _has_listed(stage: Stage, pages: int) -> bool:
    return len(_listings(stage)) >= pages


def test_kills_in_a_split_listing_neither_lose_nor_repeat(topics: Topics, tmp_path: Path) -> None:
    """Each record is written once, and what is asked for twice is only what was under way at a kill."""
    world = generate(CorpusPlan(files=9_000, shared_drives=1, users=1, seed=7))
    settings = {"GDRIVE_PAGE_SIZE": "50", "KAFKA_SESSION_TIMEOUT_MS": "1500", "WORKER_COMMIT_INTERVAL_MS": "50"}
    with staged(world, topics, tmp_path, latency_ms=80) as stage, stage.worker(settings) as worker:
        stage.trigger(FIRST, "full_sync")
        most_parts = 0
        for count in KILLS:
            worker.wait_until(partial(_has_listed, stage, count), f"{count} pages")
            worker.kill()
            corpora = stage.state()["sync"] and stage.state()["corpora"]
            most_parts = max(most_parts, *(len(corpus.get("parts", ())) for corpus in corpora.values()))
            worker.start()
        stage.settle(FIRST)
        stage.assert_equal()
        assert stage.mirror.duplicates.total() == 0
        assert stage.mirror.records["sync", "upsert"] == 2
        assert most_parts > 4
        asked = Counter(_listings(stage))
        assert len({entry.parameter("q") for entry in asked}) > AT_ONCE  # ranges of their own, not one listing
        in_flight = 2 * AT_ONCE  # fetches under way, and as many pages that wait for a commit
        assert sum(times - 1 for times in asked.values()) <= in_flight * len(KILLS)
        assert asked.total() <= 9_000 / 50 * 1.2 + in_flight * len(KILLS)


def test_a_token_refused_in_a_split_listing_costs_one_part_a_dozen_files(topics: Topics, tmp_path: Path) -> None:
    """The part goes on from where its order is proven: what is written once more is little, and nothing is missing."""
    world = generate(CorpusPlan(files=6_000, shared_drives=1, users=1, seed=8))
    refused = 6
    with staged(world, topics, tmp_path) as stage, stage.worker({"GDRIVE_PAGE_SIZE": "50"}):
        match = Match(method=LISTED, page_token=True, skip=20, every=7)
        stage.simulator.faults.add(Rule(Effect(page_token="invalid"), match, times=refused))
        stage.sync(FIRST, "full_sync")
        assert stage.simulator.faults.states()[0].struck == refused
        stage.assert_equal()
        assert stage.mirror.duplicates.total() <= refused * 2 * 50


def test_a_google_that_ignores_the_order_is_mirrored_all_the_same(topics: Topics, tmp_path: Path) -> None:
    """The listing is read to its very end, in one part; every record is written once."""
    world = generate(CorpusPlan(files=3_000, shared_drives=1, users=1, seed=9))
    with staged(world, topics, tmp_path) as stage, stage.worker({"GDRIVE_PAGE_SIZE": "50"}):
        stage.simulator.rules.ignore_order = True
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()
        assert stage.mirror.duplicates.total() == 0
        assert {entry.parameter("q") for entry in _listings(stage)} == {"trashed = false"}
