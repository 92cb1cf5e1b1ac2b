"""An item index in memory, as fast at a hundred thousand items as the bench of a day needs, and its changelog."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec.structs import astuple, replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import DetailDigests, Digest, IndexChanges, ItemEntry, PermissionDigests

_encode = msgspec.msgpack.Encoder().encode
_PERMISSIONS = ItemEntry.__struct_fields__.index("permissions")

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
            self._children.get(before.parent_id, set()).discard(item_id)
        if entry is not None and entry.parent_id is not None and not entry.is_gone:
            self._children.setdefault(entry.parent_id, set()).add(item_id)
        _put(self._entries, item_id, entry)


class IndexChangelog:
    """The index as its topic keeps it: the newest value of each key. `bytes_written` counts keys and values.

    Values are MessagePack arrays, and a permission set is written once: about the size of the worker's own encoding.
    """

    def __init__(self) -> None:
        self.bytes_written = 0
        self._entries: dict[FileId, bytes] = {}
        self._details: dict[FileId, bytes] = {}
        self._sets: dict[Digest, PermissionDigests] = {}
        self._seen: set[FileId] = set()

    def append(self, changes: IndexChanges) -> None:
        """Take what a commit changes."""
        for item_id, entry in changes.entries.items():
            self._keep(self._entries, item_id, None if entry is None else self._encode_entry(entry))
        for file_id, details in changes.details.items():
            self._keep(self._details, file_id, None if details is None else _encode(astuple(details)))
        if changes.seen:
            self.bytes_written += 8 * len(changes.seen)
            self._seen.update(changes.seen)
        if changes.ends_seen:
            self._seen.clear()

    def restore(self) -> DayIndex:
        """The index as a worker reads it that has an empty state directory."""
        index = DayIndex()
        entries = {each: self._decode_entry(value) for each, value in self._entries.items()}
        details = {
            each: msgspec.convert(_named(DetailDigests, value), DetailDigests) for each, value in self._details.items()
        }
        index.apply(IndexChanges(entries=entries, details=details, seen=tuple(self._seen)))
        return index

    def _encode_entry(self, entry: ItemEntry) -> bytes:
        values = list(astuple(entry))
        if (held := entry.permissions) is not None:
            if held.digest not in self._sets:
                self._sets[held.digest] = held
                self.bytes_written += len(_encode(astuple(held)))
            values[_PERMISSIONS] = held.digest
        return _encode(values)

    def _decode_entry(self, value: bytes) -> ItemEntry:
        fields = _named(ItemEntry, value)
        digest = fields.pop("permissions")
        entry = msgspec.convert(fields, ItemEntry)
        return entry if digest is None else replace(entry, permissions=self._sets[digest])

    def _keep(self, held: dict[FileId, bytes], key: FileId, value: bytes | None) -> None:
        self.bytes_written += len(key) + len(value or b"")
        _put(held, key, value)


def _named(kind: type[msgspec.Struct], value: bytes) -> dict[str, Any]:
    return dict(zip(kind.__struct_fields__, msgspec.msgpack.decode(value), strict=True))


def _put(held: dict[FileId, V], key: FileId, value: V | None) -> None:
    if value is None:
        held.pop(key, None)
    else:
        held[key] = value
