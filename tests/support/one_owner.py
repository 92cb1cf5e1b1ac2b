"""Evidence that no connection is worked on by two workers at once, from both sides: the workers' logs and Google's.

Each worker's log says when it opened a partition and when it let go of it. The simulator says when each call came and
was answered, and with which access token: every process asks for tokens of its own, so a token is the mark of one.
What is asked of the two together stands in `assert_one_at_a_time`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from threading import Lock
from time import time
from typing import NamedTuple, Protocol

from support.worker_process import WorkerProcess

_FOREVER_S = float("inf")


class Span(NamedTuple):
    """One worker's ownership of a partition, in seconds since 1970; without an end where it was killed in it."""

    partition: int
    worker: str
    begin_s: float
    end_s: float


class Call(NamedTuple):
    """A call of a connection's, from its coming to its answer, in seconds since 1970."""

    connection_id: str
    session: str
    came_at_s: float
    answered_at_s: float


class Exchange(Protocol):
    """What the simulator tells of a call."""

    @property
    def user(self) -> str | None: ...
    @property
    def session(self) -> str: ...
    @property
    def came_at_s(self) -> float: ...


@dataclass
class CallLog:
    """An observer of the simulator's that keeps who called when; `connections` by their user."""

    connections: Mapping[str, str]
    _calls: list[Call] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, exchange: Exchange) -> None:
        """Keep one call."""
        connection_id = self.connections.get(exchange.user or "")
        if connection_id is not None:
            with self._lock:
                self._calls.append(Call(connection_id, exchange.session, exchange.came_at_s, time()))

    def calls(self) -> list[Call]:
        """All calls so far."""
        with self._lock:
            return list(self._calls)


def spans_of(workers: Iterable[WorkerProcess]) -> list[Span]:
    """What each worker owned and when, by its log. Each must have been started once only."""
    spans = []
    for worker in workers:
        open_since: dict[int, float] = {}
        for line in worker.lines():
            if line["event"] == "partition_opened":
                open_since[line["partition"]] = _seconds(line["timestamp"])
            elif line["event"] in {"partition_released", "partition_reopening"} and line["partition"] in open_since:
                begin_s = open_since.pop(line["partition"])
                spans.append(Span(line["partition"], worker.log.name, begin_s, _seconds(line["timestamp"])))
        spans += [Span(number, worker.log.name, since_s, _FOREVER_S) for number, since_s in open_since.items()]
    return spans


def assert_one_at_a_time(spans: Iterable[Span], calls: Iterable[Call], partitions: Mapping[str, int]) -> None:
    """Fail where two workers worked on one connection at once; `partitions` are the connections' own.

    1. No worker opens a partition before the one that had it has let go. One that was killed can't say so: it lets go
       at the latest when the next one opens, and a dead process sends nothing.
    2. Every call lies within one ownership of the connection's partition, from its coming to its answer. A call that
       was on its way when its worker was killed is answered before the group even notices, well before the next opens.
    3. All calls with one access token lie in ownerships of one worker. So a worker that went on after it lost a
       partition is found out even where its calls fall into the next owner's time.
    """
    by_partition: dict[int, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.begin_s):
        by_partition[span.partition].append(span)
    for number, owned in by_partition.items():
        for earlier, later in pairwise(owned):
            killed = earlier.end_s == _FOREVER_S
            assert killed or earlier.end_s <= later.begin_s, f"two owners of partition {number}: {earlier}, {later}"
        ends_s = [*(span.begin_s for span in owned[1:]), _FOREVER_S]
        by_partition[number] = [
            span._replace(end_s=min(span.end_s, end_s)) for span, end_s in zip(owned, ends_s, strict=True)
        ]
    workers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in calls:
        owned = by_partition[partitions[call.connection_id]]
        holders = [each for each in owned if each.begin_s <= call.came_at_s and call.answered_at_s <= each.end_s]
        assert len(holders) == 1, f"nobody's call: {call} among {owned}"
        workers[call.connection_id, call.session].add(holders[0].worker)
    shared = {session: names for session, names in workers.items() if len(names) > 1}
    assert not shared, f"calls in another worker's time: {shared}"


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
