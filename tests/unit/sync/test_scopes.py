"""What the engine makes of items in and out of a restricted scope."""

from collections.abc import Mapping
from typing import cast

import pytest
from msgspec.structs import replace

from google_drive_worker.domain.drive import DriveFile
from google_drive_worker.domain.ids import FileId, PageToken
from google_drive_worker.domain.item_entry import ItemEntry
from google_drive_worker.domain.sharing import Permission, set_of
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import (
    USER_CORPUS,
    Changed,
    Checkpoint,
    Corpus,
    Gap,
    Pass,
    Removal,
    Scope,
    SyncKind,
    Walk,
)
from google_drive_worker.sync.content import Contents
from google_drive_worker.sync.engine import Answer, complete, on_answer
from google_drive_worker.sync.items import ItemsAnswer, Places, Shared
from google_drive_worker.sync.passes import QUEUED_AT_MOST
from google_drive_worker.sync.plan import (
    Action,
    ListFiles,
    LookUpRemoved,
    ReadChanges,
    ReadContent,
    ReadMembers,
    TakeStartToken,
    WalkFolder,
    plan,
)
from google_drive_worker.sync.step import Step, with_corpus, with_sync
from google_drive_worker.utils.errors import NotFound
from support.dict_index import DictIndex
from support.syncs import (
    NOW,
    D,
    E,
    changed,
    changes_page,
    corpus,
    drive_change,
    file,
    files_page,
    folder,
    ids,
    in_drive,
    read,
    state,
    sync_of,
    syncing,
    written,
)

ROOT = FileId("chosen")
CHOSEN = Scope(folder_ids=(ROOT,))
USERS_LOG = ReadChanges(USER_CORPUS, PageToken("c1"))


def step_of(before: Checkpoint, action: Action, answer: Answer, held: Mapping[FileId, ItemEntry] | None = None) -> Step:
    """The step that an answer comes to, of a mirror that holds those items."""
    return on_answer(before, action, answer, transformer, DictIndex(dict(held or {})))


def placed(answer: ItemsAnswer, *outside: str, roots: tuple[str, ...] = ()) -> Shared:
    """An answer with the items of it that are out of scope, and the chosen folders below these."""
    return Shared(answer, {}, 0, Places(frozenset(ids(*outside)), roots=ids(*roots)))


def following(scope: Scope = CHOSEN, **drives: Corpus) -> Checkpoint:
    """An incremental sync that reads the user's log."""
    return syncing("incremental", user=corpus("changes"), scope=scope, **drives)


def looking_up(before: Checkpoint, name: str, found: DriveFile | None) -> Step:
    """The step when a chosen folder was looked up in a full sync."""
    full = replace(sync_of(before), kind="full", removals=(Removal(FileId(name), USER_CORPUS),))
    return step_of(with_sync(before, full), LookUpRemoved(ids(name)), placed({FileId(name): found or NotFound("gone")}))


def test_a_folder_above_a_chosen_one_has_that_one_looked_up_and_walked_again() -> None:
    """It was renamed, shared or put in the trash, perhaps, and nothing else tells of what is below it."""
    step = step_of(following(), USERS_LOG, placed(changes_page(changed(folder("above"))), "above", roots=("chosen",)))
    assert written(step) == []
    assert sync_of(step).removals == (Removal(ROOT, USER_CORPUS),)


def test_what_is_found_in_a_drive_joined_just_now_waits_for_the_place_in_its_log() -> None:
    """A change between the walk and the start token would be lost."""
    step = step_of(following(), USERS_LOG, placed(changes_page(drive_change(D))))
    assert plan(state(step)) == [TakeStartToken(D)]


def test_a_chosen_folder_of_a_drive_of_others_is_mirrored_where_it_is_shared_with_the_account() -> None:
    """One that only a link opens is told of as one that can't be seen."""
    shared = looking_up(following(), ROOT, read({**in_drive(ROOT, E), **folder(ROOT), "parents": ["x"]}))
    assert written(shared) == ["upsert folder chosen"]
    assert sync_of(shared).walks == (Walk(ROOT),)
    for drive in (D, E):
        before = following(d=corpus("changes"))
        by_link = looking_up(before, ROOT, read({**in_drive(ROOT, drive), **folder(ROOT)}))
        assert written(by_link) == []
        assert [error.code for error in by_link.errors] == ["scope_not_found"]


@pytest.mark.parametrize("name", ["root", D])
def test_the_top_of_a_drive_is_walked_and_not_written(name: str) -> None:
    """No listing shows it either."""
    top = read({**folder("0A"), "id": "0A" if name == "root" else D, "driveId": None if name == "root" else D})
    before = following(Scope(folder_ids=ids(name)), d=corpus("changes"))
    step = looking_up(before, name, top)
    assert written(step) == []
    assert [walk.folder_id for walk in sync_of(step).walks] == [top.id]


def test_members_are_written_of_drives_that_are_mirrored_as_a_whole() -> None:
    """Of the others no more than the log is read."""
    members = set_of((Permission("1", "user", "organizer"), Permission("2", "user", "reader")))
    for scope, records in ((replace(CHOSEN, sync_permissions=True), 0), (Scope(sync_permissions=True), 2)):
        before = following(scope, d=corpus("changes", members_due=True))
        step = step_of(before, ReadMembers((FileId(D),)), {FileId(D): members})
        assert len(step.records) == records
        assert not state(step).corpora[D].members_due
        assert state(step).corpora[D].members is not None


def test_a_drive_that_was_not_mirrored_is_left_without_a_record() -> None:
    """Its log was read all the same, for what may be moved into a chosen folder."""
    left = changes_page(drive_change(D, left=True))
    assert written(step_of(following(d=corpus("done")), USERS_LOG, placed(left))) == []
    assert written(step_of(following(Scope(), d=corpus("done")), USERS_LOG, left)) == ["delete shared_drive drive-d"]


def test_the_users_listing_brings_nothing_of_drives_that_are_not_named() -> None:
    """Google shows in it what the account has from other people's drives."""
    page = files_page(file("a"), in_drive("x", E))
    for scope, found in ((Scope(drive_ids=("root",)), ["a"]), (Scope(), ["a", "x"])):
        before = syncing("full", user=corpus("listing"), scope=scope)
        step = step_of(before, ListFiles(USER_CORPUS, None), placed(page))
        assert written(step) == [f"upsert file {each}" for each in found]


WITH_ALL = replace(CHOSEN, sync_comments=True, sync_content=True)


def walking(scope: Scope, kind: SyncKind, **drives: Corpus) -> Checkpoint:
    """A sync that walks the chosen folder."""
    before = syncing(kind, user=corpus("changes"), scope=scope, **drives)
    return with_sync(before, replace(sync_of(before), walks=(Walk(ROOT),)))


def test_a_full_sync_that_walks_reads_what_hangs_on_files_at_its_end() -> None:
    """All of it is written again, what stayed as it was as well; an incremental sync reads nothing of such a file."""
    held = ItemEntry(has_revisions=True, has_comments=True, head="h", comments=True)
    page = placed(files_page(file("a", headRevisionId="h", parents=[ROOT])))
    scope = replace(CHOSEN, sync_revisions=True, sync_comments=True)
    for kind, read_at_end in (
        ("full", (Changed(FileId("a"), revisions=True, comments=True, head="h"),)),
        ("incremental", None),
    ):
        index = DictIndex({FileId("a"): held})
        before = walking(scope, cast("SyncKind", kind))
        step = on_answer(before, WalkFolder(Walk(ROOT)), page, transformer, index)
        assert (sync_of(step).changed, sync_of(step).walks) == ((), ())
        index.apply(step.changes)
        ended = state(complete(with_corpus(state(step), USER_CORPUS, corpus("done")), NOW, transformer, index=index))
        assert (None if ended.sync is None else ended.sync.changed) == read_at_end


@pytest.mark.parametrize("scope", [WITH_ALL, replace(WITH_ALL, folder_ids=None, drive_ids=(D,))])
def test_too_many_changed_files_are_found_in_the_index(scope: Scope) -> None:
    """A few stand in the sync, and one pass brings the others, however many more there are."""
    names = [f"f{number:03}" for number in range(QUEUED_AT_MOST + 1)]
    before = walking(scope, "incremental", d=corpus("changes"))
    page = files_page(*(file(name, parents=[ROOT]) for name in names), more="2")
    first = step_of(before, WalkFolder(Walk(ROOT)), placed(page))
    last = placed(files_page(file("g", parents=[ROOT])))
    more = step_of(state(first), WalkFolder(Walk(ROOT, page_token=PageToken("2"))), last)
    queued = ids(*names)[:QUEUED_AT_MOST]
    for step in (first, more):
        assert sync_of(step).changed == tuple(Changed(each, comments=True) for each in queued)
        assert sync_of(step).contents == queued
        assert (sync_of(step).details, sync_of(step).content) == ((Pass(),), (Pass(),))


def test_nothing_is_read_of_a_file_that_is_out_of_scope() -> None:
    """The log of a corpus tells of all that is in it, and only some chosen folders of it are mirrored."""
    page = changes_page(changed(file("in")), changed(file("out")))
    step = step_of(following(WITH_ALL), USERS_LOG, placed(page, "out"))
    assert written(step) == ["upsert file in"]
    assert sync_of(step).changed == (Changed(FileId("in"), comments=True),)
    assert sync_of(step).contents == ids("in")


def test_a_content_is_asked_for_no_more_when_its_file_is_gone_from_the_scope() -> None:
    """It could not be had before; its gap is closed, and no other."""
    gaps = tuple(Gap("contents", name, USER_CORPUS, "unavailable", "", state="tried") for name in ("gone", "other"))
    before = replace(following(WITH_ALL), gaps=gaps)
    before = with_sync(before, replace(sync_of(before), contents=ids("gone")))
    step = step_of(before, ReadContent(ids("gone")), Contents(()))
    assert [gap.id for gap in state(step).gaps] == ["other"]
