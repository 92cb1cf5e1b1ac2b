"""What a sync could fetch next, as values. Nothing here fetches: `turn` does, and gives the answers to the engine."""

import msgspec

from google_drive_worker.domain.connection import ConnectionSettings
from google_drive_worker.domain.ids import DriveId, FileId, PageToken
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Scope, Sync, Walk

WALKS_AT_ONCE = 4
"""How many folders off the top of the stack are read side by side: deep first, so that the stack stays short."""

REMOVALS_AT_ONCE = 50
"""How many removed items one step looks up: few enough that a step stays short."""


def scope_of(settings: ConnectionSettings, *, include_shared_drives: bool) -> Scope:
    """A connection's scope; `include_shared_drives` is the worker's own default, which a connection may override."""
    wanted = settings.include_shared_drives
    return Scope(include_shared_drives if wanted is None else wanted, settings.include_trashed)


class TakeStartToken(msgspec.Struct, frozen=True):
    """changes.getStartPageToken of a corpus."""

    corpus: str


class ListDrives(msgspec.Struct, frozen=True):
    """The next page of drives.list."""

    page_token: PageToken | None


class ListFiles(msgspec.Struct, frozen=True):
    """The next page of a corpus' files.list."""

    corpus: str
    page_token: PageToken | None
    include_trashed: bool = False


class ReadChanges(msgspec.Struct, frozen=True):
    """The next page of a corpus' change log."""

    corpus: str
    page_token: PageToken


class WalkFolder(msgspec.Struct, frozen=True):
    """The next page of a changed folder's children."""

    walk: Walk
    include_trashed: bool = False


class LookUpRemoved(msgspec.Struct, frozen=True):
    """files.get of items that left a corpus."""

    file_ids: tuple[FileId, ...]


Action = TakeStartToken | ListDrives | ListFiles | ReadChanges | WalkFolder | LookUpRemoved


def step_name(action: Action) -> str:
    """A short name for what is done and where, the same for every page of it."""
    match action:
        case TakeStartToken(corpus) | ListFiles(corpus) | ReadChanges(corpus):
            return f"{type(action).__name__}:{corpus}"
        case WalkFolder(walk):
            return f"WalkFolder:{walk.folder_id}"
        case _:
            return type(action).__name__


def drive_of(corpus: str) -> DriveId | None:
    """The shared drive that a corpus is, `None` for the user's own."""
    return None if corpus == USER_CORPUS else DriveId(corpus)


def plan(checkpoint: Checkpoint) -> list[Action]:
    """All that the sync in progress may fetch now, what is most urgent first; empty when it is through.

    The order of a full sync: start tokens and shared drives, then listings, and only when all of them are through the
    change logs. An item that moves from a corpus not yet listed to one that is, is thus always in a log yet to be read.
    """
    sync = checkpoint.sync
    if sync is None:
        return []
    actions: list[Action] = []
    if not sync.drives_listed:
        actions.append(ListDrives(sync.drives_token))
    if sync.removals:
        actions.append(LookUpRemoved(tuple(removal.file_id for removal in sync.removals[:REMOVALS_AT_ONCE])))
    trashed = checkpoint.scope.include_trashed
    actions.extend(WalkFolder(walk, walk.trashed or trashed) for walk in reversed(sync.walks[-WALKS_AT_ONCE:]))
    # A page of a log and another answer that were under way together could be written in the wrong order, and the older
    # one would stand for good: no log tells of it again. So one page is read at a time, and what comes of it is first.
    logs_open = _logs_open(checkpoint, sync) and not sync.removals and not sync.walks
    for name, corpus in checkpoint.corpora.items():
        match corpus.stage:
            case "start_token":
                actions.append(TakeStartToken(name))
            case "listing" if sync.drives_listed or name != USER_CORPUS:
                # The user's listing waits for the drives: what is in one of them is left to that drive's own listing.
                actions.append(ListFiles(name, corpus.listing_token, trashed))
            case "changes" if logs_open and corpus.change_token is not None:
                actions.append(ReadChanges(name, corpus.change_token))
                logs_open = False
            case _:
                pass
    return actions


def _logs_open(checkpoint: Checkpoint, sync: Sync) -> bool:
    if sync.kind == "incremental":
        return True
    return sync.drives_listed and all(corpus.stage in {"changes", "done"} for corpus in checkpoint.corpora.values())
