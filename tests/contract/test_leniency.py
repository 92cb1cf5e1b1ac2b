"""What live Drive serves although its reference does not say so. "Measured" is: by a third party on live Drive, in
autumn 2026."""

from typing import Any

import pytest

from support.google_client import Site
from support.plain_http import Answer, send

DOCUMENT = "application/vnd.google-apps.document"
FOLDER = "application/vnd.google-apps.folder"


def upload(site: Site, content: bytes, **more: str) -> str:
    """A file of Alice's with that content; returns its id."""
    query = "".join(f"&{name}={value}" for name, value in more.items())
    made = send(site, "POST", f"/upload/drive/v3/files?uploadType=media{query}", content, type="text/plain")
    return str(made.json["id"])


def shared_file(site: Site, content: bytes) -> str:
    """A file with that content in a new shared drive of Alice's."""
    drive = site.drive(site.alice)
    shared = drive.drives().create(requestId=f"lenient {content!r}", body={"name": "Lenient"}).execute()
    file_id = upload(site, content, supportsAllDrives="true")
    root = drive.files().get(fileId="root", fields="id").execute()["id"]
    drive.files().update(
        fileId=file_id, addParents=shared["id"], removeParents=root, supportsAllDrives=True, body={}
    ).execute()
    return file_id


def names(answer: Answer) -> list[str]:
    """The files' names in a list."""
    assert answer.status == 200, answer.body
    return [str(file["name"]) for file in answer.json["files"]]


def test_download_needs_no_support_of_shared_drives(site: Site) -> None:
    """alt=media is served without supportsAllDrives, metadata are not (inferred: rclone sends none)."""
    file_id = shared_file(site, b"bytes")
    assert send(site, "GET", f"/drive/v3/files/{file_id}?alt=media").body == b"bytes"
    assert send(site, "GET", f"/drive/v3/files/{file_id}").status == 404


@pytest.mark.parametrize("path", ["files", "drives", "files/{id}/comments?fields=*", "files/{id}/revisions"])
def test_empty_page_token_is_the_first_page(site: Site, path: str) -> None:
    """An empty pageToken is none (measured of files and drives; llama-index sends it; assumed of the others)."""
    path = "/drive/v3/" + path.replace("{id}", upload(site, b"x"))
    first = send(site, "GET", path)
    again = send(site, "GET", path + ("&" if "?" in path else "?") + "pageToken=")
    assert (again.status, again.json) == (200, first.json)


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_chunks_of_a_resumable_upload(site: Site, method: str) -> None:
    """Chunks come by PUT or by POST (rclone, backend/drive/upload.go; google-api-go-client, gensupport)."""
    opened = send(site, "POST", "/upload/drive/v3/files?uploadType=resumable", b'{"name": "Chunks"}')
    path = opened.headers["Location"].removeprefix(site.simulator.origin)
    first = send(site, method, path, b"abc", **{"Content-Range": "bytes 0-2/5"})
    assert (first.status, first.headers["Range"]) == (308, "bytes=0-2")
    last = send(site, method, path, b"de", **{"Content-Range": "bytes 3-4/5"})
    assert last.json["name"] == "Chunks"
    assert send(site, "GET", f"/drive/v3/files/{last.json['id']}?alt=media").body == b"abcde"


def test_new_content_comes_in_chunks_by_post(site: Site) -> None:
    """An update's session takes posted chunks too; a POST that opens no session has no method (assumed)."""
    file_id = upload(site, b"old")
    opened = send(site, "PATCH", f"/upload/drive/v3/files/{file_id}?uploadType=resumable", b"{}")
    path = opened.headers["Location"].removeprefix(site.simulator.origin)
    assert send(site, "POST", path, b"new", **{"Content-Range": "bytes 0-2/3"}).json["id"] == file_id
    assert send(site, "GET", f"/drive/v3/files/{file_id}?alt=media").body == b"new"
    assert send(site, "POST", f"/upload/drive/v3/files/{file_id}?uploadType=media", b"x").status == 404


def test_go_asks_for_another_status_than_308(site: Site) -> None:
    """With X-GUploader-No-308 an unfinished chunk is 200, the status in a header (source of Go's client)."""
    opened = send(site, "POST", "/upload/drive/v3/files?uploadType=resumable", b"{}")
    path = opened.headers["Location"].removeprefix(site.simulator.origin)
    headers = {"Content-Range": "bytes 0-2/5", "X-GUploader-No-308": "yes"}
    answer = send(site, "POST", path, b"abc", **headers)
    assert (answer.status, answer.headers["X-HTTP-Status-Code-Override"]) == (200, "308")


def test_parameters_of_version_2_are_overlooked(site: Site) -> None:
    """setModifiedDate=true changes nothing (measured; rclone sends it)."""
    file_id = upload(site, b"x")
    answer = send(site, "PATCH", f"/drive/v3/files/{file_id}?setModifiedDate=true", b'{"name": "Named"}')
    assert (answer.status, answer.json["name"]) == (200, "Named")


@pytest.mark.parametrize("path", ["about?fields=user&supportsAllDrives=NOPE", "about?fields=user&pageSize=x"])
def test_parameters_of_other_methods_are_overlooked(site: Site, path: str) -> None:
    """A method does not look at a parameter that it has not (measured of supportsAllDrives, assumed of the others)."""
    assert send(site, "GET", f"/drive/v3/{path}").status == 200
    assert send(site, "GET", "/drive/v3/about?fields=user&nonsense=1").error == (400, "invalidParameter", "nonsense")


def test_empty_mask_selects_nothing(site: Site) -> None:
    """An empty `fields` answers {} (measured of files.list and files.get)."""
    for path in ("files", f"files/{upload(site, b'x')}"):
        assert send(site, "GET", f"/drive/v3/{path}?fields=").json == {}
    assert send(site, "GET", "/drive/v3/about?fields=").error == (400, "required", "fields")


@pytest.mark.parametrize(("fields", "key"), [("owners(bogus)", None), ("files(owners(bogus))", "files")])
def test_unknown_fields_inside_a_field_select_nothing(site: Site, fields: str, key: str | None) -> None:
    """Below a file's own fields unknown names are accepted (measured)."""
    file_id = upload(site, b"x")
    answer = send(site, "GET", f"/drive/v3/files{'' if key else '/' + file_id}?fields={fields}")
    assert answer.status == 200
    shown: Any = answer.json[key][0] if key else answer.json
    assert shown == {"owners": [{}]}


@pytest.mark.parametrize("fields", ["bogus", "files(bogus)", "files/bogus(x)"])
def test_unknown_fields_of_a_file_are_refused(site: Site, fields: str) -> None:
    """A list's and a file's own fields have to be known (measured)."""
    answer = send(site, "GET", f"/drive/v3/files?fields={fields}")
    assert answer.error == (400, "invalidParameter", "fields")


@pytest.mark.parametrize(
    ("q", "kept", "trashed"),
    [("trashed", 0, 1), ("not%20(trashed)", 1, 0), ("()", 1, 1), ("trashed%20and%20()", 0, 1)],
)
def test_short_forms_of_queries(site: Site, q: str, kept: int, trashed: int) -> None:
    """A boolean term stands alone, also in parentheses; empty parentheses are accepted (measured; that they match
    everything is assumed)."""
    drive = site.drive(site.alice)
    folder = drive.files().create(body={"name": "Short forms", "mimeType": FOLDER}).execute()["id"]
    for name in ("kept", "gone"):
        drive.files().create(body={"name": name, "mimeType": DOCUMENT, "parents": [folder]}).execute()
    gone = send(site, "GET", f"/drive/v3/files?q=name%20%3D%20'gone'%20and%20'{folder}'%20in%20parents")
    drive.files().update(fileId=gone.json["files"][0]["id"], body={"trashed": True}).execute()
    found = names(send(site, "GET", f"/drive/v3/files?q=({q})%20and%20'{folder}'%20in%20parents"))
    assert (found.count("kept"), found.count("gone")) == (kept, trashed)


@pytest.mark.parametrize("order", ["name,", "name%20asc"])
def test_orders_end_with_a_comma(site: Site, order: str) -> None:
    """A comma behind the last key and the word `asc` are accepted (measured)."""
    found = names(send(site, "GET", f"/drive/v3/files?orderBy={order}"))
    assert found == sorted(found, key=str.casefold)


@pytest.mark.parametrize("value", ["true", "t", "Y", "yes", "1", "tRuE", "f", "no", "0"])
def test_spellings_of_booleans(site: Site, value: str) -> None:
    """Booleans are spelled as protocol buffers' JSON takes them, in any case (measured)."""
    assert send(site, "GET", f"/drive/v3/files?supportsAllDrives={value}").status == 200


@pytest.mark.parametrize("value", ["%2B2", "02", "2"])
def test_spellings_of_integers(site: Site, value: str) -> None:
    """Integers may have a sign and leading zeros (measured)."""
    assert send(site, "GET", f"/drive/v3/files?pageSize={value}").status == 200


def test_drives_are_found_by_whether_they_are_hidden(site: Site) -> None:
    """drives.list takes q=hidden=false (measured)."""
    drive = site.drive(site.alice)
    made = drive.drives().create(requestId="hidden", body={"name": "Hidden"}).execute()["id"]
    drive.drives().hide(driveId=made).execute()
    found = {}
    for value in ("true", "false"):
        answer = send(site, "GET", f"/drive/v3/drives?q=hidden={value}&pageSize=100")
        found[value] = [each["id"] for each in answer.json["drives"]]
    assert made in found["true"]
    assert made not in found["false"]
    assert send(site, "GET", "/drive/v3/drives?q=hidden").error == (400, "invalid", "q")


@pytest.mark.parametrize("size", [5, 3 << 20])
def test_head_is_a_get_without_its_body(site: Site, size: int) -> None:
    """HEAD answers with the headers of the GET (measured)."""
    file_id = upload(site, b"x" * size)
    for path in (f"files/{file_id}", f"files/{file_id}?alt=media", "files", "files/nope"):
        asked, got = (send(site, method, f"/drive/v3/{path}") for method in ("HEAD", "GET"))
        assert (asked.status, asked.headers["Content-Length"]) == (got.status, str(len(got.body)))
        assert asked.body == b""


@pytest.mark.parametrize("mime_type", ["text/plain", "TEXT/Plain"])
def test_export_formats_have_no_case(site: Site, mime_type: str) -> None:
    """files.export takes the format in any case, and answers under it as it was asked for (measured)."""
    file_id = site.drive(site.alice).files().create(body={"name": "Doc", "mimeType": DOCUMENT}).execute()["id"]
    answer = send(site, "GET", f"/drive/v3/files/{file_id}/export?mimeType={mime_type}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, mime_type)
