"""Contents, as decisions."""

from msgspec.structs import replace

from google_drive_worker.domain.content import Content, Mirrored
from google_drive_worker.domain.ids import FileId, PageToken
from google_drive_worker.domain.item_entry import ItemEntry
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.domain.times import from_rfc3339
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Corpus, Pass, Scope, Unseen
from google_drive_worker.sync.content import Contents, source_of
from google_drive_worker.sync.details import let_in
from google_drive_worker.sync.engine import begin, complete, on_answer
from google_drive_worker.sync.failure import on_failure
from google_drive_worker.sync.plan import ReadChanges, ReadContent, plan
from google_drive_worker.utils.errors import ItemUnavailable, SkipItem, Terminal
from support.dict_index import DictIndex, holding
from support.syncs import (
    CUSTOMER,
    NOW,
    changed,
    changes_page,
    file,
    folder,
    owed,
    read,
    state,
    sync_of,
    syncing,
)

SCOPE = Scope(include_shared_drives=False, sync_content=True)
REF = ObjectRef("s3://b/k", 3, "abc", "text/plain")
MAY = ItemEntry(has_content=True)
"""A file with bytes that nothing is known of."""

BLOB = file("a", mimeType="text/plain", sha256Checksum="abc", size="3", version="7")


def reading() -> Checkpoint:
    """A checkpoint of an incremental sync whose log is being read."""
    return replace(syncing("incremental"), scope=SCOPE, corpora={USER_CORPUS: Corpus("changes", PageToken("1"))})


def passing() -> Checkpoint:
    """A full sync of which contents are all that is left."""
    done = replace(syncing("full"), scope=SCOPE, corpora={USER_CORPUS: Corpus("done", PageToken("1"))})
    return replace(done, sync=replace(sync_of(done), content=(Pass(is_whole=True),), unseen=Unseen(is_done=True)))


def test_a_full_sync_reads_all_contents_when_all_else_is_done() -> None:
    """Those that the index holds; its closing record stands at the end."""
    index = DictIndex({FileId("a"): MAY, FileId("b"): ItemEntry()})
    begun = state(complete(passing(), NOW, transformer, index=index))
    assert plan(begun) == [ReadContent((FileId("a"),))]

    found = (Mirrored(read(BLOB), Content("stored", REF), "abc"),)
    step = on_answer(begun, ReadContent((FileId("a"),)), Contents(found), transformer, index)
    (record,) = step.records
    assert record.references is not None
    assert record.references.content_ref == REF
    assert b'"content_status":"stored"' in bytes(record.data)  # type: ignore[arg-type]
    known = step.changes.entries[FileId("a")] or ItemEntry()
    assert (known.content, known.content_head, known.content_due) == (REF, "abc", False)
    assert plan(state(step)) == []
    index.apply(step.changes)
    assert complete(state(step), NOW, transformer, index=index).records[0].resource_type == "sync"


def test_a_file_that_can_not_be_read_is_a_gap_of_its_contents() -> None:
    """It is reported, and due still."""
    problem = ItemUnavailable("the file's metadata can't be read", code="unreadable_item")
    answer = Contents((), unread={FileId("a"): problem})
    step = on_answer(asking(), ReadContent((FileId("a"),)), answer, transformer, DictIndex({FileId("a"): MAY}))
    assert [(each.code, each.resource_type, each.resource_id) for each in step.errors] == [
        ("unreadable_item", "file", "a")
    ]
    assert [(gap.scope, gap.id) for gap in state(step).gaps] == [("contents", "a")]
    assert step.changes.entries == {FileId("a"): replace(MAY, content_due=True)}


def test_why_a_content_is_not_to_be_had_is_told_once() -> None:
    """In the record, and by an error record."""
    before = reading()
    assert before.sync is not None
    sync = replace(before.sync, contents=(FileId("a"),))
    before = replace(before, sync=sync, corpora={USER_CORPUS: Corpus("done", PageToken("1"))})
    problem = SkipItem("too much", code="content_too_large")
    answer = Contents((Mirrored(read(BLOB), Content("too_large", problem=problem)),))
    step = on_answer(before, ReadContent((FileId("a"),)), answer, transformer, holding("a"))
    assert b'"content_status":"too_large"' in bytes(step.records[0].data)  # type: ignore[arg-type]
    assert step.records[0].references is None
    assert [error.code for error in step.errors] == ["content_too_large"]
    assert step.checkpoint is not None
    assert step.checkpoint.sync is not None
    assert step.checkpoint.sync.contents == ()


def test_a_file_that_is_not_found_any_more_is_kept_in_mind() -> None:
    """Its drive may have been left, and be joined again before the log that says so is read. One that is held is looked
    for once more."""
    answer = Contents((), gone=(FileId("a"),))
    for index, gaps in ((DictIndex(), []), (DictIndex({FileId("a"): MAY}), [("contents", "a", True)])):
        step = on_answer(asking(), ReadContent((FileId("a"),)), answer, transformer, index)
        assert step.records == ()
        assert [each.file_id for each in state(step).gone] == ["a"]
        assert [(gap.scope, gap.id, gap.missing) for gap in state(step).gaps] == gaps


def test_a_changed_file_keeps_the_reference_to_the_same_bytes() -> None:
    """Renamed, it needs no call; with other bytes, or where nothing is remembered, they are looked for."""
    before = reading()
    action = ReadChanges(USER_CORPUS, PageToken("1"))
    page = changes_page(changed(BLOB), changed(folder("f")), more="2")
    known = {FileId("a"): ItemEntry(content=REF, content_head="abc")}
    step = on_answer(before, action, page, transformer, DictIndex(known))
    assert step.records[0].references is not None
    assert step.checkpoint is not None
    assert step.checkpoint.sync is not None
    assert step.checkpoint.sync.contents == ()
    for other in ({}, {FileId("a"): ItemEntry(content=REF, content_head="old")}, {FileId("a"): ItemEntry()}):
        step = on_answer(before, action, page, transformer, DictIndex(other))
        assert step.records[0].references is None
        assert step.checkpoint is not None
        assert step.checkpoint.sync is not None
        assert step.checkpoint.sync.contents == ("a",)


def test_a_view_fetches_no_bytes_that_are_not_to_be_had() -> None:
    """Fetching is a view, which leaves the edition; of another one, or what is asked for anyhow, it is tried."""
    before, action = reading(), ReadChanges(USER_CORPUS, PageToken("1"))
    assert before.sync is not None
    asked = replace(before, sync=replace(before.sync, contents=(FileId("a"),)))
    limited = replace(before, scope=replace(SCOPE, max_file_size_bytes=2))
    refused = ItemEntry(content_head="abc", content_status="too_large", version=7)
    cases = (
        (before, BLOB, refused, ()),
        (asked, BLOB, refused, ("a",)),
        (before, {**BLOB, "version": "8"}, refused, ()),
        (before, {**BLOB, "sha256Checksum": "other"}, refused, ("a",)),
        (limited, BLOB, replace(refused, content_head=None), ()),
        (limited, BLOB, replace(refused, content_status="abusive"), ("a",)),
        (before, BLOB, replace(refused, content_head=None), ("a",)),  # the limit is gone
    )
    for at, shown, known, wanted in cases:
        page = changes_page(changed(shown), more="2")
        step = on_answer(at, action, page, transformer, DictIndex({FileId("a"): known}))
        assert sync_of(state(step)).contents == wanted
        told = b'"content_status":"too_large"' in bytes(step.records[0].data)  # type: ignore[arg-type]
        assert told == (not wanted)


def test_a_refusal_is_remembered_with_its_file() -> None:
    """Until its bytes are there."""
    asks = replace(asking(), scope=replace(SCOPE, sync_permissions=False))
    problem = SkipItem("too much", code="content_too_large")
    for content in (Content("too_large", problem=problem), Content("stored", REF)):
        step = on_answer(
            asks,
            ReadContent((FileId("a"),)),
            Contents((Mirrored(read(BLOB), content, "abc"),)),
            transformer,
            holding("a"),
        )
        known = step.changes.entries[FileId("a")]
        assert known is not None
        assert (known.content, known.content_status) == ((None, "too_large") if content.ref is None else (REF, None))


def test_an_incremental_sync_is_let_in_between() -> None:
    """It becomes part of the pass' sync."""
    sync = syncing("full").sync
    assert sync is not None
    resting = replace(
        syncing("full"),
        scope=SCOPE,
        corpora={USER_CORPUS: Corpus("done", PageToken("1"))},
        sync=replace(sync, content=(Pass(is_whole=True),)),
        owed=owed("incremental"),
    )
    after = let_in(resting, SCOPE)
    assert after is not None
    assert plan(after) == [ReadChanges(USER_CORPUS, PageToken("1"))]


def test_what_has_no_bytes_is_not_asked_for() -> None:
    """Folders and shortcuts have none; those of a form can't be had, which is no error; an export can be chosen."""
    assert source_of(SCOPE, read(folder("f"))) is None
    assert source_of(SCOPE, read(file("s", mimeType="application/vnd.google-apps.shortcut"))) is None
    for kind in ("form", "site", "map", "fusiontable", "jam", "drive-sdk.1234", "vid", "unknown"):
        closed = file("x", mimeType=f"application/vnd.google-apps.{kind}", capabilities={"canDownload": False})
        assert source_of(SCOPE, read(closed)) == Content("not_exportable")
    document = read(file("d", mimeType="application/vnd.google-apps.document"))
    chosen = replace(SCOPE, export_formats={document.mime_type: "application/pdf"})
    usual, other = source_of(SCOPE, document), source_of(chosen, document)
    assert not isinstance(usual, Content | None)
    assert not isinstance(other, Content | None)
    assert (usual.content_type, other.content_type) == ("text/markdown", "application/pdf")
    assert usual.topic != other.topic


def asking(scope: Scope = SCOPE) -> Checkpoint:
    """A checkpoint of which a file's content is all that is left."""
    before = reading()
    assert before.sync is not None
    done = {USER_CORPUS: Corpus("done", PageToken("1"))}
    sync = replace(before.sync, contents=(FileId("a"),))
    return replace(before, scope=scope, sync=sync, corpora=done)


def test_what_could_not_be_had_is_a_gap_and_told_once() -> None:
    """Such as a file whose download quota is used up; when its bytes are there the gap is filled."""
    action = ReadContent((FileId("a"),))
    missing = Contents((Mirrored(read(BLOB), Content("unavailable", problem=ItemUnavailable("later"))),))
    step = on_answer(asking(), action, missing, transformer, holding("a"))
    assert [error.resource_id for error in step.errors] == ["a"]
    ended = state(complete(state(step), NOW, transformer))
    [gap] = ended.gaps
    assert (gap.scope, gap.id, gap.attempts) == ("contents", "a", 1)

    due = from_rfc3339(gap.retry_at or "")
    begun = state(begin(ended, CUSTOMER, SCOPE, due, 1, transformer))
    assert sync_of(begun).contents == ("a",)
    still = on_answer(begun, action, missing, transformer, holding("a"))
    assert (still.errors, state(still).gaps[0].attempts) == ((), 2)
    there = Contents((Mirrored(read(BLOB), Content("stored", REF), "abc"),))
    assert state(on_answer(begun, action, there, transformer, holding("a"))).gaps == ()


def test_a_refusal_that_is_final_is_an_error_and_no_gap() -> None:
    """A large Drive has files that are never exported, and completes all the same."""
    never = Contents((Mirrored(read(BLOB), Content("abusive", problem=SkipItem("no", code="abusive_file"))),))
    step = on_answer(asking(), ReadContent((FileId("a"),)), never, transformer, holding("a"))
    assert ([error.code for error in step.errors], state(step).gaps) == (["abusive_file"], ())


def test_a_file_shown_older_than_it_was_written_stays_as_it_is() -> None:
    """An answer may be behind what a log has said; its contents are asked for again."""
    there = Contents((Mirrored(read({**BLOB, "version": "7"}), Content("stored", REF), "abc"),))
    known = {FileId("a"): ItemEntry(version=8, has_content=True, content_due=True)}
    step = on_answer(asking(), ReadContent((FileId("a"),)), there, transformer, DictIndex(known))
    assert (step.records, step.changes.entries) == ((), {})
    assert [(gap.scope, gap.id, gap.code) for gap in state(step).gaps] == [("contents", "a", "out_of_date")]


def test_contents_the_consent_lacks_are_asked_for_by_full_syncs_alone() -> None:
    """One cause makes one error, however many files change before the next one; what is stored is referred to still."""
    before = replace(asking(), owed=None)
    step = on_failure(
        before, ReadContent((FileId("a"),)), Terminal("scope", code="insufficient_scope"), NOW, 0.5, transformer
    )
    assert len(step.errors) == 1
    ended = complete(state(step), NOW, transformer).checkpoint
    assert ended is not None
    later = state(begin(replace(ended, owed=owed("incremental")), CUSTOMER, SCOPE, NOW, 1, transformer))
    assert sync_of(later).contents == ()
    action, page = ReadChanges(USER_CORPUS, PageToken("1")), changes_page(changed(BLOB), more="2")
    assert sync_of(on_answer(later, action, page, transformer)).contents == ()
    known = {FileId("a"): ItemEntry(content=REF, content_head="abc")}
    assert on_answer(later, action, page, transformer, DictIndex(known)).records[0].references is not None
    full = state(begin(replace(ended, owed=owed("full")), CUSTOMER, SCOPE, NOW, 1, transformer))
    index = DictIndex({FileId("a"): replace(MAY, changed_in=sync_of(full).sync_id)})
    assert sync_of(complete(full, NOW, transformer, index=index)).contents == ("a",)


def test_a_file_that_is_not_held_is_not_written_with_its_content() -> None:
    """Google's search may show for a while what is gone."""
    there = Contents((Mirrored(read(BLOB), Content("stored", REF), "abc"),))
    action = ReadContent((FileId("a"),))
    assert on_answer(asking(), action, there, transformer).records == ()
    gone = holding(a=ItemEntry(gone_at="2026-01-01T00:00:00.000Z"))
    assert on_answer(asking(), action, there, transformer, gone).records == ()
    assert len(on_answer(asking(), action, there, transformer, holding("a")).records) == 1
