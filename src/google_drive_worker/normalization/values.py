"""Google's single values turned into the platform's: times, integers, names. None of these ever raises."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

_DATE_AND_SECONDS = len("2025-01-15T10:00:00Z")
_WITH_MILLISECONDS = len("2025-01-15T10:00:00.000Z")

_INT64_DIGITS = 19

_moment = datetime.fromisoformat


def utc_time(text: str | None) -> str | None:
    """Write an RFC 3339 time in UTC, ending in `Z`, with the precision it came with; `None` for what is no time."""
    if text is None:
        return None
    try:
        moment = _moment(text)
    except ValueError:
        return None
    # Nearly every time that Google sends has one of two shapes, and is right already. Of the first, one slice takes the
    # marks before the time and the milliseconds, the other those before the day and at the end.
    length = len(text)
    if length == _WITH_MILLISECONDS:
        right = text[10::9] == "T." and text[7::16] == "-Z"
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


def whole_number(text: str) -> int | None:
    """Google's int64, which it sends as a string; `None` for what is none."""
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > _INT64_DIGITS:
        return None
    number = int(text)
    return number if -(1 << 63) <= number < 1 << 63 else None


@lru_cache(maxsize=1024)
def snake_case(name: str) -> str:
    """`canAddChildren` becomes `can_add_children`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def flags(values: Mapping[str, bool] | None) -> dict[str, bool] | None:
    """Google's capabilities under snake_case names."""
    return None if values is None else {snake_case(name): value for name, value in values.items()}
