"""What change logs do not say: each a switch, since it is documented nowhere which of both Google does."""

import pytest

from drive_simulator.model.consistency import Consistency
from drive_simulator.model.content import read
from drive_simulator.model.discussion import comment_on, remove_post, reply_to, reword
from drive_simulator.model.item_changes import delete, replace_content, set_trashed
from drive_simulator.model.items import WORKSPACE_PREFIX, Group, Item
from drive_simulator.model.old_revisions import revisions_left
from drive_simulator.model.sharing import add_grant, remove_grant, set_group_members, set_limited, share
from drive_simulator.truth.items import visible_drives, visible_items, visible_revisions
from support.direct import Direct
from support.simulators import unserved
from support.worlds import Stage

DAY_S = 24 * 3600.0


@pytest.fixture
def stage() -> Stage:
    """Alice and Bob with empty Drives."""
    return Stage()


@pytest.mark.parametrize("logged", [True, False])
def test_what_is_lost_below_a_folder_has_entries_or_not(stage: Stage, *, logged: bool) -> None:
    """Not documented: the guide has a removal for what is lost, and no entry for what is below a shared folder."""
    stage.world.consistency = Consistency(lost_below_logged=logged)
    folder = stage.folder()
    file = stage.file(parent=folder)
    grant = share(stage.world, folder, stage.alice, stage.bob, "reader")
    bob = stage.listen(stage.bob)
    remove_grant(stage.world, folder, grant)
    assert bob.news() == {folder.id: "removed"} | ({file.id: "removed"} if logged else {})
    assert visible_items(stage.world, stage.bob) == {}


@pytest.mark.parametrize("logged", [True, False])
def test_what_is_lost_by_limited_access_has_entries_or_not(stage: Stage, *, logged: bool) -> None:
    """Not documented: the drive's log and the member's tell of each item that is out of reach, or of the folder."""
    stage.world.consistency = Consistency(lost_below_logged=logged)
    drive = stage.world.add_drive("Team", stage.alice)
    stage.world.add_member(drive, stage.bob, "writer")
    folder = stage.folder(parent=drive.root)
    file = stage.file(parent=folder)
    listeners = [stage.listen(stage.bob), stage.listen(stage.bob, drive)]
    set_limited(stage.world, folder, limited=True)
    expected = {folder.id: "changed"} | ({file.id: "removed"} if logged else {})
    assert [each.news() for each in listeners] == [expected, expected]


def test_what_is_deleted_with_its_folder_has_entries_always(stage: Stage) -> None:
    """Google's guide: deletion for good is a removal of each item, whatever is told of lost access."""
    stage.world.consistency = Consistency(lost_below_logged=False)
    folder = stage.folder()
    file = stage.file(parent=folder)
    alice = stage.listen(stage.alice)
    delete(stage.world, folder)
    assert alice.news() == {folder.id: "removed", file.id: "removed"}


@pytest.mark.parametrize("logged", [True, False])
@pytest.mark.parametrize("raises", [True, False])
def test_what_is_said_has_an_entry_or_raises_the_version_or_not(stage: Stage, *, logged: bool, raises: bool) -> None:
    """Not documented; some comments are in the log (PipedreamHQ/pipedream #12131)."""
    stage.world.consistency = Consistency(comments_logged=logged, comments_raise_version=raises)
    file = stage.file()
    alice, stood, told = stage.listen(stage.alice), (file.version, file.modified_ms), []
    comment = comment_on(stage.world, file, stage.alice, "what is this?")
    told.append(alice.news())
    reply = reply_to(stage.world, file, comment, stage.alice, "no idea")
    told.append(alice.news())
    reword(stage.world, file, comment, reply, "a plan")
    told.append(alice.news())
    remove_post(stage.world, file, comment, comment)
    told.append(alice.news())
    assert told == [{file.id: "changed"} if logged else {}] * 4
    assert (file.version, file.modified_ms) == (stood[0] + 4 * raises, stood[1])


def test_a_comment_without_an_entry_is_shown_as_the_file_is_now(stage: Stage) -> None:
    """The version that a listing shows is the present one, whether or not a log tells of it (discovery: `version`)."""
    stage.world.consistency = Consistency(comments_logged=False)
    file = stage.file()
    with unserved(stage.world) as simulator:
        direct = Direct(simulator, stage.alice.email)
        before = direct.ok("GET", "files", fields="files(id,version)")["files"]
        comment_on(stage.world, file, stage.alice, "what is this?")
        after = direct.ok("GET", "files", fields="files(id,version)")["files"]
    assert int(after[0]["version"]) == int(before[0]["version"]) + 1


@pytest.mark.parametrize("logged", [True, False])
def test_items_below_an_unseen_folder_have_entries_or_not(stage: Stage, *, logged: bool) -> None:
    """Not documented: who has a file, but not the folder that is trashed or taken from them, hears of it or not."""
    stage.world.consistency = Consistency(below_unseen_logged=logged)
    folder = stage.folder()
    file = stage.file(parent=folder)
    share(stage.world, file, stage.alice, stage.bob, "reader")
    grant = share(stage.world, folder, stage.alice, stage.bob, "reader")
    bob = stage.listen(stage.bob)
    remove_grant(stage.world, folder, grant)
    assert bob.news() == {folder.id: "removed"} | ({file.id: "changed"} if logged else {})
    set_trashed(stage.world, folder, stage.alice, trashed=True)
    assert bob.news() == ({file.id: "trashed"} if logged else {})


def _team(stage: Stage) -> tuple[Group, Item, Item]:
    """A group without members, and a folder with a file that is shared with it."""
    team = stage.world.add_group("team@example.com", [])
    folder = stage.folder()
    file = stage.file(parent=folder)
    add_grant(stage.world, folder, stage.alice, grant_type="group", role="reader", email=team.email, group=team)
    return team, folder, file


@pytest.mark.parametrize("logged", [True, False])
def test_who_joins_or_leaves_a_group_gains_or_loses_what_it_has(stage: Stage, *, logged: bool) -> None:
    """Assumed: gains are told of the shared folder alone, losses of each item, or none; no version changes."""
    stage.world.consistency = Consistency(groups_logged=logged)
    team, folder, file = _team(stage)
    stood = folder.version
    bob, alice = stage.listen(stage.bob), stage.listen(stage.alice)
    set_group_members(stage.world, team, [stage.bob])
    assert set(visible_items(stage.world, stage.bob)) == {folder.id, file.id} == {each.id for each in stage.bob.index}
    assert bob.news() == ({folder.id: "changed"} if logged else {})
    set_group_members(stage.world, team, [])
    assert visible_items(stage.world, stage.bob) == {} == {each.id: each for each in stage.bob.index}
    assert bob.news() == ({folder.id: "removed", file.id: "removed"} if logged else {})
    assert (alice.news(), folder.version) == ({}, stood)


def test_what_is_shared_twice_with_a_group_is_listed_once(stage: Stage) -> None:
    """A folder, and a file in it, that are both shared with the group: each stands in a listing exactly once."""
    team, folder, file = _team(stage)
    add_grant(stage.world, file, stage.alice, grant_type="group", role="writer", email=team.email, group=team)
    bob = stage.listen(stage.bob)
    set_group_members(stage.world, team, [stage.bob])
    assert sorted(each.id for each in stage.bob.index) == sorted([folder.id, file.id])
    assert bob.news() == {folder.id: "changed", file.id: "changed"}


@pytest.mark.parametrize("logged", [True, False])
def test_a_group_changes_who_is_a_member_of_a_drive(stage: Stage, *, logged: bool) -> None:
    """Assumed: as joining and leaving, one `drive` change in the account's own log, or none."""
    stage.world.consistency = Consistency(groups_logged=logged)
    team = stage.world.add_group("team@example.com", [])
    drive = stage.world.add_drive("Team", stage.alice)
    stage.file(parent=drive.root)
    add_grant(stage.world, drive.root, stage.alice, grant_type="group", role="reader", email=team.email, group=team)
    bob = stage.listen(stage.bob)
    set_group_members(stage.world, team, [stage.bob])
    assert set(visible_drives(stage.world, stage.bob)) == {drive.id}
    assert bob.news() == ({drive.id: "changed"} if logged else {})
    set_group_members(stage.world, team, [])
    assert (visible_drives(stage.world, stage.bob), stage.bob in drive.members) == ({}, False)
    assert bob.news() == ({drive.id: "removed"} if logged else {})


def _listed(stage: Stage, item: Item) -> list[str]:
    """The revisions' ids as revisions.list and the truth have them, which must agree."""
    with unserved(stage.world) as simulator:
        revisions = Direct(simulator, stage.alice.email).ok("GET", f"files/{item.id}/revisions")["revisions"]
    ids = [each["id"] for each in revisions]
    assert ids == [own_id for _, own_id in visible_revisions(stage.world, stage.alice)]
    return ids


def test_old_revisions_of_a_blob_are_purged_without_a_word(stage: Stage) -> None:
    """Documented: 30 days after newer content came, where they are not kept for ever (discovery: `keepForever`)."""
    stage.world.consistency = Consistency(revisions_dropped=True)
    file = stage.file("first")
    replace_content(stage.world, file, stage.alice, content=b"kept", keep=True)
    replace_content(stage.world, file, stage.alice, content=b"third")
    stage.clock.advance(DAY_S)
    replace_content(stage.world, file, stage.alice, content=b"fourth")
    alice, version = stage.listen(stage.alice), file.version
    assert len(_listed(stage, file)) == 4
    stage.clock.advance(29 * DAY_S)
    assert [read(each) for each in revisions_left(stage.world, file)] == [b"kept", b"third", b"fourth"]
    assert len(_listed(stage, file)) == 3
    stage.clock.advance(DAY_S)
    assert [read(each) for each in revisions_left(stage.world, file)] == [b"kept", b"fourth"]
    stage.clock.advance(300 * DAY_S)
    assert len(_listed(stage, file)) == 2
    assert (alice.news(), file.version) == ({}, version)


def test_a_hundred_revisions_of_a_blob_are_left(stage: Stage) -> None:
    """Documented in Drive's help: "after 30 days or 100 revisions"; with the switch off all of them stay."""
    file = stage.file()
    for number in range(110):
        replace_content(stage.world, file, stage.alice, content=b"%d" % number, keep=number == 3)
    assert len(_listed(stage, file)) == 111
    stage.world.consistency = Consistency(revisions_dropped=True)
    left = revisions_left(stage.world, file)
    assert (len(left), read(left[0]), read(left[-1])) == (101, b"3", b"109")
    assert len(_listed(stage, file)) == 101


def test_revisions_of_a_document_are_merged_by_the_day(stage: Stage) -> None:
    """Documented that they may be merged; the rule is assumed: a day later the last one of each day stays."""
    stage.world.consistency = Consistency(revisions_dropped=True)
    with unserved(stage.world) as simulator:
        body = {"name": "notes", "mimeType": WORKSPACE_PREFIX + "document"}
        document = stage.world.items[Direct(simulator, stage.alice.email).ok("POST", "files", body)["id"]]
    for _ in range(3):
        for _ in range(4):
            replace_content(stage.world, document, stage.alice)
        assert len(_listed(stage, document)) >= 5
        stage.clock.advance(DAY_S)
    assert _listed(stage, document) == ["5", "9", "13"]
