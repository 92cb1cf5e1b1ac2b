"""What all variants run against: the prepared page server, a real broker and fresh topics."""

import os
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.certificate import make_certificate, trusted
from benchmarks.pages import make_pages, save

BROKER_S = 30.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the page server and the broker are, and a directory to write in.

    `token_origin` is the page server once more, without TLS.
    """

    origin: str
    token_origin: str
    bootstrap_servers: str
    directory: Path

    def serve(self, files: int, *, latency_ms: float = 0.0, change: bool = False) -> None:
        """Say what the page server serves from now on."""
        changed = "&change=1" if change else ""
        url = f"{self.origin}/control?files={files}&latency_ms={latency_ms}{changed}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            answer.read()


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics of one run."""

    bootstrap_servers: str
    prefix: str

    def name(self, role: str) -> str:
        """The topic of that role: trigger, webhook, data, errors or state."""
        return f"{self.prefix}.{role}"

    def environment(self) -> dict[str, str]:
        """The worker's Kafka settings."""
        roles = ("trigger", "webhook", "data", "errors", "state")
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KAFKA_CONSUMER_GROUP_ID": f"{self.prefix}.worker",
            **{f"KAFKA_TOPIC_{role.upper()}": self.name(role) for role in roles},
        }


@contextmanager
def surroundings() -> Iterator[Surroundings]:
    """Start all that is needed, and stop it at the end. `KAFKA_BOOTSTRAP_SERVERS` names a broker to use instead."""
    with tempfile.TemporaryDirectory(prefix="gdw-bench-") as name, broker() as bootstrap_servers:
        directory = Path(name)
        certificate = directory / "certificate.pem"
        make_certificate(certificate)
        save(make_pages(), directory / "pages")
        command = [sys.executable, "-m", "benchmarks.page_server", str(directory / "pages"), str(certificate)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdin is not None
            port, plain_port = map(int, server.stdout.readline().split())
            try:
                token_origin = f"http://127.0.0.1:{plain_port}"
                with trusted(certificate):
                    yield Surroundings(f"https://127.0.0.1:{port}", token_origin, bootstrap_servers, directory)
            finally:
                server.stdin.close()


@contextmanager
def broker() -> Iterator[str]:
    """The address of a broker: the one that `KAFKA_BOOTSTRAP_SERVERS` names, or the tests' own."""
    if address := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield address
        return
    # The broker is the tests' own; they are no package that could be installed.
    sys.path.append(str(Path(__file__).parent.parent / "tests"))
    from support.kafka_broker import KafkaBroker  # noqa: PLC0415

    with KafkaBroker() as broker:
        yield broker.bootstrap_servers


@contextmanager
def fresh_topics(bootstrap_servers: str, partitions: int = 1) -> Iterator[Topics]:
    """Make topics of so many partitions, and drop them at the end.

    A partition of the data topic keeps about 256 MB, so that no run fills a disk.
    """
    topics = Topics(bootstrap_servers, f"bench-{uuid.uuid4().hex[:8]}")
    configs: dict[str, dict[str, str]] = {
        "trigger": {},
        "webhook": {},
        "data": {"retention.bytes": str(256 << 20), "segment.bytes": str(64 << 20)},
        "errors": {},
        "state": {"cleanup.policy": "compact"},
    }
    client = AdminClient({"bootstrap.servers": bootstrap_servers})
    wanted = [NewTopic(topics.name(role), num_partitions=partitions, config=config) for role, config in configs.items()]
    for made in client.create_topics(wanted, operation_timeout=BROKER_S).values():
        made.result(BROKER_S)
    try:
        yield topics
    finally:
        for gone in client.delete_topics([topic.topic for topic in wanted], operation_timeout=BROKER_S).values():
            gone.exception(BROKER_S)
