"""Plain HTTP to a simulated Google, for what Google's client does not let one send."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from multidict import CIMultiDict

from support.google_client import Site


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `headers` look up without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str | None, str | None]:
        """Status, and reason and location of the first error."""
        first = self.json["error"]["errors"][0]
        return self.status, first.get("reason"), first.get("location")


def send(
    site: Site,
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    token: str | None = "",
    type: str = "application/json",  # noqa: A002 - short where it is written
    **headers: str,
) -> Answer:
    """Send a request as Alice, or with that token (None for no credentials at all). It may be wrong on purpose."""
    sent = {"Content-Type": type, **headers} if body is not None else dict(headers)
    if token is not None:
        sent["Authorization"] = f"Bearer {token or site.simulator.access_token(site.alice)}"
    connection = HTTPConnection(urlsplit(site.simulator.origin).netloc, timeout=30)
    with site.observer.refusing(), closing(connection):
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return Answer(answer.status, CIMultiDict(answer.getheaders()), answer.read())
