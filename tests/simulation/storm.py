"""Storms and calms, drawn from a run's seed: what happens next, and how often."""

import dataclasses
import random

from drive_simulator.model.consistency import Consistency
from google_drive_worker.utils.errors import NeedsReauth, PageTokenRejected, Retryable, WorkerError
from simulation.calm import reach_contents, settle
from simulation.draws import Size
from simulation.findings import Findings
from simulation.run import Run


def random_step(run: Run) -> None:
    """One thing happens, drawn from the run's seed."""
    die = run.die
    run.steps += 1
    if run.awaited and die.random() < 0.2:
        run.edit()  # between a page and the bytes of its files much time goes by
    draw = die.random()
    choice = die.randrange(8)
    if draw < 0.30:
        run.go_on(choice)
    elif draw < 0.52:
        run.serve(choice)
    elif draw < 0.74:
        run.arrive(choice, _fault(die))
    elif draw < 0.84:
        run.commit(die.randint(1, 4))
    elif draw < 0.93:
        run.edit()
    elif draw < 0.95:
        run.intake()
    elif draw < 0.962:
        run.ask_for_any()
    elif draw < 0.970:
        run.wait(die.choice((0.5, 5.0, 30.0, 600.0)))
    elif draw < 0.975:
        run.crash()
    elif draw < 0.980:
        run.lose_acknowledgement()
    else:
        _rare(run)


def _rare(run: Run) -> None:
    draw = run.die.random()
    if draw < 0.03:
        run.change_settings()
    elif draw < 0.10:
        run.wait(4 * 3600.0)
    elif draw < 0.25:
        run.lose_state()
    elif draw < 0.28:
        run.ignore_order()
    elif draw < 0.40:
        run.lose_connection(NeedsReauth("authorize anew") if run.die.random() < 0.3 else Retryable("no answer"))
    elif draw < 0.60 and run.size.contents:
        run.break_store(broken=run.store.problem is None)
    elif draw < 0.64 and run.size.labels:
        run.refuse_labels(refused=not run.google.refuses_labels)


def _fault(die: random.Random) -> WorkerError | None:
    draw = die.random()
    if draw < 0.02:
        return PageTokenRejected("rejected")
    if draw < 0.05:
        return Retryable("unavailable", retry_after_s=die.choice((None, 3.0)))
    return None


def list_in_peace(seed: int, size: Size, *, ignore_order: bool, archive: bool = False) -> Run:
    """A full sync of a Drive that nobody edits, through crashes and faults that refuse no token, to its end.

    In an `archive` files are as old as they came, but for a few that were edited of late.
    """
    run = Run(seed, size)
    try:
        if archive:
            run.age_by_arrival(edited=3)
        if ignore_order:
            run.ignore_order()
        run.trigger("full")
        while not (run.checkpoint is not None and run.checkpoint.completed_at):
            _peaceful_step(run)
        settle(run)
        run.google.end()
    finally:
        run.end()
    return run


def _peaceful_step(run: Run) -> None:
    die = run.die
    run.steps += 1
    draw = die.random()
    if draw < 0.05:
        run.crash()
    elif draw < 0.10:
        run.lose_acknowledgement()
    elif draw < 0.13:
        run.wait(30.0)
    run.intake()
    for _ in range(die.randrange(3)):
        run.go_on(die.randrange(8))
    run.serve(die.randrange(8))
    run.arrive(die.randrange(8), Retryable("unavailable") if die.random() < 0.03 else None)
    run.commit(die.randrange(3))


SIZES = (
    Size(),
    Size(files=150, longest_page=30),
    Size(files=300, drives=2, users=2, longest_page=30),
    Size(files=60, drives=1, users=3, longest_page=6, sharing=0.7, tree=16),
)
"""The first for whatever can happen between two pages, the next for parts (short pages prove no order), the last for
permissions in trees of folders."""

SCOPED = Size(files=60, drives=3, users=3, longest_page=6, sharing=0.3, tree=8, scopes=True)
"""For scopes and paths: trees to choose folders of."""

WHOLE = Size(files=24, drives=2, longest_page=12, details=True, contents=True, labels=True, events=True)
"""For all that is mirrored beside items and their permissions: so small that storms last beyond the listings."""

WHOLE_IN_TREES = dataclasses.replace(SIZES[3], details=True, contents=True, labels=True, events=True)

WHOLE_SCOPED = dataclasses.replace(SCOPED, contents=True, labels=True, events=True)


ODD = Size(odd=True, details=True)
"""For odd answers to whatever is asked for of items, permissions, revisions and comments."""

ODD_PARTS = dataclasses.replace(SIZES[2], odd=True)
"""For odd answers in listings that are split."""

ODD_TREES = dataclasses.replace(SIZES[3], odd=True)

ODD_SCOPED = dataclasses.replace(SCOPED, odd=True)
"""For odd answers to walks, and to look-ups of the folders that are named."""

ODD_WHOLE = dataclasses.replace(WHOLE, odd=True)

BAD_FILES = dataclasses.replace(WHOLE, files=40, bad_files=5)
"""For files that can't be had by some calls until the calm."""

BAD_FOR_EVER = dataclasses.replace(BAD_FILES, for_ever=True)

LOW_ROLE = dataclasses.replace(SIZES[3], low_role=True, details=True)
"""For an account that does not see the members of its drives."""

LOW_ROLE_WHOLE = dataclasses.replace(WHOLE, low_role=True, sharing=0.4, tree=6)

ALL_AT_ONCE = dataclasses.replace(WHOLE, odd=True, bad_files=5, low_role=True, tree=6)


LAG = Size(consistency=Consistency(list_lag_s=(0.0, 300.0), sharing_lag_s=(0.0, 120.0)))
"""For lists that are minutes late, and folders whose sharing takes a while to reach what is in them."""

MISSED = Size(files=150, longest_page=30, consistency=Consistency(missed=0.05, repeated=0.05))
"""For lists that leave items out, and repeat some."""

LATE_LOGS = Size(
    details=True,
    consistency=Consistency(
        lost_below_logged=False,
        comments_logged=False,
        comments_raise_version=False,
        below_unseen_logged=False,
        told_twice=0.1,
        groups_logged=False,
        entry_lag_s=(0.0, 180.0),
    ),
)
"""For logs that are minutes late, repeat themselves, and say no more than Google's documents promise."""

UNKIND = Size(
    details=True,
    views=0.2,
    consistency=Consistency(
        list_lag_s=(0.0, 300.0),
        sharing_lag_s=(0.0, 120.0),
        missed=0.02,
        repeated=0.02,
        comments_logged=False,
        told_twice=0.1,
        entry_lag_s=(0.0, 180.0),
    ),
)
"""For all of it at once."""

VIEWS = dataclasses.replace(WHOLE, views=0.5, consistency=Consistency(views_logged=True))
"""For logs full of what was merely opened."""


def play(seed: int, steps: int, size: Size | None = None, findings: Findings | None = None) -> Run:
    """A whole run: storms of `steps` random steps, each followed by a calm in which everything has to come right.

    What does not is told to `findings`; without them `Broken` is raised, which names the seed.
    """
    run = Run(seed, size or SIZES[seed % len(SIZES)], findings=findings or Findings())
    try:
        while run.steps < steps:
            if run.size.contents and run.die.random() < 0.5:
                reach_contents(run)
            run.begin_storm()
            for _ in range(run.die.choice((30, 100, 300))):
                random_step(run)
            settle(run)
        run.google.end()
    except Exception as problem:
        problem.add_note(f"seed {seed}, step {run.steps}")
        raise
    finally:
        run.end()
    return run
