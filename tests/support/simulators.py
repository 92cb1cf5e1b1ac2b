"""The one place where tests start a simulator: each is watched, and its test fails where an exchange is not Google's.

A test holds every other test to that (`tests/unit/support/test_simulators.py`).
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from drive_simulator.api.listing import ListingRules
from drive_simulator.model.world import World
from drive_simulator.push.notifications import Pace
from drive_simulator.server.quota import QuotaModel
from drive_simulator.server.server import Simulator, run_in_thread
from support.observer import DiscoveryObserver


@contextmanager
def watched(simulator: Simulator) -> Iterator[DiscoveryObserver]:
    """Judge every exchange of the simulator while the block runs, and fail at its end if one was not Google's."""
    observer = DiscoveryObserver()
    simulator.observers.append(observer)
    try:
        yield observer
    finally:
        simulator.observers.remove(observer)
    observer.assert_clean()


@contextmanager
def unserved(world: World, *, rules: ListingRules | None = None, seed: int = 0) -> Iterator[Simulator]:
    """A watched simulator that listens nowhere: for calls by its `handle` (see `support.direct`)."""
    simulator = Simulator(world, rules=rules, seed=seed)
    with watched(simulator):
        yield simulator


@asynccontextmanager
async def serving(
    world: World,
    *,
    latency_ms: float = 0,
    quota: QuotaModel | None = None,
    rules: ListingRules | None = None,
    seed: int = 0,
    port: int = 0,
    pace: Pace | None = None,
) -> AsyncIterator[Simulator]:
    """A watched simulator in this event loop."""
    simulator = Simulator(world, port=port, latency_ms=latency_ms, quota=quota, rules=rules, seed=seed, pace=pace)
    with watched(simulator):
        await simulator.start()
        try:
            yield simulator
        finally:
            await simulator.stop()


@contextmanager
def serving_in_thread(
    world: World,
    *,
    latency_ms: float = 0,
    quota: QuotaModel | None = None,
    rules: ListingRules | None = None,
    seed: int = 0,
) -> Iterator[tuple[Simulator, DiscoveryObserver]]:
    """A watched simulator in a thread of its own, for clients that block."""
    simulator = Simulator(world, latency_ms=latency_ms, quota=quota, rules=rules, seed=seed)
    with watched(simulator) as observer, run_in_thread(simulator):
        yield simulator, observer
