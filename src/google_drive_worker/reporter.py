"""Tells the connections' owner what became of their syncs: after the commit, beside the work, and never in its way."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.ports import Clock, Reports
from google_drive_worker.domain.reports import CredentialsRefused, Report
from google_drive_worker.partition import Committed
from google_drive_worker.utils.errors import Retryable, Terminal, WorkerError, origin

WAITING_AT_MOST = 10_000
"""Reports that wait; beyond it the oldest goes: the next sync makes up for a cursor, the next look for a refusal."""

AT_ONCE = 8
"""Reports that are told side by side."""

REST_S = 10.0
"""How long a report that can't be told waits to be tried again."""

TRIES = 30
"""How often a report is tried: with rests and the source's own retries, about ten minutes."""

_Key = tuple[type[Report], ConnectionId]


class Reporter:
    """Holds what there is to tell; `run` tells it. A newer report of a connection takes an older one's place.

    Reports of one kind and connection are told one after the other, so that the newest is the last; one that can't be
    told rests, and takes no other's place meanwhile. Refused credentials are reported over and over while they are the
    same, lest a stop or an outage swallow it, and told once. Without `reports` there is nobody to tell.
    """

    def __init__(self, reports: Reports | None, clock: Clock, on_failed: Callable[[Report, WorkerError], None]) -> None:
        self._reports = reports
        self._clock = clock
        self._on_failed = on_failed
        self._waiting: OrderedDict[_Key, tuple[Report, int]] = OrderedDict()
        self._busy: dict[_Key, Report | None] = {}  # being told, or resting; with a newer one that came meanwhile
        self._refused: OrderedDict[ConnectionId, Report] = OrderedDict()
        self._something = asyncio.Event()
        self._settled = asyncio.Condition()
        self._telling = 0

    def on_commit(self, committed: Committed) -> None:
        """A transaction went through: what its steps report may be told."""
        if self._reports is None:
            return
        for entry in committed.entries:
            for report in entry.reports:
                if self._refused.get(report.connection_id) != report:
                    self._put(report, 0)

    async def run(self) -> None:
        """Tell reports until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._tell_on(group), name=f"reporter:{number}")

    async def drained(self, timeout_s: float) -> None:
        """Wait until everything is told that can be, no longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                async with self._settled:
                    await self._settled.wait_for(lambda: not self._waiting and not self._telling)

    def _put(self, report: Report, tries: int) -> None:
        key = type(report), report.connection_id
        if key in self._busy:
            self._busy[key] = report
            return
        self._waiting[key] = report, tries
        if len(self._waiting) > WAITING_AT_MOST:
            self._waiting.popitem(last=False)
        self._something.set()

    async def _tell_on(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._something.wait()
            if not self._waiting:
                self._something.clear()
                continue
            key, (report, tries) = self._waiting.popitem(last=False)
            self._busy[key] = None
            self._telling += 1
            told = await self._tell(report)
            if not told and tries < TRIES and len(self._busy) <= WAITING_AT_MOST:
                group.create_task(self._rest(key, report, tries + 1), name=f"report-rests:{report.connection_id}")
            else:
                self._done(key)
            self._telling -= 1
            async with self._settled:
                self._settled.notify_all()

    async def _rest(self, key: _Key, report: Report, tries: int) -> None:
        await self._clock.sleep(REST_S)
        if not self._done(key):
            self._put(report, tries)

    def _done(self, key: _Key) -> bool:
        """Whether there is a newer report, which may be told now."""
        newer = self._busy.pop(key)
        if newer is not None:
            self._put(newer, 0)
        return newer is not None

    async def _tell(self, report: Report) -> bool:
        """Whether there is nothing more to be done about the report."""
        assert self._reports is not None  # noqa: S101 - nothing waits otherwise
        try:
            await self._reports.report(report)
        except WorkerError as error:
            self._on_failed(report, error)
            return not isinstance(error, Retryable)
        except Exception as bug:
            self._on_failed(report, Terminal(f"a bug of the worker's: {origin(bug)}", code="internal_error"))
            return True
        if isinstance(report, CredentialsRefused):
            self._refused[report.connection_id] = report
            if len(self._refused) > WAITING_AT_MOST:
                self._refused.popitem(last=False)
        return True
