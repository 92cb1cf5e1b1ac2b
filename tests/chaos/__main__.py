"""`python -m chaos`, in `tests/` (`make chaos`): every fault, many seeds, a line for each run; 1 where one fails."""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

from chaos.faults import BY_NAME, FAULTS, TEN_KILLS, Fault
from chaos.fences import CASES, Seen
from chaos.lane import open_lane, play_case, play_fault
from chaos.report import REPORT, write_report
from chaos.run import Result
from support.kafka_broker import missing

SEEDS = 4
KILL_SEEDS = 20
LANES = 2


def main() -> int:
    """Play them all; whatever fails is told at the end once more."""
    arguments = _arguments()
    if (lack := missing()) is not None:
        sys.exit(f"no Kafka broker can be had: {lack}")
    book = _Book()
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.lanes, mp_context=spawning, initializer=open_lane) as lanes:
        for played in as_completed(_faults(lanes, arguments)):
            book.note_fault(*played.result())
        for seen in as_completed(_cases(lanes, arguments)):
            book.note_case(seen.result())
    for failure in book.failures:
        print(f"FAILED {failure}")  # noqa: T201
    book.tell(f"{len(book.results) + len(book.seen)} runs, {len(book.failures)} failed")
    if arguments.write_report and not book.failures:
        order = [fault.name for fault in FAULTS]
        book.results.sort(key=lambda result: (order.index(result.fault), result.seed))
        book.seen.sort(key=lambda each: CASES.index(each.case))
        write_report(book.results, book.seen)
        print(f"wrote {REPORT}")  # noqa: T201
    return 1 if book.failures else 0


@dataclass
class _Book:
    """What was played so far; each thing that comes in is told in a line."""

    results: list[Result] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    began_s: float = field(default_factory=time.monotonic)

    def note_fault(self, result: Result, problems: list[str]) -> None:
        self.results.append(result)
        if problems:
            self.failures.append(f"{result.fault}, seed {result.seed}: {'; '.join(problems)}")
        self.tell(f"{'FAILED' if problems else 'ok':6}  {_line(result)}")
        for problem in problems:
            self.tell(f"        {problem}")

    def note_case(self, seen: Seen) -> None:
        self.seen.append(seen)
        if not seen.as_expected:
            self.failures.append(f"{seen.case.name}: {seen}")
        self.tell(f"{'ok' if seen.as_expected else 'FAILED':6}  {seen.case.name}: {seen}")

    def tell(self, line: str) -> None:
        print(f"{(time.monotonic() - self.began_s) / 60:5.1f} min  {line}", flush=True)  # noqa: T201


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    names = sorted(BY_NAME)
    parser.add_argument("--fault", action="append", default=[], choices=names, help="only this one; may be repeated")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"seeds a fault, {SEEDS} unless told")
    parser.add_argument(
        "--kill-seeds", type=int, default=KILL_SEEDS, help=f"of the ten kills, {KILL_SEEDS} unless told"
    )
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--lanes", type=int, default=LANES, help=f"runs side by side, {LANES} unless told")
    parser.add_argument("--keep", action="store_true", help="keep the workers' logs of runs that fail")
    parser.add_argument("--no-fences", action="store_true", help="leave the builds without fences out")
    parser.add_argument("--write-report", action="store_true", help="put the tables into docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.write_report and (arguments.fault or arguments.no_fences or arguments.seed is not None):
        parser.error("a report is of everything: leave --fault, --seed and --no-fences out")
    return arguments


def _faults(lanes: ProcessPoolExecutor, arguments: argparse.Namespace) -> list[Future[tuple[Result, list[str]]]]:
    wanted = [BY_NAME[name] for name in arguments.fault] or list(FAULTS)
    runs = _runs(wanted, arguments)
    return [lanes.submit(play_fault, fault.name, seed, keep=arguments.keep) for fault, seed in runs]


def _cases(lanes: ProcessPoolExecutor, arguments: argparse.Namespace) -> list[Future[Seen]]:
    wanted = () if arguments.fault or arguments.no_fences else CASES
    return [lanes.submit(play_case, case, arguments.seed or 1) for case in wanted]


def _runs(faults: Iterable[Fault], arguments: argparse.Namespace) -> Iterator[tuple[Fault, int]]:
    for fault in faults:
        count = arguments.kill_seeds if fault is TEN_KILLS else arguments.seeds
        for each in [arguments.seed] if arguments.seed is not None else range(1, count + 1):
            yield fault, each


def _line(result: Result) -> str:
    recovery_s = max(result.recoveries_s, default=0.0)
    zeros = " ".join(f"{name}={number}" for name, number in result.invariants().items())
    return (
        f"{result.fault:24} seed {result.seed:<3} {zeros} recovery={recovery_s:.1f}s pages={result.pages_redone} "
        f"at-once={result.redone_at_once} records={result.records_redone} took={result.took_s:.0f}s"
    )


if __name__ == "__main__":
    sys.exit(main())
