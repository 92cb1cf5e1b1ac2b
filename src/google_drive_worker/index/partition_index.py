"""An owned partition's item index: what is committed, in the local store, and above it what is written and not applied.

`write` turns a step's changes into messages of the changelog, which go into the same transaction as its records; they
count from then on for whoever reads. `apply` brings the store up to them once they are committed; only then they leave
memory. When the partition goes, so does what is not applied: the changelog has it.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import count, islice
from typing import Any, NamedTuple, TypeVar, cast

from google_drive_worker.domain.ids import ConnectionId, FileId
from google_drive_worker.domain.item_entry import (
    DetailDigests,
    Digest,
    IndexChanges,
    ItemEntry,
    PermissionDigests,
)
from google_drive_worker.index import codec
from google_drive_worker.index.codec import DETAILS, ENTRY, SEEN, SET, IndexProblem
from google_drive_worker.index.store import LocalStore, Message
from google_drive_worker.utils.errors import Retryable

T = TypeVar("T")

SETS_KEPT = 4_096
"""How many sets of permissions are kept decoded, all connections together: most items share a few."""


class _Put(NamedTuple):
    """A value that is written and not applied, and by which step; `None` forgets what there was."""

    serial: int
    value: Any


@dataclass(slots=True)
class _Pending:
    """What of a connection's part is written and not applied.

    What was seen counts from the last end of a full sync on, the `generation`: `seen` says in how many steps that are
    not applied an item was, `runs` which runs these wrote. `ends` is how many ends are not applied.
    """

    entries: dict[FileId, _Put] = field(default_factory=dict)
    details: dict[FileId, _Put] = field(default_factory=dict)
    sets: dict[Digest, _Put] = field(default_factory=dict)
    below: dict[FileId, Counter[FileId]] = field(default_factory=dict)
    generation: int = 0
    ends: int = 0
    seen: Counter[FileId] = field(default_factory=Counter)
    runs: Counter[bytes] = field(default_factory=Counter)

    def end_seen(self) -> None:
        """A full sync is over, and with it what it saw."""
        self.generation += 1
        self.ends += 1
        self.seen.clear()
        self.runs.clear()


class Written:
    """The messages of one step, in order, and what leaves memory when they are applied."""

    __slots__ = ("changes", "connection_id", "generation", "is_end", "messages", "run", "serial")

    def __init__(self, connection_id: ConnectionId, serial: int, changes: IndexChanges) -> None:
        self.connection_id = connection_id
        self.serial = serial
        self.changes = changes
        self.messages: list[Message] = []
        self.is_end = changes.ends_seen or changes.wipes
        self.run: bytes | None = None
        self.generation = 0

    @property
    def size_bytes(self) -> int:
        """What the messages weigh."""
        return sum(len(key) + len(value or b"") for key, value in self.messages)


class PartitionIndex:
    """The index of a partition's connections over their store. All but `apply` belongs to the event loop."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self._serials = count()
        self._pending: dict[ConnectionId, _Pending] = {}
        self._sets: OrderedDict[tuple[ConnectionId, Digest], PermissionDigests] = OrderedDict()

    def view(self, connection_id: ConnectionId) -> "ConnectionIndex":
        """A connection's part, all that was written included."""
        return ConnectionIndex(self, connection_id)

    def write(self, connection_id: ConnectionId, changes: IndexChanges) -> Written:
        """Take a step's changes; they count from now on."""
        written = Written(connection_id, next(self._serials), changes)
        pending = self._pending.setdefault(connection_id, _Pending())
        prefix = connection_id.encode() + b"\0"
        if changes.wipes:
            self._wipe(pending, written)
        for item_id, entry in changes.entries.items():
            self._write_entry(pending, written, prefix, item_id, entry)
        for file_id, details in changes.details.items():
            pending.details[file_id] = _Put(written.serial, details)
            value = None if details is None else codec.encode_details(details)
            written.messages.append((prefix + DETAILS + file_id.encode(), value))
        if changes.ends_seen and not changes.wipes:
            written.messages += [(prefix + SEEN + run, None) for run in self._runs(connection_id)]
            pending.end_seen()
        if changes.seen:
            written.run, value = codec.encode_seen(changes.seen)
            pending.seen.update(changes.seen)
            pending.runs[written.run] += 1
            written.messages.append((prefix + SEEN + written.run, value))
        written.generation = pending.generation
        return written

    def _write_entry(
        self, pending: _Pending, written: Written, prefix: bytes, item_id: FileId, entry: ItemEntry | None
    ) -> None:
        pending.entries[item_id] = _Put(written.serial, entry)
        key = prefix + ENTRY + item_id.encode()
        if entry is None:
            written.messages.append((key, None))
            return
        if entry.permissions is not None:
            self._note_set(pending, written, entry.permissions)
        if entry.parent_id is not None and entry.gone_at is None:
            pending.below.setdefault(entry.parent_id, Counter())[item_id] += 1
        written.messages.append((key, codec.encode_entry(entry)))

    def apply(self, written: Sequence[Written]) -> None:
        """Bring the store up to what is committed. Blocks, in a thread of the caller's. Raises `StateDiskFull`."""
        self._store.apply([message for each in written for message in each.messages])

    def applied(self, written: Sequence[Written]) -> None:
        """Let go of what is in the store now, unless it was written again since."""
        for each in written:
            pending = self._pending.get(each.connection_id)
            if pending is None:
                continue
            if each.changes.wipes:
                for values in (pending.entries, pending.details):
                    for own_id in [own_id for own_id, put in values.items() if put.serial == each.serial]:
                        del values[own_id]
            for item_id, entry in each.changes.entries.items():
                _let_go(pending.entries, item_id, each.serial)
                if entry is not None and entry.parent_id is not None and entry.gone_at is None:
                    _count_down(pending.below, entry.parent_id, item_id)
            for file_id in each.changes.details:
                _let_go(pending.details, file_id, each.serial)
            for digest in [digest for digest, put in pending.sets.items() if put.serial == each.serial]:
                del pending.sets[digest]
            if each.run is not None and each.generation == pending.generation:
                pending.seen.subtract(each.changes.seen)
                pending.seen = +pending.seen
                pending.runs[each.run] -= 1
                pending.runs = +pending.runs
            pending.ends -= each.is_end

    def _note_set(self, pending: _Pending, written: Written, permissions: PermissionDigests) -> None:
        connection_id, digest = written.connection_id, permissions.digest
        if digest in pending.sets or (connection_id, digest) in self._sets:
            return
        if not pending.ends and self._store.get(connection_id, SET, codec.set_id(digest)) is not None:
            self._keep_set(connection_id, permissions)
            return
        pending.sets[digest] = _Put(written.serial, permissions)
        key = codec.key_of(connection_id, SET, codec.set_id(digest))
        written.messages.append((key, codec.encode_set(permissions)))

    def _keep_set(self, connection_id: ConnectionId, permissions: PermissionDigests) -> None:
        self._sets[connection_id, permissions.digest] = permissions
        if len(self._sets) > SETS_KEPT:
            self._sets.popitem(last=False)

    def _wipe(self, pending: _Pending, written: Written) -> None:
        """Tombstones of all that there is of a connection."""
        connection_id = written.connection_id
        stored = {
            kind: {own_id for own_id, _ in self._store.scan(connection_id, kind, None)}
            for kind in (ENTRY, DETAILS, SET, SEEN)
        }
        stored[ENTRY].update(each.encode() for each in pending.entries)
        stored[DETAILS].update(each.encode() for each in pending.details)
        stored[SET].update(map(codec.set_id, pending.sets))
        stored[SEEN].update(pending.runs)
        for kind, own_ids in stored.items():
            written.messages += [(codec.key_of(connection_id, kind, own_id), None) for own_id in sorted(own_ids)]
        for kind, values in ((ENTRY, pending.entries), (DETAILS, pending.details)):
            for own_id in stored[kind]:
                values[FileId(own_id.decode())] = _Put(written.serial, None)
        pending.sets.clear()
        pending.end_seen()
        for key in [key for key in self._sets if key[0] == connection_id]:
            del self._sets[key]

    def _runs(self, connection_id: ConnectionId) -> list[bytes]:
        """The runs of the present generation."""
        pending = self._pending.get(connection_id, _Pending())
        stored = set() if pending.ends else {own_id for own_id, _ in self._store.scan(connection_id, SEEN, None)}
        return sorted(stored | set(pending.runs))

    # What `ConnectionIndex` reads.

    def entry(self, connection_id: ConnectionId, item_id: FileId) -> ItemEntry | None:
        """An item's entry."""
        pending = self._pending.get(connection_id)
        if pending is not None and item_id in pending.entries:
            return cast("ItemEntry | None", pending.entries[item_id].value)
        value = self._store.get(connection_id, ENTRY, item_id.encode())
        return None if value is None else self._decoded(connection_id, value)

    def _decoded(self, connection_id: ConnectionId, value: bytes) -> ItemEntry:
        entry, digest = _sound(value, codec.decode_entry)
        if digest is None:
            return entry
        return codec.with_permissions(entry, self._permissions(connection_id, digest))

    def _permissions(self, connection_id: ConnectionId, digest: Digest) -> PermissionDigests:
        known = self._sets.get((connection_id, digest))
        if known is not None:
            return known
        pending = self._pending.get(connection_id)
        if pending is not None and digest in pending.sets:
            return cast("PermissionDigests", pending.sets[digest].value)
        value = self._store.get(connection_id, SET, codec.set_id(digest))
        if value is None:
            raise Retryable("the local store lacks a set of permissions; it is built again", code="state_damaged")
        permissions = _sound(value, lambda each: codec.decode_set(digest, each))
        self._keep_set(connection_id, permissions)
        return permissions

    def details(self, connection_id: ConnectionId, file_id: FileId) -> DetailDigests | None:
        """What hangs on a file."""
        pending = self._pending.get(connection_id)
        if pending is not None and file_id in pending.details:
            return cast("DetailDigests | None", pending.details[file_id].value)
        value = self._store.get(connection_id, DETAILS, file_id.encode())
        return None if value is None else _sound(value, codec.decode_details)

    def children(self, connection_id: ConnectionId, folder_id: FileId, after: FileId | None) -> Iterator[FileId]:
        """The items in a folder, sorted by id."""
        pending = self._pending.get(connection_id, _Pending())
        begin = None if after is None else after.encode()
        stored = self._store.children(connection_id, folder_id.encode(), begin)
        below = sorted(each for each in pending.below.get(folder_id, ()) if after is None or each > after)
        last: FileId | None = None
        for item_id in merge((FileId(each.decode()) for each in stored), below):
            if item_id == last:
                continue
            last = item_id
            entry = self.entry(connection_id, item_id)
            if entry is not None and entry.parent_id == folder_id and not entry.is_gone:
                yield item_id

    def scan(self, connection_id: ConnectionId, after: FileId | None) -> Iterator[tuple[FileId, ItemEntry]]:
        """All entries, sorted by id."""
        pending = self._pending.get(connection_id, _Pending())
        begin = None if after is None else after.encode()
        stored = ((FileId(own_id.decode()), value) for own_id, value in self._store.scan(connection_id, ENTRY, begin))
        above: list[tuple[FileId, bytes]] = sorted(
            (each, b"") for each in pending.entries if after is None or each > after
        )
        last: FileId | None = None
        for item_id, value in merge(stored, above, key=lambda each: each[0]):
            if item_id == last:
                continue
            last = item_id
            entry = (
                pending.entries[item_id].value if item_id in pending.entries else self._decoded(connection_id, value)
            )
            if entry is not None:
                yield item_id, entry

    def is_seen(self, connection_id: ConnectionId, item_id: FileId) -> bool:
        """Whether the running full sync saw the item unchanged."""
        pending = self._pending.get(connection_id)
        if pending is not None and pending.seen.get(item_id):
            return True
        if pending is not None and pending.ends:
            return False  # what the store holds is of a full sync that is over
        return self._store.is_seen(connection_id, codec.seen_hash(item_id))


class ConnectionIndex:
    """An `ItemIndex`: a connection's part of a partition's."""

    __slots__ = ("_connection_id", "_index")

    def __init__(self, index: PartitionIndex, connection_id: ConnectionId) -> None:
        self._index = index
        self._connection_id = connection_id

    def get(self, item_id: FileId) -> ItemEntry | None:
        """See `ItemIndex.get`."""
        return self._index.entry(self._connection_id, item_id)

    def details(self, file_id: FileId) -> DetailDigests | None:
        """See `ItemIndex.details`."""
        return self._index.details(self._connection_id, file_id)

    def children(self, folder_id: FileId, after: FileId | None = None, limit: int = 500) -> Sequence[FileId]:
        """See `ItemIndex.children`."""
        return list(islice(self._index.children(self._connection_id, folder_id, after), limit))

    def scan(self, after: FileId | None = None, limit: int = 500) -> Sequence[tuple[FileId, ItemEntry]]:
        """See `ItemIndex.scan`."""
        return list(islice(self._index.scan(self._connection_id, after), limit))

    def is_seen(self, item_id: FileId) -> bool:
        """See `ItemIndex.is_seen`."""
        return self._index.is_seen(self._connection_id, item_id)


def _let_go(values: dict[FileId, _Put], own_id: FileId, serial: int) -> None:
    put = values.get(own_id)
    if put is not None and put.serial == serial:
        del values[own_id]


def _count_down(below: dict[FileId, Counter[FileId]], parent_id: FileId, item_id: FileId) -> None:
    items = below.get(parent_id)
    if items is None:
        return
    items[item_id] -= 1
    if items[item_id] <= 0:
        del items[item_id]
    if not items:
        del below[parent_id]


def _sound(value: bytes, decode: Callable[[bytes], T]) -> T:
    try:
        return decode(value)
    except IndexProblem as problem:
        raise Retryable(f"the local store is damaged, and is built again: {problem}", code="state_damaged") from problem
