"""Access tokens of connections: kept, refreshed early, and by one caller at a time.

An `Authorizer` belongs to one connection's credentials. Its token is refreshed a while before it expires, at a moment
that differs from connection to connection; whoever comes first does it, and as long as the old token is good the
others go on with it. `Authorizers` keeps one for each connection and makes a new one when the credentials change.
"""

import asyncio
import copy
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from google_drive_worker.client.isolation import ScopeEvidence
from google_drive_worker.domain.connection import AccessToken, AuthorizedUser, Connection, Credentials, Grant
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.ports import Clock
from google_drive_worker.http.retry import RetryPolicy, retrying
from google_drive_worker.utils.errors import NeedsReauth, Retryable, WorkerError

GrantSource = Callable[[Credentials], Awaitable[Grant]]
"""One attempt at a fresh token, such as `TokenEndpoint.grant`."""

ConnectionGrants = Callable[[ConnectionId, Credentials], Awaitable[Grant]]
"""The same for any connection: whoever owns the connection may be the only one that can refresh its token."""

TOKEN_RETRY = RetryPolicy(attempts=4, base_s=0.5, cap_s=8.0, total_s=40.0, hint_s=10.0)
"""Shorter than a Drive call's: everything of the connection waits for it."""

_EARLY_S = 300.0
_EARLY_JITTER_S = 120.0
_EARLY_AGAIN_S = 30.0
"""After an early refresh that failed, the next one waits: the old token still does."""
_MARGIN_S = 10.0
"""A token this close to its end may expire on its way to Google; less for a token that lives for seconds only."""
_FOREVER_S = float("inf")


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    good_until_s: float
    early_s: float


class Authorizer:
    """The access token of one connection. Safe to share between its concurrent calls."""

    def __init__(
        self,
        credentials: Credentials,
        grants: GrantSource,
        clock: Clock,
        random: Callable[[], float],
        retry: RetryPolicy = TOKEN_RETRY,
    ) -> None:
        """Start with the credentials' own access token, where they bring one that is still good."""
        self.credentials = credentials
        self.scopes = ScopeEvidence()
        self._grants = grants
        self._clock = clock
        self._random = random
        self._retry = retry
        self._turn = asyncio.Lock()
        self._refreshes = 0
        self._failure: WorkerError | None = None
        self._token = self._given(credentials)
        self._doubted: str | None = None
        """A token that a call was refused with, and that may be the only one that there is."""

    async def token(self) -> str:
        """Return a token that is good for some seconds at least.

        Raises `NeedsReauth`, `Terminal`, or `Retryable` after its own retries. A hundred callers at once cause one
        refresh, and share its failure.
        """
        now_s = self._clock.monotonic_s()
        current = self._token
        if current is not None and now_s < current.good_until_s:
            if now_s < current.early_s or self._turn.locked():
                return current.value
            return await self._refresh_early(current)
        seen = self._refreshes
        async with self._turn:
            if self._refreshes == seen:
                return await self._refresh()
            return self._outcome()

    def invalidate(self, token: str) -> None:
        """Google refused `token` (401): don't use it again. A newer one stays.

        A bare access token is used all the same where there is no other: one item's refusal says nothing of the others.
        """
        if self._token is not None and self._token.value == token:
            self._token = None
            if isinstance(self.credentials, AccessToken):
                self._doubted = token

    async def _refresh_early(self, current: _Token) -> str:
        async with self._turn:
            try:
                return await self._refresh()
            except Retryable:
                if self._token is not current:  # invalidated meanwhile
                    raise
                postponed_s = self._clock.monotonic_s() + _EARLY_AGAIN_S
                self._token = _Token(current.value, current.good_until_s, postponed_s)
                return current.value

    async def _refresh(self) -> str:
        """Refresh while holding the turn. A cancelled refresh counts as none: the next in line does it."""
        try:
            grant = await retrying(
                lambda _: self._grants(self.credentials), policy=self._retry, clock=self._clock, random=self._random
            )
        except WorkerError as failure:
            self._refreshes += 1
            last = self._last(failure)
            if last is not None:
                self._token, self._failure = _Token(last, _FOREVER_S, _FOREVER_S), None
                return last
            self._failure = failure
            raise
        token = self._timed(grant.access_token.reveal(), grant.lifetime_s)
        self._token, self._failure, self._doubted = token, None, None
        self._refreshes += 1
        return token.value

    def _last(self, failure: WorkerError) -> str | None:
        """The token to go on with where there is no other; whether it is at its end is Google's to say."""
        if not isinstance(failure, NeedsReauth):
            return None
        if self._token is not None and failure.http_status is None:
            return self._token.value  # it has come to its end by our clock alone, which may be wrong
        return self._doubted

    def _outcome(self) -> str:
        """What the refresh that somebody else did came to."""
        if self._failure is not None:
            raise copy.copy(self._failure)  # each caller its own: a traceback grows on it
        if self._token is None:
            raise Retryable("the access token was refused while others waited for it", code="unauthorized")
        return self._token.value

    def _given(self, credentials: Credentials) -> _Token | None:
        if not isinstance(credentials, AuthorizedUser | AccessToken) or credentials.access_token is None:
            return None
        lifetime_s = _FOREVER_S
        if credentials.expiry is not None:
            expiry = _parse_expiry(credentials.expiry)
            if expiry is None:
                return None
            lifetime_s = (expiry - self._clock.now()).total_seconds()
        token = self._timed(credentials.access_token.reveal(), lifetime_s)
        if isinstance(credentials, AccessToken):  # nothing here refreshes it: no use in trying early
            return _Token(token.value, token.good_until_s, _FOREVER_S)
        return token

    def _timed(self, value: str, lifetime_s: float) -> _Token:
        expires_s = self._clock.monotonic_s() + lifetime_s
        if expires_s == _FOREVER_S:
            return _Token(value, _FOREVER_S, _FOREVER_S)
        ahead_s = min(_EARLY_S + _EARLY_JITTER_S * self._random(), lifetime_s / 2)
        return _Token(value, expires_s - min(_MARGIN_S, lifetime_s / 4), expires_s - ahead_s)


def _parse_expiry(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Authorizers:
    """The authorizers of all connections, each with its token; the longest unused are forgotten beyond `keep`."""

    def __init__(
        self,
        grants: ConnectionGrants,
        clock: Clock,
        random: Callable[[], float],
        *,
        retry: RetryPolicy = TOKEN_RETRY,
        keep: int = 10_000,
    ) -> None:
        """Make none yet. One that is forgotten while it is in use goes on working; only its token isn't found again."""
        self._grants = grants
        self._clock = clock
        self._random = random
        self._retry = retry
        self._keep = keep
        self._known: OrderedDict[ConnectionId, Authorizer] = OrderedDict()

    def of(self, connection: Connection) -> Authorizer:
        """The connection's authorizer: the one from before as long as its credentials are the same."""
        known = self._known.get(connection.connection_id)
        if known is None or known.credentials != connection.credentials:
            grants = partial(self._grants, connection.connection_id)
            known = Authorizer(connection.credentials, grants, self._clock, self._random, self._retry)
            self._known[connection.connection_id] = known
            if len(self._known) > self._keep:
                self._known.popitem(last=False)
        self._known.move_to_end(connection.connection_id)
        return known
