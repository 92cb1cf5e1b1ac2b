"""The whole client, put together, over real HTTP: token endpoint and Drive."""

import json

import pytest

from google_drive_worker.client.quota import UNITS
from google_drive_worker.client.setup import open_drives
from google_drive_worker.domain.ports import Drive, Drives
from google_drive_worker.utils.errors import Misconfigured
from support.clock import ManualClock
from support.credentials import authorized_user, connection
from support.scripted_http import reply, scripted_server


async def test_a_page_from_refresh_token_to_files() -> None:
    """A connection that has nothing but a refresh token lists its files, and its token serves the next call."""
    token = json.dumps({"access_token": "fresh", "expires_in": 3599})
    page = json.dumps({"files": [{"id": "1", "name": "one"}], "nextPageToken": "2"})
    async with (
        scripted_server(*reply(body=token), *reply(body=page, times=2)) as server,
        open_drives(
            base_url=f"{server.url}/drive/v3", clock=ManualClock(), random=lambda: 0.5, page_size=1000, quota=UNITS
        ) as opened,
    ):
        drives: Drives = opened
        drive: Drive = drives.open(connection(authorized_user(f"{server.url}/token")))
        first = await drive.list_files(None, None, include_trashed=False)
        await drive.list_files(None, first.next_page_token, include_trashed=False)
        paths = [seen.path for seen in server.seen]
        assert server.seen[2].headers["authorization"] == "Bearer fresh"
        assert server.seen[2].query["pageToken"] == "2"
    assert paths == ["/token", "/drive/v3/files", "/drive/v3/files"]


async def test_an_address_that_is_refused_names_its_variable() -> None:
    """A base address over plain HTTP stops the start with the variable's name."""
    with pytest.raises(Misconfigured, match="GDRIVE_API_BASE_URL must be https"):
        async with open_drives(base_url="http://drive.example.com", clock=ManualClock(), random=lambda: 0.5):
            pass
