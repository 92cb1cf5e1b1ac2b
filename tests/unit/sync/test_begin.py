"""What is owed, and how it becomes a sync."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from google_drive_worker.domain.ids import CustomerId
from google_drive_worker.domain.times import rfc3339
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Corpus, Parked, Scope, SyncKind
from google_drive_worker.sync.engine import accept, begin, complete, due_at
from google_drive_worker.sync.step import Step, owe_full
from support.syncs import CONNECTION, CUSTOMER, NOW, SYNC, corpus, owed, state, sync_of, syncing, written


def begun(checkpoint: Checkpoint, scope: Scope | None = None) -> Step:
    """The step that begins what is owed."""
    return begin(checkpoint, CUSTOMER, scope or Scope(), NOW, 7, transformer)


def idle(**changes: object) -> Checkpoint:
    """A connection that has been synced and rests, its drive D too."""
    checkpoint = Checkpoint(
        CONNECTION, CUSTOMER, corpora={USER_CORPUS: corpus("done"), "drive-d": corpus("done")}, last_sync_id=SYNC
    )
    return replace(checkpoint, **changes)


@pytest.mark.parametrize(
    ("before", "comes", "after"),
    [("incremental", "incremental", "incremental"), ("full", "incremental", "full"), ("incremental", "full", "full")],
)
def test_triggers_that_wait_become_one_and_full_wins(before: SyncKind, comes: SyncKind, after: SyncKind) -> None:
    """However many triggers come, one sync is owed, a full one if any asked for it."""
    accepted = accept(accept(None, CONNECTION, owed(before)), CONNECTION, owed(comes))
    assert accepted.owed is not None
    assert accepted.owed.kind == after


def test_a_full_sync_asked_for_during_one_is_that_one() -> None:
    """Only the changes since are owed after it."""
    accepted = accept(syncing("full"), CONNECTION, owed("full"))
    assert accepted.owed is not None
    assert accepted.owed.kind == "incremental"


def test_a_full_sync_asked_for_during_an_incremental_one_follows() -> None:
    """The running one enumerates nothing."""
    accepted = accept(syncing("incremental"), CONNECTION, owed("full"))
    assert accepted.owed is not None
    assert accepted.owed.kind == "full"


def test_another_customers_trigger_is_not_mixed_with_the_one_before() -> None:
    """What another customer asked for says nothing about this one's."""
    accepted = accept(accept(None, CONNECTION, owed("full", customer="other")), CONNECTION, owed("incremental"))
    assert accepted.owed == owed("incremental")


def test_a_trigger_wakes_what_rests_until_somebody_acts() -> None:
    """It is tried again at once; a rest with an end is not cut short."""
    blocked = idle(parked=Parked("reauth_required", "Connect"))
    assert due_at(accept(blocked, CONNECTION, owed("incremental")), NOW) == NOW
    resting = idle(parked=Parked("unavailable", "Connect", until="2026-11-23T12:05:00.000Z"))
    assert due_at(accept(resting, CONNECTION, owed("incremental")), NOW) == NOW + timedelta(minutes=5)


def test_who_owes_nothing_is_never_due() -> None:
    """Nor is who is blocked."""
    assert due_at(idle(), NOW) is None
    assert due_at(idle(owed=owed("full"), parked=Parked("reauth_required", "Connect")), NOW) is None


@pytest.mark.parametrize(
    ("ahead", "rests"),
    [
        (timedelta(minutes=15), True),
        (timedelta(hours=25), True),  # until the daily reset, on the night that has an hour more
        (timedelta(hours=25, seconds=1), False),
        (timedelta(days=365), False),
    ],
)
def test_a_rest_that_a_wrong_clock_has_set_is_over(ahead: timedelta, *, rests: bool) -> None:
    """No rest is ever asked for that is longer than a day and what comes on top of it."""
    resting = idle(owed=owed("full"), parked=Parked("unavailable", "Connect", until=rfc3339(NOW + ahead)))
    assert due_at(resting, NOW) == (NOW + ahead if rests else NOW)


def test_the_workers_own_cursors_come_before_the_triggers() -> None:
    """An incremental sync goes on where every log was left."""
    step = begun(idle(owed=owed("incremental", page_token="stale")))
    assert sync_of(step).kind == "incremental"
    assert {name: each.change_token for name, each in state(step).corpora.items()} == {"user": "c1", "drive-d": "c1"}
    assert {each.stage for each in state(step).corpora.values()} == {"changes"}
    assert written(step) == []


def test_a_triggers_cursor_serves_where_the_worker_has_none() -> None:
    """The drives are listed then: the cursor says nothing of them."""
    step = begun(accept(None, CONNECTION, owed("incremental", page_token="c9")))
    assert state(step).corpora == {USER_CORPUS: Corpus("changes", state(step).corpora[USER_CORPUS].change_token)}
    assert state(step).corpora[USER_CORPUS].change_token == "c9"
    assert sync_of(step).from_trigger
    assert not sync_of(step).drives_listed


def test_without_any_cursor_an_incremental_sync_is_a_full_one() -> None:
    """It opens with its record and takes start tokens first."""
    step = begun(accept(None, CONNECTION, owed("incremental")))
    assert sync_of(step).kind == "full"
    assert [record.resource_type for record in step.records] == ["sync"]
    assert state(step).corpora == {USER_CORPUS: Corpus("start_token")}


def test_another_scope_calls_for_a_full_sync() -> None:
    """What was left out before is in no log."""
    step = begun(idle(owed=owed("incremental")), Scope(include_trashed=True))
    assert sync_of(step).kind == "full"
    assert state(step).scope.include_trashed


def test_another_customers_trigger_is_refused_and_the_cursor_kept() -> None:
    """It is reported in that customer's name, and the next good one goes on from the same cursors."""
    before = idle(owed=owed("full", customer="other"))
    step = begun(before)
    assert [(error.code, error.customer_id) for error in step.errors] == [("customer_mismatch", "other")]
    assert state(step).corpora == before.corpora
    assert state(step).owed is None
    assert state(step).sync is None


def test_another_customers_trigger_leaves_no_state_where_there_was_none() -> None:
    """A connection that was never synced under its own name is forgotten."""
    step = begun(accept(None, CONNECTION, owed("full", customer="other")))
    assert step.checkpoint is None
    assert [error.code for error in step.errors] == ["customer_mismatch"]


def test_nothing_begins_where_a_sync_runs_or_nothing_is_owed() -> None:
    """The checkpoint stays as it is."""
    for checkpoint in (idle(), replace(syncing("full"), owed=owed("full"))):
        assert begun(checkpoint) == Step(checkpoint)


def test_a_later_syncs_id_sorts_later_even_when_the_clock_went_back() -> None:
    """Consumers sweep by that order."""
    first = begun(idle(owed=owed("full")))
    earlier = begin(
        replace(state(first), sync=None, owed=owed("full")),
        CUSTOMER,
        Scope(),
        NOW - timedelta(days=1),
        0,
        transformer,
    )
    assert sync_of(earlier).sync_id > sync_of(first).sync_id


def test_a_full_sync_ends_with_its_record_and_keeps_the_cursors() -> None:
    """An incremental one ends without a record."""
    for kind, records in (("full", 1), ("incremental", 0)):
        before = syncing("full" if kind == "full" else "incremental", d=corpus("done", "c8"))
        step = complete(before, NOW, transformer)
        assert len(step.records) == records
        assert state(step).sync is None
        assert state(step).corpora == before.corpora
        assert state(step).completed_at == "2026-11-23T12:00:00.000Z"


def test_to_complete_nothing_changes_nothing() -> None:
    """Where no sync runs there is no end."""
    assert complete(idle(), NOW, transformer) == Step(idle())


def test_a_confirmed_customer_is_the_connections_own() -> None:
    """Records carry what the connection says."""
    assert state(begun(idle(owed=owed("full")))).customer_id == CustomerId("cust_123")


def test_of_two_cursors_the_older_counts() -> None:
    """The newer one leaves out what lies between: a trigger that waits is not overtaken by the next one's."""
    first = accept(None, CONNECTION, owed("incremental", page_token="100"))
    both = accept(first, CONNECTION, owed("incremental", page_token="200"))
    assert both.owed is not None
    assert both.owed.page_token == "100"


def test_a_full_sync_owed_by_ourselves_displaces_no_other_customers_wish() -> None:
    """Whose the connection is, is known when the sync begins: both are kept till then."""
    running = accept(syncing("incremental"), CONNECTION, owed("incremental", customer="cust_other"))
    after = owe_full(running)
    assert after.owed is not None
    assert (after.owed.kind, after.owed.customer_id) == ("full", CUSTOMER)
    assert [wish.customer_id for wish in after.contested] == ["cust_other"]


def test_another_customers_full_sync_is_not_the_running_one() -> None:
    """Should the connection be theirs by now, they get all of it, and no cursor of somebody else's."""
    running = accept(syncing("full"), CONNECTION, owed("full", customer="cust_other"))
    assert running.owed is not None
    assert running.owed.kind == "full"
    idle = replace(running, sync=None, owed=owed("incremental", customer="cust_other"))
    step = begin(idle, CustomerId("cust_other"), Scope(), NOW, 1, transformer)
    assert sync_of(step).kind == "full"
