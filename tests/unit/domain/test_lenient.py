"""What of a resource stays where some of it does not fit its type, and what makes all of it unreadable."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from google_drive_worker.domain.details import Comment, Reply, Revision
from google_drive_worker.domain.drive import (
    Change,
    DriveFile,
    SharedDrive,
    UnreadableItem,
    User,
    read_change,
    read_file,
    unreadable,
)
from google_drive_worker.domain.ids import DriveId, FileId
from google_drive_worker.domain.lenient import UNREADABLE, Reader, Resource, repaired
from google_drive_worker.domain.sharing import ItemSharing, Permission, PermissionDetail

FILE = {"id": "f", "name": "n", "mimeType": "m", "parents": ["p"], "trashed": False}


def sent(value: object) -> bytes:
    """As Google sends it."""
    return json.dumps(value).encode()


@pytest.mark.parametrize("size", ["-1", "", "9" * 5000, 1.5, "1.5", True, None, {}, []])
def test_a_number_that_makes_no_sense_is_dropped_and_its_revision_stays(size: object) -> None:
    """Whatever it is."""
    revision: Revision = Reader[Revision](Revision, strict=False).read(sent({"id": "r", "size": size, "mimeType": "m"}))
    expected = Revision("r", mime_type="m")
    assert msgspec.structs.replace(revision, size=None, lossy=False) == expected
    assert revision.lossy is (revision.size is None and size is not None)
    assert revision.size in {None, 1}  # msgspec takes `true` for 1 where quotes may stand round a number


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("starred", "perhaps", None),
        ("description", 5, None),
        ("parents", None, None),
        ("properties", {"a": None, "b": "c"}, {"b": "c"}),
        ("appProperties", [], None),
        ("spaces", ["drive", 7], ("drive",)),
        ("name", None, ""),
        ("permissionIds", 5, None),
        ("quotaBytesUsed", "x", None),
    ],
)
def test_a_value_that_makes_no_sense_is_dropped_and_its_file_stays(name: str, value: object, left: object) -> None:
    """Of a list or a map no more than what does not fit."""
    field = {info.encode_name: info.name for info in msgspec.structs.fields(DriveFile)}[name]
    is_lossy = name != "parents"  # which Google leaves null, too
    expected = msgspec.structs.replace(read_file(sent(FILE)), **{field: left}, lossy=is_lossy)
    assert read_file(sent({**FILE, name: value})) == expected


@pytest.mark.parametrize(
    "change", [{"mimeType": 7}, {"driveId": 7}, {"trashed": "perhaps"}, {"trashed": None}, {"parents": ["p", 3]}]
)
def test_a_file_whose_place_makes_no_sense_is_unreadable_with_its_id(change: dict[str, object]) -> None:
    """Whether it is to be written is not known; it can be asked for by its id."""
    raw = msgspec.Raw(sent({**FILE, **change, "modifiedTime": "2025-01-01T00:00:00Z", "size": "-1"}))
    with pytest.raises(msgspec.ValidationError, match=next(iter(change))) as caught:
        read_file(raw)
    item = unreadable(raw, caught.value)
    assert (item.id, item.modified_time) == ("f", "2025-01-01T00:00:00.000Z")
    assert next(iter(change)) in item.problem


@pytest.mark.parametrize("own", [{}, {"id": None}, {"id": 7}, {"id": ""}, {"id": ["f"]}])
@pytest.mark.parametrize("kind", [DriveFile, SharedDrive, Revision, Comment, Reply, Permission, ItemSharing])
def test_what_has_no_id_is_nothing(kind: type[Resource], own: dict[str, object]) -> None:
    """Of every kind."""
    with pytest.raises(msgspec.ValidationError):
        Reader[Any](kind).read(sent({"name": "n", **own}))


def test_one_null_capability_costs_itself() -> None:
    """In files, drives, restrictions."""
    odd = {"canComment": None, "canManageMembers": True, "canEdit": "x"}
    drive: SharedDrive = Reader[SharedDrive](SharedDrive).read(
        sent({"id": "d", "capabilities": odd, "restrictions": {"a": None, "b": True, "c": {"d": None, "e": False}}})
    )
    assert drive.capabilities == {"canManageMembers": True}
    assert drive.rights == ("canManageMembers",)
    assert drive.restrictions == {"b": True, "c": {"e": False}}
    assert Reader[dict[str, bool]](dict[str, bool]).read(sent(odd)) == {"canManageMembers": True}


def test_a_reply_without_id_is_lost_and_told_and_its_comment_stays() -> None:
    """With the other replies, and what makes sense of its author."""
    author = {"displayName": 7, "emailAddress": "a@x.org"}
    replies = [{"id": "r", "content": 5}, {"content": "lost"}, None]
    comment, lost = Reader[Comment](Comment).salvage(sent({"id": "c", "author": author, "replies": replies}))
    assert comment == Comment("c", author=User(email_address="a@x.org"), replies=(Reply("r"),), lossy=True)
    assert len(lost) == 2
    assert "id" in lost[0]
    nothings: list[object] = [None, 7, "x", {}]
    for nothing in nothings:
        found = Reader[Comment](Comment).read(sent({"id": "c", "replies": nothing}))
        assert found == Comment("c", lossy=True)


def test_a_comment_that_may_be_deleted_is_unreadable() -> None:
    """Whether it is written or deleted rests on that."""
    with pytest.raises(msgspec.ValidationError, match="deleted"):
        Reader[Comment](Comment).read(sent({"id": "c", "deleted": "perhaps"}))


def test_details_of_a_permission_that_make_no_sense_are_left_out() -> None:
    """The permission stays."""
    details = [{"role": "reader", "inherited": "perhaps"}, 7, {"role": 5, "inherited": True}]
    found: Permission = Reader[Permission](Permission).read(
        sent({"id": "p", "role": "reader", "type": None, "permissionDetails": details, "expirationTime": 5})
    )
    kept = (PermissionDetail(role="reader"), PermissionDetail(inherited=True))
    assert found == Permission("p", role="reader", permission_details=kept, lossy=True)


def test_a_change_whose_drive_can_not_be_read_is_unreadable() -> None:
    """Without the drive it would tell that the account has left it."""
    shown = {"changeType": "drive", "driveId": "d"}
    raw = msgspec.Raw(sent({**shown, "drive": {"name": "no id"}}))
    with pytest.raises(msgspec.ValidationError) as caught:
        read_change(raw)
    assert unreadable(raw, caught.value).id == "d"
    odd = {**shown, "time": 5, "drive": {"id": "d", "hidden": 7, "name": "n"}}
    shown_drive = SharedDrive(DriveId("d"), "n", lossy=True)
    assert read_change(sent(odd)) == Change("drive", drive_id=DriveId("d"), drive=shown_drive)


@pytest.mark.parametrize("odd", [{"removed": "perhaps"}, {"fileId": 7, "file": {"id": "f"}}, {"file": {"name": "n"}}])
def test_a_change_of_which_decisions_are_not_known_is_unreadable(odd: dict[str, object]) -> None:
    """It says which file it is of, where it does."""
    raw = msgspec.Raw(sent({"fileId": "f", **odd}))
    with pytest.raises(msgspec.ValidationError) as caught:
        read_change(raw)
    assert unreadable(raw, caught.value) == UnreadableItem(None if odd.get("fileId") == 7 else "f", str(caught.value))


@pytest.mark.parametrize("nameless", [{}, {"removed": True}, {"fileId": ""}, {"changeType": "drive", "fileId": "f"}])
def test_a_change_that_names_nothing_is_unreadable(nameless: dict[str, object]) -> None:
    """It is a change of something: to pass it by would lose it."""
    with pytest.raises(msgspec.ValidationError, match="it names no"):
        read_change(sent(nameless))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb"a\ud800b", "a\ufffdb"),
        (rb"\udc00", "\ufffd"),
        (rb"\ud800A", "\ufffdA"),
        (rb"\uD83D\uDE00", "\U0001f600"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (rb"\\ud800", r"\ud800"),
        (rb"\\\ud800", "\\\ufffd"),
        (rb"\"\ude00\"", '"\ufffd"'),
        (b"\xed\xa0\x80x", "\ufffd\ufffd\ufffdx"),
        (b"\xff", "\ufffd"),
        ("\u00e9".encode(), "\u00e9"),
    ],
)
def test_half_of_a_surrogate_pair_becomes_a_replacement_character(text: bytes, expected: str) -> None:
    """Escaped or not; whole pairs, and backslashes that only stand before such letters, stay."""
    name: str = msgspec.json.decode(repaired(b'"' + text + b'"'), type=str)
    assert name == expected


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)

WHOLE: dict[type[Resource], dict[str, object]] = {
    Revision: {"id": "r", "size": "7", "exportLinks": {"a": "b"}, "lastModifyingUser": {"displayName": "n"}},
    Comment: {
        "id": "c",
        "content": "x",
        "deleted": False,
        "author": {"me": True},
        "replies": [{"id": "r", "author": {"displayName": "n"}, "mentionedEmailAddresses": ["a"]}],
    },
    Permission: {"id": "p", "role": "reader", "type": "user", "permissionDetails": [{"role": "reader"}]},
    SharedDrive: {"id": "d", "name": "n", "capabilities": {"canEdit": True}, "restrictions": {"a": {"b": True}}},
    ItemSharing: {"id": "f", "parents": ["p"], "permissionIds": ["a"], "hasAugmentedPermissions": False},
}


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(list(WHOLE)), st.dictionaries(st.integers(0, 40), JSON, min_size=1, max_size=4))
def test_any_odd_value_costs_itself_alone(kind: type[Resource], odd: dict[int, object]) -> None:
    """All the other fields are as they would be without it, unless it is one that all rests on."""
    names = {info.encode_name: info for info in msgspec.structs.fields(kind)}
    changes = {list(names)[number % len(names)]: value for number, value in odd.items()}
    reader = Reader[Any](kind, strict=False)
    whole = reader.read(sent(WHOLE[kind]))
    try:
        found = reader.read(sent({**WHOLE[kind], **changes}))
    except UNREADABLE:
        assert any(names[name].required or names[name].name in kind.DECISIVE for name in changes)
        return
    for name, info in names.items():
        if name not in changes and info.name != "lossy":
            assert getattr(found, info.name) == getattr(whole, info.name)
    assert msgspec.json.decode(msgspec.json.encode(found), type=kind) == found


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from([info.encode_name for info in msgspec.structs.fields(DriveFile)]), JSON))
def test_any_file_with_an_id_is_read_unless_its_place_makes_no_sense(odd: dict[str, object]) -> None:
    """No other value loses it."""
    resource = sent({**FILE, **odd, "id": "f"})
    try:
        assert read_file(resource).id == FileId("f")
    except UNREADABLE:
        assert {"mimeType", "driveId", "trashed", "parents"} & odd.keys()


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60))
def test_anything_that_is_repaired_is_text_and_stays_so(noise: bytes) -> None:
    """And what is right already is not touched."""
    once = repaired(noise)
    once.decode()
    assert repaired(once) == once


@settings(deadline=None)
@given(JSON, st.booleans())
def test_what_is_right_is_not_touched(value: object, plain: bool) -> None:
    """Whatever its text."""
    text = json.dumps(value, ensure_ascii=plain).encode("utf-8", "replace")
    assert repaired(text) == text
