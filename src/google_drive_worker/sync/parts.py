"""A listing in parts: ranges of modifiedTime that are read side by side and split where most is left.

Theory of operation. A listing begins as one part without limits, asked newest first. A part that has been read down to
its frontier can be split at any whole second `m` below it: it keeps what is left from `m` on, and a new part with a
query of its own takes the rest. Nothing below `m` has been written yet, so nothing is written twice. A page of the
first part that reaches below `m` is cut: only what is in the part's range is written, and the part ends there.

That end rests on Google's order, as does going on from the frontier after a refused token. Pages that descend prove
little: a server that ignores `orderBy` may list by creation, which looks much the same. The same query is therefore
asked once the other way round, and only where that comes the other way round is the order trusted, and anything split.
Where an answer is out of order, all parts read their queries to the very end, so that nothing is missing, and still
write nothing but their own ranges.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from operator import ge

from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId, PageToken
from google_drive_worker.domain.times import TimeRange, from_rfc3339, sortable
from google_drive_worker.sync.checkpoint import Corpus, Part, Trail

PARTS_AT_ONCE = 16
"""How many parts a sync has at the most. An eighth of the time takes eight that are busy all the time; twice as many
leave room for those that end early. Sixteen calls a second are a third of what Google allows a user."""

PROOF_TIMES = 12
"""How many different times have to come in order each way: by chance it happens once in 12!, some 480 million times."""

_LEAST_PAGES = 2.0
"""What must be left for a split, by estimate: the new part's first page then costs no more than it saves."""

INDEX_LAG = timedelta(minutes=10)
"""How long before a sync an edit may have been made that Google's index does not show yet. Google names no bound; what
people see is seconds, now and then minutes."""

RECENT_KEPT = 200
"""How many of the files younger than that are kept in mind, so that they are not written twice: some 12 KB."""

_LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"""Beyond it there is no next second; a client can set any time."""

_MS = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)


def parts_of(corpus: Corpus) -> tuple[Part, ...]:
    """What a corpus that is being listed has yet to read; one plain part where the listing began before parts."""
    if corpus.parts:
        return corpus.parts
    if corpus.listing_token is not None:
        return (Part(page_token=corpus.listing_token, ordered=False, plain=True),)
    return (Part(),)


def asked(part: Part) -> TimeRange | None:
    """The range that the part's query asks for; `None` for the plain query."""
    return None if part.plain else TimeRange(part.asked_since, part.until)


def part_asked(corpus: Corpus, modified: TimeRange | None, page_token: PageToken | None) -> Part | None:
    """The part that waits for the answer to just that query and token.

    Its `since` doesn't count: a part can be split while its answer is on the way.
    """
    for part in parts_of(corpus):
        if part.page_token == page_token and asked(part) == modified:
            return part
    return None


def is_within(part: Part, time: str | None) -> bool:
    """Whether the part writes a file of that `sortable` time; one without is written by whoever lists it."""
    if time is None:
        return True
    return (part.since is None or part.since <= time) and (part.until is None or time < part.until)


def is_trusted(corpus: Corpus) -> bool:
    """Whether the order of the corpus' listing is proven, from both ends."""
    return corpus.order == "kept" and corpus.times_in_order >= PROOF_TIMES


def to_prove(corpus: Corpus) -> bool:
    """Whether the order is worth a question: there is more than a page, and nobody has asked yet."""
    return corpus.order == "unknown" and corpus.pages > 0 and any(part.ordered for part in parts_of(corpus))


def proven(corpus: Corpus, ascending: Sequence[str]) -> Corpus:
    """The corpus, its order kept or not by what was asked for oldest first.

    Where the oldest files are a pile of one time, which says nothing, those above it are asked for once.
    """
    times = [time for time in map(sortable, ascending) if time is not None]
    if not times or times != sorted(times):
        return replace(corpus, order="ignored")
    oldest = corpus.oldest or times[0]
    if len(set(times)) >= PROOF_TIMES:
        return replace(corpus, order="kept", oldest=oldest)
    last = _moment(times[-1])
    if corpus.oldest is not None or last is None or last >= _LATEST:
        return replace(corpus, order="ignored")
    return replace(corpus, oldest=oldest, prove_since=_limit(last + _SECOND))


def read_page(corpus: Corpus, part: Part, times: Sequence[str], next_token: PageToken | None) -> Corpus:
    """The corpus, one of its parts after a page more with files of those times, or without it when it is through."""
    after = read_on(part, times, next_token, trusted=is_trusted(corpus))
    left = [after if each == part else each for each in parts_of(corpus)]
    kept = tuple(each for each in left if each is not None)
    corpus = replace(corpus, listing_token=None, parts=kept, pages=corpus.pages + 1)
    if not part.ordered:
        return corpus
    if not _goes_down(part, times):
        return replace(corpus, order="ignored")
    if corpus.times_in_order >= PROOF_TIMES:
        return corpus
    fresh = {time for time in times if part.frontier is None or time < part.frontier}
    return replace(corpus, times_in_order=min(PROOF_TIMES, corpus.times_in_order + len(fresh)))


def read_on(part: Part, times: Sequence[str], next_token: PageToken | None, *, trusted: bool) -> Part | None:
    """The part after a page with files of those times, `None` when it is through.

    Only where the order is `trusted` does a page that reaches below the part's limit end it.
    """
    if next_token is None:
        return None
    # A page is progress where it reaches below what a part that started over began with: else it may be read for ever.
    begun = _moment(part.until)
    gets_on = trusted and part.ordered and bool(times) and begun is not None and times[-1] < _limit(begun - _SECOND)
    part = replace(part, page_token=next_token, refusals=0 if gets_on else part.refusals)
    if not times or not part.ordered:
        return part
    if not _goes_down(part, times):
        return replace(part, ordered=False, frontier=None, page_span_ms=0)
    if trusted and part.since is not None and times[-1] < part.since:
        return None
    return replace(part, frontier=times[-1], page_span_ms=_span_ms(times[-1], part.frontier or times[0]))


def _goes_down(part: Part, times: Sequence[str]) -> bool:
    """Whether those are times in the order that was asked for, and after the part's last page."""
    above = times if part.frontier is None else chain((part.frontier,), times)
    return all(map(ge, above, times if part.frontier is not None else islice(times, 1, None)))


def start_over(part: Part, *, trusted: bool) -> Part:
    """The part with a query anew, after its token was refused: from its frontier where the order is trusted.

    The files of the frontier's second are written once more then; else what the part has written.
    """
    until = part.until
    frontier = _moment(part.frontier)
    if trusted and part.ordered and frontier is not None and frontier < _LATEST:
        after = _limit(frontier + _SECOND)
        until = after if until is None else min(until, after)
    trail = Trail(stalls=part.trail.stalls)
    return Part(since=part.since, until=until, asked_since=part.since, refusals=part.refusals + 1, trail=trail)


def youngest_since(started_at: str) -> str:
    """The limit of what may have been edited too shortly before a sync that began then to stand where it belongs."""
    return _limit(from_rfc3339(started_at) - INDEX_LAG)


def with_youngest(corpus: Corpus, since: str) -> Corpus:
    """The corpus with its last part, where it was split and all the others are through.

    A file that was edited just before the start token is in no log. The index may have shown it in neither range: not
    yet in the newest one, when that was read, and not any more in its old one.
    """
    if corpus.parts or corpus.youngest != "again":
        return corpus
    return replace(corpus, parts=(Part(since, None, since),), youngest="asked")


def with_recent(corpus: Corpus, written: Mapping[FileId, str]) -> Corpus:
    """The corpus with so many of the youngest files kept in mind as there is room for."""
    recent = {**corpus.recent, **written}
    return replace(corpus, recent=dict(list(recent.items())[:RECENT_KEPT]))


def balanced(corpora: Mapping[str, Corpus]) -> dict[str, Corpus]:
    """The corpora with parts split, as long as there may be more of them and much is left of one.

    A corpus has at most one part more than pages were read of it, so that what is asked in vain stays in proportion,
    and a small drive is not split for nothing.
    """
    found = dict(corpora)
    listing = [name for name, corpus in found.items() if corpus.stage == "listing" and corpus.youngest != "asked"]
    oldest = {name: _moment(found[name].oldest) for name in listing if is_trusted(found[name])}
    while True:
        free = PARTS_AT_ONCE - sum(len(parts_of(found[name])) for name in listing)
        if free <= 0:
            return found
        rooms = {name: found[name].pages + 1 - len(parts_of(found[name])) for name in listing}
        candidates = [
            (_pages_left(part, low), name, at)
            for name, low in oldest.items()
            if rooms[name] > 0
            for at, part in enumerate(parts_of(found[name]))
        ]
        pages_left, name, at = max(candidates, default=(0.0, "", 0))
        if pages_left < _LEAST_PAGES:
            return found
        parts = list(parts_of(found[name]))
        parts[at : at + 1] = _split(parts[at], oldest[name], min(free, rooms[name], int(pages_left / 2)))
        found[name] = replace(found[name], parts=tuple(parts), youngest="again")


def _pages_left(part: Part, oldest: datetime | None) -> float:
    """An estimate, by the last page: what is ahead is most like what came last. 0 where the part can't be split."""
    span = _span_left(part, oldest)
    if span is None or not part.page_span_ms:
        return 0.0
    low, high = span
    return (high - low) / _MS / part.page_span_ms


def _span_left(part: Part, oldest: datetime | None) -> tuple[datetime, datetime] | None:
    """The whole seconds between which the part can be split: above the first, up to the second.

    An open range is taken to end with the corpus' oldest file. Only the estimate rests on it.
    """
    if not part.ordered or part.frontier is None:
        return None
    if part.until is not None and part.frontier >= part.until:
        return None  # Google has answered with what was not asked for: of the range nothing is known yet
    frontier = _moment(part.frontier)
    low = _moment(part.since) or oldest
    if frontier is None or low is None:
        return None
    low, high = low.replace(microsecond=0), frontier.replace(microsecond=0)
    return (low, high) if low < high else None


def _split(part: Part, oldest: datetime | None, pieces: int) -> list[Part]:
    """The part with the top of what is left, and up to so many new ones, newest first, for the rest of it."""
    span = _span_left(part, oldest)
    if span is None:
        return [part]
    low, high = span
    seconds = int((high - low) / _SECOND)
    offsets = sorted({number * seconds // (pieces + 1) for number in range(1, pieces + 1)})
    limits = [_limit(high - timedelta(seconds=offset)) for offset in offsets]
    kept = replace(part, since=limits[0])
    lower = [*limits[1:], part.since]
    return [kept, *(Part(since, until, since) for since, until in zip(lower, limits, strict=True))]


def _span_ms(first: str, last: str) -> int:
    """At least 1, where both can be read."""
    begin, end = _moment(first), _moment(last)
    return 0 if begin is None or end is None else max(1, int((end - begin) / _MS))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = from_rfc3339(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        return None


def _limit(moment: datetime) -> str:
    """A limit of a range: the whole second, without a zone, as Drive's query language reads it."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()
