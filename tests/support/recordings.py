"""What simulators in processes of their own served (the command, the demo), judged like everything else.

`tests/conftest.py` imports the fixture `recordings`, which is used by every test: a simulator that is started by its
command inherits the environment, records its exchanges, and the test fails where one is not Google's.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drive_simulator.server.recording import read_recording
from support.observer import DiscoveryObserver


def judge(directory: Path) -> DiscoveryObserver:
    """An observer that has seen every exchange recorded in the directory; it may be missing."""
    observer = DiscoveryObserver()
    for path in sorted(directory.glob("*.jsonl")) if directory.exists() else ():
        for exchange in read_recording(path):
            observer(exchange)
    return observer


@pytest.fixture(autouse=True)
def recordings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where simulators record during this test; afterwards everything recorded has to be clean."""
    # The directory is not made: most tests start no process, and making thousands costs.
    directory = tmp_path_factory.getbasetemp() / f"recordings-{next(_numbers)}"
    monkeypatch.setenv("DRIVE_SIMULATOR_RECORD", str(directory))
    yield directory
    judge(directory).assert_clean()


_numbers = iter(range(1_000_000_000))
