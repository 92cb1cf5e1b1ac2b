"""The state topic: a connection's checkpoints, compacted, read back when a partition is assigned."""

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.sync.checkpoint import Checkpoint, CheckpointProblem, decode_checkpoint
from google_drive_worker.utils.errors import Retryable

BATCH = 1000
"""Records taken from the client at a time while restoring."""


class Restored:
    """What the state topic holds of a partition: the checkpoints, and the records that could not be read."""

    def __init__(self) -> None:
        self.checkpoints: dict[ConnectionId, Checkpoint] = {}
        self.damaged: dict[ConnectionId, str] = {}


def restore(config: Mapping[str, Any], topic: str, partition: int, timeout_s: float) -> Restored:
    """Read the partition of the state topic to its end. To be called after `init_transactions`, never before.

    A damaged record is reported and left out: its connection starts over with a full sync. One that a newer worker
    wrote stops the restoring, as nothing good comes of going on without it.
    Raises `Retryable` where the broker does not answer in time, or the state is newer than this worker.
    """
    values = _read_to_end(config, topic, partition, timeout_s)
    restored = Restored()
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


def _read_to_end(config: Mapping[str, Any], topic: str, partition: int, timeout_s: float) -> dict[bytes, bytes]:
    ends_s = time.monotonic() + timeout_s
    values: dict[bytes, bytes] = {}
    consumer = Consumer(
        {
            **config,
            "group.id": f"{topic}-restore",  # required by the client; nothing is committed under it
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=timeout_s)
        if high <= low:
            return values
        consumer.assign([TopicPartition(topic, partition, low)])
        while time.monotonic() < ends_s:
            for message in consumer.consume(BATCH, timeout=0.1):
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its spelling
                    return values
                if error is not None:
                    raise Retryable(f"{topic} can't be read: {error.str()}", code="kafka_unavailable")
                _take(values, message.key(), message.value())
    except KafkaException as problem:
        raise Retryable(f"{topic} can't be read: {problem.args[0].str()}", code="kafka_unavailable") from problem
    finally:
        consumer.close()
    raise Retryable(f"{topic}, partition {partition}, was not read in {timeout_s:.0f} s", code="kafka_unavailable")


def _take(values: dict[bytes, bytes], key: bytes | None, value: bytes | None) -> None:
    if key is None:
        return
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
