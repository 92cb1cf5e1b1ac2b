"""HTTP, as little as the client needs: a request to one fixed host and its whole answer, bounded in size and time.

Behind the port `Transport` stands aiohttp: it is the fastest of the kept libraries once its own gunzip is left out.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from google_drive_worker.http.addresses import address_problem
from google_drive_worker.http.compression import CorruptGzip, TooLarge, gunzip, gunzip_stream
from google_drive_worker.utils.errors import Misconfigured, Retryable, Terminal

USER_AGENT = "google-drive-worker (gzip)"
"""Google compresses only where the User-Agent says `gzip` too (Drive guide, "Improve performance")."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What to send. `target` is the path with its query, already percent-encoded; the host is the transport's alone."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came: `headers` compares names without case, `body` is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpStream:
    """An answer whose body is read in pieces. `pieces` raises `Retryable` where it does not come whole.

    The server sent it `is_encoded` though asked not to: the pieces are decoded, but a Range of it counts encoded bytes.
    """

    status: int
    headers: Mapping[str, str]
    pieces: Callable[[], AsyncIterator[bytes]]
    is_encoded: bool = False


class Transport(Protocol):
    """Sends one request, once, and reads its whole answer."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer, whatever its status.

        Raises `Retryable` where none came whole (`connection_failed`, `certificate_refused`, `timeout`, `truncated`)
        or it is encoded in a way that was not asked for (`bad_answer`),
        `Terminal` where it may not be taken (`response_too_large`, `redirected`, `bad_credentials`).
        """
        ...


class StreamTransport(Transport, Protocol):
    """A transport whose answers can be read in pieces."""

    def stream(self, request: HttpRequest, origin: str | None = None) -> AbstractAsyncContextManager[HttpStream]:
        """Open the answer, asked for without compression but decoded where it has one. Only silence is timed.

        `origin` is another host than the transport's own; the caller has made sure that it may be told what the request
        holds. A redirect is an answer like any other, and is not followed. Raises as `send` does.
        """
        ...


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """Bounds of the HTTP layer; times in seconds."""

    connect_timeout_s: float = 10.0
    total_timeout_s: float = 60.0
    """A page of 1,000 files can take Google some seconds; ten times that is a hang."""
    connections: int = 100
    keep_alive_s: float = 60.0
    silence_s: float = 60.0
    """How long a stream may bring nothing."""
    body_bytes: int = 64 * 1024 * 1024
    """Of an answer, as sent and decompressed: forty times the largest page seen (1.5 MB for 1,000 files)."""


DEFAULT_LIMITS = TransportLimits()

PIECE_BYTES = 256 * 1024
"""The most that a stream gives at once."""

NO_CONNECTION = "connection_failed"
"""The code of an error where no connection came about, or one ended without an answer."""

BAD_ANSWER = "bad_answer"
"""The code of an error where an answer came, and is not what such an answer can be."""

_NOT_ENCODED = frozenset({"", "identity"})

_GZIP = frozenset({"gzip", "x-gzip"})
"""The same by RFC 9110, section 8.4.1.3. No other coding is asked for, and none is understood."""

CERTIFICATE_REFUSED = "certificate_refused"
"""The code of an error where one side of a connection does not accept the other's certificate."""


class AiohttpTransport:
    """Implements `Transport` by one shared `aiohttp.ClientSession`, kept-alive connections to one host.

    Redirects are never followed, cookies, `.netrc` and proxy variables are ignored: a bearer token goes to `origin` and
    nowhere else. Use as an asynchronous context manager, or call `close`. aiohttp sets TCP_NODELAY by itself.
    """

    def __init__(
        self, origin: str, limits: TransportLimits = DEFAULT_LIMITS, *, tls: ssl.SSLContext | None = None
    ) -> None:
        """Take the host from `origin`, a URL whose path is ignored.

        `tls` replaces the default context (it may bring a client certificate). Raises `Misconfigured` for an address
        that no token may go to.
        """
        if problem := address_problem(origin):
            raise Misconfigured(f"the address {problem}")
        parts = urlsplit(origin)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._limits = limits
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; harmless when done twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send once and read the whole answer; see `Transport.send`."""
        outcome = await self._exchange(request)
        if isinstance(outcome, Exception):
            raise outcome  # outside of any `except`: no foreign exception hangs on it, whose text we don't control
        return outcome

    @asynccontextmanager
    async def stream(self, request: HttpRequest, origin: str | None = None) -> AsyncIterator[HttpStream]:
        """Open an answer to read in pieces; see `StreamTransport.stream`."""
        limits = self._limits
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_timeout_s, sock_read=limits.silence_s)
        headers = {**request.headers, "Accept-Encoding": "identity"}
        url = URL((origin or self._origin) + request.target, encoded=True)
        failure: Retryable | Terminal
        try:
            response = await self._open_session().request(
                request.method, url, headers=headers, data=request.body, allow_redirects=False, timeout=timeout
            )
        except TimeoutError:
            failure = Retryable("the server did not answer in time", code="timeout")
        except (aiohttp.ClientError, OSError) as problem:
            failure = _no_connection(problem)
        except ValueError:
            failure = Terminal("a token or header holds a character that HTTP can't carry", code="bad_credentials")
        else:
            try:
                coding = _coding(response.headers)
                is_encoded = coding not in _NOT_ENCODED
                pieces = partial(_decoded, response, coding) if is_encoded else partial(_pieces, response)
                yield HttpStream(response.status, response.headers, pieces, is_encoded)
            finally:
                response.close()
            return
        raise failure

    async def _exchange(self, request: HttpRequest) -> HttpResponse | Retryable | Terminal:
        try:
            async with self._open_session().request(
                request.method,
                URL(self._origin + request.target, encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            ) as response:
                status, headers = response.status, response.headers
                body = await _read_bounded(response, self._limits.body_bytes)
        except TimeoutError:
            return Retryable("the server did not answer in time", code="timeout")
        except aiohttp.ClientPayloadError:
            return Retryable("the connection was cut in the middle of an answer", code="truncated")
        except (aiohttp.ClientError, OSError) as problem:
            return _no_connection(problem)
        except ValueError:  # aiohttp refuses line breaks in headers
            return Terminal("a token or header holds a character that HTTP can't carry", code="bad_credentials")
        if body is None:
            return _too_large(status)
        return _accept(HttpResponse(status, headers, body), self._limits.body_bytes)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:  # not in the constructor: a session belongs to a running loop
            limits = self._limits
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=limits.connections,
                    keepalive_timeout=limits.keep_alive_s,
                    ssl=self._tls or True,
                ),
                timeout=aiohttp.ClientTimeout(total=limits.total_timeout_s, sock_connect=limits.connect_timeout_s),
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                read_bufsize=1
                << 18,  # a compressed page of 1,000 files fits: the socket isn't paused and resumed for it
            )
        return self._session


def _no_connection(problem: BaseException) -> Retryable:
    """What became of a connection; of TLS it says why, since a person has to mend that."""
    if isinstance(
        problem, aiohttp.ClientResponseError
    ):  # what aiohttp's parser refuses: 8,190 bytes a line are its most
        told = "what it answers is no HTTP, or its headers are too many or too long"
        return Retryable(f"no connection to the server: {told}", code=NO_CONNECTION)
    cause = _tls_error(problem)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Retryable(f"the server's certificate is not accepted: {cause.verify_message}", code=CERTIFICATE_REFUSED)
    if cause is not None and "ALERT" in (cause.reason or ""):
        alert = cause.reason.lower().replace("_", " ")
        return Retryable(f"the server does not accept our certificate ({alert})", code=CERTIFICATE_REFUSED)
    name = type(problem).__name__ if cause is None else f"TLS: {cause.reason}"
    return Retryable(f"no connection to the server ({name})", code=NO_CONNECTION)


def _tls_error(problem: BaseException | None) -> ssl.SSLError | None:
    """The TLS error beneath an error of aiohttp's."""
    while problem is not None:
        beneath = getattr(problem, "certificate_error", None) or getattr(problem, "os_error", None)
        if beneath is None and isinstance(problem, ssl.SSLError):
            return problem
        problem = beneath or problem.__cause__ or problem.__context__
    return None


def _accept(response: HttpResponse, limit_bytes: int) -> HttpResponse | Retryable | Terminal:
    """Refuse a redirect, decompress the rest."""
    status = response.status
    if 300 <= status < 400:  # noqa: PLR2004  (the 3xx class)
        return Terminal("the server answered with a redirect", code="redirected", http_status=status)
    coding = _coding(response.headers)
    if coding in _NOT_ENCODED:
        return response
    if coding not in _GZIP:
        # A refusal counts by its status, readable or not.
        return HttpResponse(status, response.headers, b"") if status >= _REFUSALS else _unknown_coding(status)
    try:
        return HttpResponse(status, response.headers, gunzip(response.body, limit_bytes))
    except TooLarge:
        return _too_large(status)
    except CorruptGzip:
        return Retryable("an answer's compression is broken", code="truncated", http_status=status)


_REFUSALS = 400


def _coding(headers: Mapping[str, str]) -> str:
    """How a body is encoded, in lower case; several codings stand as one text."""
    return headers.get("Content-Encoding", "").strip().lower()


def _unknown_coding(status: int) -> Retryable:
    told = "an answer is encoded in a way that was not asked for"
    return Retryable(told, code=BAD_ANSWER, http_status=status)


async def _decoded(response: aiohttp.ClientResponse, coding: str) -> AsyncIterator[bytes]:
    if coding not in _GZIP:
        raise _unknown_coding(response.status)
    is_broken = False
    try:
        async for piece in gunzip_stream(_pieces(response), PIECE_BYTES):
            yield piece
    except CorruptGzip:
        is_broken = True
    if is_broken:
        raise Retryable("an answer's compression is broken", code="truncated", http_status=response.status)


def _too_large(status: int) -> Terminal:
    return Terminal("an answer is larger than the worker takes", code="response_too_large", http_status=status)


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    failure: Retryable
    try:
        async for piece in response.content.iter_chunked(PIECE_BYTES):
            yield piece
    except TimeoutError:
        failure = Retryable("the server fell silent in the middle of an answer", code="timeout")
    except (aiohttp.ClientError, OSError):
        failure = Retryable("the connection was cut in the middle of an answer", code="truncated")
    else:
        return
    raise failure


async def _read_bounded(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes | None:
    """Read the body as sent; `None` as soon as it is over the limit."""
    if (response.content_length or 0) > limit_bytes:
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit_bytes:
            return None
        chunks.append(chunk)
    return b"".join(chunks)
