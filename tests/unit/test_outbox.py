"""What a step writes, as messages."""

import msgspec
from msgspec.structs import replace

from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.domain.record import ErrorReport
from google_drive_worker.entry import Entry, Tally, TooLarge
from google_drive_worker.normalization import transformer
from google_drive_worker.outbox import Outbox
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.step import Step
from support.clock import ManualClock
from support.syncs import CONNECTION, CUSTOMER, SYNC, file, folder, read, syncing

REPORT = ErrorReport(code="unavailable", category="retriable", message="later", connection_id=CONNECTION)


def outbox(limit: int = 262_144) -> Outbox:
    """An outbox that numbers its messages."""
    numbers = iter(range(1_000))
    return Outbox(
        integration_id="google-drive",
        data_topic="data",
        errors_topic="errors",
        new_message_ids=lambda count: [f"message-{next(numbers)}".encode() for _ in range(count)],
        clock=ManualClock(),
        payload_limit_bytes=limit,
    )


def entered(before: Checkpoint, step: Step) -> Entry:
    """The entry of a step with nothing large in it."""
    entry = outbox().enter(before, step, {})
    assert isinstance(entry, Entry)
    return entry


def test_records_and_errors_go_to_their_topics_under_the_connections_key() -> None:
    """In the step's order, so that a connection's records stay in order on one partition."""
    before = syncing("full")
    records = (transformer.transform_file(read(file("a"))), transformer.transform_file(read(folder("f"))))
    entry = entered(before, Step(before, records, (REPORT,)))
    assert [(each.topic, each.key) for each in entry.messages()] == [
        ("data", b"conn_abc"),
        ("data", b"conn_abc"),
        ("errors", b"conn_abc"),
    ]
    first = msgspec.json.decode(next(entry.messages()).value)
    assert (first["sync_id"], first["customer_id"], first["message_id"]) == (SYNC, CUSTOMER, "message-0")
    assert (entry.connection_id, entry.checkpoint) == (CONNECTION, before)


def test_a_step_is_counted_by_kind() -> None:
    """For the metrics, once it is committed."""
    before = syncing("full")
    record = transformer.transform_file(read(file("a")))
    deletion = transformer.deletion("file", "b", "removed")
    entry = entered(before, Step(before, (record, record, deletion), (REPORT,)))
    assert set(entry.tallies) == {
        Tally("file", "upsert", 2),
        Tally("file", "delete", 1),
        Tally("error", "retriable", 1),
    }


def test_the_closing_record_carries_the_sync_that_it_closes() -> None:
    """The checkpoint after it has none any more."""
    before = syncing("full")
    after = replace(before, sync=None)
    entry = entered(before, Step(after, (transformer.deletion("file", "b", "removed"),)))
    assert msgspec.json.decode(next(entry.messages()).value)["sync_id"] == SYNC


def test_a_record_over_the_limit_leaves_its_data_in_the_object_store() -> None:
    """First it is said what has to be there; then the record refers to it, and keeps its id and type alone."""
    before = syncing("full")
    huge = transformer.transform_file(read(file("huge", description="x" * 5_000)))
    small = transformer.transform_file(read(file("a")))
    made, step = outbox(limit=4_000), Step(before, (small, huge, small))
    asked = made.enter(before, step, {})
    assert isinstance(asked, TooLarge)
    (payload,) = asked.payloads
    assert msgspec.json.decode(payload)["description"] == "x" * 5_000

    ref = ObjectRef("file:///objects/1", len(payload), "abc", "application/json")
    entry = made.enter(before, step, {payload: ref})
    assert isinstance(entry, Entry)
    values = [msgspec.json.decode(each.value) for each in entry.messages()]
    assert [value["resource_id"] for value in values] == ["a", "huge", "a"]
    assert values[1]["data"] == {"id": "huge", "type": "file"}
    assert values[1]["payload_ref"] == msgspec.to_builtins(ref)
    assert "payload_ref" not in values[0]
    assert values[1]["message_id"] not in {values[0]["message_id"], values[2]["message_id"]}


def test_a_step_without_checkpoint_ends_the_state() -> None:
    """Its errors are still written."""
    before = replace(syncing("full"), sync=None)
    entry = entered(before, Step(None, errors=(REPORT,)))
    assert (entry.connection_id, entry.checkpoint, len(entry.outgoing)) == (CONNECTION, None, 1)


def test_a_message_that_is_answered_with_an_error_has_a_position_and_no_state() -> None:
    """It is done with."""
    entry = outbox().report(replace(REPORT, connection_id=None), 42)
    assert (entry.position, entry.connection_id, entry.outgoing[0].key) == (42, None, None)
    assert entry.tallies == (Tally("error", "retriable", 1),)
