"""What a step writes of items: each item's record, its permissions' right after it, and what is kept of it in mind."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from google_drive_worker.domain.drive import ChangesPage, DriveFile, FilesPage, UnreadableItem
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.memory import Recall, Remembered
from google_drive_worker.domain.ports import Normalizer
from google_drive_worker.domain.record import DeleteCause, ErrorReport, PermissionFrame, Record
from google_drive_worker.domain.sharing import PermissionSet
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.error_reports import skipped
from google_drive_worker.sync.gaps import PLACE, Opened, find_gap, is_confirmed, misplaced, open_gap, unreadable
from google_drive_worker.sync.scope import is_restricted
from google_drive_worker.sync.sharing import Found
from google_drive_worker.utils.errors import SkipItem

LookedUp = Mapping[FileId, DriveFile | SkipItem]
"""What look-ups by id came to: each item, or why it can't be had."""

ItemsAnswer = FilesPage | ChangesPage | LookedUp
"""An answer that holds items."""

_ITEMS = frozenset({"file", "folder"})


class Places(NamedTuple):
    """Where items are: those that are out of scope, and the paths of folders (see `places`).

    `roots` are the folders that the scope names and that are below one of the answer's, out of scope by itself: what
    became of that one reaches them, and no log names them. `unsure` are those of the items out of scope that are below
    a folder that was not found now, `unread` those below one that could not be looked up; `pathless` are folders in
    scope below either. `hidden` are the folders above items out of scope that could not be had, those that were not
    found with `True`.
    """

    outside: frozenset[FileId] = frozenset()
    paths: Mapping[FileId, tuple[str, ...]] = {}
    roots: tuple[FileId, ...] = ()
    unsure: frozenset[FileId] = frozenset()
    unread: frozenset[FileId] = frozenset()
    pathless: frozenset[FileId] = frozenset()
    hidden: Mapping[FileId, bool] = {}


NOWHERE = Places()


def misplaced_in(
    checkpoint: Checkpoint, places: Places, home_of: Callable[[FileId], str], held: Iterable[FileId]
) -> Opened:
    """Note the folders that could not be had, so that it is not known whether what is below them is in scope: a folder
    is walked when it is there again. Items that the mirror holds, below a folder that was not found, are `held`: they
    are looked up, and deleted where the folder is not found again.
    """
    reports: list[ErrorReport] = []
    for folder_id, missing in places.hidden.items():
        checkpoint, more = open_gap(
            checkpoint, "folder", folder_id, home_of(folder_id), misplaced("it"), missing=missing
        )
        reports += more
    for item_id in held:
        if item_id in places.unsure and item_id not in places.unread:
            problem = misplaced("a folder above it")
            checkpoint, more = open_gap(checkpoint, "item", item_id, home_of(item_id), problem, missing=True)
            reports += more
    return Opened(checkpoint, tuple(reports))


def held_of(places: Places, recall: Recall) -> list[FileId]:
    """Return the items below a folder that was not found that the mirror holds."""
    known = {item_id: recall(item_id) for item_id in sorted(places.unsure)}
    return [item_id for item_id, each in known.items() if each is not None and not each.is_gone]


class Shared:
    """An answer that holds items, with the permissions that were found of them, and where they are.

    `sighted` is `page_sharing.sighted_of` as it was when the answer was asked for: should it have risen since,
    something has changed that the permissions may rest on, and the answer is out of date.
    """

    __slots__ = ("answer", "permissions", "places", "sighted")

    def __init__(self, answer: ItemsAnswer, permissions: Found, sighted: int, places: Places = NOWHERE) -> None:
        self.answer = answer
        self.permissions = permissions
        self.sighted = sighted
        self.places = places


def nothing_remembered(file_id: FileId) -> None:
    """A `Recall` of a connection of which nothing was ever written."""
    del file_id


class ItemWriter:
    """Gathers one step's records. `permissions` is `None` where they are not mirrored. `rewritten` are items that were
    deleted before they were written: what hung on them is gone. `hidden` are those whose permissions the account saw
    before and does not see any more. `unread` are those whose permissions can't be had now, `odd` the error
    records of single permissions that can't be read. `questions` are items
    that a list shows and that are known to be gone: they are to be looked up. `lossy` are items of which values made no
    sense, `misplaced` those that may be out of scope.

    An answer that is `listed` comes from a list, which may be behind what a log or a look-up has said: of an item that
    is remembered, a lower version is never written over a higher one.

    An item of which no permissions were found, though they are mirrored, keeps those that it has: something else is on
    its way that will bring them. `in_doubt` says that the mirror may hold items of which nothing is remembered.

    Where the scope is restricted, only what the mirror may hold is deleted, lest all be told that happens elsewhere in
    the Drive.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        permissions: Found | None,
        recall: Recall,
        normalizer: Normalizer,
        *,
        in_doubt: bool = False,
        listed: bool = False,
        places: Places = NOWHERE,
    ) -> None:
        self.records: list[Record] = []
        self.errors: list[ErrorReport] = []
        self.remembered: dict[FileId, Remembered | None] = {}
        self.rewritten: list[FileId] = []
        self.hidden: list[FileId] = []
        self.unread: dict[FileId, SkipItem] = {}
        self.odd: dict[FileId, tuple[ErrorReport, ...]] = {}
        self.questions: list[FileId] = []
        self.lossy: list[FileId] = []
        self.misplaced: list[FileId] = []
        self._checkpoint = checkpoint
        self._permissions = permissions
        self._recall = recall
        self._normalizer = normalizer
        self._in_doubt = in_doubt
        self._listed = listed
        self._places = places
        self._restricted = is_restricted(checkpoint.scope)
        self._frames: dict[int, tuple[PermissionFrame, ...]] = {}

    def extend(self, records: Iterable[Record]) -> None:
        """Write records, those of items with what belongs to them."""
        if self._permissions is not None or self._restricted or not self._listed:
            for record in records:
                self.write(record)
            return
        news = filter(self._is_news, records)
        self.records.extend(map(self._placed, news) if self._places.paths or self._places.pathless else news)

    def write(self, record: Record) -> None:
        """Write a record, with what belongs to it where it is an item's."""
        if record.operation == "delete":
            self.delete(record)
            return
        item_id, is_item = FileId(record.resource_id), record.resource_type in _ITEMS
        if is_item and self._listed and not self._is_news(record):
            return
        version = record.version
        record = self._placed(record)
        if is_item and (self._permissions is not None or self._restricted):
            self._write_item(record, item_id, version)
            return
        self.records.append(record)
        if is_item and not self._listed:
            self._remember(item_id, is_folder=record.resource_type == "folder", version=version)

    def delete(self, record: Record, *, is_by_place: bool = False) -> None:
        """Write a delete, with which goes what hangs on the item (docs/records.md). One that rests on where the item
        is waits for the folders above it."""
        item_id, is_item = FileId(record.resource_id), record.resource_type in _ITEMS
        if is_item and self._listed and not self._is_news(record):
            return
        if is_by_place and self._is_doubtful(item_id):
            self.misplaced.append(item_id)
        elif not is_item or self.may_hold(item_id):
            self.records.append(record)
            self.remembered[item_id] = Remembered(version=record.version, is_gone=True)

    def _is_doubtful(self, item_id: FileId) -> bool:
        """Whether nothing is to be deleted yet, since where the item is rests on a folder that is not to be had now.

        That a folder is not found is believed the second time.
        """
        if item_id in self._places.unread:
            return True
        gap = find_gap(self._checkpoint, "item", item_id)
        is_told_again = gap is not None and gap.code == PLACE and is_confirmed(gap)
        return item_id in self._places.unsure and self._before(item_id) is not None and not is_told_again

    def _is_news(self, record: Record) -> bool:
        """Whether a list says nothing older of the item than what is remembered. One that a log has told to be removed,
        at a version that is not known, is asked for instead."""
        item_id = FileId(record.resource_id)
        known = self.remembered[item_id] if item_id in self.remembered else self._recall(item_id)
        if known is None:
            return True
        if known.version is None or record.version is None:
            if known.is_gone and record.operation == "upsert":
                self.questions.append(item_id)
                return False
            return True
        return record.version >= known.version

    def _placed(self, record: Record) -> Record:
        """The record with its path, where it is a folder's. One whose path is not to be had now is read again."""
        if record.resource_id in self._places.pathless:
            self.lossy.append(FileId(record.resource_id))
        path = self._places.paths.get(FileId(record.resource_id)) if record.resource_type == "folder" else None
        return record if path is None or record.operation == "delete" else self._normalizer.with_path(record, path)

    def is_outside(self, item_id: FileId) -> bool:
        """Whether an item is out of scope."""
        return item_id in self.outside

    def is_followed(self, drive_id: str | None) -> bool:
        """Whether the shared drive was mirrored when the answer was judged."""
        return drive_id is not None and drive_id in self._checkpoint.corpora

    @property
    def places(self) -> Places:
        """Where the answer's items are."""
        return self._places

    @property
    def outside(self) -> frozenset[FileId]:
        """The items of the answer that are out of scope."""
        return self._places.outside

    def roots_below(self) -> tuple[FileId, ...]:
        """The folders that the scope names, below folders of the answer that are out of it."""
        return self._places.roots

    def may_hold(self, item_id: FileId) -> bool:
        """Whether the mirror may have held the item before this step; of a scope that is not restricted nobody asks."""
        return not self._restricted or self._in_doubt or item_id in self.remembered or self._before(item_id) is not None

    def is_known_gone(self, item_id: FileId) -> bool:
        """Whether the item is remembered as deleted."""
        known = self.remembered[item_id] if item_id in self.remembered else self._recall(item_id)
        return known is not None and known.is_gone

    def write_permissions(
        self,
        item_id: FileId,
        found: PermissionSet,
        *,
        is_folder: bool = False,
        also_before: Sequence[str] = (),
        version: int | None = None,
    ) -> None:
        """Write all permissions of an item or a shared drive, and the deletes of those that it had before.

        These are those that are remembered, and those of the ids `also_before`. Where some can't be read, absence tells
        nothing: none is deleted or forgotten, and there is an error record for each of those.
        """
        before = self._before(item_id)
        old = before.permission_ids if before is not None else ()
        if also_before:
            old = tuple(dict.fromkeys((*old, *also_before)))
        ids = found.ids
        if found.unreadable:
            ids = old = tuple(sorted({*old, *ids}))
            self._note_unreadable(item_id, found.unreadable)
        if old and old != ids:
            kept = frozenset(ids)
            cause: DeleteCause = "removed" if found.is_visible else "access_lost"
            self.records.extend(
                self._normalizer.deletion("permission", f"{item_id}/{each}", cause) for each in old if each not in kept
            )
        if found.permissions:
            self.records.extend(self._normalizer.transform_permissions(item_id, self._frames_of(found)))
        if before is None:
            self.remembered[item_id] = Remembered(is_folder, ids, version=version)
        else:
            self.remembered[item_id] = replace(
                before, is_folder=is_folder, permission_ids=ids, version=version or before.version
            )

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

    def _write_item(self, record: Record, item_id: FileId, version: int | None) -> None:
        found = (self._permissions or {}).get(item_id)
        before = self._before(item_id)
        is_folder = record.resource_type == "folder"
        if before is None and self._in_doubt:
            # Nobody remembers what the mirror holds of it: with the item goes whatever hangs on it.
            self.records.append(self._normalizer.deletion(record.resource_type, item_id, "removed"))
            self.rewritten.append(item_id)
        self.records.append(record)
        if isinstance(found, PermissionSet):
            if before is not None and before.permission_ids and not found.is_visible:
                self.hidden.append(item_id)
            self.write_permissions(item_id, found, is_folder=is_folder, version=version)
            if found.lossy:
                self.lossy.append(item_id)
            return
        if found is not None:
            self.unread[item_id] = found
        self._remember(item_id, is_folder=is_folder, version=version)

    def _remember(self, item_id: FileId, *, is_folder: bool, version: int | None) -> None:
        before = self._before(item_id)
        if before is None:
            self.remembered[item_id] = Remembered(is_folder, version=version)
        else:
            self.remembered[item_id] = replace(before, is_folder=is_folder, version=version or before.version)

    def _before(self, item_id: FileId) -> Remembered | None:
        known = self.remembered[item_id] if item_id in self.remembered else self._recall(item_id)
        return None if known is None or known.is_gone else known

    def _frames_of(self, found: PermissionSet) -> tuple[PermissionFrame, ...]:
        """By identity: the items of a page share few sets, which live as long as their answer does."""
        frames = self._frames.get(id(found))
        if frames is None:
            frames = self._frames[id(found)] = self._normalizer.permission_frames(found.permissions)
        return frames
