"""Records, as `ingestion.data` carries them (specification, "Ingestion Data"; platform contract, "Out: record")."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from google_drive_worker.domain.ids import ConnectionId, CustomerId, SyncId
from google_drive_worker.domain.message import Headers
from google_drive_worker.domain.record import Operation, Record, RecordContext, ResourceType
from google_drive_worker.messages.references import with_references

INTEGRATION_ID = "google-drive"
SCHEMA_VERSION = "1.0"

_SOURCE: tuple[str, bytes] = ("source", INTEGRATION_ID.encode())
_CONTENT_TYPE: tuple[str, bytes] = ("content-type", b"application/json")


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A record on the wire: who it is of and how to apply it, around `data`. Its `References` come last, if any."""

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


IDEMPOTENCY_KEY_AT = 1
"""Where the idempotency key stands among the headers."""


def output_headers(idempotency_key: bytes) -> Headers:
    """The headers of every output: `source`, `idempotency_key` and `content-type`."""
    return [_SOURCE, ("idempotency_key", idempotency_key), _CONTENT_TYPE]


class RecordEncoder:
    """Encodes the records of one step as `Envelope`s: what they have in common is encoded once.

    `new_message_ids` gives so many fresh UUIDv4. `integration_id` is what the platform calls this worker; keys
    keep the contract's prefix whatever it is.
    """

    __slots__ = ("_encoder", "_frames", "_new_message_ids", "_shared")

    def __init__(
        self,
        context: RecordContext,
        new_message_ids: Callable[[int], list[bytes]],
        *,
        integration_id: str = INTEGRATION_ID,
    ) -> None:
        self._new_message_ids = new_message_ids
        self._encoder = msgspec.json.Encoder()
        self._frames: dict[tuple[ResourceType, Operation], Frame] = {}
        self._shared = {
            "customer_id": context.customer_id,
            "integration_id": integration_id,
            "integration_connection_id": context.connection_id,
            "sync_id": context.sync_id,
            "produced_at": context.produced_at,
            "schema_version": SCHEMA_VERSION,
        }

    def encode(self, records: Sequence[Record]) -> tuple[list[bytes], list[bytes]]:
        """Write each record as JSON under a message id of its own; give the values, and their idempotency keys.

        A key is `google-drive:{connection}:{resource_type}:{resource_id}`, the same for every version of a resource.
        """
        return _envelopes(records, self._new_message_ids(len(records)), self._frame_of, self._encoder.encode)

    def _frame_of(self, resource_type: ResourceType, operation: Operation) -> "Frame":
        return self._frames.get((resource_type, operation)) or self._frame(resource_type, operation)

    def _frame(self, resource_type: ResourceType, operation: Operation) -> "Frame":
        """What stands around the four values that are a record's own."""
        key_prefix = f"{INTEGRATION_ID}:{self._shared['integration_connection_id']}:{resource_type}:"
        known = {**self._shared, "resource_type": resource_type, "operation": operation}
        openings = {"message_id": b'"', "resource_id": b"", "data": b"", "idempotency_key": _open_string(key_prefix)}
        closings = {"message_id": b'",', "resource_id": b",", "idempotency_key": b","}
        parts, text = [], b"{"
        for name in Envelope.__struct_fields__:
            text += b'"' + name.encode() + b'":'
            if name in known:
                text += self._encoder.encode(known[name]) + b","
            else:
                parts.append(text + openings[name])
                text = closings.get(name, b"")
        frame = self._frames[resource_type, operation] = Frame(key_prefix.encode(), parts)
        return frame


class Frame(NamedTuple):
    """What records of one kind have in common: what begins their keys, and what stands before each value of their own
    (message id, resource id, idempotency key, data)."""

    key_prefix: bytes
    parts: list[bytes]


Encode = Callable[[object], bytes]
FrameOf = Callable[[ResourceType, Operation], Frame]


def plain_envelopes(
    records: Sequence[Record], message_ids: list[bytes], frame_of: FrameOf, encode: Encode
) -> tuple[list[bytes], list[bytes]]:
    """The records' values, each with the message id of the same number, and their idempotency keys."""
    values, keys, join = [], [], b"".join
    for record, message_id in zip(records, message_ids, strict=True):
        key_prefix, (before_message_id, before_resource_id, before_key, before_data) = frame_of(
            record.resource_type, record.operation
        )
        data, quoted = record.data, encode(record.resource_id)
        value = (
            before_message_id,
            message_id,
            before_resource_id,
            quoted,
            before_key,
            quoted[1:],  # the key ends as the id does, quote included
            before_data,
            data if isinstance(data, msgspec.Raw) else encode(data),
            b"}",
        )
        values.append(join(value))
        if record.references is not None:
            values[-1] = with_references(values[-1], record.references, encode)
        keys.append(key_prefix + record.resource_id.encode())
    return values, keys


try:
    from google_drive_worker.messages.fast_envelope import fast_envelopes as _envelopes
except ImportError:  # there was no C compiler when it was installed
    _envelopes = plain_envelopes


def _open_string(text: str) -> bytes:
    """A JSON string that has not ended yet."""
    return msgspec.json.encode(text)[:-1]
