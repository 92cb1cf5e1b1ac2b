"""Exchanges on disk, a JSON object a line, so that others can judge what a simulator in its own process served."""

import os
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec


class Exchange(Protocol):
    """What is recorded of a call: the query decoded, the bodies plain."""

    @property
    def method(self) -> str: ...  # noqa: D102
    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def query(self) -> tuple[tuple[str, str], ...]: ...  # noqa: D102
    @property
    def request_body(self) -> bytes: ...  # noqa: D102
    @property
    def status(self) -> int: ...  # noqa: D102
    @property
    def response_body(self) -> bytes: ...  # noqa: D102


class RecordedExchange(msgspec.Struct, frozen=True):
    """One line of a recording. Tokens are not in it: they travel in headers, or are left out of the query."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    request_body: bytes
    status: int
    response_body: bytes


class Recorder:
    """An observer that writes each exchange to a file of its own in `directory`, which is made where it is missing.

    A line is written whole and at once, so that a process that is killed leaves at most one line torn.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / f"exchanges-{os.getpid()}.jsonl"
        self._file = self.path.open("ab", buffering=0)
        self._encoder = msgspec.json.Encoder()

    def __call__(self, exchange: Exchange) -> None:
        """Write one exchange."""
        query = tuple((name, value) for name, value in exchange.query if name not in {"access_token", "oauth_token"})
        line = RecordedExchange(
            exchange.method, exchange.path, query, exchange.request_body, exchange.status, exchange.response_body
        )
        self._file.write(self._encoder.encode(line) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def read_recording(path: Path) -> list[RecordedExchange]:
    """The exchanges of one file; a torn last line is left out."""
    decoder = msgspec.json.Decoder(RecordedExchange)
    with path.open("rb") as file:
        return [decoder.decode(line) for line in file if line.endswith(b"\n")]
