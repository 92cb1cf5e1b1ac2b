"""The envelope of a record: the specification's fields, and the contract's beside them."""

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from google_drive_worker.domain.ids import ConnectionId, CustomerId, SyncId
from google_drive_worker.domain.record import Record, RecordContext
from google_drive_worker.messages.record import RecordEncoder, output_headers


class Data(msgspec.Struct):
    """A stand-in for any record's data."""

    id: str
    type: str


CONTEXT = RecordContext(CustomerId("cust_123"), ConnectionId("conn_abc"), SyncId("0196-x"), "2025-01-20T10:00:00Z")
RECORD = Record("file", "file_123", "upsert", Data("file_123", "file"))


def encode(record: Record, integration_id: str = "google-drive") -> tuple[bytes, bytes]:
    """A record as message `m-1`, with its idempotency key."""
    encoder = RecordEncoder(CONTEXT, lambda count: [b"m-1"] * count, integration_id=integration_id)
    (value,), (key,) = encoder.encode([record])
    return value, key


def test_the_envelope_has_exactly_the_contract_s_fields() -> None:
    """Each field of the envelope stands where a consumer expects it, in the order of the specification."""
    value, idempotency_key = encode(RECORD)
    assert list(json.loads(value).items()) == [
        ("message_id", "m-1"),
        ("customer_id", "cust_123"),
        ("integration_id", "google-drive"),
        ("integration_connection_id", "conn_abc"),
        ("resource_type", "file"),
        ("resource_id", "file_123"),
        ("idempotency_key", "google-drive:conn_abc:file:file_123"),
        ("operation", "upsert"),
        ("sync_id", "0196-x"),
        ("produced_at", "2025-01-20T10:00:00Z"),
        ("schema_version", "1.0"),
        ("data", {"id": "file_123", "type": "file"}),
    ]
    assert idempotency_key == b"google-drive:conn_abc:file:file_123"


def test_the_headers_name_source_key_and_content_type() -> None:
    """A consumer can route and deduplicate without opening the value."""
    assert output_headers(b"google-drive:conn_abc:file:file_123") == [
        ("source", b"google-drive"),
        ("idempotency_key", b"google-drive:conn_abc:file:file_123"),
        ("content-type", b"application/json"),
    ]


def test_each_record_has_a_message_id_of_its_own_whatever_its_kind() -> None:
    """What the records of a step have in common is encoded once; what is their own is not."""
    encoder = RecordEncoder(CONTEXT, lambda count: [f"m-{number}".encode() for number in range(count)])
    records = [RECORD, Record("folder", "f", "delete", Data("f", "folder")), RECORD]
    documents = [json.loads(value) for value in encoder.encode(records)[0]]
    assert [document["message_id"] for document in documents] == ["m-0", "m-1", "m-2"]
    assert [(document["resource_type"], document["operation"]) for document in documents] == [
        ("file", "upsert"),
        ("folder", "delete"),
        ("file", "upsert"),
    ]


def test_data_that_is_encoded_already_is_taken_as_it_is() -> None:
    """Normalization encodes files itself."""
    value, _ = encode(Record("file", "a", "upsert", msgspec.Raw(b'{"id":"a"}')))
    assert json.loads(value)["data"] == {"id": "a"}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@settings(deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_any_id_survives(resource_id: str, connection_id: str, integration_id: str) -> None:
    """Ids are opaque: whatever Unicode they hold arrives as it was."""
    context = RecordContext(CustomerId(connection_id), ConnectionId(connection_id), SyncId("s"), "now")
    encoder = RecordEncoder(context, lambda count: [b"m"] * count, integration_id=integration_id)
    (value,), (key,) = encoder.encode([Record("file", resource_id, "delete", Data(resource_id, "file"))])
    document = json.loads(value)
    assert document["resource_id"] == document["data"]["id"] == resource_id
    assert (document["customer_id"], document["integration_id"]) == (connection_id, integration_id)
    assert document["idempotency_key"] == key.decode() == f"google-drive:{connection_id}:file:{resource_id}"
