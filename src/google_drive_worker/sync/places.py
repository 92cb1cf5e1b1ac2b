"""Where a page's items are: whether they are in scope, and the paths of its folders.

A generator without I/O, as `sharing` has one: it yields `ReadSharings` of folders that are neither known nor on the
page, is sent what they are, and returns what it found. What is known of folders is kept as long as no log tells of one
that has changed (`KnownFolders`).

A path is the names from the top of the Drive down to the folder, itself included, without the root's own; a folder that
lies below something that the account does not see has none. A file's path is its folder's and its name: so a folder
that is renamed is told by its folders alone, and a page without folders costs nothing.

Items from before September 2020 may be in several folders: they are in scope where any of these is, and their path goes
over the first that the account sees.
"""

from collections import deque
from collections.abc import Container, Generator, Iterable, Iterator

import msgspec

from google_drive_worker.domain.drive import FOLDER_MIME_TYPE, ChangesPage, DriveFile, FilesPage
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.sharing import ItemSharing
from google_drive_worker.sync.checkpoint import Scope
from google_drive_worker.sync.items import NOWHERE, ItemsAnswer, Places
from google_drive_worker.sync.page_sharing import sharings_in, tells_of_others
from google_drive_worker.sync.scope import MY_DRIVE, holds_drive, is_restricted
from google_drive_worker.sync.sharing import KnownOfConnection, Question, ReadSharings, Reply, nothing_known
from google_drive_worker.utils.errors import ItemUnavailable

DEPTH_AT_MOST = 100
"""Google nests folders a hundred deep at the most (Drive guide, "File and folder limits")."""

_FOLDER = FOLDER_MIME_TYPE.encode()


class Place(msgspec.Struct, frozen=True, gc=False):
    """A folder's name and the folders that it is in; `is_seen` is false for one that the account does not see,
    `is_read` for one that could not be looked up."""

    name: str = ""
    parents: tuple[FileId, ...] = ()
    drive_id: str | None = None
    is_seen: bool = True
    is_read: bool = True


KnownPlaces = KnownOfConnection[Place]
Finding = Generator[Question, Reply, Places]

_UNSEEN = Place(is_seen=False)
_UNREAD = Place(is_seen=False, is_read=False)


def places_of(answer: ItemsAnswer, scope: Scope, drives: Container[str], known: KnownPlaces) -> Finding:
    """Find which of the answer's items are out of scope, and the paths of its folders. `drives` are the shared drives
    that the account is a member of, as far as they are followed."""
    restricted = is_restricted(scope)
    looked_at = answer if restricted else _folders_of(answer) if scope.paths else None
    if looked_at is None:
        return NOWHERE
    if isinstance(answer, ChangesPage) and tells_of_others(answer):
        known = nothing_known()  # what was known may be out of date, and what is looked up now as well
    items = list(sharings_in(looked_at))
    wanted = items if restricted else [item for item in items if item.is_folder]
    search = _Search(items, known)
    yield from search.read_above(wanted)
    outside: frozenset[FileId] = frozenset()
    if restricted:
        outside = frozenset(item.id for item in items if not search.is_within(item, scope, drives))
    paths: dict[FileId, tuple[str, ...]] = {}
    pathless: list[FileId] = []
    for item in items if scope.paths else ():
        if item.is_folder and item.id not in outside:
            path = search.path_of(item)
            if path is not None:
                paths[item.id] = path
            elif search.is_top_hidden(item) or search.hidden_above(item, scope):
                pathless.append(item.id)
    roots: tuple[FileId, ...] = ()
    above = {item.id for item in items if item.is_folder and item.id in outside} if outside else set()
    if above and scope.folder_ids and not isinstance(answer, FilesPage):
        named = [root for root in scope.folder_ids if root != MY_DRIVE]  # above which there is nothing
        yield from search.read_from(named)
        roots = tuple(root for root in named if search.is_below(root, above))
    doubtful = search.doubtful(items, outside, scope)
    return Places(outside, paths, roots, doubtful.unsure, doubtful.unread, frozenset(pathless), doubtful.hidden)


def _folders_of(answer: ItemsAnswer) -> ItemsAnswer | None:
    """The answer without most of what is no folder, which need not be decoded once more then; `None` where none is.

    Folders are looked for in all of its bytes at once, which costs next to nothing.
    """
    if isinstance(answer, FilesPage):
        folders = answer.mentioning(_FOLDER)
        return FilesPage(folders) if folders else None
    if isinstance(answer, ChangesPage):
        return answer if _FOLDER in b"".join(answer.changes) else None
    return answer if any(isinstance(file, DriveFile) and file.is_folder for file in answer.values()) else None


class _Search:
    """The folders above a page's items, being found out."""

    def __init__(self, items: Iterable[ItemSharing], known: KnownPlaces) -> None:
        self._known = known
        self._places: dict[FileId, Place] = {item.id: _place_of(item) for item in items if item.is_folder}
        self._root: FileId | None = None
        self._top: Place | None = None

    def read_above(self, items: Iterable[ItemSharing]) -> Generator[Question, Reply, None]:
        """Read what is above the items, up to the top; first of all which folder My Drive's root is."""
        level = {parent: None for item in items for parent in item.parents or ()}
        if any(item.drive_id is None for item in items):
            yield from self._read_root()
        yield from self.read_from(level)

    def read_from(self, folder_ids: Iterable[FileId]) -> Generator[Question, Reply, None]:
        """Read those folders and what is above them, up to the top."""
        level = dict.fromkeys(folder_ids)
        for _ in range(DEPTH_AT_MOST):
            unknown = tuple(parent for parent in self._climb(level) if parent != self._root)
            if not unknown:
                return
            answers = yield ReadSharings(unknown)
            for folder_id in unknown:
                answer = answers.get(folder_id)
                self._places[folder_id] = place = _answered(answer)
                if place.is_seen:  # that it is not found may have passed when it is asked for next
                    self._known.put(folder_id, place)
            level = dict.fromkeys(unknown)

    def _read_root(self) -> Generator[Question, Reply, None]:
        alias = FileId(MY_DRIVE)
        place = self._known.get(alias)
        if place is None:
            answers = yield ReadSharings((alias,))
            answer = answers.get(alias)
            place = Place(parents=(answer.id,)) if isinstance(answer, ItemSharing) else _answered(answer)
            if isinstance(answer, ItemSharing):
                self._known.put(alias, place)
        self._root = place.parents[0] if place.parents else None
        self._top = place

    def _climb(self, folder_ids: Iterable[FileId]) -> Iterator[FileId]:
        """The first folders above each that are not known yet."""
        seen: set[FileId] = set()
        pending = deque(folder_ids)
        while pending:
            at = pending.popleft()
            if at in seen or at == self._root:
                continue
            seen.add(at)
            place = self._place(at)
            if place is None:
                yield at
            else:
                pending.extend(parent for parent in place.parents if parent != place.drive_id)

    def _place(self, folder_id: FileId) -> Place | None:
        place = self._places.get(folder_id)
        if place is None:
            place = self._known.get(folder_id)
            if place is not None:
                self._places[folder_id] = place  # kept here, since it may be forgotten there
        return place

    def is_within(self, item: ItemSharing, scope: Scope, drives: Container[str]) -> bool:
        """Whether the item is in scope. Where drives are named, what is shared by name out of a drive of other
        people is not: no listing of theirs would bring it."""
        if item.mime_type in scope.exclude_mime_types and not item.is_folder:
            return False
        is_foreign = item.drive_id is not None and item.drive_id not in drives
        if holds_drive(scope, item.drive_id) and not (is_foreign and scope.drive_ids is not None):
            return True
        roots = frozenset(scope.folder_ids or ())
        if MY_DRIVE in roots and self._root is not None:
            roots |= {self._root}
        return item.id in roots or self._is_any_above(item.parents or (), roots)

    def doubtful(self, items: Iterable[ItemSharing], outside: Container[FileId], scope: Scope) -> Places:
        """Of items out of scope those that are below a folder that can't be had, and these folders. Of a type that is
        left out nothing is in scope, wherever it is."""
        unsure: list[FileId] = []
        unread: list[FileId] = []
        hidden: dict[FileId, bool] = {}
        for item in items:
            if item.id not in outside or (item.mime_type in scope.exclude_mime_types and not item.is_folder):
                continue
            above = self.hidden_above(item, scope)
            if above:
                unsure.append(item.id)
                hidden.update((folder_id, place.is_read) for folder_id, place in above.items())
            if not all(place.is_read for place in above.values()):
                unread.append(item.id)
        return Places(unsure=frozenset(unsure), unread=frozenset(unread), hidden=hidden)

    def is_top_hidden(self, item: ItemSharing) -> bool:
        """Whether the item is of My Drive, of which the root can't be had now."""
        return item.drive_id is None and self._top is not None and not self._top.is_seen

    def hidden_above(self, item: ItemSharing, scope: Scope) -> dict[FileId, Place]:
        """The folders above the item that can't be had now; so is the top of My Drive, where the scope names it."""
        seen: set[FileId] = set()
        hidden: dict[FileId, Place] = {}
        names_top = MY_DRIVE in {*(scope.folder_ids or ()), *(scope.drive_ids or ())}
        if names_top and self._top is not None and self.is_top_hidden(item):
            hidden[FileId(MY_DRIVE)] = self._top
        pending = list(item.parents or ())
        while pending:
            at = pending.pop()
            place = self._place(at) if at not in seen else None
            seen.add(at)
            if place is not None:
                pending.extend(place.parents)
                if not place.is_seen:
                    hidden[at] = place
        return hidden

    def is_below(self, folder_id: FileId, folders: Container[FileId]) -> bool:
        """Whether one of the folders is above that one."""
        place = self._place(folder_id)
        return place is not None and self._is_any_above(place.parents, folders)

    def _is_any_above(self, parents: Iterable[FileId], folders: Container[FileId]) -> bool:
        """Whether one of the folders is among the parents, or above one of them."""
        seen: set[FileId] = set()
        pending = list(parents)
        while pending:
            at = pending.pop()
            if at in folders:
                return True
            place = self._place(at) if at not in seen else None
            seen.add(at)
            pending.extend(place.parents if place is not None else ())
        return False

    def path_of(self, item: ItemSharing) -> tuple[str, ...] | None:
        """The names from the top down to the folder; `None` where one of them is not to be seen."""
        if item.id == self._root:
            return ()
        names = [item.name]
        tops = {self._root, None if item.drive_id is None else FileId(item.drive_id)} - {None}
        above = item.parents or ()
        while not any(parent in tops for parent in above):
            place = next((each for parent in above if (each := self._place(parent)) and each.is_seen), None)
            if place is None or len(names) > DEPTH_AT_MOST:
                return None
            names.append(place.name)
            above = place.parents
        return tuple(reversed(names))


def _place_of(item: ItemSharing) -> Place:
    return Place(item.name, item.parents or (), item.drive_id)


def _answered(answer: object) -> Place:
    """The place of a folder that was looked up."""
    if isinstance(answer, ItemSharing):
        return _place_of(answer)
    return _UNREAD if answer is None or isinstance(answer, ItemUnavailable) else _UNSEEN
