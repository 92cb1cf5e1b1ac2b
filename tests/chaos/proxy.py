"""A TCP proxy before a Kafka broker that knows which request is which, and cuts, delays, holds or loses it on demand.

Kafka's framing is all it knows: a size of four bytes, then of a request the API's key, its version and a correlation
id, of an answer the correlation id alone. It lives in a thread of its own; its methods may be called from any.
"""

import asyncio
import contextlib
import random
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from support.kafka_broker import Front

START_DEADLINE_S = 10.0

_SIZE = struct.Struct(">i")
_REQUEST = struct.Struct(">hhi")
_CORRELATION = struct.Struct(">i")


Side = Literal["request", "answer"]


def either_side(rng: random.Random) -> Side:
    """A request, or its answer: one as likely as the other."""
    return "request" if rng.random() < 0.5 else "answer"


class Api(IntEnum):
    """The requests that matter here, by the keys of Kafka's protocol guide."""

    PRODUCE = 0
    FETCH = 1
    METADATA = 3
    OFFSET_COMMIT = 8
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done to frames: to requests, or to their answers, of those APIs (all where none is named).

    `hold` keeps a frame, and what comes behind it on its connection, until `release`; `delay` for a random time up to
    `up_to_s`; `cut` ends the connection in its place; `lose` swallows it; `empty` takes the brokers out of an answer to
    Metadata, as a broker gives that is shutting down. `times` is for how many frames it counts.
    """

    action: Literal["hold", "delay", "cut", "lose", "empty"]
    apis: frozenset[int] = frozenset()
    side: Side = "request"
    times: int | None = None
    up_to_s: float = 0.0


FLEXIBLE_METADATA = 9
"""From this version on lengths are varints, and fields may be tagged."""


def without_brokers(answer: bytes, version: int) -> bytes:
    """A Metadata answer with its list of brokers emptied (protocol guide, "Metadata Response", versions 9 to 13)."""
    assert version >= FLEXIBLE_METADATA, f"Metadata in version {version}"
    start = _CORRELATION.size + 1 + 4  # correlation id, no tagged fields, throttle time
    count, at = _varint(answer, start)
    for _ in range(count - 1):
        length, at = _varint(answer, at + 4)  # node id, host
        at += length - 1 + 4  # port
        length, at = _varint(answer, at)  # rack, absent where 0
        at += max(0, length - 1) + 1  # no tagged fields
    return answer[:start] + b"\x01" + answer[at:]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned varint, and where it ends."""
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return value | data[at] << shift, at + 1


@dataclass(slots=True)
class _InForce:
    rule: Rule
    left: int | None

    def strikes(self, side: str, api: int) -> bool:
        if self.left == 0 or side != self.rule.side or (self.rule.apis and api not in self.rule.apis):
            return False
        if self.left is not None:
            self.left -= 1
        return True


class _Cut(Exception):
    """The connection is to end here."""


@dataclass
class Proxy:
    """Passes on what comes to the front's port. `seed` is for the lengths of delays."""

    front: Front
    seed: int = 0
    passed: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Frames that went through, by side and API key."""

    _rules: tuple[_InForce, ...] = ()
    _refusing: bool = False
    _struck: threading.Event = field(default_factory=threading.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - faults that can be repeated

    @property
    def address(self) -> str:
        """The address that a client is given to start from."""
        return f"127.0.0.1:{self.front.port}"

    def obey(self, *rules: Rule) -> None:
        """From now on these rules are in force, the first that fits counts; none lets everything pass."""
        self._struck.clear()
        self._rules = tuple(_InForce(rule, rule.times) for rule in rules)

    @property
    def has_struck(self) -> bool:
        """Whether a rule that is in force has held, cut or lost a frame."""
        return self._struck.is_set()

    def wait_struck(self, deadline_s: float) -> None:
        """Wait until a rule has struck. Raises `AssertionError` after `deadline_s`."""
        assert self._struck.wait(deadline_s), f"nothing to hold, cut or lose came within {deadline_s:.0f} s"

    def release(self) -> None:
        """Let go of what is held, and have no rules any more."""
        self._rules = ()
        self._loop.call_soon_threadsafe(self._let_go)

    def cut(self) -> None:
        """End every connection there is; clients may connect anew."""
        self._loop.call_soon_threadsafe(self._end_all)

    def refuse(self, *, refusing: bool) -> None:
        """Whether new connections are turned away."""
        self._refusing = refusing

    def _let_go(self) -> None:
        self._released.set()
        self._released = asyncio.Event()

    def _end_all(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def serve(self, listening: threading.Event, closing: asyncio.Event) -> None:
        """Listen until `closing` is set."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.front.port)
        listening.set()
        await closing.wait()
        server.close()
        self._refusing = True  # those who are being let in just now leave by themselves
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            self._end_all()
            await asyncio.wait(others, timeout=0.05)
        for _ in range(5):
            await asyncio.sleep(0)  # for the transports to go

    async def _accept(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if not self._refusing:
                await self._connect(client, back)
        except (asyncio.CancelledError, OSError):
            pass  # cut on purpose, or the broker is away: so is its proxy
        finally:
            self._tasks.discard(task)
            back.transport.abort()  # as a broken line looks

    async def _connect(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        broker, forth = await asyncio.open_connection("127.0.0.1", self.front.behind)
        asked: dict[int, tuple[int, int]] = {}
        ways = [
            asyncio.create_task(self._pass_on("request", client, forth, asked), name="requests"),
            asyncio.create_task(self._pass_on("answer", broker, back, asked), name="answers"),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            forth.transport.abort()  # before anything is waited for: a second cut ends that
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass_on(
        self,
        side: Side,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        asked: dict[int, tuple[int, int]],
    ) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, _Cut):
            while True:
                size = await reader.readexactly(_SIZE.size)
                frame = await reader.readexactly(_SIZE.unpack(size)[0])
                if side == "request":
                    api, version, correlation = _REQUEST.unpack_from(frame)
                    asked[correlation] = api, version
                else:
                    api, version = asked.pop(_CORRELATION.unpack_from(frame)[0], (-1, 0))
                judged = await self._judge(side, api, version, frame)
                if judged is not None:
                    writer.write(_SIZE.pack(len(judged)) + judged)
                    await writer.drain()
                    self.passed[side, api] += 1

    async def _judge(self, side: str, api: int, version: int, frame: bytes) -> bytes | None:
        """Do to a frame what the rules say; what is to be passed on of it, `None` for nothing."""
        for each in self._rules:
            if each.strikes(side, api):
                break
        else:
            return frame
        match each.rule.action:
            case "hold":
                released = self._released
                self._struck.set()
                await released.wait()
            case "delay":
                await asyncio.sleep(self._random.uniform(0, each.rule.up_to_s))
            case "cut":
                self._struck.set()
                raise _Cut
            case "lose":
                self._struck.set()
                return None
            case "empty":
                self._struck.set()
                return without_brokers(frame, version)
        return frame


@contextmanager
def proxying(front: Front, *, seed: int = 0) -> Iterator[Proxy]:
    """A proxy that listens; at the end it closes every connection, what it held is lost."""
    proxy = Proxy(front, seed)
    listening, closing = threading.Event(), asyncio.Event()
    loop = proxy._loop  # noqa: SLF001 - this function and the class are one thing
    thread = threading.Thread(target=_run, args=(loop, proxy, listening, closing), name="proxy", daemon=True)
    thread.start()
    try:
        assert listening.wait(START_DEADLINE_S), f"the proxy does not listen on port {front.port}"
        yield proxy
    finally:
        loop.call_soon_threadsafe(closing.set)
        thread.join(START_DEADLINE_S)


def _run(loop: asyncio.AbstractEventLoop, proxy: Proxy, listening: threading.Event, closing: asyncio.Event) -> None:
    with contextlib.closing(loop):
        loop.run_until_complete(proxy.serve(listening, closing))
