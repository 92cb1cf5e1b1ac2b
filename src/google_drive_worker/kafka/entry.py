"""What one step writes: its messages and the checkpoint that goes with them, committed together."""

from typing import NamedTuple

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.sync.checkpoint import Checkpoint

Headers = list[tuple[str, bytes]]


class Outgoing(NamedTuple):
    """A message to write; `key` decides its partition as the platform's Java producers would."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


class Entry(NamedTuple):
    """One step's effects.

    `connection_id` is `None` where no state is concerned; else `checkpoint` replaces the connection's, and `None` ends
    it. `position` is the offset after the trigger that this entry accounts for, where it accounts for one.
    """

    outgoing: list[Outgoing]
    connection_id: ConnectionId | None = None
    checkpoint: Checkpoint | None = None
    position: int | None = None
