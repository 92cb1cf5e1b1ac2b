"""The engine through storms of edits, faults and crashes; a failure prints the seed or the steps that repeat it."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from google_drive_worker.utils.errors import NeedsReauth, PageTokenRejected, Retryable, WorkerError
from simulation.google import CONNECTION
from simulation.run import Run, Size
from simulation.storm import SCOPED, SIZES, list_in_peace, play

choices = st.integers(0, 7)
faults: st.SearchStrategy[WorkerError | None] = st.sampled_from(
    [None, None, None, None, PageTokenRejected("rejected"), Retryable("unavailable")]
)

REGRESSIONS = (9, 24, 33, 61, 68, 112, 116, 118, 126, 127, 136, 145, 162, 173, 359, 20_210, 50_375, 60_175)
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


@pytest.mark.parametrize("seed", [8, 10, 183, 186, *range(20, 24)])
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


def test_storms_exercise_what_parts_can_come_to() -> None:
    """Splits, answers out of order and tokens refused in the middle all occur in them."""
    done = sum((play(seed, 1_500).done for seed in range(1, 31)), Counter[str]())
    for name in ("part: split off", "part: out of order", "part: goes on from its frontier", "rest: kept"):
        assert done[name] > 0, done


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
        self.run = Run(seed, Size(files=25, drives=2, users=3, longest_page=5, details=True))
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

    @rule(seconds=st.sampled_from([1.0, 600.0, 4 * 3600.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.run.wait(seconds)

    @rule()
    def settle(self) -> None:
        """It is calm, and everything has to come right."""
        self.run.settle()

    def teardown(self) -> None:
        """Every example ends in a calm."""
        if hasattr(self, "run"):
            self.run.settle()
            self.run.google.end()


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
