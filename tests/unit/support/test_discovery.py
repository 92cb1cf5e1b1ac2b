"""The judge itself: it knows good exchanges from bad ones."""

import json
from dataclasses import dataclass

import pytest

from support.discovery import check_request, check_response
from support.observer import DiscoveryObserver

Query = list[tuple[str, str]]


@pytest.mark.parametrize(
    ("http_method", "path", "query", "body"),
    [
        ("GET", "/drive/v3/files", [("pageSize", "1000"), ("q", "trashed = false"), ("fields", "files(id)")], None),
        ("GET", "/drive/v3/files/generateIds", [("count", "3")], None),
        ("GET", "/drive/v3/files/x", [("alt", "media")], None),
        ("GET", "/drive/v3/about", [("fields", "*")], None),
        ("GET", "/drive/v3/changes", [("pageToken", "1"), ("prettyPrint", "false"), ("quotaUser", "u")], None),
        ("POST", "/drive/v3/files", [], {"name": "x", "parents": ["y"], "appProperties": {"a": "b"}}),
        ("POST", "/upload/drive/v3/files", [("uploadType", "media")], None),
        ("PUT", "/upload/drive/v3/files/x", [("uploadType", "resumable"), ("upload_id", "u")], None),
        (
            "GET",
            "/drive/v3/files",
            [
                ("corpora", "drive"),
                ("driveId", "d"),
                ("includeItemsFromAllDrives", "true"),
                ("supportsAllDrives", "true"),
            ],
            None,
        ),
    ],
)
def test_good_requests_pass(http_method: str, path: str, query: Query, body: dict[str, object] | None) -> None:
    """What Google documents is not complained about."""
    assert check_request(http_method, path, query, json.dumps(body).encode() if body else None) == []


@pytest.mark.parametrize(
    ("path", "query", "complaint"),
    [
        ("files", [("pagesize", "1")], "unknown parameter"),
        ("files", [("pageSize", "1001")], "out of the range"),
        ("files", [("pageSize", "0")], "out of the range"),
        ("files", [("pageSize", "many")], "no integer"),
        ("files", [("pageSize", "1"), ("pageSize", "2")], "more than once"),
        ("files", [("corpora", "all")], "none of"),
        ("files", [("spaces", "moon")], "none of"),
        ("files", [("alt", "xml")], "none of"),
        ("files", [("supportsAllDrives", "1")], "no boolean"),
        ("files", [("includeItemsFromAllDrives", "true")], "needs supportsAllDrives"),
        ("files", [("corpora", "drive")], "driveId"),
        ("files", [("driveId", "x"), ("supportsAllDrives", "true")], "corpora=drive"),
        ("files", [("corpora", "allDrives"), ("supportsAllDrives", "true")], "includeItemsFromAllDrives"),
        ("files", [("q", "name is x")], "q"),
        ("files", [("orderBy", "size")], "orderBy"),
        ("files", [("fields", "files(nope)")], "Invalid field selection nope"),
        ("files", [("quotaUser", "x" * 41)], "quotaUser"),
        ("files/x", [("fileId", "x")], "unknown parameter"),
        ("files/x/export", [], "required parameter"),
        ("files/x/export", [("mimeType", "m"), ("supportsAllDrives", "true")], "unknown parameter"),
        ("files/x/revisions", [("supportsAllDrives", "true")], "unknown parameter"),
        ("files/x/comments", [], "required by this method"),
        ("changes", [], "required parameter"),
        ("changes", [("pageToken", "1"), ("driveId", "d")], "needs supportsAllDrives"),
        ("about", [], "required by this method"),
        ("drives", [("pageSize", "101")], "out of the range"),
        ("nonsense", [], "no such method"),
    ],
)
def test_bad_requests_are_found(path: str, query: Query, complaint: str) -> None:
    """Each way to be wrong is named."""
    found = check_request("GET", "/drive/v3/" + path, query)
    assert any(complaint in str(violation) for violation in found), found


@pytest.mark.parametrize(
    ("path", "query", "body", "complaint"),
    [
        ("/drive/v3/files", [], b'{"title": "x"}', "unknown property"),
        ("/drive/v3/files", [], b'{"name": 1}', "no string"),
        ("/drive/v3/files", [], b'{"parents": "x"}', "list belongs"),
        ("/drive/v3/files", [], b'{"modifiedTime": "now"}', "RFC 3339"),
        ("/drive/v3/files", [], b"[]", "object belongs"),
        ("/drive/v3/files", [], b"x", "no JSON"),
        ("/drive/v3/drives/x/hide", [], b'{"a": 1}', "takes none"),
        ("/upload/drive/v3/files", [], b"x", "uploadType"),
        (
            "/upload/drive/v3/files",
            [("uploadType", "multipart")],
            b'--b\r\nContent-Type: application/json\r\n\r\n{"title": "x"}\r\n--b\r\n\r\nbytes\r\n--b--',
            "unknown property",
        ),
    ],
)
def test_bad_bodies_are_found(path: str, query: Query, body: bytes, complaint: str) -> None:
    """A request's body is held against its schema, also in an upload."""
    found = check_request("POST", path, [*query, ("requestId", "r")] if "hide" not in path else query, body)
    assert any(complaint in str(violation) for violation in found), found


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"files": [{"id": "1", "size": "12", "createdTime": "2026-01-01T00:00:00.000Z"}]}, None),
        ({"files": [{"id": 1}]}, "no string"),
        ({"files": [{"size": 12}]}, "no string"),
        ({"files": [{"size": "12 kB"}]}, "int64"),
        ({"files": [{"createdTime": "yesterday"}]}, "RFC 3339"),
        ({"files": [{"starred": "true"}]}, "no boolean"),
        ({"files": [{"owners": {}}]}, "list belongs"),
        ({"files": [{"capabilities": []}]}, "object belongs"),
        ({"files": [{"capabilities": {"canFly": True}}]}, "unknown property"),
        ({"files": [{"imageMediaMetadata": {"width": "1"}}]}, "no integer"),
        ({"files": [{"imageMediaMetadata": {"aperture": "1"}}]}, "no number"),
        ({"files": [{"appProperties": {"a": 1}}]}, "no string"),
        ({"items": []}, "unknown property"),
    ],
)
def test_answers_are_held_against_their_schema(body: dict[str, object], complaint: str | None) -> None:
    """Types, formats and names in an answer are the document's, at any depth."""
    found = check_response("drive.files.list", 200, json.dumps(body).encode())
    assert (complaint is None and not found) or any(complaint in str(v) for v in found if complaint), found


@pytest.mark.parametrize(
    ("method_id", "status", "body", "fields", "complaint"),
    [
        ("drive.files.list", 200, b'{"kind": "k", "files": []}', "files(id)", "more than was asked for"),
        ("drive.files.list", 200, b"{}", "nope", "invalid mask"),
        ("drive.files.list", 200, b"", None, "no JSON"),
        ("drive.files.delete", 200, b"{}", None, "answers nothing"),
        ("drive.files.delete", 204, b"{}", None, "204 has none"),
        ("drive.files.get", 404, b"not found", None, "no error body"),
        ("drive.files.get", 404, b'{"error": {"code": 403, "message": "m", "errors": [{}]}}', None, "error.code"),
        ("drive.files.get", 404, b'{"error": {"code": 404, "message": "m", "errors": [{}]}}', None, "missing"),
        ("drive.files.get", 404, b'{"error": {"code": 404, "message": "m", "errors": []}}', None, "without"),
    ],
)
def test_other_bad_answers_are_found(
    method_id: str, status: int, body: bytes, fields: str | None, complaint: str
) -> None:
    """Masks that are not kept, bodies where none belongs, and errors that are not Google's are found."""
    found = check_response(method_id, status, body, fields)
    assert any(complaint in str(violation) for violation in found), found


@dataclass
class Call:
    """An exchange as the simulator reports it."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    request_body: bytes = b""
    status: int = 200
    response_body: bytes = b'{"files": []}'


BAD_QUERY = (("pageSize", "0"),)


def test_observer_fails_the_test_that_it_watches() -> None:
    """A violation on either side makes `assert_clean` fail; other paths and clean exchanges don't."""
    observer = DiscoveryObserver()
    observer(Call("POST", "/token", status=400))
    observer(Call("GET", "/drive/v3/files"))
    observer(Call("POST", "/upload/drive/v3/files", (("uploadType", "resumable"),), b"{}", 200, b""))
    observer.assert_clean()
    assert observer.exchanges == 2
    observer(Call("GET", "/drive/v3/files", BAD_QUERY, response_body=b'{"items": []}'))
    with pytest.raises(AssertionError, match=r"(?s)request of drive\.files\.list.*response of drive\.files\.list"):
        observer.assert_clean()


def test_observer_lets_bad_requests_be_sent_on_purpose() -> None:
    """Within `refusing()` only answers are judged."""
    observer = DiscoveryObserver()
    with observer.refusing():
        observer(Call("GET", "/drive/v3/files", BAD_QUERY))
    observer.assert_clean()
