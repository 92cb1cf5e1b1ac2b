"""What a mirror of a shared drive with its permissions costs in calls, beside a call for each resource.

Google is the simulator, in a process of its own: `python -m benchmarks.calls CONNECTIONS_FILE LATENCY_MS FILES`.
"""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvloop

from benchmarks.full_path import RunningWorker
from benchmarks.many_drives import serve
from benchmarks.surroundings import Surroundings, fresh_topics
from benchmarks.worker_process import START_S, wait_until_open, worker_process
from drive_simulator.corpus import CorpusPlan
from drive_simulator.corpus_details import Details
from drive_simulator.quota import unit_model

FIRST = "conn_user_1"
SHARED_ONE_BY_ONE = 0.05
RUN_S = 300.0


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """One full sync of a shared drive of so many items, of which a twentieth is shared one by one.

    `naive_*` is a page of a thousand for each thousand items, and one permissions.list for each item.
    """

    items: int
    page_size: int
    latency_ms: float
    seconds: float
    records: int
    requests: int
    units: int
    naive_requests: int
    naive_units: int
    permission_units: int
    naive_permission_units: int

    @property
    def per_second(self) -> float:
        """Records a second, permissions included."""
        return self.records / self.seconds


class _Counters(msgspec.Struct):
    requests: int
    methods: dict[str, int]


def run(around: Surroundings, items: int, *, page_size: int = 1_000, latency_ms: float = 50.0) -> Calls:
    """Sync the drive once, with the worker's own defaults but for the page size."""
    connections = around.directory / "shared-drive.toml"
    with _shared_drive(connections, latency_ms, items) as base_url, fresh_topics(around.bootstrap_servers) as topics:
        settings = {
            **topics.environment(),
            "CONNECTIONS_FILE": str(connections),
            "GDRIVE_API_BASE_URL": base_url,
            "GDRIVE_PAGE_SIZE": str(page_size),
        }
        log = around.directory / f"{topics.prefix}.log"
        with worker_process(settings, log) as process:
            wait_until_open(process, log)
            worker = RunningWorker(process.pid, topics, FIRST, "cust_1")
            worker.trigger("full_sync")
            worker.checkpoint(START_S)
            began_s = time.monotonic()
            records = 0
            while (checkpoint := worker.checkpoint(RUN_S)).sync is not None or checkpoint.owed is not None:
                records = sum(checkpoint.sync.counts.values()) if checkpoint.sync else records
            seconds = time.monotonic() - began_s
        counted = _counters(base_url)
    prices = unit_model()
    permission_units = counted.methods.get("permissions.list", 0) * prices.cost("permissions.list")
    pages = -(-items // page_size)
    return Calls(
        items=items,
        page_size=page_size,
        latency_ms=latency_ms,
        seconds=round(seconds, 2),
        records=records,
        requests=counted.requests,
        units=round(sum(times * prices.cost(method) for method, times in counted.methods.items())),
        naive_requests=pages + items,
        naive_units=round((pages + items) * prices.cost("permissions.list")),
        permission_units=round(permission_units + counted.methods.get("files.get", 0) * prices.cost("files.get")),
        naive_permission_units=round(items * prices.cost("permissions.list")),
    )


def _counters(base_url: str) -> _Counters:
    address = base_url.removesuffix("/drive/v3") + "/_simulator/counters"
    with urllib.request.urlopen(address, timeout=START_S) as answer:
        return msgspec.json.decode(answer.read(), type=_Counters)


@contextmanager
def _shared_drive(connections_file: Path, latency_ms: float, items: int) -> Iterator[str]:
    command = [sys.executable, "-m", __name__, str(connections_file), str(latency_ms), str(items)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


if __name__ == "__main__":
    plan = CorpusPlan(
        files=int(sys.argv[3]),
        shared_drives=1,
        my_drives=(0, 0, 0),
        sharing=0,
        details=Details(shared=SHARED_ONE_BY_ONE, limited=0),
    )
    uvloop.run(serve(Path(sys.argv[1]), float(sys.argv[2]), plan))
