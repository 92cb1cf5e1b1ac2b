"""Keys to S3: the environment's by the standard chain, or a connection's own from the Control Plane.

The chain is botocore's: environment, profile, web identity (STS), container, instance. Its calls block, and run in a
thread.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import botocore.exceptions
import botocore.session

from google_drive_worker.domain.connection import TemporaryKeys
from google_drive_worker.utils.errors import StoreUnavailable

RENEW_AHEAD = timedelta(minutes=5)
"""How long before their end keys are no longer used."""

LOOK_AGAIN = timedelta(minutes=15)
"""How long keys without an end are used before the chain is asked again: a mounted file may have changed."""


class Keys(NamedTuple):
    """What requests are signed with; `good_until` is when to ask again."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None
    good_until: datetime

    def __repr__(self) -> str:
        return f"Keys({self.access_key_id!r})"


class NoKeys(StoreUnavailable):
    """The standard chain has no keys."""


KeySource = Callable[[], Awaitable[Keys]]
"""Gives keys that are good now. Raises `Retryable` where there are none."""


async def chain_keys() -> Keys:
    """Keys by the standard chain, renewed where they end. Raises `NoKeys` where it has none."""
    return await asyncio.to_thread(_chain_keys)


def _chain_keys() -> Keys:
    problem: str
    try:
        # A session anew each time: it has kept nothing that a file or STS has renewed meanwhile.
        credentials = botocore.session.get_session().get_credentials()
        if credentials is not None:
            frozen = credentials.get_frozen_credentials()
            now, ends = datetime.now(UTC), getattr(credentials, "_expiry_time", None)
            good_until = now + LOOK_AGAIN if ends is None else min(ends - RENEW_AHEAD, now + LOOK_AGAIN)
            return Keys(frozen.access_key, frozen.secret_key, frozen.token, max(good_until, now))
        problem = "there are none"
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        problem = type(error).__name__  # its text may hold anything
    raise NoKeys(
        f"no credentials for the object store: {problem}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, "
        "or AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE"
    )


def keys_of(temporary: TemporaryKeys) -> Keys:
    """A connection's own keys. Those whose end can't be read are used once."""
    try:
        ends = datetime.fromisoformat(temporary.expires_at)
    except ValueError:
        ends = datetime.now(UTC)
    ends = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
    lasts = max(timedelta(), ends - datetime.now(UTC))
    return Keys(
        temporary.access_key_id,
        temporary.secret_access_key.reveal(),
        temporary.session_token.reveal(),
        ends - min(RENEW_AHEAD, lasts / 4),
    )
