"""Odd JSON in answers that are a success: lists that are missing, tokens that lead nowhere, elements that fit no type.

What is dropped of an element without costing it is a field that nothing compares, or is noted in `blurred`: nobody
would ask for it again.
"""

import random
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

Page = dict[str, object]

_LISTS = {
    "files.list": "files",
    "changes.list": "changes",
    "drives.list": "drives",
    "permissions.list": "permissions",
    "revisions.list": "revisions",
    "comments.list": "comments",
}

_HALF = "@half@"
"""Stands for half a surrogate pair until the page is encoded, which Python does to no such text."""


class Asked(NamedTuple):
    """A call: its name, the ids that it is about, its parameters, and the listing that it reads at which token."""

    call: str
    ids: tuple[str, ...]
    parameters: dict[str, str]
    listing: str
    token: str | None

    @property
    def is_json(self) -> bool:
        """Whether a success is JSON."""
        return self.call in _LISTS or self.call in {"files.get", "drives.get", "changes.getStartPageToken"}

    @property
    def list_name(self) -> str:
        """The field that holds the elements; empty where the answer is one resource."""
        return _LISTS.get(self.call, "")


Alter = Callable[[Asked, Page, random.Random, list[str], set[str]], Page]


@dataclass(frozen=True, slots=True)
class PageOddity:
    """One way for a page to be odd: where it fits, and what it makes of the page."""

    name: str
    fits: Callable[[Asked, Page], bool]
    make: Alter

    def alter(self, asked: Asked, page: Page, die: random.Random, tokens: list[str], blurred: set[str]) -> bytes:
        """The odd page's body; `tokens` are those that this listing was asked with before."""
        return _encoded(self.make(asked, page, die, tokens, blurred))


def _encoded(page: Page) -> bytes:
    return msgspec.json.encode(page).replace(_HALF.encode(), b"\\ud83d")


def with_senseless_files(page: Page, file_ids: Container[str]) -> bytes | None:
    """The page with senseless values in these files' resources, which can do without; `None` where it has none."""
    lists = [page.get("files"), page.get("changes"), [page]]
    elements = [each for found in lists if isinstance(found, list) for each in found if isinstance(each, dict)]
    files = [each["file"] if isinstance(each.get("file"), dict) else each for each in elements]
    found = [file for file in files if file.get("id") in file_ids]
    for file in found:
        file.update(description=_HALF, starred="perhaps", capabilities={"canEdit": None, "canFly": "yes"})
    return _encoded(page) if found else None


def _is_list(asked: Asked, page: Page) -> bool:
    return asked.list_name in page


def _has_elements(asked: Asked, page: Page) -> bool:
    return bool(page.get(asked.list_name))


def _nothing(*_: object) -> Page:
    return {}


def _without_list(asked: Asked, page: Page, *_: object) -> Page:
    return {name: value for name, value in page.items() if name != asked.list_name}


def _may_be_incomplete(asked: Asked, page: Page) -> bool:
    return asked.call == "files.list" and "incompleteSearch" in asked.parameters.get("fields", "")


def _incomplete(asked: Asked, page: Page, die: random.Random, *_: object) -> Page:
    kept = [each for each in _elements(asked, page) if die.random() < 0.7]
    return {**page, "files": kept, "incompleteSearch": True}


def _is_asked_with_token(asked: Asked, page: Page) -> bool:
    return asked.token is not None and asked.list_name in page


def _stuck(asked: Asked, page: Page, *_: object) -> Page:
    return {**_without_end(page), "nextPageToken": asked.token}


def _cycle(asked: Asked, page: Page, die: random.Random, tokens: list[str], *_: object) -> Page:
    return {**_without_end(page), "nextPageToken": die.choice(tokens) if tokens else asked.token}


def _without_end(page: Page) -> Page:
    return {name: value for name, value in page.items() if name != "newStartPageToken"}


def _is_last(asked: Asked, page: Page) -> bool:
    return asked.list_name in page and "nextPageToken" not in page


def _empty_token(_: Asked, page: Page, *__: object) -> Page:
    return {**page, "nextPageToken": ""}


def _reads_changes(asked: Asked, _: Page) -> bool:
    return asked.call == "changes.list"


def _no_token(_: Asked, page: Page, *__: object) -> Page:
    return {name: value for name, value in page.items() if name not in {"nextPageToken", "newStartPageToken"}}


def _elements(asked: Asked, page: Page) -> list[object]:
    elements = page.get(asked.list_name)
    return list(elements) if isinstance(elements, list) else []


def _with_element(
    asked: Asked, page: Page, die: random.Random, blurred: set[str], change: Callable[[Page, random.Random], object]
) -> Page:
    del blurred
    elements = _elements(asked, page)
    at = die.randrange(len(elements))
    element = elements[at]
    elements[at] = change(dict(element), die) if isinstance(element, dict) else element
    return {**page, asked.list_name: elements}


def _odd_element(asked: Asked, page: Page, die: random.Random, _: list[str], blurred: set[str]) -> Page:
    """One element is none: it has no id, or a field that it can't do without is senseless."""
    return _with_element(asked, page, die, blurred, lambda element, die: die.choice(_RUINS)(element))


def _null(_: Page) -> object:
    return None


def _text(_: Page) -> object:
    return "unavailable"


def _without_id(element: Page) -> object:
    return {name: value for name, value in element.items() if name not in {"id", "fileId", "driveId"}}


def _wrong_types(element: Page) -> object:
    return {name: value if name in {"id", "fileId", "driveId"} else [[]] for name, value in element.items()}


_RUINS: tuple[Callable[[Page], object], ...] = (_null, _text, _without_id, _wrong_types)


def _odd_values(asked: Asked, page: Page, die: random.Random, _: list[str], blurred: set[str]) -> Page:
    """A value of one element is senseless, and the element can do without it."""
    found = [each for each in _elements(asked, page) if isinstance(each, dict)]
    if not found:
        return page
    _blur(die.choice(found), asked, die, blurred)
    return page


def _blur(element: Page, asked: Asked, die: random.Random, blurred: set[str]) -> None:
    """Change the element in place; that of a change is its file."""
    at: Page = element
    if isinstance(element.get("file"), dict):
        at = element["file"]  # type: ignore[assignment]
    choices = list(_values_of(at))
    if asked.call == "revisions.list":
        choices.append(("size", die.choice(("-1", "", "many"))))
    if not choices:
        return
    name, value = die.choice(choices)
    at[name] = value
    if name == "size":
        blurred.add(f"{asked.ids[0]}/{at.get('id')}")


def _values_of(element: Page) -> Iterator[tuple[str, object]]:
    """Senseless values of what the element has."""
    for name, odd in _SENSELESS.items():
        if name in element:
            yield name, odd
    if isinstance(element.get("capabilities"), dict):
        capabilities = dict(element["capabilities"])  # type: ignore[call-overload]
        yield "capabilities", {**capabilities, "canEdit": None, "canFly": "yes"}
    replies = element.get("replies")
    if isinstance(replies, list):
        yield "replies", None
        yield "replies", [*replies, {"content": "no id"}, None]
        yield "replies", [*replies, {"id": "odd", "action": "dance", "content": _HALF}]


_SENSELESS: dict[str, object] = {
    "description": _HALF,
    "originalFilename": _HALF,
    "displayName": _HALF,
    "htmlContent": _HALF,
    "starred": None,
    "owners": [None],
    "spaces": None,
    "quotaBytesUsed": "-5",
    "viewedByMeTime": "yesterday",
    "photoLink": None,
    "pendingOwner": "perhaps",
    "keepForever": None,
    "published": "often",
    "lastModifyingUser": None,
    "mentionedEmailAddresses": None,
    "quotedFileContent": [],
    "backgroundImageLink": 7,
    "restrictions": None,
}


def _has_inline_permissions(asked: Asked, page: Page) -> bool:
    return asked.call == "files.list" and any(
        isinstance(each, dict) and each.get("permissions") for each in _elements(asked, page)
    )


def _odd_permission(asked: Asked, page: Page, die: random.Random, *_: object) -> Page:
    """A permission inside of a file's resource has no id, or no role."""
    files = [each for each in _elements(asked, page) if isinstance(each, dict) and each.get("permissions")]
    file = die.choice(files)
    die.choice(file["permissions"]).pop(die.choice(("id", "role", "type")), None)
    return page


drop_resource = PageOddity("nothing in it", lambda *_: True, _nothing)
"""`{}` in place of whatever was asked for."""

ODD_ELEMENT = PageOddity("odd element", _has_elements, _odd_element)
ODD_VALUES = PageOddity("odd values", _has_elements, _odd_values)

PAGE_ODDITIES = (
    PageOddity("no list", _is_list, _without_list),
    PageOddity("incomplete search", _may_be_incomplete, _incomplete),
    PageOddity("token stuck", _is_asked_with_token, _stuck),
    PageOddity("token cycle", _is_asked_with_token, _cycle),
    PageOddity("token empty", _is_last, _empty_token),
    PageOddity("no token", _reads_changes, _no_token),
    ODD_ELEMENT,
    ODD_VALUES,
    PageOddity("odd permission", _has_inline_permissions, _odd_permission),
)
