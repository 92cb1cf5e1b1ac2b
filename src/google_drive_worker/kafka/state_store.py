"""The state topic, compacted: the latest value of each key, read back when a partition is assigned."""

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from google_drive_worker.domain.message import StoredPartition
from google_drive_worker.utils.errors import Retryable

BATCH = 1000
"""Records taken from the client at a time while restoring."""

END_WAIT_MS = 10
"""How long the broker holds back the answer that says that there is no more: at its usual half second, that would be
what every takeover of a partition takes."""


def restore(
    config: Mapping[str, Any], trigger_topic: str, state_topic: str, partition: int, timeout_s: float
) -> StoredPartition:
    """Read what is committed of the partition. To be called after `init_transactions`, never before. Blocks.

    `config` names the consumer group, which is asked for its position and not joined.
    Raises `Retryable` where the broker does not answer in time.
    """
    consumer = Consumer(
        {
            **config,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": END_WAIT_MS,
        }
    )
    try:
        position = _position(consumer, TopicPartition(trigger_topic, partition), timeout_s)
        values = _read_to_end(consumer, TopicPartition(state_topic, partition), timeout_s)
    except KafkaException as problem:
        raise Retryable(
            f"the state of partition {partition} can't be read: {problem.args[0].str()}", code="kafka_unavailable"
        ) from problem
    finally:
        consumer.close()
    return StoredPartition(position, values)


def _position(consumer: Consumer, here: TopicPartition, timeout_s: float) -> int:
    """The group's committed offset, else the oldest message's: no trigger is missed by a new group."""
    committed = consumer.committed([here], timeout=timeout_s)[0]
    if committed.error is not None:
        raise KafkaException(committed.error)
    if committed.offset >= 0:
        return int(committed.offset)
    low, _ = _ends(consumer, here, timeout_s)
    return low


def _ends(consumer: Consumer, here: TopicPartition, timeout_s: float) -> tuple[int, int]:
    ends = consumer.get_watermark_offsets(here, timeout=timeout_s)
    if ends is None:
        raise Retryable(f"{here.topic} does not answer", code="kafka_unavailable")
    return ends


def _read_to_end(consumer: Consumer, here: TopicPartition, timeout_s: float) -> dict[bytes, bytes]:
    ends_s = time.monotonic() + timeout_s
    values: dict[bytes, bytes] = {}
    low, high = _ends(consumer, here, timeout_s)
    if high <= low:
        return values
    consumer.assign([TopicPartition(here.topic, here.partition, low)])
    while time.monotonic() < ends_s:
        for message in consumer.consume(BATCH, timeout=2 * END_WAIT_MS / 1000):
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its spelling
                return values
            if error is not None:
                raise KafkaException(error)
            _take(values, message.key(), message.value())
            ends_s = time.monotonic() + timeout_s  # as long as something comes, it goes on
    raise Retryable(
        f"nothing came of {here.topic}, partition {here.partition}, for {timeout_s:.0f} s", code="kafka_unavailable"
    )


def _take(values: dict[bytes, bytes], key: bytes | None, value: bytes | None) -> None:
    if key is None:
        return
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
