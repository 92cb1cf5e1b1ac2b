"""Push channels: the life of each, as one table, and pure decisions on which there should be.

Theory of operation. Every corpus that is mirrored is watched by one channel at an address, renewed by a successor long
before it expires; there is no other way to renew one. `settle` says what should be, `actions` what to ask Google for,
and `on_watched`, `on_stopped` and `heed` take in what comes of it.

None is leaked. A channel's id is chosen and committed before Google is asked to make it, so a crash leaves a channel
that is known. Stopping needs Google's id of the resource as well, which comes with the answer. Where that got lost, the
same id is asked for again: Google makes it, or says that it has it (`channelIdNotUnique`). Then a successor is made,
and its resource id, which names what is watched and so is the same, stops the lost one; so does the resource id of any
message of the lost one's. At the very worst it ends when it expires, and is remembered until then.

A channel that Google has dropped without a word is known by its silence: a log holds changes that no message had told
of (`untold`). It gets a successor as if it were about to expire.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from msgspec.structs import replace

from google_drive_worker.domain.channel import Notice, Watched
from google_drive_worker.domain.drive import ChangesPage, time_of
from google_drive_worker.domain.ids import PageToken
from google_drive_worker.domain.times import due_moment, from_rfc3339, rfc3339
from google_drive_worker.sync.checkpoint import (
    USER_CORPUS,
    Channel,
    ChannelState,
    Checkpoint,
    Corpus,
    Owed,
    Watching,
)
from google_drive_worker.utils.errors import NotFound, Retryable, WorkerError

LIFETIME = timedelta(days=7)
"""What is asked for: the most that Google gives a channel on changes (guide "Push notifications")."""

RENEWED_IN_LAST = 4
"""A channel is renewed when a fourth of its life is left: two days nearly, of seven."""

LOOK_EVERY = timedelta(hours=1)
"""How often a connection with channels is looked at without another reason: it may be paused, or push switched off."""

LONGEST_WAIT = LIFETIME + LOOK_EVERY
"""Longer than any look waits: one that would come later was set by a clock that was wrong."""

RETRY_BASE = timedelta(seconds=30)
"""The first rest after Google did not make or stop a channel."""

RETRY_CAP = timedelta(minutes=15)
"""The longest such rest, far below what is left of a channel that is to be renewed."""

SILENT_AFTER = timedelta(minutes=10)
"""How old a change is of which no message has told, when its channel counts as silent. Messages take seconds."""

SILENT_AT_LEAST = timedelta(hours=6)
"""How old such a channel is: should Google tell of some changes never, that costs four channels a day and no more."""

CLOCKS_APART = timedelta(minutes=5)
"""How far our clock may be from Google's: a change of just after the last message may have been told of by it."""

NOT_UNIQUE = "channel_not_unique"
"""Code of Google's answer that it has a channel of that id."""

ACTIONS_AT_ONCE = 20
"""How many channels are made or stopped in one go: few enough that a sync need not wait long."""

Event = Literal["confirmed", "taken", "failed", "replaced", "unwanted", "guessed", "stopped", "doubted", "expired"]


class Transition(NamedTuple):
    """A row of the table: in state `before`, `event` leads to `after`, `None` being its end."""

    before: ChannelState
    event: Event
    after: ChannelState | None
    meaning: str


TRANSITIONS: tuple[Transition, ...] = (
    Transition("asked", "confirmed", "standing", "Google answered, or its first message came"),
    Transition("asked", "failed", "asked", "asked again later, by the same id"),
    Transition("asked", "taken", "lost", "Google has it already: its answer got lost"),
    Transition("asked", "unwanted", "lost", "Google may have it, and it is not wanted any more"),
    Transition("asked", "expired", None, "nothing came of it"),
    Transition("standing", "confirmed", "standing", "a message or the answer, whichever came second"),
    Transition("standing", "replaced", "stopping", "its successor stands"),
    Transition("standing", "unwanted", "stopping", "push is off, the connection paused or the drive left"),
    Transition("standing", "expired", None, "nobody renewed it in time"),
    Transition("lost", "confirmed", "stopping", "a message told its resource id"),
    Transition("lost", "guessed", "stopping", "another channel on the same corpus told it"),
    Transition("lost", "expired", None, "Google forgot it"),
    Transition("stopping", "confirmed", "stopping", "a message came late"),
    Transition("stopping", "failed", "stopping", "asked again later"),
    Transition("stopping", "stopped", None, "Google stopped it, or has none"),
    Transition("stopping", "doubted", "lost", "Google knows none by the guessed resource id"),
    Transition("stopping", "expired", None, "Google forgot it"),
)

_TABLE = {(row.before, row.event): row.after for row in TRANSITIONS}


class Watch(NamedTuple):
    """changes.watch: the change log from the token on."""

    channel: Channel
    page_token: PageToken


class Stop(NamedTuple):
    """channels.stop."""

    channel: Channel


class Heeded(NamedTuple):
    """What a notification came to: `outcome` names it; the checkpoint is `None` where it is dropped. It tells of
    the log of `corpus`."""

    outcome: str
    checkpoint: Checkpoint | None = None
    owes: bool = False
    corpus: str = USER_CORPUS


def due_at(checkpoint: Checkpoint, address: str | None, now: datetime) -> datetime | None:
    """When the connection's channels want a turn by themselves; `address` is the worker's own, `None` for no push."""
    watching = checkpoint.watching
    if watching is None:
        return now if address is not None and checkpoint.completed_at is not None else None
    if watching.address != address:
        return now
    return None if watching.due is None else due_moment(watching.due, now, LONGEST_WAIT)


def settle(
    checkpoint: Checkpoint, address: str | None, now: datetime, new_ids: Iterator[str], *, on: bool
) -> Checkpoint:
    """The checkpoint with the channels that there should be, and the time to look again.

    `on` says whether the connection is to be watched; nothing begins before its first full sync has ended.
    """
    watching = checkpoint.watching or Watching()
    if checkpoint.completed_at is None and not watching.channels:
        return checkpoint
    wanted = on and address is not None
    believed = [_believed(each, now) for each in watching.channels]
    living = [channel for each in believed if (channel := _aged(each, now)) is not None]
    kept = [
        channel if _is_wanted(checkpoint, channel, wanted=wanted) else _after(channel, "unwanted") for channel in living
    ]
    channels = _guessed([channel for channel in kept if channel is not None])
    if wanted and address is not None:
        channels = _replaced(checkpoint, channels, address)
        channels += _successors(checkpoint, channels, address, now, new_ids)
    due = _next_due(channels, now, wanted=wanted)
    before = watching.due and due_moment(watching.due, now, LONGEST_WAIT)
    if tuple(channels) == watching.channels and watching.address == address and checkpoint.watching is not None:
        if due is None and before is None:
            return checkpoint
        if due is not None and before and now < before <= due:  # the look that was set comes first
            return checkpoint
    return replace(checkpoint, watching=Watching(address, None if due is None else rfc3339(due), tuple(channels)))


def postponed(checkpoint: Checkpoint, address: str | None, now: datetime) -> Checkpoint:
    """The checkpoint with its channels left as they are for a while, where they were due and could not be seen to."""
    due = due_at(checkpoint, address, now)
    if due is None or due > now:
        return checkpoint
    watching = checkpoint.watching or Watching()
    return replace(checkpoint, watching=replace(watching, address=address, due=rfc3339(now + RETRY_CAP)))


def actions(checkpoint: Checkpoint, now: datetime) -> list[Watch | Stop]:
    """What to ask Google for now; stopping last, so that a successor stands before."""
    found: list[Watch | Stop] = []
    for channel in checkpoint.watching.channels if checkpoint.watching else ():
        if channel.retry_at is not None and from_rfc3339(channel.retry_at) > now:
            continue
        corpus = checkpoint.corpora.get(channel.corpus)
        if channel.state == "asked" and corpus is not None and corpus.change_token is not None:
            found.append(Watch(channel, corpus.change_token))
        elif channel.state == "stopping":
            found.append(Stop(channel))
    found.sort(key=lambda action: isinstance(action, Stop))
    return found[:ACTIONS_AT_ONCE]


def on_watched(
    checkpoint: Checkpoint, channel_id: str, answer: Watched | WorkerError, now: datetime, jitter: float
) -> Checkpoint:
    """What changes.watch came to. The first channel of a corpus, or the first after a silent one, makes an incremental
    sync follow.

    What happened between the last sync and the channel was told to nobody; a successor overlaps, and misses nothing.
    """
    channel = _channel(checkpoint, channel_id)
    if channel is None:
        return checkpoint
    if isinstance(answer, WorkerError):
        if answer.code == NOT_UNIQUE:
            return _with(checkpoint, channel_id, _after(channel, "taken"))
        return _with(checkpoint, channel_id, _failed(channel, answer, now, jitter))
    first = not any(
        each.corpus == channel.corpus
        and each.state == "standing"
        and each.channel_id != channel_id
        and not _is_silent(each, now)
        for each in (checkpoint.watching or Watching()).channels
    )
    # A life longer than was asked for is not believed: who remembers a channel for too long leaks none.
    expires_at = answer.expires_at or channel.expires_at
    made = replace(
        channel, resource_id=answer.resource_id, guessed=False, expires_at=expires_at, retry_at=None, attempts=0
    )
    checkpoint = _with(checkpoint, channel_id, _after(made, "confirmed"))
    if first and checkpoint.owed is None:
        checkpoint = replace(checkpoint, owed=Owed("incremental", checkpoint.customer_id, corpora=(channel.corpus,)))
    return checkpoint


def on_stopped(
    checkpoint: Checkpoint, channel_id: str, error: WorkerError | None, now: datetime, jitter: float
) -> Checkpoint:
    """What channels.stop came to: `None` where it went through."""
    channel = _channel(checkpoint, channel_id)
    if channel is None or channel.state != "stopping":
        return checkpoint
    if error is None:
        return _with(checkpoint, channel_id, _after(channel, "stopped"))
    if isinstance(error, NotFound):
        return _with(checkpoint, channel_id, _after(channel, "doubted" if channel.guessed else "stopped"))
    return _with(checkpoint, channel_id, _failed(channel, error, now, jitter))


def heed(checkpoint: Checkpoint | None, notice: Notice, now: datetime) -> Heeded:
    """Hold a notification, whose token is genuine, against the channels: only a new one of a living channel counts."""
    channel = None if checkpoint is None else _channel(checkpoint, notice.channel_id)
    if checkpoint is None or channel is None:
        return Heeded("unknown_channel")
    if from_rfc3339(channel.expires_at) <= now:
        return Heeded("expired")
    if channel.resource_id is not None and not channel.guessed and channel.resource_id != notice.resource_id:
        return Heeded("foreign_resource")
    if notice.message_number <= channel.last_number:
        return Heeded("replayed")
    told = replace(
        channel,
        resource_id=notice.resource_id,
        guessed=False,
        last_number=notice.message_number,
        heard_at=rfc3339(now),
        untold_at=None,
    )
    checkpoint = _with(checkpoint, notice.channel_id, _after(told, "confirmed"))
    if channel.state == "lost" and checkpoint.watching is not None:  # it can be stopped now
        checkpoint = replace(checkpoint, watching=replace(checkpoint.watching, due=rfc3339(now)))
    outcome = "confirmed" if notice.is_sync else "accepted"
    return Heeded(outcome, checkpoint, owes=not notice.is_sync, corpus=channel.corpus)


def untold(checkpoint: Checkpoint, corpus: str, page: ChangesPage) -> Checkpoint:
    """Note changes of a log that should have been told of by the corpus' channel, and were not (yet).

    A message that comes after all clears it: many changes are read in the sync that an earlier one has led to.
    """
    standing = [
        each
        for each in (checkpoint.watching.channels if checkpoint.watching else ())
        if each.corpus == corpus and each.state == "standing"
    ]
    newest = max(filter(None, (time_of(change) for change in page.changes)), default=None) if standing else None
    if newest is None:
        return checkpoint
    for channel in standing:
        heard_at = max(channel.made_at, channel.heard_at or channel.made_at)
        if from_rfc3339(heard_at) + CLOCKS_APART < from_rfc3339(newest):
            checkpoint = _with(checkpoint, channel.channel_id, replace(channel, untold_at=newest))
    return checkpoint


def diagram() -> str:
    """The table as a Mermaid state diagram, for `docs/push.md`."""
    lines = ["stateDiagram-v2", "    [*] --> asked: chosen and committed"]
    lines += [f"    {row.before} --> {row.after or '[*]'}: {row.event}" for row in TRANSITIONS]
    return "\n".join(lines)


def _after(channel: Channel, event: Event) -> Channel | None:
    """The channel after the event, `None` at its end; it stays as it is where the event means nothing to it."""
    after = _TABLE.get((channel.state, event), channel.state)
    if after is None:
        return None
    anew = after != channel.state
    return replace(
        channel, state=after, attempts=0 if anew else channel.attempts, retry_at=None if anew else channel.retry_at
    )


def _believed(channel: Channel, now: datetime) -> Channel:
    """The channel without moments that a clock far ahead of this one has set: it would never be renewed or retried."""
    latest, made_at = now + CLOCKS_APART, channel.made_at
    if from_rfc3339(made_at) > latest:
        ends = min(from_rfc3339(channel.expires_at), now + LIFETIME)
        channel = replace(channel, made_at=rfc3339(now), expires_at=rfc3339(ends))
    if channel.heard_at is not None and from_rfc3339(channel.heard_at) > latest:
        channel = replace(channel, heard_at=rfc3339(now))
    if channel.retry_at is not None and due_moment(channel.retry_at, now) != from_rfc3339(channel.retry_at):
        channel = replace(channel, retry_at=None)
    return channel


def _aged(channel: Channel, now: datetime) -> Channel | None:
    return _after(channel, "expired") if from_rfc3339(channel.expires_at) <= now else channel


def _watched_corpora(checkpoint: Checkpoint) -> dict[str, Corpus]:
    """The corpora whose change log is known: the user's own, and every drive that is mirrored."""
    return {name: corpus for name, corpus in checkpoint.corpora.items() if corpus.change_token is not None}


def _is_wanted(checkpoint: Checkpoint, channel: Channel, *, wanted: bool) -> bool:
    if not wanted:
        return False
    known = checkpoint.sync is None and bool(checkpoint.corpora)  # else drives may not be listed yet
    return channel.corpus in checkpoint.corpora or not known


def _guessed(channels: list[Channel]) -> list[Channel]:
    """Lost channels get the resource id of another one on the same corpus, once."""
    known = {each.corpus: each.resource_id for each in channels if each.resource_id is not None and not each.guessed}
    return [
        _after(replace(each, resource_id=known[each.corpus], guessed=True), "guessed") or each
        if each.state == "lost" and not each.guessed and each.corpus in known
        else each
        for each in channels
    ]


def _fits(checkpoint: Checkpoint, channel: Channel, address: str) -> bool:
    return channel.address == address and channel.customer_id == checkpoint.customer_id


def _replaced(checkpoint: Checkpoint, channels: list[Channel], address: str) -> list[Channel]:
    """Of each corpus, all that the newest standing channel makes superfluous is to be stopped."""
    newest = {
        each.corpus: each.channel_id
        for each in channels
        if each.state == "standing" and _fits(checkpoint, each, address)
    }
    return [
        _after(each, "replaced") or each
        if each.state == "standing" and newest.get(each.corpus, each.channel_id) != each.channel_id
        else each
        for each in (
            (_after(each, "unwanted") or each)
            if each.state == "asked" and not _fits(checkpoint, each, address)
            else each
            for each in channels
        )
    ]


def _successors(
    checkpoint: Checkpoint, channels: list[Channel], address: str, now: datetime, new_ids: Iterator[str]
) -> list[Channel]:
    """A channel for each corpus that has none, or none that lasts."""
    covered = {
        each.corpus
        for each in channels
        if _fits(checkpoint, each, address)
        and (
            each.state == "asked" or (each.state == "standing" and _renew_at(each) > now and not _is_silent(each, now))
        )
    }
    return [
        Channel(next(new_ids), name, checkpoint.customer_id, address, rfc3339(now), rfc3339(now + LIFETIME))
        for name in sorted(_watched_corpora(checkpoint), key=lambda name: (name != USER_CORPUS, name))
        if name not in covered
    ]


def _renew_at(channel: Channel) -> datetime:
    expires, made = from_rfc3339(channel.expires_at), from_rfc3339(channel.made_at)
    return expires - (expires - made) / RENEWED_IN_LAST


def _is_silent(channel: Channel, now: datetime) -> bool:
    """Whether it is taken for one that Google has dropped."""
    if channel.untold_at is None or now - from_rfc3339(channel.made_at) < SILENT_AT_LEAST:
        return False
    return now - from_rfc3339(channel.untold_at) > SILENT_AFTER


def _next_due(channels: list[Channel], now: datetime, *, wanted: bool) -> datetime | None:
    moments = [now + LOOK_EVERY] if wanted else []
    for channel in channels:
        match channel.state:
            case "asked" | "stopping":
                moments.append(now if channel.retry_at is None else from_rfc3339(channel.retry_at))
            case "standing":
                moments.append(max(now + RETRY_BASE, _renew_at(channel)))
            case "lost":
                moments.append(from_rfc3339(channel.expires_at))
    return min(moments, default=None)


def _failed(channel: Channel, error: WorkerError, now: datetime, jitter: float) -> Channel | None:
    rest = min(RETRY_CAP, RETRY_BASE * 2.0 ** min(channel.attempts, 10)) * (0.5 + jitter / 2)
    if isinstance(error, Retryable) and error.retry_after_s is not None:
        rest = max(rest, timedelta(seconds=error.retry_after_s))
    tried = replace(channel, attempts=channel.attempts + 1, retry_at=rfc3339(now + rest))
    return _after(tried, "failed")


def _channel(checkpoint: Checkpoint, channel_id: str) -> Channel | None:
    channels = checkpoint.watching.channels if checkpoint.watching else ()
    return next((each for each in channels if each.channel_id == channel_id), None)


def _with(checkpoint: Checkpoint, channel_id: str, channel: Channel | None) -> Checkpoint:
    watching = checkpoint.watching or Watching()
    after = tuple(channel if each.channel_id == channel_id else each for each in watching.channels)
    kept = tuple(each for each in after if each is not None)
    return replace(checkpoint, watching=replace(watching, channels=kept))
