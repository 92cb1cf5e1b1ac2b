"""The fast way and the long way come to the same record, or the fast one leaves it to the long one."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.truth.items import visible_items
from google_drive_worker.domain.drive import FilesPage, UnreadableItem, read_file
from google_drive_worker.domain.lenient import UNREADABLE
from google_drive_worker.domain.listed import ListedPage
from google_drive_worker.domain.pages import read_files_page
from google_drive_worker.domain.record import ItemRecord
from google_drive_worker.normalization import transformer
from google_drive_worker.normalization.pages import decode_page
from unit.normalization.test_transformer import FILE

compiled = pytest.importorskip("google_drive_worker.normalization.fast_page", exc_type=ImportError)
fast_page: Callable[[bytes], ListedPage | None] = compiled.fast_page

USUAL = {
    name: value
    for name, value in FILE.items()
    if name not in {"properties", "appProperties", "contentRestrictions", "labelInfo"}
}


def page_of(*resources: bytes) -> bytes:
    """A page of those items."""
    return b'{"files":[' + b",".join(resources) + b"]}"


def fast_file(resource: bytes) -> ItemRecord | None:
    """What the fast way makes of it, on a page of its own, if it does."""
    page = fast_page(page_of(resource))
    if page is None:
        return None
    [listed] = page.listed
    return listed


def read_listed(resource: bytes) -> ItemRecord | UnreadableItem:
    """What a page with that item alone comes to."""
    [listed] = transformer.read_page(decode_page(page_of(resource)))
    return listed


def long_way(resource: bytes) -> ItemRecord | None:
    """What the transformer makes of it; `None` where it can't be read."""
    try:
        return transformer.transform_file(read_file(resource))
    except UNREADABLE:
        return None


def shown(listed: ItemRecord | UnreadableItem | None) -> Any:
    """All of it, to be compared: the data in its order, as a consumer reads it."""
    if not isinstance(listed, ItemRecord):
        return None
    data = json.loads(msgspec.json.encode(listed.data), object_pairs_hook=list)
    return msgspec.structs.asdict(listed) | {"data": data, "lossy": False}


def assert_same(resource: bytes) -> bool:
    """Fail where both have an answer and differ; say whether the fast way had one."""
    fast = fast_file(resource)
    if fast is None:
        return False
    assert shown(fast) == shown(long_way(resource))
    return True


def test_a_usual_file_with_every_usual_field_goes_the_fast_way() -> None:
    """And comes out the same, field by field and in order; a folder and a document too."""
    for mime_type in ("application/pdf", "application/vnd.google-apps.folder", "application/vnd.google-apps.document"):
        assert assert_same(json.dumps({**USUAL, "mimeType": mime_type}).encode())
        assert assert_same(json.dumps({**USUAL, "mimeType": mime_type}, indent=2, ensure_ascii=False).encode())


@pytest.mark.parametrize("version", ["0", "7", "1234567890", "9" * 18])
def test_a_files_version_is_read_the_fast_way(version: str) -> None:
    """As far as it has no more digits than go that way; without one there is none."""
    listed = fast_file(json.dumps({**USUAL, "version": version}).encode())
    assert listed is not None
    assert listed.version == int(version)
    without = fast_file(json.dumps({name: value for name, value in USUAL.items() if name != "version"}).encode())
    assert without is not None
    assert without.version is None


def test_nearly_every_file_of_a_drive_goes_the_fast_way() -> None:
    """The simulator's corpus has what Drives have: all but the rare is usual."""
    world = generate(CorpusPlan(files=600, shared_drives=2, users=3, seed=4))
    items = visible_items(world, next(iter(world.users.values())), include_trashed=True)
    went = [assert_same(json.dumps(item, ensure_ascii=False).encode()) for item in items.values()]
    assert sum(went) > 0.95 * len(went)


@pytest.mark.parametrize(
    "change",
    [
        {"properties": {"a": "b"}},
        {"contentRestrictions": [{"readOnly": True}]},
        {"labelInfo": {"labels": []}},
        {"size": "007"},
        {"size": 7},
        {"size": "99999999999999999999"},
        {"createdTime": "2025-02-29T00:00:00.000Z"},
        {"createdTime": "2025-01-01T00:00:00+01:00"},
        {"createdTime": "2025-01-01T24:00:00.000Z"},
        {"name": None},
        {"trashed": "true"},
        {"parents": ["a", 3]},
        {"owners": {"me": True}},
        {"capabilities": {"canEdit": "yes"}},
        {"capabilities": {"canÄndern": True}},
        {"id": 'a"b'},
        {"id": ""},
        {"version": "-1"},
        {"version": "9223372036854775807"},
    ],
)
def test_what_is_not_usual_goes_the_long_way(change: dict[str, object]) -> None:
    """There it becomes null, is left out or spoils its file, as the transformer has it."""
    resource = json.dumps({**USUAL, **change}).encode()
    assert fast_file(resource) is None
    assert shown(read_listed(resource)) == shown(long_way(resource))


@pytest.mark.parametrize("text", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\\ud800"])
def test_what_is_no_unicode_is_not_passed_on(text: bytes) -> None:
    """A consumer could not read the record: the long way puts U+FFFD in its place."""
    resource = json.dumps(USUAL).encode().replace(b"a description", text)
    assert fast_file(resource) is None
    listed = read_listed(resource)
    assert isinstance(listed, ItemRecord)
    assert set(json.loads(msgspec.json.encode(listed.data))["description"]) == {"\ufffd"}


def test_people_whose_names_are_no_unicode_stay_and_so_does_their_file() -> None:
    """What is nested is read last, and never loses its file."""
    resource = json.dumps(USUAL).encode().replace(b"Sharer", b"\xff")
    listed = read_listed(resource)
    assert isinstance(listed, ItemRecord)
    data = json.loads(msgspec.json.encode(listed.data))
    assert data["shared_by"]["display_name"] == "\ufffd"
    assert data["owners"]


@pytest.mark.parametrize(
    "text",
    [
        '{"id":"a","name":"n","mimeType":"m","lastModifyingUser":{"displayName":7,"displayName":"x"}}',
        '{"id":"a","name":"n","mimeType":"m","capabilities":{"canEdit":true,"canEdit":false}}',
        '{"id":"a","name":"n","mimeType":"m","capabilities":{"canEdit":true,"can_edit":false}}',
        '{"id":"a","name":"n","name":"o","mimeType":"m"}',
    ],
)
def test_names_that_come_twice_go_the_long_way(text: str) -> None:
    """No record has a name twice."""
    assert fast_file(text.encode()) is None


@settings(deadline=None, max_examples=500)
@given(
    st.sampled_from(["2025-01-15T10:00:00.000Z", "2024-02-29T23:59:59Z", "0001-01-01T00:00:00Z"]),
    st.lists(st.tuples(st.integers(0, 23), st.characters(max_codepoint=127)), max_size=3),
)
def test_a_time_that_is_changed_comes_to_the_same(time: str, changes: list[tuple[int, str]]) -> None:
    """Whichever of its characters are others: what is no time never passes for one."""
    letters = list(time)
    for at, letter in changes:
        letters[at % len(letters)] = letter
    resource = json.dumps({**USUAL, "createdTime": "".join(letters), "modifiedTime": "".join(letters)}).encode()
    assert_same(resource)


def test_what_many_files_share_is_told_apart() -> None:
    """Owners and capabilities that were seen before come out as they are now, however many there are of each."""
    for number in [*range(12), *range(12)]:
        owner = {"displayName": f"Owner {number}", "emailAddress": "x" * number, "me": number % 2 == 0}
        resource = json.dumps({**USUAL, "owners": [owner], "capabilities": {f"can{number}": True}}).encode()
        assert assert_same(resource)


def test_an_item_that_can_not_be_read_says_which_and_why() -> None:
    """It spoils nothing but itself."""
    item = read_listed(b'{"id":"a","name":"n","mimeType":7}')
    assert isinstance(item, UnreadableItem)
    assert item.id == "a"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**66)
    | st.text(max_size=12)
    | st.sampled_from(["2024-02-29T23:59:59.999Z", "2025-01-01T00:00:00Z", "12", "0", "\\u00e9", "application/pdf"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=600)
@given(
    st.dictionaries(st.sampled_from(sorted(FILE)) | st.text(max_size=5), VALUES, max_size=6),
    st.sets(st.sampled_from(sorted(set(FILE) - {"id", "name", "mimeType"})), max_size=12),
    st.booleans(),
)
@example({}, set(), False)
def test_any_file_comes_to_the_same(changes: dict[str, object], without: set[str], spaced: bool) -> None:
    """Whatever Google sends, in whatever form of JSON."""
    google = {name: value for name, value in USUAL.items() if name not in without} | changes
    resource = json.dumps(google, indent=1 if spaced else None, ensure_ascii=not spaced).encode()
    assert_same(resource)
    assert shown(read_listed(resource)) == shown(long_way(resource))


def person(name: str, *, me: bool = False) -> dict[str, object]:
    """One of a file's owners."""
    return {"displayName": name, "emailAddress": "a@example.com", "me": me}


@pytest.mark.parametrize("count", [63, 64, 65, 66, 500])
def test_any_number_of_capabilities_comes_to_the_same(count: int) -> None:
    """Also where there are more than the fast way has room for."""
    flags = {f"can{'A' * number}": number % 2 == 0 for number in range(1, count + 1)}
    assert assert_same(json.dumps({**USUAL, "capabilities": flags}).encode()) == (count <= 64)


@pytest.mark.parametrize("size", [20_000, 20_400, 20_481, 21_000, 100_000, 1_000_000])
def test_a_file_of_any_size_goes_the_fast_way(size: int) -> None:
    """Around the size of the buffer that is kept, and far beyond it; all capitals, of which each becomes two bytes."""
    assert assert_same(json.dumps({**USUAL, "description": "x" * size}).encode())
    assert_same(json.dumps({**USUAL, "capabilities": {f"can{'A' * size}": True}}).encode())


@pytest.mark.parametrize("count", [1, 1_023, 1_024, 1_025, 5_000])
def test_a_page_of_any_number_of_items_goes_the_fast_way(count: int) -> None:
    """Each is where it was, also those that are yet to be read."""
    items = [
        b'{"id":"%d","name":"n","mimeType":"m"%b}' % (n, b',"size":1' if n % 7 == 3 else b"") for n in range(count)
    ]
    assert assert_same_page(page_of(*items))
    page = fast_page(page_of(*items))
    assert page is not None
    assert list(map(bytes, page.files)) == items
    assert page.unread == tuple(range(3, count, 7))


@pytest.mark.parametrize("size", [900, 940, 1_000, 1_023, 1_024, 1_025, 3_000])
def test_people_of_any_length_are_told_apart(size: int) -> None:
    """Those that are remembered, those that are too long for it, and those that begin as others do or are cut."""
    for name in ("a" * size, "a" * size, "a" * size + "b", "a" * (size - 1)):
        whole = json.dumps({"id": "a", "name": "n", "mimeType": "m", "lastModifyingUser": person(name)}).encode()
        assert assert_same(whole)
        for cut in (1, 2, 3, 40, size):
            assert_same_page(b'{"files":[' + whole[:-cut])


@pytest.mark.parametrize("depth", [30, 31, 32, 33, 1_000, 300_000])
def test_brackets_of_any_depth_do_no_harm(depth: int) -> None:
    """Where they are too deep for the fast way msgspec decides."""
    nested = b"[" * depth + b"]" * depth
    fast = fast_page(page_of(b'{"id":"a","name":"n","mimeType":"m","x":' + nested + b"}"))
    assert (fast is not None) == (depth <= 32)
    assert fast_page(b'{"files":[],"x":' + b'{"a":' * depth) is None


def test_an_escaped_pair_is_one_character() -> None:
    """A half of one is left to msgspec, with its page."""
    assert assert_same(json.dumps({**USUAL, "name": "\U0001f600 \u00e9"}).encode())
    for half in ("\\ud83d", "\\ud83d\\u0041", "\\ude00\\ud83d", "\\ud83d\\ude0", "\\ud83dude00"):
        assert not assert_same(json.dumps(USUAL).encode().replace(b"a description", half.encode()))


def seen(page: FilesPage) -> Any:
    """All that the engine is told of a page."""
    files = [shown(item) or item for item in transformer.read_page(page)]
    return files, [bytes(raw) for raw in page.files], page.next_page_token, page.incomplete_search


def assert_same_page(body: bytes) -> bool:
    """Fail where the fast way takes what msgspec refuses, or makes something else of it; say whether it took it."""
    fast = fast_page(body)
    if fast is None:
        return False
    assert seen(fast) == seen(read_files_page(body))
    return True


TWO = page_of(
    json.dumps(USUAL).encode(), b'{"id":"b","name":"n","mimeType":"m","size":7,"new":[{"a":[1,-2.5e3,null]}]}'
)
WHOLE = b'{"kind":"drive#fileList","incompleteSearch":true,"nextPageToken":"~!!~next",' + TWO[1:]


@pytest.mark.parametrize(
    "body",
    [
        TWO,
        WHOLE,
        b' {\n"files" : [ ] , "nextPageToken":"a" }\r\n',
        b'{"files":[],"nextPageToken":""}',
        page_of(b"{}"),
        page_of(b"1"),
        WHOLE.replace(b",", b" ,\n "),
    ],
)
def test_a_usual_page_goes_the_fast_way(body: bytes) -> None:
    """With its token, whether the search was incomplete, and each item, also one that is yet to be read."""
    assert assert_same_page(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"kind":"drive#fileList"}',
        b'{"nextPageToken":"a"}',
        b"[]",
        b"null",
        b'{"files":[]',
        b'{"files":[]}]',
        b'{"files":[]}{}',
        b'{"files":[],}',
        b'{"files":[],"files":[]}',
        b'{"files":null}',
        b'{"files":{}}',
        b'{"files":[{}{}]}',
        b'{"files":[{},]}',
        b'{"files":[],"nextPageToken":null}',
        b'{"files":[],"nextPageToken":7}',
        b'{"files":[],"nextPageToken":"a","nextPageToken":"b"}',
        b'{"files":[],"nextPageToken":"\xff"}',
        b'{"files":[],"incompleteSearch":"true"}',
        b'{"files":[],"next\\u0050ageToken":"a"}',
        b'\xef\xbb\xbf{"files":[]}',
        b"{'files':[]}",
    ],
)
def test_a_page_that_is_not_usual_is_left_to_msgspec(body: bytes) -> None:
    """It says what is wrong with it, or reads it in its own way."""
    assert fast_page(body) is None


@pytest.mark.parametrize(
    "value",
    [
        *("01", "1.", ".5", "+1", "-", "1e", "1e+", "0x1", "NaN", "Infinity", "tru", "nul", "falsey", "True", "'a'"),
        *('"a', '"\t"', '"\\x"', '"\\u12"', '"\\u12g4"', '"\\ud800"', '"\\ud83d\\ude00"', '"\x7f"', "", " ", ",", ":"),
        *(
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1",
            "{}}",
            '{"a"}',
            '{"a":}',
            '{"a":1,}',
            "{a:1}",
            '{"a" 1}',
            "[}",
            "{]",
            '{"a":1 "b":2}',
        ),
        *(
            "-0",
            "-0.5E-7",
            "1e999",
            "[]",
            "[ ]",
            "{ }",
            '{"a":[{}]}',
            "[" * 31 + "]" * 31,
            "[" * 40 + "]" * 40,
            '"\\/\\b"',
        ),
    ],
)
@pytest.mark.parametrize(
    "place", ['{"id":"a","name":"n","mimeType":"m","x":%s}', '{"id":"a","name":%s,"mimeType":"m"}']
)
def test_whatever_stands_for_a_value_msgspec_takes_what_the_fast_way_takes(place: str, value: str) -> None:
    """Whether it stands where a field of ours is or where nobody looks."""
    assert_same_page(page_of((place % value).encode()))
    assert_same_page(b'{"files":[],"new":' + value.encode() + b"}")


@settings(deadline=None, max_examples=1500)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True),
            st.integers(0, 3),
            st.binary(max_size=3)
            | st.sampled_from([bytes([each]) for each in b'{}[],:"\\ \n\t019-+.eEtfnu\x00\x1f\x7f\x80\xff']),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_page_with_bytes_changed_comes_to_the_same_or_goes_the_long_way(
    changes: list[tuple[float, int, bytes]],
) -> None:
    """Wherever they are: what the fast way takes, msgspec takes, and they see the same in it."""
    body = WHOLE
    for place, cut, put in changes:
        at = int(place * len(body))
        body = body[:at] + put + body[at + cut :]
    assert_same_page(body)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_bytes_that_are_no_json_do_no_harm(noise: bytes, at: int) -> None:
    """Also where they end in the middle of anything."""
    assert_same_page(noise)
    assert_same_page(WHOLE[:at])
    assert_same_page(WHOLE[:at] + noise)
