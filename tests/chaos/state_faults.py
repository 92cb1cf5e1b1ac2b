"""Faults of the state topic: compacted, damaged, or written by a worker that is newer than ours."""

import json

from chaos.arena import Arena
from google_drive_worker.domain.partitioning import partition_of
from support.consume import latest_by_key, read_all
from support.produce import send

CLEANED_WITHIN_S = 30.0
LATE_MS = 1_500
GONE = ("conn_gone_1", "conn_gone_2", "conn_gone_3")


def compact(arena: Arena) -> None:
    """The log cleaner has been at the state topic, with tombstones, when the worker is killed and restores from it."""
    arena.reach(arena.rng.uniform(0.2, 0.5))
    with arena.slow_google(
        LATE_MS
    ):  # so that there is a sync to be restored in mid-listing when the cleaner is through
        for name in GONE:
            for value in ('{"version": 1, "connection_id": "gone", "customer_id": "gone"}', None):
                _write(arena, name, value)
        arena.wait_until(lambda: _cleaned(arena), "the log cleaner", CLEANED_WITHIN_S)
        arena.worker.kill()
    arena.restart(arena.worker)


def corrupt(arena: Arena) -> None:
    """One connection's checkpoint is garbage: it starts over, when it is triggered, and nobody else does."""
    victim = arena.rng.choice(arena.connections)
    arena.reach(arena.rng.uniform(0.2, 0.5))
    arena.worker.kill()
    _write(arena, victim, arena.rng.choice(('{"version": 1, "connection_id"', "[]", "{}", "\x00", "9" * 5000)))
    arena.restart(arena.worker)
    arena.wait_until(lambda: bool(arena.worker.lines("state_damaged", connection_id=victim)), "the damage told of")
    arena.trigger(victim, "full_sync")


def make_newer(arena: Arena) -> None:
    """A newer worker has written one connection's checkpoint: its partition stays shut, and says so; the others go on.

    Then the checkpoint is put back, and the partition opens.
    """
    victim = arena.rng.choice(arena.connections)
    partition = partition_of(victim, arena.topics.partitions)
    worker = arena.worker
    arena.reach(arena.rng.uniform(0.2, 0.5))
    worker.kill()
    kept = latest_by_key(read_all(arena.topics.bootstrap_servers, arena.topics.state)).get(victim.encode())
    _write(arena, victim, json.dumps({"version": 99, "connection_id": victim, "customer_id": "newer"}))
    opened = len(worker.lines("partition_opened"))
    worker.start()
    arena.wait_until(
        lambda: bool(worker.lines("partition_reopening", partition=partition, code="newer_state")),
        "the version told of",
    )
    others = arena.topics.partitions - 1
    arena.wait_until(lambda: len(worker.lines("partition_opened")) >= opened + others, "the other partitions")
    assert partition not in {line["partition"] for line in worker.lines("partition_opened")[opened:]}
    arena.wait_until(lambda: f"[{partition}]" in str(worker.health()[1].get("reasons", {})), "not ready, and why")
    send(
        arena.topics.bootstrap_servers,
        arena.topics.state,
        [(victim, None if kept is None else kept.value)],
        partition=partition,
    )
    arena.lift()


def _write(arena: Arena, connection_id: str, value: str | None) -> None:
    partition = partition_of(connection_id, arena.topics.partitions)
    send(arena.topics.bootstrap_servers, arena.topics.state, [(connection_id, value)], partition=partition)


def _cleaned(arena: Arena) -> bool:
    """Whether the cleaner has been at every partition with a connection in it, by its own checkpoint file."""
    path = arena.broker.data / "cleaner-offset-checkpoint"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    cleaned = {int(line[1]) for line in lines if len(line) == 3 and line[0] == arena.topics.state and int(line[2]) > 0}
    return {partition_of(name, arena.topics.partitions) for name in arena.connections} <= cleaned
