"""What a mirror with permissions, revisions and comments costs in calls, beside a call for each resource.

Google is the simulator, in a process of its own: `python -m benchmarks.calls CONNECTIONS_FILE LATENCY_MS ITEMS SYNCED`.
"""

import sys
import time
import urllib.request
from pathlib import Path

import msgspec
import uvloop

from benchmarks.full_path import RunningWorker
from benchmarks.many_drives import serve, simulated
from benchmarks.surroundings import Surroundings, fresh_topics
from benchmarks.worker_process import START_S, wait_until_open, worker_process
from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan
from drive_simulator.server.quota import unit_model

FIRST = "conn_user_1"
SHARED_ONE_BY_ONE = 0.05
COMMENTED = 0.1
RUN_S = 300.0

PERMISSIONS = "permissions"
EVERYTHING = "permissions,revisions,comments"


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """One full sync of so many items, of which a twentieth is shared one by one and a tenth of the files commented.

    With permissions alone they are all in one shared drive; with everything, half of them are in My Drive. `naive_*` is
    a page for each thousand items, and a call for each item's permissions and each file's revisions and comments.
    """

    synced: str
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
        """Records a second, all resources together."""
        return self.records / self.seconds


class _Counters(msgspec.Struct):
    requests: int
    methods: dict[str, int]


def run(
    around: Surroundings, items: int, *, synced: str = PERMISSIONS, page_size: int = 1_000, latency_ms: float = 50.0
) -> Calls:
    """Sync once, with the worker's own defaults but for the page size."""
    connections = around.directory / "calls.toml"
    with (
        simulated(__name__, connections, latency_ms, items, synced) as base_url,
        fresh_topics(around.bootstrap_servers) as topics,
    ):
        settings = {
            **topics.environment(),
            "CONNECTIONS_FILE": str(connections),
            "S3_BUCKET_NAME": connections.with_name("objects").as_uri(),
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
            counts: dict[str, int] = {}
            while (checkpoint := worker.checkpoint(RUN_S)).sync is not None or checkpoint.owed is not None:
                counts = checkpoint.sync.counts if checkpoint.sync else counts
            seconds = time.monotonic() - began_s
        counted = _counters(base_url)
    prices = unit_model()
    listed = prices.cost("permissions.list")
    pages, each = -(-items // page_size), items + (2 * counts["file"] if synced == EVERYTHING else 0)
    permission_units = counted.methods.get("permissions.list", 0) * listed
    permission_units += counted.methods.get("files.get", 0) * prices.cost("files.get")
    return Calls(
        synced=synced,
        items=items,
        page_size=page_size,
        latency_ms=latency_ms,
        seconds=round(seconds, 2),
        records=sum(counts.values()),
        requests=counted.requests,
        units=round(sum(times * prices.cost(method) for method, times in counted.methods.items())),
        naive_requests=pages + each,
        naive_units=round((pages + each) * listed),
        permission_units=round(permission_units),
        naive_permission_units=round(items * listed),
    )


def _counters(base_url: str) -> _Counters:
    address = base_url.removesuffix("/drive/v3") + "/_simulator/counters"
    with urllib.request.urlopen(address, timeout=START_S) as answer:
        return msgspec.json.decode(answer.read(), type=_Counters)


def _plan(items: int, synced: str) -> CorpusPlan:
    own = 0 if synced == PERMISSIONS else items // 2
    details = Details(shared=SHARED_ONE_BY_ONE, limited=0, commented=COMMENTED)
    return CorpusPlan(files=items - own, shared_drives=1, my_drives=(own, 0, 0), sharing=0, details=details)


if __name__ == "__main__":
    of_items, of_synced = int(sys.argv[3]), sys.argv[4]
    uvloop.run(serve(Path(sys.argv[1]), float(sys.argv[2]), _plan(of_items, of_synced), synced=of_synced))
