"""What the checks of a run find wrong: the first thing ends the run or, where it is to be told by kind, all is counted.

A kind is what is wrong with which type of resource (`missing file`); of one resource each kind counts once a run.
"""

from collections import Counter
from collections.abc import Iterable

Finding = tuple[str, str]
"""A kind, and the id of the resource that it is about."""


class Broken(AssertionError):
    """What must hold does not. `kind` says it in a few words."""

    def __init__(self, text: str, kind: str = "other") -> None:
        super().__init__(text)
        self.kind = kind


class Findings:
    """Takes what is found. With `counted` the run goes on after it."""

    def __init__(self, *, counted: bool = False) -> None:
        self._counted = counted
        self._found: dict[Finding, None] = {}

    @property
    def by_kind(self) -> Counter[str]:
        """How many resources each kind was found of."""
        return Counter(kind for kind, _ in self._found)

    def report(self, found: Iterable[Finding], text: str) -> None:
        """Count what was found. Raises Broken with that text where nothing is counted."""
        found = list(found)
        if not found:
            return
        if not self._counted:
            raise Broken(text, found[0][0])
        self._found |= dict.fromkeys(found)

    def note_end(self, problem: Exception) -> None:
        """The run ended early: by something that it can't go on after."""
        kind = problem.kind if isinstance(problem, Broken) else type(problem).__name__
        self._found[f"ended: {kind}", ""] = None
