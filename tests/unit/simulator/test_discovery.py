"""The table of Google's discovery document, and the parameters that it lets through."""

import runpy
from pathlib import Path

import pytest

from drive_simulator.api.discovery import method_parameters, methods, parse_parameters
from drive_simulator.api.errors import ApiError

ROOT = Path(__file__).parents[3]


def test_table_equals_googles_document() -> None:
    """The generated table is what the installed discovery document gives today."""
    script = runpy.run_path(str(ROOT / "scripts" / "write_discovery_table.py"))
    assert (ROOT / "src/drive_simulator/discovery.json").read_text() == script["table"](script["document"]())


def test_every_method_of_the_issue_is_there() -> None:
    """Method ids are Google's without the leading name of the API."""
    assert methods()["files.list"].path == "files"
    assert methods()["replies.update"].http_method == "PATCH"
    assert "fileId" in method_parameters("files.get")
    assert "prettyPrint" in method_parameters("files.get")


def test_values_are_typed_and_defaults_filled_in() -> None:
    """Integers and booleans are parsed; what the document has defaults for is there."""
    values = parse_parameters("files.list", [("pageSize", "7"), ("supportsAllDrives", "true"), ("key", "k")])
    assert values["pageSize"] == 7
    assert values["supportsAllDrives"] is True
    assert values["includeItemsFromAllDrives"] is False
    assert values["prettyPrint"] is True


@pytest.mark.parametrize(
    ("method", "query", "reason", "location"),
    [
        ("files.list", [("pagesize", "7")], "invalidParameter", "pagesize"),
        ("files.list", [("pageSize", "0")], "invalidParameter", "page_size"),
        ("files.list", [("pageSize", "1001")], "invalidParameter", "page_size"),
        ("files.list", [("pageSize", "x")], "invalid", None),
        ("files.list", [("supportsAllDrives", "on")], "invalid", None),
        ("files.list", [("pageSize", "0"), ("supportsAllDrives", "")], "invalid", None),
        ("files.list", [("corpora", "everything")], "invalidParameter", "corpora"),
        ("files.list", [("alt", "xml")], "invalidParameter", "alt"),
        ("files.get", [("fileId", "x")], "invalidParameter", "fileId"),
        ("changes.list", [], "required", "pageToken"),
        ("about.get", [], "required", "fields"),
        ("comments.list", [], "required", "fields"),
    ],
)
def test_refuses(method: str, query: list[tuple[str, str]], reason: str, location: str | None) -> None:
    """Unknown names, wrong types, ranges, enums and missing ones are Google's 400s."""
    with pytest.raises(ApiError) as caught:
        parse_parameters(method, query)
    assert (caught.value.status, caught.value.reason, caught.value.location) == (400, reason, location)
