"""Every fault once, on real brokers and real processes, two runs side by side; the long run is `make chaos`."""

import multiprocessing
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import pytest

from chaos.faults import FAULTS, Fault
from chaos.fences import CASES, Case
from chaos.lane import open_lane, play_case, play_fault

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

SEED = 11
LANES = 2

Under = Mapping[tuple[str, int], Future[Any]]
"""What is being played, by the fault's or case's name and its seed."""


@pytest.fixture(scope="module")
def under_way(request: pytest.FixtureRequest, brokers_can_start: None) -> Iterator[Under]:
    """All runs that were asked for, begun in the tests' order: each test waits for its own."""
    spawning = multiprocessing.get_context("spawn")
    lanes = ProcessPoolExecutor(LANES, mp_context=spawning, initializer=open_lane)
    begun: dict[tuple[str, int], Future[Any]] = {}
    for item in request.session.items:
        asked = getattr(item, "callspec", None)
        if item.path != request.path or asked is None:
            continue
        seed = asked.params["seed"]
        if (fault := asked.params.get("fault")) is not None:
            begun[fault.name, seed] = lanes.submit(play_fault, fault.name, seed, keep=False, short=True)
        if (case := asked.params.get("case")) is not None:
            begun[case.name, seed] = lanes.submit(play_case, case, seed)
    yield begun
    lanes.shutdown(cancel_futures=True)


@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in FAULTS])
def test_nothing_is_lost_doubled_or_out_of_order(fault: Fault, seed: int, under_way: Under) -> None:
    """Whatever befalls worker, broker or network, the mirror is the Drive, once and in order, and soon goes on."""
    _, problems = under_way[fault.name, seed].result()
    assert problems == []


@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if case.shows])
def test_a_fence_that_is_missing_is_noticed(case: Case, seed: int, under_way: Under) -> None:
    """The same faults on a build that lacks the fence break just the promise that it keeps."""
    seen = under_way[case.name, seed].result()
    assert seen.as_expected, seen
