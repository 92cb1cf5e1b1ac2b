"""An item index in a dictionary: what a step changes counts at once, and a copy is what was committed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import DetailDigests, IndexChanges, ItemEntry

V = TypeVar("V")


@dataclass(slots=True)
class DictIndex:
    """An `ItemIndex` of one connection."""

    entries: dict[FileId, ItemEntry] = field(default_factory=dict)
    hanging: dict[FileId, DetailDigests] = field(default_factory=dict)
    seen: set[FileId] = field(default_factory=set)

    def apply(self, changes: IndexChanges) -> None:
        """Take what a step changes."""
        if changes.wipes:
            self.clear()
        for item_id, entry in changes.entries.items():
            _put(self.entries, item_id, entry)
        for file_id, details in changes.details.items():
            _put(self.hanging, file_id, details)
        if changes.ends_seen:
            self.seen.clear()
        self.seen.update(changes.seen)

    def copy(self) -> "DictIndex":
        """The same, to be changed apart from this one."""
        return DictIndex(dict(self.entries), dict(self.hanging), set(self.seen))

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self.hanging.clear()
        self.seen.clear()

    def get(self, item_id: FileId) -> ItemEntry | None:
        """See `ItemIndex.get`."""
        return self.entries.get(item_id)

    def details(self, file_id: FileId) -> DetailDigests | None:
        """See `ItemIndex.details`."""
        return self.hanging.get(file_id)

    def children(self, folder_id: FileId, after: FileId | None = None, limit: int = 500) -> Sequence[FileId]:
        """See `ItemIndex.children`."""
        below = (each for each, entry in self.entries.items() if entry.parent_id == folder_id and not entry.is_gone)
        return [each for each in sorted(below) if after is None or each > after][:limit]

    def scan(self, after: FileId | None = None, limit: int = 500) -> Sequence[tuple[FileId, ItemEntry]]:
        """See `ItemIndex.scan`."""
        return [(each, self.entries[each]) for each in sorted(self.entries) if after is None or each > after][:limit]

    def is_seen(self, item_id: FileId) -> bool:
        """See `ItemIndex.is_seen`."""
        return item_id in self.seen


def _put(held: dict[FileId, V], key: FileId, value: V | None) -> None:
    if value is None:
        held.pop(key, None)
    else:
        held[key] = value


def holding(*files: str, folders: Sequence[str] = (), **known: ItemEntry) -> DictIndex:
    """An index of those files and folders, of which no more than that is known, and of those entries by id."""
    entries = {FileId(name): ItemEntry() for name in files}
    entries |= {FileId(name): ItemEntry(is_folder=True) for name in folders}
    return DictIndex({**entries, **{FileId(name): entry for name, entry in known.items()}})
