"""rclone against the simulator: a program that lists, copies and changes Drives, run as a person runs it.

It knows no other address of Drive than Google's own, so it goes through `support.google_front`. What it prints and
leaves on disk is compared with the model's own bytes, not with what the API says of them.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from drive_simulator.model import content
from drive_simulator.model.item_changes import create, create_shortcut
from drive_simulator.model.items import FOLDER, Item
from drive_simulator.model.sharing import share
from drive_simulator.model.world import World
from support.abroad import Abroad
from support.google_client import CLIENT_ID, CLIENT_SECRET
from support.strangers import RCLONE, run_client

pytestmark = pytest.mark.stranger("rclone")

CHUNK_BYTES = 256 * 1024
DOCUMENT = "application/vnd.google-apps.document"
_EXPORTED = {"document": ".docx", "spreadsheet": ".xlsx", "presentation": ".pptx", "drawing": ".svg"}


class Rclone:
    """rclone with two remotes: `drive:` is My Drive of the account, `team:` the shared drive."""

    def __init__(self, abroad: Abroad, folder: Path) -> None:
        self._abroad = abroad
        self._folder = folder
        tokens = abroad.site.simulator.tokens
        tokens.add_client(CLIENT_ID, CLIENT_SECRET)
        token = {
            "access_token": "long-expired",
            "token_type": "Bearer",
            "refresh_token": tokens.grant(abroad.user.email, CLIENT_ID),
            "expiry": "2020-01-01T00:00:00Z",
        }
        settings = (
            f"type = drive\nscope = drive\nclient_id = {CLIENT_ID}\nclient_secret = {CLIENT_SECRET}\n"
            f"token = {json.dumps(token)}\nskip_shortcuts = true\n"
        )
        remotes = f"[drive]\n{settings}\n[team]\n{settings}team_drive = {abroad.drive.id}\n"
        (folder / "rclone.conf").write_text(remotes)

    def run(self, *arguments: str | Path) -> bytes:
        """What one command prints, which must succeed."""
        front = self._abroad.front
        always = ("--config", self._folder / "rclone.conf", "--ca-cert", front.certificates)
        once = ("--retries", "1", "--low-level-retries", "2")
        return run_client([RCLONE, *arguments, *always, *once], self._folder, {"HTTPS_PROXY": front.url})

    def listing(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """`lsjson -R --hash`, by path."""
        entries = json.loads(self.run("lsjson", "-R", "--hash", *arguments))
        found = {entry["Path"]: entry for entry in entries}
        assert len(found) == len(entries), "a path came twice"
        return found


@pytest.fixture
def rclone(abroad: Abroad, tmp_path: Path) -> Rclone:
    """rclone, configured for the account."""
    return Rclone(abroad, tmp_path)


def below(folder: Item) -> dict[str, Item]:
    """What is below a folder and not in the trash, by the path that rclone shows: exports with their extension.

    rclone takes what has no MD5 checksum for a document, and leaves it out where it knows no export of it.
    """
    found: dict[str, Item] = {}
    for child in folder.children or ():
        kind = child.mime_type.removeprefix("application/vnd.google-apps.")
        if child.trashed or (child.is_workspace and not child.is_folder and kind not in _EXPORTED):
            continue
        if child.rare("no_checksums"):
            continue
        name = child.name.replace("/", "\uff0f") + _EXPORTED.get(kind, "")
        found[name] = child
        if child.is_folder:
            found |= {f"{name}/{path}": item for path, item in below(child).items()}
    return found


def digest(item: Item) -> str:
    """The SHA-256 of a blob's bytes, from the model."""
    return hashlib.sha256(content.read(item)).hexdigest()


def on_disk(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def place(world: World, abroad: Abroad, remote: str) -> Item:
    """The top folder of a remote."""
    return abroad.user.root if remote == "drive:" else world.drives[abroad.drive.id].root


@pytest.mark.parametrize("remote", ["drive:", "team:"])
def test_lsjson_lists_the_whole_drive(abroad: Abroad, rclone: Rclone, remote: str) -> None:
    """Every path with its kind, size and hashes, of My Drive and of a shared drive."""
    listed = rclone.listing(remote)
    expected = below(place(abroad.world, abroad, remote))
    assert set(listed) == set(expected)
    assert len(expected) > 20
    for path, item in expected.items():
        entry = listed[path]
        assert entry["IsDir"] is (item.mime_type == FOLDER)
        if not item.is_workspace:
            bytes_of = content.read(item)
            assert entry["Size"] == len(bytes_of)
            assert entry["Hashes"]["sha256"] == hashlib.sha256(bytes_of).hexdigest()
            assert entry["Hashes"]["md5"] == hashlib.md5(bytes_of, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("remote", ["drive:", "team:"])
def test_copy_brings_every_byte_and_check_agrees(abroad: Abroad, rclone: Rclone, tmp_path: Path, remote: str) -> None:
    """`copy` and `check --download`, though rclone asks for bytes without supportsAllDrives."""
    rclone.run("copy", remote, tmp_path / "copy")
    rclone.run("check", "--download", remote, tmp_path / "copy")
    expected = {path: item for path, item in below(place(abroad.world, abroad, remote)).items() if not item.is_folder}
    brought = on_disk(tmp_path / "copy")
    assert set(brought) == set(expected)
    for path, item in expected.items():
        if not item.is_workspace:
            assert hashlib.sha256(brought[path]).hexdigest() == digest(item)


@pytest.mark.parametrize(
    ("extension", "magic"), [("pdf", b"%PDF"), ("odt", b"PK"), ("txt", b""), ("html", b"<"), ("docx", b"PK")]
)
def test_documents_are_exported_as_asked(
    abroad: Abroad, rclone: Rclone, tmp_path: Path, extension: str, magic: bytes
) -> None:
    """`copy --drive-export-formats`: each document comes as a file of that format."""
    documents = [path for path, item in below(abroad.user.root).items() if item.mime_type == DOCUMENT]
    assert documents
    wanted = ("--drive-export-formats", extension, "--include", f"*.{extension}")
    rclone.run("copy", "drive:", tmp_path / "copy", *wanted)
    brought = on_disk(tmp_path / "copy")
    names = {path.removesuffix(".docx") + f".{extension}" for path in documents}
    assert names <= set(brought)
    assert all(brought[name].startswith(magic) and brought[name] for name in names)


@pytest.mark.parametrize("remote", ["drive:", "team:"])
@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 17])
def test_uploads_arrive_whole(abroad: Abroad, rclone: Rclone, tmp_path: Path, remote: str, size: int) -> None:
    """`copyto` of a local file, in chunks by POST where it is large, and once more over what is there."""
    flags = ("--drive-upload-cutoff", "1B", "--drive-chunk-size", f"{CHUNK_BYTES}B", "--ignore-times")
    for round_ in range(2):
        payload = bytes((each + round_) % 251 for each in range(size))
        (tmp_path / "file.bin").write_bytes(payload)
        rclone.run("copyto", tmp_path / "file.bin", f"{remote}new/deep/file.bin", *flags)
        found = abroad.site.simulator.apply(lambda world: below(place(world, abroad, remote)))
        assert content.read(found["new/deep/file.bin"]) == payload
    assert sum(path.startswith("new/") for path in found) == 2


@pytest.mark.parametrize("remote", ["drive:", "team:"])
def test_moveto_copyto_and_purge(abroad: Abroad, rclone: Rclone, tmp_path: Path, remote: str) -> None:
    """A file is moved with its id, copied on Google's side, and the folder ends in the trash."""
    (tmp_path / "file.txt").write_bytes(b"one")
    rclone.run("copyto", tmp_path / "file.txt", f"{remote}from/file.txt")
    first = abroad.site.simulator.apply(lambda world: below(place(world, abroad, remote))["from/file.txt"].id)
    rclone.run("moveto", f"{remote}from/file.txt", f"{remote}to/renamed.txt")
    rclone.run("copyto", f"{remote}to/renamed.txt", f"{remote}to/twin.txt")

    def kept(world: World) -> dict[str, Item]:
        paths = below(place(world, abroad, remote))
        return {path: item for path, item in paths.items() if path.startswith(("to", "from"))}

    found = abroad.site.simulator.apply(kept)
    assert set(found) == {"from", "to", "to/renamed.txt", "to/twin.txt"}
    assert found["to/renamed.txt"].id == first
    assert content.read(found["to/twin.txt"]) == b"one"
    rclone.run("purge", f"{remote}to")
    assert set(abroad.site.simulator.apply(kept)) == {"from"}
    assert abroad.site.simulator.apply(lambda world: world.items[first].trashed)


def test_shared_with_me_is_listed_and_copied(abroad: Abroad, rclone: Rclone, tmp_path: Path) -> None:
    """`--drive-shared-with-me` shows what another account has shared, and what is below it."""

    def give(world: World) -> None:
        bob = world.user(abroad.site.bob)
        folder = create(world, bob, "From Bob", FOLDER)
        create(world, bob, "inside.txt", "text/plain", folder, content=b"inside")
        alone = create(world, bob, "alone.txt", "text/plain", content=b"alone")
        create(world, bob, "private.txt", "text/plain", content=b"private")
        for item in (folder, alone):
            share(world, item, bob, world.user(abroad.user.email), "reader")

    before = set(rclone.listing("--drive-shared-with-me", "drive:"))
    abroad.site.simulator.apply(give)
    came = set(rclone.listing("--drive-shared-with-me", "drive:")) - before
    assert came == {"From Bob", "From Bob/inside.txt", "alone.txt"}
    rclone.run("copy", "--drive-shared-with-me", "drive:From Bob", tmp_path / "copy")
    assert on_disk(tmp_path / "copy") == {"inside.txt": b"inside"}


def test_rclone_finds_the_shared_drives(abroad: Abroad, rclone: Rclone) -> None:
    """`backend drives` names each shared drive of the account."""
    listed = json.loads(rclone.run("backend", "drives", "drive:"))
    assert {entry["id"]: entry["name"] for entry in listed} == {abroad.drive.id: abroad.drive.name}


def test_shortcuts_are_followed(abroad: Abroad, rclone: Rclone, tmp_path: Path) -> None:
    """A shortcut to a file and one to a folder of another account are listed and copied as what they lead to."""

    def make(world: World) -> None:
        alice, bob = world.user(abroad.user.email), world.user(abroad.site.bob)
        theirs = create(world, bob, "Theirs", FOLDER)
        create(world, bob, "inside.txt", "text/plain", theirs, content=b"inside")
        share(world, theirs, bob, alice, "reader")
        mine = create(world, alice, "mine.txt", "text/plain", content=b"mine")
        folder = create(world, alice, "Shortcuts", FOLDER)
        for name, target in {"to a folder": theirs, "to a file.txt": mine}.items():
            create_shortcut(world, alice, name, target, folder)

    abroad.site.simulator.apply(make)
    rclone.run("copy", "--drive-skip-shortcuts=false", "drive:Shortcuts", tmp_path / "copy")
    assert on_disk(tmp_path / "copy") == {"to a folder/inside.txt": b"inside", "to a file.txt": b"mine"}


def test_the_trash_is_listed_and_emptied(abroad: Abroad, rclone: Rclone, tmp_path: Path) -> None:
    """`--drive-trashed-only` shows what was deleted, and `cleanup` deletes it for good."""
    (tmp_path / "file.txt").write_bytes(b"one")
    rclone.run("copyto", tmp_path / "file.txt", "drive:folder/file.txt")
    rclone.run("deletefile", "drive:folder/file.txt")
    assert "folder/file.txt" not in rclone.listing("drive:")
    trashed = rclone.listing("--drive-trashed-only", "--files-only", "drive:folder")
    assert set(trashed) == {"file.txt"}
    rclone.run("cleanup", "drive:")
    assert trashed["file.txt"]["ID"] not in abroad.site.simulator.apply(lambda world: set(world.items))
