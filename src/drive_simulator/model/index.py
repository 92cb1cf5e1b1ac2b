"""An ordered set of items that can be read page by page while it changes: what listings walk."""

import random
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Generic, NamedTuple, Protocol, TypeVar

_ID, _MODIFIED = attrgetter("id"), attrgetter("modified_ms")
_TRIES = 100
REBUILD_AT = 2_000
"""From so many news on, sorting again costs less than finding each one's place."""


class Timed(Protocol):
    """What can be ordered by its time."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def modified_ms(self) -> int: ...  # noqa: D102


T = TypeVar("T", bound=Timed)


class Index(Generic[T]):
    """Items in the order in which they came. A position never changes its meaning: what goes leaves a gap.

    That makes a listing that walks from the newest down return each item that stays exactly once, whatever comes and
    goes meanwhile; and a page costs its length, not the size of the corpus. `by_modified` has the same items by
    modifiedTime, once somebody has asked for that order.
    """

    __slots__ = ("_length", "_positions", "_slots", "by_modified")

    def __init__(self) -> None:
        self._slots: list[T | None] = []
        self._positions: dict[str, int] | None = None
        self._length = 0
        self.by_modified: ModifiedOrder[T] | None = None

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        return (item for item in self._slots if item is not None)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._known_positions()

    @property
    def end(self) -> int:
        """The position after the newest item."""
        return len(self._slots)

    @property
    def has_gaps(self) -> bool:
        """Whether an item was ever taken out."""
        return self._length != len(self._slots)

    def since(self, position: int) -> list[T]:
        """The items from that position on."""
        return [item for item in self._slots[position:] if item is not None]

    def add(self, item: T) -> None:
        """Append the item; it must not be in the index yet."""
        if self._positions is not None:
            self._positions[item.id] = len(self._slots)
        self._slots.append(item)
        self._length += 1

    def discard(self, item: T) -> None:
        """Take the item out, if it is there."""
        position = self._known_positions().pop(item.id, None)
        if position is not None:
            self._slots[position] = None
            self._length -= 1

    def pick(self, die: random.Random) -> T | None:
        """An item at random, `None` where there is none."""
        if not self._length:
            return None
        for _ in range(_TRIES):
            item = self._slots[die.randrange(len(self._slots))]
            if item is not None:
                return item
        return next(iter(self), None)

    def down_from(self, position: int) -> Iterator[tuple[int, T]]:
        """The items below `position`, newest first, each with its own position."""
        slots = self._slots
        for at in range(min(position, len(slots)) - 1, -1, -1):
            item = slots[at]
            if item is not None:
                yield at, item

    def _known_positions(self) -> dict[str, int]:
        # Built at the first removal or look-up only: most indexes of a generated corpus never need it.
        if self._positions is None:
            self._positions = {item.id: at for at, item in enumerate(self._slots) if item is not None}
        return self._positions


class Place(NamedTuple):
    """Where an item stands: later times first, then by id. Sorts as the order does."""

    minus_ms: int
    item_id: str


START = Place(-(1 << 62), "")
"""Before everything."""


class ModifiedOrder(Generic[T]):
    """Follows an index when it is read: what has come, gone or been modified since is looked at then.

    `retimed` is the world's list of items whose modifiedTime was set, in the order of doing so. An item that was
    modified leaves its old entry behind, which is passed over because the time no longer fits. A place stays good
    whatever happens, so a page token needs no more: an item that is modified during a listing may be missed or come
    twice, as with Google.
    """

    __slots__ = ("_entered", "_index", "_items", "_retimed", "_seen", "_times")

    def __init__(self, index: Index[T], retimed: Sequence[T]) -> None:
        self._index = index
        self._retimed = retimed
        self._items: list[T] = []
        self._times = array("q")
        self._entered = 0
        self._seen = len(retimed)

    def after(self, place: Place) -> Iterator[tuple[Place, T]]:
        """The items after a place, each with its own."""
        self._catch_up()
        may_be_gone = self._index.has_gaps
        items, times = self._items, self._times
        before = None
        for at in range(self._position(place), len(items)):
            item, minus_ms = items[at], times[at]
            if item.modified_ms != -minus_ms or item is before:
                continue
            before = item
            if not (may_be_gone and item.id not in self._index):
                yield Place(minus_ms, item.id), item

    def _catch_up(self) -> None:
        come = self._index.since(self._entered)
        retimed = [item for item in self._retimed[self._seen :] if item.id in self._index]
        self._entered, self._seen = self._index.end, len(self._retimed)
        if len(come) + len(retimed) > REBUILD_AT:
            # Twice by one key each, since sorts are stable: much cheaper than once by pairs.
            self._items = sorted(self._index, key=_ID)
            self._items.sort(key=_MODIFIED, reverse=True)
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
