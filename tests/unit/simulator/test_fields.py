"""`fields` masks: what they select and what they refuse."""

import pytest

from drive_simulator.api.errors import ApiError
from drive_simulator.api.fields import compile_fields

FILE: dict[str, object] = {
    "kind": "drive#file",
    "id": "1",
    "name": "n",
    "mimeType": "m",
    "size": "3",
    "owners": [{"displayName": "A", "emailAddress": "a@x"}, {"displayName": "B", "emailAddress": "b@x"}],
    "capabilities": {"canEdit": True, "canShare": False},
    "appProperties": {"k": "v", "l": "w"},
}
LIST: dict[str, object] = {"kind": "drive#fileList", "nextPageToken": "t", "files": [FILE, {"id": "2"}]}


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("*", LIST),
        ("kind,*", LIST),
        ("nextPageToken", {"nextPageToken": "t"}),
        ("files/id", {"files": [{"id": "1"}, {"id": "2"}]}),
        ("files(id, size)", {"files": [{"id": "1", "size": "3"}, {"id": "2"}]}),
        ("files(id),files/size", {"files": [{"id": "1", "size": "3"}, {"id": "2"}]}),
        ("files,files/size", {"files": [FILE, {"id": "2"}]}),
        ("files/*", {"files": [FILE, {"id": "2"}]}),
        ("files(owners/emailAddress)", {"files": [{"owners": [{"emailAddress": "a@x"}, {"emailAddress": "b@x"}]}, {}]}),
        ("files(capabilities(canEdit))", {"files": [{"capabilities": {"canEdit": True}}, {}]}),
        ("files/appProperties/k", {"files": [{"appProperties": {"k": "v"}}, {}]}),
        ("*/id", {"files": [{"id": "1"}, {"id": "2"}]}),
    ],
)
def test_selects(mask: str, expected: dict[str, object]) -> None:
    """Names, paths, groups and wildcards select what Google's guide says."""
    assert compile_fields(mask, "FileList").apply(LIST) == expected


def test_default_fields() -> None:
    """Without a mask a file shows kind, id, name and type alone."""
    answer = compile_fields(None, "File").apply(FILE)
    assert answer == {"kind": "drive#file", "id": "1", "name": "n", "mimeType": "m"}


@pytest.mark.parametrize(
    "mask",
    ["nope", "files/nope", "files(id,nope)", "files(", "files(id", "id)", "files/", ",kind", "files()", "kind/x"],
)
def test_refuses_unknown_fields_and_syntax(mask: str) -> None:
    """A name that the schema has not, or bad syntax, is 400 `invalidParameter` at `fields`."""
    with pytest.raises(ApiError, match="Invalid field selection") as caught:
        compile_fields(mask, "FileList")
    assert (caught.value.status, caught.value.reason, caught.value.location) == (400, "invalidParameter", "fields")


def test_is_bounded() -> None:
    """Long and deep masks are refused."""
    for mask in ("id," * 5000, "files/" + "lastModifyingUser/" * 40):
        with pytest.raises(ApiError):
            compile_fields(mask, "FileList")


@pytest.mark.parametrize(
    ("mask", "path", "expected"),
    [
        ("*", "files/permissions", True),
        ("files", "files/permissions", True),
        ("files(permissions/id)", "files/permissions", True),
        ("files(id)", "files/permissions", False),
        ("nextPageToken", "files/permissions", False),
    ],
)
def test_tells_what_it_includes(mask: str, path: str, expected: bool) -> None:
    """The model can ask whether a costly field is wanted at all."""
    assert compile_fields(mask, "FileList").includes(path) is expected
