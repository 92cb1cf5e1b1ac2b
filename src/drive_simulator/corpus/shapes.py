"""Odd shapes that exist: some of each are put on top of a generated corpus.

What is changed is drawn from dice and ids of its own, and no item comes or goes: the tree, its ids and what is edited
later stay those of the seed. Sources: guides "Create a shortcut file to content stored by your app" and "Handle
client-side encrypted files"; `owners`, `parents` and the checksums in the File schema of the discovery document;
`deleted` in its Permission schema.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass

from drive_simulator.model.discussion import comments_of
from drive_simulator.model.ids import IdSource
from drive_simulator.model.items import ENCRYPTED, THIRD_PARTY, Grant, Item, User
from drive_simulator.model.parents import add_parent
from drive_simulator.model.world import World

_FEW = 20
"""Of so many items on, each shape is drawn at least once."""
_CROWDED = 50
_OFFSET = 20_011
_APP_ID = 314_159_265_358


@dataclass(frozen=True, slots=True)
class Shapes:
    """Shares from 0 to 1 of the items that can have each shape; about one of each at least, unless the share is 0.

    - `third_party`: shortcuts to what another application stores, without bytes, in the place of blobs.
    - `encrypted`: client-side encrypted blobs.
    - `without_checksums`: blobs of which Drive shows no checksum.
    - `several_parents`: files of My Drive in a second folder of their owner's.
    - `several_owners`: files of My Drive with a second owner.
    - `orphaned`: files of My Drive without a parent that their owner could see.
    - `deleted_grantees`: items that are shared with an account that is gone, without address and name.
    """

    third_party: float = 0.002
    encrypted: float = 0.002
    without_checksums: float = 0.002
    several_parents: float = 0.002
    several_owners: float = 0.002
    orphaned: float = 0.002
    deleted_grantees: float = 0.002


NO_SHAPES = Shapes(0, 0, 0, 0, 0, 0, 0)


def add_shapes(world: World, shapes: Shapes, seed: int) -> None:
    """Give some of the world's items each shape: before its listings are built."""
    if any(astuple(shapes)):
        _Shaper(world, shapes, seed).run()


class _Shaper:
    def __init__(self, world: World, shapes: Shapes, seed: int) -> None:
        self._world = world
        self._shapes = shapes
        self._seed = seed
        self._die = random.Random(0)  # noqa: S311 - a made-up corpus
        self._ids = IdSource(seed + _OFFSET)
        self._users = list(world.users.values())
        self._folders: dict[User, list[Item]] = {user: [user.root] for user in self._users}

    def run(self) -> None:
        items = [item for item in self._world.items.values() if item.parent is not None]
        files = [item for item in items if not item.is_folder]
        own = [item for item in files if item.drive is None]
        for item in items:
            if item.is_folder and item.owner is not None and item.drive is None:
                self._folders[item.owner].append(item)
        shapes = self._shapes
        self._each([each for each in files if _is_plain(each)], shapes.third_party, _make_third_party)
        self._each([each for each in files if _is_plain(each)], shapes.encrypted, _encrypt)
        self._each([each for each in files if each.size >= 0], shapes.without_checksums, _forget_checksums)
        self._each(own, shapes.several_parents, self._add_parent)
        self._each(own, shapes.several_owners, self._add_owner)
        uncrowded = [each for each in own if not each.more_parents and _siblings(each) <= _CROWDED]
        self._each(uncrowded, shapes.orphaned, self._orphan)
        self._each(items, shapes.deleted_grantees, self._share_with_the_deleted)

    def _each(self, items: Sequence[Item], share: float, put: Callable[[Item], None]) -> None:
        if share and len(items) >= _FEW:
            # What one shape finds decides nothing about the next.
            self._die = random.Random(f"{self._seed}:{put.__name__}")  # noqa: S311 - a made-up corpus
            for at in self._die.sample(range(len(items)), math.ceil(len(items) * share)):
                put(items[at])

    def _add_parent(self, item: Item) -> None:
        folder = self._die.choice(self._folders[item.owner] if item.owner is not None else [])
        if folder is not item.parent and not folder.trashed and not item.trashed:
            add_parent(item, folder)

    def _add_owner(self, item: Item) -> None:
        others = [user for user in self._users if user is not item.owner]
        if others:
            user = self._die.choice(others)
            grants = [grant for grant in item.grants or () if grant.user is not user]
            made = item.created_ms
            owner = Grant(user.permission_id, "user", "owner", user, user.email, granted_ms=made, granted_by=item.owner)
            item.grants = [*grants, owner]

    def _orphan(self, item: Item) -> None:
        if item.parent is not None and item.parent.children is not None:
            item.parent.children.discard(item)
        item.parent = self._world.nowhere
        self._world.hang(item)

    def _share_with_the_deleted(self, item: Item) -> None:
        role = self._die.choice(("reader", "commenter", "writer"))
        gone = Grant(self._ids.permission_id(), "user", role, granted_ms=item.modified_ms)  # type: ignore[arg-type]
        item.grants = [*(item.grants or ()), gone]


def _is_plain(item: Item) -> bool:
    """Whether it is a blob of an ordinary type, on which nothing hangs that its new type could not have."""
    if item.size < 0 or item.mime_type.startswith(ENCRYPTED):
        return False
    return item.rare("revisions") is None and not comments_of(item)


def _siblings(item: Item) -> int:
    return len(item.parent.children or ()) if item.parent is not None else 0


def _make_third_party(item: Item) -> None:
    item.mime_type = f"{THIRD_PARTY}.{_APP_ID}"
    item.size = -1


def _encrypt(item: Item) -> None:
    item.mime_type = f'{ENCRYPTED}; content="{item.mime_type}"'


def _forget_checksums(item: Item) -> None:
    item.set_rare("no_checksums", True)
