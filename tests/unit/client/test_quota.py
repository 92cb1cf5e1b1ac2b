"""The quota limiter in virtual time, in both of Google's models."""

import asyncio
import random
from dataclasses import replace

import pytest

from drive_simulator.server import quota as simulated
from google_drive_worker.client.quota import REQUESTS, UNITS, Bucket, Cost, QuotaLimiter, QuotaModel
from google_drive_worker.utils.errors import Retryable
from support.clock import ManualClock

SMALL = QuotaModel(project_per_minute=600, user_per_minute=300)


async def grants(
    limiter: QuotaLimiter, clock: ManualClock, user: str, number: int, log: list[tuple[str, float]]
) -> None:
    """Make that many calls, one after the other, and write down when each was let through."""
    for _ in range(number):
        await limiter.acquire(user, Cost.LIST)
        log.append((user, clock.monotonic_s()))


def most_in_a_minute(log: list[tuple[str, float]], user: str | None = None) -> int:
    """The most calls that any sixty seconds saw."""
    moments = [at for who, at in log if user in {None, who}]
    return max(sum(1 for at in moments if start <= at < start + 60) for start in moments)


@pytest.mark.parametrize(
    ("model", "cost", "user_calls", "project_calls"),
    [
        (REQUESTS, Cost.LIST, 12_000, 12_000),
        (UNITS, Cost.LIST, 3_250, 10_000),
        (UNITS, Cost.READ, 65_000, 200_000),
        (UNITS, Cost.DOWNLOAD, 1_625, 5_000),
        (UNITS, Cost.OTHER, 65_000, 200_000),
    ],
)
def test_what_a_minute_allows(model: QuotaModel, cost: Cost, user_calls: int, project_calls: int) -> None:
    """Both models allow what Google's guide says for each class of calls."""
    assert model.user_per_minute / model.price(cost) == user_calls
    assert model.project_per_minute / model.price(cost) == project_calls


@pytest.mark.parametrize(("model", "allowed"), [(REQUESTS, 12_000), (UNITS, 3_250)])
async def test_a_user_never_exceeds_a_minute(model: QuotaModel, allowed: int) -> None:
    """A user who lists as fast as the limiter lets them stays under their quota in every minute, and near it."""
    clock = ManualClock()
    bucket = Bucket(model.user_per_minute, 0.0)
    price = model.price(Cost.LIST)
    calls_at: list[float] = []
    while clock.monotonic_s() < 60:
        wait_s = bucket.take(price, clock.monotonic_s())
        if wait_s:
            clock.advance(wait_s)
        else:
            calls_at.append(clock.monotonic_s())
    calls = sum(1 for at in calls_at if at < 60)
    assert 0.95 * allowed <= calls <= allowed


async def test_users_together_never_exceed_the_project() -> None:
    """Three users who each stay under their own quota still share the project's."""
    clock = ManualClock()
    limiter = QuotaLimiter(SMALL, clock)
    log: list[tuple[str, float]] = []
    async with asyncio.TaskGroup() as tasks:
        for user in "abc":
            tasks.create_task(grants(limiter, clock, user, 300, log))
    assert most_in_a_minute(log) <= 600
    assert all(most_in_a_minute(log, user) <= 300 for user in "abc")
    assert clock.monotonic_s() < 100


async def test_a_busy_user_does_not_hold_up_an_idle_one() -> None:
    """A user's first call goes through at once although another has a hundred waiting."""
    clock = ManualClock()
    limiter = QuotaLimiter(SMALL, clock)
    busy: list[tuple[str, float]] = []
    quiet: list[tuple[str, float]] = []
    async with asyncio.TaskGroup() as tasks:
        for _ in range(100):
            tasks.create_task(grants(limiter, clock, "busy", 1, busy))
        await asyncio.sleep(0)
        tasks.create_task(grants(limiter, clock, "quiet", 1, quiet))
    assert quiet[0][1] < 1.0
    assert busy[-1][1] > 10.0


async def test_waiters_are_served_in_their_order() -> None:
    """Calls of one user go through in the order in which they came, also the dear after the cheap."""
    clock = ManualClock()
    limiter = QuotaLimiter(QuotaModel(600, 300, list=20), clock)
    served: list[int] = []

    async def call(number: int) -> None:
        await limiter.acquire("a", Cost.LIST if number % 3 == 0 else Cost.READ)
        served.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(60):
            tasks.create_task(call(number))
    assert served == list(range(60))


async def test_waiting_is_one_sleep_a_call() -> None:
    """A waiter sleeps for exactly as long as it must, and never polls."""
    clock = ManualClock()
    limiter = QuotaLimiter(SMALL, clock)
    log: list[tuple[str, float]] = []
    await grants(limiter, clock, "a", 130, log)
    assert len(clock.sleeps) <= 130 - 30 + 1


async def test_a_price_over_the_bucket_is_still_let_through() -> None:
    """A call that costs more than a burst waits for a full bucket and is paid off afterwards."""
    clock = ManualClock()
    limiter = QuotaLimiter(QuotaModel(6000, 60, list=30), clock)
    await limiter.acquire("a", Cost.LIST)
    assert clock.monotonic_s() == 0
    await limiter.acquire("a", Cost.LIST)
    assert clock.monotonic_s() == pytest.approx(30 / 0.9)


async def test_a_cancelled_wait_lets_the_next_one_through() -> None:
    """A waiter that is cancelled leaves its place to the one behind it."""
    clock = ManualClock()
    limiter = QuotaLimiter(SMALL, clock)
    for _ in range(30):
        await limiter.acquire("a", Cost.READ)
    first = asyncio.create_task(limiter.acquire("a", Cost.READ), name="first")
    second = asyncio.create_task(limiter.acquire("a", Cost.READ), name="second")
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait_for(second, 5)
    assert first.cancelled()


def test_quota_answers_slow_down_and_time_speeds_up() -> None:
    """A refusal halves the rate, its twins within a second don't, and the rate grows back to the full one, steadily."""
    bucket = Bucket(6000, 0.0)
    bucket.slow_down(10.0)
    bucket.slow_down(10.5)
    assert bucket.factor(10.0) == pytest.approx(0.5)
    assert bucket.factor(20.0) == pytest.approx(0.6)
    bucket.slow_down(20.0)
    assert bucket.factor(20.0) == pytest.approx(0.3)
    assert bucket.factor(1000.0) == 1.0


def test_the_rate_has_a_floor() -> None:
    """However many refusals come, calls go on slowly: that is how the limiter learns that they pass again."""
    bucket = Bucket(6000, 0.0)
    for second in range(0, 100, 2):
        bucket.slow_down(float(second))
    assert bucket.factor(98.0) >= 0.05
    assert 0 < bucket.take(1.0, 98.0) < 1.0


async def test_a_refused_user_slows_alone_unless_the_project_was_meant() -> None:
    """A user's refusal leaves others at full speed; the project's slows them all."""
    clock = ManualClock()
    limiter = QuotaLimiter(SMALL, clock)
    limiter.refused("a", by_project=False)
    await limiter.acquire("b", Cost.READ)
    assert clock.monotonic_s() == 0
    limiter.refused("a", by_project=True)
    await limiter.acquire("b", Cost.READ)
    assert clock.monotonic_s() > 0


async def test_idle_users_are_forgotten() -> None:
    """Thousands of users who came once cost no memory a minute later; one in trouble is remembered."""
    clock = ManualClock()
    limiter = QuotaLimiter(REQUESTS, clock)
    for number in range(5000):
        await limiter.acquire(f"user {number}", Cost.READ)
    limiter.refused("user 7", by_project=False)
    assert limiter.users == 5000
    clock.advance(45.0)
    await limiter.acquire("somebody new", Cost.READ)
    assert limiter.users == 2


async def test_a_call_that_waits_when_the_days_quota_ends_is_not_made() -> None:
    """Whoever stands in the queue is refused as whoever comes later, until the reset."""
    clock = ManualClock()
    limiter = QuotaLimiter(QuotaModel(project_per_minute=60, user_per_minute=60), clock)
    for _ in range(6):  # the burst
        await limiter.acquire("a", Cost.READ)
    waiting = asyncio.ensure_future(limiter.acquire("a", Cost.READ))
    await asyncio.sleep(0)
    limiter.close(Retryable("over", retry_after_s=3_600.0, code="daily_limit_exceeded"))
    with pytest.raises(Retryable) as caught:
        await waiting
    assert caught.value.code == "daily_limit_exceeded"
    clock.advance(3_600)
    await limiter.acquire("a", Cost.READ)


GOOGLES = {Cost.READ: "files.get", Cost.LIST: "files.list", Cost.OTHER: "about.get", Cost.DOWNLOAD: "files.get"}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("ours", "googles"),
    [
        (replace(UNITS, project_per_minute=20_000, user_per_minute=9_000), simulated.unit_model(20_000, 9_000)),
        (replace(REQUESTS, project_per_minute=200, user_per_minute=90), simulated.request_model(200, 90)),
    ],
    ids=["units", "requests"],
)
async def test_googles_own_count_refuses_no_call(ours: QuotaModel, googles: simulated.QuotaModel, seed: int) -> None:
    """Bursts, pauses, batches paid call by call, prices of all kinds, rates cut at any time: no minute is exceeded."""
    clock, draw = ManualClock(), random.Random(seed)  # noqa: S311 - patterns that can be repeated
    limiter, google = QuotaLimiter(ours, clock), simulated.Quota(googles, clock.monotonic_s)
    spent: list[tuple[float, str, float]] = []

    async def call(user: str) -> None:
        cost = draw.choice(list(Cost))
        await limiter.acquire(user, cost)
        assert google.charge(GOOGLES[cost], user, media=cost is Cost.DOWNLOAD) is None
        spent.append((clock.monotonic_s(), user, ours.price(cost)))

    async def connection(user: str) -> None:
        for _ in range(15):
            for _ in range(draw.choice((1, 1, 20))):
                await call(user)
            if draw.random() < 0.1:
                limiter.refused(user, by_project=draw.random() < 0.3)
            if draw.random() < 0.2:
                await clock.sleep(draw.random() * 90)

    async with asyncio.TaskGroup() as tasks:
        for number in range(9):
            tasks.create_task(connection("abc"[number % 3]), name=f"connection {number}")
    for limit, users in ((ours.project_per_minute, "abc"), *((ours.user_per_minute, user) for user in "abc")):
        taken = [(at, price) for at, user, price in spent if user in users]
        most = max(sum(price for at, price in taken if since <= at < since + 60) for since, _ in taken)
        assert most <= limit * (1 + 1e-9)
    assert clock.monotonic_s() > 60  # or no minute was ever full
