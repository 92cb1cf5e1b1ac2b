"""The world: every account, shared drive and item of the simulated Google, with its clock and its source of ids.

The world keeps the books (`items`, the listings, the change logs); what happens to items stands in `item_changes`,
`sharing` and `shared_drives`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import NamedTuple, Protocol
from zlib import crc32

from drive_simulator.model.access import (
    NOBODY,
    Sight,
    adds_nobody,
    grantees,
    member_openers,
    openers,
    own_grantees,
    sights,
    viewers,
)
from drive_simulator.model.change_log import ChangeLog
from drive_simulator.model.clock import Clock, SystemClock
from drive_simulator.model.consistency import Consistency, draw_ms
from drive_simulator.model.ids import IdSource
from drive_simulator.model.index import Index
from drive_simulator.model.items import FOLDER, RANK, Grant, Group, Item, SharedDrive, Site, User
from drive_simulator.model.label_kinds import LabelKind
from drive_simulator.model.lagging import LaggingView
from drive_simulator.model.late_entries import LateEntries
from drive_simulator.model.parents import strays_of


class Listed(Protocol):
    """What lists walk: the world as it is, or as it was a while ago."""

    @property
    def items(self) -> dict[str, Item]: ...  # noqa: D102
    @property
    def retimed(self) -> list[Item]: ...  # noqa: D102
    def index_of(self, place: User | SharedDrive) -> Index[Item]: ...  # noqa: D102


class Spread(NamedTuple):
    """The grants that a folder passes on from that moment to what is in it."""

    due_ms: int
    folder: Item
    grants: tuple[Grant, ...]


class World:
    """All state of one simulated Google.

    A `list_lag_s` is followed from the moment at which `consistency` is set: set it as a whole, not the field.
    `epoch` goes up whenever something changes that items below depend on. `retimed` are the items whose modifiedTime
    was set after they came, in the order of doing so. `nowhere` holds files without a folder that an account can see;
    it is no item itself. `expiring` are the permissions that end by themselves, and when. `spreading` are the sharings
    of folders that have not reached yet what is in them.
    """

    def __init__(self, *, clock: Clock | None = None, seed: int = 0, consistency: Consistency | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.late_entries = LateEntries(self.clock, lambda: self.consistency, seed)
        self.consistency_die = Random(seed)  # noqa: S311 - lags of a simulator
        self.ids = IdSource(seed)
        self.site = Site()
        self.users: dict[str, User] = {}
        self.robots: dict[str, User] = {}
        self.labels: dict[str, LabelKind] = {}
        self.groups: dict[str, Group] = {}
        self.drives: dict[str, SharedDrive] = {}
        self.items: dict[str, Item] = {}
        self.nowhere = Item("nowhere", "", FOLDER, None, None, None, 0, 0, None, -1, 0)
        self.retimed: list[Item] = []
        self.expiring: list[tuple[int, Item, Grant]] = []
        self.spreading: list[Spread] = []
        self.epoch = 0
        self._lagging: LaggingView | None = None
        self.consistency = consistency or Consistency()

    @property
    def consistency(self) -> Consistency:
        """How lists and logs differ from what is true."""
        return self._consistency

    @consistency.setter
    def consistency(self, value: Consistency) -> None:
        self._consistency = value
        if not value.list_lag_s:
            self._lagging = None
        elif self._lagging is None:
            self._begin_to_lag()

    def _begin_to_lag(self) -> None:
        places: list[User | SharedDrive] = [*self.users.values(), *self.robots.values(), *self.drives.values()]
        self._lagging = LaggingView(self.items, self.nowhere, places, self._draw_list_lag_ms, self._note_shown)

    def _draw_list_lag_ms(self) -> int:
        return draw_ms(self._consistency.list_lag_s, self.consistency_die)

    def _note_shown(self) -> None:
        self.epoch += 1

    def listed(self, *, by_parent: bool) -> Listed:
        """What a list shows: the world as it is or, while a lag is set for such queries, as it was."""
        lagging = self._lagging
        lags = self._consistency.lag_of_parent_queries if by_parent else self._consistency.lag_of_other_queries
        if lagging is None or not lags:
            return self
        lagging.catch_up(self.now_ms())
        return lagging

    def index_of(self, place: User | SharedDrive) -> Index[Item]:
        """The index of what the account has, or of what is in the shared drive."""
        return place.index

    def keep(self, item: Item, *, gone: bool = False) -> None:
        """Let lists know, after their lag, what the item is now, or that it is gone. For every change of an item."""
        if self._lagging is not None:
            self._lagging.keep(item, self.now_ms(), gone=gone)

    def now_ms(self) -> int:
        """The present moment, Unix milliseconds."""
        return self.clock.now_ms()

    def add_user(self, email: str, display_name: str | None = None, *, robot: bool = False) -> User:
        """Open an account with an empty My Drive. The address is folded to lower case.

        Service accounts are robots: they have a Drive, but do not count among the users.
        """
        email = email.lower()
        permission_id = self.ids.permission_id()
        name = display_name or email.partition("@")[0].title()
        user = User(email, name, permission_id, self._new_log(permission_id), site=self.site)
        now = self.now_ms()
        user.root = Item(self.ids.root_id(), "My Drive", FOLDER, None, None, user, now, now, user, -1, 0)
        self.items[user.root.id] = user.root
        self.keep(user.root)
        (self.robots if robot else self.users)[email] = user
        return user

    def user(self, email: str) -> User:
        """The account of that address, a user's or a robot's. Raises KeyError."""
        email = email.lower()
        return self.users.get(email) or self.robots[email]

    def add_drive(self, name: str, creator: User, *, drive_id: str | None = None) -> SharedDrive:
        """Make a shared drive with `creator` as its organizer, without a word in any change log."""
        now = self.now_ms()
        drive_id = drive_id or self.ids.drive_id()
        drive = SharedDrive(drive_id, name, now, self._new_log(drive_id))
        drive.root = Item(drive_id, name, FOLDER, None, drive, None, now, now, creator, -1, 0)
        self.items[drive_id] = drive.root
        self.drives[drive_id] = drive
        self.add_member(drive, creator, "organizer")
        return drive

    def add_member(self, drive: SharedDrive, user: User, role: str) -> Grant:
        """Put the user on the drive's member list, without a word in any change log."""
        grant = Grant(user.permission_id, "user", role, user, user.email, granted_ms=self.now_ms())  # type: ignore[arg-type]
        self.epoch += 1
        drive.root.grants = [*(drive.root.grants or ()), grant]
        self.count_members(drive)
        return grant

    def count_members(self, drive: SharedDrive) -> None:
        """Work out again who is a member of the drive, and by which of its root's grants: after any change of them."""
        before, drive.members = drive.members, {}
        for grant in drive.root.grants or ():
            for user in sorted(grant.people, key=lambda each: each.email):
                earlier = drive.members.get(user)
                if earlier is None or RANK[grant.role] > RANK[earlier.role]:
                    drive.members[user] = grant
        self.keep(drive.root)
        for user in before.keys() - drive.members.keys():
            user.hidden_drives.discard(drive.id)

    def add_group(self, email: str, members: Iterable[User], display_name: str | None = None) -> Group:
        """Open a mailing list of those accounts."""
        email = email.lower()
        name = display_name or email.partition("@")[0].title()
        group = self.groups[email] = Group(email, name, self.ids.permission_id(), frozenset(members))
        return group

    def adopt(self, item: Item) -> None:
        """Enter a new item into the books: by id, below its parent, in its drive's listing; not in users' listings."""
        self.items[item.id] = item
        self.hang(item)
        if item.drive is not None:
            item.drive.index.add(item)

    def hang(self, item: Item) -> None:
        """Enter the item among its parent's children."""
        parent = item.parent
        if parent is not None:
            if parent.children is None:
                parent.children = Index()
            parent.children.add(item)

    def enter(self, item: Item) -> None:
        """Enter a new item into the books and into the listing of everybody who is granted it."""
        self.adopt(item)
        for user in grantees(item):
            user.index.add(item)

    def index_all(self) -> None:
        """Build every user's listing again: after a bulk load with `adopt`."""
        for user in self.users.values():
            user.index = Index()
        roots = [user.root for user in self.users.values()] + [drive.root for drive in self.drives.values()]
        roots.append(self.nowhere)
        for root in roots:
            for item, (seen_by, _, _) in sights(root):
                if item is not root:
                    for user in seen_by:
                        user.index.add(item)
        if self._lagging is not None:
            self._begin_to_lag()

    def note_change(self, item: Item, *, raises_version: bool = True) -> None:
        """Log a change of the item for everybody who sees it, and in its drive's log."""
        item.version += raises_version
        item.rendered = None
        self.keep(item)
        now = self.now_ms()
        for user in viewers(item):
            user.log.record(item.id, now, from_drive=item.drive is not None)
        if item.drive is not None:
            item.drive.log.record(item.id, now, from_drive=True)

    def note_below(self, folder: Item, knew: frozenset[User] | None = None) -> None:
        """Log what lies below the folder for those who see it, but not the folder.

        Theirs is the only news they get where the folder is trashed or moved; a folder above in their sight has it.
        `knew` are those who saw what is in the folder before a move: others can't tell what the news is about.
        Source: not documented; `below_unseen_logged` says whether there is such an entry.
        """
        if not folder.is_folder or not self.consistency.below_unseen_logged:
            return
        now = self.now_ms()
        told = openers(folder) | member_openers(folder)
        if knew is not None:
            told &= knew
        pending = [(child, told) for child in folder.children or ()]
        while pending:
            item, told_above = pending.pop()
            if not adds_nobody(item, told_above):
                news = own_grantees(item) - told_above
                for user in news:
                    user.log.record(item.id, now, from_drive=item.drive is not None)
                told_above |= news
            if item.is_limited:
                # Its entry tells those who see the folder alone nothing of what else they have below.
                told_above &= openers(item) | member_openers(item)
            if item.children is not None:
                pending.extend((child, told_above) for child in item.children)

    def note_drive(self, drive: SharedDrive, users: Iterable[User], *, in_own_log: bool = True) -> None:
        """Log a change of the shared drive itself, for those users and, unless it is of a membership, in its own log.

        Who joins, leaves or gets another role reads it in their own log; other members have no log that tells.
        """
        now = self.now_ms()
        self.epoch += 1
        for user in users:
            user.log.record(drive.id, now, is_drive=True, from_drive=True)
        if in_own_log:
            drive.log.record(drive.id, now, is_drive=True, from_drive=True)

    @contextmanager
    def changing_access(self, item: Item, *, gone: bool = False, silent: bool = False) -> Iterator[None]:
        """Around a change of who sees the item and what is below it: keeps listings and logs in step.

        Accounts that lose an item get a removal of each; those that gain get nothing here: the caller logs the item
        that was changed, and it alone (Drive guide: "a permission change on a folder is logged on that item only").
        What leaves a corpus is logged there as removed. `gone`: the item is deleted for good. `silent`: the logs tell
        nothing of it. Whether what is lost below the item has entries is not documented: `lost_below_logged`.
        """
        rules = self.consistency
        before = list(sights(item))
        yield
        self.epoch += 1
        after: dict[Item, Sight] = {} if gone else dict(sights(item))
        nothing: Sight = (NOBODY, NOBODY, None)
        now = self.now_ms()
        if self._lagging is not None:
            moves = item.drive is not before[0][1][2]
            for each, _ in before:
                # Of what a folder gives nothing is kept below it; a group's members are kept with each grant.
                if each is item or gone or moves or any(grant.group is not None for grant in each.grants or ()):
                    self.keep(each, gone=gone)
        lost: dict[Item | None, frozenset[User]] = {}
        for each, was in before:
            told = not silent and (each is item or gone or rules.lost_below_logged)
            lost_by = lost[each] = self._step(each, was, after.get(each, nothing), now, told=told)
            if silent or not rules.below_unseen_logged:
                continue
            # Who keeps an item whose folder they lose sees it without a parent from now on.
            for user in lost.get(each.parent, NOBODY) - lost_by:
                user.log.record(each.id, now, from_drive=each.drive is not None)
                if each.drive is not None and user in each.drive.members:
                    each.drive.log.record(each.id, now, from_drive=True)
            if lost_by and each.rare("strays") is not None:
                self._tell_of_strays(each, lost_by, now)

    @staticmethod
    def _tell_of_strays(folder: Item, lost_by: frozenset[User], now: int) -> None:
        """Log old files in a folder beside their first parent for who sees them there no more, but sees them still."""
        for item in strays_of(folder) or ():
            item.rendered = None
            for user in lost_by & viewers(item):
                user.log.record(item.id, now, from_drive=item.drive is not None)

    def _step(self, item: Item, was: Sight, now_is: Sight, now: int, *, told: bool) -> frozenset[User]:
        """Bring one item's listings from one sight to another, and its logs where `told`; returns who lost it."""
        (grantees_before, members_before, drive_before), (grantees_after, members_after, drive_after) = was, now_is
        if was == now_is:
            return NOBODY
        item.rendered = None
        for user in grantees_before - grantees_after:
            user.index.discard(item)
        for user in grantees_after - grantees_before:
            user.index.add(item)
        if drive_before is not drive_after:
            if drive_before is not None:
                drive_before.index.discard(item)
                drive_before.log.record(item.id, now, from_drive=True)
            if drive_after is not None:
                drive_after.index.add(item)
        elif told and drive_after is not None and members_before - members_after:
            drive_after.log.record(item.id, now, from_drive=True)
        from_drive = drive_before is not None
        lost_by = (grantees_before | members_before) - (grantees_after | members_after)
        for user in lost_by if told else ():
            user.log.record(item.id, now, from_drive=from_drive)
        if not from_drive and drive_after is not None:
            for user in grantees_before - lost_by:
                user.log.record(item.id, now, from_drive=True, left_my_drive=True)
        return lost_by

    def _new_log(self, owner_id: str) -> ChangeLog:
        return ChangeLog(1_000 + 1_000 * (crc32(owner_id.encode()) % 90_000), self.late_entries)
