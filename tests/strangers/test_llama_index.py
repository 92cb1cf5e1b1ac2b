"""llama-index's reader of Google Drive against the simulator: a consumer of Drives as text, with its empty page token.

It builds Google's Python client by itself, so it goes through `support.google_front`, with a Python of its own.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from drive_simulator.auth.oauth import DRIVE_READONLY
from drive_simulator.model.item_changes import create
from drive_simulator.model.items import FOLDER, Item
from drive_simulator.model.world import World
from drive_simulator.truth.contents import visible_contents
from support.abroad import Abroad
from support.google_client import CLIENT_ID, CLIENT_SECRET
from support.strangers import LLAMA_INDEX_PROGRAM, LLAMA_INDEX_PYTHON, run_client

pytestmark = pytest.mark.stranger("llama-index")

PAGE = 100
_OFFICE = "application/vnd.openxmlformats-officedocument."
EXPORTS = {
    "application/vnd.google-apps.document": _OFFICE + "wordprocessingml.document",
    "application/vnd.google-apps.spreadsheet": _OFFICE + "spreadsheetml.sheet",
    "application/vnd.google-apps.presentation": _OFFICE + "presentationml.presentation",
}


class Reader:
    """The reader as a program, opened for the account by a refresh token."""

    def __init__(self, abroad: Abroad, folder: Path) -> None:
        self._abroad = abroad
        self._folder = folder
        tokens = abroad.site.simulator.tokens
        tokens.add_client(CLIENT_ID, CLIENT_SECRET)
        self._account = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": tokens.grant(abroad.user.email, CLIENT_ID, (DRIVE_READONLY,)),
            "token": "long-expired",
            "expiry": "2020-01-01T00:00:00Z",
        }

    def ask(self, verb: str, **arguments: str) -> Any:
        """What the program prints."""
        asked = {"verb": verb, "reader": {"authorized_user_info": self._account}, "arguments": arguments}
        command = (LLAMA_INDEX_PYTHON, LLAMA_INDEX_PROGRAM)
        return json.loads(
            run_client(command, self._folder, self._abroad.front.environment(), json.dumps(asked).encode())
        )


@pytest.fixture
def reader(abroad: Abroad, tmp_path: Path) -> Reader:
    """The reader, opened for the account."""
    return Reader(abroad, tmp_path)


@pytest.mark.parametrize("in_drive", [False, True])
def test_it_loads_the_texts_of_a_folder(abroad: Abroad, reader: Reader, in_drive: bool) -> None:
    """Files and those of folders below, with their paths, of My Drive and of a shared drive."""

    def fill(world: World) -> Item:
        user = world.user(abroad.user.email)
        top = create(world, user, "Notes", FOLDER, world.drives[abroad.drive.id].root if in_drive else None)
        inner = create(world, user, "Older", FOLDER, top)
        create(world, user, "today.txt", "text/plain", top, content=b"of today")
        create(world, user, "before.md", "text/markdown", inner, content=b"of before")
        return top

    folder = abroad.site.simulator.apply(fill)
    place = {"drive_id": abroad.drive.id} if in_drive else {}
    texts = reader.ask("load", folder_id=folder.id, **place)
    assert {path: text.strip() for path, text in texts.items()} == {
        "Notes/today.txt": "of today",
        "Notes/Older/before.md": "of before",
    }


def test_it_lists_more_than_a_page(abroad: Abroad, reader: Reader) -> None:
    """A folder of several pages, of which the first is asked for with an empty token."""

    def fill(world: World) -> tuple[str, list[str]]:
        user = world.user(abroad.user.email)
        folder = create(world, user, "Many", FOLDER)
        made = [create(world, user, f"{n}.txt", "text/plain", folder, content=b"") for n in range(2 * PAGE + 1)]
        return folder.id, [item.id for item in made]

    folder_id, made = abroad.site.simulator.apply(fill)
    assert sorted(reader.ask("list", folder_id=folder_id)) == sorted(made)


def test_it_reads_the_bytes_and_the_exports(abroad: Abroad, reader: Reader) -> None:
    """Bytes of blobs, and documents as Office files, are those that the truth has."""

    def fill(world: World) -> tuple[str, dict[str, str | None]]:
        user = world.user(abroad.user.email)
        folder = create(world, user, "Mixed", FOLDER)
        for name, payload in {"empty.bin": b"", "some.bin": bytes(range(256)) * 999}.items():
            create(world, user, name, "application/octet-stream", folder, content=payload)
        for mime_type in EXPORTS:
            create(world, user, mime_type.rpartition(".")[2], mime_type, folder)
        expected = visible_contents(world, user, EXPORTS)
        return folder.id, {child.id: expected[child.id].sha256 for child in folder.children or ()}

    folder_id, expected = abroad.site.simulator.apply(fill)
    assert len(expected) == 2 + len(EXPORTS)
    assert reader.ask("contents", folder_id=folder_id) == expected
