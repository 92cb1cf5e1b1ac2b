"""What a file must tell to be searched and sorted, and the predicate that a query makes over it."""

import re
from collections.abc import Callable
from typing import Protocol

from drive_simulator.api.query import And, Comparison, Membership, Node, Not, Or, Property
from drive_simulator.model.items import Visibility

_WORDS = re.compile(r"\w+")


class Queryable(Protocol):
    """What a file must tell to be searched and sorted. Times are epoch milliseconds; emails are lower case."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def mime_type(self) -> str: ...  # noqa: D102
    @property
    def created_ms(self) -> int: ...  # noqa: D102
    @property
    def modified_ms(self) -> int: ...  # noqa: D102
    @property
    def trashed(self) -> bool:
        """Effective: the file or a folder above it was put into the trash."""
        ...

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of the folders that hold it; the drive's id at the top of a shared drive."""
        ...

    @property
    def quota_bytes_used(self) -> int: ...  # noqa: D102
    @property
    def target_id(self) -> str | None:
        """The file that a shortcut points to."""
        ...

    @property
    def properties(self) -> dict[str, str]: ...  # noqa: D102
    @property
    def app_properties(self) -> dict[str, str]: ...  # noqa: D102
    @property
    def visibility(self) -> Visibility: ...  # noqa: D102
    def full_text(self) -> str:
        """Name, description and what is known of the content."""
        ...

    def starred_by(self, viewer: str) -> bool: ...  # noqa: D102
    def viewed_ms(self, viewer: str) -> int | None: ...  # noqa: D102
    def modified_by_ms(self, viewer: str) -> int | None: ...  # noqa: D102
    def shared_with_ms(self, viewer: str) -> int | None:
        """When it was shared with the viewer; None where it is not in "Shared with me"."""
        ...

    def is_owner(self, email: str) -> bool: ...  # noqa: D102
    def is_writer(self, email: str) -> bool: ...  # noqa: D102
    def is_reader(self, email: str) -> bool: ...  # noqa: D102


Predicate = Callable[[Queryable], bool]


def matches(node: Node, item: Queryable, viewer: str, *, root_id: str | None = None) -> bool:
    """Whether `item` fits, as `viewer` sees it. For many items take `predicate` once."""
    return predicate(node, viewer, root_id=root_id)(item)


def predicate(node: Node, viewer: str, *, root_id: str | None = None) -> Predicate:
    """`matches` of a fixed tree and viewer. 'me' means the viewer, 'root' means `root_id` (the viewer's My Drive)."""
    match node:
        case And(operands=operands) | Or(operands=operands):
            tests = [predicate(n, viewer, root_id=root_id) for n in operands]
            if isinstance(node, And):
                return lambda item: all(test(item) for test in tests)
            return lambda item: any(test(item) for test in tests)
        case Not(operand=operand):
            test = predicate(operand, viewer, root_id=root_id)
            return lambda item: not test(item)
        case Membership():
            return _membership(node, viewer, root_id)
        case Property():
            return _property(node)
        case Comparison():
            return _comparison(node, viewer)


def _property(node: Property) -> Predicate:
    key, value = node.key, node.value
    if node.term == "properties":
        return lambda item: item.properties.get(key) == value
    return lambda item: item.app_properties.get(key) == value


def _membership(node: Membership, viewer: str, root_id: str | None) -> Predicate:
    if node.term == "parents":
        parent = root_id if node.value == "root" and root_id else node.value
        return lambda item: parent in item.parents
    email = viewer if node.value == "me" else node.value.lower()
    match node.term:
        case "owners":
            return lambda item: item.is_owner(email)
        case "writers":
            return lambda item: item.is_writer(email)
        case _:
            return lambda item: item.is_reader(email)


def _comparison(node: Comparison, viewer: str) -> Predicate:
    value = node.value
    if isinstance(value, bool):
        wanted = value if node.operator == "=" else not value
        return _boolean(node.term, wanted, viewer)
    if isinstance(value, int):
        return _time(node, value, viewer)
    if node.operator == "!=":
        equal = _text(node.term, "=", value)
        return lambda item: not equal(item)
    return _text(node.term, node.operator, value)


def _boolean(term: str, wanted: bool, viewer: str) -> Predicate:
    match term:
        case "trashed":
            return lambda item: item.trashed is wanted
        case "starred":
            return lambda item: item.starred_by(viewer) is wanted
        case _:
            return lambda item: (item.shared_with_ms(viewer) is not None) is wanted


def _time(node: Comparison, wanted: int, viewer: str) -> Predicate:
    compare = _COMPARE[node.operator]
    match node.term:
        case "modifiedTime":
            return lambda item: compare(item.modified_ms, wanted)
        case "createdTime":
            return lambda item: compare(item.created_ms, wanted)
        case "viewedByMeTime":
            return lambda item: (at := item.viewed_ms(viewer)) is not None and compare(at, wanted)
        case _:
            return lambda item: (at := item.shared_with_ms(viewer)) is not None and compare(at, wanted)


def _text(term: str, operator: str, value: str) -> Predicate:
    wanted = value.casefold()
    match term:
        case "name" if operator == "contains":
            prefixes = words(value)
            return lambda item: _prefixes_match(prefixes, item.name)
        case "name":
            return lambda item: item.name.casefold() == wanted
        case "fullText":
            needed = set(words(value))
            return lambda item: needed <= set(words(item.full_text()))
        case "mimeType":
            return _mime_type(operator, value)
        case "visibility":
            return lambda item: item.visibility == value
        case _:
            return lambda item: item.target_id == value


def _mime_type(operator: str, value: str) -> Predicate:
    if operator == "contains":
        return lambda item: value in item.mime_type
    return lambda item: item.mime_type == value


def words(text: str) -> list[str]:
    """The tokens that Drive indexes, folded: letters, digits and underscores."""
    return _WORDS.findall(text.casefold())


def _prefixes_match(prefixes: list[str], name: str) -> bool:
    """`name contains`: each word asked for begins a word of the name, so 'World' does not find HelloWorld."""
    indexed = words(name)
    return all(any(word.startswith(prefix) for word in indexed) for prefix in prefixes)


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
