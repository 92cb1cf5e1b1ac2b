"""Calls served: counted by method and user, and kept one by one within a bound, so a test can ask what was called."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class CallEntry:
    """One call: its parameters in sorted order, path parameters among them, and its answer's status (0: none)."""

    method_id: str
    user: str | None
    parameters: tuple[tuple[str, str], ...]
    status: int

    def parameter(self, name: str) -> str | None:
        """A parameter's value, None where it was not given."""
        return dict(self.parameters).get(name)


class Counters:
    """Counts every call; keeps the newest `limit` of them. Secrets among the parameters are left out.

    `requests` are those over HTTP, in which a batch counts once.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.requests = 0
        self._calls: Counter[tuple[str, str]] = Counter()
        self._statuses: Counter[int] = Counter()
        self._entries: deque[CallEntry] = deque(maxlen=limit)

    def record(self, method_id: str, user: str | None, parameters: Mapping[str, object], status: int) -> None:
        """Count one call."""
        self._calls[method_id, user or ""] += 1
        self._statuses[status] += 1
        normal = sorted((name, str(value)) for name, value in parameters.items() if name not in _SECRET)
        self._entries.append(CallEntry(method_id, user, tuple(normal), status))

    def entries(self, method_id: str | None = None) -> tuple[CallEntry, ...]:
        """The calls kept, oldest first, of one method or of all."""
        return tuple(entry for entry in self._entries if method_id in {None, entry.method_id})

    def count(self, method_id: str | None = None, user: str | None = None) -> int:
        """How many calls, of one method and of one user where given."""
        return sum(n for (method, who), n in self._calls.items() if method_id in {None, method} and user in {None, who})

    def repeated_pages(self) -> tuple[CallEntry, ...]:
        """Successful list calls that were made more than once alike: the same user, page token and other parameters."""
        seen = Counter(
            (entry.method_id, entry.user, entry.parameters)
            for entry in self._entries
            if entry.method_id.endswith(".list") and entry.status == 200  # noqa: PLR2004 - HTTP
        )
        return tuple(CallEntry(*key, 200) for key, times in seen.items() if times > 1)

    def snapshot(self) -> dict[str, object]:
        """The counts as JSON: total, by method, by user, by both, by status, and the list pages by their parameters."""
        by_method: Counter[str] = Counter()
        by_user: Counter[str] = Counter()
        by_both: dict[str, dict[str, int]] = {}
        for (method_id, user), times in self._calls.items():
            by_method[method_id] += times
            by_user[user] += times
            by_both.setdefault(user, {})[method_id] = times
        return {
            "requests": self.requests,
            "total": self._calls.total(),
            "methods": dict(sorted(by_method.items())),
            "users": dict(sorted(by_user.items())),
            "by_user": by_both,
            "statuses": {str(status): times for status, times in sorted(self._statuses.items())},
        }

    def clear(self) -> None:
        """Start over at zero."""
        self.requests = 0
        self._calls.clear()
        self._statuses.clear()
        self._entries.clear()


_SECRET = frozenset({"access_token", "oauth_token", "key"})
