"""References to objects in a record's envelope, and the data that is left where its own went to one."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.domain.record import Record, References

PAYLOAD_TYPE = "application/json"


class _Stub(msgspec.Struct):
    """What is left of `data` (platform contract, `payload_ref`); `status` is that of a `sync` record."""

    id: str
    type: str
    status: str | msgspec.UnsetType = msgspec.UNSET


_STUB = msgspec.json.Decoder(_Stub)


def with_references(value: bytes, references: References, encode: Callable[[object], bytes]) -> bytes:
    """The envelope with its references added: `value` is a JSON object with one field at least."""
    return value[:-1] + b"," + encode(references)[1:]


def payload_of(record: Record) -> bytes:
    """The record's data as JSON, as it is kept in the object store."""
    return bytes(record.data) if isinstance(record.data, msgspec.Raw) else msgspec.json.encode(record.data)


def referring(record: Record, payload: bytes, ref: ObjectRef) -> Record:
    """The record with its data gone to an object: the data's `id` and `type` stay, a sync's status, and where it is."""
    stub = msgspec.Raw(msgspec.json.encode(_STUB.decode(payload)))
    references = replace(record.references or References(), payload_ref=ref)
    return replace(record, data=stub, references=references)
