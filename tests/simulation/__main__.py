"""`python -m simulation --steps N --seed S`, in `tests/`: many runs one after the other, until all steps are done."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from simulation import storm
from simulation.findings import Findings

MODES = {
    "usual": None,
    "scoped": storm.SCOPED,
    "whole": storm.WHOLE,
    "whole-in-trees": storm.WHOLE_IN_TREES,
    "whole-scoped": storm.WHOLE_SCOPED,
    "odd": storm.ODD,
    "odd-parts": storm.ODD_PARTS,
    "odd-trees": storm.ODD_TREES,
    "odd-scoped": storm.ODD_SCOPED,
    "odd-whole": storm.ODD_WHOLE,
    "bad-files": storm.BAD_FILES,
    "bad-for-ever": storm.BAD_FOR_EVER,
    "low-role": storm.LOW_ROLE,
    "low-role-whole": storm.LOW_ROLE_WHOLE,
    "all-at-once": storm.ALL_AT_ONCE,
    "lag": storm.LAG,
    "unkind": storm.UNKIND,
    "missed": storm.MISSED,
    "late-logs": storm.LATE_LOGS,
    "views": storm.VIEWS,
}

STEPS_A_RUN = 1_500


def main(arguments: Sequence[str] | None = None) -> int:
    """Play runs of rising seeds. What is wrong names its seed and ends the command with 1: at once, or with
    --keep-going when all steps are done and all of it is counted by kind."""
    parser = argparse.ArgumentParser(prog="python -m simulation")
    parser.add_argument("--steps", type=int, default=100_000, help="how many steps in all")
    parser.add_argument("--seed", type=int, default=1, help="the first run's seed")
    parser.add_argument("--run-steps", type=int, default=STEPS_A_RUN, help="how many steps a run has at least")
    parser.add_argument("--mode", choices=MODES, default="usual", help="what is mirrored, and of which worlds")
    parser.add_argument("--keep-going", action="store_true", help="go on after a failure, and count them by kind")
    given = parser.parse_args(arguments)
    began, seed, steps, failures = time.monotonic(), given.seed, 0, 0
    done: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    while steps < given.steps:
        findings = Findings(counted=given.keep_going)
        try:
            run = storm.play(seed, given.run_steps, MODES[given.mode], findings)
        except Exception as problem:
            print(f"seed {seed}: {type(problem).__name__}: {problem} {getattr(problem, '__notes__', '')}")  # noqa: T201
            if not given.keep_going:
                raise
            findings.note_end(problem)
            steps += given.run_steps
        else:
            steps += run.steps
            done += run.done
        if findings.by_kind:
            print(f"seed {seed}: {_text(findings.by_kind)}")  # noqa: T201
            failures += 1
            wrong += findings.by_kind
        seed += 1
    print(f"{steps} steps in {seed - given.seed} runs, {failures} failed, {time.monotonic() - began:.0f} s")  # noqa: T201
    print(_text(done))  # noqa: T201
    if given.keep_going:
        print(f"wrong, by kind: {_text(wrong) or 'nothing'}")  # noqa: T201
    return 1 if failures else 0


def _text(counts: Counter[str]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.most_common())


if __name__ == "__main__":
    sys.exit(main())
