"""An ordered set of items that can be read page by page while it changes: what listings walk."""

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drive_simulator.items import Item
    from drive_simulator.modified_order import ModifiedOrder

_TRIES = 100


class Index:
    """Items in the order in which they came. A position never changes its meaning: what goes leaves a gap.

    That makes a listing that walks from the newest down return each item that stays exactly once, whatever comes and
    goes meanwhile; and a page costs its length, not the size of the corpus. `by_modified` has the same items by
    modifiedTime, once somebody has asked for that order.
    """

    __slots__ = ("_length", "_positions", "_slots", "by_modified")

    def __init__(self) -> None:
        self._slots: list[Item | None] = []
        self._positions: dict[str, int] | None = None
        self._length = 0
        self.by_modified: ModifiedOrder | None = None

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> "Iterator[Item]":
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

    def since(self, position: int) -> "list[Item]":
        """The items from that position on."""
        return [item for item in self._slots[position:] if item is not None]

    def add(self, item: "Item") -> None:
        """Append the item; it must not be in the index yet."""
        if self._positions is not None:
            self._positions[item.id] = len(self._slots)
        self._slots.append(item)
        self._length += 1

    def discard(self, item: "Item") -> None:
        """Take the item out, if it is there."""
        position = self._known_positions().pop(item.id, None)
        if position is not None:
            self._slots[position] = None
            self._length -= 1

    def pick(self, die: random.Random) -> "Item | None":
        """An item at random, `None` where there is none."""
        if not self._length:
            return None
        for _ in range(_TRIES):
            item = self._slots[die.randrange(len(self._slots))]
            if item is not None:
                return item
        return next(iter(self), None)

    def down_from(self, position: int) -> "Iterator[tuple[int, Item]]":
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
