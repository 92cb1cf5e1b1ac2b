"""Shared drives that are joined, left and renamed between two syncs."""

from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.model.item_changes import create
from drive_simulator.model.shared_drives import create_drive, rename_drive
from drive_simulator.model.sharing import leave_drive, share
from drive_simulator.model.world import World
from support.mirroring import FIRST, staged
from support.topics import Topics

pytestmark = pytest.mark.kafka

SMALL_PAGES = {"GDRIVE_PAGE_SIZE": "20"}


def _new_drive_joined(world: World) -> str:
    """The second user makes a drive of a hundred items, then lets the first one in."""
    alice, bob = list(world.users.values())[:2]
    drive = create_drive(world, bob, "Nürnberg")
    folder = create(world, bob, "Pläne", "application/vnd.google-apps.folder", drive.root)
    for number in range(100):
        create(world, bob, f"plan {number}", "text/plain", folder if number % 2 else drive.root, content=b"x")
    share(world, drive.root, bob, alice, "reader")
    return drive.id


def test_a_joined_drive_is_listed_in_an_incremental_sync(topics: Topics, tmp_path: Path) -> None:
    """All that was in it before is listed, without a full sync, and it is followed from then on."""
    with staged(generate(CorpusPlan(files=200, users=2)), topics, tmp_path) as stage, stage.worker(SMALL_PAGES):
        stage.sync(FIRST, "full_sync")
        drive_id = stage.simulator.apply(_new_drive_joined)
        stage.sync()
        stage.assert_equal()
        assert len([record for record in stage.records if record.data.drive_id == drive_id]) >= 101
        assert len(stage.mirror.completed_syncs(FIRST)) == 1

        def add(world: World) -> None:
            drive = world.drives[drive_id]
            create(world, list(world.users.values())[1], "later", "text/plain", drive.root, content=b"y")

        stage.simulator.apply(add)
        stage.sync()
        stage.assert_equal()
        assert len(stage.mirror.completed_syncs(FIRST)) == 1


def test_a_left_drive_leaves_nothing_behind(topics: Topics, tmp_path: Path) -> None:
    """The drive and each item that was in it are deleted with their cause; no full sync is needed for it."""
    with staged(generate(CorpusPlan(files=300, users=2)), topics, tmp_path) as stage, stage.worker(SMALL_PAGES):
        drive_id = stage.simulator.apply(_new_drive_joined)
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()
        stage.simulator.apply(lambda world: leave_drive(world, world.drives[drive_id], world.user(stage.email())))
        stage.sync()
        stage.assert_equal()
        assert not [record for record in stage.mirror.held(FIRST) if record.data.drive_id == drive_id]
        deletions = [record for record in stage.records if record.operation == "delete"]
        assert ("shared_drive", drive_id) in [(each.resource_type, each.resource_id) for each in deletions]
        assert len(deletions) > 1
        assert len(stage.mirror.completed_syncs(FIRST)) == 1


def test_a_renamed_drive_is_an_upsert(topics: Topics, tmp_path: Path) -> None:
    """The new name comes with an incremental sync, and nothing in the drive is read again."""
    with staged(generate(CorpusPlan(files=300, users=2)), topics, tmp_path) as stage, stage.worker(SMALL_PAGES):
        stage.sync(FIRST, "full_sync")

        def rename(world: World) -> str:
            drive = next(iter(world.drives.values()))
            rename_drive(world, drive, "Новое имя")
            return drive.id

        drive_id = stage.simulator.apply(rename)
        before = len(stage.records)
        stage.sync()
        stage.assert_equal()
        new = stage.records[before:]  # one from the user's log, one from the drive's own
        assert {(record.operation, record.resource_type, record.resource_id, record.data.name) for record in new} == {
            ("upsert", "shared_drive", drive_id, "Новое имя")
        }
        assert len(new) <= 2
