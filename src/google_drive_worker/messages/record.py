"""Records, as `ingestion.data` carries them (specification, "Ingestion Data"; platform contract, "Out: record")."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

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
        self._frames: dict[tuple[ResourceType, Operation], _Frame] = {}
        self._shared = {
            "customer_id": context.customer_id,
            "integration_id": integration_id,
            "integration_connection_id": context.connection_id,
            "sync_id": context.sync_id,
            "produced_at": context.produced_at,
            "schema_version": SCHEMA_VERSION,
        }

    def encode(self, records: Sequence[Record]) -> Iterator[tuple[bytes, bytes]]:
        """Write each record as JSON under a message id of its own; give it with its idempotency key.

        The key is `google-drive:{connection}:{resource_type}:{resource_id}`, the same for every version of a resource.
        """
        encode, join, frames = self._encoder.encode, b"".join, self._frames
        for record, message_id in zip(records, self._new_message_ids(len(records)), strict=True):
            kind = (record.resource_type, record.operation)
            key_prefix, (before_message_id, before_resource_id, before_key, before_data) = frames.get(
                kind
            ) or self._frame(*kind)
            data, resource_id = record.data, record.resource_id
            quoted = encode(resource_id)
            value = join(
                (
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
            )
            yield value, key_prefix + resource_id.encode()

    def _frame(self, resource_type: ResourceType, operation: Operation) -> "_Frame":
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
        frame = self._frames[resource_type, operation] = _Frame(key_prefix.encode(), parts)
        return frame


class _Frame(NamedTuple):
    key_prefix: bytes
    parts: list[bytes]


def _open_string(text: str) -> bytes:
    """A JSON string that has not ended yet."""
    return msgspec.json.encode(text)[:-1]
