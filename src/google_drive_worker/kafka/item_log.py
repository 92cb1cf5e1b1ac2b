"""The items topic, read back: the changelog of a partition's item index."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from google_drive_worker.utils.errors import Retryable

BATCH = 10_000
"""Messages taken from the client at a time."""

END_WAIT_MS = 10
"""How long the broker holds back the answer that says that there is no more."""

Apply = Callable[[Sequence[tuple[bytes, bytes | None]]], None]
"""Takes messages in their order."""


def topic_identity(client: AdminClient, topic: str, timeout_s: float, id_timeout_s: float) -> tuple[str, str]:
    """The cluster's id and the topic's: a topic that was made again has another one. Where brokers tell no topic's id
    within `id_timeout_s`, a random one takes its place, so that nothing is taken for the same. Blocks; raises
    `Retryable`."""
    try:
        cluster_id = client.list_topics(topic, timeout=timeout_s).cluster_id
    except KafkaException as problem:
        raise Retryable(f"{topic} can't be described: {problem.args[0].str()}", code="kafka_unavailable") from problem
    try:
        asked = client.describe_topics(TopicCollection([topic]), request_timeout=id_timeout_s)
        topic_id = str(asked[topic].result(id_timeout_s).topic_id)
    except (KafkaException, FutureTimeout):
        topic_id = f"unknown {uuid4()}"
    return str(cluster_id), topic_id


def replay(
    config: Mapping[str, Any], topic: str, partition: int, offset: int | None, apply: Apply, timeout_s: float
) -> int:
    """Read the committed messages from `offset` on, or all of them, to their end, and return where that is. Blocks.

    To be called when nobody else writes: after `init_transactions`.
    Raises `Retryable` where the broker does not answer in time, and `OffsetOutOfRange` where the topic does not hold
    that offset any more, or not yet.
    """
    consumer = _consumer(config)
    here = TopicPartition(topic, partition)
    try:
        low, high = _ends(consumer, here, timeout_s)
        if offset is not None and not low <= offset <= high:
            raise OffsetOutOfRange(f"{topic}, partition {partition} holds {low} to {high}, and not {offset}")
        begin = low if offset is None else offset
        if begin >= high:
            return high
        consumer.assign([TopicPartition(topic, partition, begin)])
        _read(consumer, here, apply, timeout_s)
    except KafkaException as problem:
        raise Retryable(
            f"{topic}, partition {partition} can't be read: {problem.args[0].str()}", code="kafka_unavailable"
        ) from problem
    else:
        return high
    finally:
        consumer.close()


class OffsetOutOfRange(Exception):
    """The changelog does not hold what a store was to go on from."""


def committed_end(config: Mapping[str, Any], topic: str, partition: int, timeout_s: float) -> int:
    """Where the partition ends. Blocks; raises `Retryable`."""
    consumer = _consumer(config)
    try:
        return _ends(consumer, TopicPartition(topic, partition), timeout_s)[1]
    except KafkaException as problem:
        raise Retryable(f"{topic} does not answer: {problem.args[0].str()}", code="kafka_unavailable") from problem
    finally:
        consumer.close()


def _consumer(config: Mapping[str, Any]) -> Consumer:
    return Consumer(
        {
            **config,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": END_WAIT_MS,
        }
    )


def _ends(consumer: Consumer, here: TopicPartition, timeout_s: float) -> tuple[int, int]:
    ends = consumer.get_watermark_offsets(here, timeout=timeout_s)
    if ends is None:
        raise Retryable(f"{here.topic} does not answer", code="kafka_unavailable")
    return ends


def _read(consumer: Consumer, here: TopicPartition, apply: Apply, timeout_s: float) -> None:
    ends_s = time.monotonic() + timeout_s
    while time.monotonic() < ends_s:
        messages: list[tuple[bytes, bytes | None]] = []
        is_end = False
        for message in consumer.consume(BATCH, timeout=2 * END_WAIT_MS / 1000):
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its spelling
                is_end = True
            elif error is not None:
                raise KafkaException(error)
            elif (key := message.key()) is not None:
                value = message.value()
                messages.append((_bytes(key), None if value is None else _bytes(value)))
        if messages:
            apply(messages)
            ends_s = time.monotonic() + timeout_s  # as long as something comes, it goes on
        if is_end:
            return
    raise Retryable(
        f"nothing came of {here.topic}, partition {here.partition}, for {timeout_s:.0f} s", code="kafka_unavailable"
    )


def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value
