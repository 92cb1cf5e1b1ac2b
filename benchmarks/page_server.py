"""A prepared Google: serves pages that are rendered and compressed already, so that serving costs next to nothing.

It is a process of its own (`python -m benchmarks.page_server PAGES CERTIFICATE`) that serves until standard input
closes, on two ports that it prints: one speaks TLS as Google does, one does not, for tokens alone (google-auth trusts
the public authorities and nobody else). The listing begins anew with each changes.getStartPageToken: clients come one
after the other. `/control` sets how many `files` a listing has, the `latency_ms` of each call to Drive, whether the log
holds a `change`, and has so many files `spread` over time (see `spread`), of which any range is listed; it answers with
the `calls` for those.
"""

import asyncio
import ssl
import sys
import threading
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, urlsplit

import uvloop

from benchmarks.pages import PAGE_SIZE, Page, load, one_change
from benchmarks.spread import Spread

_HEADERS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nVary: Origin, X-Origin, Referer\r\n"
    b"Cache-Control: no-cache, no-store, max-age=0, must-revalidate\r\nPragma: no-cache\r\n"
    b"Expires: Mon, 01 Jan 1990 00:00:00 GMT\r\nDate: Mon, 20 Jan 2025 10:00:00 GMT\r\nServer: ESF\r\n"
    b"X-XSS-Protection: 0\r\nX-Frame-Options: SAMEORIGIN\r\nX-Content-Type-Options: nosniff\r\n"
)
_TOKEN = b'{"access_token":"ya29.prepared","expires_in":3599,"token_type":"Bearer","scope":"drive"}'


class Book:
    """What is served, and how far the present listing is."""

    def __init__(self, pages: list[Page]) -> None:
        self.latency_s = 0.0
        self._change = _answer(one_change(pages))
        self._pages = 1
        self._served = 0
        self._changed = False
        self._prepared = pages
        self._spread: Spread | None = None

    def answer(self, target: str) -> tuple[bytes, float]:
        """The whole answer to a request, and the seconds to wait before it is sent."""
        path = target.partition("?")[0]
        match path:
            case "/drive/v3/files" if self._spread is not None:
                return _answer(self._spread.page(target)), self.latency_s
            case "/drive/v3/files" if "orderBy=modifiedTime&" in target:  # the other way round: nothing is to be split
                return _answer(b'{"files":[]}'), self.latency_s
            case "/drive/v3/files":
                return self._next_page(), self.latency_s
            case "/drive/v3/drives":
                return _answer(b'{"drives":[]}'), self.latency_s
            case "/drive/v3/changes/startPageToken":
                self._served = 0
                return _answer(b'{"startPageToken":"1"}'), self.latency_s
            case "/drive/v3/changes":
                changed, self._changed = self._changed, False
                empty = _answer(b'{"newStartPageToken":"1","changes":[]}')
                return self._change if changed else empty, self.latency_s
            case "/token":
                return _answer(_TOKEN), 0.0
            case "/control":
                self._set(target)
                return _answer(b'{"calls":%d}' % (self._spread.calls if self._spread else 0)), 0.0
            case _:
                return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0.0

    def _next_page(self) -> bytes:
        number = self._served
        self._served += 1
        page = self._prepared[number % len(self._prepared)]
        return _answer(page.gzipped(number if number + 1 < self._pages else None), gzipped=True)

    def _set(self, target: str) -> None:
        for name, values in parse_qs(urlsplit(target).query).items():
            match name:
                case "files":
                    self._pages = max(1, int(values[0]) // PAGE_SIZE)
                case "latency_ms":
                    self.latency_s = float(values[0]) / 1000
                case "spread":
                    self._spread = Spread(self._prepared, int(values[0])) if int(values[0]) else None
                case "change":
                    self._changed = True


class _Connection(asyncio.Protocol):
    """One client: HTTP/1.1, kept alive, one request after the other."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer the request as soon as it is there, with its body, which is not read."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return
        self._received = b""
        answer, wait_s = self._book.answer(head.split(b" ", 2)[1].decode())
        if wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def _answer(body: bytes, *, gzipped: bool = False) -> bytes:
    encoding = b"Content-Encoding: gzip\r\n" if gzipped else b""
    return _HEADERS + encoding + b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body


async def _serve(book: Book, tls: ssl.SSLContext) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(book), "127.0.0.1", 0, ssl=tls)
    plain = await loop.create_server(lambda: _Connection(book), "127.0.0.1", 0)
    ports = [each.sockets[0].getsockname()[1] for each in (server, plain)]
    sys.stdout.write("{} {}\n".format(*ports))
    sys.stdout.flush()
    over = asyncio.Event()

    def wait() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=wait, daemon=True).start()
    await over.wait()


if __name__ == "__main__":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    uvloop.run(_serve(Book(load(Path(sys.argv[1]))), context))
