"""One simulator a module, and after each test the judgement of every exchange."""

from collections.abc import Iterator

import pytest

from drive_simulator.model.world import World
from support.google_client import Site, site_of


@pytest.fixture(scope="module")
def module_site() -> Iterator[Site]:
    """A simulated Google with two users who have nothing yet."""
    with site_of(World(seed=1)) as site:
        yield site


@pytest.fixture
def site(module_site: Site) -> Iterator[Site]:
    """The module's simulator; a test fails where an exchange differs from Google's discovery document."""
    yield module_site
    module_site.simulator.faults.clear()
    violations, module_site.observer.violations = module_site.observer.violations, []
    assert not violations, "not as Google documents it:\n" + "\n".join(map(str, violations))
