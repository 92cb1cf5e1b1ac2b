"""One random edit: the call that it is, and how an item and somebody who may edit it are found."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import orjson

from drive_simulator.model.access import rank
from drive_simulator.model.items import RANK, Item, SharedDrive, User
from drive_simulator.model.world import World

ALL_DRIVES = {"supportsAllDrives": "true"}
_WORDS = ("plan", "Entwurf", "メモ", "résumé", "v3", "final (2)", "Протокол", "new", "für alle", "🚀")
_BOUNDARY = b"simulated-edit-boundary"


@dataclass(frozen=True, slots=True)
class Edit:
    """One call: `path` is relative to the base address. `content` is uploaded, with `body` as its metadata."""

    kind: str
    user: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    content: bytes | None = None

    @property
    def is_upload(self) -> bool:
        """Whether it goes to `/upload/drive/v3` with bytes as its body."""
        return self.content is not None

    @property
    def target(self) -> str:
        """Path and query, to put behind the simulator's `origin`."""
        prefix = "/upload/drive/v3/" if self.is_upload else "/drive/v3/"
        query = dict(self.query) | self._upload_type
        return prefix + self.path + ("?" + urlencode(query) if query else "")

    @property
    def payload(self) -> bytes:
        """The request's body."""
        if self.content is not None and self.body is not None:
            metadata = b"--%s\r\nContent-Type: application/json\r\n\r\n%s\r\n" % (_BOUNDARY, orjson.dumps(self.body))
            media = b"--%s\r\nContent-Type: text/plain\r\n\r\n%s\r\n" % (_BOUNDARY, self.content)
            return metadata + media + b"--%s--\r\n" % _BOUNDARY
        if self.content is not None:
            return self.content
        return b"" if self.body is None else orjson.dumps(self.body)

    @property
    def content_type(self) -> str:
        """The Content-Type of `payload`."""
        if self.content is not None and self.body is not None:
            return f"multipart/related; boundary={_BOUNDARY.decode()}"
        return "text/plain" if self.is_upload else "application/json"

    @property
    def _upload_type(self) -> dict[str, str]:
        if self.content is None:
            return {}
        return {"uploadType": "media" if self.body is None else "multipart"}


def pick_place(world: World, rng: random.Random) -> User | SharedDrive:
    """A My Drive or shared drive at random."""
    places: list[User | SharedDrive] = [*world.users.values(), *world.drives.values()]
    return rng.choice(places)


def pick_item(world: World, rng: random.Random) -> tuple[Item, User] | None:
    """An item with somebody who may do everything with it: its owner, or an organizer of its drive."""
    item = pick_place(world, rng).index.pick(rng)
    if item is None:
        return None
    actor = manager_of(item.drive) if item.drive is not None else item.owner
    return None if actor is None else (item, actor)


def manager_of(drive: SharedDrive) -> User | None:
    """An organizer of the drive."""
    return next((user for user, grant in drive.members.items() if grant.role == "organizer"), None)


def pick_item_where(world: World, rng: random.Random, wanted: Callable[[Item], bool]) -> tuple[Item, User] | None:
    """Such an item as `_item`, out of fifty tries."""
    tries = (pick_item(world, rng) for _ in range(50))
    return next((found for found in tries if found is not None and wanted(found[0])), None)


def pick_folder(
    world: World, rng: random.Random, actor: User | None = None, place: User | SharedDrive | None = None
) -> tuple[Item, User] | None:
    """A folder, or the top of a corpus, that the actor (anybody) may write to; in `place`, or anywhere."""
    place = place or pick_place(world, rng)
    found = next((each for _ in range(20) if (each := place.index.pick(rng)) is not None and each.is_folder), None)
    folder = place.root if found is None or rng.random() < 0.2 else found  # noqa: PLR2004
    writer = actor or (manager_of(folder.drive) if folder.drive is not None else folder.owner)
    return None if writer is None or rank(writer, folder) < RANK["writer"] else (folder, writer)


def new_name(rng: random.Random) -> str:
    """A name for something."""
    return f"{rng.choice(_WORDS)} {rng.choice(_WORDS)} {rng.randrange(100_000)}"


Chooser = Callable[[World, random.Random], Edit | None]
"""Finds an edit of its kind that is allowed now; None where it finds none."""
