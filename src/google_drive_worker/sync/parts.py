"""A listing in parts: ranges of modifiedTime that are read side by side and split where most is left.

Theory of operation. A listing begins as one part without limits, asked newest first. A part that has been read down to
its frontier can be split at any whole second `m` below it: it keeps what is left from `m` on, and a new part with a
query of its own takes the rest. Nothing below `m` has been written yet, so nothing is written twice. A page of the
first part that reaches below `m` is cut: only what is in the part's range is written, and the part ends there.

That end rests on Google's order, as does going on from the frontier after a refused token. The order is therefore held
to be proven only down to where enough came after it. Where an answer is out of order, the part reads its query to the
very end, so that nothing is missing, and still writes nothing but its own range.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from google_drive_worker.domain.ids import PageToken
from google_drive_worker.domain.times import TimeRange, from_rfc3339, rfc3339
from google_drive_worker.sync.checkpoint import Corpus, Part

PARTS_AT_ONCE = 16
"""How many parts a sync has at the most. An eighth of the time takes eight that are busy all the time; twice as many
leave room for those that end early. Sixteen calls a second are a third of what Google allows a user."""

PROOF_TIMES = 12
"""How many different times that came in order prove it: by chance it happens once in 12!, some 480 million times."""

PROOF_FILES = 96
"""How many files do where times repeat: an import can give thousands the same one."""

_LEAST_PAGES = 2.0
"""What must be left for a split, by estimate: the new part's first page then costs no more than it saves."""

_EARLIEST = datetime(2006, 1, 1, tzinfo=UTC)
"""Where an open range is taken to end: Google's first documents are of 2006. Only the estimate rests on it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The same for a range that reaches below `_EARLIEST`: files keep the time that they had on a disk."""

_LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"""Beyond it there is no next second; a client can set any time."""

_TIME_CHARS = 24
_SECOND_CHARS = 19
_MS = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)


def parts_of(corpus: Corpus) -> tuple[Part, ...]:
    """What a corpus that is being listed has yet to read; one plain part where the listing began before parts."""
    if corpus.parts:
        return corpus.parts
    restarted = corpus.restarts > 0
    if corpus.listing_token is not None:
        return (Part(page_token=corpus.listing_token, ordered=False, plain=True, restarted=restarted),)
    return (Part(restarted=restarted),)


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


def readable(modified_time: str | None) -> str | None:
    """A modifiedTime in the form that sorts as it reads, which is Google's own; `None` where it can't be read."""
    if modified_time is None:
        return None
    if len(modified_time) == _TIME_CHARS and modified_time[_SECOND_CHARS] == "." and modified_time[-1] == "Z":
        return modified_time
    try:
        moment = from_rfc3339(modified_time)
        return rfc3339(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def is_within(part: Part, time: str | None) -> bool:
    """Whether the part writes a file of that `readable` time; one without is written by whoever lists it."""
    if time is None:
        return True
    return (part.since is None or part.since <= time) and (part.until is None or time < part.until)


def read_on(part: Part, times: Sequence[str], next_token: PageToken | None) -> Part | None:
    """The part after a page with files of those times, `None` when it is through."""
    if next_token is None:
        return None
    part = replace(part, page_token=next_token)
    if not times or not part.ordered:
        return part
    above = part.frontier or times[0]
    if times[0] > above or list(times) != sorted(times, reverse=True):
        return replace(part, ordered=False, frontier=None, proven=None, page_span_ms=0)
    proven = _proven(times) or part.proven
    if proven is not None and part.since is not None and proven < part.since:
        return None
    return replace(part, frontier=times[-1], proven=proven, page_span_ms=_span_ms(times[-1], above))


def start_over(part: Part) -> Part:
    """The part with a query anew, after its token was refused: from where the order is proven, else from its beginning.

    What lies between `proven` and the frontier, a dozen files or the files of a second, is written once more.
    """
    until = part.until
    proven = _moment(part.proven)
    if part.ordered and proven is not None and proven < _LATEST:
        after = _limit(proven + _SECOND)
        until = after if until is None else min(until, after)
    return Part(since=part.since, until=until, asked_since=part.since, restarted=True)


def balanced(corpora: Mapping[str, Corpus]) -> dict[str, Corpus]:
    """The corpora with parts split, as long as there may be more of them and much is left of one.

    A corpus has at most one part more than pages were read of it, so that what is asked in vain stays in proportion,
    and a small drive is not split for nothing.
    """
    found = dict(corpora)
    listing = [name for name, corpus in found.items() if corpus.stage == "listing"]
    while True:
        free = PARTS_AT_ONCE - sum(len(parts_of(found[name])) for name in listing)
        if free <= 0:
            return found
        rooms = {name: found[name].pages + 1 - len(parts_of(found[name])) for name in listing}
        candidates = [
            (_pages_left(part), name, at)
            for name in listing
            if rooms[name] > 0
            for at, part in enumerate(parts_of(found[name]))
        ]
        pages_left, name, at = max(candidates, default=(0.0, "", 0))
        if pages_left < _LEAST_PAGES:
            return found
        parts = list(parts_of(found[name]))
        parts[at : at + 1] = _split(parts[at], min(free, rooms[name], int(pages_left / 2)))
        found[name] = replace(found[name], parts=tuple(parts))


def _pages_left(part: Part) -> float:
    """An estimate, by the last page: what is ahead is most like what came last. 0 where the part can't be split."""
    span = _span_left(part)
    if span is None or not part.page_span_ms:
        return 0.0
    low, high = span
    return (high - low) / _MS / part.page_span_ms


def _span_left(part: Part) -> tuple[datetime, datetime] | None:
    """The whole seconds between which the part can be split: above the first, up to the second."""
    if not part.ordered or part.proven is None or part.frontier is None:
        return None
    if part.until is not None and part.frontier >= part.until:
        return None  # Google has answered with what was not asked for: of the range nothing is known yet
    frontier = _moment(part.frontier)
    if frontier is None:
        return None
    low = _moment(part.since) or (_EARLIEST if frontier > _EARLIEST else _EPOCH)
    high = frontier.replace(microsecond=0)
    return (low, high) if low < high else None


def _split(part: Part, pieces: int) -> list[Part]:
    """The part with the top of what is left, and up to so many new ones, newest first, for the rest of it."""
    span = _span_left(part)
    if span is None:
        return [part]
    low, high = span
    seconds = int((high - low) / _SECOND)
    offsets = sorted({number * seconds // (pieces + 1) for number in range(1, pieces + 1)})
    limits = [_limit(high - timedelta(seconds=offset)) for offset in offsets]
    kept = replace(part, since=limits[0])
    lower = [*limits[1:], part.since]
    return [kept, *(Part(since, until, since) for since, until in zip(lower, limits, strict=True))]


def _proven(times: Sequence[str]) -> str | None:
    """The time after which a page in order has enough others."""
    distinct = list(dict.fromkeys(times))
    if len(distinct) > PROOF_TIMES:
        return distinct[-1 - PROOF_TIMES]
    return times[-1 - PROOF_FILES] if len(times) > PROOF_FILES else None


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
