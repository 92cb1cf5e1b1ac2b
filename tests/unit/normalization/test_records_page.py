"""`docs/records.md` and the records say the same."""

import re
from pathlib import Path

import msgspec
import pytest

from google_drive_worker.domain.record import References
from google_drive_worker.messages.record import Envelope
from google_drive_worker.normalization.shapes import (
    ChangeData,
    DeletedData,
    FileData,
    PeopleData,
    SharedDriveData,
    StandingData,
    SyncData,
)

PAGE = Path(__file__).parents[3] / "docs" / "records.md"


@pytest.mark.parametrize(
    ("heading", "shape"),
    [
        ("The envelope", Envelope),
        ("`file` and `folder`, upsert", FileData),
        ("`shared_drive`, upsert", SharedDriveData),
        ("`change`, upsert", ChangeData),
        ("Any type, delete", DeletedData),
        ("`sync`", SyncData),
    ],
)
def test_each_table_lists_each_field_in_order(heading: str, shape: type[msgspec.Struct]) -> None:
    """Every field of a record has its row, and says "always" exactly where it is always present."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ?(\w*)", section, re.MULTILINE)
    fields = msgspec.structs.fields(shape)
    if shape is Envelope:
        fields += msgspec.structs.fields(References)
    if shape is FileData:
        fields += msgspec.structs.fields(PeopleData) + msgspec.structs.fields(StandingData)
        for added in ("path", "content_status"):  # where they are known
            rows.remove((added, ""))
    assert [name for name, _ in rows] == [field.name for field in fields]
    if shape is not Envelope:
        assert [mark == "always" for _, mark in rows] == [field.required for field in fields]
