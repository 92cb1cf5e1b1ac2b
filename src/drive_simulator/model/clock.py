"""Time as the simulated Drive tells it: Unix milliseconds from a clock that is handed in."""

import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Where the simulator reads the time."""

    def now_ms(self) -> int:
        """The present moment, Unix milliseconds; never goes back."""
        ...


class SystemClock:
    """The machine's clock, kept from going back."""

    def __init__(self) -> None:
        self._latest_ms = 0

    def now_ms(self) -> int:
        """The present moment, Unix milliseconds."""
        self._latest_ms = max(self._latest_ms, time.time_ns() // 1_000_000)
        return self._latest_ms


class ManualClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now_ms: int = 1_767_225_600_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """The moment that was last set, Unix milliseconds."""
        return self._now_ms

    def advance(self, seconds: float) -> None:
        """Go on by that much."""
        self._now_ms += int(seconds * 1000)


class FastClock:
    """A clock that goes `speed` times as fast as the machine's, from `now_ms` on: ten days in a few minutes."""

    def __init__(self, speed: float, now_ms: int = 1_767_225_600_000) -> None:
        self._speed = speed
        self._start_ms = now_ms
        self._started_ns = time.monotonic_ns()

    def now_ms(self) -> int:
        """The present moment, Unix milliseconds."""
        return self._start_ms + int((time.monotonic_ns() - self._started_ns) * self._speed) // 1_000_000


def rfc3339(unix_ms: int) -> str:
    """Write a moment as Drive does: UTC, milliseconds, `Z`."""
    day, rest = divmod(unix_ms, 86_400_000)
    hour, rest = divmod(rest, 3_600_000)
    minute, rest = divmod(rest, 60_000)
    return f"{_date(day)}T{hour:02d}:{minute:02d}:{rest // 1000:02d}.{rest % 1000:03d}Z"


@lru_cache(maxsize=16_384)
def _date(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def parse_rfc3339(text: str) -> int:
    """Read an RFC 3339 moment as Unix milliseconds; without a zone it is UTC. Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
