"""What is put on top of a generated corpus: sharing, limited access, comments, revisions and labels, by shares.

Drawn from a die and ids of its own, so that the tree, its ids and what is edited later stay those of the seed.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drive_simulator.corpus.names import TOPICS, WORDS
from drive_simulator.model.capabilities import can_discuss, can_have_revisions
from drive_simulator.model.content import revision_id
from drive_simulator.model.discussion import Post, add_comment
from drive_simulator.model.ids import IdSource
from drive_simulator.model.items import FOLDER, Grant, Group, Item, Role, User
from drive_simulator.model.label_kinds import LabelKind
from drive_simulator.model.revisions import Revision
from drive_simulator.model.world import World

_CROWDED = 50
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Details:
    """Shares from 0 to 1: of all items those `shared` one by one; of folders those with `limited` access; of files
    those that are `commented` or have several revisions (`revised`, up to `max_revisions`); of all items those that
    are `labelled`.

    Folders with more than fifty children are not limited: whatever the seed, most of a corpus is for everybody.
    """

    shared: float = 0.0
    limited: float = 0.02
    commented: float = 0.1
    revised: float = 0.03
    max_revisions: int = 5
    labelled: float = 0.02


def add_details(world: World, details: Details, seed: int) -> None:
    """Put the details on the world's items: before its listings are built."""
    _Decorator(world, details, seed).run()


class _Decorator:
    def __init__(self, world: World, details: Details, seed: int) -> None:
        self._world = world
        self._details = details
        self._die = random.Random(seed + 10_007)  # noqa: S311 - a made-up corpus
        self._ids = IdSource(seed + 10_007)
        self._users = list(world.users.values())

    def run(self) -> None:
        details = self._details
        items = [item for item in self._world.items.values() if item.parent is not None]
        folders = [item for item in items if item.mime_type == FOLDER]
        discussed = [item for item in items if can_discuss(item)] if details.commented else []
        revised = [item for item in items if can_have_revisions(item) and item.rare("revisions") is None]
        self._each(items, details.shared, self._share)
        self._each([each for each in folders if len(each.children or ()) <= _CROWDED], details.limited, self._limit)
        self._each(discussed, details.commented, self._discuss)
        self._each(revised if details.revised else [], details.revised, self._revise)
        if details.labelled:
            self._label(items)

    def _each(self, items: Sequence[Item], share: float, put: Callable[[Item], None]) -> None:
        for at in self._die.sample(range(len(items)), round(len(items) * share)):
            put(items[at])

    def _limit(self, folder: Item) -> None:
        folder.set_rare("limited", True)
        if folder.drive is not None:
            folder.drive.has_limits = True

    def _share(self, item: Item) -> None:
        """One to three grants: an account's, an address's outside, a group's, a domain's or everybody's."""
        given = {grant.id: grant for grant in item.grants or ()}
        for _ in range(self._die.randint(1, 3)):
            grant = self._grant(item)
            if grant.user is None or grant.user is not item.owner:
                given[grant.id] = grant
        item.grants = list(given.values()) or None

    def _grant(self, item: Item) -> Grant:
        roles: tuple[Role, ...] = ("reader", "commenter", "writer")
        role = self._die.choice(roles)
        made, by = item.modified_ms, item.modified_by
        kind = self._die.random()
        if kind < 0.5:  # noqa: PLR2004 - half of it is for accounts
            user = self._die.choice(self._users)
            return Grant(user.permission_id, "user", role, user, user.email, granted_ms=made, granted_by=by)
        if kind < 0.7:  # noqa: PLR2004
            number = self._die.randrange(200)
            email = f"guest{number}@partner.example.org"
            return Grant(f"{10**19 + number:020d}", "user", role, email=email, granted_ms=made, granted_by=by)
        if kind < 0.85:  # noqa: PLR2004
            group = self._group()
            return Grant(
                group.permission_id, "group", role, email=group.email, granted_ms=made, granted_by=by, group=group
            )
        if kind < 0.95:  # noqa: PLR2004
            domain = "partner.example.org"
            return Grant("15806930463180930000k", "domain", role, domain=domain, granted_ms=made, granted_by=by)
        return Grant("anyoneWithLink", "anyone", "reader", granted_ms=made, granted_by=by)

    def _group(self) -> Group:
        email = "everybody-but-one@example.com"
        group = self._world.groups.get(email)
        if group is None:
            group = Group(email, "Everybody but one", self._ids.permission_id(), frozenset(self._users[1:]))
            self._world.groups[email] = group
        return group

    def _discuss(self, item: Item) -> None:
        author = self._author(item)
        made = item.modified_ms + self._die.randrange(_HOUR_MS)
        comment = Post(self._ids.short_id(), author, self._words(), made, made)
        if self._die.random() < 1 / 3:
            comment.quoted = {"mimeType": "text/plain", "value": self._words()}
        for number in range(self._die.choice((0, 0, 1, 2))):
            later = made + (number + 1) * 1_000
            action = "resolve" if number == 1 else None
            comment.replies.append(Post(self._ids.short_id(), author, self._words(), later, later, action=action))
            comment.modified_ms = later
        add_comment(item, comment)

    def _author(self, item: Item) -> User:
        return item.owner or item.modified_by or self._users[0]

    def _revise(self, item: Item) -> None:
        count = self._die.randint(2, max(self._details.max_revisions, 2))
        is_blob = item.size >= 0
        step = max((item.modified_ms - item.created_ms) // count, 1)
        # As an upload does, each revision of a blob has a salt of its own; the item has that of the newest.
        item.salt = count - 1 if is_blob else item.salt
        revisions = [
            Revision(
                revision_id(item.id, number) if is_blob else str(number + 1),
                item.modified_ms - (count - 1 - number) * step,
                item.modified_by,
                item.size,
                number,
                item.mime_type,
            )
            for number in range(count)
        ]
        item.set_rare("revisions", revisions)

    def _label(self, items: Sequence[Item]) -> None:
        kind = LabelKind("simulatedLabelStatus", "1", {"status": "selection", "due": "dateString", "note": "text"})
        self._world.labels[kind.id] = kind
        for at in self._die.sample(range(len(items)), round(len(items) * self._details.labelled)):
            status, day = self._die.choice(("open", "done")), self._die.randint(1, 28)
            items[at].set_rare("labels", {kind.id: {"status": (status,), "due": (f"2026-01-{day:02d}",)}})

    def _words(self) -> str:
        return f"{self._die.choice(TOPICS)} {self._die.choice(WORDS)}"
