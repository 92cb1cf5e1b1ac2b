"""The watcher that every test puts into its simulator: no exchange may differ from Google's document."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from support.discovery import Violation, check_request, check_response, find_method, is_drive

MAX_KEPT = 100


class Exchange(Protocol):
    """What the simulator reports of a call: the query decoded, the bodies plain."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> Sequence[tuple[str, str]]: ...
    @property
    def request_body(self) -> bytes: ...
    @property
    def status(self) -> int: ...
    @property
    def response_body(self) -> bytes: ...


class DiscoveryObserver:
    """Judges each exchange that the simulator reports, and keeps what is wrong.

    The simulator may call it from its own thread; it only appends. Requests that the simulator refuses with 400 are
    judged too: a worker that sends them is wrong. A test that sends bad requests on purpose says so with `refusing()`.
    """

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.exchanges = 0
        self._requests_matter = True

    def __call__(self, exchange: Exchange) -> None:
        """Judge one exchange. Paths outside of Drive's are no matter."""
        if not is_drive(exchange.path):
            return
        self.exchanges += 1
        pairs = list(exchange.query)
        found: list[Violation] = []
        if self._requests_matter:
            found += check_request(exchange.method, exchange.path, pairs, exchange.request_body)
        method = find_method(exchange.method, exchange.path)
        if method is not None:
            given = dict(pairs)
            # The opening answer of a resumable upload is empty and brings an address.
            opening = given.get("uploadType") == "resumable" and not exchange.response_body
            media = given.get("alt") == "media" or opening
            found += check_response(
                method.id, exchange.status, exchange.response_body, given.get("fields"), media=media
            )
        self.violations += found[: max(0, MAX_KEPT - len(self.violations))]

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """While this lasts requests may be wrong; answers may not."""
        self._requests_matter = False
        try:
            yield
        finally:
            self._requests_matter = True

    def assert_clean(self) -> None:
        """Fail with everything that differed from Google's document."""
        assert not self.violations, "not as Google documents it:\n" + "\n".join(map(str, self.violations))
