"""The calm after a storm: edits stop, a last trigger comes, and everything has to come right within a bounded time."""

from datetime import timedelta

from google_drive_worker.domain.times import LONGEST_REST
from google_drive_worker.sync import engine, failure
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint
from google_drive_worker.sync.members import READ_EVERY
from google_drive_worker.sync.plan import plan
from simulation.findings import Broken
from simulation.run import FETCHES_AT_ONCE, Run

SETTLED_WITHIN = 20_000
"""More steps than any run needs to come to rest: whoever takes more will never."""

ROUNDS_OF_VIEWS = 3
"""More incremental syncs than it takes to read that the worker's own downloads were views."""


def settle(run: Run) -> None:
    """Nothing is broken any more, and everything is worked off, gaps as well; the mirror is the Drive then.

    Files that are bad for ever leave gaps, which a full sync has to name: they alone, and all of them.
    """
    run.end_storm()
    if run.store.problem is not None:
        run.break_store(broken=False)
    if run.google.refuses_labels:
        run.refuse_labels(refused=False)
    run.google.oddities.met.clear()
    run.trigger("full" if run.google.oddities.lasting else "incremental")
    _work_off(run)
    run.wait(READ_EVERY.total_seconds() + 1)  # the members of drives are in no log
    run.trigger("incremental")
    _work_off(run)
    if run.size.consistency is not None:
        _verify_all(run)
    rounds = 0
    while _log_has_news(run):
        rounds += 1
        if rounds > ROUNDS_OF_VIEWS:
            raise Broken(
                f"no rest after {rounds} rounds: what it downloads are views, which make it download again", "no rest"
            )
        run.trigger("incremental")  # as push would
        _work_off(run)
    if run.size.for_ever and run.checkpoint is not None:
        run.checks.on_lasting_gaps(run.checkpoint, run.settings)
    run.checks.on_rest("settled", run.settings, labels_too=run.shows_labels)


def _verify_all(run: Run) -> None:
    """One round of the verification, from its beginning to its end: what no log tells has to come right by it."""
    without = run.rechecks
    run.rechecks = without._replace(verify_units_per_s=100.0)
    run.trigger("incremental")
    for _ in range(SETTLED_WITHIN):
        verification = None if run.checkpoint is None else run.checkpoint.verification
        if verification is not None and verification.rounds:
            break
        _calm_step(run)
    run.rechecks = without
    run.trigger("incremental")
    _work_off(run)


def _work_off(run: Run) -> None:
    for _ in range(SETTLED_WITHIN):
        if _is_settled(run):
            return
        _calm_step(run)
    todo = plan(run.checkpoint) if run.checkpoint else ""
    raise Broken(f"not settled within {SETTLED_WITHIN} steps; {todo}", "not settled")


def _log_has_news(run: Run) -> bool:
    """Whether the account's log went on since it was read, without an edit: by the worker's own downloads."""
    corpus = None if run.checkpoint is None else run.checkpoint.corpora.get(USER_CORPUS)
    return corpus is not None and corpus.change_token is not None and int(corpus.change_token) < run.user.log.end


def reach_contents(run: Run) -> None:
    """Go on in peace until bytes are on their way in a full sync, which few storms come to by themselves; or to its
    end."""
    run.end_storm()
    run.trigger("full")
    for _ in range(SETTLED_WITHIN):
        if run.awaited or _is_settled(run):
            return
        _calm_step(run)


def _calm_step(run: Run) -> None:
    run.steps += 1
    checkpoint = run.checkpoint
    if run.position < len(run.triggers):
        run.intake()
    elif run.flights and (len(run.flights) >= FETCHES_AT_ONCE or run.die.random() < 0.5):
        run.serve(run.die.randrange(8))
        run.arrive(run.die.randrange(8))
    elif checkpoint is not None and _rests(run, checkpoint):
        _wake(run, checkpoint)
    else:
        before = len(run.flights), len(run.pending)
        run.go_on(run.die.randrange(8))
        if before == (len(run.flights), len(run.pending)):
            run.serve(run.die.randrange(8))
            run.arrive(run.die.randrange(8))
    if len(run.pending) > 3:
        run.commit()


def _is_settled(run: Run) -> bool:
    if run.position < len(run.triggers) or run.flights:
        return False
    checkpoint = run.checkpoint
    if checkpoint is None:
        run.commit()
        return True
    lasting = [gap for gap in checkpoint.gaps if gap.id in run.google.oddities.lasting]
    only_lasting = checkpoint.sync is None and checkpoint.owed is None and len(lasting) == len(checkpoint.gaps) > 0
    if not only_lasting and engine.due_at(checkpoint, run.google.time.now()) is not None:
        return False
    run.commit()
    if checkpoint.sync or checkpoint.owed or (checkpoint.gaps and not only_lasting):
        raise Broken(f"at rest for good with a sync to do: {checkpoint}", "not settled")
    return True


def _rests(run: Run, checkpoint: Checkpoint) -> bool:
    now = run.google.time.now()
    due = engine.due_at(checkpoint, now)
    return not run.flights and due is not None and due > now


def _wake(run: Run, checkpoint: Checkpoint) -> None:
    now = run.google.time.now()
    due = engine.due_at(checkpoint, now) or now
    longest = timedelta(seconds=2 * failure.PARK_CAP_S) if checkpoint.parked is not None else LONGEST_REST
    if due - now > longest:
        raise Broken(f"parked for {due - now}", "not settled")
    run.wait((due - now).total_seconds() + 0.001)
