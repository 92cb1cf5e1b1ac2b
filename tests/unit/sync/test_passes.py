"""The passes through the item index: which files' revisions, comments and contents are read next."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import ItemEntry
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import USER_CORPUS, Changed, Checkpoint, Gap, Pass, Scope, Sync, Unseen
from google_drive_worker.sync.engine import on_answer
from google_drive_worker.sync.passes import (
    CONTENTS_TAKEN,
    QUEUED_AT_MOST,
    SCANNED_AT_ONCE,
    begin_passes,
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
    before, read = reading(details=WHOLE), list[FileId]()
    for left in ((Pass(is_whole=True, after=files[QUEUED_AT_MOST - 1]),), ()):
        sync = taken(before, index)
        assert sync is not None
        assert sync.details == left
        assert all((each.revisions, each.comments, each.head) == (True, True, "h") for each in sync.changed)
        read += [each.file_id for each in sync.changed]
        before = with_sync(before, replace(sync, changed=()))
    assert read == files
    assert taken(before, index) is None


def test_a_pass_of_one_corpus_takes_its_files_alone() -> None:
    """Those of a drive that is not followed are the user's."""
    index = DictIndex({FileId(each): replace(MAY, corpus=each) for each in ("user", D, "another drive")})
    for name, expected in ((D, [D]), (USER_CORPUS, ["another drive", "user"])):
        sync = taken(reading(details=(Pass(is_whole=True, corpus=name),)), index)
        assert sync is not None
        assert [each.file_id for each in sync.changed] == expected


def test_a_pass_for_what_is_due_takes_nothing_else() -> None:
    """Nor what has a gap, which has its own time; a whole pass reads that as well."""
    due = replace(MAY, revisions_due=True, content_due=True)
    index = DictIndex({FileId("a"): due, FileId("b"): MAY, FileId("c"): due})
    gaps = (Gap("revisions", "c", "user", "bad_request", "odd"), Gap("contents", "c", "user", "bad_request", "odd"))
    for passes, details, contents in (((Pass(),), ["a"], ["a"]), (WHOLE, ["a", "b", "c"], ["a", "b", "c"])):
        sync = taken(replace(reading(details=passes), gaps=gaps), index)
        assert sync is not None
        assert [each.file_id for each in sync.changed] == details
        sync = taken(replace(reading(content=passes), gaps=gaps), index)
        assert sync is not None
        assert list(sync.contents) == contents


def test_contents_come_last_and_a_few_at_a_time() -> None:
    """Reading bytes takes long, and other syncs wait for it."""
    index = DictIndex(dict.fromkeys(names(2 * CONTENTS_TAKEN), MAY))
    before = reading(details=WHOLE, content=WHOLE)
    first = taken(before, index)
    assert first is not None
    assert (len(first.changed), first.contents, first.content) == (2 * CONTENTS_TAKEN, (), WHOLE)
    second = taken(with_sync(before, replace(first, changed=(), details=())), index)
    assert second is not None
    assert list(second.contents) == names(CONTENTS_TAKEN)
    assert second.content == (Pass(is_whole=True, after=names(CONTENTS_TAKEN)[-1]),)


def test_a_step_goes_through_a_bounded_part_of_the_index() -> None:
    """However few files are due in it."""
    files = names(SCANNED_AT_ONCE + 600)
    index = DictIndex(dict.fromkeys(files, MAY))
    index.entries[files[-1]] = replace(MAY, comments_due=True)
    before = reading(details=(Pass(),))
    first = taken(before, index)
    assert first is not None
    assert (first.changed, first.details) == ((), (Pass(after=files[SCANNED_AT_ONCE - 1]),))
    second = taken(with_sync(before, first), index)
    assert second is not None
    assert (second.changed, second.details) == ((Changed(files[-1], comments=True, head="h"),), ())


def test_taking_files_is_what_the_next_sync_waits_for() -> None:
    """One that was let in."""
    index = DictIndex({FileId("a"): MAY})
    for due, left in ((2, 1), (1, 0), (0, 0)):
        sync = taken(reading(details=WHOLE, pass_pages_due=due), index)
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


def test_more_files_than_stand_in_the_sync_are_found_in_the_index() -> None:
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
    assert FileId("x") in {each.file_id for each in sync.changed}


@pytest.mark.parametrize("may", [{"canReadRevisions": False}, {"canReadRevisions": False, "canComment": False}])
def test_what_the_account_may_read_no_more_is_forgotten(may: dict[str, bool]) -> None:
    """It was to be read before."""
    index = DictIndex({FileId("a"): MAY})
    before = following(changed=(Changed(FileId("a"), revisions=True, head="h"),))
    step = follow(before, changed(file("a", capabilities=may)), index=index)
    assert _asked_of(sync_of(step).changed) == ([] if "canComment" in may else [("a", False, True)])


def _asked_of(queue: Sequence[Changed]) -> list[tuple[str, bool, bool]]:
    return [(each.file_id, each.revisions, each.comments) for each in queue]


def test_before_its_end_a_full_sync_notes_nothing() -> None:
    """All of it is read then."""
    before = syncing("full", user=corpus("changes"), scope=WANTED)
    step = follow(before, changed(file("a")), index=DictIndex())
    assert (sync_of(step).changed, sync_of(step).contents) == ((), ())
