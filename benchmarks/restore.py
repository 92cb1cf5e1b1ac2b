"""How long a worker takes to start with many idle connections, and what they weigh, beside a worker with none."""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.measure import resident_mb_of
from benchmarks.surroundings import Surroundings, Topics, fresh_topics, surroundings
from benchmarks.worker_process import START_S, wait_until_open, worker_process
from google_drive_worker.domain.ids import ConnectionId, CustomerId, PageToken, SyncId
from google_drive_worker.domain.partitioning import partition_of
from google_drive_worker.kafka.state_store import restore
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Corpus, decode_checkpoint
from google_drive_worker.sync.state_records import StateRecords, decode_state

CONNECTIONS = 10_000
PARTITIONS = 16
DRIVES = 4
"""Shared drives a connection, beside the user's own corpus."""

_CONNECTION = """\
[{0}]
customer_id = "cust_{0}"
[{0}.credentials]
type = "authorized_user"
client_id = "bench"
client_secret = "bench"
refresh_token = "1//{0}"
token_uri = "{1}/token"
[{0}.settings]
sync_permissions = false
sync_revisions = false
sync_comments = false
sync_paths = false
"""
"""As the checkpoints have it, which are of metadata alone."""


class Restore(msgspec.Struct, frozen=True):
    """A worker with so many idle connections, in its state and in its CONNECTIONS_FILE, beside one with none. Medians.

    `read_s` is for reading and decoding the state alone, one partition after the other. `ready_s` is from the start of
    the process until every partition is open, interpreter, imports and the group's first rebalance included. `served_s`
    is from a trigger for one of the connections to the end of its incremental sync. Memory is what the process holds
    when it is ready, and after that sync.
    """

    connections: int
    state_mb: float
    read_s: float
    ready_s: float
    ready_without_s: float
    resident_mb: float
    resident_without_mb: float
    served_s: float
    resident_later_mb: float


def idle_checkpoint(connection_id: str) -> Checkpoint:
    """A connection between two syncs, as a finished full sync of it and its shared drives leaves it."""
    number = 100_000 + len(connection_id)
    drives = {
        f"0A{connection_id[-6:]:_>8}{drive}Uk9PVA": Corpus("done", PageToken(f"{number + drive}"), written=True)
        for drive in range(DRIVES)
    }
    return Checkpoint(
        ConnectionId(connection_id),
        CustomerId(f"cust_{connection_id}"),
        corpora={USER_CORPUS: Corpus("done", PageToken(f"{number}"), written=True), **drives},
        last_sync_id=SyncId("019a8b1c-22b3-738c-8f00-31a192c8daf2"),
        completed_at="2026-11-20T08:15:30.123Z",
    )


def run(around: Surroundings, connections: int = CONNECTIONS, rounds: int = 3) -> Restore:
    """Start a worker without connections and one with so many, in turn; medians."""
    without, full, read_s, served_s, later_mb = [], [], [], [], []
    for _ in range(rounds):
        with _started(around, 0) as worker:
            without.append(worker)
        with _started(around, connections) as worker:
            full.append(worker)
            read_s.append(_read(worker.topics, connections))
            served_s.append(_serve_one(worker.topics, f"conn_{connections // 2}"))
            later_mb.append(resident_mb_of(worker.pid))
    return Restore(
        connections,
        round(full[0].state_mb, 2),
        round(statistics.median(read_s), 3),
        round(statistics.median(worker.ready_s for worker in full), 2),
        round(statistics.median(worker.ready_s for worker in without), 2),
        round(statistics.median(worker.resident_mb for worker in full), 1),
        round(statistics.median(worker.resident_mb for worker in without), 1),
        round(statistics.median(served_s), 3),
        round(statistics.median(later_mb), 1),
    )


class _Started(NamedTuple):
    pid: int
    topics: Topics
    state_mb: float
    ready_s: float
    resident_mb: float


@contextmanager
def _started(around: Surroundings, connections: int) -> Iterator[_Started]:
    around.serve(1_000)
    names = [f"conn_{number}" for number in range(connections)]
    file = around.directory / "many-connections.toml"
    file.write_text("".join(_CONNECTION.format(name, around.token_origin) for name in names))
    with fresh_topics(around.bootstrap_servers, PARTITIONS) as topics:
        state_mb = _write_state(topics, names) / 1e6
        settings = {
            **topics.environment(),
            "CONNECTIONS_FILE": str(file),
            "S3_BUCKET_NAME": file.with_name("objects").as_uri(),
            "GDRIVE_API_BASE_URL": around.origin + "/drive/v3",
        }
        log = Path(around.directory / f"{topics.prefix}.log")
        began_s = time.monotonic()
        with worker_process(settings, log) as process:
            wait_until_open(process, log, PARTITIONS)
            ready_s = time.monotonic() - began_s
            yield _Started(process.pid, topics, state_mb, ready_s, resident_mb_of(process.pid))


def _write_state(topics: Topics, names: list[str]) -> int:
    producer = Producer({"bootstrap.servers": topics.bootstrap_servers, "partitioner": "murmur2_random"})
    size_bytes = 0
    for name in names:
        number = partition_of(name, PARTITIONS)
        for key, value in StateRecords().replace(ConnectionId(name), idle_checkpoint(name)):
            size_bytes += len(value or b"")
            producer.produce(topics.name("state"), value, key, number)
            producer.poll(0)
    if producer.flush(START_S):
        raise RuntimeError("the broker did not take the state")
    return size_bytes


def _read(topics: Topics, connections: int) -> float:
    """Seconds for reading what is committed of every partition, as a worker does that gets them."""
    config = {"bootstrap.servers": topics.bootstrap_servers, "group.id": f"{topics.prefix}.worker"}
    names = topics.name("trigger"), topics.name("state")
    began_s = time.monotonic()
    stored = (restore(config, *names, number, START_S).state for number in range(PARTITIONS))
    found = sum(len(decode_state(state).checkpoints) for state in stored)
    if found != connections:
        raise RuntimeError(f"{connections} connections were written, and {found} restored")
    return time.monotonic() - began_s


def _serve_one(topics: Topics, name: str) -> float:
    """Seconds from a trigger for the connection to the checkpoint that closes its sync."""
    reader = Consumer(
        {
            "bootstrap.servers": topics.bootstrap_servers,
            "group.id": "none",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 5,
        }
    )
    here = [TopicPartition(topics.name("state"), number) for number in range(PARTITIONS)]
    for each in here:
        _, each.offset = reader.get_watermark_offsets(each, timeout=START_S)
    reader.assign(here)
    message = {
        "message_id": "0e5a6b7c-3d2e-4f1a-9b8c-7d6e5f4a3b2c",
        "customer_id": f"cust_{name}",
        "integration_id": "google-drive",
        "integration_connection_id": name,
        "trigger_type": "incremental",
    }
    producer = Producer({"bootstrap.servers": topics.bootstrap_servers, "partitioner": "murmur2_random"})
    asked_s = time.monotonic()
    producer.produce(topics.name("trigger"), msgspec.json.encode(message), name)
    producer.flush(START_S)
    try:
        while time.monotonic() - asked_s < START_S:
            found = reader.poll(0.1)
            value = None if found is None or found.error() is not None else found.value()
            if isinstance(value, bytes) and found is not None and b"\0" not in (found.key() or b""):
                checkpoint = decode_checkpoint(value)
                if checkpoint.sync is None and checkpoint.owed is None:
                    return time.monotonic() - asked_s
    finally:
        reader.close()
    raise RuntimeError(f"the trigger for {name} was not served")


if __name__ == "__main__":
    with surroundings() as ours:
        sys.stdout.buffer.write(msgspec.json.encode(run(ours)) + b"\n")
