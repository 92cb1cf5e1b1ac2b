"""A thousand mixed files with their contents, one of two gigabytes whose download is cut: time, and peak memory.

Google is the simulator, in a process of its own: `python -m benchmarks.content CONNECTIONS_FILE FILES LARGE_BYTES`.
"""

import hashlib
import sys
import time
import urllib.request
from pathlib import Path

import msgspec
import uvloop

from benchmarks.full_path import RunningWorker
from benchmarks.many_drives import serve_simulator, simulated
from benchmarks.measure import peak_mb_of
from benchmarks.surroundings import Surroundings, fresh_topics
from benchmarks.worker_process import START_S, wait_until_open, worker_process
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.model import content
from drive_simulator.server.server import Simulator

FIRST = "conn_user_1"
LARGE_BYTES = 2 * 1024**3
RUN_S = 900.0
_SETTINGS = """
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
    """Sync once into a directory. Raises `RuntimeError` where the large file was not cut, or is not there."""
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
        if not _was_cut(base_url):
            raise RuntimeError("the download of the large file was not cut")
        sizes = [_checked(path) for path in objects.rglob("*/objects/*/*")]
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


class _Rule(msgspec.Struct):
    struck: int


class _Faults(msgspec.Struct):
    rules: list[_Rule]


def _was_cut(base_url: str) -> bool:
    with urllib.request.urlopen(base_url.removesuffix("/drive/v3") + "/_simulator/faults", timeout=START_S) as answer:
        return all(rule.struck for rule in msgspec.json.decode(answer.read(), type=_Faults).rules)


def _checked(path: Path) -> int:
    """The object's size. Raises `RuntimeError` where its bytes are not those that its key names."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != path.name:
            raise RuntimeError("an object does not hold what its key says")
    return path.stat().st_size


async def _serve(connections_file: Path, files: int, large_bytes: int) -> None:
    """Serve the corpus, with one large file in it, until standard input closes."""
    world = generate(CorpusPlan(files=0, shared_drives=0, my_drives=(files,), sharing=0))
    large = next(item for item in world.items.values() if item.size > 0)
    large.size = large_bytes
    content.checksums(large)  # takes some seconds, and is known from then on
    simulator = Simulator(world)
    cut = Match(method="files.get", media=True, path=large.id)
    simulator.faults.add(Rule(Effect(cut_after_bytes=large_bytes // 2), cut, times=1))
    await serve_simulator(simulator, connections_file, _SETTINGS)


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
