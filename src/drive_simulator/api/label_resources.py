"""Labels as Drive shows them. Source: the Label and LabelField schemas of the discovery document."""

from collections.abc import Iterable, Mapping

from drive_simulator.api.permission_resources import Resource
from drive_simulator.model.items import Item
from drive_simulator.model.label_kinds import LabelKind, ValueType
from drive_simulator.model.labels import Values, labels_of
from drive_simulator.model.world import World


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
