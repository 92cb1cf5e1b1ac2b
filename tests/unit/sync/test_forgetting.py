"""What becomes of a connection that its source no longer knows."""

from datetime import timedelta

from msgspec.structs import replace

from google_drive_worker.domain.times import from_rfc3339, rfc3339
from google_drive_worker.sync.checkpoint import Checkpoint, Parked
from google_drive_worker.sync.engine import accept, due_at
from google_drive_worker.sync.failure import park
from google_drive_worker.sync.forgetting import SAID_AGAIN_AFTER, SAID_AGAIN_WITHIN, known_again
from google_drive_worker.sync.step import Step
from google_drive_worker.utils.errors import UnknownConnection
from support.syncs import CONNECTION, NOW, owed, state, syncing

IDLE = replace(syncing("full"), sync=None)


def said(before: Checkpoint, after: timedelta = timedelta(0)) -> Step:
    """The step after the source said that there is no such connection."""
    return park(before, "Connect", UnknownConnection("none of that id"), NOW + after, 0.0)


def test_one_that_was_never_synced_leaves_no_state() -> None:
    """A trigger named a wrong id."""
    step = said(accept(None, CONNECTION, owed("full")))
    assert step.checkpoint is None
    assert [error.code for error in step.errors] == ["unknown_connection"]


def test_one_that_was_synced_is_asked_for_again_before_it_is_forgotten() -> None:
    """One answer may be passing; the two of them are one error record."""
    first = said(syncing("full"))
    assert state(first).corpora
    assert state(first).parked == Parked(
        "unknown_connection", "Connect", until=rfc3339(NOW + SAID_AGAIN_AFTER), reported=("unknown_connection",)
    )
    assert due_at(state(first), NOW) == NOW + SAID_AGAIN_AFTER
    [report] = first.errors
    assert "asked again" in report.message
    assert said(state(first), SAID_AGAIN_AFTER) == Step(None)


def test_being_said_again_at_once_does_not_count() -> None:
    """It may be the same trouble still, and its time is not put off."""
    first = state(said(syncing("full")))
    again = said(first, timedelta(seconds=30))
    assert again == Step(first)


def test_a_trigger_in_between_waits_for_the_second_answer() -> None:
    """It would only be told the same; what it asks for goes with the connection, or is done when it is known again."""
    waiting = accept(state(said(IDLE)), CONNECTION, owed("full"))
    asked = state(said(waiting, timedelta(seconds=1)))
    assert due_at(asked, NOW) == NOW + SAID_AGAIN_AFTER


def test_an_idle_one_is_not_made_to_rest() -> None:
    """It has nothing to do; its push channels alone brought the question."""
    first = said(IDLE)
    assert state(first).parked is None
    assert said(state(first), SAID_AGAIN_AFTER) == Step(None)


def test_what_was_said_long_ago_or_by_a_clock_ahead_begins_anew() -> None:
    """It may have been known in between."""
    for since in (NOW - SAID_AGAIN_WITHIN - timedelta(seconds=1), NOW + timedelta(hours=1)):
        step = said(replace(IDLE, unknown_since=rfc3339(since)))
        assert from_rfc3339(state(step).unknown_since or "") == NOW
        assert len(step.errors) == 1


def test_one_that_is_known_again_goes_on() -> None:
    """From its cursors; a later answer of that kind is a first one."""
    first = state(said(IDLE))
    assert known_again(first) == IDLE
    assert known_again(IDLE) is IDLE
    assert state(said(known_again(first), SAID_AGAIN_AFTER)).corpora
