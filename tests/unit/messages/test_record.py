"""The envelope of a record: the specification's fields, and the contract's beside them."""

import itertools
import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from google_drive_worker.domain.ids import ConnectionId, CustomerId, SyncId
from google_drive_worker.domain.record import Record, RecordContext
from google_drive_worker.messages.record import RecordEncoder, encode_record, idempotency_key, record_headers


class Data(msgspec.Struct):
    """A stand-in for any record's data."""

    id: str
    type: str


CONTEXT = RecordContext(CustomerId("cust_123"), ConnectionId("conn_abc"), SyncId("0196-x"), "2025-01-20T10:00:00Z")
RECORD = Record("file", "file_123", "upsert", Data("file_123", "file"))


def test_the_envelope_has_exactly_the_contract_s_fields() -> None:
    """Each field of the envelope stands where a consumer expects it, in the order of the specification."""
    document = json.loads(encode_record(RECORD, CONTEXT, "m-1"))
    assert list(document.items()) == [
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


def test_the_headers_name_source_key_and_content_type() -> None:
    """A consumer can route and deduplicate without opening the value."""
    assert record_headers(RECORD, CONTEXT) == [
        ("source", b"google-drive"),
        ("idempotency_key", b"google-drive:conn_abc:file:file_123"),
        ("content-type", b"application/json"),
    ]


def test_the_encoder_of_a_step_writes_what_the_single_form_writes() -> None:
    """The bulk form differs in speed alone, and takes a new message id for each record."""
    ids = (f"m-{number}" for number in itertools.count())
    encoder = RecordEncoder(CONTEXT, lambda: next(ids))
    assert encoder.encode(RECORD) == encode_record(RECORD, CONTEXT, "m-0")
    assert encoder.encode_with_headers(RECORD) == (
        encode_record(RECORD, CONTEXT, "m-1"),
        record_headers(RECORD, CONTEXT),
    )


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_any_resource_id_survives(resource_id: str) -> None:
    """Ids are opaque: whatever Unicode they hold arrives as it was."""
    record = Record("file", resource_id, "delete", Data(resource_id, "file"))
    document = json.loads(encode_record(record, CONTEXT, "m"))
    assert document["resource_id"] == document["data"]["id"] == resource_id
    assert document["idempotency_key"] == idempotency_key(record, CONTEXT)
