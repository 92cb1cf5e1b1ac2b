"""The broker, the topics and the readers that the other tests rest on."""

import pytest
from confluent_kafka import Producer

from support.consume import end_offsets, latest_by_key, read_all
from support.kafka_broker import KafkaBroker
from support.produce import send
from support.topics import Topics, create_topics

pytestmark = pytest.mark.kafka


def _transactional(bootstrap_servers: str, name: str) -> Producer:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "transactional.id": name})
    producer.init_transactions(30)
    return producer


def test_aborted_and_open_records_are_not_read(kafka_bootstrap: str, topics: Topics) -> None:
    """A committed reader sees what is committed, ends before an open transaction and skips an aborted one."""
    producer = _transactional(kafka_bootstrap, topics.prefix)
    for value, commit in [(b"kept", True), (b"dropped", False), (b"kept too", True)]:
        producer.begin_transaction()
        producer.produce(topics.data, value, partition=1)
        producer.flush(10)
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    producer.begin_transaction()
    producer.produce(topics.data, b"open", partition=1)
    assert producer.flush(10) == 0

    assert [message.value for message in read_all(kafka_bootstrap, topics.data)] == [b"kept", b"kept too"]
    assert end_offsets(kafka_bootstrap, topics.data) == {0: 0, 1: 6, 2: 0}
    producer.abort_transaction(30)


def test_a_reader_waits_for_what_it_is_told_to_wait_for(kafka_bootstrap: str, topics: Topics) -> None:
    """`until` reads on past the end that was there at the call, and gives up at its deadline."""
    send(kafka_bootstrap, topics.trigger, [("a", "1"), ("a", "2"), ("b", None)])
    read = read_all(kafka_bootstrap, topics.trigger, until=lambda messages: len(messages) == 3)
    assert latest_by_key(read)[b"a"].value == b"2"
    assert b"b" not in latest_by_key(read)
    with pytest.raises(TimeoutError, match="read 3 messages"):
        read_all(kafka_bootstrap, topics.trigger, until=lambda messages: len(messages) == 4, deadline_s=1)


def test_a_killed_broker_comes_back_with_its_data(private_broker: KafkaBroker) -> None:
    """Data, ports and topics outlive a kill and an orderly stop."""
    made = create_topics(private_broker.bootstrap_servers, partitions=1)
    send(private_broker.bootstrap_servers, made.data, [("k", "v")])
    private_broker.restart(kill=True)
    private_broker.restart()
    assert [message.value for message in read_all(private_broker.bootstrap_servers, made.data)] == [b"v"]
