"""Labels: what kinds the domain has, and which of them are on an item with which values.

Their kinds are made in the Drive Labels API, which is not simulated: `add_label` stands for it. Source: the Label and
LabelField schemas of the discovery document.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from drive_simulator.items import Item
from drive_simulator.world import World

ValueType = Literal["dateString", "integer", "selection", "text", "user"]
Values = tuple[str, ...]
Resource = dict[str, object]


@dataclass(frozen=True, slots=True)
class LabelKind:
    """One label that can be put on files: its fields by id, each with the type of its values."""

    id: str
    revision_id: str
    fields: Mapping[str, ValueType] = field(default_factory=dict)


def add_label(world: World, fields: Mapping[str, ValueType], *, label_id: str | None = None) -> LabelKind:
    """Let the domain have a label with those fields."""
    kind = LabelKind(label_id or world.ids.token(24), "1", dict(fields))
    world.labels[kind.id] = kind
    return kind


def labels_of(item: Item) -> Mapping[str, Mapping[str, Values]]:
    """The values of each field by label and field; not to be changed."""
    return cast("Mapping[str, Mapping[str, Values]]", item.rare("labels") or {})


def set_labels(world: World, item: Item, labels: Mapping[str, Mapping[str, Values]]) -> None:
    """Put these labels on the item, and take others off; logged, without a new modifiedTime."""
    item.set_rare("labels", dict(labels) or None)
    world.note_change(item)


def label_resources(world: World, item: Item, only: Iterable[str] | None = None) -> list[Resource]:
    """The item's labels as Drive shows them; `only` those ids."""
    wanted = None if only is None else set(only)
    return [
        _label(kind, values)
        for label_id, values in labels_of(item).items()
        if (wanted is None or label_id in wanted) and (kind := world.labels.get(label_id)) is not None
    ]


def _label(kind: LabelKind, values: Mapping[str, Values]) -> Resource:
    fields = {each: _field(each, kind.fields[each], given) for each, given in values.items() if each in kind.fields}
    return {"kind": "drive#label", "id": kind.id, "revisionId": kind.revision_id, "fields": fields}


def _field(field_id: str, value_type: ValueType, values: Values) -> Resource:
    shown: Resource = {"kind": "drive#labelField", "id": field_id, "valueType": value_type}
    if value_type == "user":
        shown["user"] = [{"kind": "drive#user", "emailAddress": each, "displayName": each} for each in values]
    else:
        shown[value_type] = list(values)
    return shown
