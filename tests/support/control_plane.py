"""A stand-in Control Plane in a thread of its own, with the files by which a worker gets in."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from control_plane_simulator.authority import Authority, Identity
from control_plane_simulator.server import serving
from control_plane_simulator.state import State


@dataclass
class Plane:
    """The stand-in as tests hold it. Its state may be changed at any time: a single assignment is atomic."""

    state: State
    authority: Authority
    directory: Path
    url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The worker's settings for it."""
        return {
            "CONTROL_PLANE_BASE_URL": self.url,
            "CONTROL_PLANE_MTLS_CERT_PATH": str(self.directory / "client.crt"),
            "CONTROL_PLANE_MTLS_KEY_PATH": str(self.directory / "client.key"),
            "CONTROL_PLANE_MTLS_CA_PATH": str(self.directory / "ca.crt"),
        }

    def admit(self, client: Identity) -> None:
        """Write the files of that client."""
        client.write(self.directory, "client")
        (self.directory / "ca.crt").write_bytes(self.authority.certificate)


@contextmanager
def control_plane_in_thread(connections: Mapping[str, dict[str, Any]], directory: Path) -> Iterator[Plane]:
    """Serve those connections until left, on a port of its own, to clients with its authority's certificate."""
    directory.mkdir(exist_ok=True)
    plane = Plane(State(dict(connections)), Authority(), directory)
    plane.admit(plane.authority.client())
    ready, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with serving(plane.state, plane.authority) as url:
            plane.url = url
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()

    thread = threading.Thread(target=run, name="control-plane", daemon=True)
    thread.start()
    try:
        assert ready.wait(10)
        yield plane
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
