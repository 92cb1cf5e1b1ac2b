"""Records, as `ingestion.data` carries them (specification, "Ingestion Data"; platform contract, "Out: record")."""

from collections.abc import Callable

import msgspec

from google_drive_worker.domain.ids import ConnectionId, CustomerId, SyncId
from google_drive_worker.domain.message import Headers
from google_drive_worker.domain.record import Operation, Record, RecordContext, ResourceType

INTEGRATION_ID = "google-drive"
SCHEMA_VERSION = "1.0"

_SOURCE: tuple[str, bytes] = ("source", INTEGRATION_ID.encode())
_CONTENT_TYPE: tuple[str, bytes] = ("content-type", b"application/json")


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A record on the wire: who it is of and how to apply it, around `data`."""

    message_id: str
    customer_id: CustomerId
    integration_id: str
    integration_connection_id: ConnectionId
    resource_type: ResourceType
    resource_id: str
    idempotency_key: str
    operation: Operation
    sync_id: SyncId
    produced_at: str
    schema_version: str
    data: msgspec.Struct | msgspec.Raw


_encode = msgspec.json.Encoder().encode


def idempotency_key(record: Record, context: RecordContext) -> str:
    """`google-drive:{connection}:{resource_type}:{resource_id}`: the same for every version of one resource."""
    return f"{INTEGRATION_ID}:{context.connection_id}:{record.resource_type}:{record.resource_id}"


def output_headers(key: str) -> Headers:
    """The headers of every output: `source`, `idempotency_key` (the `key` given) and `content-type`."""
    return [_SOURCE, ("idempotency_key", key.encode()), _CONTENT_TYPE]


def record_headers(record: Record, context: RecordContext) -> Headers:
    """The Kafka headers of a record."""
    return output_headers(idempotency_key(record, context))


def encode_record(record: Record, context: RecordContext, message_id: str) -> bytes:
    """Write one record as JSON; `message_id` is a UUIDv4 of its own."""
    return RecordEncoder(context, lambda: message_id).encode(record)


class RecordEncoder:
    """Encodes the records of one step: what they have in common is looked up once.

    `new_message_id` gives a fresh UUIDv4 at each call. `integration_id` is what the platform calls this worker; keys
    keep the contract's prefix whatever it is.
    """

    __slots__ = (
        "_connection_id",
        "_customer_id",
        "_integration_id",
        "_key_prefix",
        "_new_message_id",
        "_produced_at",
        "_sync_id",
    )

    def __init__(
        self, context: RecordContext, new_message_id: Callable[[], str], *, integration_id: str = INTEGRATION_ID
    ) -> None:
        self._integration_id = integration_id
        self._customer_id = context.customer_id
        self._connection_id = context.connection_id
        self._sync_id = context.sync_id
        self._produced_at = context.produced_at
        self._key_prefix = f"{INTEGRATION_ID}:{context.connection_id}:"
        self._new_message_id = new_message_id

    def encode(self, record: Record) -> bytes:
        """Write one record as JSON under a new message id."""
        return self._envelope(record, f"{self._key_prefix}{record.resource_type}:{record.resource_id}")

    def encode_with_headers(self, record: Record) -> tuple[bytes, Headers]:
        """Write one record as JSON, with the Kafka headers that go with it; cheaper than one after the other."""
        key = f"{self._key_prefix}{record.resource_type}:{record.resource_id}"
        return self._envelope(record, key), output_headers(key)

    def _envelope(self, record: Record, key: str) -> bytes:
        return _encode(
            Envelope(
                self._new_message_id(),
                self._customer_id,
                self._integration_id,
                self._connection_id,
                record.resource_type,
                record.resource_id,
                key,
                record.operation,
                self._sync_id,
                self._produced_at,
                SCHEMA_VERSION,
                record.data,
            )
        )
