"""What a message can come to, as values. A handler decides; whoever owns the partition carries it out."""

from typing import NamedTuple, Protocol

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.message import Incoming, Outgoing
from google_drive_worker.domain.record import ErrorReport
from google_drive_worker.sync.checkpoint import Owed


class Skip(NamedTuple):
    """Another integration's message: none of our business, and no error."""


class Accept(NamedTuple):
    """The connection owes a sync."""

    connection_id: ConnectionId
    owed: Owed


class PassOn(NamedTuple):
    """The message belongs to another partition, whose owner will accept it."""

    message: Outgoing


class Reject(NamedTuple):
    """The message can't be read: reported, and done."""

    report: ErrorReport


Decision = Skip | Accept | PassOn | Reject


class Handler(Protocol):
    """Decides what a topic's messages come to: pure, one message at a time, never raising for what is in it."""

    def decide(self, message: Incoming) -> Decision:
        """What the message comes to."""
        ...
