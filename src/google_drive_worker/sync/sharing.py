"""The permissions of a page's items: which are known from the folders above, and which have to be asked for.

Theory of operation. `sharings_of` is a generator without I/O: it yields questions (`ReadSharings`, `ListPermissions`),
is sent the answers, and returns what it found. Items of My Drive bring their permissions along. An item of a shared
drive has its parent's, as inherited ones, unless it says that it has its own (`hasAugmentedPermissions`), or is a
folder with limited access; the ids that Google shows for every item check what was derived, and those that differ are
asked for one by one. Parents that are neither known nor on the page are read up to one that is known, or to the drive
itself. What is known of folders is kept in `KnownFolders`, so that a folder is looked at once and not for each page of
its files.

What is kept is only as good as its age: it counts as long as no log tells of a folder or drive that has changed. See
`KnownFolders` for how that is held to.

Source: "Permission" and "File" of drive.v3.json; the guide "Manage folders with limited and expansive access".
"""

from collections import OrderedDict
from collections.abc import Generator, Hashable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import count
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import replace

from google_drive_worker.domain.drive import UnreadableItem
from google_drive_worker.domain.ids import ConnectionId, FileId
from google_drive_worker.domain.sharing import (
    UNSEEN,
    ItemSharing,
    Permission,
    PermissionDetail,
    PermissionSet,
    read_permissions,
    set_of,
)
from google_drive_worker.sync.step import is_hidden
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, SkipItem

V = TypeVar("V")

FOLDERS_KNOWN = 20_000
"""How many folders the worker knows the permissions of, all connections together: some 20 MB where each has its own."""


class ReadSharings(msgspec.Struct, frozen=True):
    """files.get of each: where do its permissions come from?"""

    file_ids: tuple[FileId, ...]


class ListPermissions(msgspec.Struct, frozen=True):
    """permissions.list of each item or shared drive."""

    file_ids: tuple[FileId, ...]


Question = ReadSharings | ListPermissions
Found = Mapping[FileId, PermissionSet | SkipItem]
"""What was found of each item: its permissions, or why it can't be asked."""

Reply = Mapping[FileId, ItemSharing | SkipItem] | Mapping[FileId, tuple[Permission | UnreadableItem, ...] | SkipItem]
Finding = Generator[Question, Reply, Found]


class KnownFolders(Generic[V]):
    """What is known of folders, such as what their children inherit; the least recently used are forgotten.

    A connection's entries count under a `mark`, and are worth nothing under another one. Whoever looks passes as the
    mark what changes whenever something above an item may have: the sync, how often its logs told of a folder, and who
    owns the connection. Entries hold nothing that can't be asked for anew.
    """

    def __init__(self, limit: int = FOLDERS_KNOWN) -> None:
        self._limit = limit
        self._serials = count()
        self._marks: OrderedDict[ConnectionId, tuple[Hashable, int]] = OrderedDict()
        self._folders: OrderedDict[tuple[int, FileId], V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._folders)

    def under(self, connection_id: ConnectionId, mark: Hashable) -> "KnownOfConnection[V]":
        """What is known of the connection's folders under that mark; what stood under another is forgotten."""
        known = self._marks.get(connection_id)
        if known is None or known[0] != mark:
            known = self._marks[connection_id] = (mark, next(self._serials))
        self._marks.move_to_end(connection_id)
        if len(self._marks) > self._limit:
            self._marks.popitem(last=False)
        return KnownOfConnection(self, known[1])

    def get(self, serial: int, folder_id: FileId) -> V | None:
        """What is known of that folder."""
        key = (serial, folder_id)
        found = self._folders.get(key)
        if found is not None:
            self._folders.move_to_end(key)
        return found

    def put(self, serial: int, folder_id: FileId, known: V) -> None:
        """Keep what is known of that folder."""
        self._folders[serial, folder_id] = known
        self._folders.move_to_end((serial, folder_id))
        if len(self._folders) > self._limit:
            self._folders.popitem(last=False)


class KnownOfConnection(Generic[V]):
    """One connection's view of `KnownFolders`, as it was when it was taken: later marks don't see what it puts."""

    def __init__(self, known: KnownFolders[V], serial: int) -> None:
        """Made by `KnownFolders.under`."""
        self._known = known
        self._serial = serial

    def get(self, folder_id: FileId) -> V | None:
        """What is known of that folder; `None` where nothing is."""
        return self._known.get(self._serial, folder_id)

    def put(self, folder_id: FileId, known: V) -> None:
        """Keep what is known of that folder."""
        self._known.put(self._serial, folder_id, known)


FoldersOfConnection = KnownOfConnection[PermissionSet]
"""What children inherit from a connection's folders and drives, by folder."""


def nothing_known() -> "KnownOfConnection[V]":
    """A view in which nothing is known, and which leaves nothing behind."""
    return KnownOfConnection(KnownFolders(), 0)


def below(own: PermissionSet, folder_id: FileId) -> PermissionSet:
    """What the children of a folder, or of a drive, inherit of its permissions.

    Those of a view (who sees a folder with limited access sees no more than that it is there) go no further.
    """
    if not own.is_visible or all(_is_passed_on(permission) for permission in own.permissions):
        return own
    passed = (permission for permission in own.permissions if permission.view is None)
    return set_of(tuple(_inherited(permission, folder_id) for permission in passed))


def _is_passed_on(permission: Permission) -> bool:
    """Whether it is the same on the children."""
    details = permission.permission_details
    return permission.view is None and bool(details) and all(each.inherited and each.inherited_from for each in details)


def _inherited(permission: Permission, folder_id: FileId) -> Permission:
    details = permission.permission_details or (PermissionDetail(role=permission.role),)
    passed = (replace(each, inherited=True, inherited_from=each.inherited_from or folder_id) for each in details)
    return replace(permission, permission_details=tuple(passed))


def seen(answer: Sequence[Permission | UnreadableItem] | SkipItem | None) -> PermissionSet | SkipItem:
    """What permissions.list came to: that the account may not see them is an answer too.

    A 404 is none: the item may be gone, which its log or a look-up decides, and what was written of it stays till then.
    """
    if isinstance(answer, SkipItem):
        return UNSEEN if is_hidden(answer) and not isinstance(answer, NotFound) else answer
    return ItemUnavailable("it was not answered") if answer is None else set_of(answer)


_DIGEST_BYTES = 16


def digest_of(members: PermissionSet) -> str:
    """A digest of all that a member's permission says, but for the address of their picture, which comes and goes."""
    told = sorted(msgspec.json.encode(replace(each, photo_link=None)) for each in members.permissions)
    told.extend(sorted(map(msgspec.json.encode, members.unreadable)))
    return blake2b(b"\n".join((str(members.is_visible).encode(), *told)), digest_size=_DIGEST_BYTES).hexdigest()


def sharings_of(
    items: Iterable[ItemSharing],
    drives: Mapping[str, str | None],
    known: FoldersOfConnection,
    *,
    also: Sequence[FileId] = (),
) -> Finding:
    """Find the permissions of all those items, and the members of the drives that had to be asked for.

    `drives` are the shared drives that the account is a member of, each with the digest of its members as they were
    last written, where they were; others are not kept. `also` are further items, to be asked for one by one.
    """
    found: dict[FileId, PermissionSet | SkipItem] = {}
    derived: dict[FileId, ItemSharing] = {}
    asked = list(also)
    for item in items:
        if item.drive_id in drives:
            derived[item.id] = item
            continue
        own = read_permissions(item.permissions) if item.drive_id is None else None
        if own is None:  # of a drive that is none of ours, or it came unreadable
            asked.append(item.id)
        else:
            found[item.id] = own
    search = _Search(derived, drives, known)
    yield from search.read_parents()
    yield from search.settle(asked)
    found.update(search.found)
    return {file_id: each for file_id, each in found.items() if file_id not in search.folders_above}


class _Search:
    """The items of shared drives on one page and the folders above them, being worked out.

    `found` are the permissions of each; `_below` what the children of a folder inherit, `None` where that can't be told
    and each child has to be asked itself.
    """

    def __init__(
        self, items: Mapping[FileId, ItemSharing], drives: Mapping[str, str | None], known: FoldersOfConnection
    ) -> None:
        self.found: dict[FileId, PermissionSet | SkipItem] = {}
        self.folders_above: set[FileId] = set()
        self._items = dict(items)
        self._drives = drives
        self._known = known
        self._below: dict[FileId, PermissionSet | None] = {}

    def read_parents(self) -> Generator[Question, Reply, None]:
        """Read the folders above the items, up to those that are known."""
        level = list(self._items.values())
        while True:
            parents = {parent: None for item in level if (parent := _heir_of(item)) and self._is_unknown(parent)}
            if not parents:
                return
            answers = yield ReadSharings(tuple(parents))
            level = []
            for parent in parents:
                answer = answers.get(parent)
                if isinstance(answer, ItemSharing) and answer.drive_id in self._drives:
                    self._items[parent] = answer
                    self.folders_above.add(parent)
                    level.append(answer)
                else:  # out of sight, or moved away just now
                    self._below[parent] = None

    def _is_unknown(self, folder_id: FileId) -> bool:
        if folder_id in self._items or folder_id in self._drives or folder_id in self._below:
            return False
        inherited = self._known.get(folder_id)
        if inherited is None:
            return True
        self._below[folder_id] = inherited  # kept here, since it may be forgotten there
        return False

    def settle(self, also: Sequence[FileId]) -> Generator[Question, Reply, None]:
        """Derive what can be derived and ask for the rest, folders before what is in them. `also` are asked anyhow."""
        waiting = self._items
        ask = dict.fromkeys(also)
        while waiting or ask:
            undecided = len(waiting)
            for item in list(waiting.values()):
                self._decide(item, waiting, ask)
            if ask:
                ask |= self._members_beside(ask)
                answers = yield ListPermissions(tuple(ask))
                for file_id in ask:
                    self._learn(file_id, seen(_permissions(answers.get(file_id))), waiting.pop(file_id, None))
                ask = {}
            elif len(waiting) == undecided:  # folders that were moved into one another between two answers
                ask = dict.fromkeys(waiting)

    def _members_beside(self, ask: Mapping[FileId, None]) -> dict[FileId, None]:
        """The drives of items that are asked for one by one, whose members were written: what such an item inherits may
        be of other members than those, and only their own list tells (`members.misjudged`)."""
        drives = (item.drive_id for file_id in ask if (item := self._items.get(file_id)) is not None)
        return {FileId(drive): None for drive in drives if drive is not None and self._drives.get(drive) is not None}

    def _decide(self, item: ItemSharing, waiting: dict[FileId, ItemSharing], ask: dict[FileId, None]) -> None:
        parent = _heir_of(item)
        if parent is None:
            ask[item.id] = None
            return
        if parent not in self._below and parent in self._drives:
            inherited = self._known.get(parent)
            if inherited is None:
                ask[parent] = None
                return
            self._below[parent] = inherited
        if parent not in self._below:
            return  # its turn comes first
        inherited = self._below[parent]
        if inherited is None or (inherited.is_visible and set(inherited.ids) != set(item.permission_ids or ())):
            ask[item.id] = None
            return
        self._learn(item.id, inherited, waiting.pop(item.id))

    def _learn(self, file_id: FileId, own: PermissionSet | SkipItem, item: ItemSharing | None) -> None:
        if not self._was_contradicted(file_id):
            self.found[file_id] = own
        if file_id not in self._drives and (item is None or not item.is_folder):
            return
        if isinstance(own, SkipItem) or own.unreadable:  # what can't be read may be passed on
            self._below[file_id] = None
            return
        inherited = below(own, file_id)
        self._below[file_id] = inherited
        written = self._drives.get(file_id)
        if written is None or written == digest_of(own):
            self._known.put(file_id, inherited)

    def _was_contradicted(self, drive_id: FileId) -> bool:
        """Whether an earlier answer of the same finding showed other members of the drive than were written. Items were
        asked for with it, so it counts, though the members may be the same again by now."""
        earlier, written = self.found.get(drive_id), self._drives.get(drive_id)
        return isinstance(earlier, PermissionSet) and written is not None and digest_of(earlier) != written


def _heir_of(item: ItemSharing) -> FileId | None:
    """The folder that the item has its permissions from; `None` where it may have others, and is to be asked.

    An old item may be in several folders, and has what each of them gives.
    """
    limited = item.inherited_permissions_disabled
    if item.has_augmented_permissions is not False or limited or item.permission_ids is None:
        return None
    return item.parents[0] if item.parents is not None and len(item.parents) == 1 else None


def _permissions(answer: object) -> tuple[Permission | UnreadableItem, ...] | SkipItem | None:
    return answer if isinstance(answer, tuple | SkipItem) else None
