"""The sharing of a folder reaches what is in it later than the folder itself.

Source: assumed (Drive's help says of large folders that it may take a while until all items have new permissions).
"""

import contextlib
import random
from dataclasses import replace

import pytest

from drive_simulator.api.errors import ApiError
from drive_simulator.api.listing import Lister, Listing, ListingRules
from drive_simulator.api.permission_resources import permission_ids, permission_resources
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import Editor, choose_edit
from drive_simulator.model.access import grantees, rank, sees
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.consistency import Consistency
from drive_simulator.model.item_changes import delete
from drive_simulator.model.items import RANK, User
from drive_simulator.model.shared_drives import create_drive
from drive_simulator.model.sharing import add_grant, change_role, end_expired, remove_grant, share
from drive_simulator.model.world import World
from drive_simulator.truth.items import visible_items
from support.direct import Direct
from support.simulators import unserved
from support.worlds import Stage

LAG_S = 60
EVERYTHING = Listing(corpora="allDrives", include_all=True, page_size=1_000)


@pytest.fixture
def stage() -> Stage:
    """Alice and Bob with empty Drives; sharings take a minute to reach what is in a folder."""
    stage = Stage()
    stage.world.consistency = Consistency(sharing_lag_s=LAG_S)
    return stage


def _wait(stage: Stage, seconds: float = LAG_S) -> None:
    stage.clock.advance(seconds)
    end_expired(stage.world)


def _listed(world: World, user: User, listing: Listing = EVERYTHING) -> set[str]:
    end_expired(world)
    return {item.id for item in Lister(world, ListingRules()).page(user, listing, None).items}


def test_who_is_given_a_folder_gets_what_is_in_it_later(stage: Stage) -> None:
    """The folder at once; lists and look-ups by id of what is below it after the lag, which no log tells of. The truth
    has it at once."""
    folder = stage.folder()
    inner = stage.folder("Inner", folder)
    file = stage.file("file", inner)
    log = stage.listen(stage.bob)
    share(stage.world, folder, stage.alice, stage.bob, "reader")
    with unserved(stage.world) as simulator:
        direct = Direct(simulator, "bob@example.com")
        assert _listed(stage.world, stage.bob) == {folder.id}
        assert direct.call("GET", f"files/{folder.id}")[0] == 200
        assert direct.call("GET", f"files/{file.id}")[0] == 404
        assert set(visible_items(stage.world, stage.bob)) == {folder.id, inner.id, file.id}
        stage.clock.advance(LAG_S)
        assert direct.call("GET", f"files/{file.id}")[0] == 200
        assert _listed(stage.world, stage.bob) == {folder.id, inner.id, file.id}
    assert log.news() == {folder.id: "changed"}


def test_who_loses_a_folder_keeps_what_is_in_it_for_a_while(stage: Stage) -> None:
    """And gets the removal of each when it goes."""
    folder = stage.folder()
    file = stage.file("file", folder)
    grant = share(stage.world, folder, stage.alice, stage.bob, "reader")
    _wait(stage)
    log = stage.listen(stage.bob)
    remove_grant(stage.world, folder, grant)
    assert (_listed(stage.world, stage.bob), sees(stage.bob, file)) == ({file.id}, True)
    assert set(visible_items(stage.world, stage.bob)) == set()
    assert log.news() == {folder.id: "removed", file.id: "changed"}
    _wait(stage)
    assert (_listed(stage.world, stage.bob), sees(stage.bob, file)) == (set(), False)
    assert log.news() == {file.id: "removed"}


def test_a_role_reaches_what_is_in_a_folder_later(stage: Stage) -> None:
    """Of a folder in My Drive or in a shared drive; its permissions below are shown as they were."""
    drive = create_drive(stage.world, stage.alice, "Team")
    for folder in (stage.folder(), stage.folder("In drive", drive.root)):
        file = stage.file("file", folder)
        grant = share(stage.world, folder, stage.alice, stage.bob, "reader")
        assert grant.id not in permission_ids(file)
        _wait(stage)
        assert grant.id in permission_ids(file)
        change_role(stage.world, folder, grant, "writer")
        assert (rank(stage.bob, folder), rank(stage.bob, file)) == (RANK["writer"], RANK["reader"])
        assert [each["role"] for each in permission_resources(file) if each["id"] == grant.id] == ["reader"]
        _wait(stage)
        assert rank(stage.bob, file) == RANK["writer"]


def test_a_link_reaches_what_is_in_a_folder_later(stage: Stage) -> None:
    """The account that has it opens the folder at once."""
    folder = stage.folder()
    file = stage.file("file", folder)
    add_grant(stage.world, folder, stage.alice, grant_type="anyone", role="reader")
    assert (rank(stage.bob, folder), rank(stage.bob, file)) == (RANK["reader"], 0)
    assert file.visibility == "limited"
    _wait(stage)
    assert rank(stage.bob, file) == RANK["reader"]


def test_sharings_of_one_folder_reach_what_is_in_it_one_after_the_other(stage: Stage) -> None:
    """Each as late as it was made."""
    carol = stage.world.add_user("carol@example.com")
    folder = stage.folder()
    file = stage.file("file", folder)
    share(stage.world, folder, stage.alice, stage.bob, "reader")
    stage.clock.advance(LAG_S / 2)
    share(stage.world, folder, stage.alice, carol, "reader")
    _wait(stage, LAG_S / 2)
    assert grantees(file) == {stage.alice, stage.bob}
    _wait(stage, LAG_S / 2)
    assert grantees(file) == {stage.alice, stage.bob, carol}


def test_files_and_members_of_drives_are_shared_at_once(stage: Stage) -> None:
    """Assumed: only folders have something to reach, and who joins a drive sees all of it."""
    drive = create_drive(stage.world, stage.alice, "Team")
    inside = stage.file("inside", drive.root)
    share(stage.world, drive.root, stage.alice, stage.bob, "reader")
    file = stage.file("file")
    share(stage.world, file, stage.alice, stage.bob, "reader")
    assert _listed(stage.world, stage.bob) == {inside.id, file.id}


def test_a_folder_that_is_deleted_meanwhile_is_forgotten(stage: Stage) -> None:
    """Its sharing reaches nothing any more."""
    folder = stage.folder()
    share(stage.world, folder, stage.alice, stage.bob, "reader")
    delete(stage.world, folder)
    _wait(stage)
    assert stage.world.spreading == []


@pytest.mark.parametrize("list_lag_s", [0.0, (0.0, 20.0)])
@pytest.mark.parametrize("seed", range(4))
def test_when_both_lags_have_passed_a_listing_is_the_truth(seed: int, list_lag_s: float | tuple[float, float]) -> None:
    """Through random sharings, limits, moves and deletions, for everybody, by parent too; and each may open it."""
    clock, die = ManualClock(), random.Random(seed)  # noqa: S311 - a test
    world = generate(CorpusPlan(60, shared_drives=2, users=3, seed=seed), clock=clock)
    world.consistency = Consistency(list_lag_s=list_lag_s, sharing_lag_s=(0.0, 20.0))
    editor = Editor(world)
    for _ in range(3):
        for _ in range(120):
            with contextlib.suppress(ApiError):
                editor.make(choose_edit(world, die, also=("sharing",)))
            clock.advance(die.choice((0, 0.5, 2)))
        clock.advance(20)
        end_expired(world)
        clock.advance(20)
        assert not world.spreading
        for user in world.users.values():
            truth = visible_items(world, user, include_trashed=True)
            assert _listed(world, user) == set(truth)
            assert all(sees(user, world.items[item_id]) for item_id in truth)
            for folder in [item for item in world.items.values() if item.is_folder]:
                inside = _listed(world, user, replace(EVERYTHING, q=f"'{folder.id}' in parents"))
                assert inside == {each for each in truth if folder.id in world.items[each].parents}
