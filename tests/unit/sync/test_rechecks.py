"""What is asked for again by itself: what lists may leave out or show late, and what no log tells."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import ItemEntry
from google_drive_worker.domain.times import from_rfc3339, rfc3339
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import (
    NO_CORPUS,
    Changed,
    Checkpoint,
    Relisting,
    Removal,
    Scope,
    Unseen,
    Verification,
    Walk,
)
from google_drive_worker.sync.engine import begin, complete, due_at, on_answer
from google_drive_worker.sync.gap_retries import GAP_RESTS
from google_drive_worker.sync.plan import ListDrives, ListFiles, LookUpRemoved, ReadDetails, WalkFolder, plan
from google_drive_worker.sync.rechecks import (
    LIST_UNITS,
    LOOK_UP_UNITS,
    ROUND_AT_LEAST,
    SLICE_UNITS,
    WALKS_AT_MOST,
    Rechecks,
    postpone_rechecks,
)
from google_drive_worker.sync.step import with_corpus, with_sync
from support.dict_index import DictIndex
from support.syncs import CUSTOMER, NOW, D, corpus, file, files_page, owed, state, sync_of, syncing, written

AGAIN = Rechecks(relist_after_s=(60.0, 600.0))
A_WHILE = timedelta(seconds=60)


def ended(checkpoint: Checkpoint, now: datetime = NOW, rechecks: Rechecks = AGAIN) -> Checkpoint:
    """The checkpoint after its sync, which has nothing left to fetch."""
    return state(complete(checkpoint, now, transformer, GAP_RESTS, rechecks))


def begun(checkpoint: Checkpoint, now: datetime, scope: Scope | None = None) -> Checkpoint:
    """The checkpoint with the sync that is due."""
    return state(begin(checkpoint, CUSTOMER, scope or checkpoint.scope, now, 7, transformer))


def full_sync() -> Checkpoint:
    """A full sync of the user's files and a drive, of which nothing is left but its end."""
    before = with_corpus(syncing("full", user=corpus("done")), D, corpus("done"))
    return with_sync(before, replace(sync_of(before), unseen=Unseen(is_done=True)))


def resting(**fields: object) -> Checkpoint:
    """A connection between two syncs."""
    return replace(full_sync(), sync=None, **fields)


def test_what_a_full_sync_listed_is_listed_again_once_for_each_wait() -> None:
    """In incremental syncs of their own, which read the log of what they list, and no other."""
    after = ended(full_sync())
    first = rfc3339(NOW + A_WHILE)
    assert after.relistings == (Relisting("user", due_at=first), Relisting(D, due_at=first))
    assert due_at(after, NOW) == NOW + A_WHILE
    again = begun(after, NOW + A_WHILE)
    assert sync_of(again).kind == "incremental"
    assert [type(each) for each in plan(again)] == [ListDrives, ListFiles]  # the user's files come after the drives
    assert {name: each.stage for name, each in again.corpora.items()} == {"user": "listing", D: "listing"}
    assert again.relistings == (Relisting("user", times=1), Relisting(D, times=1))
    quiet = replace(again, corpora=dict.fromkeys(("user", D), corpus("done")))
    second = ended(quiet, NOW + A_WHILE)
    later = NOW + A_WHILE + timedelta(seconds=600)
    assert [each.due_at for each in second.relistings] == [rfc3339(later)] * 2
    third = begun(second, later)
    over = ended(replace(third, corpora=dict.fromkeys(("user", D), corpus("done"))), later)
    assert (over.relistings, due_at(over, later)) == ((), None)


def test_what_is_listed_again_writes_only_what_is_new() -> None:
    """Never an older version, and no delete."""
    before = with_corpus(syncing("incremental", user=corpus("listing")), D, corpus("done"))
    before = replace(before, relistings=(Relisting("user", times=1),))
    index = DictIndex({FileId("a"): ItemEntry(version=8), FileId("gone"): ItemEntry(version=3)})
    page = files_page(file("a", version="7"), file("b", version="1"))
    step = on_answer(before, ListFiles("user", None), page, transformer, index)
    assert written(step) == ["upsert file b"]
    assert state(step).relistings == before.relistings


def test_a_joined_drive_is_listed_again() -> None:
    """Its listing may be of before it was joined."""
    before = with_corpus(syncing("incremental", user=corpus("done")), D, corpus("listing"))
    assert state(on_answer(before, ListFiles(D, None), files_page(), transformer)).relistings == (Relisting(D),)
    full = with_corpus(syncing("full", user=corpus("done")), D, corpus("listing"))
    assert state(on_answer(full, ListFiles(D, None), files_page(), transformer)).relistings == ()


def walked(before: Checkpoint, *walks: Walk) -> Checkpoint:
    """The checkpoint after the walks of folders that have nothing in them."""
    for walk in walks:
        at = with_sync(before, replace(sync_of(before), walks=(walk,)))
        before = state(on_answer(at, WalkFolder(walk), files_page(), transformer))
    return before


def test_a_folder_that_was_walked_is_walked_again() -> None:
    """From the folder that the log named, and all that is below it; one in the trash is not."""
    walks = Walk(FileId("f")), Walk(FileId("below"), depth=1), Walk(FileId("trashed"), trashed=True)
    after = walked(syncing("incremental", user=corpus("done")), *walks)
    assert after.relistings == (Relisting("user", Walk(FileId("f"))),)
    again = begun(ended(after), NOW + A_WHILE)
    assert plan(again) == [WalkFolder(Walk(FileId("f")))]
    assert walked(again, Walk(FileId("f"))).relistings == (Relisting("user", Walk(FileId("f")), times=1),)


def test_many_walked_folders_are_one_listing() -> None:
    """What is noted stays small."""
    walks = [Walk(FileId(f"f{number}")) for number in range(WALKS_AT_MOST + 1)]
    after = walked(syncing("incremental", user=corpus("done")), *walks)
    assert after.relistings == (Relisting("user"),)


def test_a_full_sync_takes_the_place_of_what_was_to_be_listed_again() -> None:
    """It lists everything."""
    before = resting(relistings=(Relisting("user", due_at=rfc3339(NOW)),), owed=owed("full"))
    assert begun(before, NOW).relistings == ()


def test_items_are_verified_in_rounds_within_a_budget() -> None:
    """By their ids, with their comments; the next slice comes when the units of the last one are earned again."""
    scope = Scope(sync_comments=True)
    rechecks = Rechecks(verify_units_per_s=10.0)
    files = [FileId(f"f{number:03}") for number in range(40)]
    index = DictIndex(dict.fromkeys(files, ItemEntry(corpus="user", has_comments=True, comments=False, head="h")))
    index.entries[FileId("folder")] = ItemEntry(is_folder=True, corpus="user")
    index.entries[FileId("gone")] = ItemEntry(gone_at=rfc3339(NOW))
    index.entries[FileId(D)] = ItemEntry(is_folder=True, corpus=D)
    first = ended(replace(full_sync(), scope=scope), rechecks=rechecks)
    assert first.verification == Verification(began_at=rfc3339(NOW), due_at=rfc3339(NOW + ROUND_AT_LEAST))
    now = NOW + ROUND_AT_LEAST
    going = begun(first, now)
    asked: list[str] = []
    commented: list[str] = []
    for expected in (29, 12):
        taken = state(complete(going, now, transformer, GAP_RESTS, rechecks, index))
        sync = sync_of(taken)
        assert [replace(each, file_id=FileId("")) for each in sync.removals] == [
            Removal(FileId(""), NO_CORPUS, unseen=True)
        ] * expected
        assert plan(taken) == [LookUpRemoved(tuple(each.file_id for each in sync.removals))]
        asked += [each.file_id for each in sync.removals]
        commented += [each.file_id for each in sync.changed]
        assert all(each == Changed(each.file_id, comments=True, head="h") for each in sync.changed)
        spent = LOOK_UP_UNITS * len(sync.removals) + LIST_UNITS * len(sync.changed)
        assert spent < SLICE_UNITS + LOOK_UP_UNITS + LIST_UNITS
        read = with_sync(taken, replace(sync, removals=(), changed=()))
        assert plan(with_sync(taken, replace(sync, removals=()))) == [ReadDetails(sync.changed)]
        rested = ended(read, now, rechecks)
        assert rested.verification is not None
        assert rested.verification.units == spent
        if rested.verification.after is not None:
            assert rested.verification.due_at == rfc3339(now + timedelta(seconds=spent / 10))
            now = from_rfc3339(rested.verification.due_at or "")
            going = begun(rested, now)
    assert asked == sorted([*files, FileId("folder")])
    assert commented == files
    assert rested.verification is not None
    assert rested.verification.rounds == 1
    assert rested.verification.due_at == rfc3339(NOW + 2 * ROUND_AT_LEAST)


def test_without_a_budget_nothing_is_verified() -> None:
    """A budget that is taken away ends the rounds."""
    assert ended(full_sync()).verification is None
    before = replace(full_sync(), verification=Verification(began_at=rfc3339(NOW), due_at=rfc3339(NOW)))
    assert ended(before).verification is None


def test_it_waits_while_the_connection_is_not_active() -> None:
    """What is not due stays as it is."""
    soon, later = rfc3339(NOW), rfc3339(NOW + timedelta(hours=3))
    before = resting(
        relistings=(Relisting("user", due_at=soon), Relisting(D, due_at=later)),
        verification=Verification(began_at=soon, due_at=soon),
    )
    after = postpone_rechecks(before, NOW)
    assert after.relistings[1] == before.relistings[1]
    assert due_at(after, NOW) == NOW + timedelta(hours=1)
    assert postpone_rechecks(after, NOW) is after


def test_another_customers_connection_takes_nothing_over() -> None:
    """What was listed was another's."""
    before = resting(relistings=(Relisting("user", due_at=rfc3339(NOW)),), owed=owed("incremental", customer="another"))
    step = begin(before, owed("incremental", customer="another").customer_id, Scope(), NOW, 7, transformer)
    assert (state(step).relistings, state(step).verification) == ((), None)
