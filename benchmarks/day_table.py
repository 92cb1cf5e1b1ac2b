"""The table of what a change costs: each edit alone and the sync that follows it, before and after a restart."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from benchmarks import day_edits
from benchmarks.day_google import LOGS, DayGoogle
from benchmarks.day_worker import DayWorker, SyncCost
from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.edit import Edit
from drive_simulator.edits.random_edits import Editor
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.items import Item, User

PAGE_SIZE = 1_000
MANY_DRIVES = 300

STEPS = 22
"""How often `measure` says what it does."""

_LIST_UNITS, _GET_UNITS, _IN_A_BATCH = 100, 5, 100


class Limit(msgspec.Struct, frozen=True):
    """What an edit may cost: records, units beside those of the logs, and HTTP requests beside those for the logs."""

    records: int
    further_units: int
    further_requests: int | None = None
    log_units: int | None = None


class Line(msgspec.Struct, frozen=True):
    """One edit and what its sync cost; `restarted` says whether a worker with an empty state directory ran it."""

    edit: str
    below: str
    restarted: bool
    limit: Limit
    sync: SyncCost

    @property
    def broken(self) -> list[str]:
        """In what it is over its limit."""
        cost, limit, over = self.sync.cost, self.limit, []
        logs = cost.calls.get(LOGS, 0)
        if self.sync.record_count > limit.records:
            over.append("records")
        if cost.further_units > limit.further_units:
            over.append("units")
        if limit.further_requests is not None and cost.requests - logs > limit.further_requests:
            over.append("requests")
        if limit.log_units is not None and cost.log_units > limit.log_units:
            over.append("logs")
        return over


class Table(msgspec.Struct, frozen=True):
    """All lines, and the Drive that they were measured on: items and permissions are records of the first full sync."""

    seed: int
    items: int
    shared_drives: int
    page_size: int
    full_sync: SyncCost
    lines: list[Line]

    @property
    def differing(self) -> list[str]:
        """The edits whose cost after a restart is another than before."""
        before = {line.edit: _figures(line) for line in self.lines if not line.restarted}
        return [line.edit for line in self.lines if line.restarted and _figures(line) != before[line.edit]]


@dataclass(frozen=True, slots=True)
class _Case:
    """An edit that can be made twice, each time another: `make` is told which time it is."""

    edit: str
    below: str
    limit: Limit
    make: Callable[[int], Edit | None]


def measure(seed: int, scale: float, on_progress: Callable[[str], None]) -> Table:
    """Measure every line; `scale` makes the Drive smaller."""
    bench = _Bench(seed, scale)
    on_progress("a full sync of the Drive")
    full = bench.worker.sync("full")
    lines: list[Line] = []
    for case in bench.cases():
        for restarted in (False, True):
            on_progress(case.edit + (", after a restart" if restarted else ""))
            lines.append(bench.measure(case, restarted=restarted))
    on_progress(f"{MANY_DRIVES} shared drives")
    lines += _notified(seed)
    items = full.records.get("file upsert", 0) + full.records.get("folder upsert", 0)
    return Table(seed, items, len(bench.world.drives), PAGE_SIZE, full, lines)


class _Bench:
    def __init__(self, seed: int, scale: float) -> None:
        clock = ManualClock()
        mine, theirs = round(7_900 * scale), round(6_180 * scale)
        details = Details(shared=0.05, commented=0.1)
        plan = CorpusPlan(theirs, 3, seed=seed, my_drives=(mine, 40, 40), details=details)
        self.world = generate(plan, clock=clock)
        self.user = next(iter(self.world.users.values()))
        self._guests = [self.world.add_user(f"guest{number}@example.com", f"Guest {number}") for number in (1, 2)]
        self._scale = scale
        self._clock = clock
        self._editor = Editor(self.world)
        self.worker = DayWorker(DayGoogle(self.world, clock, PAGE_SIZE, seed), self.user.email, _ignore, seed=seed)

    def measure(self, case: _Case, *, restarted: bool) -> Line:
        edit = case.make(restarted)
        if edit is not None:
            self._editor.make(edit)
        self._clock.advance(60.0)
        if restarted:
            self.worker.restart()
        return Line(case.edit, case.below, restarted, case.limit, self.worker.sync())

    def cases(self) -> Iterator[_Case]:
        """The edits of the table, in its order."""
        world, user, scale = self.world, self.user, self._scale
        yield _Case("nothing", "", Limit(0, 0), lambda _: None)
        yield from self._of_files()
        items, folders = round(739 * scale), round(82 * scale)
        mine = day_edits.folder_like(world, user, items, folders, in_drive=False)
        yield from self._of_my_folder(mine)
        items, folders = round(768 * scale), round(39 * scale)
        other = day_edits.folder_like(world, user, items, folders, in_drive=True)
        assert other.folder.drive is not None
        actor = day_edits.manager(other.folder.drive)
        yield _Case(
            "a shared drive's folder renamed",
            _below(other),
            Limit(1 + other.folders, 0),
            lambda time: day_edits.rename(actor, other.folder, f"Another name {time}"),
        )
        yield self._of_members()

    def _of_files(self) -> Iterator[_Case]:
        world, user = self.world, self.user
        viewed, starred, renamed, commented = day_edits.files_of(world, user, 4)
        changed = Limit(1, _LIST_UNITS)
        yield _Case("a file viewed", "", Limit(1, 0), lambda _: day_edits.view(world, user, viewed))
        yield _Case("a file starred", "", changed, lambda time: _starred(user, starred, time))
        yield _Case("a file renamed", "", changed, lambda time: day_edits.rename(user, renamed, f"Renamed {time}"))
        yield _Case(
            "a comment added", "", changed, lambda time: day_edits.comment(user, commented, f"Well said, {time}")
        )

    def _of_my_folder(self, place: day_edits.FolderSize) -> Iterator[_Case]:
        world, user, folder, below = self.world, self.user, place.folder, _below(place)
        yield _Case("a folder viewed", below, Limit(1, 0), lambda _: day_edits.view(world, user, folder))
        yield _Case(
            "a folder renamed",
            below,
            Limit(1 + place.folders, 0),
            lambda time: day_edits.rename(user, folder, f"Another name {time}"),
        )
        batches = -(-place.items // _IN_A_BATCH)
        yield _Case(
            "a My Drive folder shared",
            below,
            Limit(2 + place.items, _GET_UNITS * place.items, batches),
            lambda time: day_edits.share(user, folder, self._guests[time]),
        )

    def _of_members(self) -> _Case:
        drive, place = day_edits.drive_like(self.world, self.user, round(1_714 * self._scale))
        organizer = day_edits.manager(drive)
        own = sum(bool(item.grants) for item in day_edits.mirrored_below(self.world, self.user, drive.root))
        return _Case(
            "a member added to a drive",
            f"{_below(place)}, {own:,} of them with permissions of their own",
            Limit(1 + place.items, 2 * _LIST_UNITS + _LIST_UNITS * own),
            lambda time: day_edits.share(organizer, drive.root, self._guests[time], "writer"),
        )


def _notified(seed: int) -> list[Line]:
    """One notification where there are many shared drives, and nothing to do."""
    clock = ManualClock()
    world = generate(CorpusPlan(2 * MANY_DRIVES, MANY_DRIVES, users=1, seed=seed), clock=clock)
    user = next(iter(world.users.values()))
    worker = DayWorker(DayGoogle(world, clock, PAGE_SIZE, seed), user.email, _ignore, seed=seed)
    worker.sync("full")
    lines: list[Line] = []
    for restarted in (False, True):
        clock.advance(60.0)
        if restarted:
            worker.restart()
        limit = Limit(0, 0, log_units=_LIST_UNITS)
        name = f"a notification, {MANY_DRIVES} drives"
        lines.append(Line(name, "", restarted, limit, worker.sync()))
    return lines


def _starred(user: User, item: Item, time: int) -> Edit:
    return day_edits.patch("star", user, item, {"starred": not time})


def _below(place: day_edits.FolderSize) -> str:
    return f"{place.items:,} items below, {place.folders:,} of them folders"


def _figures(line: Line) -> tuple[object, ...]:
    sync = line.sync
    return sync.records, dict(sync.cost.calls), sync.cost.requests


def _ignore(record: bytes) -> None:
    del record
