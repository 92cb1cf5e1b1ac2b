"""A small simulated Google to tell stories in: two or three users, a clock that stands still, logs that are read."""

from dataclasses import dataclass, field

from drive_simulator.api.visible_changes import ChangesRequest, read_changes, start_page_token
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.item_changes import create
from drive_simulator.model.items import FOLDER, Item, SharedDrive, User
from drive_simulator.model.world import World


@dataclass
class Stage:
    """Alice and Bob, on a clock of their own."""

    clock: ManualClock = field(default_factory=ManualClock)
    world: World = field(init=False)
    alice: User = field(init=False)
    bob: User = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(clock=self.clock, seed=1)
        self.alice = self.world.add_user("alice@example.com", "Alice")
        self.bob = self.world.add_user("bob@example.com", "Bob")

    def folder(self, name: str = "Folder", parent: Item | None = None, by: User | None = None) -> Item:
        """A folder of Alice's, or of `by`."""
        return create(self.world, by or self.alice, name, FOLDER, parent)

    def file(self, name: str = "file.txt", parent: Item | None = None, by: User | None = None) -> Item:
        """A text file of Alice's, or of `by`."""
        return create(self.world, by or self.alice, name, "text/plain", parent, content=name.encode())

    def listen(self, user: User, drive: SharedDrive | None = None) -> "Listener":
        """Somebody who reads a log from now on."""
        return Listener(self.world, user, drive, start_page_token(user, drive))


@dataclass
class Listener:
    """Reads one log; each call of `news` goes on where the last one ended."""

    world: World
    user: User
    drive: SharedDrive | None
    token: str

    def news(
        self,
        *,
        include_all: bool = True,
        include_removed: bool = True,
        include_corpus_removals: bool = False,
        restrict_to_my_drive: bool = False,
        stay: bool = False,
    ) -> dict[str, str]:
        """What happened, by id: `changed`, `removed`, `removed, shown` (still accessible), or `trashed`."""
        request = ChangesRequest(
            self.drive,
            include_all=include_all,
            include_removed=include_removed,
            include_corpus_removals=include_corpus_removals,
            restrict_to_my_drive=restrict_to_my_drive,
            page_size=1_000,
        )
        page = read_changes(self.world, self.user, request, self.token)
        assert page.new_start_token is not None
        if not stay:
            self.token = page.new_start_token
        told = {}
        for change in page.changes:
            what = "removed" if change.removed else "changed"
            if change.item is not None and change.removed:
                what = "removed, shown"
            elif change.item is not None and change.item.trashed:
                what = "trashed"
            told[change.entry.target_id] = what
        return told
