"""A thousand mixed files with their contents, one of them of two gigabytes: time, and the worker's peak memory.

Google is the simulator, in a process of its own: `python -m benchmarks.content CONNECTIONS_FILE FILES LARGE_BYTES`.
"""

import asyncio
import sys
import threading
import time
from pathlib import Path

import msgspec
import uvloop

from benchmarks.full_path import RunningWorker
from benchmarks.many_drives import simulated
from benchmarks.measure import peak_mb_of
from benchmarks.surroundings import Surroundings, fresh_topics
from benchmarks.worker_process import START_S, wait_until_open, worker_process
from drive_simulator import content
from drive_simulator.corpus import CorpusPlan, generate
from drive_simulator.server import Simulator

FIRST = "conn_user_1"
LARGE_BYTES = 2 * 1024**3
RUN_S = 900.0
_SETTINGS = f"""
[{FIRST}.settings]
sync_content = true
sync_permissions = false
sync_revisions = false
sync_comments = false
max_file_size_bytes = 4000000000
"""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """A full sync with contents: what came of it, and what it took."""

    files: int
    large_mb: float
    seconds: float
    objects: int
    stored_mb: float
    peak_mb: float


def run(around: Surroundings, files: int = 1_000, large_bytes: int = LARGE_BYTES) -> Contents:
    """Sync once into a directory. Raises `RuntimeError` where the large file is not there whole at the end."""
    connections = around.directory / "content.toml"
    with (
        simulated(__name__, connections, files, large_bytes) as base_url,
        fresh_topics(around.bootstrap_servers) as topics,
    ):
        objects = around.directory / f"{topics.prefix}.objects"
        settings = {
            **topics.environment(),
            "CONNECTIONS_FILE": str(connections),
            "S3_BUCKET_NAME": objects.as_uri(),
            "GDRIVE_API_BASE_URL": base_url,
            "GDRIVE_QUOTA_PROJECT_PER_MINUTE": "1000000000",
            "GDRIVE_QUOTA_USER_PER_MINUTE": "1000000000",
        }
        log = around.directory / f"{topics.prefix}.log"
        with worker_process(settings, log) as process:
            wait_until_open(process, log)
            worker = RunningWorker(process.pid, topics, FIRST, "cust_1")
            worker.trigger("full_sync")
            worker.checkpoint(START_S)
            began_s = time.monotonic()
            while (checkpoint := worker.checkpoint(RUN_S)).sync is not None or checkpoint.owed is not None:
                pass
            seconds = time.monotonic() - began_s
            peak_mb = peak_mb_of(process.pid)
        sizes = [path.stat().st_size for path in objects.rglob("*/objects/*/*")]
    if large_bytes not in sizes:
        raise RuntimeError(f"no object of {large_bytes} bytes: {log.read_text()[-2000:]}")
    return Contents(
        files=files,
        large_mb=large_bytes / 1e6,
        seconds=round(seconds, 2),
        objects=len(sizes),
        stored_mb=round(sum(sizes) / 1e6, 1),
        peak_mb=peak_mb,
    )


async def _serve(connections_file: Path, files: int, large_bytes: int) -> None:
    """Serve the corpus, with one large file in it, until standard input closes."""
    world = generate(CorpusPlan(files=0, shared_drives=0, my_drives=(files,), sharing=0))
    large = next(item for item in world.items.values() if item.size > 0)
    large.size = large_bytes
    content.checksums(large)  # takes some seconds, and is known from then on
    simulator = Simulator(world)
    await simulator.start()
    simulator.write_connections(connections_file)
    with connections_file.open("a") as file:
        file.write(_SETTINGS)
    sys.stdout.write(f"{simulator.base_url}\n")
    sys.stdout.flush()
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=wait, daemon=True).start()
    await over.wait()
    await simulator.stop()


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
