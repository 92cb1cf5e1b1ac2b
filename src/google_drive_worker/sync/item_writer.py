"""The one decision on each item that an answer shows: what is said of it, held against what the item index holds.

Whatever the route by which an item comes (a listing, a log, a walk, a look-up), it goes through `ItemWriter`: what
differs from the index is written, and the index is brought up to it. A full sync writes all that it covers, each item
once; what has not changed is noted as seen, so that what a listing failed to show can be told at the end.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from google_drive_worker.domain.drive import UnreadableItem
from google_drive_worker.domain.ids import FileId, SyncId
from google_drive_worker.domain.item_entry import (
    DetailDigests,
    Digest,
    IndexChanges,
    ItemEntry,
    ItemIndex,
    PermissionDigests,
)
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import (
    DeleteCause,
    ErrorReport,
    ItemRecord,
    PermissionFrame,
    Record,
    ResourceType,
)
from google_drive_worker.domain.sharing import PermissionSet
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Sync
from google_drive_worker.sync.error_reports import skipped
from google_drive_worker.sync.gaps import PLACE, find_gap, is_confirmed, unreadable
from google_drive_worker.sync.items import NOWHERE, Places
from google_drive_worker.sync.scope import is_restricted
from google_drive_worker.sync.sharing import Found, digest_of
from google_drive_worker.utils.errors import SkipItem

_ITEMS = frozenset({"file", "folder"})


class EmptyIndex:
    """An `ItemIndex` of a connection of which nothing was ever written."""

    def get(self, item_id: FileId) -> ItemEntry | None:
        """None."""
        del item_id
        return None

    def details(self, file_id: FileId) -> DetailDigests | None:
        """None."""
        del file_id
        return None

    def children(self, folder_id: FileId, after: FileId | None = None, limit: int = 500) -> Sequence[FileId]:
        """None of them."""
        del folder_id, after, limit
        return ()

    def scan(self, after: FileId | None = None, limit: int = 500) -> Sequence[tuple[FileId, ItemEntry]]:
        """None of them."""
        del after, limit
        return ()

    def is_seen(self, item_id: FileId) -> bool:
        """No."""
        del item_id
        return False


EMPTY_INDEX: ItemIndex = EmptyIndex()


class ItemWriter:
    """Gathers one step's records, and what they change of the index.

    `permissions` is `None` where they are not mirrored. `hidden` are items whose permissions the account saw
    before and does not see any more. `unread` are those whose permissions can't be had now, `odd` the error
    records of single permissions that can't be read. `questions` are items
    that a list shows and that are known to be gone: they are to be looked up. `lossy` are items of which values made no
    sense, `misplaced` those that may be out of scope. `shown` are all items that are there and in scope, written or
    not, `due` those of them of which something is to be read, and `dropped` those that are not, held or not;
    `spreading` are the folders among them that have changed in a way that reaches what is below them, `emptied` those
    that are there and not in scope any more.

    An answer that is `listed` comes from a list, which may be behind what a log or a look-up has said: a lower version
    is never written over a higher one.

    An item of which no permissions were found, though they are mirrored, keeps those that it has: something else is on
    its way that will bring them. Only what the mirror may hold is deleted.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        permissions: Found | None,
        index: ItemIndex,
        normalizer: Normalizer,
        *,
        in_doubt: bool = False,
        listed: bool = False,
        places: Places = NOWHERE,
    ) -> None:
        self.records: list[Record] = []
        self.errors: list[ErrorReport] = []
        self.entries: dict[FileId, ItemEntry | None] = {}
        self.details: dict[FileId, DetailDigests | None] = {}
        self.shown: set[FileId] = set()
        self.due: dict[FileId, ItemEntry] = {}
        self.dropped: set[FileId] = set()
        self.spreading: list[FileId] = []
        self.emptied: list[FileId] = []
        self.hidden: list[FileId] = []
        self.unread: dict[FileId, SkipItem] = {}
        self.odd: dict[FileId, tuple[ErrorReport, ...]] = {}
        self.questions: list[FileId] = []
        self.lossy: list[FileId] = []
        self.misplaced: list[FileId] = []
        self._checkpoint = checkpoint
        self._permissions = permissions
        self._index = index
        self._normalizer = normalizer
        self._in_doubt = in_doubt
        self._listed = listed
        self._places = places
        self._restricted = is_restricted(checkpoint.scope)
        self._frames: dict[int, tuple[PermissionFrame, ...]] = {}
        sync = checkpoint.sync
        self._sync_id = None if sync is None else sync.sync_id
        self._full_sync_id = full_sync_of(checkpoint)
        self._seen: dict[FileId, None] = {}

    @property
    def changes(self) -> IndexChanges:
        """What the step changes of the index."""
        return IndexChanges(self.entries, self.details, tuple(self._seen))

    def extend(self, records: Iterable[Record]) -> None:
        """Write records, those of items with what belongs to them."""
        for record in records:
            self.write(record)

    def write(self, record: Record) -> None:
        """Write a record, with what belongs to it where it is an item's."""
        if isinstance(record, ItemRecord):
            self._write_item(record)
        elif record.operation == "delete":
            self.delete(record)
        else:
            self.records.append(record)

    def write_view(self, record: ItemRecord) -> None:
        """Write an item of which only the account's own view has changed: its version is that of its entry."""
        item_id = FileId(record.resource_id)
        held = self.held(item_id)
        is_view = held is not None and held.version is not None and held.version == record.version
        if is_view and not self.is_outside(item_id):
            self._write_item(record)

    def delete(self, record: Record, *, is_by_place: bool = False) -> None:
        """Write a delete, with which goes what hangs on the item (docs/records.md). One that rests on where the item
        is waits for the folders above it."""
        item_id = FileId(record.resource_id)
        if record.resource_type not in _ITEMS:
            self.records.append(record)
            if record.resource_type == "shared_drive":  # its members' records go with it
                self.entries[item_id] = None
            return
        known = self.entry(item_id)
        if self._listed and not self._is_news(item_id, known, record.version, is_delete=True):
            return
        if is_by_place and self._is_doubtful(item_id):
            self.misplaced.append(item_id)
            return
        held = self.held(item_id)
        if record.resource_type == "folder" and (
            held is not None or self._in_doubt or self._index.children(item_id, limit=1)
        ):
            self.spreading.append(item_id)
        if held is not None and held.is_folder != (record.resource_type == "folder"):
            return  # it is known which of both it is
        self.dropped.add(item_id)
        if held is None and not self._in_doubt:
            if known is not None and record.version is not None:
                self._keep_gone(item_id, known, record.version)
            return
        self.records.append(record)
        self._keep_gone(item_id, held or ItemEntry(is_folder=record.resource_type == "folder"), record.version)
        if held is not None and held.parent_id is not None and record.version is None:  # it was not shown
            self._doubt_below(held.parent_id)

    def _doubt_below(self, folder_id: FileId) -> None:
        """Have what is below a folder looked at again when a log names the folder next, as it is or another.

        An item is out of sight while its folder limits access; no log names the item when the folder does not any more,
        and by the time that its own log is read, the folder is again as the index holds it.
        """
        folder = self.held(folder_id)
        if folder is not None and folder.rights is not None:
            self.entries[folder_id] = replace(folder, rights=None)

    def _keep_gone(self, item_id: FileId, known: ItemEntry, version: int | None) -> None:
        self.entries[item_id] = gone_entry(known, self._checkpoint.sync, version)
        if self._index.details(item_id) is not None or self.details.get(item_id) is not None:
            self.details[item_id] = None

    def entry(self, item_id: FileId) -> ItemEntry | None:
        """The item's entry, this step included."""
        return self.entries[item_id] if item_id in self.entries else self._index.get(item_id)

    def children(self, folder_id: FileId) -> Iterator[FileId]:
        """The items that the mirror holds in a folder."""
        after: FileId | None = None
        while below := self._index.children(folder_id, after):
            yield from (each for each in below if self.held(each) is not None)
            after = below[-1]

    def held(self, item_id: FileId) -> ItemEntry | None:
        """The item's entry, where the mirror holds the item."""
        known = self.entry(item_id)
        return None if known is None or known.is_gone else known

    def _is_doubtful(self, item_id: FileId) -> bool:
        """Whether nothing is to be deleted yet, since where the item is rests on a folder that is not to be had now.

        That a folder is not found is believed the second time.
        """
        if item_id in self._places.unread:
            return True
        gap = find_gap(self._checkpoint, "item", item_id)
        is_told_again = gap is not None and gap.code == PLACE and is_confirmed(gap)
        return item_id in self._places.unsure and self.may_hold(item_id) and not is_told_again

    def _is_news(
        self, item_id: FileId, known: ItemEntry | None, version: int | None, *, is_delete: bool = False
    ) -> bool:
        """Whether a list says nothing older of the item than what is known. One that a log has told to be removed,
        at a version that is not known, is asked for instead."""
        if known is None:
            return True
        if known.version is None or version is None:
            if known.is_gone and not is_delete:
                self.questions.append(item_id)
                return False
            return True
        return version >= known.version

    @property
    def places(self) -> Places:
        """Where the answer's items are."""
        return self._places

    @property
    def outside(self) -> frozenset[FileId]:
        """The items of the answer that are out of scope."""
        return self._places.outside

    def is_outside(self, item_id: FileId) -> bool:
        """Whether an item is out of scope."""
        return item_id in self.outside

    def is_followed(self, drive_id: str | None) -> bool:
        """Whether the shared drive was mirrored when the answer was judged."""
        return drive_id is not None and drive_id in self._checkpoint.corpora

    def roots_below(self) -> tuple[FileId, ...]:
        """The folders that the scope names, below folders of the answer that are out of it."""
        return self._places.roots

    def may_hold(self, item_id: FileId) -> bool:
        """Whether the mirror may hold the item, or held it before this step."""
        return self._in_doubt or item_id in self.entries or self.held(item_id) is not None

    def is_known_gone(self, item_id: FileId) -> bool:
        """Whether the item's delete was written."""
        known = self.entry(item_id)
        return known is not None and known.is_gone

    def write_permissions(self, item_id: FileId, found: PermissionSet) -> None:
        """Write the permissions of a shared drive that differ from those written last, and deletes of those that are
        gone. Its entry is one of a folder that is its own corpus."""
        known = self.held(item_id) or ItemEntry(is_folder=True, corpus=item_id)
        is_whole = known.permissions_due or self._is_due(item_id, known)
        permissions = self._write_permissions(item_id, known.permissions, found, is_whole=is_whole)
        due = is_whole and bool(found.unreadable)
        self.entries[item_id] = replace(known, permissions=permissions, permissions_due=due, changed_in=self._sync_id)

    def _write_item(self, record: ItemRecord) -> None:
        item_id = FileId(record.resource_id)
        known = self.entry(item_id)
        if self._listed and not self._is_news(item_id, known, record.version):
            return
        held = None if known is None or known.is_gone else known
        is_folder = record.resource_type == "folder"
        path = self._path_of(item_id) if is_folder else None
        entry = self._described(record, held, path)
        if held is not None and not is_folder:
            entry = self._without_unreadable(item_id, held, entry)
        is_whole = held is None or self._is_due(item_id, held)
        if held is None and self._in_doubt:
            # It is not known what the mirror holds of it: with the item goes whatever hangs on it.
            self.records.append(self._normalizer.deletion(record.resource_type, item_id, "removed"))
        if is_whole or held is None or held.digest != entry.digest or held.path != entry.path:
            self.records.append(record if path is None else self._normalizer.with_path(record, path))
        found = None if self._permissions is None else self._permissions.get(item_id)
        if isinstance(found, PermissionSet):
            if held is not None and held.permissions is not None and held.permissions.held and not found.is_visible:
                self.hidden.append(item_id)
            is_whole = is_whole or entry.permissions_due
            permissions = self._write_permissions(item_id, entry.permissions, found, is_whole=is_whole)
            passes_on = int(digest_of(found)[:16], 16) if is_folder and entry.has_own_permissions else None
            due = is_whole and bool(found.unreadable)
            entry = replace(entry, permissions=permissions, permissions_due=due, passes_on=passes_on)
            if found.lossy:
                self.lossy.append(item_id)
        elif self._permissions is not None:
            # What was written of them, if anything, was written before this; something else will bring them.
            entry = replace(entry, permissions_due=entry.permissions_due or is_whole)
        if found is not None and not isinstance(found, PermissionSet):
            self.unread[item_id] = found
        self._keep(item_id, known, entry)

    def _is_due(self, item_id: FileId, held: ItemEntry) -> bool:
        """Whether a full sync that is not completed has yet to write the item."""
        if self._full_sync_id is None:
            return False
        is_later = held.changed_in is not None and held.changed_in >= self._full_sync_id
        return not (is_later or item_id in self._seen or self._index.is_seen(item_id))

    def _keep(self, item_id: FileId, known: ItemEntry | None, entry: ItemEntry) -> None:
        self.shown.add(item_id)
        if entry.revisions_due or entry.comments_due or entry.content_due:
            self.due[item_id] = entry
        else:
            self.due.pop(item_id, None)
        held = None if known is None or known.is_gone else known
        if held is None or entry != held:
            self.entries[item_id] = replace(entry, changed_in=self._sync_id)
        elif self._is_due(item_id, held):
            self._seen[item_id] = None
        if entry.is_folder and reaches_below(known, self.entries.get(item_id) or entry):
            self.spreading.append(item_id)

    def _described(self, record: ItemRecord, held: ItemEntry | None, path: tuple[str, ...] | None) -> ItemEntry:
        """The entry as the record has it; what the record does not tell stays as it was."""
        before = held or ItemEntry()
        is_folder = record.resource_type == "folder"
        scope = self._checkpoint.scope
        revisions_due = comments_due = content_due = False
        if scope.sync_revisions and record.has_revisions:
            revisions_due = before.revisions_due or not before.has_revisions or before.head != record.head
        if scope.sync_comments and record.has_comments:
            comments_due = before.comments_due or before.comments is None or self._may_have_comments(record, before)
        if scope.sync_content and record.has_content:
            content_due = before.content_due or held is None
        return replace(
            before,
            is_folder=is_folder,
            corpus=record.drive_id or USER_CORPUS,
            parent_id=record.parent_id,
            version=before.version if record.version is None else record.version,
            digest=record.digest,
            is_trashed=record.trashed,
            limits_access=record.limits_access,
            has_own_permissions=record.has_own_permissions,
            is_missing=False,
            path=path,
            rights=record.rights,
            has_revisions=record.has_revisions,
            has_comments=record.has_comments,
            has_content=record.has_content,
            revisions_due=revisions_due,
            comments_due=comments_due,
            content_due=content_due,
            head=record.head if scope.sync_revisions and not is_folder else before.head,
        )

    def _may_have_comments(self, record: ItemRecord, before: ItemEntry) -> bool:
        """Whether a file that is held may have comments that were not read. `version` rises with every change but the
        account's own view of a file; whether it does with a comment is not documented. A list tells of no change."""
        if self._listed:
            return False
        is_view = before.version is not None and before.version == record.version and before.digest != record.digest
        return not is_view

    def _without_unreadable(self, file_id: FileId, before: ItemEntry, entry: ItemEntry) -> ItemEntry:
        """The entry, with the deletes written of what hangs on the file and the account may not read any more."""
        is_less = (before.has_revisions and not entry.has_revisions) or (before.has_comments and not entry.has_comments)
        if not is_less:
            return entry
        lost: list[tuple[ResourceType, tuple[tuple[str, Digest], ...]]] = []
        written = self.details[file_id] if file_id in self.details else self._index.details(file_id)
        if written is None:
            return entry
        if before.has_revisions and not entry.has_revisions and written.revisions is not None:
            lost.append(("revision", written.revisions))
            entry, written = replace(entry, head=None), replace(written, revisions=None)
        if before.has_comments and not entry.has_comments and written.comments is not None:
            lost.append(("comment", written.comments))
            entry, written = replace(entry, comments=None), replace(written, comments=None)
        for kind, held_of_it in lost:
            self.records.extend(
                self._normalizer.deletion(kind, f"{file_id}/{each}", "access_lost") for each, _ in held_of_it
            )
            self.details[file_id] = None if written == DetailDigests() else written
        return entry

    def _path_of(self, item_id: FileId) -> tuple[str, ...] | None:
        """A folder's path, where it is mirrored and known. One whose path can't be had now is read again."""
        if item_id in self._places.pathless:
            self.lossy.append(item_id)
        return self._places.paths.get(item_id)

    def _write_permissions(
        self, item_id: FileId, before: PermissionDigests | None, found: PermissionSet, *, is_whole: bool
    ) -> PermissionDigests:
        """Write those permissions that differ from what was written last, or all of them (`is_whole`), and the deletes
        of those that are gone. Where some can't be read, absence tells nothing: none is deleted or forgotten, and there
        is an error record for each of those."""
        frames = self._frames_of(found)
        now = {frame.id_end[1:]: frame.digest for frame in frames}
        old = dict(before.held) if before is not None else {}
        if found.unreadable:
            self._note_unreadable(item_id, found.unreadable)
        elif old:
            cause: DeleteCause = "removed" if found.is_visible else "access_lost"
            self.records.extend(
                self._normalizer.deletion("permission", f"{item_id}/{each}", cause) for each in old if each not in now
            )
        changed = [frame for frame in frames if is_whole or old.get(frame.id_end[1:]) != frame.digest]
        if changed:
            self.records.extend(self._normalizer.transform_permissions(item_id, changed))
        kept = {**old, **now} if found.unreadable else now
        return self._normalizer.digest_of_permissions(kept)

    def _note_unreadable(self, item_id: FileId, elements: Sequence[UnreadableItem]) -> None:
        self.unread[item_id] = unreadable(elements[0].problem)
        self.odd[item_id] = tuple(
            skipped(
                self._checkpoint,
                item_id if each.id is None else f"{item_id}/{each.id}",
                "permission",
                each.problem,
            )
            for each in elements
        )

    def _frames_of(self, found: PermissionSet) -> tuple[PermissionFrame, ...]:
        """By identity: the items of a page share few sets, which live as long as their answer does."""
        frames = self._frames.get(id(found))
        if frames is None:
            frames = self._frames[id(found)] = self._normalizer.permission_frames(found.permissions)
        return frames


def held(index: ItemIndex, item_id: FileId) -> ItemEntry | None:
    """Return the item's entry, where the mirror holds the item."""
    known = index.get(item_id)
    return None if known is None or known.is_gone else known


def is_gone_now(entries: Mapping[FileId, ItemEntry | None], file_id: FileId) -> bool:
    """Whether the step with those entries deletes the file."""
    entry = entries.get(file_id)
    return entry is not None and entry.is_gone


def gone_entry(known: ItemEntry, sync: Sync | None, version: int | None) -> ItemEntry:
    """Return the entry of an item that is deleted in that sync, at that version where it is known."""
    return ItemEntry(
        is_folder=known.is_folder,
        corpus=known.corpus,
        version=version,
        changed_in=None if sync is None else sync.sync_id,
        gone_at="" if sync is None else sync.started_at,
    )


def full_sync_of(checkpoint: Checkpoint) -> SyncId | None:
    """Return the full sync that is not completed: the running one, or one whose gaps are yet to be filled. All that it
    covers is written under its id or a later one, before its closing record tells consumers to sweep."""
    if checkpoint.sync is not None and checkpoint.sync.kind == "full":
        return checkpoint.sync.sync_id
    return None if checkpoint.unfinished is None else checkpoint.unfinished.sync_id


def reaches_below(before: ItemEntry | None, after: ItemEntry) -> bool:
    """Return whether a change of a folder, from one entry to the other, changes what is below it or who sees it."""
    if before is None or before.is_gone:
        return True
    return (
        before.corpus != after.corpus
        or before.parent_id != after.parent_id
        or before.is_trashed != after.is_trashed
        or before.limits_access != after.limits_access
        or before.permissions != after.permissions
        or before.path != after.path
        or before.rights != after.rights
        or before.passes_on != after.passes_on
    )


def merged(before: IndexChanges, after: IndexChanges) -> IndexChanges:
    """Return the changes of two parts of one step, the second on top of the first."""
    entries: Mapping[FileId, ItemEntry | None] = {**before.entries, **after.entries}
    details: Mapping[FileId, DetailDigests | None] = {**before.details, **after.details}
    return IndexChanges(
        entries, details, (*before.seen, *after.seen), before.ends_seen or after.ends_seen, before.wipes
    )
