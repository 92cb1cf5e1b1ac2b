"""Triggers: the platform's wish that a connection be synced (platform contract, "In: trigger")."""

from google_drive_worker.domain.message import Incoming, Outgoing
from google_drive_worker.domain.partitioning import partition_of
from google_drive_worker.domain.record import Source
from google_drive_worker.handlers.base import Accept, Decision, PassOn, Reject, Skip, unreadable
from google_drive_worker.messages.trigger import decode_trigger
from google_drive_worker.sync.checkpoint import Owed, SyncKind
from google_drive_worker.utils.errors import InvalidMessage


class TriggerHandler:
    """Reads triggers of one integration; `partitions` is how many the trigger topic has.

    A connection is owned through the partition of its key. A trigger that came to another one, because its producer
    set no key or hashes differently, is passed on to where it belongs: else two workers might sync one connection.
    """

    def __init__(self, integration_id: str, partitions: int) -> None:
        self._integration_id = integration_id
        self._partitions = partitions

    def decide(self, message: Incoming) -> Decision:
        """What the trigger comes to: `full_sync` owes a full sync, `incremental` and `poll` an incremental one."""
        source = Source(message.topic, message.partition, message.offset)
        try:
            trigger = decode_trigger(message.value, integration_id=self._integration_id)
        except InvalidMessage as problem:
            return Reject(unreadable(problem, source, message.value))
        if trigger is None:
            return Skip()
        connection_id = trigger.integration_connection_id
        home = partition_of(connection_id, self._partitions)
        if home != message.partition:
            return PassOn(
                Outgoing(message.topic, connection_id.encode(), message.value or b"", list(message.headers), home)
            )
        kind: SyncKind = "full" if trigger.trigger_type == "full_sync" else "incremental"
        source = Source(message.topic, message.partition, message.offset, trigger.message_id)
        return Accept(connection_id, Owed(kind, trigger.customer_id, source, trigger.page_token), trigger.notice)
