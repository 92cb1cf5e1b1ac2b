"""`POST /batch/drive/v3`: up to a hundred calls in one `multipart/mixed` body, each answered for itself.

The outer answer is 200; parts come back in any order, each with `Content-ID: <response-…>`. A part that asks for bytes
is 302 to where they are, without a look at the file (measured on live Drive in autumn 2026).
Source: "Send multiple Drive API calls as a single request" of the Drive guides.
"""

import asyncio
import random
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from urllib.parse import parse_qsl

import msgspec
from multidict import CIMultiDict

from drive_simulator.api.call import LINK_SCOPES
from drive_simulator.api.discovery import methods
from drive_simulator.api.dispatch import find_route
from drive_simulator.api.errors import ApiError, bad_request, download_in_batch

MAX_PARTS = 100
MAX_BODY_BYTES = 32 * 1024 * 1024
CONCURRENCY = 16

_BOUNDARY = re.compile(r"""boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;]{1,200}))""", re.IGNORECASE)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})

Answer = tuple[int, Mapping[str, str], bytes]
Dispatch = Callable[[str, str, Mapping[str, str], bytes], Awaitable[Answer]]


class Part(msgspec.Struct, frozen=True):
    """One call of a batch. `headers` look up without case; `path_qs` begins with a slash."""

    content_id: str | None
    method: str
    path_qs: str
    headers: CIMultiDict[str]
    body: bytes


def parse_batch(content_type: str, body: bytes) -> list[Part]:
    """The calls of a batch. Raises ApiError 400 for no batch at all, a part that is no request, or over MAX_PARTS."""
    found = _BOUNDARY.search(content_type)
    if found is None or not content_type.lower().startswith("multipart/mixed"):
        raise bad_request("Failed to parse batch request, error: The request is missing a valid boundary.")
    if len(body) > MAX_BODY_BYTES:
        raise ApiError(413, "uploadTooLarge", "The batch request is too large.")
    boundary = re.escape((found[1] or found[2]).encode())
    pieces = re.split(rb"(?:\A|\r?\n)--" + boundary + rb"(--)?[ \t]*(?:\r?\n|\Z)", body)
    sections = [piece for closing, piece in zip(pieces[1::2], pieces[2::2], strict=True) if not closing]
    if not sections:
        raise bad_request("Failed to parse batch request, error: 0 items. Received batch body: (empty)")
    if len(sections) > MAX_PARTS:
        raise bad_request(f"The batch request contains too many calls. At most {MAX_PARTS} are allowed.")
    return [_part(section) for section in sections]


async def run_batch(
    parts: list[Part],
    outer_headers: Mapping[str, str],
    dispatch: Dispatch,
    *,
    order: random.Random | None = None,
) -> tuple[str, bytes]:
    """Serve the parts at the same time; returns the outer answer's Content-Type and body.

    A part without its own Authorization is served with the outer one. With `order` the answers are shuffled by it.
    """
    turn = asyncio.Semaphore(CONCURRENCY)

    async def serve(part: Part) -> Answer:
        headers = part.headers.copy()
        if "Authorization" not in headers and "Authorization" in outer_headers:
            headers["Authorization"] = outer_headers["Authorization"]
        async with turn:
            return await _serve(part, headers, dispatch, outer_headers.get("Host", "www.googleapis.com"))

    return render_batch(parts, await asyncio.gather(*(serve(part) for part in parts)), order=order)


def render_batch(
    parts: Sequence[Part], answers: Sequence[Answer], *, order: random.Random | None = None
) -> tuple[str, bytes]:
    """The outer answer's Content-Type and body; with `order` the parts are shuffled by it."""
    rendered = [_render(part, answer) for part, answer in zip(parts, answers, strict=True)]
    if order is not None:
        order.shuffle(rendered)
    boundary = "batch_" + secrets.token_urlsafe(24)
    lines = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), answer) for answer in rendered)
    return f"multipart/mixed; boundary={boundary}", lines + b"--%s--\r\n" % boundary.encode()


async def _serve(part: Part, headers: Mapping[str, str], dispatch: Dispatch, host: str) -> Answer:
    if part.path_qs.startswith("/upload/"):
        return _refuse(bad_request("Media requests are not supported in batches."))
    if part.method in {"GET", "HEAD"} and _asks_for_bytes(part.path_qs):
        return _refuse(download_in_batch(f"http://{host}/download{part.path_qs}"))
    return await dispatch(part.method, part.path_qs, headers, part.body)


def _asks_for_bytes(path_qs: str) -> bool:
    """Whether the answer to a GET is bytes: alt=media, an export, or a link that another answer holds."""
    path, _, query = path_qs.partition("?")
    if path.startswith("/download/"):
        return True
    try:
        method_id = find_route("GET", path).method_id
    except ApiError:
        return False
    if method_id in LINK_SCOPES or method_id == "files.export":
        return True
    return methods()[method_id].media_download and ("alt", "media") in parse_qsl(query)


def _refuse(error: ApiError) -> Answer:
    return error.status, {"Content-Type": error.content_type, **error.headers}, error.body()


def _part(section: bytes) -> Part:
    outer, nested = _head_and_body(section)
    headers = _headers(outer)
    head, body = _head_and_body(nested.lstrip(b"\r\n"))
    lines = head.split("\n")
    request = lines[0].split(" ")
    if len(request) < 2 or request[0] not in _METHODS:  # noqa: PLR2004 - method and target
        raise bad_request("Failed to parse batch request, error: a part is no HTTP request.")
    # Clients may write the whole address; only path and query count.
    path_qs = re.sub(r"\Ahttps?://[^/]*", "", request[1])
    inner = _headers("\n".join(lines[1:]))
    length = inner.get("Content-Length", "")
    if length.isdecimal():
        body = body[: int(length)]
    return Part(headers.get("Content-ID"), request[0], path_qs, inner, body)


def _head_and_body(data: bytes) -> tuple[str, bytes]:
    """Header lines, with plain line ends, and what follows the empty line."""
    if data.startswith((b"\r\n", b"\n")):
        return "", data.split(b"\n", 1)[1]
    head, *rest = re.split(rb"\r?\n\r?\n", data, maxsplit=1)
    return head.decode("utf-8", "replace").replace("\r\n", "\n"), rest[0] if rest else b""


def _headers(text: str) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip()] = value.strip()
    return headers


def _render(part: Part, answer: Answer) -> bytes:
    status, headers, body = answer
    lines = ["Content-Type: application/http"]
    if part.content_id is not None:
        inner = part.content_id.removeprefix("<").removesuffix(">")
        lines.append(f"Content-ID: <response-{inner}>")
    lines += ["", f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() not in _NOT_RENDERED]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


_NOT_RENDERED = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection", "date", "server"})
