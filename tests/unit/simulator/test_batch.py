"""Batches: what is parsed, what is refused, and how parts are answered."""

import random
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP

import pytest

from drive_simulator.api.errors import ApiError
from drive_simulator.server.batch import MAX_PARTS, Answer, parse_batch, run_batch

TYPE = 'multipart/mixed; boundary="==b=="'


def batch(count: int, eol: str = "\r\n", request: str = "GET /drive/v3/files/{n}?fields=id HTTP/1.1") -> bytes:
    """A batch body as clients write it."""
    lines: list[str] = []
    for n in range(count):
        lines += ["--==b==", "Content-Type: application/http", f"Content-ID: <id + {n}>", ""]
        lines += [request.replace("{n}", str(n)), "Accept: application/json", "", ""]
    return eol.join([*lines, "--==b==--", ""]).encode()


async def echo(method: str, path_qs: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Answers what it was asked."""
    text = f"{method} {path_qs} {headers.get('authorization')} {body.decode()}"
    return 200, {"Content-Type": "text/plain", "ETag": "e"}, text.encode()


def parts_of(content_type: str, body: bytes) -> dict[str, str]:
    """The answer's parts by Content-ID."""
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    return {str(part["Content-ID"]): str(part.get_payload()) for part in message.iter_parts()}


@pytest.mark.parametrize("eol", ["\r\n", "\n"])
async def test_parts_are_answered_each_for_itself(eol: str) -> None:
    """Each part has its status line, headers and body, under its Content-ID; line ends may be plain."""
    parts = parse_batch(TYPE, batch(3, eol))
    content_type, body = await run_batch(parts, {"Authorization": "Bearer t"}, echo)
    answers = parts_of(content_type, body)
    assert list(answers) == [f"<response-id + {n}>" for n in range(3)]
    first = answers["<response-id + 0>"].replace("\r\n", "\n")
    assert first.startswith("HTTP/1.1 200 OK\nContent-Type: text/plain\nETag: e\nContent-Length: ")
    assert first.rstrip().endswith("\n\nGET /drive/v3/files/0?fields=id Bearer t")


async def test_order_is_shuffled_by_the_seed() -> None:
    """With an order the answers come in another sequence than asked."""
    parts = parse_batch(TYPE, batch(20))
    content_type, body = await run_batch(parts, {}, echo, order=random.Random(1))  # noqa: S311
    ids = list(parts_of(content_type, body))
    assert len(ids) == 20
    assert ids != [f"<response-id + {n}>" for n in range(20)]


async def test_bodies_and_own_authorization() -> None:
    """A part may carry a JSON body, its own Authorization and a whole address."""
    raw = (
        b"--==b==\r\nContent-Type: application/http\r\n\r\n"
        b"POST http://localhost:1/drive/v3/files HTTP/1.1\r\nAuthorization: Bearer own\r\n"
        b'Content-Type: application/json\r\nContent-Length: 16\r\n\r\n{"name":"\xc3\xbcber"}\r\n--==b==--'
    )
    part = parse_batch(TYPE, raw)[0]
    assert (part.method, part.path_qs, part.content_id) == ("POST", "/drive/v3/files", None)
    assert part.body == b'{"name":"\xc3\xbcber"}'
    _, body = await run_batch([part], {"Authorization": "Bearer outer"}, echo)
    assert b"Bearer own" in body


@pytest.mark.parametrize("target", ["x?alt=media", "x?fields=id&alt=media", "x/export?mimeType=text/plain"])
async def test_download_is_redirected_in_its_part(target: str) -> None:
    """A part that asks for bytes is 302 to where they are, for that part alone (measured)."""
    parts = parse_batch(TYPE, batch(1, request=f"GET /drive/v3/files/{target} HTTP/1.1"))
    _, body = await run_batch(parts, {"Host": "drive.test"}, echo)
    assert b"HTTP/1.1 302 Found" in body
    assert f"Location: http://drive.test/download/drive/v3/files/{target}\r\n".encode() in body


async def test_metadata_is_not_redirected() -> None:
    """A part whose first `alt` is another is answered as it is on its own (measured)."""
    parts = parse_batch(TYPE, batch(1, request="GET /drive/v3/files/x?alt=json&fields=media HTTP/1.1"))
    _, body = await run_batch(parts, {}, echo)
    assert b"HTTP/1.1 200 OK" in body


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", batch(1)),
        ("multipart/mixed", batch(1)),
        (TYPE, b""),
        (TYPE, b"--==b==--"),
        (TYPE, batch(MAX_PARTS + 1)),
        (TYPE, batch(1, request="nonsense")),
    ],
)
def test_bad_batches_are_refused(content_type: str, body: bytes) -> None:
    """No boundary, no part, too many, or what is no request: 400 for the whole."""
    with pytest.raises(ApiError) as caught:
        parse_batch(content_type, body)
    assert caught.value.status == 400


def test_a_hundred_parts_pass() -> None:
    """The limit itself is allowed."""
    assert len(parse_batch(TYPE, batch(MAX_PARTS))) == MAX_PARTS
