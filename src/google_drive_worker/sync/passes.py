"""The passes through the item index: which files' revisions, comments and contents are read next.

A file of which something is due has that in its entry (`ItemEntry.revisions_due` and so on). The next few stand in the
sync besides, where its steps find them without looking. A full sync reads all files once more, when all else is done;
so does a corpus of which entries of its log may have been missed. No list is asked for it: what is held is known.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import ItemEntry, ItemIndex
from google_drive_worker.sync.checkpoint import Changed, Checkpoint, Pass, Sync
from google_drive_worker.sync.listing import home_of_entry
from google_drive_worker.sync.scope import wants_contents, wants_details
from google_drive_worker.sync.step import Step, with_sync

QUEUED_AT_MOST = 200
"""How many files stand in the sync: more would weigh on every step. The others are found in the index."""

CONTENTS_TAKEN = 50
"""How many files a pass takes at a time whose bytes are read: these can take long."""

SCANNED_AT_ONCE = 5_000
"""How many entries one step goes through: few enough that nothing else waits for it."""


def begin_passes(checkpoint: Checkpoint, sync: Sync) -> Sync:
    """Return the full sync with all files to be read, whatever of them stood in it before."""
    whole = (Pass(is_whole=True),)
    return replace(
        sync,
        details=whole if wants_details(checkpoint) else (),
        content=whole if wants_contents(checkpoint) else (),
    )


def is_read_anyhow(sync: Sync) -> bool:
    """Whether all files will be read in this sync, at its end."""
    return sync.kind == "full" and not sync.unseen.is_done


def note_due(step: Step, due: Mapping[FileId, ItemEntry]) -> Step:
    """Return the step with the files that it shows and of which something is `due` to be read, and without those that
    it deletes."""
    checkpoint = step.checkpoint
    if checkpoint is None or checkpoint.sync is None or is_read_anyhow(checkpoint.sync):
        return step
    sync, entries = checkpoint.sync, step.changes.entries
    is_known = {file_id: entry for file_id, entry in entries.items() if entry is not None and not entry.is_folder}
    shown = {**due, **is_known}
    if not shown:
        return step
    if wants_details(checkpoint):
        changed = {each.file_id: each for each in sync.changed}
        for file_id, entry in shown.items():
            both = _with_earlier(due_of(file_id, entry), entry, changed.get(file_id))
            if both.revisions or both.comments:
                changed[file_id] = both  # in its place: what is cut off at the end is due in the index
            else:
                changed.pop(file_id, None)
        kept = tuple(changed.values())
        sync = replace(sync, changed=kept[:QUEUED_AT_MOST], details=_with_rest(sync.details, kept))
    if wants_contents(checkpoint):
        contents = dict.fromkeys(sync.contents)
        for file_id, entry in shown.items():
            if entry.content_due:
                contents[file_id] = None
            elif not entry.has_content:
                contents.pop(file_id, None)
        files = tuple(contents)
        sync = replace(sync, contents=files[:QUEUED_AT_MOST], content=_with_rest(sync.content, files))
    return replace(step, checkpoint=with_sync(checkpoint, sync))


def _with_earlier(due: Changed, entry: ItemEntry, earlier: Changed | None) -> Changed:
    """What is due of a file, with what was to be read of it before, as far as the account may read it still."""
    if earlier is None:
        return due
    return replace(
        due,
        revisions=due.revisions or (earlier.revisions and entry.has_revisions),
        comments=due.comments or (earlier.comments and entry.has_comments),
    )


def _with_rest(passes: tuple[Pass, ...], files: tuple[object, ...]) -> tuple[Pass, ...]:
    """The passes, with one from the beginning for what is too much to stand in the sync."""
    if len(files) <= QUEUED_AT_MOST:
        return passes
    return tuple(dict.fromkeys((*passes, Pass())))


def due_of(file_id: FileId, entry: ItemEntry) -> Changed:
    """Return what is due to be read of a file."""
    return Changed(file_id, entry.revisions_due, entry.comments_due, entry.head)


def read_on(checkpoint: Checkpoint, sync: Sync, index: ItemIndex) -> Step | None:
    """Return the step that takes the next files out of the index; `None` where all passes are through.

    That is what another sync waits for which is let in between (`let_in`), however many files that one adds.
    """
    sync = replace(sync, pass_pages_due=max(0, sync.pass_pages_due - 1))
    if sync.details:
        left, files = _next(sync.details, index, _Wanted(checkpoint).of_details)
        changed = tuple(each for each in files if isinstance(each, Changed))
        return Step(with_sync(checkpoint, replace(sync, details=left, changed=changed)))
    if sync.content:
        left, files = _next(sync.content, index, _Wanted(checkpoint).of_content, CONTENTS_TAKEN)
        contents = tuple(each for each in files if isinstance(each, str))
        return Step(with_sync(checkpoint, replace(sync, content=left, contents=contents)))
    return None


Want = Callable[[Pass, FileId, ItemEntry], Changed | FileId | None]


def _next(
    passes: tuple[Pass, ...], index: ItemIndex, want: Want, limit: int = QUEUED_AT_MOST
) -> tuple[tuple[Pass, ...], list[Changed | FileId]]:
    """What the first pass finds next, so many at the most, and the passes that are left."""
    at, rest = passes[0], passes[1:]
    found: list[Changed | FileId] = []
    scanned = 0
    while scanned < SCANNED_AT_ONCE:
        entries = index.scan(at.after)
        if not entries:
            return rest, found
        for file_id, entry in entries:
            at, scanned = replace(at, after=file_id), scanned + 1
            wanted = None if entry.is_gone or entry.is_folder else want(at, file_id, entry)
            if wanted is not None:
                found.append(wanted)
            if len(found) == limit:
                return (at, *rest), found
    return (at, *rest), found


class _Wanted:
    """Tells what is to be read of a file. What has a gap has its own time, but in a pass that reads everything."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._scope = checkpoint.scope
        self._checkpoint = checkpoint
        self._gaps = {(gap.scope, gap.id) for gap in checkpoint.gaps if not gap.soft}

    def of_details(self, through: Pass, file_id: FileId, entry: ItemEntry) -> Changed | None:
        """What is read of its revisions and comments."""
        if not through.is_whole:
            revisions = entry.revisions_due and ("revisions", file_id) not in self._gaps
            comments = entry.comments_due and ("comments", file_id) not in self._gaps
            return Changed(file_id, revisions, comments, entry.head) if revisions or comments else None
        if not self._is_covered(through, entry):
            return None
        revisions = self._scope.sync_revisions and entry.has_revisions
        comments = self._scope.sync_comments and entry.has_comments
        return Changed(file_id, revisions, comments, entry.head) if revisions or comments else None

    def of_content(self, through: Pass, file_id: FileId, entry: ItemEntry) -> FileId | None:
        """The file, where its content is looked at."""
        if not through.is_whole:
            return file_id if entry.content_due and ("contents", file_id) not in self._gaps else None
        return file_id if entry.has_content and self._is_covered(through, entry) else None

    def _is_covered(self, through: Pass, entry: ItemEntry) -> bool:
        return through.corpus in {None, home_of_entry(self._checkpoint, entry)}
