"""A simulated day of a large Drive: what is written and asked beside the least, by kind of edit, and is it equal?"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import msgspec
from msgspec.structs import replace

from benchmarks.day_draws import COUNTS, Draws, Made, draw_kinds
from benchmarks.day_google import DayGoogle
from benchmarks.day_truth import DayTruth
from benchmarks.day_worker import DayWorker, SyncCost
from drive_simulator.api.errors import ApiError
from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import Editor
from drive_simulator.faults.plan import BATCH, Effect, Match, Rule
from drive_simulator.faults.presets import PRESETS
from drive_simulator.model.access import rank
from drive_simulator.model.capabilities import can_discuss, can_have_revisions
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.consistency import Consistency
from drive_simulator.model.items import RANK, Item, User
from google_drive_worker.demo.field_mirror import FieldMirror
from google_drive_worker.demo.true_records import Key, owner_of

PAGE_SIZE = 1_000
SLOTS = 96
SLOT_S = 900.0
STEPS = SLOTS + 5
"""How often `measure` says what it does."""
RESTARTS = frozenset({SLOTS // 3, 2 * SLOTS // 3})
ELSE = "none of these"
"""Of records: those of items that no edit of the last two intervals touched."""

LAGS = Consistency(
    list_lag_s=(0.0, 120.0),
    sharing_lag_s=(0.0, 60.0),
    entry_lag_s=(0.0, 30.0),
    missed=0.005,
    repeated=0.005,
    told_twice=0.01,
)
RECORDS_AT_MOST, UNITS_AT_MOST = 1.15, 1.3
"""Beside the least: the records of each kind of edit, and all units."""
AFTERWARDS_S = 24 * 3_600.0
"""How long the worker may go on by itself after the last edit: the stated delays are over by then."""

_LIST, _GET, _PAGE = 100, 5, 1_000


class KindReport(msgspec.Struct, frozen=True):
    """Of one kind of edit: how many there were, the records written of what they touched, and the least.

    `units` are those of the calls that name an item or folder which they touched.
    """

    edits: int
    records: int
    least: int
    units: int
    least_units: int

    @property
    def ratio(self) -> float | None:
        """Written beside the least; `None` where the least is nothing."""
        return self.records / self.least if self.least else None


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """All that a day came to."""

    seed: int
    items: int
    shared_drives: int
    edits: int
    refused: int
    kinds: dict[str, KindReport]
    first: SyncCost
    syncs: SyncCost
    afterwards: SyncCost
    least_log_units: int
    wrong_deletes: int
    wrong_delete_examples: list[str]
    held: int
    differences: dict[str, int]
    examples: list[str]
    troubles: dict[str, int]
    gaps: int

    @property
    def is_equal(self) -> bool:
        """Whether the mirror is equal at the end."""
        return not self.differences

    @property
    def broken(self) -> list[str]:
        """In what the day is not as it should be."""
        over = [kind for kind, each in self.kinds.items() if each.records > RECORDS_AT_MOST * each.least]
        over += ["units"] if self.syncs.cost.units > UNITS_AT_MOST * self.least_units else []
        over += ["deletes of what exists"] if self.wrong_deletes else []
        return over + ([] if self.is_equal else ["equality"])

    @property
    def least_units(self) -> int:
        """The least that could be asked: a page of each log at each sync, and what the edits need beside that."""
        return self.least_log_units + sum(each.least_units for each in self.kinds.values())


def measure(seed: int, scale: float, on_progress: Callable[[str], None]) -> Day:
    """Run the day; it calls `on_progress` once for each of `SLOTS` intervals, and a few times before and after."""
    return _Course(seed, scale, on_progress).run()


class _Course:
    def __init__(self, seed: int, scale: float, on_progress: Callable[[str], None]) -> None:
        self._seed = seed
        self._scale = scale
        self._on_progress = on_progress
        on_progress("the Drive")
        self._clock = ManualClock()
        drives, mine = round(45_000 * scale), round(55_000 * scale)
        details = Details(shared=0.05, commented=0.1)
        plan = CorpusPlan(drives, 5, seed=seed, my_drives=(mine, 50, 50), details=details)
        self._world = generate(plan, clock=self._clock)
        self._user = next(iter(self._world.users.values()))
        guests = [self._world.add_user(f"guest{number}@example.com", f"Guest {number}") for number in range(8)]
        self._die = random.Random(seed)  # noqa: S311 - a simulation
        self._draws = Draws(self._world, self._user, guests, self._die)
        self._editor = Editor(self._world)
        self._google = DayGoogle(self._world, self._clock, PAGE_SIZE, seed)
        self._mirror = FieldMirror(self._on_record)
        self._worker = DayWorker(self._google, self._user.email, self._mirror.apply, seed=seed)
        on_progress("what is true")
        self._truth = DayTruth(self._world, self._user)
        self._attribution = Attribution()
        self._wrong_deletes: list[str] = []
        self._refused = 0
        self._least_units: Counter[str] = Counter()
        self._edits: Counter[str] = Counter()

    def run(self) -> Day:
        """The whole day."""
        self._on_progress("a full sync")
        first = self._worker.sync("full")
        items = sum(first.records.get(f"{each} upsert", 0) for each in ("file", "folder"))
        self._attribution.written.clear()
        self._begin_to_lag()
        syncs: list[SyncCost] = []
        for slot, kinds in enumerate(draw_kinds(self._die, self._scale, SLOTS)):
            self._on_progress(f"interval {slot + 1} of {SLOTS}")
            if slot in RESTARTS:
                self._worker.restart()
            self._edit(kinds)
            syncs.append(self._worker.sync())
            self._attribution.count_units(self._google.item_units)
        self._on_progress("the end of the lags")
        afterwards = self._end_lags()
        self._on_progress("the comparison")
        differences, examples = self._mirror.differences(self._world, self._user)
        return Day(
            seed=self._seed,
            items=items,
            shared_drives=len(self._world.drives),
            edits=self._edits.total(),
            refused=self._refused,
            kinds=self._reports(),
            first=first,
            syncs=together(syncs),
            afterwards=afterwards,
            least_log_units=_LIST * (1 + len(self._world.drives)) * SLOTS,
            wrong_deletes=len(self._wrong_deletes),
            wrong_delete_examples=self._wrong_deletes[:10],
            held=len(self._mirror),
            differences=dict(differences),
            examples=examples,
            troubles=dict(self._worker.troubles),
            gaps=self._worker.gaps,
        )

    def _begin_to_lag(self) -> None:
        self._world.consistency = LAGS
        faults = self._google.simulator.faults
        soft_limit, batch = PRESETS["part_soft_limit"], PRESETS["batch_rate_limited"]
        faults.add(Rule(batch.effect, Match(method=BATCH, probability=0.005)))
        faults.add(Rule(soft_limit.effect, Match(probability=0.001)))
        faults.add(Rule(Effect(error="backendError"), Match(probability=0.001)))

    def _end_lags(self) -> SyncCost:
        """No more edits: what lags arrives, and the worker does what it has planned by itself."""
        self._attribution.begin_interval()
        self._clock.advance(SLOT_S)
        last = self._worker.sync()
        self._world.consistency = replace(LAGS, missed=0.0, repeated=0.0, told_twice=0.0)
        return together([last, self._worker.settle(AFTERWARDS_S), self._worker.sync()])

    def _edit(self, kinds: list[str]) -> None:
        """The edits of one interval, spread over it, and what they change of what is true."""
        self._attribution.begin_interval()
        touched: set[str] = set()
        for kind in kinds:
            made = self._draws.draw(kind)
            self._clock.advance(SLOT_S / (len(kinds) + 1))
            try:
                self._editor.make(made.edit)
            except ApiError:
                self._refused += 1
                continue
            self._edits[kind] += 1
            self._least_units[kind] += least_units(made, self._mirrored(made), self._user)
            self._attribution.note(kind, made.touched)
            touched |= made.touched
        self._clock.advance(SLOT_S / (len(kinds) + 1))
        self._attribution.count_least(self._truth.update(touched))

    def _mirrored(self, made: Made) -> list[Item]:
        """The items that it touches and that the mirror holds, or is to hold."""
        return [self._world.items[each] for each in made.touched if not self._world.items[each].trashed]

    def _on_record(self, key: Key, operation: str) -> None:
        self._attribution.count_written(key)
        if operation == "delete" and key in self._truth:
            self._wrong_deletes.append("/".join(key))

    def _reports(self) -> dict[str, KindReport]:
        attribution = self._attribution
        return {
            kind: KindReport(
                self._edits[kind],
                attribution.written[kind],
                attribution.least[kind],
                attribution.units[kind],
                self._least_units[kind],
            )
            for kind in (*COUNTS, ELSE)
        }


class Attribution:
    """Says which kind of edit a record is owed to: the weightiest that touched its item since the sync before the last.

    `COUNTS` has the kinds by their weight, the weightiest first.
    """

    def __init__(self) -> None:
        self.written: Counter[str] = Counter()
        self.least: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        self._ranks = {kind: rank for rank, kind in enumerate(COUNTS)}
        self._now: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def begin_interval(self) -> None:
        """Another interval between two syncs begins."""
        self._before, self._now = self._now, {}

    def note(self, kind: str, touched: Iterable[str]) -> None:
        """An edit of that kind touched these items and drives."""
        for item_id in touched:
            known = self._now.get(item_id)
            if known is None or self._ranks[kind] < self._ranks[known]:
                self._now[item_id] = kind

    def kind_of(self, key: Key) -> str:
        """The kind of edit that the record is owed to."""
        return self._kind_of_item(owner_of(key))

    def _kind_of_item(self, item_id: str) -> str:
        return self._now.get(item_id) or self._before.get(item_id) or ELSE

    def count_least(self, records: Mapping[Key, str]) -> None:
        """These would be enough."""
        self.least.update(map(self.kind_of, records))

    def count_units(self, item_units: Mapping[str, int]) -> None:
        """Calls that name these items took so many units."""
        for item_id, units in item_units.items():
            self.units[self._kind_of_item(item_id)] += units

    def count_written(self, key: Key) -> None:
        """A record was written."""
        self.written[self.kind_of(key)] += 1


def least_units(made: Made, mirrored: list[Item], user: User) -> int:
    """The least quota units that the edit takes the user's mirror beside reading the logs, by what Drive can answer.

    The mirror's own index is taken for granted: what it says is not asked.
    """
    match made.kind:
        case "file edited":
            return _LIST * (2 if made.edit.kind == "content" else 1)
        case "comment":
            return _LIST
        case "shared":
            return _GET * max(0, len(mirrored) - 1) if made.root.drive is None else 0
        case "member changed":
            return _LIST + _LIST * sum(bool(item.grants) for item in mirrored)
        case "restored":
            lists = sum(map(partial(_lists_of, user), mirrored))
            return _LIST * (lists + (-(-len(mirrored) // _PAGE) if len(mirrored) > 1 else 0))
        case _:
            return 0


def _lists_of(user: User, item: Item) -> int:
    """How many lists hang on the item that the user may read: revisions and comments."""
    standing = rank(user, item)
    has_revisions = can_have_revisions(item) and standing >= RANK["writer"]
    return has_revisions + (can_discuss(item) and standing >= RANK["commenter"])


def together(syncs: list[SyncCost]) -> SyncCost:
    """Several syncs as one."""
    records: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for each in syncs:
        records.update(each.records)
        calls.update(each.cost.calls)
    cost = replace(syncs[0].cost, requests=sum(each.cost.requests for each in syncs), calls=dict(calls))
    return SyncCost(
        dict(records),
        cost,
        sum(each.state_bytes for each in syncs),
        sum(each.items_bytes for each in syncs),
        sum(each.errors for each in syncs),
    )
