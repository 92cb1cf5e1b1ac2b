"""Random edits, as a day of work makes them: each is a call of the Drive API that its actor may make.

`random_edits` makes them on the model. `choose_edit` only says what to call, for who wants to make the call over HTTP.
Both see to it that the call is allowed when it is chosen.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from urllib.parse import parse_qsl

from drive_simulator.api.call import Services
from drive_simulator.api.dispatch import DriveApi, find_route, handlers_of
from drive_simulator.api.listing import Lister, ListingRules
from drive_simulator.api.methods import changes, comments, drives, files, labels, permissions, replies, revisions
from drive_simulator.api.operations import Operations
from drive_simulator.api.uploads import UploadSessions
from drive_simulator.api.wire import Request, json_object
from drive_simulator.edits.collaboration import MORE_KINDS
from drive_simulator.edits.edit import (
    ALL_DRIVES,
    Chooser,
    Edit,
    manager_of,
    new_name,
    pick_folder,
    pick_item,
    pick_item_where,
    pick_place,
)
from drive_simulator.model.access import own_grantees, viewers
from drive_simulator.model.clock import rfc3339
from drive_simulator.model.item_changes import can_hold
from drive_simulator.model.items import FOLDER, SHORTCUT, WORKSPACE_PREFIX, Item, User
from drive_simulator.model.world import World
from drive_simulator.push.channels import ChannelBook

__all__ = ["MORE_KINDS", "Edit", "Editor", "choose_edit", "random_edits"]

_TRIES = 200


def random_edits(
    world: World, rng: random.Random, count: int, *, memberships: bool = True, also: Collection[str] = ()
) -> Counter[str]:
    """Make `count` edits on the model; returns how many of each kind. Raises RuntimeError where none can be found."""
    editor = Editor(world)
    done: Counter[str] = Counter()
    for _ in range(count):
        edit = choose_edit(world, rng, memberships=memberships, also=also)
        editor.make(edit)
        done[edit.kind] += 1
    return done


def choose_edit(world: World, rng: random.Random, *, memberships: bool = True, also: Collection[str] = ()) -> Edit:
    """A random edit that is allowed now. `memberships`: also who is a member of which shared drive.

    `also` are keys of `MORE_KINDS`: further edits, which are left out unless asked for, so that the edits of a seed
    stay what they were. Raises RuntimeError where the world offers nothing to edit.
    """
    kinds = [each for each in _KINDS if memberships or each[1] is not _membership]
    kinds += [each for key in sorted(also) for each in MORE_KINDS[key]]
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
        operations = Operations(lambda: world.ids.token(24))
        services = Services(world, rules, Lister(world, rules), uploads, operations, ChannelBook(world))
        rooms = (changes, comments, drives, files, labels, permissions, replies, revisions)
        handlers = handlers_of(*(room.HANDLERS for room in rooms))
        self._api = DriveApi(services, handlers, _trust)

    def make(self, edit: Edit) -> Mapping[str, object]:
        """Make one edit; returns the answer's resource. Raises ApiError where it is refused."""
        path, _, query = edit.target.partition("?")
        headers = {"X-User": edit.user, "Content-Type": edit.content_type}
        request = Request(edit.method, path, tuple(parse_qsl(query, keep_blank_values=True)), headers, edit.payload)
        call = self._api.authorize(request, find_route(request.http_method, request.path))
        answer = self._api.execute(call)
        return json_object(answer.body)


def _trust(headers: Mapping[str, str], _access_token: str | None, _method_id: str, *, media: bool) -> str:
    del media
    return headers["X-User"]


def _create(world: World, rng: random.Random) -> Edit | None:
    place = pick_folder(world, rng)
    if place is None:
        return None
    folder, actor = place
    kinds = (FOLDER, WORKSPACE_PREFIX + "document", WORKSPACE_PREFIX + "spreadsheet", "text/plain", "application/pdf")
    kind = rng.choice(kinds)
    body = {"name": new_name(rng), "mimeType": kind, "parents": [folder.id]}
    return Edit("create", actor.email, "POST", "files", ALL_DRIVES, body)


def _shortcut(world: World, rng: random.Random) -> Edit | None:
    place, target = pick_folder(world, rng), pick_place(world, rng).index.pick(rng)
    if place is None or target is None or target.mime_type == SHORTCUT:
        return None
    details = {"targetId": target.id}
    body = {"name": new_name(rng), "mimeType": SHORTCUT, "parents": [place[0].id], "shortcutDetails": details}
    return Edit("shortcut", place[1].email, "POST", "files", ALL_DRIVES, body)


def _patch(kind: str, body_of: Callable[[Item, random.Random], Mapping[str, object] | None]) -> Chooser:
    def choose(world: World, rng: random.Random) -> Edit | None:
        found = pick_item(world, rng)
        body = None if found is None else body_of(found[0], rng)
        if found is None or body is None:
            return None
        return Edit(kind, found[1].email, "PATCH", f"files/{found[0].id}", ALL_DRIVES, body)

    return choose


def _untrash(world: World, rng: random.Random) -> Edit | None:
    found = pick_item_where(world, rng, lambda item: item.explicitly_trashed)
    if found is None:
        return None
    return Edit("untrash", found[1].email, "PATCH", f"files/{found[0].id}", ALL_DRIVES, {"trashed": False})


def _content(world: World, rng: random.Random) -> Edit | None:
    found = pick_item(world, rng)
    if found is None or found[0].is_workspace:
        return None
    content = new_name(rng).encode() * rng.randrange(1, 50)
    return Edit("content", found[1].email, "PATCH", f"files/{found[0].id}", ALL_DRIVES, content=content)


def _move(world: World, rng: random.Random) -> Edit | None:
    return _move_of(pick_item(world, rng), world, rng)


def _move_folder(world: World, rng: random.Random) -> Edit | None:
    return _move_of(pick_item_where(world, rng, lambda item: item.is_folder), world, rng)


def _move_of(found: tuple[Item, User] | None, world: World, rng: random.Random) -> Edit | None:
    home = None if found is None or rng.random() < 0.4 else found[0].drive or found[0].owner  # noqa: PLR2004
    place = None if found is None else pick_folder(world, rng, found[1], home)
    if found is None or place is None:
        return None
    (item, actor), (folder, _) = found, place
    if folder is item.parent or item.parent is None or not can_hold(folder, item):
        return None
    if item.is_folder and folder.drive is not item.drive and len(list(item.subtree())) > 1_000:  # noqa: PLR2004
        return None
    kind = "move_folder" if item.is_folder else "move"
    kind += "" if folder.drive is item.drive else "_between_drives"
    query = {**ALL_DRIVES, "addParents": folder.id, "removeParents": item.parent.id}
    return Edit(kind, actor.email, "PATCH", f"files/{item.id}", query, {})


def _delete(world: World, rng: random.Random) -> Edit | None:
    found = pick_item(world, rng)
    if found is None or (found[0].is_folder and len(list(found[0].subtree())) > 100):  # noqa: PLR2004
        return None
    return Edit("delete", found[1].email, "DELETE", f"files/{found[0].id}", ALL_DRIVES)


def _copy(world: World, rng: random.Random) -> Edit | None:
    found = pick_item(world, rng)
    if found is None or found[0].is_folder:
        return None
    return Edit("copy", found[1].email, "POST", f"files/{found[0].id}/copy", ALL_DRIVES, {"name": new_name(rng)})


def _share(world: World, rng: random.Random) -> Edit | None:
    found = pick_item(world, rng)
    friend = rng.choice(list(world.users.values()))
    if found is None or friend is found[0].owner or friend in own_grantees(found[0]):
        return None
    body = {"type": "user", "role": rng.choice(("reader", "commenter", "writer")), "emailAddress": friend.email}
    return Edit("share", found[1].email, "POST", f"files/{found[0].id}/permissions", ALL_DRIVES, body)


def _unshare(world: World, rng: random.Random) -> Edit | None:
    found = pick_item_where(world, rng, lambda item: bool(item.grants))
    if found is None:
        return None
    path = f"files/{found[0].id}/permissions/{rng.choice(found[0].grants or []).id}"
    return Edit("unshare", found[1].email, "DELETE", path, ALL_DRIVES)


def _view(world: World, rng: random.Random) -> Edit | None:
    return _view_of(pick_item_where(world, rng, lambda item: not item.is_folder), world, rng)


def _view_folder(world: World, rng: random.Random) -> Edit | None:
    return _view_of(pick_item_where(world, rng, lambda item: item.is_folder), world, rng)


def _view_of(found: tuple[Item, User] | None, world: World, rng: random.Random) -> Edit | None:
    """Somebody who sees the item opens it, and changes nothing."""
    if found is None:
        return None
    viewer = rng.choice(sorted(viewers(found[0]), key=lambda user: user.email))
    kind = "view_folder" if found[0].is_folder else "view"
    body = {"viewedByMeTime": rfc3339(world.now_ms())}
    return Edit(kind, viewer.email, "PATCH", f"files/{found[0].id}", ALL_DRIVES, body)


def _membership(world: World, rng: random.Random) -> Edit | None:
    """Somebody joins or leaves a shared drive, or the drive is renamed."""
    if not world.drives:
        return None
    drive = rng.choice(list(world.drives.values()))
    manager = manager_of(drive)
    if manager is None:
        return None
    if rng.random() < 0.3:  # noqa: PLR2004
        return Edit("rename_drive", manager.email, "PATCH", f"drives/{drive.id}", {}, {"name": new_name(rng)})
    user = rng.choice(list(world.users.values()))
    if user is manager:
        return None
    path = f"files/{drive.id}/permissions"
    if user in drive.members:
        return Edit("leave_drive", manager.email, "DELETE", f"{path}/{user.permission_id}", ALL_DRIVES)
    body = {"type": "user", "role": "writer", "emailAddress": user.email}
    return Edit("join_drive", manager.email, "POST", path, ALL_DRIVES, body)


_KINDS: tuple[tuple[int, Chooser], ...] = (
    (22, _create),
    (1, _shortcut),
    (18, _patch("rename", lambda _item, rng: {"name": new_name(rng)})),
    (4, _patch("describe", lambda _item, rng: {"description": new_name(rng)})),
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
    (8, _view),
    (1, _view_folder),
)
