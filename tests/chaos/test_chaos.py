"""Every fault once, on a real broker and real processes; the long run is `make chaos`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.arena import FRONTS, Setting
from chaos.faults import FAULTS, TEN_KILLS, Fault
from chaos.fences import CASES, Case, play
from chaos.run import run
from support.kafka_broker import KafkaBroker, KafkaUnavailable

pytestmark = pytest.mark.kafka

SEED = 11

IN_BOTH_SYNCS = {"killed-twice", "broker-killed"}
"""Faults that strike in the incremental sync as well; in the long run most do."""


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaBroker]:
    """A broker of our own, whatever the environment names: its process is killed, and its files are read."""
    try:
        made = KafkaBroker(fronts=FRONTS)
    except KafkaUnavailable as problem:
        pytest.skip(f"no Kafka broker of our own: {problem}")
    with made:
        yield made


def _short(fault: Fault) -> Setting:
    """The fault's setting with a smaller Drive."""
    files = 3_000 if fault is TEN_KILLS else min(700, fault.setting.files)
    return replace(fault.setting, files=files)


@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in FAULTS])
def test_nothing_is_lost_doubled_or_out_of_order(fault: Fault, seed: int, broker: KafkaBroker, tmp_path: Path) -> None:
    """Whatever befalls worker, broker or network, the mirror is the Drive, once and in order, and soon goes on."""
    result = run(replace(fault, repeats=fault.name in IN_BOTH_SYNCS), seed, broker, tmp_path, setting=_short(fault))
    assert result.problems(fault.recovers_within_s) == []


@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if case.shows])
def test_a_fence_that_is_missing_is_noticed(case: Case, seed: int, broker: KafkaBroker, tmp_path: Path) -> None:
    """The same faults on a build that lacks the fence break just the promise that it keeps."""
    seen = play(case, seed, broker, tmp_path)
    assert seen.as_expected, seen
