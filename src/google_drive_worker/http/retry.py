"""The one retry layer: full jitter, Retry-After honoured, bounded by attempts and by time.

The decision is `next_delay_s`, a pure function of values; `retrying` acts on it. Source of the jitter: M. Brooker,
"Exponential Backoff And Jitter" (AWS Architecture Blog, 2015); of the cap: Drive's guide "Resolve errors" (32 or 64 s).
"""

import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from google_drive_worker.domain.ports import Clock
from google_drive_worker.utils.errors import Retryable

T = TypeVar("T")

_HINT_AT_MOST_S = 3600.0
"""Asking each hour is no load, however long a wait is asked for."""

_ABSURD_S = 24 * 3600.0
"""Who asks for more, or for a time long past, has a clock or a date that is wrong: it says nothing."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long; times in seconds."""

    attempts: int = 6
    """Tries in all, the first included."""
    base_s: float = 1.0
    cap_s: float = 64.0
    total_s: float = 120.0
    """From the first try's start: when this is used up no further one starts."""
    hint_s: float = 64.0
    """The longest Retry-After that is waited for here; a longer one is the caller's, who can park the connection."""


DRIVE_RETRY = RetryPolicy()
"""A Drive call's: about a minute of backoff, then the caller parks the connection."""


def next_delay_s(
    attempt: int, elapsed_s: float, failure: Retryable, policy: RetryPolicy, random: Callable[[], float]
) -> float | None:
    """Say how long to wait after the failed try number `attempt` (from 1), or `None` to give up.

    `elapsed_s` counts from the first try's start; `random` gives numbers from 0 up to 1. A Retry-After is never cut
    short: the jitter comes on top of it, up to a tenth, so that the many who were told the same don't come back as one.
    """
    if attempt >= policy.attempts:
        return None
    delay_s = random() * backoff_ceiling_s(attempt, policy)
    if failure.retry_after_s is not None:
        if failure.retry_after_s > policy.hint_s:
            return None
        delay_s = max(delay_s, failure.retry_after_s * (1.0 + 0.1 * random()))
    return None if elapsed_s + delay_s > policy.total_s else delay_s


def backoff_ceiling_s(attempt: int, policy: RetryPolicy) -> float:
    """The longest backoff after try number `attempt` (from 1): doubles each time, up to the cap."""
    return float(min(policy.cap_s, policy.base_s * 2.0 ** min(attempt - 1, 32)))


def parse_retry_after_s(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or an HTTP date (RFC 9110, section 10.2.3), as seconds from `now`.

    `None` where it is absent or unreadable; between zero and an hour otherwise.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return _sane_s(float(text[:20]))
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        delay_s = (moment - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):  # all of them come of dates that are none
        return None
    return _sane_s(delay_s)


def _sane_s(delay_s: float) -> float | None:
    return None if abs(delay_s) > _ABSURD_S else min(max(delay_s, 0.0), _HINT_AT_MOST_S)


async def retrying(
    attempt: Callable[[int], Awaitable[T]],
    *,
    policy: RetryPolicy,
    clock: Clock,
    random: Callable[[], float],
    may_retry: Callable[[Retryable], bool] | None = None,
) -> T:
    """Call `attempt` with 1, 2, … until it returns, raises anything but `Retryable`, or the policy gives up.

    `may_retry` is asked last, before each further try, and counts it; where it says no, that is given up as well.

    The error then raised is the last one's, with `attempts` and with `retry_after_s`: Google's own hint, or the
    policy's next backoff. A `Retryable` that already counts its attempts was retried further down and goes straight
    through.
    """
    started_s = clock.monotonic_s()
    number = 1
    while True:
        try:
            return await attempt(number)
        except Retryable as raised:
            failure = raised
        if failure.attempts is not None:
            raise failure
        delay_s = next_delay_s(number, clock.monotonic_s() - started_s, failure, policy, random)
        if delay_s is None or (may_retry is not None and not may_retry(failure)):
            raise given_up(failure, number, policy)
        await clock.sleep(delay_s)
        number += 1


def given_up(failure: Retryable, attempts: int, policy: RetryPolicy) -> Retryable:
    """The error to raise after so many tries: the last one's, with the time after which the next is worth it."""
    final = copy.copy(failure)
    final.attempts = attempts
    if final.retry_after_s is None:
        final.retry_after_s = backoff_ceiling_s(attempts + 1, policy)
    return final
