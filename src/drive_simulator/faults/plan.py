"""Faults on demand: a plan of `rules`, each saying which calls it strikes and what happens to them.

A rule is JSON: `{"match": {…}, "effect": {…}, "times": 3}`. It strikes calls that fit every member of `match`:

- `method`: a method id, or its beginning with a star: `files.list`, `files.*`; `oauth.token` is the token endpoint;
  `batch` is a batch as a whole, which no other rule strikes (its parts are struck by their own methods);
- `item`: the id of the file that the call names; `user`: an email; `path`: a part of the path; `query`: a part of the
  query string;
- `media`: whether it is a download with `alt=media`; `page_token`: whether it carries a page token;
- `skip`: let the first so many pass; `every`: strike each n-th of the rest; `probability`: strike by a seeded die.

`times` ends the rule after so many strikes (absent or null: never). The first rule that strikes decides. Members of
`effect`, of which several may be given together (latency with anything):

- `error`: Google's reason, or the token endpoint's error (`invalid_grant`); `status` where the reason has several,
  `message` where the reason has several texts (`forbidden`), and `retry_after_s`;
- `html`: the status of an HTML page that Google's front end answers with instead of the API: 403 ("automated queries"),
  404, 413 or 502;
- `latency_ms`: wait before answering;
- `cut`: `"before"` closes the connection without an answer, `"body"` in the middle of the body; `cut_after_bytes` does
  so when that many bytes of the body have gone out (or half of them, where it has not more);
- `body`: `"truncated"` answers half of the JSON, `"garbage"` something that is no JSON, `"empty"` nothing;
- `expire_tokens`: the user's access tokens end before the call is looked at (401); `revoke_grants`: their grants too;
- `lost_access`: the file is not found for this user (404);
- `page_token`: `"invalid"` or `"expired"` rejects the page token; strikes only calls that carry one.

An item that fails for ever is a rule without `times` that names the item, and the call:
`{"match": {"method": "files.export", "item": "…"}, "effect": {"error": "internalError"}}`. Parts of batches are struck
by it as calls of their own are.

What was seen of live Drive is ready to be taken by name, in `presets`: `{"preset": "batch_not_found"}`; a `match`
beside it narrows it down, and `times` says how often instead of once.
"""

from typing import Literal

import msgspec

from drive_simulator.api.errors import ApiError, invalid_page_token, not_found, page_token_expired
from drive_simulator.api.errors_by_reason import by_reason
from drive_simulator.faults.html_errors import PAGES, HtmlError
from drive_simulator.faults.rules import Pick, RuleBook

BATCH = "batch"
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


class Match(Pick, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which calls a rule strikes; absent members fit everything."""

    method: str | None = None
    item: str | None = None
    user: str | None = None
    path: str | None = None
    query: str | None = None
    media: bool | None = None
    page_token: bool | None = None

    def fits(self, call: Call) -> bool:
        """Whether the call is one of those that the rule counts."""
        return (
            _method_fits(self.method, call.method_id)
            and self.item in {None, call.file_id}
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
    message: str | None = None
    html: int | None = None
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
            return by_reason(self.error, status=self.status, retry_after_s=self.retry_after_s, message=self.message)
        if self.html is not None:
            return HtmlError(self.html, call.path)
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


class FaultPlan(RuleBook[Rule]):
    """The rules in force for calls."""

    def add(self, rule: Rule) -> int:
        """Put a rule behind the others; returns its id. Raises ValueError for nonsense."""
        if rule.effect.error is not None:
            try:
                by_reason(rule.effect.error, status=rule.effect.status)
            except KeyError:
                raise ValueError(f"Google gives no error of the reason {rule.effect.error!r}") from None
        if rule.effect.html is not None and rule.effect.html not in PAGES:
            raise ValueError(f"html is one of {sorted(PAGES)}")
        return super().add(rule)

    def decide(self, call: Call) -> Effect | None:
        """What happens to this call: None lets it pass."""
        rule = self.striking(lambda rule: _fits(rule, call))
        return None if rule is None else rule.effect


def _fits(rule: Rule, call: Call) -> bool:
    return rule.match.fits(call) and (rule.effect.page_token is None or call.page_token)


def _method_fits(wanted: str | None, method_id: str) -> bool:
    if method_id == BATCH:
        return wanted == BATCH
    if wanted is None:
        return True
    return method_id.startswith(wanted[:-1]) if wanted.endswith("*") else method_id == wanted
