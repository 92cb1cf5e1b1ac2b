"""The worker itself, as it is deployed: `python -m google_drive_worker run`, in processes of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

START_S = 60.0
"""For a worker to start, and for whatever else should come at once."""

BENCH_SETTINGS = {
    # The limiter stays on; Google's real limits would have it wait, since no Google is this fast.
    "GDRIVE_QUOTA_PROJECT_PER_MINUTE": "1000000000",
    "GDRIVE_QUOTA_USER_PER_MINUTE": "1000000000",
    "HEALTH_HOST": "127.0.0.1",
    "HEALTH_PORT": "0",
}


@contextmanager
def worker_process(settings: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a worker whose log goes to a file of its own, and end it in order. It may take a while to be ready."""
    command = [sys.executable, "-m", "google_drive_worker", "run"]
    environment = {**os.environ, **BENCH_SETTINGS, **settings}
    with log.open("wb") as stderr, subprocess.Popen(command, env=environment, stdout=stderr, stderr=stderr) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def wait_until_open(process: subprocess.Popen[bytes], log: Path, partitions: int = 1) -> None:
    """Wait until the worker has opened so many partitions. Raises `RuntimeError` where it does not."""
    ends_s = time.monotonic() + START_S
    while time.monotonic() < ends_s and process.poll() is None:
        if log.read_bytes().count(b"partition_opened") >= partitions:
            return
        time.sleep(0.05)
    raise RuntimeError(f"the worker did not start; see {log}")
