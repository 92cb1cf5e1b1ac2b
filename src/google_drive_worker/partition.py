"""An owned partition: the checkpoints of its connections, and one stream of commits that they share."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import NamedTuple

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.item_entry import IndexChanges, ItemIndex
from google_drive_worker.domain.message import Batch
from google_drive_worker.domain.ports import Clock, PartitionLog
from google_drive_worker.entry import Entry
from google_drive_worker.index.partition_index import PartitionIndex
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.state_records import StateRecords

QUIET_S = 5.0
"""How long a position alone waits for company: after a crash that much of the topic is skipped once more."""

REST_SHARE = 4.0
"""A partition rests this many times as long as its last commit took, at the most: where commits are cheap, nobody has
to wait the whole interval for one, and where they are dear, they take a fifth of the time and no more."""


_FORGOTTEN = IndexChanges(wipes=True)


class CommitLimits(NamedTuple):
    """How entries are gathered into transactions.

    `interval_s` is from the start of one commit to the next, at the most: what comes to an idle partition is written at
    once.
    `max_records` closes a transaction. `max_pending_bytes` is where writers are made to wait: half of it, not yet in a
    commit, closes a transaction too, so that one half fills while the other is written.
    `quiet_s` is how long a position alone waits for company.

    The defaults keep a commit to some 4 MB, a page more at the most: while a request is not sent yet, librdkafka's
    thread does not sleep but spins for the next one, and the fewer there are in a row, the less.
    """

    interval_s: float = 0.2
    max_records: int = 2000
    max_pending_bytes: int = 8 << 20
    quiet_s: float = QUIET_S


class Committed(NamedTuple):
    """What a commit wrote, for those who count."""

    entries: list[Entry]
    duration_s: float


class OwnedPartition:
    """The checkpoints as they will be once all that was written is committed, and the way to write more.

    Reading and writing happen on the event loop without a pause between them, so that steps of a connection never
    overtake one another. `run` commits, and ends with an error when the partition has to be opened again. `log` is
    open by then.
    """

    def __init__(
        self,
        number: int,
        log: PartitionLog,
        checkpoints: dict[ConnectionId, Checkpoint],
        position: int,
        *,
        clock: Clock,
        records: StateRecords,
        index: PartitionIndex,
        limits: CommitLimits,
        on_commit: Callable[[Committed], None],
    ) -> None:
        self.number = number
        self.position = position
        self._log = log
        self._checkpoints = checkpoints
        self._clock = clock
        self._limits = limits
        self._on_commit = on_commit
        self._records = records
        self._index = index
        self._pending: list[Entry] = []
        self._pending_bytes = 0
        self._committing_bytes = 0
        self._pending_records = 0
        self._written = asyncio.Event()
        self._full = asyncio.Event()
        self._settled = asyncio.Condition()
        self._busy = False
        self._over = False
        self._taken = 0
        self._done = 0

    @property
    def checkpoints(self) -> dict[ConnectionId, Checkpoint]:
        """The checkpoints by connection; to look at, not to change."""
        return self._checkpoints

    def checkpoint(self, connection_id: ConnectionId) -> Checkpoint | None:
        """The connection's checkpoint, all that was written included."""
        return self._checkpoints.get(connection_id)

    def index(self, connection_id: ConnectionId) -> ItemIndex:
        """The connection's part of the item index, all that was written included."""
        return self._index.view(connection_id)

    def write(self, entry: Entry) -> None:
        """Take the entry for the next transaction; its checkpoint counts from now on."""
        connection_id = entry.connection_id
        if connection_id is not None:
            if entry.checkpoint is None:
                self._checkpoints.pop(connection_id, None)
                entry = entry._replace(changes=_FORGOTTEN)
            else:
                self._checkpoints[connection_id] = entry.checkpoint
            if not entry.changes.is_empty:
                entry = entry._replace(items=self._index.write(connection_id, entry.changes))
        self._pending.append(entry)
        self._taken += 1
        self._pending_bytes += entry.size_bytes
        self._pending_records += entry.message_count
        self._written.set()
        if self._is_full():
            self._full.set()

    def pass_by(self, position: int) -> None:
        """Note that there was nothing to do up to the position. It is committed with what comes next, or after a while.

        The topic is shared by every integration: a transaction for each message of another's would be a waste.
        """
        if self._pending and self._pending[-1].is_quiet:
            self._pending[-1] = Entry([], position=position)
            return
        self._pending.append(Entry([], position=position))
        self._taken += 1
        asyncio.get_running_loop().call_later(self._limits.quiet_s, self._wake)

    def _wake(self) -> None:
        if self._pending:
            self._written.set()

    async def room(self) -> None:
        """Wait until what is pending is under its limit: this is what keeps memory flat."""
        async with self._settled:
            await self._settled.wait_for(lambda: self._over or self._pending_bytes < self._limits.max_pending_bytes)

    async def flushed(self) -> None:
        """Wait until all that was written is committed, or the partition is over."""
        self._wake()
        async with self._settled:
            await self._settled.wait_for(lambda: self._over or not (self._pending or self._busy))

    async def committed(self) -> bool:
        """Wait until what was written up to now is committed; false where the partition is over before."""
        mark = self._taken
        async with self._settled:
            await self._settled.wait_for(lambda: self._over or self._done >= mark)
        return self._done >= mark

    async def run(self) -> None:
        """Commit what is written, until cancelled. Raises `Fenced` or `Retryable` as the log does."""
        try:
            while True:
                await self._written.wait()
                began_s = self._clock.monotonic_s()
                await self._commit(self._take())
                took_s = self._clock.monotonic_s() - began_s
                await self._rest(min(self._limits.interval_s - took_s, took_s * REST_SHARE))
        finally:
            self._over = True
            async with self._settled:
                self._settled.notify_all()

    async def _rest(self, seconds: float) -> None:
        """Let entries gather, but no longer than it takes to fill a transaction."""
        if seconds > 0 and not self._is_full():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), seconds)

    def _is_full(self) -> bool:
        if self._pending_records >= self._limits.max_records:
            return True
        return self._pending_bytes - self._committing_bytes >= self._limits.max_pending_bytes / 2

    def _take(self) -> list[Entry]:
        """What goes into the next transaction: one entry at least, and as many as fit into its limits."""
        records = size_bytes = count = 0
        for entry in self._pending:
            over = records >= self._limits.max_records or size_bytes >= self._limits.max_pending_bytes / 2
            if over:
                break
            records += entry.message_count
            size_bytes += entry.size_bytes
            count += 1
        batch, self._pending = self._pending[:count], self._pending[count:]
        self._pending_records -= records
        self._committing_bytes = size_bytes
        if not self._pending:
            self._written.clear()
        if not self._is_full():
            self._full.clear()
        return batch

    @property
    def is_settled(self) -> bool:
        """Whether all that was written is committed and in the index's store."""
        return self._done == self._taken

    async def _commit(self, entries: list[Entry]) -> None:
        began_s = self._clock.monotonic_s()
        batch = self._batch(entries)
        written = [entry.items for entry in entries if entry.items is not None]
        self._busy = True
        try:
            await self._log.commit(batch)
            # The store is brought up to what is committed, and never ahead of it.
            await asyncio.to_thread(self._index.apply, written)
        finally:
            self._busy = False
        self._index.applied(written)
        self.position = batch.position
        self._pending_bytes -= self._committing_bytes
        self._committing_bytes = 0
        self._done += len(entries)
        self._on_commit(Committed(entries, self._clock.monotonic_s() - began_s))
        async with self._settled:
            self._settled.notify_all()

    def _batch(self, entries: list[Entry]) -> Batch:
        """The entries as one transaction: of each connection's checkpoints what the last one changes."""
        last = {entry.connection_id: entry.checkpoint for entry in entries if entry.connection_id is not None}
        return Batch(
            max((entry.position for entry in entries if entry.position is not None), default=self.position),
            [message for entry in entries for message in entry.writes],
            [record for each in last.items() for record in self._records.replace(*each)],
            [message for entry in entries if entry.items is not None for message in entry.items.messages],
        )
