"""A listing in parts: what is split, what each part writes, and how long it takes.

The drives of the model are lists of modifiedTimes; what becomes of their answers is decided by the engine itself.
"""

import math
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from google_drive_worker.domain.drive import FilesPage
from google_drive_worker.domain.times import TimeRange, rfc3339, sortable
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import Checkpoint, Corpus, Part, decode_checkpoint, encode_checkpoint
from google_drive_worker.sync.engine import Answer, begin, complete, due_at, on_answer
from google_drive_worker.sync.failure import on_failure
from google_drive_worker.sync.parts import (
    PARTS_AT_ONCE,
    PROOF_TIMES,
    asked,
    balanced,
    is_trusted,
    is_within,
    parts_of,
    proven,
    read_on,
    read_page,
    start_over,
    to_prove,
)
from google_drive_worker.sync.plan import Action, ListFiles, ProveOrder, fetch_key, plan
from google_drive_worker.sync.step import with_sync
from google_drive_worker.utils.errors import PageTokenRejected
from support.syncs import CUSTOMER, corpus, file, files_page, state, sync_of, syncing, token

NOW = datetime(2026, 11, 25, tzinfo=UTC)
YEAR_S = 365.25 * 86_400


def time_of(age_s: float) -> str:
    """A modifiedTime so long ago."""
    return rfc3339(NOW - timedelta(milliseconds=int(age_s * 1000)))


@dataclass
class ModelDrive:
    """A drive of files with those ages: answers queries by range, in the order that is asked for.

    One with an `order` of its own keeps to that instead, whatever is asked for; one that `ignores_ranges` answers each
    query with all of its files. `lengths` of pages are drawn where there are some. The `edited` files have another age
    from so many calls on, when the index has come to know of it.
    """

    ages_s: Sequence[float]
    page_size: int = 100
    order: Sequence[int] | None = None
    ignores_ranges: bool = False
    lengths: random.Random | None = None
    calls: int = 0

    edited: Mapping[int, float] = field(default_factory=dict)
    lag_calls: int = 0

    def __post_init__(self) -> None:
        self._times = list(map(time_of, self.ages_s))
        self._sorted = sorted((time, number) for number, time in enumerate(self._times))

    @property
    def pages(self) -> int:
        """How many pages a listing in one part has."""
        return math.ceil(len(self._times) / self.page_size)

    def answer(self, action: Action) -> Answer:
        """What it says to a page or to the question about its order."""
        if self.calls == self.lag_calls and self.edited:
            self._times = [time_of(self.edited.get(number, age_s)) for number, age_s in enumerate(self.ages_s)]
            self._sorted = sorted((time, number) for number, time in enumerate(self._times))
        self.calls += 1
        if isinstance(action, ProveOrder):
            times = (self._times[number] for number in self.order) if self.order else (time for time, _ in self._sorted)
            return tuple(islice((time for time in times if time >= (action.since or "")), 1_000))
        assert isinstance(action, ListFiles)
        modified = TimeRange() if action.modified is None or self.ignores_ranges else action.modified
        length = self.page_size if self.lengths is None else self.lengths.randint(1, self.page_size)
        order = range(len(self._times)) if action.modified is None else self.order
        if order is None:
            return self._sorted_page(modified, action.page_token, length)
        inside = [number for number in order if is_within(Part(modified.since, modified.until), self._times[number])]
        start = int(action.page_token) if action.page_token else 0
        more = start + length < len(inside)
        return self._page(inside[start : start + length], str(start + length) if more else None)

    def _sorted_page(self, modified: TimeRange, page_token: str | None, length: int) -> FilesPage:
        """A token says behind which time and file to go on: it stays good whatever is edited."""
        low = bisect_left(self._sorted, (modified.since or "", 0))
        high = bisect_left(self._sorted, (modified.until or "a", 0))
        if page_token is not None:
            time, number = page_token.split()
            high = min(high, bisect_left(self._sorted, (time, int(number))))
        found = self._sorted[max(low, high - length) : high][::-1]
        more = "{} {}".format(*found[-1]) if high - length > low else None
        return self._page([number for _, number in found], more)

    def _page(self, numbers: Sequence[int], more: str | None) -> FilesPage:
        shown = (msgspec.Raw(b'{"id":"%d","modifiedTime":"%s"}' % (n, self._times[n].encode())) for n in numbers)
        return FilesPage(tuple(shown), None if more is None else token(more))


class Listed(NamedTuple):
    """What a listing came to: how often each file was written, and in how many rounds."""

    written: Counter[str]
    rounds: int
    splits: int


def list_all(
    drive: ModelDrive,
    seed: int = 0,
    *,
    begun: Corpus | None = None,
    started: datetime | None = None,
    refused: float = 0.0,
    crashes: float = 0.0,
) -> Listed:
    """List the whole drive, every part a page a round, by the engine: no more than its steps say is done.

    Of the tokens that share is `refused`; in that share of the rounds the worker `crashes` before it could commit.
    """
    die = random.Random(seed)  # noqa: S311 - in which order answers come
    checkpoint = listing_of(begun or corpus("listing"), started or NOW + timedelta(days=40_000))
    written: Counter[str] = Counter()
    rounds = splits = 0
    while checkpoint.corpora["user"].stage == "listing" or checkpoint.corpora["user"].unlisted:
        rounds += 1
        if checkpoint.corpora["user"].unlisted:  # its gap brings the rest of it
            checkpoint = begun_again(checkpoint)
        assert rounds < 20 * len(drive.ages_s) + 100
        under_way = [each for each in plan(checkpoint) if isinstance(each, ListFiles | ProveOrder)]
        assert len({fetch_key(action) for action in under_way}) == len(under_way)
        assert len(checkpoint.corpora["user"].parts) <= PARTS_AT_ONCE
        committed, records = checkpoint, Counter[str]()
        die.shuffle(under_way)
        for action in under_way:  # all were sent before the first came back: most find their part split meanwhile
            before = len(checkpoint.corpora["user"].parts)
            if isinstance(action, ListFiles) and action.page_token and die.random() < refused:
                step = on_failure(checkpoint, action, PageTokenRejected("expired"), NOW, 0.5, transformer)
            else:
                step = on_answer(checkpoint, action, drive.answer(action), transformer)
            checkpoint = state(step)
            splits += max(0, len(checkpoint.corpora["user"].parts) - max(1, before))
            records.update(record.resource_id for record in step.records)
        if die.random() < crashes:
            checkpoint = decode_checkpoint(encode_checkpoint(committed))
        else:
            written += records
    return Listed(written, rounds, splits)


def begun_again(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint after the sync has ended, and the next one begun, which tries its gaps."""
    corpora = {**checkpoint.corpora, "user": replace(checkpoint.corpora["user"], stage="done")}
    ended = state(complete(replace(checkpoint, corpora=corpora, parked=None), NOW, transformer))
    due = due_at(ended, NOW)
    assert due is not None
    scope = replace(checkpoint.scope, include_shared_drives=False)
    begun = state(begin(replace(ended, scope=scope), CUSTOMER, scope, due, 7, transformer))
    started = sync_of(checkpoint).started_at
    return with_sync(begun, replace(sync_of(begun), started_at=started))


def listing_of(user: Corpus, started: datetime) -> Checkpoint:
    """A full sync that began then."""
    before = syncing("full", user=user)
    return with_sync(before, replace(sync_of(before), started_at=rfc3339(started)))


def once(files: int) -> Counter[str]:
    """Every file, written once."""
    return Counter({str(number): 1 for number in range(files)})


def shuffled(files: int, seed: int) -> list[int]:
    """Files in no order."""
    order = list(range(files))
    random.Random(seed).shuffle(order)  # noqa: S311 - an order
    return order


FILES = 100_000
MOST_ROUNDS = 80
"""For a thousand pages: measured are 68 to 73, the question about the order in them."""

DISTRIBUTIONS: dict[str, Callable[[random.Random], float]] = {
    "uniform": lambda die: die.random() * 10 * YEAR_S,
    "mostly recent": lambda die: die.random() ** 3 * 10 * YEAR_S,
    "a tail over decades": lambda die: min(math.exp(die.gauss(15, 3)), 40 * YEAR_S),
    "one burst": lambda die: 5 * YEAR_S + die.random() * 600,
    "two bursts": lambda die: die.choice((2, 9)) * YEAR_S + die.random() * 600,
    "a burst in years of work": lambda die: (
        die.random() * 10 * YEAR_S if die.random() < 0.2 else 5e7 + die.random() * 60
    ),
    "monthly imports": lambda die: die.randrange(100) * YEAR_S / 12 + die.random() * 20,
    "some of the future": lambda die: die.random() * (-80 if die.random() < 1e-4 else 10) * YEAR_S,
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_thousand_pages_take_a_twelfth_of_the_time_and_few_calls_in_vain(name: str) -> None:
    """However the files are spread over time, nothing is listed twice or left out."""
    die = random.Random(name)  # noqa: S311 - a made-up drive
    drive = ModelDrive([DISTRIBUTIONS[name](die) for _ in range(FILES)])
    listed = list_all(drive)
    assert listed.written == once(FILES)
    assert listed.rounds <= MOST_ROUNDS
    assert drive.calls <= drive.pages * 1.1 + 10


def test_files_of_one_second_are_listed_whole_in_one_part() -> None:
    """There is nothing to split between; what was tried in vain stays in proportion."""
    die = random.Random(1)  # noqa: S311 - a made-up drive
    drive = ModelDrive([YEAR_S + die.random() / 2 for _ in range(20_000)])
    assert list_all(drive).written == once(20_000)
    assert drive.calls <= drive.pages * 1.5


def test_files_of_one_time_prove_no_order() -> None:
    """They are listed one page after the other, with two questions in vain."""
    drive = ModelDrive([YEAR_S] * 5_000)
    listed = list_all(drive)
    assert (listed.written, listed.splits, drive.calls) == (once(5_000), 0, 52)


@pytest.mark.parametrize("pages", [1, 2, 5, 12])
def test_a_small_drive_costs_hardly_more_calls(pages: int) -> None:
    """Splits begin with what was read already."""
    die = random.Random(pages)  # noqa: S311 - a made-up drive
    drive = ModelDrive([die.random() ** 2 * 5 * YEAR_S for _ in range(pages * 100)])
    assert list_all(drive).rounds <= pages
    assert drive.calls <= pages * 2


def created(files: int, edited: int, die: random.Random) -> list[float]:
    """Ages of an archive in the order of its creation, newest first; some of the files were edited of late."""
    ages = sorted(die.random() * 10 * YEAR_S for _ in range(files))
    for number in die.sample(range(files), edited):
        ages[number] = min(ages[number], die.random() * YEAR_S / 12)
    return ages


@pytest.mark.parametrize("edited", [0, 1, 3, 30, 1_000])
@pytest.mark.parametrize("oldest_first", [False, True])
def test_an_order_that_resembles_the_one_asked_for_is_found_out(edited: int, oldest_first: bool) -> None:
    """Listed by creation, page after page descends; the question from the other end gives it away."""
    for seed in range(5):
        ages = created(10_000, edited, random.Random(seed))  # noqa: S311 - a made-up drive
        order = list(range(10_000))
        listed = list_all(ModelDrive(ages, order=order[::-1] if oldest_first else order), seed)
        assert listed.written == once(10_000)
        assert listed.splits == 0


@pytest.mark.parametrize("seed", range(5))
def test_one_second_in_no_order_loses_nothing_to_a_refused_token(seed: int) -> None:
    """A pile of files of one time descends in any order, and hides what is out of order behind it."""
    die = random.Random(seed)  # noqa: S311 - a made-up drive
    ages = [5e7] * 5_000 + [die.random() * 1e6 for _ in range(20)]
    listed = list_all(ModelDrive(ages, order=shuffled(len(ages), seed)), seed, refused=0.02)
    assert listed.written.keys() == once(len(ages)).keys()


@pytest.mark.parametrize("lag_calls", [1, 2, 3, 5, 8, 13, 20, 40, 80, 150, 1_000])
def test_a_file_edited_just_before_the_sync_is_found_whenever_the_index_knows_of_it(lag_calls: int) -> None:
    """It may be in neither range when that is listed; the youngest files are asked for again, and written once."""
    files = 15_000
    for seed in range(4):
        die = random.Random(seed)  # noqa: S311 - a made-up drive
        young = die.randrange(10, 100)
        ages = [die.random() * 500 for _ in range(young)]
        ages += [600 + die.random() * 10 * YEAR_S for _ in range(files - young)]
        edited = dict.fromkeys(die.sample(range(files), 3), 1.0)
        listed = list_all(ModelDrive(ages, edited=edited, lag_calls=lag_calls), seed, started=NOW)
        assert listed.written.keys() == once(files).keys()
        assert listed.written - once(files) <= Counter({str(number): 1 for number in edited})
        assert listed.splits > 0


AGES = st.lists(st.integers(0, 400_000), max_size=300)


@given(AGES, st.integers(1, 60), st.booleans(), st.integers(1, 3_600), st.integers(0, 1_000), st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_file_is_written_exactly_once(
    ages: list[int], page_size: int, ignores_order: bool, scale_s: int, seed: int, plain: bool
) -> None:
    """Whatever the ages, the length of pages and the order of the answers, and through crashes.

    So it is where an older release began, without order and parts.
    """
    order = shuffled(len(ages), seed) if ignores_order else None
    lengths = random.Random(seed)  # noqa: S311 - pages are short
    drive = ModelDrive([age / 1000 * scale_s for age in ages], page_size, order, lengths=lengths)
    begun = Corpus("listing", token("c1"), token("0")) if plain else None
    assert list_all(drive, seed, begun=begun, crashes=0.05).written == once(len(ages))


@given(AGES, st.integers(1, 60), st.booleans(), st.integers(1, 3_600), st.integers(0, 1_000))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_no_file_is_lost_to_refused_tokens(
    ages: list[int], page_size: int, ignores_order: bool, scale_s: int, seed: int
) -> None:
    """Files may come twice then, never not at all."""
    order = shuffled(len(ages), seed) if ignores_order else None
    drive = ModelDrive([age / 1000 * scale_s for age in ages], page_size, order)
    assert list_all(drive, seed, refused=0.1, crashes=0.03).written.keys() == once(len(ages)).keys()


def test_a_google_that_ignores_the_range_is_cut_to_it() -> None:
    """Each part writes what is its own of the pages of all files."""
    drive = ModelDrive([number * 86_400.0 for number in range(900)], page_size=50, ignores_ranges=True)
    assert list_all(drive).written == once(900)


# A part, page by page.


def seconds(*numbers: int) -> list[str]:
    """Times of one minute, so many seconds after it begins."""
    return [f"2026-11-25T12:00:{number:02d}.500Z" for number in numbers]


def test_a_part_ends_where_a_page_reaches_below_its_limit() -> None:
    """But only where the order is proven."""
    part = Part(since="2026-11-25T12:00:30", page_token=token("p2"))
    page = seconds(*range(40, 28, -1))
    assert read_on(part, page, token("p3"), trusted=True) is None
    assert read_on(part, page[:-2], token("p3"), trusted=True) is not None
    assert read_on(part, page, token("p3"), trusted=False) is not None


def test_an_order_is_proven_from_both_ends() -> None:
    """By enough different times each, and it is never trusted again after a page that is out of it."""
    times = seconds(*range(PROOF_TIMES))
    begun = replace(corpus("listing"), pages=1)
    assert proven(begun, times).order == "kept"
    for disordered in ([times[1], times[0], *times[2:]], times[::-1], []):
        assert proven(begun, disordered).order == "ignored"
    again = proven(begun, [times[0]] * 1_000)
    assert (again.order, again.prove_since) == ("unknown", "2026-11-25T12:00:01")
    assert (proven(again, times).order, proven(again, times[1:]).order) == ("kept", "ignored")
    kept = proven(begun, times)
    assert kept.oldest == times[0]
    for split, known in ((times[::-1][:6], False), (times[::-1][5:], True)):
        [part] = parts_of(kept)
        kept = read_page(kept, part, split, token("p3"))
        assert is_trusted(kept) == known
    [part] = kept.parts
    for more in (token("p4"), None):
        broken = read_page(kept, part, seconds(1), more)
        assert (broken.order, is_trusted(broken), to_prove(broken)) == ("ignored", False, False)


def test_what_was_edited_since_the_sync_began_proves_nothing() -> None:
    """It may stand anywhere, and the change log has it."""
    days = [f"2026-11-{day:02d}T00:00:00.000Z" for day in range(22, 9, -1)]
    page = [file(time, modifiedTime=time) for time in days]
    page.insert(5, file("edited", modifiedTime="2026-11-23T12:00:01.000Z"))
    step = on_answer(
        syncing("full", user=corpus("listing")), ListFiles("user", None), files_page(*page, more="p"), transformer
    )
    assert [part.ordered for part in state(step).corpora["user"].parts] == [True]
    times = (*days[::-1][:12], "2026-11-23T12:00:01.000Z", days[0])
    assert state(on_answer(state(step), ProveOrder("user"), times, transformer)).corpora["user"].order == "kept"


def test_a_page_out_of_order_is_never_trusted_again() -> None:
    """Within a page or against the one before, the part is read to its query's end, and still writes its own alone."""
    part = Part(since="2026-11-25T12:00:30", frontier=seconds(40)[0], page_token=token("p2"))
    for times in (seconds(39, 20, 35), seconds(41, 40, 39)):
        read = read_on(part, times, token("p3"), trusted=True)
        assert read is not None
        assert not read.ordered
        beyond = read_on(read, seconds(*range(25, 0, -1)), token("p4"), trusted=True)
        assert beyond is not None
        assert not is_within(beyond, seconds(20)[0])
        assert read_on(beyond, seconds(35), None, trusted=True) is None


def test_a_refused_token_costs_the_files_of_a_second() -> None:
    """The part goes on from there; one whose order is not proven begins again, in the range that it has left."""
    read = read_on(Part(page_token=token("p2")), seconds(*range(59, 20, -1)), token("p3"), trusted=True)
    assert read is not None
    read = replace(read, since="2026-11-25T12:00:05")
    assert asked(start_over(read, trusted=True)) == TimeRange("2026-11-25T12:00:05", "2026-11-25T12:00:22")
    assert asked(start_over(read, trusted=False)) == TimeRange("2026-11-25T12:00:05", None)
    disordered = Part("2026-11-25T12:00:05", "2026-11-25T12:01:00", None, token("p2"), ordered=False)
    assert asked(start_over(disordered, trusted=True)) == TimeRange("2026-11-25T12:00:05", "2026-11-25T12:01:00")


def test_the_last_moment_there_is_can_be_started_over() -> None:
    """A client can set any time: there is no second after it."""
    part = Part(page_token=token("p2"), frontier="9999-12-31T23:59:59.999Z")
    assert asked(start_over(part, trusted=True)) == TimeRange()


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2012-06-04T12:00:00.123Z", "2012-06-04T12:00:00.123Z"),
        ("2012-06-04T12:00:00Z", "2012-06-04T12:00:00.000Z"),
        ("2012-06-04T14:00:00.123456+02:00", "2012-06-04T12:00:00.123Z"),
        ("2012-06-04T12:00:00", "2012-06-04T12:00:00.000Z"),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        (None, None),
    ],
)
def test_times_are_read_in_whatever_form(sent: str | None, read: str | None) -> None:
    """Google's own form sorts as it reads; others are brought to it, and no time belongs to whoever lists it."""
    assert sortable(sent) == read
    assert is_within(Part("2020-01-01T00:00:00"), None)


def test_corpora_share_the_parts_and_grow_slowly() -> None:
    """All of a sync's listings count; where there are many drives none is split."""
    page = [time_of(number) for number in range(1_000)]
    begun = proven(replace(corpus("listing"), pages=1), [time_of(9_000 - number) for number in range(20)])
    begun = replace(read_page(begun, Part(), page, token("p2")), pages=1)
    one = balanced({"user": begun})
    assert len(one["user"].parts) == 2
    many = {"user": replace(begun, pages=50), **{f"drive-{n}": corpus("listing") for n in range(PARTS_AT_ONCE - 3)}}
    assert len(balanced(many)["user"].parts) == 3
    assert balanced({**many, "x": corpus("listing"), "y": corpus("listing")})["user"] == many["user"]


def test_a_listing_from_before_there_were_parts_goes_on_as_it_was_asked() -> None:
    """A token belongs to its query: without order and range, and never split."""
    old = Corpus("listing", token("c1"), token("p7"))
    [part] = parts_of(old)
    assert asked(part) is None
    assert part.page_token == "p7"
    going_on = replace(read_page(old, part, [time_of(number) for number in range(1_000)], token("p8")), pages=20)
    [read] = going_on.parts
    assert balanced({"user": going_on})["user"].parts == (read,)
    assert asked(read) is None
    assert not to_prove(going_on)
    assert asked(start_over(read, trusted=False)) == TimeRange()
