"""Page tokens that make no progress are noticed, whatever circle they go in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from google_drive_worker.domain.ids import PageToken
from google_drive_worker.sync.checkpoint import Trail
from google_drive_worker.sync.tokens import RECENT_KEPT, STALLS_AT_ONCE, follow, is_given_up, stalled


def followed_until_stalled(before: int, circle: int, at_most: int) -> int:
    """How many pages are asked for of a listing whose tokens go in a circle after so many that do not."""
    trail, asked = Trail(), None
    for step in range(at_most):
        token = PageToken(f"t{step if step < before else before + (step - before) % circle}")
        after = follow(trail, asked, token)
        if after is None:
            return step
        trail, asked = after, token
    raise AssertionError(f"a circle of {circle} after {before} was not noticed in {at_most} steps")


@given(before=st.integers(0, 200), circle=st.integers(1, 60))
def test_a_circle_of_any_length_is_noticed_soon(before: int, circle: int) -> None:
    """A short one before any page is asked for twice; a long one before it is gone through four times."""
    pages = followed_until_stalled(before, circle, 10_000)
    if circle <= RECENT_KEPT:
        assert pages == before + circle
    assert pages <= 2 * max(before, circle) + 2 * circle + 2


@given(st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=300))
def test_tokens_that_differ_never_stall(names: list[str]) -> None:
    """However many there are."""
    trail, asked = Trail(), None
    for name in names:
        after = follow(trail, asked, PageToken(name))
        assert after is not None
        trail, asked = after, PageToken(name)


def test_the_token_that_was_asked_with_stalls_at_once() -> None:
    """It is the commonest fault."""
    assert follow(Trail(), PageToken("same"), PageToken("same")) is None


def test_no_token_ends_a_listing_and_stalls_nothing() -> None:
    """The trail stays as it is."""
    assert follow(Trail(3, "mark"), None, None) == Trail(3, "mark")


@pytest.mark.parametrize("stalls", [1, STALLS_AT_ONCE, STALLS_AT_ONCE + 1])
def test_a_listing_starts_over_a_few_times(stalls: int) -> None:
    """Then it is given up for this sync."""
    trail = Trail()
    for _ in range(stalls):
        trail = stalled(follow(trail, PageToken("a"), PageToken("b")) or trail)
    assert is_given_up(trail) is (stalls > STALLS_AT_ONCE)
