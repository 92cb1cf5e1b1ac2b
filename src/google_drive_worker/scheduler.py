"""Whose turn it is: connections in order of arrival, so many at once, each for a bounded time while others wait."""

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.ports import Clock

LONGEST_TURN_S = 60.0
"""How much longer a turn may last where nobody waits: a new turn looks at the connection's status and settings anew."""


class Seat(NamedTuple):
    """A connection in the partition that it is owned through."""

    partition: int
    connection_id: ConnectionId


TakeTurn = Callable[[Seat, Callable[[], bool]], Awaitable[None]]
"""Drives a connection until it has nothing to do or the function given says that its turn is over. Never raises."""

DueAt = Callable[[Seat], datetime | None]
"""When the connection wants its next turn; `None` when it wants none."""


class Scheduler:
    """Gives turns in the order of asking. A connection that rests waits in a heap, not in a task.

    `at_once` bounds the turns side by side. A turn is over after `turn_s` seconds, though only if others wait.
    """

    def __init__(self, take_turn: TakeTurn, due_at: DueAt, clock: Clock, *, at_once: int, turn_s: float) -> None:
        self._take_turn = take_turn
        self._due_at = due_at
        self._clock = clock
        self._at_once = at_once
        self._turn_s = turn_s
        self._waiting: deque[Seat] = deque()
        self._queued: set[Seat] = set()
        self._resting: list[tuple[datetime, Seat]] = []
        self._due: dict[Seat, datetime] = {}
        self._running: dict[Seat, asyncio.Task[None]] = {}
        self._leaving: set[int] = set()
        self._stopping = False
        self._changed = asyncio.Event()

    @property
    def resting(self) -> int:
        """How many wait for a later moment; one that is due at another moment than before may count twice."""
        return len(self._resting)

    @property
    def running(self) -> int:
        """How many turns are under way."""
        return len(self._running)

    def ask(self, seat: Seat) -> None:
        """The connection may have something to do: it gets a turn when it is due."""
        if seat in self._running or seat.partition in self._leaving:
            return  # a turn that ends asks again by itself
        due = self._due_at(seat)
        if due is None:
            return
        if due > self._clock.now():
            if self._due.get(seat) == due:
                return  # it waits already: triggers for a connection that rests must not pile up
            self._due[seat] = due
            heapq.heappush(self._resting, (due, seat))
        elif seat not in self._queued:
            self._waiting.append(seat)
            self._queued.add(seat)
        self._changed.set()

    def admit(self, partition: int) -> None:
        """Turns may be given to the partition's connections."""
        self._leaving.discard(partition)

    async def release(self, partitions: Iterable[int], timeout_s: float) -> None:
        """Give the partitions' connections no more turns; those under way end in good order, or after `timeout_s`."""
        leaving = set(partitions)
        self._leaving |= leaving
        tasks = [task for seat, task in self._running.items() if seat.partition in leaving]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout_s)
            await _cancel(late)
        self._forget(leaving)

    async def abort(self, partitions: Iterable[int]) -> None:
        """End the partitions' turns at once."""
        await self.release(partitions, 0)

    async def stop(self, timeout_s: float) -> None:
        """Give no more turns at all; those under way end in good order, or after `timeout_s`."""
        self._stopping = True
        self._changed.set()
        if self._running:
            _, late = await asyncio.wait(list(self._running.values()), timeout=timeout_s)
            await _cancel(late)

    async def run(self) -> None:
        """Give turns, until `stop`."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._changed.clear()
                next_due = self._wake_rested()
                while self._waiting and len(self._running) < self._at_once and not self._stopping:
                    seat = self._waiting.popleft()
                    self._queued.discard(seat)
                    self._running[seat] = group.create_task(self._turn(seat), name=f"turn:{seat.connection_id}")
                await self._wait(next_due)

    async def _turn(self, seat: Seat) -> None:
        ends_s = self._clock.monotonic_s() + self._turn_s

        def is_over() -> bool:
            if self._stopping or seat.partition in self._leaving:
                return True
            now_s = self._clock.monotonic_s()
            return now_s >= ends_s and (bool(self._waiting) or now_s >= ends_s + LONGEST_TURN_S)

        try:
            await self._take_turn(seat, is_over)
        finally:
            self._running.pop(seat, None)
            self._changed.set()
        self.ask(seat)

    def _wake_rested(self) -> datetime | None:
        now = self._clock.now()
        while self._resting and self._resting[0][0] <= now:
            due, seat = heapq.heappop(self._resting)
            if self._due.get(seat) == due:
                del self._due[seat]
            self.ask(seat)
        return self._resting[0][0] if self._resting else None

    async def _wait(self, next_due: datetime | None) -> None:
        timeout_s = None if next_due is None else max(0.0, (next_due - self._clock.now()).total_seconds())
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _forget(self, partitions: set[int]) -> None:
        self._waiting = deque(seat for seat in self._waiting if seat.partition not in partitions)
        self._queued = set(self._waiting)
        self._resting = [entry for entry in self._resting if entry[1].partition not in partitions]
        heapq.heapify(self._resting)
        self._due = {seat: due for seat, due in self._due.items() if seat.partition not in partitions}


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
