"""Whose turn it is: newcomers before those that had theirs, so many at once, each briefly while others wait."""

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.ports import Clock

LONGEST_TURN_S = 60.0
"""How much longer a turn may last where nobody waits: a new turn looks at the connection's status and settings anew."""

LOOK_S = 60.0
"""How long the scheduler sleeps at most: a clock that is set meanwhile moves every moment that is waited for."""

CLOCK_SET_S = 5.0
"""How far the wall clock and the monotonic one drift apart in one sleep at most, unless one of them is set."""

NEWCOMERS_IN_A_ROW = 3
"""How many newcomers get a place before one that had a turn already gets the next."""


class Seat(NamedTuple):
    """A connection in the partition that it is owned through."""

    partition: int
    connection_id: ConnectionId


TakeTurn = Callable[[Seat, Callable[[], bool]], Awaitable[None]]
"""Drives a connection until it has nothing to do or the function given says that its turn is over. Never raises."""

DueAt = Callable[[Seat], datetime | None]
"""When the connection wants its next turn; `None` when it wants none."""


class Scheduler:
    """Gives turns, newcomers first. A connection that rests waits in a heap, not in a task.

    `at_once` bounds the turns side by side. A turn is over after `turn_s` seconds, though only if others wait. Its
    place goes to the next one at once, while it finishes what it has under way: an answer that does not come holds
    nobody up, as long as no more than `at_once` turns are finishing.

    A newcomer has had no turn since it last had nothing to do, and most of them need only one: a small sync is over
    before a huge one notices. One place in so many is kept for the others all the same, whatever flood comes.
    """

    def __init__(self, take_turn: TakeTurn, due_at: DueAt, clock: Clock, *, at_once: int, turn_s: float) -> None:
        self._take_turn = take_turn
        self._due_at = due_at
        self._clock = clock
        self._at_once = at_once
        self._turn_s = turn_s
        self._newcomers: deque[Seat] = deque()
        self._unfinished: deque[Seat] = deque()
        self._in_a_row = 0
        self._queued_s: dict[Seat, float] = {}
        self._resting: list[tuple[datetime, Seat]] = []
        self._due: dict[Seat, datetime] = {}
        self._running: dict[Seat, asyncio.Task[None]] = {}
        self._ends_s: dict[Seat, float] = {}  # of turns that hold a place, the one that began first in front
        self._leaving: set[int] = set()
        self._stopping = False
        self._changed = asyncio.Event()
        self._wall_ahead_s = self._read_wall_ahead_s()

    @property
    def resting(self) -> int:
        """How many wait for a later moment; one that is due at another moment than before may count twice."""
        return len(self._resting)

    @property
    def running(self) -> int:
        """How many turns are under way, those that are finishing included."""
        return len(self._running)

    @property
    def in_place(self) -> int:
        """How many turns are under way that are not over yet."""
        return len(self._ends_s)

    def share(self, in_all: int) -> int:
        """An even share of so many for each turn in place: one at least."""
        return max(1, in_all // max(1, len(self._ends_s)))

    @property
    def waiting(self) -> int:
        """How many could have a turn now, and wait for a place."""
        return len(self._queued_s)

    def longest_wait_s(self) -> float:
        """How long the one that waits longest for a place has waited by now, in seconds; 0 where nobody waits."""
        fronts = [self._queued_s[queue[0]] for queue in (self._newcomers, self._unfinished) if queue]
        return self._clock.monotonic_s() - min(fronts) if fronts else 0.0

    def ask(self, seat: Seat) -> None:
        """The connection may have something to do: it gets a turn when it is due."""
        self._ask(seat, self._newcomers)

    def _ask(self, seat: Seat, queue: deque[Seat]) -> None:
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
        elif seat not in self._queued_s:
            queue.append(seat)
            self._queued_s[seat] = self._clock.monotonic_s()
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
                while self._queued_s and self._has_place() and not self._stopping:
                    seat = self._next()
                    self._ends_s[seat] = self._clock.monotonic_s() + self._turn_s
                    self._running[seat] = group.create_task(self._turn(seat), name=f"turn:{seat.connection_id}")
                await self._wait(next_due)

    def _next(self) -> Seat:
        """Take the next one out of the line."""
        newcomer = bool(self._newcomers) and (self._in_a_row < NEWCOMERS_IN_A_ROW or not self._unfinished)
        seat = (self._newcomers if newcomer else self._unfinished).popleft()
        self._in_a_row = self._in_a_row + 1 if newcomer else 0
        del self._queued_s[seat]
        return seat

    def _has_place(self) -> bool:
        """Whether a turn may begin; the one whose time was up first makes room for it."""
        if len(self._running) >= 2 * self._at_once:
            return False
        if len(self._ends_s) < self._at_once:
            return True
        seat, ends_s = next(iter(self._ends_s.items()))
        if ends_s > self._clock.monotonic_s():
            return False
        del self._ends_s[seat]
        return True

    async def _turn(self, seat: Seat) -> None:
        def is_over() -> bool:
            ends_s = self._ends_s.get(seat)
            if ends_s is None or self._stopping or seat.partition in self._leaving:
                return True
            now_s = self._clock.monotonic_s()
            if now_s < ends_s or not (self._queued_s or now_s >= ends_s + LONGEST_TURN_S):
                return False
            del self._ends_s[seat]  # for good: a turn that was told so once begins nothing any more
            self._changed.set()
            return True

        try:
            await self._take_turn(seat, is_over)
        finally:
            self._running.pop(seat, None)
            self._ends_s.pop(seat, None)
            self._changed.set()
        self._ask(seat, self._unfinished)

    def _wake_rested(self) -> datetime | None:
        self._ask_again_where_the_clock_was_set()
        now = self._clock.now()
        while self._resting and self._resting[0][0] <= now:
            due, seat = heapq.heappop(self._resting)
            if self._due.get(seat) == due:
                del self._due[seat]
            self._ask(seat, self._unfinished)  # it had a turn, and trouble gives no precedence
        return self._resting[0][0] if self._resting else None

    def _ask_again_where_the_clock_was_set(self) -> None:
        """Those that rest wait for times by the old clock: each is asked again when it is due by the new one."""
        before, self._wall_ahead_s = self._wall_ahead_s, self._read_wall_ahead_s()
        if abs(self._wall_ahead_s - before) <= CLOCK_SET_S:
            return
        seats = dict.fromkeys(seat for _, seat in self._resting)
        self._resting, self._due = [], {}
        for seat in seats:
            self._ask(seat, self._unfinished)

    def _read_wall_ahead_s(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic_s()

    async def _wait(self, next_due: datetime | None) -> None:
        waits_s = [] if next_due is None else [LOOK_S, (next_due - self._clock.now()).total_seconds()]
        if self._queued_s and len(self._running) < 2 * self._at_once:  # the next place comes with the end of a turn
            waits_s += [ends_s - self._clock.monotonic_s() for ends_s in islice(self._ends_s.values(), 1)]
        try:
            async with asyncio.timeout(max(0.0, min(waits_s)) if waits_s else None):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _forget(self, partitions: set[int]) -> None:
        self._newcomers = deque(seat for seat in self._newcomers if seat.partition not in partitions)
        self._unfinished = deque(seat for seat in self._unfinished if seat.partition not in partitions)
        self._queued_s = {seat: since_s for seat, since_s in self._queued_s.items() if seat.partition not in partitions}
        self._resting = [entry for entry in self._resting if entry[1].partition not in partitions]
        heapq.heapify(self._resting)
        self._due = {seat: due for seat, due in self._due.items() if seat.partition not in partitions}


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
