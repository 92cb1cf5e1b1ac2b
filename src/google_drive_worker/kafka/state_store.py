"""The state topic: a connection's checkpoints, compacted, read back when a partition is assigned."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.sync.checkpoint import Checkpoint, CheckpointProblem, decode_checkpoint
from google_drive_worker.utils.errors import Retryable

BATCH = 1000
"""Records taken from the client at a time while restoring."""

END_WAIT_MS = 10
"""How long the broker holds back the answer that says that there is no more: at its usual half second, that would be
what every takeover of a partition takes."""


class Restored(NamedTuple):
    """What is committed of a partition.

    `position` is where the group goes on in the trigger topic; `damaged` are state records that could not be read.
    """

    position: int
    checkpoints: dict[ConnectionId, Checkpoint]
    damaged: dict[ConnectionId, str]


def restore(
    config: Mapping[str, Any], trigger_topic: str, state_topic: str, partition: int, timeout_s: float
) -> Restored:
    """Read what is committed of the partition. To be called after `init_transactions`, never before. Blocks.

    `config` names the consumer group, which is asked for its position and not joined. A damaged record is left out: its
    connection starts over with a full sync. One that a newer worker wrote stops the restoring, as nothing good comes of
    going on without it.
    Raises `Retryable` where the broker does not answer in time, or the state is newer than this worker.
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
    return _decoded(position, values)


def _decoded(position: int, values: Mapping[bytes, bytes]) -> Restored:
    restored = Restored(position, {}, {})
    for key, value in values.items():
        connection_id = ConnectionId(key.decode("utf-8", "replace"))
        try:
            restored.checkpoints[connection_id] = decode_checkpoint(value)
        except CheckpointProblem as problem:
            if problem.newer:
                raise Retryable(
                    f"the state of {connection_id} is {problem}; run a newer worker", code="newer_state"
                ) from None
            restored.damaged[connection_id] = str(problem)
    return restored


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
