"""A connection is owned through one partition, wherever its triggers come in."""

import json
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from google_drive_worker.domain.partitioning import partition_of
from support.consume import read_all
from support.mirroring import FIRST, staged
from support.produce import send
from support.topics import Topics

pytestmark = pytest.mark.kafka


def test_keys_go_where_a_java_producer_puts_them(topics: Topics) -> None:
    """The worker's rule and librdkafka's murmur2 put each key on the same partition of a real broker."""
    keys = [f"conn_{number}" for number in range(50)] + ["verbindung-ü", "接続", "a", ""]
    send(topics.bootstrap_servers, topics.trigger, [(key, "{}") for key in keys if key])
    for message in read_all(topics.bootstrap_servers, topics.trigger):
        assert message.partition == partition_of((message.key or b"").decode(), topics.partitions)


@pytest.mark.parametrize("key", [None, FIRST])
def test_a_trigger_on_the_wrong_partition_is_passed_on(topics: Topics, tmp_path: Path, key: str | None) -> None:
    """Without a key or hashed otherwise, it goes to the connection's own partition as it is, and is synced once."""
    home = partition_of(FIRST, topics.partitions)
    with staged(generate(CorpusPlan(files=50)), topics, tmp_path) as stage, stage.worker() as worker:
        value = stage.trigger_value(FIRST, "full_sync")
        send(topics.bootstrap_servers, topics.trigger, [(key, value)], partition=(home + 1) % topics.partitions)
        worker.wait_for("message_accepted")
        stage.settle(FIRST)
        stage.assert_equal()
        sent, passed_on = sorted(
            read_all(topics.bootstrap_servers, topics.trigger), key=lambda message: message.partition == home
        )
        assert (passed_on.partition, passed_on.key, passed_on.value) == (home, FIRST.encode(), sent.value)
        assert len(worker.lines("sync_started")) == 1
        assert worker.lines("sync_started")[0]["trigger_message_id"] == json.loads(value)["message_id"]
        assert stage.errors() == []
