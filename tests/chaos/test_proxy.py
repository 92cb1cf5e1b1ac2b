"""The proxy and the reading of the broker's files, held against Kafka itself."""

import re
import subprocess
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from chaos.proxy import Api, Proxy, Rule, proxying
from chaos.segments import read_batches, transactions_of
from support.consume import read_all, wait_for_open_transactions
from support.kafka_broker import KafkaBroker, class_path
from support.topics import Topics, create_topics

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def broker(brokers_can_start: None) -> Iterator[KafkaBroker]:
    """A broker of our own with a listener for a proxy."""
    with KafkaBroker(fronts=1) as started:
        yield started


@pytest.fixture(scope="module")
def topics(broker: KafkaBroker) -> Topics:
    """Topics that the tests of this file share."""
    return create_topics(broker.bootstrap_servers, partitions=1)


@pytest.fixture
def proxy(broker: KafkaBroker) -> Iterator[Proxy]:
    """A proxy that listens."""
    with proxying(broker.fronts[0]) as listening:
        yield listening


def _transactional(address: str, name: str) -> Producer:
    producer = Producer({"bootstrap.servers": address, "transactional.id": name, "log_level": 0})
    producer.init_transactions(30)
    return producer


def _write(producer: Producer, topic: str, value: bytes) -> None:
    producer.begin_transaction()
    producer.produce(topic, value, partition=0)


def test_clients_stay_on_the_proxy_and_a_held_commit_is_not_yet_one(
    broker: KafkaBroker, topics: Topics, proxy: Proxy
) -> None:
    """A transaction whose EndTxn is held is open to the broker; released, it is committed."""
    producer = _transactional(proxy.address, f"{topics.prefix}-held")
    _write(producer, topics.data, b"held")
    proxy.obey(Rule("hold", frozenset({Api.END_TXN}), times=1))
    with pytest.raises(KafkaException) as late:
        producer.commit_transaction(1)
    assert late.value.args[0].code() == KafkaError._TIMED_OUT  # noqa: SLF001 - confluent-kafka's spelling
    proxy.wait_struck(1)
    values = [message.value for message in read_all(broker.bootstrap_servers, topics.data)]
    assert b"held" not in values
    proxy.release()
    producer.commit_transaction(30)
    wait_for_open_transactions(broker.bootstrap_servers, topics.data)
    values = [message.value for message in read_all(broker.bootstrap_servers, topics.data)]
    assert values.count(b"held") == 1
    assert proxy.passed["request", Api.PRODUCE] > 0


def test_a_commit_whose_answer_is_lost_has_taken_place(broker: KafkaBroker, topics: Topics, proxy: Proxy) -> None:
    """The broker has it, and the client, which asks once more, is told the same."""
    producer = _transactional(proxy.address, f"{topics.prefix}-lost")
    _write(producer, topics.data, b"lost")
    proxy.obey(Rule("cut", frozenset({Api.END_TXN}), "answer", times=1))
    producer.commit_transaction(30)
    proxy.wait_struck(1)
    wait_for_open_transactions(broker.bootstrap_servers, topics.data)
    values = [message.value for message in read_all(broker.bootstrap_servers, topics.data)]
    assert values.count(b"lost") == 1


def test_a_proxy_that_refuses_lets_nobody_in(topics: Topics, proxy: Proxy) -> None:
    """A client behind it knows no broker, until it is let in."""
    proxy.refuse(refusing=True)
    producer = Producer({"bootstrap.servers": proxy.address, "log_level": 0, "reconnect.backoff.max.ms": 100})
    with pytest.raises(KafkaException):
        producer.list_topics(topics.data, timeout=1)
    proxy.refuse(refusing=False)
    assert producer.list_topics(topics.data, timeout=30).topics[topics.data].error is None


def test_the_brokers_files_say_what_kafkas_own_tool_says(broker: KafkaBroker, topics: Topics) -> None:
    """Offsets, producers, epochs and how transactions ended, committed or aborted, are DumpLogSegments' own."""
    for commit in (True, False, True):
        producer = _transactional(broker.bootstrap_servers, f"{topics.prefix}-read")
        _write(producer, topics.errors, b"x")
        producer.flush(10)
        (producer.commit_transaction if commit else producer.abort_transaction)(30)
    wait_for_open_transactions(broker.bootstrap_servers, topics.errors)
    found = transactions_of(read_batches(broker.data, topics.errors, 0))
    assert [transaction.committed for transaction in found] == [True, False, True]
    assert len({transaction.session for transaction in found}) == 3
    assert len({transaction.session.producer_id for transaction in found}) == 1

    ours = [
        (batch.first_offset, batch.last_offset, *batch.session, batch.commits is not None)
        for batch in read_batches(broker.data, topics.errors, 0)
    ]
    assert ours == _dumped(broker, topics.errors)


def _dumped(broker: KafkaBroker, topic: str) -> list[tuple[int, int, int, int, bool]]:
    file = broker.data / f"{topic}-0" / "00000000000000000000.log"
    command = ["java", "-cp", class_path(), "kafka.tools.DumpLogSegments", "--files", str(file)]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    line = re.compile(
        r"baseOffset: (\d+) lastOffset: (\d+) .*producerId: (\d+) producerEpoch: (\d+) .*isControl: (\w+)"
    )
    return [
        (int(first), int(last), int(producer), int(epoch), control == "true")
        for first, last, producer, epoch, control in line.findall(text)
    ]
