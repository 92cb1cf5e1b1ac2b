"""Entries that arrive late in their logs, or twice: minutes were seen (davidmerfield/blot #865)."""

import random

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import random_edits
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.consistency import Consistency
from drive_simulator.model.item_changes import edit, set_trashed
from drive_simulator.model.shared_drives import rename_drive
from drive_simulator.model.world import World
from drive_simulator.truth.items import visible_items
from support.direct import Direct
from support.simulators import unserved
from support.worlds import Stage


@pytest.fixture
def stage() -> Stage:
    """Alice and Bob with empty Drives."""
    return Stage()


def test_an_entry_arrives_after_its_lag_and_no_token_passes_it(stage: Stage) -> None:
    """A start token that is taken meanwhile is from before the entry; look-ups by id are current (issues)."""
    stage.world.consistency = Consistency(entry_lag_s=60.0)
    file = stage.file()
    stage.clock.advance(60)
    alice = stage.listen(stage.alice)
    assert alice.news() == {}
    edit(stage.world, file, stage.alice, name="renamed")
    later = stage.listen(stage.alice)
    assert (later.token, alice.news()) == (alice.token, {})
    stage.clock.advance(59)
    assert alice.news() == {}
    stage.clock.advance(1)
    assert (alice.news(), later.news()) == ({file.id: "changed"}, {file.id: "changed"})


def test_entries_arrive_in_another_order_than_that_of_their_times(stage: Stage) -> None:
    """Entries of one log overtake one another, each with the time of what happened, in its present state."""
    files = [stage.file(f"{number}") for number in range(20)]
    stage.world.consistency = Consistency(entry_lag_s=(1.0, 300.0))
    token = stage.listen(stage.alice).token
    with unserved(stage.world) as simulator:
        direct = Direct(simulator, stage.alice.email)
        for file in files:
            edit(stage.world, file, stage.alice, name="renamed")
            stage.clock.advance(1)
        seen: list[dict[str, str]] = []
        for _ in range(40):
            changes, token = direct.changes(token, fields="*")
            seen += changes
            stage.clock.advance(10)
    times = [each["time"] for each in seen]
    assert sorted(each["fileId"] for each in seen) == sorted(file.id for file in files)
    assert times != sorted(times)
    assert len(set(times)) == len(files)


def test_an_entry_that_was_overtaken_comes_all_the_same(stage: Stage) -> None:
    """An item has one entry: the late one takes the place of the newer, with what the item is now."""
    file = stage.file()
    alice = stage.listen(stage.alice)
    stage.world.consistency = Consistency(entry_lag_s=60.0)
    edit(stage.world, file, stage.alice, name="renamed")
    stage.world.consistency = Consistency()
    set_trashed(stage.world, file, stage.alice, trashed=True)
    assert alice.news() == {file.id: "trashed"}
    stage.clock.advance(60)
    assert alice.news() == {file.id: "trashed"}
    assert alice.news() == {}


def test_entries_of_drives_are_late_too(stage: Stage) -> None:
    """Each log has its own way: a rename arrives in every member's log and in the drive's."""
    drive = stage.world.add_drive("Team", stage.alice)
    logs = [stage.listen(stage.alice), stage.listen(stage.alice, drive)]
    stage.world.consistency = Consistency(entry_lag_s=5.0)
    rename_drive(stage.world, drive, "Crew")
    assert [each.news() for each in logs] == [{}, {}]
    stage.clock.advance(5)
    assert [each.news() for each in logs] == [{drive.id: "changed"}] * 2


def test_entries_are_told_a_second_time_a_while_later(stage: Stage) -> None:
    """Reported: a creation can be told twice (facts, section 3); here within a minute, a share of all entries."""
    stage.world.consistency = Consistency(told_twice=1.0)
    alice = stage.listen(stage.alice)
    file = stage.file()
    assert alice.news() == {file.id: "changed"}
    stage.clock.advance(60)
    assert alice.news() == {file.id: "changed"}
    stage.clock.advance(3600)
    assert alice.news() == {}


def test_a_share_of_the_entries_is_told_twice(stage: Stage) -> None:
    """About as many as the switch says, by seeded dice."""
    stage.world.consistency = Consistency(told_twice=0.3)
    for number in range(200):
        stage.file(f"{number}")
    assert 40 <= len(stage.world.late_entries) <= 80


@pytest.mark.parametrize("seed", range(3))
def test_late_and_repeated_entries_tell_all_in_the_end(seed: int) -> None:
    """A reader who follows the logs long enough hears of every file that changed; one seed is one history."""
    told = _follow(seed)
    assert told == _follow(seed)


def _follow(seed: int) -> list[list[str]]:
    clock = ManualClock()
    world: World = generate(CorpusPlan(files=60, shared_drives=0, users=2, seed=seed), clock=clock)
    world.consistency = Consistency(entry_lag_s=(0.0, 240.0), told_twice=0.2)
    user = next(iter(world.users.values()))
    before = {file_id: file["version"] for file_id, file in visible_items(world, user).items()}
    die = random.Random(seed)  # noqa: S311 - random edits
    told: list[list[str]] = []
    with unserved(world) as simulator:
        direct = Direct(simulator, user.email)
        token = direct.ok("GET", "changes/startPageToken")["startPageToken"]
        for _ in range(60):
            random_edits(world, die, 2, memberships=False)
            clock.advance(15)
            changes, token = direct.changes(token)
            told.append([each["fileId"] for each in changes])
        clock.advance(600)
        changes, token = direct.changes(token)
        told.append([each["fileId"] for each in changes])
        assert direct.changes(token)[0] == []
    after = {file_id: file["version"] for file_id, file in visible_items(world, user, include_trashed=True).items()}
    changed = {file_id for file_id, version in after.items() if before.get(file_id) not in {None, version}}
    assert changed
    assert changed <= {file_id for page in told for file_id in page}
    return told
