"""Google's addresses on this machine: a proxy that answers CONNECT and ends TLS, with the simulator behind it.

For clients that know no other address of Drive than Google's own: they get the proxy as HTTPS_PROXY, and a certificate
authority that is made for the run. What they say within TLS goes to the simulator byte for byte.
"""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from control_plane_simulator.authority import Authority

GOOGLE_HOSTS = ("www.googleapis.com", "oauth2.googleapis.com")
_BLOCK = 1 << 16
_ENDED = (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)


@dataclass
class GoogleFront:
    """A running proxy. `refused` are the addresses asked for that are none of Google's."""

    url: str
    certificates: Path
    refused: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """What makes Python's clients go through the proxy, and trust it."""
        trusted = str(self.certificates)
        return {"HTTPS_PROXY": self.url, "HTTPLIB2_CA_CERTS": trusted, "REQUESTS_CA_BUNDLE": trusted}


@contextmanager
def google_front(origin: str, folder: Path) -> Iterator[GoogleFront]:
    """Serve Google's addresses from the simulator at `origin` while the block runs; certificates go into `folder`."""
    context = _server_context(GOOGLE_HOSTS, folder)
    front = GoogleFront("", folder / "ca.pem")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="google-front", daemon=True)
    thread.start()
    tunnels = _Tunnels(urlsplit(origin), context, front)
    try:
        port = asyncio.run_coroutine_threadsafe(tunnels.start(), loop).result()
        front.url = f"http://127.0.0.1:{port}"
        yield front
    finally:
        asyncio.run_coroutine_threadsafe(tunnels.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Tunnels:
    """Accepts CONNECT for Google's hosts, ends TLS and joins each connection with one to the simulator."""

    def __init__(self, upstream: SplitResult, context: ssl.SSLContext, front: GoogleFront) -> None:
        self._upstream = upstream
        self._context = context
        self._front = front
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and end what is open."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(*_ENDED, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._open.discard(task)
            await _close(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        verb, target, _ = head.decode("latin-1").split(" ", 2)
        if verb != "CONNECT" or target not in {f"{host}:443" for host in GOOGLE_HOSTS}:
            self._front.refused.append(f"{verb} {target}")
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await writer.start_tls(self._context)
        inward, outward = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        try:
            ways = [asyncio.create_task(_pump(reader, outward)), asyncio.create_task(_pump(inward, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            await _close(outward)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while block := await reader.read(_BLOCK):
        writer.write(block)
        await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(*_ENDED):
        await writer.wait_closed()


def _server_context(hosts: Sequence[str], folder: Path) -> ssl.SSLContext:
    """TLS for those hosts, by an authority made here: its certificate is `ca.pem` in the folder."""
    authority = Authority("An authority of the tests")
    (folder / "ca.pem").write_bytes(authority.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server(hosts).write(folder, "google"))
    context.set_alpn_protocols(["http/1.1"])
    return context
