"""An owned partition: how steps become transactions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from google_drive_worker.domain.ids import ConnectionId, FileId
from google_drive_worker.domain.item_entry import DetailDigests, IndexChanges, ItemEntry
from google_drive_worker.domain.message import Batch, Outgoing
from google_drive_worker.entry import Entry
from google_drive_worker.index.codec import ENTRY
from google_drive_worker.index.partition_index import PartitionIndex
from google_drive_worker.index.store import Identity, LocalStore
from google_drive_worker.partition import CommitLimits, Committed, OwnedPartition
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.state_records import StateRecords
from google_drive_worker.utils.errors import Fenced, Retryable, WorkerError
from support.clock import ManualClock
from support.syncs import CUSTOMER, syncing


class GatedLog:
    """A `PartitionLog` that keeps what is committed, and holds commits back while its gate is shut."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.problem: WorkerError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def open(self) -> None:
        """There is no owner to take it from."""

    async def commit(self, batch: Batch) -> None:
        """Waits while the gate is shut, as a broker may let one wait."""
        await self.gate.wait()
        if self.problem is not None:
            raise self.problem
        self.batches.append(batch)

    async def close(self) -> None:
        """There is nothing to let go of."""

    @property
    def positions(self) -> list[int]:
        """The position of each transaction."""
        return [batch.position for batch in self.batches]

    @property
    def values(self) -> list[list[bytes]]:
        """The messages of each transaction, in order."""
        return [[each.value for each in batch.messages if isinstance(each, Outgoing)] for batch in self.batches]


class Bench:
    """A partition over a log in memory."""

    def __init__(
        self,
        limits: CommitLimits,
        directory: Path,
        checkpoints: dict[ConnectionId, Checkpoint] | None = None,
    ) -> None:
        self.log = GatedLog()
        self.store = LocalStore(directory, Identity("cluster", "topic", 0, "boot"))
        self.committed: list[Committed] = []
        self.told = asyncio.Event()
        self.partition = OwnedPartition(
            0,
            self.log,
            checkpoints or {},
            100,
            clock=ManualClock(),
            records=StateRecords(),
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
        assert made.log.values == [[b"a"]]


async def test_what_comes_during_the_interval_goes_together_and_in_order() -> None:
    """One transaction for many steps."""
    async with bench(CommitLimits(interval_s=0.05)) as made:
        made.partition.write(entry("a"))
        await made.until(1)
        for value in "bcd":
            made.partition.write(entry(value))
        await made.until(2)
        assert made.log.values == [[b"a"], [b"b", b"c", b"d"]]


async def test_a_full_transaction_does_not_wait_for_the_interval() -> None:
    """`max_records` closes it, and what is over goes into the next."""
    async with bench(CommitLimits(interval_s=3600, max_records=2)) as made:
        made.partition.write(entry("a"))
        await made.until(1)
        for value in "bcde":
            made.partition.write(entry(value))
        await made.until(3)
        assert [len(values) for values in made.log.values] == [1, 2, 2]


async def test_a_transaction_is_closed_by_bytes_too() -> None:
    """Half of what may be pending: large records make small transactions, of one step at the least."""
    async with bench(CommitLimits(interval_s=3600, max_pending_bytes=8_000)) as made:
        made.partition.write(entry("a"))
        await made.until(1)
        for value in ("b" * 2_500, "c" * 2_500, "d" * 9_000, "e"):
            made.partition.write(entry(value))
        await made.until(3)
        assert [len(values) for values in made.log.values[:3]] == [1, 2, 1]


async def test_a_step_is_never_split() -> None:
    """Its records and its checkpoint are one, also where it has more records than a transaction should."""
    async with bench(CommitLimits(interval_s=0.0, max_records=2)) as made:
        made.partition.write(entry(*"abcde"))
        await made.until(1)
        assert len(made.log.values[0]) == 5


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
        made.log.gate.clear()
        made.partition.write(entry("a", position=101))
        made.partition.write(entry("b", position=102))
        made.partition.pass_by(103)
        made.log.gate.set()
        await made.partition.flushed()
        assert made.log.positions[0] == 101
        assert made.log.positions == sorted(made.log.positions)
        assert made.partition.position == 103


async def test_an_entry_without_a_position_keeps_the_old_one() -> None:
    """It is sent with every transaction, for the fence that goes with it."""
    async with bench() as made:
        made.partition.write(entry("a"))
        await made.until(1)
        assert made.log.positions == [100]


async def test_quiet_positions_become_one_and_wait_for_company() -> None:
    """Another integration's messages cost no transaction each."""
    async with bench() as made:
        for position in range(101, 1_000):
            made.partition.pass_by(position)
        assert made.log.batches == []
        made.partition.write(entry("a", position=1_000))
        await made.until(1)
        assert [len(committed.entries) for committed in made.committed] == [2]
        assert made.log.positions == [1_000]


async def test_positions_alone_are_committed_after_a_while() -> None:
    """Else a group whose topic holds another integration's messages alone would look as if it stood still."""
    async with bench(CommitLimits(interval_s=0.0, quiet_s=0.01)) as made:
        for position in (101, 102, 103):
            made.partition.pass_by(position)
        await made.until(1)
        assert made.log.positions == [103]
        assert made.log.values == [[]]
        made.partition.pass_by(104)
        await made.until(2)
        assert made.log.positions == [103, 104]


async def test_flushed_writes_what_is_quiet_too() -> None:
    """A partition that is let go of leaves nothing behind."""
    async with bench() as made:
        made.partition.pass_by(150)
        await made.partition.flushed()
        assert made.log.positions == [150]


async def test_writers_wait_while_too_much_is_pending() -> None:
    """This is what bounds memory; there is room again when it is committed."""
    async with bench(CommitLimits(interval_s=0.0, max_pending_bytes=10)) as made:
        await made.partition.room()
        made.log.gate.clear()
        made.partition.write(entry("x" * 10))
        waiting = asyncio.create_task(made.partition.room(), name="room")
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        made.log.gate.set()
        await asyncio.wait_for(waiting, 10)
        assert made.log.values == [[b"x" * 10]]


async def test_a_commit_that_fails_ends_the_partition_and_nobody_waits_on(tmp_path: Path) -> None:
    """It has to be opened anew from what is committed; who waits for room or for the end is let go."""
    made = Bench(CommitLimits(interval_s=0.0, max_pending_bytes=1), tmp_path)
    made.log.problem = Fenced("somebody else's")
    made.partition.write(entry("a", position=101))
    with pytest.raises(Fenced):
        await made.partition.run()
    await asyncio.wait_for(made.partition.room(), 10)
    await asyncio.wait_for(made.partition.flushed(), 10)
    assert made.partition.position == 100
    assert made.committed == []


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
        made.log.gate.clear()
        changes = IndexChanges({FileId("a"): item})
        made.partition.write(Entry([], connection_id, syncing("full"), changes=changes))
        assert made.partition.index(connection_id).get(FileId("a")) == item
        assert made.store.get(connection_id, ENTRY, b"a") is None
        assert not made.partition.is_settled
        made.log.gate.set()
        await made.partition.flushed()
        [batch] = made.log.batches
        assert [key for key, _ in batch.items] == [b"conn_abc\0ea"]
        assert made.store.get(connection_id, ENTRY, b"a") == batch.items[0][1]
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
        assert sorted(made.log.batches[-1].items) == [(b"conn_abc\0da", None), (b"conn_abc\0ea", None)]
        assert made.partition.index(connection_id).get(FileId("a")) is None
        assert made.partition.index(connection_id).details(FileId("a")) is None


async def test_of_a_connections_checkpoints_the_last_of_a_transaction_is_written() -> None:
    """Nothing reads those before it; an ended one is a tombstone."""
    async with bench() as made:
        made.log.gate.clear()
        made.partition.write(entry("a", connection="conn_abc"))
        await asyncio.sleep(0)
        for name in ("conn_abc", "conn_def"):
            made.partition.write(entry("b", connection=name))
        made.partition.write(Entry([], ConnectionId("conn_abc"), None))
        made.log.gate.set()
        await made.partition.flushed()
        kept = StateRecords().replace(ConnectionId("conn_def"), Checkpoint(ConnectionId("conn_def"), CUSTOMER))
        assert made.log.batches[-1].state == [(b"conn_abc", None), *kept]


async def test_a_partition_whose_commit_failed_is_not_settled(tmp_path: Path) -> None:
    """Its index's store lacks what the log may hold, and must not be gone on with."""
    made = Bench(CommitLimits(interval_s=0.0), tmp_path)
    made.log.problem = Retryable("no answer")
    made.partition.write(entry("a"))
    with pytest.raises(Retryable):
        await made.partition.run()
    assert not made.partition.is_settled
    made.store.close()
