"""Permissions on a real broker: through a worker that is killed, through changes of sharing, and through silence."""

import random
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import random_edits
from drive_simulator.model.items import FOLDER, Item, SharedDrive, User
from drive_simulator.model.sharing import add_grant, change_role, grant_of, remove_grant, set_limited, share
from drive_simulator.model.world import World
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics

pytestmark = pytest.mark.kafka

SETTINGS = {"GDRIVE_PAGE_SIZE": "40", "KAFKA_SESSION_TIMEOUT_MS": "1500"}
LISTED = "files.list"


def _drive_and_organizer(world: World) -> tuple[SharedDrive, User]:
    """The drive with most in it, and an organizer of it."""
    drive = max(world.drives.values(), key=lambda each: len(each.index))
    return drive, next(user for user, grant in drive.members.items() if grant.role == "organizer")


def _mirrored(top: Item) -> int:
    """How many items from there down are in no trash."""
    return sum(not item.trashed for item in top.subtree())


def _folder_with_most(drive: SharedDrive) -> Item:
    folders = [item for item in drive.root.subtree() if item.mime_type == FOLDER and item is not drive.root]
    return max(folders, key=lambda each: len(list(each.subtree())))


def test_a_worker_killed_in_mid_sync_leaves_no_permission_out_and_none_twice(topics: Topics, tmp_path: Path) -> None:
    """Three times in a full sync, while people share, limit and leave, and once more in an incremental one."""
    world = generate(CorpusPlan(files=3_000, shared_drives=3, users=3, seed=41))
    draw = random.Random(41)  # noqa: S311 - edits that can be repeated
    with staged(world, topics, tmp_path, latency_ms=30) as stage, stage.worker(SETTINGS) as worker:
        counters = stage.simulator.counters
        stage.trigger(FIRST, "full_sync")
        for _ in range(3):
            before = counters.count(LISTED)
            worker.wait_until(lambda before=before: counters.count(LISTED) >= before + 8, "pages")  # type: ignore[misc]
            stage.simulator.apply(lambda world: random_edits(world, draw, 30, also=("sharing",)))
            worker.kill()
            worker.start()
        stage.settle(FIRST)
        stage.sync()
        stage.assert_equal()

        stage.simulator.apply(lambda world: random_edits(world, draw, 200, also=("sharing",)))
        stage.trigger()
        before = counters.count("changes.list")
        worker.wait_until(lambda: counters.count("changes.list") > before, "a log")
        worker.kill()
        worker.start()
        stage.settle(FIRST)
        stage.assert_equal()
        assert any(True for _ in stage.mirror.held(FIRST, "permission"))


def _sync_and_compare(stage: Stage) -> None:
    stage.sync()
    stage.assert_equal()


def test_a_change_of_a_folder_reaches_everything_below_it(topics: Topics, tmp_path: Path) -> None:
    """Sharing, another role, limited access and an end of it: the log names the folder alone."""
    world = generate(CorpusPlan(files=1_500, shared_drives=1, users=3, seed=42))
    with staged(world, topics, tmp_path) as stage, stage.worker(SETTINGS):
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()

        def give(world: World) -> tuple[str, str, int]:
            drive, organizer = _drive_and_organizer(world)
            folder = _folder_with_most(drive)
            grant = add_grant(
                world, folder, organizer, grant_type="group", role="reader", email="all@partner.example.org"
            )
            return folder.id, grant.id, _mirrored(folder)

        folder_id, grant_id, count = stage.simulator.apply(give)
        _sync_and_compare(stage)
        held = [record for record in stage.mirror.held(FIRST, "permission") if record.data.id == grant_id]
        assert len(held) == count
        assert {record.data.inherited_from for record in held if record.data.inherited} <= {folder_id}

        def raise_role(world: World) -> None:
            folder = world.items[folder_id]
            grant = grant_of(folder, grant_id)
            assert grant is not None
            change_role(world, folder, grant, "writer")

        stage.simulator.apply(raise_role)
        _sync_and_compare(stage)
        stage.simulator.apply(lambda world: set_limited(world, world.items[folder_id], limited=True))
        _sync_and_compare(stage)
        stage.simulator.apply(lambda world: set_limited(world, world.items[folder_id], limited=False))
        _sync_and_compare(stage)

        def take(world: World) -> None:
            folder = world.items[folder_id]
            grant = grant_of(folder, grant_id)
            assert grant is not None
            remove_grant(world, folder, grant)

        stage.simulator.apply(take)
        _sync_and_compare(stage)
        assert not [record for record in stage.mirror.held(FIRST, "permission") if record.data.id == grant_id]
        assert len(stage.mirror.completed_syncs(FIRST)) == 1


@pytest.mark.xfail(reason="members are read once a day where no log names the drive", strict=False)
def test_a_new_member_of_a_drive_reaches_all_of_its_items(topics: Topics, tmp_path: Path) -> None:
    """Nothing is logged for the mirror's user; the members are read at the beginning of the sync."""
    world = generate(CorpusPlan(files=1_500, shared_drives=1, users=3, seed=43))
    with staged(world, topics, tmp_path) as stage, stage.worker(SETTINGS):
        stage.sync(FIRST, "full_sync")

        def join(world: World) -> tuple[str, str, int]:
            drive, organizer = _drive_and_organizer(world)
            newcomer = world.add_user("newcomer@example.com")
            share(world, drive.root, organizer, newcomer, "commenter")
            return drive.id, newcomer.permission_id, _mirrored(drive.root)

        drive_id, newcomer_id, count = stage.simulator.apply(join)
        _sync_and_compare(stage)
        held = [record for record in stage.mirror.held(FIRST, "permission") if record.data.id == newcomer_id]
        assert len(held) == count
        assert [record.data.inherited for record in held if record.data.file_id == drive_id] == [False]
        before = len(stage.records)
        stage.sync()
        assert len(stage.records) == before, "the same members once more come to nothing"


@pytest.mark.xfail(reason="members are read once a day where no log names the drive", strict=False)
def test_members_whom_a_commenter_does_not_see_leave_its_items_all_the_same(topics: Topics, tmp_path: Path) -> None:
    """The account sees the permissions of what was shared with it as a writer; no log tells of the drive's members."""
    world = generate(CorpusPlan(files=600, shared_drives=1, users=3, seed=44))
    drive = next(iter(world.drives.values()))
    account, *others = world.users.values()
    owner, colleague = others
    for user, role in ((owner, "organizer"), (colleague, "writer"), (account, "commenter")):
        share(world, drive.root, owner, user, role)  # type: ignore[arg-type]
    folder = _folder_with_most(drive)
    share(world, folder, owner, account, "writer")
    with staged(world, topics, tmp_path) as stage, stage.worker(SETTINGS):
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()
        held = [each for each in stage.mirror.held(FIRST, "permission") if each.data.id == colleague.permission_id]
        assert {record.data.role for record in held if record.data.inherited_from == drive.id} == {"writer"}

        def change(world: World) -> None:
            grant = grant_of(drive.root, colleague.permission_id)
            assert grant is not None
            change_role(world, drive.root, grant, "fileOrganizer")

        def remove(world: World) -> None:
            grant = grant_of(drive.root, colleague.permission_id)
            assert grant is not None
            remove_grant(world, drive.root, grant)

        for edit in (change, remove):
            stage.simulator.apply(edit)
            _sync_and_compare(stage)
        before = len(stage.records)
        stage.sync()
        assert len(stage.records) == before, "the same members once more come to nothing"
        assert len(stage.mirror.completed_syncs(FIRST)) == 1
