"""The Control Plane as the demonstration uses it: a stand-in over mutual TLS, which holds the people's consents.

The worker is given neither a file of connections nor a refresh token: it asks, and is given access tokens.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from control_plane_simulator.authority import Authority
from control_plane_simulator.server import serving
from control_plane_simulator.state import State, as_refreshed_here, connections_of

CONTENT_LIMIT_BYTES = 64 * 1024
"""`max_file_size_bytes` of every connection: most of the simulated files are smaller, and some are not."""


@dataclass(frozen=True, slots=True)
class PlaneCalls:
    """How often the worker asked the Control Plane, by what for."""

    descriptions: int
    token_refreshes: int
    cursors: int


@dataclass(frozen=True, slots=True)
class PlanePart:
    """One running Control Plane: where it is, and the certificates by which the worker gets in."""

    base_url: str
    certificates: Path
    state: State

    @property
    def environment(self) -> dict[str, str]:
        """The worker's settings that lead there."""
        return {
            "CONTROL_PLANE_BASE_URL": self.base_url,
            "CONTROL_PLANE_MTLS_CERT_PATH": str(self.certificates / "client.crt"),
            "CONTROL_PLANE_MTLS_KEY_PATH": str(self.certificates / "client.key"),
            "CONTROL_PLANE_MTLS_CA_PATH": str(self.certificates / "ca.crt"),
        }

    def calls(self) -> PlaneCalls:
        """Those that came so far."""
        count = self.state.count
        return PlaneCalls(count("GET"), count("POST", "refresh-token"), count("PUT", "cursor"))


@contextlib.asynccontextmanager
async def plane_part(connections_file: Path) -> AsyncIterator[PlanePart]:
    """Serve the connections of a file until left, with contents on, and every refresh token kept here."""
    connections = {
        name: as_refreshed_here(connection)
        for name, connection in connections_of(connections_file).items()
        if connection["credentials"]["type"] == "authorized_user"
    }
    for connection in connections.values():
        wanted = {"sync_content": True, "max_file_size_bytes": CONTENT_LIMIT_BYTES}
        connection["settings"] = {**connection.get("settings", {}), **wanted}
    authority, state = Authority(), State(connections)
    with TemporaryDirectory(prefix="control-plane-") as directory:
        certificates = Path(directory)
        authority.client().write(certificates, "client")
        (certificates / "ca.crt").write_bytes(authority.certificate)
        async with serving(state, authority) as base_url:
            yield PlanePart(base_url, certificates, state)
