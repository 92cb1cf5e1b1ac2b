"""Trouble and triggers that take a sync's time: passes go on, full syncs start over, no rest is without sense."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from drive_simulator.model.item_changes import create, create_shortcut
from drive_simulator.model.items import WORKSPACE_PREFIX
from drive_simulator.model.world import World
from support import oddities
from support.odd_drives import OddStage, is_listing, odd_stage, side_by_side
from support.topics import Topics

pytestmark = pytest.mark.kafka

TRIGGER_EVERY_S = 0.1
CHANGES_TAKE_S = 0.25
NOT_DISCUSSED = ("form", "site", "map")
AT_MOST = 10
LONGER_THAN_RETRIES_S = "4"
ABSURD = (
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -1200",
    "99999999999999999999",
    "-1",
    "soon",
    "",
)


def test_frequent_triggers_do_not_starve_the_passes(topics: Topics, tmp_path: Path) -> None:
    """Triggers come faster than incremental syncs end: the full sync's revisions and comments come as well."""
    with odd_stage(topics, tmp_path, 1, {"GDRIVE_MAX_CONCURRENT_LISTINGS": "2"}) as odd:
        estate = odd.take()
        odd.alter(oddities.delayed(CHANGES_TAKE_S), estate.match("changes.list"))
        odd.stage.trigger(estate.connection_id, "full_sync")
        last_s = monotonic()

        def is_closed() -> bool:
            nonlocal last_s
            if monotonic() - last_s >= TRIGGER_EVERY_S:
                odd.stage.trigger(estate.connection_id)
                last_s = monotonic()
            return bool(odd.closings(estate))

        odd.wait_until(is_closed, "the end of the full sync")
        odd.proxy.clear(estate.email)
        odd.stage.settle(estate.connection_id)
        assert odd.closings(estate)[-1].status == "completed"
        odd.assert_equal(estate)


def _with_gaps(odd: OddStage) -> None:
    """With an id of its own; the one before is not completed afterwards."""
    estate = odd.mirrored()
    odd.alter(oddities.google_error(403, "unknownReason"), estate.match("files.list", drive_id=estate.drives[0].id))
    first = odd.close(estate)
    second = odd.close(estate)
    assert first.status == second.status == "incomplete"
    assert first.sync_id < second.sync_id
    odd.heal(estate)
    assert [each.sync_id for each in odd.closings(estate)[1:]] == [first.sync_id, second.sync_id, second.sync_id]


def _parked(odd: OddStage) -> None:
    """When its rest is over it does not go on: it opens once more, with another id."""
    estate = odd.mirrored()
    rule = odd.alter(oddities.retry_after(LONGER_THAN_RETRIES_S), estate.match("*"))
    odd.stage.trigger(estate.connection_id, "full_sync")
    odd.wait_until(lambda: bool(odd.stage.state(estate.connection_id).get("parked")), "a rest")
    parked = odd.opened(estate)[-1]
    rule.off()
    odd.stage.trigger(estate.connection_id, "full_sync")
    odd.wait_until(lambda: odd.opened(estate)[-1] != parked, "another full sync")
    odd.wait_whole(estate)


@side_by_side({"where there are gaps": _with_gaps, "while one is parked": _parked})
def test_a_full_sync_starts_over(odd: OddStage, case: Callable[[OddStage], None]) -> None:
    """Where the one before has left gaps, and where it rests."""
    case(odd)


@side_by_side({f"Retry-After: {when}": when for when in ABSURD})
def test_an_absurd_retry_after_is_none(odd: OddStage, when: str) -> None:
    """Of a list and of a file: the sync goes on in the usual time."""
    estate = odd.take()
    rules = [
        odd.once(oddities.retry_after(when), estate.match("files.list", drive_id=estate.drives[0].id)),
        odd.once(oddities.retry_after(when, 429), estate.match("comments.list", file_id=estate.own.files[0])),
    ]
    odd.close(estate)
    odd.wait_whole(estate)
    assert [rule.struck for rule in rules] == [1, 1]


def test_pages_that_fail_are_tried_smaller(odd: OddStage) -> None:
    """500 for every page above a size, of a listing and a log: the mirror is equal all the same."""
    estate = odd.mirrored()
    one, _, three = (each.id for each in estate.drives)
    rules = [
        odd.alter(oddities.refused_above(AT_MOST), estate.match("files.list", drive_id=one, fits=is_listing)),
        odd.alter(oddities.refused_above(AT_MOST), estate.match("changes.list", drive_id=three)),
    ]
    odd.close(estate)
    odd.wait_whole(estate)
    odd.rename(estate, *estate.drives[2].files)
    odd.sync(estate, "incremental")
    odd.assert_equal(estate)
    assert all(rule.struck for rule in rules)


def test_what_has_no_comments_is_not_asked_for_them(odd: OddStage) -> None:
    """Maps, forms and sites, folders and shortcuts: neither for comments nor for revisions."""
    estate = odd.take()

    def add(world: World) -> set[str]:
        user = world.user(estate.email)
        made = [create(world, user, kind, WORKSPACE_PREFIX + kind) for kind in NOT_DISCUSSED]
        made.append(create_shortcut(world, user, "shortcut", world.items[estate.own.files[0]]))
        return {each.id for each in made} | {each.folder for each in estate.places}

    without = odd.stage.simulator.apply(add)
    assert odd.close(estate).status == "completed"
    asked = Counter(
        each.method_id for each in odd.proxy.requests(estate.match("*", file_id=without)) if each.file_id in without
    )
    assert asked["comments.list"] == 0
    assert asked["revisions.list"] == 0
    assert odd.errors(estate) == []
