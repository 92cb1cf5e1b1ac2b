"""What turns come to in the long run, in virtual time: who is served how much, and who waits how long."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.scheduler import Scheduler, Seat
from support.clock import ManualClock

PAGE_S = 0.08
PLACES = 10
TURN_S = 1.0
REST_S = 1.5


class Google:
    """Connections with pages left to fetch, one after the other, each of which takes its time."""

    def __init__(self, pages: dict[str, int]) -> None:
        self.clock = ManualClock()
        self.left = {Seat(0, ConnectionId(name)): count for name, count in pages.items()}
        self.served: list[tuple[float, Seat]] = []
        self.rests: dict[Seat, datetime] = {}
        self.scheduler = Scheduler(self._turn, self._due, self.clock, at_once=PLACES, turn_s=TURN_S)

    async def serve(self, until_s: float, newcomers: dict[float, str]) -> None:
        """Run until then; at those moments a newcomer asks for six pages."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.scheduler.run(), name="scheduler")
            for seat in self.left:
                self.scheduler.ask(seat)
            for moment_s, name in newcomers.items():
                await self.clock.sleep(moment_s - self.clock.monotonic_s())
                seat = Seat(0, ConnectionId(name))
                self.left[seat] = 6
                self.scheduler.ask(seat)
            await self.clock.sleep(until_s - self.clock.monotonic_s())
            await self.scheduler.stop(0)

    def took_s(self, name: str, since_s: float) -> float:
        """How long after that moment the connection got its last page."""
        return max(moment_s for moment_s, seat in self.served if seat.connection_id == name) - since_s

    def jain(self, begin_s: float, end_s: float) -> float:
        """Jain's index of the pages that those with pages left got between two moments."""
        pages = Counter(seat for moment_s, seat in self.served if begin_s <= moment_s < end_s)
        values = [pages[seat] for seat, left in self.left.items() if left]
        return sum(values) ** 2 / (len(values) * sum(value * value for value in values))

    async def _turn(self, seat: Seat, is_over: Callable[[], bool]) -> None:
        if seat.connection_id.startswith("failing"):
            await self.clock.sleep(TURN_S)
            self.rests[seat] = self.clock.now() + timedelta(seconds=REST_S)
            return
        while self.left[seat] and not is_over():
            await self.clock.sleep(PAGE_S)
            self.left[seat] -= 1
            self.served.append((self.clock.monotonic_s(), seat))

    def _due(self, seat: Seat) -> datetime | None:
        return self.rests.get(seat, self.clock.now()) if self.left[seat] else None


async def test_forty_huge_connections_are_served_alike_in_ten_places() -> None:
    """In each two rounds, and not only in the long run; at first some have their second turn before others' first."""
    google = Google({f"huge_{number}": 100_000 for number in range(40)})
    await google.serve(40, {})
    indices = [google.jain(begin_s, begin_s + 8) for begin_s in range(0, 32, 4)]
    assert indices[0] > 0.85
    assert min(indices[1:]) > 0.98, indices


async def test_a_small_connection_waits_a_turn_and_not_a_round() -> None:
    """However many huge ones have asked before it."""
    google = Google({f"huge_{number}": 100_000 for number in range(100)})
    moments = {15.0 + 0.7 * number: f"small_{number}" for number in range(10)}
    await google.serve(30, moments)
    assert max(google.took_s(name, since_s) for since_s, name in moments.items()) < TURN_S + 7 * PAGE_S


async def test_connections_in_trouble_have_no_precedence_over_the_others() -> None:
    """Those that fail and rest, over and over, take turns as everybody does: at most their share of the places."""
    google = Google({name: 100_000 for number in range(20) for name in (f"huge_{number}", f"failing_{number}")})
    await google.serve(30, {})
    alone = Google({f"huge_{number}": 100_000 for number in range(20)})
    await alone.serve(30, {})
    assert len(google.served) > 0.45 * len(alone.served)
