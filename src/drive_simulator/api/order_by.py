"""`orderBy` of files.list: sort keys, each with an optional `asc` or `desc`.

Source: files.list in the Drive reference; what is refused, and how, was measured on live Drive in autumn 2026.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from drive_simulator.api.errors import backend_error, duplicate_sort_keys, invalid
from drive_simulator.api.search import Queryable

MAX_KEYS = 20

_FOLDER = "application/vnd.google-apps.folder"
_DIGITS = re.compile(r"(\d+)")

T = TypeVar("T", bound=Queryable)

SortValue = int | str | tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key of the list."""

    key: str
    descending: bool


def parse_order_by(text: str | None) -> tuple[Order, ...]:
    """The keys in their order. A comma may follow the last one.

    Raises ApiError at `orderBy`: 400 `invalid`, 403 `orderByContainsDuplicateSortKeys`.
    """
    if not text:
        return ()
    parts = text.removesuffix(",").split(",")
    if len(parts) > MAX_KEYS:
        raise invalid("orderBy")
    orders = []
    for part in parts:
        match part.split():
            case [key] | [key, "asc"] if key in _KEYS:
                orders.append(Order(key, descending=False))
            case [key, "desc"] if key in _KEYS:
                orders.append(Order(key, descending=True))
            case _:
                raise invalid("orderBy")
    if len({order.key for order in orders}) < len(orders):
        raise duplicate_sort_keys()
    return tuple(orders)


def check_sortable(orders: tuple[Order, ...]) -> None:
    """Raise ApiError 500 `internalError` where `starred` is not the first key: Google's index does not bear it."""
    if any(order.key == "starred" for order in orders[1:]):
        raise backend_error()


def sort(items: list[T], orders: tuple[Order, ...], viewer: str) -> None:
    """Sorts in place, stably: what was in front stays in front of its equals."""
    for order in reversed(orders):
        value = _KEYS[order.key]
        items.sort(key=lambda item, value=value: value(item, viewer), reverse=order.descending)  # type: ignore[misc]


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """File2 before File10: runs of digits compare as numbers."""
    return tuple((0, int(run), "") if run.isdecimal() else (1, 0, run) for run in _DIGITS.split(name.casefold()) if run)


def _recency(item: Queryable, viewer: str) -> int:
    """The latest of what the viewer or anybody did to it."""
    times = (item.modified_ms, item.viewed_ms(viewer), item.shared_with_ms(viewer), item.created_ms)
    return max(at for at in times if at is not None)


_KEYS: dict[str, Callable[[Queryable, str], SortValue]] = {
    "createdTime": lambda item, _: item.created_ms,
    "folder": lambda item, _: 0 if item.mime_type == _FOLDER else 1,
    "modifiedByMeTime": lambda item, viewer: item.modified_by_ms(viewer) or 0,
    "modifiedTime": lambda item, _: item.modified_ms,
    "name": lambda item, _: item.name.casefold(),
    "name_natural": lambda item, _: _natural(item.name),
    "quotaBytesUsed": lambda item, _: item.quota_bytes_used,
    "recency": _recency,
    "sharedWithMeTime": lambda item, viewer: item.shared_with_ms(viewer) or 0,
    "starred": lambda item, viewer: 0 if item.starred_by(viewer) else 1,
    "viewedByMeTime": lambda item, viewer: item.viewed_ms(viewer) or 0,
}
