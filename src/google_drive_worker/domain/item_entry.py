"""What the item index knows of each item that was written: the entries, and what a step changes of them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from google_drive_worker.domain.content import ContentStatus
from google_drive_worker.domain.ids import FileId, SyncId
from google_drive_worker.domain.objects import ObjectRef

Digest = int
"""64 bits of a hash, unsigned."""


class PermissionDigests(msgspec.Struct, frozen=True, gc=False):
    """The permission records of an item as they were last written: each permission's id with the digest of its data.

    `held` is sorted by id. `digest` is that of the whole set: items that share a set share its digest, and the index
    keeps the set once.
    """

    digest: Digest
    held: tuple[tuple[str, Digest], ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the permissions, sorted."""
        return tuple(permission_id for permission_id, _ in self.held)


class DetailDigests(msgspec.Struct, frozen=True, gc=False):
    """The revision and comment records of a file as they were last written: each one's id with the digest of its data.

    Both are sorted by id. `None`: they were never read.
    """

    revisions: tuple[tuple[str, Digest], ...] | None = None
    comments: tuple[tuple[str, Digest], ...] | None = None


class ItemEntry(msgspec.Struct, frozen=True, gc=False):
    """An item as it was last written, or (`gone_at`) deleted.

    `digest` is that of its record's data without what is only as of the item's last write (`version`,
    `permission_ids`, `shared`, `capabilities`, `has_augmented_permissions`, photo links); `None` where it is not known.
    `corpus` is the shared drive that it is in, or the user's corpus; `parent_id` is the folder. `limits_access` is a
    folder's `inheritedPermissionsDisabled`. `has_own_permissions` says that not all of its permissions are inherited.
    `permissions` are `None` where they were never written; `permissions_due` says that they are to be asked for.
    `version` is Drive's, as far as it is known. `changed_in` is the sync that last wrote something of the item itself.
    `is_missing`: Google answered once that there is no such item. `gone_at` is when its delete was written (RFC 3339).
    `has_revisions`, `has_comments` and `has_content` say which of these are mirrored of the file and the account may
    read, `revisions_due`, `comments_due` and `content_due` that they have yet to be read as they are now.
    `head` is what its revisions are to be read at: the head revision's id of a blob, the modifiedTime of a document.
    `comments` says whether it had any when they were last read, `None` that they never were; `comments_until` is the
    time (RFC 3339) up to which they were read.
    `content` is where its bytes are, of the edition `content_head`; `content_status` says why they can't be had.
    Of a folder, `path` is its path as it was last written, where paths are mirrored and it is known, and `rights` the
    digest of its `capabilities`: with what the account may do there changes what it sees below. `passes_on` is the
    digest of the permissions of a folder that has its own, with where each comes from: what is below it rests on that.
    """

    is_folder: bool = False
    corpus: str = ""
    parent_id: FileId | None = None
    version: int | None = None
    digest: Digest | None = None
    permissions: PermissionDigests | None = None
    changed_in: SyncId | None = None
    is_trashed: bool = False
    limits_access: bool = False
    has_own_permissions: bool = False
    permissions_due: bool = False
    is_missing: bool = False
    gone_at: str | None = None
    path: tuple[str, ...] | None = None
    rights: Digest | None = None
    passes_on: Digest | None = None
    has_revisions: bool = False
    has_comments: bool = False
    has_content: bool = False
    revisions_due: bool = False
    comments_due: bool = False
    content_due: bool = False
    head: str | None = None
    comments: bool | None = None
    comments_until: str | None = None
    content: ObjectRef | None = None
    content_head: str | None = None
    content_status: ContentStatus | None = None

    @property
    def is_gone(self) -> bool:
        """Whether its delete was written, and nothing since."""
        return self.gone_at is not None


class IndexChanges(msgspec.Struct, frozen=True, gc=False):
    """What a step changes of a connection's part of the index; `None` forgets an entry for good.

    `seen` are items that a full sync saw and that were not changed; `ends_seen` says that the full sync is over, and
    with it what it saw. `wipes` forgets all that was known before.
    """

    entries: Mapping[FileId, ItemEntry | None] = {}
    details: Mapping[FileId, DetailDigests | None] = {}
    seen: Sequence[FileId] = ()
    ends_seen: bool = False
    wipes: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.entries or self.details or self.seen or self.ends_seen or self.wipes)


class ItemIndex(Protocol):
    """A connection's part of the index, with all steps written so far included. Reading it never waits for Google."""

    def get(self, item_id: FileId) -> ItemEntry | None:
        """The item's entry; `None` where it was never written, or was forgotten."""
        ...

    def details(self, file_id: FileId) -> DetailDigests | None:
        """What hangs on the file, as it was last written."""
        ...

    def children(self, folder_id: FileId, after: FileId | None = None, limit: int = 500) -> Sequence[FileId]:
        """The items whose entry names that folder as its parent, deleted ones left out: sorted by id, from the first
        after `after` on, so many at the most."""
        ...

    def scan(self, after: FileId | None = None, limit: int = 500) -> Sequence[tuple[FileId, ItemEntry]]:
        """All entries, deleted ones included: sorted by id, from the first after `after` on, so many at the most."""
        ...

    def is_seen(self, item_id: FileId) -> bool:
        """Whether the running full sync saw the item unchanged."""
        ...
