"""What answers come to: listings, logs, look-ups, walks."""

import pytest
from msgspec.structs import replace

from google_drive_worker.domain.drive import DECISIVE_RIGHTS, DriveFile, DrivesPage, SharedDrive, UnreadableItem
from google_drive_worker.domain.ids import DriveId, FileId
from google_drive_worker.domain.item_entry import ItemEntry, ItemIndex
from google_drive_worker.domain.times import TimeRange
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import (
    NO_CORPUS,
    Checkpoint,
    Corpus,
    Lost,
    Parked,
    Part,
    Removal,
    Scope,
    Stage,
    SyncKind,
    Walk,
)
from google_drive_worker.sync.drives import delete_lost
from google_drive_worker.sync.engine import CONNECTING, Answer, on_answer
from google_drive_worker.sync.failure import on_failure
from google_drive_worker.sync.item_writer import EMPTY_INDEX
from google_drive_worker.sync.plan import (
    Action,
    ListDrives,
    ListFiles,
    LookUpRemoved,
    ProveOrder,
    ReadChanges,
    TakeStartToken,
    plan,
)
from google_drive_worker.sync.plan import WalkFolder as WalkAction
from google_drive_worker.sync.step import GONE_AT_MOST, Step, with_corpus, with_sync
from google_drive_worker.utils.errors import ItemUnavailable, NotFound
from support.dict_index import holding
from support.syncs import (
    NOW,
    D,
    changed,
    changes_page,
    corpus,
    drive_change,
    drives_page,
    file,
    files_page,
    folder,
    ids,
    in_drive,
    read,
    removed,
    state,
    sync_of,
    syncing,
    token,
    written,
)


def answered(checkpoint: Checkpoint, action: Action, answer: Answer, index: ItemIndex = EMPTY_INDEX) -> Step:
    """The step of an answer."""
    return on_answer(checkpoint, action, answer, transformer, index)


def log_of(name: str = "user") -> ReadChanges:
    """The next page of a log."""
    return ReadChanges(name, token("c1"))


def renewed(step: Step) -> Checkpoint:
    """The step's checkpoint, with the user's log to be read from where it was."""
    return with_corpus(state(step), "user", corpus("changes"))


def removing(checkpoint: Checkpoint, *removals: tuple[str, str]) -> Checkpoint:
    """The checkpoint with items to look up."""
    found = tuple(Removal(FileId(name), where, told=True) for name, where in removals)
    return with_sync(checkpoint, replace(sync_of(checkpoint), removals=found))


def looked_up(checkpoint: Checkpoint, name: str, found: DriveFile | None, index: ItemIndex = EMPTY_INDEX) -> Step:
    """The step of one item looked up."""
    return answered(checkpoint, LookUpRemoved(ids(name)), {FileId(name): found or NotFound("gone")}, index)


# Listings.


def test_a_start_token_opens_its_corpus_listing() -> None:
    """The low watermark stands before the first page."""
    step = answered(syncing("full", user=corpus("start_token")), TakeStartToken("user"), token("c5"))
    assert state(step).corpora["user"] == Corpus("listing", token("c5"))


def test_a_drive_that_is_named_and_not_seen_is_reported_when_all_drives_are_listed() -> None:
    """Somebody expects it in the mirror. My Drive, by its name, is always there."""
    before = syncing("full", scope=Scope(drive_ids=("drive-e", "nowhere", "root", "drive-d")))
    before = with_sync(before, replace(sync_of(before), drives_listed=False))
    step = answered(before, ListDrives(None), drives_page("drive-d", more="p2"))
    assert step.errors == ()
    last = answered(state(step), ListDrives(token("p2")), drives_page("drive-e", "drive-f"))
    assert [(error.code, error.category, error.resource_id) for error in last.errors] == [
        ("drive_not_visible", "skipped_item", "nowhere")
    ]


def test_drives_become_corpora_page_by_page() -> None:
    """A drive that is known already keeps its place."""
    before = syncing("full", d=corpus("listing"))
    before = with_sync(before, replace(sync_of(before), drives_listed=False))
    step = answered(before, ListDrives(None), drives_page("drive-d", "drive-e", more="p2"))
    assert {name: each.stage for name, each in state(step).corpora.items()} == {
        "user": "done",
        "drive-d": "listing",
        "drive-e": "start_token",
    }
    assert not sync_of(step).drives_listed
    last = answered(state(step), ListDrives(token("p2")), drives_page())
    assert sync_of(last).drives_listed
    assert sync_of(last).counts == {"shared_drive": 2}


def test_a_triggers_cursor_gives_way_to_a_full_sync_when_there_is_a_drive() -> None:
    """What was deleted from the drive since that cursor can't be known otherwise."""
    before = syncing("incremental", user=corpus("changes"))
    before = with_sync(before, replace(sync_of(before), drives_listed=False, from_trigger=True))
    step = answered(before, ListDrives(None), drives_page("drive-d"))
    assert state(step).sync is None
    assert state(step).corpora == {}
    assert (state(step).owed or pytest.fail("nothing owed")).kind == "full"
    without = answered(before, ListDrives(None), drives_page())
    assert sync_of(without).drives_listed
    joined = answered(state(without), log_of(), changes_page(drive_change(D)))
    assert (state(joined).owed or pytest.fail("nothing owed")).kind == "full"


def test_a_short_page_is_not_the_end() -> None:
    """Only a page without a token is."""
    step = answered(syncing("full", user=corpus("listing")), ListFiles("user", None), files_page(more="p2"))
    assert [part.page_token for part in state(step).corpora["user"].parts] == ["p2"]
    assert state(step).corpora["user"].stage == "listing"


def test_a_page_is_cut_to_its_part_as_it_is_now() -> None:
    """What was split off meanwhile is for the other part to write; a file without a time is kept."""
    parts = (Part("2026-01-01T00:00:00", page_token=token("p2")), Part(None, "2026-01-01T00:00:00", None))
    before = syncing("full", user=replace(corpus("listing"), parts=parts, pages=1))
    page = files_page(
        file("newer", modifiedTime="2026-01-01T00:00:00.000Z"),
        file("older", modifiedTime="2025-12-31T23:59:59.999Z"),
        file("timeless"),
        more="p3",
    )
    step = answered(before, ListFiles("user", token("p2")), page)
    assert written(step) == ["upsert file newer", "upsert file timeless"]
    assert [part.page_token for part in state(step).corpora["user"].parts] == ["p3", None]


def test_a_long_listing_is_split_and_ends_with_its_last_part() -> None:
    """As soon as its order is proven the newest part goes on with its own query; it is through when every part is."""
    before = syncing("full", user=corpus("listing"))
    month = [file(f"f{day}", modifiedTime=f"2026-01-{day:02d}T00:00:00.000Z") for day in range(31, 0, -1)]
    begun = answered(before, ListFiles("user", None), files_page(*month, more="p2"))
    assert plan(state(begun)) == [ListFiles("user", token("p2")), ProveOrder("user")]
    times = tuple(f"2025-0{number}-01T00:00:00.000Z" for number in range(1, 10))
    few = state(answered(state(begun), ProveOrder("user"), times))
    assert (few.corpora["user"].oldest, len(few.corpora["user"].parts)) == (times[0], 1)
    step = answered(
        few, ProveOrder("user", since="2025-09-01T00:00:01"), tuple(str(f["modifiedTime"]) for f in month[::-1])
    )
    assert step.records == ()
    first, second = state(step).corpora["user"].parts
    assert (first.page_token, first.asked_since, first.until) == ("p2", None, None)
    assert (second.page_token, second.asked_since, second.until) == (None, None, first.since)
    assert state(step).corpora["user"].written
    ended = answered(state(step), ListFiles("user", token("p2")), files_page())
    assert state(ended).corpora["user"].parts == (second,)
    lower = ListFiles("user", None, modified=TimeRange(None, second.until))
    last = state(answered(state(ended), lower, files_page()))
    youngest = ListFiles("user", None, modified=TimeRange("2026-11-23T11:50:00"))
    assert plan(last) == [youngest]
    assert state(answered(last, youngest, files_page())).corpora["user"] == Corpus(
        "changes", token("c1"), written=True, fresh=True
    )


def test_the_youngest_files_are_written_once_as_they_are() -> None:
    """Asked for again at the end of a split listing; one that was edited in between is written anew."""
    parts = (Part("2026-01-01T00:00:00", page_token=token("p2")), Part(None, "2026-01-01T00:00:00", None))
    before = syncing("full", user=replace(corpus("listing"), parts=parts, pages=3, youngest="again"))
    time = "2026-11-23T11:59:00.000Z"
    same, edited, older = (file(name, modifiedTime=time) for name in "abc")
    older["modifiedTime"] = "2026-11-01T00:00:00.000Z"
    step = answered(before, ListFiles("user", token("p2")), files_page(same, edited, older))
    assert state(step).corpora["user"].recent == {"a": time, "b": time}
    lower = ListFiles("user", None, modified=TimeRange(None, "2026-01-01T00:00:00"))
    last = answered(state(step), lower, files_page())
    page = files_page(same, file("b", modifiedTime="2026-11-23T11:59:59.000Z"), file("missed", modifiedTime=time))
    youngest = ListFiles("user", None, modified=TimeRange("2026-11-23T11:50:00"))
    assert written(answered(state(last), youngest, page)) == ["upsert file b", "upsert file missed"]


def test_an_unreadable_item_is_reported_by_the_part_that_it_is_in() -> None:
    """A page that reaches below its part's limit tells of it as little as of the others there."""
    parts = (Part("2026-01-01T00:00:00", page_token=token("p2")), Part(None, "2026-01-01T00:00:00", None))
    before = syncing("full", user=replace(corpus("listing"), parts=parts, pages=1))
    bad = [
        file(each, mimeType=7, modifiedTime=f"{year}-06-01T00:00:00.000Z") for each, year in (("a", 2026), ("b", 2025))
    ]
    step = answered(before, ListFiles("user", token("p2")), files_page(*bad, file("c", mimeType=7), more="p3"))
    assert [error.resource_id for error in step.errors] == ["a", "c"]
    lower = ListFiles("user", None, modified=TimeRange(None, "2026-01-01T00:00:00"))
    assert [error.resource_id for error in answered(state(step), lower, files_page(*bad[1:])).errors] == ["b"]


def test_a_listing_from_before_there_were_parts_goes_on_as_it_was_asked() -> None:
    """Its token belongs to a query without order and range."""
    before = syncing("full", user=Corpus("listing", token("c1"), token("p7")))
    action = ListFiles("user", token("p7"), modified=None)
    assert plan(before) == [action]
    month = [file(f"f{day}", modifiedTime=f"2026-01-{day:02d}T00:00:00.000Z") for day in range(31, 0, -1)]
    step = answered(before, action, files_page(*month, more="p8"))
    assert len(written(step)) == 31
    assert plan(state(step)) == [ListFiles("user", token("p8"), modified=None)]


def test_the_end_of_a_listing_opens_every_log_again_in_a_full_sync() -> None:
    """An item may have moved to a corpus whose log had been read by then. An incremental sync has no need to."""
    for kind, stage in (("full", "changes"), ("incremental", "done")):
        before = syncing("full" if kind == "full" else "incremental", d=corpus("listing"))
        step = answered(before, ListFiles("drive-d", None), files_page(in_drive("a", D)))
        assert state(step).corpora["drive-d"].stage == "changes"
        assert state(step).corpora["user"].stage == stage


def test_each_listing_speaks_for_its_own_items() -> None:
    """The user's leaves to a drive what is in it, and has what is shared out of drives that are none of ours."""
    before = syncing("full", user=corpus("listing"), d=corpus("listing"))
    page = files_page(file("mine"), in_drive("theirs", D), in_drive("foreign", "drive-x"))
    assert written(answered(before, ListFiles("user", None), page)) == ["upsert file mine", "upsert file foreign"]
    assert written(answered(before, ListFiles("drive-d", None), page)) == ["upsert file theirs"]


def test_trash_is_listed_only_where_it_is_wanted() -> None:
    """`include_trashed` decides."""
    page = files_page(file("binned", trashed=True))
    for wanted, records in ((False, []), (True, ["upsert file binned"])):
        before = syncing("full", user=corpus("listing"), scope=Scope(include_trashed=wanted))
        assert written(answered(before, ListFiles("user", None, wanted), page)) == records


def test_an_unreadable_item_is_reported_and_the_others_written() -> None:
    """One bad item spoils no page."""
    page = files_page({"id": "bad", "mimeType": 7}, file("good"))
    step = answered(syncing("full", user=corpus("listing")), ListFiles("user", None), page)
    assert written(step) == ["upsert file good"]
    assert [(error.code, error.resource_id) for error in step.errors] == [("unreadable_item", "bad")]


def test_an_incomplete_search_is_reported() -> None:
    """Google says that it left something out."""
    step = answered(syncing("full", user=corpus("listing")), ListFiles("user", None), files_page(incomplete=True))
    assert [error.code for error in step.errors] == ["incomplete_search"]


# Logs.


def test_a_log_goes_on_at_its_page_token_and_ends_at_the_new_start() -> None:
    """The cursor moves with the records of its page, never before."""
    before = syncing("incremental", user=corpus("changes"))
    first = answered(before, log_of(), changes_page(more="c1b"))
    user = state(first).corpora["user"]
    assert (user.stage, user.change_token) == ("changes", token("c1b"))
    last = answered(state(first), ReadChanges("user", token("c1b")), changes_page(start="c2"))
    user = state(last).corpora["user"]
    assert (user.stage, user.change_token) == ("done", token("c2"))


def test_a_change_is_an_upsert_and_trash_a_delete_of_its_kind() -> None:
    """What nobody wants in the mirror is deleted from it."""
    page = changes_page(
        changed(file("a")), changed(file("b", trashed=True)), changed(folder("f", trashed=True)), start="c2"
    )
    index = holding("b", folders=["f"])
    step = answered(syncing("incremental", user=corpus("changes")), log_of(), page, index)
    assert written(step) == ["upsert file a", "delete file b", "delete folder f"]


def test_every_changed_folder_is_walked_once() -> None:
    """Trash, sharing and place reach all of it, and the log names the folder alone; a second change begins anew."""
    before = syncing("incremental", user=corpus("changes"))
    step = answered(before, log_of(), changes_page(changed(folder("f")), changed(folder("f", trashed=True))))
    assert sync_of(step).walks == (Walk(FileId("f"), None, trashed=True),)


def test_a_removal_is_a_delete_where_there_is_one_corpus() -> None:
    """The entry holds the id alone, and the item can be nowhere else. What is not held costs nothing."""
    page = changes_page(removed("x"), removed("g"), removed("never-held"))
    step = answered(syncing("incremental", user=corpus("changes")), log_of(), page, holding("x", folders=["g"]))
    assert written(step) == ["delete file x", "delete folder g"]


def test_a_removal_is_a_delete_of_both_kinds_where_it_is_not_known_what_is_held() -> None:
    """As after going on from a trigger's cursor."""
    before = replace(syncing("incremental", user=corpus("changes")), in_doubt=True)
    step = answered(before, log_of(), changes_page(removed("x")))
    assert written(step) == ["delete file x", "delete folder x"]


def test_a_removal_is_looked_up_where_there_are_drives() -> None:
    """It may have moved to another corpus of ours."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("done"))
    step = answered(before, log_of(), changes_page(removed("x")), holding("x"))
    assert written(step) == []
    assert sync_of(step).removals == (Removal(FileId("x"), "user", told=True),)


def test_the_users_log_leaves_a_drives_items_to_its_own_log() -> None:
    """Else each would be written twice. Where a folder above one is not for the account to see, it may have come with
    that folder, and the drive's log tell of neither."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("changes"))
    assert written(answered(before, log_of(), changes_page(changed(in_drive("a", D, parents=[D]))))) == []
    assert written(answered(before, log_of(), changes_page(changed(in_drive("a", D))))) == ["upsert file a"]


def test_the_users_log_speaks_for_a_drive_that_was_joined_just_now() -> None:
    """What an item went through before is in no log of the drive's to be read, and trash is in no listing."""
    before = syncing("incremental", user=corpus("changes"))
    page = changes_page(drive_change(D), changed(in_drive("a", D, trashed=True)))
    step = answered(before, log_of(), page, holding("a"))
    assert written(step) == ["upsert shared_drive drive-d", "delete file a"]
    assert state(step).corpora["drive-d"] == Corpus(
        "start_token", written=True, joined=True, drive_digest=SharedDrive(DriveId(D), D).digest
    )


def test_an_item_out_of_scope_is_deleted() -> None:
    """It moved to a drive, and drives are not mirrored."""
    before = syncing("incremental", user=corpus("changes"), scope=Scope(include_shared_drives=False))
    assert "delete file a" in written(answered(before, log_of(), changes_page(changed(in_drive("a", D))), holding("a")))


def test_entries_about_drives_count_only_where_drives_do() -> None:
    """Without shared drives in scope none is joined."""
    before = syncing("incremental", user=corpus("changes"), scope=Scope(include_shared_drives=False))
    step = answered(before, log_of(), changes_page(drive_change(D)))
    assert written(step) == []
    assert "drive-d" not in state(step).corpora


@pytest.mark.parametrize("left", [corpus("start_token"), corpus("listing", written=True), corpus("done")])
def test_what_a_left_drive_held_is_deleted_by_the_index_and_what_is_shared_by_name_is_looked_up(left: Corpus) -> None:
    """No full sync is owed. What has permissions of its own, or is below such a folder, may still be seen."""
    before = syncing("incremental", user=corpus("changes"), d=left)
    walk = Walk(FileId("f"), DriveId("drive-d"))
    before = with_sync(before, replace(sync_of(before), walks=(walk,), removals=(Removal(FileId("x"), D),)))
    step = answered(before, log_of(), changes_page(drive_change(D, left=True)))
    assert written(step) == ["delete shared_drive drive-d"]
    assert "drive-d" not in state(step).corpora
    assert (sync_of(step).walks, state(step).owed, state(step).lost) == ((), None, (Lost("drive-d"),))
    index = holding(
        "mine",
        top=ItemEntry(is_folder=True, corpus=D),
        inside=ItemEntry(corpus=D, parent_id=FileId("top")),
        shared=ItemEntry(is_folder=True, corpus=D, parent_id=FileId("top"), has_own_permissions=True),
        within=ItemEntry(corpus=D, parent_id=FileId("shared")),
        gone=ItemEntry(corpus=D, gone_at="2026-01-01T00:00:00.000Z"),
    )
    swept = delete_lost(state(step), index, transformer)
    assert sorted(written(swept)) == ["delete file inside", "delete folder top"]
    asked = [(each.file_id, each.corpus, each.told) for each in sync_of(swept).removals]
    assert asked == [("shared", "drive-d", True), ("within", "drive-d", True)]
    index.apply(swept.changes)
    assert state(delete_lost(state(swept), index, transformer)).lost == ()


def test_a_drive_that_was_left_owes_a_full_sync_where_it_is_not_known_what_is_held() -> None:
    """As after going on from a trigger's cursor: only a consumer's sweep takes away what nobody knows of."""
    before = replace(syncing("incremental", user=corpus("changes")), in_doubt=True)
    step = answered(before, log_of(), changes_page(drive_change(D, left=True)))
    assert (state(step).owed or pytest.fail("nothing owed")).kind == "full"


@pytest.mark.parametrize("kind", ["full", "incremental"])
@pytest.mark.parametrize("right", DECISIVE_RIGHTS)
def test_another_standing_in_a_drive_owes_a_full_sync(kind: SyncKind, right: str) -> None:
    """Folders with limited access open or close, revisions and comments come or go, and no log is sure to say so."""
    before = syncing(kind, user=corpus("changes"), d=replace(corpus("done"), written=True))
    first = answered(before, log_of(), changes_page(drive_change(D, rights=(right,))))
    assert (state(first).owed, state(first).corpora[D].rights) == (None, (right,))
    silent = answered(renewed(first), log_of(), changes_page(drive_change(D)))
    assert (state(silent).owed, state(silent).corpora[D].rights) == (None, (right,))
    same = answered(renewed(silent), log_of(), changes_page(drive_change(D, rights=(right, "canRename"))))
    assert state(same).owed is None
    for rights in ((), DECISIVE_RIGHTS):
        after = answered(renewed(same), log_of(), changes_page(drive_change(D, rights=rights)))
        assert (state(after).owed or pytest.fail("nothing owed")).kind == "full"
        assert state(after).corpora[D].rights == rights


def test_a_drive_that_can_not_be_read_is_reported_and_the_others_go_on() -> None:
    """Without an id too; the list goes on at its token."""
    before = syncing("full", user=corpus("changes"))
    before = with_sync(before, replace(sync_of(before), drives_listed=False))
    odd = (UnreadableItem(None, "no id"), UnreadableItem("bad", "odd"))
    page = DrivesPage((odd[0], SharedDrive(DriveId(D), D), odd[1]), token("two"))
    step = answered(before, ListDrives(None), page)
    assert written(step) == [f"upsert shared_drive {D}"]
    reports = [(each.code, each.resource_type, each.resource_id) for each in step.errors]
    assert reports == [("unreadable_item", "shared_drive", None), ("unreadable_item", "shared_drive", "bad")]
    assert sync_of(step).drives_token == "two"


def test_the_standing_in_a_drive_is_known_from_its_listing_on() -> None:
    """Also where the drive is listed once more."""
    before = syncing("full", user=corpus("changes"))
    before = with_sync(before, replace(sync_of(before), drives_listed=False))
    drive = SharedDrive(DriveId(D), D, capabilities={"canManageMembers": True, "canComment": False})
    known = answered(before, ListDrives(None), DrivesPage((drive,)))
    listed = answered(state(known), TakeStartToken(D), token("c5"))
    assert state(listed).corpora[D] == Corpus(
        "listing", token("c5"), rights=("canManageMembers",), drive_digest=drive.digest
    )


def test_a_drive_that_is_told_of_and_has_not_changed_was_left_and_joined_again() -> None:
    """What went out of sight meanwhile is in no log: a full sync is owed. A drive that has another name was renamed."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("done"))
    known = state(answered(before, log_of(), changes_page(drive_change(D))))
    again = answered(with_corpus(known, "user", corpus("changes")), log_of(), changes_page(drive_change(D)))
    assert (known.owed, (state(again).owed or pytest.fail("nothing owed")).kind) == (None, "full")
    own = answered(with_corpus(known, D, corpus("changes")), ReadChanges(D, token("c1")), changes_page(drive_change(D)))
    assert state(own).owed is None  # the drive's log tells the same
    renamed = changes_page({**drive_change(D), "drive": {"id": D, "name": "another"}})
    assert state(answered(with_corpus(known, "user", corpus("changes")), log_of(), renamed)).owed is None


def test_a_drive_left_and_joined_again_takes_no_answer_from_before() -> None:
    """Its start token is yet to be taken: an old page would open a log without a place to read from."""
    asked = syncing("incremental", d=corpus("listing", listing="p2"))
    rejoined = with_corpus(asked, "drive-d", Corpus("start_token"))
    step = answered(rejoined, ListFiles("drive-d", token("p2")), files_page(in_drive("a", D)))
    assert step == Step(rejoined)


def test_a_drive_joined_in_the_log_and_left_unread_is_looked_for_in_the_index() -> None:
    """A walk begun before its entry may have written what only a member sees. A later full sync can't repeat it."""
    before = syncing("incremental", user=corpus("changes"))
    page = changes_page(changed(folder("f", driveId=D, ownedByMe=False)), drive_change(D), more="c1b")
    joined = state(answered(before, log_of(), page))
    step = answered(joined, ReadChanges("user", token("c1b")), changes_page(drive_change(D, left=True)))
    assert state(step).lost == (Lost("drive-d"),)


# Look-ups.


def test_what_is_gone_for_good_is_deleted_and_kept_in_mind() -> None:
    """As the kind that it was."""
    before = removing(syncing("incremental", d=corpus("done")), ("x", "user"))
    step = looked_up(before, "x", None, holding(folders=["x"]))
    assert written(step) == ["delete folder x"]
    assert state(step).gone == (Removal(FileId("x"), NO_CORPUS, told=True),)
    assert sync_of(step).removals == ()


@pytest.mark.parametrize(
    "found",
    [
        in_drive("x", D),
        file("x"),
        file("x", ownedByMe=False, sharedWithMeTime="2026-01-01T00:00:00.000Z"),
        file("x", ownedByMe=False, parents=["shared-folder"]),
        in_drive("x", "drive-z", sharedWithMeTime="2026-01-01T00:00:00.000Z"),
    ],
)
def test_what_moved_to_a_corpus_of_ours_is_written_as_it_is(found: dict[str, object]) -> None:
    """The other log may have been read already, or have been answered before and arrived after."""
    before = removing(syncing("incremental", d=corpus("done"), e=corpus("done")), ("x", "drive-e"))
    assert written(looked_up(before, "x", read(found))) == ["upsert file x"]


def test_what_only_a_link_opens_is_deleted() -> None:
    """It is in nobody's corpus."""
    before = removing(syncing("incremental", d=corpus("done")), ("x", "user"))
    assert written(looked_up(before, "x", read(file("x", ownedByMe=False)), holding("x"))) == ["delete file x"]


BY_NAME = {"sharedWithMeTime": "2026-01-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    ("left", "stage", "found", "operation"),
    [
        # The user's log does, and the drive's listing is still to come.
        ("user", "start_token", in_drive("x", D, parents=["limited"]), ""),
        ("user", "listing", in_drive("x", D, parents=["limited"]), ""),
        ("user", "listing", in_drive("x", D, **BY_NAME), "upsert"),
        ("user", "done", in_drive("x", D, parents=["folder"]), "upsert"),
        ("user", "done", in_drive("x", D), "delete"),
        # It is in a drive that the account is no member of: shared, or not.
        (D, "changes", in_drive("x", "drive-z"), "delete"),
        (D, "changes", in_drive("x", "drive-z", parents=["shared"]), "upsert"),
    ],
)
def test_what_a_link_opens_in_a_shared_drive_is_deleted(
    left: str, stage: Stage, found: dict[str, object], operation: str
) -> None:
    """Google answers a look-up of it; what else there is to see of it, and which log it left, tells."""
    before = removing(syncing("incremental", d=corpus(stage)), ("x", left))
    index = holding("x") if operation == "delete" else EMPTY_INDEX
    assert written(looked_up(before, "x", read(found), index)) == ([f"{operation} file x"] if operation else [])


def test_what_is_in_the_drive_whose_log_told_that_it_left_is_looked_up_once_more_after_that_log() -> None:
    """A link may open it, or it came back in between: then that log's next entries name it, or a folder above."""
    before = removing(syncing("incremental", d=corpus("done")), ("x", D))
    found = read(in_drive("x", D, parents=["limited"]))
    asked = looked_up(before, "x", found)
    assert written(asked) == []
    assert plan(state(asked)) == [log_of(D)]
    empty = answered(state(asked), log_of(D), changes_page(start="c2"))
    assert plan(state(empty)) == [LookUpRemoved(ids("x"))]
    assert written(looked_up(state(empty), "x", found, holding("x"))) == ["delete file x"]
    back = answered(state(asked), log_of(D), changes_page(changed(in_drive("x", D)), start="c2"))
    assert written(back) == ["upsert file x"]
    assert plan(state(back)) == []


def test_a_folder_that_the_log_names_is_walked_before_what_came_back_in_it_is_looked_up() -> None:
    """Nothing else tells of an item that came back inside a folder."""
    before = removing(syncing("incremental", d=corpus("done")), ("x", D))
    asked = looked_up(before, "x", read(in_drive("x", D, parents=["f"])))
    page = changes_page(changed(folder("f", driveId=D, ownedByMe=False)), start="c2")
    named = answered(state(asked), log_of(D), page)
    [walk] = plan(state(named))
    assert isinstance(walk, WalkAction)
    shown = answered(state(named), walk, files_page(in_drive("x", D, parents=["f"])))
    assert written(shown) == ["upsert file x"]
    assert plan(state(shown)) == []


def test_an_item_whose_log_can_not_be_read_on_is_a_gap() -> None:
    """Its drive is held: what the log says next is not known, and nothing is deleted."""
    held = replace(corpus("changes"), held=True)
    step = looked_up(removing(syncing("incremental", d=held), ("x", D)), "x", read(in_drive("x", D)))
    assert written(step) == []
    assert [(gap.scope, gap.id, gap.corpus, gap.told) for gap in state(step).gaps] == [("item", "x", D, True)]


def test_a_look_up_that_fails_leaves_what_waits_for_a_log() -> None:
    """The item is looked up for another log's sake: what the first one tells next is still to be read."""
    waiting, due = Removal(FileId("x"), D, told=True, again=True), Removal(FileId("x"), "user", told=True)
    before = syncing("incremental", d=corpus("changes"))
    before = with_sync(before, replace(sync_of(before), removals=(waiting, due)))
    step = on_failure(
        before, LookUpRemoved(ids("x")), ItemUnavailable("not served", code="forbidden"), NOW, 0.5, transformer
    )
    assert sync_of(step).removals == (waiting,)


def test_what_was_found_in_the_trash_is_deleted() -> None:
    """Where trash is not mirrored."""
    before = removing(syncing("incremental", d=corpus("done")), ("x", "user"))
    assert written(looked_up(before, "x", read(in_drive("x", D, trashed=True)), holding("x"))) == ["delete file x"]


def test_only_what_was_asked_for_is_settled() -> None:
    """What was removed meanwhile is looked up next."""
    before = removing(syncing("incremental", d=corpus("done")), ("x", "user"), ("y", "user"))
    assert sync_of(looked_up(before, "x", None)).removals == (Removal(FileId("y"), "user", told=True),)


GONE = (Removal(FileId("x"), NO_CORPUS),)


def test_what_was_gone_is_looked_up_again_when_a_drive_of_ours_turns_up() -> None:
    """The user may have left it and joined it again, and the item have been in it all the time."""
    before = replace(syncing("incremental", user=corpus("changes"), d=corpus("done")), gone=GONE)
    step = answered(before, log_of(), changes_page(drive_change(D)))
    assert sync_of(step).removals == GONE
    assert state(step).gone == ()
    again = with_sync(state(step), replace(sync_of(step), kind="full"))  # it may be back since
    assert written(looked_up(again, "x", read(in_drive("x", D)))) == ["upsert file x"]


def test_what_a_full_sync_listed_with_its_drive_is_left_to_it() -> None:
    """The listing wrote the item, or the drive's log will: what is in neither is opened by a link alone."""
    before = removing(syncing("full", d=corpus("changes")), ("x", "user"))
    step = looked_up(before, "x", read(in_drive("x", D, parents=["limited"])))
    assert (written(step), sync_of(step).removals) == ([], ())


def test_what_was_gone_is_forgotten_when_the_users_log_is_read() -> None:
    """No drive was away: it is gone indeed."""
    before = replace(syncing("incremental", user=corpus("changes"), d=corpus("done", doubted=True)), gone=GONE)
    step = answered(before, log_of(), changes_page())
    assert state(step).gone == ()
    assert not state(step).corpora["drive-d"].doubted


def test_too_many_gone_are_a_doubt_about_every_drive() -> None:
    """The checkpoint stays small, and a full sync is owed if a drive turns up."""
    names = [str(number) for number in range(GONE_AT_MOST + 1)]
    before = removing(syncing("incremental", d=corpus("done")), *((name, "user") for name in names))
    step = answered(before, LookUpRemoved(ids(*names)), {FileId(name): NotFound("gone") for name in names})
    assert state(step).gone == ()
    assert state(step).corpora["drive-d"].doubted
    reading = with_corpus(state(step), "user", corpus("changes"))
    after = answered(reading, log_of(), changes_page(drive_change(D)))
    assert (state(after).owed or pytest.fail("nothing owed")).kind == "full"


# Walks.


def walking(*walks: Walk) -> Checkpoint:
    """A sync with folders to walk."""
    before = syncing("incremental")
    return with_sync(before, replace(sync_of(before), walks=walks))


def test_a_walk_writes_children_and_goes_down() -> None:
    """The next page of the folder waits below its folders on the stack."""
    walk = Walk(FileId("f"))
    page = files_page(file("a"), folder("g"), more="p2")
    step = answered(walking(walk), WalkAction(walk), page)
    assert written(step) == ["upsert file a", "upsert folder g"]
    assert [(walk.folder_id, walk.page_token) for walk in sync_of(step).walks] == [("f", token("p2")), ("g", None)]


def test_a_trashed_folders_children_are_deleted() -> None:
    """They are in the trash with it."""
    walk = Walk(FileId("f"), trashed=True)
    page = files_page(file("a", trashed=True), folder("g", trashed=True))
    step = answered(walking(walk), WalkAction(walk, include_trashed=True), page, holding("a", folders=["g"]))
    assert written(step) == ["delete file a", "delete folder g"]
    assert sync_of(step).walks == (Walk(FileId("g"), trashed=True, depth=1),)


def test_the_answer_of_a_walk_that_began_anew_is_dropped() -> None:
    """The folder changed again: its children are read again from the first page."""
    old, new = Walk(FileId("f"), page_token=token("p2")), Walk(FileId("f"))
    assert answered(walking(new), WalkAction(old), files_page(file("a"))) == Step(walking(new))


# All of them.


def test_an_answer_ends_the_rest_that_its_own_step_caused() -> None:
    """Or one that connecting caused; another step's goes on."""
    for step_name, over in (("ReadChanges:user", True), (CONNECTING, True), ("ReadChanges:drive-d", False)):
        before = replace(syncing("incremental", user=corpus("changes")), parked=Parked("unavailable", step_name, 2))
        assert (state(answered(before, log_of(), changes_page())).parked is None) is over


def test_an_answer_to_a_sync_that_is_over_changes_nothing() -> None:
    """It comes too late."""
    over = replace(syncing("incremental", user=corpus("changes")), sync=None)
    assert answered(over, log_of(), changes_page(changed(file("a")))) == Step(over)


def test_an_answer_of_another_kind_is_a_bug() -> None:
    """It is raised, not guessed at."""
    with pytest.raises(TypeError, match="no answer to ReadChanges"):
        answered(syncing("incremental", user=corpus("changes")), log_of(), drives_page())


def test_records_are_counted_by_kind_and_deletes_together() -> None:
    """The closing record tells."""
    page = changes_page(changed(file("a")), changed(folder("f")), removed("x"))
    step = answered(syncing("incremental", user=corpus("changes")), log_of(), page, holding("x"))
    assert sync_of(step).counts == {"file": 1, "folder": 1, "deleted": 1}
