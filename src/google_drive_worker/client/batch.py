"""Batch requests on the wire: many calls in one `multipart/mixed` body, and the answers out of another. Pure.

Source: the guide "Send multiple Drive API calls as a single request"; RFC 2046, section 5.1; RFC 9112.
"""

import re
from collections.abc import Sequence

from google_drive_worker.http.transport import HttpResponse

MOST_PARTS = 100
"""Calls in one request, as Google bounds them."""

_BOUNDARY = re.compile(r"""boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))""", re.IGNORECASE)
_NUMBER = re.compile(rb"^content-id:\s*<?response-(\d{1,3})>?\s*$", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(rb"\AHTTP/1\.[01] (\d{3})(?: |\r?$)", re.MULTILINE)
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")


def encode_batch(targets: Sequence[str], boundary: str) -> tuple[str, bytes]:
    """The Content-Type and body that ask for each of the targets (paths with queries, percent-encoded) by GET.

    A part without headers of its own is served with the outer request's. `boundary` stands in none of the targets.
    """
    parts = (
        f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: <{number}>\r\n\r\n"
        f"GET {target} HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n"
        for number, target in enumerate(targets)
    )
    return f'multipart/mixed; boundary="{boundary}"', f"{''.join(parts)}--{boundary}--\r\n".encode()


def decode_batch(content_type: str, body: bytes, count: int) -> list[HttpResponse | None]:
    """The answers to so many parts, in the order in which they were asked; `None` where none came whole.

    Total: whatever comes, the parts that can be read are read. One that is answered twice is not answered.
    """
    answers: list[HttpResponse | None] = [None] * count
    found = _BOUNDARY.search(content_type)
    if found is None:
        return answers
    seen: set[int] = set()
    delimiter = b"\r\n--" + (found[1] or found[2]).encode("utf-8", "replace")
    for section in (b"\r\n" + body).split(delimiter)[1:]:
        number, answer = _read_part(section)
        if number is None or number >= count:
            continue
        answers[number] = None if number in seen else answer
        seen.add(number)
    return answers


def _read_part(section: bytes) -> tuple[int | None, HttpResponse | None]:
    """Which call a part answers, and its answer."""
    outer, _, inner = _split(section)
    number = _NUMBER.search(outer)
    if number is None:
        return None, None
    head, is_whole, body = _split(inner.lstrip(b"\r\n"))
    status = _STATUS.match(head)
    if status is None or not is_whole:
        return int(number[1]), None
    headers = _read_headers(head)
    length = headers.get("Content-Length", "")
    if length.isascii() and length.isdigit():
        if len(body) < int(length[:12]):
            return int(number[1]), None
        body = body[: int(length[:12])]
    return int(number[1]), HttpResponse(int(status[1]), headers, body)


def _split(message: bytes) -> tuple[bytes, bool, bytes]:
    """Head and body of a message, and whether there was an end to its head."""
    end = _EMPTY_LINE.search(message)
    return (message, False, b"") if end is None else (message[: end.start()], True, message[end.end() :])


def _read_headers(head: bytes) -> dict[str, str]:
    """The headers that anybody asks for, under their usual names."""
    wanted = {"content-length": "Content-Length", "retry-after": "Retry-After", "content-type": "Content-Type"}
    headers: dict[str, str] = {}
    for line in head.split(b"\n")[1:]:
        name, colon, value = line.decode("latin-1").partition(":")
        known = wanted.get(name.strip().lower())
        if colon and known is not None:
            headers[known] = value.strip()
    return headers
