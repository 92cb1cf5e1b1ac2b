"""Tells the connections' owner what became of their syncs: after the commit, beside the work, and never in its way."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.ports import Clock, Reports
from google_drive_worker.domain.reports import Report
from google_drive_worker.kafka.partition import Committed
from google_drive_worker.utils.errors import Retryable, WorkerError

WAITING_AT_MOST = 10_000
"""Reports that wait; beyond it the oldest cursor goes, which the connection's next sync makes up for."""

AT_ONCE = 8
"""Reports that are told side by side."""

REST_S = 10.0
"""How long a report that can't be told waits to be tried again."""

TRIES = 30
"""How often a report is tried: with rests and the source's own retries, about ten minutes."""

_Key = tuple[type[Report], ConnectionId]


class Reporter:
    """Holds what there is to tell; `run` tells it. A newer report of a connection takes an older one's place.

    Without `reports` there is nobody to tell.
    """

    def __init__(self, reports: Reports | None, clock: Clock, on_failed: Callable[[Report, WorkerError], None]) -> None:
        self._reports = reports
        self._clock = clock
        self._on_failed = on_failed
        self._waiting: OrderedDict[_Key, tuple[Report, int]] = OrderedDict()
        self._something = asyncio.Event()
        self._settled = asyncio.Condition()
        self._telling = 0

    def on_commit(self, committed: Committed) -> None:
        """A transaction went through: what its steps report may be told."""
        if self._reports is None:
            return
        for entry in committed.entries:
            for report in entry.reports:
                self._put(report, 0)

    async def run(self) -> None:
        """Tell reports until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._tell_on(), name=f"reporter:{number}")

    def _put(self, report: Report, tries: int) -> None:
        self._waiting[type(report), report.connection_id] = report, tries
        if len(self._waiting) > WAITING_AT_MOST:
            self._waiting.popitem(last=False)
        self._something.set()

    async def drained(self, timeout_s: float) -> None:
        """Wait until everything is told that can be, no longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                async with self._settled:
                    await self._settled.wait_for(lambda: not self._waiting and not self._telling)

    async def _tell_on(self) -> None:
        while True:
            await self._something.wait()
            if not self._waiting:
                self._something.clear()
                continue
            key, (report, tries) = self._waiting.popitem(last=False)
            self._telling += 1
            told = await self._tell(report)
            self._telling -= 1
            async with self._settled:
                self._settled.notify_all()
            if not told and tries < TRIES:
                await self._clock.sleep(REST_S)
                if key not in self._waiting:  # else there is a newer one
                    self._put(report, tries + 1)

    async def _tell(self, report: Report) -> bool:
        """Whether there is nothing more to be done about the report."""
        assert self._reports is not None  # noqa: S101 - nothing waits otherwise
        try:
            await self._reports.report(report)
        except WorkerError as error:
            self._on_failed(report, error)
            return not isinstance(error, Retryable)
        return True
