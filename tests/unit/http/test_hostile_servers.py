"""Servers that send without end: refused with a clear error, in bounded memory, over real connections."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from google_drive_worker.client.token_endpoint import TokenEndpoint
from google_drive_worker.http.transport import AiohttpTransport, HttpRequest, TransportLimits
from google_drive_worker.utils.errors import Retryable, WorkerError
from support.clock import ManualClock
from support.credentials import authorized_user

MEGABYTE = 1024 * 1024
LIMITS = TransportLimits(total_timeout_s=20.0, body_bytes=MEGABYTE)
PIECES = 100
"""Each of a megabyte, or of a thousand lines: far more than may be kept."""

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
Answer = Callable[[], Iterator[bytes]]


def _lines(name: bytes) -> Iterator[bytes]:
    for number in range(PIECES):
        yield b"".join(b"%s-%d-%d: v\r\n" % (name, number, line) for line in range(1000))


def many_headers() -> Iterator[bytes]:
    """A hundred thousand of them."""
    yield OK
    yield from _lines(b"X")


def long_header() -> Iterator[bytes]:
    """One of a hundred megabytes."""
    yield OK + b"X: "
    yield from [b"v" * MEGABYTE] * PIECES


def long_status_line() -> Iterator[bytes]:
    """A reason without end."""
    yield b"HTTP/1.1 200 "
    yield from [b"O" * MEGABYTE] * PIECES


def no_http() -> Iterator[bytes]:
    """Anything else."""
    yield from [b"x" * MEGABYTE] * PIECES


def many_trailers() -> Iterator[bytes]:
    """Headers behind the body."""
    yield CHUNKED + b"2\r\n{}\r\n0\r\n"
    yield from _lines(b"T")


def endless_body() -> Iterator[bytes]:
    """Chunks without end."""
    yield CHUNKED
    yield from [b"100000\r\n" + b" " * MEGABYTE + b"\r\n"] * PIECES


def endless_hints() -> Iterator[bytes]:
    """Interim answers, which are no answer."""
    while True:
        yield b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100


@asynccontextmanager
async def server_of(answer: Answer) -> AsyncIterator[str]:
    """Serve that answer to all who come, whatever they ask."""
    writers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            for piece in answer():
                writer.write(piece)
                await writer.drain()
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer), name="hostile server")
        writers.add(task)
        task.add_done_callback(writers.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(writers):
            task.cancel()
        await asyncio.gather(*writers, return_exceptions=True)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (many_headers, "connection_failed"),
        (long_header, "connection_failed"),
        (long_status_line, "connection_failed"),
        (no_http, "connection_failed"),
        (
            many_trailers,
            "truncated, connection_failed",
        ),  # as the first refused trailer comes with the body or behind it
        (endless_body, "response_too_large"),
        (endless_hints, "timeout"),
    ],
)
async def test_an_answer_without_end_is_refused_in_bounded_memory(answer: Answer, code: str) -> None:
    """Whichever part of it has none."""
    limits = replace(LIMITS, total_timeout_s=0.5) if answer is endless_hints else LIMITS
    async with server_of(answer) as url, AiohttpTransport(url, limits) as transport:
        tracemalloc.start()
        try:
            with pytest.raises(WorkerError) as caught:
                await transport.send(HttpRequest("GET", "/"))
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert caught.value.code in code.split(", ")
    assert peak_bytes < 12 * MEGABYTE  # the server's own piece and what is under way included


async def test_headers_over_the_limits_are_told_as_such() -> None:
    """It says what a person has to look for."""
    async with server_of(many_headers) as url, AiohttpTransport(url, LIMITS) as transport:
        with pytest.raises(Retryable, match="headers are too many or too long"):
            await transport.send(HttpRequest("GET", "/"))


@pytest.mark.parametrize("answer", [many_headers, long_header, long_status_line, no_http, many_trailers, endless_body])
async def test_a_token_endpoint_without_end_is_refused_in_bounded_memory(answer: Answer) -> None:
    """Its client is another one, with limits of its own."""
    endpoint = TokenEndpoint(ManualClock(), api_host="127.0.0.1", timeout_s=2.0)
    async with server_of(answer) as url:
        tracemalloc.start()
        try:
            with pytest.raises(WorkerError):
                await endpoint.grant(authorized_user(f"{url}/token"))
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            endpoint.close()
    assert peak_bytes < 12 * MEGABYTE
