"""The labels in a file's record."""

import json
from typing import Any

import msgspec
import pytest

from google_drive_worker.domain.drive import read_file
from google_drive_worker.normalization.transformer import transform_file


def labels_in(label_info: object) -> Any:
    """`labels` of the record of a file with that `labelInfo`; `missing` where there is none."""
    resource = {"id": "a", "name": "a", "mimeType": "text/plain", "labelInfo": label_info}
    record = transform_file(read_file(json.dumps(resource).encode()))
    return json.loads(msgspec.json.encode(record.data)).get("labels", "missing")


def field(value_type: str, *values: object, name: str = "f") -> dict[str, object]:
    """A label's field as Drive sends it."""
    return {"kind": "drive#labelField", "id": name, "valueType": value_type, value_type: list(values)}


def label(**fields: dict[str, object]) -> dict[str, object]:
    """A label as Drive sends it."""
    return {"kind": "drive#label", "id": "l", "revisionId": "7", "fields": fields}


@pytest.mark.parametrize(
    ("sent", "values"),
    [
        (field("dateString", "2026-01-31"), ["2026-01-31"]),
        (field("integer", "12", "-3", "no number", "9223372036854775808"), [12, -3]),
        (field("selection", "790CCA77FD"), ["790CCA77FD"]),
        (field("text", "x", ""), ["x", ""]),
        (
            field("user", {"emailAddress": "a@x.org", "me": True}),
            [{"email_address": "a@x.org", "me": True}],
        ),
        ({"id": "f", "valueType": "newer"}, []),
    ],
)
def test_every_type_of_value(sent: dict[str, object], values: list[object]) -> None:
    """Numbers become integers, people persons, all else stays text."""
    shown = [{"id": "f", "value_type": sent["valueType"], "values": values}]
    assert labels_in({"labels": [label(f=sent)]}) == [{"id": "l", "revision_id": "7", "fields": shown}]


def test_a_file_without_those_labels_has_an_empty_list() -> None:
    """That is known of it; where nothing was asked, nothing is said."""
    assert labels_in({"labels": []}) == []
    assert labels_in({}) == []
    assert labels_in(None) == "missing"


def test_fields_are_in_the_order_of_their_ids() -> None:
    """A label that is the same is written the same."""
    [shown] = labels_in({"labels": [label(b=field("text", "2"), a=field("text", "1"))]})
    assert [each["id"] for each in shown["fields"]] == ["a", "b"]


def test_labels_that_make_no_sense_are_left_out() -> None:
    """Their file is not, nor are the labels beside them, nor what else they hold."""
    assert labels_in({"labels": [{"revisionId": "1"}]}) == []
    whole = label(a=field("text", "1"))
    assert labels_in({"labels": [{"revisionId": "1"}, whole, None, {"id": ""}]}) == labels_in({"labels": [whole]})
    odd: dict[str, Any] = {"a": field("text", "1"), "b": None, "c": {"id": "c", "valueType": 7, "text": ["x", 5]}}
    [shown] = labels_in({"labels": [label(**odd)]})
    assert [(each["id"], each["values"]) for each in shown["fields"]] == [("a", ["1"]), ("c", ["x"])]
    assert labels_in("x") == "missing"
