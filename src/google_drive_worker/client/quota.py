"""Google's quotas, kept from our side: a limiter for each user and one for the project, in both of Google's models.

A call waits for its user's bucket, then, still holding its user's turn, for the project's: so each user has at most
one call in the project's queue, and a busy user can't push an idle one back. Both queues are first come, first served;
a waiter sleeps exactly as long as it must. Source: the guide "Usage limits" (requests until, quota units since May
2026).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from google_drive_worker.domain.ports import Clock
from google_drive_worker.utils.errors import Retryable


class Cost(Enum):
    """The price class of a call."""

    READ = "read"
    LIST = "list"
    DOWNLOAD = "download"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SlowDown:
    """What a quota answer does to a rate: it is multiplied by `factor`, and never falls under the share `floor`."""

    factor: float
    floor: float


_USER_SLOW_DOWN = SlowDown(factor=0.5, floor=0.05)
_PROJECT_SLOW_DOWN = SlowDown(factor=0.8, floor=0.3)
"""Gentler: everybody pays for it, and Google's answers don't always tell whose calls were too many."""


@dataclass(frozen=True, slots=True)
class QuotaModel:
    """What a minute allows, and what calls cost of it."""

    project_per_minute: float
    user_per_minute: float
    read: float = 1.0
    list: float = 1.0
    download: float = 1.0
    other: float = 1.0

    def price(self, cost: Cost) -> float:
        """What one call of that class takes."""
        match cost:
            case Cost.READ:
                return self.read
            case Cost.LIST:
                return self.list
            case Cost.DOWNLOAD:
                return self.download
            case Cost.OTHER:
                return self.other


REQUESTS = QuotaModel(project_per_minute=12_000, user_per_minute=12_000)
UNITS = QuotaModel(project_per_minute=1_000_000, user_per_minute=325_000, read=5, list=100, download=200, other=5)

QUOTA_MODELS: dict[Literal["requests", "units"], QuotaModel] = {"requests": REQUESTS, "units": UNITS}
"""By the values of `GDRIVE_QUOTA_MODEL`."""

_BURST_SHARE = 0.1
"""Of a minute's quota, what may go at once after a pause; the steady rate is the rest: no minute exceeds the whole."""
_INCREASE_PER_S = 0.01
"""A hundred seconds from nothing to the full rate: a little over the minute that Google counts by."""
_SAME_EVENT_S = 1.0
"""Refusals so close together answer one overload: calls in flight when the first came."""
_SWEEP_EVERY_S = 60.0


class Bucket:
    """A token bucket whose rate falls on a quota answer and grows back. Holds no clock: `now_s` is passed in."""

    def __init__(self, per_minute: float, now_s: float, slow_down: SlowDown = _USER_SLOW_DOWN) -> None:
        self._slow_down = slow_down
        self._capacity = per_minute * _BURST_SHARE
        self._full_rate = per_minute * (1.0 - _BURST_SHARE) / 60.0
        self._tokens = self._capacity
        self._at_s = now_s
        self._cut_factor = 1.0
        self._cut_at_s = now_s - _SAME_EVENT_S

    def factor(self, now_s: float) -> float:
        """The share of the full rate that is in force."""
        return min(1.0, self._cut_factor + (now_s - self._cut_at_s) * _INCREASE_PER_S)

    def take(self, price: float, now_s: float) -> float:
        """Take `price` and return 0; or take nothing and return the seconds to wait.

        A price over the bucket's size is taken from a full bucket, which then owes the rest.
        """
        wait_s = self.wait_s(price, now_s)
        if not wait_s:
            self._tokens -= price
        return wait_s

    def wait_s(self, price: float, now_s: float) -> float:
        """The seconds to wait before `price` can be taken."""
        rate = self._settle(now_s)
        missing = min(price, self._capacity) - self._tokens
        return missing / rate if missing > 1e-9 * self._capacity else 0.0

    def pay(self, price: float, now_s: float) -> None:
        """Take `price` that was waited for; where a refusal took it away meanwhile, it is owed."""
        self._settle(now_s)
        self._tokens -= price

    def slow_down(self, now_s: float) -> None:
        """Lower the rate and give up the saved-up burst; refusals within a second count once."""
        if now_s - self._cut_at_s < _SAME_EVENT_S:
            return
        self._settle(now_s)
        self._cut_factor = max(self._slow_down.floor, self.factor(now_s) * self._slow_down.factor)
        self._cut_at_s = now_s
        self._tokens = min(self._tokens, 0.0)

    def _settle(self, now_s: float) -> float:
        """Count what came in since the last time, and return the rate in force."""
        rate = self._full_rate * self.factor(now_s)
        self._tokens = min(self._capacity, self._tokens + (now_s - self._at_s) * rate)
        self._at_s = now_s
        return rate

    def is_idle(self, now_s: float) -> bool:
        """Whether it holds no memory: full, and at the full rate."""
        if self.factor(now_s) < 1.0:
            return False
        return self._tokens + (now_s - self._at_s) * self._full_rate >= self._capacity


class _Lane:
    """A bucket and its queue."""

    __slots__ = ("bucket", "turn", "waiting")

    def __init__(self, per_minute: float, now_s: float, slow_down: SlowDown) -> None:
        self.bucket = Bucket(per_minute, now_s, slow_down)
        self.turn = asyncio.Lock()  # wakes its waiters in the order in which they came
        self.waiting = 0


class QuotaLimiter:
    """Lets calls through no faster than the project's and each user's quota allow."""

    def __init__(self, model: QuotaModel, clock: Clock, on_grant: Callable[[float, float], None] | None = None) -> None:
        """`on_grant` is told of each call what it took, and how many seconds it waited for it."""
        self._model = model
        self._on_grant = on_grant
        self._clock = clock
        self._project = _Lane(model.project_per_minute, clock.monotonic_s(), _PROJECT_SLOW_DOWN)
        self._users: dict[str, _Lane] = {}
        self._swept_at_s = clock.monotonic_s()
        self._closed: Retryable | None = None
        self._closed_until_s = 0.0

    @property
    def users(self) -> int:
        """How many users it remembers; who has been idle for long is forgotten."""
        return len(self._users)

    async def acquire(self, user: str, cost: Cost) -> None:
        """Wait until a call of `user` may be made, and count it.

        A wait that is cancelled costs nobody anything. Raises `Retryable` while the project's quota of the day is used
        up: nobody's call would be answered.
        """
        self._refuse_while_closed()
        price = self._model.price(cost)
        came_s = self._clock.monotonic_s()
        lane = self._lane(user)
        lane.waiting += 1
        try:
            async with lane.turn:
                while (delay_s := lane.bucket.wait_s(price, self._clock.monotonic_s())) > 0:
                    await self._clock.sleep(delay_s)
                async with self._project.turn:
                    while (delay_s := self._project.bucket.take(price, self._clock.monotonic_s())) > 0:
                        await self._clock.sleep(delay_s)
                # Only now: paid before the wait for the project, it would count in an earlier minute than Google's.
                lane.bucket.pay(price, self._clock.monotonic_s())
            self._refuse_while_closed()  # it may have been closed while the call waited
        finally:
            lane.waiting -= 1
        if self._on_grant is not None:
            self._on_grant(price, self._clock.monotonic_s() - came_s)

    def refused(self, user: str, *, by_project: bool) -> None:
        """Slow down after a quota answer: the project where Google named it, else this user alone."""
        now_s = self._clock.monotonic_s()
        lane = self._project if by_project else self._lane(user)
        lane.bucket.slow_down(now_s)

    def close(self, failure: Retryable) -> None:
        """Google said that the project may not call any more before `failure.retry_after_s` are over."""
        self._closed, self._closed_until_s = failure, self._clock.monotonic_s() + (failure.retry_after_s or 0.0)

    def _refuse_while_closed(self) -> None:
        if self._closed is None:
            return
        left_s = self._closed_until_s - self._clock.monotonic_s()
        if left_s <= 0:
            self._closed = None
            return
        raise Retryable(
            "the project's quota of the day is used up: no call is made before it starts anew",
            retry_after_s=left_s,
            code=self._closed.code,
            http_status=self._closed.http_status,
            reason=self._closed.reason,
            attempts=0,  # none was made, and none is to be made again before that
        )

    def _lane(self, user: str) -> _Lane:
        lane = self._users.get(user)
        if lane is None:
            now_s = self._clock.monotonic_s()
            self._forget_idle(now_s)
            lane = self._users[user] = _Lane(self._model.user_per_minute, now_s, _USER_SLOW_DOWN)
        return lane

    def _forget_idle(self, now_s: float) -> None:
        """Only when somebody new comes, and at most once a minute: the cost stays small beside a call."""
        if now_s - self._swept_at_s < _SWEEP_EVERY_S:
            return
        self._swept_at_s = now_s
        for user in [u for u, lane in self._users.items() if not lane.waiting and lane.bucket.is_idle(now_s)]:
            del self._users[user]
