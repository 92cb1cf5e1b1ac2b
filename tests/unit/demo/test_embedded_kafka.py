"""The embedded Kafka: what the demonstration may rely on, and what it must not."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from google_drive_worker.demo.embedded_kafka import RETAINED_BYTES, EmbeddedKafka

WAIT_S = 20.0


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    """A cluster with three topics."""
    with EmbeddedKafka() as cluster:
        cluster.create_topic("trigger", 3)
        cluster.create_topic("data", 3)
        yield cluster


def transactional(kafka: EmbeddedKafka) -> Producer:
    """A producer that is ready to begin."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": "t"})
    producer.init_transactions(WAIT_S)
    return producer


def reader(kafka: EmbeddedKafka, **settings: str | int | bool) -> Consumer:
    """A consumer of `data`, partition 0, from the beginning."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": "reader",
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 10,
            **settings,
        }
    )
    consumer.assign([TopicPartition("data", 0, 0)])
    return consumer


def test_topics_have_the_partitions_they_were_given(kafka: EmbeddedKafka) -> None:
    """A topic is there with its partitions, and is not made twice."""
    found = Producer({"bootstrap.servers": kafka.bootstrap_servers}).list_topics("data", timeout=WAIT_S)
    assert len(found.topics["data"].partitions) == 3
    with pytest.raises(ValueError, match="refused topic 'data'"):
        kafka.create_topic("data", 3)


def test_a_group_member_sends_its_position_in_transactions(kafka: EmbeddedKafka) -> None:
    """A cooperative group and transactions that carry its position work; but the position is not kept."""
    seed = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    seed.produce("trigger", b"go", partition=1)
    assert seed.flush(WAIT_S) == 0
    member = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": "worker",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "cooperative-sticky",
        }
    )
    member.subscribe(["trigger"])
    assert [message.value() for message in member.consume(1, WAIT_S)] == [b"go"]
    position = TopicPartition("trigger", 1, 1)
    producer = transactional(kafka)
    producer.begin_transaction()
    producer.produce("data", b"done", partition=0)
    producer.send_offsets_to_transaction([position], member.consumer_group_metadata(), WAIT_S)
    producer.commit_transaction(WAIT_S)

    consumer = reader(kafka)
    assert [message.value() for message in consumer.consume(1, WAIT_S)] == [b"done"]
    assert member.committed([TopicPartition("trigger", 1)], timeout=WAIT_S)[0].offset == -1001
    consumer.close()
    member.close()


def test_a_transaction_leaves_a_marker_that_takes_an_offset(kafka: EmbeddedKafka) -> None:
    """Offsets have gaps, as a broker's have, so a gap does not tell a loss; aborted records are seen."""
    producer = transactional(kafka)
    for value, commit in [(b"one", True), (b"aborted", False), (b"two", True)]:
        producer.begin_transaction()
        producer.produce("data", value, partition=0)
        producer.flush(WAIT_S)
        if commit:
            producer.commit_transaction(WAIT_S)
        else:
            producer.abort_transaction(WAIT_S)
    consumer = reader(kafka, **{"isolation.level": "read_committed"})
    read = consumer.consume(3, WAIT_S)
    assert [(message.offset(), message.value()) for message in read] == [(0, b"one"), (2, b"aborted"), (4, b"two")]
    consumer.close()


def test_a_reader_that_comes_too_late_is_told(kafka: EmbeddedKafka) -> None:
    """What is over the partition's limit is dropped; asking for it is an error, never a silent jump."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for _ in range(2 * RETAINED_BYTES // 100_000):
        producer.produce("data", bytes(100_000), partition=0)
    assert producer.flush(WAIT_S) == 0
    consumer = reader(kafka)
    (told,) = consumer.consume(1, WAIT_S)
    error = told.error()
    assert error is not None
    assert error.code() == KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001 - the library's public name for it
    consumer.close()


def test_it_can_be_closed_twice_and_is_then_gone() -> None:
    """Closing is final and repeatable."""
    with EmbeddedKafka() as cluster:
        cluster.close()
    with pytest.raises(RuntimeError, match="not running"):
        cluster.create_topic("late", 1)
