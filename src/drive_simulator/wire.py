"""A request and its answer, without their transport."""

from collections.abc import Mapping
from dataclasses import dataclass, field

JSON = "application/json; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. `path` begins with a slash, without the query; header names compare without case."""

    http_method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What goes out."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
