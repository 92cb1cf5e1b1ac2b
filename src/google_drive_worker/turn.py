"""A turn: one connection's sync, driven for a while. Fetches what the engine plans, and writes what it decides.

Fetches of one sync run side by side, each answer is one step, and steps are applied and written in turn. A turn that is
over finishes the fetches under way, so that no page is asked for twice.
"""

import asyncio
import random
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from google_drive_worker.domain.connection import Connection
from google_drive_worker.domain.details import DetailsPage
from google_drive_worker.domain.drive import DriveFile
from google_drive_worker.domain.ids import ConnectionId, FileId, SyncId
from google_drive_worker.domain.memory import Recall
from google_drive_worker.domain.ports import Clock, Connections, Drive, Drives, Normalizer
from google_drive_worker.kafka.entry import Entry
from google_drive_worker.sync import engine, failure
from google_drive_worker.sync.checkpoint import Changed, Checkpoint
from google_drive_worker.sync.details import Hanging, is_all_that_is_left, let_in, wanted_of
from google_drive_worker.sync.items import Shared
from google_drive_worker.sync.labels import asks_for_labels
from google_drive_worker.sync.page_sharing import items_in, permissions_of, sighted_of
from google_drive_worker.sync.plan import (
    Action,
    ListDetails,
    ListDrives,
    ListFiles,
    LookUpRemoved,
    ProveOrder,
    ReadChanges,
    ReadDetails,
    ReadMembers,
    TakeStartToken,
    WalkFolder,
    drive_of,
    fetch_key,
    plan,
    scope_of,
    step_name,
)
from google_drive_worker.sync.sharing import Finding, Found, KnownFolders, ListPermissions, ReadSharings, seen
from google_drive_worker.sync.step import Step
from google_drive_worker.utils.errors import NotFound, Retryable, SkipItem, Terminal, WorkerError, origin

FORBIDDEN = 403
"""The status for an item that is not ours to see any more."""


class Ledger(Protocol):
    """Where checkpoints stand and steps are written: the connection's partition."""

    def checkpoint(self, connection_id: ConnectionId) -> Checkpoint | None:
        """The connection's checkpoint, all steps written so far included."""
        ...

    def recall(self, connection_id: ConnectionId) -> Recall:
        """What is remembered of the connection's items, all steps written so far included."""
        ...

    def write(self, entry: Entry) -> None:
        """Take a step's effects for the next transaction."""
        ...

    async def room(self) -> None:
        """Wait while too much is pending."""
        ...


class Observer(Protocol):
    """Who is told what happens to syncs, to log and count it."""

    def on_trouble(self, connection_id: ConnectionId, step: str, error: WorkerError) -> None:
        """A step failed."""
        ...

    def on_sync_started(self, checkpoint: Checkpoint) -> None:
        """The checkpoint's sync has begun."""
        ...

    def on_sync_completed(self, checkpoint: Checkpoint) -> None:
        """The checkpoint's sync has come to its end, and is to be committed as such."""
        ...


class _Fetch(NamedTuple):
    action: Action
    sync_id: SyncId | None
    labelled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a turn works with.

    `enter` turns a step into what Kafka is to carry; `include_shared_drives` counts where a connection has no setting
    of its own; `fetches_allowed` is asked again and again how many calls side by side one connection may have now;
    `folders` is what is known of the permissions of folders, of all connections.
    """

    connections: Connections
    drives: Drives
    normalizer: Normalizer
    enter: Callable[[Checkpoint, Step], Entry]
    clock: Clock
    randomness: random.Random
    observer: Observer
    include_shared_drives: bool
    fetches_allowed: Callable[[], int]
    folders: KnownFolders


async def take_turn(means: Means, connection_id: ConnectionId, ledger: Ledger, is_over: Callable[[], bool]) -> None:
    """Drive the connection's sync until it has nothing to do, has to rest, or `is_over` says so.

    Whatever goes wrong with Google, the connection or our own code ends up in the checkpoint: nothing of it is raised,
    and no other connection feels it.
    """
    turn = _Turn(means, connection_id, ledger, is_over)
    try:
        connection = await means.connections.get(connection_id)
        if connection.status != "active":
            raise Terminal(f"the connection is {connection.status}", code=f"connection_{connection.status}")
        await turn.run(connection, means.drives.open(connection))
    except WorkerError as error:
        turn.park(engine.CONNECTING, error)
    except Exception as bug:
        turn.park(engine.TURN, Retryable(f"a bug of the worker's: {origin(bug)}", code="internal_error"))


class _Turn:
    def __init__(self, means: Means, connection_id: ConnectionId, ledger: Ledger, is_over: Callable[[], bool]) -> None:
        self._means = means
        self._connection_id = connection_id
        self._ledger = ledger
        self._is_over = is_over
        self._under_way: dict[asyncio.Task[engine.Answer | WorkerError], _Fetch] = {}

    async def run(self, connection: Connection, drive: Drive) -> None:
        async with asyncio.TaskGroup() as group:
            while await self._go_on(connection, drive, group):
                await self._ledger.room()

    def park(self, step: str, error: WorkerError) -> None:
        means, checkpoint = self._means, self._ledger.checkpoint(self._connection_id)
        if checkpoint is not None:
            means.observer.on_trouble(self._connection_id, step, error)
            parked = failure.park(checkpoint, step, error, means.clock.now(), means.randomness.random())
            self._write(checkpoint, parked)

    async def _go_on(self, connection: Connection, drive: Drive, group: asyncio.TaskGroup) -> bool:
        """One round: start what may be fetched, take in an answer that has come. False when the turn is over."""
        checkpoint = self._ledger.checkpoint(self._connection_id)
        if checkpoint is not None and not self._is_over() and self._is_due(checkpoint):
            if checkpoint.sync is None and not self._under_way:
                self._begin(checkpoint, connection)
                return True
            if not self._under_way and self._let_in(checkpoint, connection):
                return True
            self._start_fetches(checkpoint, drive, group)
            if not self._under_way:
                self._complete(checkpoint)
                return True
        if not self._under_way:
            return False
        await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        # One answer a round: others that are there as well wait while there is no room, and let other turns go between.
        task = next(task for task in self._under_way if task.done())
        self._take_in(self._under_way.pop(task), task.result())
        return True

    def _is_due(self, checkpoint: Checkpoint) -> bool:
        now = self._means.clock.now()
        due = engine.due_at(checkpoint, now)
        return due is not None and due <= now

    def _begin(self, checkpoint: Checkpoint, connection: Connection) -> None:
        means = self._means
        scope = scope_of(connection.settings, include_shared_drives=means.include_shared_drives)
        entropy = means.randomness.getrandbits(74)
        now = means.clock.now()
        step = engine.begin(checkpoint, connection.customer_id, scope, now, entropy, means.normalizer)
        self._write(checkpoint, step)
        if step.checkpoint is not None and step.checkpoint.sync is not None:
            means.observer.on_sync_started(step.checkpoint)

    def _let_in(self, checkpoint: Checkpoint, connection: Connection) -> bool:
        """Let what is owed go first, where all that is left of this sync is what hangs on files."""
        scope = scope_of(connection.settings, include_shared_drives=self._means.include_shared_drives)
        after = let_in(checkpoint, scope)
        if after is not None:
            self._write(checkpoint, Step(after))
        return after is not None

    def _complete(self, checkpoint: Checkpoint) -> None:
        step = engine.complete(checkpoint, self._means.clock.now(), self._means.normalizer)
        if step.checkpoint is not None and step.checkpoint.sync is None:
            self._means.observer.on_sync_completed(checkpoint)
        self._write(checkpoint, step)

    def _start_fetches(self, checkpoint: Checkpoint, drive: Drive, group: asyncio.TaskGroup) -> None:
        sync_id = checkpoint.sync.sync_id if checkpoint.sync else None
        if checkpoint.owed is not None and self._under_way and is_all_that_is_left(checkpoint):
            return  # what is owed goes first, as soon as nothing is under way
        at_once = self._means.fetches_allowed()
        busy = {fetch_key(fetch.action) for fetch in self._under_way.values()}
        for action in plan(checkpoint):
            if len(self._under_way) >= at_once:
                return
            if fetch_key(action) not in busy:
                fetch = self._fetch(checkpoint, drive, action)
                task = group.create_task(fetch, name=f"{self._connection_id}:{step_name(action)}")
                self._under_way[task] = _Fetch(action, sync_id, asks_for_labels(checkpoint))

    async def _fetch(self, checkpoint: Checkpoint, drive: Drive, action: Action) -> engine.Answer | WorkerError:
        """Google's answer, with the permissions of its items where they are mirrored; or what went wrong."""
        sync = checkpoint.sync
        if checkpoint.labels_refused:
            drive = drive.without_labels()
        try:
            if sync is None or not checkpoint.scope.sync_permissions:
                return await _answer(drive, checkpoint, action)
            # Another sync, a folder or drive that changed, another owner in between: what was known is out of date.
            mark = (weakref.ref(self._ledger), sync.sync_id, sync.sightings)
            known = self._means.folders.under(self._connection_id, mark)
            answer = await _answer(drive, checkpoint, action)
            items = items_in(action, answer)
            if items is None:
                return answer
            found = await _find(drive, permissions_of(action, items, checkpoint, known))
            return Shared(items, found, sighted_of(checkpoint, action))
        except WorkerError as error:
            return error

    def _take_in(self, fetch: _Fetch, answer: engine.Answer | WorkerError) -> None:
        means, checkpoint = self._means, self._ledger.checkpoint(self._connection_id)
        if checkpoint is None or checkpoint.sync is None or checkpoint.sync.sync_id != fetch.sync_id:
            return  # the sync that asked for it was given up meanwhile
        if isinstance(answer, WorkerError):
            means.observer.on_trouble(self._connection_id, step_name(fetch.action), answer)
            now, jitter = means.clock.now(), means.randomness.random()
            step = failure.on_failure(
                checkpoint, fetch.action, answer, now, jitter, means.normalizer, labelled=fetch.labelled
            )
        else:
            recall = self._ledger.recall(self._connection_id)
            step = engine.on_answer(checkpoint, fetch.action, answer, means.normalizer, recall)
        self._write(checkpoint, step)

    def _write(self, checkpoint: Checkpoint, step: Step) -> None:
        self._ledger.write(self._means.enter(checkpoint, step))


async def _answer(drive: Drive, checkpoint: Checkpoint, action: Action) -> engine.Answer:
    match action:
        case TakeStartToken(corpus):
            return await drive.start_page_token(drive_of(corpus))
        case ListDrives(token):
            return await drive.list_drives(token)
        case ListFiles(corpus, token, trashed, modified):
            return await drive.list_files(drive_of(corpus), token, include_trashed=trashed, modified=modified)
        case ProveOrder(corpus, trashed, since):
            return await drive.oldest_times(drive_of(corpus), include_trashed=trashed, since=since)
        case ReadChanges(corpus, token):
            return await drive.list_changes(drive_of(corpus), token)
        case WalkFolder(walk, trashed):
            return await drive.list_children(walk.folder_id, walk.drive_id, walk.page_token, include_trashed=trashed)
        case LookUpRemoved(file_ids):
            return await look_up(drive, file_ids)
        case ReadMembers(drives):
            answers = await drive.list_permissions(drives)
            return {drive_id: seen(answers.get(drive_id)) for drive_id in drives}
        case ListDetails() | ReadDetails():
            return await hanging(drive, checkpoint, action)


async def hanging(drive: Drive, checkpoint: Checkpoint, action: ListDetails | ReadDetails) -> Hanging:
    """Revisions and comments of the files that the action names, or that stand on the page that it asks for."""
    page: DetailsPage | None = None
    wanted: Sequence[Changed]
    if isinstance(action, ListDetails):
        corpus, token = action.corpus, action.page_token
        page = await drive.list_details(drive_of(corpus), token, include_trashed=action.include_trashed)
        wanted = wanted_of(checkpoint, corpus, page)
    else:
        wanted = action.changed
    revised = [each.file_id for each in wanted if each.revisions]
    commented = [each.file_id for each in wanted if each.comments]
    revisions = await drive.list_revisions(revised) if revised else {}
    comments = await drive.list_comments(commented) if commented else {}
    return Hanging(revisions, comments, page)


async def _find(drive: Drive, finding: Finding) -> Found:
    """Ask Google what the finding asks, until it knows."""
    try:
        question = next(finding)
        while True:
            match question:
                case ReadSharings(file_ids):
                    question = finding.send(await drive.item_sharings(file_ids))
                case ListPermissions(file_ids):
                    question = finding.send(await drive.list_permissions(file_ids))
    except StopIteration as end:
        found: Found = end.value
        return found


async def look_up(drive: Drive, file_ids: tuple[FileId, ...]) -> Mapping[FileId, DriveFile | None]:
    """What is there of those items, `None` for what is gone; one that is there and can't be read stays as it is."""
    answers = await drive.get_files(file_ids)
    return {
        file_id: answer if isinstance(answer, DriveFile) else None
        for file_id, answer in answers.items()
        if not isinstance(answer, SkipItem) or isinstance(answer, NotFound) or answer.http_status == FORBIDDEN
    }
