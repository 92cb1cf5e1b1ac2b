"""A broker that takes only small batches of messages."""

from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from drive_simulator.corpus.generator import CorpusPlan, generate
from support.mirroring import FIRST, staged
from support.topics import Topics

pytestmark = pytest.mark.kafka

SMALL_BYTES = 60_000
DEADLINE_S = 10.0


def _limit_messages(topics: Topics, size_bytes: int) -> None:
    """Have the data topic refuse batches over that size, compressed."""
    entry = ConfigEntry("max.message.bytes", str(size_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topics.data, incremental_configs=[entry])
    client = AdminClient({"bootstrap.servers": topics.bootstrap_servers})
    for done in client.incremental_alter_configs([resource]).values():
        done.result(DEADLINE_S)


def test_batches_that_the_broker_refuses_are_made_smaller(topics: Topics, tmp_path: Path) -> None:
    """The partition opens anew with half the batch until they go through, and nothing is lost or doubled."""
    _limit_messages(topics, SMALL_BYTES)
    world = generate(CorpusPlan(files=3_000, shared_drives=0, users=1, seed=9))
    with staged(world, topics, tmp_path) as stage, stage.worker({"GDRIVE_PAGE_SIZE": "1000"}) as worker:
        stage.trigger(FIRST, "full_sync")
        worker.wait_for("partition_reopening", code="batch_too_large")
        stage.settle(FIRST)
        stage.assert_equal()
        assert stage.mirror.duplicates.total() == 0
        assert "Traceback" not in worker.text()
