"""What the stand-in Control Plane knows: connections, what was reported of them, and how it is to behave."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

_LOCAL = ("refresh_credentials", "object_store_credentials")
"""What a connection has here that it is never described with."""


class Call(NamedTuple):
    """A call that came, by whom: `client` is the name in the certificate."""

    method: str
    connection_id: str
    what: str
    client: str


@dataclass(slots=True)
class State:
    """Connections by id, as the contract describes them.

    A connection may hold `refresh_credentials` (client_id, client_secret, refresh_token, token_uri), by which its
    access tokens are refreshed, and `object_store_credentials`, which are given out as they stand. `down` makes every
    call a 503; `latency_s` delays each; `instead` is what is answered for a connection whatever is asked, by status and
    body.
    """

    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    cursors: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    down: bool = False
    latency_s: float = 0.0
    instead: dict[str, tuple[int, str]] = field(default_factory=dict)

    def described(self, connection_id: str) -> dict[str, Any] | None:
        """The answer to GET, `None` where there is no such connection."""
        connection = self.connections.get(connection_id)
        if connection is None:
            return None
        shown = {name: value for name, value in connection.items() if name not in _LOCAL}
        defaults = {"integration_id": "google-drive", "status": "active", "settings": {}}
        return {**defaults, **shown, "connection_id": connection_id}

    def count(self, method: str, what: str = "") -> int:
        """How many calls of that kind came."""
        return sum(1 for call in self.calls if (call.method, call.what) == (method, what))


def connections_of(path: Path) -> dict[str, dict[str, Any]]:
    """The connections of a TOML file, one table each, as `google-drive-simulator --write-connections` writes it."""
    return tomllib.loads(path.read_text())


def as_refreshed_here(connection: Mapping[str, Any]) -> dict[str, Any]:
    """The connection with its refresh token kept here: the worker is given access tokens alone, and has none yet."""
    credentials = dict(connection["credentials"])
    return {
        **connection,
        "credentials": {"type": "access_token", "access_token": "none-yet", "expiry": "2000-01-01T00:00:00Z"},
        "refresh_credentials": credentials,
    }
