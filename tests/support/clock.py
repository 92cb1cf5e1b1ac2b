"""A clock that tests own: sleeping on it takes no time, only moves it."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_TURNS_BEFORE_JUMP = 3


class ManualClock:
    """Implements `Clock` in virtual time.

    While somebody sleeps, the clock jumps to the earliest deadline as soon as the loop has had a few turns for whoever
    is not asleep; so sleepers wake in the order of their deadlines, exactly then. `advance` moves it by hand.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()
        self._jump_planned = False
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        """The virtual moment, UTC."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic_s(self) -> float:
        """Virtual seconds since the clock was made."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Let that much time pass, and wake whom it wakes."""
        self._elapsed_s += seconds
        self._wake()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time; `sleeps` keeps what was asked for."""
        self.sleeps.append(seconds)
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + max(0.0, seconds), next(self._order), woken))
        self._plan_jump(loop)
        await woken

    def _plan_jump(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._jump_planned and self._sleepers:
            self._jump_planned = True
            self._count_down(loop, _TURNS_BEFORE_JUMP)

    def _count_down(self, loop: asyncio.AbstractEventLoop, turns: int) -> None:
        if turns:
            loop.call_soon(self._count_down, loop, turns - 1)
            return
        self._jump_planned = False
        while self._sleepers and self._sleepers[0][2].done():  # cancelled
            heapq.heappop(self._sleepers)
        if self._sleepers:
            self._elapsed_s = max(self._elapsed_s, self._sleepers[0][0])
            self._wake()
            self._plan_jump(loop)

    def _wake(self) -> None:
        while self._sleepers and self._sleepers[0][0] <= self._elapsed_s:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)
