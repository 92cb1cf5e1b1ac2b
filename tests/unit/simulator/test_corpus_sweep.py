"""Every kind of item of a generated Drive, with every field, held against Google's document."""

import random

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import random_edits
from drive_simulator.model.world import World
from support.direct import Direct
from support.simulators import unserved

ALL = {"supportsAllDrives": True, "includeItemsFromAllDrives": True}


@pytest.fixture(scope="module")
def world() -> World:
    """A small corpus with a day of edits behind it."""
    made = generate(CorpusPlan(files=600, shared_drives=3, users=3, seed=5))
    random_edits(made, random.Random(5), 150)  # noqa: S311 - a test
    return made


def test_every_item_with_every_field(world: World) -> None:
    """Listings of all that each user sees pass with all fields, and files.get says the same of a file."""
    with unserved(world) as simulator:
        kinds = set()
        for user in list(world.users):
            direct = Direct(simulator, user)
            files = direct.pages("files", "files", corpora="allDrives", fields="*", pageSize=1000, **ALL)
            kinds |= {file["mimeType"] for file in files}
            assert len({file["id"] for file in files}) == len(files)
            for file in files[::20]:
                assert direct.ok("GET", f"files/{file['id']}", fields="*", supportsAllDrives=True) == file
    assert len(kinds) > 12


def test_what_hangs_on_items(world: World) -> None:
    """Permissions, revisions, comments and exports of every kind of item pass too."""
    with unserved(world) as simulator:
        direct = Direct(simulator, next(iter(world.users)))
        files = direct.pages("files", "files", corpora="allDrives", fields="*", pageSize=1000, **ALL)
        for file in files[::7]:
            path = f"files/{file['id']}"
            for target, query in (
                ("permissions", {"supportsAllDrives": True, "fields": "*"}),
                ("revisions", {"fields": "*"}),
                ("comments", {"fields": "*"}),
            ):
                status, _ = direct.call("GET", f"{path}/{target}", **query)
                assert status in {200, 403, 404}, (file["mimeType"], target)
            for mime_type in list(file.get("exportLinks", {}))[:2]:
                assert direct.call("GET", f"{path}/export", mimeType=mime_type)[0] in {200, 403, 404}


def test_drives_and_changes(world: World) -> None:
    """Each drive, its log and the user's log pass with all fields, from their beginning."""
    with unserved(world) as simulator:
        for user in list(world.users):
            direct = Direct(simulator, user)
            direct.changes(str(world.user(user).log.end - 50), fields="*", pageSize=20)
            direct.changes(str(world.user(user).log.end - 50), fields="*", includeCorpusRemovals=True, **ALL)
            for drive in direct.pages("drives", "drives", fields="*", pageSize=2):
                token = direct.ok("GET", "changes/startPageToken", driveId=drive["id"], supportsAllDrives=True)
                assert token["kind"] == "drive#startPageToken"
                start = str(world.drives[drive["id"]].log.end - 5)
                status, _ = direct.call("GET", "changes", pageToken=start, driveId=drive["id"], fields="*", **ALL)
                assert status in {200, 400}
