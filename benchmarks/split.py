"""How long the split listing of a large drive takes, beside the same pages asked for one after the other."""

import time
import urllib.request

import msgspec

from benchmarks.full_path import check_written, running_worker
from benchmarks.surroundings import Surroundings
from benchmarks.worker_process import START_S


class Split(msgspec.Struct, frozen=True):
    """One full sync of one drive, from the commit that accepts the trigger to the one that closes the sync.

    `sequential_s` is what its pages alone would take one after the other. `pages_in_vain` were asked for beside them.
    """

    files: int
    page_size: int
    latency_ms: float
    seconds: float
    sequential_s: float
    pages_in_vain: int

    @property
    def share(self) -> float:
        """Of the sequential time."""
        return self.seconds / self.sequential_s


class _Calls(msgspec.Struct):
    calls: int


def run(around: Surroundings, files: int, *, page_size: int, latency_ms: float) -> Split:
    """Sync so many files spread over time, with the worker's own defaults but for the page size.

    Raises `RuntimeError` where not every file became a record.
    """
    pages = -(-files // page_size)
    with running_worker(around, {"GDRIVE_PAGE_SIZE": str(page_size)}) as worker:
        _ask(around, f"/control?spread={files}&latency_ms={latency_ms}")
        try:
            worker.trigger("full_sync")
            worker.checkpoint(START_S)
            began_s = time.monotonic()
            worker.until_synced(START_S)
            seconds = time.monotonic() - began_s
            check_written(worker.topics, files)
            calls = msgspec.json.decode(_ask(around, "/control"), type=_Calls).calls
        finally:
            _ask(around, "/control?spread=0&latency_ms=0")
    return Split(files, page_size, latency_ms, round(seconds, 2), pages * latency_ms / 1000, calls - pages)


def _ask(around: Surroundings, target: str) -> bytes:
    with urllib.request.urlopen(around.origin + target, timeout=START_S) as answer:
        body: bytes = answer.read()
        return body
