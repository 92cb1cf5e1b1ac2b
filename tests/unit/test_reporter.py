"""`Reporter`: what is told, in which order, and what becomes of what can't be."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from google_drive_worker.domain.ids import ConnectionId, CustomerId, SyncId
from google_drive_worker.domain.reports import CredentialsRefused, Report, SyncEnded
from google_drive_worker.entry import Entry
from google_drive_worker.partition import Committed
from google_drive_worker.reporter import AT_ONCE, TRIES, Reporter
from google_drive_worker.utils.errors import Retryable, Terminal, WorkerError
from support.clock import ManualClock


class Owner:
    """Implements `Reports`: fails as `trouble` says, and may take its time."""

    def __init__(self) -> None:
        self.told: list[Report] = []
        self.tried: list[Report] = []
        self.failed: list[str] = []
        self.trouble: Callable[[Report], Exception | None] = lambda _: None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.clock = ManualClock()

    async def report(self, report: Report) -> None:
        """Take it, after a while."""
        self.tried.append(report)
        await self.may_go_on.wait()
        problem = self.trouble(report)
        if problem is not None:
            raise problem
        self.told.append(report)

    def on_failed(self, report: Report, error: WorkerError) -> None:
        """Note what failed."""
        del report
        self.failed.append(error.code)

    @asynccontextmanager
    async def reporter(self) -> AsyncIterator[Reporter]:
        """One that runs."""
        reporter = Reporter(self, self.clock, self.on_failed)
        running = asyncio.create_task(reporter.run())
        try:
            yield reporter
            assert not running.done()
        finally:
            running.cancel()
            await asyncio.wait([running])


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what holds soon."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)


def ended(number: int, connection: str = "conn_1") -> SyncEnded:
    """The end of a sync."""
    return SyncEnded(
        connection_id=ConnectionId(connection),
        customer_id=CustomerId("cust_1"),
        sync_id=SyncId(f"sync-{number}"),
        kind="incremental",
        started_at="2026-11-25T10:00:00.000Z",
        completed_at="2026-11-25T10:00:01.000Z",
    )


def refused(credentials: str) -> CredentialsRefused:
    """Credentials that Google refuses."""
    return CredentialsRefused(connection_id=ConnectionId("conn_1"), reason="reauth_required", credentials=credentials)


def commit(reporter: Reporter, *reports: Report) -> None:
    """What the reports are of is committed."""
    reporter.on_commit(Committed([Entry([], reports=(report,)) for report in reports], 0.0))


async def test_the_newest_cursor_is_the_last_one_told() -> None:
    """One that failed or takes its time never comes after a newer one."""
    owner = Owner()
    failures = iter([Retryable("down")])
    owner.trouble = lambda _: next(failures, None)
    async with owner.reporter() as reporter:
        owner.may_go_on.clear()
        commit(reporter, ended(1))
        await until(lambda: owner.tried == [ended(1)])
        commit(reporter, ended(2))
        commit(reporter, ended(3))
        owner.may_go_on.set()
        await until(lambda: bool(owner.told))
        await reporter.drained(5)
    assert owner.told == [ended(3)]
    assert len(owner.failed) == 1


async def test_reports_that_cant_be_told_hold_up_no_others() -> None:
    """However many rest, those of other connections are told; each is given up after its tries."""
    owner = Owner()
    owner.trouble = lambda report: Retryable("never") if report.connection_id != "conn_1" else None
    async with owner.reporter() as reporter:
        commit(reporter, *(ended(number, f"poison_{number}") for number in range(2 * AT_ONCE)))
        await until(lambda: len(owner.failed) >= 2 * AT_ONCE)
        commit(reporter, ended(1))
        await until(lambda: owner.told == [ended(1)])
        assert owner.clock.monotonic_s() == 0
        await until(lambda: len(owner.failed) == 2 * AT_ONCE * (TRIES + 1))


async def test_refused_credentials_are_told_once_however_often_they_are_reported() -> None:
    """Others are told anew; what could not be told is told the next time."""
    owner = Owner()
    owner.trouble = lambda report: Terminal("not now") if report == refused("lost") else None
    async with owner.reporter() as reporter:
        for credentials in ("one", "one", "two", "two", "lost"):
            commit(reporter, refused(credentials))
            await reporter.drained(5)
        owner.trouble = lambda _: None
        commit(reporter, refused("lost"))
        await reporter.drained(5)
    assert owner.told == [refused("one"), refused("two"), refused("lost")]


async def test_a_bug_in_telling_ends_nothing() -> None:
    """It is told as one, and the reports after it are told as well."""
    owner = Owner()
    owner.trouble = lambda report: ValueError("secret") if report == ended(1) else None
    async with owner.reporter() as reporter:
        commit(reporter, ended(1))
        await reporter.drained(5)
        commit(reporter, ended(2))
        await reporter.drained(5)
    assert (owner.failed, owner.told) == (["internal_error"], [ended(2)])
