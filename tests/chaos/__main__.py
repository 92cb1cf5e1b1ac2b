"""`python -m chaos`, in `tests/` (`make chaos`): every fault, many seeds, a line for each run; 1 where one fails."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from chaos.arena import FRONTS
from chaos.faults import BY_NAME, FAULTS, TEN_KILLS, Fault
from chaos.fences import CASES, Seen, play
from chaos.report import REPORT, write_report
from chaos.run import Result, run
from support.kafka_broker import KafkaBroker, KafkaUnavailable

SEEDS = 4
KILL_SEEDS = 20


def main() -> int:
    """Play them all; whatever fails is told at the end once more."""
    arguments = _arguments()
    wanted = [BY_NAME[name] for name in arguments.fault] or list(FAULTS)
    cases = () if arguments.fault or arguments.no_fences else CASES
    began_s = time.monotonic()
    results: list[Result] = []
    seen: list[Seen] = []
    failures: list[str] = []
    try:
        with KafkaBroker(fronts=FRONTS) as broker:
            for fault, seed in _runs(wanted, arguments.seeds, arguments.seed):
                result, problems = _play(fault, seed, broker, keep=arguments.keep)
                results.append(result)
                if problems:
                    failures.append(f"{fault.name}, seed {seed}: {'; '.join(problems)}")
                _tell(result, failed=bool(problems), so_far_s=time.monotonic() - began_s)
            for case in cases:
                with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
                    seen.append(play(case, arguments.seed or 1, broker, Path(directory)))
                if not seen[-1].as_expected:
                    failures.append(f"{case.name}: {seen[-1]}")
                print(f"{(time.monotonic() - began_s) / 60:5.1f} min  {case.name}: {seen[-1]}", flush=True)  # noqa: T201
    except KafkaUnavailable as problem:
        sys.exit(f"no Kafka broker can be had: {problem}")
    for failure in failures:
        print(f"FAILED {failure}")  # noqa: T201
    runs = len(results) + len(seen)
    print(f"{runs} runs, {len(failures)} failed, {(time.monotonic() - began_s) / 60:.1f} minutes")  # noqa: T201
    if arguments.write_report and not failures:
        write_report(results, seen)
        print(f"wrote {REPORT}")  # noqa: T201
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument(
        "--fault", action="append", default=[], choices=sorted(BY_NAME), help="only this one; may be repeated"
    )
    parser.add_argument("--seeds", type=int, help=f"seeds a fault; {SEEDS} unless told, and {KILL_SEEDS} for the kills")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--keep", action="store_true", help="keep the workers' logs of runs that fail")
    parser.add_argument("--no-fences", action="store_true", help="leave the builds without fences out")
    parser.add_argument("--write-report", action="store_true", help="put the tables into docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.write_report and (arguments.fault or arguments.no_fences or arguments.seed is not None):
        parser.error("a report is of everything: leave --fault, --seed and --no-fences out")
    return arguments


def _runs(faults: Iterable[Fault], seeds: int | None, seed: int | None) -> Iterator[tuple[Fault, int]]:
    for fault in faults:
        count = seeds or (KILL_SEEDS if fault is TEN_KILLS else SEEDS)
        for each in [seed] if seed is not None else range(1, count + 1):
            yield fault, each


def _play(fault: Fault, seed: int, broker: KafkaBroker, keep: bool) -> tuple[Result, list[str]]:
    directory = Path(tempfile.mkdtemp(prefix=f"chaos-{fault.name}-{seed}-"))
    problems = []
    try:
        result = run(fault, seed, broker, directory)
        problems = result.problems(fault.recovers_within_s)
    except Exception as problem:  # the next run goes on, whatever befell this one
        result = Result(fault.name, seed, settled=False)
        problems = [f"{type(problem).__name__}: {problem}"]
        broker.start()
    if problems and keep:
        problems.append(f"logs in {directory}")
    else:
        _remove(directory)
    return result, problems


def _remove(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()


def _tell(result: Result, *, failed: bool, so_far_s: float) -> None:
    recovery = max(result.recoveries_s, default=0.0)
    zeros = " ".join(f"{name}={number}" for name, number in result.invariants().items())
    print(  # noqa: T201
        f"{so_far_s / 60:5.1f} min  {'FAILED' if failed else 'ok':6}  {result.fault:24} seed {result.seed:<3} "
        f"{zeros} recovery={recovery:.1f}s pages={result.pages_redone} records={result.records_redone} "
        f"took={result.took_s:.0f}s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
