"""Gaps: what could not be read is named, kept, tried again with growing rests, and closes its full sync when filled."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from google_drive_worker.domain.content import Content, Mirrored
from google_drive_worker.domain.drive import ChangesPage, DriveFile, DrivesPage, FilesPage, SharedDrive
from google_drive_worker.domain.ids import DriveId, FileId
from google_drive_worker.domain.item_entry import ItemEntry
from google_drive_worker.domain.record import ErrorReport
from google_drive_worker.domain.times import due_moment
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import (
    NO_CORPUS,
    USER_CORPUS,
    Checkpoint,
    Gap,
    Parked,
    Removal,
    Scope,
    Walk,
    decode_checkpoint,
    encode_checkpoint,
)
from google_drive_worker.sync.content import Contents
from google_drive_worker.sync.engine import accept, begin, complete, due_at, on_answer
from google_drive_worker.sync.failure import on_failure
from google_drive_worker.sync.gap_retries import TRIED_AT_ONCE, GapRests, postpone
from google_drive_worker.sync.gaps import GAPS_AT_MOST, TOO_MANY, open_gap
from google_drive_worker.sync.plan import (
    Action,
    ListDrives,
    ListFiles,
    LookUpDrive,
    LookUpRemoved,
    ReadChanges,
    ReadContent,
    TakeStartToken,
    WalkFolder,
    plan,
)
from google_drive_worker.sync.step import Step, with_corpus, with_sync
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, SkipItem
from support.dict_index import DictIndex, holding
from support.syncs import (
    CUSTOMER,
    NOW,
    SYNC,
    D,
    changed,
    changes_page,
    corpus,
    drives_page,
    file,
    files_page,
    folder,
    ids,
    in_drive,
    owed,
    read,
    removed,
    state,
    sync_of,
    syncing,
    token,
    written,
)

BAD = ItemUnavailable("Google does not serve it", code="bad_request", http_status=400)
RESTS = GapRests(first_s=60.0, at_most_s=600.0, confirm_s=180.0)


def rest_of(gap: Gap) -> timedelta:
    """How long the gap rests from now."""
    assert gap.retry_at is not None
    return due_moment(gap.retry_at, NOW) - NOW


def closing(step: Step) -> dict[str, object]:
    """The data of the step's closing record."""
    [record] = step.records
    data: dict[str, object] = msgspec.json.decode(msgspec.json.encode(record.data))
    return data


def with_gap(before: Checkpoint, gap_id: str = "a", corpus_name: str = USER_CORPUS) -> Checkpoint:
    """The checkpoint with an item that could not be read."""
    return open_gap(before, "item", gap_id, corpus_name, BAD).checkpoint


def looked_up(before: Checkpoint, answer: DriveFile | SkipItem, name: str = "a", **known: ItemEntry) -> Step:
    """The step of one item looked up."""
    memory = {FileId(key): each for key, each in known.items()}
    return on_answer(before, LookUpRemoved(ids(name)), {FileId(name): answer}, transformer, DictIndex(memory))


def trying(ended: Checkpoint) -> Checkpoint:
    """The sync that tries the gaps, its logs read."""
    due = due_at(ended, NOW)
    assert due is not None
    begun = state(begin(ended, CUSTOMER, ended.scope, due, 7, transformer))
    done = {name: replace(each, stage="done") if not each.held else each for name, each in begun.corpora.items()}
    return replace(begun, corpora=done)


def test_a_full_sync_with_a_gap_closes_as_incomplete_and_names_it() -> None:
    """The sync that fills the last one closes the full sync for a second time, under its own id."""
    ended = complete(with_gap(syncing("full")), NOW, transformer, RESTS)
    told = closing(ended)
    assert told["status"] == "incomplete"
    assert told["gaps"] == [{"scope": "item", "id": "a", "code": "bad_request", "message": BAD.message}]
    assert [report.gaps for report in ended.reports if hasattr(report, "gaps")] == [1]
    tried = trying(state(ended))
    assert plan(tried) == [LookUpRemoved(ids("a"))]
    filled = looked_up(tried, read(file("a")))
    assert (written(filled), state(filled).gaps) == (["upsert file a"], ())
    last = complete(state(filled), NOW, transformer, RESTS)
    told = closing(last)
    assert (told["id"], told["status"], told["gaps"]) == (SYNC, "completed", [])
    assert (last.sync_id, state(last).unfinished) == (SYNC, None)
    assert sync_of(state(filled)).sync_id != SYNC


def test_a_sync_without_gaps_closes_as_completed_once() -> None:
    """And an incremental one writes no closing record."""
    ended = complete(syncing("full"), NOW, transformer)
    assert (closing(ended)["status"], closing(ended)["gaps"]) == ("completed", [])
    assert complete(syncing("incremental"), NOW, transformer).records == ()


def test_a_gap_rests_longer_each_time_it_fails_and_is_reported_once() -> None:
    """Up to the longest rest; what it was is told again only where it is something else."""
    checkpoint, rests, reports = with_gap(syncing("full")), list[float](), 0
    for _ in range(6):
        ended = state(complete(checkpoint, NOW, transformer, RESTS))
        rests.append(rest_of(ended.gaps[0]).total_seconds())
        step = looked_up(trying(ended), BAD)
        assert written(step) == []
        reports += len(step.errors)
        checkpoint = state(step)
    assert [round(rest / rests[0], 3) for rest in rests[:4]] == [1, 2, 4, 8]
    assert 60 <= rests[0] <= 66
    assert rests[-1] <= 660
    assert reports == 0
    other = looked_up(trying(state(complete(checkpoint, NOW, transformer, RESTS))), ItemUnavailable("x", code="other"))
    assert [error.code for error in other.errors] == ["other"]


def test_a_gap_that_rests_is_not_tried_by_the_way() -> None:
    """A sync that a trigger asks for meanwhile leaves it alone, and what it meets of it is no attempt."""
    ended = state(complete(with_gap(syncing("full")), NOW, transformer, RESTS))
    begun = state(
        begin(accept(ended, ended.connection_id, owed("incremental")), CUSTOMER, Scope(), NOW, 7, transformer)
    )
    assert sync_of(begun).removals == ()
    assert open_gap(begun, "item", "a", USER_CORPUS, BAD).checkpoint == begun


def test_what_a_log_tells_of_an_item_fills_its_gap() -> None:
    """It was read; and where it was removed there is nothing left to be read."""
    before = with_gap(syncing("incremental", user=corpus("changes")))
    shown = on_answer(before, ReadChanges("user", token("c1")), changes_page(changed(file("a"))), transformer)
    assert state(shown).gaps == ()
    page = changes_page(removed("a"))
    unknown = on_answer(before, ReadChanges("user", token("c1")), page, transformer)
    assert (written(unknown), state(unknown).gaps) == ([], ())
    gone = on_answer(before, ReadChanges("user", token("c1")), page, transformer, holding("a"))
    assert (written(gone), state(gone).gaps) == (["delete file a"], ())


def test_a_gap_goes_along_with_its_file_to_the_corpus_that_it_moves_to() -> None:
    """Else a drive that is left would take the gap of a file with it that the account still sees."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("done"))
    before = open_gap(before, "comments", "a", D, BAD).checkpoint
    moved = on_answer(
        before, ReadChanges("user", token("c1")), changes_page(changed(file("a")), start="c2"), transformer
    )
    assert [gap.corpus for gap in state(moved).gaps] == [USER_CORPUS]
    assert [gap.corpus for gap in open_gap(before, "comments", "a", USER_CORPUS, BAD).checkpoint.gaps] == [USER_CORPUS]


def test_a_gap_of_a_drives_file_stays_the_drives_when_the_users_log_or_its_contents_show_the_file() -> None:
    """It goes with the drive when that is left."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("done"))
    before = open_gap(before, "comments", "a", D, BAD).checkpoint
    told = changes_page(changed(in_drive("a", D)), start="c2")
    shown = on_answer(before, ReadChanges("user", token("c1")), told, transformer)
    assert [gap.corpus for gap in state(shown).gaps] == [D]
    reading = with_sync(before, replace(sync_of(before), contents=ids("a")))
    contents = Contents((Mirrored(read(in_drive("a", D)), Content("stored")),))
    fetched = on_answer(reading, ReadContent(ids("a")), contents, transformer)
    assert [gap.corpus for gap in state(fetched).gaps] == [D]


def test_that_one_log_told_of_an_item_says_nothing_in_another_drive() -> None:
    """It moved there: one look-up that finds nothing would delete it, or one that finds it there."""
    before = syncing("incremental", d=corpus("changes"), e=corpus("changes"))
    before = open_gap(before, "item", "a", D, BAD, told=True).checkpoint
    lossy = {**in_drive("a", "drive-e"), "createdTime": 7}
    page = changes_page(changed(lossy), start="c2")
    shown = on_answer(before, ReadChanges("drive-e", token("c1")), page, transformer)
    assert written(shown) == ["upsert file a"]
    assert [(gap.corpus, gap.told) for gap in state(shown).gaps] == [("drive-e", False)]


def test_a_full_sync_answers_where_an_item_is_that_a_log_told_to_have_left() -> None:
    """What it lists is written and the rest swept: a look-up after it would write what only a link opens."""
    before = open_gap(syncing("incremental"), "item", "a", USER_CORPUS, BAD, told=True).checkpoint
    before = open_gap(before, "item", "b", USER_CORPUS, BAD).checkpoint
    ended = replace(state(complete(before, NOW, transformer, RESTS)), owed=owed("full"))
    begun = state(begin(ended, CUSTOMER, ended.scope, NOW, 7, transformer))
    assert [(gap.id, gap.state) for gap in begun.gaps] == [("b", "tried")]


def test_a_folder_that_moved_is_looked_up_before_it_is_walked_again() -> None:
    """The walk that failed was of the drive that it was in."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("done"))
    walk = Walk(FileId("f"), DriveId(D))
    before = open_gap(before, "folder", "f", D, BAD, walk=walk).checkpoint
    told = changes_page(changed(folder("f")), start="c2")
    moved = state(on_answer(before, ReadChanges("user", token("c1")), told, transformer))
    assert [(gap.corpus, gap.walk) for gap in moved.gaps] == [(USER_CORPUS, None)]
    again = open_gap(moved, "folder", "f", USER_CORPUS, BAD, walk=Walk(FileId("f"))).checkpoint
    assert [gap.walk for gap in again.gaps] == [Walk(FileId("f"))]


def test_an_item_is_gone_when_google_says_so_twice_with_a_rest_between() -> None:
    """The first time it is a question. Where the item is there after all, it is written."""
    before = syncing("full")
    before = with_sync(before, replace(sync_of(before), removals=(Removal(FileId("a"), USER_CORPUS),)))
    missing = NotFound("no such file", http_status=404)
    first = looked_up(before, missing)
    assert (written(first), [gap.missing for gap in state(first).gaps]) == ([], [True])
    ended = state(complete(state(first), NOW, transformer, RESTS))
    assert rest_of(ended.gaps[0]).total_seconds() >= RESTS.confirm_s
    assert written(looked_up(trying(ended), missing, a=ItemEntry())) == ["delete file a"]
    assert written(looked_up(trying(ended), read(file("a")))) == ["upsert file a"]


def test_what_is_not_found_is_reported_when_the_sync_ends_and_no_log_has_told_why() -> None:
    """Once, and not where its deletion was a log's next entry: nothing is wrong then."""
    before = syncing("full", user=corpus("changes"))
    before = with_sync(before, replace(sync_of(before), removals=(Removal(FileId("a"), USER_CORPUS),)))
    first = looked_up(before, NotFound("no such file", http_status=404))
    told = on_answer(state(first), ReadChanges("user", token("c1")), changes_page(removed("a")), transformer)
    assert (first.errors, told.errors, complete(state(told), NOW, transformer).errors) == ((), (), ())
    ended = complete(state(first), NOW, transformer, RESTS)
    assert [(each.code, each.http_status, each.resource_id) for each in ended.errors] == [("not_found", 404, "a")]
    assert complete(trying(state(ended)), NOW, transformer, RESTS).errors == ()


@pytest.mark.parametrize("told", [True, False])
def test_only_a_log_or_a_second_answer_makes_one_look_up_count(told: bool) -> None:
    """What can't be looked up for another reason proves nothing either way."""
    before = syncing("incremental", d=corpus("done"))
    before = with_sync(before, replace(sync_of(before), removals=(Removal(FileId("a"), USER_CORPUS, told=told),)))
    missing = looked_up(before, NotFound("no such file", http_status=404), a=ItemEntry())
    assert bool(written(missing)) is told
    unavailable = looked_up(before, BAD)
    assert (written(unavailable), [gap.told for gap in state(unavailable).gaps]) == ([], [told])


def test_an_item_that_is_known_to_be_gone_is_not_deleted_again() -> None:
    """It is looked up because a list still shows it, or its drive was joined again."""
    before = syncing("incremental", d=corpus("done"))
    before = with_sync(before, replace(sync_of(before), removals=(Removal(FileId("a"), NO_CORPUS),)))
    step = looked_up(before, NotFound("no such file"), a=ItemEntry(gone_at=""))
    assert (written(step), state(step).gaps) == ([], ())


def test_beyond_the_most_gaps_there_is_one_for_the_corpus() -> None:
    """It is listed again, and its items are gaps no more by themselves."""
    checkpoint = syncing("full", d=corpus("changes"))
    checkpoint = with_gap(checkpoint, "mine")
    reports: list[ErrorReport] = []
    for number in range(GAPS_AT_MOST + 5):
        checkpoint, errors = open_gap(checkpoint, "item", f"item-{number}", D, BAD)
        reports += errors
    assert {(gap.scope, gap.id, gap.code) for gap in checkpoint.gaps} == {
        ("item", "mine", "bad_request"),
        ("corpus", D, TOO_MANY),
    }
    assert reports[-1].code == TOO_MANY
    done = with_corpus(checkpoint, D, replace(checkpoint.corpora[D], stage="done"))
    ended = state(complete(done, NOW, transformer))
    due = max(due_moment(gap.retry_at or "", NOW) for gap in ended.gaps)
    begun = state(begin(ended, CUSTOMER, Scope(), due, 7, transformer))
    assert begun.corpora[D].stage == "listing"


def test_a_thousand_gaps_stay_far_below_what_a_message_may_hold() -> None:
    """Ids and messages of any length are bounded."""
    checkpoint = syncing("full")
    long = ItemUnavailable("x" * 5_000, code="bad_request")
    for number in range(GAPS_AT_MOST):
        checkpoint = open_gap(checkpoint, "item", f"{number:044}", USER_CORPUS, long).checkpoint
    value = encode_checkpoint(checkpoint)
    assert len(value) < 500_000
    assert decode_checkpoint(value) == checkpoint


def test_a_sync_tries_so_many_gaps_and_the_next_one_the_others() -> None:
    """So that it stays a small one."""
    checkpoint = syncing("full")
    for number in range(TRIED_AT_ONCE + 3):
        checkpoint = with_gap(checkpoint, f"item-{number}")
    ended = state(complete(checkpoint, NOW, transformer, RESTS))
    later = NOW + timedelta(hours=1)
    begun = state(begin(ended, CUSTOMER, Scope(), later, 7, transformer))
    assert len(sync_of(begun).removals) == TRIED_AT_ONCE
    done = {name: replace(each, stage="done") for name, each in begun.corpora.items()}
    tried = with_sync(replace(begun, corpora=done), replace(sync_of(begun), removals=()))
    again = state(complete(tried, later, transformer))
    assert due_at(again, later) is not None
    assert due_at(again, later) <= later  # type: ignore[operator]


def test_gaps_wait_while_their_connection_is_not_active() -> None:
    """They rest again; nothing is reported."""
    ended = state(complete(with_gap(syncing("full")), NOW, transformer, RESTS))
    later = NOW + timedelta(hours=1)
    due = due_at(postpone(ended, later, RESTS), later)
    assert due is not None
    assert due > later


def test_a_full_sync_asked_for_while_one_rests_or_has_gaps_starts_over() -> None:
    """One that goes on as it should is that one."""
    wish = owed("full")
    running = syncing("full", user=corpus("listing"))
    same = accept(running, running.connection_id, wish)
    assert same.sync is not None
    assert (same.owed or wish).kind == "incremental"
    for before in (with_gap(running), replace(running, parked=Parked("unavailable", "ListFiles:user"))):
        over = accept(before, before.connection_id, wish)
        assert over.sync is None
        begun = state(begin(replace(over, parked=None), CUSTOMER, Scope(), NOW, 7, transformer))
        assert (sync_of(begun).kind, [gap.state for gap in begun.gaps]) == ("full", ["tried"] * len(before.gaps))


# What listings leave.


LISTING = syncing("full", user=corpus("listing"), d=corpus("done"))


def listed(before: Checkpoint, page_token: str | None, more: str | None, incomplete: bool = False) -> Step:
    """A page of the user's files."""
    action = ListFiles(USER_CORPUS, None if page_token is None else token(page_token))
    return on_answer(before, action, files_page(file("a"), more=more, incomplete=incomplete), transformer)


def test_an_incomplete_search_is_a_gap_of_the_corpus_which_is_listed_again() -> None:
    """Its log is read on meanwhile; a complete listing fills it."""
    first = listed(LISTING, None, "p2", incomplete=True)
    assert state(first).gaps == ()
    last = listed(state(first), "p2", None)
    [gap] = state(last).gaps
    assert (gap.scope, gap.id, gap.code) == ("corpus", USER_CORPUS, "incomplete_search")
    assert plan(state(last)) == [ReadChanges(USER_CORPUS, token("c1"))]
    done = with_corpus(state(last), USER_CORPUS, replace(state(last).corpora[USER_CORPUS], stage="done"))
    ended = state(complete(done, NOW, transformer, RESTS))
    due = due_at(ended, NOW)
    assert due is not None
    begun = state(begin(ended, CUSTOMER, Scope(), due, 7, transformer))
    assert plan(begun) == [ListDrives(None)]  # a drive that was joined is told in a log that may have been missed
    begun = state(on_answer(begun, ListDrives(None), drives_page(), transformer))
    assert ListFiles(USER_CORPUS, None) in plan(begun)
    filled = listed(begun, None, None)
    assert (written(filled), state(filled).gaps) == (["upsert file a"], ())


@pytest.mark.parametrize("circle", [["p2"], ["p2", "p3"], ["p2", "p3", "p4"]])
def test_page_tokens_in_a_circle_end_the_listing_with_an_error_and_a_gap(circle: list[str]) -> None:
    """After a few listings from the last good place; each page is asked for a bounded number of times."""
    checkpoint, asked = LISTING, 0
    errors: list[ErrorReport] = []
    while any(isinstance(action, ListFiles) for action in plan(checkpoint)):
        action = next(action for action in plan(checkpoint) if isinstance(action, ListFiles))
        at = circle.index(action.page_token) if action.page_token in circle else -1
        page = files_page(file("a"), more=circle[(at + 1) % len(circle)])
        step = on_answer(checkpoint, action, page, transformer)
        checkpoint, asked = state(step), asked + 1
        errors += step.errors
        assert asked < 100
    assert [(error.code, error.resource_type) for error in errors] == [("page_token_stuck", "my_drive")]
    assert [(gap.scope, gap.id) for gap in checkpoint.gaps] == [("corpus", USER_CORPUS)]


def stuck_until_given_up(checkpoint: Checkpoint, kind: type, page: FilesPage | ChangesPage | DrivesPage) -> Step:
    """The step in which a listing that always has the same next page is given up."""
    for _ in range(50):
        action = next(each for each in plan(checkpoint) if isinstance(each, kind))
        step = on_answer(checkpoint, action, page, transformer)
        checkpoint = state(step)
        if checkpoint.gaps:
            return step
    raise AssertionError("it goes on for ever")


def test_page_tokens_in_a_circle_are_noticed_in_every_other_listing() -> None:
    """Change logs, walks, and the list of shared drives."""
    log = syncing("incremental", user=corpus("changes"))
    step = stuck_until_given_up(log, ReadChanges, changes_page(changed(file("a")), more="c1"))
    assert [(gap.scope, gap.code) for gap in state(step).gaps] == [("corpus", "page_token_stuck")]
    assert state(step).corpora[USER_CORPUS].held
    walk = syncing("incremental")
    walk = with_sync(walk, replace(sync_of(walk), walks=(Walk(FileId("f")),)))
    step = stuck_until_given_up(walk, WalkFolder, files_page(file("a"), more="p2"))
    assert [(gap.scope, gap.id, gap.code) for gap in state(step).gaps] == [("folder", "f", "page_token_stuck")]
    drives = syncing("full")
    drives = with_sync(drives, replace(sync_of(drives), drives_listed=False))
    step = stuck_until_given_up(drives, ListDrives, drives_page(D, more="p2"))
    assert [(gap.scope, gap.code) for gap in state(step).gaps] == [("drives", "page_token_stuck")]
    assert sync_of(step).drives_listed


def test_an_incomplete_walk_is_a_gap_of_its_folder() -> None:
    """It is walked again."""
    before = syncing("incremental")
    before = with_sync(before, replace(sync_of(before), walks=(Walk(FileId("f")),)))
    step = on_answer(before, WalkFolder(Walk(FileId("f"))), files_page(file("a"), incomplete=True), transformer)
    assert [(gap.scope, gap.id, gap.code) for gap in state(step).gaps] == [("folder", "f", "incomplete_search")]
    ended = state(complete(state(step), NOW, transformer, RESTS))
    assert sync_of(trying(ended)).walks == (Walk(FileId("f")),)


@pytest.mark.parametrize("stage", ["start_token", "changes"])
def test_a_corpus_that_is_held_goes_on_where_it_was(stage: str) -> None:
    """Nothing of it is planned in the present sync, and its cursor stays."""
    held = replace(corpus("done"), stage=stage, change_token=None if stage == "start_token" else token("c9"), held=True)
    before = open_gap(with_corpus(syncing("full"), D, held), "corpus", D, D, BAD).checkpoint
    assert plan(before) == []
    ended = state(complete(before, NOW, transformer, RESTS))
    due = due_at(ended, NOW)
    assert due is not None
    begun = state(begin(ended, CUSTOMER, Scope(), due, 7, transformer))
    expected: Action = TakeStartToken(D) if stage == "start_token" else ReadChanges(D, token("c9"))
    assert expected in plan(with_corpus(begun, USER_CORPUS, corpus("done")))


# What a list says after a log has said something newer.


def test_a_list_never_writes_a_lower_version_over_a_higher_one() -> None:
    """The same version, or a higher one, is written: a folder above may be what has changed."""
    walk = syncing("incremental")
    walk = with_sync(walk, replace(sync_of(walk), walks=(Walk(FileId("f")),)))
    page = files_page(file("a", version="7"), file("b", version="8"), file("c", version="9"), file("d"))
    known = {FileId(name): ItemEntry(version=8) for name in "abcd"}
    step = on_answer(walk, WalkFolder(Walk(FileId("f"))), page, transformer, DictIndex(known))
    assert written(step) == ["upsert file b", "upsert file c", "upsert file d"]
    listing = on_answer(LISTING, ListFiles(USER_CORPUS, None), page, transformer, DictIndex(known))
    assert written(listing) == ["upsert file b", "upsert file c", "upsert file d"]


def test_what_a_log_removed_is_asked_for_before_a_list_brings_it_back() -> None:
    """The entry has no version; one that was trashed has, and comes back with a higher one."""
    walk = syncing("incremental")
    walk = with_sync(walk, replace(sync_of(walk), walks=(Walk(FileId("f")),)))
    known = {
        FileId("removed"): ItemEntry(gone_at=""),
        FileId("trashed"): ItemEntry(gone_at="", version=8),
        FileId("restored"): ItemEntry(gone_at="", version=8),
    }
    page = files_page(file("removed", version="9"), file("trashed", version="7"), file("restored", version="9"))
    step = on_answer(walk, WalkFolder(Walk(FileId("f"))), page, transformer, DictIndex(known))
    assert written(step) == ["upsert file restored"]
    assert plan(state(step)) == [LookUpRemoved(ids("removed"))]


def test_what_a_log_tells_is_remembered_with_its_version() -> None:
    """Also where permissions are not mirrored."""
    before = syncing("incremental", user=corpus("changes"))
    page = changes_page(changed(file("a", version="8")), changed(folder("b", version="9", trashed=True)))
    step = on_answer(before, ReadChanges("user", token("c1")), page, transformer, holding(folders=["b"]))
    known = {name: (each.version, each.is_gone) for name, each in step.changes.entries.items() if each is not None}
    assert known == {"a": (8, False), "b": (9, True)}


def test_a_drive_that_the_list_of_drives_leaves_out_is_looked_up() -> None:
    """It was mirrored before. It goes on where it is there, and is left when Google does not find it twice."""
    idle = replace(syncing("incremental", d=corpus("done", written=True)), sync=None)
    asked = accept(idle, idle.connection_id, owed("full"))
    begun = state(begin(asked, CUSTOMER, Scope(), NOW, 7, transformer))
    begun = with_corpus(begun, USER_CORPUS, corpus("done"))
    listed_drives = state(on_answer(begun, ListDrives(None), drives_page(), transformer))
    assert plan(listed_drives) == [LookUpDrive(FileId(D))]
    found = on_answer(listed_drives, LookUpDrive(FileId(D)), SharedDrive(D, "D"), transformer)
    assert TakeStartToken(D) in plan(state(found))
    missing = on_failure(listed_drives, LookUpDrive(FileId(D)), NotFound("no such drive"), NOW, 0.5, transformer)
    assert (written(missing), [gap.missing for gap in state(missing).gaps]) == ([], [True])
