"""Views: who opens, downloads or exports an item reads of it in their own log, and no other account does."""

import random
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest

from drive_simulator.api.wire import Request
from drive_simulator.edits.random_edits import random_edits
from drive_simulator.model.change_log import ChangeLog
from drive_simulator.model.consistency import Consistency
from drive_simulator.model.content import revisions_of
from drive_simulator.model.item_changes import create, view
from drive_simulator.model.items import Item, User
from drive_simulator.model.sharing import add_grant, share
from drive_simulator.server.server import Simulator
from support.direct import Direct
from support.simulators import unserved
from support.worlds import Stage

DOCUMENT = "application/vnd.google-apps.document"
Open = Callable[[Simulator, Item, User], None]


def _download(simulator: Simulator, item: Item, user: User) -> None:
    query = {"alt": "media", "supportsAllDrives": True}
    assert Direct(simulator, user.email).call("GET", f"files/{item.id}", **query)[0] == 200


def _export(simulator: Simulator, item: Item, user: User) -> None:
    assert Direct(simulator, user.email).call("GET", f"files/{item.id}/export", mimeType="text/plain")[0] == 200


def _begin_download(simulator: Simulator, item: Item, user: User) -> None:
    Direct(simulator, user.email).ok("POST", f"files/{item.id}/download")


def _follow_export_link(simulator: Simulator, item: Item, user: User) -> None:
    direct = Direct(simulator, user.email)
    found = direct.ok("GET", f"files/{item.id}", fields="exportLinks", supportsAllDrives=True)
    address = urlsplit(found["exportLinks"]["text/plain"])
    request = Request("GET", address.path, tuple(parse_qsl(address.query)), direct.headers)
    assert simulator.handle(request).status == 200


def _download_revision(simulator: Simulator, item: Item, user: User) -> None:
    path = f"files/{item.id}/revisions/{revisions_of(item)[-1].id}"
    assert Direct(simulator, user.email).call("GET", path, alt="media")[0] == 200


def _say_viewed(simulator: Simulator, item: Item, user: User) -> None:
    body = {"viewedByMeTime": "2026-01-02T00:00:00.000Z"}
    Direct(simulator, user.email).ok("PATCH", f"files/{item.id}", body, supportsAllDrives=True)


def _open_in_the_browser(simulator: Simulator, item: Item, user: User) -> None:
    view(simulator.world, item, user)


@pytest.mark.parametrize(
    ("mime_type", "opened"),
    [
        ("text/plain", _download),
        ("text/plain", _begin_download),
        (DOCUMENT, _export),
        (DOCUMENT, _begin_download),
        (DOCUMENT, _follow_export_link),
        (DOCUMENT, _say_viewed),
        ("text/plain", _open_in_the_browser),
    ],
)
@pytest.mark.parametrize("in_drive", [False, True])
def test_a_view_is_an_entry_in_ones_own_log_alone(mime_type: str, opened: Open, *, in_drive: bool) -> None:
    """Reported: google-api-dotnet-client #2544 (views), google-api-java-client-services #3160 (exports).

    Neither the owner nor the drive's log hears of it; `version` and `modifiedTime` stay.
    """
    stage = Stage()
    drive = stage.world.add_drive("Team", stage.alice) if in_drive else None
    parent = None if drive is None else drive.root
    item = create(stage.world, stage.alice, "name", mime_type, parent, content=b"text")
    share(stage.world, item, stage.alice, stage.bob, "reader")
    stood = item.version, item.modified_ms
    bob, alice = stage.listen(stage.bob), stage.listen(stage.alice)
    logs = [alice] if drive is None else [alice, stage.listen(stage.alice, drive)]
    with unserved(stage.world) as simulator:
        assert _viewed(simulator, item, stage.bob) is None
        stage.clock.advance(60)
        opened(simulator, item, stage.bob)
        assert bob.news() == {item.id: "changed"}
        assert [each.news() for each in logs] == [{}] * len(logs)
        assert _viewed(simulator, item, stage.bob) is not None
        assert _viewed(simulator, item, stage.alice) is None
    assert (item.version, item.modified_ms) == stood


def test_a_folder_that_was_opened_has_an_entry() -> None:
    """Reported: changes.list names folders that somebody merely opened (google-api-dotnet-client #2544)."""
    stage = Stage()
    folder = stage.folder()
    stage.file(parent=folder)
    alice, version = stage.listen(stage.alice), folder.version
    view(stage.world, folder, stage.alice)
    assert (alice.news(), folder.version) == ({folder.id: "changed"}, version)


def test_the_bytes_of_a_revision_are_a_view() -> None:
    """Assumed: they are a download of the item's."""
    stage = Stage()
    file = create(stage.world, stage.alice, "name", "text/plain", content=b"text")
    alice = stage.listen(stage.alice)
    with unserved(stage.world) as simulator:
        _download_revision(simulator, file, stage.alice)
    assert alice.news() == {file.id: "changed"}


def test_a_refused_download_is_no_view() -> None:
    """Assumed: bytes that an account does not get it has not seen."""
    stage = Stage()
    document = create(stage.world, stage.alice, "name", DOCUMENT)
    alice = stage.listen(stage.alice)
    with unserved(stage.world) as simulator:
        direct = Direct(simulator, stage.alice.email)
        assert direct.call("GET", f"files/{document.id}", alt="media")[0] == 403
        assert direct.call("GET", f"files/{document.id}/export", mimeType="video/mp4")[0] == 400
    assert (alice.news(), document.viewed_ms(stage.alice.email)) == ({}, None)


def test_what_a_link_opens_has_no_entry() -> None:
    """Assumed: the log tells of what the account has; an item that a link alone opens would show as removed."""
    stage = Stage()
    file = stage.file()
    add_grant(stage.world, file, stage.alice, grant_type="anyone", role="reader")
    bob = stage.listen(stage.bob)
    with unserved(stage.world) as simulator:
        _download(simulator, file, stage.bob)
        assert (bob.news(), file.viewed_ms(stage.bob.email)) == ({}, stage.clock.now_ms())
        _say_viewed(simulator, file, stage.bob)
        Direct(simulator, stage.bob.email).ok("PATCH", f"files/{file.id}", {"starred": True})
    assert bob.news() == {}


@pytest.mark.parametrize("opened", [_open_in_the_browser, _download, _say_viewed])
def test_views_can_be_left_out_of_the_logs(opened: Open) -> None:
    """The switch `views_logged`: viewedByMeTime is set all the same."""
    stage = Stage()
    stage.world.consistency = Consistency(views_logged=False)
    file = stage.file()
    alice = stage.listen(stage.alice)
    with unserved(stage.world) as simulator:
        opened(simulator, file, stage.alice)
    assert (alice.news(), file.viewed_ms(stage.alice.email) is not None) == ({}, True)


def test_a_view_of_a_drives_top_leaves_what_the_log_tells_of_the_drive() -> None:
    """The top folder has the drive's id."""
    log = ChangeLog(1)
    log.record("drive", 1, is_drive=True)
    log.record("drive", 2, from_drive=True)
    log.record("drive", 3, from_drive=True)
    assert [(entry.is_drive, entry.time_ms) for _, entry in log.read_from(1)] == [(True, 1), (False, 3)]


def test_random_edits_have_views_of_files_and_few_of_folders() -> None:
    """A day of work opens more than it edits; folders come rarely, since a client may list each again."""
    stage = Stage()
    for number in range(20):
        stage.file(f"{number}", parent=stage.folder(f"folder {number}"))
    kinds = random_edits(stage.world, random.Random(3), 600)  # noqa: S311 - random edits
    assert kinds["view"] > 2 * kinds["view_folder"] > 0


def _viewed(simulator: Simulator, item: Item, user: User) -> str | None:
    query = {"fields": "viewedByMe,viewedByMeTime", "supportsAllDrives": True}
    found = Direct(simulator, user.email).ok("GET", f"files/{item.id}", **query)
    time = found.get("viewedByMeTime")
    assert found["viewedByMe"] == (time is not None)
    return None if time is None else str(time)
