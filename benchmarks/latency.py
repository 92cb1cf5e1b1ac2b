"""How long after its trigger a record can be read by a committed reader, with a Google that answers slowly."""

import statistics

import msgspec
from confluent_kafka import Consumer

from benchmarks.full_path import RunningWorker, next_record_of, reader_of_data, running_worker
from benchmarks.surroundings import Surroundings
from benchmarks.worker_process import START_S

LATENCY_MS = 100.0
FILES = 20_000
_FILES = {"file", "folder"}


class Latencies(msgspec.Struct, frozen=True):
    """Milliseconds from the trigger being sent to a record being read; medians.

    `opened_ms` is to a full sync's first record, the one that opens it, and `first_file_ms` to the first one of a file,
    for which Google has to be called twice. Each call takes `page_ms`.
    """

    page_ms: float
    opened_ms: float
    first_file_ms: float
    incremental_ms: float


def run(around: Surroundings, rounds: int) -> Latencies:
    """Measure both, on a worker that has its access token already."""
    around.serve(FILES)
    with running_worker(around) as worker:
        worker.trigger("full_sync")
        worker.until_synced(START_S)
        reader = reader_of_data(worker.topics)
        opened, first_file, incremental = [], [], []
        for _ in range(rounds):
            around.serve(FILES, latency_ms=LATENCY_MS)
            asked_s = worker.trigger("full_sync")
            opened.append(next_record_of(reader, {"sync"}, START_S) - asked_s)
            first_file.append(next_record_of(reader, _FILES, START_S) - asked_s)
            _end(worker, reader)
            around.serve(FILES, latency_ms=LATENCY_MS, change=True)
            asked_s = worker.trigger("incremental")
            incremental.append(next_record_of(reader, _FILES, START_S) - asked_s)
            worker.until_synced(START_S)
    return Latencies(LATENCY_MS, _ms(opened), _ms(first_file), _ms(incremental))


def _end(worker: RunningWorker, reader: Consumer) -> None:
    """Wait until the sync is over, and its closing record read."""
    worker.until_synced(START_S)
    next_record_of(reader, {"sync"}, START_S)


def _ms(seconds: list[float]) -> float:
    return round(statistics.median(seconds) * 1000, 1)
