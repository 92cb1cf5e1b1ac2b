"""What each fence is for: takeovers played on builds that lack one fence, or two, and what comes of it.

The fences back each other up: where one is missing, another one often holds. So each is shown by itself where it alone
matters, and else together with the one that covers for it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from chaos.faults import BY_NAME
from chaos.run import Result, run
from support.kafka_broker import KafkaBroker

STUCK_AFTER_S = 15.0
"""When a build that may never come to rest is given up."""


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, the fences that are left out (see `chaos.build`), and what must be seen of it.

    `shows` is the name of an invariant that must break; `takeover`, where the partition must not be taken over in time;
    nothing, where the other fences hold.
    """

    fault: str
    without: tuple[str, ...]
    shows: str = ""

    @property
    def name(self) -> str:
        """A short name for it."""
        return f"{self.fault}, without {' and '.join(self.without)}"


CASES: Final = (
    Case("late-commit", ("transactional_id",), "takeover"),
    Case("late-commit", ("transactional_id", "stable"), "doubled"),
    Case("late-commit", ("stable",)),
    Case("late-commit", ("generation",)),
    Case("late-commit", ("generation", "stable")),
    Case("late-offsets", ("transactional_id", "generation"), "doubled"),
    Case("late-offsets", ("transactional_id",)),
    Case("late-offsets", ("transactional_id", "order")),
    Case("late-offsets", ("generation",)),
    Case("late-offsets-early", ("generation",), "from_old_owner"),
    Case("late-offsets-early", ("order", "generation"), "misordered"),
    Case("late-offsets-early", ("order",)),
    Case("late-commit-early", ("order", "stable"), "misordered"),
    Case("late-commit-early", ("stable",)),
    Case("killed-twice", ("restore",), "lost"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a case: the counts, or why there are none."""

    case: Case
    result: Result | None
    problem: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether just that was seen which the case is to show."""
        if self.result is None:
            return self.case.shows == "takeover" and self.problem.startswith("the takeover: not within")
        invariants = self.result.invariants()
        return invariants[self.case.shows] > 0 if self.case.shows in invariants else not any(invariants.values())

    def __str__(self) -> str:
        if self.result is None:
            return "not taken over in time" if self.case.shows == "takeover" else self.problem
        broken = ", ".join(f"{name} {number}" for name, number in self.result.invariants().items() if number)
        return broken or "nothing: the other fences hold"


def play(case: Case, seed: int, broker: KafkaBroker, directory: Path) -> Seen:
    """Play the case once."""
    fault = replace(BY_NAME[case.fault], repeats=False)
    setting = replace(fault.setting, without=case.without)
    try:
        result = run(fault, seed, broker, directory, setting=setting, settle_deadline_s=STUCK_AFTER_S)
    except AssertionError as problem:
        return Seen(case, None, str(problem))
    return Seen(case, result)
