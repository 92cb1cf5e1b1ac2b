"""A change log: order, collapse and positions."""

from drive_simulator.model.change_log import ChangeLog


def _targets(log: ChangeLog, position: int) -> list[str]:
    return [entry.target_id for _, entry in log.read_from(position)]


def test_entries_come_in_order_from_a_position_on() -> None:
    """What was recorded after a position was taken is read from it, oldest first."""
    log = ChangeLog(1_000)
    log.record("a", 1)
    position = log.end
    log.record("b", 2)
    log.record("c", 3)
    assert _targets(log, position) == ["b", "c"]


def test_a_newer_change_replaces_the_older_one_of_the_same_item() -> None:
    """An item has one entry, at the place of its newest change."""
    log = ChangeLog(1_000)
    for target in ("a", "b", "a"):
        log.record(target, 1)
    assert _targets(log, 1_000) == ["b", "a"]


def test_an_item_that_left_my_drive_is_still_said_to_have_left_after_later_changes() -> None:
    """A reader of My Drive alone must not miss the removal because the item changed again in its shared drive."""
    log = ChangeLog(1_000)
    log.record("a", 1)
    log.record("a", 2, from_drive=True)
    log.record("a", 3, from_drive=True)
    assert [entry.left_my_drive for _, entry in log.read_from(1_000)] == [True]


def test_only_positions_that_were_given_out_are_held() -> None:
    """A position before the beginning or behind the end belongs to no reader of this log."""
    log = ChangeLog(5_000)
    log.record("a", 1)
    assert [log.holds(position) for position in (4_999, 5_000, 5_001, 5_002)] == [False, True, True, False]
