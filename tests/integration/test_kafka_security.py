"""Kafka over TLS, with passwords and client certificates, as an operator meets it: on a broker that asks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from control_plane_simulator.authority import Authority
from support.commands import command
from support.kafka_broker import KafkaBroker
from support.ports import free_ports
from support.secured_broker import PASSWORD, USER, scram_users, secured_listeners
from support.topics import Topics, create_topics

pytestmark = pytest.mark.kafka


@dataclass
class Fortress:
    """The broker, its topics, and the files by which one gets in."""

    topics: Topics
    authority: Authority
    directory: Path
    password_port: int
    certificate_port: int

    def by_password(self, **changes: str) -> dict[str, str]:
        """Settings for the listener that asks for a password."""
        return {
            **self.topics.environment,
            "KAFKA_BOOTSTRAP_SERVERS": f"localhost:{self.password_port}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD": PASSWORD,
            "KAFKA_SSL_CA_PATH": str(self.directory / "trust.pem"),
        } | changes

    def by_certificate(self, authority: Authority | None = None) -> dict[str, str]:
        """Settings for the listener that asks for a certificate, signed by the broker's authority or by another."""
        certificate, key = (authority or self.authority).client().write(self.directory, "client")
        return {
            **self.topics.environment,
            "KAFKA_BOOTSTRAP_SERVERS": f"localhost:{self.certificate_port}",
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CA_PATH": str(self.directory / "trust.pem"),
            "KAFKA_SSL_CERT_PATH": str(certificate),
            "KAFKA_SSL_KEY_PATH": str(key),
        }


@pytest.fixture(scope="module")
def fortress(tmp_path_factory: pytest.TempPathFactory, brokers_can_start: None) -> Iterator[Fortress]:
    """One broker for this module."""
    directory, authority, ports = tmp_path_factory.mktemp("tls"), Authority(), free_ports(2)
    listeners = secured_listeners(authority, directory, (ports[0], ports[1]))
    with KafkaBroker(listeners=listeners, format_arguments=scram_users()) as broker:
        yield Fortress(create_topics(broker.bootstrap_servers), authority, directory, ports[0], ports[1])


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_password_opens(fortress: Fortress, mechanism: str) -> None:
    """A command finds the topics over TLS with SASL."""
    found = command("topics", "--check", environment=fortress.by_password(KAFKA_SASL_MECHANISM=mechanism))
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.count("found: ") == 6


def test_a_certificate_opens(fortress: Fortress) -> None:
    """A command finds the topics over TLS with a certificate of its own."""
    found = command("topics", "--check", environment=fortress.by_certificate())
    assert (found.returncode, found.stderr) == (0, "")


def test_a_wrong_password_is_named_and_not_shown(fortress: Fortress) -> None:
    """The line says which settings to look at, and holds no password."""
    found = command("topics", "--check", environment=fortress.by_password(KAFKA_SASL_PASSWORD="a-wrong-secret"))
    assert found.returncode == 1
    assert "KAFKA_SASL_PASSWORD" in found.stderr
    assert "a-wrong-secret" not in found.stderr + found.stdout


def test_a_broker_of_another_authority_is_refused(fortress: Fortress, tmp_path: Path) -> None:
    """With another authority's certificate the broker is not believed, and the line says where to look."""
    other = tmp_path / "other.pem"
    other.write_bytes(Authority("Another").certificate)
    found = command("topics", "--check", environment=fortress.by_password(KAFKA_SSL_CA_PATH=str(other)))
    assert found.returncode == 1
    assert "KAFKA_SSL_CA_PATH" in found.stderr
    assert PASSWORD not in found.stderr


def test_a_foreign_certificate_is_refused(fortress: Fortress) -> None:
    """The broker lets nobody in whom its authority has not signed, and the line says where to look."""
    found = command("topics", "--check", environment=fortress.by_certificate(Authority("Another")))
    assert found.returncode == 1
    assert "KAFKA_SSL_CERT_PATH" in found.stderr
