"""Listings: every item once, tokens that hold, pages that may be short."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from drive_simulator.api.errors import ApiError
from drive_simulator.api.listing import Lister, Listing, ListingRules, page_length
from drive_simulator.model.index import Index
from drive_simulator.model.item_changes import delete, move, touch
from drive_simulator.model.items import Item, User
from drive_simulator.model.shared_drives import create_drive
from drive_simulator.model.sharing import share
from support.worlds import Stage

_ALL = Listing(page_size=10)


@pytest.fixture
def stage() -> Stage:
    """Alice and Bob with empty Drives."""
    return Stage()


def _lister(stage: Stage, rules: ListingRules | None = None) -> Lister:
    return Lister(stage.world, rules or ListingRules())


def _read(
    lister: Lister, user: User, listing: Listing, between_pages: Callable[[], object] = lambda: None
) -> list[Item]:
    items: list[Item] = []
    token = None
    while True:
        page = lister.page(user, listing, token)
        items += page.items
        if page.next_token is None:
            return items
        token = page.next_token
        between_pages()


def test_every_item_comes_exactly_once(stage: Stage) -> None:
    """Pages add up to the corpus; the root is not in it."""
    files = [stage.file(f"{number}.txt") for number in range(95)]
    listed = _read(_lister(stage), stage.alice, _ALL)
    assert sorted(item.id for item in listed) == sorted(file.id for file in files)


def test_what_stays_comes_exactly_once_though_others_come_and_go(stage: Stage) -> None:
    """Edits between pages neither hide nor repeat an item that stays where it is."""
    folder = stage.folder()
    files = [stage.file(f"{number}.txt") for number in range(60)]
    passing = [stage.file(f"passing {number}.txt") for number in range(30)]

    def edit() -> None:
        stage.file("new")
        delete(stage.world, passing.pop())
        move(stage.world, passing.pop(), stage.alice, folder)

    listed = [item.id for item in _read(_lister(stage), stage.alice, _ALL, edit)]
    assert len(listed) == len(set(listed))
    assert {file.id for file in files} <= set(listed)


def test_a_page_is_the_last_one_only_without_a_token(stage: Stage) -> None:
    """Pages cut short, empty ones among them, still lead on."""
    for number in range(50):
        stage.file(f"{number}.txt")
    rules = ListingRules(short_page_probability=1.0)
    token, count, lengths = None, 0, set()
    while True:
        page = _lister(stage, rules).page(stage.alice, replace(_ALL, page_size=page_length(rules, 10)), token)
        count += len(page.items)
        lengths.add(len(page.items))
        if page.next_token is None:
            break
        token = page.next_token
    assert count == 50
    assert min(lengths) < 10


def test_pages_with_parents_or_permissions_are_capped() -> None:
    """460 items with parents, a hundred with permissions, whatever was asked for."""
    rules = ListingRules()
    assert page_length(rules, 1_000) == 1_000
    assert page_length(rules, 1_000, parents=True) == 460
    assert page_length(rules, 1_000, parents=True, permissions=True) == 100


@pytest.mark.parametrize(
    "other",
    [
        replace(_ALL, q="trashed=false"),
        replace(_ALL, order_by="name"),
        replace(_ALL, include_all=True),
        replace(_ALL, corpora="domain"),
    ],
)
def test_a_token_is_bound_to_its_query(stage: Stage, other: Listing) -> None:
    """With anything but the page size changed a token is refused."""
    for number in range(20):
        stage.file(f"{number}.txt")
    lister = _lister(stage)
    token = lister.page(stage.alice, _ALL, None).next_token
    assert lister.page(stage.alice, replace(_ALL, page_size=3), token).items
    with pytest.raises(ApiError) as refusal:
        lister.page(stage.alice, other, token)
    assert (refusal.value.status, refusal.value.reason, refusal.value.location) == (400, "invalid", "pageToken")


@pytest.mark.parametrize("junk", ["", "junk", "~!!~", "~!!~%%%", "~!!~AAAA", "12345"])
def test_junk_is_no_token(stage: Stage, junk: str) -> None:
    """What was never given out is 400 `invalid` at pageToken."""
    with pytest.raises(ApiError) as refusal:
        _lister(stage).page(stage.alice, _ALL, junk)
    assert (refusal.value.status, refusal.value.reason, refusal.value.location) == (400, "invalid", "pageToken")


def test_tokens_expire(stage: Stage) -> None:
    """After its life a token is refused; until then it holds."""
    for number in range(30):
        stage.file(f"{number}.txt")
    lister = _lister(stage, ListingRules(token_life_s=60))
    token = lister.page(stage.alice, _ALL, None).next_token
    stage.clock.advance(59)
    assert lister.page(stage.alice, _ALL, token).items
    stage.clock.advance(2)
    with pytest.raises(ApiError) as refusal:
        lister.page(stage.alice, _ALL, token)
    assert refusal.value.location == "pageToken"


def test_an_order_holds_over_pages(stage: Stage) -> None:
    """With orderBy the pages follow the order, and what was deleted meanwhile is left out."""
    files = [stage.file(f"{number:02d}.txt") for number in range(25)]
    listing = replace(_ALL, order_by="name desc")
    gone = files[3]

    def edit() -> None:
        if gone.id in stage.world.items:
            delete(stage.world, gone)

    names = [item.name for item in _read(_lister(stage), stage.alice, listing, edit)]
    assert names == sorted((file.name for file in files if file is not gone), reverse=True)


def test_a_folder_is_listed_by_its_children(stage: Stage) -> None:
    """`'X' in parents` gives what is directly in it; 'root' is one's own."""
    folder = stage.folder()
    inside = stage.file("inside", folder)
    top = stage.file("top")
    lister = _lister(stage)
    assert _read(lister, stage.alice, replace(_ALL, q=f"'{folder.id}' in parents")) == [inside]
    assert set(_read(lister, stage.alice, replace(_ALL, q="'root' in parents"))) == {folder, top}
    assert _read(lister, stage.bob, replace(_ALL, q=f"'{folder.id}' in parents")) == []


def test_the_user_corpus_is_my_drive_and_what_is_shared(stage: Stage) -> None:
    """Items of shared drives come in only by name, if asked for, and not to members, who have the drive's listing."""
    drive = create_drive(stage.world, stage.alice, "Team")
    in_drive = stage.file("in drive", drive.root)
    mine, shared = stage.file("mine", by=stage.bob), stage.file("shared")
    share(stage.world, shared, stage.alice, stage.bob, "reader")
    share(stage.world, in_drive, stage.alice, stage.bob, "reader")
    lister = _lister(stage)
    everything = replace(_ALL, include_all=True)
    assert set(_read(lister, stage.bob, _ALL)) == {mine, shared}
    assert set(_read(lister, stage.bob, everything)) == {mine, shared, in_drive}
    share(stage.world, drive.root, stage.alice, stage.bob, "reader")
    assert set(_read(lister, stage.bob, everything)) == {mine, shared}
    of_drive = replace(everything, corpora="drive", drive_id=drive.id)
    assert _read(lister, stage.bob, of_drive) == [in_drive]


def test_all_drives_can_be_incomplete(stage: Stage) -> None:
    """corpora=allDrives has everything, unless the search is incomplete, which it then says."""
    drive = create_drive(stage.world, stage.alice, "Team")
    files = [stage.file(f"{number}", drive.root if number % 2 else None) for number in range(60)]
    listing = replace(_ALL, corpora="allDrives", include_all=True, page_size=1_000)
    whole = _lister(stage).page(stage.alice, listing, None)
    assert (set(whole.items), whole.incomplete) == (set(files), False)
    partial = _lister(stage, ListingRules(incomplete_all_drives=True)).page(stage.alice, listing, None)
    assert partial.incomplete
    assert set(partial.items) < set(files)


# Newest first, which is what the worker asks for.

_NEWEST_FIRST = replace(_ALL, order_by="modifiedTime desc")


def _aged(stage: Stage, ages_s: Collection[float]) -> list[Item]:
    """Files that were last modified so long ago."""
    now_ms = stage.world.now_ms()
    files = [stage.file(f"{number}.txt") for number, _ in enumerate(ages_s)]
    for file, age_s in zip(files, ages_s, strict=True):
        touch(stage.world, file, stage.alice, modified_ms=now_ms - int(age_s * 1000))
    return files


def test_newest_first_every_item_comes_once_in_order(stage: Stage) -> None:
    """Also those of one time, whatever the pages' length."""
    _aged(stage, [number % 7 for number in range(60)])
    listed = _read(_lister(stage, ListingRules(short_page_probability=0.5)), stage.alice, _NEWEST_FIRST)
    assert len({item.id for item in listed}) == len(listed) == 60
    times = [item.modified_ms for item in listed]
    assert times == sorted(times, reverse=True)


def test_newest_first_within_a_range(stage: Stage) -> None:
    """From `>=` on and before `<`, as the same query finds it in no order."""
    stage.clock.advance(100 - stage.world.now_ms() / 1000 % 1)
    files = _aged(stage, range(50))
    since, until = (
        datetime.fromtimestamp(files[age].modified_ms / 1000, tz=UTC).isoformat().removesuffix("+00:00")
        for age in (40, 10)
    )
    q = f"modifiedTime >= '{since}' and modifiedTime < '{until}' and trashed = false"
    listed = _read(_lister(stage), stage.alice, replace(_NEWEST_FIRST, q=q))
    assert listed == files[11:41]
    assert set(listed) == set(_read(_lister(stage), stage.alice, replace(_ALL, q=q)))


def test_newest_first_what_stays_comes_once_though_others_are_modified(stage: Stage) -> None:
    """An item that is modified goes to its new place, which may be passed by then."""
    files = _aged(stage, range(80))
    passing = files[20:50]

    def edit() -> None:
        touch(stage.world, passing.pop(), stage.alice)
        touch(stage.world, passing.pop(), stage.alice, modified_ms=1_000)
        delete(stage.world, passing.pop())
        stage.file("new")

    listed = [item.id for item in _read(_lister(stage), stage.alice, _NEWEST_FIRST, edit)]
    stayed = [file.id for file in files[:20] + passing + files[50:]]
    assert [item_id for item_id in listed if item_id in set(stayed)] == stayed


def test_newest_first_any_number_of_listings_go_on_side_by_side(stage: Stage) -> None:
    """Their tokens hold no place in the simulator's memory."""
    _aged(stage, range(30))
    lister = _lister(stage)
    tokens = [lister.page(stage.alice, _NEWEST_FIRST, None).next_token for _ in range(200)]
    assert all(len(lister.page(stage.alice, _NEWEST_FIRST, token).items) == 10 for token in tokens)


def test_newest_first_a_later_page_costs_its_length(stage: Stage) -> None:
    """Only what it lists is looked at, not all of the corpus."""
    _aged(stage, range(3_000))
    looked_at = 0

    class Counting(Index[Item]):
        def __iter__(self) -> Iterator[Item]:
            nonlocal looked_at
            looked_at += len(self)
            return super().__iter__()

    counted = Counting()
    for item in stage.alice.index:
        counted.add(item)
    stage.alice.index = counted
    assert len(_read(_lister(stage), stage.alice, replace(_NEWEST_FIRST, page_size=100))) == 3_000
    assert looked_at == 3_000


def test_newest_first_over_folders_and_drives_is_one_order(stage: Stage) -> None:
    """Children of several folders, and corpora=allDrives, are merged."""
    drive = create_drive(stage.world, stage.alice, "Team")
    folder = stage.folder()
    places = [drive.root, folder, None]
    for number in range(45):
        stage.clock.advance(1)
        stage.file(str(number), places[number % 3])
    everywhere = replace(_NEWEST_FIRST, corpora="allDrives", include_all=True)
    names = [item.name for item in _read(_lister(stage), stage.alice, everywhere) if item is not folder]
    assert names == [str(number) for number in range(44, -1, -1)]
    of_two = replace(_NEWEST_FIRST, include_all=True, q=f"'{folder.id}' in parents or '{drive.id}' in parents")
    assert [item.name for item in _read(_lister(stage), stage.alice, of_two)] == [
        name for name in names if int(name) % 3 != 2
    ]


def test_the_order_can_be_ignored(stage: Stage) -> None:
    """By a rule: every item still comes exactly once, in the order of a listing that asks for none."""
    _aged(stage, [number * 7919 % 60 for number in range(60)])
    lister = _lister(stage, ListingRules(ignore_order=True))
    assert _read(lister, stage.alice, _NEWEST_FIRST) == _read(lister, stage.alice, _ALL)
