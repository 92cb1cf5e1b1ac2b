"""Who gets a turn, when, and for how long."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.scheduler import Scheduler, Seat
from support.clock import START, ManualClock


class Bench:
    """A scheduler whose turns last until the test ends them, or until they are over."""

    def __init__(self, at_once: int, clock: ManualClock) -> None:
        self.clock = clock
        self.due: dict[Seat, datetime | None] = {}
        self.turns: list[Seat] = []
        self.most = 0
        self.is_over: dict[Seat, Callable[[], bool]] = {}
        self.ends: dict[Seat, asyncio.Event] = {}
        self.cancelled: list[Seat] = []
        self.scheduler = Scheduler(self.take_turn, self.due.get, self.clock, at_once=at_once, turn_s=10.0)

    async def take_turn(self, seat: Seat, is_over: Callable[[], bool]) -> None:
        """A turn that goes on until `end`."""
        self.turns.append(seat)
        self.is_over[seat] = is_over
        self.ends[seat] = asyncio.Event()
        self.most = max(self.most, self.scheduler.running)
        try:
            await self.ends[seat].wait()
        except asyncio.CancelledError:
            self.cancelled.append(seat)
            raise

    def ask(self, *names: str, partition: int = 0, due: datetime | None = START) -> list[Seat]:
        """Connections ask for a turn."""
        seats = [Seat(partition, ConnectionId(name)) for name in names]
        for seat in seats:
            self.due[seat] = due
            self.scheduler.ask(seat)
        return seats

    async def end(self, seat: Seat, *, due: datetime | None = None) -> None:
        """The seat's turn ends, and it wants the next one at `due`."""
        self.due[seat] = due
        self.ends[seat].set()
        await settled()


@asynccontextmanager
async def bench(at_once: int = 2, clock: ManualClock | None = None) -> AsyncIterator[Bench]:
    """Run a scheduler, and stop it."""
    made = Bench(at_once, clock or ManualClock())
    async with asyncio.TaskGroup() as group:
        group.create_task(made.scheduler.run(), name="scheduler")
        yield made
        await made.scheduler.stop(0)


async def settled() -> None:
    """Let everything that is ready run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_turns_are_given_in_the_order_of_asking_and_so_many_at_once() -> None:
    """The next one begins as soon as one ends."""
    async with bench(at_once=2) as made:
        a, b, c, d = made.ask("a", "b", "c", "d")
        await settled()
        assert made.turns == [a, b]
        await made.end(b)
        await made.end(a)
        assert made.turns == [a, b, c, d]
        assert made.most == 2


async def test_who_wants_more_goes_to_the_end_of_the_line() -> None:
    """However much a connection has to do, the others come in between."""
    async with bench(at_once=1) as made:
        a, b = made.ask("a", "b")
        await settled()
        await made.end(a, due=START)
        await made.end(b, due=START)
        assert made.turns == [a, b, a]


async def test_asking_twice_gives_one_turn() -> None:
    """Also while the turn runs: its end asks anyway."""
    async with bench(at_once=1) as made:
        a, _ = made.ask("a", "a")
        await settled()
        made.scheduler.ask(a)
        await made.end(a)
        assert made.turns == [a]


async def test_a_turn_is_over_only_when_its_time_is_up_and_others_wait() -> None:
    """Alone, a connection goes on, though no longer than until its settings are looked at anew."""
    async with bench(at_once=1) as made:
        (a,) = made.ask("a")
        await settled()
        made.clock.advance(59)
        assert not made.is_over[a]()
        made.ask("b")
        assert made.is_over[a]()


async def test_a_turn_alone_is_over_at_last() -> None:
    """The next one begins at once, with the connection as it is by then."""
    async with bench(at_once=1) as made:
        (a,) = made.ask("a")
        await settled()
        made.clock.advance(3600)
        assert made.is_over[a]()


class SettableClock(ManualClock):
    """A clock whose wall time can be set, which leaves its monotonic time alone."""

    ahead = timedelta()

    def now(self) -> datetime:
        """The moment, as far ahead as it was set."""
        return super().now() + self.ahead


async def test_a_clock_that_is_set_back_a_year_stops_nothing_for_a_year() -> None:
    """Who rests until a moment of the wrong clock is asked again when it is due."""
    clock = SettableClock()
    async with bench(at_once=1, clock=clock) as made:
        clock.ahead = timedelta(days=365)
        (a,) = made.ask("a", due=clock.now() + timedelta(minutes=15))
        await settled()
        assert (made.turns, made.scheduler.resting) == ([], 1)
        clock.ahead = timedelta()
        made.due[a] = clock.now()  # such a rest is due now: see `engine.due_at`
        made.ask("other", due=clock.now() + timedelta(minutes=1))  # anything that wakes the scheduler, or a minute
        await settled()
        assert made.turns == [a]
        await made.end(a)
        assert made.scheduler.resting == 1


async def test_with_time_left_a_turn_is_not_over_though_others_wait() -> None:
    """Each has its ten seconds."""
    async with bench(at_once=1) as made:
        a, _ = made.ask("a", "b")
        await settled()
        made.clock.advance(9.9)
        assert not made.is_over[a]()
        made.clock.advance(0.2)
        assert made.is_over[a]()


async def test_newcomers_come_before_those_that_had_a_turn() -> None:
    """A small sync need not wait until every huge one had its next turn; every fourth place is kept for those."""
    async with bench(at_once=1) as made:
        (huge,) = made.ask("huge")
        await settled()
        made.ask("a", "b", "c", "d")
        await made.end(huge, due=START)
        for _ in range(4):
            await made.end(made.turns[-1], due=START if made.turns[-1] is huge else None)
        assert [seat.connection_id for seat in made.turns] == ["huge", "a", "b", "huge", "c", "d"]


async def test_a_turn_that_is_over_gives_its_place_away_at_once() -> None:
    """A connection that waits for an answer of Google's holds nobody up; what it has under way it finishes."""
    async with bench(at_once=1) as made:
        (hanging,) = made.ask("hanging")
        await settled()
        made.ask("b")
        made.clock.advance(11)
        made.ask("c")
        await settled()
        assert [seat.connection_id for seat in made.turns] == ["hanging", "b"]
        assert (made.scheduler.running, made.scheduler.in_place) == (2, 1)
        assert made.is_over[hanging]()
        assert made.cancelled == []


async def test_no_more_turns_are_finishing_than_there_are_places() -> None:
    """However many hang, what is under way at a time stays bounded."""
    async with bench(at_once=1) as made:
        for name in ("a", "b", "c", "d"):
            made.ask(name)
            await settled()
            made.clock.advance(11)
        assert [seat.connection_id for seat in made.turns] == ["a", "b"]
        await made.end(made.turns[0])
        assert [seat.connection_id for seat in made.turns] == ["a", "b", "c"]


async def test_a_turn_that_was_told_so_is_over_for_good() -> None:
    """It begins nothing any more, even where those that waited have gone meanwhile."""
    async with bench(at_once=1) as made:
        (a,) = made.ask("a")
        await settled()
        made.ask("b", partition=1)
        made.clock.advance(11)
        assert made.is_over[a]()
        await made.scheduler.release([1], 0)
        assert made.is_over[a]()


async def test_it_tells_how_many_wait_and_how_long() -> None:
    """For the one that waits longest; who rests does not count."""
    async with bench(at_once=1) as made:
        assert (made.scheduler.waiting, made.scheduler.longest_wait_s()) == (0, 0.0)
        made.ask("a", "b")
        await settled()
        made.clock.advance(3)
        made.ask("c")
        made.ask("d", due=START + timedelta(hours=1))
        made.clock.advance(4)
        assert (made.scheduler.waiting, made.scheduler.longest_wait_s()) == (2, 7.0)


async def test_turns_share_evenly() -> None:
    """Whoever is alone may have all of it, and everybody has one at least."""
    async with bench(at_once=3) as made:
        assert made.scheduler.share(8) == 8
        made.ask("a", "b", "c")
        await settled()
        assert made.scheduler.share(8) == 2
        assert made.scheduler.share(2) == 1


async def test_who_rests_waits_until_the_moment_and_takes_no_place() -> None:
    """Others run meanwhile."""
    async with bench(at_once=1) as made:
        (a,) = made.ask("a", due=START + timedelta(seconds=30))
        (b,) = made.ask("b")
        await settled()
        assert made.turns == [b]
        made.clock.advance(31)
        await made.end(b)
        assert made.turns == [b, a]


async def test_who_wants_no_turn_gets_none() -> None:
    """Nothing is owed, or a person has to act first."""
    async with bench() as made:
        made.ask("a", due=None)
        await settled()
        assert made.turns == []


async def test_triggers_for_a_connection_that_rests_do_not_pile_up() -> None:
    """It waits once, however often it is asked for."""
    async with bench() as made:
        made.ask(*["a"] * 1_000, due=START + timedelta(hours=1))
        assert made.scheduler.resting == 1


async def test_release_ends_a_partitions_turns_in_good_order() -> None:
    """Turns under way see that they are over; nobody of the partition gets another; other partitions go on."""
    async with bench(at_once=3) as made:
        a, b = made.ask("a", "b")
        (c,) = made.ask("c", partition=1)
        made.ask("late", due=START + timedelta(seconds=5))
        await settled()
        async with asyncio.TaskGroup() as group:
            released = group.create_task(made.scheduler.release([0], 60))
            await settled()
            assert made.is_over[a]()
            assert not made.is_over[c]()
            assert not released.done()
            await made.end(a, due=START)
            await made.end(b, due=START)
        made.clock.advance(10)
        made.ask("d")
        await settled()
        assert made.turns == [a, b, c]
        assert made.cancelled == []
        made.scheduler.admit(0)
        made.ask("d")
        await settled()
        assert made.turns[-1].connection_id == "d"


async def test_abort_cancels_a_partitions_turns_at_once() -> None:
    """Somebody else owns it already. The others go on."""
    async with bench() as made:
        (a,) = made.ask("a")
        (b,) = made.ask("b", partition=1)
        await settled()
        await made.scheduler.abort([0])
        assert made.cancelled == [a]
        assert not made.is_over[b]()
        assert made.scheduler.running == 1


async def test_stop_gives_no_more_turns_and_cancels_who_does_not_end() -> None:
    """The process must come to its end."""
    made = Bench(at_once=1, clock=ManualClock())
    async with asyncio.TaskGroup() as group:
        group.create_task(made.scheduler.run(), name="scheduler")
        a, _ = made.ask("a", "b")
        await settled()
        await made.scheduler.stop(0)
    assert made.turns == [a]
    assert made.cancelled == [a]
