"""Forty connections of very different sizes on two workers with few places, and a small one that comes later."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from support.mirroring import staged
from support.one_owner import Call, CallLog, spans_of
from support.topics import Topics
from support.worker_process import WorkerProcess

pytestmark = [pytest.mark.kafka, pytest.mark.alone]

SIZES = tuple(round(10 * 200 ** (number / 39)) for number in range(40))
"""From 10 to 2,000 files, each a seventh larger than the one before."""

CROWD = tuple(f"conn_user_{number + 1}" for number in range(len(SIZES)))
SMALL = f"conn_user_{len(SIZES) + 1}"
LATENCY_MS = 60
SETTINGS = {
    "GDRIVE_PAGE_SIZE": "5",
    "GDRIVE_MAX_CONCURRENT_LISTINGS": "1",
    "WORKER_MAX_CONCURRENT_CONNECTIONS": "5",
}
WINDOW_S = 8.0
"""Some three rounds of turns, in which everybody should get the like."""

LEAST_JAIN = 0.8
"""Two workers don't own equally many of the connections with much to do, which alone makes it 0.9 to 1."""

SMALL_S = 3.0
"""For ten files, seven calls in all, while dozens wait: half a second alone, and a round of all turns is three."""


def _jain(services: Iterable[int]) -> float:
    """Jain's index: 1 where all got the same, 1/n where one of n got it all."""
    values = list(services)
    return sum(values) ** 2 / (len(values) * sum(value * value for value in values))


def _count_open(worker: WorkerProcess) -> int:
    return sum(span.end_s == float("inf") for span in spans_of([worker]))


def _ended_s(workers: list[WorkerProcess]) -> dict[str, float]:
    """When each connection's first sync came to its end, in seconds since 1970."""
    lines = [line for worker in workers for line in worker.lines("sync_completed", kind="full")]
    return {line["connection_id"]: datetime.fromisoformat(line["timestamp"]).timestamp() for line in lines}


def test_two_workers_serve_all_alike_and_a_small_connection_soon(wide_topics: Topics, tmp_path: Path) -> None:
    """Whoever has something to do gets about as many calls as the others, and ten files need not wait for thousands."""
    world = generate(CorpusPlan(files=0, shared_drives=0, my_drives=(*SIZES, 10), sharing=0))
    with staged(world, wide_topics, tmp_path, latency_ms=LATENCY_MS) as stage:
        log = CallLog({stage.email(name): name for name in (*CROWD, SMALL)})
        stage.simulator.observers.append(log)
        with stage.worker(SETTINGS) as one, stage.worker(SETTINGS) as two:
            workers = [one, two]
            one.wait_until(lambda: _count_open(one) == _count_open(two) == wide_topics.partitions // 2, "shared out")
            stage.trigger_all(CROWD, "full_sync")
            one.wait_until(lambda: len(log.calls()) > 10 * len(CROWD), "all under way")
            stage.trigger(SMALL, "full_sync")
            one.wait_until(lambda: _lasted_s(log.calls()) > WINDOW_S, "the window is over")
            stage.settle(SMALL)
            stage.simulator.latency_ms = 0
            stage.settle(*CROWD)
            stage.assert_equal(*CROWD, SMALL)
            calls, ended_s = log.calls(), _ended_s(workers)
            (small_s,) = [worker.served_s(SMALL) for worker in workers if worker.lines(connection_id=SMALL)]

    assert small_s < SMALL_S
    busy, served = _service(calls, ended_s)
    assert len(busy) >= 12, "there was too little to share"
    assert _jain(served[name] for name in busy) > LEAST_JAIN, served


def _lasted_s(calls: list[Call]) -> float:
    return max(call.came_at_s for call in calls) - min(call.came_at_s for call in calls)


def _service(calls: list[Call], ended_s: dict[str, float]) -> tuple[list[str], Counter[str]]:
    """Who had something to do all through the first window, and how many calls each connection made in it."""
    begin_s = min(call.came_at_s for call in calls)
    busy = [name for name in CROWD if ended_s[name] > begin_s + WINDOW_S]
    return busy, Counter(call.connection_id for call in calls if call.came_at_s < begin_s + WINDOW_S)
