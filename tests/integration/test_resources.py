"""Labels, events, shortcuts and shared drives on a real broker: every field of them, as Drive has it now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import Edit, Editor
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.model.item_changes import create, create_shortcut, edit
from drive_simulator.model.items import SharedDrive
from drive_simulator.model.labels import add_label, set_labels
from drive_simulator.model.sharing import leave_drive, share
from drive_simulator.model.world import World
from drive_simulator.truth.items import visible_drives
from support.consume import read_all
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics

pytestmark = pytest.mark.kafka

Data = dict[str, Any]

STATUS, OTHER = "statusLabel", "otherLabel"


def held(stage: Stage, resource_type: str) -> dict[str, Data]:
    """What a consumer of the topic has under each id of that type: the whole `data` of the last upsert."""
    found: dict[str, Data] = {}
    for message in read_all(stage.topics.bootstrap_servers, stage.topics.data):
        record = orjson.loads(message.value or b"")
        if record["resource_type"] != resource_type:
            continue
        if record["operation"] == "delete":
            found.pop(record["resource_id"], None)
        else:
            found[record["resource_id"]] = record["data"]
    return found


def small_world() -> World:
    """Two people, two drives, and two kinds of labels."""
    world = generate(CorpusPlan(files=40, shared_drives=2, users=2, seed=3))
    add_label(world, {"status": "selection", "due": "dateString"}, label_id=STATUS)
    add_label(world, {"note": "text"}, label_id=OTHER)
    return world


def put_labels(world: World, name: str, status: str) -> str:
    """The first user's file of that name has both labels now; it is made where there is none."""
    user = next(iter(world.users.values()))
    found = next((item for item in world.items.values() if item.name == name), None)
    item = found or create(world, user, name, "text/plain", content=b"x")
    set_labels(world, item, {STATUS: {"status": (status,)}, OTHER: {"note": ("not asked for",)}})
    return item.id


def test_labels_that_are_named_come_with_their_files(topics: Topics, tmp_path: Path) -> None:
    """In a full sync and an incremental one, at no call more; other labels don't."""
    lines = f'label_ids = ["{STATUS}"]'
    with staged(small_world(), topics, tmp_path, settings=lines) as stage, stage.worker():
        file_id = stage.simulator.apply(lambda world: put_labels(world, "labelled", "draft"))
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()
        files = held(stage, "file")
        field = {"id": "status", "value_type": "selection", "values": ["draft"]}
        assert files.pop(file_id)["labels"] == [{"id": STATUS, "revision_id": "1", "fields": [field]}]
        assert {orjson.dumps(each["labels"]) for each in files.values()} == {b"[]"}
        stage.simulator.apply(lambda world: put_labels(world, "labelled", "done"))
        stage.sync()
        assert held(stage, "file")[file_id]["labels"][0]["fields"][0]["values"] == ["done"]
        assert stage.simulator.counters.count("files.listLabels") == 0


def test_refused_labels_are_one_error_and_no_failed_sync(topics: Topics, tmp_path: Path) -> None:
    """Everything else is mirrored, and incremental syncs say no more of it."""
    lines = f'label_ids = ["{STATUS}"]'
    with staged(small_world(), topics, tmp_path, settings=lines) as stage, stage.worker():
        stage.simulator.faults.add(
            Rule(Effect(error="insufficientPermissions"), Match(method="files.list", query="includeLabels"))
        )
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()
        file_id = stage.simulator.apply(lambda world: put_labels(world, "labelled", "draft"))
        stage.sync()
        stage.assert_equal()
        assert "labels" not in held(stage, "file")[file_id]
        assert [each["error"]["code"] for each in stage.errors()] == ["labels_refused"]


def test_each_entry_of_the_logs_is_an_event(topics: Topics, tmp_path: Path) -> None:
    """Through a kill as well: each once, beside what it comes to."""
    with staged(small_world(), topics, tmp_path, settings="sync_changes = true") as stage, stage.worker() as worker:
        stage.sync(FIRST, "full_sync")
        stage.read()
        made = stage.simulator.apply(lambda world: [put_labels(world, f"new {number}", "x") for number in range(5)])
        worker.kill()
        worker.start()
        stage.sync()
        stage.assert_equal()
        events = [each for each in stage.records if each.resource_type == "change" and each.data.file_id in made]
        assert sorted(each.data.file_id or "" for each in events) == sorted(made)
        assert len({each.resource_id for each in events}) == len(made)
        data = held(stage, "change")
        assert all(each["log"] == "user" and not each["removed"] and each["changed_at"] for each in data.values())


def test_a_shortcut_has_its_target(topics: Topics, tmp_path: Path) -> None:
    """Id, type and resource key, as Drive shows them; one whose target has no key has none."""

    def put(world: World) -> dict[str, Data]:
        user = next(iter(world.users.values()))
        keyed, plain = (create(world, user, name, "application/pdf", content=b"x") for name in ("keyed", "plain"))
        edit(world, keyed, user, extras={"resource_key": "0-key"})
        wanted = {"target_mime_type": "application/pdf"}
        return {
            create_shortcut(world, user, "to keyed", keyed).id: {
                "target_id": keyed.id,
                **wanted,
                "target_resource_key": "0-key",
            },
            create_shortcut(world, user, "to plain", plain).id: {"target_id": plain.id, **wanted},
        }

    with staged(small_world(), topics, tmp_path) as stage, stage.worker():
        first = stage.simulator.apply(put)
        stage.sync(FIRST, "full_sync")
        second = stage.simulator.apply(put)
        stage.sync()
        files = held(stage, "file")
        assert {file_id: files[file_id]["shortcut"] for file_id in first | second} == first | second


SNAKE = {
    "createdTime": "created_at",
    "hidden": "hidden",
    "orgUnitId": "org_unit_id",
    "themeId": "theme_id",
    "colorRgb": "color_rgb",
    "backgroundImageLink": "background_image_link",
    "name": "name",
    "id": "id",
}
RESTRICTIONS = {
    "adminManagedRestrictions": "admin_managed_restrictions",
    "copyRequiresWriterPermission": "copy_requires_writer_permission",
    "domainUsersOnly": "domain_users_only",
    "driveMembersOnly": "drive_members_only",
    "sharingFoldersRequiresOrganizerPermission": "sharing_folders_requires_organizer_permission",
}


def shown(drive: Mapping[str, Any]) -> Data:
    """A shared drive as its record should have it, from what Drive shows."""
    plain = {ours: drive[google] for google, ours in SNAKE.items() if google in drive}
    limits = {ours: drive["restrictions"][google] for google, ours in RESTRICTIONS.items()}
    return {**plain, "type": "shared_drive", "restrictions": limits}


def assert_drives_equal(stage: Stage) -> None:
    """Every field of every drive but the capabilities, and its members, which are permissions on it."""
    stage.assert_equal()
    email = stage.email()
    truth = stage.simulator.apply(lambda world: visible_drives(world, world.user(email)))
    found = {name: {**data, "capabilities": None} for name, data in held(stage, "shared_drive").items()}
    assert found == {name: {**shown(drive), "capabilities": None} for name, drive in truth.items()}


def test_shared_drives_have_every_field_through_all_that_happens_to_them(topics: Topics, tmp_path: Path) -> None:
    """Restricted, painted, renamed, hidden, joined and left; of hiding no log tells, and a full sync does."""

    def change(world: World, method: str, path: str, body: Data | None = None) -> None:
        user = next(iter(world.users.values()))
        Editor(world).make(Edit("drive", user.email, method, path, {}, body))

    with staged(small_world(), topics, tmp_path) as stage, stage.worker():
        first, second = stage.simulator.apply(lambda world: sorted(drive_of(world, n).id for n in range(2)))
        stage.sync(FIRST, "full_sync")
        assert_drives_equal(stage)
        limits = {"driveMembersOnly": True, "copyRequiresWriterPermission": True}
        body = {"name": "renamed", "colorRgb": "#ff0000", "restrictions": limits}
        stage.simulator.apply(lambda world: change(world, "PATCH", f"drives/{first}", body))
        stage.sync()
        assert_drives_equal(stage)
        stage.simulator.apply(lambda world: change(world, "POST", f"drives/{first}/hide"))
        stage.sync(FIRST, "full_sync")
        assert held(stage, "shared_drive")[first]["hidden"]
        assert_drives_equal(stage)
        stage.simulator.apply(lambda world: change(world, "POST", f"drives/{first}/unhide"))
        stage.sync(FIRST, "full_sync")
        assert_drives_equal(stage)
        stage.simulator.apply(lambda world: let_go(world, second))
        stage.sync()
        assert_drives_equal(stage)
        stage.simulator.apply(lambda world: let_in(world, second))
        stage.sync()
        assert_drives_equal(stage)


def drive_of(world: World, number: int) -> SharedDrive:
    """One of the drives."""
    return list(world.drives.values())[number]


def let_go(world: World, drive_id: str) -> None:
    """The first user leaves the drive to the second one."""
    first, second = list(world.users.values())[:2]
    share(world, world.drives[drive_id].root, first, second, "organizer")
    leave_drive(world, world.drives[drive_id], first)


def let_in(world: World, drive_id: str) -> None:
    """The second user lets the first one in again, as no more than a reader."""
    first, second = list(world.users.values())[:2]
    share(world, world.drives[drive_id].root, second, first, "reader")
