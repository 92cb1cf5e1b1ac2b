"""How evenly two workers serve many connections, and how long a small one takes beside huge ones.

Service is what a committed reader of the data topic gets: records, by the moment each was produced.
"""

import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.many_drives import many_drives
from benchmarks.surroundings import Topics, broker, fresh_topics
from benchmarks.worker_process import START_S, wait_until_open, worker_process

WORKERS = 2
PARTITIONS = 16
LATENCY_MS = 80.0
SMALL_FILES = 10
WINDOW_S = 5.0
"""Service is counted over windows of this length: as long as the longest that anybody should wait for his share."""

FEWEST = 8
"""Windows count while at least so many connections have something to do: among fewer there is little to share."""

RUN_S = 900.0
_WAIT_BETWEEN_S = 1.0


class Fairness(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times are seconds from a trigger to the record that closes its full sync.

    `jain` is Jain's index of service over the connections that had something to do all through a window: 1 where each
    got the same, 1/n where one of n got it all; the mean of the windows, and the least. `small_beside_one_s` is `None`
    where the one was through before any small one.
    """

    workers: int
    slots: int
    connections: int
    files: int
    latency_ms: float
    seconds: float
    jain: float
    jain_least: float
    windows: int
    small_alone_s: float
    small_beside_one_s: float | None
    small_beside_all_s: list[float]

    @property
    def per_second(self) -> float:
        """Records a second over the whole run."""
        return self.files / self.seconds


def log_spaced(count: int, least: int, most: int) -> tuple[int, ...]:
    """Sizes from the least to the most, each the same multiple of the one before."""
    return tuple(round(least * (most / least) ** (number / (count - 1))) for number in range(count))


def jain(services: list[float]) -> float:
    """Jain's index of fairness, (sum x)² / (n · sum x²)."""
    squares = sum(service * service for service in services)
    return sum(services) ** 2 / (len(services) * squares) if squares else 0.0


def run(*, connections: int, least: int, most: int, slots: int, smalls: int, page_size: int = 100) -> Fairness:
    """Sync so many Drives of `least` to `most` files at once, and then so many small ones, on two workers.

    The small ones come one after the other while the rest has work left. Raises `RuntimeError` where no end comes.
    """
    sizes = log_spaced(connections, least, most)
    crowd = [f"conn_user_{number + 1}" for number in range(connections)]
    late = [f"conn_user_{connections + number + 1}" for number in range(smalls)]
    settings = {"WORKER_MAX_CONCURRENT_CONNECTIONS": str(slots), "GDRIVE_PAGE_SIZE": str(page_size)}
    with _fleet((*sizes, *[SMALL_FILES] * smalls), settings) as watch:
        watch.sync([*crowd[:5], *late])  # tokens are there and workers warm; nothing is measured yet
        alone_s = [watch.sync([name]) for name in late]
        watch.trigger([crowd[-1]])
        all_s = [watch.sync([name]) for name in late]
        watch.until_ended([crowd[-1]])
        beside_one_s = [
            each for each, name in zip(all_s, late, strict=True) if watch.ended[name] < watch.ended[crowd[-1]]
        ]
        asked_s = watch.trigger(crowd)
        beside_all_s = []
        for name in late:
            time.sleep(_WAIT_BETWEEN_S)
            took_s = watch.sync([name])
            if sum(each not in watch.ended for each in crowd) < FEWEST:
                break
            beside_all_s.append(round(took_s, 2))
        watch.until_ended(crowd)
        indices = _indices(watch, crowd, asked_s)
        return Fairness(
            workers=WORKERS,
            slots=slots,
            connections=connections,
            files=sum(sizes),
            latency_ms=LATENCY_MS,
            seconds=round(max(watch.ended[name] for name in crowd) - asked_s, 2),
            jain=round(statistics.mean(indices), 3),
            jain_least=round(min(indices), 3),
            windows=len(indices),
            small_alone_s=round(statistics.median(alone_s), 2),
            small_beside_one_s=round(statistics.median(beside_one_s), 2) if beside_one_s else None,
            small_beside_all_s=beside_all_s,
        )


def _indices(watch: "_Watch", crowd: list[str], asked_s: float) -> list[float]:
    """Jain's index of each window, over those that had something to do all through it."""
    found: list[float] = []
    begin_s = asked_s + _WAIT_BETWEEN_S
    while True:
        end_s = begin_s + WINDOW_S
        busy = [name for name in crowd if watch.ended[name] > end_s]
        if len(busy) < FEWEST:
            return found
        services = Counter(dict.fromkeys(busy, 0))
        services.update(name for moment_s, name in watch.records if begin_s <= moment_s < end_s and name in services)
        found.append(jain([float(count) for count in services.values()]))
        begin_s = end_s


@contextmanager
def _fleet(sizes: tuple[int, ...], settings: dict[str, str]) -> Iterator["_Watch"]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gdw-fairness-")))
        connections_file = directory / "connections.toml"
        base_url = stack.enter_context(many_drives(connections_file, LATENCY_MS, sizes))
        topics = stack.enter_context(fresh_topics(stack.enter_context(broker()), PARTITIONS))
        environment = {
            **topics.environment(),
            "CONNECTIONS_FILE": str(connections_file),
            "S3_BUCKET_NAME": connections_file.with_name("objects").as_uri(),
            "GDRIVE_API_BASE_URL": base_url,
            **settings,
        }
        logs = [directory / f"worker-{number}.log" for number in range(WORKERS)]
        processes = [stack.enter_context(worker_process(environment, log)) for log in logs]
        for process, log in zip(processes, logs, strict=True):
            wait_until_open(process, log, PARTITIONS // WORKERS)
        yield stack.enter_context(closing(_Watch(topics)))


class _Record(msgspec.Struct):
    integration_connection_id: str
    resource_type: str
    data: msgspec.Raw


class _Status(msgspec.Struct):
    status: str | None = None


class _Watch:
    """Reads all records as they come. Moments are the broker's clock, seconds since 1970."""

    def __init__(self, topics: Topics) -> None:
        self.records: list[tuple[float, str]] = []
        self.ended: dict[str, float] = {}
        self._topics = topics
        self._producer = Producer({"bootstrap.servers": topics.bootstrap_servers, "partitioner": "murmur2_random"})
        self._consumer = Consumer(
            {
                "bootstrap.servers": topics.bootstrap_servers,
                "group.id": "none",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        self._consumer.assign([TopicPartition(topics.name("data"), number, 0) for number in range(PARTITIONS)])
        self._decode = msgspec.json.Decoder(_Record).decode

    def close(self) -> None:
        """Let go of the consumer."""
        self._consumer.close()

    def trigger(self, names: list[str]) -> float:
        """Ask for full syncs, and return the moment of asking."""
        asked_s = time.time()
        for name in names:
            message = {
                "message_id": str(uuid.uuid4()),
                "customer_id": f"cust_{name.rpartition('_')[2]}",
                "integration_id": "google-drive",
                "integration_connection_id": name,
                "trigger_type": "full_sync",
            }
            self.ended.pop(name, None)
            self._producer.produce(self._topics.name("trigger"), msgspec.json.encode(message), name)
        self._producer.flush(START_S)
        return asked_s

    def sync(self, names: list[str]) -> float:
        """Ask for full syncs, wait for their end, and return the seconds that the last of them took."""
        asked_s = self.trigger(names)
        self.until_ended(names)
        return max(self.ended[name] for name in names) - asked_s

    def until_ended(self, names: list[str]) -> None:
        """Wait for the records that close those connections' syncs."""
        ends_s = time.monotonic() + RUN_S
        while missing := [name for name in names if name not in self.ended]:
            if time.monotonic() > ends_s:
                raise RuntimeError(f"no end of {missing}")
            for message in self._consumer.consume(2_000, 0.05):
                value = message.value()
                if message.error() is None and isinstance(value, bytes):
                    self._note(message.timestamp()[1] / 1000, self._decode(value))

    def _note(self, moment_s: float, record: _Record) -> None:
        name = record.integration_connection_id
        if record.resource_type != "sync":
            self.records.append((moment_s, name))
        elif msgspec.json.decode(record.data, type=_Status).status == "completed":
            self.ended[name] = moment_s


SPREAD = {"connections": 40, "least": SMALL_FILES, "most": 50_000, "slots": 10, "smalls": 4}
"""Drives of all sizes, as a fleet has them: soon the huge ones are alone, each in a place of its own."""

CROWD = {"connections": 40, "least": 6_000, "most": 8_000, "slots": 10, "smalls": 6}
"""Large Drives only, twice as many as there are places all through the run: now turns decide."""


def run_both() -> list[Fairness]:
    """The two situations, one after the other; some three minutes."""
    return [run(**SPREAD), run(**CROWD)]


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(run_both()) + b"\n")
