"""Revisions and comments: the pass after a full sync's metadata, and what is read anew when the logs tell of a file."""

import msgspec
import pytest

from google_drive_worker.domain.details import Comment, DetailedFile, DetailsPage, Revision
from google_drive_worker.domain.drive import UnreadableItem
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import DetailDigests, ItemEntry
from google_drive_worker.domain.times import from_rfc3339
from google_drive_worker.normalization import transformer
from google_drive_worker.sync import failure
from google_drive_worker.sync.checkpoint import NO_CORPUS, Changed, Checkpoint, Reading, Removal, Scope, Walk
from google_drive_worker.sync.details import CHANGED_AT_MOST, Hanging, changed_of, let_in, wanted_of
from google_drive_worker.sync.engine import begin, complete, due_at, on_answer
from google_drive_worker.sync.gap_retries import GAP_RESTS, settle
from google_drive_worker.sync.gaps import SOFT_TRIES, TRIES_AT_ONCE, hard_gaps
from google_drive_worker.sync.plan import (
    Action,
    ListDetails,
    LookUpDrive,
    LookUpRemoved,
    ReadChanges,
    ReadDetails,
    WalkFolder,
    plan,
)
from google_drive_worker.sync.step import Step, with_corpus, with_sync
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, PageTokenRejected, Retryable, SkipItem, Terminal
from support.dict_index import DictIndex, holding
from support.syncs import (
    CUSTOMER,
    NOW,
    D,
    changed,
    changes_page,
    corpus,
    file,
    files_page,
    folder,
    owed,
    read,
    removed,
    state,
    sync_of,
    syncing,
    token,
    with_listed,
    written,
)

WANTED = Scope(sync_revisions=True, sync_comments=True)
A, B = FileId("a"), FileId("b")


def passing(*details: Reading, changed: tuple[Changed, ...] = (), scope: Scope = WANTED) -> Checkpoint:
    """A full sync whose metadata is through."""
    before = with_corpus(syncing("full", user=corpus("done"), scope=scope), D, corpus("done"))
    return with_sync(before, msgspec.structs.replace(sync_of(before), details=details, changed=changed))


def follow(before: Checkpoint, action: Action, answer: Hanging, **known: ItemEntry) -> Step:
    """An answer comes in."""
    memory = {FileId(name): each for name, each in known.items()}
    return on_answer(before, action, answer, transformer, DictIndex(memory))


def revisions(*names: str) -> tuple[Revision, ...]:
    """Revisions, oldest first."""
    return tuple(Revision(name) for name in names)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Changed(A, revisions=True, comments=True)),
        ({"head_revision_id": "h", "modified_time": "t"}, Changed(A, revisions=True, comments=True, head="h")),
        ({"modified_time": "t"}, Changed(A, revisions=True, comments=True, head="t")),
        ({"capabilities": {"canReadRevisions": False, "canComment": True}}, Changed(A, comments=True)),
        ({"capabilities": {"canReadRevisions": False, "canComment": False}}, None),
        ({"mime_type": "application/vnd.google-apps.document"}, Changed(A, revisions=True, comments=True)),
        ({"mime_type": "application/vnd.google-apps.folder"}, None),
        ({"mime_type": "application/vnd.google-apps.shortcut"}, None),
        ({"mime_type": "application/vnd.google-apps.form"}, None),
        ({"mime_type": "application/vnd.google-apps.site"}, None),
        ({"mime_type": "application/vnd.google-apps.map"}, None),
        ({"mime_type": "application/vnd.google-apps.jam"}, None),
        ({"mime_type": "application/vnd.google-apps.drive-sdk.796396377186"}, None),
    ],
)
def test_nobody_asks_for_what_a_file_can_not_have(fields: dict[str, object], expected: Changed | None) -> None:
    """Its type and what the account may do with it are shown by the listing."""
    assert changed_of(WANTED, msgspec.structs.replace(DetailedFile(A), **fields)) == expected


def test_only_what_is_mirrored_is_asked_for() -> None:
    """Revisions, comments, both or none."""
    assert changed_of(Scope(sync_comments=True), DetailedFile(A)) == Changed(A, comments=True)
    assert changed_of(Scope(), DetailedFile(A)) is None
    assert wanted_of(passing(), "user", DetailsPage((DetailedFile(A), DetailedFile(B, trashed=True)))) == [
        Changed(A, revisions=True, comments=True)
    ]


def test_the_pass_begins_when_all_else_is_through() -> None:
    """Of the corpora that were listed; the sync ends after it, with its closing record."""
    before = with_listed(passing(), "user", D)
    assert plan(before) == []
    begun = complete(before, NOW, transformer)
    assert begun.records == ()
    assert plan(state(begun)) == [ListDetails("user", None), ListDetails(D, None)]
    after = state(begun)
    for name in ("user", D):
        after = state(follow(after, ListDetails(name, None), Hanging({}, {}, DetailsPage())))
    ended = complete(after, NOW, transformer)
    assert [each.resource_type for each in ended.records] == ["sync"]
    assert state(ended).sync is None


def test_without_revisions_and_comments_there_is_no_pass() -> None:
    """The sync ends at once."""
    assert state(complete(with_listed(passing(scope=Scope()), "user"), NOW, transformer)).sync is None


def test_a_page_is_written_and_the_pass_goes_on_at_its_token() -> None:
    """Deleted comments were never written; what the account may not see after all is nothing to report."""
    page = DetailsPage((DetailedFile(A, head_revision_id="2"), DetailedFile(B)), token("two"))
    comments = (Comment("c", content="hm"), Comment("x", deleted=True))
    answer = Hanging(
        {A: revisions("1", "2"), B: SkipItem("no", http_status=403)},
        {A: comments, B: SkipItem("no", http_status=403)},
        page,
    )
    step = follow(passing(Reading("user"), Reading(D)), ListDetails("user", None), answer, a=ItemEntry())
    assert written(step) == ["upsert revision a/1", "upsert revision a/2", "upsert comment a/c"]
    assert sync_of(step).details == (
        Reading("user", token("two")),
        Reading(D),
    )
    assert sync_of(step).counts == {"revision": 2, "comment": 1}
    assert step.changes.entries == {A: ItemEntry(head="2", comments=True)}
    assert step.errors == ()


def test_what_can_not_be_had_is_reported_and_passed_by() -> None:
    """It stays as it was."""
    answer = Hanging({A: SkipItem("strange", code="unreadable_item")}, {}, DetailsPage((DetailedFile(A),)))
    step = follow(passing(Reading("user")), ListDetails("user", None), answer, a=ItemEntry())
    [report] = step.errors
    assert (report.code, report.category, report.resource_id) == ("unreadable_item", "skipped_item", "a")
    assert sync_of(step).details == ()


def test_an_element_that_can_not_be_read_is_reported_and_the_others_written() -> None:
    """Under its own id where it has one. The file counts as read in part: its next change has all of it read again."""
    answer = Hanging(
        {A: (Revision("1"), UnreadableItem(None, "no id"), Revision("2"))},
        {A: (Comment("x", deleted=True), UnreadableItem("c", "odd"))},
        DetailsPage((DetailedFile(A, head_revision_id="2"),)),
    )
    step = follow(passing(Reading("user")), ListDetails("user", None), answer, a=ItemEntry(head="1"))
    assert written(step) == ["upsert revision a/1", "upsert revision a/2"]
    reports = [(each.code, each.resource_type, each.resource_id) for each in step.errors]
    assert reports == [("unreadable_item", "revision", "a"), ("unreadable_item", "comment", "a/c")]
    [known] = step.changes.entries.values()
    assert known is not None
    assert (known.head, known.comments) == ("", True)
    following = syncing("incremental", user=corpus("changes"), scope=WANTED)
    read_again = on_answer(
        following,
        ReadChanges("user", token("c1")),
        changes_page(changed(file("a", headRevisionId="2")), start="c2"),
        transformer,
        DictIndex({A: known}),
    )
    assert sync_of(read_again).changed == (Changed(A, revisions=True, comments=True, head="2"),)


def test_revisions_that_can_not_all_be_read_push_none_out_of_the_window() -> None:
    """Which are the newest is not known then: none is deleted."""
    scope = msgspec.structs.replace(WANTED, max_revisions=2)
    due = Changed(A, revisions=True, head="4")
    found = (Revision("2"), Revision("3"), UnreadableItem(None, "no id"), Revision("4"))
    step = follow(passing(changed=(due,), scope=scope), ReadDetails((due,)), Hanging({A: found}, {}), a=ItemEntry())
    assert written(step) == ["upsert revision a/4"]


def test_a_file_of_the_pass_that_can_not_be_read_is_reported() -> None:
    """The others are gone through."""
    page = DetailsPage((UnreadableItem("bad", "odd"), DetailedFile(A)))
    assert wanted_of(passing(), "user", page) == [Changed(A, revisions=True, comments=True)]
    step = follow(
        passing(Reading("user")), ListDetails("user", None), Hanging({A: revisions("1")}, {}, page), a=ItemEntry()
    )
    assert written(step) == ["upsert revision a/1"]
    assert [(each.resource_type, each.resource_id) for each in step.errors] == [("file", "bad")]


def test_only_the_newest_revisions_are_mirrored() -> None:
    """One that a newer pushes out of the window is deleted, when its file is read anew."""
    scope = msgspec.structs.replace(WANTED, max_revisions=2)
    page = Hanging({A: revisions("1", "2", "3")}, {}, DetailsPage())
    index = holding("a")
    first = on_answer(passing(Reading("user"), scope=scope), ListDetails("user", None), page, transformer, index)
    assert written(first) == ["upsert revision a/2", "upsert revision a/3"]
    index.apply(first.changes)
    due = Changed(A, revisions=True, head="4")
    before = syncing("incremental", user=corpus("done"), scope=scope)
    before = with_sync(before, msgspec.structs.replace(sync_of(before), changed=(due,)))
    answer = Hanging({A: revisions("2", "3", "4")}, {})
    after = on_answer(before, ReadDetails((due,)), answer, transformer, index)
    assert written(after) == ["delete revision a/2", "upsert revision a/4"]
    assert sync_of(after).changed == ()


def test_of_what_hangs_on_a_file_only_what_differs_is_written() -> None:
    """What was purged is deleted; a full sync writes all of it."""
    index = holding("a")
    due = Changed(A, revisions=True, comments=True, head="1")
    before = syncing("incremental", user=corpus("done"), scope=WANTED)
    before = with_sync(before, msgspec.structs.replace(sync_of(before), changed=(due,)))
    first = Hanging({A: revisions("1", "2")}, {A: (Comment("c", content="hm"), Comment("d", content="yes"))})
    index.apply(on_answer(before, ReadDetails((due,)), first, transformer, index).changes)
    assert written(on_answer(before, ReadDetails((due,)), first, transformer, index)) == []
    second = Hanging({A: revisions("2", "3")}, {A: (Comment("c", content="no"), Comment("d", deleted=True))})
    step = on_answer(before, ReadDetails((due,)), second, transformer, index)
    assert written(step) == [
        "delete revision a/1",
        "upsert revision a/3",
        "delete comment a/d",
        "upsert comment a/c",
    ]
    index.apply(step.changes)
    page = msgspec.structs.replace(second, page=DetailsPage((DetailedFile(A),)))
    full = on_answer(passing(Reading("user")), ListDetails("user", None), page, transformer, index)
    assert written(full) == ["upsert revision a/2", "upsert revision a/3", "upsert comment a/c"]


def test_a_file_that_changed_is_read_anew_its_revisions_where_the_head_did() -> None:
    """Comments are read of every changed file: a new one changes nothing else of it."""
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    page = changes_page(
        changed(file("a", headRevisionId="2")), changed(file("b", modifiedTime="t")), changed(folder("f")), start="c2"
    )
    memory = {A: ItemEntry(head="1"), B: ItemEntry(head="t")}
    step = on_answer(before, ReadChanges("user", token("c1")), page, transformer, DictIndex(memory))
    due = Changed(A, revisions=True, comments=True, head="2"), Changed(B, comments=True, head="t")
    assert sync_of(step).changed == due
    later = with_sync(state(step), msgspec.structs.replace(sync_of(step), walks=()))
    assert plan(later) == [ReadDetails(due)]
    comments = (Comment("c", deleted=True), Comment("d"))
    answer = Hanging({A: revisions("2")}, {A: comments, B: ()})
    step = follow(later, ReadDetails(due), answer, a=ItemEntry(head="1"), b=ItemEntry())
    assert written(step) == ["upsert revision a/2", "upsert comment a/d"]
    assert step.changes.entries == {A: ItemEntry(head="2", comments=True), B: ItemEntry(comments=False)}


def test_a_file_that_is_deleted_is_not_read_any_more() -> None:
    """Nothing of it may follow its delete."""
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    before = with_sync(before, msgspec.structs.replace(sync_of(before), changed=(Changed(A, comments=True),)))
    step = on_answer(
        before, ReadChanges("user", token("c1")), changes_page(removed("a"), start="c2"), transformer, holding("a")
    )
    assert sync_of(step).changed == ()


def test_what_is_listed_and_yet_to_be_gone_through_is_not_noted_one_by_one() -> None:
    """A full sync's log repeats what changed during its listing: the pass comes to it anyhow."""
    before = with_listed(syncing("full", user=corpus("changes"), scope=WANTED), "user")
    page = changes_page(changed(file("a")), start="c2")
    assert sync_of(on_answer(before, ReadChanges("user", token("c1")), page, transformer)).changed == ()


def test_too_many_changed_files_are_gone_through_with_all_others() -> None:
    """The checkpoint stays small. Also those that were gone through already, and what is gone of them is deleted."""
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    before = with_sync(before, msgspec.structs.replace(sync_of(before), details=(Reading("user", token("two")),)))
    page = changes_page(*(changed(file(f"f{n}")) for n in range(CHANGED_AT_MOST + 1)), start="c2")
    after = state(on_answer(before, ReadChanges("user", token("c1")), page, transformer))
    assert (sync_of(after).changed, sync_of(after).details) == ((), (Reading("user"),))
    answer = Hanging({}, {A: (Comment("x"),)}, DetailsPage((DetailedFile(A),), token("two")))
    step = follow(after, ListDetails("user", None), answer, a=ItemEntry())
    assert written(step) == ["upsert comment a/x"]
    assert sync_of(step).details == (Reading("user", token("two")),)


def test_what_comes_back_out_of_the_trash_with_its_folder_is_read_anew() -> None:
    """What hung on it went with its delete; what is remembered was there all the time."""
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    walk = Walk(FileId("f"))
    before = with_sync(before, msgspec.structs.replace(sync_of(before), walks=(walk,)))
    page = files_page(file("a"), file("b", modifiedTime="t"), folder("g"))
    step = on_answer(before, WalkFolder(walk), page, transformer, DictIndex({B: ItemEntry(head="t", comments=False)}))
    assert sync_of(step).changed == (Changed(A, revisions=True, comments=True),)
    look_up = LookUpRemoved((A,))
    removals = (Removal(A, "user"),)
    before = with_sync(before, msgspec.structs.replace(sync_of(before), walks=(), removals=removals))
    found = {A: read(file("a", ownedByMe=True))}
    assert sync_of(on_answer(before, look_up, found, transformer)).changed == (
        Changed(A, revisions=True, comments=True),
    )


READER = {"canReadRevisions": False, "canComment": False}
COMMENTER = {"canReadRevisions": False, "canComment": True}
HAD = ItemEntry(head="1", comments=True)


@pytest.mark.parametrize(
    ("may", "lost", "due"),
    [
        (READER, ["delete revision a/1", "delete comment a/c"], ()),
        (COMMENTER, ["delete revision a/1"], (Changed(A, comments=True, head="t"),)),
        ({}, [], (Changed(A, revisions=True, comments=True, head="t"),)),
    ],
)
def test_what_the_account_may_read_no_more_is_deleted(
    may: dict[str, bool], lost: list[str], due: tuple[Changed, ...]
) -> None:
    """By what the index holds of it; what may still be read is read again."""
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    page = changes_page(changed(file("a", modifiedTime="t", capabilities=may)), start="c2")
    index = DictIndex({A: HAD}, {A: DetailDigests((("1", 1),), (("c", 1),))})
    step = on_answer(before, ReadChanges("user", token("c1")), page, transformer, index)
    assert written(step) == ["upsert file a", *lost]
    assert sync_of(step).changed == due
    index.apply(step.changes)
    again = on_answer(before, ReadChanges("user", token("c1")), page, transformer, index)
    assert written(again) == []


def test_where_it_is_not_known_what_is_held_what_hung_on_an_item_goes_with_it() -> None:
    """A worker that lost its state goes on from the trigger's cursor. Once is enough."""
    before = msgspec.structs.replace(syncing("incremental", user=corpus("changes"), scope=WANTED), in_doubt=True)
    page = changes_page(changed(file("a", capabilities=READER)), changed(folder("f")), start="c2")
    index = DictIndex()
    step = on_answer(before, ReadChanges("user", token("c1")), page, transformer, index)
    assert written(step) == ["delete file a", "upsert file a", "delete folder f", "upsert folder f"]
    index.apply(step.changes)
    again = on_answer(before, ReadChanges("user", token("c1")), page, transformer, index)
    assert written(again) == []


@pytest.mark.parametrize(
    ("known", "may", "due"),
    [
        (ItemEntry(), {}, (Changed(A, revisions=True, comments=True, head="t"),)),
        (ItemEntry(comments=True), {}, (Changed(A, revisions=True, head="t"),)),
        (ItemEntry(head="t", comments=False), {}, ()),
        (ItemEntry(), COMMENTER, (Changed(A, comments=True, head="t"),)),
        (ItemEntry(), READER, ()),
    ],
)
def test_what_the_account_may_read_now_is_read_below_a_folder_as_well(
    known: ItemEntry, may: dict[str, bool], due: tuple[Changed, ...]
) -> None:
    """The log names the folder that was shared anew, and its walk brings the files; what was read is not read again."""
    walk = Walk(FileId("f"))
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    before = with_sync(before, msgspec.structs.replace(sync_of(before), walks=(walk,)))
    page = files_page(file("a", modifiedTime="t", capabilities=may))
    step = on_answer(before, WalkFolder(walk), page, transformer, DictIndex({A: known}))
    assert (written(step), sync_of(step).changed) == (["upsert file a"], due)


@pytest.mark.parametrize(
    ("may", "due"),
    [
        ({}, Changed(A, revisions=True, comments=True, head="2")),
        (COMMENTER, Changed(A, comments=True, head="2")),
    ],
)
def test_a_walk_takes_nothing_from_what_the_log_left_to_be_read(may: dict[str, bool], due: Changed) -> None:
    """The log tells of a file that was written on and commented on, and its folder's walk brings it once more."""
    known = ItemEntry(head="0", comments=True)
    walk, earlier = Walk(FileId("f")), Changed(A, revisions=True, comments=True, head="1")
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    before = with_sync(before, msgspec.structs.replace(sync_of(before), walks=(walk,), changed=(earlier,)))
    step = on_answer(
        before,
        WalkFolder(walk),
        files_page(file("a", headRevisionId="2", capabilities=may)),
        transformer,
        DictIndex({A: known}),
    )
    assert sync_of(step).changed == (due,)


def test_a_file_that_moved_between_corpora_has_its_comments_read() -> None:
    """The log that it left says no more than that, though it was commented on before."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("changes"), scope=WANTED)
    before = with_sync(before, msgspec.structs.replace(sync_of(before), removals=(Removal(A, "user"),)))
    found = {A: read(file("a", modifiedTime="t", driveId=D))}
    known = {A: ItemEntry(head="t", comments=False)}
    step = on_answer(before, LookUpRemoved((A,)), found, transformer, DictIndex(known))
    assert sync_of(step).changed == (Changed(A, comments=True, head="t"),)


def test_items_that_are_deleted_before_they_are_written_have_all_read_anew() -> None:
    """With them went what hung on them, whatever the head."""
    scope = msgspec.structs.replace(WANTED, sync_permissions=True)
    before = msgspec.structs.replace(syncing("incremental", user=corpus("changes"), scope=scope), in_doubt=True)
    page = changes_page(changed(file("a", modifiedTime="t")), start="c2")
    step = on_answer(before, ReadChanges("user", token("c1")), page, transformer)
    assert written(step) == ["delete file a", "upsert file a"]
    assert sync_of(step).changed == (Changed(A, revisions=True, comments=True, head="t"),)


def test_an_incremental_sync_is_let_in_before_the_rest_of_the_pass() -> None:
    """The logs are read on, within the full sync that is still open; the pass goes on after them."""
    before = msgspec.structs.replace(passing(Reading("user", token("two"))), owed=owed("incremental"))
    after = let_in(before, WANTED)
    assert after is not None
    assert after.owed is None
    assert ReadChanges("user", token("c1")) in plan(after)
    assert not any(isinstance(each, ListDetails) for each in plan(after))
    assert sync_of(after).details == (Reading("user", token("two")),)
    assert let_in(passing(Reading("user")), WANTED) is None
    assert let_in(msgspec.structs.replace(passing(), owed=owed("incremental")), WANTED) is None
    assert let_in(msgspec.structs.replace(after, owed=owed("incremental")), WANTED) is None


def test_a_file_whose_comments_can_not_be_had_holds_up_no_others_changes() -> None:
    """The sync that rests for it lets the next one in."""
    stuck = syncing("incremental", user=corpus("done"), scope=WANTED)
    stuck = with_sync(stuck, msgspec.structs.replace(sync_of(stuck), changed=(Changed(A, comments=True),)))
    resting = state(failure.on_failure(stuck, plan(stuck)[0], Retryable("500"), NOW, 0.5, transformer))
    after = let_in(msgspec.structs.replace(resting, owed=owed("incremental")), WANTED)
    assert after is not None
    assert plan(after) == [ReadChanges("user", token("c1"))]
    assert sync_of(after).changed == (Changed(A, comments=True),)


def test_a_full_sync_or_another_scope_ends_the_sync_without_a_closing_record() -> None:
    """Not all of it was read. Another customer's wish ends nothing: it may come to nothing."""
    before = passing(Reading("user"), changed=(Changed(A),))
    for wish, scope in ((owed("full"), WANTED), (owed("incremental"), Scope())):
        after = let_in(msgspec.structs.replace(before, owed=wish), scope)
        assert after is not None
        assert (after.sync, after.owed) == (None, wish)
    for kind in ("full", "incremental"):
        foreign = msgspec.structs.replace(before, owed=owed(kind, customer="another"))
        assert let_in(foreign, WANTED) is None


def test_files_that_are_not_found_any_more_are_kept_in_mind() -> None:
    """Their drive may have been left, and be joined again before the log that says so is read. One of which no comments
    are found, but revisions are, is there."""
    gone = NotFound("gone", http_status=404)
    hidden = SkipItem("not for you", code="forbidden", http_status=403)
    due = Changed(A, revisions=True, comments=True), Changed(B, comments=True)
    read_anew = follow(passing(changed=due), ReadDetails(due), Hanging({A: gone}, {A: gone, B: hidden}))
    assert state(read_anew).gone == (Removal(A, NO_CORPUS),)
    page = DetailsPage((DetailedFile(A), DetailedFile(B)))
    passed = follow(passing(Reading(D)), ListDetails(D, None), Hanging({A: ()}, {A: gone, B: gone}, page))
    assert state(passed).gone == (Removal(B, NO_CORPUS),)


def test_a_drive_whose_pass_does_not_find_it_is_looked_up() -> None:
    """The pass goes on where it was when the drive is there."""
    step = failure.on_failure(
        passing(Reading(D)), ListDetails(D, None), NotFound("gone", http_status=404), NOW, 0.5, transformer
    )
    assert [each.corpus for each in sync_of(step).details] == [D]
    assert plan(state(step)) == [LookUpDrive(FileId(D))]


def test_a_pass_that_fails_alone_is_a_gap_of_its_corpus() -> None:
    """After some tries the sync goes on without it; a later one goes through the corpus again."""
    before = passing(Reading(D))
    for _ in range(TRIES_AT_ONCE + 1):
        step = failure.on_failure(before, ListDetails(D, None), ItemUnavailable("bad"), NOW, 0.5, transformer)
        before = state(step)
    assert sync_of(step).details == ()
    assert [(gap.scope, gap.id) for gap in before.gaps] == [("details", D)]


def test_a_list_that_cant_be_had_of_one_file_is_a_gap_of_that_file() -> None:
    """Nothing of it is deleted, the others are written, and it is reported once, however often it is tried."""
    problem = ItemUnavailable("odd", code="bad_request", http_status=400)
    answer = Hanging({A: problem, B: (Revision("1"),)}, {}, DetailsPage((DetailedFile(A), DetailedFile(B))))
    step = follow(passing(Reading(D)), ListDetails(D, None), answer, a=ItemEntry(), b=ItemEntry())
    assert written(step) == ["upsert revision b/1"]
    assert [(error.code, error.resource_id, error.category) for error in step.errors] == [
        ("bad_request", "a", "skipped_item")
    ]
    ended = state(complete(state(step), NOW, transformer))
    assert [(gap.scope, gap.id, gap.state) for gap in ended.gaps] == [("revisions", "a", "resting")]
    later = from_rfc3339(ended.gaps[0].retry_at or "")
    assert due_at(ended, NOW) == later
    tried = state(begin(ended, CUSTOMER, WANTED, later, 7, transformer))
    assert sync_of(tried).changed == (Changed(A, revisions=True),)
    done = {name: msgspec.structs.replace(each, stage="done") for name, each in tried.corpora.items()}
    tried = msgspec.structs.replace(tried, corpora=done)
    action = ReadDetails((Changed(A, revisions=True),))
    again = follow(tried, action, Hanging({A: problem}, {}), a=ItemEntry())
    assert (again.errors, [gap.attempts for gap in state(again).gaps]) == ((), [2])
    filled = follow(tried, action, Hanging({A: (Revision("1"),)}, {}), a=ItemEntry())
    assert (written(filled), state(filled).gaps) == (["upsert revision a/1"], ())


def test_a_list_that_is_not_found_is_believed_the_second_time() -> None:
    """One such answer would have all that is held of it deleted; it says nothing of the file."""
    missing = NotFound("gone", http_status=404)
    before = passing(changed=(Changed(A, comments=True),))
    action = ReadDetails((Changed(A, comments=True),))
    index = DictIndex({A: HAD}, {A: DetailDigests(None, (("c", 1),))})
    first = on_answer(before, action, Hanging({}, {A: missing}), transformer, index)
    assert written(first) == []
    [gap] = state(first).gaps
    assert (gap.scope, gap.id, gap.missing) == ("comments", "a", True)
    tried = msgspec.structs.replace(before, gaps=(msgspec.structs.replace(gap, state="tried"),))
    second = on_answer(tried, action, Hanging({}, {A: missing}), transformer, index)
    assert (written(second), second.errors, state(second).gaps) == (["delete comment a/c"], (), ())


def test_a_list_with_values_that_make_no_sense_is_read_again_a_few_times() -> None:
    """It is written as it is, and no gap of the sync's; in the end the values stay away."""
    checkpoint, tries = passing(changed=(Changed(A, revisions=True),)), 0
    action = ReadDetails((Changed(A, revisions=True),))
    odd = Hanging({A: (Revision("1", lossy=True),)}, {})
    while True:
        step = follow(checkpoint, action, odd, a=ItemEntry())
        assert (written(step), step.errors) == (["upsert revision a/1"], ())
        tries += 1
        settled = settle(state(step), NOW, GAP_RESTS)
        if not settled.gaps:
            break
        assert hard_gaps(settled) == ()
        gaps = tuple(msgspec.structs.replace(gap, state="tried") for gap in settled.gaps)
        checkpoint = msgspec.structs.replace(checkpoint, gaps=gaps)
    assert tries == 1 + SOFT_TRIES
    ended = complete(
        state(follow(passing(changed=(Changed(A, revisions=True),)), action, odd, a=ItemEntry())), NOW, transformer
    )
    assert b'"completed"' in msgspec.json.encode(ended.records[0].data)


def test_trouble_with_the_pass() -> None:
    """A refused token begins its corpus again, what passes rests, what the scope does not cover is left out."""
    before = passing(Reading(D, token("two")))
    action = ListDetails(D, token("two"))

    def fail(error: Exception) -> Step:
        assert isinstance(error, PageTokenRejected | Retryable | Terminal | SkipItem)
        return failure.on_failure(before, action, error, NOW, 0.5, transformer)

    assert sync_of(fail(PageTokenRejected("expired"))).details == (Reading(D, restarts=1),)
    rests = state(fail(Retryable("later")))
    assert rests.parked is not None
    assert rests.parked.step == f"ListDetails:{D}"
    refused = fail(Terminal("scope", code="insufficient_scope"))
    assert sync_of(refused).details == ()
    assert [report.code for report in refused.errors] == ["insufficient_scope"]
    assert state(refused).parked is None


def test_what_the_scope_does_not_cover_is_asked_for_by_full_syncs_alone() -> None:
    """One cause makes one error, however many files change before the next one."""
    before = msgspec.structs.replace(passing(changed=(Changed(A, comments=True),)), owed=None)
    action = ReadDetails((Changed(A, comments=True),))
    scope = Terminal("scope", code="insufficient_scope")
    refused = state(failure.on_failure(before, action, scope, NOW, 0.5, transformer))
    assert sync_of(refused).changed == ()
    ended = state(complete(refused, NOW, transformer))
    later = state(
        begin(msgspec.structs.replace(ended, owed=owed("incremental")), CUSTOMER, WANTED, NOW, 7, transformer)
    )
    page = changes_page(changed(file("a")), start="c2")
    step = on_answer(later, ReadChanges("user", token("c1")), page, transformer)
    assert (written(step), sync_of(step).changed) == (["upsert file a"], ())
    full = state(begin(msgspec.structs.replace(ended, owed=owed("full")), CUSTOMER, WANTED, NOW, 7, transformer))
    assert sync_of(state(complete(with_listed(full, "user"), NOW, transformer))).details == (Reading("user"),)
