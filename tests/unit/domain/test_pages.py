"""The pages of Google's lists: what is one, and that an element that can't be read costs itself alone."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from google_drive_worker.domain.details import Comment, Reply, Revision
from google_drive_worker.domain.drive import DriveFile, FilesPage, SharedDrive, UnreadableItem, odd_in, read_file
from google_drive_worker.domain.ids import DriveId, FileId
from google_drive_worker.domain.lenient import UNREADABLE
from google_drive_worker.domain.pages import (
    LOST_AT_MOST,
    read_changes_page,
    read_comments_page,
    read_drives_page,
    read_files_page,
    read_permissions_page,
    read_revisions_page,
    read_start_page_token,
    read_times,
)
from google_drive_worker.domain.sharing import Permission, read_sharing
from google_drive_worker.normalization import transformer
from google_drive_worker.normalization.pages import decode_page
from google_drive_worker.normalization.transformer import read_page

READERS: dict[str, list[Callable[[bytes], Any]]] = {
    "files": [read_files_page, decode_page],
    "changes": [read_changes_page],
    "drives": [read_drives_page],
    "permissions": [read_permissions_page],
    "revisions": [read_revisions_page],
    "comments": [read_comments_page],
}
PAIRS = [(what, reader) for what, readers in READERS.items() for reader in readers]


def sent(**fields: object) -> bytes:
    """A page as Google sends it."""
    return json.dumps(fields).encode()


def page_of(what: str, elements: object, **more: object) -> bytes:
    """A page of a list."""
    return sent(**{what: elements, **({"newStartPageToken": "s"} if what == "changes" else {}), **more})


@pytest.mark.parametrize(("what", "read"), [*PAIRS, ("files", read_times)])
@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"null", b"", b'{"kind":"x"}', b'{"nextPageToken":"a","newStartPageToken":"b"}', b"<html>"]
)
def test_an_answer_without_its_list_is_no_page(what: str, read: Callable[[bytes], Any], body: bytes) -> None:
    """An empty one is not taken for it, and null or an object for no list either."""
    for answer in (body, page_of(what, None), page_of(what, {}), page_of(what, 7)):
        with pytest.raises(UNREADABLE):
            read(answer)


@pytest.mark.parametrize(("what", "read"), PAIRS)
def test_an_empty_token_is_none(what: str, read: Callable[[bytes], Any]) -> None:
    """Whichever way the page goes; one of another type is a bad answer."""
    for elements in ([], [None]):
        assert read(page_of(what, elements, nextPageToken="")).next_page_token is None
        assert read(page_of(what, elements, nextPageToken=None)).next_page_token is None
        assert read(page_of(what, elements, nextPageToken="two")).next_page_token == "two"
        with pytest.raises(UNREADABLE):
            read(page_of(what, elements, nextPageToken=7))


def test_a_page_of_changes_leads_somewhere() -> None:
    """With neither token, or empty ones, it is a bad answer."""
    assert read_changes_page(sent(changes=[], newStartPageToken="s")).new_start_page_token == "s"
    assert read_changes_page(sent(changes=[], nextPageToken="n", newStartPageToken="")).new_start_page_token is None
    for tokens in (
        {},
        {"nextPageToken": ""},
        {"newStartPageToken": ""},
        {"nextPageToken": "", "newStartPageToken": ""},
    ):
        with pytest.raises(msgspec.ValidationError):
            read_changes_page(sent(changes=[], **tokens))


def test_a_start_token_is_not_empty() -> None:
    """Nor missing, nor of another type."""
    assert read_start_page_token(b'{"startPageToken":"7"}') == "7"
    for body in (b"{}", b'{"startPageToken":""}', b'{"startPageToken":null}', b'{"startPageToken":7}'):
        with pytest.raises(msgspec.ValidationError):
            read_start_page_token(body)


@pytest.mark.parametrize("read", READERS["files"])
def test_a_search_is_complete_only_where_google_says_so(read: Callable[[bytes], Any]) -> None:
    """What is no yes or no proves nothing; without a word of it, it is complete."""
    for elements in ([], [None]):
        assert read(page_of("files", elements)).incomplete_search is False
        for complete in (False, None):
            assert read(page_of("files", elements, incompleteSearch=complete)).incomplete_search is False
        others: list[object] = [True, "true", "false", 1, 0, {}, []]
        for other in others:
            assert read(page_of("files", elements, incompleteSearch=other)).incomplete_search is True


def test_an_incomplete_search_proves_no_order() -> None:
    """The times of one are not told; an odd one among others is left out."""
    assert read_times(page_of("files", [{"modifiedTime": "a"}, {"modifiedTime": 5}, None, {"modifiedTime": "b"}])) == (
        "a",
        "b",
    )
    assert read_times(page_of("files", [{"modifiedTime": "a"}], incompleteSearch=True)) == ()


def test_an_element_without_id_stands_among_the_others_as_unreadable() -> None:
    """In every list; what else is odd of an element costs no more than that."""
    revisions = read_revisions_page(page_of("revisions", [{"id": "1", "size": "-1"}, {"size": "5"}, {"id": "2"}])).items
    assert revisions[::2] == (Revision("1", lossy=True), Revision("2"))
    comments = read_comments_page(
        page_of("comments", [{"id": "1", "replies": None}, {"content": "x"}, {"id": "2"}])
    ).items
    assert comments[::2] == (Comment("1", lossy=True), Comment("2"))
    drives = read_drives_page(
        page_of("drives", [{"id": "1"}, 7, {"id": "2", "capabilities": {"canEdit": None}}])
    ).drives
    assert drives[::2] == (SharedDrive(DriveId("1")), SharedDrive(DriveId("2"), capabilities={}, lossy=True))
    files = tuple(
        read_files_page(page_of("files", [{"id": "1"}, {"id": ""}, {"id": "2", "headRevisionId": 5}])).items()
    )
    assert files[::2] == (DriveFile(FileId("1")), DriveFile(FileId("2"), lossy=True))
    for elements in (revisions, comments, drives, files):
        [odd] = odd_in(elements)
        assert odd.id is None
        assert elements[1] is odd


def test_a_permission_without_a_role_is_unreadable_and_has_its_id() -> None:
    """It is no permission without one; without a type it is, and is read again."""
    sent_ones = [
        {"id": "1", "role": "reader"},
        {"id": "2"},
        {"id": "3", "role": 5},
        {"role": "reader"},
        {"id": "4", "role": ""},
    ]
    found = read_permissions_page(page_of("permissions", sent_ones)).items
    assert found[0] == Permission("1", role="reader", lossy=True)
    assert [each.id for each in odd_in(found)] == ["2", "3", None, "4"]
    alone = read_permissions_page(page_of("permissions", sent_ones[:2])).items
    assert odd_in(alone) == [found[1]]


def test_a_reply_without_id_stands_beside_its_comment_as_unreadable() -> None:
    """Under the comment's id."""
    page = read_comments_page(page_of("comments", [{"id": "c", "replies": [{"id": "r"}, {}]}, {"id": "d"}]))
    comment, odd, other = page.items
    assert (comment, other) == (Comment("c", replies=(Reply("r"),), lossy=True), Comment("d"))
    assert isinstance(odd, UnreadableItem)
    assert odd.id == "c"


def test_many_lost_replies_are_counted() -> None:
    """The first few are told one by one; the comment is taken apart once for all of them."""
    replies = [{"content": "x" * 50}] * 5_000
    comment, *told = read_comments_page(page_of("comments", [{"id": "c", "replies": replies}])).items
    assert comment == Comment("c", lossy=True)
    assert {each.id for each in odd_in(told)} == {"c"}
    assert len(odd_in(told)) == LOST_AT_MOST + 1
    assert odd_in(told)[-1].problem == f"{5_000 - LOST_AT_MOST} more elements of it are left out"


@pytest.mark.parametrize("trashed", ["true", "false", 1])
def test_a_file_is_in_the_trash_for_all_readers_or_for_none(trashed: object) -> None:
    """In quotes too: the same resource is read for its record and for its permissions."""
    resource = sent(id="f", trashed=trashed)
    [file] = decode_page(page_of("files", [json.loads(resource)])).items()
    sharing = read_sharing(resource)
    assert isinstance(file, DriveFile)
    assert sharing is not None
    assert file.trashed == sharing.trashed == read_file(resource).trashed == (trashed != "false")


@pytest.mark.parametrize("read", [read_files_page, decode_page])
def test_a_file_whose_place_makes_no_sense_keeps_its_id(read: Callable[[bytes], FilesPage]) -> None:
    """An element whose `trashed` cannot be read stays on the page under its id, so that it can be asked for."""
    odd, other = read(page_of("files", [{"id": "1", "trashed": 7}, {"id": "2"}])).items()
    assert isinstance(odd, UnreadableItem)
    assert odd.id == "1"
    assert other == DriveFile(FileId("2"))


@pytest.mark.parametrize("half", ["\\ud800", "\\udc00", "\\ud800x", "\\uDBFF\\ud83d\\ude00"])
def test_half_of_a_surrogate_pair_costs_one_character(half: str) -> None:
    """Of one name: nothing else of its page, and its record is JSON in UTF-8."""
    body = b'{"files":[{"id":"a","name":"x%b","owners":[{"displayName":"%b"}]},{"id":"b","name":"\\\\ud800"}]}'
    body = body.replace(b"%b", half.encode())
    for page in (read_files_page(body), decode_page(body)):
        first, second = page.items()
        assert isinstance(first, DriveFile)
        assert isinstance(second, DriveFile)
        assert first.name.startswith("x\ufffd")
        assert second.name == "\\ud800"
        for listed in read_page(page):
            assert not isinstance(listed, UnreadableItem)
            assert json.loads(bytes(msgspec.json.encode(listed.data)).decode())["id"] == listed.resource_id
        data = json.loads(msgspec.json.encode(transformer.transform_file(first).data))
        assert data["owners"][0]["display_name"].startswith("\ufffd")
    comments = b'{"comments":[{"id":"c","content":"%b"},{"id":"d"}]}'.replace(b"%b", half.encode())
    comment, other = read_comments_page(comments).items
    assert isinstance(comment, Comment)
    assert (comment.content or "").startswith("\ufffd")
    assert other == Comment("d")


GOOD: dict[str, dict[str, object]] = {
    "files": {"id": "good", "mimeType": "m"},
    "drives": {"id": "good", "name": "n"},
    "permissions": {"id": "good", "role": "reader"},
    "revisions": {"id": "good", "size": "5"},
    "comments": {"id": "good", "replies": [{"id": "r"}]},
}
NOISE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "size", "replies", "role", "name", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from([(what, read) for what, read in PAIRS if what != "changes"]),
    st.lists(NOISE | st.none().map(lambda _: "good"), max_size=5),
)
def test_any_odd_element_leaves_the_others_as_they_are(
    pair: tuple[str, Callable[[bytes], Any]], noise: list[object]
) -> None:
    """Whatever stands beside them, and however much of it."""
    what, read = pair
    good = GOOD[what]
    elements = [good, *(good if each == "good" else each for each in noise), good]

    def items_of(body: bytes) -> list[object]:
        page = read(body)
        if read in {read_files_page, decode_page}:
            return list(page.items())
        return list(page.files if what == "files" else page.drives if what == "drives" else page.items)

    [alone] = items_of(page_of(what, [good]))
    found = items_of(page_of(what, elements))
    assert len(found) >= len(elements)
    assert found[0] == found[-1] == alone
    assert sum(each == alone for each in found) >= sum(each is good for each in elements)
