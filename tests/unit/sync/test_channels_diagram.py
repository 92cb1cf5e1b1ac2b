"""The page for operators shows the table that the worker goes by."""

from pathlib import Path
from typing import get_args

from google_drive_worker.channels_diagram import PAGE, drawn
from google_drive_worker.sync.channels import TRANSITIONS, Event
from google_drive_worker.sync.checkpoint import ChannelState

ROOT = Path(__file__).parents[3]


def test_the_page_shows_the_table_as_it_is() -> None:
    """`python -m google_drive_worker.channels_diagram` brings it up to date."""
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert drawn(page) == page
    assert page.count("stateDiagram-v2") == 1


def test_every_state_can_be_left_and_ends_when_the_channel_expires() -> None:
    """So nothing is remembered for ever, and every event that there is leads somewhere."""
    assert {row.before for row in TRANSITIONS if row.event == "expired" and row.after is None} == set(
        get_args(ChannelState)
    )
    assert {row.event for row in TRANSITIONS} == set(get_args(Event))
    assert len({(row.before, row.event) for row in TRANSITIONS}) == len(TRANSITIONS)
