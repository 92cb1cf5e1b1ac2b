"""Edits that arrive by push alone: how long from an edit's answer to its record, as a committed reader sees it."""

import threading
import time
from dataclasses import dataclass

PUSHED_EDITS = 40


@dataclass(frozen=True, slots=True)
class PushLatency:
    """How long edits took to become committed records, in seconds."""

    edits: int
    p50_s: float
    p99_s: float


class Arrivals:
    """When the files of a name first came on the topic. `take` is called in the reader's thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._edited_s: dict[str, float] = {}
        self._came_s: dict[str, float] = {}

    def expect(self, name: str) -> None:
        """A file of that name was just made; its record may even have come already."""
        with self._lock:
            self._edited_s[name] = time.monotonic()

    def take(self, name: str | None) -> None:
        """A record of a file of that name came."""
        if name is not None and name.startswith(PREFIX):
            with self._lock:
                self._came_s.setdefault(name, time.monotonic())

    def all_came(self) -> bool:
        """Whether each file that is expected has come."""
        with self._lock:
            return self._edited_s.keys() <= self._came_s.keys()

    def latency(self) -> PushLatency:
        """The figures, once all have come."""
        with self._lock:
            took_s = sorted(max(0.0, self._came_s[name] - at_s) for name, at_s in self._edited_s.items())
        return PushLatency(len(took_s), _quantile(took_s, 0.5), _quantile(took_s, 0.99))


PREFIX = "pushed "
"""Of the names of files that are waited for."""


def _quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
