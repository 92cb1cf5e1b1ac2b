"""What a step writes, made ready for Kafka: records and errors encoded, with their keys and headers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.message import Outgoing, RecordBatch
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.domain.ports import Clock
from google_drive_worker.domain.record import ErrorReport, RecordContext
from google_drive_worker.domain.times import rfc3339
from google_drive_worker.entry import Entry, Tally, TooLarge
from google_drive_worker.messages.error import encode_error, error_headers
from google_drive_worker.messages.record import RecordEncoder
from google_drive_worker.messages.references import payload_of, referring
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.step import Step, kinds_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Encodes for two topics. A record of more than `payload_limit_bytes` leaves its data in the object store."""

    integration_id: str
    data_topic: str
    errors_topic: str
    new_message_ids: Callable[[int], list[bytes]]
    clock: Clock
    payload_limit_bytes: int = 262_144

    def enter(self, before: Checkpoint, step: Step, stored: Mapping[bytes, ObjectRef]) -> Entry | TooLarge:
        """The entry of a step that was decided on the checkpoint `before`, or what has to be stored first.

        `stored` are the payloads that are in the object store, with where they are.
        """
        records = self._records(before, step, stored)
        if isinstance(records, TooLarge):
            return records
        kinds = kinds_of(step.records)
        kinds.update(("error", report.category) for report in step.errors)
        return Entry(
            [self._error(report) for report in step.errors],
            before.connection_id,
            step.checkpoint,
            tallies=tuple(Tally(kind, operation, number) for (kind, operation), number in kinds.items()),
            records=records,
            changes=step.changes,
            reports=step.reports,
        )

    def report(self, report: ErrorReport, position: int) -> Entry:
        """The entry of a message that is answered with an error, and done."""
        return Entry([self._error(report)], position=position, tallies=(Tally("error", report.category, 1),))

    def _records(
        self, before: Checkpoint, step: Step, stored: Mapping[bytes, ObjectRef]
    ) -> RecordBatch | TooLarge | None:
        after = step.checkpoint or before
        sync = after.sync or before.sync
        if sync is None or not step.records:
            return None
        produced_at = rfc3339(self.clock.now())
        sync_id = step.sync_id or sync.sync_id
        context = RecordContext(after.customer_id, after.connection_id, sync_id, produced_at)
        encoder = RecordEncoder(context, self.new_message_ids, integration_id=self.integration_id)
        values, idempotency_keys = encoder.encode(step.records)
        if max(map(len, values)) > self.payload_limit_bytes:
            large = [number for number, value in enumerate(values) if len(value) > self.payload_limit_bytes]
            payloads = {number: payload_of(step.records[number]) for number in large}
            missing = tuple(payload for payload in payloads.values() if payload not in stored)
            if missing:
                return TooLarge(missing)
            referred = [referring(step.records[number], payloads[number], stored[payloads[number]]) for number in large]
            for number, value in zip(large, encoder.encode(referred)[0], strict=True):
                values[number] = value
        size_bytes = sum(map(len, values))
        return RecordBatch(self.data_topic, after.connection_id.encode(), values, idempotency_keys, size_bytes)

    def _error(self, report: ErrorReport) -> Outgoing:
        message_id = self.new_message_ids(1)[0].decode()
        occurred_at = rfc3339(self.clock.now())
        value = encode_error(report, message_id=message_id, occurred_at=occurred_at, integration_id=self.integration_id)
        return Outgoing(self.errors_topic, _key(report.connection_id), value, error_headers(report, message_id))


def _key(connection_id: ConnectionId | None) -> bytes | None:
    return None if connection_id is None else connection_id.encode()
