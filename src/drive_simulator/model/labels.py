"""Labels: what kinds the domain has, and which of them are on an item with which values.

Their kinds are made in the Drive Labels API, which is not simulated: `add_label` stands for it. Source: the Label and
LabelField schemas of the discovery document.
"""

from collections.abc import Mapping
from typing import cast

from drive_simulator.model.items import Item
from drive_simulator.model.label_kinds import LabelKind, ValueType
from drive_simulator.model.world import World

Values = tuple[str, ...]


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
