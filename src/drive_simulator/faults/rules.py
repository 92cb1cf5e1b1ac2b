"""Rules that strike: what the faults of calls and those of push notifications have in common.

A rule has a `match`, an `effect`, and `times`: it ends after so many strikes (absent or null: never). The first rule
that strikes decides. Which of those that fit are struck, `Pick` says.
"""

import random
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

import msgspec

MAX_RULES = 1_000


class Pick(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`skip`: let the first so many pass; `every`: strike each n-th of the rest; `probability`: by a seeded die."""

    skip: int = 0
    every: int = 1
    probability: float = 1.0


class Rule(Protocol):
    """One rule of a book."""

    @property
    def match(self) -> Pick:
        """Which are struck."""
        ...

    @property
    def times(self) -> int | None:
        """How often, at the most."""
        ...


R = TypeVar("R", bound=Rule)


class RuleState(msgspec.Struct, Generic[R]):
    """A rule and how often it has fitted and struck."""

    id: int
    rule: R
    seen: int = 0
    struck: int = 0


class RuleBook(Generic[R]):
    """The rules in force. Decisions are a function of the order of what is decided on, and of the seed."""

    def __init__(self, rules: Iterable[R] = (), *, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a die for tests
        self._rules: list[RuleState[R]] = []
        self._next_id = 1
        for rule in rules:
            self.add(rule)

    def add(self, rule: R) -> int:
        """Put a rule behind the others; returns its id. Raises ValueError for nonsense."""
        match = rule.match
        if match.every < 1 or match.skip < 0 or not 0 <= match.probability <= 1:
            raise ValueError("every is 1 or more, skip 0 or more, probability from 0 to 1")
        if len(self._rules) >= MAX_RULES:
            raise ValueError(f"a plan has at most {MAX_RULES} rules")
        state = RuleState(self._next_id, rule)
        self._next_id += 1
        self._rules.append(state)
        return state.id

    def remove(self, rule_id: int) -> bool:
        """Take a rule out; whether it was there."""
        before = len(self._rules)
        self._rules = [state for state in self._rules if state.id != rule_id]
        return len(self._rules) < before

    def clear(self) -> None:
        """Take every rule out."""
        self._rules.clear()

    def states(self) -> tuple[RuleState[R], ...]:
        """The rules with their counts, in order."""
        return tuple(self._rules)

    def striking(self, fits: Callable[[R], bool]) -> R | None:
        """The rule that strikes what `fits` holds rules against. Each counts what fits, up to the one that strikes."""
        for state in self._rules:
            if self._strikes(state, fits):
                state.struck += 1
                return state.rule
        return None

    def _strikes(self, state: RuleState[R], fits: Callable[[R], bool]) -> bool:
        match, times = state.rule.match, state.rule.times
        if (times is not None and state.struck >= times) or not fits(state.rule):
            return False
        state.seen += 1
        if state.seen <= match.skip or (state.seen - match.skip) % match.every != 0:
            return False
        return match.probability >= 1 or self._random.random() < match.probability


def decode_rules(body: bytes, kind: type[R]) -> list[R]:
    """One rule of that kind, or a list of them, from JSON. Raises ValueError that says what is wrong."""
    if body.lstrip().startswith(b"["):
        return msgspec.json.decode(body, type=list[kind])  # type: ignore[valid-type]
    return [msgspec.json.decode(body, type=kind)]
