"""Calls to a simulator without HTTP, for tests that make thousands of them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from drive_simulator.api.wire import Request
from drive_simulator.server.server import Simulator


class Direct:
    """One user's calls, each judged by the simulator's observers as any other."""

    def __init__(self, simulator: Simulator, user: str) -> None:
        self.user = user
        self._simulator = simulator
        self.headers = {"Authorization": f"Bearer {simulator.access_token(user)}"}

    def call(
        self, http_method: str, path: str, body: Mapping[str, object] | None = None, /, **query: object
    ) -> tuple[int, Any]:
        """Status and JSON (None where there is no body). Path segments have to be quoted by the caller."""
        pairs = tuple((name, _text(value)) for name, value in query.items())
        content = b"" if body is None else orjson.dumps(body)
        request = Request(http_method, "/drive/v3/" + path, pairs, self.headers, content)
        response = self._simulator.handle(request)
        is_json = response.content_type.startswith("application/json") and response.body
        return response.status, orjson.loads(response.body) if is_json else None

    def ok(self, http_method: str, path: str, body: Mapping[str, object] | None = None, /, **query: object) -> Any:
        """The answer's JSON; fails where the call did."""
        status, answer = self.call(http_method, path, body, **query)
        assert status < 300, (http_method, path, query, status, answer)
        return answer

    def pages(self, path: str, key: str, /, **query: object) -> list[dict[str, Any]]:
        """Every resource of a list, over all its pages."""
        found: list[dict[str, Any]] = []
        token: dict[str, object] = {}
        while True:
            answer = self.ok("GET", path, **query, **token)
            found += answer[key]
            if "nextPageToken" not in answer:
                return found
            token = {"pageToken": answer["nextPageToken"]}

    def changes(self, page_token: str, /, **query: object) -> tuple[list[dict[str, Any]], str]:
        """Every change since the token, and the token from which to go on."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.ok("GET", "changes", pageToken=page_token, **query)
            found += answer["changes"]
            if "newStartPageToken" in answer:
                return found, str(answer["newStartPageToken"])
            page_token = answer["nextPageToken"]


def segment(text: str) -> str:
    """A path segment."""
    return quote(text, safe="")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
