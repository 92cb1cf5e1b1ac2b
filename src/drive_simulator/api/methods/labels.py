"""files.listLabels and files.modifyLabels."""

from collections.abc import Mapping
from datetime import date
from typing import cast

from drive_simulator.api import errors
from drive_simulator.api.call import Call, Handler, answer
from drive_simulator.api.label_resources import label_resources
from drive_simulator.api.page_tokens import open_token, seal_token
from drive_simulator.api.wire import Response
from drive_simulator.model.items import Item
from drive_simulator.model.label_kinds import LabelKind
from drive_simulator.model.labels import Values, labels_of, set_labels

_SETTERS = {
    "setDateValues": "dateString",
    "setIntegerValues": "integer",
    "setSelectionValues": "selection",
    "setTextValues": "text",
    "setUserValues": "user",
}


def list_labels(call: Call) -> Response:
    """files.listLabels."""
    item = call.item(call.path["fileId"])
    found = label_resources(call.world, item)
    binding = f"labels:{call.user.email}:{item.id}"
    token = call.text("pageToken")
    start = open_token(binding, token)[1] if token else 0
    end = start + call.number("maxResults", 100)
    page: dict[str, object] = {"kind": "drive#labelList", "labels": found[start:end]}
    if end < len(found):
        page["nextPageToken"] = seal_token(binding, "", end, call.world.now_ms())
    return answer(call, "LabelList", page)


def modify_labels(call: Call) -> Response:
    """files.modifyLabels: puts labels on the file, sets their fields and takes labels off."""
    item = call.item(call.path["fileId"], "writer")
    labels: dict[str, Mapping[str, Values]] = dict(labels_of(item))
    modified: list[str] = []
    for change in _objects(call.body(), "labelModifications"):
        kind = call.world.labels.get(str(change.get("labelId")))
        if kind is None:
            raise errors.resource_not_found("Label", str(change.get("labelId")), "labelId")
        if change.get("removeLabel") is True:
            labels.pop(kind.id, None)
            continue
        labels[kind.id] = _fields(kind, labels.get(kind.id, {}), _objects(change, "fieldModifications"))
        modified.append(kind.id)
    _check_restrictions(item)
    set_labels(call.world, item, labels)
    resources = label_resources(call.world, item, modified)
    return answer(call, "ModifyLabelsResponse", {"kind": "drive#modifyLabelsResponse", "modifiedLabels": resources})


def _check_restrictions(item: Item) -> None:
    if item.is_root:
        raise errors.insufficient_file_permissions()


def _fields(kind: LabelKind, former: Mapping[str, Values], changes: list[dict[str, object]]) -> dict[str, Values]:
    """The label's values after the changes. Raises ApiError 400."""
    values = dict(former)
    for change in changes:
        field_id = str(change.get("fieldId"))
        value_type = kind.fields.get(field_id)
        if value_type is None:
            raise errors.bad_request(f"The label has no field '{field_id}'.")
        if change.get("unsetValues") is True:
            values.pop(field_id, None)
        for name, sets in _SETTERS.items():
            if name in change:
                if sets != value_type:
                    raise errors.bad_request(f"Field '{field_id}' takes values of type {value_type}.")
                values[field_id] = _values(name, change[name])
    return values


def _values(name: str, given: object) -> Values:
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise errors.bad_request(f"Invalid value at '{name}'.")
    values = tuple(cast(list[str], given))
    try:
        for each in values:
            if name == "setDateValues":
                date.fromisoformat(each)
            elif name == "setIntegerValues":
                int(each)
    except ValueError:
        raise errors.bad_request(f"Invalid value at '{name}'.") from None
    return values


def _objects(body: Mapping[str, object], name: str) -> list[dict[str, object]]:
    given = body.get(name)
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise errors.bad_request(f"Invalid value at '{name}'.")
    return cast(list[dict[str, object]], given)


HANDLERS: Mapping[str, Handler] = {"files.listLabels": list_labels, "files.modifyLabels": modify_labels}
