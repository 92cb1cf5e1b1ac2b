"""What can't be read, or is not for us: an error record each, as the contract says, and the partition goes on."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from google_drive_worker.domain.partitioning import partition_of
from support.consume import Message, read_all
from support.mirroring import FIRST, Stage, staged
from support.produce import send
from support.topics import Topics

pytestmark = pytest.mark.kafka

Bad = tuple[bytes | None, str | None, str]
"""A message, what its error record repeats of it, and a piece of what it says is wrong."""


def _unreadable(stage: Stage) -> dict[str, Bad]:
    """Messages that can't be read, by what is wrong with them."""
    good = json.loads(stage.trigger_value())
    without = json.dumps({name: value for name, value in good.items() if name != "customer_id"})
    wrong_type = stage.trigger_value(integration_connection_id=17)
    unknown = stage.trigger_value(kind="purge")
    latin = b'{"integration_id": "google-drive", "message_id": "caf\xe9"}'
    deep = stage.trigger_value(padding=json.loads("[" * 200 + "]" * 200))
    huge = stage.trigger_value(padding="x" * (5 << 20))
    return {
        "no JSON": (b'{"message_id": ', '{"message_id": ', "JSON"),
        "no object": (b"[1, 2]", "[1, 2]", "object"),
        "no integration": (b"{}", "{}", "integration_id"),
        "a wrong type": (wrong_type.encode(), wrong_type, "integration_connection_id"),
        "an unknown trigger type": (unknown.encode(), unknown, "full_sync, incremental, poll"),
        "a missing field": (without.encode(), without, "customer_id"),
        "a tombstone": (None, None, "tombstone"),
        "no UTF-8": (latin, base64.b64encode(latin).decode(), "UTF-8"),
        "two hundred levels": (deep.encode(), deep, "nested too deeply"),
        "five megabytes": (huge.encode(), None, "over the limit"),
    }


CUSTOMER = "cust_1"

KNOWN: dict[str, dict[str, str | None]] = {
    "a wrong type": {"customer_id": CUSTOMER, "integration_connection_id": None},
    "two hundred levels": {"customer_id": CUSTOMER, "integration_connection_id": FIRST},
    "an unknown trigger type": {"customer_id": CUSTOMER, "integration_connection_id": FIRST},
    "a missing field": {"customer_id": None, "integration_connection_id": FIRST},
}
"""Whose a message is, of those that say so though they can't be read."""


def _error_at(errors: list[dict[str, Any]], message: Message) -> dict[str, Any]:
    """The one error record that goes back to the message."""
    found = [
        error
        for error in errors
        if (error["source"]["partition"], error["source"]["offset"]) == (message.partition, message.offset)
    ]
    assert len(found) == 1, message.value and message.value[:200]
    return found[0]


def test_unreadable_messages_become_errors_and_the_partition_goes_on(topics: Topics, tmp_path: Path) -> None:
    """Each makes one record with its place and its text; a trigger behind all of them is synced."""
    with staged(generate(CorpusPlan(files=50)), topics, tmp_path) as stage, stage.worker() as worker:
        bad = _unreadable(stage)
        here = partition_of(FIRST, topics.partitions)
        values = [(FIRST, value) for value, _, _ in bad.values()]
        send(topics.bootstrap_servers, topics.trigger, values, partition=here)
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()

        errors = stage.errors()
        sent = read_all(topics.bootstrap_servers, topics.trigger)
        assert len(errors) == len(bad)
        for message, (name, (_, original, words)) in zip(sent, bad.items(), strict=False):
            error = _error_at(errors, message)
            assert error["source"]["topic"] == topics.trigger
            assert (error["error"]["category"], error["error"]["code"]) == ("invalid_message", "invalid_message"), name
            known = {name: error[name] for name in ("customer_id", "integration_connection_id")}
            assert known == KNOWN.get(name, {"customer_id": None, "integration_connection_id": None}), name
            assert error["integration_id"] == "google-drive"
            assert words in error["error"]["message"], (name, error["error"]["message"])
            connection = known["integration_connection_id"]
            assert error["_message"].key == (None if connection is None else connection.encode())
            assert error["_message"].headers["source"] == b"google-drive"
            if name == "five megabytes":
                assert f"[cut off; {len(message.value or b'')} bytes in all]" in error["original"]
                assert len(error["original"]) < 100_000
            else:
                assert error["original"] == original, name
        assert len(worker.lines("message_rejected")) == len(bad)
        assert "Traceback" not in worker.text()


def test_other_integrations_messages_are_no_error(topics: Topics, tmp_path: Path) -> None:
    """Whatever they look like, they are passed by, and nothing is said of them."""
    with staged(generate(CorpusPlan(files=50)), topics, tmp_path) as stage, stage.worker() as worker:
        foreign = [
            json.dumps({"integration_id": "slack"}),
            json.dumps({"integration_id": "notion", "trigger_type": 5, "integration_connection_id": []}),
            json.dumps({"integration_id": "slack", "padding": "x" * (3 << 20)}),
        ]
        here = partition_of(FIRST, topics.partitions)
        send(topics.bootstrap_servers, topics.trigger, [(FIRST, value) for value in foreign], partition=here)
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()
        assert stage.errors() == []
        assert worker.lines(level="warning") == []


def test_an_unknown_connection_is_reported_once(topics: Topics, tmp_path: Path) -> None:
    """The record names the trigger; nothing is kept in state, and the neighbours are synced."""
    with staged(generate(CorpusPlan(files=50)), topics, tmp_path) as stage, stage.worker():
        here = partition_of(FIRST, topics.partitions)
        stranger = next(name for n in range(99) if partition_of(name := f"conn_{n}", topics.partitions) == here)
        stage.trigger(stranger, "full_sync")
        stage.sync(FIRST, "full_sync")
        stage.assert_equal()
        (error,) = stage.errors()
        assert (error["error"]["category"], error["error"]["code"]) == ("terminal", "unknown_connection")
        assert error["integration_connection_id"] == stranger
        assert error["_message"].key == stranger.encode()
        message = read_all(topics.bootstrap_servers, topics.trigger)[0]
        assert error["source"]["offset"] == message.offset
        assert error["source"]["message_id"] == json.loads(message.value or b"")["message_id"]
        assert stage.state(stranger) == {}


@pytest.mark.parametrize("order", ["before", "after"])
def test_another_customers_trigger_is_refused(topics: Topics, tmp_path: Path, order: str) -> None:
    """It syncs nothing, and neither keeps the true customer's trigger beside it from being synced, nor is it lost."""
    with staged(generate(CorpusPlan(files=50)), topics, tmp_path) as stage, stage.worker():
        false = stage.trigger_value(FIRST, "full_sync", customer_id="cust_other")
        true = stage.trigger_value(FIRST, "full_sync")
        values = [false, true] if order == "before" else [true, false]
        send(topics.bootstrap_servers, topics.trigger, [(FIRST, value) for value in values])
        stage.settle(FIRST)
        stage.assert_equal()
        (error,) = stage.errors()
        assert (error["error"]["category"], error["error"]["code"]) == ("invalid_message", "customer_mismatch")
        assert error["customer_id"] == "cust_other"
        assert error["source"]["message_id"] == json.loads(false)["message_id"]
        assert stage.state()["customer_id"] == stage.simulator.accounts[FIRST].customer_id
