"""What one step writes: its messages and the checkpoint that goes with them, committed together."""

from collections.abc import Iterator
from typing import NamedTuple

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.item_entry import IndexChanges
from google_drive_worker.domain.message import Outgoing, RecordBatch
from google_drive_worker.domain.reports import Report
from google_drive_worker.index.partition_index import Written
from google_drive_worker.messages.record import output_headers
from google_drive_worker.sync.checkpoint import Checkpoint

CHECKPOINT_BYTES = 1000
"""What an entry weighs beside its messages: about a checkpoint."""


class Tally(NamedTuple):
    """How many of an entry's messages are of one kind: a record's type and operation, or `error` and its category."""

    kind: str
    operation: str
    number: int


class TooLarge(NamedTuple):
    """What has to be in the object store before a step can be written: the data of its large records, as JSON."""

    payloads: tuple[bytes, ...]


class Entry(NamedTuple):
    """One step's effects.

    `connection_id` is `None` where no state is concerned; else `checkpoint` replaces the connection's, and `None` ends
    it. `position` is the offset after the trigger that this entry accounts for, where it accounts for one. `changes`
    are those of the connection's part of the item index. `items` is what they come to in the
    changelog, once the partition has taken the entry. `reports` may be told once it is
    committed.
    """

    outgoing: list[Outgoing]
    connection_id: ConnectionId | None = None
    checkpoint: Checkpoint | None = None
    position: int | None = None
    tallies: tuple[Tally, ...] = ()
    records: RecordBatch | None = None
    changes: IndexChanges = IndexChanges()
    reports: tuple[Report, ...] = ()
    items: Written | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether it holds a position and nothing else."""
        return self.connection_id is None and not self.outgoing and self.records is None

    @property
    def message_count(self) -> int:
        """What it counts in a transaction: its messages, and the checkpoint as one."""
        records = 0 if self.records is None else len(self.records.values)
        items = 0 if self.items is None else len(self.items.messages)
        return records + items + len(self.outgoing) + (self.connection_id is not None)

    @property
    def size_bytes(self) -> int:
        """About what it holds in memory until it is committed."""
        if self.is_quiet:
            return 0
        records = 0 if self.records is None else self.records.size_bytes
        items = 0 if self.items is None else self.items.size_bytes
        return CHECKPOINT_BYTES + records + items + sum(len(outgoing.value) for outgoing in self.outgoing)

    @property
    def writes(self) -> list[RecordBatch | Outgoing]:
        """All that it writes beside state and index, in order: first its records, together, then the rest."""
        return [*self.outgoing] if self.records is None else [self.records, *self.outgoing]

    def messages(self) -> Iterator[Outgoing]:
        """The same as single messages."""
        if (batch := self.records) is not None:
            for value, idempotency_key in zip(batch.values, batch.idempotency_keys, strict=True):
                yield Outgoing(batch.topic, batch.key, value, output_headers(idempotency_key))
        yield from self.outgoing
