"""What a sync could fetch next, as values. Nothing here fetches: `turn` does, and gives the answers to the engine."""

import msgspec

from google_drive_worker.domain.connection import ConnectionSettings
from google_drive_worker.domain.ids import DriveId, FileId, PageToken
from google_drive_worker.domain.times import TimeRange
from google_drive_worker.sync.checkpoint import USER_CORPUS, Changed, Checkpoint, Corpus, Removal, Scope, Sync, Walk
from google_drive_worker.sync.parts import asked, part_asked, parts_of, to_prove

WALKS_AT_ONCE = 4
"""How many folders off the top of the stack are read side by side: deep first, so that the stack stays short."""

REMOVALS_AT_ONCE = 50
"""How many removed items one step looks up: few enough that a step stays short."""

CONTENTS_AT_ONCE = 25
"""Of how many files the contents are looked at in one step: a turn ends when they are all there."""

CHANGED_AT_ONCE = 100
"""Of how many files the revisions and comments are read in one step: what fits into a batch of each."""

SIDE_BY_SIDE = 2
"""How many such steps are under way at a time."""

MEMBERS_AT_ONCE = 100
"""Of how many drives the members are read in one step: what fits into a batch."""


def scope_of(settings: ConnectionSettings, *, include_shared_drives: bool) -> Scope:
    """A connection's scope; `include_shared_drives` is the worker's own default, which a connection may override."""
    wanted = settings.include_shared_drives
    drives = include_shared_drives if wanted is None else wanted
    return Scope(
        drives,
        settings.include_trashed,
        settings.sync_permissions,
        settings.sync_revisions,
        settings.max_revisions if settings.sync_revisions else None,
        settings.sync_comments,
        settings.sync_content,
        settings.max_file_size_bytes if settings.sync_content else None,
        settings.export_formats if settings.sync_content else None,
        settings.drive_ids or None,
        settings.folder_ids or None,
        settings.exclude_mime_types,
        paths=settings.sync_paths,
        sync_changes=settings.sync_changes,
        label_ids=settings.label_ids,
    )


class TakeStartToken(msgspec.Struct, frozen=True):
    """changes.getStartPageToken of a corpus."""

    corpus: str


class ListDrives(msgspec.Struct, frozen=True):
    """The next page of drives.list."""

    page_token: PageToken | None


class ListFiles(msgspec.Struct, frozen=True):
    """The next page of a part of a corpus' files.list: of a range of modifiedTime, newest first, or `None` for all of
    it in no order. All of this is the same as long as the answer is on its way, whatever becomes of the part."""

    corpus: str
    page_token: PageToken | None
    include_trashed: bool = False
    modified: TimeRange | None = TimeRange()


class ProveOrder(msgspec.Struct, frozen=True):
    """The first times of a corpus' files.list from `since` on, oldest first: is the order that is asked for kept to?"""

    corpus: str
    include_trashed: bool = False
    since: str | None = None


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


class LookUpDrive(msgspec.Struct, frozen=True):
    """drives.get of a shared drive that a call did not find: is it gone?"""

    drive_id: FileId


class ReadMembers(msgspec.Struct, frozen=True):
    """permissions.list of shared drives: who is a member of them? And of items that tell where they are hidden."""

    drives: tuple[FileId, ...]
    witnesses: tuple[FileId, ...] = ()


class ReadDetails(msgspec.Struct, frozen=True):
    """revisions.list and comments.list of changed files."""

    changed: tuple[Changed, ...]


class ReadContent(msgspec.Struct, frozen=True):
    """files.get of changed files, and their contents."""

    file_ids: tuple[FileId, ...]


Action = (
    TakeStartToken
    | ListDrives
    | ListFiles
    | ProveOrder
    | ReadChanges
    | WalkFolder
    | LookUpRemoved
    | LookUpDrive
    | ReadMembers
    | ReadDetails
    | ReadContent
)


def step_name(action: Action) -> str:
    """A short name for what is done and where, the same for every page of it; a listing's range is part of it."""
    match action:
        case ListFiles(corpus, _, _, TimeRange(since, until)) if since or until:
            return f"ListFiles:{corpus}:{since or ''}..{until or ''}"
        case TakeStartToken(corpus) | ListFiles(corpus) | ProveOrder(corpus) | ReadChanges(corpus):
            return f"{type(action).__name__}:{corpus}"
        case WalkFolder(walk):
            return f"WalkFolder:{walk.folder_id}"
        case LookUpDrive(drive_id):
            return f"LookUpDrive:{drive_id}"
        case _:
            return type(action).__name__


def without_rest(checkpoint: Checkpoint, corpus: str, *, of_its_listing: bool = False) -> Checkpoint:
    """The checkpoint without a rest for a step of the corpus, or of its listing alone: it is not asked for any more."""
    if checkpoint.parked is None:
        return checkpoint
    kind, _, place = checkpoint.parked.step.partition(":")
    is_its_own = place.partition(":")[0] == corpus and (kind == "ListFiles" or not of_its_listing)
    return msgspec.structs.replace(checkpoint, parked=None) if is_its_own else checkpoint


def fetch_key(action: Action) -> Action | str:
    """What may be under way once at a time: a part's page, a few files, else whatever has the step's name."""
    return action if isinstance(action, ListFiles | ReadDetails | ReadContent) else step_name(action)


def still_wanted(checkpoint: Checkpoint, action: Action) -> bool:
    """Whether the checkpoint still waits for the action's answer, under just that token.

    A drive that was left and joined again meanwhile begins anew: what was asked of it before counts for nothing.
    """
    match action:
        case TakeStartToken(name):
            corpus = checkpoint.corpora.get(name)
            return corpus is not None and corpus.stage == "start_token" and not corpus.held
        case ListFiles(name, token, _, modified):
            corpus = checkpoint.corpora.get(name)
            return corpus is not None and corpus.stage == "listing" and part_asked(corpus, modified, token) is not None
        case ProveOrder(name, _, since):
            corpus = checkpoint.corpora.get(name)
            wanted = corpus is not None and corpus.stage == "listing" and to_prove(corpus)
            return wanted and corpus is not None and corpus.prove_since == since
        case ReadChanges(name, token):
            corpus = checkpoint.corpora.get(name)
            return _is_log_open(corpus) and corpus is not None and corpus.change_token == token
        case WalkFolder(walk):
            return checkpoint.sync is not None and walk in checkpoint.sync.walks
        case ReadDetails(changed):
            return checkpoint.sync is not None and set(changed) <= set(checkpoint.sync.changed)
        case ReadContent(file_ids):
            return checkpoint.sync is not None and set(file_ids) <= set(checkpoint.sync.contents)
        case ListDrives(token):
            sync = checkpoint.sync
            return sync is not None and not sync.drives_listed and sync.drives_token == token
        case LookUpRemoved():
            return checkpoint.sync is not None
        case LookUpDrive(drive_id):
            return _is_in_question(checkpoint, drive_id)
        case ReadMembers(drives):
            return any(drive in checkpoint.corpora and checkpoint.corpora[drive].members_due for drive in drives)


def _is_in_question(checkpoint: Checkpoint, drive_id: FileId) -> bool:
    corpus = checkpoint.corpora.get(drive_id)
    if corpus is None:
        return checkpoint.sync is not None and drive_id in checkpoint.expected
    return corpus.doubtful and not corpus.held


def due_removals(checkpoint: Checkpoint) -> list[Removal]:
    """Return the removed items that may be looked up now.

    One that is looked up once more waits for the log that told of the removal, and for the folders that it names. One
    that the index holds and nothing told of waits until all folders are walked: most are shown by that.
    """
    sync = checkpoint.sync
    if sync is None:
        return []
    walked = {str(walk.drive_id) for walk in sync.walks}
    is_told_first = bool(sync.walks) or not all(removal.unseen for removal in sync.removals)
    return [
        removal
        for removal in sync.removals
        if not (removal.unseen and is_told_first)
        and not (removal.again and (removal.corpus in walked or _is_log_open(checkpoint.corpora.get(removal.corpus))))
    ]


def _is_log_open(corpus: Corpus | None) -> bool:
    return corpus is not None and corpus.stage == "changes" and not corpus.held


def drive_of(corpus: str) -> DriveId | None:
    """The shared drive that a corpus is, `None` for the user's own."""
    return None if corpus == USER_CORPUS else DriveId(corpus)


def plan(checkpoint: Checkpoint) -> list[Action]:
    """All that the sync in progress may fetch now, what is most urgent first; empty when it is through.

    What runs side by side may be answered in one order and arrive in another. An item's last word in the output must
    still be Drive's last word, so what may overlap is only what a log yet to be read will mend:

    - A full sync takes start tokens and drives, then lists, and only when all listings are through reads the logs.
      The user's start token comes before the drives: one that is joined after they were listed is in the user's log.
      The user's listing waits for every start token: an item of it that a drive lists too is in that drive's log.
    - Folders and removed items are looked up while no log is read and nothing is listed: no entry is read past what
      the look-up saw. What an answer under way still brings of a log, that log's later entry mends.
    - The user's log is read before anything of the drives'. It leaves their items to them, so nothing of what it says
      could be mended by it.
    - A drive that a call did not find is looked up before all else: nothing of it is asked meanwhile. One that the
      list of drives lacks is looked up when the user's log was read, which tells if it was left.
    - The members of a drive are read before all else, since its items' permissions rest on them.
    - What hangs on files (revisions, comments) is read when all of that is through, and no log is read meanwhile. The
      contents of files come after that, in the same way.
    """
    sync = checkpoint.sync
    if sync is None:
        return []
    open_corpora = {name: corpus for name, corpus in checkpoint.corpora.items() if not corpus.held}
    doubtful = [name for name, corpus in open_corpora.items() if corpus.doubtful]
    if sync.drives_listed and (USER_CORPUS not in open_corpora or open_corpora[USER_CORPUS].stage == "done"):
        doubtful += [name for name in checkpoint.expected if name not in checkpoint.corpora]
    if doubtful:
        return [LookUpDrive(FileId(name)) for name in doubtful]
    starting = [name for name, corpus in open_corpora.items() if corpus.stage == "start_token"]
    actions: list[Action] = []
    if not sync.drives_listed and USER_CORPUS not in starting:
        actions.append(ListDrives(sync.drives_token))
    actions.extend(map(TakeStartToken, starting))
    due = tuple(FileId(name) for name, corpus in open_corpora.items() if corpus.members_due)
    if due:
        due = due[:MEMBERS_AT_ONCE]
        watched = (each.file_id for name in due for each in checkpoint.corpora[name].witnesses.values())
        return [*actions, ReadMembers(due, tuple(dict.fromkeys(watched)))]
    if checkpoint.scope.folder_ids and (starting or not sync.drives_listed):
        return actions  # what is found by walking is found after every log's place is known
    look_ups = _look_ups(checkpoint, sync)
    if look_ups:
        return actions + look_ups
    known = sync.drives_listed and not starting
    logs = _logs(checkpoint) if sync.drives_listed and (known or sync.kind == "incremental") else []
    if sync.kind == "full" and any(corpus.stage == "listing" for corpus in open_corpora.values()):
        logs = []
    if any(log.corpus == USER_CORPUS for log in logs):
        return [*actions, *(log for log in logs if log.corpus == USER_CORPUS)]
    listings = _listings(checkpoint, users_too=known)
    actions += [*listings, *_proofs(checkpoint, listings), *logs]
    return actions or _details(sync) or _contents(sync)


def _details(sync: Sync) -> list[Action]:
    """A few files at a time, side by side."""
    starts = range(0, len(sync.changed), CHANGED_AT_ONCE)
    return [ReadDetails(sync.changed[at : at + CHANGED_AT_ONCE]) for at in starts[:SIDE_BY_SIDE]]


def _contents(sync: Sync) -> list[Action]:
    """A few files at a time, side by side."""
    starts = range(0, len(sync.contents), CONTENTS_AT_ONCE)
    return [ReadContent(sync.contents[at : at + CONTENTS_AT_ONCE]) for at in starts[:SIDE_BY_SIDE]]


def _listings(checkpoint: Checkpoint, *, users_too: bool) -> list[ListFiles]:
    """A page of each part: the newest part of every corpus, then the second of every one, and so on."""
    trashed = checkpoint.scope.include_trashed
    ranked = [
        (rank, ListFiles(name, part.page_token, trashed, asked(part)))
        for name, corpus in checkpoint.corpora.items()
        if corpus.stage == "listing" and not corpus.held and (users_too or name != USER_CORPUS)
        for rank, part in enumerate(parts_of(corpus))
    ]
    return [action for _, action in sorted(ranked, key=lambda each: each[0])]


def _proofs(checkpoint: Checkpoint, listings: list[ListFiles]) -> list[ProveOrder]:
    """The question about the order, for each corpus that is being listed; after the pages, which need no answer."""
    listed = {action.corpus: checkpoint.corpora[action.corpus] for action in listings}
    trashed = checkpoint.scope.include_trashed
    return [ProveOrder(name, trashed, corpus.prove_since) for name, corpus in listed.items() if to_prove(corpus)]


def _look_ups(checkpoint: Checkpoint, sync: Sync) -> list[Action]:
    actions: list[Action] = []
    due = [removal.file_id for removal in due_removals(checkpoint)]
    if due:
        actions.append(LookUpRemoved(tuple(due[:REMOVALS_AT_ONCE])))
    trashed = checkpoint.scope.include_trashed
    actions.extend(WalkFolder(walk, walk.trashed or trashed) for walk in reversed(sync.walks[-WALKS_AT_ONCE:]))
    return actions


def _logs(checkpoint: Checkpoint) -> list[ReadChanges]:
    return [
        ReadChanges(name, corpus.change_token)
        for name, corpus in checkpoint.corpora.items()
        if _is_log_open(corpus) and corpus.change_token is not None
    ]
