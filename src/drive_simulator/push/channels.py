"""Channels of push notifications: who is told of what, until when. No HTTP here: `notifications` delivers.

A channel follows a change log (a user's, or a shared drive's), or one file. News are folded until they are told: a
burst may give a single message, whose number leaps. Source: Drive guide "Notifications for resource changes".
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from drive_simulator.model.access import sees
from drive_simulator.model.change_log import ChangeLog, Entry
from drive_simulator.model.items import Item, SharedDrive, User
from drive_simulator.model.world import World

HOUR_MS = 3_600_000
DEFAULT_LIFE_MS = HOUR_MS
MAX_CHANGES_LIFE_MS = 7 * 24 * HOUR_MS
MAX_FILE_LIFE_MS = 24 * HOUR_MS


class ChannelIdTaken(Exception):
    """A living channel has that id."""


class ChannelIsOver(Exception):
    """The channel would end before it begins."""


class NoSuchChannel(Exception):
    """No such channel of that account: never made, ended, or of another resource."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a channel is to be, as it was asked for; `expiration_ms` is not capped yet."""

    id: str
    address: str
    token: str | None = None
    expiration_ms: int | None = None
    payload: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """What a channel follows: a file, a shared drive's log, or (both None) the user's own log.

    `include_all` and `restrict_to_my_drive` are those of changes.watch.
    """

    resource_id: str
    resource_uri: str
    file: Item | None = None
    drive: SharedDrive | None = None
    include_all: bool = False
    restrict_to_my_drive: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """A file as its watcher saw it: what tells one kind of change from another."""

    seen: bool
    trashed: bool = False
    content: object = None
    parent: str | None = None
    permissions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class News:
    """What one message tells, as its headers have it."""

    state: str
    changed: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class Channel:
    """One channel. `folded` counts the changes that no message has told yet; `ended` says how it ended.

    `last_headers` are those of its latest message.
    """

    user: User
    order: Order
    watched: Watched
    expiration_ms: int
    number: int = 0
    folded: int = 0
    ended: str | None = None
    sight: Sight = field(default_factory=lambda: Sight(seen=False))
    listener: Callable[[Entry], None] | None = None
    last_headers: dict[str, str] | None = None

    @property
    def log(self) -> ChangeLog:
        """The log by which it hears of changes."""
        return self.user.log if self.watched.drive is None else self.watched.drive.log

    def has_news(self) -> bool:
        """Whether it is open and has something to tell."""
        return self.ended is None and (self.number == 0 or self.folded > 0)

    def concerns(self, entry: Entry) -> bool:
        """Whether an entry of its log is one that it tells of."""
        watched = self.watched
        if watched.file is not None:
            return entry.target_id == watched.file.id
        if watched.drive is not None:
            return self.user in watched.drive.members
        if entry.is_drive:
            return not watched.restrict_to_my_drive
        return not entry.from_drive or entry.left_my_drive or watched.include_all

    def next_news(self, world: World) -> News | None:
        """Fold what happened into one message and give it the next number; None where there is nothing to tell."""
        if not self.has_news():
            return None
        if self.number == 0:
            self.number = 1
            return News("sync")
        folded, self.folded = self.folded, 0
        news: News | None = News("change")
        if self.watched.file is not None:
            before, self.sight = self.sight, look(world, self.user, self.watched.file)
            news = compare(before, self.sight)
        if news is not None:
            self.number += folded
        return news


class ChannelBook:
    """Every channel: the living, and counts of what became of the others. `on_news` is called when one has news."""

    def __init__(self, world: World) -> None:
        self.on_news: Callable[[Channel], None] = _nobody
        self.world = world
        self._living: dict[str, Channel] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def open(self, user: User, watched: Watched, order: Order) -> Channel:
        """Open a channel. Raises ChannelIdTaken, or ChannelIsOver where it would have ended already."""
        self.expire()
        now = self.world.now_ms()
        if order.id in self._living:
            raise ChannelIdTaken
        longest = MAX_CHANGES_LIFE_MS if watched.file is None else MAX_FILE_LIFE_MS
        expiration_ms = now + DEFAULT_LIFE_MS if order.expiration_ms is None else order.expiration_ms
        if expiration_ms <= now:
            raise ChannelIsOver
        channel = Channel(user, order, watched, min(expiration_ms, now + longest))
        channel.sight = look(self.world, user, watched.file)

        def listen(entry: Entry) -> None:
            self._hear(channel, entry)

        channel.listener = listen
        channel.log.listeners = (*channel.log.listeners, listen)
        self._living[order.id] = channel
        self._counts[user.email, "made"] += 1
        self.on_news(channel)
        return channel

    def stop(self, user: User, channel_id: str, resource_id: str) -> None:
        """End one of the user's channels. Raises NoSuchChannel."""
        self.expire()
        channel = self._living.get(channel_id)
        if channel is None or channel.user is not user or channel.watched.resource_id != resource_id:
            raise NoSuchChannel
        self._end(channel, "stopped")

    def drop(self, email: str | None = None, channel_id: str | None = None) -> int:
        """End channels without a word, as Google may: a user's, one alone, or all. Returns how many."""
        doomed = [
            each for each in self.living() if email in {None, each.user.email} and channel_id in {None, each.order.id}
        ]
        for channel in doomed:
            self._end(channel, "dropped")
        return len(doomed)

    def living(self) -> tuple[Channel, ...]:
        """The channels that are open now, oldest first."""
        self.expire()
        return tuple(self._living.values())

    def expire(self) -> None:
        """End those whose time is over."""
        now = self.world.now_ms()
        for channel in [each for each in self._living.values() if each.expiration_ms <= now]:
            self._end(channel, "expired")

    def counts(self) -> dict[str, dict[str, int]]:
        """By account: channels `living` now, and those ever `made`, `stopped`, `expired` and `dropped`."""
        living = Counter(channel.user.email for channel in self.living())
        return {
            email: {"living": living[email]}
            | {what: self._counts[email, what] for what in ("made", "stopped", "expired", "dropped")}
            for email in dict.fromkeys(email for email, _ in self._counts)
        }

    def _hear(self, channel: Channel, entry: Entry) -> None:
        if channel.expiration_ms <= self.world.now_ms():
            self._end(channel, "expired")
        elif channel.concerns(entry):
            channel.folded += 1
            self.on_news(channel)

    def _end(self, channel: Channel, how: str) -> None:
        if channel.ended is not None:
            return
        channel.ended = how
        channel.log.listeners = tuple(each for each in channel.log.listeners if each is not channel.listener)
        del self._living[channel.order.id]
        self._counts[channel.user.email, how] += 1


def look(world: World, user: User, item: Item | None) -> Sight:
    """What the user sees of the item, as far as its news are made of it."""
    if item is None or item.id not in world.items or not sees(user, item):
        return Sight(seen=False)
    return Sight(
        seen=True,
        trashed=item.trashed,
        content=item.salt,
        parent=None if item.parent is None else item.parent.id,
        permissions=tuple((grant.id, grant.role) for grant in item.grants or ()),
    )


def compare(before: Sight, after: Sight) -> News | None:
    """The message that tells how one sight became the other; None where it was and is out of sight."""
    if not after.seen:
        return News("remove") if before.seen else None
    if not before.seen:
        return News("add")
    if before.trashed != after.trashed:
        return News("trash" if after.trashed else "untrash")
    return News("update", tuple(_changed(before, after)) or ("properties",))


def _changed(before: Sight, after: Sight) -> Iterator[str]:
    if before.content != after.content:
        yield "content"
    if before.parent != after.parent:
        yield "parents"
    if before.permissions != after.permissions:
        yield "permissions"


def _nobody(_: Channel) -> None:
    """No delivery yet."""
