"""What bounds the load of a connection in trouble: its retry budget and its breaker."""

import asyncio
from dataclasses import replace

import pytest

from google_drive_worker.client.load import (
    ALONE,
    BREAKER,
    CONNECTION_BUDGET,
    PAGE_SHARES,
    WORKER_BUDGET,
    Breaker,
    BreakerState,
    Loads,
    Portion,
    RetryBudget,
    Unwatched,
    is_outage,
)
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.utils.errors import Retryable, SkipItem, WorkerError
from support.clock import ManualClock

OUTAGE = Retryable("no", code="unavailable", http_status=503, reason="backendError")
TIMELESS = replace(CONNECTION_BUDGET, per_s=0.0)
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


class Bench:
    """A breaker, its clock, and the states that it came into."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.states: list[BreakerState] = []
        self.breaker = Breaker(BREAKER, lambda _, after, __: self.states.append(after))

    async def enter(self) -> bool:
        """Pass, or be refused."""
        return await self.breaker.enter(self.clock.monotonic_s)

    def fail(self, times: int = 1) -> None:
        """So many requests fail, and so does the probe that follows."""
        for _ in range(times):
            if self.breaker.failed(OUTAGE):
                self.breaker.probe_failed(OUTAGE, self.clock.monotonic_s())


def test_an_outage_uses_the_budget_up_and_no_more() -> None:
    """Where nothing succeeds, what is made again is bounded, whatever is asked."""
    budget = RetryBudget(TIMELESS, 0.0)
    made = 0
    for _ in range(10_000):
        if budget.left(0.0) >= 1:
            budget.spend(1, 0.0)
            made += 1
    assert made == TIMELESS.capacity


@pytest.mark.parametrize(("share", "is_ridden_out"), [(0.1, True), (0.3, True), (0.6, False), (0.9, False)])
def test_a_storm_that_most_calls_survive_is_ridden_out(share: float, is_ridden_out: bool) -> None:
    """With a third of all tries failing the budget holds for ever; with more than half it is soon used up."""
    budget = RetryBudget(TIMELESS, 0.0)
    waiting = 1_000.0  # calls of one age: the share of them that failed is tried again, as a round
    for _ in range(200):
        budget.earn(0, 0)
        retried = waiting * share
        budget.earn(int(waiting * (1 - share)), 0)
        while retried >= 1:
            budget.spend(retried, 0.0)
            budget.earn(0, int(retried * (1 - share)))
            retried *= share
    assert (budget.left(0.0) >= 1) is is_ridden_out


def test_time_gives_some_back() -> None:
    """An idle connection is not left with nothing, and never gets more than there is at first."""
    budget = RetryBudget(CONNECTION_BUDGET, 0.0)
    budget.spend(CONNECTION_BUDGET.capacity, 0.0)
    assert budget.left(0.0) == 0
    assert budget.left(20.0) == 10
    assert budget.left(1e6) == CONNECTION_BUDGET.capacity


def test_no_connection_uses_up_the_workers_budget_and_many_do() -> None:
    """One's outage leaves the others their retries; an outage of all is bounded as a whole."""
    loads = Loads(Unwatched(), 0.0)
    made = 0
    for number in range(30):
        load = loads.of(ConnectionId(f"c{number}"), 0.0)
        made += sum(load.may_retry(1, OUTAGE, 0.0) for _ in range(1_000))
        if number == 0:
            assert made == CONNECTION_BUDGET.capacity
    assert made == WORKER_BUDGET.capacity


def test_only_who_has_a_memory_is_remembered() -> None:
    """A connection at rest is forgotten; one in trouble is not."""
    loads = Loads(Unwatched(), 0.0)
    for number in range(100):
        loads.of(ConnectionId(f"c{number}"), 0.0)
    loads.of(ConnectionId("c7"), 0.0).breaker.failed(OUTAGE)
    loads.of(ConnectionId("new"), 61.0)
    assert len(loads) == 2


def test_a_breaker_whose_connection_has_gone_elsewhere_is_forgotten() -> None:
    """It is not shown as open for ever."""
    loads = Loads(Unwatched(), 0.0)
    breaker = loads.of(ConnectionId("gone"), 0.0).breaker
    for _ in range(BREAKER.failures):
        breaker.failed(OUTAGE)
    breaker.probe_failed(OUTAGE, 0.0)
    loads.of(ConnectionId("soon"), 600.0)
    assert breaker.state is OPEN
    loads.of(ConnectionId("late"), BREAKER.open_s + BREAKER.forsaken_after_s + 1)
    assert (breaker.state, len(loads)) == (CLOSED, 1)


async def test_a_breaker_opens_after_failures_in_a_row_alone() -> None:
    """One answer between them, and it counts anew."""
    bench = Bench()
    for _ in range(5):
        bench.fail(BREAKER.failures - 1)
        bench.breaker.succeeded()
    await bench.enter()
    assert bench.states == []
    bench.fail(BREAKER.failures)
    with pytest.raises(Retryable) as caught:
        await bench.enter()
    refusal = caught.value
    assert (refusal.code, refusal.http_status, refusal.reason, refusal.attempts) == (
        "unavailable", 503, "backendError", 0
    )  # fmt: skip
    assert refusal.retry_after_s == BREAKER.open_s
    assert bench.states == [HALF_OPEN, OPEN]


async def test_failures_that_the_probe_does_not_share_open_nothing() -> None:
    """Items that Google never serves are no outage: the count begins again, and those who waited go on."""
    bench = Bench()
    for _ in range(BREAKER.failures - 1):
        assert not bench.breaker.failed(OUTAGE)
    assert bench.breaker.failed(OUTAGE)
    other = asyncio.create_task(bench.enter(), name="other")
    await asyncio.sleep(0)
    assert not other.done()
    assert not bench.breaker.failed(OUTAGE)  # of a request that was under way
    bench.breaker.succeeded()
    assert not await other
    bench.fail(BREAKER.failures - 1)
    assert bench.states == [HALF_OPEN, CLOSED]


async def test_a_probe_that_comes_too_late_changes_nothing() -> None:
    """Another request was answered meanwhile: Google is there."""
    bench = Bench()
    for _ in range(BREAKER.failures):
        bench.breaker.failed(OUTAGE)
    bench.breaker.succeeded()
    bench.breaker.probe_failed(OUTAGE, 0.0)
    assert not await bench.enter()


async def test_one_probe_is_made_and_the_others_wait_for_it() -> None:
    """When it succeeds they all go."""
    bench = Bench()
    bench.fail(BREAKER.failures)
    bench.clock.advance(BREAKER.open_s)
    assert await bench.enter()
    others = [asyncio.create_task(bench.enter(), name=f"other {number}") for number in range(5)]
    await asyncio.sleep(0)
    assert not any(other.done() for other in others)
    bench.breaker.succeeded()
    assert await asyncio.gather(*others) == [False] * 5
    assert bench.states == [HALF_OPEN, OPEN, HALF_OPEN, CLOSED]


async def test_a_probe_in_vain_opens_it_for_twice_as_long() -> None:
    """Up to a bound; those who waited fail at once."""
    bench = Bench()
    bench.fail(BREAKER.failures)
    expected_s = BREAKER.open_s
    for _ in range(8):
        bench.clock.advance(expected_s)
        assert await bench.enter()
        other = asyncio.create_task(bench.enter(), name="other")
        await asyncio.sleep(0)
        bench.breaker.probe_failed(OUTAGE, bench.clock.monotonic_s())
        expected_s = min(2 * expected_s, BREAKER.open_at_most_s)
        with pytest.raises(Retryable) as caught:
            await other
        assert caught.value.retry_after_s == expected_s
    assert expected_s == BREAKER.open_at_most_s


async def test_a_probe_that_is_not_made_leaves_its_place_to_the_next() -> None:
    """Cancelled, or without a token: the breaker does not wait for it for ever."""
    bench = Bench()
    bench.fail(BREAKER.failures)
    bench.clock.advance(BREAKER.open_s)
    assert await bench.enter()
    other = asyncio.create_task(bench.enter(), name="other")
    await asyncio.sleep(0)
    bench.breaker.probe_gave_up()
    assert await other
    bench.breaker.succeeded()
    assert bench.states == [HALF_OPEN, OPEN, HALF_OPEN, OPEN, HALF_OPEN, CLOSED]


async def test_a_probe_before_the_breaker_opens_may_not_be_made_either() -> None:
    """Then it stays closed, and the next failure asks for another."""
    bench = Bench()
    for _ in range(BREAKER.failures):
        due = bench.breaker.failed(OUTAGE)
    assert due
    bench.breaker.probe_gave_up()
    assert not await bench.enter()
    assert bench.breaker.failed(OUTAGE)


def test_a_batch_is_halved_after_trouble_and_grows_back() -> None:
    """Never under one call, never over the most; one by one it has to go well for a while."""
    portion = Portion(100)
    portion.shrink()
    assert portion.size == 50
    for _ in range(10):
        portion.shrink()
    assert portion.size == 1
    for _ in range(ALONE - 1):
        portion.grow()
    assert portion.size == 1
    sizes = []
    while not portion.is_whole:
        portion.grow()
        sizes.append(portion.size)
    assert sizes[:6] == [2, 4, 8, 16, 26, 36]
    assert sizes[-1] == 100


def test_pages_are_cut_by_the_second_failure_in_a_row() -> None:
    """Of one call or of the connection; to the smallest, and whole again where that fails too."""
    load = Loads(Unwatched(), 0.0).of(ConnectionId("c"), 0.0)
    assert load.page_failed("timeout", PAGE_SHARES, 1) == PAGE_SHARES
    assert load.page_failed("rate_limited", PAGE_SHARES, 2) == PAGE_SHARES
    assert load.page_failed("timeout", PAGE_SHARES, 1) == PAGE_SHARES // 4
    assert load.page_share.size == PAGE_SHARES // 4
    load.page_came()
    assert load.page_failed("unavailable", 4, 1) == 4
    assert load.page_failed("unavailable", 4, 2) == 1
    assert not load.is_at_rest(0.0)
    assert load.page_failed("unavailable", 1, 3) == 1
    assert load.page_share.is_whole
    assert load.page_failed("response_too_large", PAGE_SHARES, 1) == PAGE_SHARES // 4


@pytest.mark.parametrize(
    ("failure", "counts"),
    [
        (OUTAGE, True),
        (Retryable("slow", code="timeout"), True),
        (Retryable("refused", code="connection_failed"), True),
        (Retryable("too many", code="rate_limited", http_status=429), False),
        (SkipItem("no", http_status=403), False),
        (None, False),
    ],
)
def test_a_breaker_counts_googles_own_trouble_alone(failure: WorkerError | None, counts: bool) -> None:
    """Quota has a limiter of its own, and what concerns one item is an answer."""
    assert is_outage(failure) is counts
