"""Where a fault strikes: a simulated Drive, a broker, proxies before it, workers, and a sync that is under way."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from chaos.checks import Page
from chaos.proxy import Proxy, Rule, proxying
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.server.exchange import Exchange
from support.kafka_broker import KafkaBroker
from support.mirroring import Stage, staged
from support.topics import Topics, create_topics, delete_topics
from support.worker_process import WorkerProcess

FRONTS = 2
"""Ways to the broker through a proxy: for one worker that is to suffer, and for one that takes over from it."""

PATIENCE_S = 60.0
"""How long a sync may take to come so far, however slow the machine."""

SESSION_TIMEOUT_S = 1.5
LISTED = "files.list"
TESTS = Path(__file__).parent.parent

Pairs = tuple[tuple[str, str], ...]
"""Settings by name."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a fault is played on. Items, people, shared drives, partitions, workers; how slow Google is, and how many
    calls of a connection are made at once.

    With `proxied`, each worker reaches the broker through a proxy of its own. `clock_jumps` and `without` ask for a
    build for tests: see `chaos.build`.
    """

    files: int = 1_200
    users: int = 3
    drives: int = 2
    partitions: int = 3
    workers: int = 1
    page_size: int = 20
    latency_ms: float = 150
    at_once: int = 2
    proxied: bool = False
    clock_jumps: bool = False
    without: tuple[str, ...] = ()
    environment: Pairs = ()
    state_config: Pairs = ()


class _Item(msgspec.Struct):
    id: str = ""


class _Files(msgspec.Struct):
    files: list[_Item] = []


@dataclass
class PageLog:
    """Keeps every answered page of a listing, and when the last call of any kind was; the simulator's observer."""

    pages: list[Page] = field(default_factory=list)
    calls: int = 0
    last_call_s: float = 0.0

    def __call__(self, exchange: Exchange) -> None:
        """Note one call."""
        self.calls += 1
        self.last_call_s = time.monotonic()
        if exchange.method_id == LISTED and exchange.status == 200:
            found = msgspec.json.decode(exchange.response_body, type=_Files).files
            asked = tuple(sorted(exchange.query))
            self.pages.append(Page(now_ms(), exchange.user or "", asked, tuple(item.id for item in found)))


def now_ms() -> int:
    """The machine's time as Kafka writes it."""
    return time.time_ns() // 1_000_000


@dataclass
class Arena:
    """A run's world. `lifted_ms` are the moments at which a fault was over, and recovery began."""

    setting: Setting
    stage: Stage
    broker: KafkaBroker
    rng: random.Random
    proxies: tuple[Proxy, ...]
    workers: list[WorkerProcess]
    log: PageLog
    spare: WorkerProcess
    expected_pages: int = 0
    first_sync: bool = True
    lifted_ms: list[int] = field(default_factory=list)
    taken_over_ms: list[int] = field(default_factory=list)
    full_asked: Counter[str] = field(default_factory=Counter)
    _calls_before: int = 0

    @property
    def worker(self) -> WorkerProcess:
        """The worker that suffers."""
        return self.workers[0]

    @property
    def connections(self) -> tuple[str, ...]:
        """One connection for each user: a page that is asked for tells whose user's it is, and no more."""
        of_user: dict[str, str] = {}
        for name, account in self.stage.simulator.accounts.items():
            of_user.setdefault(account.email, name)
        return tuple(of_user.values())

    @property
    def topics(self) -> Topics:
        """The run's own topics."""
        return self.stage.topics

    def ask(self, kind: str) -> None:
        """Trigger a sync of every connection; progress counts from here."""
        self.first_sync = kind == "full_sync"
        self._calls_before = self.log.calls
        if self.first_sync:
            held = sum(len(self.stage.truth(name).files) for name in self.connections)
            self.expected_pages = held // self.setting.page_size
        for name in self.connections:
            self.trigger(name, kind)

    def trigger(self, connection_id: str, kind: str) -> None:
        """Trigger one connection's sync."""
        self.full_asked[connection_id] += kind == "full_sync"
        self.stage.trigger(connection_id, kind)

    def reach(self, part: float) -> None:
        """Wait until the sync under way has come so far, from 0 to 1; an incremental one may be through before.

        Raises `AssertionError` after `PATIENCE_S`.
        """
        self.wait_until(lambda: self._has_reached(part), f"{part:.0%} of the sync")

    def _has_reached(self, part: float) -> bool:
        if self.first_sync:
            return len(self.log.pages) >= part * self.expected_pages
        return self.log.calls - self._calls_before >= 1 + part * 12 or self._is_through()

    def _is_through(self) -> bool:
        """Whether an incremental sync is over, as far as one can see from outside: Google is not asked any more."""
        quiet_s = time.monotonic() - self.log.last_call_s
        return not self.first_sync and self.log.calls > self._calls_before and quiet_s > 2 * SESSION_TIMEOUT_S

    def strike_next(self, proxy: Proxy, rule: Rule) -> None:
        """Put a rule in force and wait until it strikes; an incremental sync may be over before.

        Raises `AssertionError` after `PATIENCE_S`.
        """
        proxy.obey(rule)
        self.wait_until(lambda: proxy.has_struck or self._is_through(), f"something to {rule.action}")

    def wait_until(self, condition: Callable[[], bool], what: str, deadline_s: float = PATIENCE_S) -> None:
        """Wait for something that a worker brings about. Raises `AssertionError` with its log's end after a while."""
        ends_s = time.monotonic() + deadline_s
        while not condition():
            tails = "\n".join(worker.tail(12) for worker in self.workers)
            assert time.monotonic() < ends_s, f"{what}: not within {deadline_s:.0f} s\n{tails}"
            time.sleep(0.02)

    def last(self, seconds: float) -> None:
        """Let a fault last: its length is what it is."""
        time.sleep(seconds)

    def last_between(self, least_s: float, most_s: float) -> None:
        """Let a fault last for a random time."""
        self.last(self.rng.uniform(least_s, most_s))

    @contextmanager
    def slow_google(self, latency_ms: float) -> Iterator[None]:
        """Have Google answer late for a while, so that a sync lasts as long as a fault."""
        simulator = self.stage.simulator
        before, simulator.latency_ms = simulator.latency_ms, latency_ms
        try:
            yield
        finally:
            simulator.latency_ms = before

    def lift(self) -> None:
        """The fault is over now."""
        self.lifted_ms.append(now_ms())

    def restart(self, worker: WorkerProcess) -> None:
        """Start a worker that has ended, which is the end of its fault."""
        self.lift()
        worker.start()


@contextmanager
def arena_of(setting: Setting, seed: int, broker: KafkaBroker, directory: Path) -> Iterator[Arena]:
    """Set the stage and start the workers, one after the other: the first owns every partition until others come."""
    topics = create_topics(
        broker.bootstrap_servers, partitions=setting.partitions, state_config=dict(setting.state_config)
    )
    world = generate(CorpusPlan(setting.files, setting.drives, setting.users, seed))
    with ExitStack() as stack:
        stack.callback(delete_topics, topics)
        stage = stack.enter_context(staged(world, topics, directory, latency_ms=setting.latency_ms))
        log = PageLog()
        stage.simulator.observers.append(log)
        fronts = broker.fronts[: setting.workers] if setting.proxied else ()
        proxies = tuple(stack.enter_context(proxying(front, seed=seed)) for front in fronts)
        environments = [_environment(setting, seed, proxy) for proxy in proxies] or [
            _environment(setting, seed, None)
        ] * setting.workers
        module = "chaos.build" if setting.clock_jumps or setting.without else "google_drive_worker"
        workers = [stack.enter_context(stage.worker(each, module=module)) for each in environments]
        spare = stack.enter_context(stage.worker(_environment(setting, seed, None), start=False, module=module))
        yield Arena(setting, stage, broker, random.Random(seed), proxies, workers, log, spare)  # noqa: S311 - repeatable


def _environment(setting: Setting, seed: int, proxy: Proxy | None) -> dict[str, str]:
    build = {
        "CHAOS_WITHOUT": ",".join(setting.without),
        "CHAOS_CLOCK_SEED": str(seed) if setting.clock_jumps else "",
        "PYTHONPATH": str(TESTS),
    }
    return {
        "GDRIVE_PAGE_SIZE": str(setting.page_size),
        "GDRIVE_MAX_CONCURRENT_LISTINGS": str(setting.at_once),
        "KAFKA_SESSION_TIMEOUT_MS": str(int(SESSION_TIMEOUT_S * 1000)),
        **({"KAFKA_BOOTSTRAP_SERVERS": proxy.address} if proxy else {}),
        **build,
        **dict(setting.environment),
    }
