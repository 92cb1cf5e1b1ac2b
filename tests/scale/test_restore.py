"""A worker that starts with thousands of idle connections."""

from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from google_drive_worker.domain.ids import ConnectionId, CustomerId, PageToken
from google_drive_worker.sync.checkpoint import Checkpoint, Corpus, encode_checkpoint
from support.mirroring import FIRST, staged
from support.produce import send
from support.topics import Topics

pytestmark = pytest.mark.kafka

IDLE = 2_000
READY_S = 20.0
"""From the start of the process, interpreter and rebalance included; some three seconds on a machine at rest."""

SERVED_S = 5.0
"""From the acceptance of a trigger to the end of its sync, which takes a handful of calls."""


def _idle(number: int) -> tuple[str, str]:
    """The state record of a connection that has nothing to do."""
    name = f"conn_idle_{number}"
    names = ("user", *(f"0A{number}-{drive}Uk9PVA" for drive in range(4)))
    corpora = {each: Corpus(change_token=PageToken(f"{number}"), written=True) for each in names}
    checkpoint = Checkpoint(ConnectionId(name), CustomerId("cust_idle"), corpora=corpora)
    return name, encode_checkpoint(checkpoint).decode()


def test_thousands_of_idle_connections_are_restored_and_one_is_served_at_once(topics: Topics, tmp_path: Path) -> None:
    """The worker is soon ready, holds all of them, and the one that is triggered waits for none of the others."""
    world = generate(CorpusPlan(files=300, shared_drives=2, users=2, seed=10))
    with staged(world, topics, tmp_path) as stage, stage.worker() as worker:
        stage.sync(FIRST, "full_sync")
        assert worker.terminate() == 0
        send(topics.bootstrap_servers, topics.state, [_idle(number) for number in range(IDLE)])
        stage.edit(10, 30, memberships=False)

        before = len(worker.lines("partition_opened"))
        worker.start()
        worker.wait_until(
            lambda: sum(line["connections"] for line in worker.lines("partition_opened")[before:]) == IDLE + 1,
            "all restored",
            deadline_s=READY_S,
        )
        worker.wait_ready()

        stage.sync(FIRST)
        stage.assert_equal(FIRST)
        assert worker.served_s(FIRST) < SERVED_S
        assert {line["connection_id"] for line in worker.lines("sync_started")} == {FIRST}
        assert stage.errors() == []
