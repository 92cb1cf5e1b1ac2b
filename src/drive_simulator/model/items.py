"""What a Drive holds: users, shared drives, items and the grants on them. Compact, since a million of them must fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast
from zlib import crc32

from drive_simulator.model.change_log import ChangeLog
from drive_simulator.model.index import Index

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
WORKSPACE_PREFIX = "application/vnd.google-apps."
MAP = WORKSPACE_PREFIX + "map"
BARE = frozenset({FOLDER, SHORTCUT, MAP, *(WORKSPACE_PREFIX + each for each in ("form", "site", "jam"))})
"""What has neither revisions nor comments, as shortcuts of other applications have neither."""
THIRD_PARTY = WORKSPACE_PREFIX + "drive-sdk"
"""What the types of other applications' shortcuts begin with."""
ENCRYPTED = "application/vnd.google-gsuite.encrypted"
"""What the types of client-side encrypted files begin with."""

EDITORS = frozenset(WORKSPACE_PREFIX + each for each in ("document", "spreadsheet", "presentation", "drawing"))
"""The Docs editors' files that have a size. Source: `size` in the File schema of the discovery document."""
_LEAST_DOCUMENT_BYTES = 1_024

Visibility = Literal["anyoneCanFind", "anyoneWithLink", "domainCanFind", "domainWithLink", "limited"]
Role = Literal["owner", "organizer", "fileOrganizer", "writer", "commenter", "reader"]
GranteeType = Literal["user", "group", "domain", "anyone"]

RANK: dict[str, int] = {"reader": 1, "commenter": 2, "writer": 3, "fileOrganizer": 4, "organizer": 5, "owner": 6}


@dataclass(slots=True, eq=False)
class Site:
    """Where links of this world lead: the address that serves it."""

    origin: str = "https://docs.google.com"


@dataclass(slots=True, eq=False)
class User:
    """An account: its My Drive, its change log and what it sees outside of shared drives it is a member of.

    `cards` keeps how it sees other accounts, since every page repeats them.
    """

    email: str
    display_name: str
    permission_id: str
    log: ChangeLog
    index: "Index[Item]" = field(default_factory=Index)
    hidden_drives: set[str] = field(default_factory=set)
    deleted: bool = False
    site: Site = field(default_factory=Site)
    cards: "dict[User, dict[str, object]]" = field(default_factory=dict)
    root: "Item" = field(init=False)


@dataclass(slots=True, eq=False)
class Group:
    """A mailing list of accounts: what is shared with it is shared with each of them."""

    email: str
    display_name: str
    permission_id: str
    members: frozenset[User]


@dataclass(slots=True, eq=False)
class SharedDrive:
    """A shared drive. Its members are the grants on its root item, whose id is the drive's.

    `members` are the accounts with the grant that says most of each. `has_limits`: a folder with limited access was
    ever in it, so that a member may not see all of it.
    """

    id: str
    name: str
    created_ms: int
    log: ChangeLog
    index: "Index[Item]" = field(default_factory=Index)
    members: dict[User, "Grant"] = field(default_factory=dict)
    color_rgb: str = "#0f9d58"
    theme_id: str = "blank"
    restrictions: dict[str, bool] = field(default_factory=dict)
    has_limits: bool = False
    root: "Item" = field(init=False)


@dataclass(slots=True, eq=False)
class Grant:
    """One direct permission on one item. `user` is the account where it is one of this world's."""

    id: str
    type: GranteeType
    role: Role
    user: User | None = None
    email: str | None = None
    domain: str | None = None
    allow_discovery: bool = False
    expiration_ms: int | None = None
    granted_ms: int = 0
    granted_by: User | None = None
    group: Group | None = None

    @property
    def people(self) -> frozenset[User]:
        """The accounts of this world that it names, by themselves or in a group."""
        if self.group is not None:
            return self.group.members
        return frozenset() if self.user is None else frozenset((self.user,))

    @property
    def is_of_deleted(self) -> bool:
        """Whether the account that it was given to is gone."""
        is_nameless = self.type in {"user", "group"} and self.email is None
        return is_nameless or (self.user is not None and self.user.deleted)

    @property
    def lasts_until_ms(self) -> float:
        """When it ends: of two of the same role, the one that lasts longer is what somebody has."""
        return float("inf") if self.expiration_ms is None else self.expiration_ms

    def names(self, user: User) -> bool:
        """Whether it gives access to that account by name."""
        return self.user is user or (self.group is not None and user in self.group.members)


class Item:
    """A file, a folder, a shortcut or a Workspace document. `size` is -1 for what has no bytes of its own.

    `salt` stands for the content of a blob that has no bytes kept in `extras["content"]`: with the size it decides
    them (see `content`). `extras` holds what few items have.
    """

    __slots__ = (
        "children",
        "created_ms",
        "drive",
        "explicitly_trashed",
        "extras",
        "grants",
        "id",
        "mime_type",
        "modified_by",
        "modified_ms",
        "name",
        "owner",
        "parent",
        "rendered",
        "salt",
        "size",
        "version",
    )

    def __init__(
        self,
        item_id: str,
        name: str,
        mime_type: str,
        parent: "Item | None",
        drive: SharedDrive | None,
        owner: User | None,
        created_ms: int,
        modified_ms: int,
        modified_by: User | None,
        size: int,
        salt: int,
    ) -> None:
        self.id = item_id
        self.name = name
        self.mime_type = mime_type
        self.parent = parent
        self.drive = drive
        self.owner = owner
        self.created_ms = created_ms
        self.modified_ms = modified_ms
        self.modified_by = modified_by
        self.size = size
        self.salt = salt
        self.version = 1
        self.explicitly_trashed = False
        self.children: Index[Item] | None = None
        self.grants: list[Grant] | None = None
        self.extras: dict[str, object] | None = None
        self.rendered: tuple[object, bytes] | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it can have children."""
        return self.mime_type == FOLDER

    @property
    def is_root(self) -> bool:
        """Whether it is a My Drive's root or a shared drive's."""
        return self.parent is None

    @property
    def is_workspace(self) -> bool:
        """Whether it is of Google's own types, folders and shortcuts included: no bytes, no checksums."""
        return self.mime_type.startswith(WORKSPACE_PREFIX)

    @property
    def is_limited(self) -> bool:
        """Whether it is a folder with limited access: what is given above it does not reach it."""
        return self.extras is not None and self.extras.get("limited") is True

    @property
    def trashed(self) -> bool:
        """Whether it is in the trash, by itself or through a folder above it."""
        at: Item | None = self
        while at is not None:
            if at.explicitly_trashed:
                return True
            at = at.parent
        return False

    def chain(self) -> "Iterator[Item]":
        """The item and every folder above it, up to the root."""
        at: Item | None = self
        while at is not None:
            yield at
            at = at.parent

    def subtree(self) -> "Iterator[Item]":
        """The item and everything below it, parents first."""
        pending = [self]
        while pending:
            item = pending.pop()
            yield item
            if item.children is not None:
                pending.extend(item.children)

    def rare(self, name: str) -> object:
        """A rarely set property, `None` where it is not set."""
        return None if self.extras is None else self.extras.get(name)

    def set_rare(self, name: str, value: object) -> None:
        """Set a rarely set property; `None` takes it away."""
        if value is None:
            if self.extras is not None:
                self.extras.pop(name, None)
            return
        if self.extras is None:
            self.extras = {}
        self.extras[name] = value

    # What queries and orders ask (see `api.search.Queryable`); accounts are named by their address.

    @property
    def parents(self) -> tuple[str, ...]:
        """The ids of the folders that hold it, the first parent's first; nothing for a root."""
        if self.parent is None:
            return ()
        return (self.parent.id, *(each.id for each in self.more_parents))

    @property
    def more_parents(self) -> "tuple[Item, ...]":
        """The folders that hold an old file beside its first parent; see `parents`, the module."""
        return () if self.extras is None else cast("tuple[Item, ...]", self.extras.get("more_parents", ()))

    @property
    def owners(self) -> tuple[User, ...]:
        """Its owners: one, several of some old files, none of what is in a shared drive."""
        if self.drive is not None or self.owner is None:
            return ()
        others = (grant.user for grant in self.grants or () if grant.role == "owner")
        return (self.owner, *(user for user in others if user is not None))

    @property
    def shown_size(self) -> int:
        """Its size as Drive shows it, that of a Docs editors' file made up; -1 where it has none.

        A document's size has nothing to do with that of its exports.
        """
        if self.size >= 0 or self.mime_type not in EDITORS:
            return self.size
        return _LEAST_DOCUMENT_BYTES + crc32(self.id.encode()) % 50_000 + self.salt

    @property
    def quota_bytes_used(self) -> int:
        """The bytes it counts for: its size; Docs editors' files count too."""
        return max(self.shown_size, 0)

    @property
    def target_id(self) -> str | None:
        """The item that a shortcut points to."""
        return cast(str | None, self.rare("target_id"))

    @property
    def properties(self) -> dict[str, str]:
        """Properties that every application sees."""
        return cast(dict[str, str], self.rare("properties") or {})

    @property
    def app_properties(self) -> dict[str, str]:
        """Properties of the calling application."""
        return cast(dict[str, str], self.rare("app_properties") or {})

    @property
    def visibility(self) -> Visibility:
        """Who finds it beside those it is shared with by name."""
        for grant in self.grants_in_force():
            if grant.type == "anyone":
                return "anyoneCanFind" if grant.allow_discovery else "anyoneWithLink"
            if grant.type == "domain":
                return "domainCanFind" if grant.allow_discovery else "domainWithLink"
        return "limited"

    @property
    def published_grants(self) -> "list[Grant]":
        """Grants of the published view, which open nothing else; not to be changed."""
        return cast("list[Grant]", self.rare("published_grants") or [])

    @property
    def passed_on(self) -> "Sequence[Grant]":
        """Its grants as they have reached what is in it: its own, but while a sharing is on its way those before it."""
        if self.extras is not None and "passed_on" in self.extras:
            return cast("Sequence[Grant]", self.extras["passed_on"])
        return self.grants or ()

    def grants_in_force(self) -> "Iterator[Grant]":
        """Its own grants and those it inherits, nearest first; past limited access the organizers' alone."""
        is_cut = False
        for at in self.chain():
            for grant in (self.grants or ()) if at is self else at.passed_on:
                if not is_cut or grant.role == "organizer":
                    yield grant
            is_cut = is_cut or at.is_limited

    def full_text(self) -> str:
        """Name and description."""
        return f"{self.name} {self.rare('description') or ''}"

    def starred_by(self, viewer: str) -> bool:
        """Whether that account put a star on it."""
        return viewer in cast(set[str], self.rare("starred_by") or ())

    def viewed_ms(self, viewer: str) -> int | None:
        """When that account last opened it."""
        return cast(dict[str, int], self.rare("viewed_by") or {}).get(viewer)

    def modified_by_ms(self, viewer: str) -> int | None:
        """When that account last changed it, where it was the last to do so."""
        return self.modified_ms if self.modified_by is not None and self.modified_by.email == viewer else None

    def shared_with_ms(self, viewer: str) -> int | None:
        """When it was shared with that account directly; None where it was not."""
        if self.owner is not None and self.owner.email == viewer:
            return None
        for grant in self.grants or ():
            if not self.is_root and any(user.email == viewer for user in grant.people):
                return grant.granted_ms
        return None

    def is_owner(self, email: str) -> bool:
        """Whether that account is an owner of it; shared-drive items have no owner."""
        return any(owner.email == email for owner in self.owners)

    def is_writer(self, email: str) -> bool:
        """Whether that account may edit it."""
        return self._rank(email) >= RANK["writer"]

    def is_reader(self, email: str) -> bool:
        """Whether that account was given access by name."""
        return self._rank(email) >= RANK["reader"]

    def _rank(self, email: str) -> int:
        best = self.opening_rank(email)
        if best == 0 and self.is_limited and self.parent is not None and self.parent.opening_rank(email):
            return RANK["reader"]
        return best

    def opening_rank(self, email: str) -> int:
        """The account's standing, a value of `RANK`, on what is in it; 0 for none. Links don't count."""
        best = 0
        for at in self.chain():
            if at.drive is None and at.owner is not None and at.owner.email == email:
                best = max(best, RANK["owner" if at is self else "writer"])
            if at.is_limited:
                break
        for grant in self.grants_in_force():
            if any(user.email == email for user in grant.people):
                best = max(best, RANK[grant.role])
        return best
