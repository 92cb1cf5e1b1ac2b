"""A step: what one answer of Google's comes to, committed as a whole or not at all."""

from collections.abc import Iterable

import msgspec

from google_drive_worker.domain.record import ErrorReport, Record
from google_drive_worker.sync.checkpoint import Checkpoint, Corpus, Sync


class Step(msgspec.Struct, frozen=True):
    """The records and errors to write, and the checkpoint that goes with them; `None` ends the connection's state."""

    checkpoint: Checkpoint | None
    records: tuple[Record, ...] = ()
    errors: tuple[ErrorReport, ...] = ()


def with_sync(checkpoint: Checkpoint, sync: Sync) -> Checkpoint:
    """The checkpoint with that sync in progress."""
    return msgspec.structs.replace(checkpoint, sync=sync)


def with_corpus(checkpoint: Checkpoint, name: str, corpus: Corpus) -> Checkpoint:
    """The checkpoint with that corpus added or replaced."""
    return msgspec.structs.replace(checkpoint, corpora={**checkpoint.corpora, name: corpus})


def counted(sync: Sync, records: Iterable[Record]) -> Sync:
    """The sync with those records added to its counts."""
    counts = dict(sync.counts)
    for record in records:
        name = record.resource_type if record.operation == "upsert" else "deleted"
        counts[name] = counts.get(name, 0) + 1
    return msgspec.structs.replace(sync, counts=counts)


def skipped(checkpoint: Checkpoint, item_id: str | None, item_type: str, problem: str) -> ErrorReport:
    """The report of an item that can't be read and is left out."""
    return ErrorReport(
        code="unreadable_item",
        category="skipped_item",
        message=f"Google sent an item that does not fit its type and is left out: {problem}",
        customer_id=checkpoint.customer_id,
        connection_id=checkpoint.connection_id,
        resource_type=item_type,
        resource_id=item_id,
        source=checkpoint.sync.source if checkpoint.sync else None,
    )
