"""What a step writes of items: each item's record, its permissions' right after it, and what is kept of it in mind."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from google_drive_worker.domain.drive import ChangesPage, DriveFile, FilesPage
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import ItemIndex
from google_drive_worker.domain.record import ErrorReport
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.gaps import Opened, misplaced, open_gap
from google_drive_worker.sync.sharing import Found
from google_drive_worker.utils.errors import SkipItem

LookedUp = Mapping[FileId, DriveFile | SkipItem]
"""What look-ups by id came to: each item, or why it can't be had."""

ItemsAnswer = FilesPage | ChangesPage | LookedUp
"""An answer that holds items."""


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


def held_of(places: Places, index: ItemIndex) -> list[FileId]:
    """Return the items below a folder that was not found that the mirror holds."""
    known = {item_id: index.get(item_id) for item_id in sorted(places.unsure)}
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
