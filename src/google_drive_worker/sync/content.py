"""The contents of files: read after everything else of a full sync, and what changed afterwards.

It goes as with revisions and comments (`details`): the item index tells which files are looked at (`passes`);
incremental syncs are let in between; and nothing of it is under way beside a log. A file's record is written again with
where its bytes are, or why they are not to be had.

A file that the logs tell of keeps the reference to bytes that have not changed. Otherwise its bytes are looked for when
the logs are through, and fetched only where the object store does not have them yet.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from google_drive_worker.domain.content import Content, ContentStatus, Mirrored, Source
from google_drive_worker.domain.drive import DriveFile
from google_drive_worker.domain.file_types import holds_of
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import IndexChanges, ItemEntry, ItemIndex
from google_drive_worker.domain.lenient import UNREADABLE, Reader
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import ErrorReport, Record
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, GapScope, Scope, Sync
from google_drive_worker.sync.error_reports import unread
from google_drive_worker.sync.gaps import (
    as_gap,
    close_gaps,
    find_gap,
    forget_scopes,
    is_confirmed,
    note_lossy,
    open_gap,
)
from google_drive_worker.sync.item_writer import held, merged
from google_drive_worker.sync.listing import home_of_entry
from google_drive_worker.sync.passes import is_read_anyhow
from google_drive_worker.sync.plan import ReadContent
from google_drive_worker.sync.scope import wants_contents
from google_drive_worker.sync.step import Step, counted, with_gone, with_sync
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, SkipItem

MAX_FILE_SIZE_BYTES = 100 * 1024 * 1024
"""How large a file's content may be where its connection does not say."""

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
    """The answer to `ReadContent`.

    A file that can have no content is not in it; `gone` are those that Google does not find any more, `unread` those
    that can't be had now.
    """

    found: tuple[Mirrored, ...]
    gone: tuple[FileId, ...] = ()
    unread: Mapping[FileId, ItemUnavailable] = {}


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


def contents_noted(step: Step, files: Iterable[DriveFile], index: ItemIndex, normalizer: Normalizer) -> Step:
    """The step with the contents of the files that it shows: those that are known to be unchanged are referred to, the
    others are due to be looked at."""
    checkpoint = step.checkpoint
    if checkpoint is None or checkpoint.sync is None or not checkpoint.scope.sync_content:
        return step
    sync, scope = checkpoint.sync, checkpoint.scope
    if is_read_anyhow(sync):
        return step
    entries = dict(step.changes.entries)
    written = {each.resource_id: n for n, each in enumerate(step.records) if _is_upsert_of_file(each)}
    records = list(step.records)
    for file in files:
        known, number = held(index, file.id), written.get(file.id)
        after = entries.get(file.id, known)
        if after is None or after.is_gone or after.is_folder or (number is None and known is None):
            continue
        ref = _known_ref(scope, file, known)
        refusal = None if file.id in sync.contents else _known_refusal(scope, file, known)
        status: ContentStatus | None = refusal if ref is None else "stored"
        if status is not None and number is not None:
            records[number] = normalizer.with_content(records[number], status, ref)
        is_due = status is None and wants_contents(checkpoint) and source_of(scope, file) is not None
        is_due = is_due or (number is None and after.content_due)  # its last record does not tell of its content
        if after.content_due != is_due:
            entries[file.id] = replace(after, content_due=is_due)
    return replace(step, records=tuple(records), changes=replace(step.changes, entries=entries))


def _is_upsert_of_file(record: Record) -> bool:
    return record.resource_type == "file" and record.operation == "upsert"


def on_contents(
    checkpoint: Checkpoint, sync: Sync, action: ReadContent, answer: Contents, index: ItemIndex, normalizer: Normalizer
) -> Step:
    """Files are written again with what became of their contents."""
    before, written = checkpoint, _write(checkpoint, answer, index, normalizer)
    left = tuple(each for each in sync.contents if each not in action.file_ids)
    sync = replace(counted(sync, written.records), contents=left)
    checkpoint = with_gone(written.checkpoint or checkpoint, answer.gone)
    # What was asked for and is not in the answer is in the trash now, or has none any more. Its last record does not
    # tell of its content, and it may come back as it was: that is due then.
    found = {each.file.id for each in answer.found}
    left_out = {each: known for each in action.file_ids if each not in found and (known := held(index, each))}
    owed = {each for each in left_out if each in answer.unread or _is_sought(before, answer, each)}
    entries = {each: replace(known, content_due=each in owed or known.has_content) for each, known in left_out.items()}
    checkpoint = close_gaps(checkpoint, [("contents", each) for each in action.file_ids if each not in owed | found])
    changes = merged(written.changes, IndexChanges({each: e for each, e in entries.items() if e != left_out[each]}))
    return replace(written, checkpoint=with_sync(checkpoint, sync), changes=changes)


def _is_sought(checkpoint: Checkpoint, answer: Contents, file_id: FileId) -> bool:
    """Whether a file that Google does not find is looked for once more: one such answer proves nothing, and the log
    tells whether it is gone."""
    return file_id in answer.gone and not is_confirmed(find_gap(checkpoint, "contents", file_id))


def on_refused_contents(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint without what is left to fetch, where a scope does not cover it: nobody asks again before the next
    full sync, so it is one error, however many syncs have files that changed."""
    sync = checkpoint.sync
    left = None if sync is None else replace(sync, content=(), contents=())
    passes: tuple[GapScope, ...] = ("contents",)
    checkpoint = forget_scopes(checkpoint, passes)
    return replace(checkpoint, sync=left, contents_refused=True)


def wanted_contents(checkpoint: Checkpoint, files: Iterable[DriveFile]) -> list[DriveFile]:
    """Those of the files whose contents are mirrored."""
    return [file for file in files if checkpoint.scope.include_trashed or not file.trashed]


def _write(checkpoint: Checkpoint, answer: Contents, index: ItemIndex, normalizer: Normalizer) -> Step:
    records: list[Record] = []
    errors: list[ErrorReport] = []
    entries: dict[FileId, ItemEntry | None] = {}
    for mirrored in answer.found:
        file_id, content = mirrored.file.id, mirrored.content
        known = held(index, file_id)
        # What is not held was deleted, and Google still shows it; or it is new, and a log will tell of it.
        if known is None:
            continue
        home = home_of_entry(checkpoint, known)
        if _is_behind(mirrored.file, known):
            checkpoint, more = open_gap(checkpoint, "contents", file_id, home, _OUT_OF_DATE)
            errors += more
            continue
        if mirrored.file.lossy:
            checkpoint = note_lossy(checkpoint, "item", file_id, home)
        record = normalizer.transform_file(mirrored.file)
        records.append(normalizer.with_content(record, content.status, content.ref))
        if isinstance(content.problem, ItemUnavailable):
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
            content_due=isinstance(content.problem, ItemUnavailable),
        )
        if entry != known:
            entries[file_id] = entry
    for file_id, problem in answer.unread.items():
        known = held(index, file_id)
        home = USER_CORPUS if known is None else home_of_entry(checkpoint, known)
        checkpoint, more = open_gap(checkpoint, "contents", file_id, home, problem)
        errors += more
    for file_id in answer.gone:
        known = held(index, file_id)
        if known is None or not _is_sought(checkpoint, answer, file_id):
            continue
        problem = as_gap(NotFound("Google does not find the file"))
        home = home_of_entry(checkpoint, known)
        checkpoint, more = open_gap(checkpoint, "contents", file_id, home, problem, missing=True)
        errors += more
    return Step(checkpoint, tuple(records), tuple(errors), IndexChanges(entries))


_OUT_OF_DATE = ItemUnavailable("Google shows the file older than a log has told of it", code="out_of_date")


def _is_behind(file: DriveFile, known: ItemEntry) -> bool:
    """Whether Google shows the file older than it was written: what a log has told since is to stand."""
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
