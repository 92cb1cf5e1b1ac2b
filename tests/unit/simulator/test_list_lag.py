"""Lists that lag: what files.list shows is the world as it was, while look-ups by id and logs are current.

Source: reported (tidyverse/googledrive #272, #277, #303; "Search is eventually consistent" in the Drive guides).
"""

import contextlib
import random
from dataclasses import replace

import orjson
import pytest

from drive_simulator.api.errors import ApiError
from drive_simulator.api.listing import Lister, Listing, ListingRules
from drive_simulator.api.resources import file_resource
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.corpus.shapes import Shapes
from drive_simulator.edits.random_edits import Editor, choose_edit
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.consistency import Consistency, Seconds
from drive_simulator.model.discussion import comment_on
from drive_simulator.model.item_changes import delete, edit, mark_viewed, move, set_star, set_trashed, touch
from drive_simulator.model.items import Grant, Item, User
from drive_simulator.model.lagging import LaggingView
from drive_simulator.model.parents import add_parent
from drive_simulator.model.shared_drives import create_drive
from drive_simulator.model.sharing import add_grant, end_expired, remove_grant, share
from drive_simulator.model.world import World
from drive_simulator.truth.items import visible_items
from support.direct import Direct
from support.simulators import unserved
from support.worlds import Stage

LAG_S = 60
EVERYTHING = Listing(corpora="allDrives", include_all=True, page_size=7)


@pytest.fixture
def stage() -> Stage:
    """Alice and Bob with empty Drives."""
    return Stage()


def _lag(stage: Stage, lag_s: Seconds = LAG_S) -> None:
    stage.world.consistency = Consistency(list_lag_s=lag_s)


def _listed(world: World, user: User, listing: Listing = EVERYTHING) -> dict[str, Item]:
    """Items as a whole listing shows them, by name; each comes once."""
    return {item.name: item for item in _read(world, user, listing)}


def _read(world: World, user: User, listing: Listing) -> list[Item]:
    lister = Lister(world, ListingRules())
    found: list[Item] = []
    token = None
    while True:
        page = lister.page(user, listing, token)
        found += page.items
        token = page.next_token
        if token is None:
            assert len({item.id for item in found}) == len(found)
            return found


def _names(stage: Stage, user: User | None = None, q: str | None = None) -> set[str]:
    return set(_listed(stage.world, user or stage.alice, replace(EVERYTHING, q=q)))


def test_what_is_created_is_listed_when_the_lag_has_passed(stage: Stage) -> None:
    """Not a millisecond before."""
    _lag(stage)
    stage.file("new")
    stage.clock.advance(LAG_S - 0.001)
    assert _names(stage) == set()
    stage.clock.advance(0.001)
    assert _names(stage) == {"new"}


def test_what_is_renamed_is_listed_by_its_old_name_and_version(stage: Stage) -> None:
    """And found by that alone."""
    file = stage.file("old")
    _lag(stage)
    old_version = file.version
    edit(stage.world, file, stage.alice, name="new")
    assert _listed(stage.world, stage.alice)["old"].version == old_version < file.version
    assert (_names(stage, q="name = 'new'"), _names(stage, q="name = 'old'")) == (set(), {"old"})
    stage.clock.advance(LAG_S)
    assert (_names(stage, q="name = 'new'"), _names(stage, q="name = 'old'")) == ({"new"}, set())


def test_what_is_moved_is_listed_where_it_was(stage: Stage) -> None:
    """With its old parent, also where that folder is no more."""
    old, new = stage.folder("Old"), stage.folder("New")
    file = stage.file("file", old)
    _lag(stage)
    move(stage.world, file, stage.alice, new)
    delete(stage.world, old)
    assert _names(stage, q=f"'{old.id}' in parents") == {"file"}
    assert _names(stage, q=f"'{new.id}' in parents") == set()
    assert _listed(stage.world, stage.alice)["file"].parents == (old.id,)
    stage.clock.advance(LAG_S)
    assert _names(stage, q=f"'{old.id}' in parents") == set()
    assert _names(stage, q=f"'{new.id}' in parents") == {"file"}


def test_what_is_moved_into_a_drive_is_listed_in_my_drive(stage: Stage) -> None:
    """A folder with what is in it; corpora=drive has it when the lag has passed, corpora=user until then."""
    drive = create_drive(stage.world, stage.alice, "Team")
    folder = stage.folder("Folder")
    stage.file("file", folder)
    _lag(stage)
    move(stage.world, folder, stage.alice, drive.root)
    of_drive = Listing("drive", drive.id, include_all=True)
    mine = Listing()
    before = set(_listed(stage.world, stage.alice, mine)), set(_listed(stage.world, stage.alice, of_drive))
    stage.clock.advance(LAG_S)
    after = set(_listed(stage.world, stage.alice, mine)), set(_listed(stage.world, stage.alice, of_drive))
    assert (before, after) == (({"Folder", "file"}, set()), (set(), {"Folder", "file"}))


@pytest.mark.parametrize("ends", ["move", "trash", "trash first", "trash both", "delete"])
def test_a_second_parent_is_listed_for_a_while(stage: Stage, ends: str) -> None:
    """An old file that has left its second folder is still listed in it, and names it, until the lag has passed."""
    above = stage.folder("above")
    first, second = stage.folder("first", above), stage.folder("second", above)
    file = stage.file("file", first)
    add_parent(file, second)
    _lag(stage)
    in_second = replace(EVERYTHING, q=f"'{second.id}' in parents")
    match ends:
        case "move":
            move(stage.world, file, stage.alice, above)
        case "trash":
            set_trashed(stage.world, second, stage.alice, trashed=True)
        case "trash first":
            set_trashed(stage.world, first, stage.alice, trashed=True)
        case "delete":
            delete(stage.world, second)
        case _:
            set_trashed(stage.world, above, stage.alice, trashed=True)
    parents = [item.parents for item in _read(stage.world, stage.alice, in_second)]
    assert parents == [(first.id, second.id)]
    stage.clock.advance(LAG_S)
    assert _read(stage.world, stage.alice, in_second) == []
    assert _listed(stage.world, stage.alice)["file"].parents == file.parents != (first.id, second.id)


def test_an_old_file_keeps_its_second_parent_when_it_is_edited(stage: Stage) -> None:
    """And its place in the listing of that folder."""
    first, second = stage.folder("first"), stage.folder("second")
    files = [stage.file(name, first) for name in ("one", "two")]
    for file in files:
        add_parent(file, second)
    _lag(stage)
    edit(stage.world, files[0], stage.alice, name="another")
    edit(stage.world, second, stage.alice, name="renamed")
    stage.clock.advance(LAG_S)
    lister = Lister(stage.world, ListingRules(ignore_order=True))
    page = lister.page(stage.alice, replace(EVERYTHING, q=f"'{second.id}' in parents"), None)
    assert [item.name for item in page.items] == ["two", "another"]


def test_what_is_deleted_is_in_no_second_folder(stage: Stage) -> None:
    """Also where each lag is drawn: a file goes from all its folders, and is in no folder that lists have no more."""
    first = stage.folder("first")
    files = [stage.file(f"file {number}", first) for number in range(20)]
    seconds = [stage.folder(f"second {number}") for number in range(20)]
    for file, second in zip(files, seconds, strict=True):
        add_parent(file, second)
    _lag(stage, (0, LAG_S))
    for file in files[:10]:
        delete(stage.world, file)
    for second in seconds[10:]:
        delete(stage.world, second)
    for _ in range(LAG_S):
        stage.clock.advance(1)
        listed = _read(stage.world, stage.alice, EVERYTHING)
        ids = {item.id for item in listed}
        assert all(set(item.parents[1:]) <= ids for item in listed)
        for second in seconds:
            inside = _read(stage.world, stage.alice, replace(EVERYTHING, q=f"'{second.id}' in parents"))
            assert {item.id for item in inside} == {item.id for item in listed if second.id in item.parents}
    assert {item.parents for item in listed if item.name.startswith("file")} == {(first.id,)}


def test_an_unlogged_comment_raises_the_listed_version_late(stage: Stage) -> None:
    """As every other change does."""
    file = stage.file("file")
    stage.world.consistency = Consistency(list_lag_s=LAG_S, comments_logged=False)
    version = file.version
    comment_on(stage.world, file, stage.alice, "words")
    assert _listed(stage.world, stage.alice)["file"].version == version < file.version
    stage.clock.advance(LAG_S)
    assert _listed(stage.world, stage.alice)["file"].version == file.version


def test_an_orphan_is_listed_while_lists_lag(stage: Stage) -> None:
    """A file without a folder; when it is put into one, lists have it there after the lag."""
    file = stage.file("file")
    assert file.parent is not None
    assert file.parent.children is not None
    file.parent.children.discard(file)
    file.parent = stage.world.nowhere
    stage.world.hang(file)
    _lag(stage)
    edit(stage.world, file, stage.alice, name="renamed")
    assert _names(stage) == {"file"}
    stage.clock.advance(LAG_S)
    assert _names(stage) == {"renamed"}
    move(stage.world, file, stage.alice, stage.alice.root)
    assert _names(stage, q="'root' in parents") == set()
    stage.clock.advance(LAG_S)
    assert _names(stage, q="'root' in parents") == {"renamed"}


def test_an_opened_link_is_listed_late(stage: Stage) -> None:
    """What a link opens comes into the account's lists after the lag, and goes so when the link is taken away."""
    stage.world.consistency = Consistency(list_lag_s=LAG_S, opened_links_listed=True)
    file = stage.file("file", by=stage.bob)
    grant = add_grant(stage.world, file, stage.bob, grant_type="anyone", role="reader")
    stage.clock.advance(LAG_S)
    mark_viewed(stage.world, file, stage.alice, stage.world.now_ms())
    assert _names(stage) == set()
    stage.clock.advance(LAG_S)
    assert _names(stage) == {"file"}
    remove_grant(stage.world, file, grant)
    assert _names(stage) == {"file"}
    stage.clock.advance(LAG_S)
    assert _names(stage) == set()


def test_what_is_trashed_is_listed_as_not_trashed(stage: Stage) -> None:
    """What is below a trashed folder as well."""
    folder = stage.folder("Folder")
    stage.file("file", folder)
    _lag(stage)
    set_trashed(stage.world, folder, stage.alice, trashed=True)
    assert _names(stage, q="trashed = false") == {"Folder", "file"}
    stage.clock.advance(LAG_S)
    assert _names(stage, q="trashed = false") == set()
    assert _names(stage, q="trashed = true") == {"Folder", "file"}


def test_what_is_deleted_is_listed_for_a_while(stage: Stage) -> None:
    """With everything below it, as resources that are no more."""
    folder = stage.folder("Folder")
    file = stage.file("file", folder)
    _lag(stage)
    delete(stage.world, folder)
    assert file_resource(_listed(stage.world, stage.alice)["file"], stage.alice)["parents"] == [folder.id]
    assert file.id not in stage.world.items
    stage.clock.advance(LAG_S)
    assert _names(stage) == set()


def test_what_is_shared_and_unshared_comes_and_goes_late(stage: Stage) -> None:
    """The account that was given a folder lists it, and what is in it, after the lag; also when it was taken away."""
    folder = stage.folder("Folder")
    stage.file("file", folder)
    _lag(stage)
    grant = share(stage.world, folder, stage.alice, stage.bob, "reader")
    assert _names(stage, stage.bob) == set()
    stage.clock.advance(LAG_S)
    assert _names(stage, stage.bob) == {"Folder", "file"}
    remove_grant(stage.world, folder, grant)
    assert _names(stage, stage.bob) == {"Folder", "file"}
    stage.clock.advance(LAG_S)
    assert _names(stage, stage.bob) == set()


def test_logs_and_look_ups_by_id_are_current(stage: Stage) -> None:
    """While lists still show what was; the truth does not lag either."""
    old, gone = stage.file("old"), stage.file("gone")
    _lag(stage)
    log = stage.listen(stage.alice)
    with unserved(stage.world) as simulator:
        direct = Direct(simulator, "alice@example.com")
        direct.ok("PATCH", f"files/{old.id}", {"name": "new"})
        assert direct.call("DELETE", f"files/{gone.id}")[0] == 204
        assert direct.ok("GET", f"files/{old.id}")["name"] == "new"
        assert direct.call("GET", f"files/{gone.id}")[0] == 404
        assert {file["name"] for file in direct.ok("GET", "files")["files"]} == {"old", "gone"}
        stage.clock.advance(LAG_S)
        assert {file["name"] for file in direct.ok("GET", "files")["files"]} == {"new"}
    assert log.news() == {old.id: "changed", gone.id: "removed"}
    assert {item["name"] for item in visible_items(stage.world, stage.alice).values()} == {"new"}


def test_a_page_that_is_rendered_again_shows_what_has_come_due(stage: Stage) -> None:
    """Also of items that are as they were, below a folder that was trashed and shared."""
    folder = stage.folder("Folder")
    stage.file("file", folder)
    _lag(stage)
    query = {"fields": "files(name,trashed,permissionIds)", "q": f"'{folder.id}' in parents"}
    with unserved(stage.world) as simulator:
        direct = Direct(simulator, "alice@example.com")
        before = direct.ok("GET", "files", **query)["files"]
        share(stage.world, folder, stage.alice, stage.bob, "reader")
        set_trashed(stage.world, folder, stage.alice, trashed=True)
        assert direct.ok("GET", "files", **query)["files"] == before
        stage.clock.advance(LAG_S)
        ids = [stage.alice.permission_id, stage.bob.permission_id]
        assert direct.ok("GET", "files", **query)["files"] == [{"name": "file", "trashed": True, "permissionIds": ids}]


@pytest.mark.parametrize("by_parent", [True, False])
def test_queries_by_parent_and_others_lag_by_switches_of_their_own(stage: Stage, by_parent: bool) -> None:
    """Assumed: Google may answer the two from different indexes."""
    stage.world.consistency = Consistency(
        list_lag_s=LAG_S, lag_of_parent_queries=by_parent, lag_of_other_queries=not by_parent
    )
    stage.file("new")
    assert _names(stage, q="'root' in parents and trashed = false") == (set() if by_parent else {"new"})
    assert _names(stage, q="trashed = false") == ({"new"} if by_parent else set())


def test_by_time_of_modification_what_is_late_is_out_of_a_range(stage: Stage) -> None:
    """`modifiedTime > …`, the newest first: what was just modified stands at its old time, and what just came nowhere;
    when the lag has passed everything has its place."""
    files = [stage.file(f"{number}") for number in range(5)]
    for age, file in enumerate(files):
        touch(stage.world, file, stage.alice, modified_ms=stage.world.now_ms() - 1000 * (age + 1))
    ordered = replace(EVERYTHING, order_by="modifiedTime desc", page_size=2)
    _lag(stage)
    assert list(_listed(stage.world, stage.alice, ordered)) == ["0", "1", "2", "3", "4"]
    stage.clock.advance(1)
    touch(stage.world, files[3], stage.alice)
    stage.file("new")
    recent = replace(ordered, q="modifiedTime > '2026-01-01T00:00:00'")
    assert _listed(stage.world, stage.alice, recent) == {}
    assert list(_listed(stage.world, stage.alice, ordered)) == ["0", "1", "2", "3", "4"]
    stage.clock.advance(LAG_S)
    assert set(_listed(stage.world, stage.alice, recent)) == {"3", "new"}
    assert list(_listed(stage.world, stage.alice, ordered))[2:] == ["0", "1", "2", "4"]


def test_a_drawn_lag_shows_one_change_before_another(stage: Stage) -> None:
    """Each change is late by a time of its own, from the world's seed; an older state never comes after a newer one."""
    _lag(stage, (0, LAG_S))
    for number in range(40):
        stage.file(f"{number}")
    stage.clock.advance(LAG_S / 2)
    some = _names(stage)
    assert 5 < len(some) < 35
    assert some != {f"{number}" for number in range(len(some))}
    stage.clock.advance(LAG_S / 2)
    assert len(_names(stage)) == 40


def test_what_stands_in_a_new_folder_is_listed_after_it(stage: Stage) -> None:
    """Also where each lag is drawn: no list has a file whose folder lists do not have yet."""
    _lag(stage, (0, LAG_S))
    for number in range(20):
        stage.file(f"file {number}", stage.folder(f"folder {number}"))
    for _ in range(LAG_S):
        stage.clock.advance(1)
        names = _names(stage)
        assert all(name.replace("file", "folder") in names for name in names)
    assert len(names) == 40


def test_a_token_does_not_lead_from_what_was_into_what_is(stage: Stage) -> None:
    """Assumed: where a lag begins or ends during a listing, a token that is a position is refused as an expired one."""
    for number in range(20):
        stage.file(f"{number}")
    lister = Lister(stage.world, ListingRules(ignore_order=True))
    token = lister.page(stage.alice, EVERYTHING, None).next_token
    _lag(stage)
    with pytest.raises(ApiError) as refusal:
        lister.page(stage.alice, EVERYTHING, token)
    assert refusal.value.location == "pageToken"


def test_states_are_dropped_when_they_have_come_due(stage: Stage) -> None:
    """Also where nothing is listed: what is kept is bounded by the longest lag."""
    _lag(stage)
    view = stage.world.listed(by_parent=False)
    file = stage.file("file")
    for _ in range(500):
        edit(stage.world, file, stage.alice, name="another")
        stage.clock.advance(1)
    assert isinstance(view, LaggingView)
    assert 0 < view.waiting <= LAG_S  # an edit a second


def _step(world: World, clock: ManualClock, editor: Editor, die: random.Random, *, memberships: bool) -> None:
    """Something happens, or a little time passes."""
    with contextlib.suppress(ApiError):
        editor.make(choose_edit(world, die, also=("sharing",), memberships=memberships))
    clock.advance(die.choice((0, 0.5, 2)))


@pytest.mark.parametrize("seed", range(4))
def test_a_listing_is_the_truth_of_so_long_ago(seed: int) -> None:
    """Through random edits of every kind, with a constant lag: each listing is what was true then, field by field."""
    clock, die = ManualClock(), random.Random(seed)  # noqa: S311 - a test
    world = generate(CorpusPlan(60, shared_drives=2, users=3, seed=seed), clock=clock)
    world.consistency = Consistency(list_lag_s=10)
    editor, user = Editor(world), next(iter(world.users.values()))
    true: list[tuple[int, dict[str, bytes]]] = []
    shown = 0
    for _ in range(300):
        _step(world, clock, editor, die, memberships=False)  # members are not late
        clock.advance(0.001)  # nothing else happens at that moment
        if die.random() < 0.3:
            true.append((world.now_ms(), _seen(world, user)))
        if true and die.random() < 0.1:
            clock.advance(max(0, true[0][0] + 10_000 - world.now_ms()) / 1000)
        while true and world.now_ms() - true[0][0] >= 10_000:
            at, then = true.pop(0)
            if world.now_ms() - at == 10_000:
                assert _shown(world, user) == then
                shown += 1
        clock.advance(0.001)
    assert shown > 10


def _seen(world: World, user: User) -> dict[str, bytes]:
    return {name: orjson.dumps(item) for name, item in visible_items(world, user, include_trashed=True).items()}


def _shown(world: World, user: User) -> dict[str, bytes]:
    lister = Lister(world, ListingRules())
    page = lister.page(user, replace(EVERYTHING, page_size=10_000), None)
    assert page.next_token is None
    return {item.id: orjson.dumps(file_resource(item, user)) for item in page.items}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("lag_s", [(0.0, 30.0), 5.0])
def test_when_the_lag_has_passed_a_listing_is_the_truth(seed: int, lag_s: Seconds) -> None:
    """For everybody, whatever was edited and however late each change was shown; by parent and by time too."""
    clock, die = ManualClock(), random.Random(seed)  # noqa: S311 - a test
    world = generate(CorpusPlan(60, shared_drives=2, users=3, seed=seed), clock=clock)
    world.consistency = Consistency(list_lag_s=lag_s)
    editor = Editor(world)
    for _ in range(3):
        for number in range(150):
            _step(world, clock, editor, die, memberships=True)
            if number % 10 == 0:
                for user in world.users.values():
                    _shown(world, user)  # whatever it is, it has a form
        clock.advance(30)
        for user in world.users.values():
            truth = _seen(world, user)
            assert _shown(world, user) == truth
            by_time = _listed_ids(world, user, replace(EVERYTHING, order_by="modifiedTime desc"))
            assert sorted(by_time) == sorted(truth)
            for folder in [item for item in world.items.values() if item.is_folder]:
                inside = _listed_ids(world, user, replace(EVERYTHING, q=f"'{folder.id}' in parents"))
                assert set(inside) == {each for each in truth if folder.id in world.items[each].parents}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sharing_lag_s", [0.0, (0.0, 20.0)])
def test_odd_shapes_are_listed_as_they_are_when_the_lag_has_passed(seed: int, sharing_lag_s: Seconds) -> None:
    """Several parents and owners, orphans, opened links and others' trash, many of each."""
    clock, die = ManualClock(), random.Random(seed)  # noqa: S311 - a test
    many = Shapes(several_parents=0.15, several_owners=0.15, orphaned=0.15)
    world = generate(CorpusPlan(60, shared_drives=2, users=3, seed=seed, shapes=many), clock=clock)
    world.consistency = Consistency(
        list_lag_s=(0.0, 30.0),
        sharing_lag_s=sharing_lag_s,
        opened_links_listed=True,
        others_trash_listed=False,
        comments_logged=False,
    )
    editor, users = Editor(world), list(world.users.values())
    assert any(item.more_parents for item in world.items.values())
    links: list[tuple[Item, Grant]] = []
    for number in range(100):
        _step(world, clock, editor, die, memberships=True)
        if number % 4 == 0:
            item = die.choice([each for each in world.items.values() if not each.is_root])
            links.append((item, add_grant(world, item, None, grant_type="anyone", role="reader")))
        links = [each for each in links if each[0].id in world.items]
        if links and number % 10 == 0:
            remove_grant(world, *links.pop(die.randrange(len(links))))
        if links:
            mark_viewed(world, die.choice(links)[0], die.choice(users), world.now_ms())
    assert any(item.rare("opened_by") for item in world.items.values())
    clock.advance(20)
    end_expired(world)
    clock.advance(30)
    for user in users:
        truth = _seen(world, user)
        assert _shown(world, user) == truth
        for folder in [item for item in world.items.values() if item.is_folder]:
            inside = _listed_ids(world, user, replace(EVERYTHING, q=f"'{folder.id}' in parents"))
            assert set(inside) == {each for each in truth if folder.id in world.items[each].parents}


def _listed_ids(world: World, user: User, listing: Listing) -> list[str]:
    return [item.id for item in _read(world, user, listing)]


def test_a_star_is_listed_late_too(stage: Stage) -> None:
    """What only one account knows of lags as everything does."""
    file = stage.file("file")
    _lag(stage)
    set_star(stage.world, file, stage.alice, starred=True)
    assert _names(stage, q="starred = true") == set()
    stage.clock.advance(LAG_S)
    assert _names(stage, q="starred = true") == {"file"}
