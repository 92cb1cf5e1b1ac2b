"""A worker reads with the account whose Drive it mirrors: what it downloads and exports are that account's views."""

from collections import Counter
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.model.item_changes import create, view
from drive_simulator.model.items import WORKSPACE_PREFIX, Item
from drive_simulator.model.world import World
from support.mirroring import FIRST, Stage, staged
from support.push import channels_of, proxy_process, push_settings
from support.topics import Topics
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.kafka

LIMIT = 30_000
WITH_CONTENT = f"sync_content = true\nmax_file_size_bytes = {LIMIT}\n"
DOCUMENT = WORKSPACE_PREFIX + "document"
DELEGATED = "conn_service_account"
"""A service account with domain-wide delegation, which acts as the first user."""


def _downloads(stage: Stage) -> Counter[str]:
    """How often the bytes of each file were asked for."""
    counters = stage.simulator.counters
    media = [each for each in counters.entries("files.get") if each.parameter("alt") == "media"]
    return Counter(each.parameter("fileId") or "" for each in (*media, *counters.entries("files.export")))


def _reads_own_views(stage: Stage, worker: WorkerProcess, connection_id: str) -> None:
    """Wait until the connection owes nothing and has read its account's log to the end."""

    def is_through() -> bool:
        stage.settle(connection_id)
        token = stage.state(connection_id)["corpora"]["user"]["change_token"]
        email = stage.email(connection_id)
        return bool(int(token) == stage.simulator.apply(lambda world: world.user(email).log.end))

    worker.wait_until(is_through, "the account's own views are read")


def _world() -> World:
    """A small Drive, with a document whose export is larger than the limit."""
    world = generate(CorpusPlan(files=60, shared_drives=1, seed=41))
    owner = next(iter(world.users.values()))
    create(world, owner, "large", DOCUMENT, size=None, extras={"export_size": 3 * LIMIT})
    return world


@pytest.mark.parametrize("connection_id", [FIRST, DELEGATED])
def test_contents_and_push_come_to_rest(topics: Topics, tmp_path: Path, connection_id: str) -> None:
    """Each download is a view, an entry and a notification, and none of them makes the worker download again.

    Reported: google-api-java-client-services #3160. An export over the limit is not fetched again either.
    """
    with (
        staged(_world(), topics, tmp_path, push=True, settings=WITH_CONTENT) as stage,
        proxy_process(stage.environment) as address,
        stage.worker(push_settings(address)) as worker,
    ):
        stage.trigger(connection_id, "full_sync")
        worker.wait_until(
            lambda: bool(found := channels_of(stage, connection_id)) and all(each.get("last_number") for each in found),
            "channels stand",
        )
        _reads_own_views(stage, worker, connection_id)
        stage.assert_equal(connection_id)
        asked = _downloads(stage)
        assert asked
        assert set(asked.values()) == {1}

        def look_at_all(world: World) -> list[Item]:
            user = world.user(stage.email(connection_id))
            seen = [item for item in user.index if not item.is_folder]
            for item in seen:
                view(world, item, user)
            return seen

        assert stage.simulator.apply(look_at_all)
        _reads_own_views(stage, worker, connection_id)
        stage.assert_equal(connection_id)
        assert _downloads(stage) == asked
