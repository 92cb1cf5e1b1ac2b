"""The labels on a file, from Google's JSON to ours. Pure, and total: what makes no sense is left out.

Source: the Label and LabelField schemas of the discovery document.
"""

from typing import Annotated

import msgspec

from google_drive_worker.domain.drive import ABSENT, User
from google_drive_worker.domain.lenient import NOT_EMPTY, UNREADABLE, Reader, Resource
from google_drive_worker.normalization.shapes import LabelData, LabelFieldData, PersonData
from google_drive_worker.normalization.values import whole_number


class LabelField(Resource, frozen=True, gc=False):
    """Drive's `LabelField`: what is typed `value_type` stands in the field of that name."""

    id: str | None = None
    value_type: str | None = None
    date_string: tuple[str, ...] | None = None
    integer: tuple[str, ...] | None = None
    selection: tuple[str, ...] | None = None
    text: tuple[str, ...] | None = None
    user: tuple[User, ...] | None = None


class Label(Resource, frozen=True, gc=False):
    """Drive's `Label`, its fields by id."""

    id: Annotated[str, NOT_EMPTY]
    revision_id: str | None = None
    fields: dict[str, LabelField] | None = None


class LabelInfo(Resource, frozen=True, gc=False):
    """Drive's `File.labelInfo`: those of the file's labels that were asked for."""

    labels: tuple[Label, ...] = ()


_LABEL_INFO: Reader[LabelInfo | None] = Reader(LabelInfo | None)


def labels_of(raw: msgspec.Raw) -> msgspec.Raw:
    """The labels in a file's `labelInfo`, encoded; an empty list where it has none of those that were asked for."""
    try:
        info = _LABEL_INFO.read(raw)
    except UNREADABLE:
        info = None
    return ABSENT if info is None else msgspec.Raw(msgspec.json.encode(tuple(map(_label, info.labels))))


def _label(label: Label) -> LabelData:
    fields = sorted((label.fields or {}).items())
    return LabelData(label.id, label.revision_id, tuple(_field(field_id, field) for field_id, field in fields))


def _field(field_id: str, field: LabelField) -> LabelFieldData:
    return LabelFieldData(field_id, field.value_type, _values(field))


def _values(field: LabelField) -> tuple[str | int | PersonData, ...]:
    if field.integer is not None:
        return tuple(number for each in field.integer if (number := whole_number(each)) is not None)
    if field.user is not None:
        return tuple(
            PersonData(each.display_name, each.email_address, each.permission_id, each.photo_link, each.me)
            for each in field.user
        )
    return next((each for each in (field.date_string, field.selection, field.text) if each is not None), ())
