"""The kinds of labels that a domain has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ValueType = Literal["dateString", "integer", "selection", "text", "user"]


@dataclass(frozen=True, slots=True)
class LabelKind:
    """One label that can be put on files: its fields by id, each with the type of its values."""

    id: str
    revision_id: str
    fields: Mapping[str, ValueType] = field(default_factory=dict)
