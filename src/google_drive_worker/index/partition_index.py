"""An owned partition's item index: what is committed, in the local store, and above it what is written and not applied.

`write` turns a step's changes into messages of the changelog, which go into the same transaction as its records; they
count from then on for whoever reads. `apply` brings the store up to them once they are committed; only then they leave
memory. When the partition goes, so does what is not applied: the changelog has it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import TypeVar

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


@dataclass(slots=True)
class _Pending:
    """What of a connection's part is written and not applied, and what of it is being read."""

    entries: dict[FileId, ItemEntry | None] = field(default_factory=dict)
    details: dict[FileId, DetailDigests | None] = field(default_factory=dict)
    sets: dict[Digest, PermissionDigests] = field(default_factory=dict)
    runs: dict[bytes, bool] = field(default_factory=dict)
    seen: set[FileId] = field(default_factory=set)
    below: dict[FileId, set[FileId]] = field(default_factory=dict)


class Written:
    """The messages of one step, in order, and what has to leave memory when they are applied."""

    __slots__ = ("changes", "connection_id", "ended", "messages", "runs")

    def __init__(
        self,
        connection_id: ConnectionId,
        messages: list[Message],
        changes: IndexChanges,
        runs: tuple[bytes, ...] = (),
        ended: tuple[bytes, ...] = (),
    ) -> None:
        self.connection_id = connection_id
        self.messages = messages
        self.changes = changes
        self.runs = runs
        self.ended = ended

    @property
    def size_bytes(self) -> int:
        """What the messages weigh."""
        return sum(len(key) + len(value or b"") for key, value in self.messages)


class PartitionIndex:
    """The index of a partition's connections over their store. All but `apply` belongs to the event loop."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self._pending: dict[ConnectionId, _Pending] = {}
        self._sets: OrderedDict[tuple[ConnectionId, Digest], PermissionDigests] = OrderedDict()

    def view(self, connection_id: ConnectionId) -> "ConnectionIndex":
        """A connection's part, all that was written included."""
        return ConnectionIndex(self, connection_id)

    def write(self, connection_id: ConnectionId, changes: IndexChanges) -> Written:
        """Take a step's changes; they count from now on."""
        messages: list[Message] = []
        ended: tuple[bytes, ...] = ()
        if changes.wipes:
            messages += self._wipe(connection_id)
        pending = self._pending.setdefault(connection_id, _Pending())
        prefix = connection_id.encode() + b"\0"
        for item_id, entry in changes.entries.items():
            pending.entries[item_id] = entry
            key = prefix + ENTRY + item_id.encode()
            if entry is None:
                messages.append((key, None))
                continue
            if entry.permissions is not None:
                self._note_set(connection_id, pending, entry.permissions, messages)
            if entry.parent_id is not None and entry.gone_at is None:
                pending.below.setdefault(entry.parent_id, set()).add(item_id)
            messages.append((key, codec.encode_entry(entry)))
        for file_id, details in changes.details.items():
            pending.details[file_id] = details
            value = None if details is None else codec.encode_details(details)
            messages.append((prefix + DETAILS + file_id.encode(), value))
        if changes.ends_seen:
            ended = tuple(self._runs(connection_id))
            messages += [(prefix + SEEN + run, None) for run in ended]
            pending.seen.clear()
            pending.runs.update(dict.fromkeys(ended, False))
        runs: tuple[bytes, ...] = ()
        if changes.seen:
            run, value = codec.encode_seen(changes.seen)
            pending.seen.update(changes.seen)
            pending.runs[run] = True
            messages.append((prefix + SEEN + run, value))
            runs = (run,)
        return Written(connection_id, messages, changes, runs, ended)

    def apply(self, written: Sequence[Written]) -> None:
        """Bring the store up to what is committed. Blocks, in a thread of the caller's. Raises `StateDiskFull`."""
        self._store.apply([message for each in written for message in each.messages])

    def applied(self, written: Sequence[Written]) -> None:
        """Let go of what is in the store now, unless it was written again since."""
        for each in written:
            pending = self._pending.get(each.connection_id)
            if pending is None:
                continue
            for item_id, entry in each.changes.entries.items():
                if pending.entries.get(item_id, _NOTHING) is entry:
                    del pending.entries[item_id]
                    if entry is not None and entry.parent_id is not None:
                        self._leave(pending, entry.parent_id, item_id)
            for file_id, details in each.changes.details.items():
                if pending.details.get(file_id, _NOTHING) is details:
                    del pending.details[file_id]
            if not pending.entries:
                pending.sets.clear()
                pending.below.clear()
            if each.runs and all(pending.runs.get(run) for run in each.runs):
                pending.seen.difference_update(each.changes.seen)
            for run in (*each.runs, *each.ended):
                if run not in each.ended or pending.runs.get(run) is False:
                    pending.runs.pop(run, None)

    @staticmethod
    def _leave(pending: _Pending, parent_id: FileId, item_id: FileId) -> None:
        below = pending.below.get(parent_id)
        if below is not None:
            below.discard(item_id)
            if not below:
                del pending.below[parent_id]

    def _note_set(
        self, connection_id: ConnectionId, pending: _Pending, permissions: PermissionDigests, messages: list[Message]
    ) -> None:
        digest = permissions.digest
        if digest in pending.sets or (connection_id, digest) in self._sets:
            return
        if self._store.get(connection_id, SET, codec.set_id(digest)) is None:
            pending.sets[digest] = permissions
            messages.append((codec.key_of(connection_id, SET, codec.set_id(digest)), codec.encode_set(permissions)))
        else:
            self._keep_set(connection_id, permissions)

    def _keep_set(self, connection_id: ConnectionId, permissions: PermissionDigests) -> None:
        self._sets[connection_id, permissions.digest] = permissions
        if len(self._sets) > SETS_KEPT:
            self._sets.popitem(last=False)

    def _wipe(self, connection_id: ConnectionId) -> list[Message]:
        """Tombstones of all that there is of a connection."""
        messages: list[Message] = []
        pending = self._pending.pop(connection_id, _Pending())
        for kind, ids in (
            (ENTRY, pending.entries),
            (DETAILS, pending.details),
            (SET, map(codec.set_id, pending.sets)),
            (SEEN, pending.runs),
        ):
            known = {each if isinstance(each, bytes) else each.encode() for each in ids}
            known.update(own_id for own_id, _ in self._store.scan(connection_id, kind, None))
            messages += [(codec.key_of(connection_id, kind, own_id), None) for own_id in known]
        after = self._pending.setdefault(connection_id, _Pending())
        after.entries = dict.fromkeys(pending.entries)
        after.details = dict.fromkeys(pending.details)
        for kind, forgotten in ((ENTRY, after.entries), (DETAILS, after.details)):
            stored = (FileId(own_id.decode()) for own_id, _ in self._store.scan(connection_id, kind, None))
            forgotten.update(dict.fromkeys(stored))
        after.runs = dict.fromkeys(self._runs(connection_id), False)
        for key in [key for key in self._sets if key[0] == connection_id]:
            del self._sets[key]
        return messages

    def _runs(self, connection_id: ConnectionId) -> list[bytes]:
        """The runs that are held, pending ones included, without those that a pending tombstone ends."""
        pending = self._pending.get(connection_id, _Pending())
        stored = {own_id for own_id, _ in self._store.scan(connection_id, SEEN, None)}
        there = {run for run, is_there in pending.runs.items() if is_there}
        ended = {run for run, is_there in pending.runs.items() if not is_there}
        return sorted((stored - ended) | there)

    # What `ConnectionIndex` reads.

    def entry(self, connection_id: ConnectionId, item_id: FileId) -> ItemEntry | None:
        """An item's entry."""
        pending = self._pending.get(connection_id)
        if pending is not None and item_id in pending.entries:
            return pending.entries[item_id]
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
            return pending.sets[digest]
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
            return pending.details[file_id]
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
            entry = pending.entries[item_id] if item_id in pending.entries else self._decoded(connection_id, value)
            if entry is not None:
                yield item_id, entry

    def is_seen(self, connection_id: ConnectionId, item_id: FileId) -> bool:
        """Whether the running full sync saw the item unchanged."""
        pending = self._pending.get(connection_id)
        if pending is not None:
            if item_id in pending.seen:
                return True
            if any(not is_there for is_there in pending.runs.values()):
                return False  # the runs that the store holds are over
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


_NOTHING = object()


def _sound(value: bytes, decode: Callable[[bytes], T]) -> T:
    try:
        return decode(value)
    except IndexProblem as problem:
        raise Retryable(f"the local store is damaged, and is built again: {problem}", code="state_damaged") from problem
