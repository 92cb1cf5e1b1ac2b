"""Taking up what could not be read: what each gap brings back into its sync, and what ends each attempt."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import ItemEntry
from google_drive_worker.domain.record import ErrorReport
from google_drive_worker.domain.times import due_moment, rfc3339
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import (
    USER_CORPUS,
    Changed,
    Checkpoint,
    Corpus,
    Gap,
    Parked,
    Removal,
    Scope,
    Walk,
)
from google_drive_worker.sync.details import Hanging
from google_drive_worker.sync.engine import accept, begin, complete, due_at, on_answer
from google_drive_worker.sync.failure import on_failure
from google_drive_worker.sync.gaps import GAPS_AT_MOST, TOO_MANY, TRIES_AT_ONCE, hard_gaps, note_lossy, open_gap
from google_drive_worker.sync.items import NOWHERE, Places, Shared
from google_drive_worker.sync.places import DEPTH_AT_MOST
from google_drive_worker.sync.plan import (
    ListDrives,
    ListFiles,
    LookUpDrive,
    LookUpRemoved,
    ReadChanges,
    ReadDetails,
    TakeStartToken,
    WalkFolder,
    plan,
)
from google_drive_worker.sync.step import Step, with_corpus, with_sync
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, PageTokenRejected
from support.dict_index import DictIndex
from support.syncs import (
    CUSTOMER,
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
    owed,
    read,
    state,
    sync_of,
    syncing,
    token,
    written,
)

BAD = ItemUnavailable("Google does not serve it", code="bad_request", http_status=400)
NAMELESS: dict[str, object] = {"changeType": "file", "file": {"name": "no id"}}


def ended(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint after its sync is through."""
    corpora = {name: replace(each, stage="done") for name, each in checkpoint.corpora.items()}
    checkpoint = replace(checkpoint, corpora=corpora)
    while checkpoint.sync is not None:
        checkpoint = state(complete(checkpoint, NOW, transformer))
    return checkpoint


def tried(idle: Checkpoint) -> Checkpoint:
    """The sync that tries the gaps whose rest is over last."""
    due = max(due_moment(gap.retry_at or "", NOW) for gap in idle.gaps)
    return state(begin(idle, CUSTOMER, idle.scope, due, 7, transformer))


def crowded(checkpoint: Checkpoint) -> tuple[Checkpoint, list[ErrorReport]]:
    """The checkpoint with more items of the drive unread than are named, and the error records of that."""
    reports: list[ErrorReport] = []
    for number in range(GAPS_AT_MOST + 1):
        checkpoint, errors = open_gap(checkpoint, "item", f"item-{number}", D, BAD)
        reports += errors
    return checkpoint, reports


def of_drive(checkpoint: Checkpoint) -> Gap:
    """The gap of the whole drive."""
    [gap] = [gap for gap in checkpoint.gaps if (gap.scope, gap.id) == ("corpus", D)]
    return gap


def test_too_many_gaps_rest_longer_each_time_and_are_told_once() -> None:
    """The drive is listed again and as many of its items fail once more: no error record tells of that."""
    first, told = crowded(syncing("full", d=corpus("changes")))
    assert [report.code for report in told[-2:]] == ["bad_request", TOO_MANY]
    again = tried(ended(first))
    assert again.corpora[D].stage == "listing"
    second, told = crowded(again)
    assert (of_drive(second).attempts, told) == (2, [])


def test_too_many_gaps_of_which_no_listing_tells_are_left_to_a_full_sync() -> None:
    """An item that a log removed, or one that was not found. It comes when the rest is over; till then no full sync
    is completed. The list of drives is a gap of its own."""
    checkpoint = syncing("full", d=corpus("changes"))
    checkpoint = open_gap(checkpoint, "item", "removed", D, BAD, told=True).checkpoint
    checkpoint = open_gap(checkpoint, "item", "missing", D, BAD, missing=True).checkpoint
    checkpoint = open_gap(checkpoint, "drives", "drives", USER_CORPUS, BAD).checkpoint
    checkpoint, _ = crowded(checkpoint)
    assert {(gap.scope, gap.id) for gap in checkpoint.gaps} == {("drives", "drives"), ("corpus", D)}
    idle = ended(checkpoint)
    assert idle.owed is None
    again = tried(idle)
    assert again.owed is not None
    assert again.owed.kind == "full"


def test_a_removal_is_kept_beside_too_many_gaps() -> None:
    """The log tells of it once."""
    checkpoint, _ = crowded(syncing("incremental", d=corpus("changes")))
    checkpoint = open_gap(checkpoint, "item", "removed", D, BAD, told=True).checkpoint
    checkpoint = open_gap(checkpoint, "item", "other", D, BAD).checkpoint
    assert {gap.id for gap in checkpoint.gaps} == {D, "removed"}


def test_values_that_make_no_sense_are_never_too_many() -> None:
    """They were read."""
    checkpoint = syncing("incremental", d=corpus("changes"))
    for number in range(GAPS_AT_MOST):
        checkpoint = note_lossy(checkpoint, "item", f"item-{number}", USER_CORPUS)
    checkpoint = open_gap(checkpoint, "item", "bad", D, BAD).checkpoint
    assert [gap.id for gap in hard_gaps(checkpoint)] == ["bad"]


def test_lists_that_are_not_found_are_believed_the_second_time_however_many() -> None:
    """Files of some types have no comments, whatever they are: a drive full of them comes to an end."""
    files = [FileId(f"file-{number}") for number in range(GAPS_AT_MOST + 1)]
    asked = tuple(Changed(each, comments=True) for each in files)
    before = syncing("full", d=corpus("done"), scope=Scope(sync_comments=True))
    before = with_sync(before, replace(sync_of(before), changed=asked))
    answer = Hanging({}, {each: NotFound("no comments") for each in files})
    due = ItemEntry(corpus=D, has_comments=True, comments_due=True)
    index = DictIndex(dict.fromkeys(files, due))
    first = on_answer(before, ReadDetails(asked), answer, transformer, index)
    assert [gap.code for gap in state(first).gaps] == [TOO_MANY]
    index.apply(first.changes)
    assert index.entries == dict.fromkeys(files, due)
    again = with_corpus(tried(ended(state(first))), D, corpus("done"))
    again = replace(again, sync=replace(sync_of(again), changed=asked))
    second = on_answer(again, ReadDetails(asked), answer, transformer, index)
    assert [gap.code for gap in state(second).gaps] == [TOO_MANY]  # till the listing is through
    assert (second.errors, sync_of(second).changed) == ((), ())
    index.apply(second.changes)
    assert index.entries == dict.fromkeys(files, replace(due, comments=False, comments_due=False))


@pytest.mark.parametrize("scope", [Scope(folder_ids=ids("chosen")), Scope(drive_ids=("elsewhere",))])
def test_what_a_lost_log_entry_owes_is_never_more_than_the_scope(scope: Scope) -> None:
    """The page is read again first. Then the folders that are named are walked; My Drive is not listed, and no log is
    read for that."""
    before = syncing("incremental", user=corpus("changes"), scope=scope)
    action, page = ReadChanges(USER_CORPUS, token("c1")), changes_page(NAMELESS, start="c2")
    for _ in range(TRIES_AT_ONCE):
        step = on_answer(before, action, page, transformer)
        assert (step.errors, plan(state(step))) == ((), [action])
        before = state(step)
    step = on_answer(before, action, page, transformer)
    assert [report.code for report in step.errors] == ["unreadable_item"]
    assert [gap.id for gap in state(step).gaps] == [USER_CORPUS]
    again = tried(ended(state(step)))
    assert again.corpora[USER_CORPUS] == replace(state(step).corpora[USER_CORPUS], unlisted=False)
    assert sync_of(again).removals == tuple(Removal(root, USER_CORPUS) for root in scope.folder_ids or ())
    assert plan(again) == [ListDrives(None)]  # the entry may have told of one


def test_a_drive_that_a_full_sync_could_not_find_is_looked_up_by_the_next_one() -> None:
    """Also where the full sync was dropped before its drives were listed, or a log could not be followed any more."""
    idle = replace(syncing("incremental", d=corpus("done", written=True)), sync=None)
    full = state(begin(accept(idle, idle.connection_id, owed("full")), CUSTOMER, Scope(), NOW, 7, transformer))
    parked = replace(full, parked=Parked("internal_error", "ListDrives", until=rfc3339(NOW + timedelta(hours=1))))
    dropped = accept(parked, idle.connection_id, owed("full"))
    log = syncing("incremental", user=corpus("changes"), d=corpus("done", written=True))
    lost = on_failure(log, ReadChanges(USER_CORPUS, token("c1")), PageTokenRejected("gone"), NOW, 0.5, transformer)
    for before in (dropped, state(lost)):
        begun = state(begin(replace(before, parked=None), CUSTOMER, Scope(), NOW, 8, transformer))
        begun = with_corpus(begun, USER_CORPUS, corpus("done"))
        listed = state(on_answer(begun, ListDrives(None), drives_page(), transformer))
        assert plan(listed) == [LookUpDrive(FileId(D))]
    missing = state(
        on_failure(listed, LookUpDrive(FileId(D)), NotFound("no such drive"), NOW, 0.5, transformer),
    )
    third = accept(ended(missing), idle.connection_id, owed("full"))
    later = NOW + timedelta(minutes=1)
    begun = with_corpus(state(begin(third, CUSTOMER, Scope(), later, 9, transformer)), USER_CORPUS, corpus("done"))
    listed = state(on_answer(begun, ListDrives(None), drives_page(), transformer))
    assert plan(listed) == [LookUpDrive(FileId(D))]
    sooner = on_failure(listed, LookUpDrive(FileId(D)), NotFound("no such drive"), later, 0.5, transformer)
    assert (written(sooner), [gap.missing for gap in state(sooner).gaps]) == ([], [True])


def test_a_rest_is_heeded_where_only_gaps_are_due() -> None:
    """And it is over with the sync that tries them."""
    idle = ended(open_gap(syncing("full"), "item", "a", USER_CORPUS, BAD).checkpoint)
    due = due_at(idle, NOW)
    assert due is not None
    until = due + timedelta(minutes=5)
    rests = replace(idle, parked=Parked("internal_error", "Turn", until=rfc3339(until)))
    assert due_at(rests, due) == until
    assert state(begin(rests, CUSTOMER, rests.scope, until, 7, transformer)).parked is None


def test_a_listing_in_no_order_whose_later_token_is_refused_each_time_is_a_gap() -> None:
    """It begins anew each time, and its first pages are written again: a few times."""
    checkpoint = syncing("full", user=Corpus("listing", token("c1"), order="ignored"))
    asked = 0
    while checkpoint.corpora[USER_CORPUS].stage == "listing":
        action = next(each for each in plan(checkpoint) if isinstance(each, ListFiles))
        more = {None: "two", "two": "three"}.get(action.page_token)
        step = (
            on_failure(checkpoint, action, PageTokenRejected("refused"), NOW, 0.5, transformer)
            if more is None
            else on_answer(checkpoint, action, files_page(file("a"), more=more), transformer)
        )
        checkpoint, asked = state(step), asked + 1
        assert asked <= 5 * TRIES_AT_ONCE
    assert [(gap.scope, gap.id) for gap in checkpoint.gaps] == [("corpus", USER_CORPUS)]


def test_folders_in_a_circle_end_the_walk() -> None:
    """Google nests no deeper than that: what is below is a gap. A folder that shows itself is left out."""
    walk = Walk(FileId("a"), depth=DEPTH_AT_MOST)
    before = syncing("incremental", user=corpus("done"))
    before = with_sync(before, replace(sync_of(before), walks=(walk,)))
    page = files_page(folder("a"), folder("b"), more="two")
    step = on_answer(before, WalkFolder(walk), page, transformer)
    assert [each.page_token for each in sync_of(step).walks] == ["two"]
    assert [(gap.scope, gap.id, gap.code) for gap in state(step).gaps] == [("folder", "b", "folder_circle")]


def enumerating() -> Checkpoint:
    """A full sync after one that had read the user's log to 7: its drive is not in the list of drives any more."""
    before = replace(syncing("full", user=corpus("done", "7"), d=corpus("done")), sync=None)
    owing = accept(before, before.connection_id, owed("full"))
    begun = state(begin(owing, CUSTOMER, Scope(include_shared_drives=True), NOW, 7, transformer))
    started = state(on_answer(begun, TakeStartToken(USER_CORPUS), token("9"), transformer))
    listed = state(on_answer(started, ListDrives(None), drives_page(), transformer))
    assert listed.expected == (D,)
    return state(on_answer(listed, ListFiles(USER_CORPUS, None), files_page(file("a")), transformer))


def test_a_drive_that_was_left_before_a_full_sync_is_left_by_the_log_that_tells_so() -> None:
    """The list of drives lacks it: the user's log is read from where it was read to before, and then it is asked for,
    where that log says nothing of it. No other full sync is owed: this one has read nothing of the drive."""
    through = enumerating()
    assert plan(through) == [ReadChanges(USER_CORPUS, token("7"))]
    entry = {**drive_change(D, left=True), "time": "2026-11-20T12:00:00.000Z"}
    left = on_answer(through, plan(through)[0], changes_page(entry, start="10"), transformer)
    assert (written(left), plan(state(left)), state(left).owed) == (["delete shared_drive drive-d"], [], None)
    silent = on_answer(through, plan(through)[0], changes_page(start="10"), transformer)
    assert plan(state(silent)) == [LookUpDrive(FileId(D))]


def test_a_log_that_is_too_old_is_read_from_the_full_syncs_own_start() -> None:
    """What was listed is not listed again."""
    through = enumerating()
    again = on_failure(through, plan(through)[0], PageTokenRejected("too old"), NOW, 0.5, transformer)
    assert (plan(state(again)), again.errors) == ([ReadChanges(USER_CORPUS, token("9"))], ())


def test_the_users_log_is_set_back_once() -> None:
    """Where the drives are listed again in the same sync, the log goes on from where it was read to."""
    through = enumerating()
    read_on = state(on_answer(through, plan(through)[0], changes_page(more="8"), transformer))
    again = with_sync(read_on, replace(sync_of(read_on), drives_listed=False))
    listed = state(on_answer(again, ListDrives(None), drives_page(), transformer))
    assert listed.corpora[USER_CORPUS].change_token == "8"


def test_a_place_after_the_start_token_is_not_gone_back_to() -> None:
    """It is of another account's log: what happened since the start would be missed."""
    before = syncing("full", user=corpus("start_token"))
    before = with_sync(before, replace(sync_of(before), logs_before={USER_CORPUS: token("12")}))
    started = state(on_answer(before, TakeStartToken(USER_CORPUS), token("9"), transformer))
    assert (started.corpora[USER_CORPUS].change_token, sync_of(started).own_starts) == ("9", {})


CHOSEN = Scope(folder_ids=ids("chosen"))


def placed(before: Checkpoint, places: Places, *held: str) -> Step:
    """The step of a file of which a log tells, with where it is; the mirror holds those."""
    known = {FileId(name): ItemEntry(version=1) for name in held}
    page = changes_page(changed(file("a", version="3")), start="c2")
    action = ReadChanges(USER_CORPUS, token("c1"))
    return on_answer(before, action, Shared(page, {}, 0, places), transformer, DictIndex(known))


def test_nothing_is_deleted_for_a_folder_above_it_that_can_not_be_had_now() -> None:
    """The item is a gap; only where it is not found twice, minutes apart, or is there and elsewhere, it is deleted."""
    before = syncing("incremental", user=corpus("changes"), scope=CHOSEN)
    outside = frozenset(ids("a"))
    assert written(placed(before, Places(outside), "a")) == ["delete file a"]
    unread = Places(outside, unread=outside, unsure=outside, hidden={FileId("s"): False})
    unsure = Places(outside, unsure=outside, hidden={FileId("s"): True})
    for places, gaps in ((unread, {("folder", "s")}), (unsure, {("folder", "s"), ("item", "a")})):
        step = placed(before, places, "a")
        assert written(step) == []
        assert {(gap.scope, gap.id) for gap in state(step).gaps} == gaps
        assert {gap.code for gap in state(step).gaps} == {"place_unknown"}
        end = complete(state(step), NOW, transformer)
        told, silent = (step, end) if places is unread else (end, step)  # what is not found is told at the end
        assert {report.resource_id for report in told.errors} == {gap_id for _, gap_id in gaps}
        assert silent.errors == ()
    assert [gap.id for gap in state(placed(before, unsure)).gaps] == ["s"]  # it may be in scope
    assert written(placed(before, Places(outside, unsure=outside))) == []  # nothing is held of it
    again = tried(ended(state(placed(before, Places(outside, unsure=outside), "a"))))
    answer = Shared({FileId("a"): read(file("a", version="3"))}, {}, 0, Places(outside, unsure=outside))
    known = {FileId("a"): ItemEntry(version=1)}
    gone = on_answer(again, LookUpRemoved(ids("a")), answer, transformer, DictIndex(known))
    assert (written(gone), state(gone).gaps) == (["delete file a"], ())
    first = on_answer(again, LookUpRemoved(ids("a")), {FileId("a"): NotFound("no file")}, transformer, DictIndex(known))
    assert written(first) == []  # what was not found before was a folder


def test_the_end_of_a_walk_leaves_the_gap_of_its_first_page() -> None:
    """The folder could not be had while its first page was judged: nothing of that page was written."""
    walk = Walk(FileId("s"))
    before = syncing("incremental", user=corpus("done"), scope=CHOSEN)
    before = with_sync(before, replace(sync_of(before), walks=(walk,)))
    outside = frozenset(ids("a"))
    unread = Places(outside, unread=outside, unsure=outside, hidden={FileId("s"): False})
    first = state(
        on_answer(before, WalkFolder(walk), Shared(files_page(file("a"), more="two"), {}, 0, unread), transformer)
    )
    [rest] = sync_of(first).walks
    last = state(on_answer(first, WalkFolder(rest), files_page(file("b")), transformer))
    assert (sync_of(last).walks, [(gap.scope, gap.id) for gap in last.gaps]) == ((), [("folder", "s")])


def test_a_folder_that_could_not_be_had_is_walked_when_it_is_there() -> None:
    """So all that is below it finds its place."""
    before = syncing("incremental", user=corpus("changes"), scope=CHOSEN)
    outside = frozenset(ids("a"))
    unread = Places(outside, unread=outside, unsure=outside, hidden={FileId("s"): False})
    again = tried(ended(state(placed(before, unread))))
    assert plan(again) == [LookUpRemoved(ids("s"))]
    there = on_answer(again, LookUpRemoved(ids("s")), {FileId("s"): read(folder("s"))}, transformer)
    assert [walk.folder_id for walk in sync_of(there).walks] == ["s"]


def test_what_a_listing_showed_is_not_deleted_when_its_values_are_looked_at_again() -> None:
    """A file that only a link opens is in nobody's Drive by its values alone."""
    shown = syncing("incremental", user=corpus("changes"))
    shown = ended(note_lossy(shown, "item", "a", USER_CORPUS))
    again = tried(shown)
    linked = read(file("a", ownedByMe=False))
    step = on_answer(again, LookUpRemoved(ids("a")), {FileId("a"): linked}, transformer)
    assert written(step) == ["upsert file a"]


def test_nothing_is_read_of_a_file_until_it_is_known_to_be_in_scope() -> None:
    """Its revisions and comments follow when it was looked up, and the folders above it were there."""
    before = syncing("incremental", user=corpus("changes"), scope=replace(CHOSEN, sync_comments=True))
    outside = frozenset(ids("a"))
    step = placed(before, Places(outside, unsure=outside, hidden={FileId("s"): True}), "a")
    assert (written(step), sync_of(step).changed) == ([], ())
    again = tried(ended(state(step)))
    assert plan(again) == [LookUpRemoved(ids("s", "a"))]
    answer = Shared({FileId("a"): read(file("a", version="3"))}, {}, 0, NOWHERE)
    there = on_answer(again, LookUpRemoved(ids("a")), answer, transformer, DictIndex({FileId("a"): ItemEntry()}))
    assert written(there) == ["upsert file a"]
    assert sync_of(there).changed == (Changed(FileId("a"), comments=True),)


def test_a_folder_whose_path_was_not_found_is_read_again() -> None:
    """It is no gap that a closing record names."""
    before = syncing("full", scope=Scope(paths=True), user=corpus("listing"))
    answer = Shared(files_page(folder("f")), {}, 0, Places(pathless=frozenset(ids("f"))))
    step = on_answer(before, ListFiles(USER_CORPUS, None), answer, transformer)
    assert written(step) == ["upsert folder f"]
    assert [(gap.id, gap.soft) for gap in state(step).gaps] == [("f", True)]
