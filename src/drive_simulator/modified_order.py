"""The items of an index by modifiedTime, newest first: what a sorted listing walks without sorting for every page."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from drive_simulator.index import Index

if TYPE_CHECKING:
    from drive_simulator.items import Item

REBUILD_AT = 2_000
"""From so many news on, sorting anew costs less than finding each one's place."""


class Place(NamedTuple):
    """Where an item stands: later times first, then by id. Sorts as the order does."""

    minus_ms: int
    item_id: str


START = Place(-(1 << 62), "")
"""Before everything."""


class ModifiedOrder:
    """Follows an index when it is read: what has come, gone or been modified since is looked at then.

    `retimed` is the world's list of items whose modifiedTime was set, in the order of doing so. An item that was
    modified leaves its old entry behind, which is passed over because the time no longer fits. A place stays good
    whatever happens, so a page token needs no more: an item that is modified during a listing may be missed or come
    twice, as with Google.
    """

    __slots__ = ("_entered", "_index", "_items", "_retimed", "_seen", "_times")

    def __init__(self, index: Index, retimed: "Sequence[Item]") -> None:
        self._index = index
        self._retimed = retimed
        self._items: list[Item] = []
        self._times = array("q")
        self._entered = 0
        self._seen = len(retimed)

    def after(self, place: Place) -> "Iterator[tuple[Place, Item]]":
        """The items after a place, each with its own."""
        self._catch_up()
        may_be_gone = self._index.has_gaps
        before = None
        for at in range(self._position(place), len(self._items)):
            item, minus_ms = self._items[at], self._times[at]
            found = Place(minus_ms, item.id)
            if item.modified_ms == -minus_ms and found != before and not (may_be_gone and item.id not in self._index):
                yield found, item
            before = found

    def _catch_up(self) -> None:
        come = self._index.since(self._entered)
        retimed = [item for item in self._retimed[self._seen :] if item.id in self._index]
        self._entered, self._seen = self._index.end, len(self._retimed)
        if len(come) + len(retimed) > REBUILD_AT:
            self._items = sorted(self._index, key=lambda item: (-item.modified_ms, item.id))
            self._times = array("q", [-item.modified_ms for item in self._items])
            return
        for item in (*come, *retimed):
            at = self._position(Place(-item.modified_ms, item.id))
            self._items.insert(at, item)
            self._times.insert(at, -item.modified_ms)

    def _position(self, place: Place) -> int:
        """The first position after the place."""
        low = bisect_left(self._times, place.minus_ms)
        high = bisect_right(self._times, place.minus_ms, low)
        return bisect_right(self._items, place.item_id, low, high, key=lambda item: item.id)
