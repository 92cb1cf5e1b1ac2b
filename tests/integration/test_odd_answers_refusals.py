"""Refusals that are not about the thing asked for: nothing is lost, and the mirror becomes equal by itself.

Evidence that something is gone is a log's entry, or Google's own `notFound` for its id, said twice.
"""

import pytest

from support import oddities
from support.altering_proxy import BATCH, Alteration
from support.odd_drives import Estate, OddStage, is_listing, is_walk, side_by_side

pytestmark = pytest.mark.kafka

WITH_CONTENT = "sync_content = true"
REFUSALS = {"html": oddities.html(404), "json": oddities.not_found()}

refused = side_by_side(REFUSALS)


@refused
def test_one_404_of_each_call_loses_nothing(odd: OddStage, refusal: Alteration) -> None:
    """Of a batch, the drives, a start token, a log, and of listings of drives that are there."""
    estate = odd.mirrored(WITH_CONTENT)
    one, two, three = (each.id for each in estate.drives)
    rules = [
        odd.once(refusal, estate.match(BATCH)),
        odd.once(refusal, estate.match("drives.list")),
        odd.once(refusal, estate.match("changes.getStartPageToken", drive_id=one)),
        odd.once(refusal, estate.match("changes.list", drive_id=two)),
        odd.once(refusal, estate.match("files.list", drive_id=three, fits=is_listing)),
        odd.once(refusal, estate.match("files.list", query={"driveId": False}, fits=is_listing)),
    ]
    odd.close(estate)
    odd.wait_whole(estate)
    odd.assert_contents(estate)
    assert [rule.struck for rule in rules] == [1] * len(rules)


@refused
def test_one_404_of_a_files_calls_loses_nothing(odd: OddStage, refusal: Alteration) -> None:
    """Of its permissions, revisions, comments and contents, and of its look-up."""
    estate = odd.mirrored(WITH_CONTENT)
    files = estate.drives[0].files
    rules = [
        odd.once(refusal, estate.match("permissions.list", file_id=files[0])),
        odd.once(refusal, estate.match("revisions.list", file_id=files[1])),
        odd.once(refusal, estate.match("comments.list", file_id=files[2])),
    ]
    odd.close(estate)
    odd.wait_whole(estate)
    odd.assert_contents(estate)
    assert [rule.struck for rule in rules] == [1] * len(rules)


@refused
def test_one_404_below_chosen_folders_loses_nothing(odd: OddStage, refusal: Alteration) -> None:
    """Of the folder itself, and of its walk."""

    def folders(estate: Estate) -> str:
        return f"{WITH_CONTENT}\nfolder_ids = {[estate.own.folder, estate.drives[0].folder, estate.drives[1].folder]}"

    estate = odd.take(folders)
    assert odd.close(estate).status == "completed"
    held = odd.held_ids(estate)
    own, one, two = estate.own, estate.drives[0], estate.drives[1]
    assert len(held) > 3 * len((one.folder, *one.files[::2]))
    rules = [
        odd.once(refusal, estate.match("files.list", fits=lambda r: is_walk(r) and own.folder in r.query["q"])),
        odd.once(refusal, estate.match("files.list", fits=lambda r: is_walk(r) and one.folder in r.query["q"])),
        odd.once(refusal, estate.match("files.get", file_id=two.folder)),
    ]
    odd.close(estate)
    odd.wait_completed(estate)
    assert odd.held_ids(estate) == held
    assert odd.deleted(estate) == []
    assert [rule.struck for rule in rules] == [1] * len(rules)


@refused
def test_a_drive_that_can_not_be_listed_is_a_gap(odd: OddStage, refusal: Alteration) -> None:
    """For ever, while `drives.get` finds it: the others are whole, and what it held stays until it is listed again."""
    estate = odd.mirrored()
    one, *others = estate.drives
    rule = odd.alter(refusal, estate.match("files.list", drive_id=one.id))
    closed = odd.close(estate)
    assert (closed.status, closed.gap_ids()) == ("incomplete", {one.id})
    assert all(gap["scope"] and gap["code"] and gap["message"] for gap in closed.gaps)
    written = odd.written(estate, closed.sync_id)
    assert all(place.items <= written for place in (estate.own, *others))
    odd.assert_equal(estate)
    assert len(odd.errors(estate, one.id)) == len(closed.gaps)
    assert rule.struck < 40
    odd.heal(estate)
    assert [each.status for each in odd.closings(estate)] == ["completed", "incomplete", "completed"]


def test_a_drive_that_is_not_found_once_is_not_left(odd: OddStage) -> None:
    """Nor by `drives.get`, which is asked again later before it counts."""
    estate = odd.mirrored()
    one = estate.drives[0].id
    listing = odd.alter(oddities.not_found(), estate.match("files.list", drive_id=one), times=2)
    looked_up = odd.once(oddities.not_found(), estate.match("drives.get", drive_id=one))
    odd.close(estate)
    odd.wait_whole(estate)
    assert listing.struck == 2
    assert looked_up.struck <= 1


def test_parts_that_say_retry_are_retried(odd: OddStage) -> None:
    """A third of all parts of batches is refused by the soft limit, but none twice running: everything is there, and
    nothing is reported."""
    estate = odd.take()
    rules = [
        odd.alter(oddities.soft_limit(), estate.match(method, in_batch=True), share=1 / 3, lets_tries_through=True)
        for method in ("revisions.list", "comments.list", "permissions.list", "files.get")
    ]
    for _ in range(2):
        assert odd.close(estate).status == "completed"
        odd.assert_equal(estate)
    assert sum(rule.struck for rule in rules) > 20
    assert odd.errors(estate) == []


def test_contents_survive_what_front_doors_answer(odd: OddStage) -> None:
    """403 and 404 with HTML, 403 in Google's newer words, 413, and bytes that are compressed without being asked."""
    estate = odd.take(WITH_CONTENT)
    files = estate.own.files
    answers = [
        oddities.html(403),
        oddities.html(404),
        oddities.html(413),
        oddities.html(429),
        oddities.rpc_error(403, "RATE_LIMIT_EXCEEDED"),
        oddities.google_error(403, "unknownReason"),
    ]
    rules = [
        odd.once(answer, estate.match("files.get", file_id=file_id, query={"alt": "media"}))
        for answer, file_id in zip(answers, files, strict=False)
    ]
    documents = estate.own.documents
    rules += [
        odd.once(oddities.html(403), estate.match("files.export", file_id=documents[0])),
        odd.alter(oddities.gzip_anyway(), estate.match("files.get", file_id=files[6], query={"alt": "media"})),
        odd.alter(oddities.gzip_anyway(), estate.match("files.export", file_id=documents[1])),
    ]
    odd.close(estate)
    odd.wait_whole(estate)
    odd.assert_contents(estate)
    assert all(rule.struck for rule in rules)


def test_an_unknown_403_keeps_the_permissions(odd: OddStage) -> None:
    """Those of the file stay through a full sync, which names the gap; the others are whole."""
    estate = odd.mirrored()
    file_id = estate.drives[1].files[0]
    before = odd.held(estate, "permission", file_id)
    assert before
    odd.alter(oddities.google_error(403, "unknownReason"), estate.match("permissions.list", file_id=file_id))
    closed = odd.close(estate)
    assert (closed.status, closed.gap_ids()) == ("incomplete", {file_id})
    assert odd.held(estate, "permission", file_id) == before
    odd.assert_equal(estate)
    assert len(odd.errors(estate, file_id)) == 1
    odd.heal(estate)
