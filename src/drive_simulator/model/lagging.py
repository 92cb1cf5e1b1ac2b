"""The world as lists show it while a lag is set: a second set of items that follows the first one late.

Each change of an item is kept as a copy of the item's own state with the moment from which lists show it. A state
that has come due replaces what lists showed of the item before and is dropped, so that no state is older than the
longest lag. What an item has from the folders above it (trash, permissions) follows from the late folders.

A state never comes due before those of the folders that hold it and are still on their way: otherwise a file could
stand in a folder that lists do not have yet. A newer state overtakes an older one of the same item.

Source: "Search is eventually consistent" (Drive guides); tidyverse/googledrive #272, #277 and #303 report lists that
miss for minutes what was created, moved or shared.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from drive_simulator.model.access import NOBODY, Sight, sights
from drive_simulator.model.index import Index
from drive_simulator.model.items import Item, SharedDrive, User
from drive_simulator.model.parents import drop_parents, drop_strays, strays_of

_OWN = tuple(each for each in Item.__slots__ if each not in {"children", "parent", "rendered"})
_OF_ACCESS = ("limited", "passed_on", "opened_by")
_UNSEEN: Sight = (NOBODY, NOBODY, None)


class _State(NamedTuple):
    """An item as it was when it had changed, `copy`, or None where it was deleted. `number` counts the changes."""

    due_ms: int
    number: int
    item_id: str
    copy: Item | None


class LaggingView:
    """Items and indexes as lists show them. Users and shared drives, memberships included, are the world's own.

    `nowhere` is the world's; its copy stands beside `items`. `draw_lag_ms` says how late the next change is shown.
    `on_shown` is called when something has come due.
    """

    def __init__(
        self,
        items: dict[str, Item],
        nowhere: Item,
        places: Iterable[User | SharedDrive],
        draw_lag_ms: Callable[[], int],
        on_shown: Callable[[], None],
    ) -> None:
        self.items: dict[str, Item] = {}
        self.retimed: list[Item] = []
        self._nowhere = _copy_of(nowhere)
        self._draw_lag_ms = draw_lag_ms
        self._on_shown = on_shown
        self._indexes: dict[str, Index[Item]] = {}
        self._pending: list[_State] = []
        self._last: dict[str, _State] = {}
        self._shown: dict[str, int] = {}
        self._waiting: Counter[str] = Counter()
        self._count = 0
        self._copy_all(items, nowhere, places)

    def index_of(self, place: User | SharedDrive) -> Index[Item]:
        """What lists walk of the account's My Drive and "shared with me", or of the shared drive."""
        key = place.permission_id if isinstance(place, User) else place.id
        return self._indexes.setdefault(key, Index())

    @property
    def waiting(self) -> int:
        """How many states are kept that are not shown yet."""
        return len(self._pending)

    def keep(self, item: Item, now_ms: int, *, gone: bool = False) -> None:
        """Note what the item is now, or that it is gone, to be shown when the lag has passed. Roots are shown at once:
        no list has them."""
        self._count += 1
        lag_ms = 0 if item.is_root else self._draw_lag_ms()
        above = (each for each in (*item.chain(), *item.more_parents) if each is not item)
        waited_for = (self._last[each.id].due_ms for each in above if each.id in self._last)
        state = _State(max(now_ms + lag_ms, *waited_for, 0), self._count, item.id, None if gone else _copy_of(item))
        self._last[item.id] = state
        self._waiting[item.id] += 1
        heapq.heappush(self._pending, state)
        self.catch_up(now_ms)

    def catch_up(self, now_ms: int) -> None:
        """Show what has come due."""
        pending = self._pending
        if not pending or pending[0].due_ms > now_ms:
            return
        while pending and pending[0].due_ms <= now_ms:
            state = heapq.heappop(pending)
            if self._shown.get(state.item_id, 0) < state.number:
                self._shown[state.item_id] = state.number
                self._show(state)
            self._waiting[state.item_id] -= 1
            if not self._waiting[state.item_id]:
                del self._waiting[state.item_id], self._last[state.item_id], self._shown[state.item_id]
        self._on_shown()

    def _show(self, state: _State) -> None:
        item = self.items.get(state.item_id)
        if state.copy is None:
            if item is not None:
                self._remove(item)
            return
        parent = state.copy.parent
        folder = None if parent is None else self._late(parent)
        if parent is not None and (folder is None or (item is not None and item in folder.chain())):
            return  # the folder was deleted or moved since: a later state of this item is on its way
        if item is None:
            item = self.items[state.item_id] = _blank(state.copy)
            self._take(item, state.copy)
            self._enter(item, folder)
        else:
            self._replace(item, state.copy, folder)

    def _enter(self, item: Item, folder: Item | None) -> None:
        if folder is not None:
            item.parent = folder
            _hang(item, folder)
            for each, sight in sights(item):
                self._step(each, _UNSEEN, sight)

    def _replace(self, item: Item, copy: Item, folder: Item | None) -> None:
        """Make the item what the copy is, and put it into that folder."""
        if item.modified_ms != copy.modified_ms:
            self.retimed.append(item)
        if item.parent is folder and _gives_as_before(item, copy):
            self._take(item, copy)
            return
        before = list(sights(item))
        self._take(item, copy)
        if folder is not None and item.parent is not folder:
            if item.parent is not None and item.parent.children is not None:
                item.parent.children.discard(item)
            item.parent = folder
            _hang(item, folder)
        after = dict(sights(item))
        for each, was in before:
            self._step(each, was, after[each])

    def _take(self, item: Item, copy: Item) -> None:
        """Make the item what the copy is, but for its parent; it stays in the folders that hold it beside that."""
        strays, before = strays_of(item), item.more_parents
        _assign(item, copy)
        if strays is not None:
            item.set_rare("strays", strays)
        if not before and not copy.more_parents:
            return
        after = tuple(folder for each in copy.more_parents if (folder := self._late(each)) is not None)
        item.set_rare("more_parents", after or None)
        for folder in before:
            if folder not in after:
                _strays(folder).discard(item)
        for folder in after:
            if folder not in before:
                _strays(folder).add(item)

    def _late(self, folder: Item) -> Item | None:
        """A folder of the world as lists show it; None where they do not have it."""
        return self._nowhere if folder.id == self._nowhere.id else self.items.get(folder.id)

    def _remove(self, item: Item) -> None:
        """Take the item out; what was in it goes by states of its own."""
        self._step(item, next(sights(item))[1], _UNSEEN)
        drop_parents(item)
        drop_strays(item)
        if item.parent is not None and item.parent.children is not None:
            item.parent.children.discard(item)
        del self.items[item.id]

    def _step(self, item: Item, was: Sight, now_is: Sight) -> None:
        """Bring one item's listings from one sight to another."""
        (before, _, drive_before), (after, _, drive_after) = was, now_is
        for user in before - after:
            self.index_of(user).discard(item)
        for user in after - before:
            self.index_of(user).add(item)
        if drive_before is not drive_after:
            if drive_before is not None:
                self.index_of(drive_before).discard(item)
            if drive_after is not None:
                self.index_of(drive_after).add(item)

    def _copy_all(self, items: dict[str, Item], nowhere: Item, places: Iterable[User | SharedDrive]) -> None:
        """Begin with the present: the same items in the same order."""
        for item in items.values():
            copy = self.items[item.id] = _copy_of(item)
            copy.parent = None
        for folder, late in (*((item, self.items[item.id]) for item in items.values()), (nowhere, self._nowhere)):
            for child in folder.children or ():
                copy = self.items[child.id]
                copy.parent = late
                _hang(copy, late)
            for stray in strays_of(folder) or ():
                copy = self.items[stray.id]
                copy.set_rare("more_parents", tuple(self.items[each.id] for each in stray.more_parents))
                _strays(late).add(copy)
        for place in places:
            index = self.index_of(place)
            for item in place.index:
                index.add(self.items[item.id])


def _blank(item: Item) -> Item:
    """An item of that id without a parent."""
    return Item(item.id, "", item.mime_type, None, None, None, 0, 0, None, 0, 0)


def _copy_of(item: Item) -> Item:
    """The item's own state; its parents are the world's."""
    copy = _blank(item)
    _assign(copy, item)
    copy.parent = item.parent
    # What is changed in place: grants, groups, and which rare properties there are.
    if item.grants is not None:
        copy.grants = [replace(each, group=None if each.group is None else replace(each.group)) for each in item.grants]
    if item.extras is not None:
        copy.extras = dict(item.extras)
        copy.extras.pop("strays", None)
    return copy


def _assign(item: Item, copy: Item) -> None:
    for name in _OWN:
        setattr(item, name, getattr(copy, name))
    item.rendered = None


def _gives_as_before(item: Item, copy: Item) -> bool:
    """Whether the copy leaves it as it is who sees the item and what is in it."""
    if item.owner is not copy.owner or item.drive is not copy.drive:
        return False
    if any(item.rare(name) != copy.rare(name) for name in _OF_ACCESS):
        return False
    return _given(item) == _given(copy)


def _given(item: Item) -> list[tuple[str, str, frozenset[User]]]:
    return [(grant.id, grant.role, grant.people) for grant in item.grants or ()]


def _hang(item: Item, folder: Item) -> None:
    if folder.children is None:
        folder.children = Index()
    folder.children.add(item)


def _strays(folder: Item) -> Index[Item]:
    """What `strays_of` gives, made where there is none."""
    strays = strays_of(folder)
    if strays is None:
        strays = Index()
        folder.set_rare("strays", strays)
    return strays
