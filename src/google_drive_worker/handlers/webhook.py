"""Notifications: Google's hint that a Drive has changed (platform contract, "In: notification").

What the token alone can tell is decided here. Whether the channel is one of the connection's, and the message new, only
the owner of the connection's partition knows: see `sync.channels.heed`.
"""

import uuid
from collections.abc import Callable, Sequence

from google_drive_worker.domain.connection import Secret
from google_drive_worker.domain.message import Incoming, Outgoing
from google_drive_worker.domain.partitioning import partition_of
from google_drive_worker.domain.record import Source
from google_drive_worker.handlers.base import Accept, Decision, Drop, PassOn, Reject, Skip, unreadable
from google_drive_worker.messages.channel_token import Owner, owner_of
from google_drive_worker.messages.notification import Notification, decode_notification
from google_drive_worker.messages.trigger import Trigger, encode_trigger
from google_drive_worker.sync.checkpoint import Owed
from google_drive_worker.utils.errors import InvalidMessage

_TRIGGER_IDS = uuid.UUID("6f0e7ab5-3a0e-4c57-9d0f-4a1b5f6f6d7a")
"""Namespace of the ids of triggers that notifications are passed on as (UUIDv5): a duplicate has the same."""


class WebhookHandler:
    """Reads notifications of one integration, whose tokens `secrets` made: the one in use, and the one before it.

    A notification of a connection whose partition `is_owned` denies is passed on to `trigger_topic`, which has so many
    `partitions`, as a trigger of the connection's.
    """

    def __init__(
        self,
        integration_id: str,
        secrets: Sequence[Secret],
        *,
        trigger_topic: str,
        partitions: int,
        is_owned: Callable[[int], bool],
    ) -> None:
        self._integration_id = integration_id
        self._secrets = tuple(secrets)
        self._trigger_topic = trigger_topic
        self._partitions = partitions
        self._is_owned = is_owned

    def decide(self, message: Incoming) -> Decision:
        """What the notification comes to; one that can't be trusted is dropped, whatever it says."""
        source = Source(message.topic, message.partition, message.offset)
        try:
            notification = decode_notification(message.value, integration_id=self._integration_id)
        except InvalidMessage as problem:
            return Reject(unreadable(problem, source, message.value))
        if notification is None:
            return Skip()
        owner = owner_of(notification.token, notification.notice.channel_id, self._secrets)
        if owner is None:
            return Drop("forged")
        if notification.customer_id not in {None, owner.customer_id} or notification.connection_id not in {
            None,
            owner.connection_id,
        }:
            return Drop("foreign")
        home = partition_of(owner.connection_id, self._partitions)
        if not self._is_owned(home):
            value = encode_trigger(self._trigger(notification, owner))
            return PassOn(Outgoing(self._trigger_topic, owner.connection_id.encode(), value, [], home))
        source = Source(message.topic, message.partition, message.offset, notification.message_id)
        return Accept(owner.connection_id, Owed("incremental", owner.customer_id, source), notification.notice)

    def _trigger(self, notification: Notification, owner: Owner) -> Trigger:
        notice = notification.notice
        told = f"{owner.connection_id}/{notice.channel_id}/{notice.message_number}"
        return Trigger(
            message_id=str(uuid.uuid5(_TRIGGER_IDS, told)),
            customer_id=owner.customer_id,
            integration_id=self._integration_id,
            integration_connection_id=owner.connection_id,
            trigger_type="incremental",
            notice=notice,
        )
