"""One run: a worker without its I/O, a Google that changes under its hands, and a log that alone survives a crash.

What the worker does between two awaits is one step here, and anything may happen between two steps. A fetch has three
moments: it is sent, Google answers, the answer arrives. Edits fall anywhere between them, and answers overtake one
another. Every choice is an argument or drawn from the run's seed, so that one seed is one run.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

from msgspec.structs import replace

from drive_simulator.api.errors import ApiError
from drive_simulator.edits.random_edits import Editor
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.consistency import Consistency, longest_s
from drive_simulator.model.late_entries import TOLD_AGAIN_S
from drive_simulator.model.sharing import end_expired
from google_drive_worker.domain.connection import ConnectionSettings
from google_drive_worker.domain.ids import FileId, PageToken
from google_drive_worker.domain.sharing import PermissionSet
from google_drive_worker.entry import Entry
from google_drive_worker.normalization import transformer
from google_drive_worker.outbox import Outbox
from google_drive_worker.sync import engine, failure
from google_drive_worker.sync.checkpoint import (
    USER_CORPUS,
    Checkpoint,
    Owed,
    Scope,
    SyncKind,
    begins_full_sync,
)
from google_drive_worker.sync.details import let_in
from google_drive_worker.sync.drives import delete_lost, is_lost_due
from google_drive_worker.sync.labels import asks_for_labels
from google_drive_worker.sync.places import Place
from google_drive_worker.sync.plan import ListFiles, ReadMembers, fetch_key, plan, scope_of
from google_drive_worker.sync.sharing import KnownFolders
from google_drive_worker.sync.step import Step
from google_drive_worker.utils.errors import Retryable, WorkerError
from simulation.checks import Checks, check_cursors
from simulation.draws import (
    Size,
    age_by_arrival,
    draw_bad_files,
    draw_edit,
    draw_other_settings,
    draw_rechecks,
    draw_settings,
    draw_world,
)
from simulation.drive_edits import trees_in_drives
from simulation.fetches import Fetch
from simulation.findings import Findings
from simulation.google import CONNECTION, CUSTOMER, Google
from simulation.log import DATA_TOPIC, ERRORS_TOPIC, Log
from simulation.low_roles import lowered
from support.dict_index import DictIndex
from support.memory_store import MemoryStore

FETCHES_AT_ONCE = 6


@dataclass
class Run:
    """The worker and its world. Each public method is one thing that may happen next; those that can't do nothing."""

    seed: int
    size: Size = field(default_factory=Size)
    steps: int = 0
    done: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)

    def __post_init__(self) -> None:
        self.die = random.Random(self.seed)  # noqa: S311 - a simulation
        self.clock = ManualClock()
        self.world = draw_world(self.size, self.seed, self.clock)
        self.user = next(iter(self.world.users.values()))
        self.google = Google(self.world, self.clock, self.user.email, self.die, self.size.longest_page, self.done)
        self.editor = Editor(self.world)
        for edit in trees_in_drives(self.world, self.die, self.size.tree):
            self.editor.make(edit)
        for edit in lowered(self.world, self.user, self.die) if self.size.low_role else ():
            self.editor.make(edit)
        if self.size.consistency is not None:
            self.world.consistency = self.size.consistency
        self.settings = draw_settings(self.size, self.world, self.die)
        self.log = Log()
        self.store = MemoryStore()
        oddities = self.google.oddities
        self.checks = Checks(self.size, self.world, self.user, self.log, self.store, oddities, self.done, self.findings)
        self.outbox = Outbox(
            integration_id="google-drive",
            data_topic=DATA_TOPIC,
            errors_topic=ERRORS_TOPIC,
            new_message_ids=lambda count: [f"message-{next(self._message_ids)}".encode() for _ in range(count)],
            clock=self.google.time,
        )
        self._message_ids = iter(range(10**9))
        self.triggers: list[Owed] = []
        self.position = 0
        self.checkpoint: Checkpoint | None = None
        self.folders_known = self.die.choice((12, 1_000))
        self.folders = KnownFolders[PermissionSet](limit=self.folders_known)
        self.places = KnownFolders[Place](limit=self.folders_known)
        self.index = DictIndex()
        self.rechecks = draw_rechecks(self.size, self.seed)
        self.pending: list[Entry] = []
        self.flights: list[Fetch] = []
        self.known_cursor: PageToken | None = None
        self.lost_since: int | None = None

    @property
    def shows_labels(self) -> bool:
        """Whether the mirror has the labels of files: since they were refused it may lack them."""
        return self.checkpoint is None or not self.checkpoint.labels_refused

    @property
    def awaited(self) -> list[FileId]:
        """The files whose bytes are on their way."""
        return [each for flight in self.flights for each in flight.awaited]

    def end(self) -> None:
        """Nothing more happens, whatever became of it so far."""
        for flight in self.flights:
            flight.drop()
        self.google.loop.close()

    # What the world does.

    def edit(self) -> None:
        """Somebody does something in Drive."""
        edit = draw_edit(self.size, self.world, self.user, self.die, self.google.time.now(), self.awaited)
        self._note(f"edit {edit.kind} {edit.user} {edit.path} {dict(edit.query)} {edit.body or ''}")
        try:
            self.editor.make(edit)
        except ApiError:
            self.done["refused edit"] += 1
        self.clock.advance(0.001)
        self.checks.on_edit(self.settings, edit.kind)

    def ignore_order(self) -> None:
        """Google stops minding the order that is asked for, or minds it again."""
        self.google.rules.ignore_order = not self.google.rules.ignore_order
        self._note(f"ignore order {self.google.rules.ignore_order}")

    def refuse_labels(self, *, refused: bool) -> None:
        """Google takes no label by its name any more, or does again."""
        self.google.refuses_labels = refused
        self._note(f"refuse labels {refused}")

    def break_store(self, *, broken: bool) -> None:
        """The object store can't be used, or can again."""
        self.store.problem = Retryable("no answer", code="object_store_unavailable") if broken else None
        self._note(f"store broken {broken}")

    def begin_storm(self) -> None:
        """Answers are odd from now on, and some files bad, where the run's size says so."""
        oddities = self.google.oddities
        if self.size.bad_files and not oddities.lasting:
            oddities.spoil(draw_bad_files(self.size, self.world, self.user, self.die))
        if self.size.odd:
            oddities.begin()
        if self.size.consistency is not None:
            self.world.consistency = self.size.consistency

    def end_storm(self) -> None:
        """Answers are right again, but for files that are bad for ever; what lags has arrived."""
        self.google.oddities.end()
        if self.size.consistency is not None:
            self._let_lags_pass(self.size.consistency)
        if not self.size.for_ever:
            self.google.oddities.recover()

    def _let_lags_pass(self, consistency: Consistency) -> None:
        """Lists and logs tell all that has happened, and lists leave nothing out from now on."""
        self.world.consistency = replace(consistency, missed=0.0, repeated=0.0)
        self.wait(longest_s(consistency.sharing_lag_s))
        end_expired(self.world)
        twice_s = TOLD_AGAIN_S[1] if consistency.told_twice else 0.0
        self.wait(max(longest_s(consistency.list_lag_s), longest_s(consistency.entry_lag_s) + twice_s))

    def age_by_arrival(self, edited: int) -> None:
        """The user's items were modified as they came, and so many of the older half yesterday."""
        age_by_arrival(self.world, self.user, self.die, edited)

    def wait(self, seconds: float) -> None:
        """Time passes; after hours the tokens of listings have expired."""
        self._note(f"wait {seconds}")
        self.clock.advance(seconds)

    def trigger(self, kind: SyncKind, *, with_cursor: bool = False) -> None:
        """The platform asks for a sync."""
        self._note(f"trigger {kind}")
        self.triggers.append(Owed(kind, CUSTOMER, None, self.known_cursor if with_cursor else None))

    def ask_for_any(self) -> None:
        """The platform asks for a sync of any kind, or Google notifies of one corpus' log."""
        draw = self.die.random()
        if draw >= 0.4:
            self.trigger("full" if draw >= 0.8 else "incremental")
            return
        corpora = () if self.checkpoint is None else tuple(self.checkpoint.corpora)
        if corpora:
            corpus = self.die.choice(corpora)
            self._note(f"notify {corpus}")
            self.triggers.append(Owed("incremental", CUSTOMER, corpora=(corpus,)))

    def change_settings(self) -> None:
        """The customer wants other things mirrored; a trigger tells of it, as the Control Plane would."""
        committed = self.log.restore()
        if self.checkpoint is None or not self.checkpoint.corpora or committed is None or not committed.corpora:
            return  # where state was lost, nobody knows what was mirrored before: see `lose_state`
        wish, self.settings = draw_other_settings(self.size, self.world, self.die, self.settings)
        self._note(f"settings {wish} {getattr(self.settings, wish)}")
        self.checks.on_edit(self.settings)
        self.trigger("incremental")

    # What the worker does.

    def intake(self) -> None:
        """The next trigger is accepted."""
        if self.position < len(self.triggers):
            self._note("intake")
            owed = self.triggers[self.position]
            self.position += 1
            accepted = engine.accept(self.checkpoint, CONNECTION, owed)
            self._enter(Entry([], CONNECTION, accepted, self.position))

    def go_on(self, choice: int = 0) -> None:
        """A round of the turn: begin, send one of the planned fetches, or complete."""
        checkpoint = self.checkpoint
        now = self.google.time.now()
        due = None if checkpoint is None else engine.due_at(checkpoint, now)
        if checkpoint is None or due is None or due > now:
            return
        if checkpoint.sync is None:
            if not self.flights:
                self._begin(checkpoint)
            return
        if is_lost_due(checkpoint):
            self._note("delete lost")
            self._write(checkpoint, delete_lost(checkpoint, self.index, transformer), since=self.lost_since)
            if self.checkpoint is None or not self.checkpoint.lost:
                self.lost_since = None
            return
        scope = scope_of(self.settings, include_shared_drives=True)
        let = None if self.flights else let_in(checkpoint, scope)
        if let is not None:
            self._note("let in")
            self._write(checkpoint, Step(let))
            return
        busy = {fetch_key(flight.action) for flight in self.flights}
        planned = plan(checkpoint)
        free = [action for action in planned if fetch_key(action) not in busy]
        if free and len(self.flights) < FETCHES_AT_ONCE:
            action = free[choice % len(free)]
            self._note(f"send {action}")
            mark = (checkpoint.sync.sync_id, checkpoint.sync.sightings)
            known, places = self.folders.under(CONNECTION, mark), self.places.under(CONNECTION, mark)
            settings = _as_begun(self.settings, checkpoint.scope)
            sync_id, places_too = checkpoint.sync.sync_id, self.size.scopes
            sent = self.checks.sights.moment
            self.flights.append(Fetch(action, sync_id, settings, checkpoint, known, places, sent, places_too))
        elif not planned and not self.flights:
            self._complete(checkpoint)

    def serve(self, choice: int = 0) -> None:
        """Google answers one of the fetches under way; the answer is on its way back."""
        waiting = [flight for flight in self.flights if flight.answer is None]
        if not waiting:
            return
        flight = waiting[choice % len(waiting)]
        self._note(f"serve {flight.action}")
        if isinstance(flight.action, ListFiles):
            self.checks.on_listed()
        elif isinstance(flight.action, ReadMembers):
            self.checks.on_members()
        flight.serve(self.google, self.store, choice, self.done)

    def arrive(self, choice: int = 0, fault: WorkerError | None = None) -> None:
        """One of the answers arrives, or a fault in its place, and is one step."""
        answered = [flight for flight in self.flights if flight.answer is not None]
        if not answered:
            return
        flight = answered[choice % len(answered)]
        self.flights.remove(flight)
        checkpoint = self.checkpoint
        if checkpoint is None or checkpoint.sync is None or checkpoint.sync.sync_id != flight.sync_id:
            return
        outcome = fault or flight.answer
        assert outcome is not None
        if isinstance(outcome, WorkerError):
            self._note(f"arrive {outcome.code} for {flight.action}")
            now, jitter = self.google.time.now(), self.die.random()
            labelled = asks_for_labels(flight.checkpoint)
            step = failure.on_failure(checkpoint, flight.action, outcome, now, jitter, transformer, labelled=labelled)
        else:
            self._note(f"arrive {flight.action}")
            step = engine.on_answer(checkpoint, flight.action, outcome, transformer, self.index)
        self.checks.on_step(checkpoint, flight.action, outcome, step)
        if step.checkpoint is not None and len(step.checkpoint.lost) > len(checkpoint.lost):
            self.lost_since = flight.sent if self.lost_since is None else min(self.lost_since, flight.sent)
        self._write(checkpoint, step, since=flight.sent)

    def lose_connection(self, error: WorkerError) -> None:
        """A turn fails before its first fetch."""
        if self.checkpoint is not None and not self.flights and self.checkpoint.parked is None:
            self._note(f"connect: {error.code}")
            now, jitter = self.google.time.now(), self.die.random()
            self._write(self.checkpoint, failure.park(self.checkpoint, engine.CONNECTING, error, now, jitter))

    # What the log does.

    def commit(self, count: int | None = None) -> None:
        """The first entries that are pending are committed, in one transaction."""
        count = len(self.pending) if count is None else count
        batch, self.pending = self.pending[:count], self.pending[count:]
        if batch:
            self._note(f"commit {len(batch)}")
            self.log.commit(batch)
            self.checks.on_commit(self.settings, is_all=not self.pending, labels_too=self.shows_labels)

    def crash(self) -> None:
        """The worker dies; another begins from what is committed."""
        self._note("crash")
        self.pending.clear()
        for flight in self.flights:
            flight.drop()
        self.flights.clear()
        self.checkpoint = self.log.restore()
        self.index = self.log.index.copy()
        self.folders = KnownFolders[PermissionSet](limit=self.folders_known)
        self.places = KnownFolders[Place](limit=self.folders_known)
        self.position = self.log.position
        self.checks.on_crash()

    def lose_acknowledgement(self) -> None:
        """A commit goes through, and the worker never hears of it: it begins anew from what is committed."""
        self.commit()
        self.crash()

    def lose_state(self) -> None:
        """Between two syncs the state is lost for good; the Control Plane still has the cursor of the last one."""
        checkpoint = self.checkpoint
        if checkpoint is None or checkpoint.sync or checkpoint.owed or self.pending or not checkpoint.completed_at:
            return
        if checkpoint.scope != scope_of(self.settings, include_shared_drives=True):
            return  # with the state went the knowledge that something else was mirrored
        if checkpoint.labels_refused:
            return  # and likewise that labels are lacking
        if checkpoint.gaps:
            return  # and likewise what could not be read
        self._note("lose state")
        self.known_cursor = checkpoint.corpora[USER_CORPUS].change_token
        self.log.state = None
        self.checks.was_state_lost = True  # what was written before is known to nobody, until a consumer sweeps it
        self.log.index.clear()
        self.index.clear()
        self.checkpoint = None
        self.clock.advance(1.0)  # syncs are told apart by their milliseconds once nobody knows the last one
        self.trigger("incremental", with_cursor=True)

    # The worker's parts.

    def _begin(self, checkpoint: Checkpoint) -> None:
        self._note("begin")
        scope = scope_of(self.settings, include_shared_drives=True)
        now = self.google.time.now()
        step = engine.begin(checkpoint, CUSTOMER, scope, now, self.die.getrandbits(74), transformer)
        if step.checkpoint is not None and step.checkpoint.sync is not None:
            self.done[f"begun {step.checkpoint.sync.kind}"] += 1
            self.checks.on_begun(step.checkpoint.sync.sync_id)
        self._write(checkpoint, step)

    def _complete(self, checkpoint: Checkpoint) -> None:
        self._note("complete")
        check_cursors(checkpoint)
        as_wanted = checkpoint.scope == scope_of(self.settings, include_shared_drives=True)  # since it began
        now = self.google.time.now()
        step = engine.complete(checkpoint, now, transformer, rechecks=self.rechecks, index=self.index)
        ends = step.checkpoint is not None and step.checkpoint.sync is None
        full = checkpoint.sync is not None and checkpoint.sync.kind == "full"
        whole = full and step.checkpoint is not None and not step.checkpoint.gaps
        if whole and ends and checkpoint.owed is None and as_wanted and checkpoint.sync is not None:
            self.checks.on_full_sync_closed(checkpoint.sync.sync_id)
        self._write(checkpoint, step, since=self.lost_since if checkpoint.lost else None)
        if step.checkpoint is not None and not step.checkpoint.lost:
            self.lost_since = None

    def _write(self, before: Checkpoint, step: Step, since: int | None = None) -> None:
        """The step is to be committed; what it rests on was asked for at the moment `since`, or just now."""
        if before.scope == scope_of(self.settings, include_shared_drives=True):
            self.checks.on_deletes(before, step, self.settings, since)
        entry = self.outbox.enter(before, step, {})
        assert isinstance(entry, Entry)  # nothing of the simulator's is too large
        self._enter(entry)

    def _enter(self, entry: Entry) -> None:
        if entry.checkpoint is not None and begins_full_sync(self.checkpoint, entry.checkpoint):
            self.done["full syncs begun"] += 1
        self.checkpoint = entry.checkpoint
        self.index.apply(entry.changes)
        self.pending.append(entry)

    def _note(self, text: str) -> None:
        self.done[text.partition(" ")[0]] += 1
        self.trace.append(text)


def _as_begun(settings: ConnectionSettings, scope: Scope) -> ConnectionSettings:
    """The settings as a sync sees them that began with that scope: what changes meanwhile waits for the next one."""
    return replace(
        settings,
        include_shared_drives=scope.include_shared_drives,
        sync_permissions=scope.sync_permissions,
        exclude_mime_types=scope.exclude_mime_types,
        label_ids=scope.label_ids,
    )
