"""What a trigger comes to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from google_drive_worker.domain.message import Incoming
from google_drive_worker.domain.partitioning import partition_of
from google_drive_worker.handlers.base import Accept, Decision, PassOn, Reject, Skip
from google_drive_worker.handlers.trigger import TriggerHandler

PARTITIONS = 3
OWN = partition_of("conn_abc", PARTITIONS)


def trigger(**changes: object) -> bytes:
    """A trigger of the contract's."""
    return json.dumps(
        {
            "message_id": "m1",
            "customer_id": "cust_123",
            "integration_id": "google-drive",
            "integration_connection_id": "conn_abc",
            "trigger_type": "incremental",
            "last_cursor": {"page_token": "c9", "timestamp": "2025-01-20T10:00:00Z"},
            **changes,
        }
    ).encode()


def decided(value: bytes | None, *, partition: int = OWN) -> Decision:
    """The handler's decision."""
    message = Incoming("integration.trigger", partition, 7, b"conn_abc", value)
    return TriggerHandler("google-drive", PARTITIONS).decide(message)


@pytest.mark.parametrize(
    ("wanted", "kind"), [("full_sync", "full"), ("incremental", "incremental"), ("poll", "incremental")]
)
def test_a_trigger_owes_a_sync(wanted: str, kind: str) -> None:
    """With its cursor, its customer, and where it came from."""
    decision = decided(trigger(trigger_type=wanted))
    assert isinstance(decision, Accept)
    assert decision.connection_id == "conn_abc"
    owed = decision.owed
    assert (owed.kind, owed.customer_id, owed.page_token) == (kind, "cust_123", "c9")
    assert owed.source is not None
    assert (owed.source.partition, owed.source.offset, owed.source.message_id) == (OWN, 7, "m1")


def test_another_integrations_message_is_skipped_whatever_its_shape() -> None:
    """It is none of our business, and no error."""
    assert decided(b'{"integration_id": "slack", "channel": 7}') == Skip()


def test_a_trigger_on_another_connections_partition_is_passed_on_unchanged() -> None:
    """With the key that leads it home: else two workers might sync one connection."""
    decision = decided(trigger(), partition=(OWN + 1) % PARTITIONS)
    assert isinstance(decision, PassOn)
    assert (decision.message.topic, decision.message.key) == ("integration.trigger", b"conn_abc")
    assert decision.message.value == trigger()


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", trigger(trigger_type="sometimes"), trigger(customer_id="")])
def test_a_message_that_cant_be_read_is_reported_with_what_it_was(value: bytes | None) -> None:
    """And is done; a tombstone has nothing to show."""
    decision = decided(value)
    assert isinstance(decision, Reject)
    assert decision.report.category == "invalid_message"
    assert (decision.report.original is None) is (value is None)
    assert decision.report.source is not None
    assert decision.report.source.offset == 7


def test_what_an_unreadable_message_says_of_itself_stands_in_its_report() -> None:
    """Whose it is, where that much is text of a sensible length; the rest is unknown."""
    decision = decided(trigger(trigger_type="sometimes", customer_id=["no", "text"]))
    assert isinstance(decision, Reject)
    report = decision.report
    assert (report.connection_id, report.customer_id) == ("conn_abc", None)
    assert report.source is not None
    assert report.source.message_id == "m1"
    assert (report.resource_type, report.resource_id, report.action) == ("message", "m1", "none")


@given(st.one_of(st.none(), st.binary(max_size=200), st.dictionaries(st.text(max_size=9), st.text(max_size=9))))
def test_no_message_raises(value: bytes | dict[str, str] | None) -> None:
    """Whatever anybody writes to the topic."""
    message = value if value is None or isinstance(value, bytes) else trigger(**value)
    assert isinstance(decided(message), Skip | Accept | PassOn | Reject)
