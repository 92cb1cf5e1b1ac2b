"""What a trigger must look like, and what becomes of one that doesn't."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from google_drive_worker.messages.trigger import MAX_TRIGGER_BYTES, LastCursor, Trigger, decode_trigger
from google_drive_worker.utils.errors import InvalidMessage

OURS = "google-drive"
GOOD: dict[str, Any] = {
    "message_id": "6f2c",
    "customer_id": "cust_123",
    "integration_id": OURS,
    "integration_connection_id": "conn_abc",
    "trigger_type": "full_sync",
    "last_cursor": {"page_token": "tok", "timestamp": "2025-01-20T10:00:00Z"},
}


def decode(value: object) -> Trigger | None:
    """Decode a value, given as JSON's objects or as bytes."""
    raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    return decode_trigger(raw, integration_id=OURS)


def problem_of(value: object) -> str:
    """Decode what can't be read, and return the sentence about it."""
    with pytest.raises(InvalidMessage) as caught:
        decode(value)
    assert caught.value.code == "invalid_message"
    return caught.value.message


def test_the_specification_s_example_is_read_field_by_field() -> None:
    """Every field of a complete trigger arrives under its own name."""
    trigger = decode(GOOD)
    assert trigger is not None
    assert trigger.message_id == "6f2c"
    assert trigger.customer_id == "cust_123"
    assert trigger.integration_connection_id == "conn_abc"
    assert trigger.trigger_type == "full_sync"
    assert trigger.page_token == "tok"


@pytest.mark.parametrize(
    "cursor", [None, {}, {"page_token": None}, {"page_token": None, "timestamp": None}, {"page_token": ""}]
)
def test_a_cursor_without_a_token_is_none(cursor: object) -> None:
    """A last cursor may be null, empty or half known; then it names no token."""
    trigger = decode({**GOOD, "last_cursor": cursor})
    assert trigger is not None
    assert trigger.page_token is None


def test_a_cursor_may_be_absent() -> None:
    """A trigger without `last_cursor` is complete."""
    trigger = decode({key: value for key, value in GOOD.items() if key != "last_cursor"})
    assert trigger is not None
    assert trigger.last_cursor is None


def test_unknown_fields_are_ignored() -> None:
    """What the contract adds later does not disturb this worker."""
    assert decode({**GOOD, "priority": {"level": [1, 2]}, "last_cursor": {"page_token": "t", "new": 1}}) is not None


@pytest.mark.parametrize(
    "rest", [{}, {"trigger_type": 7, "customer_id": None}, {"blob": "x" * (MAX_TRIGGER_BYTES + 1)}]
)
def test_another_integration_s_message_is_none_whatever_it_holds(rest: dict[str, object]) -> None:
    """Only `integration_id` counts for somebody else's message."""
    assert decode({"integration_id": "slack", **rest}) is None


@pytest.mark.parametrize("trigger_type", ["", "FULL_SYNC", "webhook"])
def test_an_unknown_trigger_type_names_the_allowed_ones(trigger_type: str) -> None:
    """The sentence says which types there are."""
    assert "full_sync, incremental, poll" in problem_of({**GOOD, "trigger_type": trigger_type})


@pytest.mark.parametrize(
    "field", ["message_id", "customer_id", "integration_id", "integration_connection_id", "trigger_type"]
)
def test_a_missing_field_is_named(field: str) -> None:
    """Each field that a trigger needs is named where it is missing, or of another type."""
    assert f"`{field}` is missing" in problem_of({key: value for key, value in GOOD.items() if key != field})
    for wrong in (None, 5, ["x"], {"a": 1}):
        assert f"`{field}` has the wrong type" in problem_of({**GOOD, field: wrong})


@pytest.mark.parametrize("field", ["message_id", "customer_id", "integration_connection_id"])
@pytest.mark.parametrize(
    ("value", "trouble"), [("", "empty"), ("x" * 257, "longer"), ("a\nb", "printable"), (" ", "blank")]
)
def test_an_id_that_is_no_id_is_refused(field: str, value: str, trouble: str) -> None:
    """Empty, over-long, blank and unprintable ids are errors that name the field and not the value."""
    problem = problem_of({**GOOD, field: value})
    assert field in problem
    assert trouble in problem
    assert "xxx" not in problem


@pytest.mark.parametrize(
    ("value", "trouble"),
    [
        (None, "tombstone"),
        (b"", "too early"),
        (b'{"integration_id": "google', "too early"),
        (b"\xff\xfe", "malformed"),
        (b'{"integration_id": "google-drive", "note": "\xff"}', "UTF-8"),
        (b"[" * 100_000, "`object`, got `array`"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"integration_id":"google-drive","a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"integration_id":"google-drive","a":' + b"[" * 200 + b"]" * 200 + b"}", "nested too deeply"),
        (b"[1]", "`object`, got `array`"),
        (b"null", "wrong type"),
        (b"NaN", "malformed"),
        ({**GOOD, "last_cursor": "tok"}, "`last_cursor` has the wrong type"),
        ({**GOOD, "last_cursor": {"page_token": 5}}, "`last_cursor.page_token` has the wrong type"),
        ({**GOOD, "last_cursor": {"page_token": "t" * 10_000}}, "`last_cursor.page_token` is longer"),
        ({**GOOD, "pad": "x" * MAX_TRIGGER_BYTES}, "over the limit of 1048576"),
        (b"{" + b"x" * MAX_TRIGGER_BYTES, "over the limit of 1048576"),
    ],
)
def test_what_can_t_be_read_is_one_clear_sentence(value: object, trouble: str) -> None:
    """Each kind of unreadable message has a bounded sentence that says what is wrong with it."""
    problem = problem_of(value)
    assert trouble in problem
    assert len(problem) < 400
    assert "\n" not in problem


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_trigger_another_s_or_invalid(value: bytes) -> None:
    """No bytes at all raise anything but `InvalidMessage`."""
    with contextlib.suppress(InvalidMessage):
        assert decode(value) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={key: st.just(value) | _JSON for key, value in GOOD.items()}))
def test_any_json_is_a_trigger_another_s_or_invalid(value: dict[str, Any]) -> None:
    """A trigger with any of its fields broken either reads as it was written or is invalid."""
    try:
        trigger = decode(value)
    except InvalidMessage:
        return
    if trigger is not None:
        assert trigger.message_id == value["message_id"]
        assert isinstance(trigger.last_cursor, LastCursor | None)
