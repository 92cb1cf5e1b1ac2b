"""The clients that we did not write are pinned by version and hash, and meet the simulator at Google's addresses."""

import json
import re
import ssl
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from drive_simulator.model.world import World
from support.google_client import site_of
from support.google_front import google_front

ROOT = Path(__file__).parents[3]


def test_the_lock_of_npm_has_hashes_and_no_addresses() -> None:
    """Every package has an integrity, and none says where it was fetched from, or who pays for it."""
    text = (ROOT / "tests" / "strangers" / "node" / "package-lock.json").read_text()
    assert "://" not in text
    lock = json.loads(text)
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert packages
    assert all(each["integrity"] and "resolved" not in each for each in packages.values())


def test_the_lock_of_pypi_has_hashes_and_no_addresses() -> None:
    """Every requirement has a version and a hash."""
    lock = (ROOT / "requirements" / "strangers.lock").read_text()
    pinned = re.findall(r"^[a-z0-9-]+==\S+ \\\n    --hash=sha256:", lock, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^\w", lock, re.MULTILINE))
    assert "://" not in lock


def test_google_is_met_through_the_front(tmp_path: Path) -> None:
    """A client that trusts the authority reaches the simulator at Google's address, and no other address."""
    with site_of(World(seed=1)) as site, google_front(site.simulator.origin, tmp_path) as front:
        trusting = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(front.certificates)))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"https": front.url}), trusting)
        asked = urllib.request.Request(
            "https://www.googleapis.com/drive/v3/files?fields=kind",
            headers={"Authorization": f"Bearer {site.simulator.access_token(site.alice)}"},
        )
        with opener.open(asked, timeout=10) as answer:
            assert json.load(answer) == {"kind": "drive#fileList"}
        with pytest.raises(URLError, match="403"):
            opener.open("https://example.com/", timeout=10)
        assert front.refused == ["CONNECT example.com:443"]
