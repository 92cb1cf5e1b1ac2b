"""The token of a push channel: whose the channel is, and proof that the worker made it.

Google repeats the token in every notification (at most 256 characters, guide "Push notifications"). It names customer
and connection, since the proxy may not know them, and carries an HMAC-SHA256 over both and the channel's id: no token
counts for another channel, and none can be made without the secret. What stands before its last dot is the connection,
so that a proxy can key by it without knowing the secret.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from google_drive_worker.domain.connection import Secret
from google_drive_worker.domain.ids import ConnectionId, CustomerId

MAX_TOKEN_CHARS = 256
"""Google's limit."""

_VERSION = "1"
_PARTS = 3


class Owner(NamedTuple):
    """Whose a channel is."""

    customer_id: CustomerId
    connection_id: ConnectionId


def token_of(owner: Owner, channel_id: str, secret: Secret) -> Secret | None:
    """The token of a channel; `None` where Google can't carry it.

    Its limit is reached at some 150 characters of both ids; and headers, which it travels in, hold printable ASCII.
    """
    connection_id = owner.connection_id
    proof = "~".join([_VERSION, _text(owner.customer_id.encode()), _text(_mac(owner, channel_id, secret))])
    token = f"{connection_id}.{proof}"
    fits = len(token) <= MAX_TOKEN_CHARS and connection_id.isascii() and connection_id.isprintable()
    return Secret(token) if fits and connection_id == connection_id.strip() != "" else None


def owner_of(token: str, channel_id: str, secrets: Sequence[Secret]) -> Owner | None:
    """Whose the channel is by its token; `None` for a token that none of the secrets made for that channel.

    Every secret is tried, and compared in constant time.
    """
    connection_id, _, proof = token.rpartition(".")
    parts = proof.split("~")
    if len(token) > MAX_TOKEN_CHARS or len(parts) != _PARTS or parts[0] != _VERSION:
        return None
    try:
        customer, given = map(_bytes, parts[1:])
        owner = Owner(CustomerId(customer.decode()), ConnectionId(connection_id))
        genuine = [hmac.compare_digest(_mac(owner, channel_id, secret), given) for secret in secrets]
    except ValueError:  # not base64, not UTF-8, or ids that have no encoding
        return None
    return owner if any(genuine) else None


def _mac(owner: Owner, channel_id: str, secret: Secret) -> bytes:
    # As JSON: what is joined without quotes could be cut elsewhere.
    said = msgspec.json.encode([_VERSION, owner.customer_id, owner.connection_id, channel_id])
    return hmac.digest(secret.reveal().encode(), said, sha256)


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
