"""Where connections come from, put together: a file, or the Control Plane."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from google_drive_worker.connections.control_plane import ControlPlane
from google_drive_worker.connections.file import ConnectionsFile
from google_drive_worker.connections.mutual_tls import CertificateFiles, FileNames, MutualTlsTransport
from google_drive_worker.domain.connection import TemporaryKeys
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.ports import Clock, Connections, Reports, TokenSource
from google_drive_worker.http.transport import TransportLimits
from google_drive_worker.utils.errors import Misconfigured, UnknownConnection, WorkerError

FILE_NAMES = FileNames("CONTROL_PLANE_MTLS_CERT_PATH", "CONTROL_PLANE_MTLS_KEY_PATH", "CONTROL_PLANE_MTLS_CA_PATH")

NO_CONNECTION = ConnectionId("google-drive-worker-check")
"""An id of no connection's."""

_ANSWER_BYTES = 4 * 1024 * 1024
_CALLS_AT_ONCE = 32


class Owner(NamedTuple):
    """Who owns the connections. `lacks` says what keeps it from being asked, in sentences for a person; `reports`,
    `tokens` and `object_store_keys` are there where somebody is."""

    connections: Connections
    lacks: Callable[[], Awaitable[list[str]]]
    refused: Callable[[], Awaitable[list[str]]] | None = None
    reports: Reports | None = None
    tokens: TokenSource | None = None
    object_store_keys: Callable[[ConnectionId], Awaitable[TemporaryKeys | None]] | None = None


async def problems_of(owner: Owner) -> list[str]:
    """What keeps connections from being described, in sentences. Their owner is asked for one that there is not: it is
    to say so."""
    lacks = await owner.lacks()
    if lacks:
        return lacks
    try:
        await owner.connections.get(NO_CONNECTION)
    except UnknownConnection:
        return await owner.refused() if owner.refused is not None else []
    except WorkerError as problem:
        return [problem.message]
    return []


def connections_file(path: Path) -> Owner:
    """The connections of a file."""
    file = ConnectionsFile(path)

    async def lacks() -> list[str]:
        try:
            await file.refresh()
        except Misconfigured as problem:
            return [problem.message]
        return [file.problem] if file.problem else []

    return Owner(file, lacks, file.refused)


@asynccontextmanager
async def control_plane(
    base_url: str, files: CertificateFiles, clock: Clock, *, timeout_s: float
) -> AsyncIterator[Owner]:
    """The Control Plane's connections; its own are closed at the end.

    What it lacks is what is wrong with our certificate files: a Control Plane that is away for a while keeps no worker
    from going on.
    """
    limits = TransportLimits(
        connect_timeout_s=timeout_s, total_timeout_s=timeout_s, connections=_CALLS_AT_ONCE, body_bytes=_ANSWER_BYTES
    )
    transport = MutualTlsTransport(base_url, files, FILE_NAMES, limits)
    source = ControlPlane(urlsplit(base_url).path, transport, clock)

    async def lacks() -> list[str]:
        try:
            await transport.refresh()
        except Misconfigured as problem:
            return [problem.message]
        return [transport.problem] if transport.problem else []

    try:
        yield Owner(source, lacks, None, source, source, source.object_store_keys)
    finally:
        await source.close()
        await transport.close()
