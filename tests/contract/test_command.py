"""A stranger's way: the command, its connections.toml, and Google's own client."""

import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google.oauth2.credentials
import google.oauth2.service_account
import pytest
from google.auth.credentials import Credentials
from googleapiclient.discovery import build

from drive_simulator.auth.oauth import DRIVE
from support.recordings import judge, recordings

__all__ = ["recordings"]


@dataclass
class Command:
    """A running `google-drive-simulator`: what it printed and what it wrote."""

    base_url: str
    connections: dict[str, Any]

    def drive(self, credentials: Credentials) -> Any:
        """Google's client."""
        options = {"api_endpoint": self.base_url + "/"}
        return build("drive", "v3", credentials=credentials, static_discovery=True, client_options=options)


@pytest.fixture
def command(recordings: Path, tmp_path: Path) -> Iterator[Command]:
    """The command on a free port, stopped by SIGTERM."""
    file = tmp_path / "connections.toml"
    sizes = ["--files", "300", "--shared-drives", "2", "--users", "2", "--seed", "3"]
    arguments = [sys.executable, "-m", "drive_simulator", "--port", "0", *sizes, "--write-connections", str(file)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed: list[str] = []
        for line in process.stdout:
            printed.append(line.strip())
            if line.startswith("# Serving"):
                break
        urls = [line.partition("=")[2] for line in printed if line.startswith("GDRIVE_API_BASE_URL=")]
        try:
            yield Command(urls[0], tomllib.loads(file.read_text()))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def credentials_of(connection: dict[str, Any]) -> Credentials:
    """Credentials of google-auth, from a table of connections.toml."""
    given = connection["credentials"]
    if given["type"] == "service_account":
        made: Credentials = google.oauth2.service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            given["info"], scopes=[DRIVE], subject=given["subject"]
        )
        return made
    return google.oauth2.credentials.Credentials(  # type: ignore[no-untyped-call]
        token=None, **{name: given[name] for name in ("refresh_token", "token_uri", "client_id", "client_secret")}
    )


def test_every_connection_of_the_file_gets_in(command: Command, recordings: Path) -> None:
    """Each table opens a Drive with files in it, and what was served is recorded and clean."""
    assert len(command.connections) == 3
    for connection in command.connections.values():
        with closing(command.drive(credentials_of(connection))) as drive:
            everything = {"corpora": "allDrives", "includeItemsFromAllDrives": True, "supportsAllDrives": True}
            answer = drive.files().list(pageSize=1000, fields="*", **everything).execute()
            assert answer["files"]
            assert drive.about().get(fields="user").execute()["user"]["me"] is True
    observer = judge(recordings)
    assert observer.exchanges >= 6
    observer.assert_clean()
