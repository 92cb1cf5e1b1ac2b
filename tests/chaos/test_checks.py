"""The counting itself: what breaks a promise is counted, what does not is not."""

import json
from collections.abc import Sequence

import pytest

from chaos.checks import (
    Log,
    Page,
    awaited_as,
    checkpoints_off,
    from_old_owners,
    log_of,
    out_of_frame,
    recovery_s,
    redone_at_once,
    redone_in_vain,
)
from chaos.checks import repeated_pages as repeated
from chaos.run import percentile
from chaos.segments import Batch, Session, Transaction, transactions_of
from google_drive_worker.demo.mirror import MirroredData, ReceivedRecord
from google_drive_worker.domain.times import TimeRange
from support.consume import Message

OLD, NEW = Session(7, 0), Session(7, 1)
SYNC = "sync-1"


def _transaction(
    session: Session, at: int, ended: int, *, committed: bool | None = True, began_ms: int = 0
) -> Transaction:
    return Transaction(session, ((at, at),), 1, began_ms or at, committed, ended, ended)


def _record(
    name: str, kind: str = "file", status: str | None = None, counts: dict[str, int] | None = None
) -> ReceivedRecord:
    data = MirroredData(name, kind, status=status, counts=counts)
    return ReceivedRecord(f"m-{name}-{status}", "conn", kind, name, f"key-{name}", "upsert", SYNC, data)


def _message(offset: int, value: dict[str, object]) -> Message:
    return Message(0, offset, b"conn", json.dumps(value).encode(), {}, 0)


def _written(name: str) -> dict[str, object]:
    data = {"id": name, "type": "file"}
    return {
        "message_id": name,
        "integration_connection_id": "conn",
        "resource_type": "file",
        "resource_id": name,
        "idempotency_key": name,
        "operation": "upsert",
        "sync_id": SYNC,
        "data": data,
    }


def _checkpoint(files: int) -> dict[str, object]:
    sync = {"sync_id": SYNC, "kind": "full", "started_at": "2026-11-23T12:00:00Z", "counts": {"file": files}}
    return {"connection_id": "conn", "customer_id": "cust", "sync": sync}


def _log(*counts: int, data: Sequence[Transaction], state: Sequence[Transaction]) -> Log:
    """One record in each transaction's first offset of data; a checkpoint with those counts in each of state."""
    records = [_message(each.first_offset, _written(f"f{each.first_offset}")) for each in data if each.committed]
    states = [
        _message(each.first_offset, _checkpoint(n)) for each, n in zip(state, counts, strict=True) if each.committed
    ]
    return log_of(data, state, records, states)


def test_what_an_old_owner_commits_after_its_successor_began_is_counted() -> None:
    """By the marker's place, not by the records': a transaction that was open all along counts as well."""
    assert from_old_owners([_transaction(OLD, 0, 1), _transaction(NEW, 2, 3)]) == 0
    assert from_old_owners([_transaction(OLD, 0, 1), _transaction(NEW, 3, 4), _transaction(OLD, 2, 5)]) == 1
    assert (
        from_old_owners([_transaction(OLD, 0, 1), _transaction(NEW, 3, 4), _transaction(OLD, 2, 5, committed=False)])
        == 0
    )


def test_what_is_committed_after_the_group_has_given_the_partition_away_is_counted() -> None:
    """Though the new owner has not begun: the moment is told from outside."""
    transactions = [_transaction(OLD, 100, 200), _transaction(NEW, 400, 500)]
    assert from_old_owners(transactions, [150]) == 1
    assert from_old_owners(transactions, [300]) == 0


def test_a_checkpoint_ahead_of_the_records_is_counted() -> None:
    """Within a session, by the sums that the transactions reach; at its end, by what was left behind."""
    two = [_transaction(OLD, 0, 1), _transaction(OLD, 2, 3)]
    assert checkpoints_off(_log(1, 2, data=two, state=two)) == 0
    assert checkpoints_off(_log(1, 3, data=two, state=two)) > 0
    assert checkpoints_off(_log(2, 2, data=[two[0]], state=two)) > 0
    aborted = [two[0], _transaction(OLD, 2, 3, committed=False)]
    assert checkpoints_off(_log(1, 2, data=aborted, state=two)) > 0
    assert checkpoints_off(_log(1, 2, data=aborted, state=aborted)) == 0


def test_records_outside_of_their_syncs_frame_are_counted() -> None:
    """Nothing of a full sync comes before it opens, nothing after it has closed, and that counts right."""
    opening, file, closing = (
        _record("s", "sync", "started"),
        _record("a"),
        _record("s", "sync", "completed", {"file": 1}),
    )
    assert out_of_frame([opening, file, closing]) == 0
    assert out_of_frame([file, opening, closing]) == 1
    assert out_of_frame([opening, file, closing, _record("b")]) == 1
    assert out_of_frame([opening, file, _record("s", "sync", "completed", {"file": 2})]) == 1
    assert out_of_frame([opening, file]) == 0


def test_a_page_asked_for_again_is_in_vain_only_if_it_was_committed() -> None:
    """A page that a crash left uncommitted has to be asked for again."""
    first, second, other = (
        Page(ms, "u", (("orderBy", "modifiedTime desc"), ("pageToken", token)), ("a",))
        for ms, token in ((1, "t"), (9, "t"), (9, "x"))
    )
    assert repeated([first, second, other]) == [(first, second)]
    assert redone_at_once([(first, second)], [3]) == 1
    waiting, passed = (2, frozenset({("user", TimeRange(), "t")})), (5, frozenset({("user", TimeRange(), "y")}))
    awaits, awaits_not = {"u": [waiting]}, {"u": [waiting, passed]}
    assert redone_in_vain([(first, second)], {("u", "a"): 12}, awaits_not) == 0
    assert redone_in_vain([(first, second)], {("u", "a"): 5}, awaits_not) == 1
    assert redone_in_vain([(first, second)], {("u", "a"): 5}, awaits) == 0


def test_a_page_is_known_by_its_range_as_well_as_by_its_token() -> None:
    """The first page of every query has no token: its range tells it from those of other parts."""
    q = "modifiedTime >= '2020-01-01T00:00:00' and modifiedTime < '2021-01-01T00:00:00' and trashed = false"
    page = Page(1, "u", (("orderBy", "modifiedTime desc"), ("q", q)), ())
    assert awaited_as(page) == ("user", TimeRange("2020-01-01T00:00:00", "2021-01-01T00:00:00"), None)
    assert awaited_as(Page(1, "u", (("pageToken", "t"), ("q", "trashed = false")), ())) == ("user", None, "t")


def test_recovery_ends_when_every_partition_has_committed_something_new() -> None:
    """What began before the fault's end does not count, and a partition without work is not waited for."""
    logs = [
        Log([], [_transaction(OLD, 900, 1_100), _transaction(NEW, 1_200, 2_500)], {}, {}),
        Log([], [_transaction(NEW, 1_300, 4_000)], {}, {}),
        Log([], [], {}, {}),
    ]
    assert recovery_s(1_000, 9_000, logs) == pytest.approx(3.0)
    assert recovery_s(5_000, 9_000, logs) is None


def test_a_marker_ends_the_transaction_of_its_producer() -> None:
    """Two producers' batches may stand between one another; a batch without a marker is still open."""

    def batch(offset: int, producer: int, *, commits: bool | None = None) -> Batch:
        return Batch(offset, offset, Session(producer, 0), 1, offset, transactional=True, commits=commits)

    found = transactions_of(
        iter([batch(0, 1), batch(1, 2), batch(2, 2, commits=True), batch(3, 1, commits=False), batch(4, 2)])
    )
    assert [(each.session.producer_id, each.first_offset, each.committed) for each in found] == [
        (2, 1, True),
        (1, 0, False),
        (2, 4, None),
    ]


def test_percentiles_are_values_that_occurred() -> None:
    """The 99th of ten is the greatest, the 50th the fifth."""
    assert percentile([float(n) for n in range(1, 11)], 0.99) == 10
    assert percentile([float(n) for n in range(1, 11)], 0.5) == 5
