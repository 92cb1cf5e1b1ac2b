"""What a message can come to, as values. A handler decides; whoever owns the partition carries it out."""

from typing import NamedTuple, Protocol

from msgspec.structs import replace

from google_drive_worker.domain.channel import Notice
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.message import Incoming, Outgoing
from google_drive_worker.domain.record import ErrorReport, Source
from google_drive_worker.messages.error import original_of
from google_drive_worker.messages.trigger import identify
from google_drive_worker.sync.checkpoint import Owed
from google_drive_worker.utils.errors import InvalidMessage, category_of, next_step_of


class Skip(NamedTuple):
    """Another integration's message: none of our business, and no error."""


class Drop(NamedTuple):
    """A notification that is none of ours, or was never Google's: counted by `reason`, and done."""

    reason: str


class Accept(NamedTuple):
    """The connection owes a sync, if the notice (where there is one) is of a channel of its own."""

    connection_id: ConnectionId
    owed: Owed
    notice: Notice | None = None


class PassOn(NamedTuple):
    """The message belongs to another partition, whose owner will accept it."""

    message: Outgoing


class Reject(NamedTuple):
    """The message can't be read: reported, and done."""

    report: ErrorReport


Decision = Skip | Drop | Accept | PassOn | Reject


class Handler(Protocol):
    """Decides what a topic's messages come to: pure, one message at a time, never raising for what is in it."""

    def decide(self, message: Incoming) -> Decision:
        """What the message comes to."""
        ...


def unreadable(problem: InvalidMessage, source: Source, value: bytes | None) -> ErrorReport:
    """The report of a message that can't be read, with as much of its ids as can."""
    identity = identify(value)
    return ErrorReport(
        code=problem.code,
        category=category_of(problem),
        message=problem.message,
        action=next_step_of(problem),
        customer_id=identity.customer_id,
        connection_id=identity.integration_connection_id,
        resource_type="message",
        resource_id=identity.message_id,
        source=replace(source, message_id=identity.message_id),
        original=None if value is None else original_of(value),
    )
