"""How live Drive refuses, and in which order. "Measured" is: by a third party on live Drive, in autumn 2026."""

from typing import Any

import pytest

from support.google_client import Site
from support.plain_http import send

DOCUMENT = "application/vnd.google-apps.document"
MISSING = "1" * 33
INVALID_TOKEN = (400, "invalid", "pageToken")
EXPIRED_TOKEN = (403, "pageTokenExpired", None)
ADMINISTRATORS_ONLY = (403, "noListTeamDrivesAdministratorPrivilege", None)
NO_SHARED_DRIVES = (403, "supportsTeamDrivesRequired", None)
OUT_OF_RANGE = (400, "invalidParameter", "page_size")
FULL_TEXT = "q=fullText%20contains%20'x'"


def document(site: Site, name: str = "Refused") -> str:
    """A document of Alice's; returns its id."""
    return str(site.drive(site.alice).files().create(body={"name": name, "mimeType": DOCUMENT}).execute()["id"])


def message(site: Site, path: str) -> str:
    """The message of the error that a GET is answered with."""
    return str(send(site, "GET", "/drive/v3/" + path).json["error"]["message"])


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("orderBy=name,name", (403, "orderByContainsDuplicateSortKeys", "orderBy")),
        ("orderBy=name,name%20desc", (403, "orderByContainsDuplicateSortKeys", "orderBy")),
        ("orderBy=name,starred", (500, "internalError", None)),
        ("orderBy=folder,name,starred%20desc", (500, "internalError", None)),
        ("orderBy=bogus", (400, "invalid", "orderBy")),
        (f"{FULL_TEXT}&orderBy=name", (403, "forbidden", "orderBy")),
        ("q=sharedWithMe=false", (400, "invalid", "q")),
        ("q=not%20sharedWithMe", (400, "invalid", "q")),
        ("includeItemsFromAllDrives=true", NO_SHARED_DRIVES),
        ("includeTeamDriveItems=TRUE", NO_SHARED_DRIVES),
        ("includeItemsFromAllDrives=true&supportsAllDrives=t", NO_SHARED_DRIVES),
        ("pageToken=BOGUS", INVALID_TOKEN),
        ("pageSize=0", OUT_OF_RANGE),
        ("pageSize=1001", OUT_OF_RANGE),
    ],
)
def test_refusals_of_lists(site: Site, query: str, error: tuple[int, str, str | None]) -> None:
    """files.list refuses with these reasons (measured; sharedWithMe=false: google-api-nodejs-client #1136)."""
    assert send(site, "GET", f"/drive/v3/files?{query}").error == error


@pytest.mark.parametrize("query", ["orderBy=starred,name", "includeItemsFromAllDrives=t", "q=sharedWithMe%20=%20true"])
def test_what_lists_serve_of_the_same(site: Site, query: str) -> None:
    """`starred` may come first, and a flag counts for the check as the word `true` alone (measured)."""
    assert send(site, "GET", f"/drive/v3/files?{query}").status == 200


@pytest.mark.parametrize(
    ("query", "location", "status"),
    [
        ("fields=bogus&pageSize=0", "page_size", 400),
        ("orderBy=name,name&pageSize=0", "page_size", 400),
        ("includeItemsFromAllDrives=true&pageSize=0", "page_size", 400),
        ("q=bad&orderBy=bogus", "orderBy", 400),
        ("fields=bogus&orderBy=bogus", "orderBy", 400),
        ("pageToken=BOGUS&orderBy=name,name", "orderBy", 403),
        ("includeItemsFromAllDrives=true&orderBy=bogus", "orderBy", 400),
        ("includeItemsFromAllDrives=true&q=bad", None, 403),
        ("includeItemsFromAllDrives=true&pageToken=bad", None, 403),
        ("includeItemsFromAllDrives=true&orderBy=name,starred", None, 403),
        ("includeItemsFromAllDrives=true&fields=bad", None, 403),
        ("pageToken=BOGUS&q=bad", "q", 400),
        ("fields=bogus&q=bad", "q", 400),
        ("orderBy=name,starred&q=bad", "q", 400),
        ("fields=bogus&pageToken=BOGUS", "pageToken", 400),
        ("orderBy=name,starred&pageToken=BOGUS", "pageToken", 400),
        (f"{FULL_TEXT}&orderBy=name&pageToken=BOGUS", "orderBy", 403),
        (f"{FULL_TEXT}&orderBy=name&fields=bogus", "orderBy", 403),
        ("fields=bogus&orderBy=name,starred", None, 500),
        ("fields=bogus", "fields", 400),
    ],
)
def test_order_of_checks(site: Site, query: str, location: str | None, status: int) -> None:
    """What is told first: pageSize, then orderBy, shared drives, q, token and fields (measured)."""
    answer = send(site, "GET", f"/drive/v3/files?{query}")
    assert (answer.status, answer.error[2]) == (status, location)


def test_missing_file_comes_before_a_bad_mask(site: Site) -> None:
    """A look-up of what is not there is 404, whatever `fields` says (measured)."""
    assert send(site, "GET", f"/drive/v3/files/{MISSING}?fields=bogus").error == (404, "notFound", "fileId")
    assert send(site, "GET", f"/drive/v3/files/{document(site)}?fields=bogus").error[2] == "fields"


def test_bad_mask_changes_nothing(site: Site) -> None:
    """A call that writes refuses a bad `fields` before it does anything (assumed)."""
    file_id = document(site)
    answer = send(site, "PATCH", f"/drive/v3/files/{file_id}?fields=bogus", b'{"name": "Changed"}')
    assert answer.error == (400, "invalidParameter", "fields")
    assert send(site, "GET", f"/drive/v3/files/{file_id}").json["name"] == "Refused"


@pytest.mark.parametrize(
    "query", ["acknowledgeAbuse=true", "acknowledgeAbuse=TRUE&fields=bogus", "acknowledgeAbuse=true&alt=json"]
)
def test_abuse_is_acknowledged_of_downloads_alone(site: Site, query: str) -> None:
    """acknowledgeAbuse without media is 403, before the file is looked up (measured)."""
    for file_id in (document(site), MISSING):
        error = send(site, "GET", f"/drive/v3/files/{file_id}?{query}").error
        assert error == (403, "invalidAbuseAcknowledgment", "acknowledgeAbuse")
    assert send(site, "GET", f"/drive/v3/files/{document(site)}?acknowledgeAbuse=t").status == 200


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("useDomainAdminAccess=true", ADMINISTRATORS_ONLY),
        ("useDomainAdminAccess=true&pageToken=", ADMINISTRATORS_ONLY),
        ("useDomainAdminAccess=true&q=name%20=%20'x'", ADMINISTRATORS_ONLY),
        ("useDomainAdminAccess=true&pageToken=bad", INVALID_TOKEN),
        ("useDomainAdminAccess=true&pageSize=0", OUT_OF_RANGE),
    ],
)
def test_no_account_administers_drives(site: Site, query: str, error: tuple[int, str, str | None]) -> None:
    """drives.list as an administrator is refused of who is none (measured)."""
    assert send(site, "GET", f"/drive/v3/drives?{query}").error == error


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_no_account_administers_a_drive(site: Site, method: str) -> None:
    """A drive as an administrator is refused too, and nothing happens to it (assumed)."""
    drive_id = (
        site.drive(site.alice)
        .drives()
        .create(requestId=f"administered {method}", body={"name": "Kept"})
        .execute()["id"]
    )
    path = f"/drive/v3/drives/{drive_id}?useDomainAdminAccess=true"
    body = b'{"name": "Renamed"}' if method == "PATCH" else None
    assert send(site, method, path, body).error == ADMINISTRATORS_ONLY
    assert send(site, "GET", f"/drive/v3/drives/{drive_id}").json["name"] == "Kept"


@pytest.mark.parametrize(
    ("method", "permission"),
    [("GET", ""), ("GET", "/anyone"), ("POST", ""), ("PATCH", "/{own}"), ("DELETE", "/{own}")],
)
def test_no_account_administers_permissions(site: Site, method: str, permission: str) -> None:
    """Permissions as an administrator are 404 of who is none (measured of permissions.list, assumed of the others)."""
    file_id = document(site)
    [own] = site.drive(site.alice).permissions().list(fileId=file_id).execute()["permissions"]
    path = f"/drive/v3/files/{file_id}/permissions{permission.replace('{own}', own['id'])}"
    body = b'{"type": "anyone", "role": "reader"}' if method in {"POST", "PATCH"} else None
    assert send(site, method, path + "?useDomainAdminAccess=true", body).error == (404, "notFound", "fileId")


def test_a_query_of_drives_is_read_before_any_drive_is(site: Site) -> None:
    """A bad one is refused of an account without drives too; `hidden` is compared in any case (assumed)."""
    assert send(site, "GET", "/drive/v3/drives?q=bad").error == (400, "invalid", "q")
    assert send(site, "GET", "/drive/v3/drives?q=hidden%20=%20FALSE").status == 200


def test_a_bad_token_of_changes_is_told_before_a_bad_mask(site: Site) -> None:
    """As in files.list (assumed)."""
    path = "/drive/v3/changes?pageToken=BAD&fields=bogus"
    assert send(site, "GET", path).error == INVALID_TOKEN


def test_calls_that_are_refused_end_no_listing(site: Site) -> None:
    """However many come between two pages of one that is sorted."""
    for number in range(3):
        document(site, f"Sorted {number}")
    path = "/drive/v3/files?orderBy=name&pageSize=1"
    token = send(site, "GET", path).json["nextPageToken"]
    for _ in range(70):
        assert send(site, "GET", "/drive/v3/files?orderBy=name&fields=bogus").status == 400
    assert send(site, "GET", f"{path}&pageToken={token}").status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/drive/v3/files", 403),
        ("GET", f"/drive/v3/files/{MISSING}", 403),
        ("HEAD", f"/drive/v3/files/{MISSING}", 403),
        ("GET", f"/drive/v3/files/{MISSING}?alt=media", 403),
        ("GET", f"/drive/v3/files/{MISSING}/export?mimeType=text/plain", 403),
        ("POST", f"/drive/v3/files/{MISSING}/copy", 401),
        ("POST", "/drive/v3/files", 401),
        ("GET", "/drive/v3/about?fields=user", 401),
        ("GET", "/drive/v3/changes?pageToken=1", 401),
        ("GET", "/drive/v3/drives", 401),
    ],
)
def test_no_credentials(site: Site, method: str, path: str, status: int) -> None:
    """Without Authorization files are read with 403, everything else is 401 (measured of files and of their copy)."""
    answer = send(site, method, path, token=None)
    assert answer.status == status
    if method == "HEAD":
        return
    error: dict[str, Any] = answer.json["error"]
    if "alt=media" in path or "/export" in path:
        assert (error["message"], "status" in error) == ("The request is missing a valid API key.", False)
    else:
        assert error["status"] == {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}[status]
    assert error["errors"][0]["reason"] == {401: "required", 403: "forbidden"}[status]


def test_bad_token_has_a_long_message(site: Site) -> None:
    """The short message stands in `errors` alone (measured)."""
    answer = send(site, "GET", "/drive/v3/files", token="nope")
    error = answer.json["error"]
    assert (answer.status, error["status"]) == (401, "UNAUTHENTICATED")
    assert error["message"].startswith("Request had invalid authentication credentials. Expected OAuth 2 access token")
    assert error["errors"][0] == {
        "message": "Invalid Credentials",
        "domain": "global",
        "reason": "authError",
        "location": "Authorization",
        "locationType": "header",
    }


@pytest.mark.parametrize(
    ("query", "field", "text"),
    [
        ("pageSize=NOPE", "page_size", "Invalid value at 'page_size' (TYPE_INT32), \"NOPE\""),
        ("pageSize=", "page_size", "Invalid value at 'page_size' (TYPE_INT32), \"\""),
        ("pageSize=2147483648", "page_size", "Invalid value at 'page_size' (TYPE_INT32), \"2147483648\""),
        ("supportsAllDrives=on", "supports_all_drives", "Invalid value at 'supports_all_drives' (TYPE_BOOL), \"on\""),
    ],
)
def test_values_of_a_wrong_type(site: Site, query: str, field: str, text: str) -> None:
    """They are `invalid` without a domain, and `details` name the field (measured)."""
    error = send(site, "GET", f"/drive/v3/files?{query}").json["error"]
    assert error == {
        "code": 400,
        "message": text,
        "errors": [{"message": text, "reason": "invalid"}],
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"field": field, "description": text}],
            }
        ],
    }


def test_several_values_of_a_wrong_type_are_told_at_once(site: Site) -> None:
    """One error names them all, before any range (measured)."""
    error = send(site, "GET", "/drive/v3/files?pageSize=x&supportsAllDrives=x&orderBy=bogus").json["error"]
    assert [each["field"] for each in error["details"][0]["fieldViolations"]] == ["page_size", "supports_all_drives"]
    assert error["message"].count("\n") == 1


def test_ranges_name_googles_own_field(site: Site) -> None:
    """A page size out of its range is refused in Google's words, line ends included (measured)."""
    assert message(site, "files?pageSize=0") == (
        "Invalid value '0'. Values must be within the range: [value: 1\n, value: 1000\n]"
    )
    assert "value: 100\n" in message(site, "drives?pageSize=101")


def permission_token(site: Site, file_id: str) -> str:
    """A token of the second page of a document's permissions."""
    drive = site.drive(site.alice)
    body = {"type": "user", "role": "reader", "emailAddress": site.bob}
    drive.permissions().create(fileId=file_id, body=body).execute()
    return str(drive.permissions().list(fileId=file_id, pageSize=1).execute()["nextPageToken"])


def test_page_tokens_of_permissions(site: Site) -> None:
    """Another list's token is expired, as is an empty one; both before the file is looked up (measured)."""
    file_id, other = document(site), document(site, "Other")
    token = permission_token(site, file_id)
    assert send(site, "GET", f"/drive/v3/files/{file_id}/permissions?pageSize=1&pageToken={token}").status == 200
    files_token = send(site, "GET", "/drive/v3/files?pageSize=1").json["nextPageToken"]
    for foreign in (files_token, ""):
        for each in (file_id, MISSING):
            path = f"/drive/v3/files/{each}/permissions?pageToken={foreign}"
            assert send(site, "GET", path).error == EXPIRED_TOKEN
    assert send(site, "GET", f"/drive/v3/files/{other}/permissions?pageToken={token}").error == EXPIRED_TOKEN
    assert send(site, "GET", f"/drive/v3/files/{MISSING}/permissions?pageToken=bad").error == INVALID_TOKEN


def test_altered_page_token_of_permissions(site: Site) -> None:
    """A token that was changed is 500, and `errors` hold nothing (measured; the message is assumed)."""
    file_id = document(site)
    token = permission_token(site, file_id)
    altered = token[:12] + ("B" if token[12] == "A" else "A") + token[13:]
    answer = send(site, "GET", f"/drive/v3/files/{file_id}/permissions?pageToken={altered}")
    assert (answer.status, answer.json["error"]["errors"]) == (500, [{}])


def test_other_lists_refuse_foreign_tokens(site: Site) -> None:
    """drives.list calls a token of files.list invalid (measured)."""
    for number in range(2):
        document(site, f"Listed {number}")
    token = send(site, "GET", "/drive/v3/files?pageSize=1").json["nextPageToken"]
    assert send(site, "GET", f"/drive/v3/drives?pageToken={token}").error == INVALID_TOKEN


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", "/drive/v3/files/{id}?alt=media"),
        ("GET", "/drive/v3/files/{id}/revisions/head?alt=media"),
        ("GET", "/download/drive/v3/files/{id}?alt=media"),
    ],
)
def test_no_part_of_a_batch_is_bytes(site: Site, method: str, path: str) -> None:
    """Whichever way it asks for them (measured of files.get, assumed of the others)."""
    target = path.replace("{id}", document(site))
    body = f"--b\r\nContent-Type: application/http\r\n\r\n{method} {target} HTTP/1.1\r\n\r\n--b--\r\n"
    answer = send(site, "POST", "/batch/drive/v3", body.encode(), type="multipart/mixed; boundary=b")
    assert b"HTTP/1.1 302 Found" in answer.body


@pytest.mark.parametrize("target", ["{id}?alt=media", "nope?alt=media", "{id}/export?mimeType=text/plain"])
def test_download_in_a_batch_is_redirected(site: Site, target: str) -> None:
    """A part that asks for bytes is 302 to where they are, whatever the file (measured)."""
    target = target.replace("{id}", document(site))
    body = f"--b\r\nContent-Type: application/http\r\n\r\nGET /drive/v3/files/{target} HTTP/1.1\r\n\r\n--b--\r\n"
    answer = send(site, "POST", "/batch/drive/v3", body.encode(), type="multipart/mixed; boundary=b")
    place = f"/download/drive/v3/files/{target}"
    assert answer.status == 200
    assert b"HTTP/1.1 302 Found" in answer.body
    assert f"Location: {site.simulator.origin}{place}\r\n".encode() in answer.body
    alone = send(site, "GET", f"/drive/v3/files/{target}")
    assert send(site, "GET", place).status == alone.status
