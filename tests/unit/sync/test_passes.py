"""The passes through the item index: which files' revisions, comments and contents are read next."""

import pytest
from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import IndexChanges, ItemEntry
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import (
    USER_CORPUS,
    Changed,
    Checkpoint,
    Gap,
    GapScope,
    Pass,
    Scope,
    Sync,
    Unseen,
)
from google_drive_worker.sync.engine import on_answer
from google_drive_worker.sync.passes import (
    CONTENTS_TAKEN,
    QUEUED_AT_MOST,
    SCANNED_AT_ONCE,
    begin_passes,
    note_due,
    read_on,
)
from google_drive_worker.sync.plan import ReadChanges
from google_drive_worker.sync.step import Step, with_corpus, with_sync
from support.dict_index import DictIndex
from support.syncs import D, changed, changes_page, corpus, file, removed, state, sync_of, syncing, token

WANTED = Scope(sync_revisions=True, sync_comments=True, sync_content=True)
MAY = ItemEntry(corpus="user", has_revisions=True, has_comments=True, has_content=True, head="h", comments=False)
"""A file that may have all of it, and of which nothing is due."""

WHOLE = (Pass(is_whole=True),)


def names(count: int, prefix: str = "f") -> list[FileId]:
    """Ids, in their order."""
    return [FileId(f"{prefix}{number:06}") for number in range(count)]


def reading(scope: Scope = WANTED, **fields: object) -> Checkpoint:
    """A sync that reads what hangs on files."""
    before = with_corpus(syncing("full", user=corpus("done"), scope=scope), D, corpus("done"))
    return with_sync(before, replace(sync_of(before), unseen=Unseen(is_done=True), **fields))


def taken(checkpoint: Checkpoint, index: DictIndex) -> Sync | None:
    """The sync after the next files were taken out of the index."""
    step = read_on(checkpoint, sync_of(checkpoint), index)
    return None if step is None else sync_of(step)


def follow(before: Checkpoint, *changes: dict[str, object], index: DictIndex) -> Step:
    """A page of the user's log comes in."""
    return on_answer(before, ReadChanges("user", token("c1")), changes_page(*changes, start="c2"), transformer, index)


def following(**fields: object) -> Checkpoint:
    """An incremental sync that reads the user's log."""
    before = syncing("incremental", user=corpus("changes"), scope=WANTED)
    return with_sync(before, replace(sync_of(before), **fields))


def test_a_full_sync_reads_what_its_scope_mirrors() -> None:
    """Whatever stood in it before is read with all the rest."""
    for scope, details, content in (
        (WANTED, WHOLE, WHOLE),
        (Scope(sync_comments=True), WHOLE, ()),
        (Scope(sync_content=True), (), WHOLE),
        (Scope(), (), ()),
    ):
        sync = begin_passes(reading(scope), sync_of(reading(details=(Pass(),), content=(Pass(),))))
        assert (sync.details, sync.content) == (details, content)


def test_a_whole_pass_takes_every_file_that_may_have_something() -> None:
    """A few hundred at a time, each once; folders, and what is gone, have nothing."""
    files = names(QUEUED_AT_MOST + 50)
    index = DictIndex(dict.fromkeys(files, MAY))
    index.entries[FileId("folder")] = ItemEntry(is_folder=True)
    index.entries[FileId("gone")] = replace(MAY, gone_at="2026-01-01T00:00:00.000Z")
    index.entries[FileId("without")] = replace(MAY, has_revisions=False, has_comments=False)
    before = reading(details=WHOLE)
    for left, found in (
        ((Pass(is_whole=True, after=files[QUEUED_AT_MOST - 1]),), files[:QUEUED_AT_MOST]),
        ((), files[QUEUED_AT_MOST:]),
    ):
        changed = tuple(Changed(each, revisions=True, comments=True, head="h") for each in found)
        after = with_sync(before, replace(sync_of(before), details=left, changed=changed))
        assert read_on(before, sync_of(before), index) == Step(after)
        before = with_sync(after, replace(sync_of(after), changed=()))
    assert read_on(before, sync_of(before), index) is None


def test_a_whole_pass_takes_what_is_mirrored_and_may_be_read() -> None:
    """A file of which neither is left is not taken at all."""
    revisions, comments = replace(MAY, has_comments=False), replace(MAY, has_revisions=False)
    index = DictIndex({FileId("a"): MAY, FileId("b"): revisions, FileId("c"): comments})
    for scope, expected in (
        (WANTED, [("a", True, True), ("b", True, False), ("c", False, True)]),
        (Scope(sync_revisions=True), [("a", True, False), ("b", True, False)]),
        (Scope(sync_comments=True), [("a", False, True), ("c", False, True)]),
    ):
        sync = taken(reading(scope, details=WHOLE), index)
        assert sync is not None
        assert sync.changed == tuple(
            Changed(FileId(name), revisions=has_revisions, comments=has_comments, head="h")
            for name, has_revisions, has_comments in expected
        )


def test_a_whole_pass_takes_contents_that_may_be_had() -> None:
    """Of folders, of what is gone and of files without bytes there are none; then all passes are through."""
    index = DictIndex(
        {
            FileId("a"): MAY,
            FileId("b"): replace(MAY, has_content=False),
            FileId("c"): replace(MAY, is_folder=True),
            FileId("d"): replace(MAY, gone_at="2026-01-01T00:00:00.000Z"),
            FileId("e"): replace(MAY, has_revisions=False, has_comments=False),
        }
    )
    before = reading(content=WHOLE)
    after = with_sync(before, replace(sync_of(before), content=(), contents=(FileId("a"), FileId("e"))))
    assert read_on(before, sync_of(before), index) == Step(after)
    assert read_on(after, sync_of(after), index) is None


def test_one_pass_follows_another_from_its_own_place() -> None:
    """The second waits until the first is through, and goes on behind what it went through before."""
    index = DictIndex(dict.fromkeys([FileId("a"), FileId("b"), FileId("c")], replace(MAY, comments_due=True)))
    later = Pass(is_whole=True, corpus=USER_CORPUS, after=FileId("b"))
    first = taken(reading(details=(Pass(after=FileId("a")), later)), index)
    assert first is not None
    assert first.details == (later,)
    assert first.changed == tuple(Changed(FileId(each), comments=True, head="h") for each in ("b", "c"))
    second = taken(reading(details=first.details), index)
    assert second is not None
    assert (second.details, second.changed) == ((), (Changed(FileId("c"), revisions=True, comments=True, head="h"),))


def test_a_pass_of_one_corpus_takes_its_files_alone() -> None:
    """Those of a drive that is not followed are the user's."""
    index = DictIndex({FileId(each): replace(MAY, corpus=each) for each in ("user", D, "another drive")})
    for name, expected in ((D, [D]), (USER_CORPUS, ["another drive", "user"])):
        through = (Pass(is_whole=True, corpus=name),)
        details = taken(reading(details=through), index)
        assert details is not None
        assert [each.file_id for each in details.changed] == expected
        content = taken(reading(content=through), index)
        assert content is not None
        assert list(content.contents) == expected


@pytest.mark.parametrize(
    ("scopes", "left"),
    [(["revisions"], [("c", False, True)]), (["comments"], [("c", True, False)]), (["revisions", "comments"], [])],
)
def test_a_pass_for_what_is_due_takes_nothing_else(scopes: list[GapScope], left: list[tuple[str, bool, bool]]) -> None:
    """Nor a list that has a gap, which has its own time; a whole pass reads that as well."""
    due = replace(MAY, revisions_due=True, comments_due=True, content_due=True)
    index = DictIndex({FileId("a"): due, FileId("b"): MAY, FileId("c"): due})
    gaps = tuple(Gap(each, "c", "user", "bad_request", "odd") for each in (*scopes, "contents"))
    both = [(name, True, True) for name in "abc"]
    for passes, details, contents in (((Pass(),), [both[0], *left], ["a"]), (WHOLE, both, ["a", "b", "c"])):
        sync = taken(replace(reading(details=passes), gaps=gaps), index)
        assert sync is not None
        assert [(each.file_id, each.revisions, each.comments) for each in sync.changed] == details
        sync = taken(replace(reading(content=passes), gaps=gaps), index)
        assert sync is not None
        assert list(sync.contents) == contents


def test_a_gap_of_something_else_keeps_no_file_out_of_a_pass() -> None:
    """Neither a soft one, of a list that was read, nor one of the other pass."""
    index = DictIndex({FileId("a"): replace(MAY, comments_due=True, content_due=True)})
    soft = Gap("comments", "a", "user", "odd_values", "odd", soft=True)
    before = replace(reading(details=(Pass(),)), gaps=(soft, Gap("contents", "a", "user", "bad_request", "odd")))
    sync = taken(before, index)
    assert sync is not None
    assert sync.changed == (Changed(FileId("a"), comments=True, head="h"),)
    soft = Gap("contents", "a", "user", "odd_values", "odd", soft=True)
    before = replace(reading(content=(Pass(),)), gaps=(soft, Gap("comments", "a", "user", "bad_request", "odd")))
    sync = taken(before, index)
    assert sync is not None
    assert sync.contents == ("a",)


def test_contents_come_last_and_a_few_at_a_time() -> None:
    """Reading bytes takes long, and other syncs wait for it."""
    index = DictIndex(dict.fromkeys(names(2 * CONTENTS_TAKEN), MAY))
    before = reading(details=WHOLE, content=(*WHOLE, Pass()))
    first = taken(before, index)
    assert first is not None
    assert [each.file_id for each in first.changed] == names(2 * CONTENTS_TAKEN)
    assert (first.contents, first.content) == ((), (*WHOLE, Pass()))
    second = taken(with_sync(before, replace(first, changed=(), details=())), index)
    assert second is not None
    assert list(second.contents) == names(CONTENTS_TAKEN)
    assert second.content == (Pass(is_whole=True, after=names(CONTENTS_TAKEN)[-1]), Pass())


def test_a_step_goes_through_a_bounded_part_of_the_index() -> None:
    """However few files are due in it."""
    files, later = names(SCANNED_AT_ONCE + 600), Pass(is_whole=True, corpus=D)
    index = DictIndex(dict.fromkeys(files, MAY))
    index.entries[files[-1]] = replace(MAY, comments_due=True)
    before = reading(details=(Pass(), later))
    first = taken(before, index)
    assert first is not None
    assert (first.changed, first.details) == ((), (Pass(after=files[SCANNED_AT_ONCE - 1]), later))
    second = taken(with_sync(before, first), index)
    assert second is not None
    assert (second.changed, second.details) == ((Changed(files[-1], comments=True, head="h"),), (later,))


def test_taking_files_is_what_the_next_sync_waits_for() -> None:
    """One that was let in."""
    index = DictIndex({FileId("a"): MAY})
    for due, left in ((2, 1), (1, 0), (0, 0)):
        for before in (
            reading(details=WHOLE, pass_pages_due=due),
            reading(content=WHOLE, pass_pages_due=due),
            reading(details=(Pass(after=FileId("a")),), pass_pages_due=due),  # nothing is left to be found
        ):
            sync = taken(before, index)
            assert sync is not None
            assert sync.pass_pages_due == left


def test_a_changed_file_is_noted_and_a_deleted_one_forgotten() -> None:
    """What is noted keeps its place."""
    index = DictIndex(dict.fromkeys([FileId("a"), FileId("b"), FileId("c")], MAY))
    first = Changed(FileId("a"), comments=True, head="h"), Changed(FileId("b"), revisions=True, head="h")
    before = following(changed=first, contents=(FileId("a"), FileId("b")))
    page = [changed(file("c", headRevisionId="n")), changed(file("b", headRevisionId="n")), removed("a")]
    step = follow(before, *page, index=index)
    assert sync_of(step).changed == (
        Changed(FileId("b"), revisions=True, comments=True, head="n"),
        Changed(FileId("c"), revisions=True, comments=True, head="n"),
    )
    assert sync_of(step).contents == ("b", "c")


def test_files_that_do_not_fit_in_the_sync_are_found_in_the_index() -> None:
    """From its beginning, and those that stand in the sync for a whole pass are not pushed out."""
    earlier = names(QUEUED_AT_MOST, "p")
    index = DictIndex(dict.fromkeys(earlier, MAY))
    queue = tuple(Changed(each, revisions=True, comments=True, head="h") for each in earlier)
    before = following(changed=queue, contents=tuple(earlier))
    step = follow(before, changed(file("x")), changed(file(earlier[0], headRevisionId="h")), index=index)
    assert sync_of(step).changed == queue
    assert sync_of(step).contents == tuple(earlier)
    assert (sync_of(step).details, sync_of(step).content) == ((Pass(),), (Pass(),))
    index.apply(step.changes)
    later = with_sync(state(step), replace(sync_of(step), changed=(), contents=()))
    sync = taken(later, index)
    assert sync is not None
    assert sync.changed == (
        Changed(earlier[0], comments=True, head="h"),
        Changed(FileId("x"), revisions=True, comments=True),
    )
    sync = taken(with_sync(later, replace(sync, changed=())), index)
    assert sync is not None
    assert sync.contents == (earlier[0], "x")


@pytest.mark.parametrize(
    ("may", "left"),
    [
        ({"canReadRevisions": False}, (Changed(FileId("a"), comments=True),)),
        ({"canReadRevisions": False, "canComment": False}, ()),
    ],
)
def test_what_the_account_may_read_no_more_is_not_read(may: dict[str, bool], left: tuple[Changed, ...]) -> None:
    """It was to be read before; what the account may still read is."""
    index = DictIndex({FileId("a"): MAY})
    before = following(changed=(Changed(FileId("a"), revisions=True, comments=True, head="h"),))
    assert sync_of(follow(before, changed(file("a", capabilities=may)), index=index)).changed == left


def test_a_file_that_has_no_bytes_any_more_is_not_fetched() -> None:
    """Its bytes were to be looked at before."""
    index = DictIndex({FileId("a"): MAY, FileId("b"): MAY})
    before = following(contents=(FileId("a"), FileId("b")))
    page = [changed(file("a", mimeType="application/vnd.google-apps.shortcut")), changed(file("b"))]
    assert sync_of(follow(before, *page, index=index)).contents == ("b",)


def test_what_is_not_mirrored_or_not_covered_is_not_noted() -> None:
    """Neither where the scope leaves it out nor where the account's consent does."""
    before, page = following(), changed(file("a"))
    due, fetched = (Changed(FileId("a"), revisions=True, comments=True),), (FileId("a"),)
    for checkpoint, details, contents in (
        (before, due, fetched),
        (replace(before, scope=Scope(sync_revisions=True, sync_comments=True)), due, ()),
        (replace(before, scope=Scope(sync_content=True)), (), fetched),
        (replace(before, details_refused=True), (), fetched),
        (replace(before, contents_refused=True), due, ()),
    ):
        sync = sync_of(follow(checkpoint, page, index=DictIndex()))
        assert (sync.changed, sync.contents) == (details, contents)


def test_what_is_still_due_and_not_covered_is_not_noted() -> None:
    """It stays due in the index until a full sync asks for it again."""
    due = {FileId("a"): replace(MAY, revisions_due=True, comments_due=True, content_due=True)}
    for before in (
        replace(following(), details_refused=True, contents_refused=True),
        replace(following(), scope=Scope()),
    ):
        step = Step(before)
        assert note_due(step, due) == step


def test_before_its_end_a_full_sync_notes_nothing() -> None:
    """All of it is read then."""
    before = syncing("full", user=corpus("changes"), scope=WANTED)
    step = follow(before, changed(file("a")), index=DictIndex())
    assert (sync_of(step).changed, sync_of(step).contents) == ((), ())


def test_after_its_end_a_full_sync_notes_what_is_due() -> None:
    """A sync that is let in reads the logs; the passes may be past the file."""
    before = syncing("full", user=corpus("changes"), scope=WANTED)
    passes = (Pass(is_whole=True, after=FileId("b")),)
    before = with_sync(before, replace(sync_of(before), unseen=Unseen(is_done=True), details=passes, content=passes))
    sync = sync_of(follow(before, changed(file("a")), index=DictIndex()))
    assert sync.changed == (Changed(FileId("a"), revisions=True, comments=True),)
    assert sync.contents == ("a",)
    assert (sync.details, sync.content) == (passes, passes)


def test_a_shown_file_of_which_nothing_is_due_stays_to_be_read() -> None:
    """A whole pass brought it, which does not come by again; its revisions are read at the head that it has now."""
    queue = (Changed(FileId("a"), revisions=True, comments=True, head="old"),)
    before = following(changed=queue, contents=(FileId("a"),))
    step = note_due(Step(before, changes=IndexChanges({FileId("a"): MAY})), {})
    assert state(step) == with_sync(
        before, replace(sync_of(before), changed=(Changed(FileId("a"), revisions=True, comments=True, head="h"),))
    )


def test_a_file_that_is_still_due_is_noted_though_it_stays_as_it_was() -> None:
    """The step changes nothing of its entry."""
    due = replace(MAY, comments_due=True, content_due=True)
    sync = sync_of(note_due(Step(following()), {FileId("a"): due}))
    assert sync.changed == (Changed(FileId("a"), comments=True, head="h"),)
    assert sync.contents == ("a",)


def test_a_pass_begins_once_for_all_that_does_not_fit_in_the_sync() -> None:
    """One that has come some way goes on besides; none begins as long as all fits."""
    due = replace(MAY, revisions_due=True, content_due=True)
    files, under_way = names(QUEUED_AT_MOST), (Pass(after=FileId("f")),)
    full = note_due(Step(following(details=under_way, content=under_way)), dict.fromkeys(files, due))
    changed = tuple(Changed(each, revisions=True, head="h") for each in files)
    for step, passes in (
        (full, under_way),
        (over := note_due(full, {FileId("x"): due}), (*under_way, Pass())),
        (note_due(over, {FileId("y"): due}), (*under_way, Pass())),
    ):
        sync = sync_of(step)
        assert (sync.changed, sync.contents) == (changed, tuple(files))
        assert (sync.details, sync.content) == (passes, passes)
