"""A step: what one answer of Google's comes to, committed as a whole or not at all."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter

import msgspec

from google_drive_worker.domain.ids import FileId, SyncId
from google_drive_worker.domain.item_entry import IndexChanges
from google_drive_worker.domain.record import ErrorReport, Record
from google_drive_worker.domain.reports import Report
from google_drive_worker.sync.checkpoint import NO_CORPUS, USER_CORPUS, Checkpoint, Corpus, Owed, Removal, Sync
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, SkipItem

_kind_of = attrgetter("resource_type", "operation")

GONE_AT_MOST = 200
"""How many items not found are kept in mind: more would weigh on every step, and a full sync finds them as well."""


class Step(msgspec.Struct, frozen=True):
    """The records and errors to write, and the checkpoint that goes with them; `None` ends the connection's state.

    `changes` are those of the item index. `reports` are for the
    connection's owner, once it is committed. The records are of the sync `sync_id`, `None` for the one in progress.
    """

    checkpoint: Checkpoint | None
    records: tuple[Record, ...] = ()
    errors: tuple[ErrorReport, ...] = ()
    changes: IndexChanges = IndexChanges()
    reports: tuple[Report, ...] = ()
    sync_id: SyncId | None = None


def with_sync(checkpoint: Checkpoint, sync: Sync) -> Checkpoint:
    """The checkpoint with that sync in progress."""
    return msgspec.structs.replace(checkpoint, sync=sync)


def with_corpus(checkpoint: Checkpoint, name: str, corpus: Corpus) -> Checkpoint:
    """The checkpoint with that corpus added or replaced."""
    return msgspec.structs.replace(checkpoint, corpora={**checkpoint.corpora, name: corpus})


def with_written(checkpoint: Checkpoint, drive_id: str | None) -> Checkpoint:
    """The checkpoint that knows that items of the shared drive were written; of one that is not followed, nothing."""
    corpus = checkpoint.corpora.get(drive_id or "")
    if drive_id is None or corpus is None or corpus.written:
        return checkpoint
    return with_corpus(checkpoint, drive_id, msgspec.structs.replace(corpus, written=True))


def doubting(checkpoint: Checkpoint, *, doubted: bool, only: str | None = None) -> Checkpoint:
    """The checkpoint with its shared drives doubted or trusted, all of them or one."""
    corpora = {
        name: msgspec.structs.replace(corpus, doubted=doubted)
        if name != USER_CORPUS and only in {None, name}
        else corpus
        for name, corpus in checkpoint.corpora.items()
    }
    return msgspec.structs.replace(checkpoint, corpora=corpora)


def with_gone(checkpoint: Checkpoint, missing: Iterable[FileId], *, deleted: bool = False) -> Checkpoint:
    """The checkpoint with items kept in mind that Google does not find: a drive that is left and joined again before
    the user's log is read has them back, and no log says so. Of those that are `deleted` the mirror was told so."""
    known = {removal.file_id: removal for removal in checkpoint.gone}
    known.update((each, Removal(each, NO_CORPUS, told=deleted)) for each in missing if deleted or each not in known)
    gone = tuple(known.values())
    if len(gone) <= GONE_AT_MOST:
        return msgspec.structs.replace(checkpoint, gone=gone)
    return msgspec.structs.replace(doubting(checkpoint, doubted=True), gone=())


def owe_full(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with a full sync owed, which goes back to what the running one goes back to."""
    source = checkpoint.sync.source if checkpoint.sync else None
    wishes = (*(() if checkpoint.owed is None else (checkpoint.owed,)), *checkpoint.contested)
    others = tuple(wish for wish in wishes if wish.customer_id != checkpoint.customer_id)
    owed = Owed("full", checkpoint.customer_id, source)
    return msgspec.structs.replace(checkpoint, owed=owed, contested=others)


def give_up(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint without its sync and cursors, which can't be gone on from: a full sync is owed instead."""
    drives = (name for name in (*checkpoint.expected, *checkpoint.corpora) if name != USER_CORPUS)
    expected = tuple(dict.fromkeys(drives))
    return msgspec.structs.replace(owe_full(checkpoint), sync=None, corpora={}, expected=expected, parked=None)


def sighted(checkpoint: Checkpoint, corpora: Iterable[str]) -> Checkpoint:
    """The checkpoint after something changed in those corpora that others inherit their permissions from."""
    sync, names = checkpoint.sync, set(corpora)
    if sync is None or not names:
        return checkpoint
    checkpoint = with_sync(checkpoint, msgspec.structs.replace(sync, sightings=sync.sightings + 1))
    for name in names & checkpoint.corpora.keys():
        corpus = msgspec.structs.replace(checkpoint.corpora[name], sighted=sync.sightings + 1)
        checkpoint = with_corpus(checkpoint, name, corpus)
    return checkpoint


def kinds_of(records: Iterable[Record]) -> Counter[tuple[str, str]]:
    """How many records there are of each resource type and operation. It counts every file: no loop of ours."""
    return Counter(map(_kind_of, records))


def counted(sync: Sync, records: Iterable[Record]) -> Sync:
    """The sync with those records added to its counts."""
    counts = dict(sync.counts)
    for (resource_type, operation), number in kinds_of(records).items():
        name = resource_type if operation == "upsert" else "deleted"
        counts[name] = counts.get(name, 0) + number
    return msgspec.structs.replace(sync, counts=counts)


def to_follow(corpora: Mapping[str, Corpus], names: Collection[str] | None) -> dict[str, Corpus]:
    """The corpora with the logs of those named (`None`: of all) to be read on."""
    return {
        name: msgspec.structs.replace(
            corpus,
            stage="changes" if corpus.stage == "done" and (names is None or name in names) else corpus.stage,
            members_new=False,
        )
        for name, corpus in corpora.items()
    }


_HIDDEN_STATUSES = frozenset({403, 404})


def is_hidden(problem: SkipItem) -> bool:
    """Whether what hangs on an item can't be had only because it is not for the account to see."""
    if isinstance(problem, ItemUnavailable):
        return False
    return isinstance(problem, NotFound) or problem.http_status in _HIDDEN_STATUSES
