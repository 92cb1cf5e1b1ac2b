"""No simulator in the tests goes unwatched."""

import re
from pathlib import Path

import aiohttp
import pytest

from drive_simulator.model.world import World
from support.simulators import serving

TESTS = Path(__file__).parents[2]
STARTER = TESTS / "support" / "simulators.py"


def test_every_test_starts_its_simulator_watched() -> None:
    """Only `support.simulators` makes a simulator, so that no exchange escapes Google's discovery document."""
    made = re.compile(r"\bSimulator\(|\brun_in_thread\(")
    unwatched = [
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("*.py")
        if path not in {STARTER, Path(__file__)} and made.search(path.read_text())
    ]
    assert not unwatched, f"use support.simulators in {unwatched}"


async def get(url: str, token: str) -> int:
    """The status of a GET."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.get(url) as answer,
    ):
        return answer.status


async def status_of(query: str) -> int:
    """The status that a watched simulator gives a listing."""
    world = World()
    world.add_user("a@example.com")
    async with serving(world) as simulator:
        return await get(f"{simulator.base_url}/files{query}", simulator.access_token("a@example.com"))


async def test_a_wrong_request_fails_its_test() -> None:
    """A parameter that Google does not have fails the test that sent it."""
    with pytest.raises(AssertionError, match="pagesize: unknown parameter"):
        await status_of("?pagesize=1")


async def test_a_good_exchange_passes() -> None:
    """A clean exchange leaves its test alone."""
    assert await status_of("?pageSize=1") == 200
