"""Google's clients of other languages against the simulator: Go's `drive/v3` and Node.js's `@googleapis/drive`.

Each is a small program that does what its users write: verb in, JSON out (`go/main.go`, `node/drive.mjs`).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from drive_simulator.model import content, item_changes
from drive_simulator.model.world import World
from drive_simulator.truth.contents import visible_contents
from drive_simulator.truth.reach import visible
from support.abroad import Abroad
from support.google_client import CLIENT_ID, CLIENT_SECRET
from support.strangers import GO_CLIENT, NODE_FOLDER, NODE_PROGRAM, ClientFailed, run_client

CHUNK_BYTES = 256 * 1024
DOCUMENT = "application/vnd.google-apps.document"


class Client:
    """One of the programs, opened for the account."""

    def __init__(self, kind: str, abroad: Abroad, folder: Path) -> None:
        simulator = abroad.site.simulator
        if kind == "go":
            self._command: tuple[str | Path, ...] = (GO_CLIENT,)
            self._folder = folder
            self._environment = {
                "DRIVE_ENDPOINT": simulator.base_url + "/",
                "DRIVE_TOKEN": simulator.access_token(abroad.user.email),
            }
        else:
            simulator.tokens.add_client(CLIENT_ID, CLIENT_SECRET)
            self._command = ("node", NODE_PROGRAM)
            self._folder = NODE_FOLDER
            self._environment = {
                "DRIVE_ROOT": simulator.origin + "/",
                "DRIVE_CLIENT_ID": CLIENT_ID,
                "DRIVE_CLIENT_SECRET": CLIENT_SECRET,
                "DRIVE_REFRESH_TOKEN": simulator.tokens.grant(abroad.user.email, CLIENT_ID),
            }

    def raw(self, *words: str, payload: bytes = b"") -> bytes:
        """What a verb prints."""
        return run_client((*self._command, *words), self._folder, self._environment, payload)

    def ask(self, *words: str, payload: bytes = b"") -> Any:
        """What a verb prints, as JSON."""
        return json.loads(self.raw(*words, payload=payload))


KINDS = [pytest.param(kind, marks=pytest.mark.stranger(kind)) for kind in ("go", "node")]


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, abroad: Abroad, tmp_path: Path) -> Client:
    """Each of the clients in turn."""
    return Client(request.param, abroad, tmp_path)


def test_it_lists_all_that_the_account_sees(abroad: Abroad, client: Client) -> None:
    """The account's listing and that of a shared drive, page by page, each item once."""
    seen = {item.id: item for item in visible(abroad.world, abroad.user)}
    mine = [file["id"] for file in client.ask("list")]
    assert len(mine) == len(set(mine))
    own = {each for each, item in seen.items() if item.drive is None}
    assert own <= set(mine) <= set(seen) | {abroad.user.root.id}
    theirs = [file["id"] for file in client.ask("list", abroad.drive.id)]
    assert sorted(theirs) == sorted(each for each, item in seen.items() if item.drive is abroad.drive)


@pytest.mark.parametrize("in_drive", [False, True])
def test_it_downloads_the_bytes(abroad: Abroad, client: Client, in_drive: bool) -> None:
    """The bytes of the largest file of My Drive and of a shared drive."""
    files = [item for item in visible(abroad.world, abroad.user) if not item.is_workspace]
    largest = max((item for item in files if (item.drive is not None) is in_drive), key=lambda item: item.size)
    assert client.raw("download", largest.id) == content.read(largest)


def test_it_exports_a_document(abroad: Abroad, client: Client) -> None:
    """A document as PDF, as large as the truth says."""
    document = next(item for item in visible(abroad.world, abroad.user) if item.mime_type == DOCUMENT)
    expected = visible_contents(abroad.world, abroad.user, {DOCUMENT: "application/pdf"})[document.id]
    exported = client.raw("export", document.id, "application/pdf")
    assert exported.startswith(b"%PDF")
    assert len(exported) == expected.size


@pytest.mark.parametrize("size", [0, 5, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 17])
def test_uploads_arrive_whole(abroad: Abroad, client: Client, size: int) -> None:
    """A new file and its new content, by Go's client in chunks: it asks that an unfinished upload be no 308."""

    def held(file_id: str) -> bytes:
        return abroad.site.simulator.apply(lambda world: content.read(world.items[file_id]))

    payload = bytes(each % 251 for each in range(size))
    made = client.ask("upload", "new.bin", str(CHUNK_BYTES), payload=payload)
    assert made["name"] == "new.bin"
    assert int(made.get("size", 0)) == size  # Go's client leaves a zero out
    assert held(made["id"]) == payload
    client.ask("replace", made["id"], str(CHUNK_BYTES), payload=payload[::-1] + b"more")
    assert held(made["id"]) == payload[::-1] + b"more"


def test_it_reads_the_change_log(abroad: Abroad, client: Client) -> None:
    """Every file that was made or deleted since a token, over several pages, and a token for the next time."""
    token = client.ask("start-token")

    def edit(world: World) -> tuple[set[str], str]:
        user = world.user(abroad.user.email)
        made = [item_changes.create(world, user, f"file {n}", "text/plain", content=b"x") for n in range(5)]
        item_changes.delete(world, made[0])
        return {item.id for item in made[1:]}, made[0].id

    made, gone = abroad.site.simulator.apply(edit)
    told = client.ask("changes", token)
    assert {each for each, removed in told["removed"].items() if not removed} == made
    assert told["removed"].get(gone, True) is True
    assert client.ask("changes", told["next"])["removed"] == {}


def test_it_renames_and_deletes(abroad: Abroad, client: Client) -> None:
    """A file is renamed, then deleted; then it is 404 `notFound` to the client."""
    made = client.ask("upload", "a name", str(CHUNK_BYTES), payload=b"x")
    assert client.ask("rename", made["id"], "another name")["name"] == "another name"
    client.raw("delete", made["id"])
    with pytest.raises(ClientFailed, match="404 notFound"):
        client.raw("download", made["id"])
