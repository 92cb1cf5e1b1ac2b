"""What happens to items, and what each log tells of it (Drive guide "Retrieve changes")."""

import pytest

from drive_simulator.model.access import sees
from drive_simulator.model.item_changes import delete, edit, move, replace_content, set_star, set_trashed
from drive_simulator.model.shared_drives import create_drive, delete_drive, rename_drive
from drive_simulator.model.sharing import change_role, leave_drive, remove_grant, share, transfer_ownership
from drive_simulator.truth.items import visible_items
from support.worlds import Stage


@pytest.fixture
def stage() -> Stage:
    """Alice and Bob with empty Drives."""
    return Stage()


def test_an_edit_is_told_to_everybody_who_sees_the_item(stage: Stage) -> None:
    """Owner and those it is shared with each get one entry; nobody else does."""
    file = stage.file()
    carol = stage.world.add_user("carol@example.com")
    share(stage.world, file, stage.alice, stage.bob, "reader")
    listeners = [stage.listen(user) for user in (stage.alice, stage.bob, carol)]
    edit(stage.world, file, stage.alice, name="renamed")
    assert [each.news() for each in listeners] == [{file.id: "changed"}, {file.id: "changed"}, {}]


def test_trashing_a_folder_tells_of_the_folder_alone(stage: Stage) -> None:
    """What is below it is in the trash too, without an entry; untrashing brings it back the same way."""
    folder = stage.folder()
    file = stage.file(parent=folder)
    log = stage.listen(stage.alice)
    set_trashed(stage.world, folder, stage.alice, trashed=True)
    assert (log.news(), file.trashed, file.explicitly_trashed) == ({folder.id: "trashed"}, True, False)
    assert visible_items(stage.world, stage.alice) == {}
    set_trashed(stage.world, folder, stage.alice, trashed=False)
    assert (log.news(), file.trashed) == ({folder.id: "changed"}, False)


def test_trash_is_told_to_who_sees_only_what_is_below(stage: Stage) -> None:
    """Somebody with a single file of a trashed folder hears of the file: they can't hear of the folder."""
    folder = stage.folder()
    file = stage.file(parent=folder)
    share(stage.world, file, stage.alice, stage.bob, "reader")
    log = stage.listen(stage.bob)
    set_trashed(stage.world, folder, stage.alice, trashed=True)
    assert log.news() == {file.id: "trashed"}


def test_sharing_a_folder_tells_of_the_folder_alone(stage: Stage) -> None:
    """Who gains access sees everything below, but hears of the folder only."""
    folder = stage.folder()
    file = stage.file(parent=folder)
    logs = stage.listen(stage.alice), stage.listen(stage.bob)
    share(stage.world, folder, stage.alice, stage.bob, "writer")
    assert [log.news() for log in logs] == [{folder.id: "changed"}] * 2
    assert sees(stage.bob, file)
    assert set(visible_items(stage.world, stage.bob)) == {folder.id, file.id}


def test_who_loses_a_folder_is_told_of_each_item(stage: Stage) -> None:
    """Access that ends shows as a removal of every item in the log of who had it."""
    folder = stage.folder()
    file = stage.file(parent=folder)
    grant = share(stage.world, folder, stage.alice, stage.bob, "writer")
    logs = stage.listen(stage.alice), stage.listen(stage.bob)
    remove_grant(stage.world, folder, grant)
    assert [log.news() for log in logs] == [{folder.id: "changed"}, {folder.id: "removed", file.id: "removed"}]
    assert visible_items(stage.world, stage.bob) == {}


def test_who_keeps_an_item_of_a_lost_folder_hears_that_its_parent_is_out_of_sight(stage: Stage) -> None:
    """A file shared by name stays when its folder goes, and shows no parent any more."""
    folder = stage.folder()
    file = stage.file(parent=folder)
    grant = share(stage.world, folder, stage.alice, stage.bob, "writer")
    share(stage.world, file, stage.alice, stage.bob, "reader")
    assert visible_items(stage.world, stage.bob)[file.id]["parents"] == [folder.id]
    log = stage.listen(stage.bob)
    remove_grant(stage.world, folder, grant)
    assert log.news() == {folder.id: "removed", file.id: "changed"}
    assert "parents" not in visible_items(stage.world, stage.bob)[file.id]


def test_a_change_of_role_is_told_of_the_item_alone(stage: Stage) -> None:
    """Permissions of what is below change without an entry: whoever mirrors them has to propagate."""
    folder = stage.folder()
    stage.file(parent=folder)
    grant = share(stage.world, folder, stage.alice, stage.bob, "writer")
    log = stage.listen(stage.bob)
    change_role(stage.world, folder, grant, "reader")
    assert log.news() == {folder.id: "changed"}


def test_deleting_a_folder_removes_each_item(stage: Stage) -> None:
    """For good means: a removal of the folder and of everything below it, for everybody who saw it."""
    folder = stage.folder()
    file = stage.file(parent=folder)
    share(stage.world, file, stage.alice, stage.bob, "reader")
    logs = stage.listen(stage.alice), stage.listen(stage.bob)
    assert delete(stage.world, folder) == 2
    assert [log.news() for log in logs] == [{folder.id: "removed", file.id: "removed"}, {file.id: "removed"}]
    assert file.id not in stage.world.items


def test_a_folder_that_moves_out_of_sight_is_removed_item_by_item(stage: Stage) -> None:
    """A move ends inherited access like a permission change does."""
    shared, private = stage.folder("shared"), stage.folder("private")
    folder = stage.folder("inner", shared)
    file = stage.file(parent=folder)
    share(stage.world, shared, stage.alice, stage.bob, "reader")
    logs = stage.listen(stage.alice), stage.listen(stage.bob)
    move(stage.world, folder, stage.alice, private)
    assert [log.news() for log in logs] == [{folder.id: "changed"}, {folder.id: "removed", file.id: "removed"}]


def test_a_folder_does_not_go_below_itself(stage: Stage) -> None:
    """Trees stay trees."""
    folder = stage.folder()
    inner = stage.folder("inner", folder)
    with pytest.raises(ValueError, match="can't go there"):
        move(stage.world, folder, stage.alice, inner)


def test_a_move_into_a_shared_drive_leaves_one_log_and_enters_another(stage: Stage) -> None:
    """My Drive's readers get a removal of each item, the drive's log an entry of the folder that was moved."""
    folder = stage.folder()
    file = stage.file(parent=folder)
    drive = create_drive(stage.world, stage.alice, "Team")
    mine, of_drive = stage.listen(stage.alice), stage.listen(stage.alice, drive)
    move(stage.world, folder, stage.alice, drive.root)
    both = {folder.id, file.id}
    assert mine.news(include_all=False, stay=True) == dict.fromkeys(both, "removed")
    shown = mine.news(include_all=False, include_corpus_removals=True, stay=True)
    assert shown == dict.fromkeys(both, "removed, shown")
    assert mine.news(include_all=False, include_removed=False, stay=True) == {}
    assert mine.news(include_all=True) == dict.fromkeys(both, "changed")
    assert of_drive.news() == {folder.id: "changed"}
    assert (file.drive, file.owner) == (drive, None)
    assert "owners" not in visible_items(stage.world, stage.alice)[file.id]


def test_what_went_into_a_shared_drive_is_gone_from_my_drive_though_it_is_shared_again(stage: Stage) -> None:
    """Somebody who reads My Drive alone loses the item, whatever they see of the shared drive by then."""
    above = stage.folder("above", by=stage.bob)
    folder = stage.folder(parent=above, by=stage.bob)
    file = stage.file(parent=folder, by=stage.bob)
    share(stage.world, above, stage.bob, stage.alice, "reader")
    drive = create_drive(stage.world, stage.bob, "Team")
    log = stage.listen(stage.alice)
    move(stage.world, folder, stage.bob, drive.root)
    share(stage.world, folder, stage.bob, stage.alice, "reader")
    assert sees(stage.alice, file)
    assert log.news(include_all=False) == {folder.id: "removed", file.id: "removed"}


def test_a_move_between_shared_drives_removes_from_the_old_one(stage: Stage) -> None:
    """The old drive's log has a removal of each item, the new one's an entry of what was moved."""
    old, new = create_drive(stage.world, stage.alice, "Old"), create_drive(stage.world, stage.alice, "New")
    folder = stage.folder(parent=old.root)
    file = stage.file(parent=folder)
    share(stage.world, old.root, stage.alice, stage.bob, "reader")
    old_log, new_log, bobs = stage.listen(stage.bob, old), stage.listen(stage.alice, new), stage.listen(stage.bob)
    move(stage.world, folder, stage.alice, new.root)
    assert old_log.news() == {folder.id: "removed", file.id: "removed"}
    assert new_log.news() == {folder.id: "changed"}
    assert bobs.news() == {folder.id: "removed", file.id: "removed"}


def test_a_move_out_of_a_shared_drive_gives_the_mover_the_file(stage: Stage) -> None:
    """In My Drive everything has an owner."""
    drive = create_drive(stage.world, stage.alice, "Team")
    file = stage.file(parent=drive.root)
    of_drive, mine = stage.listen(stage.alice, drive), stage.listen(stage.alice)
    move(stage.world, file, stage.alice, stage.alice.root)
    assert (of_drive.news(), mine.news(include_all=False)) == ({file.id: "removed"}, {file.id: "changed"})
    assert file.owner is stage.alice


def test_the_user_log_repeats_what_happens_in_shared_drives_where_asked(stage: Stage) -> None:
    """Members get a drive's changes in their own log too, with includeItemsFromAllDrives."""
    drive = create_drive(stage.world, stage.alice, "Team")
    log = stage.listen(stage.alice)
    file = stage.file(parent=drive.root)
    assert log.news(include_all=False, stay=True) == {}
    assert log.news(include_all=True) == {file.id: "changed"}


def test_joining_renaming_and_leaving_a_drive_is_one_drive_change(stage: Stage) -> None:
    """None of the items inside is told of."""
    drive = create_drive(stage.world, stage.alice, "Team")
    stage.file(parent=drive.root)
    log = stage.listen(stage.bob)
    share(stage.world, drive.root, stage.alice, stage.bob, "reader")
    assert log.news() == {drive.id: "changed"}
    rename_drive(stage.world, drive, "Squad")
    assert log.news() == {drive.id: "changed"}
    leave_drive(stage.world, drive, stage.bob)
    assert log.news() == {drive.id: "removed"}


def test_what_was_shared_by_name_stays_when_a_member_leaves(stage: Stage) -> None:
    """It moves to "shared with me", and is told of there after the drive is gone."""
    drive = create_drive(stage.world, stage.alice, "Team")
    file = stage.file(parent=drive.root)
    share(stage.world, drive.root, stage.alice, stage.bob, "reader")
    share(stage.world, file, stage.alice, stage.bob, "reader")
    log = stage.listen(stage.bob)
    leave_drive(stage.world, drive, stage.bob)
    assert list(log.news().items()) == [(drive.id, "removed"), (file.id, "changed")]


def test_a_deleted_drive_is_gone_for_every_member(stage: Stage) -> None:
    """With everything in it."""
    drive = create_drive(stage.world, stage.alice, "Team")
    file = stage.file(parent=drive.root)
    log = stage.listen(stage.alice)
    delete_drive(stage.world, drive)
    assert log.news() == {file.id: "removed", drive.id: "removed"}
    assert stage.world.items.keys() == {stage.alice.root.id, stage.bob.root.id}


def test_my_drive_readers_may_ask_for_their_own_tree_alone(stage: Stage) -> None:
    """restrictToMyDrive leaves out what is merely shared, and shared drives."""
    drive = create_drive(stage.world, stage.bob, "Team")
    log = stage.listen(stage.bob)
    own = stage.file(by=stage.bob)
    stage.file(parent=drive.root, by=stage.bob)
    share(stage.world, stage.file("of Alice"), stage.alice, stage.bob, "reader")
    assert log.news(restrict_to_my_drive=True) == {own.id: "changed"}


def test_a_star_is_ones_own(stage: Stage) -> None:
    """Others neither see it nor hear of it."""
    file = stage.file()
    share(stage.world, file, stage.alice, stage.bob, "reader")
    logs = stage.listen(stage.alice), stage.listen(stage.bob)
    set_star(stage.world, file, stage.bob, starred=True)
    assert [log.news() for log in logs] == [{}, {file.id: "changed"}]
    assert file.starred_by("bob@example.com")
    assert not file.starred_by("alice@example.com")


def test_ownership_goes_over_and_the_former_owner_keeps_writing(stage: Stage) -> None:
    """Both see the file before and after."""
    file = stage.file()
    transfer_ownership(stage.world, file, stage.bob)
    assert file.is_owner("bob@example.com")
    assert file.is_writer("alice@example.com")
    assert {user.email for user in (stage.alice, stage.bob) if file.id in user.index} == {
        "alice@example.com",
        "bob@example.com",
    }


def test_every_change_raises_the_version(stage: Stage) -> None:
    """`version` is monotonic for each item."""
    file = stage.file()
    versions = [file.version]
    edit(stage.world, file, stage.alice, name="a")
    versions.append(file.version)
    replace_content(stage.world, file, stage.alice, content=b"new")
    versions.append(file.version)
    set_trashed(stage.world, file, stage.alice, trashed=True)
    versions.append(file.version)
    assert versions == sorted(set(versions))
