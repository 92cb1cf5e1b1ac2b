"""`python -m chaos.build`: the real worker without one of its fences, or with a clock that jumps. For tests alone.

`CHAOS_WITHOUT` names what is left out, separated by commas:

- `transactional_id`: the writer's id is the process's own, so that a new owner ends nobody's epoch;
- `generation`: positions are sent without the group's generation, as by a consumer that never joined;
- `order`: the state is read before the transactional id is taken, not after;
- `stable`: the position is read though a transaction that moves it is still open, as no `read_committed` client would;
- `restore`: the state is not read at all.

`CHAOS_CLOCK_SEED` makes the clock jump by hours, forward and back, every now and then. What is not named is as in the
worker: this composes the same parts, by `bootstrap`.
"""

import os
import random
import time
import uuid
from datetime import UTC, datetime, timedelta

import uvloop
from confluent_kafka import Consumer, TopicPartition

from google_drive_worker import kafka_clients
from google_drive_worker.bootstrap import run_worker
from google_drive_worker.config import Settings, load_settings
from google_drive_worker.domain.message import StoredPartition
from google_drive_worker.kafka.state_store import restore
from google_drive_worker.kafka.transactions import BatchLimit, GroupMetadata, TransactionalWriter
from google_drive_worker.kafka_clients import BROKER_TIMEOUT_S, Openers, kafka_config, producer_config
from google_drive_worker.system_clock import SystemClock

JUMP_EVERY_S = 0.7
JUMPS_H = (0.0, 5.0, -5.0, 30.0, -30.0, 0.5, -0.5)


class JumpingClock(SystemClock):
    """A machine's clock that somebody sets over and over; what it counts in seconds goes on as ever."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def now(self) -> datetime:
        """The moment, off by some hours that change from time to time."""
        number = int(time.monotonic() / JUMP_EVERY_S)
        hours = random.Random(self._seed * 1_000_003 + number).choice(JUMPS_H)  # noqa: S311 - jumps, no secrets
        return datetime.now(UTC) + timedelta(hours=hours)


def openers_without(fences: frozenset[str]) -> Openers:
    """How partitions are opened with those fences taken out."""
    unread: dict[int, StoredPartition] = {}
    process = uuid.uuid4().hex

    def new_writer(
        settings: Settings, number: int, group_metadata: GroupMetadata, batches: BatchLimit
    ) -> TransactionalWriter:
        if "order" in fences:
            unread[number] = read(settings, number)
        name = f"{settings.kafka_consumer_group_id}-{settings.kafka_topic_trigger}-{number}"
        return TransactionalWriter(
            producer_config(settings),
            transactional_id=f"{name}-{process}" if "transactional_id" in fences else name,
            position=TopicPartition(settings.kafka_topic_trigger, number),
            state_topic=settings.kafka_topic_state,
            items_topic=settings.kafka_topic_items,
            group_metadata=_stranger(settings) if "generation" in fences else group_metadata,
            batches=batches,
            timeout_s=BROKER_TIMEOUT_S,
        )

    def read(settings: Settings, number: int) -> StoredPartition:
        if "stable" in fences:
            return _restore_unstable(settings, number)
        return kafka_clients.restore_partition(settings, number)

    def open_with(settings: Settings, number: int) -> StoredPartition:
        restored = unread[number] if "order" in fences else read(settings, number)
        return StoredPartition(restored.position, {}) if "restore" in fences else restored

    return Openers(new_writer, open_with)


def _restore_unstable(settings: Settings, number: int) -> StoredPartition:
    """The position as it stands, whatever is under way; the checkpoints by way of a group that nobody commits for."""
    group = {**kafka_config(settings), "group.id": settings.kafka_consumer_group_id}
    consumer = Consumer({**group, "isolation.level": "read_uncommitted"})
    here = TopicPartition(settings.kafka_topic_trigger, number)
    offset = consumer.committed([here], timeout=BROKER_TIMEOUT_S)[0].offset
    consumer.close()
    nobody = {**group, "group.id": f"{settings.kafka_consumer_group_id}-nobody"}
    names = settings.kafka_topic_trigger, settings.kafka_topic_state
    restored = restore(nobody, *names, number, BROKER_TIMEOUT_S)
    return restored._replace(position=max(offset, restored.position))


def _stranger(settings: Settings) -> GroupMetadata:
    """The metadata of a consumer that is in no group: it has no generation that could be over."""
    consumer = Consumer({**kafka_config(settings), "group.id": settings.kafka_consumer_group_id})
    metadata = consumer.consumer_group_metadata()
    consumer.close()
    return lambda: metadata


def main() -> None:
    """Run it until SIGTERM."""
    fences = frozenset(filter(None, os.environ.get("CHAOS_WITHOUT", "").split(",")))
    seed = os.environ.get("CHAOS_CLOCK_SEED", "")
    clock = JumpingClock(int(seed)) if seed else None
    uvloop.run(run_worker(load_settings(), clock=clock, openers=openers_without(fences)))


if __name__ == "__main__":
    main()
