"""The real worker in a process of its own, as an operator runs it: started, watched, stopped and killed."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from support.ports import free_ports

READY_DEADLINE_S = 60.0
STOP_DEADLINE_S = 40.0
LOOK_EVERY_S = 0.05

# Ends the worker when the other end of standard input closes, which it does however the test run dies.
_WATCHDOG = 'cat >/dev/null; kill -9 "$0" 2>/dev/null'

_SWIFT = {
    "KAFKA_SESSION_TIMEOUT_MS": "6000",
    "KAFKA_TRANSACTION_TIMEOUT_MS": "10000",
    "HEALTH_HOST": "127.0.0.1",
    "LOG_FORMAT": "json",
}
"""Settings by which a dead worker is noticed within a test's patience."""


def clean_environment() -> dict[str, str]:
    """This process's environment without any setting of the worker's."""
    ours = ("KAFKA_", "WORKER_", "GDRIVE_", "S3_", "CONTROL_PLANE_", "HEALTH_", "LOG_", "CONNECTIONS_FILE", "WEBHOOK_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@dataclass
class WorkerProcess:
    """One worker process at a time on the same settings; `start` after an end begins another, whose log is added."""

    environment: Mapping[str, str]
    log: Path
    module: str = "google_drive_worker"
    port: int = field(default_factory=lambda: free_ports(1)[0])
    _process: subprocess.Popen[bytes] | None = None
    _watchdog: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int:
        """The process that was started last."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; it may take a while to be ready."""
        assert not self.running
        settings = {**clean_environment(), **_SWIFT, "HEALTH_PORT": str(self.port), **self.environment}
        command = [sys.executable, "-m", self.module]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=settings)
        self._watchdog = subprocess.Popen(
            ["sh", "-c", _WATCHDOG, str(self._process.pid)], stdin=subprocess.PIPE, start_new_session=True
        )

    def page(self, path: str) -> str:
        """What the health server answers there, as text; empty where nobody does."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.read().decode()
        except OSError:
            return ""

    def health(self, path: str = "/health/ready") -> tuple[int, dict[str, Any]]:
        """Status and JSON of a health endpoint; status 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read())
        except OSError:
            return 0, {}

    def wait_until(self, condition: Callable[[], bool], what: str, *, deadline_s: float = 30.0) -> None:
        """Wait until the condition holds while the process lives.

        Raises `AssertionError` with the end of the log where the process ends first, or after `deadline_s`.
        """
        deadline = monotonic() + deadline_s
        while not condition():
            assert monotonic() < deadline, f"{what}: not within {deadline_s:.0f} s\n{self.tail()}"
            assert self._process is not None
            try:
                self._process.wait(LOOK_EVERY_S)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"{what}: the worker ended with {self._process.returncode}\n{self.tail()}")

    def wait_ready(self, *, deadline_s: float = READY_DEADLINE_S) -> None:
        """Wait until the worker says that it is ready, and owns a partition."""
        self.wait_until(lambda: self.health()[0] == 200, "ready", deadline_s=deadline_s)

    def wait_for(self, event: str, *, deadline_s: float = 30.0, **fields: object) -> dict[str, Any]:
        """Wait for a log line of that event with those fields, and return the first."""
        self.wait_until(lambda: bool(self.lines(event, **fields)), f"{event} {fields}", deadline_s=deadline_s)
        return self.lines(event, **fields)[0]

    def terminate(self) -> int:
        """Stop it in order (SIGTERM) and return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(STOP_DEADLINE_S)
        self._forget_watchdog()
        return code

    def kill(self) -> None:
        """Kill it (SIGKILL), as a power cut would; harmless where it is dead."""
        if self._process is not None:
            self._forget_watchdog()
            self._process.kill()
            self._process.wait(STOP_DEADLINE_S)

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal, such as SIGSTOP to freeze it."""
        assert self._process is not None
        self._process.send_signal(number)

    def text(self) -> str:
        """Everything that all its processes wrote."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def lines(self, event: str | None = None, **fields: object) -> list[dict[str, Any]]:
        """The log's lines, parsed: of one event, with those fields, or all. A line that is no JSON fails the test."""
        whole, _, _ = self.text().rpartition("\n")  # the last one may be half written
        parsed = [json.loads(line) for line in whole.splitlines() if line]
        return [
            line
            for line in parsed
            if event in {None, line["event"]} and all(line.get(name) == value for name, value in fields.items())
        ]

    def served_s(self, connection_id: str) -> float:
        """The seconds from the acceptance of the connection's last trigger to the end of its last sync."""
        accepted = self.lines("message_accepted", connection_id=connection_id)[-1]
        completed = self.lines("sync_completed", connection_id=connection_id)[-1]
        moments = [datetime.fromisoformat(line["timestamp"]) for line in (accepted, completed)]
        return (moments[1] - moments[0]).total_seconds()

    def tail(self, count: int = 25) -> str:
        """The end of the log, for a failure's text."""
        return "\n".join(self.text().splitlines()[-count:])

    def _forget_watchdog(self) -> None:
        # It goes before the process does: it must not outlive the process id that it would kill.
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            os.killpg(watchdog.pid, signal.SIGKILL)
            if watchdog.stdin is not None:
                watchdog.stdin.close()
            watchdog.wait()


@contextmanager
def worker_process(
    environment: Mapping[str, str], log: Path, *, module: str = "google_drive_worker"
) -> Iterator[WorkerProcess]:
    """A worker on these settings, not started yet; whatever runs of it at the end is killed.

    `module` is what is run, where it is not the worker itself.
    """
    worker = WorkerProcess(environment, log, module)
    try:
        yield worker
    finally:
        worker.kill()
