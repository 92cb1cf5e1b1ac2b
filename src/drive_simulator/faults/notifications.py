"""Faults of push notifications on demand: which messages are struck, and what becomes of them.

A rule is JSON: `{"match": {…}, "effect": {…}, "times": 3}`. Members of `match`, all of which have to fit: `user` (an
email), `channel` (an id), `state` (`sync`, `change`, …), and those of `rules.Pick`. Members of
`effect`, several of which may be given together:

- `lose`: the message is never sent, though its number is used up;
- `duplicates`: it is sent so many times more, with the same number;
- `delay_ms`: it is sent that much later; the channel's next ones do not wait for it;
- `replay`: the channel's message before it is sent once more after it, with its old number.
"""

import msgspec

from drive_simulator.faults.rules import Pick, RuleBook, decode_rules
from drive_simulator.push.notifications import Effect

MAX_DUPLICATES = 100


class Match(Pick, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which messages a rule strikes; absent members fit everything."""

    user: str | None = None
    channel: str | None = None
    state: str | None = None

    def fits(self, user: str, channel: str, state: str) -> bool:
        """Whether the message is one of those that the rule counts."""
        return self.user in {None, user} and self.channel in {None, channel} and self.state in {None, state}


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule of the plan, as the module's description says."""

    effect: Effect
    match: Match = Match()
    times: int | None = None


NOTHING = Effect()


class NotificationFaults(RuleBook[Rule]):
    """The rules in force for messages."""

    def add(self, rule: Rule) -> int:
        """Put a rule behind the others; returns its id. Raises ValueError for nonsense."""
        effect = rule.effect
        if not 0 <= effect.duplicates <= MAX_DUPLICATES or effect.delay_ms < 0:
            raise ValueError(f"duplicates are from 0 to {MAX_DUPLICATES}, delay_ms is 0 or more")
        return super().add(rule)

    def decide(self, user: str, channel: str, state: str) -> Effect:
        """What becomes of this message."""
        rule = self.striking(lambda rule: rule.match.fits(user, channel, state))
        return NOTHING if rule is None else rule.effect


def parse_rules(body: bytes) -> list[Rule]:
    """One rule, or a list of them, from JSON. Raises ValueError that says what is wrong."""
    return decode_rules(body, Rule)
