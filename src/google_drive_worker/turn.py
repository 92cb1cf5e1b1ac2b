"""A turn: one connection's sync, driven for a while. Fetches what the engine plans, and writes what it decides.

Fetches of one sync run side by side, each answer is one step, and steps are applied and written in turn. A turn that is
over finishes the fetches under way, so that no page is asked for twice.
"""

import asyncio
import random
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from google_drive_worker.channel_care import Push, keep_channels
from google_drive_worker.contents import ContentMirror
from google_drive_worker.domain.connection import Connection, Credentials, fingerprint
from google_drive_worker.domain.ids import ConnectionId, SyncId
from google_drive_worker.domain.item_entry import ItemIndex
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.domain.ports import Clock, Connections, Drive, Drives, Normalizer, ObjectStores
from google_drive_worker.domain.sharing import PermissionSet
from google_drive_worker.entry import Entry, TooLarge
from google_drive_worker.fetching import Sources, fetch
from google_drive_worker.messages.references import PAYLOAD_TYPE
from google_drive_worker.sync import channels, engine, failure
from google_drive_worker.sync.checkpoint import Checkpoint, Owed, Scope
from google_drive_worker.sync.details import goes_first, let_in
from google_drive_worker.sync.drives import delete_lost, is_lost_due
from google_drive_worker.sync.forgetting import known_again
from google_drive_worker.sync.gap_retries import GAP_RESTS, GapRests, postpone
from google_drive_worker.sync.labels import asks_for_labels
from google_drive_worker.sync.places import Place
from google_drive_worker.sync.plan import (
    Action,
    fetch_key,
    plan,
    scope_of,
    step_name,
)
from google_drive_worker.sync.rechecks import NO_RECHECKS, Rechecks, postpone_rechecks
from google_drive_worker.sync.sharing import KnownFolders
from google_drive_worker.sync.step import Step
from google_drive_worker.utils.errors import (
    NeedsReauth,
    Retryable,
    Terminal,
    UnknownConnection,
    WorkerError,
    origin,
)

LOOK_AGAIN_S = 5.0
"""How often a turn asks whether its connection still is as it was: paused, disconnected, or of other settings."""

OTHERS_A_TURN = 3
"""How often a turn goes on at once since a connection has other credentials than those refused: an owner that describes
others each time must not make it ask Google on and on."""

CHANNELS = "Channels"
"""Name of the step that looks after push channels."""


class Ledger(Protocol):
    """Where checkpoints stand and steps are written: the connection's partition."""

    def checkpoint(self, connection_id: ConnectionId) -> Checkpoint | None:
        """The connection's checkpoint, all steps written so far included."""
        ...

    def index(self, connection_id: ConnectionId) -> ItemIndex:
        """The connection's part of the item index, all steps written so far included."""
        ...

    def write(self, entry: Entry) -> None:
        """Take a step's effects for the next transaction."""
        ...

    async def room(self) -> None:
        """Wait while too much is pending."""
        ...

    async def committed(self) -> bool:
        """Wait until what was written up to now is committed; false where it never will be."""
        ...


class Observer(Protocol):
    """Who is told what happens to syncs, to log and count it."""

    def on_trouble(self, connection_id: ConnectionId, step: str, error: WorkerError) -> None:
        """A step failed."""
        ...

    def on_sync_started(self, checkpoint: Checkpoint) -> None:
        """The checkpoint's sync has begun."""
        ...


class _Fetch(NamedTuple):
    action: Action
    sync_id: SyncId | None
    labelled: bool
    credentials: Credentials


class _Opened(NamedTuple):
    connection: Connection
    scope: Scope
    drive: Drive


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a turn works with.

    `enter` turns a step into what Kafka is to carry, or says what is too large for that and goes to `stores` first;
    `include_shared_drives` counts where a connection has no setting of its own; `fetches_allowed` is asked again and
    again how many calls side by side one connection may have now; `folders` is what is known of the permissions of
    folders, of all connections, and `places` of where they are; `push` is where notifications go;
    `gap_rests` is how long what could not be read rests, `rechecks` what is asked for again by itself.
    """

    connections: Connections
    drives: Drives
    normalizer: Normalizer
    stores: ObjectStores
    contents: ContentMirror
    enter: Callable[[Checkpoint, Step, Mapping[bytes, ObjectRef]], Entry | TooLarge]
    clock: Clock
    randomness: random.Random
    observer: Observer
    include_shared_drives: bool
    fetches_allowed: Callable[[], int]
    folders: KnownFolders[PermissionSet]
    places: KnownFolders[Place]
    push: Push
    gap_rests: GapRests = GAP_RESTS
    rechecks: Rechecks = NO_RECHECKS


async def take_turn(means: Means, connection_id: ConnectionId, ledger: Ledger, is_over: Callable[[], bool]) -> None:
    """Drive the connection's sync until it has nothing to do, has to rest, or `is_over` says so.

    Whatever goes wrong with Google, the connection or our own code ends up in the checkpoint: nothing of it is raised,
    and no other connection feels it.
    """
    turn = _Turn(means, connection_id, ledger, is_over)
    try:
        await turn.run()
    except WorkerError as error:
        turn.rest(engine.CONNECTING, error)
    except Exception as bug:
        turn.rest(engine.TURN, Retryable(f"a bug of the worker's: {origin(bug)}", code="internal_error"))
    try:
        await turn.keep_channels()
    except WorkerError as error:
        means.observer.on_trouble(connection_id, CHANNELS, error)
    except Exception as bug:
        problem = Retryable(f"a bug of the worker's: {origin(bug)}", code="internal_error")
        means.observer.on_trouble(connection_id, CHANNELS, problem)
    turn.postpone_channels()


async def active(connections: Connections, connection_id: ConnectionId) -> Connection:
    """The connection, which is to be synced. Raises `Terminal` where it is not, and what `Connections.get` raises.

    No connection is stopped by what was known of it a while ago: it may be a trigger that goes on after a pause.
    """
    connection = await connections.get(connection_id)
    if connection.status != "active":
        connections.doubt(connection_id)
        connection = await connections.get(connection_id)
    if connection.status != "active":
        raise Terminal(f"the connection is {connection.status}", code=f"connection_{connection.status}")
    return connection


class _Turn:
    def __init__(self, means: Means, connection_id: ConnectionId, ledger: Ledger, is_over: Callable[[], bool]) -> None:
        self._means = means
        self._connection_id = connection_id
        self._ledger = ledger
        self._is_over = is_over
        self._under_way: dict[asyncio.Task[engine.Answer | WorkerError], _Fetch] = {}
        self._looked_at_s = means.clock.monotonic_s()
        self._stopped: WorkerError | None = None
        self._opened: _Opened | None = None
        self._looking: asyncio.Task[None] | None = None
        self._owed_before: Owed | None = None
        self._others_left = OTHERS_A_TURN
        self._known: Connection | None = None

    async def run(self) -> None:
        """Work for the connection as it is; should it no longer be active, park it when nothing is under way.

        Raises what `active` does.
        """
        self._owed_before = self._owed()
        self._connection = self._known = await active(self._means.connections, self._connection_id)
        self._note_known()
        if self._is_refused() and not await self._has_other_credentials():
            self._rest_until_reauthorized()
            return
        async with asyncio.TaskGroup() as group:
            while await self._go_on(group):
                await self._ledger.room()
                self._look_again_in_time(group)
            if self._looking is not None:
                self._looking.cancel()
        if self._stopped is not None:
            self.rest(engine.CONNECTING, self._stopped)

    async def keep_channels(self) -> None:
        """Look after the push channels: of a connection that is not active, none is left.

        Of one that its source no longer knows neither, where this turn had its credentials before that was said.
        Raises what `Connections.get` raises. Nothing is asked where no channel is due and none may have to be made.
        """
        means, checkpoint = self._means, self._ledger.checkpoint(self._connection_id)
        if checkpoint is None or (checkpoint.watching is None and not self._are_channels_due(checkpoint)):
            return
        try:
            connection = await means.connections.get(self._connection_id)
            on = connection.status == "active" and connection.settings.push_notifications
        except UnknownConnection:
            if self._known is None:
                raise
            connection, on = self._known, False
        drive, random = means.drives.open(connection), means.randomness.random
        await keep_channels(means.push, drive, self, means.clock, random, means.observer.on_trouble, on=on)

    def postpone_channels(self) -> None:
        """What is due still, though it was just looked at, waits: one turn after the other would change nothing."""
        checkpoint = self.checkpoint()
        if checkpoint is not None:
            later = channels.postponed(checkpoint, self._means.push.address(), self._means.clock.now())
            if later is not checkpoint:
                self.write(checkpoint, later)

    def _are_channels_due(self, checkpoint: Checkpoint) -> bool:
        now = self._means.clock.now()
        due = channels.due_at(checkpoint, self._means.push.address(), now)
        return due is not None and due <= now

    def checkpoint(self) -> Checkpoint | None:
        """The connection's checkpoint as it is now."""
        return self._ledger.checkpoint(self._connection_id)

    def write(self, before: Checkpoint, after: Checkpoint) -> None:
        """Write a checkpoint that no records go with."""
        self._write(before, Step(after))

    async def committed(self) -> bool:
        """Wait until what was written is committed; false where it never will be."""
        return await self._ledger.committed()

    def rest(self, step: str, error: WorkerError) -> None:
        """Park what was to be synced; a turn that was for channels alone parks nothing.

        What the connection's source said does not count against a trigger that came after it was asked: that may be the
        one that ends a pause, and no other would follow it. The next turn asks anew.
        """
        checkpoint = self.checkpoint()
        if checkpoint is None:
            return
        said_before = step == engine.CONNECTING and isinstance(error, Terminal)
        if said_before and checkpoint.owed is not None and checkpoint.owed is not self._owed_before:
            return
        is_unknown = isinstance(error, UnknownConnection)
        if checkpoint.owed is None and checkpoint.sync is None:
            # Only gaps and rechecks are due: they wait. That the connection can't be had is told when a sync is wanted.
            now = self._means.clock.now()
            after = postpone_rechecks(postpone(checkpoint, now, self._means.gap_rests), now)
            if after is not checkpoint:
                self.write(checkpoint, after)
            if not is_unknown and step != engine.TURN:
                return
        if self._is_due(checkpoint) or step == engine.TURN or is_unknown:
            self.park(step, error)

    def _note_known(self) -> None:
        checkpoint = self.checkpoint()
        if checkpoint is not None and (after := known_again(checkpoint)) is not checkpoint:
            self.write(checkpoint, after)

    def _owed(self) -> Owed | None:
        checkpoint = self.checkpoint()
        return checkpoint.owed if checkpoint is not None else None

    def _look_again_in_time(self, group: asyncio.TaskGroup) -> None:
        """Beside the work, which a source that answers slowly holds up no more than one that does not answer."""
        is_under_way = self._looking is not None and not self._looking.done()
        if not is_under_way and self._means.clock.monotonic_s() - self._looked_at_s >= LOOK_AGAIN_S:
            self._looking = group.create_task(self._look_again(), name=f"{self._connection_id}:look")

    async def _look_again(self) -> None:
        """Heed what became of the connection meanwhile. A source that can't be asked stops nobody."""
        self._looked_at_s, owed = self._means.clock.monotonic_s(), self._owed()
        try:
            self._connection = await active(self._means.connections, self._connection_id)
        except Retryable:
            return
        except WorkerError as error:
            self._stopped, self._owed_before = error, owed
        else:
            self._stopped = None

    async def _has_others_than(self, refused: Credentials) -> bool:
        """Google refused these. Should there be others by now, what failed is asked again with them."""
        if self._connection.credentials != refused:
            return True  # it was asked with them before the others came
        return self._others_left > 0 and await self._has_other_credentials()

    async def _has_other_credentials(self) -> bool:
        refused = self._connection.credentials
        self._others_left -= 1
        self._means.connections.doubt(self._connection_id)
        await self._look_again()
        return self._connection.credentials != refused

    def _is_refused(self) -> bool:
        checkpoint = self._ledger.checkpoint(self._connection_id)
        return checkpoint is not None and failure.is_refused(checkpoint, self._fingerprint())

    def _rest_until_reauthorized(self) -> None:
        """Google has refused these credentials already, and is not asked again before there are others."""
        checkpoint = self._ledger.checkpoint(self._connection_id)
        if checkpoint is not None:
            self._write(checkpoint, failure.rest_refused(checkpoint, self._means.clock.now()))

    def _drive(self, scope: Scope) -> Drive:
        """The connection's Drive as the sync sees it: settings that change meanwhile wait for the next one."""
        opened = self._opened
        if opened is None or opened.connection is not self._connection or opened.scope != scope:
            settings = replace(
                self._connection.settings,
                include_shared_drives=scope.include_shared_drives,
                sync_permissions=scope.sync_permissions,
                exclude_mime_types=scope.exclude_mime_types,
                label_ids=scope.label_ids,
            )
            drive = self._means.drives.open(replace(self._connection, settings=settings))
            opened = self._opened = _Opened(self._connection, scope, drive)
        return opened.drive

    def _fingerprint(self) -> str:
        return fingerprint(self._connection.credentials)

    def park(self, step: str, error: WorkerError) -> None:
        means, checkpoint = self._means, self._ledger.checkpoint(self._connection_id)
        if checkpoint is not None:
            means.observer.on_trouble(self._connection_id, step, error)
            parked = failure.park(checkpoint, step, error, means.clock.now(), means.randomness.random())
            self._write(checkpoint, parked)

    async def _go_on(self, group: asyncio.TaskGroup) -> bool:
        """One round: start what may be fetched, take in an answer that has come. False when the turn is over."""
        checkpoint = self._ledger.checkpoint(self._connection_id)
        if checkpoint is not None and not self._is_over() and self._stopped is None and self._is_due(checkpoint):
            if checkpoint.sync is None and not self._under_way:
                self._begin(checkpoint)
                return True
            if is_lost_due(checkpoint):
                index = self._ledger.index(self._connection_id)
                self._write(checkpoint, delete_lost(checkpoint, index, self._means.normalizer))
                return True
            if not self._under_way and self._let_in(checkpoint):
                return True
            self._start_fetches(checkpoint, group)
            if not self._under_way:
                await self._complete(checkpoint)
                return True
        if not self._under_way:
            return False
        await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        # One answer a round: others that are there as well wait while there is no room, and let other turns go between.
        task = next(task for task in self._under_way if task.done())
        fetch, answer = self._under_way.pop(task), task.result()
        if not isinstance(answer, NeedsReauth) or not await self._has_others_than(fetch.credentials):
            await self._take_in(fetch, answer)
        return True

    def _is_due(self, checkpoint: Checkpoint) -> bool:
        now = self._means.clock.now()
        due = engine.due_at(checkpoint, now)
        return due is not None and due <= now

    def _begin(self, checkpoint: Checkpoint) -> None:
        means, connection = self._means, self._connection
        scope = scope_of(connection.settings, include_shared_drives=means.include_shared_drives)
        entropy = means.randomness.getrandbits(74)
        now = means.clock.now()
        step = engine.begin(checkpoint, connection.customer_id, scope, now, entropy, means.normalizer)
        self._write(checkpoint, step)
        if step.checkpoint is not None and step.checkpoint.sync is not None:
            means.observer.on_sync_started(step.checkpoint)

    def _let_in(self, checkpoint: Checkpoint) -> bool:
        """Let what is owed go first, where all that is left of this sync is what hangs on files."""
        scope = scope_of(self._connection.settings, include_shared_drives=self._means.include_shared_drives)
        after = let_in(checkpoint, scope)
        if after is not None:
            self._write(checkpoint, Step(after))
        return after is not None

    async def _complete(self, checkpoint: Checkpoint) -> None:
        means, now = self._means, self._means.clock.now()
        index = self._ledger.index(self._connection_id)
        step = engine.complete(checkpoint, now, means.normalizer, means.gap_rests, means.rechecks, index)
        await self._store_and_write(engine.COMPLETING, lambda: self._current(checkpoint), lambda _: step)

    def _current(self, checkpoint: Checkpoint) -> Checkpoint | None:
        """The checkpoint, as long as no trigger has changed it meanwhile."""
        return checkpoint if self.checkpoint() is checkpoint else None

    def _start_fetches(self, checkpoint: Checkpoint, group: asyncio.TaskGroup) -> None:
        sync_id = checkpoint.sync.sync_id if checkpoint.sync else None
        if self._under_way and goes_first(checkpoint):
            return  # what is owed goes first, as soon as nothing is under way
        at_once = self._means.fetches_allowed()
        busy = {fetch_key(fetch.action) for fetch in self._under_way.values()}
        for action in plan(checkpoint):
            if len(self._under_way) >= at_once:
                return
            if fetch_key(action) not in busy:
                fetch = self._fetch(checkpoint, self._drive(checkpoint.scope), action)
                task = group.create_task(fetch, name=f"{self._connection_id}:{step_name(action)}")
                labelled = asks_for_labels(checkpoint)
                self._under_way[task] = _Fetch(action, sync_id, labelled, self._connection.credentials)

    async def _fetch(self, checkpoint: Checkpoint, drive: Drive, action: Action) -> engine.Answer | WorkerError:
        """Google's answer, with the permissions of its items where they are mirrored; or what went wrong."""
        sync = checkpoint.sync
        if checkpoint.labels_refused:
            drive = drive.without_labels()
        # Another sync, a folder or drive that changed, another owner in between: what was known is out of date.
        mark = (weakref.ref(self._ledger), sync and sync.sync_id, sync and sync.sightings)
        sources = Sources(
            drive,
            self._means.stores.open(self._connection),
            self._means.contents,
            self._means.folders.under(self._connection_id, mark),
            self._means.places.under(self._connection_id, mark),
        )
        try:
            return await fetch(sources, checkpoint, action)
        except WorkerError as error:
            return error

    async def _take_in(self, fetch: _Fetch, answer: engine.Answer | WorkerError) -> None:
        """Write what the answer comes to. Where a record is too large for Kafka its data is stored first, and the step
        decided anew: the checkpoint may have gone on meanwhile."""
        name = step_name(fetch.action)
        if isinstance(answer, WorkerError) and self._checkpoint_of(fetch) is not None:
            self._means.observer.on_trouble(self._connection_id, name, answer)
        await self._store_and_write(
            name, lambda: self._checkpoint_of(fetch), lambda checkpoint: self._decide(checkpoint, fetch, answer)
        )

    async def _store_and_write(
        self, name: str, current: Callable[[], Checkpoint | None], decide: Callable[[Checkpoint], Step]
    ) -> None:
        """Write the step that is decided on the current checkpoint. What is too large for Kafka is stored first."""
        stored: dict[bytes, ObjectRef] = {}
        while (checkpoint := current()) is not None:
            entry = self._means.enter(checkpoint, decide(checkpoint), stored)
            if isinstance(entry, Entry):
                self._ledger.write(entry)
                return
            try:
                store = self._means.stores.open(self._connection)
                for payload in entry.payloads:
                    stored[payload] = await store.put(payload, PAYLOAD_TYPE)
            except WorkerError as error:
                self.park(name, error)
                return

    def _checkpoint_of(self, fetch: _Fetch) -> Checkpoint | None:
        """The checkpoint that waits for the fetch; `None` where its sync was given up meanwhile."""
        checkpoint = self._ledger.checkpoint(self._connection_id)
        if checkpoint is None or checkpoint.sync is None or checkpoint.sync.sync_id != fetch.sync_id:
            return None
        return checkpoint

    def _decide(self, checkpoint: Checkpoint, fetch: _Fetch, answer: engine.Answer | WorkerError) -> Step:
        means, action = self._means, fetch.action
        if not isinstance(answer, WorkerError):
            index = self._ledger.index(self._connection_id)
            return engine.on_answer(checkpoint, action, answer, means.normalizer, index)
        now, jitter = means.clock.now(), means.randomness.random()
        labelled = fetch.labelled
        step = failure.on_failure(checkpoint, action, answer, now, jitter, means.normalizer, labelled=labelled)
        if isinstance(answer, NeedsReauth):
            step = failure.awaiting_credentials(checkpoint, step, self._fingerprint(), now)
        return step

    def _write(self, checkpoint: Checkpoint, step: Step) -> None:
        """Write a step that no answer led to: it holds nothing large."""
        entry = self._means.enter(checkpoint, step, {})
        if not isinstance(entry, Entry):
            raise TypeError("a record that no answer led to is too large")
        self._ledger.write(entry)
