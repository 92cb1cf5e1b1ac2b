"""A lane: a process with a broker of its own, in which runs follow one another. Several lanes run side by side."""

import shutil
import tempfile
from pathlib import Path

from chaos.arena import FRONTS
from chaos.faults import BY_NAME, shortened
from chaos.fences import Case, Seen, play
from chaos.run import Result, run
from support.kafka_broker import KafkaBroker

_brokers: list[KafkaBroker] = []


def open_lane() -> None:
    """Start the lane's broker, to be called once in its process; it goes when the process does, by its watchdog."""
    _brokers.append(KafkaBroker(fronts=FRONTS).start())


def play_fault(name: str, seed: int, *, keep: bool, short: bool = False) -> tuple[Result, list[str]]:
    """Play a fault once; its result, and what is wrong with it. Whatever befalls a run, the next one can be played.

    A `short` run has a smaller Drive, and mostly one sync instead of two. With `keep`, the workers' logs of a run that
    failed stay where the last problem says.
    """
    (broker,) = _brokers
    fault = shortened(BY_NAME[name]) if short else BY_NAME[name]
    directory = Path(tempfile.mkdtemp(prefix=f"chaos-{name}-{seed}-"))
    try:
        result = run(fault, seed, broker, directory)
        problems = result.problems(fault.recovers_within_s)
    except Exception as problem:
        result = Result(name, seed, settled=False)
        problems = [f"{type(problem).__name__}: {problem}"]
        broker.start()
    if problems and keep:
        problems.append(f"logs in {directory}")
    else:
        shutil.rmtree(directory)
    return result, problems


def play_case(case: Case, seed: int) -> Seen:
    """Play a build without a fence once."""
    (broker,) = _brokers
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        return play(case, seed, broker, Path(directory))
