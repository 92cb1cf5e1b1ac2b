"""HTTP itself: compression, encodings, what is not there."""

import gzip
import http.client
from contextlib import closing
from urllib.parse import urlsplit

import orjson
import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload

from support.google_client import Site, reasons


def fetch(site: Site, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """A plain GET by alice, with headers of the test's own; underscores stand for hyphens."""
    with closing(http.client.HTTPConnection(urlsplit(site.simulator.origin).netloc)) as connection:
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        token = site.simulator.access_token(site.alice)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}", **own})
        answer = connection.getresponse()
        return answer, answer.read()


@pytest.mark.parametrize(
    ("accept", "agent", "compressed"),
    [("gzip", "a (gzip)", True), ("gzip", "a", False), ("identity", "a (gzip)", False)],
)
def test_gzip_needs_header_and_user_agent(site: Site, accept: str, agent: str, compressed: bool) -> None:
    """Google compresses only for those who accept it and whose User-Agent says gzip."""
    answer, body = fetch(site, "/drive/v3/files?fields=kind", Accept_Encoding=accept, User_Agent=agent)
    assert (answer.headers.get("Content-Encoding") == "gzip") is compressed
    assert orjson.loads(gzip.decompress(body) if compressed else body) == {"kind": "drive#fileList"}


def test_wrong_tokens_are_401_with_a_challenge(site: Site) -> None:
    """A token that is none is 401 `authError`, with WWW-Authenticate."""
    answer, body = fetch(site, "/drive/v3/files", Authorization="Bearer wrong")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert orjson.loads(body)["error"]["errors"][0]["reason"] == "authError"


@pytest.mark.parametrize(
    "content", [b"", b"\r\n", b"a\r\n", b"\n\n", b"\r", b"--boundary--\r\n", b"\x00\xff\x85\xe2\x80\xa8", b"x\n--"]
)
def test_any_bytes_survive_a_multipart_upload(site: Site, content: bytes) -> None:
    """Line ends, separators and zeros in a file are not touched."""
    drive = site.drive(site.alice)
    media = MediaInMemoryUpload(content, "application/octet-stream")
    made = drive.files().create(body={"name": "Ünïcode ☃"}, media_body=media, fields="id,name,size").execute()
    assert made["name"] == "Ünïcode ☃"
    assert made["size"] == str(len(content))
    assert drive.files().get_media(fileId=made["id"]).execute() == content


def test_ids_from_nowhere_are_not_found(site: Site) -> None:
    """Strange ids in a path are 404 like any other."""
    drive = site.drive(site.alice)
    for file_id in ("missing", "ünïcode", "a/b", "..", "%2F", "x" * 500):
        with pytest.raises(HttpError) as caught:
            drive.files().get(fileId=file_id).execute()
        assert (caught.value.status_code, reasons(caught.value)) == (404, ["notFound"]), file_id


def test_bad_json_is_refused(site: Site) -> None:
    """A body that is no JSON object is 400 `parseError`."""
    with closing(http.client.HTTPConnection(urlsplit(site.simulator.origin).netloc)) as connection:
        headers = {
            "Authorization": f"Bearer {site.simulator.access_token(site.alice)}",
            "Content-Type": "application/json",
        }
        with site.observer.refusing():
            connection.request("POST", "/drive/v3/files", b"{nonsense", headers)
            answer = connection.getresponse()
            assert answer.status == 400
            assert orjson.loads(answer.read())["error"]["errors"][0]["reason"] == "parseError"


@pytest.mark.parametrize(
    "body", [{"name": 1}, {"parents": "x"}, {"parents": [1]}, {"modifiedTime": "now"}, {"trashed": "x"}]
)
def test_wrong_types_in_a_body_are_refused(site: Site, body: dict[str, object]) -> None:
    """A wrong type in the metadata is 400, never an error of the server."""
    with site.observer.refusing(), pytest.raises(HttpError) as caught:
        site.drive(site.alice).files().create(body=body).execute()
    assert caught.value.status_code in {400, 404}
