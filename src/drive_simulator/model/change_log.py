"""A change log: one for each user and one for each shared drive. Entries say which item changed, never how.

An item, or a drive, has at most one entry: a newer change replaces the older one (Drive guide "Retrieve changes").
Positions are the page tokens; they never expire by themselves.
"""

from collections.abc import Callable, Iterator
from typing import Protocol


class Entry:
    """One change. What it shows is read from the world when it is served.

    `from_drive`: the item was in a shared drive at the time. `left_my_drive`: a reader of My Drive alone has to take
    it for removed, although it may live on in a shared drive.
    """

    __slots__ = ("from_drive", "is_drive", "left_my_drive", "target_id", "time_ms")

    def __init__(self, target_id: str, time_ms: int, *, is_drive: bool, from_drive: bool, left_my_drive: bool) -> None:
        self.target_id = target_id
        self.time_ms = time_ms
        self.is_drive = is_drive
        self.from_drive = from_drive
        self.left_my_drive = left_my_drive


class Mail(Protocol):
    """Brings entries to their logs, late or a second time."""

    def holds_back(self, log: "ChangeLog", entry: Entry, /) -> bool:
        """Whether the entry arrives later, by `append`."""
        ...

    def arrive(self) -> None:
        """Append what is due, to whichever log it belongs."""
        ...


class ChangeLog:
    """The entries in order. `base` is the first position; logs differ in it, so that a token of another log shows.

    `listeners` are called with each new entry: the channels of push notifications. `mail` says which entries arrive
    late; without it none does.
    """

    __slots__ = ("_entries", "_mail", "_positions", "base", "listeners")

    def __init__(self, base: int, mail: Mail | None = None) -> None:
        self.listeners: tuple[Callable[[Entry], None], ...] = ()
        self.base = base
        self._mail = mail
        self._entries: list[Entry | None] = []
        self._positions: dict[tuple[bool, str], int] = {}

    @property
    def end(self) -> int:
        """The position that the next entry will have."""
        return self.base + len(self._entries)

    def holds(self, position: int) -> bool:
        """Whether the position is one that this log has given out."""
        return self.base <= position <= self.end

    def record(
        self,
        target_id: str,
        time_ms: int,
        *,
        is_drive: bool = False,
        from_drive: bool = False,
        left_my_drive: bool = False,
    ) -> None:
        """Enter a change, now or when it arrives."""
        entry = Entry(target_id, time_ms, is_drive=is_drive, from_drive=from_drive, left_my_drive=left_my_drive)
        if self._mail is None or not self._mail.holds_back(self, entry):
            self.append(entry)

    def append(self, entry: Entry) -> None:
        """Put the entry at the end; an earlier one of the same target goes."""
        target = entry.is_drive, entry.target_id  # the top folder of a drive has the drive's id
        earlier_at = self._positions.get(target)
        if earlier_at is not None:
            earlier = self._entries[earlier_at]
            self._entries[earlier_at] = None
            if entry.from_drive and earlier is not None and (earlier.left_my_drive or not earlier.from_drive):
                entry.left_my_drive = True
        self._positions[target] = len(self._entries)
        self._entries.append(entry)
        for listener in self.listeners:
            listener(entry)

    def arrive(self) -> None:
        """Take in what is due. Before the log is read, and before its end is told."""
        if self._mail is not None:
            self._mail.arrive()

    def read_from(self, position: int) -> Iterator[tuple[int, Entry]]:
        """The entries at and after `position`, oldest first, each with its position."""
        for at in range(max(position - self.base, 0), len(self._entries)):
            entry = self._entries[at]
            if entry is not None:
                yield self.base + at, entry
