"""An item index in memory, as fast at a hundred thousand items as the bench of a day needs, and its changelog."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import DetailDigests, IndexChanges, ItemEntry

_encode = msgspec.msgpack.Encoder().encode
_decode_entry = msgspec.msgpack.Decoder(ItemEntry).decode
_decode_details = msgspec.msgpack.Decoder(DetailDigests).decode

V = TypeVar("V")


class DayIndex:
    """An `ItemIndex` of one connection."""

    def __init__(self) -> None:
        self._entries: dict[FileId, ItemEntry] = {}
        self._details: dict[FileId, DetailDigests] = {}
        self._seen: set[FileId] = set()
        self._children: dict[FileId, set[FileId]] = {}
        self._sorted: list[FileId] | None = None

    def apply(self, changes: IndexChanges) -> None:
        """Take what a step changes."""
        for item_id, entry in changes.entries.items():
            self._put(item_id, entry)
        for file_id, details in changes.details.items():
            _put(self._details, file_id, details)
        self._seen.update(changes.seen)
        if changes.ends_seen:
            self._seen.clear()

    def get(self, item_id: FileId) -> ItemEntry | None:
        """See `ItemIndex.get`."""
        return self._entries.get(item_id)

    def details(self, file_id: FileId) -> DetailDigests | None:
        """See `ItemIndex.details`."""
        return self._details.get(file_id)

    def children(self, folder_id: FileId, after: FileId | None = None, limit: int = 500) -> Sequence[FileId]:
        """See `ItemIndex.children`."""
        below = sorted(self._children.get(folder_id, ()))
        start = 0 if after is None else bisect_right(below, after)
        return below[start : start + limit]

    def scan(self, after: FileId | None = None, limit: int = 500) -> Sequence[tuple[FileId, ItemEntry]]:
        """See `ItemIndex.scan`."""
        if self._sorted is None:
            self._sorted = sorted(self._entries)
        start = 0 if after is None else bisect_right(self._sorted, after)
        return [(each, self._entries[each]) for each in self._sorted[start : start + limit]]

    def is_seen(self, item_id: FileId) -> bool:
        """See `ItemIndex.is_seen`."""
        return item_id in self._seen

    def _put(self, item_id: FileId, entry: ItemEntry | None) -> None:
        before = self._entries.get(item_id)
        if (before is None) != (entry is None):
            self._sorted = None
        if before is not None and before.parent_id is not None:
            self._children[before.parent_id].discard(item_id)
        if entry is not None and entry.parent_id is not None and not entry.is_gone:
            self._children.setdefault(entry.parent_id, set()).add(item_id)
        _put(self._entries, item_id, entry)


class IndexChangelog:
    """The index as its topic keeps it: the newest value of each key. `bytes_written` counts keys and values.

    The values are MessagePack: what they come to in the worker's own encoding is its codec's business.
    """

    def __init__(self) -> None:
        self.bytes_written = 0
        self.messages = 0
        self._entries: dict[FileId, bytes] = {}
        self._details: dict[FileId, bytes] = {}
        self._seen: set[FileId] = set()

    def append(self, changes: IndexChanges) -> None:
        """Take what a commit changes."""
        for item_id, entry in changes.entries.items():
            self._put(self._entries, item_id, entry)
        for file_id, details in changes.details.items():
            self._put(self._details, file_id, details)
        if changes.seen:
            self.messages += 1
            self.bytes_written += 8 * len(changes.seen)
            self._seen.update(changes.seen)
        if changes.ends_seen:
            self._seen.clear()

    def restore(self) -> DayIndex:
        """The index as a worker reads it that has an empty state directory."""
        index = DayIndex()
        for changes in self._changes():
            index.apply(changes)
        return index

    def _changes(self) -> Iterator[IndexChanges]:
        yield IndexChanges(entries={each: _decode_entry(value) for each, value in self._entries.items()})
        yield IndexChanges(details={each: _decode_details(value) for each, value in self._details.items()})
        yield IndexChanges(seen=tuple(self._seen))

    def _put(self, held: dict[FileId, bytes], key: FileId, value: ItemEntry | DetailDigests | None) -> None:
        encoded = None if value is None else _encode(value)
        self.messages += 1
        self.bytes_written += len(key) + len(encoded or b"")
        _put(held, key, encoded)


def _put(held: dict[FileId, V], key: FileId, value: V | None) -> None:
    if value is None:
        held.pop(key, None)
    else:
        held[key] = value
