"""Looks after a connection's push channels: asks Google for what `sync.channels` decides, and writes the outcome."""

import asyncio
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from google_drive_worker.domain.channel import Watched
from google_drive_worker.domain.connection import Secret
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.ports import Clock, Drive
from google_drive_worker.messages.channel_token import Owner, token_of
from google_drive_worker.sync import channels
from google_drive_worker.sync.channels import Stop, Watch
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.plan import drive_of
from google_drive_worker.utils.errors import Terminal, WorkerError

ROUNDS = 60
"""How often a look asks for what the last round led to, or left: a thousand shared drives are done in one, which takes
Google some ten seconds."""


class State(Protocol):
    """Where the connection's checkpoint stands."""

    def checkpoint(self) -> Checkpoint | None:
        """As it is now."""
        ...

    def write(self, before: Checkpoint, after: Checkpoint) -> None:
        """Take it for the next transaction."""
        ...

    async def committed(self) -> bool:
        """Wait until all that was written is committed; false where it never will be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Where Google is to send notifications: `address` is `None` where there shall be no channels.

    `secret` signs the tokens, `new_ids` gives channel ids that were never given before.
    """

    address: Callable[[], str | None]
    secret: Secret | None
    new_ids: Iterator[str]


def random_channel_ids() -> Iterator[str]:
    """Channel ids without end: UUIDs, as Google advises (guide "Push notifications")."""
    while True:
        yield str(uuid.uuid4())


async def keep_channels(
    push: Push,
    drive: Drive,
    state: State,
    clock: Clock,
    jitter: Callable[[], float],
    on_trouble: Callable[[ConnectionId, str, WorkerError], None],
    *,
    on: bool,
) -> None:
    """Make, renew and stop channels until all is as it should be, or has to wait. `on` says whether any are wanted."""
    for _ in range(ROUNDS):
        before = state.checkpoint()
        if before is None:
            return
        settled = channels.settle(before, push.address(), clock.now(), push.new_ids, on=on)
        if settled is not before:
            state.write(before, settled)
        todo = channels.actions(settled, clock.now())
        # A channel that nobody remembers could not be stopped: Google is asked when its id is sure to be found again.
        if not todo or not await state.committed():
            return
        for action, answer in zip(todo, await _ask_all(push, drive, settled, todo), strict=True):
            checkpoint = state.checkpoint()
            if checkpoint is None:
                return
            if isinstance(answer, WorkerError):
                on_trouble(checkpoint.connection_id, type(action).__name__, answer)
            state.write(checkpoint, _taken_in(checkpoint, action, answer, clock, jitter()))


def _taken_in(
    checkpoint: Checkpoint, action: Watch | Stop, answer: Watched | WorkerError | None, clock: Clock, jitter: float
) -> Checkpoint:
    channel_id, now = action.channel.channel_id, clock.now()
    if isinstance(action, Watch) and answer is not None:
        return channels.on_watched(checkpoint, channel_id, answer, now, jitter)
    return channels.on_stopped(checkpoint, channel_id, answer if isinstance(answer, WorkerError) else None, now, jitter)


async def _ask_all(
    push: Push, drive: Drive, checkpoint: Checkpoint, todo: Sequence[Watch | Stop]
) -> list[Watched | WorkerError | None]:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                _ask(push, drive, checkpoint, action), name=f"{checkpoint.connection_id}:{type(action).__name__}"
            )
            for action in todo
        ]
    return [task.result() for task in tasks]


async def _ask(push: Push, drive: Drive, checkpoint: Checkpoint, action: Watch | Stop) -> Watched | WorkerError | None:
    channel = action.channel
    try:
        if isinstance(action, Stop):
            await drive.stop_channel(channel.channel_id, channel.resource_id or "")
            return None
        owner = Owner(channel.customer_id, checkpoint.connection_id)
        token = None if push.secret is None else token_of(owner, channel.channel_id, push.secret)
        if token is None:
            raise Terminal("no token can name this connection: its ids are too long for Google's limit of 256")
        return await drive.watch_changes(
            drive_of(channel.corpus),
            action.page_token,
            channel_id=channel.channel_id,
            address=channel.address,
            token=token,
            expires_at=channel.expires_at,
        )
    except WorkerError as error:
        return error
