"""changes.list: a change log read as somebody sees it, each entry in its present state."""

from dataclasses import dataclass

from drive_simulator.api.errors import invalid_page_token
from drive_simulator.model.access import in_my_drive, sees
from drive_simulator.model.change_log import ChangeLog, Entry
from drive_simulator.model.items import Item, SharedDrive, User
from drive_simulator.model.world import World

SCAN_LIMIT = 20_000
_MAX_TOKEN_LENGTH = 18


@dataclass(frozen=True, slots=True)
class ChangesRequest:
    """What is asked of the log: of a shared drive's, or (`drive` None) of the user's own."""

    drive: SharedDrive | None = None
    include_all: bool = False
    include_removed: bool = True
    include_corpus_removals: bool = False
    restrict_to_my_drive: bool = False
    page_size: int = 100


@dataclass(frozen=True, slots=True)
class ServedChange:
    """One entry as it is shown. `item` or `drive` is its present state, None where there is none to show."""

    entry: Entry
    removed: bool
    item: Item | None = None
    drive: SharedDrive | None = None


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """One page: `next_token`, or `new_start_token` on the last one."""

    changes: list[ServedChange]
    next_token: str | None
    new_start_token: str | None


def start_page_token(user: User, drive: SharedDrive | None) -> str:
    """The token from which later changes are read."""
    log = _log(user, drive)
    log.arrive()
    return str(log.end)


def read_changes(world: World, user: User, request: ChangesRequest, page_token: str) -> ChangesPage:
    """One page from `page_token` on. Raises ApiError 400 `invalid` for a token that the log never gave out."""
    log = _log(user, request.drive)
    log.arrive()
    if not page_token.isascii() or not page_token.isdigit() or len(page_token) > _MAX_TOKEN_LENGTH:
        raise invalid_page_token()
    if not log.holds(int(page_token)):
        raise invalid_page_token()
    found: list[ServedChange] = []
    for scanned, (position, entry) in enumerate(log.read_from(int(page_token))):
        if len(found) >= request.page_size or scanned >= SCAN_LIMIT:
            return ChangesPage(found, str(position), None)
        served = _serve(world, user, request, entry)
        if served is not None and (request.include_removed or not served.removed):
            found.append(served)
    return ChangesPage(found, None, str(log.end))


def _serve(world: World, user: User, request: ChangesRequest, entry: Entry) -> ServedChange | None:
    if entry.is_drive:
        if request.restrict_to_my_drive:
            return None
        drive = world.drives.get(entry.target_id)
        if drive is None or user not in drive.members:
            return ServedChange(entry, removed=True)
        return ServedChange(entry, removed=False, drive=drive)
    item = world.items.get(entry.target_id)
    if item is not None and not sees(user, item):
        item = None
    if request.drive is not None:
        removed = item is None or item.drive is not request.drive
    else:
        judged = _removed_from_user_log(item, entry, include_all=request.include_all)
        if judged is None:
            return None
        removed = judged
    if request.restrict_to_my_drive and item is not None and not removed and not in_my_drive(user, item):
        return None
    shown = item if not removed or request.include_corpus_removals else None
    return ServedChange(entry, removed=removed, item=shown)


def _removed_from_user_log(item: Item | None, entry: Entry, *, include_all: bool) -> bool | None:
    """Whether the entry shows as a removal; None where the reader gets nothing of it."""
    if item is None:
        return True if include_all or entry.left_my_drive or not entry.from_drive else None
    if item.drive is None or include_all:
        return False
    return True if entry.left_my_drive or not entry.from_drive else None


def _log(user: User, drive: SharedDrive | None) -> ChangeLog:
    return user.log if drive is None else drive.log
