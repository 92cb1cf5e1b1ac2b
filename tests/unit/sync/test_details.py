"""Revisions and comments: which files they are read of, and what is written of them."""

import msgspec
import pytest

from google_drive_worker.domain.details import Comment, Revision
from google_drive_worker.domain.drive import UnreadableItem
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import DetailDigests, ItemEntry
from google_drive_worker.domain.times import from_rfc3339
from google_drive_worker.normalization import transformer
from google_drive_worker.sync import failure
from google_drive_worker.sync.checkpoint import NO_CORPUS, Changed, Checkpoint, Pass, Removal, Scope, Unseen, Walk
from google_drive_worker.sync.details import Hanging, let_in
from google_drive_worker.sync.engine import begin, complete, due_at, on_answer
from google_drive_worker.sync.gap_retries import GAP_RESTS, settle
from google_drive_worker.sync.gaps import SOFT_TRIES, hard_gaps
from google_drive_worker.sync.plan import (
    Action,
    LookUpRemoved,
    ReadChanges,
    ReadDetails,
    WalkFolder,
    plan,
)
from google_drive_worker.sync.step import Step, with_corpus, with_sync
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, Retryable, SkipItem, Terminal
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
    written,
)

WANTED = Scope(sync_revisions=True, sync_comments=True)
A, B = FileId("a"), FileId("b")
WHOLE = Pass(is_whole=True)
MAY = ItemEntry(has_revisions=True, has_comments=True)
"""A file of which the account may read both, and nothing was read."""


def passing(*details: Pass, changed: tuple[Changed, ...] = (), scope: Scope = WANTED) -> Checkpoint:
    """A full sync whose metadata is written."""
    before = with_corpus(syncing("full", user=corpus("done"), scope=scope), D, corpus("done"))
    sync = msgspec.structs.replace(sync_of(before), details=details, changed=changed, unseen=Unseen(is_done=True))
    return with_sync(before, sync)


def read_both(answer: Hanging, *, scope: Scope = WANTED, **known: ItemEntry) -> Step:
    """The answer to a question for what hangs on all files that it names."""
    due = tuple(
        Changed(each, each in answer.revisions, each in answer.comments)
        for each in dict.fromkeys((*answer.revisions, *answer.comments))
    )
    return follow(passing(changed=due, scope=scope), ReadDetails(due), answer, **known)


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
        ({"mimeType": "image/png"}, Changed(A, revisions=True, comments=True)),
        ({"headRevisionId": "h", "modifiedTime": "t"}, Changed(A, revisions=True, comments=True, head="h")),
        ({"modifiedTime": "t"}, Changed(A, revisions=True, comments=True, head="t")),
        ({"capabilities": {"canReadRevisions": False, "canComment": True}}, Changed(A, comments=True)),
        ({"capabilities": {"canReadRevisions": False, "canComment": False}}, None),
        ({"mimeType": "application/vnd.google-apps.document"}, Changed(A, revisions=True, comments=True)),
        ({"mimeType": "application/vnd.google-apps.folder"}, None),
        ({"mimeType": "application/vnd.google-apps.shortcut"}, None),
        ({"mimeType": "application/vnd.google-apps.form"}, None),
        ({"mimeType": "application/vnd.google-apps.site"}, None),
        ({"mimeType": "application/vnd.google-apps.map"}, None),
        ({"mimeType": "application/vnd.google-apps.jam"}, None),
        ({"mimeType": "application/vnd.google-apps.drive-sdk.796396377186"}, None),
    ],
)
def test_what_a_file_cannot_have_is_not_asked_for(fields: dict[str, object], expected: Changed | None) -> None:
    """Its type and what the account may do with it are shown with it."""
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    step = on_answer(before, ReadChanges("user", token("c1")), changes_page(changed(file("a", **fields))), transformer)
    assert sync_of(step).changed == (() if expected is None else (expected,))


def test_only_what_is_mirrored_is_asked_for() -> None:
    """Revisions, comments, both or none."""
    for scope, due in ((Scope(sync_comments=True), (Changed(A, comments=True),)), (Scope(), ())):
        before = syncing("incremental", user=corpus("changes"), scope=scope)
        page = changes_page(changed(file("a")))
        step = on_answer(before, ReadChanges("user", token("c1")), page, transformer)
        assert sync_of(step).changed == due


def test_the_pass_begins_when_all_else_is_done() -> None:
    """All files that the index holds are read; the sync ends after that, with its closing record."""
    before, index = passing(WHOLE), DictIndex({A: MAY, B: MAY})
    assert plan(before) == []
    taken = complete(before, NOW, transformer, index=index)
    due = Changed(A, revisions=True, comments=True), Changed(B, revisions=True, comments=True)
    assert (taken.records, plan(state(taken))) == ((), [ReadDetails(due)])
    answer = Hanging({A: (), B: ()}, {A: (), B: ()})
    after = state(on_answer(state(taken), ReadDetails(due), answer, transformer, index))
    ended = complete(after, NOW, transformer, index=index)
    assert [each.resource_type for each in ended.records] == ["sync"]
    assert state(ended).sync is None


def test_without_revisions_and_comments_there_is_no_pass() -> None:
    """The sync ends at once."""
    assert state(complete(passing(scope=Scope()), NOW, transformer)).sync is None


def test_what_hangs_on_files_is_written() -> None:
    """Deleted comments were never written; what the account may not see after all is nothing to report."""
    comments = (Comment("c", content="hm"), Comment("x", deleted=True))
    hidden = SkipItem("no", http_status=403)
    answer = Hanging({A: revisions("1", "2"), B: hidden}, {A: comments, B: hidden})
    due = msgspec.structs.replace(MAY, revisions_due=True, comments_due=True)
    step = read_both(answer, a=due, b=due)
    assert written(step) == ["upsert revision a/1", "upsert revision a/2", "upsert comment a/c"]
    assert sync_of(step).changed == ()
    assert sync_of(step).counts == {"revision": 2, "comment": 1}
    assert step.changes.entries == {
        A: msgspec.structs.replace(MAY, comments=True),
        B: msgspec.structs.replace(MAY, comments=False),
    }
    assert step.errors == ()


def test_what_can_not_be_had_is_reported_and_passed_by() -> None:
    """It stays as it was."""
    step = read_both(Hanging({A: SkipItem("strange", code="unreadable_item")}, {}), a=MAY)
    [report] = step.errors
    assert (report.code, report.category, report.resource_id) == ("unreadable_item", "skipped_item", "a")
    assert (written(step), sync_of(step).changed) == ([], ())


def test_an_unreadable_element_is_reported_and_the_others_written() -> None:
    """Under its own id where it has one. What was read in part is due still."""
    answer = Hanging(
        {A: (Revision("1"), UnreadableItem(None, "no id"), Revision("2"))},
        {A: (Comment("x", deleted=True), UnreadableItem("c", "odd"))},
    )
    step = read_both(answer, a=MAY)
    assert written(step) == ["upsert revision a/1", "upsert revision a/2"]
    reports = [(each.code, each.resource_type, each.resource_id) for each in step.errors]
    assert reports == [("unreadable_item", "revision", "a"), ("unreadable_item", "comment", "a/c")]
    assert step.changes.entries == {
        A: msgspec.structs.replace(MAY, comments=True, revisions_due=True, comments_due=True)
    }


def test_revisions_read_in_part_push_none_out_of_the_window() -> None:
    """Which are the newest is not known then: none is deleted."""
    scope = msgspec.structs.replace(WANTED, max_revisions=2)
    due = Changed(A, revisions=True, head="4")
    found = (Revision("2"), Revision("3"), UnreadableItem(None, "no id"), Revision("4"))
    step = follow(passing(changed=(due,), scope=scope), ReadDetails((due,)), Hanging({A: found}, {}), a=ItemEntry())
    assert written(step) == ["upsert revision a/4"]


def test_only_the_newest_revisions_are_mirrored() -> None:
    """One that a newer pushes out of the window is deleted, when its file is read again."""
    scope = msgspec.structs.replace(WANTED, max_revisions=2)
    index, due = DictIndex({A: MAY}), Changed(A, revisions=True)
    before = passing(changed=(due,), scope=scope)
    first = on_answer(before, ReadDetails((due,)), Hanging({A: revisions("1", "2", "3")}, {}), transformer, index)
    assert written(first) == ["upsert revision a/2", "upsert revision a/3"]
    index.apply(first.changes)
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
    full = on_answer(passing(changed=(due,)), ReadDetails((due,)), second, transformer, index)
    assert written(full) == ["upsert revision a/2", "upsert revision a/3", "upsert comment a/c"]


def test_revisions_of_a_changed_file_are_read_where_its_head_changed() -> None:
    """Comments are read of every changed file: a new one may change nothing else of it."""
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    page = changes_page(
        changed(file("a", headRevisionId="2")), changed(file("b", modifiedTime="t")), changed(folder("f")), start="c2"
    )
    known = {A: msgspec.structs.replace(MAY, head="1"), B: msgspec.structs.replace(MAY, head="t")}
    step = on_answer(before, ReadChanges("user", token("c1")), page, transformer, DictIndex(known))
    due = Changed(A, revisions=True, comments=True, head="2"), Changed(B, comments=True, head="t")
    assert sync_of(step).changed == due
    entries = step.changes.entries
    assert {each: (e.head, e.revisions_due, e.comments_due) for each in (A, B) if (e := entries[each])} == {
        A: ("2", True, True),
        B: ("t", False, True),
    }
    later = with_sync(state(step), msgspec.structs.replace(sync_of(step), walks=()))
    assert plan(later) == [ReadDetails(due)]
    comments = (Comment("c", deleted=True), Comment("d"))
    answer = Hanging({A: revisions("2")}, {A: comments, B: ()})
    step = follow(later, ReadDetails(due), answer, a=MAY, b=MAY)
    assert written(step) == ["upsert revision a/2", "upsert comment a/d"]
    assert step.changes.entries == {
        A: msgspec.structs.replace(MAY, comments=True),
        B: msgspec.structs.replace(MAY, comments=False),
    }


def test_a_file_that_is_deleted_is_not_read_any_more() -> None:
    """Nothing of it may follow its delete."""
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    before = with_sync(before, msgspec.structs.replace(sync_of(before), changed=(Changed(A, comments=True),)))
    step = on_answer(
        before, ReadChanges("user", token("c1")), changes_page(removed("a"), start="c2"), transformer, holding("a")
    )
    assert sync_of(step).changed == ()


def test_what_a_full_sync_reads_at_its_end_is_not_noted_before() -> None:
    """Its log repeats what changed during its listing: the pass reads all files."""
    before = syncing("full", user=corpus("changes"), scope=WANTED)
    page = changes_page(changed(file("a")), start="c2")
    assert sync_of(on_answer(before, ReadChanges("user", token("c1")), page, transformer)).changed == ()


def test_what_comes_out_of_the_trash_with_its_folder_is_read_again() -> None:
    """What hung on it went with its delete; what is remembered was there all the time."""
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    walk = Walk(FileId("f"))
    before = with_sync(before, msgspec.structs.replace(sync_of(before), walks=(walk,)))
    page = files_page(file("a"), file("b", modifiedTime="t"), folder("g"))
    known = msgspec.structs.replace(MAY, head="t", comments=False)
    step = on_answer(before, WalkFolder(walk), page, transformer, DictIndex({B: known}))
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
HAD = msgspec.structs.replace(MAY, head="1", comments=True)


@pytest.mark.parametrize(
    ("may", "lost", "due"),
    [
        (READER, ["delete revision a/1", "delete comment a/c"], ()),
        (COMMENTER, ["delete revision a/1"], (Changed(A, comments=True),)),
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
    assert written(step) == [*lost, "upsert file a"]
    assert sync_of(step).changed == due
    index.apply(step.changes)
    again = on_answer(before, ReadChanges("user", token("c1")), page, transformer, index)
    assert written(again) == []


def test_in_doubt_an_item_is_deleted_with_what_hung_on_it() -> None:
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
        (msgspec.structs.replace(MAY, head="t", comments=False), {}, ()),
        (ItemEntry(), COMMENTER, (Changed(A, comments=True, head="t"),)),
        (ItemEntry(), READER, ()),
    ],
)
def test_what_the_account_may_read_now_is_read_below_a_folder_too(
    known: ItemEntry, may: dict[str, bool], due: tuple[Changed, ...]
) -> None:
    """The log names the folder that was shared again, and its walk brings the files; the rest is not read again."""
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
    known = msgspec.structs.replace(MAY, head="0", comments=True, comments_due=True)
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
    known = {A: msgspec.structs.replace(MAY, head="t", comments=False)}
    step = on_answer(before, LookUpRemoved((A,)), found, transformer, DictIndex(known))
    assert sync_of(step).changed == (Changed(A, comments=True, head="t"),)


def test_an_item_deleted_before_it_is_written_has_all_read_again() -> None:
    """With them went what hung on them, whatever the head."""
    scope = msgspec.structs.replace(WANTED, sync_permissions=True)
    before = msgspec.structs.replace(syncing("incremental", user=corpus("changes"), scope=scope), in_doubt=True)
    page = changes_page(changed(file("a", modifiedTime="t")), start="c2")
    step = on_answer(before, ReadChanges("user", token("c1")), page, transformer)
    assert written(step) == ["delete file a", "upsert file a"]
    assert sync_of(step).changed == (Changed(A, revisions=True, comments=True, head="t"),)


def test_an_incremental_sync_is_let_in_before_the_pass_goes_on() -> None:
    """The logs are read on, within the full sync that is still open; the pass goes on after them."""
    before = msgspec.structs.replace(passing(WHOLE), owed=owed("incremental"))
    after = let_in(before, WANTED)
    assert after is not None
    assert after.owed is None
    assert ReadChanges("user", token("c1")) in plan(after)
    assert sync_of(after).details == (WHOLE,)
    assert let_in(passing(WHOLE), WANTED) is None
    assert let_in(msgspec.structs.replace(passing(), owed=owed("incremental")), WANTED) is None
    assert let_in(msgspec.structs.replace(after, owed=owed("incremental")), WANTED) is None


def test_a_file_whose_comments_fail_holds_up_no_other_file() -> None:
    """The sync that rests for it lets the next one in."""
    stuck = syncing("incremental", user=corpus("done"), scope=WANTED)
    stuck = with_sync(stuck, msgspec.structs.replace(sync_of(stuck), changed=(Changed(A, comments=True),)))
    resting = state(failure.on_failure(stuck, plan(stuck)[0], Retryable("500"), NOW, 0.5, transformer))
    after = let_in(msgspec.structs.replace(resting, owed=owed("incremental")), WANTED)
    assert after is not None
    assert plan(after) == [ReadChanges("user", token("c1"))]
    assert sync_of(after).changed == (Changed(A, comments=True),)


def test_a_full_sync_or_another_scope_ends_the_sync_unclosed() -> None:
    """Not all of it was read. Another customer's wish ends nothing: it may come to nothing."""
    before = passing(WHOLE, changed=(Changed(A),))
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
    read_again = follow(passing(changed=due), ReadDetails(due), Hanging({A: gone}, {A: gone, B: hidden}))
    assert state(read_again).gone == (Removal(A, NO_CORPUS),)
    found = read_both(Hanging({A: ()}, {A: gone, B: gone}))
    assert state(found).gone == (Removal(B, NO_CORPUS),)


def test_a_list_of_one_file_that_fails_is_a_gap_of_that_file() -> None:
    """Nothing of it is deleted, the others are written, and it is reported once, however often it is tried."""
    problem = ItemUnavailable("odd", code="bad_request", http_status=400)
    step = read_both(Hanging({A: problem, B: (Revision("1"),)}, {}), a=MAY, b=MAY)
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


def test_both_lists_of_a_file_are_tried_again_as_one() -> None:
    """So that what a log tells meanwhile takes neither's place."""
    problem = ItemUnavailable("odd", code="bad_request", http_status=400)
    step = read_both(Hanging({A: problem}, {A: problem}), a=MAY)
    ended = state(complete(state(step), NOW, transformer))
    assert [(gap.scope, gap.id) for gap in ended.gaps] == [("revisions", "a"), ("comments", "a")]
    later = from_rfc3339(ended.gaps[0].retry_at or "")
    tried = state(begin(ended, CUSTOMER, WANTED, later, 7, transformer))
    assert sync_of(tried).changed == (Changed(A, revisions=True, comments=True),)


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


def test_a_list_with_senseless_values_is_read_again_a_few_times() -> None:
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


def test_trouble_with_what_hangs_on_files() -> None:
    """What passes rests, what the scope does not cover is left out."""
    due = (Changed(A, revisions=True),)
    before = passing(WHOLE, changed=due)
    rests = state(failure.on_failure(before, ReadDetails(due), Retryable("later"), NOW, 0.5, transformer))
    assert rests.parked is not None
    assert rests.parked.step == "ReadDetails"
    scope = Terminal("scope", code="insufficient_scope")
    refused = failure.on_failure(before, ReadDetails(due), scope, NOW, 0.5, transformer)
    assert (sync_of(refused).details, sync_of(refused).changed) == ((), ())
    assert [report.code for report in refused.errors] == ["insufficient_scope"]
    assert state(refused).parked is None


def test_what_the_consent_lacks_is_asked_for_by_full_syncs_alone() -> None:
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
    index = DictIndex({A: msgspec.structs.replace(MAY, changed_in=sync_of(full).sync_id)})
    taken = state(complete(full, NOW, transformer, index=index))
    assert sync_of(taken).changed == (Changed(A, revisions=True, comments=True),)
