"""Events: what the logs say, entry by entry, where a connection asks for it."""

import msgspec
import pytest
from msgspec.structs import replace

from google_drive_worker.domain.drive import ChangesPage
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import Checkpoint, Pass, Scope
from google_drive_worker.sync.details import let_in
from google_drive_worker.sync.engine import begin, on_answer
from google_drive_worker.sync.plan import ReadChanges
from google_drive_worker.sync.step import Step, with_sync
from support.syncs import (
    CUSTOMER,
    NOW,
    D,
    changed,
    changes_page,
    corpus,
    drive_change,
    file,
    in_drive,
    owed,
    removed,
    state,
    sync_of,
    syncing,
    token,
    written,
)

TIME = "2026-11-20T10:00:00.000Z"
WANTED = Scope(sync_changes=True)
LOG = ReadChanges("user", token("c1"))


def at(entry: dict[str, object], time: str = TIME) -> dict[str, object]:
    """The entry with its time."""
    return {**entry, "time": time}


def answered(page: ChangesPage, scope: Scope = WANTED, log: str = "user") -> Step:
    """The step of a page of a log."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("changes"), scope=scope)
    return on_answer(before, ReadChanges(log, token("c1")), page, transformer)


def events(step: Step) -> dict[str, object]:
    """The data of the step's events, by id."""
    return {
        each.resource_id: msgspec.json.decode(msgspec.json.encode(each.data))
        for each in step.records
        if each.resource_type == "change"
    }


def test_each_entry_has_its_event_beside_what_it_comes_to() -> None:
    """In the same step, with what the entry says; an item that is gone has no more than its id."""
    shown = file("a", version="7", modifiedTime="2026-11-20T09:00:00.000Z", parents=["p"])
    step = answered(changes_page(at(changed(shown)), at(removed("b")), at(drive_change(D))))
    assert written(step)[:2] == [f"upsert change user:file:a:{TIME}", "upsert file a"]
    assert events(step) == {
        f"user:file:a:{TIME}": {
            "id": f"user:file:a:{TIME}",
            "type": "change",
            "log": "user",
            "change_type": "file",
            "changed_at": TIME,
            "removed": False,
            "file_id": "a",
            "name": "a",
            "mime_type": "text/plain",
            "version": 7,
            "modified_at": "2026-11-20T09:00:00.000Z",
            "trashed": False,
            "parents": ["p"],
        },
        f"user:file:b:{TIME}": {
            "id": f"user:file:b:{TIME}",
            "type": "change",
            "log": "user",
            "change_type": "file",
            "changed_at": TIME,
            "removed": True,
            "file_id": "b",
        },
        f"user:drive:{D}:{TIME}": {
            "id": f"user:drive:{D}:{TIME}",
            "type": "change",
            "log": "user",
            "change_type": "drive",
            "changed_at": TIME,
            "removed": False,
            "drive_id": D,
            "name": D,
        },
    }
    assert sync_of(step).counts["change"] == 3


def test_without_the_wish_there_is_none() -> None:
    """The upserts and deletes are the same with it and without."""
    page = changes_page(at(changed(file("a"))), at(removed("b")))
    without = answered(page, Scope())
    assert not events(without)
    assert written(without) == [each for each in written(answered(page)) if " change " not in each]


def test_an_event_has_one_id_however_often_its_entry_is_read() -> None:
    """By itself, behind another one, in a page that begins earlier; another log's entry is another event."""
    alone = answered(changes_page(at(changed(file("a")))))
    behind = answered(changes_page(at(removed("b"), "2026-11-19T10:00:00.000Z"), at(changed(file("a")))))
    (own,) = events(alone)
    assert own in events(behind)
    item = at(changed(in_drive("a", D)))
    assert not events(answered(changes_page(item))).keys() & events(answered(changes_page(item), log=D)).keys()


def test_a_later_change_of_the_same_item_is_another_event() -> None:
    """Also of a shared drive and its folder on top, which have one id."""
    page = changes_page(at(changed(file("a"))), at(changed(file("a")), "2026-11-20T10:00:00.001Z"))
    assert len(events(answered(page))) == 2
    assert len(events(answered(changes_page(at(drive_change(D)), at(changed(in_drive(D, D))))))) == 2


def test_entries_without_a_time_are_told_apart_by_their_place() -> None:
    """Google's document lets it be missing."""
    step = answered(changes_page(changed(file("a")), changed(file("a")), {"changeType": "newer"}))
    assert list(events(step)) == ["user:file:a:c1.0", "user:file:a:c1.1", "user:newer:2:c1.2"]


def test_an_event_does_not_go_with_its_item() -> None:
    """A delete takes what begins with the item's id and a slash."""
    step = answered(changes_page(at(removed("a")), at(changed(file("b")))))
    assert not any("/" in each for each in events(step))


def test_shared_drives_that_are_not_mirrored_have_no_event() -> None:
    """As they have no record."""
    scope = replace(WANTED, include_shared_drives=False)
    assert not events(answered(changes_page(at(drive_change("other"))), scope))


@pytest.mark.parametrize("wish", [Scope(), WANTED])
def test_asking_for_events_needs_no_full_sync(wish: Scope) -> None:
    """What the mirror holds of the Drive is the same with them and without; it goes on from its cursors."""
    before = Checkpoint(
        syncing("full").connection_id,
        CUSTOMER,
        scope=replace(wish, sync_changes=not wish.sync_changes),
        corpora={"user": corpus("done")},
        owed=owed("incremental"),
    )
    step = begin(before, CUSTOMER, wish, NOW, 7, transformer)
    assert (sync_of(step).kind, state(step).scope) == ("incremental", wish)


def test_a_sync_that_is_let_in_before_comments_applies_the_wish() -> None:
    """Events begin with the logs that it reads."""
    before = syncing("full", user=corpus("done"), scope=Scope(sync_comments=True))
    before = with_sync(before, replace(sync_of(before), details=(Pass(is_whole=True),)))
    after = let_in(replace(before, owed=owed("incremental")), Scope(sync_comments=True, sync_changes=True))
    assert after is not None
    assert sync_of(after).details
    assert after.scope.sync_changes
