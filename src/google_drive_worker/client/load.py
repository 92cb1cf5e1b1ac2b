"""What keeps a connection in trouble from multiplying load: a retry budget, a breaker, and smaller batches
and pages.

Nothing here sends or waits for time to pass: `now_s` is passed in, and decisions are returned. The budget follows the
AWS SDKs' "standard" retry mode: what succeeds pays in, what is tried again takes out, so that a storm which most calls
survive is ridden out, and an outage is not met with several times the calls. The breaker is M. Nygard's circuit breaker
("Release It!", 2007), with one probe. The probe is a call that needs no item (`Caller` makes it), before the breaker
opens as well as before it closes: some items that Google never serves are no outage.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from google_drive_worker.client.batch import MOST_PARTS
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.utils.errors import Retryable, WorkerError


@dataclass(frozen=True, slots=True)
class BudgetPolicy:
    """How many calls may be made again, counted in calls: each part of a batch is one."""

    capacity: float
    """What may be made again in one go."""
    per_s: float
    """What comes back with time alone, so that an idle connection is not left with nothing."""
    per_call: float = 0.2
    """What each call that succeeds at once pays in: with it, retries in vain are a fifth of the calls at the most."""


CONNECTION_BUDGET = BudgetPolicy(capacity=300, per_s=0.5)
"""Three full batches; then thirty calls a minute, a thousandth of what it may make."""
WORKER_BUDGET = BudgetPolicy(capacity=3_000, per_s=5.0)
"""Ten connections', so that no single one uses it up."""


class RetryBudget:
    """Calls that may still be made again. A retry that succeeds is given back: only those in vain are used up."""

    def __init__(self, policy: BudgetPolicy, now_s: float) -> None:
        self._policy = policy
        self._left = policy.capacity
        self._at_s = now_s

    def left(self, now_s: float) -> float:
        """How many there are now; negative after a batch that was larger than what was left."""
        self._left = min(self._policy.capacity, self._left + (now_s - self._at_s) * self._policy.per_s)
        self._at_s = now_s
        return self._left

    def spend(self, calls: float, now_s: float) -> None:
        """So many calls are made again."""
        self._left = self.left(now_s) - calls

    def earn(self, at_once: int, again: int) -> None:
        """So many calls succeeded at once, and so many after having been made again."""
        self._left = min(self._policy.capacity, self._left + at_once * self._policy.per_call + again)

    def is_full(self, now_s: float) -> bool:
        """Whether it holds no memory."""
        return self.left(now_s) >= self._policy.capacity


ALONE = 20
"""How many calls go well one by one before two are tried together."""

PAGE_SHARES = 64
"""The parts into which a page is divided; the smallest page is one of them."""

_PAGE_CUT = 4
_PAGE_CALM = 4

_OF_PAGE_SIZE = frozenset({"unavailable", "timeout", "truncated", "response_too_large"})
"""Codes of pages that failed because of their size, perhaps."""


class Portion:
    """How much is asked for at once: less after trouble that may come of its size, then more by and by."""

    def __init__(self, most: int, *, cut: int = 2, calm: int = 1) -> None:
        """`cut` is what it is divided by after trouble, `calm` how often it goes well before it grows."""
        self._most = most
        self._cut = cut
        self._calm = calm
        self._size = most
        self._good = 0

    @property
    def size(self) -> int:
        """What to ask for next."""
        return self._size

    @property
    def is_whole(self) -> bool:
        """Whether it is as large as it may be."""
        return self._size == self._most

    def shrink(self) -> None:
        """It was too much."""
        self._size, self._good = max(1, self._size // self._cut), 0

    def grow(self) -> None:
        """It went well."""
        self._good += 1
        if self._good >= (ALONE if self._size == 1 else self._calm):
            self._good = 0
            self._size = min(self._most, self._size + min(self._size, max(1, self._most // 10)))

    def reset(self) -> None:
        """The trouble did not come of the size."""
        self._size, self._good = self._most, 0


class BreakerState(Enum):
    """Whether a connection's calls are made."""

    CLOSED = "closed"
    """They are."""
    OPEN = "open"
    """They fail at once."""
    HALF_OPEN = "half_open"
    """One is made to see; the others wait for what becomes of it."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens, and for how long; times in seconds."""

    failures: int = 10
    """In a row, of all of the connection's requests: more than one call's attempts. Then the probe decides."""
    open_s: float = 15.0
    open_at_most_s: float = 240.0
    """It doubles with each probe that fails, up to this."""
    forsaken_after_s: float = 3_600.0
    """Longer than a connection rests after a failure that a breaker counts."""


BREAKER = BreakerPolicy()

_BY_ITSELF = frozenset({"unavailable", "timeout", "connection_failed"})
"""Codes of failures that are Google's or the network's, and that trying again doesn't mend at once."""


def is_outage(failure: WorkerError | None) -> bool:
    """Whether it is of the kind that a breaker counts: 5xx, time out, no connection; not quota, nor one item's."""
    return isinstance(failure, Retryable) and failure.code in _BY_ITSELF


class Breaker:
    """One connection's. `on_change` is told of each change of its state, and of the failure behind it."""

    def __init__(
        self, policy: BreakerPolicy, on_change: Callable[[BreakerState, BreakerState, WorkerError | None], None]
    ) -> None:
        self._policy = policy
        self._on_change = on_change
        self._state = self._before = BreakerState.CLOSED
        self._failures = 0
        self._open_s = policy.open_s
        self._until_s = 0.0
        self._last: WorkerError | None = None
        self._probed: asyncio.Event | None = None

    @property
    def state(self) -> BreakerState:
        """Its state."""
        return self._state

    @property
    def is_at_rest(self) -> bool:
        """Whether it holds no memory."""
        return self._state is BreakerState.CLOSED and not self._failures

    def is_forsaken(self, now_s: float) -> bool:
        """Whether its time has long been over and nobody came to probe: its connection is another worker's now."""
        return self._state is BreakerState.OPEN and now_s - self._until_s > self._policy.forsaken_after_s

    async def enter(self, now_s: Callable[[], float]) -> bool:
        """Pass before a request is made. Returns whether a probe is due: the caller makes it, and comes again.

        The first that comes when the time is over makes it. Raises `Retryable`, with the time that is left and no
        attempts, while the breaker is open.
        """
        while self._state is not BreakerState.CLOSED:
            if self._probed is not None:
                await self._probed.wait()
                continue
            left_s = self._until_s - now_s()
            if left_s > 0:
                raise self._refusal(left_s)
            self._begin_probe()
            return True
        return False

    def succeeded(self) -> None:
        """An answer came that is no outage's, whatever it says."""
        self._failures, self._open_s, self._last = 0, self._policy.open_s, None
        if self._state is not BreakerState.CLOSED:
            self._change(BreakerState.CLOSED)
        self._release()

    def failed(self, failure: WorkerError) -> bool:
        """A request came to an outage's failure. Returns whether a probe is due, which the caller makes at once."""
        self._failures += 1
        self._last = failure
        if self._state is not BreakerState.CLOSED or self._failures < self._policy.failures:
            return False
        self._begin_probe()
        return True

    def probe_failed(self, failure: WorkerError, now_s: float) -> None:
        """The probe came to an outage's failure as well."""
        if self._state is not BreakerState.HALF_OPEN:
            return  # another request was answered meanwhile
        self._failures += 1
        self._last = failure
        if self._before is BreakerState.OPEN:
            self._open_s = min(self._policy.open_at_most_s, self._open_s * 2)
        self._until_s = now_s + max(self._open_s, getattr(failure, "retry_after_s", None) or 0.0)
        self._change(BreakerState.OPEN)
        self._release()

    def probe_gave_up(self) -> None:
        """The probe was not made, or cut short: the next failure, or the next that comes, makes another."""
        if self._state is BreakerState.HALF_OPEN:
            self._change(self._before)
            self._release()

    def _begin_probe(self) -> None:
        self._before = self._state
        self._probed = asyncio.Event()
        self._change(BreakerState.HALF_OPEN)

    def _release(self) -> None:
        probed, self._probed = self._probed, None
        if probed is not None:
            probed.set()

    def _change(self, state: BreakerState) -> None:
        before, self._state = self._state, state
        self._on_change(before, state, self._last)

    def _refusal(self, left_s: float) -> Retryable:
        last = self._last
        return Retryable(
            f"no call is made for now: {self._failures} failed in a row",
            retry_after_s=left_s,
            code="unavailable" if last is None else last.code,
            http_status=None if last is None else last.http_status,
            reason=None if last is None else last.reason,
            attempts=0,  # none was made, and none is to be made again before that
        )


class LoadObserver(Protocol):
    """Is told what the client does under load."""

    def on_breaker(
        self, connection_id: ConnectionId, before: BreakerState, after: BreakerState, failure: WorkerError | None
    ) -> None:
        """A connection's breaker changed its state, after that failure where it was one."""
        ...

    def on_budget_spent(self, connection_id: ConnectionId, whose: str, failure: WorkerError) -> None:
        """A call was given up for want of a budget, the `connection`'s or the `worker`'s."""
        ...

    def on_batch(self, calls: int) -> None:
        """A batch of so many calls was sent."""
        ...

    def on_quota(self, units: float, waited_s: float) -> None:
        """A call took so much of the quota, and waited so long for it."""
        ...


class Unwatched:
    """Implements `LoadObserver` for who does not look."""

    def on_breaker(
        self, connection_id: ConnectionId, before: BreakerState, after: BreakerState, failure: WorkerError | None
    ) -> None:
        """Nothing."""

    def on_budget_spent(self, connection_id: ConnectionId, whose: str, failure: WorkerError) -> None:
        """Nothing."""

    def on_batch(self, calls: int) -> None:
        """Nothing."""

    def on_quota(self, units: float, waited_s: float) -> None:
        """Nothing."""


class Load:
    """One connection's state under load, for as long as it is remembered."""

    def __init__(
        self, connection_id: ConnectionId, worker_budget: RetryBudget, observer: LoadObserver, now_s: float
    ) -> None:
        self._connection_id = connection_id
        self._observer = observer
        self._budget = RetryBudget(CONNECTION_BUDGET, now_s)
        self._worker_budget = worker_budget
        self.batch_size = Portion(MOST_PARTS)
        self.page_share = Portion(PAGE_SHARES, cut=_PAGE_CUT, calm=_PAGE_CALM)
        self._page_troubles = 0
        self.breaker = Breaker(BREAKER, self._on_breaker)

    def may_retry(self, calls: int, failure: Retryable, now_s: float) -> bool:
        """Whether so many calls may be made again after that failure, and count them if so."""
        for whose, budget in (("connection", self._budget), ("worker", self._worker_budget)):
            if budget.left(now_s) < 1:
                self._observer.on_budget_spent(self._connection_id, whose, failure)
                return False
        self._budget.spend(calls, now_s)
        self._worker_budget.spend(calls, now_s)
        return True

    def earn(self, at_once: int, again: int) -> None:
        """So many calls succeeded at once, and so many after having been made again."""
        self._budget.earn(at_once, again)
        self._worker_budget.earn(at_once, again)

    def page_came(self) -> None:
        """A page was answered."""
        self._page_troubles = 0
        self.page_share.grow()

    def page_failed(self, code: str, share: int, tried: int) -> int:
        """The share of a page to try next, after try number `tried` of one of that share failed.

        One failure proves nothing; the second in a row, of the call or of the connection, makes pages smaller. Where
        the smallest fails as well, the trouble does not come of the size: the next call's page is whole again.
        """
        if code not in _OF_PAGE_SIZE:
            return share
        self._page_troubles += 1
        if share == 1:
            self.page_share.reset()
            self._page_troubles = 0
            return share
        if max(tried, self._page_troubles) == 1 and code != "response_too_large":
            return share
        self.page_share.shrink()
        return max(1, share // _PAGE_CUT)

    def is_at_rest(self, now_s: float) -> bool:
        """Whether it holds no memory."""
        is_whole = self.batch_size.is_whole and self.page_share.is_whole
        return is_whole and self.breaker.is_at_rest and self._budget.is_full(now_s)

    def _on_breaker(self, before: BreakerState, after: BreakerState, failure: WorkerError | None) -> None:
        self._observer.on_breaker(self._connection_id, before, after, failure)


_SWEEP_EVERY_S = 60.0


class Loads:
    """The loads of all connections, by their ids; who is at rest is forgotten."""

    def __init__(self, observer: LoadObserver, now_s: float) -> None:
        self._observer = observer
        self._worker_budget = RetryBudget(WORKER_BUDGET, now_s)
        self._loads: dict[ConnectionId, Load] = {}
        self._swept_at_s = now_s

    def of(self, connection_id: ConnectionId, now_s: float) -> Load:
        """That connection's, the same for all of its Drives."""
        load = self._loads.get(connection_id)
        if load is None:
            self._forget_resting(now_s)
            load = self._loads[connection_id] = Load(connection_id, self._worker_budget, self._observer, now_s)
        return load

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._loads)

    def _forget_resting(self, now_s: float) -> None:
        """Only when somebody new comes, and at most once a minute."""
        if now_s - self._swept_at_s < _SWEEP_EVERY_S:
            return
        self._swept_at_s = now_s
        for name, load in list(self._loads.items()):
            if load.breaker.is_forsaken(now_s):
                load.breaker.succeeded()  # nobody counts on it any more
            if load.is_at_rest(now_s):
                del self._loads[name]
