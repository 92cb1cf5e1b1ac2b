"""Whether a failure is one item's or everybody's: what may not be taken for final before it is proven. Pure.

The rules:

- **An item.** A call for one item that goes on failing, in whatever way but a rate limit, costs that item alone where a
  call that needs no item (`about.get`, the neutral probe) is answered: the result is `ItemUnavailable`. Where the probe
  fails as well it is an outage, and the failure is raised.
- **A scope.** 403 `insufficientPermissions` is `Terminal` where the probe is refused for the same reason; and for a
  method of items (comments, exports: the probe needs none of their scopes) where the method was refused for two
  different items, each until its tries were over, and has never succeeded with these credentials. Until then it is
  retried, and in the end that item's.
- **An API that is not enabled** is `Terminal` where the probe is refused for the same reason.
- **A token.** 401 for one item is `NeedsReauth` where the probe is refused as well.
- **What is not Drive's answer** (a redirect, a 404 in HTML, an answer over the bound) is never final.
"""

from google_drive_worker.client.faults import (
    API_NOT_ENABLED,
    DAILY_LIMIT,
    INSUFFICIENT_SCOPE,
    RATE_LIMITED,
    SHARING_RATE_LIMITED,
    UNAUTHORIZED_CODE,
    CallKind,
)
from google_drive_worker.http.retry import RetryPolicy
from google_drive_worker.utils.errors import (
    ChecksumMismatch,
    ItemUnavailable,
    NeedsReauth,
    PageTokenRejected,
    Retryable,
    Terminal,
    WorkerError,
)

PROBE_RETRY = RetryPolicy(attempts=2, base_s=0.5, cap_s=1.0, total_s=10.0, hint_s=2.0)
"""Of the neutral probe: it is asked after a call with all its tries, so that it need not be patient."""

NEEDS_PROOF = frozenset({INSUFFICIENT_SCOPE, API_NOT_ENABLED})
"""Codes of refusals that concern the whole connection only where the probe is refused in the same way."""

_NEVER_AN_ITEMS = frozenset({RATE_LIMITED, SHARING_RATE_LIMITED, DAILY_LIMIT})


class ScopeEvidence:
    """What the calls with one connection's credentials have shown of the scopes that its token has."""

    def __init__(self) -> None:
        self._served: set[str] = set()
        self._refused: dict[str, str] = {}
        self._lacking: set[str] = set()

    def served(self, method: str) -> None:
        """A call of the method was answered."""
        self._served.add(method)
        self._lacking.discard(method)

    def is_lacking(self, method: str) -> bool:
        """Whether it is proven that the method is not covered: a further refusal need not be tried again."""
        return method in self._lacking

    def refused(self, method: str, path: str) -> bool:
        """A call was refused for its scope, in all its tries. Returns whether that proves that the method is not
        covered."""
        if method not in self._served and self._refused.setdefault(method, path) != path:
            self._lacking.add(method)
        return method in self._lacking


def may_be_an_items(failure: WorkerError | None) -> bool:
    """Whether a call's last failure may have its cause in the item that it asked for."""
    match failure:
        case ChecksumMismatch():
            return False  # it says enough by itself
        case Retryable():
            was_sent = failure.attempts != 0
            return was_sent and failure.code not in _NEVER_AN_ITEMS
        case NeedsReauth():
            return failure.code == UNAUTHORIZED_CODE
        case _:
            return False


def unavailable(failure: WorkerError, attempts: int | None = None) -> ItemUnavailable:
    """The item's result, where a failure turned out to be the item's."""
    return ItemUnavailable(
        failure.message,
        code=failure.code,
        http_status=failure.http_status,
        reason=failure.reason,
        attempts=failure.attempts or attempts,
    )


def retryable(failure: WorkerError) -> Retryable:
    """The same failure, which is not taken for final: it says nothing of what was asked for, or is not proven."""
    if isinstance(failure, Retryable):
        return failure
    return Retryable(failure.message, code=failure.code, http_status=failure.http_status, reason=failure.reason)


def terminal(failure: WorkerError) -> Terminal:
    """The same failure, proven."""
    return Terminal(failure.message, code=failure.code, http_status=failure.http_status, reason=failure.reason)


def of_call(failure: WorkerError, *, has_page_token: bool) -> WorkerError:
    """What a refusal says of a call: a page token that the call has not sent can't be refused."""
    return retryable(failure) if isinstance(failure, PageTokenRejected) and not has_page_token else failure


def of_transport(failure: Terminal, kind: CallKind) -> WorkerError:
    """What an answer that the transport refuses says: a redirect is not Drive's, and a smaller page may be taken."""
    if failure.code == "response_too_large":
        return unavailable(failure) if kind is CallKind.ITEM else retryable(failure)
    return retryable(failure) if failure.code == "redirected" else failure
