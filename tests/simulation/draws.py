"""What a run draws from its seed about the world: how large it is, what the customer wants, and who edits what."""

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import Edit, choose_edit
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.consistency import Consistency
from drive_simulator.model.items import WORKSPACE_PREFIX, User
from drive_simulator.model.labels import add_label
from drive_simulator.model.world import World
from drive_simulator.truth.reach import visible
from google_drive_worker.domain.connection import ConnectionSettings
from google_drive_worker.domain.times import rfc3339
from google_drive_worker.sync.rechecks import NO_RECHECKS, Rechecks
from simulation.content_edits import edit_of_content
from simulation.drive_edits import sharing_in_a_drive
from simulation.low_roles import LOW_ROLES
from simulation.scopes import with_scope

SPICE = frozenset(
    {"move_between_drives", "move_folder_between_drives", "move_folder", "share", "unshare", "trash", "untrash"}
    | {"limit", "unlimit", "change_role", "link", "expire"}
)
"""The edits whose meaning a change log only hints at: chosen more often than a day of work would."""

DOCUMENT = WORKSPACE_PREFIX + "document"

OTHER_LABEL = "simulatedLabelReason"
"""A label beside that of the corpus."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run's world is. `sharing` is the share of edits that are about who may do what in a shared drive,
    `tree` how many items more each drive has, half of them folders in folders. With `details` files are commented and
    revised all along, and that is compared as well. With `scopes` only some folders, drives and types are mirrored, and
    the paths of folders are. With `contents` the bytes of files are mirrored and written anew all along, with `labels`
    labels are, and with `events` the entries of the logs are told of.

    With `odd` Google's answers are odd in storms (see `oddities`). So many `bad_files` can't be had, by
    some of the calls for them, as long as a storm lasts; `for_ever` says that they never can. With `low_role` the
    account is a reader or commenter of shared drives at most, or writes single items of a drive that it is no member
    of.

    `consistency` is how lists and logs differ from what is true as long as a storm lasts: see `Consistency`. `views` is
    the share of edits that change nothing: somebody opens a file or folder."""

    files: int = 40
    drives: int = 3
    users: int = 3
    longest_page: int = 6
    sharing: float = 0.2
    tree: int = 0
    details: bool = False
    scopes: bool = False
    contents: bool = False
    labels: bool = False
    events: bool = False
    odd: bool = False
    bad_files: int = 0
    for_ever: bool = False
    low_role: bool = False
    consistency: Consistency | None = None
    views: float = 0.0


def draw_world(size: Size, seed: int, clock: ManualClock) -> World:
    """The world that a run of that seed begins with."""
    details = Details(commented=0.3, revised=0.3) if size.details else Details()
    if size.labels:
        details = dataclasses.replace(details, labelled=0.3)
    world = generate(CorpusPlan(size.files, size.drives, size.users, seed, details=details), clock=clock)
    if size.labels:
        add_label(world, {"why": "text"}, label_id=OTHER_LABEL)
    return world


def draw_settings(size: Size, world: World, die: random.Random) -> ConnectionSettings:
    """What the customer wants mirrored when the run begins."""
    settings = ConnectionSettings(
        include_shared_drives=die.random() < 0.9,
        include_trashed=die.random() < 0.3,
        sync_permissions=die.random() < 0.9,
    )
    if size.contents:
        settings = replace(
            settings,
            sync_content=die.random() < 0.9,
            max_file_size_bytes=die.choice((None, 300, 20_000)),
            export_formats=die.choice((None, {DOCUMENT: "text/plain"}, {DOCUMENT: "video/mp4"})),
        )
    if size.labels:
        settings = replace(settings, label_ids=_draw_labels(world, die))
    if size.events:
        settings = replace(settings, sync_changes=die.random() < 0.9)
    return with_scope(settings, world, die) if size.scopes else settings


def draw_other_settings(
    size: Size, world: World, die: random.Random, now: ConnectionSettings
) -> tuple[str, ConnectionSettings]:
    """What the customer wants instead, and the name of the wish that changed."""
    wish = die.choice(("include_shared_drives", "include_trashed", "sync_permissions"))
    settings = replace(now, **{wish: not getattr(now, wish)})
    if size.scopes and die.random() < 0.5:
        settings = with_scope(settings, world, die)
    if size.contents and die.random() < 0.3:
        settings = replace(settings, sync_content=not settings.sync_content)
    if size.labels and die.random() < 0.3:
        settings = replace(settings, label_ids=_draw_labels(world, die))
    return wish, settings


def _draw_labels(world: World, die: random.Random) -> tuple[str, ...]:
    """Some of the domain's labels."""
    return tuple(die.sample(sorted(world.labels), die.randint(0, len(world.labels))))


def draw_edit(
    size: Size, world: World, user: User, die: random.Random, now: datetime, awaited: Sequence[str] = ()
) -> Edit:
    """What somebody does in Drive next; `user` is the one whose Drive is mirrored, `awaited` are the files whose bytes
    are on their way."""
    draw = die.random()
    if size.views and die.random() < size.views:
        return _view(world, user, die, now)
    edit = _membership(size, world, user, die) if draw < 0.12 else _retiming(world, die, now) if draw < 0.2 else None
    if draw > 1 - size.sharing:
        edit = sharing_in_a_drive(world, user, die, low_role=size.low_role)
    if size.contents and die.random() < 0.2:
        edit = edit_of_content(world, user, awaited, die)
    also: tuple[str, ...] = ("sharing", "comments", "revisions") if size.details else ("sharing",)
    if size.labels:
        also = (*also, "labels")
    if edit is None:
        edit = choose_edit(world, die, also=also, memberships=not size.low_role)
        for _ in range(12 if draw < 0.4 else 0):
            if edit.kind in SPICE:
                break
            edit = choose_edit(world, die, also=also, memberships=not size.low_role)
    return edit


def draw_bad_files(size: Size, world: World, user: User, die: random.Random) -> list[str]:
    """Files that the user sees, for some calls for which Google will answer nothing but errors."""
    files = [item.id for item in visible(world, user) if not item.is_folder]
    return die.sample(files, min(len(files), size.bad_files))


def age_by_arrival(world: World, user: User, die: random.Random, edited: int) -> None:
    """The user's items were modified as they came, ten a day, and so many of the older half yesterday."""
    items = list(user.index)
    now_ms = world.now_ms()
    for position, item in enumerate(items):
        item.modified_ms = now_ms - (len(items) + 20 - position) * 8_640_000
    for item in die.sample(items[: len(items) // 2], edited):
        item.modified_ms = now_ms - 86_400_000 - die.randrange(10**6)


def _view(world: World, user: User, die: random.Random, now: datetime) -> Edit:
    """The user, or now and then somebody else, opens a file or folder, or the top of their My Drive."""
    viewer = user if die.random() < 0.8 else die.choice(list(world.users.values()))
    seen = [item.id for item in visible(world, viewer, include_trashed=True)]
    path = f"files/{die.choice(seen or [viewer.root.id])}"
    return Edit("view", viewer.email, "PATCH", path, {"supportsAllDrives": "true"}, {"viewedByMeTime": rfc3339(now)})


def _retiming(world: World, die: random.Random, now: datetime) -> Edit | None:
    """A client sets a file's modifiedTime: to long ago, to about now, or to a time that has yet to come."""
    indexes = [user.index for user in world.users.values()]
    item = die.choice(indexes).pick(die)
    if item is None or item.owner is None:
        return None
    days_ago = die.choice((die.uniform(0, 9_000), die.uniform(0, 900), die.uniform(-900, 0)))
    time = rfc3339(now - timedelta(days=days_ago))
    query = {"supportsAllDrives": "true"}
    return Edit("retime", item.owner.email, "PATCH", f"files/{item.id}", query, {"modifiedTime": time})


def _membership(size: Size, world: World, user: User, die: random.Random) -> Edit | None:
    """Somebody, the mirror's user most often, joins or leaves a drive."""
    drive = die.choice(list(world.drives.values()))
    manager = next((user for user, grant in drive.members.items() if grant.role == "organizer"), None)
    if manager is None or manager is user:
        return None
    path = f"files/{drive.id}/permissions"
    query = {"supportsAllDrives": "true"}
    if user in drive.members:
        return Edit("leave_drive", manager.email, "DELETE", f"{path}/{user.permission_id}", query)
    role = die.choice(LOW_ROLES) if size.low_role else "writer"
    body = {"type": "user", "role": role, "emailAddress": user.email}
    return Edit("join_drive", manager.email, "POST", path, query, body)


def draw_rechecks(size: Size, seed: int) -> Rechecks:
    """What is listed again, and how long after: always where lists lag or leave items out, else in some runs."""
    if size.consistency is None and seed % 3:
        return NO_RECHECKS
    return Rechecks(relist_after_s=(400.0, 4_000.0))
