"""Notifications: what the token alone can tell, and what becomes of those for partitions of other workers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from google_drive_worker.domain.channel import Notice
from google_drive_worker.domain.connection import Secret
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.domain.message import Incoming
from google_drive_worker.domain.partitioning import partition_of
from google_drive_worker.handlers.base import Accept, Drop, PassOn, Reject, Skip
from google_drive_worker.handlers.trigger import TriggerHandler
from google_drive_worker.handlers.webhook import WebhookHandler
from google_drive_worker.messages.channel_token import Owner, token_of

CUSTOMER, CONNECTION = CustomerId("cust_123"), ConnectionId("conn_abc")
SECRET = Secret("a secret of this very test")
HOME = partition_of(CONNECTION, 3)
NOTICE = Notice("channel-1", "resource-1", 42)


def handler(*, owned: bool = True) -> WebhookHandler:
    """A worker's that owns every partition or none."""
    return WebhookHandler(
        "google-drive", [SECRET], trigger_topic="integration.trigger", partitions=3, is_owned=lambda _: owned
    )


def genuine(channel_id: str = "channel-1") -> str:
    """The token of a channel of ours."""
    token = token_of(Owner(CUSTOMER, CONNECTION), channel_id, SECRET)
    assert token is not None
    return token.reveal()


def message(headers: dict[str, object] | None = None, **fields: object) -> Incoming:
    """A notification as the proxy writes it; `headers` and `fields` go over it."""
    given = {
        "X-Goog-Channel-ID": "channel-1",
        "X-Goog-Channel-Token": genuine(),
        "X-Goog-Resource-ID": "resource-1",
        "X-Goog-Resource-State": "change",
        "X-Goog-Message-Number": "42",
    }
    value: dict[str, Any] = {
        "message_id": "m-1",
        "integration_id": "google-drive",
        "headers": {name: each for name, each in {**given, **(headers or {})}.items() if each is not None},
        "body": None,
    }
    return Incoming("webhook.raw", 7, 5, None, json.dumps({**value, **fields}).encode())


@pytest.mark.parametrize("body", [None, "", {"kind": "drive#changes"}])
def test_a_genuine_notification_asks_for_an_incremental_sync(body: object) -> None:
    """Whatever its body, which says nothing more; ids may be missing, since the token has them."""
    decided = handler().decide(message(body=body))
    assert isinstance(decided, Accept)
    assert (decided.connection_id, decided.owed.kind, decided.notice) == (CONNECTION, "incremental", NOTICE)
    assert decided.owed.customer_id == CUSTOMER
    assert decided.owed.source is not None
    assert decided.owed.source.message_id == "m-1"


def test_header_names_compare_without_case() -> None:
    """HTTP says so, and HTTP/2 writes them small."""
    value = json.loads(message().value or b"")
    value["headers"] = {name.lower(): each for name, each in value["headers"].items()}
    decided = handler().decide(Incoming("webhook.raw", 0, 0, None, json.dumps(value).encode()))
    assert isinstance(decided, Accept)
    assert decided.notice == NOTICE


def test_a_sync_message_is_told_apart() -> None:
    """It opens a channel and tells of no change."""
    decided = handler().decide(message({"X-Goog-Resource-State": "sync", "X-Goog-Message-Number": "1"}))
    assert isinstance(decided, Accept)
    assert decided.notice == Notice("channel-1", "resource-1", 1, is_sync=True)


@pytest.mark.parametrize(
    ("headers", "fields", "reason"),
    [
        ({"X-Goog-Channel-Token": None}, {}, "forged"),
        ({"X-Goog-Channel-Token": genuine("channel-2")}, {}, "forged"),
        ({"X-Goog-Channel-ID": "channel-2"}, {}, "forged"),
        ({"X-Goog-Channel-Token": genuine() + "A"}, {}, "forged"),
        ({}, {"integration_connection_id": "conn_other"}, "foreign"),
        ({}, {"customer_id": "cust_other"}, "foreign"),
    ],
)
def test_what_is_not_genuine_is_dropped(headers: dict[str, object], fields: dict[str, object], reason: str) -> None:
    """Counted by its reason, and answered by nothing."""
    assert handler().decide(message(headers, **fields)) == Drop(reason)


@pytest.mark.parametrize(
    "unreadable",
    [
        Incoming("webhook.raw", 0, 0, None, None),
        Incoming("webhook.raw", 0, 0, None, b"{"),
        Incoming("webhook.raw", 0, 0, None, b"[" * 5000),
        message(body=json.loads("[" * 200 + "]" * 200)),
        message(body="x" * (5 << 20)),
        message(message_id=None),
        message({"X-Goog-Channel-ID": None}),
        message({"X-Goog-Message-Number": "many"}),
        message({"X-Goog-Resource-ID": 7}),
        message({f"X-{number}": "" for number in range(500)}),
    ],
)
def test_what_can_not_be_read_is_an_error_record(unreadable: Incoming) -> None:
    """With its bytes, and without the token in them."""
    decided = handler().decide(unreadable)
    assert isinstance(decided, Reject)
    assert decided.report.category == "invalid_message"
    assert decided.report.original is None or genuine() not in decided.report.original


def test_another_integrations_is_skipped_whatever_its_shape() -> None:
    """The topic is shared."""
    assert handler().decide(Incoming("webhook.raw", 0, 0, None, b'{"integration_id":"slack"}')) == Skip()


def test_one_for_another_workers_partition_is_passed_on_as_a_trigger_that_says_the_same() -> None:
    """Its owner holds it against the channels like one of its own; a duplicate is the same to the byte."""
    passed, again = handler(owned=False).decide(message()), handler(owned=False).decide(message(message_id="m-2"))
    assert isinstance(passed, PassOn)
    assert passed == again
    outgoing = passed.message
    assert (outgoing.topic, outgoing.key, outgoing.partition) == ("integration.trigger", b"conn_abc", HOME)
    trigger = json.loads(outgoing.value)
    assert (trigger["trigger_type"], trigger["last_cursor"]) == ("incremental", None)
    arrived = Incoming(outgoing.topic, outgoing.partition, 3, outgoing.key, outgoing.value)
    decided = TriggerHandler("google-drive", 3).decide(arrived)
    assert isinstance(decided, Accept)
    assert (decided.connection_id, decided.notice) == (CONNECTION, NOTICE)


@given(st.binary(max_size=300))
def test_any_bytes_come_to_a_decision(value: bytes) -> None:
    """Nothing is ever raised, and nothing is accepted by chance."""
    assert isinstance(handler().decide(Incoming("webhook.raw", 0, 0, None, value)), Reject | Skip)
