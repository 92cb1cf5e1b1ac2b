"""A simulated Google for clients that we did not write: each is run as its users run it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from support.abroad import Abroad
from support.google_client import site_of
from support.google_front import google_front
from support.strangers import NO_CLIENT, lack_of

SEED = 12


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A client that is not there is skipped; where REQUIRE_STRANGERS is set its tests fail."""
    for marker in item.iter_markers("stranger"):
        client: str = marker.args[0]
        if (lack := lack_of(client)) is not None:
            if os.environ.get("REQUIRE_STRANGERS", "") not in {"", "0"}:
                pytest.fail(
                    f"REQUIRE_STRANGERS is set, but {client} cannot run: {lack} (`make strangers`)", pytrace=False
                )
            pytest.skip(f"{NO_CLIENT}{client}: {lack}")


@pytest.fixture
def abroad(tmp_path: Path) -> Iterator[Abroad]:
    """A corpus of its own for a test; what the client sends is its own affair, the answers must be Google's."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    world = generate(CorpusPlan(files=300, shared_drives=1, users=2, seed=SEED))
    with site_of(world) as site, google_front(site.simulator.origin, folder) as front, site.observer.refusing():
        yield Abroad(site, front)
    assert front.refused == [], "the client asked for other addresses than Google's"
