"""What a day of edits consists of, drawn from its seed: which kinds, in which order, of which items."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks import day_edits
from drive_simulator.edits.edit import Edit
from drive_simulator.model.capabilities import can_discuss
from drive_simulator.model.item_changes import can_hold
from drive_simulator.model.items import Item, User
from drive_simulator.model.world import World
from drive_simulator.truth.reach import visible

COUNTS: Mapping[str, int] = {
    "member changed": 5,
    "shared": 20,
    "moved": 20,
    "trashed": 30,
    "restored": 30,
    "folder renamed": 50,
    "comment": 300,
    "file edited": 2_000,
    "viewed": 10_000,
}
"""How many edits of each kind a whole day has, the weightiest kind first: see `day_course.Attribution`."""

_OWN_VIEWS = 0.8
_FOLDER_VIEWS = 0.1
_TRIES = 200


@dataclass(frozen=True, slots=True)
class Made:
    """An edit, and the items and drives whose records it may change; `root` is the one that was edited."""

    kind: str
    edit: Edit
    root: Item
    touched: frozenset[str]


def draw_kinds(die: random.Random, scale: float, slots: int) -> list[list[str]]:
    """The kinds of the edits between each two syncs; what is restored is so after something was trashed."""
    drawn: list[list[str]] = [[] for _ in range(slots)]
    for kind, whole in COUNTS.items():
        for _ in range(max(1, round(whole * scale))):
            first, last = (slots // 2, slots) if kind == "restored" else (0, slots)
            last = slots // 2 if kind == "trashed" else last
            drawn[die.randrange(first, last)].append(kind)
    for kinds in drawn:
        die.shuffle(kinds)
    return drawn


@dataclass(slots=True)
class Draws:
    """Finds an edit of each kind in a world, as one account sees it. `guests` own nothing and are members nowhere."""

    world: World
    user: User
    guests: list[User]
    die: random.Random
    _items: list[Item] = field(init=False)
    _folders: list[Item] = field(init=False)
    _trashed: list[Item] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._items = list(visible(self.world, self.user))
        self._folders = [item for item in self._items if item.is_folder]

    def draw(self, kind: str) -> Made:
        """An edit of that kind that may be made now. Raises RuntimeError where none is found."""
        for _ in range(_TRIES):
            made = self._try(kind)
            if made is not None:
                return made
        raise RuntimeError(f"nothing is left to be {kind}")

    def _try(self, kind: str) -> Made | None:
        match kind:
            case "viewed":
                return self._view()
            case "file edited":
                return self._edit_file()
            case "comment":
                return self._comment()
            case "folder renamed":
                item = self._pick(self._folders)
                edit = day_edits.rename(day_edits.editor_of(item), item, self._words("Folder"))
                return self._made(kind, edit, item, below=True)
            case "moved":
                return self._move()
            case "shared":
                return self._share()
            case "member changed":
                return self._change_member()
            case "trashed":
                item = self._pick(self._items)
                self._trashed.append(item)
                edit = day_edits.trash(day_edits.editor_of(item), item, trashed=True)
                return self._made(kind, edit, item, below=True)
            case _:
                return self._restore()

    def _view(self) -> Made | None:
        item = self._pick(self._folders if self.die.random() < _FOLDER_VIEWS else self._items)
        viewer = self.user if self.die.random() < _OWN_VIEWS else day_edits.editor_of(item)
        return self._made("viewed", day_edits.view(self.world, viewer, item), item)

    def _edit_file(self) -> Made | None:
        item = self._pick(self._items)
        actor, draw = day_edits.editor_of(item), self.die.random()
        if item.is_folder:
            return None
        if draw < 0.6:
            if item.size < 0:
                return None
            edit = day_edits.write(actor, item, self._words("Bytes").encode() * self.die.randrange(1, 20))
        elif draw < 0.8:
            edit = day_edits.rename(actor, item, self._words("File"))
        elif draw < 0.9:
            edit = day_edits.patch("star", self.user, item, {"starred": self.die.random() < 0.5})
        else:
            edit = day_edits.patch("describe", actor, item, {"description": self._words("What it is:")})
        return self._made("file edited", edit, item)

    def _comment(self) -> Made | None:
        item = self._pick(self._items)
        if not can_discuss(item):
            return None
        edit = day_edits.comment(day_edits.editor_of(item), item, self._words("I think"))
        return self._made("comment", edit, item)

    def _move(self) -> Made | None:
        item = self._pick(self._folders if self.die.random() < 0.5 else self._items)
        folder = self._pick(self._folders)
        is_same_place = item.drive is folder.drive and (item.drive is not None or item.owner is folder.owner)
        if not is_same_place or folder is item.parent or item.parent is None or not can_hold(folder, item):
            return None
        return self._made("moved", day_edits.move(day_edits.editor_of(item), item, folder), item, below=True)

    def _share(self) -> Made | None:
        item = self._pick(self._folders if self.die.random() < 0.5 else self._items)
        guest = self.die.choice(self.guests)
        if any(grant.user is guest for grant in item.grants or ()):
            return None
        edit = day_edits.share(day_edits.editor_of(item), item, guest, self.die.choice(("reader", "commenter")))
        return self._made("shared", edit, item, below=True)

    def _change_member(self) -> Made | None:
        drive = self.die.choice(list(self.world.drives.values()))
        actor, guest = day_edits.manager(drive), self.die.choice(self.guests)
        if guest not in drive.members:
            edit = day_edits.share(actor, drive.root, guest, self.die.choice(("reader", "writer")))
        elif self.die.random() < 0.5:
            edit = day_edits.leave(actor, drive, guest)
        else:
            edit = day_edits.change_role(actor, drive, guest, self.die.choice(("commenter", "fileOrganizer")))
        return self._made("member changed", edit, drive.root, below=True)

    def _restore(self) -> Made | None:
        item = self._trashed.pop()
        edit = day_edits.trash(day_edits.editor_of(item), item, trashed=False)
        return self._made("restored", edit, item, below=True)

    def _pick(self, items: list[Item]) -> Item:
        """One that is not in the trash. Raises RuntimeError where there is none."""
        for _ in range(_TRIES):
            item = self.die.choice(items)
            if not item.trashed:
                return item
        raise RuntimeError("everything is in the trash")

    def _words(self, first: str) -> str:
        return f"{first} {self.die.randrange(1_000_000)}"

    def _made(self, kind: str, edit: Edit, item: Item, *, below: bool = False) -> Made:
        touched = frozenset(each.id for each in item.subtree()) if below else frozenset({item.id})
        return Made(kind, edit, item, touched)
