"""The contents of files: a pass of their own after everything else of a full sync, and what changed afterwards.

It goes as the pass of revisions and comments does (`details`): every corpus that was listed is gone through once more,
a small page at a time, with a place of its own in the checkpoint; incremental syncs are let in between; and nothing of
it is under way beside a log. A file's record is written again with where its bytes are, or why they are not to be had.

A file that the logs tell of keeps the reference to bytes that have not changed, where that is remembered. Otherwise its
bytes are looked for when the logs are through, and fetched only where the object store does not have them yet.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from google_drive_worker.domain.content import Content, ContentStatus, Mirrored, Source
from google_drive_worker.domain.drive import DriveFile, FilesPage, UnreadableItem
from google_drive_worker.domain.file_types import holds_of
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import IndexChanges, ItemEntry, ItemIndex
from google_drive_worker.domain.lenient import UNREADABLE, Reader
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import ErrorReport, Record
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, GapScope, Reading, Scope, Sync
from google_drive_worker.sync.error_reports import unread
from google_drive_worker.sync.gaps import (
    close_gaps,
    forget_scopes,
    home_of,
    note_lossy,
    open_gap,
    read_on,
    unreadable_of_pass,
)
from google_drive_worker.sync.item_writer import held, is_gone_now
from google_drive_worker.sync.items import NOWHERE, Places, held_of, misplaced_in
from google_drive_worker.sync.listing import belongs, corpus_of
from google_drive_worker.sync.plan import ListContent, ReadContent
from google_drive_worker.sync.scope import gone_through, wants_contents
from google_drive_worker.sync.step import Step, counted, with_gone, with_sync
from google_drive_worker.utils.errors import ItemUnavailable, SkipItem

MAX_FILE_SIZE_BYTES = 100 * 1024 * 1024
"""How large a file's content may be where its connection does not say."""

CHANGED_AT_MOST = 500
"""How many files are kept in mind whose contents are to be looked at: beyond it, all are gone through."""

_APPS = "application/vnd.google-apps."
_THIRD_PARTY = _APPS + "drive-sdk"
"""What the types of other apps' shortcuts begin with: their bytes are these apps'."""
_OFFICE = "application/vnd.openxmlformats-officedocument."

EXPORTS = {
    _APPS + "document": "text/markdown",
    _APPS + "spreadsheet": _OFFICE + "spreadsheetml.sheet",
    _APPS + "presentation": _OFFICE + "presentationml.presentation",
    _APPS + "drawing": "application/pdf",
    _APPS + "script": _APPS + "script+json",
}
"""What Workspace documents are exported to where their connection does not say."""


class Contents(msgspec.Struct, frozen=True):
    """The answer to `ListContent`, with its page, and to `ReadContent`.

    A file that can have no content is not in it; `gone` are those that Google does not find any more, `unread` those
    that can't be had now, `odd` those of the page that can't be read. `places` tells which
    files were left out.
    """

    found: tuple[Mirrored, ...]
    page: FilesPage | None = None
    gone: tuple[FileId, ...] = ()
    unread: Mapping[FileId, ItemUnavailable] = {}
    odd: tuple[UnreadableItem, ...] = ()
    places: Places = NOWHERE


def source_of(scope: Scope, file: DriveFile) -> Source | Content | None:
    """How a file's bytes are to be had; or why they are not, as far as its metadata tells; `None` where it has none."""
    if not holds_of(file.mime_type).content:
        return None
    is_workspace = file.mime_type.startswith(_APPS)
    export_type = {**EXPORTS, **(scope.export_formats or {})}.get(file.mime_type)
    if file.mime_type.startswith(_THIRD_PARTY) or (is_workspace and export_type is None):
        return Content("not_exportable")  # such as forms and sites: Drive offers no bytes of them, which is no error
    if not _may_download(file):
        told = "Drive does not let the account download it"
        return Content("not_downloadable", problem=SkipItem(told, code="not_downloadable"))
    limit_bytes = MAX_FILE_SIZE_BYTES if scope.max_file_size_bytes is None else scope.max_file_size_bytes
    if not is_workspace:
        if file.size is not None and file.size > limit_bytes:
            told = f"it has {file.size} bytes, over max_file_size_bytes ({limit_bytes})"
            return Content("too_large", problem=SkipItem(told, code="content_too_large"))
        return Source(file, file.sha256_checksum or file.head_revision_id or _edition(file), limit_bytes)
    return Source(file, _edition(file), limit_bytes, export_type)


def on_metadata_listed(checkpoint: Checkpoint, corpora: Iterable[str]) -> tuple[Reading, ...]:
    """The corpora to go through for contents, after a listing of these."""
    return tuple(Reading(name) for name in corpora) if wants_contents(checkpoint) else ()


def contents_noted(step: Step, files: Iterable[DriveFile], index: ItemIndex, normalizer: Normalizer) -> Step:
    """The step with the contents of the files that it shows: those that are known to be unchanged are referred to, the
    others are to be looked at. Those that it deleted need it no more."""
    checkpoint = step.checkpoint
    if checkpoint is None or checkpoint.sync is None or not checkpoint.scope.sync_content:
        return step
    sync, scope, entries = checkpoint.sync, checkpoint.scope, step.changes.entries
    changed = {file_id: None for file_id in sync.contents if not is_gone_now(entries, file_id)}
    written = {each.resource_id: n for n, each in enumerate(step.records) if _is_upsert_of_file(each)}
    records = list(step.records)
    for file in files:
        known = held(index, file.id)
        number = written.get(file.id)
        if _comes_anyhow(checkpoint, sync, file) or is_gone_now(entries, file.id):
            continue
        if number is None and (known is None or file.is_folder):
            continue
        ref = _known_ref(scope, file, known)
        refusal = None if file.id in sync.contents else _known_refusal(scope, file, known)
        status: ContentStatus | None = refusal if ref is None else "stored"
        if status is not None and number is not None:
            records[number] = normalizer.with_content(records[number], status, ref)
        elif status is None and wants_contents(checkpoint) and source_of(scope, file) is not None:
            changed[file.id] = None
    sync = _with_contents(checkpoint, sync, tuple(changed))
    return replace(step, records=tuple(records), checkpoint=with_sync(checkpoint, sync))


def _is_upsert_of_file(record: Record) -> bool:
    return record.resource_type == "file" and record.operation == "upsert"


def on_content_page(
    checkpoint: Checkpoint, sync: Sync, action: ListContent, answer: Contents, index: ItemIndex, normalizer: Normalizer
) -> Step:
    """A page of the pass is written; the corpus goes on at its token, or is through."""
    reading = next(each for each in sync.content if each.corpus == action.corpus)
    written = _write(checkpoint, answer, index, normalizer, corpus=action.corpus)
    page = answer.page or FilesPage(())
    checkpoint, odd = unreadable_of_pass(written.checkpoint or checkpoint, ("contents",), answer.odd, action.corpus)
    checkpoint, doubtful = misplaced_in(
        checkpoint, answer.places, lambda _: action.corpus, held_of(answer.places, index)
    )
    incomplete = page.incomplete_search or any(each.id is None for each in answer.odd)
    after, checkpoint, errors = read_on(checkpoint, "contents", reading, page.next_page_token, incomplete=incomplete)
    content = tuple(each for each in (after if each == reading else each for each in sync.content) if each is not None)
    sync = replace(counted(sync, written.records), content=content)
    checkpoint = with_sync(with_gone(checkpoint, answer.gone), sync)
    return replace(written, checkpoint=checkpoint, errors=(*written.errors, *odd, *doubtful, *errors))


def on_contents(
    checkpoint: Checkpoint, sync: Sync, action: ReadContent, answer: Contents, index: ItemIndex, normalizer: Normalizer
) -> Step:
    """Changed files are written again with what became of their contents."""
    written = _write(checkpoint, answer, index, normalizer, corpus=None)
    left = tuple(each for each in sync.contents if each not in action.file_ids)
    sync = replace(counted(sync, written.records), contents=left)
    checkpoint = with_gone(written.checkpoint or checkpoint, answer.gone)
    checkpoint, doubtful = misplaced_in(checkpoint, answer.places, lambda _: USER_CORPUS, held_of(answer.places, index))
    # What was asked for and is not in the answer is gone, or has left the scope: nothing of it is owed any more.
    answered = {each.file.id for each in answer.found} | answer.unread.keys()
    checkpoint = close_gaps(checkpoint, [("contents", each) for each in action.file_ids if each not in answered])
    return replace(written, checkpoint=with_sync(checkpoint, sync), errors=(*written.errors, *doubtful))


def on_refused_contents(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint without what is left to fetch, where a scope does not cover it: nobody asks again before the next
    full sync, so it is one error, however many syncs have files that changed."""
    sync = checkpoint.sync
    left = None if sync is None else replace(sync, content=(), contents=())
    passes: tuple[GapScope, ...] = ("contents",)
    checkpoint = forget_scopes(checkpoint, passes)
    return replace(checkpoint, sync=left, contents_refused=True)


def wanted_contents(checkpoint: Checkpoint, corpus: str | None, files: Iterable[DriveFile]) -> list[DriveFile]:
    """Those of the files whose contents are mirrored, as far as they are in scope; of a page, those of the corpus
    itself."""
    return [
        file
        for file in files
        if (checkpoint.scope.include_trashed or not file.trashed)
        and (corpus is None or belongs(checkpoint, corpus, file.drive_id))
    ]


def _write(
    checkpoint: Checkpoint, answer: Contents, index: ItemIndex, normalizer: Normalizer, *, corpus: str | None
) -> Step:
    records: list[Record] = []
    errors: list[ErrorReport] = []
    entries: dict[FileId, ItemEntry | None] = {}
    for mirrored in answer.found:
        file_id, content = mirrored.file.id, mirrored.content
        known = held(index, file_id)
        # What is not held was deleted, and Google's search still shows it; or it is new, and a log will tell of it.
        if known is None or _is_behind(mirrored.file, known):
            continue
        if mirrored.file.lossy:
            checkpoint = note_lossy(checkpoint, "item", file_id, corpus or USER_CORPUS)
        record = normalizer.transform_file(mirrored.file)
        records.append(normalizer.with_content(record, content.status, content.ref))
        if isinstance(content.problem, ItemUnavailable):
            home = corpus or home_of(checkpoint, "contents", file_id)
            checkpoint, more = open_gap(checkpoint, "contents", file_id, home, content.problem)
            errors += more
        else:
            checkpoint = close_gaps(checkpoint, [("contents", file_id)])
            if content.problem is not None:
                errors.append(unread(checkpoint, "file", file_id, "contents", content.problem))
        status = None if content.ref is not None else content.status
        entry = replace(
            known,
            digest=record.digest,
            parent_id=record.parent_id,
            corpus=record.drive_id or USER_CORPUS,
            content=content.ref,
            content_head=mirrored.head,
            content_status=status,
        )
        if entry != known:
            entries[file_id] = entry
    for file_id, problem in answer.unread.items():
        home = corpus or home_of(checkpoint, "contents", file_id)
        checkpoint, more = open_gap(checkpoint, "contents", file_id, home, problem)
        errors += more
    return Step(checkpoint, tuple(records), tuple(errors), IndexChanges(entries))


def _is_behind(file: DriveFile, known: ItemEntry) -> bool:
    """Whether a list shows the file older than it was written: what a log has told since is to stand."""
    return known.version is not None and file.version is not None and file.version < known.version


def _known_ref(scope: Scope, file: DriveFile, known: ItemEntry | None) -> ObjectRef | None:
    """Where the file's bytes are, if these are known to be unchanged."""
    if known is None or known.content is None:
        return None
    source = source_of(scope, file)
    if not isinstance(source, Source) or source.head != known.content_head:
        return None
    return known.content if known.content.content_type == source.content_type else None


def _known_refusal(scope: Scope, file: DriveFile, known: ItemEntry | None) -> ContentStatus | None:
    """Why the file's bytes are not to be had, if they are the same edition.

    Fetching bytes is a view: those that are too many, say, would be fetched again for the entry that fetching them has
    made.
    """
    if known is None or known.content_status is None:
        return None
    source = source_of(scope, file)
    if isinstance(source, Content):
        return source.status if source.status == known.content_status else None
    return known.content_status if source is not None and source.head == known.content_head else None


def _comes_anyhow(checkpoint: Checkpoint, sync: Sync, file: DriveFile) -> bool:
    """Whether the file's turn comes with all of its corpus."""
    return corpus_of(checkpoint, file.drive_id) in sync.listed


def _with_contents(checkpoint: Checkpoint, sync: Sync, file_ids: tuple[FileId, ...]) -> Sync:
    if len(file_ids) <= CHANGED_AT_MOST and not sync.content:
        return replace(sync, contents=file_ids)
    everything = tuple(Reading(name) for name in gone_through(checkpoint) if name not in sync.listed)
    if len(file_ids) <= CHANGED_AT_MOST and not (everything and set(everything) <= set(sync.content)):
        return replace(sync, contents=file_ids)
    # Also what was gone through already: they may stand on any page.
    return replace(sync, contents=(), content=everything)


_CAPABILITIES: Reader[dict[str, bool] | None] = Reader(dict[str, bool] | None)


def _may_download(file: DriveFile) -> bool:
    """Whether Drive shows that the account may have the bytes. Where it does not say, it is asked."""
    try:
        may = _CAPABILITIES.read(file.capabilities) if file.capabilities else None
    except UNREADABLE:
        return True
    return may is None or may.get("canDownload") is not False


def _edition(file: DriveFile) -> str:
    """What tells the state of bytes of which Drive shows no checksum and no revision: exports, and a few old blobs.

    `version` rises with every change on the server, also where `modifiedTime` was set back. It rises for a rename or a
    sharing as well: each costs one more export (200 quota units), of which the same bytes are the same object and leave
    `content_ref` as it was; docx and zip may differ in every export. A view does not raise it.
    """
    if file.version is not None:
        return f"version {file.version}"
    return "\n".join(filter(None, (file.modified_time, file.head_revision_id, file.md5_checksum)))
