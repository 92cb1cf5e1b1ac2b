"""One run: one fault, one seed. A full sync under it, and mostly an incremental one; then everything is counted."""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from chaos import checks
from chaos.arena import Arena, Setting, arena_of, now_ms
from chaos.checks import Log
from chaos.faults import Fault
from chaos.segments import read_batches, transactions_of
from google_drive_worker.demo.mirror import compare
from support.consume import read_all, wait_for_open_transactions
from support.kafka_broker import KafkaBroker

EDITS = 150
SETTLE_DEADLINE_S = 90.0

INVARIANTS = (
    "lost",
    "doubled",
    "misordered",
    "checkpoints_off",
    "from_old_owner",
    "unasked",
    "redone_in_vain",
    "tracebacks",
)
"""The numbers of a result that must be zero."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run came to. Every number but those of recovery and of work redone must be zero.

    - `lost`: items that the mirror lacks, or holds otherwise than Drive does, or holds though they are gone;
    - `doubled`: records of the full sync, of a Drive at rest, that say the same of the same version once more, and
      records of any sync whose message id came before;
    - `misordered`: offsets that don't rise, versions that fall, records outside of their sync's frame or after it;
    - `checkpoints_off`: committed checkpoints that account for other records than those committed so far;
    - `from_old_owner`: records committed by a worker that had been succeeded;
    - `unasked`: full syncs that nobody asked for;
    - `redone_in_vain`: pages asked for again though their records were committed;
    - `tracebacks`: errors in the workers' logs that nobody was ready for.

    `pages_redone` are the listing's pages that were asked for again in all, `redone_at_once` the most of them after one
    strike of the fault; `records_redone` were written in transactions that were aborted.
    """

    fault: str
    seed: int
    settled: bool = True
    lost: int = 0
    doubled: int = 0
    misordered: int = 0
    checkpoints_off: int = 0
    from_old_owner: int = 0
    unasked: int = 0
    redone_in_vain: int = 0
    tracebacks: int = 0
    recoveries_s: tuple[float, ...] = ()
    pages_redone: int = 0
    redone_at_once: int = 0
    records_redone: int = 0
    took_s: float = 0.0
    notes: tuple[str, ...] = field(default=())

    def problems(self, recovers_within_s: float) -> list[str]:
        """What of it must not be, in words; empty where all is well."""
        found = [] if self.settled else ["it never came to rest"]
        found += [f"{name}: {number}" for name, number in self.invariants().items() if number]
        late = [seconds for seconds in self.recoveries_s if seconds > recovers_within_s]
        found += [f"well again after {seconds:.1f} s, not {recovers_within_s:.0f}" for seconds in late]
        return found + ([*self.notes] if found else [])

    def invariants(self) -> dict[str, int]:
        """The numbers that must be zero, by name."""
        return {name: getattr(self, name) for name in INVARIANTS}


def run(
    fault: Fault,
    seed: int,
    broker: KafkaBroker,
    directory: Path,
    *,
    setting: Setting | None = None,
    settle_deadline_s: float = SETTLE_DEADLINE_S,
) -> Result:
    """Play the fault once; the same seed makes the same world and the same moments, though not the same timing.

    `setting` goes in the fault's own place. Raises `AssertionError` where the fault could not be played as it should.
    """
    began_s = time.monotonic()
    with arena_of(setting or fault.setting, seed, broker, directory) as arena:
        phases = [_first_sync(fault, arena, settle_deadline_s)]
        if phases[0].settled and fault.repeats:
            phases.append(_later_sync(fault, arena, settle_deadline_s))
        result = _counted(fault, seed, arena, phases)
    return replace(result, took_s=time.monotonic() - began_s)


@dataclass(frozen=True, slots=True)
class _Phase:
    """What one of the two syncs came to: the faults' ends and its own, and what the mirror noticed."""

    lifted_ms: tuple[int, ...]
    ended_ms: int
    settled: bool
    lost: int
    doubled: int
    misordered: int
    pages: int
    notes: tuple[str, ...]


def _first_sync(fault: Fault, arena: Arena, deadline_s: float) -> _Phase:
    """A full sync of every connection; Drive rests, so that whatever is written twice is a fault."""
    arena.ask("full_sync")
    fault.strike(arena)
    settled, notes = _settle(arena, deadline_s)
    mirror = arena.stage.mirror
    doubled = mirror.duplicates.total() + mirror.repeated_messages
    misordered = mirror.misorders + mirror.regressions
    return _phase(arena, settled=settled, doubled=doubled, misordered=misordered, notes=notes)


def _later_sync(fault: Fault, arena: Arena, deadline_s: float) -> _Phase:
    """People edit, and an incremental sync of every connection follows; by its nature it may write an item twice."""
    mirror = arena.stage.mirror
    repeated, misordered = mirror.repeated_messages, mirror.misorders
    arena.stage.edit(arena.rng.randrange(10**6), EDITS, memberships=False)
    arena.ask("incremental")
    fault.strike(arena)
    settled, notes = _settle(arena, deadline_s)
    return _phase(
        arena,
        settled=settled,
        doubled=mirror.repeated_messages - repeated,
        misordered=mirror.misorders - misordered,
        notes=notes,
    )


def _settle(arena: Arena, deadline_s: float) -> tuple[bool, tuple[str, ...]]:
    try:
        arena.stage.settle(*arena.connections, deadline_s=deadline_s)
    except AssertionError as problem:
        arena.stage.read()
        return False, (str(problem)[:4000],)
    return True, ()


def _phase(arena: Arena, *, settled: bool, doubled: int, misordered: int, notes: tuple[str, ...]) -> _Phase:
    stage, lifted = arena.stage, tuple(arena.lifted_ms)
    arena.lifted_ms.clear()
    found = [
        f"{name}: {difference}"
        for name in arena.connections
        for difference in compare(stage.mirror, stage.truth(name), name)
    ]
    notes += (*found[:5], *stage.mirror.notes[:5])
    pages = len(arena.log.pages)
    return _Phase(lifted, now_ms(), settled, len(found), doubled, misordered, pages, notes)


def _counted(fault: Fault, seed: int, arena: Arena, phases: Sequence[_Phase]) -> Result:
    logs = _logs(arena)
    ordered = [[log.records[offset] for offset in sorted(log.records)] for log in logs]
    opened = sum((checks.full_syncs(records) for records in ordered), Counter[str]())
    repeated = checks.repeated_pages(arena.log.pages[: phases[0].pages])
    recoveries = [checks.recovery_s(lifted, phase.ended_ms, logs) for phase in phases for lifted in phase.lifted_ms]
    return Result(
        fault=fault.name,
        seed=seed,
        settled=all(phase.settled for phase in phases),
        lost=sum(phase.lost for phase in phases),
        doubled=sum(phase.doubled for phase in phases),
        misordered=sum(phase.misordered for phase in phases) + sum(map(checks.out_of_frame, ordered)),
        checkpoints_off=0 if fault.compacts else sum(map(checks.checkpoints_off, logs)),
        from_old_owner=sum(
            checks.from_old_owners(each, arena.taken_over_ms) for log in logs for each in (log.data, log.state)
        ),
        unasked=(opened - arena.full_asked).total(),
        redone_in_vain=checks.redone_in_vain(
            repeated,
            _by_user(arena, checks.committed_ms(logs)),
            {arena.stage.email(name): states for name, states in checks.awaited_pages(logs).items()},
        ),
        tracebacks=sum(worker.text().count("Traceback") for worker in (*arena.workers, arena.spare)),
        recoveries_s=tuple(seconds for seconds in recoveries if seconds is not None),
        pages_redone=sum(len(answers) - 1 for answers in repeated),
        redone_at_once=checks.redone_at_once(repeated, phases[0].lifted_ms),
        records_redone=sum(each.records for log in logs for each in log.data if not each.committed),
        notes=tuple(note for phase in phases for note in phase.notes),
    )


def _logs(arena: Arena) -> list[Log]:
    """Each partition's transactions, from the broker's own files, with what a committed reader sees of them."""
    topics, data = arena.topics, arena.broker.data
    for topic in (topics.data, topics.state):
        wait_for_open_transactions(topics.bootstrap_servers, topic)
    records = read_all(topics.bootstrap_servers, topics.data)
    states = read_all(topics.bootstrap_servers, topics.state)
    return [
        checks.log_of(
            transactions_of(read_batches(data, topics.data, number)),
            transactions_of(read_batches(data, topics.state, number)),
            (message for message in records if message.partition == number),
            (message for message in states if message.partition == number),
        )
        for number in range(topics.partitions)
    ]


def _by_user(arena: Arena, committed: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Leaves out the connections that were told to start over: they list again what was committed."""
    emails = {name: arena.stage.email(name) for name in arena.connections if arena.full_asked[name] == 1}
    return {
        (emails[connection], item): moment for (connection, item), moment in committed.items() if connection in emails
    }


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least that part of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]
