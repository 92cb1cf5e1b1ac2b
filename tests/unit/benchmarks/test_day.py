"""The bench of a day: its own arithmetic, and small runs of it."""

import random

import pytest

from benchmarks import day_course, day_table
from benchmarks.day_course import Attribution, least_units, together
from benchmarks.day_draws import COUNTS, Made, draw_kinds
from benchmarks.day_edits import share, trash, view, write
from benchmarks.day_google import AskedCost, DayGoogle
from benchmarks.day_index import DayIndex, IndexChangelog
from benchmarks.day_table import Limit, Line, Table
from benchmarks.day_truth import DayTruth, least_records
from benchmarks.day_worker import DayWorker, SyncCost
from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import Editor
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.items import Item, User
from drive_simulator.model.world import World
from google_drive_worker.demo.field_mirror import FieldMirror
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import DetailDigests, IndexChanges, ItemEntry, PermissionDigests
from support.dict_index import DictIndex

FILE, FOLDER = ("file", "1"), ("folder", "1")
PERMISSION, OTHER = ("permission", "1/a"), ("permission", "1/b")


def small_world(items: int = 200) -> tuple[World, User, ManualClock]:
    """A small Drive, whose it is, and its clock."""
    clock = ManualClock()
    plan = CorpusPlan(items, 2, seed=2, details=Details(shared=0.1, commented=0.2))
    world = generate(plan, clock=clock)
    return world, next(iter(world.users.values())), clock


def own_file(world: World, user: User) -> Item:
    """A file of the user's own that has bytes."""
    return next(
        item
        for item in world.items.values()
        if item.owner is user and item.size > 0 and not item.trashed and not item.is_folder
    )


def line(records: int = 0, *, restarted: bool = False, requests: int = 0, **calls: int) -> Line:
    """A line of the table with so many records and calls; limit: one record, 100 units, one request, 100 of logs."""
    cost = AskedCost(requests, {name.replace("_", "."): number for name, number in calls.items()})
    return Line("an edit", "", restarted, Limit(1, 100, 1, 100), SyncCost({"file upsert": records}, cost))


def test_units_are_those_of_the_quota_model() -> None:
    """A list costs 100, a read 5; those of the logs stand apart."""
    cost = AskedCost(3, {"changes.list": 4, "files.get": 2, "comments.list": 1})
    assert (cost.log_units, cost.further_units, cost.units) == (400, 110, 510)


@pytest.mark.parametrize(
    ("told", "broken"),
    [
        (line(1, requests=2, changes_list=1, files_get=20), []),
        (line(2), ["records"]),
        (line(files_get=21), ["units"]),
        (line(requests=3, changes_list=1), ["requests"]),
        (line(requests=2, changes_list=2), ["logs"]),
    ],
)
def test_line_holds_up_to_its_limits(told: Line, broken: list[str]) -> None:
    """Each limit holds to the unit, and what is over it is named."""
    assert told.broken == broken


def test_table_names_edits_whose_cost_a_restart_changes() -> None:
    """Figures before and after a restart are compared by kind of record and method."""
    lines = [line(1, files_get=1), line(1, restarted=True, files_get=1)]
    full = lines[0].sync
    assert Table(1, 1, 1, 1, full, lines).differing == []
    lines[1] = line(1, restarted=True, files_get=2)
    assert Table(1, 1, 1, 1, full, lines).differing == ["an edit"]


@pytest.mark.parametrize(
    ("before", "after", "least"),
    [
        ({FILE: 1, PERMISSION: 1}, {FILE: 1, PERMISSION: 1}, {}),
        ({FILE: 1, PERMISSION: 1}, {FILE: 2, PERMISSION: 1}, {FILE: "upsert"}),
        ({FILE: 1, PERMISSION: 1}, {FILE: 1, OTHER: 1}, {OTHER: "upsert", PERMISSION: "delete"}),
        ({FILE: 1, PERMISSION: 1, OTHER: 1}, {}, {FILE: "delete"}),
        ({}, {FILE: 1, PERMISSION: 1}, {FILE: "upsert", PERMISSION: "upsert"}),
    ],
)
def test_least_records_are_the_fewest_that_do(
    before: dict[tuple[str, str], int], after: dict[tuple[str, str], int], least: dict[tuple[str, str], str]
) -> None:
    """What differs is written once, and a delete of an item ends what hangs on it."""
    assert least_records(before, after) == least


def test_record_is_owed_to_the_weightiest_edit_of_its_item() -> None:
    """A record that comes one sync late still counts, and two syncs late to none."""
    attribution = Attribution()
    attribution.begin_interval()
    attribution.note("viewed", ["1", "2"])
    attribution.note("moved", ["1"])
    attribution.note("comment", ["1"])
    assert attribution.kind_of(PERMISSION) == "moved"
    attribution.begin_interval()
    attribution.count_units({"2": 100, "3": 5})
    assert attribution.units == {"viewed": 100, day_course.ELSE: 5}
    assert attribution.kind_of(("file", "2")) == "viewed"
    attribution.begin_interval()
    assert attribution.kind_of(("file", "2")) == day_course.ELSE


def test_least_units_follow_from_what_drive_can_answer() -> None:
    """A view costs nothing, new bytes the file's revisions and comments, a shared folder a look at each item below."""
    world, user, _ = small_world()
    file = own_file(world, user)
    folder = max((each for each in world.items.values() if each.is_folder and each.owner is user), key=_size)
    below = [each for each in folder.subtree() if not each.trashed]
    other = list(world.users.values())[1]

    def units(kind: str, edit: object, root: Item, mirrored: list[Item]) -> int:
        return least_units(Made(kind, edit, root, frozenset()), mirrored, user)  # type: ignore[arg-type]

    assert units("viewed", view(world, user, file), file, [file]) == 0
    assert units("file edited", write(user, file, b"new"), file, [file]) == 200
    assert units("restored", trash(user, file, trashed=False), file, [file]) == 200
    assert units("shared", share(user, folder, other), folder, below) == 5 * (len(below) - 1)


def _size(folder: Item) -> int:
    return sum(1 for _ in folder.subtree())


def test_syncs_add_up() -> None:
    """Records, calls, requests and bytes of several syncs are summed."""
    one = SyncCost({"file upsert": 2}, AskedCost(1, {"files.get": 1}), 10, 20)
    two = SyncCost({"file upsert": 1, "file delete": 1}, AskedCost(2, {"files.get": 1, "files.list": 1}), 1, 2, 1)
    both = together([one, two])
    assert both.records == {"file upsert": 3, "file delete": 1}
    assert both.cost == AskedCost(3, {"files.get": 2, "files.list": 1})
    assert (both.state_bytes, both.items_bytes, both.errors) == (11, 22, 1)


def test_day_has_as_many_edits_of_each_kind_as_it_says() -> None:
    """All kinds are drawn in their number, and nothing is restored before the last was trashed."""
    slots = draw_kinds(random.Random(1), 1.0, 96)  # noqa: S311 - a simulation
    kinds = [kind for slot in slots for kind in slot]
    assert {kind: kinds.count(kind) for kind in COUNTS} == COUNTS
    last = max(number for number, slot in enumerate(slots) if "trashed" in slot)
    assert last < min(number for number, slot in enumerate(slots) if "restored" in slot)


def test_index_answers_as_that_of_the_tests_and_outlives_a_restart() -> None:
    """Random changes leave both indexes alike, and so does reading the changelog again."""
    die = random.Random(4)  # noqa: S311 - a simulation
    ours, theirs, changelog = DayIndex(), DictIndex(), IndexChangelog()
    ids = [FileId(f"id-{number}") for number in range(30)]
    for number in range(400):
        item_id, draw = die.choice(ids), die.random()
        permissions = PermissionDigests(number % 5, (("a", number % 5),)) if draw < 0.5 else None
        gone_at = "2026-01-01T00:00:00Z" if draw < 0.2 else None
        entry = ItemEntry(parent_id=die.choice(ids), version=number, permissions=permissions, gone_at=gone_at)
        entry = ItemEntry() if draw < 0.1 else entry
        details = DetailDigests((("r", number),), None) if draw < 0.8 else None
        changes = IndexChanges(
            entries={item_id: None if draw > 0.9 else entry},
            details={item_id: details},
            seen=[item_id] if draw < 0.3 else [],
            ends_seen=draw > 0.98,
        )
        for index in (ours, theirs):
            index.apply(changes)
        changelog.append(changes)
    for index in (ours, changelog.restore()):
        assert [index.get(each) for each in ids] == [theirs.get(each) for each in ids]
        assert [index.details(each) for each in ids] == [theirs.details(each) for each in ids]
        assert [index.is_seen(each) for each in ids] == [theirs.is_seen(each) for each in ids]
        assert [list(index.children(each, ids[9], 3)) for each in ids] == [
            list(theirs.children(each, ids[9], 3)) for each in ids
        ]
        assert list(index.scan(ids[7], 9)) == list(theirs.scan(ids[7], 9))


def test_first_sync_makes_a_mirror_equal_and_a_restart_costs_nothing() -> None:
    """The worker's own turns run in process, all fields are equal, and later syncs write nothing."""
    world, user, clock = small_world()
    mirror = FieldMirror(lambda _key, _operation: None)
    worker = DayWorker(DayGoogle(world, clock), user.email, mirror.apply)
    assert worker.sync("full").record_count > len(mirror)  # and the two that open and close it
    assert mirror.differences(world, user) == ({}, [])
    before = worker.sync()
    worker.restart()
    after = worker.sync()
    assert before.record_count == after.record_count == 0
    assert before.cost == after.cost


def test_truth_follows_an_edit() -> None:
    """Renaming a file changes one record, and looking again none."""
    world, user, _ = small_world()
    truth, file = DayTruth(world, user), own_file(world, user)
    Editor(world).make(view(world, user, file))
    assert truth.update({file.id}) == {("file", file.id): "upsert"}
    assert truth.update({file.id}) == {}


def test_small_table_and_day_are_the_same_each_time() -> None:
    """Both run to their end, by the seed alone, and say what they do as often as they promise."""
    said: list[str] = []
    table = day_table.measure(7, 0.02, said.append)
    assert len(said) == day_table.STEPS
    assert len(table.lines) == 22
    said.clear()
    day = day_course.measure(7, 0.004, said.append)
    assert len(said) == day_course.STEPS
    assert day.edits == sum(each.edits for each in day.kinds.values()) > len(COUNTS)
    assert day == day_course.measure(7, 0.004, said.append)
