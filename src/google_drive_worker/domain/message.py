"""Messages of Kafka's as the rooms hand them on, before they are read and after they are encoded."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

Headers = list[tuple[str, str | bytes | None]]
"""Kafka headers: names may repeat, and order counts."""

ANY_PARTITION = -1
"""The partition that a message's key decides (librdkafka's `RD_KAFKA_PARTITION_UA`)."""


class Incoming(NamedTuple):
    """A message as it came."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, str | bytes | None]] = ()


class Outgoing(NamedTuple):
    """A message to write.

    `key` decides its partition as the platform's Java producers would, unless `partition` names one.
    """

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    partition: int = ANY_PARTITION


class RecordBatch(msgspec.Struct, frozen=True, gc=False):
    """A step's records, to be written to `topic` under one `key`, in order.

    Each has its value and its idempotency key, and no object besides: there are thousands of them in flight, and each
    object that is made on one thread and freed on another costs more than the bytes that it holds.
    """

    topic: str
    key: bytes
    values: list[bytes]
    idempotency_keys: list[bytes]
    size_bytes: int


KeyedValue = tuple[bytes, bytes | None]
"""A message of a compacted topic: its key, and its value or (`None`) a tombstone."""


class Batch(NamedTuple):
    """What one transaction writes, encoded.

    `position` is where the consumer group goes on in the partition of the trigger topic once it is committed.
    `messages` go to the topics that they name, in order. `state` and `items` go to the partition of the same number of
    the state topic and of the items topic.
    """

    position: int
    messages: Sequence[RecordBatch | Outgoing] = ()
    state: Sequence[KeyedValue] = ()
    items: Sequence[KeyedValue] = ()


class StoredPartition(NamedTuple):
    """What is committed of a partition: the group's `position` in the trigger topic, and the latest value of each key
    of its part of the state topic."""

    position: int
    state: dict[bytes, bytes]
