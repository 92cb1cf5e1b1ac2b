"""What the answers of a listing come to: start tokens, shared drives, pages of files."""

from collections.abc import Sequence

from msgspec.structs import replace

from google_drive_worker.domain.drive import DrivesPage, FilesPage, UnreadableItem
from google_drive_worker.domain.ids import DriveId, PageToken
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import ErrorReport, Record
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Corpus, Sync
from google_drive_worker.sync.parts import balanced, is_within, part_asked, proven, read_page, readable
from google_drive_worker.sync.plan import ListFiles, ProveOrder, TakeStartToken, is_step_of
from google_drive_worker.sync.step import Step, counted, give_up, skipped, with_corpus, with_sync


def on_start_token(checkpoint: Checkpoint, action: TakeStartToken, token: PageToken) -> Step:
    """The low watermark stands; the corpus' listing may begin."""
    corpus = replace(_without_listing(checkpoint.corpora[action.corpus]), stage="listing", change_token=token)
    return Step(with_corpus(checkpoint, action.corpus, corpus))


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
    records = tuple(normalizer.transform_drive(drive) for drive in page.drives)
    joined = {str(drive.id): Corpus("start_token") for drive in page.drives if drive.id not in checkpoint.corpora}
    sync = replace(
        counted(sync, records), drives_token=page.next_page_token, drives_listed=page.next_page_token is None
    )
    return Step(replace(checkpoint, corpora={**checkpoint.corpora, **joined}, sync=sync), records)


def on_files(checkpoint: Checkpoint, sync: Sync, action: ListFiles, page: FilesPage, normalizer: Normalizer) -> Step:
    """A page's items become records, those that its part speaks for.

    A page without `nextPageToken` ends the part, however short the others were, and the last part ends the listing.
    """
    name = action.corpus
    part = part_asked(checkpoint.corpora[name], action.modified, action.page_token)
    if part is None:
        return Step(checkpoint)
    records: list[Record] = []
    errors: list[ErrorReport] = []
    times: list[str] = []
    trashed_too = checkpoint.scope.include_trashed
    for resource in page.files:
        item = normalizer.read_listed(resource)
        if isinstance(item, UnreadableItem):
            errors.append(skipped(checkpoint, item.id, "file", item.problem))
            continue
        time = readable(item.modified_time)
        if time is not None and time < sync.started_at:  # what was edited since may stand anywhere, and proves nothing
            times.append(time)
        if (trashed_too or not item.trashed) and is_within(part, time) and belongs(checkpoint, name, item.drive_id):
            records.append(item.record)
    if page.incomplete_search:
        errors.append(_incomplete(checkpoint, name))
    checkpoint = with_sync(checkpoint, counted(sync, records))
    corpus = replace(read_page(checkpoint.corpora[name], part, times, page.next_page_token), written=True)
    if corpus.parts:
        checkpoint = replace(checkpoint, corpora=balanced({**checkpoint.corpora, name: corpus}))
    else:
        checkpoint = _listed(checkpoint, name, corpus)
    return Step(checkpoint, tuple(records), tuple(errors))


def belongs(checkpoint: Checkpoint, corpus: str, drive_id: DriveId | None) -> bool:
    """Whether a corpus speaks for an item of that drive. The user's leaves to each shared drive what is in it.

    Items of shared drives that the user is no member of, shared with them one by one, are the user's corpus' own.
    """
    if corpus != USER_CORPUS:
        return drive_id == corpus
    return drive_id is None or (checkpoint.scope.include_shared_drives and drive_id not in checkpoint.corpora)


def _listed(checkpoint: Checkpoint, name: str, corpus: Corpus) -> Checkpoint:
    """The corpus' listing is through: its change log is next.

    In a full sync the logs read before are read once more to their end: an item may have moved from this corpus, after
    its page was listed without it, to one whose log had been read by then.
    """
    listed = replace(_without_listing(corpus), stage="changes")
    corpora = balanced({**checkpoint.corpora, name: listed})
    if checkpoint.sync is not None and checkpoint.sync.kind == "full":
        corpora = {
            key: replace(other, stage="changes") if other.stage == "done" else other for key, other in corpora.items()
        }
    parked = checkpoint.parked
    if parked is not None and is_step_of(parked.step, name, of_its_listing=True):
        parked = None  # the part that failed may have been another sync's; whatever it was, all is listed now
    return replace(checkpoint, corpora=corpora, parked=parked)


def _without_listing(corpus: Corpus) -> Corpus:
    return Corpus(corpus.stage, corpus.change_token, written=corpus.written, doubted=corpus.doubted)


def _incomplete(checkpoint: Checkpoint, corpus: str) -> ErrorReport:
    return ErrorReport(
        code="incomplete_search",
        category="retriable",
        message=f"Google says that it did not search all of the corpus {corpus}; the next full sync lists it again",
        customer_id=checkpoint.customer_id,
        connection_id=checkpoint.connection_id,
        source=checkpoint.sync.source if checkpoint.sync else None,
    )
