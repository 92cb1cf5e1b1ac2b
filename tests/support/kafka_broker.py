"""A real Apache Kafka broker for the tests: KRaft, one JVM, on free ports, gone with the process that started it.

`python -m support.kafka_broker` (with `tests` on PYTHONPATH) starts one, prints its address and keeps it until stopped.
"""

import base64
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from support.ports import free_ports
from support.secured_broker import Listener

POM = Path(__file__).parent / "kafka" / "pom.xml"
START_DEADLINE_S = 90.0
RESOLVE_DEADLINE_S = 240.0
STOP_DEADLINE_S = 20.0

# A group and a transaction of one broker need no replicas; few internal partitions make the first group and the
# first transaction quick; the short session and clean-up intervals let tests see a dead worker replaced, or a killed
# broker back, within seconds.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{behind}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{fronts}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=5
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=3000
log.index.size.max.bytes=1048576
log.cleaner.backoff.ms=300
"""

# Ends the broker and its data when the other end of standard input closes, which it does however its owner dies.
_WATCHDOG = 'cat >/dev/null; kill -9 "$0" 2>/dev/null; sleep 1; rm -rf "$1"'


class KafkaUnavailable(Exception):
    """No broker can be had here; the text says what is missing."""


class KafkaFailed(Exception):
    """The broker did not start or stop; the text ends with the tail of its log."""


def missing() -> str | None:
    """Say what keeps us from starting a broker, or None where nothing is known to."""
    absent = [name for name in ("java", "mvn") if shutil.which(name) is None]
    return f"{' and '.join(absent)} not found" if absent else None


def cache_directory() -> Path:
    """Where the resolved class path is kept between runs (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "google-drive-worker" / "kafka"


def class_path() -> str:
    """The broker's class path, from the cache where its jars are all there, else resolved with Maven.

    Raises `KafkaUnavailable` where Java or Maven is missing or Maven can't resolve.
    """
    if (lack := missing()) is not None:
        raise KafkaUnavailable(lack)
    directory = cache_directory()
    cached = directory / f"classpath-{hashlib.sha256(POM.read_bytes()).hexdigest()[:16]}"
    with contextlib.suppress(FileNotFoundError):
        text = cached.read_text()
        if text and all(Path(jar).is_file() for jar in text.split(os.pathsep)):
            return text
    directory.mkdir(parents=True, exist_ok=True)
    fresh = cached.with_suffix(f".{os.getpid()}")
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:build-classpath", f"-Dmdep.outputFile={fresh}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RESOLVE_DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        raise KafkaUnavailable(f"Maven did not resolve the broker within {RESOLVE_DEADLINE_S:.0f} s") from None
    if done.returncode != 0:
        last = next((line for line in done.stdout.splitlines() if "ERROR" in line), "no reason given")
        raise KafkaUnavailable(f"Maven can't resolve the broker: {last[:300]}")
    fresh.replace(cached)
    return cached.read_text()


@dataclass(frozen=True, slots=True)
class Front:
    """A way to the broker through a proxy: that listens on `port`, which the broker advertises, and dials `behind`.

    Whoever is given `127.0.0.1:port` to start from is told to stay there.
    """

    port: int
    behind: int


class KafkaBroker:
    """One broker with its data and ports, which outlive `stop()` and `kill()` until `close()`.

    `fronts` is for how many proxies it has a listener; nobody listens on their ports until a proxy does. `listeners`
    are others beside the plain one; `format_arguments` go to the tool that formats its storage.
    """

    def __init__(
        self, *, fronts: int = 0, listeners: Sequence[Listener] = (), format_arguments: Sequence[str] = ()
    ) -> None:
        self._class_path = class_path()
        self.directory = Path(tempfile.mkdtemp(prefix="gdw-kafka-"))
        self.log = self.directory / "broker.log"
        self._port, self._controller_port, *others = free_ports(2 + 2 * fronts)
        self.fronts = tuple(Front(port, behind) for port, behind in zip(others[::2], others[1::2], strict=True))
        self._listeners = tuple(listeners)
        self._format_arguments = tuple(format_arguments)
        self._server: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address that clients are given; the same after a restart."""
        return f"127.0.0.1:{self._port}"

    @property
    def data(self) -> Path:
        """Where the logs of its partitions are."""
        return self.directory / "data"

    @property
    def process_id(self) -> int:
        """The running JVM's."""
        assert self._server is not None
        return self._server.pid

    def start(self) -> Self:
        """Start and wait until it answers a metadata request; formats its storage the first time.

        Raises `KafkaFailed` where it exits or does not answer within `START_DEADLINE_S`.
        """
        if self._server is not None:
            return self
        properties = self.directory / "server.properties"
        if not properties.exists():
            self._format(properties)
        self._server = self._java("kafka.Kafka", str(properties), heap="-Xmx1g")
        self._watchdog = subprocess.Popen(
            ["sh", "-c", _WATCHDOG, str(self._server.pid), str(self.directory)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._wait_until_ready(self._server)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Stop in order (SIGTERM), as an operator would; kills it after `STOP_DEADLINE_S`."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it (SIGKILL), as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self, *, kill: bool = False) -> None:
        """Stop or kill it and start it again with the same data and ports."""
        self._end(signal.SIGKILL if kill else signal.SIGTERM)
        self.start()

    def wait_ended(self, deadline_s: float) -> None:
        """Wait until it has ended by itself. Raises `subprocess.TimeoutExpired` after `deadline_s`."""
        assert self._server is not None
        self._server.wait(deadline_s)
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze the JVM (SIGSTOP), so that connections stay open and nothing answers."""
        if self._server is not None:
            self._server.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused JVM go on."""
        if self._server is not None:
            self._server.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill it and remove its data."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def log_tail(self, lines: int = 40) -> str:
        """The end of the broker's log, for a failure's text."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(no log)"

    def _format(self, properties: Path) -> None:
        named = [(f"FRONT{number}", front) for number, front in enumerate(self.fronts)]
        others = "".join(f",{each.name}://127.0.0.1:{each.port}" for each in self._listeners)
        text = _PROPERTIES.format(
            port=self._port,
            controller_port=self._controller_port,
            data=self.data,
            behind="".join(f",{name}://127.0.0.1:{front.behind}" for name, front in named) + others,
            fronts="".join(f",{name}://127.0.0.1:{front.port}" for name, front in named) + others,
            protocols="".join(f",{name}:PLAINTEXT" for name, _ in named)
            + "".join(f",{each.name}:{each.protocol}" for each in self._listeners),
        ) + "".join(each.properties for each in self._listeners)
        properties.write_text(text)
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # An id that starts with a dash would be read as an option.
        arguments = ["format", "--standalone", f"--cluster-id={cluster_id}", "--config", str(properties)]
        arguments += self._format_arguments
        tool = self._java("kafka.tools.StorageTool", *arguments, heap="-Xmx128m")
        try:
            failed = tool.wait(START_DEADLINE_S) != 0
        except subprocess.TimeoutExpired:
            tool.kill()
            tool.wait()
            failed = True
        if failed:
            properties.unlink()
            raise KafkaFailed(f"the storage could not be formatted:\n{self.log_tail()}")

    def _java(self, main: str, *arguments: str, heap: str) -> subprocess.Popen[bytes]:
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        # A small test broker starts faster with the serial collector, and leaves the cores to the tests.
        command = ["java", heap, "-XX:+UseSerialGC", quiet, "-cp", self._class_path, main, *arguments]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.directory
            )

    def _wait_until_ready(self, server: subprocess.Popen[bytes]) -> None:
        client = AdminClient(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "log_level": 0,
                "reconnect.backoff.ms": 50,
                "reconnect.backoff.max.ms": 200,
            }
        )
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise KafkaFailed(f"the broker exited with {server.returncode}:\n{self.log_tail()}")
            with contextlib.suppress(KafkaException):
                if client.list_topics(timeout=1.0).brokers:
                    return
        raise KafkaFailed(f"the broker did not answer within {START_DEADLINE_S:.0f} s:\n{self.log_tail()}")

    def _end(self, how: signal.Signals) -> None:
        server, self._server = self._server, None
        watchdog, self._watchdog = self._watchdog, None
        # The watchdog goes first: it must not outlive the process id that it would kill.
        if watchdog is not None:
            os.killpg(watchdog.pid, signal.SIGKILL)
            if watchdog.stdin is not None:
                watchdog.stdin.close()
            watchdog.wait()
        if server is not None:
            if how is not signal.SIGKILL:
                server.send_signal(signal.SIGCONT)
            server.send_signal(how)
            try:
                server.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def main() -> None:
    """Serve until SIGINT or SIGTERM; the address is the one line of standard output."""
    signals = {signal.SIGINT, signal.SIGTERM}
    try:
        with KafkaBroker() as broker:
            signal.pthread_sigmask(signal.SIG_BLOCK, signals)
            sys.stdout.write(f"{broker.bootstrap_servers}\n")
            sys.stdout.flush()
            signal.sigwait(signals)
    except (KafkaUnavailable, KafkaFailed) as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
