"""Faults of push notifications on demand: which messages are struck, and what becomes of them.

A rule is JSON: `{"match": {…}, "effect": {…}, "times": 3}`. Members of `match`, all of which have to fit: `user` (an
email), `channel` (an id), `state` (`sync`, `change`, …), `skip`, `every` and `probability` as in `faults`. Members of
`effect`, several of which may be given together:

- `lose`: the message is never sent, though its number is used up;
- `duplicates`: it is sent so many times more, with the same number;
- `delay_ms`: it is sent that much later; the channel's next ones do not wait for it;
- `replay`: the channel's message before it is sent once more after it, with its old number.
"""

import random

import msgspec

MAX_RULES = 1_000
MAX_DUPLICATES = 100


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which messages a rule strikes; absent members fit everything."""

    user: str | None = None
    channel: str | None = None
    state: str | None = None
    skip: int = 0
    every: int = 1
    probability: float = 1.0

    def fits(self, user: str, channel: str, state: str) -> bool:
        """Whether the message is one of those that the rule counts."""
        return self.user in {None, user} and self.channel in {None, channel} and self.state in {None, state}


class Effect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a message that is struck."""

    lose: bool = False
    duplicates: int = 0
    delay_ms: int = 0
    replay: bool = False


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule of the plan, as the module's description says."""

    effect: Effect
    match: Match = Match()
    times: int | None = None


class RuleState(msgspec.Struct):
    """A rule and how often it has fitted and struck."""

    id: int
    rule: Rule
    seen: int = 0
    struck: int = 0


NOTHING = Effect()


class NotificationFaults:
    """The rules in force; the first that strikes decides. A function of the messages' order and the seed."""

    def __init__(self, *, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a die for tests
        self._rules: list[RuleState] = []
        self._next_id = 1

    def add(self, rule: Rule) -> int:
        """Put a rule behind the others; returns its id. Raises ValueError for nonsense."""
        match, effect = rule.match, rule.effect
        if match.every < 1 or match.skip < 0 or not 0 <= match.probability <= 1:
            raise ValueError("every is 1 or more, skip 0 or more, probability from 0 to 1")
        if not 0 <= effect.duplicates <= MAX_DUPLICATES or effect.delay_ms < 0:
            raise ValueError(f"duplicates are from 0 to {MAX_DUPLICATES}, delay_ms is 0 or more")
        if len(self._rules) >= MAX_RULES:
            raise ValueError(f"a plan has at most {MAX_RULES} rules")
        state = RuleState(self._next_id, rule)
        self._next_id += 1
        self._rules.append(state)
        return state.id

    def clear(self) -> None:
        """Take every rule out."""
        self._rules.clear()

    def states(self) -> tuple[RuleState, ...]:
        """The rules with their counts, in order."""
        return tuple(self._rules)

    def decide(self, user: str, channel: str, state: str) -> Effect:
        """What becomes of this message."""
        for each in self._rules:
            if self._strikes(each, user, channel, state):
                each.struck += 1
                return each.rule.effect
        return NOTHING

    def _strikes(self, each: RuleState, user: str, channel: str, state: str) -> bool:
        rule, match = each.rule, each.rule.match
        if (rule.times is not None and each.struck >= rule.times) or not match.fits(user, channel, state):
            return False
        each.seen += 1
        if each.seen <= match.skip or (each.seen - match.skip) % match.every != 0:
            return False
        return match.probability >= 1 or self._random.random() < match.probability


def parse_rules(body: bytes) -> list[Rule]:
    """One rule, or a list of them, from JSON. Raises ValueError that says what is wrong."""
    if body.lstrip().startswith(b"["):
        return msgspec.json.decode(body, type=list[Rule])
    return [msgspec.json.decode(body, type=Rule)]
