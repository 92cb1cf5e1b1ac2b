"""What one step writes: its messages and the checkpoint that goes with them, committed together."""

from typing import NamedTuple

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.message import Outgoing
from google_drive_worker.sync.checkpoint import Checkpoint


class Tally(NamedTuple):
    """How many of an entry's messages are of one kind: a record's type and operation, or `error` and its category."""

    kind: str
    operation: str
    number: int


class Entry(NamedTuple):
    """One step's effects.

    `connection_id` is `None` where no state is concerned; else `checkpoint` replaces the connection's, and `None` ends
    it. `position` is the offset after the trigger that this entry accounts for, where it accounts for one.
    """

    outgoing: list[Outgoing]
    connection_id: ConnectionId | None = None
    checkpoint: Checkpoint | None = None
    position: int | None = None
    tallies: tuple[Tally, ...] = ()

    @property
    def is_quiet(self) -> bool:
        """Whether it holds a position and nothing else."""
        return self.connection_id is None and not self.outgoing
