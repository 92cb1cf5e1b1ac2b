"""Edits that arrive by push: the webhook proxy as a process, edits at a pace, and how long each takes to a record."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from drive_simulator.model.item_changes import create
from drive_simulator.model.world import World
from google_drive_worker.proxy.server import WEBHOOK_PATH
from support.mirroring import FIRST, Stage
from support.worker_process import clean_environment

DEADLINE_S = 60.0
SECRET = "signs the channels of this test"


@contextmanager
def proxy_process(environment: Mapping[str, str]) -> Iterator[str]:
    """The `proxy` command on a free port, and the address for Google; killed at the end."""
    words = (sys.executable, "-m", "google_drive_worker", "proxy", "--port", "0")
    settings = {**clean_environment(), **environment, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=settings) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            assert line.startswith("Listening on http://127.0.0.1:"), line
            yield line.split()[2].rstrip(",") + WEBHOOK_PATH
        finally:
            process.kill()


def push_settings(address: str) -> dict[str, str]:
    """The worker's settings for push to that address."""
    return {"GDRIVE_WEBHOOK_ADDRESS": address, "WEBHOOK_TOKEN_SECRET": SECRET}


@dataclass
class Edits:
    """What was edited when, by file id, and when its record could be read by a committed reader; in seconds."""

    made_s: dict[str, float] = field(default_factory=dict)
    seen_s: dict[str, float] = field(default_factory=dict)

    def latencies_s(self) -> list[float]:
        """From edit to committed record, the shortest first."""
        return sorted(seen_s - self.made_s[name] for name, seen_s in self.seen_s.items())

    def quantile_s(self, share: float) -> float:
        """The latency that such a share of the edits stays under."""
        latencies = self.latencies_s()
        return latencies[min(len(latencies) - 1, int(share * len(latencies)))]


def edits_by_push(stage: Stage, count: int, *, per_second: float, connection_id: str = FIRST) -> Edits:
    """Let the user make so many files at that pace, reading records meanwhile; none of it is triggered.

    Raises `AssertionError` where not every record has come a minute after the last edit.
    """
    edits = Edits()
    email = stage.email(connection_id)
    paced = threading.Event()

    def edit(number: int) -> str:
        def make(world: World) -> str:
            return create(world, world.user(email), f"edit {number}", "text/plain", content=b"text").id

        return stage.simulator.apply(make)

    def make_all() -> None:
        began_s = monotonic()
        for number in range(count):
            paced.wait(max(0.0, began_s + number / per_second - monotonic()))
            made_s = monotonic()
            edits.made_s[edit(number)] = made_s

    maker = threading.Thread(target=make_all, name="editor", daemon=True)
    maker.start()
    deadline = monotonic() + count / per_second + DEADLINE_S
    seen: dict[str, float] = {}
    while maker.is_alive() or not edits.made_s.keys() <= seen.keys():
        assert monotonic() < deadline, f"{len(edits.made_s.keys() - seen.keys())} of {count} edits are missing"
        for message in stage.data.read_some(0.02):
            now_s = monotonic()
            record = stage.mirror.apply(message.value or b"", partition=message.partition, offset=message.offset)
            seen.setdefault(record.resource_id, now_s)
    maker.join()
    edits.seen_s = {name: seen[name] for name in edits.made_s}
    return edits


def channels_of(stage: Stage, connection_id: str = FIRST) -> list[dict[str, Any]]:
    """The channels of the connection's committed state."""
    found: list[dict[str, Any]] = (stage.state(connection_id).get("watching") or {}).get("channels", [])
    return found


def living(stage: Stage) -> list[str]:
    """The ids of the channels that live at the simulated Google."""
    return stage.simulator.apply(lambda _: sorted(channel.order.id for channel in stage.simulator.channels.living()))
