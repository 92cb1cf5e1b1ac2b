"""A seeded world of realistic trees: the same plan gives the same Drive, id for id."""

import gc
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from drive_simulator.corpus.details import Details, add_details
from drive_simulator.corpus.names import FAMILY_NAMES, GIVEN_NAMES, KINDS, TEAMS, TOPICS, WORDS
from drive_simulator.corpus.shapes import Shapes, add_shapes
from drive_simulator.model.capabilities import can_discuss, can_have_revisions
from drive_simulator.model.clock import Clock
from drive_simulator.model.content import revision_id
from drive_simulator.model.discussion import Post, add_comment
from drive_simulator.model.items import FOLDER, SHORTCUT, WORKSPACE_PREFIX, Grant, Item, Role, SharedDrive, User
from drive_simulator.model.revisions import Revision
from drive_simulator.model.world import World

DOMAIN = "example.com"
_YEAR_MS = 365 * 24 * 3600 * 1000
_FOLDER_SHARE = 0.08
_SHORTCUT_SHARE = 0.01
_TRASHED_SHARE = 0.02
_STARRED_SHARE = 0.01
_SHARED_SHARE = 0.01
_DESCRIBED_SHARE = 0.02
_REVISED_SHARE = 0.03
_DISCUSSED_SHARE = 0.01
_HUGE_FOLDER_SHARE = 0.25
_REPORT_EVERY = 20_000

# Sizes repeat: files of one size and salt share their content, so that checksums of a large corpus cost little.
_SIZES = tuple(int(math.exp(x / 32 * math.log(256)) * 700) for x in range(64))


_USUAL = Details()
_SOME = Shapes()


@dataclass(frozen=True, slots=True)
class CorpusPlan:
    """What to generate. `files` counts every item but the roots; the first user's My Drive is the largest place.

    `my_drives` says instead how many items each user's My Drive has, a number for each user; `files` are then those of
    the shared drives. `sharing` scales how much is shared: at 0 everybody sees their own and their shared drives alone.
    `details` are what is put on top of it all, `shapes` what some items are turned into.
    """

    files: int = 2_000
    shared_drives: int = 3
    users: int = 3
    seed: int = 1
    my_drives: tuple[int, ...] = ()
    sharing: float = 1.0
    details: Details = _USUAL
    shapes: Shapes = _SOME


class _Place:
    """A tree that grows: My Drive of a user, or a shared drive."""

    __slots__ = ("drive", "folders", "huge", "owners", "root")

    def __init__(self, root: Item, drive: SharedDrive | None, owners: list[User]) -> None:
        self.root = root
        self.drive = drive
        self.owners = owners
        self.folders = [root]
        self.huge: Item | None = None


def generate(
    plan: CorpusPlan, *, clock: Clock | None = None, on_progress: Callable[[int], None] | None = None
) -> World:
    """The world of that plan. `on_progress` is told now and then how many items there are."""
    world = World(clock=clock, seed=plan.seed)
    collecting = gc.isenabled()
    # A million objects that all stay: collecting in between would only cost.
    gc.disable()
    try:
        _Generator(world, plan).run(on_progress)
    finally:
        if collecting:
            gc.enable()
    return world


class _Generator:
    """Draws the world, item by item."""

    def __init__(self, world: World, plan: CorpusPlan) -> None:
        self._world = world
        self._plan = plan
        self._random = random.Random(plan.seed)  # noqa: S311 - a made-up corpus
        self._draw = self._random.random
        self._now_ms = world.now_ms()

    def run(self, on_progress: Callable[[int], None] | None) -> None:
        places = self._places()
        given = self._plan.my_drives
        counts = [*given, *_split(self._plan.files, len(places) - len(given))]
        done = 0
        for place, count in zip(places, counts, strict=True):
            for _ in range(count):
                self._add(place)
                done += 1
                if on_progress is not None and done % _REPORT_EVERY == 0:
                    on_progress(done)
        add_details(self._world, self._plan.details, self._plan.seed)
        shapes = self._plan.shapes if self._plan.sharing else replace(self._plan.shapes, several_owners=0.0)
        add_shapes(self._world, shapes, self._plan.seed)
        self._world.index_all()
        if on_progress is not None:
            on_progress(done)

    def _places(self) -> list[_Place]:
        users = [self._user(number) for number in range(len(self._plan.my_drives) or max(self._plan.users, 1))]
        places = [_Place(user.root, None, [user]) for user in users]
        for number in range(self._plan.shared_drives):
            creator = users[number % len(users)]
            team = TEAMS[number % len(TEAMS)]
            round_ = number // len(TEAMS)
            drive = self._world.add_drive(f"{team} {round_ + 1}" if round_ else team, creator)
            roles: tuple[Role, ...] = ("writer", "fileOrganizer", "reader")
            for user in users:
                # The first user is a member everywhere; others of two drives in three.
                if user is not creator and (user is users[0] or self._draw() < 2 / 3):
                    self._world.add_member(drive, user, self._random.choice(roles))
            places.append(_Place(drive.root, drive, list(drive.members)))
        return places

    def _user(self, number: int) -> User:
        given = GIVEN_NAMES[number % len(GIVEN_NAMES)]
        family = FAMILY_NAMES[(number * 7 + number // len(GIVEN_NAMES)) % len(FAMILY_NAMES)]
        suffix = "" if number < len(GIVEN_NAMES) else str(number)
        return self._world.add_user(f"{given[1]}{suffix}@{DOMAIN}", f"{given[0]} {family}")

    def _add(self, place: _Place) -> None:
        draw = self._draw()
        if draw < _FOLDER_SHARE:
            self._add_folder(place)
        elif draw < _FOLDER_SHARE + _SHORTCUT_SHARE:
            self._add_shortcut(place)
        else:
            kind = KINDS[int(self._draw() * len(KINDS))]
            self._add_file(place, *kind)

    def _add_folder(self, place: _Place) -> None:
        parent = self._folder(place, flat=True)
        folder = self._item(place, self._words(), FOLDER, parent, -1)
        place.folders.append(folder)
        if place.huge is None:
            place.huge = folder
        self._maybe_share(folder, 5 * _SHARED_SHARE)

    def _add_file(self, place: _Place, mime_type: str, suffix: str, share: float) -> None:
        size = -1 if mime_type.startswith(WORKSPACE_PREFIX) else _SIZES[int(self._draw() * share * len(_SIZES))]
        item = self._item(place, self._words() + suffix, mime_type, self._folder(place), size)
        if self._draw() < _DESCRIBED_SHARE:
            item.set_rare("description", f"{self._words()}: {self._words()}")
        if self._draw() < _STARRED_SHARE:
            item.set_rare("starred_by", {place.owners[0].email})
        if self._draw() < _REVISED_SHARE:
            self._revise(item)
        if self._draw() < _DISCUSSED_SHARE:
            self._discuss(place, item)
        self._maybe_share(item, _SHARED_SHARE)

    def _revise(self, item: Item) -> None:
        """Give the file a past: one to four earlier revisions."""
        count = 1 + int(self._draw() * 4)
        step = max((item.modified_ms - item.created_ms) // (count + 1), 1)
        is_blob = item.size >= 0
        item.salt = count if is_blob else 0
        revisions = [
            Revision(
                revision_id(item.id, number) if is_blob else str(number + 1),
                item.modified_ms - (count - number) * step,
                item.modified_by,
                item.size,
                number,
                item.mime_type,
            )
            for number in range(count + 1)
        ]
        if can_have_revisions(item):
            item.set_rare("revisions", revisions)

    def _discuss(self, place: _Place, item: Item) -> None:
        """Put a comment on the file, with an answer now and then."""
        made = item.modified_ms
        comment = Post(self._world.ids.short_id(), self._random.choice(place.owners), self._words(), made, made)
        if self._draw() < 1 / 2:
            author = self._random.choice(place.owners)
            comment.replies.append(Post(self._world.ids.short_id(), author, self._words(), made, made))
        if can_discuss(item):
            add_comment(item, comment)

    def _add_shortcut(self, place: _Place) -> None:
        target = self._random.choice(place.folders)
        if target is place.root and place.root.children is not None:
            target = next(iter(place.root.children), target)
        item = self._item(place, self._words(), SHORTCUT, self._folder(place), -1)
        item.set_rare("target_id", target.id)
        item.set_rare("target_mime_type", target.mime_type)

    def _item(self, place: _Place, name: str, mime_type: str, parent: Item, size: int) -> Item:
        world = self._world
        created = self._now_ms - int(self._draw() * 3 * _YEAR_MS) - 60_000
        modified = created + int(self._draw() ** 3 * (self._now_ms - created))
        by = place.owners[0] if len(place.owners) == 1 else self._random.choice(place.owners)
        owner = None if place.drive is not None else by
        is_document = size < 0 and mime_type not in {FOLDER, SHORTCUT}
        item_id = world.ids.document_id() if is_document else world.ids.file_id()
        item = Item(item_id, name, mime_type, parent, place.drive, owner, created, modified, by, size, 0)
        if self._draw() < _TRASHED_SHARE:
            item.explicitly_trashed = True
            item.set_rare("trashed_ms", modified)
            item.set_rare("trashing_user", by)
        world.adopt(item)
        return item

    def _folder(self, place: _Place, *, flat: bool = False) -> Item:
        """Where the next item goes: a huge folder, or one of all, the older the likelier."""
        if not flat and place.huge is not None and self._draw() < _HUGE_FOLDER_SHARE:
            return place.huge
        return place.folders[int(self._draw() ** 2 * len(place.folders))]

    def _maybe_share(self, item: Item, probability: float) -> None:
        others = [user for user in self._world.users.values() if user is not item.owner]
        if not others or self._draw() >= probability * self._plan.sharing:
            return
        user = self._random.choice(others)
        if item.drive is not None and user in item.drive.members:
            return
        role: Role = "writer" if self._draw() < 1 / 2 else "reader"
        by = item.modified_by
        item.grants = [
            Grant(user.permission_id, "user", role, user, user.email, granted_ms=item.modified_ms, granted_by=by)
        ]

    def _words(self) -> str:
        draw = self._draw
        topic = TOPICS[int(draw() * len(TOPICS))]
        word = WORDS[int(draw() * len(WORDS))]
        return f"{topic} {word} {int(draw() * 10_000)}"


def _split(total: int, places: int) -> list[int]:
    """Whole numbers that add up to `total`, the first the largest, falling as 1, 1/2, 1/3 …; none for no place."""
    if not places:
        return []
    weights = [1.0 / (rank + 1) for rank in range(places)]
    scale = total / sum(weights)
    counts = [int(weight * scale) for weight in weights]
    counts[0] += total - sum(counts)
    return counts
