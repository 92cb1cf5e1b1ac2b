"""Single values: times, integers, names and sets of flags."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from google_drive_worker.normalization.values import flags, snake_case, utc_time


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        ("2025-01-15T10:00:00.000Z", "2025-01-15T10:00:00.000Z"),
        ("2025-01-15T10:00:00Z", "2025-01-15T10:00:00Z"),
        ("2025-01-15T10:00:00+02:00", "2025-01-15T08:00:00Z"),
        ("2025-01-15T10:00:00.123456-05:30", "2025-01-15T15:30:00.123456Z"),
        ("2025-01-15", "2025-01-15T00:00:00Z"),
        ("2025W03", "2025-01-13T00:00:00Z"),
        ("2025-01-15T10:00:60Z", None),
        ("2025-01-15T10:00:00", "2025-01-15T10:00:00Z"),
        ("2025-W03-3T10:00:00.000Z", "2025-01-15T10:00:00Z"),
        ("20250115T100000Z", "2025-01-15T10:00:00Z"),
        ("0001-01-01T00:00:00+05:00", None),
        ("2025-13-01T00:00:00Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_utc_or_nothing(given_time: str | None, expected: str | None) -> None:
    """A time ends in Z with the precision it came with; what is no time is null."""
    assert utc_time(given_time) == expected


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC)))
def test_a_time_stays_the_same_moment(moment: datetime) -> None:
    """Normalising changes how a moment is written, never which it is."""
    written = utc_time(moment.isoformat())
    assert written is not None
    assert written.endswith("Z")
    assert datetime.fromisoformat(written) == moment


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_time_or_nothing(text: str) -> None:
    """A time that makes no sense raises nothing."""
    utc_time(text)


def test_names_become_snake_case() -> None:
    """Each capital starts a word."""
    assert snake_case("canAddFolderFromAnotherDrive") == "can_add_folder_from_another_drive"
    assert snake_case("hidden") == "hidden"


def test_flags_keep_their_values_under_new_names() -> None:
    """Capabilities are yes or no, under our names."""
    assert flags({"canEdit": True, "canShare": False}) == {"can_edit": True, "can_share": False}
    assert flags(None) is None
