"""The evidence that a connection has one owner finds out who breaks it."""

import pytest

from support.one_owner import Call, Span, assert_one_at_a_time

PARTITIONS = {"conn_a": 0}
ONE = Span(0, "one", 10, 20)
TWO = Span(0, "two", 21, 30)


def test_owners_one_after_the_other_pass() -> None:
    """Each with calls and tokens of its own; the first one may come back to its token."""
    back = Span(0, "one", 31, 40)
    calls = [Call("conn_a", "x", 11, 12), Call("conn_a", "y", 22, 23), Call("conn_a", "x", 32, 33)]
    assert_one_at_a_time([back, ONE, TWO], calls, PARTITIONS)


def test_one_that_was_killed_owns_until_the_next_one_opens() -> None:
    """Nobody hears of its end."""
    assert_one_at_a_time([ONE._replace(end_s=float("inf")), TWO], [Call("conn_a", "x", 19, 20.5)], PARTITIONS)


@pytest.mark.parametrize(
    ("spans", "calls"),
    [
        ([ONE, TWO._replace(begin_s=19)], []),
        ([ONE, TWO], [Call("conn_a", "x", 9, 11)]),
        ([ONE, TWO], [Call("conn_a", "x", 19, 22)]),
        ([ONE, TWO], [Call("conn_a", "x", 31, 32)]),
        ([ONE, TWO], [Call("conn_a", "x", 11, 12), Call("conn_a", "x", 22, 23)]),
    ],
    ids=["two open", "before it opened", "across two owners", "after it let go", "in the other's time"],
)
def test_two_at_once_are_found_out(spans: list[Span], calls: list[Call]) -> None:
    """By the logs alone, by calls outside of any ownership, or by a token that shows up in another's time."""
    with pytest.raises(AssertionError):
        assert_one_at_a_time(spans, calls, PARTITIONS)
