"""The contents of files on a real broker: after the rest, through kills, edits and cuts, compared by checksum."""

from collections import Counter
from pathlib import Path

import pytest

from drive_simulator.api import exports
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.model import content
from drive_simulator.model.access import rank
from drive_simulator.model.capabilities import may_download
from drive_simulator.model.world import World
from drive_simulator.truth.items import visible_items
from google_drive_worker.demo.objects import read_object
from google_drive_worker.sync.content import EXPORTS
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics

pytestmark = pytest.mark.kafka

LIMIT = 300_000
WITH_CONTENT = f"sync_content = true\nmax_file_size_bytes = {LIMIT}\n"


def _with_content(stage: Stage) -> None:
    text = stage.connections_file.read_text()
    stage.connections_file.write_text(text.replace("sync_comments = false\n", "sync_comments = false\n" + WITH_CONTENT))


def _truth(stage: Stage) -> dict[str, bytes | str]:
    """By file id: its bytes, or why there are none."""
    email = stage.email()

    def look(world: World) -> dict[str, bytes | str]:
        user = world.user(email)
        found: dict[str, bytes | str] = {}
        for file_id, file in visible_items(world, user).items():
            item = world.items[file_id]
            if file.get("trashed") or item.is_folder or item.mime_type.endswith(".shortcut"):
                continue
            export_type = EXPORTS.get(item.mime_type)
            exported = exports.export(item, export_type) if export_type else None
            if item.is_workspace and exported is None:
                found[item.id] = "not_exportable"
            elif item.size > LIMIT or (exported is not None and len(exported) > LIMIT):
                found[item.id] = "too_large"
            elif not may_download(item, rank(user, item)):
                found[item.id] = "not_downloadable"
            else:
                found[item.id] = exported if exported is not None else content.read(item)
        return found

    return stage.simulator.apply(look)


def _mirrored(stage: Stage) -> dict[str, bytes | str | None]:
    return {
        record.resource_id: read_object(record.content_ref) if record.content_ref else record.data.content_status
        for record in stage.mirror.held(FIRST, "file")
        if not str(record.data.mime_type).endswith(".shortcut")
    }


def _downloads(stage: Stage) -> int:
    calls = stage.simulator.counters.entries("files.get")
    return stage.simulator.counters.count("files.export") + sum(each.parameter("alt") == "media" for each in calls)


def _assert_equal(stage: Stage) -> None:
    stage.assert_equal()
    truth, mirrored = _truth(stage), _mirrored(stage)
    assert truth.keys() == mirrored.keys()
    assert {key: value for key, value in mirrored.items() if value != truth[key]} == {}


def test_contents_follow_the_drive(topics: Topics, tmp_path: Path) -> None:
    """Through a full sync that is killed in the middle of them, edits, and a second full sync that fetches nothing."""
    world = generate(CorpusPlan(files=150, shared_drives=1, seed=31))
    with staged(world, topics, tmp_path, latency_ms=20) as stage:
        _with_content(stage)
        with stage.worker() as worker:
            stage.trigger(FIRST, "full_sync")
            worker.wait_until(lambda: any(each.content_ref for each in stage.read()), "a content")
            worker.kill()
            worker.start()
            worker.wait_ready()
            stage.settle(FIRST)
            _assert_equal(stage)
            statuses = Counter(value if isinstance(value, str) else "stored" for value in _truth(stage).values())
            assert min(statuses["stored"], statuses["too_large"]) > 5
            skipped = Counter(error["error"]["code"] for error in stage.errors())
            assert skipped["content_too_large"] == statuses["too_large"]

            for seed in (1, 2):
                stage.edit(seed, 60)
                stage.sync()
                _assert_equal(stage)

            before = _downloads(stage)
            stage.sync(FIRST, "full_sync")
            _assert_equal(stage)
            assert _downloads(stage) == before
            assert stage.mirror.repeated_messages == 0


def test_cuts_and_refusals_of_downloads_are_lived_through(topics: Topics, tmp_path: Path) -> None:
    """Bytes are right by their checksums; one file's quota is that file's alone."""
    world = generate(CorpusPlan(files=80, seed=32))
    with staged(world, topics, tmp_path) as stage:
        _with_content(stage)
        faults = stage.simulator.faults
        faults.add(Rule(Effect(cut_after_bytes=20_000), Match(media=True, every=3)))
        blobs = [each for each in world.items.values() if 0 < each.size < LIMIT and each.drive is None]
        same = Counter((each.size, each.salt) for each in world.items.values())  # whose bytes another file may bring
        limited = next(each for each in blobs if same[each.size, each.salt] == 1)
        faults.add(Rule(Effect(error="downloadQuotaExceeded"), Match(media=True, path=limited.id)))
        with stage.worker({"GDRIVE_MAX_ATTEMPTS": "10"}):
            stage.sync(FIRST, "full_sync")
        truth: dict[str, bytes | str | None] = {**_truth(stage)}
        if limited.id in truth:
            truth[limited.id] = "unavailable"
        assert _mirrored(stage) == truth
        assert [error["error"]["code"] for error in stage.errors()].count("file_quota_exceeded") == 1
