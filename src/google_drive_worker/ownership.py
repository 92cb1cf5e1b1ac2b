"""The partitions that this worker owns: opened when assigned, opened again after trouble, let go of when revoked.

There is one way back from any trouble, the same as after a crash: the turns of the partition end, its writer is given
up, and it is opened from what is committed. Opening is, in this order: take the transactional id, read the committed
offset, read the state to its end and then the item index, let messages come. The order is what makes a takeover exact:
once the id is taken, no other worker can change offset or state.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from msgspec.structs import replace

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.message import Incoming, Outgoing
from google_drive_worker.domain.partitioning import partition_of
from google_drive_worker.domain.ports import Clock, PartitionLog, Restore, TriggerSource
from google_drive_worker.entry import Entry
from google_drive_worker.handlers.base import Accept, Drop, Handler, PassOn, Reject, Skip
from google_drive_worker.index.partition_index import PartitionIndex
from google_drive_worker.outbox import Outbox
from google_drive_worker.partition import CommitLimits, Committed, OwnedPartition
from google_drive_worker.scheduler import Scheduler, Seat
from google_drive_worker.sync import channels, engine
from google_drive_worker.sync.checkpoint import CheckpointProblem
from google_drive_worker.sync.state_records import StateRead, decode_state
from google_drive_worker.utils.errors import Fenced, InstanceFenced, Retryable, WorkerError, origin

ROOM_TIMEOUT_S = 20.0
"""How long the intake waits for commits to catch up with it; well under what a rebalance may take."""

REOPEN_BASE_S = 0.5
"""The first rest before a partition in trouble is opened again."""

REOPEN_CAP_S = 30.0
"""The longest such rest."""


class OpenIndex(Protocol):
    """A partition's item index, read up to what is committed."""

    @property
    def index(self) -> PartitionIndex:
        """The index itself."""
        ...

    def close(self, *, is_settled: bool) -> None:
        """Let go of it; where all that was written `is_settled` in its store, that can be gone on with. Blocks."""
        ...


class Observer(Protocol):
    """Who is told what happens to messages and partitions, to log and count it."""

    def on_message(self, message: Incoming, outcome: str) -> None:
        """A message came to `outcome`: accepted, skipped, dropped, passed_on or rejected."""
        ...

    def on_notification(self, outcome: str) -> None:
        """A notification was accepted, confirmed or passed on, or dropped for the reason named."""
        ...

    def on_commit(self, partition: int, committed: Committed) -> None:
        """A transaction went through."""
        ...

    def on_opened(self, partition: int, connections: int, damaged: dict[ConnectionId, str]) -> None:
        """A partition is ready, with so many connections restored; `damaged` could not be read and start over."""
        ...

    def on_closed(self, partition: int, problem: WorkerError | None) -> None:
        """A partition is let go of, because of a problem or (`None`) in good order."""
        ...

    def on_broker_trouble(self, problem: str) -> None:
        """The broker says something that a person should know."""
        ...


class Ownership:
    """A `TriggerListener` that holds the owned partitions.

    `new_log`, `restore` and `open_index` are for a partition's number, and have their own time limits; `open_index`
    blocks.
    `partitions` is how many the trigger topic has. `webhooks` decides on notifications, where any are read.
    `on_commit` hears of every transaction that went through, after the observer. `release_s` is how long turns may
    take to end when a partition is revoked.
    """

    def __init__(
        self,
        *,
        handler: Handler,
        webhooks: Handler | None = None,
        outbox: Outbox,
        new_log: Callable[[int], PartitionLog],
        restore: Restore,
        open_index: Callable[[int], OpenIndex],
        clock: Clock,
        partitions: int,
        limits: CommitLimits,
        observer: Observer,
        on_commit: Callable[[Committed], None],
        release_s: float,
    ) -> None:
        self._handler = handler
        self._webhooks = webhooks
        self._outbox = outbox
        self._new_log = new_log
        self._restore = restore
        self._clock = clock
        self._open_index = open_index
        self._partitions = partitions
        self._limits = limits
        self._observer = observer
        self._on_commit = on_commit
        self._release_s = release_s
        self._held: dict[int, asyncio.Task[None]] = {}
        self._open: dict[int, OwnedPartition] = {}
        self._source: TriggerSource | None = None
        self._scheduler: Scheduler | None = None
        self._group: asyncio.TaskGroup | None = None

    def connect(self, source: TriggerSource, scheduler: Scheduler, group: asyncio.TaskGroup) -> None:
        """Name the consumer, the scheduler and the task group to work with, before the consumer starts."""
        self._source, self._scheduler, self._group = source, scheduler, group

    @property
    def assigned(self) -> set[int]:
        """The partitions that the group has given us."""
        return set(self._held)

    @property
    def ready(self) -> set[int]:
        """Those of them that are open."""
        return set(self._open)

    def partition(self, number: int) -> OwnedPartition | None:
        """The open partition of that number."""
        return self._open.get(number)

    async def on_assigned(self, partitions: list[int]) -> None:
        """Begin to open the partitions, side by side; the consumer goes on polling meanwhile."""
        assert self._group is not None  # noqa: S101 - connect() comes first
        for number in partitions:
            self._held[number] = self._group.create_task(self._hold(number), name=f"partition:{number}")

    async def on_revoked(self, partitions: list[int]) -> None:
        """Finish the pages under way, commit what is ready, let go."""
        assert self._scheduler is not None  # noqa: S101 - connect() comes first
        await self._scheduler.release(partitions, self._release_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._release_s):
                await asyncio.gather(*(self._open[number].flushed() for number in partitions if number in self._open))
        await self._let_go(partitions)

    async def on_lost(self, partitions: list[int]) -> None:
        """Another worker's already: drop everything."""
        assert self._scheduler is not None  # noqa: S101 - connect() comes first
        await self._scheduler.abort(partitions)
        await self._let_go(partitions)

    async def on_messages(self, messages: list[Incoming]) -> None:
        """Take messages in. Those of a partition that is not open come again when it is."""
        for message in messages:
            partition = self._open.get(message.partition)
            if partition is not None:
                self._take_in(partition, message)
        for partition in {self._open[message.partition] for message in messages if message.partition in self._open}:
            with contextlib.suppress(TimeoutError):  # a broker that is away gives no more messages anyhow
                async with asyncio.timeout(ROOM_TIMEOUT_S):
                    await partition.room()

    def on_trouble(self, problem: str) -> None:
        """Pass the broker's word on."""
        self._observer.on_broker_trouble(problem)

    def _take_in(self, partition: OwnedPartition, message: Incoming) -> None:
        position = message.offset + 1
        match self._handler.decide(message):
            case Skip():
                partition.pass_by(position)
                self._observer.on_message(message, "skipped")
            case PassOn(outgoing):
                partition.write(Entry([outgoing], position=position))
                self._observer.on_message(message, "passed_on")
            case Reject(report):
                partition.write(self._outbox.report(report, position))
                self._observer.on_message(message, "rejected")
            case Drop(reason):
                partition.pass_by(position)
                self._dropped(message, reason)
            case Accept() as accept:
                if not self._accept(partition, message, accept, position):
                    partition.pass_by(position)

    async def on_notifications(self, messages: list[Incoming]) -> list[Outgoing]:
        """Take notifications in; what concerns partitions of ours is committed when this returns the rest.

        Raises `Retryable` or `TimeoutError` where a commit failed: its partition is opened again without them.
        """
        outgoing: list[Outgoing] = []
        touched: set[OwnedPartition] = set()
        for message in messages:
            match self._webhooks.decide(message) if self._webhooks is not None else Skip():
                case Skip():
                    self._observer.on_message(message, "skipped")
                case Drop(reason):
                    self._dropped(message, reason)
                case PassOn(passed_on):
                    outgoing.append(passed_on)
                    self._observer.on_message(message, "passed_on")
                    self._observer.on_notification("passed_on")
                case Reject(report):
                    outgoing += self._outbox.report(report, 0).outgoing
                    self._observer.on_message(message, "rejected")
                case Accept() as accept:
                    partition = self._home_of(accept.connection_id)
                    if partition is None:
                        raise Retryable("a partition was let go of in between")
                    self._accept(partition, message, accept, None)
                    touched.add(partition)
        async with asyncio.timeout(ROOM_TIMEOUT_S):
            for partition in touched:
                if not await partition.committed():
                    raise Retryable("a commit failed, and its partition is opened again")
        return outgoing

    def _home_of(self, connection_id: ConnectionId) -> OwnedPartition | None:
        return self._open.get(partition_of(connection_id, self._partitions))

    def _accept(self, partition: OwnedPartition, message: Incoming, accept: Accept, position: int | None) -> bool:
        """Write what the connection owes from now on; false where a notification turns out to be none of its own."""
        connection_id, owed, notice = accept
        checkpoint = partition.checkpoint(connection_id)
        if notice is not None:
            heeded = channels.heed(checkpoint, notice, self._clock.now())
            checkpoint = heeded.checkpoint
            if checkpoint is None:
                self._dropped(message, heeded.outcome)
                return False
            self._observer.on_notification(heeded.outcome)
            owed = replace(owed, corpora=(heeded.corpus,))
        if notice is None or not notice.is_sync:
            checkpoint = engine.accept(checkpoint, connection_id, owed)
        partition.write(Entry([], connection_id, checkpoint, position))
        self._observer.on_message(message, "accepted")
        if self._scheduler is not None:
            self._scheduler.ask(Seat(partition.number, connection_id))
        return True

    def _dropped(self, message: Incoming, reason: str) -> None:
        self._observer.on_message(message, "dropped")
        self._observer.on_notification(reason)

    async def _hold(self, number: int) -> None:
        """Keep the partition open until cancelled, whatever happens to its writer."""
        failures = 0
        while True:
            problem: WorkerError | None = None
            began_s = self._clock.monotonic_s()
            try:
                await self._open_and_run(number)
            except InstanceFenced as error:
                self._observer.on_closed(number, error)
                raise  # there is no way back: the other worker has this one's partitions
            except (Fenced, Retryable) as error:
                problem = error
            except Exception as bug:
                problem = Retryable(f"a bug of the worker's: {origin(bug)}", code="internal_error")
            failures = 0 if self._clock.monotonic_s() - began_s > 2 * REOPEN_CAP_S else failures + 1
            self._observer.on_closed(number, problem)
            await self._clock.sleep(min(REOPEN_CAP_S, REOPEN_BASE_S * 2.0**failures))

    async def _open_and_run(self, number: int) -> None:
        assert self._source is not None  # noqa: S101 - connect() comes first
        assert self._scheduler is not None  # noqa: S101
        partition_log = self._new_log(number)
        opened: OpenIndex | None = None
        partition: OwnedPartition | None = None
        try:
            await partition_log.open()
            stored = await self._restore(number)
            checkpoints, damaged, records = _decoded(stored.state)
            opened = await asyncio.to_thread(self._open_index, number)
            partition = OwnedPartition(
                number,
                partition_log,
                checkpoints,
                stored.position,
                clock=self._clock,
                records=records,
                index=opened.index,
                limits=self._limits,
                on_commit=lambda committed: self._committed(number, committed),
            )
            self._open[number] = partition
            self._scheduler.admit(number)
            self._source.begin_at(number, stored.position)
            self._observer.on_opened(number, len(checkpoints), damaged)
            for connection_id in list(checkpoints):
                self._scheduler.ask(Seat(number, connection_id))
            await partition.run()
        finally:
            self._open.pop(number, None)
            self._source.hold(number)
            try:
                await asyncio.gather(self._scheduler.abort([number]), partition_log.close())
            finally:
                if opened is not None:
                    is_settled = partition is not None and partition.is_settled
                    await asyncio.to_thread(opened.close, is_settled=is_settled)

    def _committed(self, number: int, committed: Committed) -> None:
        self._observer.on_commit(number, committed)
        self._on_commit(committed)

    async def _let_go(self, partitions: Iterable[int]) -> None:
        tasks = {number: task for number in partitions if (task := self._held.pop(number, None)) is not None}
        for task in tasks.values():
            task.cancel()
        if tasks:
            await asyncio.wait(tasks.values())
        for number in tasks:
            self._observer.on_closed(number, None)


def _decoded(state: Mapping[bytes, bytes]) -> StateRead:
    try:
        return decode_state(state)
    except CheckpointProblem as problem:
        raise Retryable(f"{problem}; run a newer worker", code="newer_state") from None
