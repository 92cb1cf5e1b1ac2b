"""The transport against a real HTTP server: limits, compression, cuts, redirects."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from google_drive_worker.http.addresses import address_problem
from google_drive_worker.http.compression import CorruptGzip, TooLarge, gunzip, gunzip_stream
from google_drive_worker.http.transport import PIECE_BYTES, AiohttpTransport, HttpRequest, TransportLimits
from google_drive_worker.utils.errors import Misconfigured, Retryable, Terminal
from support.scripted_http import Answer, cut, hang_up, reply, scripted_server

GZIP = {"Content-Encoding": "gzip"}
MEGABYTE = 1024 * 1024
GET = HttpRequest("GET", "/drive/v3/files?q=%27a%27", {"Authorization": "Bearer SECRET"})


async def test_a_request_arrives_as_it_was_meant() -> None:
    """Target, headers and body are sent unchanged, and the server is told that gzip is welcome."""
    async with scripted_server(*reply(body=b"hello")) as server, AiohttpTransport(server.url) as transport:
        response = await transport.send(HttpRequest("POST", "/batch/drive/v3?q=%27a%2Fb%27", {"X-A": "1"}, b"body"))
        assert (response.status, response.body) == (200, b"hello")
        [seen] = server.seen
        assert (seen.method, seen.path, seen.query, seen.body) == ("POST", "/batch/drive/v3", {"q": "'a/b'"}, b"body")
        assert seen.headers["x-a"] == "1"
        assert seen.headers["accept-encoding"] == "gzip"
        assert "gzip" in seen.headers["user-agent"]


async def test_gzip_is_decompressed() -> None:
    """A compressed answer comes out whole, and headers are found without case."""
    content = b"drive " * 100_000
    answers = reply(body=gzip.compress(content), headers=GZIP)
    async with scripted_server(*answers) as server, AiohttpTransport(server.url) as transport:
        response = await transport.send(GET)
    assert response.body == content
    assert response.headers["content-encoding"] == "gzip"


async def test_connections_are_kept() -> None:
    """Calls in turn share one connection."""
    ports: set[int] = set()

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(body=b"{}")

    async with scripted_server(*[answer] * 5) as server, AiohttpTransport(server.url) as transport:
        for _ in range(5):
            await transport.send(GET)
    assert len(ports) == 1


async def test_a_gzip_bomb_is_refused_in_bounded_memory() -> None:
    """A small answer that would fill the memory stops at the limit."""
    bomb = gzip.compress(bytes(64 * MEGABYTE))
    limits = TransportLimits(body_bytes=MEGABYTE)
    async with (
        scripted_server(*reply(body=bomb, headers=GZIP)) as server,
        AiohttpTransport(server.url, limits) as transport,
    ):
        tracemalloc.start()
        try:
            with pytest.raises(Terminal) as caught:
                await transport.send(GET)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert caught.value.code == "response_too_large"
    assert peak_bytes < 8 * MEGABYTE


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused(chunked: bool) -> None:
    """Too large a body is refused, announced or not."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={} if chunked else {"Content-Length": str(2 * MEGABYTE)})
        await response.prepare(request)
        for _ in range(32):
            await response.write(bytes(64 * 1024))
        return response

    async with (
        scripted_server(answer) as server,
        AiohttpTransport(server.url, TransportLimits(body_bytes=MEGABYTE)) as transport,
    ):
        with pytest.raises(Terminal) as caught:
            await transport.send(GET)
    assert caught.value.code == "response_too_large"


async def test_truncated_gzip_is_worth_another_try() -> None:
    """A stream that ends early, or is broken, is told from a whole one."""
    whole = gzip.compress(b"drive " * 1000)
    answers = [*reply(body=whole[:-20], headers=GZIP), *reply(body=b"no gzip at all", headers=GZIP)]
    async with scripted_server(*answers) as server, AiohttpTransport(server.url) as transport:
        for _ in range(2):
            with pytest.raises(Retryable) as caught:
                await transport.send(GET)
            assert caught.value.code == "truncated"


async def test_a_cut_in_the_middle_of_an_answer() -> None:
    """Half an answer is none."""
    async with scripted_server(cut) as server, AiohttpTransport(server.url) as transport:
        with pytest.raises(Retryable) as caught:
            await transport.send(GET)
    assert caught.value.code == "truncated"


async def test_a_cut_before_any_answer_and_nobody_there() -> None:
    """A server that hangs up, and one that is gone, are connections that failed; no secret is told of them."""
    async with scripted_server(hang_up, hang_up, hang_up) as server, AiohttpTransport(server.url) as transport:
        with pytest.raises(Retryable) as caught:
            await transport.send(GET)
        assert caught.value.code == "connection_failed"
        url = server.url
    async with AiohttpTransport(url) as transport:
        with pytest.raises(Retryable) as gone:
            await transport.send(GET)
    assert gone.value.code == "connection_failed"
    assert "SECRET" not in f"{gone.value!r} {gone.value.__context__!r} {GET!r}"


async def test_a_token_that_would_break_the_headers() -> None:
    """A token with a line break in it, as copied from a file, is refused before anything is sent."""
    async with scripted_server() as server, AiohttpTransport(server.url) as transport:
        with pytest.raises(Terminal) as caught:
            await transport.send(HttpRequest("GET", "/", {"Authorization": "Bearer SECRET\r\nX-Other: 1"}))
        assert caught.value.code == "bad_credentials"
        assert "SECRET" not in f"{caught.value} {caught.value.__context__!r}"
        assert server.seen == []


async def test_an_answer_that_does_not_come() -> None:
    """A server that says nothing is given up after the total time."""

    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    limits = TransportLimits(total_timeout_s=0.1)
    async with scripted_server(silent) as server, AiohttpTransport(server.url, limits) as transport:
        with pytest.raises(Retryable) as caught:
            await transport.send(GET)
    assert caught.value.code == "timeout"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_refused(status: int) -> None:
    """A bearer token never follows a redirect."""
    async with scripted_server() as elsewhere:
        answers = reply(status, headers={"Location": f"{elsewhere.url}/steal"})
        async with scripted_server(*answers) as server, AiohttpTransport(server.url) as transport:
            with pytest.raises(Terminal) as caught:
                await transport.send(GET)
        assert caught.value.code == "redirected"
        assert elsewhere.seen == []


async def test_cookies_are_not_kept() -> None:
    """Connections of different tenants share the transport, so nothing of one's answer reaches another's request."""
    answers = [*reply(headers={"Set-Cookie": "tenant=a; Path=/"}), *reply()]
    async with scripted_server(*answers) as server, AiohttpTransport(server.url) as transport:
        await transport.send(GET)
        await transport.send(GET)
        assert "cookie" not in server.seen[1].headers


@pytest.mark.parametrize(
    "url",
    [
        "https://www.googleapis.com/drive/v3",
        "http://127.0.0.1:8080/drive/v3",
        "http://localhost:1",
        "http://[::1]:8080/x",
    ],
)
def test_addresses_that_a_secret_may_go_to(url: str) -> None:
    """HTTPS anywhere, and plain HTTP on loopback, are fine."""
    assert address_problem(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://www.googleapis.com/drive/v3",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://0.0.0.0:80/",
        "ftp://127.0.0.1/",
        "https://user:password@www.googleapis.com/",
        "https:///drive/v3",
        "https://host/path?query=1",
        "https://host:99999999/",
        "http://[::1/",
        "",
    ],
)
def test_addresses_that_no_secret_may_go_to(url: str) -> None:
    """Plain HTTP elsewhere and addresses with extras are refused before anything is sent."""
    assert address_problem(url) is not None
    with pytest.raises(Misconfigured):
        AiohttpTransport(url)


def test_gunzip_takes_members_and_exact_limits() -> None:
    """Several members make one content; a content of just the limit fits."""
    data = gzip.compress(b"one") + gzip.compress(b"two")
    assert gunzip(data, 6) == b"onetwo"
    assert gunzip(gzip.compress(b""), 0) == b""
    with pytest.raises(TooLarge):
        gunzip(data, 5)


@pytest.mark.parametrize("sizes", [(100_000, 3), (3, 100_000), (0, 50_000), (50_000, 0), (1, 1)])
def test_gunzip_does_not_believe_the_trailer(sizes: tuple[int, int]) -> None:
    """The size at a stream's end, which is its last member's alone, decides nothing but speed."""
    data = b"".join(gzip.compress(b"x" * size) for size in sizes)
    assert gunzip(data, sum(sizes)) == b"x" * sum(sizes)
    with pytest.raises(TooLarge):
        gunzip(data, sum(sizes) - 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        gzip.compress(b"drive" * 100, mtime=0)[:-1],  # the time would be in the test's name, and workers would disagree
        zlib.compress(b"drive"),
        gzip.compress(b"a", mtime=0) + b"rest",
    ],
)
def test_gunzip_refuses_what_is_no_whole_stream(data: bytes) -> None:
    """Empty, truncated, foreign and trailing bytes are all corrupt."""
    with pytest.raises(CorruptGzip):
        gunzip(data, 1000)


def test_gunzip_checks_the_checksum() -> None:
    """A flipped bit does not pass."""
    data = bytearray(gzip.compress(b"drive" * 100))
    data[-6] ^= 1
    with pytest.raises(CorruptGzip):
        gunzip(bytes(data), 1000)


async def streamed(*answers: Answer) -> tuple[bytes, bool]:
    """What a streamed answer comes to, and whether it was encoded."""
    async with (
        scripted_server(*answers) as server,
        AiohttpTransport(server.url) as transport,
        transport.stream(GET) as stream,
    ):
        return b"".join([piece async for piece in stream.pieces()]), stream.is_encoded


LONG = bytes(range(256)) * 8_000


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", " GZIP "])
async def test_a_stream_that_is_compressed_unasked_is_decoded(coding: str) -> None:
    """Several members as well, in pieces that stay small whatever they come to."""
    data = gzip.compress(LONG) + gzip.compress(b"end")
    assert await streamed(*reply(200, data, {"Content-Encoding": coding})) == (LONG + b"end", True)
    assert await streamed(*reply(200, data, {"Content-Encoding": "identity"})) == (data, False)
    assert await streamed(*reply(200, data)) == (data, False)  # a file that is itself a .gz


async def test_a_bomb_comes_in_small_pieces() -> None:
    """A reader with a limit stops long before memory is full."""
    bomb = gzip.compress(bytes(64 << 20))
    async with (
        scripted_server(*reply(200, bomb, {"Content-Encoding": "gzip"})) as server,
        AiohttpTransport(server.url) as transport,
        transport.stream(GET) as stream,
    ):
        sizes = [len(piece) async for piece in stream.pieces()]
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= PIECE_BYTES


@pytest.mark.parametrize(
    ("coding", "data", "code"),
    [
        ("gzip", gzip.compress(LONG, mtime=0)[:-9], "truncated"),
        ("gzip", b"no gzip", "truncated"),
        ("gzip", b"", "truncated"),
        ("br", b"x", "bad_answer"),
        ("gzip, br", b"x", "bad_answer"),
    ],
)
async def test_a_stream_that_can_not_be_decoded_is_a_bad_answer(coding: str, data: bytes, code: str) -> None:
    """It is no content: another try may bring a whole one."""
    with pytest.raises(Retryable) as raised:
        await streamed(*reply(200, data, {"Content-Encoding": coding}))
    assert raised.value.code == code


async def test_a_whole_answer_in_an_unknown_coding_is_a_bad_answer() -> None:
    """Its bytes could be taken for an export. A refusal counts by its status all the same."""
    headers = {"Content-Encoding": "br"}
    answers = [*reply(200, b"x", headers), *reply(403, b"x", headers)]
    async with scripted_server(*answers) as server, AiohttpTransport(server.url) as transport:
        with pytest.raises(Retryable) as raised:
            await transport.send(GET)
        assert raised.value.code == "bad_answer"
        refused = await transport.send(GET)
        assert (refused.status, refused.body) == (403, b"")


async def test_a_gzip_stream_is_the_same_however_it_is_cut() -> None:
    """Pieces of any size, in and out; too many members are corrupt."""
    data = gzip.compress(LONG[:5_000]) + gzip.compress(b"") + gzip.compress(b"end")

    async def cut_into(size: int, whole: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(whole), size):
            yield whole[start : start + size]

    for size in (1, 7, 100, len(data)):
        for out in (1, 64, 100_000):
            parts = [part async for part in gunzip_stream(cut_into(size, data), out)]
            assert b"".join(parts) == LONG[:5_000] + b"end"
            assert max(map(len, parts)) <= out
    with pytest.raises(CorruptGzip):
        _ = [part async for part in gunzip_stream(cut_into(50, gzip.compress(b"") * 100), 10)]
