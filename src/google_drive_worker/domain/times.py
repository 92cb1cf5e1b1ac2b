"""Moments as text: RFC 3339 in UTC, which sorts as it reads."""

from datetime import UTC, datetime, timedelta

import msgspec

_CHARS = len("2025-01-20T10:00:00.000Z")
_SECOND_CHARS = len("2025-01-20T10:00:00")

LONGEST_REST = timedelta(hours=25)
"""Longer than any rest that is asked for: until Google's daily reset, with what comes on top of it."""


def rfc3339(moment: datetime) -> str:
    """A moment in UTC with milliseconds, as in `2025-01-20T10:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def from_rfc3339(text: str) -> datetime:
    """The moment that `rfc3339` wrote. Raises `ValueError` for anything else."""
    return datetime.fromisoformat(text)


def due_moment(text: str, now: datetime, longest: timedelta = LONGEST_REST) -> datetime:
    """The moment that `rfc3339` wrote as `text`, or `now` where it is more than `longest` ahead.

    No such rest is ever asked for: it was set by a clock that was wrong, and must not stop anything for a year.
    """
    moment = from_rfc3339(text)
    return now if moment - now > longest else moment


def sortable(text: str | None) -> str | None:
    """A moment of Google's as `rfc3339` writes it, which is Google's own form; `None` where it can't be read."""
    if text is None:
        return None
    if len(text) == _CHARS and text[_SECOND_CHARS] == "." and text[-1] == "Z":
        return text
    try:
        moment = from_rfc3339(text)
        return rfc3339(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


class TimeRange(msgspec.Struct, frozen=True):
    """Moments from `since` on and before `until`, whole seconds of UTC as in `2012-06-04T12:00:00`; `None` is open."""

    since: str | None = None
    until: str | None = None
