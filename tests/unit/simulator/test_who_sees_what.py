"""Who is shown what: trash, the user's corpus, permissions, sizes of documents, and the order of a listing."""

import random
from typing import cast

import pytest

from drive_simulator.api.errors import ApiError
from drive_simulator.api.listing import Lister, Listing, ListingRules
from drive_simulator.api.resources import file_resource
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import Edit, Editor, random_edits
from drive_simulator.model.access import sees
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.item_changes import create, mark_viewed, set_trashed, touch
from drive_simulator.model.items import EDITORS, FOLDER, WORKSPACE_PREFIX, Item, SharedDrive, User
from drive_simulator.model.shared_drives import create_drive
from drive_simulator.model.sharing import add_grant, remove_grant, share
from drive_simulator.model.world import World
from drive_simulator.truth.items import visible, visible_items, visible_permissions
from support.worlds import Stage

_ALL = {"supportsAllDrives": "true"}


@pytest.fixture
def stage() -> Stage:
    """Alice and Bob with empty Drives."""
    return Stage()


def _listed(world: World, user: User, q: str | None = None, **asked: object) -> list[str]:
    """The ids of one listing, read page by page."""
    lister = Lister(world, ListingRules())
    listing = Listing(q=q, page_size=5, **asked)  # type: ignore[arg-type]
    found: list[str] = []
    token = None
    while True:
        page = lister.page(user, listing, token)
        found += [item.id for item in page.items]
        token = page.next_token
        if token is None:
            return found


def _true(world: World, user: User) -> set[str]:
    return {item.id for item in visible(world, user, include_trashed=True)}


def _drive_with_alice(stage: Stage) -> SharedDrive:
    drive = create_drive(stage.world, stage.bob, "Drive")
    share(stage.world, drive.root, stage.bob, stage.alice, "writer")
    return drive


@pytest.mark.parametrize("q", [None, "trashed=true", "'me' in readers"])
def test_trash_of_others_is_not_listed(stage: Stage, q: str | None) -> None:
    """Trash is listed to its owner alone, also with `trashed=true`. Measured on live Drive, My Drive items."""
    stage.world.consistency.others_trash_listed = False
    file = stage.file("shared.txt", by=stage.bob)
    share(stage.world, file, stage.bob, stage.alice, "writer")
    set_trashed(stage.world, file, stage.bob, trashed=True)
    assert _listed(stage.world, stage.alice, q) == []
    assert _listed(stage.world, stage.bob, q) == [file.id]
    assert (_true(stage.world, stage.alice), _true(stage.world, stage.bob)) == (set(), {file.id})


def test_trash_of_others_is_not_listed_in_its_folder(stage: Stage) -> None:
    """What lies in another owner's trashed folder is in no listing of the folder. Assumed from what was measured."""
    stage.world.consistency.others_trash_listed = False
    folder = stage.folder(by=stage.bob)
    file = stage.file(parent=folder, by=stage.bob)
    share(stage.world, folder, stage.bob, stage.alice, "reader")
    set_trashed(stage.world, folder, stage.bob, trashed=True)
    asked = f"'{folder.id}' in parents"
    assert (_listed(stage.world, stage.alice, asked), _listed(stage.world, stage.bob, asked)) == ([], [file.id])


def test_trash_of_others_is_found_by_its_id(stage: Stage) -> None:
    """Others still reach a file in its owner's trash. Documented: `trashed` in the File schema."""
    stage.world.consistency.others_trash_listed = False
    file = stage.file(by=stage.bob)
    share(stage.world, file, stage.bob, stage.alice, "reader")
    news = stage.listen(stage.alice)
    set_trashed(stage.world, file, stage.bob, trashed=True)
    found = Editor(stage.world).make(
        Edit("get", stage.alice.email, "GET", f"files/{file.id}", {"fields": "id,trashed"})
    )
    assert (found, news.news()) == ({"id": file.id, "trashed": True}, {file.id: "trashed"})


def test_trash_of_a_shared_drive_is_its_members(stage: Stage) -> None:
    """The trash of a shared drive is listed to its members, not to those who were given one item. Assumed."""
    stage.world.consistency.others_trash_listed = False
    carol = stage.world.add_user("carol@example.com")
    drive = _drive_with_alice(stage)
    file = stage.file(parent=drive.root, by=stage.bob)
    share(stage.world, file, stage.bob, carol, "reader")
    set_trashed(stage.world, file, stage.bob, trashed=True)
    of_drive = _listed(stage.world, stage.alice, corpora="drive", drive_id=drive.id, include_all=True)
    assert (of_drive, _listed(stage.world, carol, include_all=True)) == ([file.id], [])
    assert (_true(stage.world, stage.alice), _true(stage.world, carol)) == ({file.id}, set())


@pytest.mark.parametrize("seed", range(3))
def test_truth_and_listings_agree_on_trash(seed: int) -> None:
    """A full listing with trash has what the truth has, after any edits, as was measured of My Drive."""
    world = generate(CorpusPlan(files=150, users=3, seed=seed), clock=ManualClock())
    world.consistency.others_trash_listed = False
    random_edits(world, random.Random(seed), 150, also=("sharing",))  # noqa: S311 - a test
    for user in world.users.values():
        listed = set(_listed(world, user, corpora="allDrives", include_all=True))
        assert listed == _true(world, user)


def test_user_corpus_has_handled_drive_items(stage: Stage) -> None:
    """corpora=user has the items of a member's drives that the member created, opened or shared.

    Documented in the guide "Search for files and folders".
    """
    stage.world.consistency.user_corpus_has_own_drive_items = True
    drive = _drive_with_alice(stage)
    untouched, created = stage.file(parent=drive.root, by=stage.bob), stage.file(parent=drive.root)
    opened, shared = stage.file(parent=drive.root, by=stage.bob), stage.file(parent=drive.root, by=stage.bob)
    mark_viewed(stage.world, opened, stage.alice, stage.world.now_ms())
    share(stage.world, shared, stage.alice, stage.world.add_user("carol@example.com"), "reader")
    touch(stage.world, created, stage.bob)
    assert set(_listed(stage.world, stage.alice, include_all=True)) == {created.id, opened.id, shared.id}
    assert _listed(stage.world, stage.alice) == []
    assert untouched.id in _listed(stage.world, stage.alice, corpora="drive", drive_id=drive.id, include_all=True)


def test_opened_links_are_in_the_user_corpus(stage: Stage) -> None:
    """What a link opens is listed once it was opened, for as long as the link opens it.

    Common knowledge; that the log tells of it from then on is assumed.
    """
    stage.world.consistency.opened_links_listed = True
    file, other = stage.file(by=stage.bob), stage.file("other", by=stage.bob)
    grant = add_grant(stage.world, file, stage.bob, grant_type="anyone", role="reader")
    add_grant(stage.world, other, stage.bob, grant_type="anyone", role="reader")
    news = stage.listen(stage.alice)
    assert (_listed(stage.world, stage.alice), _true(stage.world, stage.alice)) == ([], set())
    mark_viewed(stage.world, file, stage.alice, stage.world.now_ms())
    assert (_listed(stage.world, stage.alice), _true(stage.world, stage.alice)) == ([file.id], {file.id})
    assert news.news() == {file.id: "changed"}
    touch(stage.world, file, stage.bob)
    assert news.news() == {file.id: "changed"}
    remove_grant(stage.world, file, grant)
    assert (_listed(stage.world, stage.alice), _true(stage.world, stage.alice)) == ([], set())
    assert news.news() == {file.id: "removed"}


def test_an_opened_link_of_a_folder_opens_what_is_in_it(stage: Stage) -> None:
    """A folder that was opened by its link comes with its contents, as one that is shared by name does. Assumed."""
    stage.world.consistency.opened_links_listed = True
    folder = stage.folder(by=stage.bob)
    file = stage.file(parent=folder, by=stage.bob)
    add_grant(stage.world, folder, stage.bob, grant_type="anyone", role="reader")
    mark_viewed(stage.world, folder, stage.alice, stage.world.now_ms())
    later = stage.file(parent=folder, by=stage.bob)
    expected = {folder.id, file.id, later.id}
    assert (set(_listed(stage.world, stage.alice)), _true(stage.world, stage.alice)) == (expected, expected)


@pytest.mark.parametrize("seed", range(3))
def test_truth_and_sight_agree_on_opened_links(seed: int) -> None:
    """Who opened what by a link has it in the books as in the truth, whatever is edited afterwards. Assumed."""
    die = random.Random(seed)  # noqa: S311 - a test
    world = generate(CorpusPlan(files=120, users=3, seed=seed), clock=ManualClock())
    world.consistency.opened_links_listed = True
    for _ in range(8):
        random_edits(world, die, 20, also=("sharing",))
        linked = [each for each in world.items.values() if any(grant.type == "anyone" for grant in each.grants or ())]
        for item in linked:
            mark_viewed(world, item, die.choice(list(world.users.values())), world.now_ms())
        for user in world.users.values():
            seen = {each.id for each in world.items.values() if each.parent is not None and sees(user, each)}
            assert seen == _true(world, user)
            listed = set(_listed(world, user, corpora="allDrives", include_all=True))
            assert listed == seen


def test_writers_without_sharing_see_no_permissions(stage: Stage) -> None:
    """`writersCanShare=false` hides the permissions from writers; permissions.list is 403 insufficientFilePermissions.

    Documented: `permissions` in the File schema is "only available if the requesting user can share the file".
    """
    file = stage.file(by=stage.bob)
    share(stage.world, file, stage.bob, stage.alice, "writer")
    file.set_rare("writers_can_share", False)
    editor = Editor(stage.world)
    for_alice = file_resource(file, stage.alice)
    assert "permissions" not in for_alice
    assert cast(dict[str, bool], for_alice["capabilities"])["canShare"] is False
    assert len(cast(list[object], file_resource(file, stage.bob)["permissions"])) == 2
    calls = [
        Edit("list", stage.alice.email, "GET", f"files/{file.id}/permissions"),
        Edit("get", stage.alice.email, "GET", f"files/{file.id}/permissions/{stage.bob.permission_id}"),
        Edit(
            "share", stage.alice.email, "POST", f"files/{file.id}/permissions", {}, {"type": "anyone", "role": "reader"}
        ),
    ]
    for call in calls:
        with pytest.raises(ApiError, match="sufficient permissions") as refused:
            editor.make(call)
        assert (refused.value.status, refused.value.reason) == (403, "insufficientFilePermissions")
    assert visible_permissions(stage.world, stage.alice) == {}
    assert len(visible_permissions(stage.world, stage.bob)) == 2


def test_items_of_drives_know_no_writers_can_share(stage: Stage) -> None:
    """Shared-drive items have no `writersCanShare`: their writers see permissions. Documented."""
    drive = _drive_with_alice(stage)
    file = stage.file(parent=drive.root, by=stage.bob)
    file.set_rare("writers_can_share", False)
    answer = Editor(stage.world).make(Edit("list", stage.alice.email, "GET", f"files/{file.id}/permissions", _ALL))
    assert len(cast(list[object], answer["permissions"])) == 2


@pytest.mark.parametrize("kind", ["form", "site", "map", "shortcut", "script", "folder"])
def test_what_is_no_editors_file_has_no_size(stage: Stage, kind: str) -> None:
    """Documented: `size` "won't be populated for files that have no size, like shortcuts and folders"."""
    item = create(stage.world, stage.alice, "Thing", WORKSPACE_PREFIX + kind)
    assert "size" not in file_resource(item, stage.alice)


@pytest.mark.parametrize("kind", sorted(EDITORS))
def test_editors_files_have_a_size(stage: Stage, kind: str) -> None:
    """Docs, Sheets, Slides and Drawings have a `size`, and no checksum. Documented and measured."""
    item = create(stage.world, stage.alice, "Doc", kind)
    resource = file_resource(item, stage.alice)
    assert int(cast(str, resource["size"])) > 0
    assert resource["quotaBytesUsed"] == resource["size"]
    assert not {"md5Checksum", "headRevisionId", "originalFilename"} & resource.keys()


def _edited_at(stage: Stage, item: Item, minutes: int) -> None:
    touch(stage.world, item, stage.alice, modified_ms=stage.world.now_ms() + 60_000 * minutes)


def test_a_listing_comes_newest_modified_first(stage: Stage) -> None:
    """Without `orderBy` a listing comes by modifiedTime, the newest first. Measured on live Drive."""
    stage.world.consistency.newest_modified_first = True
    folder = stage.folder()
    files = [stage.file(f"{number}", folder) for number in range(12)]
    for at, file in enumerate(random.Random(3).sample(files, len(files))):  # noqa: S311 - a test
        _edited_at(stage, file, at - 30)
    in_order = [each.id for each in sorted(files, key=lambda each: -each.modified_ms)]
    assert _listed(stage.world, stage.alice, f"mimeType != '{FOLDER}'") == in_order
    assert _listed(stage.world, stage.alice, f"'{folder.id}' in parents") == in_order


@pytest.mark.parametrize("seed", range(3))
def test_every_corpus_comes_whole_in_that_order(seed: int) -> None:
    """Newest modified first, each corpus still holds every item once while nothing is edited. Measured."""
    world = generate(CorpusPlan(files=120, users=2, seed=seed), clock=ManualClock())
    world.consistency.newest_modified_first = True
    for user in world.users.values():
        listed = _listed(world, user, corpora="allDrives", include_all=True)
        times = [world.items[each].modified_ms for each in listed]
        assert times == sorted(times, reverse=True)
        assert len(listed) == len(set(listed))
        assert set(listed) == set(visible_items(world, user, include_trashed=True))
