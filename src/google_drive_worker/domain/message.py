"""Messages of Kafka's as the rooms hand them on, before they are read and after they are encoded."""

from collections.abc import Sequence
from typing import NamedTuple

Headers = list[tuple[str, str | bytes | None]]
"""Kafka headers: names may repeat, and order counts."""


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
    partition: int = -1
