"""The retry policy, as a pure function and as a loop."""

from datetime import UTC, datetime

import pytest

from google_drive_worker.http.retry import RetryPolicy, next_delay_s, parse_retry_after_s, retrying
from google_drive_worker.utils.errors import Retryable, Terminal
from support.clock import ManualClock

POLICY = RetryPolicy(attempts=6, base_s=1.0, cap_s=64.0, total_s=1000.0, hint_s=64.0)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FAILURE = Retryable("trouble")


@pytest.mark.parametrize(("attempt", "ceiling_s"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16)])
def test_full_jitter_doubles_its_ceiling(attempt: int, ceiling_s: float) -> None:
    """A delay lies anywhere from nothing to a ceiling that doubles with each attempt."""
    assert next_delay_s(attempt, 0, FAILURE, POLICY, lambda: 0.0) == 0
    assert next_delay_s(attempt, 0, FAILURE, POLICY, lambda: 1.0) == ceiling_s


def test_backoff_is_capped() -> None:
    """However often it failed, no backoff is longer than the cap."""
    policy = RetryPolicy(attempts=5000, total_s=1e9)
    assert next_delay_s(4000, 0, FAILURE, policy, lambda: 1.0) == policy.cap_s


def test_attempts_are_bounded() -> None:
    """After the last attempt there is no other."""
    assert next_delay_s(6, 0, FAILURE, POLICY, lambda: 0.5) is None


def test_total_time_is_bounded() -> None:
    """A try that would start after the total time is not made."""
    assert next_delay_s(1, 999.5, FAILURE, POLICY, lambda: 1.0) is None
    assert next_delay_s(1, 999.5, FAILURE, POLICY, lambda: 0.1) is not None


def test_retry_after_is_never_cut_short() -> None:
    """Google's own Retry-After is the least that is waited."""
    told = Retryable("slow down", retry_after_s=30.0)
    assert next_delay_s(1, 0, told, POLICY, lambda: 0.0) == 30.0
    assert next_delay_s(1, 0, told, POLICY, lambda: 1.0) == pytest.approx(33.0)


def test_a_long_retry_after_is_the_callers_to_wait_for() -> None:
    """A Retry-After over the policy's bound ends the retries at once."""
    told = Retryable("tomorrow", retry_after_s=8 * 3600.0)
    assert next_delay_s(1, 0, told, POLICY, lambda: 0.0) is None


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [
        (None, None),
        ("12", 12.0),
        (" 7 ", 7.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("99999999999999", None),
        ("1" + "0" * 30, None),
        ("Thu, 23 Nov 2056 12:00:30 GMT", None),
        ("Mon, 23 Nov 2026 20:00:00 GMT", 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", None),
        ("Mon, 23 Nov 2026 12:00:30 +99999999999999", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_retry_after_in_both_forms(header: str | None, expected_s: float | None) -> None:
    """Seconds and HTTP dates are read, nonsense and more than a day are as if absent, and an hour is the longest."""
    assert parse_retry_after_s(header, NOW) == expected_s


async def test_success_after_failures() -> None:
    """The loop goes on until a try succeeds, and tells each its number."""
    clock, tries = ManualClock(), list[int]()

    async def attempt(number: int) -> str:
        tries.append(number)
        if number < 3:
            raise Retryable("not yet")
        return "done"

    assert await retrying(attempt, policy=POLICY, clock=clock, random=lambda: 1.0) == "done"
    assert tries == [1, 2, 3]
    assert clock.sleeps == [1.0, 2.0]


async def test_giving_up_says_how_often_and_when_again() -> None:
    """The last error carries the attempts made and a time to come back."""
    clock = ManualClock()

    async def attempt(_: int) -> None:
        raise Retryable("down", code="unavailable", http_status=503)

    with pytest.raises(Retryable) as caught:
        await retrying(attempt, policy=POLICY, clock=clock, random=lambda: 1.0)
    assert (caught.value.attempts, caught.value.http_status) == (6, 503)
    assert caught.value.retry_after_s == 64.0
    assert len(clock.sleeps) == 5


async def test_other_errors_are_not_retried() -> None:
    """What says stop is obeyed at once."""
    clock = ManualClock()

    async def attempt(_: int) -> None:
        raise Terminal("no")

    with pytest.raises(Terminal):
        await retrying(attempt, policy=POLICY, clock=clock, random=lambda: 1.0)
    assert clock.sleeps == []


async def test_what_was_retried_below_is_not_retried_again() -> None:
    """Two layers never multiply their attempts."""
    clock = ManualClock()

    async def attempt(_: int) -> None:
        raise Retryable("no token", attempts=4)

    with pytest.raises(Retryable) as caught:
        await retrying(attempt, policy=POLICY, clock=clock, random=lambda: 1.0)
    assert caught.value.attempts == 4
    assert clock.sleeps == []
