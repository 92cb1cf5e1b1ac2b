"""Shared drives that are left or lost: what of a sync goes with them, and the rest before the next full sync."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace

from google_drive_worker.domain.drive import FOLDER_MIME_TYPE
from google_drive_worker.domain.ids import DriveId, FileId
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import (
    USER_CORPUS,
    Checkpoint,
    Gap,
    Parked,
    Pass,
    Removal,
    Scope,
    Walk,
)
from google_drive_worker.sync.drives import leave_drive
from google_drive_worker.sync.engine import Answer, accept, begin, complete, due_at, on_answer
from google_drive_worker.sync.failure import on_failure
from google_drive_worker.sync.plan import (
    Action,
    ListDrives,
    ListFiles,
    LookUpDrive,
    LookUpRemoved,
    ReadChanges,
    TakeStartToken,
    WalkFolder,
    plan,
)
from google_drive_worker.sync.step import with_sync
from google_drive_worker.utils.errors import NotFound, WorkerError
from support.syncs import (
    CONNECTION,
    CUSTOMER,
    NOW,
    D,
    E,
    changed,
    changes_page,
    corpus,
    drive_change,
    drives_page,
    files_page,
    ids,
    in_drive,
    owed,
    state,
    sync_of,
    syncing,
    token,
    written,
)


def walk(drive: DriveId) -> Walk:
    """A folder of the drive that is to be walked."""
    return Walk(FileId(f"folder in {drive}"), drive)


def busy() -> Checkpoint:
    """A full sync with everything under way that belongs to a drive, in two drives."""
    before = syncing("full", user=corpus("done"), d=corpus("done"), e=corpus("done"))
    return with_sync(
        before,
        replace(
            sync_of(before),
            walks=(walk(D), walk(E)),
            removals=(Removal(FileId("x"), D), Removal(FileId("y"), E)),
            details=(Pass(is_whole=True, corpus=D), Pass(is_whole=True, corpus=E)),
            content=(Pass(is_whole=True, corpus=D), Pass(is_whole=True, corpus=E)),
        ),
    )


def left() -> Checkpoint:
    """The same after one of the drives was left."""
    return leave_drive(busy(), D, transformer)[0]


@pytest.mark.parametrize("field", ["walks", "removals", "details", "content"])
def test_nothing_that_is_left_to_do_is_of_a_drive_that_was_left(field: str) -> None:
    """What is of the other drive stays, in its place."""
    before = getattr(sync_of(busy()), field)
    assert getattr(sync_of(left()), field) == before[1:]


def test_what_is_planned_after_a_drive_was_left_is_not_of_it() -> None:
    """Whatever comes first: the plan is followed to its end."""
    checkpoint = left()
    for done in ({}, {"removals": (), "walks": ()}):
        checkpoint = with_sync(checkpoint, replace(sync_of(checkpoint), **done))
        assert not [action for action in plan(checkpoint) if D in repr(action)]


def test_what_was_judged_before_a_drive_was_left_is_judged_again() -> None:
    """An item of it that is shared by name is the user's own now: with other permissions, or out of scope."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("done", written=True))
    page = changes_page(drive_change(D, left=True), changed(in_drive("a", D)))
    action = ReadChanges(USER_CORPUS, token("c1"))
    step = on_answer(before, action, page, transformer)
    assert written(step) == [f"delete shared_drive {D}"]
    assert plan(state(step)) == [LookUpRemoved(ids("a"))]
    folder = changed({**in_drive("f", D), "mimeType": FOLDER_MIME_TYPE})
    walked = on_answer(before, action, changes_page(drive_change(D, left=True), folder), transformer)
    assert plan(state(walked)) == [LookUpRemoved(ids("f")), WalkFolder(Walk(FileId("f")))]
    assert state(step).corpora[USER_CORPUS].sighted > before.corpora[USER_CORPUS].sighted  # what is under way as well


def test_a_drive_that_is_listed_but_never_found_owes_no_full_sync() -> None:
    """It would be listed again, and not found again: full sync would follow upon full sync."""
    held = corpus("start_token", doubtful=True, written=True)
    gap = Gap("corpus", D, D, "not_found", "no such drive", state="tried", missing=True)
    before = replace(syncing("incremental", user=corpus("done"), d=held), gaps=(gap,))
    gone = on_failure(before, LookUpDrive(FileId(D)), NotFound("no such drive"), NOW, 0.5, transformer)
    assert (written(gone), state(gone).owed) == ([f"delete shared_drive {D}"], None)


def test_a_drive_left_before_it_was_read_has_the_users_files_listed_again_in_a_full_sync() -> None:
    """The user's listing left out what of the drive is shared by name, since the drive's own was to bring it."""
    before = syncing("full", user=corpus("changes"), d=corpus("start_token"))
    step = on_answer(
        before, ReadChanges(USER_CORPUS, token("c1")), changes_page(drive_change(D, left=True), start="c2"), transformer
    )
    assert (state(step).owed, state(step).corpora[USER_CORPUS].stage) == (None, "listing")
    assert state(step).corpora[USER_CORPUS].change_token == "c2"


@pytest.mark.parametrize(
    ("step", "rests"),
    [
        (f"ListFiles:{D}", False),
        (f"ListFiles:{D}:2026-01-01T00:00:00..", False),
        (f"ReadChanges:{D}", False),
        (f"ListFiles:{E}", True),
        ("ListDrives", True),
    ],
)
def test_a_rest_ends_with_the_drive_that_it_is_about(step: str, rests: bool) -> None:
    """What failed is not asked for any more; another rest goes on."""
    parked = Parked("unavailable", step, until="2026-11-23T13:00:00.000Z")
    after = leave_drive(replace(busy(), parked=parked), D, transformer)[0]
    assert after.parked == (parked if rests else None)


def test_a_full_sync_rests_before_another_one_for_a_drive_that_can_be_listed_but_not_read() -> None:
    """drives.list names it each time, a page of it is written, and the next one finds nothing: full sync must not
    follow upon full sync without a rest."""
    began = _full_syncs(at_most=4, within=timedelta(hours=2))
    assert began
    assert all(later - earlier >= timedelta(seconds=1) for earlier, later in pairwise(began))


def _full_syncs(*, at_most: int, within: timedelta) -> list[datetime]:
    """When full syncs began, as a worker would that sleeps whenever the connection rests."""
    now, began = NOW, list[datetime]()
    checkpoint = accept(None, CONNECTION, owed("full"))
    for _ in range(1_000):
        due = due_at(checkpoint, now)
        if due is None or len(began) == at_most or now - NOW > within:
            break
        now = max(now, due)
        actions = plan(checkpoint)
        if checkpoint.sync is None:
            step = begin(checkpoint, CUSTOMER, Scope(), now, len(began), transformer)
            began += [now] if sync_of(step).kind == "full" else []
        elif not actions:
            step = complete(checkpoint, now, transformer)
        else:
            answer = _answer(actions[0])
            if isinstance(answer, WorkerError):
                step = on_failure(checkpoint, actions[0], answer, now, 0.5, transformer)
            else:
                step = on_answer(checkpoint, actions[0], answer, transformer)
        checkpoint = state(step)
    return began


def _answer(action: Action) -> Answer | WorkerError:
    """Google's, of an account whose one shared drive has a first page and nothing else."""
    match action:
        case ListDrives():
            return drives_page(D)
        case TakeStartToken():
            return token("c1")
        case ListFiles(corpus=str(name), page_token=None) if name == D:
            return files_page(in_drive("a", D), more="p2")
        case ListFiles(corpus=name) if name == USER_CORPUS:
            return files_page()
        case ReadChanges(corpus=name) if name == USER_CORPUS:
            return changes_page()
        case _:
            return NotFound("There is no such drive.", http_status=404, reason="notFound")
