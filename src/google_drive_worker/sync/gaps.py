"""Gaps: what is in scope and could not be read. Each is named, kept in state, and tried again by itself.

Theory of operation. A call that fails for good for one thing alone, while others succeed, opens a gap for that thing:
an item, what hangs on it, a folder's walk, a corpus. The sync goes on without it. A full sync that ends with gaps
closes as `incomplete` and names them; nothing that a gap covers is deleted. When a gap's rest is over, an incremental
sync of its own tries it, with growing rests:

    found ──(the sync ends)──▶ resting ──(retry_at, a sync begins)──▶ tried ──▶ closed, or resting again

The sync that closes the last gap writes the full sync's second closing record. An item that Google says it does not
have (`missing`) is a gap too: it is gone when Google says so again, some minutes later.

What is kept is bounded: beyond `GAPS_AT_MOST` the gaps of the corpus that has most become one, which is filled by
listing that corpus again.
"""

from collections import Counter
from collections.abc import Callable, Collection
from typing import NamedTuple

from msgspec.structs import replace

from google_drive_worker.domain.drive import UnreadableItem
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.record import ErrorReport, NamedGap
from google_drive_worker.sync.checkpoint import (
    USER_CORPUS,
    Checkpoint,
    Corpus,
    Gap,
    GapScope,
    Stage,
    Walk,
)
from google_drive_worker.sync.error_reports import notice_of, report_of
from google_drive_worker.sync.step import with_corpus
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, SkipItem, WorkerError

GAPS_AT_MOST = 1_000
"""How many gaps are named; beyond it, one a corpus. At about 250 bytes each they weigh on every step's checkpoint."""

TRIES_AT_ONCE = 3
"""How often what fails alone, while other calls succeed, is tried again within a sync, before it is a gap."""

SOFT_TRIES = 3
"""How often something is read again of which values made no sense."""

CODES_KEPT = 4
"""How many causes of one gap are remembered as reported."""

MESSAGE_CHARS = 160
"""How much of a gap's message is kept; an error record that is made with the gap has the whole text."""

TOO_MANY = "too_many_gaps"
"""The code of the gap that stands for all of a corpus."""

GapKey = tuple[GapScope, str]


_RESOURCES: dict[GapScope, str] = {
    "drives": "connection",
    "folder": "folder",
    "item": "file",
    "permissions": "file",
    "revisions": "file",
    "comments": "file",
    "contents": "file",
}


class Opened(NamedTuple):
    """A checkpoint with a gap more, and the error records that the gap is worth.

    One cause makes one record, not one a try; so does all of an item that can't be had for the same cause.
    """

    checkpoint: Checkpoint
    errors: tuple[ErrorReport, ...] = ()


def find_gap(checkpoint: Checkpoint, scope: GapScope, gap_id: str) -> Gap | None:
    """Return the gap of that thing; `None` where there is none."""
    return next((gap for gap in checkpoint.gaps if gap.scope == scope and gap.id == gap_id), None)


def open_gap(
    checkpoint: Checkpoint,
    scope: GapScope,
    gap_id: str,
    corpus: str,
    error: WorkerError,
    *,
    missing: bool = False,
    told: bool = False,
    walk: Walk | None = None,
) -> Opened:
    """Note that something could not be read; `walk`, `told` and `missing` are the gap's.

    A gap that is tried and fails again rests longer. One that rests already is only counted in another corpus, where
    its item has moved: that it was met by the way is no attempt. Of what is `missing` there is an error record when the
    sync ends, see `report_missing`.
    """
    before = find_gap(checkpoint, scope, gap_id)
    if scope not in _OF_A_CORPUS and not told and not missing and _is_covered(checkpoint, corpus):
        return Opened(checkpoint)
    message = error.message[:MESSAGE_CHARS]
    if before is not None and before.state != "tried" and not before.soft:
        kept = _moved_to(before, corpus) if walk is None else replace(_moved_to(before, corpus), walk=walk)
        gaps = tuple(kept if gap is before else gap for gap in checkpoint.gaps)
        return Opened(checkpoint if kept == before else replace(checkpoint, gaps=gaps))
    attempts = 1 if before is None or before.soft else before.attempts + 1
    told = told or (before is not None and before.told and before.corpus == corpus)
    known = {code for gap in checkpoint.gaps if gap.id == gap_id for code in gap.reported}
    whole = find_gap(checkpoint, "corpus", corpus)
    if whole is not None and whole.code == TOO_MANY:  # it holds the causes that were told of the corpus' many items
        known.update(whole.reported)
    told_before = () if before is None else before.reported
    is_told_later = missing and error.code not in known
    gap = Gap(
        scope,
        gap_id,
        corpus,
        error.code,
        message,
        attempts,
        missing=missing,
        told=told,
        walk=walk,
        reported=told_before if is_told_later else _with_code(told_before, error.code),
    )
    others = tuple(each for each in checkpoint.gaps if each is not before)
    reports = () if is_told_later or error.code in known else (_report_of(checkpoint, gap, error),)
    return _bounded(replace(checkpoint, gaps=(*others, gap)), reports)


def with_gaps_seen(checkpoint: Checkpoint, item_ids: Collection[str], home_of: Callable[[FileId], str]) -> Checkpoint:
    """Return the checkpoint after an answer has shown items: their gaps are counted in the corpora that these are in,
    and that a log told that an item left one counts no more."""
    gaps = tuple(
        replace(_moved_to(gap, home_of(FileId(gap.id))), told=False)
        if gap.id in item_ids and gap.scope not in _OF_A_CORPUS and gap.corpus != gap.id
        else gap
        for gap in checkpoint.gaps
    )
    return checkpoint if gaps == checkpoint.gaps else replace(checkpoint, gaps=gaps)


def _moved_to(gap: Gap, corpus: str) -> Gap:
    """The gap counted in that corpus. What was known of the item in another one goes: a folder is looked up first."""
    return gap if gap.corpus == corpus else replace(gap, corpus=corpus, told=False, walk=None)


def _with_code(codes: tuple[str, ...], code: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*codes, code)))[-CODES_KEPT:]


def _report_of(checkpoint: Checkpoint, gap: Gap, error: WorkerError) -> ErrorReport:
    what = _what(gap.scope, gap.id, gap.corpus)
    text = f"{what} could not be read, and stays as it was until it is asked for again: {error.message}"
    resource_id = checkpoint.connection_id if gap.scope == "drives" else gap.id
    resource = _resource_of(gap.scope, gap.id, gap.corpus)
    return report_of(checkpoint, error, message=text, action="retried", resource_type=resource, resource_id=resource_id)


def report_missing(checkpoint: Checkpoint) -> Opened:
    """Report what Google did not find, where the sync that ends has not learned from a log what became of it.

    That something is not found is ordinary where it was deleted, or its drive left, between two calls: then the log
    tells so a moment later, and nothing is wrong.
    """
    errors: list[ErrorReport] = []
    known: dict[str, set[str]] = {}
    for gap in checkpoint.gaps:
        known.setdefault(gap.id, set()).update(gap.reported)
    gaps: list[Gap] = []
    for gap in checkpoint.gaps:
        is_new = gap.missing and gap.code not in gap.reported
        if is_new and gap.code not in known[gap.id]:
            known[gap.id].add(gap.code)
            errors.append(_report_of(checkpoint, gap, _error_of(gap)))
        gaps.append(replace(gap, reported=_with_code(gap.reported, gap.code)) if is_new else gap)
    return Opened(replace(checkpoint, gaps=tuple(gaps)), tuple(errors))


def _error_of(gap: Gap) -> WorkerError:
    """The error that opened a gap of something that was not found."""
    if gap.code == NotFound.code:
        return NotFound(gap.message, http_status=404, reason="notFound")
    return ItemUnavailable(gap.message, code=gap.code)


def _is_covered(checkpoint: Checkpoint, corpus: str) -> bool:
    """Whether all of the corpus is one gap already, since it had too many."""
    whole = find_gap(checkpoint, "corpus", corpus)
    return whole is not None and whole.code == TOO_MANY and whole.state != "tried"


def is_told(checkpoint: Checkpoint, before: Checkpoint, scope: GapScope, gap_id: str) -> bool:
    """Whether a gap that was opened since `before` is new, and its cause not told yet of too many others."""
    gap = find_gap(checkpoint, scope, gap_id)
    if gap is None or find_gap(before, scope, gap_id) is not None:
        return False
    whole = find_gap(checkpoint, "corpus", gap.corpus)
    return whole is None or whole.code != TOO_MANY or gap.code not in whole.reported


def note_lossy(checkpoint: Checkpoint, scope: GapScope, gap_id: str, corpus: str) -> Checkpoint:
    """Note that something was read but for values that made no sense, which may have passed when it is read again.

    It is tried `SOFT_TRIES` times; that the values stay away is Google's last word then, and nothing is missing.
    """
    before = find_gap(checkpoint, scope, gap_id)
    if before is not None and before.state != "tried":
        return checkpoint
    attempts = before.attempts + 1 if before is not None and before.soft else 1
    others = tuple(each for each in checkpoint.gaps if each is not before)
    if len(others) >= GAPS_AT_MOST:
        return replace(checkpoint, gaps=others)
    message = "some of its values made no sense"
    gap = Gap(scope, gap_id, corpus, "lossy", message, attempts, soft=True)
    return replace(checkpoint, gaps=(*others, gap))


def hard_gaps(checkpoint: Checkpoint) -> tuple[Gap, ...]:
    """Return the gaps of what could not be read."""
    return tuple(gap for gap in checkpoint.gaps if not gap.soft)


def _resource_of(scope: GapScope, gap_id: str, corpus: str) -> str:
    """The type of what an error record names."""
    if scope == "permissions" and gap_id == corpus:
        return "shared_drive"
    if scope in _RESOURCES:
        return _RESOURCES[scope]
    return "my_drive" if gap_id == USER_CORPUS else "shared_drive"


def _what(scope: GapScope, gap_id: str, corpus: str) -> str:
    return {
        "drives": "the list of shared drives",
        "corpus": "all of the drive",
        "folder": "what is in the folder",
        "item": "the item",
    }.get(scope, f"its {scope}")


def _bounded(checkpoint: Checkpoint, reports: tuple[ErrorReport, ...]) -> Opened:
    """The checkpoint with one gap in the place of all of the corpus that has most, where there are too many."""
    many = [gap for gap in checkpoint.gaps if not gap.soft and gap.scope not in _OF_A_CORPUS]
    if len(many) <= GAPS_AT_MOST:
        return Opened(checkpoint, reports)
    [(name, _)] = Counter(gap.corpus for gap in many).most_common(1)
    corpus, before = checkpoint.corpora.get(name), find_gap(checkpoint, "corpus", name)
    if corpus is not None:
        owed = replace(corpus, incomplete=True) if corpus.stage == "listing" else to_list_again(corpus)
        checkpoint = with_corpus(checkpoint, name, owed)
    joined = [gap for gap in many if gap.corpus == name]
    told = {code for gap in joined for code in gap.reported}
    is_again = before is not None and before.code == TOO_MANY
    attempts = 1
    if before is not None and is_again:
        joined.append(before)
        told.update(before.reported)
        attempts = before.attempts + (before.state == "tried")
    message = "more items of it than can be named could not be read; all of it is listed again"
    whole = Gap(
        "corpus",
        name,
        name,
        TOO_MANY,
        message,
        attempts,
        missing=any(gap.missing for gap in joined),
        told=any(_needs_sweep(gap) for gap in joined),
        reported=(*sorted(told - {TOO_MANY})[: CODES_KEPT - 1], TOO_MANY),
    )
    gone = {id(gap) for gap in (*joined, before)}
    checkpoint = replace(checkpoint, gaps=(*(gap for gap in checkpoint.gaps if id(gap) not in gone), whole))
    if is_again:
        return Opened(checkpoint, reports)
    resource = _resource_of("corpus", name, name)
    notice = notice_of(
        checkpoint, TOO_MANY, message, category="retriable", action="retried", resource_type=resource, resource_id=name
    )
    return Opened(checkpoint, (*reports, notice))


def _needs_sweep(gap: Gap) -> bool:
    """Whether a full sync is needed to tell what became of the item: no listing tells that one is gone."""
    return gap.told or (gap.missing and gap.scope not in {"revisions", "comments"})


def home_of(checkpoint: Checkpoint, scope: GapScope, gap_id: str, otherwise: str = USER_CORPUS) -> str:
    """Return the corpus that the gap of that thing is counted in, or is to be where there is none yet."""
    gap = find_gap(checkpoint, scope, gap_id)
    return otherwise if gap is None else gap.corpus


def unreadable_gap(checkpoint: Checkpoint, item: UnreadableItem, corpus: str, scope: GapScope, holder: str) -> Opened:
    """Note an item that could not be read. One without an id can't be asked for: what it stands in is read again."""
    error = unreadable(item.problem)
    if item.id is not None:
        return open_gap(checkpoint, "item", item.id, corpus, error)
    return open_gap(checkpoint, scope, holder, corpus, error)


def unreadable(problem: str) -> ItemUnavailable:
    """Return the error of an element that could not be read."""
    return ItemUnavailable(f"Google sent an item that does not fit its type: {problem}", code="unreadable_item")


PLACE = "place_unknown"
"""The code of gaps of what may be in scope."""


def misplaced(folder: str) -> ItemUnavailable:
    """Return the error of a folder that can't be had now, or of an item below it: what is below may be in scope."""
    return ItemUnavailable(f"{folder} can't be had now, so what is below may be in scope or out of it", code=PLACE)


def too_deep() -> ItemUnavailable:
    """Return the error of a folder below more folders than Google nests."""
    return ItemUnavailable("folders are inside one another in a circle", code="folder_circle")


def incomplete_search(what: str) -> ItemUnavailable:
    """Return the error of a listing of which Google says that it did not search everything."""
    return ItemUnavailable(f"Google says that it did not search all {what}", code="incomplete_search")


def hold_corpus(checkpoint: Checkpoint, name: str, error: WorkerError) -> Opened:
    """Go on without a corpus whose calls fail while others succeed. Its log is read on where its listing fails."""
    corpus = checkpoint.corpora[name]
    if corpus.stage == "listing":
        stage: Stage = "changes"
        corpus = replace(corpus, stage=stage, unlisted=True, trouble=0, doubtful=False)
    else:
        corpus = replace(corpus, held=True, trouble=0, doubtful=False)
    return open_gap(with_corpus(checkpoint, name, corpus), "corpus", name, name, error)


def to_list_again(corpus: Corpus) -> Corpus:
    """Return the corpus with a whole listing owed, which its gap brings; its log goes on meanwhile."""
    return replace(corpus, unlisted=True, parts=(), listing_token=None)


def close_gaps(checkpoint: Checkpoint, keys: Collection[GapKey]) -> Checkpoint:
    """Return the checkpoint without the gaps of what was read."""
    if not checkpoint.gaps or not keys:
        return checkpoint
    kept = tuple(gap for gap in checkpoint.gaps if (gap.scope, gap.id) not in keys)
    return checkpoint if len(kept) == len(checkpoint.gaps) else replace(checkpoint, gaps=kept)


def forget_items(checkpoint: Checkpoint, item_ids: Collection[str]) -> Checkpoint:
    """Return the checkpoint without the gaps of items that are gone."""
    if not checkpoint.gaps or not item_ids:
        return checkpoint
    kept = tuple(gap for gap in checkpoint.gaps if gap.id not in item_ids or gap.scope in _OF_A_CORPUS)
    return checkpoint if len(kept) == len(checkpoint.gaps) else replace(checkpoint, gaps=kept)


_OF_A_CORPUS: frozenset[GapScope] = frozenset({"drives", "corpus"})
"""Scopes whose ids are not an item's."""


def forget_scopes(checkpoint: Checkpoint, scopes: Collection[GapScope]) -> Checkpoint:
    """Return the checkpoint without the gaps of what the account's consent does not cover."""
    return replace(checkpoint, gaps=tuple(gap for gap in checkpoint.gaps if gap.scope not in scopes))


def forget_corpus(checkpoint: Checkpoint, name: str) -> Checkpoint:
    """Return the checkpoint without the gaps of a corpus that is not mirrored any more."""
    return replace(checkpoint, gaps=tuple(gap for gap in checkpoint.gaps if gap.corpus != name))


def is_confirmed(gap: Gap | None) -> bool:
    """Whether one more answer that there is no such item confirms that it is gone: the first came a rest ago."""
    return gap is not None and gap.missing and gap.state == "tried" and gap.code != TOO_MANY


def is_confirmed_of_many(checkpoint: Checkpoint, corpus: str | None) -> bool:
    """Whether one more answer that a list is not found counts, since there were too many to name a rest ago."""
    whole = None if corpus is None else find_gap(checkpoint, "corpus", corpus)
    return whole is not None and whole.code == TOO_MANY and whole.missing and whole.state == "tried"


def as_gap(problem: SkipItem) -> ItemUnavailable:
    """Return the problem as one that is asked about again: one answer that there is no such item proves nothing."""
    if isinstance(problem, ItemUnavailable):
        return problem
    return ItemUnavailable(
        problem.message,
        code=problem.code,
        http_status=problem.http_status,
        reason=problem.reason,
        attempts=problem.attempts,
    )


def named_gaps(checkpoint: Checkpoint) -> tuple[NamedGap, ...]:
    """Return the gaps as a closing record names them."""
    return tuple(NamedGap(gap.scope, gap.id, gap.code, gap.message) for gap in hard_gaps(checkpoint))
