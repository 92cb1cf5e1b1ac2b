"""Odd elements: what is senseless in one is dropped, one without an id is one record, and the others are all there."""

import pytest

from support import oddities
from support.altering_proxy import Alteration, Request
from support.odd_drives import OddStage, Place, is_listing
from support.oddities import HALF_A_PAIR, Edit, given, lacking, odd_element, replaced_by, within

pytestmark = pytest.mark.kafka


def test_what_is_senseless_is_dropped(odd: OddStage) -> None:
    """Of revisions, comments, permissions, files and drives: the rest of each record stays, the sync is complete."""
    estate = odd.take()
    own, one = estate.own, estate.drives[0]
    edits: list[tuple[str, str, Edit]] = [
        ("revisions.list", own.files[0], given(size="-1")),
        ("revisions.list", own.files[1], given(size="")),
        ("revisions.list", own.files[2], given(keepForever=None, lastModifyingUser=None)),
        ("comments.list", own.files[3], given(replies=None)),
        ("comments.list", own.files[4], given(content=HALF_A_PAIR)),
        ("comments.list", own.files[5], given(author=None)),
        ("permissions.list", one.files[0], given(permissionDetails=None, expirationTime="")),
        ("permissions.list", one.files[1], given(deleted=None, displayName=HALF_A_PAIR)),
    ]
    rules = [
        odd.alter(odd_element(edit), estate.match(method, file_id=file_id, fits=_first_page))
        for method, file_id, edit in edits
    ]
    of_files = (
        (own.files[6], given(capabilities=None)),
        (own.files[7], given(name=HALF_A_PAIR)),
        (own.documents[0], within("capabilities", given(canEdit=None))),
        (own.documents[1], given(quotaBytesUsed="-1", viewedByMeTime="", starred=None)),
    )
    for file_id, edit in of_files:  # a page is altered by one rule alone
        rules.append(odd.alter(odd_element(edit, file_id), estate.match("files.get", file_id=file_id)))
    every = _all_of(*((edit, file_id) for file_id, edit in of_files))
    rules.append(odd.alter(every, estate.match("files.list", query={"driveId": False}, fits=is_listing)))
    rules.append(odd.alter(odd_element(within("capabilities", given(canEdit=None))), estate.match("drives.list")))
    closed = odd.close(estate)
    assert (closed.status, closed.gaps) == ("completed", ())
    assert odd.errors(estate) == []
    for place in estate.places:
        _assert_all_there(odd, estate.connection_id, place)
    assert odd.name(estate, own.files[6]) == "file 6.txt"
    assert all(rule.struck for rule in rules if rule.match.method != "files.get")
    (revision,) = odd.held(estate, "revision", own.files[0]).values()
    assert (revision.size_bytes, revision.modified_at is not None) == (None, True)
    (comment,) = odd.held(estate, "comment", own.files[3]).values()
    assert comment.content == "What of 3?"
    odd.proxy.clear(estate.email)
    assert odd.close(estate).status == "completed"
    odd.assert_equal(estate)


def test_an_element_without_an_id_is_one_record(odd: OddStage) -> None:
    """A revision, a comment, a permission, a file, a drive, or something else in its place: a gap that is filled."""
    estate = odd.mirrored()
    own, (one, two, three) = estate.own, estate.drives
    nameless = lacking("id")
    rules = [
        odd.alter(odd_element(nameless), estate.match("revisions.list", file_id=own.files[0])),
        odd.alter(odd_element(nameless), estate.match("comments.list", file_id=own.files[1])),
        odd.alter(odd_element(lacking("role")), estate.match("permissions.list", file_id=one.files[0])),
        odd.alter(odd_element(nameless), estate.match("permissions.list", file_id=one.files[1])),
        odd.alter(odd_element(replaced_by(7)), estate.match("revisions.list", file_id=own.files[2])),
        odd.alter(
            odd_element(within("permissions", nameless), own.files[3]),
            estate.match("files.list", query={"driveId": False}, fits=is_listing),
        ),
        odd.alter(odd_element(nameless, two.files[0]), estate.match("files.list", drive_id=two.id, fits=is_listing)),
        odd.alter(
            odd_element(replaced_by(None), three.files[0]),
            estate.match("files.list", drive_id=three.id, fits=is_listing),
        ),
    ]
    closed = odd.close(estate)
    assert closed.status == "incomplete"
    assert closed.gap_ids() >= {own.files[0], own.files[1], one.files[0], one.files[1], own.files[2], own.files[3]}
    assert odd.codes(estate).count("unreadable_item") == len(rules)
    assert set(odd.codes(estate)) == {"unreadable_item"}
    for place in estate.places:
        _assert_all_there(odd, estate.connection_id, place)
    odd.assert_equal(estate)
    odd.heal(estate)


def test_a_reply_without_an_id_costs_itself(odd: OddStage) -> None:
    """The comment stays, with its other replies, and so do the other comments."""
    estate = odd.mirrored()
    file_id = estate.drives[2].files[1]
    odd.alter(odd_element(within("replies", lacking("id"))), estate.match("comments.list", file_id=file_id))
    odd.close(estate)
    (comment,) = odd.held(estate, "comment", file_id).values()
    assert comment.content == "What of 1?"
    assert odd.codes(estate) == ["unreadable_item"]
    odd.assert_equal(estate)
    odd.heal(estate)


def test_an_unknown_type_is_no_trouble(odd: OddStage) -> None:
    """Of a grantee, of a role, of a file, and of a change: they are told as they come, or left out, one by one."""
    estate = odd.mirrored()
    one, two = estate.drives[:2]
    rules = [
        odd.alter(odd_element(given(type="alien")), estate.match("permissions.list", file_id=one.files[0])),
        odd.alter(odd_element(given(role="juggler")), estate.match("permissions.list", file_id=one.files[1])),
        odd.alter(
            odd_element(given(mimeType="application/vnd.google-apps.hologram"), two.files[1]),
            estate.match("files.list", drive_id=two.id, fits=is_listing),
        ),
    ]
    odd.close(estate)
    assert all(rule.struck for rule in rules)
    assert set(odd.codes(estate)) <= {"unreadable_item"}
    for place in estate.places:
        _assert_all_there(odd, estate.connection_id, place)
    odd.proxy.clear(estate.email)
    odd.close(estate)
    odd.wait_whole(estate)


def test_odd_entries_of_a_log_cost_themselves(odd: OddStage) -> None:
    """Entries that can't be read are asked for again; the others of the page are applied at once."""
    estate = odd.mirrored()
    one = estate.drives[0]
    odd.rename(estate, *one.files)
    rule = odd.alter(odd_element(lacking("id"), one.files[0]), estate.match("changes.list", drive_id=one.id))
    odd.sync(estate, "incremental")
    assert rule.struck
    assert [odd.name(estate, file_id) for file_id in one.files[1:]] == ["renamed"] * (len(one.files) - 1)
    assert set(odd.codes(estate)) <= {"unreadable_item"}
    odd.proxy.clear(estate.email)
    odd.wait_until(lambda: odd.name(estate, one.files[0]) == "renamed", "the odd entry")
    odd.stage.settle(estate.connection_id)
    odd.assert_equal(estate)


def _first_page(request: Request) -> bool:
    return "pageToken" not in request.query


def _all_of(*edits: tuple[Edit, str]) -> Alteration:
    """The edits of several elements of one page."""

    def change(_: Request, page: oddities.Element) -> None:
        wanted = {item_id: edit for edit, item_id in edits}
        for element in oddities.elements_of(page) or ():
            if element["id"] in wanted:
                wanted[element["id"]](element)

    return oddities.changed(change)


def _assert_all_there(odd: OddStage, connection_id: str, place: Place) -> None:
    """Fail where the mirror lacks an item of the place."""
    kinds = ("file", "folder")
    held = {each.resource_id for kind in kinds for each in odd.stage.mirror.held(connection_id, kind)}
    assert place.items <= held
