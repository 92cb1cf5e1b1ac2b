"""`ConnectionsFile`: what it reads, what it refuses, and what a rewrite does."""

import asyncio
import os
import traceback
from pathlib import Path

import pytest

from google_drive_worker.connections.file import ConnectionsFile
from google_drive_worker.connections.setup import connections_file, problems_of
from google_drive_worker.domain.connection import (
    AccessToken,
    AuthorizedUser,
    ConnectionSettings,
    Secret,
    ServiceAccount,
)
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.domain.ports import Connections
from google_drive_worker.utils.errors import Misconfigured, Terminal, UnknownConnection

CANARY = "CANARY"

GOOD = """
[conn_user]
customer_id = "cust_1"
settings = { include_trashed = true, exclude_mime_types = ["video/mp4"], max_file_size_bytes = 1000 }

[conn_user.credentials]
type = "authorized_user"
client_id = "client"
client_secret = "CANARY-secret"
refresh_token = "CANARY-refresh"
token_uri = "http://127.0.0.1:9/token"
expiry = 2026-11-23T12:00:00Z

["conn robot"]
customer_id = "cust_2"
status = "paused"

["conn robot".credentials]
type = "service_account"
subject = "ada@example.com"

["conn robot".credentials.info]
type = "service_account"
project_id = "project"
client_email = "robot@project.example.com"
private_key = "CANARY-key"
private_key_id = "1"

[conn_token]
connection_id = "conn_token"
customer_id = "cust_1"
credentials = { type = "access_token", access_token = "CANARY-access" }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "connections.toml"


def rewrite(path: Path, text: str) -> None:
    """Write the file anew, so that it is seen to have changed even on a coarse file system clock."""
    before_ns = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before_ns + 1_000_000_000, before_ns + 1_000_000_000))


async def test_all_kinds_of_credentials(path: Path) -> None:
    """Each kind of credentials is read into its type, with settings, status and defaults."""
    rewrite(path, GOOD)
    file: ConnectionsFile = ConnectionsFile(path)
    port: Connections = file
    user = await port.get(ConnectionId("conn_user"))
    robot = await port.get(ConnectionId("conn robot"))
    token = await port.get(ConnectionId("conn_token"))
    assert await file.ids() == ("conn_user", "conn robot", "conn_token")
    assert isinstance(user.credentials, AuthorizedUser)
    assert user.credentials.refresh_token == Secret("CANARY-refresh")
    assert user.credentials.expiry == "2026-11-23T12:00:00Z"
    assert user.settings == ConnectionSettings(
        include_trashed=True, exclude_mime_types=("video/mp4",), max_file_size_bytes=1000
    )
    assert (user.customer_id, user.integration_id, user.status) == (CustomerId("cust_1"), "google-drive", "active")
    assert isinstance(robot.credentials, ServiceAccount)
    assert (robot.credentials.subject, robot.status) == ("ada@example.com", "paused")
    assert robot.credentials.info.private_key.reveal() == "CANARY-key"
    assert token.credentials == AccessToken(Secret("CANARY-access"))
    assert CANARY not in repr((user, robot, token))


async def test_an_unknown_connection(path: Path) -> None:
    """An id that the file does not hold is unknown."""
    rewrite(path, GOOD)
    with pytest.raises(UnknownConnection):
        await ConnectionsFile(path).get(ConnectionId("conn_other"))


async def test_no_file(path: Path) -> None:
    """A missing file is one clear line that says where it is looked for; it is found once it is there."""
    file = ConnectionsFile(path)
    with pytest.raises(Misconfigured) as caught:
        await file.refresh()
    assert str(path) in caught.value.message
    assert "CONNECTIONS_FILE" in caught.value.message
    rewrite(path, GOOD)
    await file.refresh()
    assert file.problem is None


async def test_a_rewrite_is_seen(path: Path) -> None:
    """Who rewrites the file changes, adds and removes connections."""
    rewrite(path, GOOD)
    file = ConnectionsFile(path)
    assert len(await file.ids()) == 3
    rewrite(path, GOOD.replace("cust_1", "cust_9").replace("conn_token", "conn_new"))
    assert (await file.get(ConnectionId("conn_user"))).customer_id == "cust_9"
    assert "conn_new" in await file.ids()
    with pytest.raises(UnknownConnection):
        await file.get(ConnectionId("conn_token"))


async def test_a_large_file_holds_nobody_up(path: Path) -> None:
    """While thousands of connections are parsed the event loop goes on, and all who ask share one reading."""
    table = '[conn_{0}]\ncustomer_id = "cust_1"\ncredentials = {{ type = "access_token", access_token = "x" }}\n'
    rewrite(path, "".join(map(table.format, range(3_000))))
    file = ConnectionsFile(path)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while not asked.done():
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        asked = group.create_task(file.get(ConnectionId("conn_1")))
        also = group.create_task(file.get(ConnectionId("conn_1")))
        group.create_task(count_turns())
    assert asked.result() is also.result()
    assert turns > 10


async def test_an_unchanged_file_is_not_read_again(path: Path) -> None:
    """As long as the file is the same, the same connection is given out."""
    rewrite(path, GOOD)
    file = ConnectionsFile(path)
    assert await file.get(ConnectionId("conn_user")) is await file.get(ConnectionId("conn_user"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write what is no text."""
    path.write_bytes(content)


def remove(path: Path) -> None:
    """Take the file away."""
    path.unlink()


@pytest.mark.parametrize("broken", ["[conn_user", "[conn_user]\n", "", None])
async def test_a_broken_rewrite_keeps_the_last_good_one(path: Path, broken: str | None) -> None:
    """While the file can't be read the last good one stays in force, and the problem is told; mended, it is gone."""
    rewrite(path, GOOD)
    file = ConnectionsFile(path)
    await file.refresh()
    if broken is None:
        remove(path)
    else:
        rewrite(path, broken)
    if broken == "":
        assert await file.ids() == ()  # an empty file is a good one
        assert file.problem is None
        return
    assert (await file.get(ConnectionId("conn_user"))).customer_id == "cust_1"
    assert file.problem
    rewrite(path, GOOD.replace("cust_1", "cust_2"))
    assert (await file.get(ConnectionId("conn_user"))).customer_id == "cust_2"
    assert file.problem is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('customer_id = "cust_1"\nsettings', "settings", ["[conn_user]", "customer_id"]),
        ('client_secret = "CANARY-secret"\n', "", ["[conn_user]", "credentials", "client_secret"]),
        ('"CANARY-refresh"', "7", ["[conn_user]", "credentials.refresh_token", "str"]),
        ('"CANARY-refresh"', '""', ["[conn_user]", "credentials.refresh_token"]),
        ('"CANARY-refresh"', '["CANARY"]', ["[conn_user]", "credentials.refresh_token"]),
        ('type = "authorized_user"', 'type = "CANARY"', ["[conn_user]", "credentials"]),
        ('type = "authorized_user"\n', "", ["[conn_user]", "credentials", "type"]),
        ('status = "paused"', 'status = "CANARY"', ["[conn robot]", "status"]),
        ("include_trashed = true", "include_trashd = true", ["[conn_user]", "settings", "include_trashd"]),
        ("include_trashed = true", 'include_trashed = "CANARY"', ["[conn_user]", "settings.include_trashed"]),
        ('customer_id = "cust_2"', 'customer = "CANARY"', ["[conn robot]", "customer"]),
        ('["conn robot".credentials]', '["conn robot".other]', ["[conn robot]", "other"]),
        ('"CANARY-access"', "CANARY-access", ["TOML", "line"]),
        ("[conn_user]\n", 'top = "CANARY"\n[conn_user]\n', ["[top]"]),
        ("[conn_token]", '[""]', ["id is empty"]),
        ('connection_id = "conn_token"', 'connection_id = "CANARY"', ["[conn_token]", "connection_id"]),
    ],
)
async def test_what_is_wrong_is_told_without_secrets(path: Path, old: str, new: str, expected: list[str]) -> None:
    """A mistake is one line that names the connection and the field, and never what stands there."""
    assert old in GOOD
    rewrite(path, GOOD.replace(old, new))
    file = ConnectionsFile(path)
    with pytest.raises(Misconfigured) as caught:
        await file.refresh()
    message = caught.value.message
    assert all(part in message for part in [*expected, str(path)]), message
    assert "\n" not in message
    assert CANARY not in message
    assert CANARY not in f"{caught.value.__context__!r}{caught.value.__cause__!r}{file.problem}"
    assert CANARY not in "".join(traceback.format_exception(caught.value))


SENSELESS = [
    ("max_revisions = 0", ["settings.max_revisions", "0 was given", "from 1 on"]),
    ("max_file_size_bytes = -1", ["settings.max_file_size_bytes", "-1 was given", "from 0 on"]),
    ("drive_ids = []", ["settings.drive_ids", "[] was given", "at least one"]),
    ("folder_ids = []", ["settings.folder_ids", "[] was given", "at least one"]),
    ('folder_ids = ["a", ""]', ["settings.folder_ids", '["a",""] was given', "none empty"]),
]


@pytest.mark.parametrize(("setting", "expected"), SENSELESS)
async def test_settings_that_make_no_sense_refuse_their_connection_alone(
    path: Path, setting: str, expected: list[str]
) -> None:
    """They are never taken for settings that were left out, which would mirror everything."""
    rewrite(path, GOOD.replace("max_file_size_bytes = 1000", setting))
    file = ConnectionsFile(path)
    with pytest.raises(Terminal) as caught:
        await file.get(ConnectionId("conn_user"))
    assert caught.value.code == "bad_settings"
    assert all(part in caught.value.message for part in expected), caught.value.message
    assert (await file.get(ConnectionId("conn_token"))).customer_id == "cust_1"
    [line] = await file.refused()
    assert line.startswith("[conn_user] ")
    assert file.problem is None
    [told] = await problems_of(connections_file(path))
    assert told == line


async def test_the_least_that_settings_allow_is_taken(path: Path) -> None:
    """One revision, files of no bytes, one drive and one folder."""
    least = 'max_file_size_bytes = 0, max_revisions = 1, drive_ids = ["d"], folder_ids = ["f"]'
    rewrite(path, GOOD.replace("max_file_size_bytes = 1000", least))
    settings = (await ConnectionsFile(path).get(ConnectionId("conn_user"))).settings
    assert (settings.max_file_size_bytes, settings.max_revisions) == (0, 1)
    assert (settings.drive_ids, settings.folder_ids) == (("d",), ("f",))
    assert await problems_of(connections_file(path)) == []


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a = " + b"[" * 5000])
async def test_files_that_are_no_toml(path: Path, content: bytes) -> None:
    """Bytes that are no text, and endless nesting, are clear lines too."""
    write_bytes(path, content)
    with pytest.raises(Misconfigured) as caught:
        await ConnectionsFile(path).refresh()
    assert str(path) in caught.value.message


async def test_a_huge_file_is_refused_before_it_is_parsed(path: Path) -> None:
    """It is read up to the limit alone."""
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(Misconfigured, match="is larger than 64 MB"):
        await ConnectionsFile(path).refresh()


async def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """A path that can't be read as a file is said to be so."""
    with pytest.raises(Misconfigured, match="can't be read"):
        await ConnectionsFile(tmp_path).refresh()
