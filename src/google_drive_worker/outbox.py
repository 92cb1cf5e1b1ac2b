"""What a step writes, made ready for Kafka: records and errors encoded, with their keys and headers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.message import Outgoing, RecordBatch
from google_drive_worker.domain.ports import Clock
from google_drive_worker.domain.record import ErrorReport, Record, RecordContext
from google_drive_worker.domain.times import rfc3339
from google_drive_worker.kafka.entry import Entry, Tally
from google_drive_worker.messages.error import encode_error, error_headers
from google_drive_worker.messages.record import RecordEncoder
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.step import Step

_kind_of = attrgetter("resource_type", "operation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Encodes for two topics. `value_limit_bytes` is the largest record that the broker takes."""

    integration_id: str
    data_topic: str
    errors_topic: str
    new_message_ids: Callable[[int], list[bytes]]
    clock: Clock
    value_limit_bytes: int = 900_000

    def enter(self, before: Checkpoint, step: Step) -> Entry:
        """The entry of a step that was decided on the checkpoint `before`."""
        records, errors = self._records(before, step)
        kinds: Counter[tuple[str, str]] = Counter(map(_kind_of, step.records))
        kinds.update(("error", report.category) for report in errors)
        return Entry(
            [self._error(report) for report in errors],
            before.connection_id,
            step.checkpoint,
            tallies=tuple(Tally(kind, operation, number) for (kind, operation), number in kinds.items()),
            records=records,
            remembered=step.remembered,
            reports=step.reports,
        )

    def report(self, report: ErrorReport, position: int) -> Entry:
        """The entry of a message that is answered with an error, and done."""
        return Entry([self._error(report)], position=position, tallies=(Tally("error", report.category, 1),))

    def _records(self, before: Checkpoint, step: Step) -> tuple[RecordBatch | None, list[ErrorReport]]:
        after = step.checkpoint or before
        sync = after.sync or before.sync
        errors = list(step.errors)
        if sync is None or not step.records:
            return None, errors
        produced_at = rfc3339(self.clock.now())
        context = RecordContext(after.customer_id, after.connection_id, sync.sync_id, produced_at)
        encoder = RecordEncoder(context, self.new_message_ids, integration_id=self.integration_id)
        values, idempotency_keys = encoder.encode(step.records)
        if max(map(len, values)) > self.value_limit_bytes:
            sizes = list(map(len, values))
            fits = [size <= self.value_limit_bytes for size in sizes]
            errors.extend(
                _too_large(after, record, size)
                for record, size, fit in zip(step.records, sizes, fits, strict=True)
                if not fit
            )
            values, idempotency_keys = list(compress(values, fits)), list(compress(idempotency_keys, fits))
        size_bytes = sum(map(len, values))
        return RecordBatch(self.data_topic, after.connection_id.encode(), values, idempotency_keys, size_bytes), errors

    def _error(self, report: ErrorReport) -> Outgoing:
        message_id = self.new_message_ids(1)[0].decode()
        occurred_at = rfc3339(self.clock.now())
        value = encode_error(report, message_id=message_id, occurred_at=occurred_at, integration_id=self.integration_id)
        return Outgoing(self.errors_topic, _key(report.connection_id), value, error_headers(report, message_id))


def _key(connection_id: ConnectionId | None) -> bytes | None:
    return None if connection_id is None else connection_id.encode()


def _too_large(checkpoint: Checkpoint, record: Record, size_bytes: int) -> ErrorReport:
    return ErrorReport(
        code="record_too_large",
        category="skipped_item",
        message=f"the record has {size_bytes} bytes, more than the broker takes, and is left out",
        customer_id=checkpoint.customer_id,
        connection_id=checkpoint.connection_id,
        resource_type=record.resource_type,
        resource_id=record.resource_id,
    )
