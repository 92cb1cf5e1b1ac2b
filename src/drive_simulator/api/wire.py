"""A request and its answer, without their transport."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import orjson

from drive_simulator.api import errors

JSON = "application/json; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. `path` begins with a slash, without the query; header names compare without case.

    `came_at_s` is when, in seconds since 1970, before any latency; 0 where it was not noted.
    """

    http_method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    came_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that is made while it goes out: `length` bytes, in blocks."""

    length: int
    blocks: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Response:
    """What goes out. Where there is a `stream` it is the body instead: too large to be held in memory."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: "Stream | None" = None


def json_object(body: bytes) -> dict[str, object]:
    """A body's JSON object, empty where there is none. Raises ApiError 400 `parseError`."""
    if not body.strip():
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise errors.parse_error() from None
    if not isinstance(value, dict):
        raise errors.parse_error()
    return cast(dict[str, object], value)
