"""One worker against the page server: its full path with everything on, and what it holds over millions of files."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from benchmarks.measure import Result, peak_mb_of, resident_mb_of, result, usage_of
from benchmarks.surroundings import Surroundings, Topics, fresh_topics
from benchmarks.worker_process import START_S, wait_until_open, worker_process
from google_drive_worker.sync.checkpoint import Checkpoint, decode_checkpoint

CONNECTION_ID = "conn_bench"
CUSTOMER = "cust_bench"

_CONNECTIONS = """\
[conn_bench]
connection_id = "conn_bench"
customer_id = "cust_bench"
[conn_bench.credentials]
type = "authorized_user"
client_id = "bench"
client_secret = "bench"
refresh_token = "bench"
token_uri = "{origin}/token"
[conn_bench.settings]
sync_permissions = false
sync_revisions = false
sync_comments = false
sync_paths = false
"""
"""Metadata alone, as the floor and the common stack have it: what permissions cost is measured in `calls`."""


class RunningWorker:
    """A started worker, seen from outside: its process, its topics, and readers that stand at their ends."""

    def __init__(self, pid: int, topics: Topics, connection_id: str = CONNECTION_ID, customer: str = CUSTOMER) -> None:
        self.pid = pid
        self._connection_id = connection_id
        self._customer_id = customer
        self.topics = topics
        self.state = _reader(topics, "state")
        self._producer = Producer({"bootstrap.servers": topics.bootstrap_servers, "linger.ms": 0})

    def trigger(self, trigger_type: str) -> float:
        """Ask for a sync, and return the moment of asking."""
        message = {
            "message_id": str(uuid.uuid4()),
            "customer_id": self._customer_id,
            "integration_id": "google-drive",
            "integration_connection_id": self._connection_id,
            "trigger_type": trigger_type,
        }
        asked_s = time.monotonic()
        self._producer.produce(self.topics.name("trigger"), msgspec.json.encode(message), self._connection_id)
        self._producer.flush(START_S)
        return asked_s

    def checkpoint(self, deadline_s: float) -> Checkpoint:
        """The next one that is committed, without its corpora."""
        while b"\0" in ((message := _next(self.state, deadline_s)).key() or b""):  # a single corpus
            pass
        value = message.value()
        assert isinstance(value, bytes)
        return decode_checkpoint(value)

    def until_synced(self, deadline_s: float) -> None:
        """Wait for the checkpoint that closes the sync."""
        while True:
            checkpoint = self.checkpoint(deadline_s)
            if checkpoint.sync is None and checkpoint.owed is None:
                return


@contextmanager
def running_worker(around: Surroundings, extra: dict[str, str] | None = None) -> Iterator[RunningWorker]:
    """Start a worker on topics of its own, wait until its partition is open, and stop it at the end."""
    connections = around.directory / "connections.toml"
    connections.write_text(_CONNECTIONS.format(origin=around.token_origin))
    with fresh_topics(around.bootstrap_servers) as topics:
        settings = {
            **topics.environment(),
            "CONNECTIONS_FILE": str(connections),
            "S3_BUCKET_NAME": connections.with_name("objects").as_uri(),
            "GDRIVE_API_BASE_URL": around.origin + "/drive/v3",
            "GDRIVE_PAGE_SIZE": "1000",
            **(extra or {}),
        }
        log = around.directory / f"{topics.prefix}.log"
        with worker_process(settings, log) as process:
            wait_until_open(process, log)
            yield RunningWorker(process.pid, topics)


def run(around: Surroundings, files: int, extra: dict[str, str] | None = None) -> Result:
    """One full sync of so many files: from the commit that accepts the trigger to the one that closes the sync.

    Raises `RuntimeError` where not every file became a record.
    """
    around.serve(files)
    with running_worker(around, extra) as worker:
        worker.trigger("full_sync")
        worker.checkpoint(START_S)
        begin = usage_of(worker.pid)
        worker.until_synced(START_S)
        end = usage_of(worker.pid)
        check_written(worker.topics, files)
        return result("worker", files, begin, end, peak_mb_of(worker.pid))


class Memory(msgspec.Struct, frozen=True):
    """Of one full sync: memory at a tenth of it, at its end, and at most, in MB."""

    files: int
    tenth_mb: float
    end_mb: float
    peak_mb: float


def run_memory(around: Surroundings, files: int) -> Memory:
    """One full sync of so many files, watched for what it holds."""
    around.serve(files)
    with running_worker(around) as worker:
        worker.trigger("full_sync")
        tenth_mb = 0.0
        while True:
            checkpoint = worker.checkpoint(START_S)
            if checkpoint.sync is None and checkpoint.owed is None:
                break
            if not tenth_mb and checkpoint.sync and sum(checkpoint.sync.counts.values()) >= files / 10:
                tenth_mb = resident_mb_of(worker.pid)
        check_written(worker.topics, files)
        return Memory(files, tenth_mb, resident_mb_of(worker.pid), peak_mb_of(worker.pid))


class _Counts(msgspec.Struct):
    counts: dict[str, int] | None = None


class _Closing(msgspec.Struct):
    resource_type: str
    data: _Counts


def check_written(topics: Topics, files: int) -> None:
    """The last record of the topic closes the sync, and its counts say that every file was written."""
    reader = Consumer({"bootstrap.servers": topics.bootstrap_servers, "group.id": "none", "enable.auto.commit": False})
    try:
        here = TopicPartition(topics.name("data"), 0)
        _, high = reader.get_watermark_offsets(here, timeout=START_S)
        reader.assign([TopicPartition(here.topic, 0, max(0, high - 5))])
        last: _Closing | None = None
        ends_s = time.monotonic() + START_S
        while last is None and time.monotonic() < ends_s:
            message = reader.poll(0.1)
            if message is None or message.error() is not None:
                continue
            value = message.value()
            assert isinstance(value, bytes)
            found = msgspec.json.decode(value, type=_Closing)
            last = found if found.resource_type == "sync" and found.data.counts else None
    finally:
        reader.close()
    counted = sum((last.data.counts or {}).values()) if last else 0
    if counted != files:
        raise RuntimeError(f"{files} files were listed, and {counted} records written")


def _reader(topics: Topics, role: str) -> Consumer:
    """A committed reader that stands at the topic's end."""
    consumer = Consumer(
        {
            "bootstrap.servers": topics.bootstrap_servers,
            "group.id": "none",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 5,
        }
    )
    here = TopicPartition(topics.name(role), 0)
    _, high = consumer.get_watermark_offsets(here, timeout=START_S)
    consumer.assign([TopicPartition(here.topic, 0, high)])
    return consumer


def _next(consumer: Consumer, deadline_s: float) -> Message:
    ends_s = time.monotonic() + deadline_s
    while time.monotonic() < ends_s:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            return message
    raise RuntimeError(f"nothing was committed within {deadline_s:.0f} s")


def reader_of_data(topics: Topics) -> Consumer:
    """A committed reader that stands at the end of the records."""
    return _reader(topics, "data")


def next_record_of(consumer: Consumer, resource_types: set[str], deadline_s: float) -> float:
    """Wait for the next record of one of those types, and return the moment it was read."""
    while True:
        value = _next(consumer, deadline_s).value()
        assert isinstance(value, bytes)
        if msgspec.json.decode(value, type=_Kind).resource_type in resource_types:
            return time.monotonic()


class _Kind(msgspec.Struct):
    resource_type: str
