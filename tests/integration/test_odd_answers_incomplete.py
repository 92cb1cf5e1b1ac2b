"""Answers that are not the whole: searches that Google calls incomplete, pages that are none, tokens without progress.

A full sync that has a gap closes `incomplete` and names it; the gap is filled by itself.
"""

import pytest

from support import oddities
from support.altering_proxy import Rule
from support.odd_drives import Estate, OddStage, is_listing, is_walk, side_by_side

pytestmark = pytest.mark.kafka

WITH_CONTENT = "sync_content = true"
MOST_REQUESTS = 60
"""Far fewer than an endless list makes in some seconds, and more than a bounded one with its retries."""

circles = side_by_side({f"length {length}": length for length in (1, 2, 3)})


def test_an_incomplete_search_is_a_gap(odd: OddStage) -> None:
    """It is named, nothing is deleted, and it is filled by itself."""
    estate = odd.mirrored(WITH_CONTENT)
    listed = estate.drives[0].id
    rule = odd.alter(oddities.incomplete_search(), estate.match("files.list", drive_id=listed, fits=is_listing))
    closed = odd.close(estate)
    assert (closed.status, closed.gap_ids()) == ("incomplete", {listed})
    assert rule.struck
    odd.assert_equal(estate)
    assert {each["resource"]["id"] for each in odd.errors(estate)} >= closed.gap_ids()
    odd.heal(estate)
    odd.assert_contents(estate)


def test_an_incomplete_search_of_the_user_is_a_gap(odd: OddStage) -> None:
    """What the search leaves out stays, and a first full sync does not say that it is complete either."""
    estate = odd.take()
    odd.alter(oddities.incomplete_search(), estate.match("files.list", query={"driveId": False}, fits=is_listing))
    for _ in range(2):
        closed = odd.close(estate)
        assert closed.status == "incomplete"
        assert closed.gaps
    odd.heal(estate)


def test_an_incomplete_walk_is_a_gap(odd: OddStage) -> None:
    """Below chosen folders too."""

    def folders(estate: Estate) -> str:
        return f"folder_ids = {[estate.own.folder, estate.drives[0].folder]}"

    estate = odd.take(folders)
    assert odd.close(estate).status == "completed"
    held = odd.held_ids(estate)
    folder_id = estate.drives[0].folder
    odd.alter(
        oddities.incomplete_search(),
        estate.match("files.list", fits=lambda each: is_walk(each) and folder_id in each.query["q"]),
    )
    closed = odd.close(estate)
    assert (closed.status, closed.gap_ids()) == ("incomplete", {folder_id})
    assert odd.held_ids(estate) == held
    odd.proxy.clear(estate.email)
    odd.wait_completed(estate)
    assert odd.held_ids(estate) == held
    assert odd.deleted(estate) == []


def test_a_page_that_is_none_is_asked_for_again(odd: OddStage) -> None:
    """`{}`, or a page without its elements, once for each list: the sync is complete, and nothing is lost."""
    estate = odd.mirrored(WITH_CONTENT)
    one, two, three = estate.drives
    nothing = oddities.empty_object()
    rules = [
        odd.once(nothing, estate.match("drives.list")),
        odd.once(nothing, estate.match("changes.getStartPageToken", drive_id=one.id)),
        odd.once(nothing, estate.match("files.list", drive_id=one.id, fits=is_listing)),
        odd.once(oddities.without_key("files"), estate.match("files.list", drive_id=two.id, fits=is_listing)),
        odd.once(nothing, estate.match("changes.list", drive_id=one.id)),
        odd.once(oddities.without_key("changes"), estate.match("changes.list", drive_id=two.id)),
        odd.once(
            oddities.without_key("nextPageToken", "newStartPageToken"),
            estate.match("changes.list", drive_id=three.id),
        ),
        odd.once(nothing, estate.match("permissions.list", file_id=one.files[0])),
        odd.once(nothing, estate.match("revisions.list", file_id=one.files[1])),
        odd.once(nothing, estate.match("comments.list", file_id=one.files[2])),
    ]
    assert odd.close(estate).status == "completed"
    assert [rule.struck for rule in rules] == [1] * len(rules)
    odd.assert_equal(estate)
    odd.assert_contents(estate)


@circles
def test_tokens_that_lead_in_circles_end_their_lists(odd: OddStage, length: int) -> None:
    """Of files, permissions, revisions and comments: few requests, and an error each."""
    estate = odd.mirrored()
    one, _, three = estate.drives
    around = oddities.token_cycle(length)
    rules = [
        odd.alter(around, estate.match("files.list", drive_id=one.id, fits=is_listing)),
        odd.alter(around, estate.match("permissions.list", file_id=three.files[0])),
        odd.alter(around, estate.match("revisions.list", file_id=three.files[1])),
        odd.alter(around, estate.match("comments.list", file_id=estate.own.files[2])),
    ]
    closed = odd.close(estate)
    assert closed.status == "incomplete"
    assert closed.gap_ids() >= {one.id, three.files[0], three.files[1], estate.own.files[2]}
    assert odd.codes(estate).count("page_token_stuck") >= len(rules)
    _assert_few(*rules)
    odd.assert_equal(estate)
    odd.heal(estate)


@circles
def test_tokens_of_the_drives_lead_in_circles(odd: OddStage, length: int) -> None:
    """The drives that are known stay, and are mirrored."""
    estate = odd.mirrored()
    rule = odd.alter(oddities.token_cycle(length), estate.match("drives.list"))
    odd.stage.trigger(estate.connection_id, "full_sync")
    odd.wait_until(lambda: "page_token_stuck" in odd.codes(estate), "an error record")
    _assert_few(rule)
    odd.assert_equal(estate)
    odd.heal(estate)


@circles
def test_tokens_of_logs_lead_in_circles(odd: OddStage, length: int) -> None:
    """Of one drive's log: other logs are followed, and this one once it can be."""
    estate = odd.mirrored()
    one, two = estate.drives[:2]
    rule = odd.alter(oddities.token_cycle(length), estate.match("changes.list", drive_id=one.id))
    odd.rename(estate, one.files[0], two.files[0])
    odd.stage.trigger(estate.connection_id)
    odd.wait_until(lambda: "page_token_stuck" in odd.codes(estate), "an error record")
    odd.wait_until(lambda: odd.name(estate, two.files[0]) == "renamed", "the other drive's log")
    _assert_few(rule)
    odd.proxy.clear(estate.email)
    odd.wait_until(lambda: odd.name(estate, one.files[0]) == "renamed", "the log itself")
    odd.stage.settle(estate.connection_id)
    odd.assert_equal(estate)


def test_an_empty_token_is_none(odd: OddStage) -> None:
    """In all lists, of a full sync and of an incremental one."""
    estate = odd.take()
    rules = [
        odd.alter(oddities.empty_token(), estate.match(f"{name}.list"))
        for name in ("files", "changes", "drives", "permissions", "revisions", "comments")
    ]
    assert odd.close(estate).status == "completed"
    odd.rename(estate, estate.own.files[0])
    odd.sync(estate, "incremental")
    odd.assert_equal(estate)
    assert odd.errors(estate) == []
    assert all(rule.struck for rule in rules)
    assert not odd.proxy.requests(estate.match("*", query={"pageToken": ""}))


def _assert_few(*rules: Rule) -> None:
    for rule in rules:
        assert 0 < rule.struck <= MOST_REQUESTS, f"{rule.struck} requests that fit {rule.match}"
