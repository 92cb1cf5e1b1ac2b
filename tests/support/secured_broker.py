"""A broker with listeners that ask who comes: by SASL over TLS, and by client certificates."""

from dataclasses import dataclass
from pathlib import Path

from control_plane_simulator.authority import Authority

USER, PASSWORD = "worker", "a-marked-password"

_LOGIN = "org.apache.kafka.common.security"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener beside the plain one: its name, `protocol` and port, and more properties of the broker."""

    name: str
    protocol: str
    port: int
    properties: str


def secured_listeners(authority: Authority, directory: Path, ports: tuple[int, int]) -> tuple[Listener, Listener]:
    """One for PLAIN and SCRAM over TLS (by `scram_users`), one for certificates that the authority signed."""
    server = authority.server()
    store, trust = directory / "broker.pem", directory / "trust.pem"
    store.touch(mode=0o600)
    store.write_bytes(server.key + server.certificate)
    trust.write_bytes(authority.certificate)
    tls = "ssl.keystore.type=PEM ssl.keystore.location={} ssl.truststore.type=PEM ssl.truststore.location={}"
    passwords = {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "plain.sasl.jaas.config": f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
        "scram-sha-256.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
        "scram-sha-512.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
    }
    stores = dict(pair.split("=", 1) for pair in tls.format(store, trust).split())
    asking = stores | {"ssl.client.auth": "required"}
    return (
        Listener("PASSWORDS", "SASL_SSL", ports[0], _properties("passwords", stores | passwords)),
        Listener("CERTIFICATES", "SSL", ports[1], _properties("certificates", asking)),
    )


def scram_users() -> list[str]:
    """The arguments by which a broker's storage is formatted with the user, for either mechanism."""
    return [f"--add-scram=SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]" for bits in (256, 512)]


def _properties(listener: str, values: dict[str, str]) -> str:
    return "".join(f"listener.name.{listener}.{name}={value}\n" for name, value in values.items())
