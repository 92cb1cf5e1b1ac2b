"""Drive's query language: what it understands, what it refuses and what it finds."""

from dataclasses import dataclass, field

import pytest

from drive_simulator.api.errors import ApiError
from drive_simulator.api.order_by import parse_order_by, sort
from drive_simulator.api.query import (
    MAX_DEPTH,
    MAX_TERMS,
    And,
    Comparison,
    Membership,
    Not,
    Or,
    parse_query,
    required_parent,
)
from drive_simulator.api.search import matches
from drive_simulator.model.items import Visibility

ME = "me@example.com"
FOLDER = "application/vnd.google-apps.folder"


@dataclass
class Item:
    """A file as the searches see it."""

    name: str = "Quarterly Report.pdf"
    mime_type: str = "application/pdf"
    created_ms: int = 1_700_000_000_000
    modified_ms: int = 1_700_000_000_000
    trashed: bool = False
    parents: tuple[str, ...] = ("folder-1",)
    quota_bytes_used: int = 0
    target_id: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    app_properties: dict[str, str] = field(default_factory=dict)
    visibility: Visibility = "limited"
    starred: bool = False
    shared_ms: int | None = None
    viewed: int | None = None

    def full_text(self) -> str:
        return self.name

    def starred_by(self, viewer: str) -> bool:
        return self.starred and viewer == ME

    def viewed_ms(self, viewer: str) -> int | None:
        return self.viewed

    def modified_by_ms(self, viewer: str) -> int | None:
        return None

    def shared_with_ms(self, viewer: str) -> int | None:
        return self.shared_ms

    def is_owner(self, email: str) -> bool:
        return email == ME

    def is_writer(self, email: str) -> bool:
        return email in {ME, "writer@example.com"}

    def is_reader(self, email: str) -> bool:
        return True


def found(q: str, item: Item) -> bool:
    """Whether `q` finds the item for ME."""
    return matches(parse_query(q), item, ME, root_id="root-of-me")


@pytest.mark.parametrize(
    "q",
    [
        "name = 'quarterly report.PDF'",
        "name contains 'quart'",
        "name contains 'report quarter'",
        "not name contains 'eport'",
        "name != 'x' and mimeType = 'application/pdf'",
        "mimeType contains 'application/'",
        "mimeType != 'application/vnd.google-apps.folder'",
        "modifiedTime > '2012-06-04T12:00:00'",
        "modifiedTime <= '2023-11-14T22:13:20Z'",
        "createdTime = '2023-11-14T23:13:20+01:00'",
        "createdTime >= '2023-11-14'",
        "not viewedByMeTime > '2012-06-04T12:00:00'",
        "trashed = false and starred=false",
        "trashed != true",
        "'folder-1' in parents",
        "not 'root' in parents",
        "'me' in owners and 'Writer@example.com' in writers and 'x@example.com' in readers",
        "visibility = 'limited'",
        "fullText contains 'report'",
        "not properties has { key='a' and value='b' }",
        "not shortcutDetails.targetId = 'x'",
        "  ( trashed = false )  ",
        "not (trashed)",
        "not starred",
        "()",
        "() and trashed = false",
    ],
)
def test_finds_what_the_guide_says(q: str) -> None:
    """Each term of Drive's guide finds the item that it describes."""
    assert found(q, Item())


def test_and_and_or_go_from_left_to_right() -> None:
    """Without parentheses Google evaluates from the left: `a or b and c` is `(a or b) and c`."""
    assert not found("trashed = false or starred = true and starred = true", Item())
    assert found("trashed = false or (starred = true and starred = true)", Item())


def test_quotes_and_backslashes_are_escaped() -> None:
    r"""`\'` and `\\` stand for themselves inside a value."""
    assert found(r"name = 'it\'s a \\ name'", Item(name="it's a \\ name"))


def test_root_is_the_callers_my_drive() -> None:
    """'root' in parents means the viewer's own root."""
    assert found("'root' in parents", Item(parents=("root-of-me",)))


def test_properties_are_looked_up_by_key_and_value() -> None:
    """A custom property is found by its key and value, private ones apart from public ones."""
    item = Item(properties={"a": "b"})
    assert found("properties has { key='a' and value='b' }", item)
    assert not found("appProperties has { key='a' and value='b' }", item)


def test_chains_are_flat() -> None:
    """A long chain of the same operator is one node, so nothing nests with its length."""
    node = parse_query(" or ".join(f"'p{n}' in parents" for n in range(MAX_TERMS)))
    assert isinstance(node, Or)
    assert len(node.operands) == MAX_TERMS


def test_tree_of_a_query() -> None:
    """The tree is made of plain values, so it can be compared and inspected."""
    assert parse_query("not trashed = true and 'x' in parents") == And(
        (Not(Comparison("trashed", "=", True)), Membership("x", "parents"))
    )


@pytest.mark.parametrize(
    "q",
    [
        "",
        "name",
        "name =",
        "name = x",
        "name > 'x'",
        "foo = 'x'",
        "'x' in",
        "'x' in name",
        "trashed = 'maybe'",
        "(",
        ")",
        "not",
        "sharedWithMe = false",
        "sharedWithMe != true",
        "not sharedWithMe",
        "not (sharedWithMe = true)",
        "name = 'x",
        "name = 'x' and",
        "and",
        "name = 'x' name = 'y'",
        "modifiedTime > 'yesterday'",
        "§",
        "trashed = 1",
    ],
)
def test_refuses_as_google_does(q: str) -> None:
    """What can't be read is 400 `invalid` at `q`."""
    with pytest.raises(ApiError) as caught:
        parse_query(q)
    assert (caught.value.status, caught.value.reason, caught.value.location) == (400, "invalid", "q")


@pytest.mark.parametrize(
    "q",
    [
        "(" * (MAX_DEPTH + 2) + "trashed=true" + ")" * (MAX_DEPTH + 2),
        "not " * (MAX_DEPTH + 2) + "trashed=true",
        " or ".join(["trashed=true"] * (MAX_TERMS + 1)),
        " and trashed=true or ".join(["trashed=true"] * 100),
        "name = '" + "x" * 30_000 + "'",
    ],
)
def test_is_bounded(q: str) -> None:
    """Depth, terms and length are bounded."""
    with pytest.raises(ApiError, match="too complex"):
        parse_query(q)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("'a' in parents and trashed = false", {"a"}),
        ("'a' in parents or 'b' in parents", {"a", "b"}),
        ("('a' in parents or 'b' in parents) and 'root' in parents", {"me"}),
        ("'a' in parents or trashed = true", None),
        ("not 'a' in parents", None),
        ("trashed = false", None),
    ],
)
def test_tells_the_parents_a_match_must_have(q: str, expected: set[str] | None) -> None:
    """The index hint is never too narrow."""
    hint = required_parent(parse_query(q), root_id="me")
    assert (None if hint is None else set(hint)) == expected


def test_sorts_by_several_keys() -> None:
    """Folders first, then by natural name: 2 comes before 10."""
    items = [Item("f10"), Item("f2"), Item("z", mime_type=FOLDER), Item("F1")]
    sort(items, parse_order_by("folder,name_natural"), ME)
    assert [item.name for item in items] == ["z", "F1", "f2", "f10"]


def test_sorts_descending() -> None:
    """`desc` turns one key around."""
    items = [Item("a", modified_ms=1), Item("b", modified_ms=3), Item("c", modified_ms=2)]
    sort(items, parse_order_by("modifiedTime desc"), ME)
    assert [item.name for item in items] == ["b", "c", "a"]


@pytest.mark.parametrize("text", ["size", "name,,", ",", "name desc desc", ",".join(["name"] * 21)])
def test_refuses_unknown_sort_keys(text: str) -> None:
    """An unknown key is 400 at `orderBy`."""
    with pytest.raises(ApiError) as caught:
        parse_order_by(text)
    assert caught.value.location == "orderBy"


def test_every_sort_key_works() -> None:
    """Each key of the reference sorts without complaint."""
    keys = "createdTime,folder,modifiedByMeTime,modifiedTime,name,name_natural,quotaBytesUsed"
    keys += ",recency,sharedWithMeTime,starred,viewedByMeTime"
    items = [Item("a", viewed=5, shared_ms=4), Item("b")]
    sort(items, parse_order_by(keys), ME)
    assert len(items) == 2
