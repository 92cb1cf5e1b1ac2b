"""A connection as its source describes it, a file or the Control Plane, and what to say where that can't be read."""

import re
from typing import Literal

import msgspec

from google_drive_worker.domain.connection import Connection, ConnectionSettings, Credentials, Secret
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.utils.errors import Terminal

_IDS_SHOWN = 5
_QUOTED = re.compile(r"\s*'[^']*'")
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<place>[^`]*)`)?$", re.DOTALL)


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What a source says of a connection."""

    customer_id: CustomerId
    credentials: Credentials
    integration_id: str = "google-drive"
    status: Literal["active", "paused", "disconnected"] = "active"
    settings: ConnectionSettings = ConnectionSettings()


def connection_of(connection_id: ConnectionId, described: Described) -> Connection:
    """Return the connection of that id, as described.

    Raises `Terminal` with the code `bad_settings` where a setting makes no sense: it is never taken for one that is
    left out, since that would mirror everything.
    """
    problem = settings_problem(described.settings)
    if problem is not None:
        raise Terminal(f"nothing is synced by settings that make no sense: {problem}", code="bad_settings")
    return Connection(
        connection_id=connection_id,
        customer_id=described.customer_id,
        credentials=described.credentials,
        integration_id=described.integration_id,
        status=described.status,
        settings=described.settings,
    )


def settings_problem(settings: ConnectionSettings) -> str | None:
    """Return the first setting that makes no sense, what was given and what is allowed; `None` where all do."""
    for name, least in (("max_revisions", 1), ("max_file_size_bytes", 0)):
        given: int | None = getattr(settings, name)
        if given is not None and given < least:
            return f"settings.{name}: {given} was given; allowed is a whole number from {least} on, or to leave it out"
    for name in ("drive_ids", "folder_ids"):
        ids: tuple[str, ...] | None = getattr(settings, name)
        if ids is not None and not all(ids or ("",)):
            shown = msgspec.json.encode(ids[:_IDS_SHOWN]).decode()
            return (
                f"settings.{name}: {shown} was given; allowed are ids, at least one and none empty, or to leave it out"
            )
    return None


def to_secret(wanted: type, value: object) -> object:
    """Msgspec's hook for a `Secret`; what it raises never holds the value."""
    if wanted is not Secret:
        raise NotImplementedError(f"no way to read {wanted}")
    if not isinstance(value, str) or not value:
        raise ValueError("Expected a non-empty `str`")
    return Secret(value)


def field_problem(text: str) -> str:
    """Turn msgspec's text into `field: what`, without the value that it may quote, since that may be a secret."""
    match = _PLACE.match(text)
    what, place = (match["what"], match["place"]) if match else (text, None)
    what = _QUOTED.sub("", what)
    where = place.removeprefix("$").removeprefix(".") if place else ""
    return f"{where}: {what}" if where else what
