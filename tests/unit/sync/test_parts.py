"""A listing in parts: what is split, what each part writes, and how long it takes.

The drives of the model are lists of modifiedTimes; everything that is decided is decided by the engine's own functions.
"""

import math
import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from google_drive_worker.domain.ids import PageToken
from google_drive_worker.domain.times import TimeRange, rfc3339
from google_drive_worker.sync.checkpoint import Corpus, Part
from google_drive_worker.sync.parts import (
    PARTS_AT_ONCE,
    PROOF_FILES,
    PROOF_TIMES,
    asked,
    balanced,
    is_within,
    part_asked,
    parts_of,
    read_on,
    readable,
    start_over,
)
from support.syncs import corpus, token

NOW = datetime(2026, 11, 25, tzinfo=UTC)
YEAR_S = 365.25 * 86_400


def time_of(age_s: float) -> str:
    """A modifiedTime so long ago."""
    return rfc3339(NOW - timedelta(milliseconds=int(age_s * 1000)))


@dataclass
class ModelDrive:
    """A drive of files with those ages: answers queries by range, newest first or (`shuffled`) in one other order.

    One that `ignores_ranges` answers each query with all of its files.
    """

    ages_s: Sequence[float]
    page_size: int = 100
    shuffled: random.Random | None = None
    ignores_ranges: bool = False
    written: list[int] = field(default_factory=list)
    calls: int = 0

    def __post_init__(self) -> None:
        self._times = sorted(map(time_of, self.ages_s))
        self._order = list(range(len(self._times)))[::-1]
        if self.shuffled is not None:
            self.shuffled.shuffle(self._order)

    @property
    def pages(self) -> int:
        """How many pages a listing in one part has."""
        return math.ceil(len(self._times) / self.page_size)

    def answer(self, modified: TimeRange | None, page_token: PageToken | None) -> tuple[list[int], PageToken | None]:
        """The files of a page, and the token of the next one."""
        self.calls += 1
        modified = None if self.ignores_ranges else modified
        low = bisect_left(self._times, modified.since) if modified is not None and modified.since else 0
        high = bisect_left(self._times, modified.until) if modified is not None and modified.until else len(self._times)
        start = int(page_token) if page_token else 0
        if self.shuffled is None:
            page = list(range(high - 1 - start, max(low, high - start - self.page_size) - 1, -1))
            count = high - low
        else:
            inside = [number for number in self._order if low <= number < high]
            page, count = inside[start : start + self.page_size], len(inside)
        end = start + self.page_size
        return page, token(str(end)) if end < count else None

    def time(self, number: int) -> str:
        """A file's modifiedTime."""
        return self._times[number]


def read_page(drive: ModelDrive, corpora: dict[str, Corpus], name: str, part: Part) -> dict[str, Corpus]:
    """One page of a part is asked for and read."""
    modified = asked(part)
    numbers, next_token = drive.answer(modified, part.page_token)
    before = corpora[name]
    waiting = part_asked(before, modified, part.page_token)
    assert waiting is not None
    drive.written += [number for number in numbers if is_within(waiting, drive.time(number))]
    after = read_on(waiting, [drive.time(number) for number in numbers], next_token)
    left = [after if each == waiting else each for each in parts_of(before)]
    parts = tuple(each for each in left if each is not None)
    stage = "listing" if parts else "changes"
    return balanced({**corpora, name: replace(before, stage=stage, parts=parts, pages=before.pages + 1)})


def list_all(drive: ModelDrive, seed: int = 0) -> int:
    """List the whole drive, every part a page a round; returns how many rounds it took."""
    die = random.Random(seed)  # noqa: S311 - in which order answers come
    corpora = {"user": Corpus("listing")}
    rounds = 0
    while corpora["user"].stage == "listing":
        rounds += 1
        under_way = list(parts_of(corpora["user"]))
        assert len(under_way) <= PARTS_AT_ONCE
        die.shuffle(under_way)
        for part in under_way:  # all were sent before the first came back: most find their part split meanwhile
            corpora = read_page(drive, corpora, "user", part)
    return rounds


FILES = 100_000
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
def test_a_thousand_pages_take_an_eighth_of_the_time_and_few_calls_in_vain(name: str) -> None:
    """However the files are spread over time, nothing is listed twice or left out."""
    die = random.Random(name)  # noqa: S311 - a made-up drive
    drive = ModelDrive([DISTRIBUTIONS[name](die) for _ in range(FILES)])
    rounds = list_all(drive)
    assert sorted(drive.written) == list(range(FILES))
    assert rounds <= drive.pages / 8
    assert drive.calls <= drive.pages * 1.1 + 10


def test_files_of_one_second_are_listed_whole_in_one_part() -> None:
    """There is nothing to split between; what was tried in vain stays in proportion."""
    die = random.Random(1)  # noqa: S311 - a made-up drive
    drive = ModelDrive([YEAR_S + die.random() / 2 for _ in range(20_000)])
    list_all(drive)
    assert sorted(drive.written) == list(range(20_000))
    assert drive.calls <= drive.pages * 1.5


@pytest.mark.parametrize("pages", [1, 2, 5, 12])
def test_a_small_drive_costs_hardly_more_calls(pages: int) -> None:
    """Splits begin with what was read already."""
    die = random.Random(pages)  # noqa: S311 - a made-up drive
    drive = ModelDrive([die.random() ** 2 * 5 * YEAR_S for _ in range(pages * 100)])
    rounds = list_all(drive)
    assert rounds <= pages
    assert drive.calls <= pages * 2


@given(
    st.lists(st.integers(0, 400_000), max_size=300),
    st.integers(1, 60),
    st.booleans(),
    st.integers(1, 3_600),
    st.integers(0, 1_000),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_file_is_written_exactly_once(
    ages: list[int], page_size: int, ignores_order: bool, scale_s: int, seed: int
) -> None:
    """Whatever the ages, the length of pages and the order of the answers."""
    die = random.Random(seed) if ignores_order else None  # noqa: S311 - an order
    drive = ModelDrive([age / 1000 * scale_s for age in ages], page_size, die)
    list_all(drive, seed)
    assert sorted(drive.written) == list(range(len(ages)))


def test_a_google_that_ignores_the_range_is_cut_to_it() -> None:
    """Each part writes what is its own of the pages of all files."""
    drive = ModelDrive([number * 86_400.0 for number in range(900)], page_size=50, ignores_ranges=True)
    list_all(drive)
    assert sorted(drive.written) == list(range(900))


# A part, page by page.


def seconds(*numbers: int) -> list[str]:
    """Times of one minute, so many seconds after it begins."""
    return [f"2026-11-25T12:00:{number:02d}.500Z" for number in numbers]


def test_a_part_ends_where_enough_files_lie_beyond_its_limit() -> None:
    """A few would not prove that nothing of the part is still to come."""
    part = Part(since="2026-11-25T12:00:30", page_token=token("p2"))
    few = read_on(part, seconds(*range(40, 30 - PROOF_TIMES, -1)), token("p3"))
    assert few is not None
    assert few.page_token == "p3"
    assert read_on(part, seconds(*range(40, 28 - PROOF_TIMES, -1)), token("p3")) is None
    same = read_on(part, ["2026-11-25T12:00:29.000Z"] * (PROOF_FILES + 1), token("p3"))
    assert same is None


def test_a_page_out_of_order_is_never_trusted_again() -> None:
    """Within a page or against the one before, the part is read to its query's end, and still writes its own alone."""
    part = Part(since="2026-11-25T12:00:30", frontier=seconds(40)[0], page_token=token("p2"))
    for times in (seconds(39, 20, 35), seconds(41, 40, 39)):
        read = read_on(part, times, token("p3"))
        assert read is not None
        assert not read.ordered
        beyond = read_on(read, seconds(*range(25, 0, -1)), token("p4"))
        assert beyond is not None
        assert not is_within(beyond, seconds(20)[0])
        assert read_on(beyond, seconds(35), None) is None


def test_a_refused_token_costs_the_files_that_prove_the_order() -> None:
    """The part goes on from there; one whose order is not proven begins again, in the range that it has left."""
    part = Part(None, None, None, token("p2"))
    read = read_on(part, seconds(*range(59, 20, -1)), token("p3"))
    assert read is not None
    again = start_over(replace(read, since="2026-11-25T12:00:05"))
    assert asked(again) == TimeRange("2026-11-25T12:00:05", f"2026-11-25T12:00:{21 + PROOF_TIMES + 1}")
    unproven = Part("2026-11-25T12:00:05", "2026-11-25T12:01:00", None, token("p2"), ordered=False)
    assert asked(start_over(unproven)) == TimeRange("2026-11-25T12:00:05", "2026-11-25T12:01:00")


def test_the_last_moment_there_is_can_be_started_over() -> None:
    """A client can set any time: there is no second after it."""
    last = "9999-12-31T23:59:59.999Z"
    assert asked(start_over(Part(page_token=token("p2"), frontier=last, proven=last))) == TimeRange()


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
    assert readable(sent) == read
    assert is_within(Part("2020-01-01T00:00:00"), None)


def test_corpora_share_the_parts_and_grow_slowly() -> None:
    """All of a sync's listings count; where there are many drives none is split."""
    page = [time_of(number) for number in range(1_000)]
    read = read_on(Part(), page, token("p2"))
    assert read is not None
    begun = replace(corpus("listing"), parts=(read,), pages=1)
    one = balanced({"user": begun})
    assert len(one["user"].parts) == 2
    many = {"user": replace(begun, pages=50), **{f"drive-{n}": corpus("listing") for n in range(PARTS_AT_ONCE - 3)}}
    assert len(balanced(many)["user"].parts) == 3
    assert balanced({**many, "x": corpus("listing"), "y": corpus("listing")})["user"].parts == (read,)


def test_a_listing_from_before_there_were_parts_goes_on_as_it_was_asked() -> None:
    """A token belongs to its query: without order and range, and never split."""
    old = Corpus("listing", token("c1"), token("p7"))
    [part] = parts_of(old)
    assert asked(part) is None
    assert part.page_token == "p7"
    read = read_on(part, [time_of(number) for number in range(1_000)], token("p8"))
    assert read is not None
    going_on = replace(old, listing_token=None, parts=(read,), pages=20)
    assert balanced({"user": going_on})["user"].parts == (read,)
    assert asked(read) is None
    assert asked(start_over(read)) == TimeRange()
