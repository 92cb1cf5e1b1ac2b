"""Listings that are not exhaustive: each leaves out, and repeats, items of its own.

Source: reported (tidyverse/googledrive #272, #277, #288, #303).
"""

from collections import Counter
from dataclasses import replace

import pytest

from drive_simulator.api.listing import Lister, Listing, ListingRules
from drive_simulator.model.consistency import Consistency
from drive_simulator.model.items import User
from drive_simulator.model.shared_drives import create_drive
from drive_simulator.truth.items import visible_items
from support.worlds import Stage

PLAIN = Listing(page_size=7)
NEWEST_FIRST = replace(PLAIN, order_by="modifiedTime desc")
BY_NAME = replace(PLAIN, order_by="name", page_size=100)
IN_NO_ORDER = ListingRules(ignore_order=True)
COUNT = 1_000


@pytest.fixture
def stage() -> Stage:
    """Alice and Bob with empty Drives."""
    return Stage()


def _read(lister: Lister, user: User, listing: Listing) -> Counter[str]:
    """How often each item comes in a whole listing; no page is longer than was asked for."""
    found: Counter[str] = Counter()
    token = None
    while True:
        page = lister.page(user, listing, token)
        assert len(page.items) <= listing.page_size
        found.update(item.id for item in page.items)
        token = page.next_token
        if token is None:
            return found


def _files(stage: Stage) -> set[str]:
    folder = stage.folder()
    for number in range(COUNT - 1):
        stage.file(f"{number}", folder if number % 2 else None)
        stage.clock.advance(1)
    return set(visible_items(stage.world, stage.alice))


@pytest.mark.parametrize(
    ("listing", "rules"), [(PLAIN, IN_NO_ORDER), (NEWEST_FIRST, ListingRules()), (BY_NAME, ListingRules())]
)
def test_a_listing_misses_a_share_and_the_next_one_others(stage: Stage, listing: Listing, rules: ListingRules) -> None:
    """What one leaves out another has, in whatever order; nothing that does not exist comes."""
    files = _files(stage)
    stage.world.consistency = Consistency(missed=0.05)
    lister = Lister(stage.world, rules)
    first, second = _read(lister, stage.alice, listing), _read(lister, stage.alice, listing)
    missed = files - set(first), files - set(second)
    assert set(first) | set(second) <= files
    assert all(25 < len(each) < 80 for each in missed)
    assert len(missed[0] & missed[1]) < 12
    assert set(first.values()) | set(second.values()) == {1}
    assert set(visible_items(stage.world, stage.alice)) == files


@pytest.mark.parametrize("page_size", [1, 7])
@pytest.mark.parametrize(
    ("listing", "rules"), [(PLAIN, IN_NO_ORDER), (NEWEST_FIRST, ListingRules()), (BY_NAME, ListingRules())]
)
def test_a_listing_repeats_a_share_and_the_next_one_others(
    stage: Stage, listing: Listing, rules: ListingRules, page_size: int
) -> None:
    """Twice, never more, on one page or where two meet; everything comes at least once."""
    files = _files(stage)
    stage.world.consistency = Consistency(repeated=0.05)
    lister = Lister(stage.world, rules)
    listing = replace(listing, page_size=page_size)
    first, second = _read(lister, stage.alice, listing), _read(lister, stage.alice, listing)
    assert first.keys() == second.keys() == files
    twice = [{item_id for item_id, count in each.items() if count == 2} for each in (first, second)]
    assert max(*first.values(), *second.values()) == 2
    assert all(25 < len(each) < 80 for each in twice)
    assert len(twice[0] & twice[1]) < 12


def test_the_order_holds_where_items_are_repeated(stage: Stage) -> None:
    """An item comes again right behind itself: by modifiedTime the listing still descends."""
    _files(stage)
    stage.world.consistency = Consistency(repeated=0.3)
    lister = Lister(stage.world, ListingRules())
    times, token = [], None
    while True:
        page = lister.page(stage.alice, NEWEST_FIRST, token)
        times += [item.modified_ms for item in page.items]
        token = page.next_token
        if token is None:
            break
    assert times == sorted(times, reverse=True)
    assert len(times) > COUNT * 1.2


def test_a_page_that_is_read_again_has_the_same_flaws(stage: Stage) -> None:
    """What a listing leaves out belongs to the listing, not to the moment: its tokens lead to the same items."""
    _files(stage)
    stage.world.consistency = Consistency(missed=0.2, repeated=0.2)
    lister = Lister(stage.world, ListingRules())
    token = lister.page(stage.alice, PLAIN, None).next_token
    pages = [[item.id for item in lister.page(stage.alice, PLAIN, token).items] for _ in range(3)]
    assert pages[0] == pages[1] == pages[2]


def test_listings_of_folders_and_drives_have_flaws_too(stage: Stage) -> None:
    """Queries by parent, and corpora=drive and allDrives."""
    drive = create_drive(stage.world, stage.alice, "Team")
    folder = stage.folder("Folder", drive.root)
    for number in range(200):
        stage.file(f"{number}", folder)
    stage.world.consistency = Consistency(missed=0.1, repeated=0.1)
    lister = Lister(stage.world, ListingRules())
    for listing in (
        replace(PLAIN, include_all=True, q=f"'{folder.id}' in parents"),
        replace(PLAIN, include_all=True, corpora="drive", drive_id=drive.id),
        replace(PLAIN, include_all=True, corpora="allDrives"),
    ):
        found = _read(lister, stage.alice, listing)
        assert 160 < len(found) < 198
        assert set(found.values()) == {1, 2}


def test_the_same_seed_has_the_same_flaws(stage: Stage) -> None:
    """They are drawn from the world's seed."""
    other = Stage()
    found = []
    for each in (stage, other):
        _files(each)
        each.world.consistency = Consistency(missed=0.1, repeated=0.1)
        lister = Lister(each.world, ListingRules())
        found.append([_read(lister, each.alice, PLAIN) for _ in range(2)])
    assert found[0] == found[1]


def test_a_listing_goes_on_when_flaws_are_switched_on_or_off(stage: Stage) -> None:
    """Its token stays good; a listing that began without flaws ends without them."""
    files = _files(stage)
    lister = Lister(stage.world, ListingRules())
    token = lister.page(stage.alice, PLAIN, None).next_token
    stage.world.consistency = Consistency(missed=1.0)
    assert len(lister.page(stage.alice, replace(PLAIN, page_size=COUNT), token).items) == len(files) - 7
    stage.world.consistency = Consistency(missed=0.5)
    token = lister.page(stage.alice, PLAIN, None).next_token
    stage.world.consistency = Consistency()
    assert len(lister.page(stage.alice, PLAIN, token).items) == 7
