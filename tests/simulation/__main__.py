"""`python -m simulation --steps N --seed S`, in `tests/`: many runs one after the other, until all steps are done."""

import argparse
import sys
import time
from collections import Counter

from simulation import storm

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
}

STEPS_A_RUN = 1_500


def main() -> int:
    """Play runs of rising seeds; a failure names its seed and ends the command with 1."""
    parser = argparse.ArgumentParser(prog="python -m simulation")
    parser.add_argument("--steps", type=int, default=100_000, help="how many steps in all")
    parser.add_argument("--seed", type=int, default=1, help="the first run's seed")
    parser.add_argument("--run-steps", type=int, default=STEPS_A_RUN, help="how many steps a run has at least")
    parser.add_argument("--mode", choices=MODES, default="usual", help="what is mirrored, and of which worlds")
    parser.add_argument("--keep-going", action="store_true", help="play on after a failure")
    arguments = parser.parse_args()
    began, seed, steps, failures = time.monotonic(), arguments.seed, 0, 0
    done: Counter[str] = Counter()
    while steps < arguments.steps:
        try:
            run = storm.play(seed, arguments.run_steps, MODES[arguments.mode])
        except Exception as problem:
            print(f"seed {seed}: {type(problem).__name__}: {problem} {getattr(problem, '__notes__', '')}")  # noqa: T201
            failures += 1
            if not arguments.keep_going:
                raise
            steps += arguments.run_steps
        else:
            steps += run.steps
            done += run.done
        seed += 1
    print(f"{steps} steps in {seed - arguments.seed} runs, {failures} failed, {time.monotonic() - began:.0f} s")  # noqa: T201
    print(", ".join(f"{name}: {count}" for name, count in done.most_common()))  # noqa: T201
    return 1 if failures else 0


sys.exit(main())
