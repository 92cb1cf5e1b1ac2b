"""Random edits, as a day of work makes them: each is a call of the Drive API that its actor may make.

`random_edits` makes them on the model. `choose_edit` only says what to call, for who wants to make the call over HTTP.
Both see to it that the call is allowed when it is chosen.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

import orjson

from drive_simulator import api
from drive_simulator.access import own_grantees, rank
from drive_simulator.item_changes import can_hold
from drive_simulator.items import FOLDER, RANK, SHORTCUT, WORKSPACE_PREFIX, Item, SharedDrive, User
from drive_simulator.listing import Lister, ListingRules
from drive_simulator.methods import changes, comments, drives, files, permissions, replies, revisions
from drive_simulator.uploads import UploadSessions
from drive_simulator.wire import Request
from drive_simulator.world import World

_TRIES = 200
_ALL_DRIVES = {"supportsAllDrives": "true"}
_WORDS = ("plan", "Entwurf", "メモ", "résumé", "v3", "final (2)", "Протокол", "new", "für alle", "🚀")


@dataclass(frozen=True, slots=True)
class Edit:
    """One call: `path` is relative to the base address, `body` is JSON unless `content` is given."""

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
        query = dict(self.query) | ({"uploadType": "media"} if self.is_upload else {})
        return prefix + self.path + ("?" + urlencode(query) if query else "")

    @property
    def payload(self) -> bytes:
        """The request's body."""
        if self.content is not None:
            return self.content
        return b"" if self.body is None else orjson.dumps(self.body)

    @property
    def content_type(self) -> str:
        """The Content-Type of `payload`."""
        return "text/plain" if self.is_upload else "application/json"


def random_edits(world: World, rng: random.Random, count: int, *, memberships: bool = True) -> Counter[str]:
    """Make `count` edits on the model; returns how many of each kind. Raises RuntimeError where none can be found."""
    editor = Editor(world)
    done: Counter[str] = Counter()
    for _ in range(count):
        edit = choose_edit(world, rng, memberships=memberships)
        editor.make(edit)
        done[edit.kind] += 1
    return done


def choose_edit(world: World, rng: random.Random, *, memberships: bool = True) -> Edit:
    """A random edit that is allowed now. `memberships`: also who is a member of which shared drive.

    Raises RuntimeError where the world offers nothing to edit.
    """
    kinds = [each for each in _KINDS if memberships or each[1] is not _membership]
    weights = [weight for weight, _ in kinds]
    for _ in range(_TRIES):
        chooser = rng.choices(kinds, weights)[0][1]
        edit = chooser(world, rng)
        if edit is not None:
            return edit
    message = "the world offers nothing to edit"
    raise RuntimeError(message)


class Editor:
    """Makes edits on a world without a server: the same methods, called in place."""

    def __init__(self, world: World, *, rules: ListingRules | None = None) -> None:
        rules = rules or ListingRules()
        uploads = UploadSessions(lambda: world.ids.token(24))
        services = api.Services(world, rules, Lister(world, rules), uploads)
        rooms = (changes, comments, drives, files, permissions, replies, revisions)
        handlers = api.handlers_of(*(room.HANDLERS for room in rooms))
        self._api = api.DriveApi(services, handlers, _trust)

    def make(self, edit: Edit) -> Mapping[str, object]:
        """Make one edit; returns the answer's resource. Raises ApiError where it is refused."""
        path, _, query = edit.target.partition("?")
        headers = {"X-User": edit.user, "Content-Type": edit.content_type}
        request = Request(edit.method, path, tuple(parse_qsl(query, keep_blank_values=True)), headers, edit.payload)
        call = self._api.authorize(request, api.find_route(request.http_method, request.path))
        answer = self._api.execute(call)
        return api.json_object(answer.body)


def _trust(headers: Mapping[str, str], _access_token: str | None, _method_id: str, *, media: bool) -> str:
    del media
    return headers["X-User"]


def _place(world: World, rng: random.Random) -> User | SharedDrive:
    places: list[User | SharedDrive] = [*world.users.values(), *world.drives.values()]
    return rng.choice(places)


def _item(world: World, rng: random.Random) -> tuple[Item, User] | None:
    """An item with somebody who may do everything with it: its owner, or an organizer of its drive."""
    item = _place(world, rng).index.pick(rng)
    if item is None:
        return None
    actor = _manager(item.drive) if item.drive is not None else item.owner
    return None if actor is None else (item, actor)


def _manager(drive: SharedDrive) -> User | None:
    return next((user for user, grant in drive.members.items() if grant.role == "organizer"), None)


def _item_where(world: World, rng: random.Random, wanted: Callable[[Item], bool]) -> tuple[Item, User] | None:
    """Such an item as `_item`, out of fifty tries."""
    tries = (_item(world, rng) for _ in range(50))
    return next((found for found in tries if found is not None and wanted(found[0])), None)


def _folder(
    world: World, rng: random.Random, actor: User | None = None, place: User | SharedDrive | None = None
) -> tuple[Item, User] | None:
    """A folder, or the top of a corpus, that the actor (anybody) may write to; in `place`, or anywhere."""
    place = place or _place(world, rng)
    found = next((each for _ in range(20) if (each := place.index.pick(rng)) is not None and each.is_folder), None)
    folder = place.root if found is None or rng.random() < 0.2 else found  # noqa: PLR2004
    writer = actor or (_manager(folder.drive) if folder.drive is not None else folder.owner)
    return None if writer is None or rank(writer, folder) < RANK["writer"] else (folder, writer)


def _name(rng: random.Random) -> str:
    return f"{rng.choice(_WORDS)} {rng.choice(_WORDS)} {rng.randrange(100_000)}"


def _create(world: World, rng: random.Random) -> Edit | None:
    place = _folder(world, rng)
    if place is None:
        return None
    folder, actor = place
    kinds = (FOLDER, WORKSPACE_PREFIX + "document", WORKSPACE_PREFIX + "spreadsheet", "text/plain", "application/pdf")
    kind = rng.choice(kinds)
    body = {"name": _name(rng), "mimeType": kind, "parents": [folder.id]}
    return Edit("create", actor.email, "POST", "files", _ALL_DRIVES, body)


def _shortcut(world: World, rng: random.Random) -> Edit | None:
    place, target = _folder(world, rng), _place(world, rng).index.pick(rng)
    if place is None or target is None or target.mime_type == SHORTCUT:
        return None
    details = {"targetId": target.id}
    body = {"name": _name(rng), "mimeType": SHORTCUT, "parents": [place[0].id], "shortcutDetails": details}
    return Edit("shortcut", place[1].email, "POST", "files", _ALL_DRIVES, body)


def _patch(kind: str, body_of: Callable[[Item, random.Random], Mapping[str, object] | None]) -> "_Chooser":
    def choose(world: World, rng: random.Random) -> Edit | None:
        found = _item(world, rng)
        body = None if found is None else body_of(found[0], rng)
        if found is None or body is None:
            return None
        return Edit(kind, found[1].email, "PATCH", f"files/{found[0].id}", _ALL_DRIVES, body)

    return choose


def _untrash(world: World, rng: random.Random) -> Edit | None:
    found = _item_where(world, rng, lambda item: item.explicitly_trashed)
    if found is None:
        return None
    return Edit("untrash", found[1].email, "PATCH", f"files/{found[0].id}", _ALL_DRIVES, {"trashed": False})


def _content(world: World, rng: random.Random) -> Edit | None:
    found = _item(world, rng)
    if found is None or found[0].is_workspace:
        return None
    content = _name(rng).encode() * rng.randrange(1, 50)
    return Edit("content", found[1].email, "PATCH", f"files/{found[0].id}", _ALL_DRIVES, content=content)


def _move(world: World, rng: random.Random) -> Edit | None:
    return _move_of(_item(world, rng), world, rng)


def _move_folder(world: World, rng: random.Random) -> Edit | None:
    return _move_of(_item_where(world, rng, lambda item: item.is_folder), world, rng)


def _move_of(found: tuple[Item, User] | None, world: World, rng: random.Random) -> Edit | None:
    home = None if found is None or rng.random() < 0.4 else found[0].drive or found[0].owner  # noqa: PLR2004
    place = None if found is None else _folder(world, rng, found[1], home)
    if found is None or place is None:
        return None
    (item, actor), (folder, _) = found, place
    if folder is item.parent or item.parent is None or not can_hold(folder, item):
        return None
    if item.is_folder and folder.drive is not item.drive and len(list(item.subtree())) > 1_000:  # noqa: PLR2004
        return None
    kind = "move_folder" if item.is_folder else "move"
    kind += "" if folder.drive is item.drive else "_between_drives"
    query = {**_ALL_DRIVES, "addParents": folder.id, "removeParents": item.parent.id}
    return Edit(kind, actor.email, "PATCH", f"files/{item.id}", query, {})


def _delete(world: World, rng: random.Random) -> Edit | None:
    found = _item(world, rng)
    if found is None or (found[0].is_folder and len(list(found[0].subtree())) > 100):  # noqa: PLR2004
        return None
    return Edit("delete", found[1].email, "DELETE", f"files/{found[0].id}", _ALL_DRIVES)


def _copy(world: World, rng: random.Random) -> Edit | None:
    found = _item(world, rng)
    if found is None or found[0].is_folder:
        return None
    return Edit("copy", found[1].email, "POST", f"files/{found[0].id}/copy", _ALL_DRIVES, {"name": _name(rng)})


def _share(world: World, rng: random.Random) -> Edit | None:
    found = _item(world, rng)
    friend = rng.choice(list(world.users.values()))
    if found is None or friend is found[0].owner or friend in own_grantees(found[0]):
        return None
    body = {"type": "user", "role": rng.choice(("reader", "commenter", "writer")), "emailAddress": friend.email}
    return Edit("share", found[1].email, "POST", f"files/{found[0].id}/permissions", _ALL_DRIVES, body)


def _unshare(world: World, rng: random.Random) -> Edit | None:
    found = _item_where(world, rng, lambda item: bool(item.grants))
    if found is None:
        return None
    path = f"files/{found[0].id}/permissions/{rng.choice(found[0].grants or []).id}"
    return Edit("unshare", found[1].email, "DELETE", path, _ALL_DRIVES)


def _membership(world: World, rng: random.Random) -> Edit | None:
    """Somebody joins or leaves a shared drive, or the drive is renamed."""
    if not world.drives:
        return None
    drive = rng.choice(list(world.drives.values()))
    manager = _manager(drive)
    if manager is None:
        return None
    if rng.random() < 0.3:  # noqa: PLR2004
        return Edit("rename_drive", manager.email, "PATCH", f"drives/{drive.id}", {}, {"name": _name(rng)})
    user = rng.choice(list(world.users.values()))
    if user is manager:
        return None
    path = f"files/{drive.id}/permissions"
    if user in drive.members:
        return Edit("leave_drive", manager.email, "DELETE", f"{path}/{user.permission_id}", _ALL_DRIVES)
    body = {"type": "user", "role": "writer", "emailAddress": user.email}
    return Edit("join_drive", manager.email, "POST", path, _ALL_DRIVES, body)


_Chooser = Callable[[World, random.Random], Edit | None]

_KINDS: tuple[tuple[int, _Chooser], ...] = (
    (22, _create),
    (1, _shortcut),
    (18, _patch("rename", lambda _item, rng: {"name": _name(rng)})),
    (4, _patch("describe", lambda _item, rng: {"description": _name(rng)})),
    (3, _patch("star", lambda item, _rng: {"starred": not item.rare("starred_by")})),
    (8, _content),
    (12, _move),
    (4, _move_folder),
    (8, _patch("trash", lambda item, _rng: None if item.trashed else {"trashed": True})),
    (4, _untrash),
    (4, _delete),
    (5, _copy),
    (6, _share),
    (3, _unshare),
    (1, _membership),
)
