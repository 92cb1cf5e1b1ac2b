"""A worker's ownership on the cluster in memory, with trouble on the way to it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.message import Batch, Incoming, Outgoing, StoredPartition
from google_drive_worker.domain.partitioning import partition_of
from google_drive_worker.domain.ports import PartitionLog
from google_drive_worker.entry import Entry
from google_drive_worker.handlers.trigger import TriggerHandler
from google_drive_worker.index.partition_index import PartitionIndex
from google_drive_worker.index.store import Identity, LocalStore
from google_drive_worker.kafka.in_memory_clients import InMemorySource
from google_drive_worker.outbox import Outbox
from google_drive_worker.ownership import Ownership
from google_drive_worker.partition import CommitLimits, Committed
from google_drive_worker.scheduler import Scheduler, Seat
from google_drive_worker.utils.errors import Retryable, WorkerError
from support.clock import ManualClock
from support.partition_logs import MemoryCluster

PARTITIONS = 3
CONNECTION = ConnectionId("conn_abc")
HOME = partition_of(CONNECTION, PARTITIONS)
DEADLINE_S = 10.0


class Happenings:
    """An `Observer` that keeps what it is told, and wakes who waits for it."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, int, str]] = []
        self.opened: list[tuple[int, int]] = []
        self.damaged: dict[ConnectionId, str] = {}
        self.closed: list[tuple[int, WorkerError | None]] = []
        self.commits = 0
        self._told = asyncio.Event()

    def on_message(self, message: Incoming, outcome: str) -> None:
        """Keep where it was and what it came to."""
        self.messages.append((message.partition, message.offset, outcome))
        self._told.set()

    def on_notification(self, outcome: str) -> None:
        """There are none here."""

    def on_commit(self, partition: int, committed: Committed) -> None:
        """Count it."""
        self.commits += 1
        self._told.set()

    def on_opened(self, partition: int, connections: int, damaged: dict[ConnectionId, str]) -> None:
        """Keep the partition with the number of its connections."""
        self.opened.append((partition, connections))
        self.damaged |= damaged
        self._told.set()

    def on_closed(self, partition: int, problem: WorkerError | None) -> None:
        """Keep why."""
        self.closed.append((partition, problem))
        self._told.set()

    def on_broker_trouble(self, problem: str) -> None:
        """Nothing comes of it here."""

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until what was told fulfils the condition."""
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self._told.clear()
                await self._told.wait()


class Gate:
    """Trouble on the way to the cluster: `openings` and `commits` fail that often; commits wait while it is shut."""

    def __init__(self) -> None:
        self.openings = 0
        self.commits = 0
        self.waiting = asyncio.Event()
        self.is_open = asyncio.Event()
        self.is_open.set()

    def shut(self) -> None:
        """Let no commit through."""
        self.waiting.clear()
        self.is_open.clear()


class GuardedLog:
    """A `PartitionLog` behind a gate. A commit that waits there goes on in the background, as a thread's call does."""

    def __init__(self, log: PartitionLog, gate: Gate) -> None:
        self._log = log
        self._gate = gate
        self.abandoned: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Fails as often as the gate says."""
        if self._gate.openings:
            self._gate.openings -= 1
            raise Retryable("the broker does not answer")
        await self._log.open()

    async def commit(self, batch: Batch) -> None:
        """Fails as often as the gate says; waits while it is shut."""
        if self._gate.commits:
            self._gate.commits -= 1
            raise Retryable("the broker does not answer")
        self._gate.waiting.set()
        await self._gate.is_open.wait()
        await self._log.commit(batch)

    async def close(self) -> None:
        """Nothing stands in its way."""
        await self._log.close()


class OwnIndex:
    """An `OpenIndex` over a store in a directory."""

    def __init__(self, directory: Path, number: int) -> None:
        self._store = LocalStore(directory / f"{number}", Identity("cluster", "topic", number, "boot"))
        self.index = PartitionIndex(self._store)

    def close(self, *, is_settled: bool) -> None:
        """Close the store."""
        self._store.close()


class Life:
    """A worker's ownership with its membership in the group.

    Each connection is due once, for `turn`, where the scheduler is run.
    """

    def __init__(
        self,
        cluster: MemoryCluster,
        directory: Path,
        instance_id: str | None = None,
        *,
        turn: Callable[[Seat], Awaitable[None]] | None = None,
    ) -> None:
        self._turn = turn
        self._had_turn: set[Seat] = set()
        self.cluster = cluster
        self.happenings = Happenings()
        self.gate = Gate()
        self.clock = ManualClock()
        numbers = iter(range(1_000))
        self.ownership = Ownership(
            handler=TriggerHandler("google-drive", PARTITIONS),
            outbox=Outbox(
                integration_id="google-drive",
                data_topic=cluster.names.data,
                errors_topic=cluster.names.errors,
                new_message_ids=lambda count: [f"message-{next(numbers)}".encode() for _ in range(count)],
                clock=self.clock,
            ),
            new_log=lambda number: GuardedLog(cluster.log(self.source.group_metadata, number), self.gate),
            restore=self._restore,
            open_index=lambda number: OwnIndex(directory, number),
            clock=self.clock,
            partitions=PARTITIONS,
            limits=CommitLimits(interval_s=0.0),
            observer=self.happenings,
            on_commit=lambda committed: None,
            release_s=DEADLINE_S,
        )
        self.source = InMemorySource(cluster.group, self.ownership, instance_id)
        self.scheduler = Scheduler(self._take_turn, self._due_at, self.clock, at_once=1, turn_s=1.0)

    async def _restore(self, number: int) -> StoredPartition:
        return await self.cluster.restore(number)

    async def _take_turn(self, seat: Seat, is_over: Callable[[], bool]) -> None:
        assert self._turn is not None
        self._had_turn.add(seat)
        await self._turn(seat)

    def _due_at(self, seat: Seat) -> datetime | None:
        return None if seat in self._had_turn else self.clock.now()

    async def until_open(self, *numbers: int) -> None:
        """Wait until these partitions are open, all of them by default."""
        wanted = set(numbers or range(PARTITIONS))
        await self.happenings.until(lambda: wanted <= self.ownership.ready)

    async def until_committed(self, commits: int = 1) -> None:
        """Wait for so many commits in all."""
        await self.happenings.until(lambda: self.happenings.commits >= commits)

    def write(self, value: bytes) -> None:
        """Write a message into the connection's partition."""
        partition = self.ownership.partition(HOME)
        assert partition is not None
        partition.write(Entry([Outgoing(self.cluster.names.data, b"key", value, [], HOME)]))
