"""Faults on demand: a plan of rules, each saying which calls it strikes and what happens to them.

A rule is JSON: `{"match": {…}, "effect": {…}, "times": 3}`. It strikes calls that fit every member of `match`:

- `method`: a method id, or its beginning with a star: `files.list`, `files.*`; `oauth.token` is the token endpoint;
- `user`: an email; `path`: a part of the path, such as a file's id; `query`: a part of the query string;
- `media`: whether it is a download with `alt=media`; `page_token`: whether it carries a page token;
- `skip`: let the first so many pass; `every`: strike each n-th of the rest; `probability`: strike by a seeded die.

`times` ends the rule after so many strikes (absent or null: never). The first rule that strikes decides. Members of
`effect`, of which several may be given together (latency with anything):

- `error`: Google's reason, or the token endpoint's error (`invalid_grant`); `status` where the reason has several,
  and `retry_after_s`;
- `latency_ms`: wait before answering;
- `cut`: `"before"` closes the connection without an answer, `"body"` in the middle of the body; `cut_after_bytes` does
  so when that many bytes of the body have gone out (or half of them, where it has not more);
- `body`: `"truncated"` answers half of the JSON, `"garbage"` something that is no JSON, `"empty"` nothing;
- `expire_tokens`: the user's access tokens end before the call is looked at (401); `revoke_grants`: their grants too;
- `lost_access`: the file is not found for this user (404);
- `page_token`: `"invalid"` or `"expired"` rejects the page token; strikes only calls that carry one.
"""

import random
from collections.abc import Iterable
from typing import Literal

import msgspec

from drive_simulator.errors import ApiError, by_reason, invalid_page_token, not_found, page_token_expired

MAX_RULES = 1_000
TOKEN_ENDPOINT = "oauth.token"  # noqa: S105 - a method's name


class Call(msgspec.Struct, frozen=True):
    """What a plan knows of a call. `user` is None before authentication or where it failed."""

    method_id: str
    user: str | None = None
    path: str = ""
    query: str = ""
    file_id: str | None = None
    media: bool = False
    page_token: bool = False


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which calls a rule strikes; absent members fit everything."""

    method: str | None = None
    user: str | None = None
    path: str | None = None
    query: str | None = None
    media: bool | None = None
    page_token: bool | None = None
    skip: int = 0
    every: int = 1
    probability: float = 1.0

    def fits(self, call: Call) -> bool:
        """Whether the call is one of those that the rule counts."""
        return (
            _method_fits(self.method, call.method_id)
            and self.user in {None, call.user}
            and (self.path is None or self.path in call.path)
            and (self.query is None or self.query in call.query)
            and self.media in {None, call.media}
            and self.page_token in {None, call.page_token}
        )


class Effect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to a call that is struck."""

    error: str | None = None
    status: int | None = None
    retry_after_s: int | None = None
    latency_ms: int = 0
    cut: Literal["before", "body"] | None = None
    cut_after_bytes: int | None = None
    body: Literal["truncated", "garbage", "empty"] | None = None
    expire_tokens: bool = False
    revoke_grants: bool = False
    lost_access: bool = False
    page_token: Literal["invalid", "expired"] | None = None

    def api_error(self, call: Call) -> ApiError | None:
        """The error to answer instead of serving the call, None where it is to be served."""
        if self.error is not None:
            return by_reason(self.error, status=self.status, retry_after_s=self.retry_after_s)
        if self.lost_access:
            return not_found(call.file_id or "")
        if self.page_token == "expired":  # noqa: S105
            return page_token_expired()
        if self.page_token == "invalid":  # noqa: S105
            return invalid_page_token()
        return None


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


class FaultPlan:
    """The rules in force. Decisions are a function of the calls' order and the seed."""

    def __init__(self, rules: Iterable[Rule] = (), *, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a die for tests
        self._rules: list[RuleState] = []
        self._next_id = 1
        for rule in rules:
            self.add(rule)

    def add(self, rule: Rule) -> int:
        """Put a rule behind the others; returns its id. Raises ValueError for nonsense."""
        if rule.effect.error is not None:
            try:
                by_reason(rule.effect.error, status=rule.effect.status)
            except KeyError:
                raise ValueError(f"Google gives no error of the reason {rule.effect.error!r}") from None
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

    def states(self) -> tuple[RuleState, ...]:
        """The rules with their counts, in order."""
        return tuple(self._rules)

    def decide(self, call: Call) -> Effect | None:
        """What happens to this call: None lets it pass. Rules count the calls that fit, up to the one that strikes."""
        for state in self._rules:
            if self._strikes(state, call):
                state.struck += 1
                return state.rule.effect
        return None

    def _strikes(self, state: RuleState, call: Call) -> bool:
        rule, match = state.rule, state.rule.match
        if rule.times is not None and state.struck >= rule.times:
            return False
        if not match.fits(call) or (rule.effect.page_token is not None and not call.page_token):
            return False
        state.seen += 1
        if state.seen <= match.skip or (state.seen - match.skip) % match.every != 0:
            return False
        return match.probability >= 1 or self._random.random() < match.probability


def parse_rules(body: bytes) -> list[Rule]:
    """One rule, or a list of them, from JSON. Raises ValueError that says what is wrong."""
    if body.lstrip().startswith(b"["):
        return msgspec.json.decode(body, type=list[Rule])
    return [msgspec.json.decode(body, type=Rule)]


def _method_fits(wanted: str | None, method_id: str) -> bool:
    if wanted is None:
        return True
    return method_id.startswith(wanted[:-1]) if wanted.endswith("*") else method_id == wanted
