"""The demonstration's reader: keeps up, knows the end, and never passes over a loss."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from google_drive_worker.demo.embedded_kafka import RETAINED_BYTES
from google_drive_worker.demo.reader import RecordsLost, Stalled, TopicReader
from google_drive_worker.demo.topics import DemoKafka, demo_kafka

WAIT_S = 20.0
CHUNK = bytes(50_000)


@pytest.fixture
def kafka() -> Iterator[DemoKafka]:
    """The embedded Kafka with the demonstration's topics."""
    with demo_kafka(None) as running:
        yield running


class Taken:
    """What a reader handed over."""

    def __init__(self) -> None:
        self.offsets: list[tuple[str, int, int]] = []

    def take(self, topic: str, partition: int, offset: int, _key: bytes | None, _value: bytes | None) -> None:
        """Note where it came from."""
        self.offsets.append((topic, partition, offset))


def fill(kafka: DemoKafka, chunks: int) -> None:
    """Commit chunks to partition 1 of the data topic, five a transaction."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": "fill"})
    producer.init_transactions(WAIT_S)
    for _ in range(chunks // 5):
        producer.begin_transaction()
        for _ in range(5):
            producer.produce(kafka.data, CHUNK, partition=1)
        producer.commit_transaction(WAIT_S)


async def test_a_reader_that_is_there_from_the_start_loses_nothing(kafka: DemoKafka) -> None:
    """Four times what a partition retains comes through, in order, up to and over the last transaction's marker."""
    taken = Taken()
    chunks = 4 * RETAINED_BYTES // len(CHUNK) // 5 * 5
    with TopicReader(kafka.bootstrap_servers, {kafka.data: kafka.partitions}, taken.take) as reader:
        fill(kafka, chunks)
        await reader.until_caught_up(patience_s=WAIT_S)
        assert reader.messages == chunks
    assert taken.offsets == sorted(taken.offsets)


async def test_a_loss_is_raised(kafka: DemoKafka) -> None:
    """A reader that starts when the front of a partition is gone says so, at every call that waits."""
    fill(kafka, 2 * RETAINED_BYTES // len(CHUNK) // 5 * 5)
    with TopicReader(kafka.bootstrap_servers, {kafka.data: kafka.partitions}, Taken().take) as reader:
        with pytest.raises(RecordsLost, match=r"ingestion\.data, partition 1"):
            await reader.until(lambda: False, "the end", patience_s=WAIT_S)
        with pytest.raises(RecordsLost):
            reader.check()


async def test_waiting_in_vain_ends(kafka: DemoKafka) -> None:
    """When nothing comes, the wait ends with the name of what was missed; progress is told meanwhile."""
    ticks: list[int] = []
    with (
        TopicReader(kafka.bootstrap_servers, {kafka.data: 1}, Taken().take) as reader,
        pytest.raises(Stalled, match="the full sync did not come"),
    ):
        await reader.until(lambda: False, "the full sync", patience_s=0.2, tick=lambda: ticks.append(1))
    assert ticks


async def test_what_take_raises_is_raised_to_whoever_waits(kafka: DemoKafka) -> None:
    """A record that the mirror refuses ends the demonstration; it is not swallowed in a thread."""

    def refuse(_topic: str, _partition: int, _offset: int, _key: bytes | None, _value: bytes | None) -> None:
        raise ValueError("no record")

    with TopicReader(kafka.bootstrap_servers, {kafka.data: kafka.partitions}, refuse) as reader:
        kafka.send(kafka.data, "conn", b"x")
        with pytest.raises(ValueError, match="no record"):
            await reader.until(lambda: False, "anything", patience_s=WAIT_S)
