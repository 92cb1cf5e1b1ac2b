"""Drive's quotas, in both models that Google has: requests a minute, and quota units a minute.

Source: "Usage limits" of the Drive guides. Each limit is a bucket that holds a minute's worth and refills steadily.
Every part of a batch pays for itself. What is refused costs nothing.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from drive_simulator.api.errors import ApiError, rate_limit_exceeded, user_rate_limit_exceeded

MINUTE_S = 60.0
MAX_USERS = 100_000

READ_UNITS = 5
LIST_UNITS = 100
DOWNLOAD_UNITS = 200


@dataclass(frozen=True, slots=True)
class QuotaModel:
    """Limits a minute, for the project and for each user; None is no limit. A call costs `default_cost` or its own."""

    project_per_minute: float | None
    user_per_minute: float | None
    default_cost: float = 1
    costs: Mapping[str, float] = field(default_factory=dict)
    download_cost: float = 1

    def cost(self, method_id: str, *, media: bool = False) -> float:
        """What one call costs; `media` is a download with `alt=media`."""
        return self.download_cost if media else self.costs.get(method_id, self.default_cost)


UNLIMITED = QuotaModel(None, None)


def request_model(project_per_minute: float | None = 12_000, user_per_minute: float | None = 12_000) -> QuotaModel:
    """The model of projects made before May 2026: every call costs one request."""
    return QuotaModel(project_per_minute, user_per_minute)


def unit_model(project_per_minute: float | None = 1_000_000, user_per_minute: float | None = 325_000) -> QuotaModel:
    """The model of projects made since 1 May 2026: a read 5, a list 100, a download 200, others 5."""
    lists = ("files.list", "changes.list", "drives.list", "permissions.list", "revisions.list", "comments.list")
    costs = dict.fromkeys((*lists, "replies.list", "files.listLabels"), LIST_UNITS)
    costs |= {"files.export": DOWNLOAD_UNITS, "files.download": DOWNLOAD_UNITS}
    costs |= {"links.export": DOWNLOAD_UNITS, "links.operation": DOWNLOAD_UNITS}
    return QuotaModel(project_per_minute, user_per_minute, READ_UNITS, costs, DOWNLOAD_UNITS)


class _Bucket:
    """Holds `capacity`, refills in a minute."""

    __slots__ = ("at_s", "capacity", "level")

    def __init__(self, capacity: float, now_s: float) -> None:
        self.capacity = capacity
        self.level = capacity
        self.at_s = now_s

    def wait_s(self, cost: float, now_s: float) -> float:
        """Seconds until `cost` can be paid; 0 is now."""
        rate = self.capacity / MINUTE_S
        self.level = min(self.capacity, self.level + (now_s - self.at_s) * rate)
        self.at_s = now_s
        # A call that costs more than a minute holds passes when the bucket is full.
        return max(0.0, (min(cost, self.capacity) - self.level) / rate)


class Quota:
    """Charges calls. `now_s` is monotonic. `project_status` (403 or 429) answers the project's limit.

    `retry_after` adds the header Retry-After, which Google sends now and then.
    """

    def __init__(
        self,
        model: QuotaModel = UNLIMITED,
        now_s: Callable[[], float] = time.monotonic,
        *,
        project_status: int = 403,
        retry_after: bool = False,
    ) -> None:
        self.model = model
        self._now_s = now_s
        self._project_status = project_status
        self._retry_after = retry_after
        self._project: _Bucket | None = None
        self._users: dict[str, _Bucket] = {}
        self.refused = 0

    def set_model(self, model: QuotaModel) -> None:
        """Change the limits; every bucket starts full."""
        self.model = model
        self._project = None
        self._users.clear()

    def charge(
        self, method_id: str, user: str, quota_user: str | None = None, *, media: bool = False
    ) -> ApiError | None:
        """Pay for one call: None, or the error to answer. `quota_user` (the parameter) takes the user's place."""
        cost, now_s = self.model.cost(method_id, media=media), self._now_s()
        project, own = self._buckets(quota_user or user, now_s)
        waits = [0.0 if bucket is None else bucket.wait_s(cost, now_s) for bucket in (own, project)]
        if max(waits) > 0:
            self.refused += 1
            retry_after_s = math.ceil(max(waits)) if self._retry_after else None
            if waits[0] > 0:
                return user_rate_limit_exceeded(retry_after_s=retry_after_s)
            return rate_limit_exceeded(status=self._project_status, retry_after_s=retry_after_s)
        for bucket in (own, project):
            if bucket is not None:
                bucket.level -= cost
        return None

    def _buckets(self, user: str, now_s: float) -> tuple[_Bucket | None, _Bucket | None]:
        if self._project is None and self.model.project_per_minute is not None:
            self._project = _Bucket(self.model.project_per_minute, now_s)
        if self.model.user_per_minute is None:
            return self._project, None
        own = self._users.get(user)
        if own is None:
            if len(self._users) >= MAX_USERS:
                del self._users[next(iter(self._users))]
            own = self._users[user] = _Bucket(self.model.user_per_minute, now_s)
        return self._project, own
