"""What other producers' transactions leave in our topics: nothing of one that was aborted, or is still open, counts."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import Producer

from google_drive_worker.domain.message import Incoming, Outgoing
from google_drive_worker.kafka.intake import Intake
from google_drive_worker.kafka.notifications import NotificationIntake
from google_drive_worker.kafka.state_store import restore
from google_drive_worker.sync.checkpoint import Checkpoint, encode_checkpoint
from support.syncs import CONNECTION, CUSTOMER
from support.topics import Topics

pytestmark = pytest.mark.kafka

DEADLINE_S = 30.0


def _client(topics: Topics) -> dict[str, Any]:
    return {"bootstrap.servers": topics.bootstrap_servers, "log_level": 0}


def _consumer(topics: Topics) -> dict[str, Any]:
    return {**_client(topics), "group.id": topics.group_id}


class Platform:
    """A producer of the platform's that writes in transactions."""

    def __init__(self, topics: Topics) -> None:
        self._producer = Producer({**_client(topics), "transactional.id": f"{topics.prefix}.platform"})
        self._producer.init_transactions(DEADLINE_S)

    def begin(self, topic: str, value: bytes, key: bytes = b"key") -> None:
        """Open a transaction with one message, which the broker has when this returns."""
        self._producer.begin_transaction()
        self._producer.produce(topic, value, key, 0)
        assert self._producer.flush(DEADLINE_S) == 0

    def commit(self) -> None:
        """Let the message count."""
        self._producer.commit_transaction(DEADLINE_S)

    def abort(self) -> None:
        """Take the message back."""
        self._producer.abort_transaction(DEADLINE_S)


@dataclass
class Heard:
    """A listener of both intakes, which keeps what is taken in. `intake` is the triggers'."""

    values: list[bytes | None] = field(default_factory=list)
    intake: Intake | None = None
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_assigned(self, partitions: list[int]) -> None:
        """Begin where the topic begins."""
        assert self.intake is not None
        for partition in partitions:
            self.intake.begin_at(partition, 0)

    async def on_revoked(self, partitions: list[int]) -> None:
        """There is nothing to let go of."""

    async def on_lost(self, partitions: list[int]) -> None:
        """There is nothing to let go of."""

    async def on_messages(self, messages: list[Incoming]) -> None:
        """Triggers."""
        self._take(messages)

    async def on_notifications(self, messages: list[Incoming]) -> list[Outgoing]:
        """Notifications, none of which is sent on."""
        self._take(messages)
        return []

    def on_trouble(self, problem: str) -> None:
        """A rebalance, or a broker that is busy."""

    def _take(self, messages: list[Incoming]) -> None:
        self.values += [message.value for message in messages]
        self._told.set()

    async def until(self, last: bytes) -> None:
        """Wait for that message."""
        async with asyncio.timeout(DEADLINE_S):
            while last not in self.values:
                self._told.clear()
                await self._told.wait()


async def _takes_in_what_is_committed_alone(heard: Heard, platform: Platform, topic: str) -> None:
    """Of one aborted, one committed and one open transaction, it hears of the second, and later of the third."""
    await asyncio.to_thread(platform.begin, topic, b"aborted")
    await asyncio.to_thread(platform.abort)
    await asyncio.to_thread(platform.begin, topic, b"committed")
    await asyncio.to_thread(platform.commit)
    await asyncio.to_thread(platform.begin, topic, b"open")
    await heard.until(b"committed")
    assert heard.values == [b"committed"]
    await asyncio.to_thread(platform.commit)
    await heard.until(b"open")
    assert heard.values == [b"committed", b"open"]


async def test_a_trigger_of_an_aborted_transaction_is_never_taken_in(topics: Topics) -> None:
    """And one of an open transaction not before it is committed."""
    heard = Heard()
    heard.intake = Intake(_consumer(topics), topics.trigger, heard)
    heard.intake.start()
    try:
        await _takes_in_what_is_committed_alone(heard, Platform(topics), topics.trigger)
    finally:
        await heard.intake.stop()
    assert heard.intake.failure is None


async def test_a_notification_of_an_aborted_transaction_is_never_taken_in(topics: Topics) -> None:
    """As little as a trigger."""
    heard = Heard()
    intake = NotificationIntake(_consumer(topics), _client(topics), topics.webhook, heard)
    intake.start()
    try:
        await _takes_in_what_is_committed_alone(heard, Platform(topics), topics.webhook)
    finally:
        await intake.stop()
    assert intake.failure is None


async def test_state_of_an_aborted_or_open_transaction_is_not_restored(topics: Topics) -> None:
    """The worker that wrote it was fenced: it never was."""
    platform = Platform(topics)
    kept = Checkpoint(CONNECTION, CUSTOMER, labels_refused=True)
    for checkpoint, end in (
        (kept, platform.commit),
        (Checkpoint(CONNECTION, CUSTOMER, details_refused=True), platform.abort),
        (Checkpoint(CONNECTION, CUSTOMER, contents_refused=True), None),
    ):
        await asyncio.to_thread(platform.begin, topics.state, encode_checkpoint(checkpoint), CONNECTION.encode())
        if end is not None:
            await asyncio.to_thread(end)
    restored = await asyncio.to_thread(restore, _consumer(topics), topics.trigger, topics.state, 0, DEADLINE_S)
    assert restored.state == {CONNECTION.encode(): encode_checkpoint(kept)}
    await asyncio.to_thread(platform.abort)
