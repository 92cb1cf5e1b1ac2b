"""Scopes on a real broker: some drives, some folders, no videos; and the paths of folders."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.model.items import Item
from drive_simulator.model.world import World
from drive_simulator.truth.items import visible_items
from support.details import assert_details_of
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics

pytestmark = pytest.mark.kafka

FOLDER = "application/vnd.google-apps.folder"
Files = Mapping[str, Mapping[str, Any]]


def _restrict(stage: Stage, setting: str) -> None:
    text = stage.connections_file.read_text()
    before = "push_notifications = false\n"
    stage.connections_file.write_text(text.replace(before, f"{before}{setting}\n"))


def _seen(stage: Stage) -> Files:
    email = stage.email()
    return stage.simulator.apply(lambda world: visible_items(world, world.user(email)))


def _below(files: Files, roots: Iterable[str]) -> set[str]:
    """The roots and all that is below them, as the user sees it."""
    within = {root for root in roots if root in files}
    while True:
        more = {name for name, file in files.items() if set(file.get("parents") or ()) & within} - within
        if not more:
            return within
        within |= more


def _paths(stage: Stage) -> dict[str, tuple[str, ...]]:
    """The paths of the folders that the user sees, by the world itself."""
    email, files = stage.email(), _seen(stage)

    def path_of(world: World, item: Item) -> tuple[str, ...] | None:
        names: list[str] = []
        at: Item | None = item
        while at is not None and at.parent is not None:
            names.append(at.name)
            if "parents" not in files.get(at.id, {}):
                return None
            at = at.parent
        own = at is not None and (at.drive is not None or at.owner is world.user(email))
        return tuple(reversed(names)) if own else None

    def look(world: World) -> dict[str, tuple[str, ...]]:
        folders = [world.items[name] for name, file in files.items() if file["mimeType"] == FOLDER]
        return {item.id: path for item in folders if (path := path_of(world, item)) is not None}

    return stage.simulator.apply(look)


def _assert_scope(stage: Stage, wanted: Callable[[Files], set[str]]) -> None:
    files = _seen(stage)
    ids = wanted(files)
    held = {record.resource_id: record for kind in ("file", "folder") for record in stage.mirror.held(FIRST, kind)}
    assert held.keys() == ids
    assert {name: record.data.name for name, record in held.items()} == {name: files[name]["name"] for name in ids}
    paths = {name: path for name, path in _paths(stage).items() if name in ids}
    assert {name: record.data.path for name, record in held.items() if record.data.path is not None} == paths


def _large_folders(world: World, email: str) -> list[str]:
    """A folder of My Drive and one of a shared drive, each with other folders below it."""
    user = world.user(email)
    files = visible_items(world, user)
    sizes = {
        name: len(_below(files, [name]))
        for name, file in files.items()
        if file["mimeType"] == FOLDER and world.items[name].parent is not None
    }
    chosen = []
    for shared in (False, True):
        of_kind = [name for name in sizes if (world.items[name].drive is not None) is shared]
        chosen.append(max(of_kind, key=lambda name: sizes[name] if sizes[name] < 120 else 0))
    return chosen


@pytest.mark.parametrize("seed", [43, 48])
def test_folders_with_all_that_is_below_them(topics: Topics, tmp_path: Path, seed: int) -> None:
    """What moves in appears, what moves out goes, through random edits; other things cause no record at all."""
    world = generate(CorpusPlan(files=500, shared_drives=2, seed=seed))
    with staged(world, topics, tmp_path) as stage:
        roots = stage.simulator.apply(lambda each: _large_folders(each, stage.email()))
        _restrict(stage, f"folder_ids = {[*roots, 'no-such-folder']}")
        soon = {"GDRIVE_PAGE_SIZE": "40", "SYNC_GAP_RETRY_S": "1", "SYNC_CONFIRM_AFTER_S": "1"}
        with stage.worker(soon) as worker:
            stage.sync(FIRST, "full_sync")
            _assert_scope(stage, lambda files: _below(files, roots))
            # That there is no such folder is believed when Google says so again.
            worker.wait_until(lambda: len(stage.errors()) > 1, "no-such-folder is asked for again")
            stage.settle(FIRST)
            assert [error["error"]["code"] for error in stage.errors()] == ["not_found", "scope_not_found"]
            for number in range(3):
                before = len(stage.records)
                stage.edit(seed + number, 120)
                stage.sync()
                _assert_scope(stage, lambda files: _below(files, roots))
                causes = [r for r in stage.records[before:] if r.operation == "delete" and r.resource_type == "file"]
                held = {r.resource_id for r in stage.records[:before]}
                assert {r.resource_id for r in causes} <= held | {r.resource_id for r in stage.records[before:]}
            stage.sync(FIRST, "full_sync")
            _assert_scope(stage, lambda files: _below(files, roots))


def test_what_hangs_on_files_of_chosen_folders_stays_through_full_syncs(topics: Topics, tmp_path: Path) -> None:
    """Revisions, comments and contents of what is in scope, and of nothing else, are written anew each time."""
    details = Details(shared=0, limited=0, commented=0.4, revised=0.4)
    world = generate(CorpusPlan(files=250, shared_drives=2, users=1, seed=47, sharing=0, details=details))
    with staged(world, topics, tmp_path, details=True) as stage:
        roots = stage.simulator.apply(lambda each: _large_folders(each, stage.email()))
        _restrict(stage, f"folder_ids = {roots}\nsync_content = true")
        with stage.worker():
            for _ in range(2):
                stage.sync(FIRST, "full_sync")
                files = _seen(stage)
                within = _below(files, roots)
                assert {r.resource_id.partition("/")[0] for r in stage.mirror.held(FIRST)} - {FIRST} == within
                assert_details_of(stage, within)
                assert any(record.content_ref for record in stage.mirror.held(FIRST, "file"))
            stage.edit(1, 60)
            stage.sync()
            assert_details_of(stage, _below(_seen(stage), roots))


def test_some_drives_and_no_pictures(topics: Topics, tmp_path: Path) -> None:
    """`drive_ids` names all that is mirrored, My Drive as `root`; a file of a type left out is not there."""
    world = generate(CorpusPlan(files=300, shared_drives=2, seed=43))
    with staged(world, topics, tmp_path) as stage:
        chosen = next(iter(world.drives))
        types = ["image/jpeg", "application/pdf"]
        _restrict(stage, f'drive_ids = ["{chosen}"]\nexclude_mime_types = {types}')

        def wanted(files: Files) -> set[str]:
            return {n for n, f in files.items() if f.get("driveId") == chosen and f["mimeType"] not in types}

        with stage.worker():
            stage.sync(FIRST, "full_sync")
            _assert_scope(stage, wanted)
            assert [record.resource_id for record in stage.mirror.held(FIRST, "shared_drive")] == [chosen]
            for number in range(2):
                stage.edit(number, 100, memberships=False)
                stage.sync()
                _assert_scope(stage, wanted)


def test_paths_follow_renames_and_moves(topics: Topics, tmp_path: Path) -> None:
    """Of everything, through random edits and a worker that starts anew in between."""
    world = generate(CorpusPlan(files=400, shared_drives=2, seed=44))
    with staged(world, topics, tmp_path) as stage:
        for number in range(3):
            with stage.worker({"GDRIVE_PAGE_SIZE": "40"}) as worker:
                stage.sync(FIRST, "full_sync" if number == 0 else "incremental")
                _assert_scope(stage, set)
                worker.terminate()
            stage.edit(number, 150)
