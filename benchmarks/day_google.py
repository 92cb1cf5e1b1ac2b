"""The simulated Google in the bench's own process: the worker's client asks it, nothing waits, calls are counted."""

import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast
from urllib.parse import parse_qsl

import msgspec

from drive_simulator.api.dispatch import find_route
from drive_simulator.api.wire import Request
from drive_simulator.faults.plan import BATCH, Call
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.world import World
from drive_simulator.server.batch import parse_batch, render_batch
from drive_simulator.server.quota import unit_model
from drive_simulator.server.server import Simulator
from google_drive_worker.client.auth import Authorizers
from google_drive_worker.client.drive_api import DriveApis
from google_drive_worker.client.many import BATCH_PATH
from google_drive_worker.client.quota import QuotaLimiter, QuotaModel
from google_drive_worker.domain.connection import Credentials, Grant
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.http.transport import HttpRequest, HttpResponse
from google_drive_worker.normalization.pages import decode_page

Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""

ORIGIN = "https://simulated"
LOGS = "changes.list"
_MODEL = unit_model()
_CALL_S = 0.001
_PARENT = re.compile(r"'([^']+)' in parents")


class DayTime:
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
        """Let that much time pass, and no less than the clock shows."""
        self._clock.advance(max(seconds, 0.001) if seconds > 0 else 0.0)


class AskedCost(msgspec.Struct, frozen=True):
    """What a sync asked of Google: HTTP requests (a batch is one), and calls by method, parts of batches each."""

    requests: int = 0
    calls: Mapping[str, int] = {}

    @property
    def units_by_method(self) -> dict[str, int]:
        """Quota units by method."""
        return {method: int(count * _MODEL.cost(method)) for method, count in self.calls.items()}

    @property
    def log_units(self) -> int:
        """Units of reading the logs."""
        return self.units_by_method.get(LOGS, 0)

    @property
    def further_units(self) -> int:
        """Units of everything else."""
        return sum(self.units_by_method.values()) - self.log_units

    @property
    def units(self) -> int:
        """All of them."""
        return self.log_units + self.further_units


@dataclass(slots=True)
class DayGoogle:
    """Answers the worker's calls from a world. `drives` is the worker's client of it.

    `item_units` are the units of the calls that the last `take_cost` took, by the item or folder that they name.
    """

    world: World
    clock: ManualClock
    page_size: int = 1_000
    seed: int = 0
    simulator: Simulator = field(init=False)
    time: DayTime = field(init=False)
    drives: DriveApis = field(init=False)
    item_units: Counter[str] = field(init=False, default_factory=Counter)
    _die: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.world.site.origin = ORIGIN
        self.simulator = Simulator(self.world, seed=self.seed)
        self.time = DayTime(self.clock)
        self._die = random.Random(self.seed)  # noqa: S311 - a simulation
        self.drives = DriveApis(
            base_url=f"{ORIGIN}/drive/v3",
            transport=self,
            authorizers=Authorizers(_no_grant, self.time, self._die.random),
            limiter=QuotaLimiter(QuotaModel(1e12, 1e12), self.time),
            clock=self.time,
            page_size=self.page_size,
            random=self._die.random,
            decode_listing=decode_page,
        )

    def take_cost(self) -> AskedCost:
        """What was asked since the last time this was."""
        counters = self.simulator.counters
        snapshot = counters.snapshot()
        calls = cast("Mapping[str, int]", snapshot["methods"])
        cost = AskedCost(counters.requests, dict(calls))
        self.item_units = Counter()
        for entry in counters.entries():
            item_id = entry.parameter("fileId") or _folder_in(entry.parameter("q") or "")
            if item_id is not None:
                self.item_units[item_id] += int(_MODEL.cost(entry.method_id))
        counters.clear()
        return cost

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Serve a call of the worker's client."""
        self.simulator.counters.requests += 1
        if request.target == BATCH_PATH:
            if (refusal := self._strike(Call(BATCH, path=BATCH_PATH))) is not None:
                return HttpResponse(*refusal)
            parts = parse_batch(request.headers["Content-Type"], request.body or b"")
            answers = [self._serve(part.method, part.path_qs, request.headers) for part in parts]
            content_type, body = render_batch(parts, answers, order=self._die)
            return HttpResponse(200, {"Content-Type": content_type}, body)
        return HttpResponse(*self._serve(request.method, request.target, request.headers))

    def _serve(self, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        self.clock.advance(_CALL_S)
        path, _, query = target.partition("?")
        if self.simulator.faults.states():
            route = find_route(method, path)
            call = Call(route.method_id, path=path, query=query, file_id=route.path_parameters.get("fileId"))
            if (refusal := self._strike(call)) is not None:
                return refusal
        parameters = tuple(parse_qsl(query, keep_blank_values=True))
        response = self.simulator.handle(Request(method, path, parameters, headers))
        return response.status, response.headers, response.body

    def _strike(self, call: Call) -> Answer | None:
        """What a fault answers in place of Google; it costs no units."""
        effect = self.simulator.faults.decide(call)
        error = None if effect is None else effect.api_error(call)
        if error is None:
            return None
        return error.status, {"Content-Type": error.content_type, **error.headers}, error.body()


def _folder_in(query: str) -> str | None:
    """The folder whose children a query asks for."""
    found = _PARENT.search(query)
    return None if found is None else found[1]


async def _no_grant(_id: ConnectionId, _credentials: Credentials) -> Grant:
    raise AssertionError("the access token never ends")
