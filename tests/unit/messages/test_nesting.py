"""How deeply JSON is nested, found in linear time in whatever is given."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from google_drive_worker.messages.nesting import is_too_deep

DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=10) | st.sampled_from(["[[[[", "}", '"[', "\\", '\\"{']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def depth_of(document: object) -> int:
    """By walking through it."""
    inner = document.values() if isinstance(document, dict) else document if isinstance(document, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(DOCUMENTS)
def test_the_limit_is_met_to_the_level(document: object) -> None:
    """Brackets within strings count for nothing."""
    value, depth = json.dumps(document).encode(), depth_of(document)
    assert not is_too_deep(value, depth)
    assert depth == 0 or is_too_deep(value, depth - 1)


def test_what_is_wide_is_not_deep() -> None:
    """However many brackets there are."""
    assert not is_too_deep(b"[" + b'{"a":[1]},' * 10_000 + b"1]")
    assert is_too_deep(b"[" * 101)


@pytest.mark.parametrize(
    ("piece", "deep"), [(b'"\\', False), (b'"', False), (b"\\", False), (b'"[', True), (b"]", False), (b'\\"[', False)]
)
def test_no_text_takes_long(piece: bytes, deep: bool) -> None:
    """A megabyte that is no JSON at all is read once; the run's own time limit would tell."""
    assert is_too_deep(b"[" * 60 + b"]" * 60 + piece * (1_000_000 // len(piece))) is deep
