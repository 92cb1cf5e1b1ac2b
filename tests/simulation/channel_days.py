"""Ten days of push channels: workers, connections and the simulated Google, in one process and on one clock.

What decides and what asks is the worker's own (`sync.channels`, `channel_care`, the client); Google is the simulator
with its book of channels. In between stands a die. It stops every request on its way there and its answer on the way
back, and every commit, and says in which order they go on and what becomes of them: refused, lost, or late. It moves
connections from one worker to another while calls are under way, and kills workers. Only what is committed passes from
owner to owner, and an owner's commit counts only while it is the owner, as the broker sees to it.

Paused connections, other addresses and drives that are left come when nothing is under way: a request that is late by
more than that would make a channel that nobody asks for any more.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from urllib.parse import parse_qsl

from msgspec.structs import replace

from drive_simulator.api.wire import Request
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.model.clock import ManualClock
from drive_simulator.server.server import Simulator
from google_drive_worker.channel_care import Push, keep_channels
from google_drive_worker.client.auth import Authorizers
from google_drive_worker.client.drive_api import DriveApis
from google_drive_worker.client.quota import QuotaLimiter, QuotaModel
from google_drive_worker.domain.connection import Connection, Credentials, Grant, Secret
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.domain.ports import Drive
from google_drive_worker.domain.times import rfc3339
from google_drive_worker.http.retry import RetryPolicy
from google_drive_worker.http.transport import HttpRequest, HttpResponse
from google_drive_worker.sync import channels
from google_drive_worker.sync.checkpoint import USER_CORPUS, Channel, Checkpoint, Corpus
from google_drive_worker.sync.plan import drive_of
from google_drive_worker.utils.errors import Retryable
from simulation.google import WorldTime
from support.credentials import authorized_user, connection
from support.simulators import unserved

ADDRESSES = ("https://hooks.example/google", "https://elsewhere.example/google")

GRACE = timedelta(hours=3)
"""How long a corpus that is to be watched anew may wait for its channel, with a third of its calls going wrong."""
FAILED = 0.15
"""How likely it is that a request is refused, and that its answer is lost."""
DISTURBED = 0.04
"""How likely it is that the owner is moved, or crashes, while one of its calls is under way."""
PATIENCE = timedelta(seconds=60)
"""How long a request waits for its answer before it is given up, on both ends."""
EVENTS_A_DAY = 6
STEADY = ConnectionId("conn_a")
"""Never paused, and in the same drives all the time: its channels grow old."""
POLL_EVERY = timedelta(hours=1)
"""How often the platform triggers each connection: a turn looks at the channels too, also where none are due."""


@dataclass(eq=False)
class Owner:
    """One worker's hold of one connection: what it has in mind of it, and what of that is committed."""

    days: "Days"
    name: ConnectionId
    epoch: int
    mind: Checkpoint
    pending: bool = False

    def checkpoint(self) -> Checkpoint | None:
        """As it will be once all is committed."""
        return self.mind

    def write(self, before: Checkpoint, after: Checkpoint) -> None:
        """Take it for the next commit. The checkpoint of before is the one in mind: nobody else writes it."""
        assert before is self.mind
        self.mind, self.pending = after, True

    async def committed(self) -> bool:
        """Commit, as soon as the die lets it; false where somebody else owns the connection by then."""
        await self.days.gate(self)
        return self.commit()

    def commit(self) -> bool:
        """The broker's part of it."""
        if self.days.epochs[self.name] != self.epoch:
            return False
        if self.pending:
            self.days.states[self.name], self.pending = self.mind, False
        return True


@dataclass(eq=False)
class Days:
    """The whole of it. `seen` counts what happened, so that a test can say that it did."""

    die: random.Random
    simulator: Simulator
    clock: ManualClock
    moves: bool
    """Whether the worker's address changes."""
    states: dict[ConnectionId, Checkpoint] = field(default_factory=dict)
    epochs: Counter[ConnectionId] = field(default_factory=Counter)
    off: set[ConnectionId] = field(default_factory=set)
    address: str = ADDRESSES[0]
    seen: Counter[str] = field(default_factory=Counter)
    is_quiet: bool = False
    _owners: dict[ConnectionId, Owner] = field(default_factory=dict)
    _looks: dict[asyncio.Task[None], Owner] = field(default_factory=dict)
    _gates: list[tuple[Owner, asyncio.Future[None]]] = field(default_factory=list)
    _wanted_since: dict[tuple[ConnectionId, str], datetime] = field(default_factory=dict)
    _covered: set[tuple[ConnectionId, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.time = WorldTime(self.clock)
        names = (STEADY, ConnectionId("conn_b"), ConnectionId("conn_c"))
        self.emails = dict(zip(names, self.simulator.world.users, strict=True))
        self._new_ids = (f"channel-{number}" for number in count(1))

    async def begin(self) -> None:
        """Every connection has had its full sync; a worker owns each."""
        for name, email in self.emails.items():
            drive = self._drive(Owner(self, name, 0, Checkpoint(name, CustomerId("c"))), is_late=False)
            user = self.simulator.world.user(email)
            drives = [each.id for each in self.simulator.world.drives.values() if user in each.members]
            corpora = {
                corpus: Corpus("done", await drive.start_page_token(drive_of(corpus)))
                for corpus in (USER_CORPUS, *drives)
            }
            ended = rfc3339(self.time.now())
            self.states[name] = Checkpoint(name, CustomerId("cust_123"), corpora=corpora, completed_at=ended)
            self._own(name)

    async def pass_days(self, days: float) -> None:
        """Let time pass from look to look, things happen in between, and hold what must hold after each of them."""
        polled = self.time.now()
        ends = polled + timedelta(days=days)
        while (now := self.time.now()) < ends:
            await self._until_nothing_is_under_way()
            if not self.is_quiet and self.die.random() < EVENTS_A_DAY * self._step(now, ends) / timedelta(days=1):
                self._change_something()
            self.clock.advance(self._step(now, ends).total_seconds())
            self.check()
            is_polled = self.time.now() >= polled + POLL_EVERY
            polled = self.time.now() if is_polled else polled
            for name in self.states if is_polled else self._due():
                self._look(name)

    async def gate(self, owner: Owner) -> None:
        """Wait until the die lets it go on."""
        if not self.is_quiet:
            passed = asyncio.get_running_loop().create_future()
            self._gates.append((owner, passed))
            await passed

    def living(self) -> list[tuple[ConnectionId, str, str]]:
        """Google's channels: whose each is, its id and its address."""
        names = {email: name for name, email in self.emails.items()}
        return [
            (names[each.user.email], each.order.id, each.order.address) for each in self.simulator.channels.living()
        ]

    def known(self) -> set[tuple[ConnectionId, str]]:
        """The channels of the committed states."""
        return {(name, each.channel_id) for name, state in self.states.items() for each in _channels_of(state)}

    def superfluous(self) -> list[Channel]:
        """What lives at Google beside one standing channel for each corpus, and could be stopped."""
        living = {(name, channel_id) for name, channel_id, _ in self.living()}
        found = [
            (state, each)
            for name, state in self.states.items()
            for each in _channels_of(state)
            if (name, each.channel_id) in living
        ]
        standing = {(state.connection_id, each.corpus): each for state, each in found if each.state == "standing"}
        return [
            each
            for state, each in found
            if standing.get((state.connection_id, each.corpus)) is not each
            and (each.state != "lost" or each.corpus in state.corpora)
        ]

    def check(self) -> None:
        """Where a channel stood once, one lives; elsewhere one stands after a while; and Google has none unknown."""
        living = {(name, channel_id): address for name, channel_id, address in self.living()}
        unknown = living.keys() - self.known()
        assert not unknown, f"leaked: {unknown}"
        here = [
            (name, each)
            for name, state in self.states.items()
            for each in _channels_of(state)
            if living.get((name, each.channel_id)) == self.address
        ]
        covered = {(name, each.corpus) for name, each in here}
        standing = {(name, each.corpus) for name, each in here if each.state == "standing"}
        now, wanted = self.time.now(), set(self._wanted())
        self._wanted_since = {each: self._wanted_since.get(each, now) for each in wanted}
        self._covered &= wanted
        late = {each for each in wanted - standing if now - self._wanted_since[each] > GRACE}
        assert not (self._covered - covered) | late, f"not covered at {now}: {self._covered - covered} {late}"
        self._covered |= standing & wanted

    def _wanted(self) -> Iterator[tuple[ConnectionId, str]]:
        for name, state in self.states.items():
            yield from ((name, corpus) for corpus in state.corpora if name not in self.off)

    def _step(self, now: datetime, ends: datetime) -> timedelta:
        dues = [channels.due_at(state, self.address, now) for state in self.states.values()]
        next_s = min((due - now for due in dues if due is not None), default=timedelta(hours=1))
        return max(timedelta(seconds=1), min(next_s, timedelta(hours=1), ends - now))

    def _due(self) -> list[ConnectionId]:
        now = self.time.now()
        dues = {name: channels.due_at(state, self.address, now) for name, state in self.states.items()}
        return [name for name, due in dues.items() if due is not None and due <= now]

    def _own(self, name: ConnectionId) -> None:
        """Give the connection to another owner, who has in mind what is committed."""
        self.epochs[name] += 1
        self._owners[name] = Owner(self, name, self.epochs[name], self.states[name])

    def _look(self, name: ConnectionId) -> None:
        owner = self._owners[name]
        if owner not in self._looks.values():
            self._looks[asyncio.get_running_loop().create_task(self._keep(owner), name=name)] = owner

    async def _keep(self, owner: Owner) -> None:
        """What a turn does for its connection's channels."""
        push = Push(address=lambda: self.address, secret=Secret("s" * 32), new_ids=self._new_ids)
        on, drive = owner.name not in self.off, self._drive(owner, is_late=True)
        await keep_channels(push, drive, owner, self.time, self.die.random, lambda *_: None, on=on)
        later = channels.postponed(owner.mind, self.address, self.time.now())
        if later is not owner.mind:
            owner.write(owner.mind, later)
        await owner.committed()

    async def _until_nothing_is_under_way(self) -> None:
        while self._looks:
            for _ in range(10):  # all go on as far as they can by themselves
                await asyncio.sleep(0)
            for look in [look for look in self._looks if look.done()]:
                self._looks.pop(look)
                if not look.cancelled():
                    look.result()
            if self._gates:
                owner, passed = self._gates.pop(self.die.randrange(len(self._gates)))
                if not passed.done():
                    passed.set_result(None)
                self._disturb(owner)
            self.check()

    def _disturb(self, owner: Owner) -> None:
        """While calls are under way: a rebalance leaves the old owner at work, a crash does not."""
        match self.die.random():
            case roll if roll < DISTURBED:
                self.seen["moved"] += 1
                self._own(owner.name)
                self._look(owner.name)
            case roll if roll < 2 * DISTURBED:
                self.seen["crashed"] += 1
                for look, other in self._looks.items():
                    if other is owner:
                        look.cancel()
                self._own(owner.name)
                self._look(owner.name)  # the trigger that it was for is read again
            case roll if roll < 0.5:
                self.clock.advance(self.die.uniform(0, 20))

    def _change_something(self) -> None:
        name = self.die.choice([name for name in self.states if name != STEADY])
        state = self.states[name]
        match self.die.choice(("pause", "pause", "address" if self.moves else "pause", "drive")):
            case "pause":
                self.seen["paused"] += name not in self.off
                self.off ^= {name}
            case "address":
                self.seen["readdressed"] += 1
                self.address = self.die.choice(ADDRESSES)
                self._covered.clear()
                self._wanted_since.clear()
            case "drive":
                drives = [each for each in state.corpora if each != USER_CORPUS]
                if drives:
                    self.seen["left"] += 1
                    left = {each: kept for each, kept in state.corpora.items() if each != drives[0]}
                    self.states[name] = replace(state, corpora=left)
        for each in self.states:
            self._own(each)

    def _drive(self, owner: Owner, *, is_late: bool) -> Drive:
        async def grant(_id: ConnectionId, _credentials: Credentials) -> Grant:
            return Grant(Secret(self.simulator.access_token(self.emails[owner.name])), 3600.0)

        drives = DriveApis(
            base_url="https://simulated/drive/v3",
            transport=_Wire(self, owner, is_late=is_late),
            authorizers=Authorizers(grant, self.time, self.die.random),
            limiter=QuotaLimiter(QuotaModel(1e12, 1e12), self.time),
            clock=self.time,
            retry=RetryPolicy(attempts=1),
            random=self.die.random,
        )
        return drives.open(_connection(owner.name))


@contextmanager
def days_of(seed: int, *, moves: bool) -> Iterator[Days]:
    """The world of a seed, before its first day."""
    clock = ManualClock()
    world = generate(CorpusPlan(files=30, shared_drives=3, users=3, seed=seed), clock=clock)
    with unserved(world) as simulator:
        yield Days(random.Random(seed), simulator, clock, moves)  # noqa: S311 - a run that can be repeated


@dataclass(eq=False)
class _Wire:
    """The way to Google and back; both ends are the die's where `is_late`."""

    days: Days
    owner: Owner
    is_late: bool

    async def send(self, request: HttpRequest) -> HttpResponse:
        days, sent = self.days, self.days.time.now()
        if self.is_late:
            await days.gate(self.owner)
            if days.time.now() - sent > PATIENCE:
                raise Retryable("nobody waits for it any more", code="timeout")
            if self._goes_wrong("refused"):
                raise Retryable("Google is busy", code="unavailable", http_status=503)
        path, _, query = request.target.partition("?")
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        response = days.simulator.handle(Request(request.method, path, pairs, request.headers, request.body or b""))
        if self.is_late:
            await days.gate(self.owner)
            if self._goes_wrong("answer lost"):
                raise Retryable("no answer came", code="timeout")
        headers = {"Content-Type": response.content_type, **response.headers}
        return HttpResponse(response.status, headers, response.body)

    def _goes_wrong(self, how: str) -> bool:
        wrong = not self.days.is_quiet and self.days.die.random() < FAILED
        self.days.seen[how] += wrong
        return wrong


def _connection(name: ConnectionId) -> Connection:
    return connection(authorized_user("https://oauth2.googleapis.com/token"), name=name)


def _channels_of(state: Checkpoint) -> tuple[Channel, ...]:
    return state.watching.channels if state.watching else ()
