"""The worker's own turns on an in-process Google, without Kafka: what the bench of a day drives.

All that the bench knows of the worker's insides is here: the ledger that a turn writes to, and what a restart keeps.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import cast

import msgspec

from benchmarks.day_google import AskedCost, DayGoogle
from benchmarks.day_index import DayIndex, IndexChangelog
from google_drive_worker.channel_care import Push
from google_drive_worker.contents import ContentMirror
from google_drive_worker.domain.connection import AccessToken, Connection, ConnectionSettings, Secret
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.domain.ports import ObjectStore
from google_drive_worker.entry import Entry
from google_drive_worker.normalization import transformer
from google_drive_worker.outbox import Outbox
from google_drive_worker.sync import engine
from google_drive_worker.sync.checkpoint import Checkpoint, Owed, SyncKind, decode_checkpoint, encode_checkpoint
from google_drive_worker.sync.sharing import KnownFolders
from google_drive_worker.turn import Means, take_turn
from google_drive_worker.utils.errors import WorkerError

CONNECTION = ConnectionId("conn_day")
CUSTOMER = CustomerId("cust_day")
SETTINGS = ConnectionSettings(include_shared_drives=True, sync_revisions=True, sync_comments=True)
FETCHES_AT_ONCE = 6

_DATA_TOPIC, _ERRORS_TOPIC = "ingestion.data", "integration.errors"
_MOST_TURNS = 200

Kind = tuple[str, str]
"""A record's type and operation."""

OnRecord = Callable[[bytes], None]


class SyncCost(msgspec.Struct, frozen=True):
    """What a sync came to: its records by type and operation, its calls, and the bytes of state that it wrote."""

    records: dict[str, int]
    cost: AskedCost
    state_bytes: int = 0
    items_bytes: int = 0
    errors: int = 0

    @property
    def record_count(self) -> int:
        """All records."""
        return sum(self.records.values())


class DayWorker:
    """A worker of one connection. It is its turns' ledger and observer; `on_record` is given each committed record.

    Every step is a commit of its own.
    """

    def __init__(
        self,
        google: DayGoogle,
        email: str,
        on_record: OnRecord,
        *,
        settings: ConnectionSettings = SETTINGS,
        seed: int = 0,
    ) -> None:
        self.google = google
        self.troubles: Counter[str] = Counter()
        self._on_record = on_record
        self._bug: WorkerError | None = None
        self._token = google.simulator.access_token(email)
        self._settings = settings
        self._die = random.Random(seed)  # noqa: S311 - a simulation
        self._message_ids = (f"{number:032x}".encode() for number in itertools.count())
        self._state: bytes | None = None
        self._checkpoint: Checkpoint | None = None
        self._changelog = IndexChangelog()
        self._index = DayIndex()
        self._kinds: Counter[Kind] = Counter()
        self._state_bytes = 0
        self._items_before = 0
        self._errors = 0
        self._means = self._new_means()

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is owed and no sync is under way."""
        checkpoint = self._checkpoint
        return checkpoint is None or (checkpoint.owed is None and checkpoint.sync is None)

    @property
    def gaps(self) -> int:
        """How many things could not be read."""
        return 0 if self._checkpoint is None else len(self._checkpoint.gaps)

    def restart(self) -> None:
        """Another worker begins, with an empty state directory: it has what is committed, and nothing else."""
        self._checkpoint = None if self._state is None else decode_checkpoint(self._state)
        self._index = self._changelog.restore()
        self._means = self._new_means()

    def sync(self, kind: SyncKind = "incremental") -> SyncCost:
        """A trigger is accepted, or a notification, which owes the same; the sync runs to its end.

        Raises RuntimeError where it does not end.
        """
        self._begin_to_count()
        self._take(engine.accept(self._checkpoint, CONNECTION, Owed(kind, CUSTOMER)))
        asyncio.run(self._run_turns())
        return self._counted()

    def _begin_to_count(self) -> None:
        self.google.take_cost()
        self._items_before = self._changelog.bytes_written
        self._kinds.clear()
        self._state_bytes = self._errors = 0

    def _counted(self) -> SyncCost:
        return SyncCost(
            {f"{resource_type} {operation}": number for (resource_type, operation), number in self._kinds.items()},
            self.google.take_cost(),
            self._state_bytes,
            self._changelog.bytes_written - self._items_before,
            self._errors,
        )

    def settle(self, at_most_s: float) -> SyncCost:
        """Let the worker do by itself what falls due within that time, without a trigger; the time passes."""
        self._begin_to_count()
        until_s = self.google.time.monotonic_s() + at_most_s
        asyncio.run(self._run_what_is_due(until_s))
        asyncio.run(self.google.time.sleep(max(0.0, until_s - self.google.time.monotonic_s())))
        return self._counted()

    async def _run_what_is_due(self, until_s: float) -> None:
        for _ in range(_MOST_TURNS):
            checkpoint, now = self._checkpoint, self.google.time.now()
            due = None if checkpoint is None else engine.due_at(checkpoint, now)
            rest_s = 0.0 if due is None else max(0.0, (due - now).total_seconds()) + 0.001
            if due is None or self.google.time.monotonic_s() + rest_s > until_s:
                return
            await self.google.time.sleep(rest_s)
            await self._take_turn()

    async def _run_turns(self) -> None:
        for _ in range(_MOST_TURNS):
            await self._take_turn()
            if self.is_at_rest:
                return
            checkpoint, now = self._checkpoint, self.google.time.now()
            due = None if checkpoint is None else engine.due_at(checkpoint, now)
            if due is None:
                break
            await self.google.time.sleep(max(0.0, (due - now).total_seconds()) + 0.001)
        raise RuntimeError(f"the sync does not end: {dict(self.troubles)}")

    async def _take_turn(self) -> None:
        """Raises `WorkerError` for a bug of the worker's own, which nothing here is to hide."""
        await take_turn(self._means, CONNECTION, self, lambda: False)
        if self._bug is not None:
            raise self._bug

    def _take(self, checkpoint: Checkpoint | None) -> None:
        self._checkpoint = checkpoint
        self._state = None if checkpoint is None else encode_checkpoint(checkpoint)
        self._state_bytes += len(self._state or b"")

    # The ledger of a turn.

    def checkpoint(self, connection_id: ConnectionId) -> Checkpoint | None:
        """See `Ledger.checkpoint`."""
        del connection_id
        return self._checkpoint

    def index(self, connection_id: ConnectionId) -> DayIndex:
        """See `Ledger.index`."""
        del connection_id
        return self._index

    def write(self, entry: Entry) -> None:
        """See `Ledger.write`."""
        for outgoing in entry.messages():
            if outgoing.topic == _DATA_TOPIC:
                self._on_record(outgoing.value)
            else:
                self._errors += 1
        for tally in entry.tallies:
            if tally.kind != "error":
                self._kinds[tally.kind, tally.operation] += tally.number
        self._index.apply(entry.changes)
        self._changelog.append(entry.changes)
        self._take(entry.checkpoint)

    async def room(self) -> None:
        """See `Ledger.room`."""

    async def committed(self) -> bool:
        """See `Ledger.committed`."""
        return True

    # The observer of a turn.

    def on_trouble(self, connection_id: ConnectionId, step: str, error: WorkerError) -> None:
        """See `Observer.on_trouble`."""
        del connection_id
        self.troubles[f"{step}: {error.code}"] += 1
        if error.code == "internal_error":
            self._bug = error

    def on_sync_started(self, checkpoint: Checkpoint) -> None:
        """See `Observer.on_sync_started`."""

    # The connections that a turn asks for.

    async def get(self, connection_id: ConnectionId) -> Connection:
        """See `Connections.get`."""
        return Connection(
            connection_id=connection_id,
            customer_id=CUSTOMER,
            credentials=AccessToken(Secret(self._token)),
            settings=self._settings,
        )

    def doubt(self, connection_id: ConnectionId) -> None:
        """See `Connections.doubt`."""

    def _new_means(self) -> Means:
        outbox = Outbox(
            integration_id="google-drive",
            data_topic=_DATA_TOPIC,
            errors_topic=_ERRORS_TOPIC,
            new_message_ids=lambda count: list(itertools.islice(self._message_ids, count)),
            clock=self.google.time,
        )
        return Means(
            connections=self,
            drives=self.google.drives,
            normalizer=transformer,
            stores=_NoStores(),
            contents=ContentMirror(),
            enter=outbox.enter,
            clock=self.google.time,
            randomness=self._die,
            observer=self,
            include_shared_drives=True,
            fetches_allowed=lambda: FETCHES_AT_ONCE,
            folders=KnownFolders(),
            places=KnownFolders(),
            push=Push(address=lambda: None, secret=None, new_ids=cast("Iterator[str]", iter(()))),
        )


class _NoStores:
    """Contents are not mirrored, and no record is too large."""

    def open(self, connection: Connection) -> ObjectStore:
        """Give none, and none is used."""
        del connection
        return cast("ObjectStore", None)
