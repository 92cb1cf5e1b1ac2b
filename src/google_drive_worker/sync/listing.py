"""What the answers of a listing come to: start tokens, shared drives, pages of files."""

from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from google_drive_worker.domain.drive import DrivesPage, FilesPage, UnreadableItem, odd_in
from google_drive_worker.domain.ids import DriveId, FileId, PageToken
from google_drive_worker.domain.item_entry import ItemEntry
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import ErrorReport, ItemRecord
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Corpus, Part, Stage, Sync
from google_drive_worker.sync.error_reports import notice_of, skipped
from google_drive_worker.sync.gaps import (
    PLACE,
    GapKey,
    Opened,
    close_gaps,
    find_gap,
    hold_corpus,
    incomplete_search,
    note_lossy,
    open_gap,
    to_list_again,
    unreadable,
    unreadable_gap,
)
from google_drive_worker.sync.item_writer import ItemWriter
from google_drive_worker.sync.parts import (
    balanced,
    is_trusted,
    is_within,
    part_asked,
    parts_of,
    proven,
    read_page,
    start_over,
    with_recent,
    with_youngest,
    youngest_since,
)
from google_drive_worker.sync.plan import ListFiles, ProveOrder, TakeStartToken, without_rest
from google_drive_worker.sync.scope import MY_DRIVE, follows, holds_drive, lists
from google_drive_worker.sync.step import Step, counted, give_up, with_corpus, with_sync
from google_drive_worker.sync.tokens import STALLS_AT_ONCE, follow, is_given_up, no_progress, stalled


def on_start_token(checkpoint: Checkpoint, action: TakeStartToken, token: PageToken) -> Step:
    """The low watermark stands; the corpus' listing may begin, where it is listed as a whole.

    A log that was read before is read on from there: what was removed since then is in no list.
    """
    name = action.corpus
    stage: Stage = "listing" if lists(checkpoint.scope, name) else "changes"
    corpus = replace(without_listing(checkpoint.corpora[name]), stage=stage, change_token=token, trouble=0)
    sync = checkpoint.sync
    before = None if sync is None else sync.logs_before.get(name)
    if sync is not None and before is not None:
        left = {other: each for other, each in sync.logs_before.items() if other != name}
        sync = replace(sync, logs_before=left)
        if before.isdecimal() and token.isdecimal() and int(before) < int(token):
            corpus = replace(corpus, change_token=before)
            sync = replace(sync, own_starts={**sync.own_starts, name: token})
        checkpoint = with_sync(checkpoint, sync)
    return Step(with_corpus(checkpoint, name, corpus))


def on_order(checkpoint: Checkpoint, sync: Sync, action: ProveOrder, times: Sequence[str]) -> Step:
    """Whether the listing may be split is known now; nothing of the answer is written."""
    corpus = proven(checkpoint.corpora[action.corpus], [time for time in times if time < sync.started_at])
    return Step(replace(checkpoint, corpora=balanced({**checkpoint.corpora, action.corpus: corpus})))


def on_drives(checkpoint: Checkpoint, sync: Sync, page: DrivesPage, normalizer: Normalizer) -> Step:
    """Each shared drive becomes a corpus of its own, with a start token yet to be taken.

    A sync that began from a trigger's cursor gives way to a full one: what was deleted from a drive since that cursor
    stands in the drive's log, where nobody knows the place to read from.
    """
    if sync.from_trigger and page.drives:
        return Step(give_up(checkpoint))
    odd, errors = odd_in(page.drives), tuple[ErrorReport, ...]()
    if odd:
        checkpoint, errors = open_gap(checkpoint, "drives", "drives", USER_CORPUS, unreadable(odd[0].problem))
        errors = tuple(skipped(checkpoint, each.id, "shared_drive", each.problem) for each in odd) if errors else ()
    drives = [
        drive for drive in page.drives if not isinstance(drive, UnreadableItem) and follows(checkpoint.scope, drive.id)
    ]
    records = tuple(normalizer.transform_drive(drive) for drive in drives if holds_drive(checkpoint.scope, drive.id))
    due = checkpoint.scope.sync_permissions
    if any(drive.lossy for drive in drives):
        checkpoint = note_lossy(checkpoint, "drives", "drives", USER_CORPUS)
    joined = {
        str(drive.id): Corpus("start_token", members_due=due, rights=drive.rights, drive_digest=drive.digest)
        for drive in drives
        if drive.id not in checkpoint.corpora
    }
    trail = follow(sync.drives_trail, sync.drives_token, page.next_page_token)
    is_last = page.next_page_token is None
    if trail is None:
        trail, is_last = stalled(sync.drives_trail), is_given_up(stalled(sync.drives_trail))
        sync = replace(counted(sync, records), drives_token=None, drives_trail=trail)
    else:
        sync = replace(counted(sync, records), drives_token=page.next_page_token, drives_trail=trail)
    checkpoint = replace(checkpoint, corpora={**checkpoint.corpora, **joined})
    if not is_last:
        return Step(with_sync(checkpoint, sync), records, errors)
    # A list may leave a drive out: one that was mirrored before is looked up, and left only when it is not found twice.
    expected = tuple(name for name in checkpoint.expected if name not in checkpoint.corpora)
    checkpoint = replace(checkpoint, sync=replace(sync, drives_listed=True, drives_token=None), expected=expected)
    if trail.stalls > STALLS_AT_ONCE:
        checkpoint, more = open_gap(checkpoint, "drives", "drives", USER_CORPUS, no_progress("the shared drives"))
        return Step(checkpoint, records, (*errors, *more))
    gap = find_gap(checkpoint, "drives", "drives")
    if gap is not None and gap.state == "tried":
        checkpoint = close_gaps(checkpoint, [("drives", "drives")])
    unseen = _unseen_drives(checkpoint) if sync.kind == "full" else ()
    return Step(checkpoint, records, (*errors, *unseen))


def _unseen_drives(checkpoint: Checkpoint) -> tuple[ErrorReport, ...]:
    """A report for each drive that the scope names and the account is no member of: somebody expects it."""
    named = set(checkpoint.scope.drive_ids or ()) - {MY_DRIVE} - checkpoint.corpora.keys()
    message = "drive_ids names a shared drive that this account is no member of; nothing of it is mirrored"
    return tuple(
        notice_of(checkpoint, "drive_not_visible", message, resource_type="shared_drive", resource_id=drive_id)
        for drive_id in sorted(named)
    )


def on_files(
    checkpoint: Checkpoint, sync: Sync, action: ListFiles, page: FilesPage, writer: ItemWriter, normalizer: Normalizer
) -> Step:
    """A page's items become records, those that its part speaks for.

    A page without `nextPageToken` ends the part, however short the others were, and the last part ends the listing.
    """
    name = action.corpus
    corpus = checkpoint.corpora[name]
    part = part_asked(corpus, action.modified, action.page_token)
    if part is None:
        return Step(checkpoint)
    found = _of_part(checkpoint, sync, name, part, page, normalizer, writer.outside)
    writer.extend(found.written)
    writer.lossy.extend(found.lossy)
    checkpoint = with_sync(checkpoint, counted(sync, writer.records))
    checkpoint, errors = _with_unreadable(checkpoint, name, found.odd)
    corpus = checkpoint.corpora[name]
    if page.incomplete_search:
        corpus = replace(corpus, incomplete=True)
    young = youngest_since(sync.started_at)
    recent = {
        FileId(file.resource_id): file.modified_time
        for file in found.written
        if file.modified_time is not None and file.modified_time >= young
    }
    trail = follow(part.trail, action.page_token, page.next_page_token)
    if trail is None:
        again = replace(start_over(part, trusted=is_trusted(corpus)), trail=stalled(part.trail))
        corpus = replace(corpus, parts=tuple(again if each == part else each for each in parts_of(corpus)))
        corpus = replace(with_recent(corpus, recent), listing_token=None, written=True)
        checkpoint = with_corpus(checkpoint, name, corpus)
        if is_given_up(again.trail):
            checkpoint, more = hold_corpus(checkpoint, name, no_progress("the files of a drive"))
            errors = (*errors, *more)
        return Step(checkpoint, tuple(writer.records), errors, writer.changes)
    part_then = replace(part, trail=trail)
    corpus = replace(corpus, parts=tuple(part_then if each == part else each for each in parts_of(corpus)))
    corpus = with_recent(read_page(corpus, part_then, found.times, page.next_page_token), recent)
    corpus = replace(with_youngest(corpus, young), written=True, trouble=0)
    if corpus.parts:
        checkpoint = replace(checkpoint, corpora=balanced({**checkpoint.corpora, name: corpus}))
    else:
        checkpoint, more = _listed(checkpoint, name, corpus)
        errors = (*errors, *more)
    return Step(checkpoint, tuple(writer.records), errors, writer.changes)


def _with_unreadable(checkpoint: Checkpoint, name: str, items: Iterable[UnreadableItem]) -> Opened:
    """The checkpoint with a gap for each item that could not be read; one without an id has all of it listed again."""
    errors: list[ErrorReport] = []
    for item in items:
        checkpoint, more = unreadable_gap(checkpoint, item, name, "corpus", name)
        if item.id is None:
            checkpoint = with_corpus(checkpoint, name, replace(checkpoint.corpora[name], incomplete=True))
        errors += more
    return Opened(checkpoint, tuple(errors))


class _Found(NamedTuple):
    """What a page holds for its part: what is written, what can't be read, and the times that tell of the order."""

    written: list[ItemRecord]
    odd: list[UnreadableItem]
    times: list[str]
    lossy: list[FileId]


def _of_part(
    checkpoint: Checkpoint,
    sync: Sync,
    name: str,
    part: Part,
    page: FilesPage,
    normalizer: Normalizer,
    outside: Container[str] = frozenset(),
) -> _Found:
    # What is the same for nearly all items is asked once, not a thousand times: this runs for each file of a drive.
    written: list[ItemRecord] = []
    odd: list[UnreadableItem] = []
    lossy: list[FileId] = []
    times: list[str] = []
    corpus, started_at = checkpoint.corpora[name], sync.started_at
    trashed_too = checkpoint.scope.include_trashed
    is_limited = part.since is not None or part.until is not None
    asked_again = corpus.youngest == "asked"
    ours: dict[DriveId | None, bool] = {}
    for item in normalizer.read_page(page):
        time = item.modified_time
        if time is not None and time < started_at:  # what was edited since may stand anywhere, and proves nothing
            times.append(time)
        if is_limited and not is_within(part, time):
            continue  # another part speaks for it
        if isinstance(item, UnreadableItem):
            odd.append(item)
            continue
        drive_id = item.drive_id
        if drive_id not in ours:
            ours[drive_id] = is_listed_by(checkpoint, name, drive_id)
        if not ours[drive_id] or (item.trashed and not trashed_too):
            continue
        if item.resource_id in outside:
            continue
        if not (asked_again and _is_repeated(corpus, item)):
            written.append(item)
            if item.lossy:
                lossy.append(FileId(item.resource_id))
    return _Found(written, odd, times, lossy)


def belongs(checkpoint: Checkpoint, corpus: str, drive_id: DriveId | None) -> bool:
    """Whether a corpus speaks for an item of that drive. The user's leaves to each shared drive what is in it.

    Items of shared drives that the user is no member of, shared with them one by one, are the user's corpus' own.
    """
    if corpus != USER_CORPUS:
        return drive_id == corpus
    return drive_id is None or (checkpoint.scope.include_shared_drives and drive_id not in checkpoint.corpora)


def is_in_users_log_alone(home: Corpus, item_id: str, drive_id: str | None, parents: Sequence[str] | None) -> bool:
    """Whether the user's log is the only one that is sure to tell of an item of a followed drive.

    The drive was joined just now, and its log is read from there. Or no folder above the item is for the account to
    see: it may have come with that folder, of which the drive's log does not tell the account.
    """
    return home.stage not in {"changes", "done"} or (not parents and item_id != drive_id)


def corpus_of(checkpoint: Checkpoint, drive_id: DriveId | None) -> str:
    """The corpus that speaks for items of that drive: the drive itself where it is followed, else the user's."""
    return str(drive_id) if drive_id in checkpoint.corpora else USER_CORPUS


def home_of_entry(checkpoint: Checkpoint, entry: ItemEntry) -> str:
    """Return the corpus that speaks for an item that the index holds."""
    return entry.corpus if entry.corpus in checkpoint.corpora else USER_CORPUS


def is_listed_by(checkpoint: Checkpoint, corpus: str, drive_id: DriveId | None) -> bool:
    """Whether a listing of the corpus is to bring an item of that drive: where drives are named, the user's brings
    nothing of other drives, which it shows as well."""
    is_foreign = corpus == USER_CORPUS and drive_id is not None
    return belongs(checkpoint, corpus, drive_id) and not (is_foreign and checkpoint.scope.drive_ids is not None)


def _listed(checkpoint: Checkpoint, name: str, corpus: Corpus) -> Opened:
    """The corpus' listing is through: its change log is next.

    In a full sync the logs read before are read once more to their end: an item may have moved from this corpus, after
    its page was listed without it, to one whose log had been read by then.
    A listing of which Google did not search everything leaves a gap.
    """
    listed = replace(without_listing(corpus), stage="changes", joined=False, fresh=True)
    corpora = balanced({**checkpoint.corpora, name: listed})
    if checkpoint.unfinished is not None or (checkpoint.sync is not None and checkpoint.sync.kind == "full"):
        corpora = {
            key: replace(other, stage="changes") if other.stage == "done" else other for key, other in corpora.items()
        }
    # The part that failed may have been another sync's; whatever it was, all is listed now.
    checkpoint = without_rest(checkpoint, name, of_its_listing=True)
    checkpoint = replace(checkpoint, corpora=corpora)
    if not corpus.incomplete:
        folders = [gap for gap in checkpoint.gaps if gap.scope == "folder" and gap.corpus == name]
        read: list[GapKey] = [("folder", gap.id) for gap in folders if not gap.missing and gap.code != PLACE]
        return Opened(close_gaps(checkpoint, [("corpus", name), *read]))
    checkpoint = with_corpus(checkpoint, name, to_list_again(checkpoint.corpora[name]))
    return open_gap(checkpoint, "corpus", name, name, incomplete_search("of the drive"))


def _is_repeated(corpus: Corpus, file: ItemRecord) -> bool:
    """Whether this file, one of the youngest that are asked for again, was written as it still is."""
    return file.modified_time is not None and corpus.recent.get(FileId(file.resource_id)) == file.modified_time


def without_listing(corpus: Corpus) -> Corpus:
    """The corpus with nothing left of its listing: if it is listed again, it begins from the start."""
    return replace(
        corpus,
        listing_token=None,
        parts=(),
        pages=0,
        order="unknown",
        oldest=None,
        prove_since=None,
        times_in_order=0,
        youngest="once",
        recent={},
        sighted=0,
        relisted=False,
        held=False,
        unlisted=False,
        doubtful=False,
        incomplete=False,
    )
