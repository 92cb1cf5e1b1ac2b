"""An owned partition: how steps become transactions."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from google_drive_worker.domain.ids import ConnectionId, FileId
from google_drive_worker.domain.item_entry import DetailDigests, IndexChanges, ItemEntry
from google_drive_worker.domain.message import Outgoing
from google_drive_worker.index.codec import ENTRY
from google_drive_worker.index.partition_index import PartitionIndex
from google_drive_worker.index.store import Identity, LocalStore
from google_drive_worker.kafka.entry import Entry
from google_drive_worker.kafka.partition import CommitLimits, Committed, OwnedPartition
from google_drive_worker.kafka.transactions import TransactionalWriter
from google_drive_worker.kafka.writer_thread import WriterThread
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.utils.errors import Fenced, WorkerError
from support.clock import ManualClock
from support.syncs import CUSTOMER, syncing


class MemoryWriter(TransactionalWriter):
    """Keeps what is committed in memory: all of a call's entries, or none where it fails."""

    def __init__(self) -> None:
        self.batches: list[list[Entry]] = []
        self.positions: list[int] = []
        self.problem: WorkerError | None = None
        self.gate = threading.Event()
        self.gate.set()

    def open(self) -> None:
        """There is nobody to take it from."""

    def commit(self, entries: Iterable[Entry], position: int) -> None:
        """Blocks while the gate is shut, as a broker may."""
        assert self.gate.wait(10)
        if self.problem is not None:
            raise self.problem
        self.batches.append(list(entries))
        self.positions.append(position)

    def close(self) -> None:
        """There is nothing to let go of."""

    @property
    def values(self) -> list[bytes]:
        """The messages of all batches, in order."""
        return [outgoing.value for batch in self.batches for entry in batch for outgoing in entry.messages()]


class Bench:
    """A partition over a writer in memory."""

    def __init__(
        self,
        limits: CommitLimits,
        directory: Path,
        checkpoints: dict[ConnectionId, Checkpoint] | None = None,
    ) -> None:
        self.writer = MemoryWriter()
        self.store = LocalStore(directory, Identity("cluster", "topic", 0, "boot"))
        self.committed: list[Committed] = []
        self.told = asyncio.Event()
        self.thread = WriterThread("commit-0")
        self.partition = OwnedPartition(
            0,
            self.writer,
            self.thread,
            checkpoints or {},
            100,
            clock=ManualClock(),
            index=PartitionIndex(self.store),
            limits=limits,
            on_commit=self.on_commit,
        )

    async def until(self, batches: int) -> None:
        """Wait for so many commits."""
        async with asyncio.timeout(10):
            while len(self.committed) < batches:
                self.told.clear()
                await self.told.wait()

    def on_commit(self, committed: Committed) -> None:
        """A transaction went through."""
        self.committed.append(committed)
        self.told.set()


@asynccontextmanager
async def bench(limits: CommitLimits | None = None) -> AsyncIterator[Bench]:
    """A partition that runs, until the block ends."""
    with TemporaryDirectory() as directory:
        made = Bench(limits or CommitLimits(interval_s=0.0), Path(directory))
        task = asyncio.create_task(made.partition.run(), name="partition")
        yield made
        task.cancel()
        await asyncio.wait([task])
        made.thread.end()
        made.store.close()


def entry(*values: str, position: int | None = None, connection: str | None = None) -> Entry:
    """An entry with these messages."""
    outgoing = [Outgoing("ingestion.data", b"key", value.encode(), []) for value in values]
    if connection is None:
        return Entry(outgoing, position=position)
    name = ConnectionId(connection)
    return Entry(outgoing, name, Checkpoint(name, CUSTOMER), position)


async def test_what_comes_to_an_idle_partition_is_committed_at_once() -> None:
    """Without waiting for company, however long the interval."""
    async with bench(CommitLimits(interval_s=3600)) as made:
        made.partition.write(entry("a"))
        await made.until(1)
        assert made.writer.values == [b"a"]


async def test_what_comes_during_the_interval_goes_together_and_in_order() -> None:
    """One transaction for many steps."""
    async with bench(CommitLimits(interval_s=0.05)) as made:
        made.partition.write(entry("a"))
        await made.until(1)
        for value in "bcd":
            made.partition.write(entry(value))
        await made.until(2)
        assert [len(batch) for batch in made.writer.batches] == [1, 3]
        assert made.writer.values == [b"a", b"b", b"c", b"d"]


async def test_a_full_transaction_does_not_wait_for_the_interval() -> None:
    """`max_records` closes it, and what is over goes into the next."""
    async with bench(CommitLimits(interval_s=3600, max_records=2)) as made:
        made.partition.write(entry("a"))
        await made.until(1)
        for value in "bcde":
            made.partition.write(entry(value))
        await made.until(3)
        assert [len(batch) for batch in made.writer.batches] == [1, 2, 2]


async def test_a_transaction_is_closed_by_bytes_too() -> None:
    """Half of what may be pending: large records make small transactions, of one step at the least."""
    async with bench(CommitLimits(interval_s=3600, max_pending_bytes=8_000)) as made:
        made.partition.write(entry("a"))
        await made.until(1)
        for value in ("b" * 2_500, "c" * 2_500, "d" * 9_000, "e"):
            made.partition.write(entry(value))
        await made.until(3)
        assert [len(batch) for batch in made.writer.batches[:3]] == [1, 2, 1]


async def test_a_step_is_never_split() -> None:
    """Its records and its checkpoint are one, also where it has more records than a transaction should."""
    async with bench(CommitLimits(interval_s=0.0, max_records=2)) as made:
        made.partition.write(entry(*"abcde"))
        await made.until(1)
        assert len(made.writer.batches[0]) == 1


async def test_a_checkpoint_counts_from_its_writing_on() -> None:
    """The next step of the connection is decided on it, committed or not; `None` ends it."""
    async with bench() as made:
        name = ConnectionId("conn_abc")
        made.partition.write(entry("a", connection="conn_abc"))
        assert made.partition.checkpoint(name) == Checkpoint(name, CUSTOMER)
        made.partition.write(Entry([], name, None))
        assert made.partition.checkpoint(name) is None
        assert made.partition.checkpoints == {}


async def test_the_position_never_passes_an_uncommitted_trigger() -> None:
    """A trigger that is not in the batch is read again after a crash."""
    async with bench(CommitLimits(interval_s=0.0, max_records=1)) as made:
        made.writer.gate.clear()
        made.partition.write(entry("a", position=101))
        made.partition.write(entry("b", position=102))
        made.partition.pass_by(103)
        made.writer.gate.set()
        await made.partition.flushed()
        assert made.writer.positions[0] == 101
        assert made.writer.positions == sorted(made.writer.positions)
        assert made.partition.position == 103


async def test_an_entry_without_a_position_keeps_the_old_one() -> None:
    """It is sent with every transaction, for the fence that goes with it."""
    async with bench() as made:
        made.partition.write(entry("a"))
        await made.until(1)
        assert made.writer.positions == [100]


async def test_quiet_positions_become_one_and_wait_for_company() -> None:
    """Another integration's messages cost no transaction each."""
    async with bench() as made:
        for position in range(101, 1_000):
            made.partition.pass_by(position)
        assert made.writer.batches == []
        made.partition.write(entry("a", position=1_000))
        await made.until(1)
        assert len(made.writer.batches[0]) == 2
        assert made.writer.positions == [1_000]


async def test_positions_alone_are_committed_after_a_while() -> None:
    """Else a group whose topic holds another integration's messages alone would look as if it stood still."""
    async with bench(CommitLimits(interval_s=0.0, quiet_s=0.01)) as made:
        for position in (101, 102, 103):
            made.partition.pass_by(position)
        await made.until(1)
        assert made.writer.positions == [103]
        assert made.writer.values == []
        made.partition.pass_by(104)
        await made.until(2)
        assert made.writer.positions == [103, 104]


async def test_flushed_writes_what_is_quiet_too() -> None:
    """A partition that is let go of leaves nothing behind."""
    async with bench() as made:
        made.partition.pass_by(150)
        await made.partition.flushed()
        assert made.writer.positions == [150]


async def test_writers_wait_while_too_much_is_pending() -> None:
    """This is what bounds memory; there is room again when it is committed."""
    async with bench(CommitLimits(interval_s=0.0, max_pending_bytes=10)) as made:
        await made.partition.room()
        made.writer.gate.clear()
        made.partition.write(entry("x" * 10))
        waiting = asyncio.create_task(made.partition.room(), name="room")
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        made.writer.gate.set()
        await asyncio.wait_for(waiting, 10)
        assert made.writer.values == [b"x" * 10]


async def test_a_commit_that_fails_ends_the_partition_and_nobody_waits_on(tmp_path: Path) -> None:
    """It has to be opened anew from what is committed; who waits for room or for the end is let go."""
    made = Bench(CommitLimits(interval_s=0.0, max_pending_bytes=1), tmp_path)
    made.writer.problem = Fenced("somebody else's")
    made.partition.write(entry("a", position=101))
    with pytest.raises(Fenced):
        await made.partition.run()
    await asyncio.wait_for(made.partition.room(), 10)
    await asyncio.wait_for(made.partition.flushed(), 10)
    assert made.partition.position == 100
    assert made.committed == []
    made.thread.end()


async def test_a_commit_is_told_of_after_it_went_through() -> None:
    """With the entries that it wrote."""
    async with bench() as made:
        written = entry("a", position=101)
        made.partition.write(written)
        await made.partition.flushed()
        assert [committed.entries for committed in made.committed] == [[written]]


async def test_what_changes_of_the_index_counts_at_once_and_is_in_the_store_after_the_commit() -> None:
    """It goes into the same transaction, as messages of the changelog."""
    connection_id, item = ConnectionId("conn_abc"), ItemEntry(version=7, digest=1)
    async with bench() as made:
        made.writer.gate.clear()
        changes = IndexChanges({FileId("a"): item})
        made.partition.write(Entry([], connection_id, syncing("full"), changes=changes))
        assert made.partition.index(connection_id).get(FileId("a")) == item
        assert made.store.get(connection_id, ENTRY, b"a") is None
        assert not made.partition.is_settled
        made.writer.gate.set()
        await made.partition.flushed()
        [[written]] = made.writer.batches
        assert written.items is not None
        assert [key for key, _ in written.items.messages] == [b"conn_abc\0ea"]
        assert made.store.get(connection_id, ENTRY, b"a") == written.items.messages[0][1]
        assert made.partition.index(connection_id).get(FileId("a")) == item
        assert made.partition.is_settled


async def test_a_connection_whose_state_ends_is_forgotten_by_the_index() -> None:
    """Each of its keys has a tombstone, in the transaction that ends its checkpoint."""
    connection_id = ConnectionId("conn_abc")
    async with bench() as made:
        changes = IndexChanges({FileId("a"): ItemEntry()}, {FileId("a"): DetailDigests((("r", 1),))})
        made.partition.write(Entry([], connection_id, syncing("full"), changes=changes))
        await made.partition.flushed()
        made.partition.write(Entry([], connection_id, None))
        assert made.partition.index(connection_id).get(FileId("a")) is None
        await made.partition.flushed()
        last = made.writer.batches[-1][-1]
        assert last.items is not None
        assert sorted(last.items.messages) == [(b"conn_abc\0da", None), (b"conn_abc\0ea", None)]
        assert made.partition.index(connection_id).get(FileId("a")) is None
        assert made.partition.index(connection_id).details(FileId("a")) is None
