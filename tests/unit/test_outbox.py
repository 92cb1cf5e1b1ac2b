"""What a step writes, as messages."""

import msgspec
from msgspec.structs import replace

from google_drive_worker.domain.record import ErrorReport
from google_drive_worker.kafka.entry import Tally
from google_drive_worker.normalization import transformer
from google_drive_worker.outbox import Outbox
from google_drive_worker.sync.step import Step
from support.clock import ManualClock
from support.syncs import CONNECTION, CUSTOMER, SYNC, file, folder, read, syncing

REPORT = ErrorReport(code="unavailable", category="retriable", message="later", connection_id=CONNECTION)


def outbox(limit: int = 900_000) -> Outbox:
    """An outbox that numbers its messages."""
    numbers = iter(range(1_000))
    return Outbox(
        integration_id="google-drive",
        data_topic="data",
        errors_topic="errors",
        new_message_ids=lambda count: [f"message-{next(numbers)}".encode() for _ in range(count)],
        clock=ManualClock(),
        value_limit_bytes=limit,
    )


def test_records_and_errors_go_to_their_topics_under_the_connections_key() -> None:
    """In the step's order, so that a connection's records stay in order on one partition."""
    before = syncing("full")
    records = (transformer.transform_file(read(file("a"))), transformer.transform_file(read(folder("f"))))
    entry = outbox().enter(before, Step(before, records, (REPORT,)))
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
    entry = outbox().enter(before, Step(before, (record, record, deletion), (REPORT,)))
    assert set(entry.tallies) == {
        Tally("file", "upsert", 2),
        Tally("file", "delete", 1),
        Tally("error", "retriable", 1),
    }


def test_the_closing_record_carries_the_sync_that_it_closes() -> None:
    """The checkpoint after it has none any more."""
    before = syncing("full")
    after = replace(before, sync=None)
    entry = outbox().enter(before, Step(after, (transformer.deletion("file", "b", "removed"),)))
    assert msgspec.json.decode(next(entry.messages()).value)["sync_id"] == SYNC


def test_a_record_that_the_broker_would_refuse_is_an_error_instead() -> None:
    """It is left out and said so; the others go."""
    before = syncing("full")
    huge = transformer.transform_file(read(file("huge", description="x" * 5_000)))
    small = transformer.transform_file(read(file("a")))
    entry = outbox(limit=4_000).enter(before, Step(before, (huge, small)))
    assert [each.topic for each in entry.messages()] == ["data", "errors"]
    error = msgspec.json.decode(entry.outgoing[0].value)
    assert "record_too_large" in str(error)
    assert "huge" in str(error)


def test_a_step_without_checkpoint_ends_the_state() -> None:
    """Its errors are still written."""
    before = replace(syncing("full"), sync=None)
    entry = outbox().enter(before, Step(None, errors=(REPORT,)))
    assert (entry.connection_id, entry.checkpoint, len(entry.outgoing)) == (CONNECTION, None, 1)


def test_a_message_that_is_answered_with_an_error_has_a_position_and_no_state() -> None:
    """It is done with."""
    entry = outbox().report(replace(REPORT, connection_id=None), 42)
    assert (entry.position, entry.connection_id, entry.outgoing[0].key) == (42, None, None)
    assert entry.tallies == (Tally("error", "retriable", 1),)
