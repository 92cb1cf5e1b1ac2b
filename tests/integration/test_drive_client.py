"""The worker's Drive client against the simulator: every call, judged by Google's discovery document."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import random_edits
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.server.quota import request_model
from drive_simulator.server.server import Simulator
from drive_simulator.truth.items import visible_items
from google_drive_worker.client.setup import open_drives
from google_drive_worker.connections.file import ConnectionsFile
from google_drive_worker.domain.drive import DriveFile, SharedDrive
from google_drive_worker.domain.ids import ConnectionId, DriveId, FileId, PageToken
from google_drive_worker.domain.ports import Drive
from google_drive_worker.http.retry import RetryPolicy
from google_drive_worker.system_clock import SystemClock
from google_drive_worker.utils.errors import NeedsReauth, NotFound, PageTokenRejected, Retryable
from support.simulators import serving

QUICK = RetryPolicy(attempts=6, total_s=20.0, base_s=0.01, cap_s=0.05)


@asynccontextmanager
async def connected(
    tmp_path: Path, name: str = "conn_user_1", page_size: int = 50
) -> AsyncIterator[tuple[Simulator, Drive]]:
    """A simulator over a small corpus, and the worker's client of one of its connections."""
    world = generate(CorpusPlan(files=400, shared_drives=3, users=2, seed=9))
    async with serving(world) as simulator:
        simulator.write_connections(tmp_path / "connections.toml")
        connection = await ConnectionsFile(tmp_path / "connections.toml").get(ConnectionId(name))
        async with open_drives(
            base_url=simulator.base_url,
            clock=SystemClock(),
            random=random.random,
            page_size=page_size,
            retry=QUICK,
            token_retry=QUICK,
        ) as drives:
            yield simulator, drives.open(connection)


async def listed(drive: Drive, drive_id: DriveId | None) -> set[str]:
    """The ids of a whole listing."""
    found: list[str] = []
    token: PageToken | None = None
    while True:
        page = await drive.list_files(drive_id, token, include_trashed=False)
        found += [msgspec.json.decode(file, type=dict)["id"] for file in page.files]
        token = page.next_page_token
        if token is None:
            assert len(found) == len(set(found))
            return set(found)


async def all_drives(drive: Drive) -> list[DriveId]:
    """The ids of every shared drive."""
    found = []
    token: PageToken | None = None
    while True:
        page = await drive.list_drives(token)
        found += [each.id for each in page.drives if isinstance(each, SharedDrive)]
        token = page.next_page_token
        if token is None:
            return found


@pytest.mark.parametrize("name", ["conn_user_1", "conn_user_2", "conn_service_account"])
async def test_listings_hold_everything(tmp_path: Path, name: str) -> None:
    """My Drive, what is shared, and each drive together are what the user sees."""
    async with connected(tmp_path, name) as (simulator, drive):
        found = await listed(drive, None)
        for drive_id in await all_drives(drive):
            found |= await listed(drive, drive_id)
        user = simulator.world.user(simulator.accounts[name].email)
        truth = set(visible_items(simulator.world, user))
        assert found == truth


async def test_changes_to_the_last_page(tmp_path: Path) -> None:
    """Logs are read to their end, the user's and each drive's."""
    async with connected(tmp_path) as (simulator, drive):
        drives = await all_drives(drive)
        tokens = {each: await drive.start_page_token(each) for each in (None, *drives)}
        simulator.apply(lambda world: random_edits(world, random.Random(1), 300))  # noqa: S311 - a test
        seen = 0
        for each, token in tokens.items():
            at: PageToken | None = token
            while at is not None:
                page = await drive.list_changes(each, at)
                seen += len(page.changes)
                at = page.next_page_token
        assert seen > 100


async def test_single_files(tmp_path: Path) -> None:
    """Files are read, one that is not there is NotFound; children are listed."""
    async with connected(tmp_path) as (_, drive):
        some = min(await listed(drive, None))
        found = await drive.get_files([FileId(some), FileId("nope")])
        there = found[FileId(some)]
        assert isinstance(there, DriveFile)
        assert there.id == some
        assert isinstance(found[FileId("nope")], NotFound)
        await drive.list_children(FileId("root"), None, None, include_trashed=True)


async def test_storms_and_endings(tmp_path: Path) -> None:
    """Rate limits, outages, cuts, spoilt bodies and expired tokens are got over; revoked grants are not."""
    async with connected(tmp_path) as (simulator, drive):
        whole = await listed(drive, None)
        for effect in (
            Effect(error="userRateLimitExceeded"),
            Effect(error="rateLimitExceeded", status=429),
            Effect(error="backendError"),
            Effect(cut="before"),
            Effect(cut="body"),
            Effect(body="truncated"),
            Effect(body="garbage"),
            Effect(body="empty"),
            Effect(expire_tokens=True),
        ):
            simulator.faults.add(Rule(effect, Match(method="files.list", every=2), times=2))
            assert await listed(drive, None) == whole, effect
            simulator.faults.clear()
        simulator.faults.add(Rule(Effect(page_token="invalid")))
        with pytest.raises(PageTokenRejected):
            await listed(drive, None)
        simulator.faults.clear()
        simulator.quota.set_model(request_model(user_per_minute=1))
        with pytest.raises(Retryable):
            await listed(drive, None)
        simulator.quota.set_model(request_model(None, None))
        simulator.tokens.revoke_grants()
        with pytest.raises(NeedsReauth):
            await listed(drive, None)
