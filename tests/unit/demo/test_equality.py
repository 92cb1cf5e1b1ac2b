"""Equality of a mirror with the Drive, field by field."""

import json
import random
import re
from functools import cache
from pathlib import Path

import pytest

from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import random_edits
from drive_simulator.model.items import User
from drive_simulator.model.world import World
from google_drive_worker.demo.equality import COMPARED, NOT_COMPARED, differing, record_fields
from google_drive_worker.demo.field_mirror import FieldMirror
from google_drive_worker.demo.true_records import true_records

RECORDS = Path(__file__).parents[3] / "docs" / "records.md"
HEADINGS = {
    "file": "`file` and `folder`, upsert",
    "shared_drive": "`shared_drive`, upsert",
    "permission": "`permission`, upsert",
    "revision": "`revision`, upsert",
    "comment": "`comment`, upsert",
}
MADE = {"author_address", "author_name", "quoted"}


@cache
def edited() -> tuple[World, User]:
    """A small Drive after many edits, and whose it is."""
    details = Details(shared=0.1, commented=0.3, revised=0.2)
    world = generate(CorpusPlan(300, 2, seed=3, details=details))
    random_edits(world, random.Random(3), 200, also=("comments", "revisions", "sharing"))  # noqa: S311 - a simulation
    return world, next(iter(world.users.values()))


def message(resource_type: str, resource_id: str, operation: str = "upsert", **data: object) -> bytes:
    """A record as a consumer reads it."""
    record = {"resource_type": resource_type, "resource_id": resource_id, "operation": operation, "data": data}
    return json.dumps(record).encode()


@pytest.mark.parametrize("resource_type", HEADINGS)
def test_each_documented_field_is_compared_or_excused(resource_type: str) -> None:
    """A field that docs/records.md adds makes this fail until somebody says how it is compared."""
    section = RECORDS.read_text().split(f"## {HEADINGS[resource_type]}\n")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) - {"photo_link"}
    known = (COMPARED[resource_type] - MADE) | (NOT_COMPARED[resource_type].keys() - {"photo_link"})
    assert documented == known


def test_truth_has_no_field_beyond_those_named() -> None:
    """What is worked out of the truth has names of `COMPARED` alone, and each type comes up."""
    found: dict[str, set[str]] = {}
    for (resource_type, _), fields in true_records(*edited()):
        found.setdefault(resource_type, set()).update(fields)
    assert found.keys() == COMPARED.keys()
    assert all(names <= COMPARED[resource_type] for resource_type, names in found.items())


def test_any_field_that_differs_is_named() -> None:
    """A value that is another, lacking or too much is told with both sides."""
    assert differing({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == [("b", 2, 3), ("c", None, 4)]
    assert differing({"a": 1, "b": 2}, {"a": 1}) == [("b", 2, None)]


@pytest.mark.parametrize("name", ["version", "shared", "permission_ids", "capabilities", "has_augmented_permissions"])
def test_what_is_as_of_the_last_write_is_left_out(name: str) -> None:
    """A field that other records tell makes no difference."""
    assert record_fields("file", {"id": "1", name: 7}) == {"id": "1"}


def test_links_to_photos_are_left_out_at_any_depth() -> None:
    """A person counts without the link to the photo."""
    owner = {"display_name": "Ada", "photo_link": "https://photos/1"}
    assert record_fields("file", {"owners": [owner]}) == {"owners": [{"display_name": "Ada"}]}


def test_mirror_tells_what_is_missing_unexpected_and_different() -> None:
    """Against a Drive, an empty mirror lacks everything, and a record of nothing is too much."""
    world, user = edited()
    mirror = FieldMirror(lambda _key, _operation: None)
    counts, _ = mirror.differences(world, user)
    assert counts.total() == sum(1 for _ in true_records(world, user))
    mirror.apply(message("file", "none", id="none"))
    file_id = next(item_id for (kind, item_id), _ in true_records(world, user) if kind == "file")
    mirror.apply(message("file", file_id, id=file_id))
    counts, words = mirror.differences(world, user)
    assert counts["unexpected file"] == counts["different file"] == 1
    assert any(each.startswith(f"different file {file_id}; ") for each in words)


def test_delete_of_an_item_takes_along_what_hangs_on_it() -> None:
    """A consumer drops all records whose id begins with the item's, and nothing else."""
    mirror = FieldMirror(lambda _key, _operation: None)
    for resource_type, resource_id in (("file", "1"), ("permission", "1/a"), ("comment", "1/b"), ("permission", "2/a")):
        mirror.apply(message(resource_type, resource_id))
    mirror.apply(message("file", "1", "delete"))
    assert len(mirror) == 1
