"""Google's notification as HTTP brings it, made into a message of `webhook.raw` (contract, "In: notification")."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from google_drive_worker.messages.trigger import MAX_ID_CHARS
from google_drive_worker.utils.errors import InvalidMessage

PREFIX = "x-goog-"
MAX_HEADERS = 32
"""Google sends eight."""

MAX_HEADER_CHARS = 2_048
"""For one value. The longest are the resource's address and the channel's token, which has 256 at most."""


class RawNotification(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message of `webhook.raw`. The proxy does not know the customer; the connection is what the token claims."""

    message_id: str
    integration_id: str
    received_at: datetime
    headers: dict[str, str]
    body: Any
    integration_connection_id: str | None = None


def google_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Of a request's headers those that are Google's, under the names that they came with.

    Raises `InvalidMessage`, which repeats no value, where there is no channel's id among them, or something is too
    long, too many or not printable.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if not name.lower().startswith(PREFIX):
            continue
        if len(value) > MAX_HEADER_CHARS or not value.isprintable():
            raise InvalidMessage(f"the header {name[:64]} has over {MAX_HEADER_CHARS} characters or some not printable")
        found[name] = value
    if len(found) > MAX_HEADERS:
        raise InvalidMessage(f"there are more than {MAX_HEADERS} headers of Google's")
    if not header(found, "X-Goog-Channel-ID"):
        raise InvalidMessage("the header X-Goog-Channel-ID is missing: this is no notification of Google's")
    return found


def header(headers: dict[str, str], wanted: str) -> str | None:
    """A header's value; names compare without case."""
    return next((value for name, value in headers.items() if name.lower() == wanted.lower()), None)


def claimed_connection(token: str | None) -> str | None:
    """The connection that a channel's token says it is of: what stands before its last dot. None where it says nothing.

    Nothing is verified here: the worker holds the secret. A wrong claim costs a message on the wrong partition.
    """
    claimed, dot, rest = (token or "").rpartition(".")
    if not dot or not rest or not 0 < len(claimed) <= MAX_ID_CHARS or claimed.isspace() or not claimed.isprintable():
        return None
    return claimed


def body_value(body: bytes) -> object:
    """The body as JSON where it is a JSON object, as text where it is something else, None where it is empty."""
    if not body.strip():
        return None
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    return value if isinstance(value, dict) else body.decode(errors="replace")


def raw_notification(
    message_id: str, integration_id: str, received_at: datetime, headers: dict[str, str], body: bytes
) -> RawNotification:
    """The message; `headers` are those that `google_headers` found."""
    return RawNotification(
        message_id,
        integration_id,
        received_at,
        headers,
        body_value(body),
        claimed_connection(header(headers, "X-Goog-Channel-Token")),
    )
