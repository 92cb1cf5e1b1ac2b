"""The engine through storms of edits, faults and crashes; a failure prints the seed or the steps that repeat it."""

import dataclasses
from collections import Counter
from typing import get_args

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from google_drive_worker.domain.content import ContentStatus
from google_drive_worker.utils.errors import NeedsReauth, PageTokenRejected, Retryable, WorkerError
from simulation.calm import reach_contents, settle
from simulation.draws import Size
from simulation.google import CONNECTION
from simulation.run import Run
from simulation.storm import (
    ALL_AT_ONCE,
    BAD_FILES,
    BAD_FOR_EVER,
    LOW_ROLE,
    LOW_ROLE_WHOLE,
    ODD,
    ODD_PARTS,
    ODD_SCOPED,
    ODD_TREES,
    ODD_WHOLE,
    SCOPED,
    SIZES,
    WHOLE,
    WHOLE_IN_TREES,
    WHOLE_SCOPED,
    list_in_peace,
    play,
)

choices = st.integers(0, 7)
faults: st.SearchStrategy[WorkerError | None] = st.sampled_from(
    [None, None, None, None, PageTokenRejected("rejected"), Retryable("unavailable")]
)

REGRESSIONS = (
    *(6, 9, 24, 25, 26, 33, 61, 68, 112, 116, 118, 126, 127, 136, 145, 162, 173, 359),
    *(20_210, 50_375, 60_175, 90_033, 70_016_200),
)
"""Seeds that once found something."""


@pytest.mark.parametrize("seed", [*REGRESSIONS, *range(5_000, 5_026)])
def test_after_every_storm_the_mirror_is_the_drive(seed: int) -> None:
    """Whatever was edited, lost, refused or repeated, once it is calm the records say what Drive holds."""
    run = play(seed, 1_500)
    assert run.done["compared, settled"] > 0


@pytest.mark.parametrize("seed", [106, *range(12)])
def test_permissions_in_trees_of_folders_come_right_as_well(seed: int) -> None:
    """Roles, members, limits and places change in shared drives, between every question and its answer."""
    run = play(seed, 1_500, SIZES[3])
    assert run.done["compared, settled"] > 0


@pytest.mark.parametrize("seed", [8, 10, 156, 183, 186, 247, *range(20, 22)])
def test_revisions_and_comments_come_right_as_well(seed: int) -> None:
    """Files are edited, commented on, shared and moved: the mirror holds what the account may read of them."""
    run = play(seed, 1_500, Size(details=True))
    assert run.done["compared, settled"] > 0


@pytest.mark.parametrize("seed", [11, 19, 24, 44, 144, 185, 201, 357])
def test_what_is_in_scope_comes_right_and_nothing_else(seed: int) -> None:
    """Some folders, drives and types, and the paths of folders, through edits of what is above, below and elsewhere."""
    run = play(seed, 1_000, SCOPED)
    assert run.done["compared, settled"] > 0


@pytest.mark.parametrize("ignore_order", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_in_peace_every_item_is_written_once(seed: int, ignore_order: bool) -> None:
    """Nobody edits, no token is refused: split or not, crashed or not, a full sync says everything once."""
    run = list_in_peace(seed, Size(files=600, drives=2, longest_page=40), ignore_order=ignore_order)
    mirror = run.log.mirror
    assert mirror.duplicates.total() == 0
    assert mirror.records["file", "upsert"] + mirror.records["folder", "upsert"] == sum(
        1 for record in mirror.held(CONNECTION) if record.resource_type in {"file", "folder"}
    )
    assert run.done["crash"] > 0
    assert (run.done["part: split off"] > 0) or ignore_order


@pytest.mark.parametrize("seed", range(4))
def test_an_archive_listed_as_it_came_is_mirrored_whole(seed: int) -> None:
    """Where the order that is asked for is ignored, pages that descend prove nothing, and nothing is split."""
    size = Size(files=600, drives=0, users=1, longest_page=40)
    assert list_in_peace(seed, size, ignore_order=True, archive=True).done["part: split off"] == 0
    assert list_in_peace(seed, size, ignore_order=False, archive=True).done["part: split off"] > 0


@pytest.mark.parametrize("seed", [19, 29, 59, 162, 208, *range(1, 4)])
def test_labels_events_and_contents_come_right_as_well(seed: int) -> None:
    """Files are labelled, written on and closed to readers, bytes are lost half-way, labels refused: by SHA-256 each
    file's content is the Drive's, its labels are, and each entry of a log is told once a sync."""
    run = play(seed, 1_500, WHOLE)
    assert run.done["compared, settled"] > 0


@pytest.mark.parametrize("seed", [112, 143, 154])
def test_so_they_do_in_trees_of_folders(seed: int) -> None:
    """Whether the account may have a file's bytes changes with a folder's sharing, which no log tells of the file."""
    run = play(seed, 1_500, WHOLE_IN_TREES)
    assert run.done["compared, settled"] > 0


@pytest.mark.parametrize("seed", [116, 50])
def test_so_they_do_of_what_is_in_scope(seed: int) -> None:
    """And of nothing else."""
    run = play(seed, 1_500, WHOLE_SCOPED)
    assert run.done["compared, settled"] > 0


GAPS = ("gap: opened", "gap: closed")
STORED = ("content: stored",)


@pytest.mark.parametrize(
    ("size", "seeds", "what"),
    [
        pytest.param(ODD, (2, 6, 7), ("odd: ", *GAPS), id="odd"),
        pytest.param(ODD_PARTS, (4, 6, 7), ("odd: ", "part: split off", *GAPS), id="odd-parts"),
        pytest.param(ODD_TREES, (5, 8, 28), ("odd: ", "question: ReadSharings", *GAPS), id="odd-trees"),
        pytest.param(ODD_SCOPED, (1, 2, 4), ("odd: ", "question: ReadSharings", *GAPS), id="odd-scoped"),
        pytest.param(ODD_WHOLE, (1, 2, 3), ("odd: ", *STORED, *GAPS), id="odd-whole"),
        pytest.param(BAD_FILES, (1, 2, 7, 10), ("odd: bad file", "odd for ever: ", *STORED, *GAPS), id="bad-files"),
        pytest.param(LOW_ROLE, (1, 2, 3), ("question: ListPermissions",), id="low-role"),
        pytest.param(LOW_ROLE_WHOLE, (1, 2, 3), ("question: ListPermissions", *STORED), id="low-role-whole"),
        pytest.param(ALL_AT_ONCE, (4, 10, 11), ("odd: ", "odd: bad file", *STORED, *GAPS), id="all-at-once"),
    ],
)
def test_after_odd_answers_the_mirror_is_the_drive(size: Size, seeds: tuple[int, ...], what: tuple[str, ...]) -> None:
    """Pages without sense, refusals that are not about the thing asked for, files that can't be had until the calm,
    members that the account may not see: nothing is lost, and what could not be had is had at last."""
    done = Counter[str]()
    for seed in seeds:
        done += play(seed, 700, size).done
    assert done["compared, settled"] > 0
    assert all(_count(done, name) for name in what), done


def test_files_that_are_bad_for_ever_are_gaps_and_nothing_else_is() -> None:
    """They are named when a full sync closes, each is told of once, and everything else comes right."""
    done = Counter[str]()
    for seed in (1, 2, 3):
        done += play(seed, 700, BAD_FOR_EVER).done
    for name in ("lasting gaps compared", "compared, settled", "odd: bad file", "odd for ever: ", *GAPS):
        assert _count(done, name), done


@pytest.mark.parametrize(
    ("size", "seed"),
    [
        pytest.param(ODD, 1, id="odd, a permission is missing"),
        pytest.param(ODD_PARTS, 1, id="odd-parts, what is out of sight since the account was away"),
        pytest.param(ODD_SCOPED, 3, id="odd-scoped, a folder has no path"),
        pytest.param(ODD_SCOPED, 600_032, id="odd-scoped, the gap of a walk's first page is closed by its last"),
        pytest.param(BAD_FOR_EVER, 6, id="bad-for-ever, two records of a gap"),
        pytest.param(BAD_FOR_EVER, 27, id="bad-for-ever, another gap is named"),
        pytest.param(LOW_ROLE, 6, id="low-role, what is gone stays"),
        pytest.param(ODD_PARTS, 800_007, id="odd-parts, a permission without its type stays so"),
        pytest.param(ODD_TREES, 800_010, id="odd-trees, written with members that could not be read"),
        pytest.param(ALL_AT_ONCE, 800_011, id="all-at-once, a gap is closed before the permissions are read"),
        pytest.param(SCOPED, 140_011, id="scoped, judged with a drive that is left meanwhile"),
        pytest.param(SCOPED, 700_011, id="scoped, judged with a drive that is left in the same page"),
        pytest.param(ALL_AT_ONCE, 15, id="all-at-once, a fetch that fails as it is cancelled never ends"),
        pytest.param(ODD, 1_400_015, id="odd, what left a drive and came back is deleted"),
        pytest.param(ODD_SCOPED, 1_400_004, id="odd-scoped, a delete told by a log waits for a folder"),
        pytest.param(ODD_SCOPED, 1_500_002, id="odd-scoped, a folder has no path while root can't be had"),
        pytest.param(SCOPED, 1_500_014, id="scoped, the members of a held drive are read without an end"),
        pytest.param(WHOLE_SCOPED, 1_400_010, id="whole-scoped, judged with what was known of a folder"),
        pytest.param(BAD_FOR_EVER, 1_400_011, id="bad-for-ever, a gap ends with a drive that its file has left"),
        pytest.param(LOW_ROLE_WHOLE, 2_000_005, id="low-role-whole, a link opens what has moved into a drive"),
        pytest.param(ALL_AT_ONCE, 8_000_017, id="all-at-once, a look-up after a full sync writes what a link opens"),
        pytest.param(ODD_WHOLE, 10_000_019, id="odd-whole, a full sync does not list what has a gap"),
        pytest.param(ODD_PARTS, 11_000_017, id="odd-parts, two logs tell that one item left"),
        pytest.param(LOW_ROLE, 12_000_012, id="low-role, a link opens what left after it was listed"),
        pytest.param(ODD_WHOLE, 9_000_021, id="odd-whole, a document is exported twice in one sync"),
        pytest.param(LOW_ROLE, 1_400_004, id="low-role, a drive is joined after the state was lost"),
        pytest.param(ALL_AT_ONCE, 140_008, id="all-at-once, what is out of sight since the account was away"),
        pytest.param(LOW_ROLE, 22_000_004, id="low-role, the index holds what the mirror lacks"),
        pytest.param(SCOPED, 23_000_005, id="scoped, a folder out of scope is walked"),
        pytest.param(LOW_ROLE_WHOLE, 23_000_008, id="low-role-whole, what is below a limited folder"),
        pytest.param(ODD_WHOLE, 31_000_011, id="odd-whole, revisions of a file that can't be read"),
        pytest.param(ODD_PARTS, 32_000_012, id="odd-parts, members that can't be read"),
        pytest.param(LOW_ROLE, 32_000_009, id="low-role, what a drive that is left had opened"),
        pytest.param(WHOLE_SCOPED, 33_000_001, id="whole-scoped, a drive is joined below a folder that is named"),
        pytest.param(BAD_FILES, 33_000_008, id="bad-files, contents of a file that is not found"),
        pytest.param(LOW_ROLE, 35_000_006, id="low-role, a link opens what is in a limited folder"),
        pytest.param(ALL_AT_ONCE, 35_000_009, id="all-at-once, a drive is left and joined"),
        pytest.param(WHOLE, 37_000_007, id="whole, a limited folder is shared by name"),
        pytest.param(WHOLE_SCOPED, 37_000_007, id="whole-scoped, a folder limits access for a while"),
        pytest.param(ODD_SCOPED, 37_000_003, id="odd-scoped, a new file in a folder of a drive that is joined"),
    ],
)
def test_what_odd_answers_and_low_roles_once_left_wrong_comes_right(size: Size, seed: int) -> None:
    """Seeds that found something."""
    assert play(seed, 1_500, size).done["compared, settled"] > 0


def _count(done: Counter[str], beginning: str) -> int:
    """How often something of that name happened, or of a name that begins so."""
    return sum(count for name, count in done.items() if name.startswith(beginning))


@pytest.mark.parametrize("seed", range(2))
def test_in_peace_every_file_is_written_with_its_content_once(seed: int) -> None:
    """Beside the record of its metadata, crashed or not: and no record says the same twice."""
    run = list_in_peace(seed, Size(files=100, contents=True, labels=True), ignore_order=False)
    assert run.log.mirror.duplicates.total() == 0
    assert run.done["compared, settled"] > 0


@pytest.mark.parametrize(
    ("size", "what"),
    [
        (None, ["part: split off", "part: out of order", "part: goes on from its frontier", "rest: kept"]),
        (WHOLE, [f"content: {each}" for each in get_args(ContentStatus) if each != "abusive"]),
    ],
)
def test_storms_exercise_what_parts_and_contents_can_come_to(size: Size | None, what: list[str]) -> None:
    """Splits, answers out of order and tokens refused in the middle, and all that becomes of bytes, occur in them."""
    done, seed = Counter[str](), 0
    while not all(done[name] for name in what) and seed < 30:
        seed += 1
        done += play(seed, 1_500, size).done
    assert all(done[name] for name in what), done


def test_a_larger_world_with_longer_pages_settles_too() -> None:
    """More drives, more people, pages of up to forty items."""
    for seed in range(3):
        play(seed, 2_000, Size(files=300, drives=6, users=4, longest_page=40))


def test_a_seed_is_a_run() -> None:
    """The same seed takes the same steps, so that a failure can be looked at."""
    assert play(3, 600).trace == play(3, 600).trace


class EngineMachine(RuleBasedStateMachine):
    """The same moves in an order that Hypothesis chooses, and shortens where it fails."""

    run: Run

    @initialize(seed=st.integers(0, 500))
    def begin(self, seed: int) -> None:
        """A world of its own, and the first trigger."""
        self.run = Run(seed, dataclasses.replace(WHOLE, files=25, drives=2, longest_page=5))
        self.run.trigger("full")
        self.run.intake()

    @rule(kind=st.sampled_from(["full", "incremental", "incremental"]))
    def trigger(self, kind: str) -> None:
        """A trigger comes and is accepted."""
        self.run.trigger("full" if kind == "full" else "incremental")
        self.run.intake()

    @rule(count=st.integers(1, 4))
    def edit(self, count: int) -> None:
        """Somebody edits."""
        for _ in range(count):
            self.run.edit()

    @rule(count=st.integers(1, 4), choice=choices)
    def send(self, count: int, choice: int) -> None:
        """The turn goes on."""
        for _ in range(count):
            self.run.go_on(choice)

    @rule(count=st.integers(1, 4), choice=choices)
    def serve(self, count: int, choice: int) -> None:
        """Google answers."""
        for _ in range(count):
            self.run.serve(choice)

    @rule(count=st.integers(1, 4), choice=choices, fault=faults)
    def arrive(self, count: int, choice: int, fault: WorkerError | None) -> None:
        """Answers arrive, or faults."""
        for number in range(count):
            self.run.arrive(choice, fault if number == 0 else None)

    @rule(count=st.integers(1, 4))
    def commit(self, count: int) -> None:
        """A transaction goes through."""
        self.run.commit(count)

    @rule()
    def reach_contents(self) -> None:
        """A full sync goes on in peace until bytes are on their way."""
        self.run.break_store(broken=False)
        reach_contents(self.run)

    @rule()
    def crash(self) -> None:
        """The worker dies."""
        self.run.crash()

    @rule()
    def lose_acknowledgement(self) -> None:
        """A commit goes through unheard."""
        self.run.lose_acknowledgement()

    @rule()
    def lose_connection(self) -> None:
        """The customer has to authorize anew."""
        self.run.lose_connection(NeedsReauth("authorize anew"))

    @rule(broken=st.booleans())
    def break_store(self, broken: bool) -> None:
        """The object store goes, or comes back."""
        self.run.break_store(broken=broken)

    @rule(refused=st.sampled_from([False, False, True]))
    def refuse_labels(self, refused: bool) -> None:
        """Google takes no label by its name, or does again."""
        self.run.refuse_labels(refused=refused)

    @rule(seconds=st.sampled_from([1.0, 600.0, 4 * 3600.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.run.wait(seconds)

    @rule()
    def settle(self) -> None:
        """It is calm, and everything has to come right."""
        settle(self.run)

    def teardown(self) -> None:
        """Every example ends in a calm."""
        if hasattr(self, "run"):
            try:
                settle(self.run)
                self.run.google.end()
            finally:
                self.run.end()


EngineMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
TestEngineMachine = EngineMachine.TestCase
