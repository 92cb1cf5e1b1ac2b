"""The simulated Google in process: the worker's own client asks, `Simulator.handle` answers, and nothing ever waits."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import parse_qsl

from drive_simulator.api.listing import ListingRules
from drive_simulator.api.wire import Request
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.world import World
from drive_simulator.server.batch import parse_batch, render_batch
from google_drive_worker.client.auth import Authorizers
from google_drive_worker.client.drive_api import DriveApi, DriveApis
from google_drive_worker.client.many import BATCH_PATH
from google_drive_worker.client.quota import QuotaLimiter, QuotaModel
from google_drive_worker.domain.connection import (
    AccessToken,
    Connection,
    ConnectionSettings,
    Credentials,
    Grant,
    Secret,
)
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.fetching import alone, first_answer, hanging
from google_drive_worker.http.retry import RetryPolicy
from google_drive_worker.http.transport import HttpRequest, HttpResponse, HttpStream
from google_drive_worker.normalization.pages import decode_page
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.engine import Answer
from google_drive_worker.sync.plan import Action, ReadDetails
from google_drive_worker.sync.sharing import ListPermissions, Question, ReadSharings, Reply
from google_drive_worker.utils.errors import WorkerError
from simulation.oddities import Answer as HttpAnswer
from simulation.oddities import Oddities
from support.simulators import unserved

CONNECTION = ConnectionId("conn_simulated")
CUSTOMER = CustomerId("cust_simulated")

_ORIGIN = "https://simulated"

_NO_SUCH_LABEL = (
    b'{"error":{"code":400,"message":"Invalid label","errors":'
    b'[{"message":"Invalid label","domain":"global","reason":"invalid"}]}}'
)
"""What Google answers to a label that it does not know is documented nowhere."""

T = TypeVar("T")


class WorldTime:
    """The simulated Google's clock, as the worker reads it."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        """The present moment."""
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, tz=UTC)

    def monotonic_s(self) -> float:
        """The same in seconds."""
        return self._clock.now_ms() / 1000

    async def sleep(self, seconds: float) -> None:
        """Let that much time pass, and no less than the clock shows: who waits would look at the same time again."""
        self._clock.advance(max(seconds, 0.001) if seconds > 0 else 0.0)


class Google:
    """Answers what the engine plans, for one user. Pages are as short as `die` says: up to `longest` items.

    While it `refuses_labels` every call that names some is answered with an error. `loop` is for what fetches contents.
    `oddities` alters answers on their way; the client tries each call once, so that they reach the engine.
    """

    def __init__(
        self, world: World, clock: ManualClock, email: str, die: random.Random, longest: int, done: Counter[str]
    ) -> None:
        world.site.origin = _ORIGIN
        self.rules = ListingRules(short_page_probability=0.1, die=die)
        self._watch = unserved(world, rules=self.rules)
        self.simulator = self._watch.__enter__()
        self.time = WorldTime(clock)
        self._clock = clock
        self.loop = asyncio.new_event_loop()
        self.refuses_labels = False
        self.oddities = Oddities(die, done)
        self._die = die
        self._longest = longest
        self._token = self.simulator.access_token(email)
        self._drives = DriveApis(
            base_url=f"{_ORIGIN}/drive/v3",
            transport=self,
            authorizers=Authorizers(_no_grant, self.time, die.random),
            limiter=QuotaLimiter(QuotaModel(1e12, 1e12), self.time),
            clock=self.time,
            retry=RetryPolicy(attempts=1),
            random=die.random,
            decode_listing=decode_page,
            downloads=self,
        )

    def end(self) -> None:
        """Judge every exchange: none may differ from Google's document."""
        self._watch.__exit__(None, None, None)

    def open(self, settings: ConnectionSettings) -> DriveApi:
        """The Drive as a turn opens it, by the connection's settings of the moment."""
        return self._drives.open(
            Connection(
                connection_id=CONNECTION,
                customer_id=CUSTOMER,
                credentials=AccessToken(Secret(self._token)),
                settings=settings,
            )
        )

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Serve a call of the worker's client; the page size is drawn anew."""
        if request.target == BATCH_PATH:
            refusal = self.oddities.of_batch()
            if refusal is not None:
                return HttpResponse(*refusal)
            parts = parse_batch(request.headers["Content-Type"], request.body or b"")
            answers = [self._serve(part.method, part.path_qs, request.headers, in_batch=True) for part in parts]
            content_type, body = render_batch(parts, answers, order=self._die)
            return HttpResponse(200, {"Content-Type": content_type}, body)
        return HttpResponse(*self._serve(request.method, request.target, request.headers))

    @asynccontextmanager
    async def stream(self, request: HttpRequest, origin: str | None = None) -> AsyncIterator[HttpStream]:
        """Serve a call that asks for bytes, in one piece."""
        assert origin is None  # nothing of the simulator's is anywhere else
        status, headers, body = self._serve(request.method, request.target, request.headers)

        async def pieces() -> AsyncIterator[bytes]:
            yield body

        yield HttpStream(status, headers, pieces)

    def _serve(self, method: str, target: str, headers: Mapping[str, str], *, in_batch: bool = False) -> HttpAnswer:
        return self.oddities.of_call(target, self._right(method, target, headers), in_batch=in_batch)

    def _right(self, method: str, target: str, headers: Mapping[str, str]) -> HttpAnswer:
        self._clock.advance(0.001)  # two exports are two views of a file, and no log has two entries of one moment
        path, _, query = target.partition("?")
        if self.refuses_labels and "includeLabels=" in query:
            return 400, {}, _NO_SUCH_LABEL
        pairs = [
            (name, str(self._die.randint(1, self._longest)) if name == "pageSize" else value)
            for name, value in parse_qsl(query, keep_blank_values=True)
        ]
        response = self.simulator.handle(Request(method, path, tuple(pairs), headers))
        body = response.body if response.stream is None else b"".join(response.stream.blocks())
        return response.status, response.headers, body


def answer(drive: DriveApi, action: Action, checkpoint: Checkpoint) -> Answer | WorkerError:
    """What Google says now to that action; the permissions of its items are asked for after that."""
    # Contents take several answers: see `contents`.
    call = hanging(drive, action) if isinstance(action, ReadDetails) else first_answer(drive, action)
    try:
        return at_once(alone(drive, action, call))
    except WorkerError as error:
        return error


def reply(drive: DriveApi, question: Question) -> Reply | WorkerError:
    """What Google says now to a question about permissions."""
    try:
        match question:
            case ReadSharings(file_ids):
                return at_once(drive.item_sharings(file_ids))
            case ListPermissions(file_ids):
                return at_once(drive.list_permissions(file_ids))
    except WorkerError as error:
        return error


def at_once(call: Coroutine[object, object, T]) -> T:
    """The result of a coroutine that has nothing to wait for. Raises what it raises."""
    try:
        call.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("a call in process has to wait for something")


async def _no_grant(_id: ConnectionId, _credentials: Credentials) -> Grant:
    raise AssertionError("the access token never ends")
