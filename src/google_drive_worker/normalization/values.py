"""Google's single values turned into the platform's: times, integers, names. None of these ever raises."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

_INT64_MAX = (1 << 63) - 1
_INT64_DIGITS = len(str(_INT64_MAX))
_DATE_AND_SECONDS = len("2025-01-15T10:00:00Z")
_WITH_MILLISECONDS = len("2025-01-15T10:00:00.000Z")


def utc_time(text: str | None) -> str | None:
    """Write an RFC 3339 time in UTC, ending in `Z`, with the precision it came with; `None` for what is no time."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # Nearly every time that Google sends has one of two shapes, and is right already.
    length = len(text)
    if length == _WITH_MILLISECONDS:
        right = text[10] == "T" and text[-1] == "Z" and text[7] == "-" and text[19] == "."
    else:
        right = length == _DATE_AND_SECONDS and text[10] == "T" and text[-1] == "Z" and text[16] == ":"
    return text if right else _in_utc(moment)


def _in_utc(moment: datetime) -> str | None:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None


def integer(text: str | None) -> int | None:
    """Read an int64 that Google sends as a string; `None` for what is not one, or is negative."""
    if text is None or not text.isdecimal() or len(text) > _INT64_DIGITS:
        return None
    value = int(text)
    return value if value <= _INT64_MAX else None


@lru_cache(maxsize=1024)
def snake_case(name: str) -> str:
    """`canAddChildren` becomes `can_add_children`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def flags(values: Mapping[str, bool] | None) -> msgspec.Raw | None:
    """Encode Google's capabilities under snake_case names.

    A file has some forty of them, and most files of a drive have the same: each set is encoded once.
    """
    if values is None:
        return None
    return _encoded_flags(tuple(values), tuple(values.values()))


@lru_cache(maxsize=4096)
def _encoded_flags(names: tuple[str, ...], values: tuple[bool, ...]) -> msgspec.Raw:
    renamed = {snake_case(name): value for name, value in zip(names, values, strict=True)}
    return msgspec.Raw(msgspec.json.encode(renamed))
