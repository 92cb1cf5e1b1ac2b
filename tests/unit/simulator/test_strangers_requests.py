"""What clients that we did not write send, and Google serves: found by `tests/strangers`, kept here without them."""

from collections.abc import Iterator

import orjson
import pytest

from drive_simulator.api.wire import Request, Response
from drive_simulator.model.content import read
from drive_simulator.model.item_changes import create
from drive_simulator.model.world import World
from drive_simulator.server.server import Simulator
from support.direct import Direct
from support.observer import DiscoveryObserver
from support.simulators import unserved

ALICE = "alice@example.com"


class Stranger:
    """Calls of a client that does not keep to Google's document."""

    def __init__(self, simulator: Simulator) -> None:
        self.world = simulator.world
        self.direct = Direct(simulator, ALICE)
        self._simulator = simulator

    def send(self, http_method: str, path: str, query: dict[str, str], body: bytes = b"", **headers: str) -> Response:
        """One request; underscores in headers stand for hyphens."""
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(http_method, path, tuple(query.items()), {**self.direct.headers, **own}, body)
        return self._simulator.handle(request)

    def open_upload(self, http_method: str = "POST", path: str = "files") -> dict[str, str]:
        """Begin a resumable upload; returns the query of its chunks."""
        query = {"uploadType": "resumable", "fields": "id,size"}
        opened = self.send(http_method, "/upload/drive/v3/" + path, query, b'{"name": "a file"}')
        assert opened.status == 200
        return {**query, "upload_id": opened.headers["X-GUploader-UploadID"]}


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """A client at a simulator that listens nowhere."""
    world = World(seed=1)
    world.add_user(ALICE)
    with unserved(world) as simulator:
        (observer,) = simulator.observers
        assert isinstance(observer, DiscoveryObserver)
        with observer.refusing():
            yield Stranger(simulator)


def test_chunks_of_a_new_file_come_by_post(stranger: Stranger) -> None:
    """rclone and Go's client send chunks so (rclone, backend/drive/upload.go; google-api-go-client, gensupport)."""
    chunk = stranger.open_upload()
    first = stranger.send("POST", "/upload/drive/v3/files", chunk, b"abc", Content_Range="bytes 0-2/5")
    assert (first.status, first.headers["Range"]) == (308, "bytes=0-2")
    last = stranger.send("POST", "/upload/drive/v3/files", chunk, b"de", Content_Range="bytes 3-4/5")
    assert last.status == 200
    assert read(stranger.world.items[orjson.loads(last.body)["id"]]) == b"abcde"


def test_chunks_of_new_content_come_by_post(stranger: Stranger) -> None:
    """The address of a file's upload, begun by PATCH, takes POST too (rclone, backend/drive/upload.go)."""
    item = create(stranger.world, stranger.world.user(ALICE), "a file", "text/plain", content=b"old")
    chunk = stranger.open_upload("PATCH", f"files/{item.id}")
    done = stranger.send("POST", f"/upload/drive/v3/files/{item.id}", chunk, b"new", Content_Range="bytes 0-2/3")
    assert done.status == 200
    assert read(item) == b"new"


def test_a_post_to_a_file_begins_no_upload(stranger: Stranger) -> None:
    """Without the id of a session there is no such method (Drive reference: files.update is PATCH)."""
    item = create(stranger.world, stranger.world.user(ALICE), "a file", "text/plain", content=b"old")
    answer = stranger.send("POST", f"/upload/drive/v3/files/{item.id}", {"uploadType": "media"}, b"new")
    assert answer.status == 404
    assert read(item) == b"old"


def test_an_unfinished_upload_need_be_no_308(stranger: Stranger) -> None:
    """With X-GUploader-No-308 it is 200 with a header (google-api-go-client, internal/gensupport/resumable.go)."""
    chunk = stranger.open_upload()
    asked = {"Content_Range": "bytes 0-2/*", "X_GUploader_No_308": "yes"}
    first = stranger.send("POST", "/upload/drive/v3/files", chunk, b"abc", **asked)
    assert (first.status, first.body) == (200, b"")
    assert first.headers["X-HTTP-Status-Code-Override"] == "308"
    assert first.headers["Range"] == "bytes=0-2"


def test_bytes_need_no_supports_all_drives(stranger: Stranger) -> None:
    """alt=media of a shared drive's file is served without supportsAllDrives (inferred: rclone sends none)."""
    alice = stranger.world.user(ALICE)
    drive = stranger.world.add_drive("Team", alice)
    item = create(stranger.world, alice, "a file", "text/plain", drive.root, content=b"bytes")
    answer = stranger.send("GET", f"/drive/v3/files/{item.id}", {"alt": "media"})
    assert (answer.status, answer.body) == (200, b"bytes")
    assert stranger.send("GET", f"/drive/v3/files/{item.id}", {}).status == 404


def test_an_empty_page_token_is_the_first_page(stranger: Stranger) -> None:
    """files.list with `pageToken=` begins (measured; llama-index's reader sends it)."""
    create(stranger.world, stranger.world.user(ALICE), "a file", "text/plain", content=b"x")
    first = stranger.direct.ok("GET", "files", pageSize=1)
    assert stranger.direct.ok("GET", "files", pageSize=1, pageToken="") == first


def test_set_modified_date_is_ignored(stranger: Stranger) -> None:
    """A parameter of version 2 that rclone sends with each replaced file (rclone, backend/drive/upload.go)."""
    item = create(stranger.world, stranger.world.user(ALICE), "a file", "text/plain", content=b"x")
    query = {"uploadType": "resumable", "setModifiedDate": "true"}
    assert stranger.send("PATCH", f"/upload/drive/v3/files/{item.id}", query, b"{}").status == 200
