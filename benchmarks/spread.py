"""A prepared Drive whose files are spread over time: any range of it, newest first, without rendering a file anew.

The prepared pages' files are taken in turn; of each, only the end of its id and its modifiedTime are put in.
"""

import re
from array import array
from bisect import bisect_left
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from benchmarks.pages import Page

NEWEST_S = 1_767_225_600
"""2026-01-01T00:00:00Z."""

SPAN_S = 10 * 365 * 86_400
"""How far back the files reach; most are recent, as in a Drive that grows: half of them are of the last 15 months."""

_NUMBER_CHARS = 8
_SINCE = re.compile(r"modifiedTime >= '([^']+)'")
_UNTIL = re.compile(r"modifiedTime < '([^']+)'")


class _Listing(msgspec.Struct):
    files: list[msgspec.Raw]


class _Cut(NamedTuple):
    """A file's bytes around what is put in: before its number, to its time, and after that."""

    head: bytes
    middle: bytes
    tail: bytes


class Spread:
    """So many files, and how many calls for them were served."""

    def __init__(self, pages: list[Page], files: int) -> None:
        raws = [bytes(raw) for page in pages for raw in _decode(page).files]
        self._cuts = [_cut(raw) for raw in raws]
        ages_s = (SPAN_S * (number / files) ** 3 for number in range(files, 0, -1))
        self._times_ms = array("q", [int((NEWEST_S - age_s) * 1000) for age_s in ages_s])
        self.calls = 0

    def page(self, target: str) -> bytes:
        """The body of a files.list: `pageSize` files of the range in `q` from `pageToken` on."""
        self.calls += 1
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        q = query.get("q", "")
        low, high = self._first(_SINCE, q, 0), self._first(_UNTIL, q, len(self._times_ms))
        if query.get("orderBy") == "modifiedTime":  # the question about the order, one page for the times alone
            ascending = range(low, min(high, low + int(query["pageSize"])))
            return b'{"files":[%s]}' % b",".join(b'{"modifiedTime":"%s"}' % self._time(number) for number in ascending)
        start = int(query.get("pageToken", high))
        end = max(low, start - int(query["pageSize"]))
        more = b'"nextPageToken":"%d",' % end if end > low else b""
        files = b",".join(self._file(number) for number in range(start - 1, end - 1, -1))
        return b'{%s"files":[%s]}' % (more, files)

    def _first(self, limit: re.Pattern[str], q: str, default: int) -> int:
        found = limit.search(q)
        if found is None:
            return default
        moment = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
        return bisect_left(self._times_ms, int(moment.timestamp() * 1000))

    def _file(self, number: int) -> bytes:
        cut = self._cuts[number % len(self._cuts)]
        return b"%s%08d%s%s%s" % (cut.head, number, cut.middle, self._time(number), cut.tail)

    def _time(self, number: int) -> bytes:
        seconds, ms = divmod(self._times_ms[number], 1000)
        return b"%s.%03dZ" % (datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00").encode(), ms)


def _decode(page: Page) -> _Listing:
    return msgspec.json.decode(b"{" + page.rest, type=_Listing)


def _cut(raw: bytes) -> _Cut:
    id_at = len(b'{"id":"')
    id_end = raw.index(b'"', id_at)
    time_at = raw.index(b'"modifiedTime":"') + len(b'"modifiedTime":"')
    return _Cut(raw[: id_end - _NUMBER_CHARS], raw[id_end:time_at], raw[raw.index(b'"', time_at) :])
