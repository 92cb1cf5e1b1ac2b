"""One run: a worker without its I/O, a Google that changes under its hands, and a log that alone survives a crash.

What the worker does between two awaits is one step here, and anything may happen between two steps. A fetch has three
moments: it is sent, Google answers, the answer arrives. Edits fall anywhere between them, and answers overtake one
another. Every choice is an argument or drawn from the run's seed, so that one seed is one run.
"""

import random
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import timedelta

from msgspec.structs import replace

from drive_simulator.clock import ManualClock
from drive_simulator.corpus import CorpusPlan, generate
from drive_simulator.corpus_details import Details
from drive_simulator.edits import Edit, Editor, choose_edit
from drive_simulator.errors import ApiError
from drive_simulator.truth import VisiblePermission, untold, visible_drives, visible_items, visible_permissions
from google_drive_worker.demo.mirror import Difference
from google_drive_worker.domain.connection import ConnectionSettings
from google_drive_worker.domain.ids import FileId, PageToken, SyncId
from google_drive_worker.domain.memory import Remembered
from google_drive_worker.domain.sharing import PermissionSet
from google_drive_worker.domain.times import rfc3339
from google_drive_worker.kafka.entry import Entry
from google_drive_worker.normalization import transformer
from google_drive_worker.outbox import Outbox
from google_drive_worker.sync import engine, failure
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Owed, SyncKind, begins_full_sync
from google_drive_worker.sync.details import let_in
from google_drive_worker.sync.items import NOWHERE, ItemsAnswer, Shared
from google_drive_worker.sync.page_sharing import items_in, permissions_of, sighted_of
from google_drive_worker.sync.places import KnownPlaces, Place, places_of
from google_drive_worker.sync.plan import Action, ListFiles, fetch_key, plan, scope_of
from google_drive_worker.sync.sharing import FoldersOfConnection, KnownFolders, Question, Reply
from google_drive_worker.sync.step import Step
from google_drive_worker.utils.errors import Retryable, WorkerError
from simulation.comparison import differences_of_details
from simulation.drive_edits import sharing_in_a_drive, trees_in_drives
from simulation.google import CONNECTION, CUSTOMER, Google, answer, reply
from simulation.log import DATA_TOPIC, ERRORS_TOPIC, Log
from simulation.scopes import holds_drive, is_opened_by_link, path_differences, with_scope, within

FETCHES_AT_ONCE = 6
SETTLED_WITHIN = 20_000
"""More steps than any run needs to come to rest: whoever takes more will never."""

SPICE = frozenset(
    {"move_between_drives", "move_folder_between_drives", "move_folder", "share", "unshare", "trash", "untrash"}
    | {"limit", "unlimit", "change_role", "link", "expire"}
)
"""The edits whose meaning a change log only hints at: chosen more often than a day of work would."""


class Broken(AssertionError):
    """What must hold does not."""


@dataclass(slots=True, eq=False)
class _Fetch:
    action: Action
    sync_id: SyncId | None
    settings: ConnectionSettings
    checkpoint: Checkpoint
    known: FoldersOfConnection
    places: KnownPlaces
    finding: Generator[Question, Reply, Shared] | None = None
    question: Question | None = None
    answer: engine.Answer | WorkerError | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run's world is. `sharing` is the share of edits that are about who may do what in a shared drive,
    `tree` how many items more each drive has, half of them folders in folders. With `details` files are commented and
    revised all along, and that is compared as well. With `scopes` only some folders, drives and types are mirrored, and
    the paths of folders are."""

    files: int = 40
    drives: int = 3
    users: int = 3
    longest_page: int = 6
    sharing: float = 0.2
    tree: int = 0
    details: bool = False
    scopes: bool = False


@dataclass
class Run:
    """The worker and its world. Each public method is one thing that may happen next; those that can't do nothing."""

    seed: int
    size: Size = field(default_factory=Size)
    steps: int = 0
    done: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.die = random.Random(self.seed)  # noqa: S311 - a simulation
        self.clock = ManualClock()
        details = Details(commented=0.3, revised=0.3) if self.size.details else Details()
        plan_ = CorpusPlan(self.size.files, self.size.drives, self.size.users, self.seed, details=details)
        self.world = generate(plan_, clock=self.clock)
        self.user = next(iter(self.world.users.values()))
        self.google = Google(self.world, self.clock, self.user.email, self.die, self.size.longest_page)
        self.editor = Editor(self.world)
        for edit in trees_in_drives(self.world, self.die, self.size.tree):
            self.editor.make(edit)
        self.settings = ConnectionSettings(
            include_shared_drives=self.die.random() < 0.9,
            include_trashed=self.die.random() < 0.3,
            sync_permissions=self.die.random() < 0.9,
        )
        if self.size.scopes:
            self.settings = with_scope(self.settings, self.world, self.die)
        self.log = Log()
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
        self.memory: dict[FileId, Remembered | None] = {}
        self.pending: list[Entry] = []
        self.flights: list[_Fetch] = []
        self.known_cursor: PageToken | None = None
        self._replay_is_clean = False
        self._check_at: SyncId | None = None
        self._failed: tuple[ListFiles, str] | None = None

    # What the world does.

    def edit(self) -> None:
        """Somebody does something in Drive."""
        draw = self.die.random()
        edit = self._membership() if draw < 0.12 else self._retiming() if draw < 0.2 else None
        if draw > 1 - self.size.sharing:
            edit = sharing_in_a_drive(self.world, self.user, self.die)
        also = ("sharing", "comments", "revisions") if self.size.details else ("sharing",)
        if edit is None:
            edit = choose_edit(self.world, self.die, also=also)
            for _ in range(12 if draw < 0.4 else 0):
                if edit.kind in SPICE:
                    break
                edit = choose_edit(self.world, self.die, also=also)
        self._note(f"edit {edit.kind} {edit.user} {edit.path} {dict(edit.query)} {edit.body or ''}")
        try:
            self.editor.make(edit)
        except ApiError:
            self.done["refused edit"] += 1
        self.clock.advance(0.001)
        self._replay_is_clean = False

    def ignore_order(self) -> None:
        """Google stops minding the order that is asked for, or minds it again."""
        self.google.rules.ignore_order = not self.google.rules.ignore_order
        self._note(f"ignore order {self.google.rules.ignore_order}")

    def age_by_arrival(self, edited: int) -> None:
        """The user's items were modified as they came, ten a day, and so many of the older half yesterday."""
        items = list(self.user.index)
        now_ms = self.world.now_ms()
        for position, item in enumerate(items):
            item.modified_ms = now_ms - (len(items) + 20 - position) * 8_640_000
        for item in self.die.sample(items[: len(items) // 2], edited):
            item.modified_ms = now_ms - 86_400_000 - self.die.randrange(10**6)

    def wait(self, seconds: float) -> None:
        """Time passes; after hours the tokens of listings have expired."""
        self._note(f"wait {seconds}")
        self.clock.advance(seconds)

    def trigger(self, kind: SyncKind, *, with_cursor: bool = False) -> None:
        """The platform asks for a sync."""
        self._note(f"trigger {kind}")
        self.triggers.append(Owed(kind, CUSTOMER, None, self.known_cursor if with_cursor else None))

    def change_settings(self) -> None:
        """The customer wants other things mirrored; a trigger tells of it, as the Control Plane would."""
        if self.checkpoint is None or not self.checkpoint.corpora:
            return  # where state was lost, nobody knows what was mirrored before: see `lose_state`
        now = self.settings
        wish = self.die.choice(("include_shared_drives", "include_trashed", "sync_permissions"))
        self.settings = replace(now, **{wish: not getattr(now, wish)})
        if self.size.scopes and self.die.random() < 0.5:
            self.settings = with_scope(self.settings, self.world, self.die)
        self._note(f"settings {wish} {getattr(self.settings, wish)}")
        self._replay_is_clean = False
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
            settings = replace(self.settings, exclude_mime_types=checkpoint.scope.exclude_mime_types)
            self.flights.append(_Fetch(action, checkpoint.sync.sync_id, settings, checkpoint, known, places))
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
            self._replay_is_clean = True  # edits until the logs are read are in the replay
        drive = self.google.open(flight.settings)
        if flight.checkpoint.labels_refused:
            drive = drive.without_labels()
        if flight.finding is None:
            self._first_answer(flight, answer(drive, flight.action, flight.checkpoint))
        elif flight.question is not None:
            said = reply(drive, flight.question)
            self.done[f"question: {type(flight.question).__name__}"] += 1
            if isinstance(said, WorkerError):
                flight.answer = said
            else:
                self._go_on_finding(flight, lambda finding: finding.send(said))

    def _first_answer(self, flight: _Fetch, said: engine.Answer | WorkerError) -> None:
        items = None if isinstance(said, WorkerError) else items_in(flight.action, said)
        if items is None or not (flight.checkpoint.scope.sync_permissions or self.size.scopes):
            flight.answer = said
            return
        flight.finding = self._find(flight, items)
        self._go_on_finding(flight, next)

    def _find(self, flight: _Fetch, items: ItemsAnswer) -> Generator[Question, Reply, Shared]:
        """Where the items are, then what permissions they have."""
        checkpoint, places = flight.checkpoint, NOWHERE
        if self.size.scopes:
            places = yield from places_of(items, checkpoint.scope, checkpoint.corpora, flight.places)
        found = yield from permissions_of(flight.action, items, checkpoint, flight.known)
        permissions = found if checkpoint.scope.sync_permissions else {}
        return Shared(items, permissions, sighted_of(checkpoint, flight.action), places)

    def _go_on_finding(self, flight: _Fetch, go_on: Callable[[Generator[Question, Reply, Shared]], Question]) -> None:
        """The finding asks its next question, which Google answers when it is served again, or it is through."""
        assert flight.finding is not None
        try:
            flight.question = go_on(flight.finding)
        except StopIteration as end:
            flight.answer = end.value

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
            step = failure.on_failure(checkpoint, flight.action, outcome, now, jitter, transformer)
        else:
            self._note(f"arrive {flight.action}")
            step = engine.on_answer(checkpoint, flight.action, outcome, transformer, self._recall)
        self._check_rest(checkpoint, flight.action, outcome, step)
        self._count_parts(checkpoint, step)
        self._write(checkpoint, step)

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
            self._check_log()

    def crash(self) -> None:
        """The worker dies; another begins from what is committed."""
        self._note("crash")
        self.pending.clear()
        self.flights.clear()
        self.checkpoint = self.log.restore()
        self.memory = dict(self.log.memory)
        self.folders = KnownFolders[PermissionSet](limit=self.folders_known)
        self.places = KnownFolders[Place](limit=self.folders_known)
        self.position = self.log.position
        self._replay_is_clean = False
        self._check_at = None

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
        self._note("lose state")
        self.known_cursor = checkpoint.corpora[USER_CORPUS].change_token
        self.log.state = None
        self.log.memory.clear()
        self.memory.clear()
        self.checkpoint = None
        self.clock.advance(1.0)  # syncs are told apart by their milliseconds once nobody knows the last one
        self.trigger("incremental", with_cursor=True)

    # What must hold.

    def settle(self) -> None:
        """Edits stop, a last trigger comes, everything is worked off: the mirror is the Drive."""
        self.trigger("incremental")
        for _ in range(SETTLED_WITHIN):
            if self._is_settled():
                break
            self._calm_step()
        else:
            raise Broken(
                f"not settled within {SETTLED_WITHIN} steps; {plan(self.checkpoint) if self.checkpoint else ''}"
            )
        self._check_equal("settled")

    def _calm_step(self) -> None:
        self.steps += 1
        checkpoint = self.checkpoint
        if self.position < len(self.triggers):
            self.intake()
        elif self.flights and (len(self.flights) >= FETCHES_AT_ONCE or self.die.random() < 0.5):
            self.serve(self.die.randrange(8))
            self.arrive(self.die.randrange(8))
        elif checkpoint is not None and self._rests(checkpoint):
            self._wake(checkpoint)
        else:
            before = len(self.flights), len(self.pending)
            self.go_on(self.die.randrange(8))
            if before == (len(self.flights), len(self.pending)):
                self.serve(self.die.randrange(8))
                self.arrive(self.die.randrange(8))
        if len(self.pending) > 3:
            self.commit()

    def _is_settled(self) -> bool:
        if self.position < len(self.triggers) or self.flights:
            return False
        checkpoint = self.checkpoint
        if checkpoint is not None and engine.due_at(checkpoint, self.google.time.now()) is not None:
            return False
        self.commit()
        if checkpoint is not None and (checkpoint.sync or checkpoint.owed):
            raise Broken(f"at rest for good with a sync to do: {checkpoint}")
        return True

    def _rests(self, checkpoint: Checkpoint) -> bool:
        now = self.google.time.now()
        due = engine.due_at(checkpoint, now)
        return not self.flights and due is not None and due > now

    def _wake(self, checkpoint: Checkpoint) -> None:
        now = self.google.time.now()
        due = engine.due_at(checkpoint, now) or now
        if due - now > timedelta(seconds=2 * failure.PARK_CAP_S):
            raise Broken(f"parked for {due - now}")
        self.wait((due - now).total_seconds() + 0.001)

    def _check_rest(self, before: Checkpoint, action: Action, outcome: engine.Answer | WorkerError, step: Step) -> None:
        """What a part of a listing rests for, no other part's answer ends."""
        after = step.checkpoint
        rest = None if after is None else after.parked
        if isinstance(outcome, Retryable):
            if isinstance(action, ListFiles) and before.parked is None and rest is not None:
                self._failed = (action, rest.until or "")
            return
        if self._failed is None or after is None or before.parked is None:
            return
        failed, until = self._failed
        corpus = after.corpora.get(failed.corpus)
        same = isinstance(action, ListFiles) and (action.corpus, action.modified) == (failed.corpus, failed.modified)
        if same and isinstance(outcome, WorkerError):
            self._failed = None  # it starts over, with a query anew
        if before.parked.until != until or same or corpus is None or corpus.stage != "listing" or after.sync is None:
            return
        if rest is None:
            raise Broken(f"{failed} rests until {until}, and {action} ended it")
        self.done["rest: kept"] += 1

    def _check_log(self) -> None:
        mirror = self.log.mirror
        if mirror.misorders or mirror.repeated_messages:
            raise Broken(f"{mirror.misorders} misorders, {mirror.repeated_messages} repeated: {mirror.notes}")
        if self._check_at is not None and not self.pending:
            if self._replay_is_clean:
                self._check_equal("completed")
            self._check_at = None

    def _check_equal(self, when: str) -> None:
        drives_too = bool(self.settings.include_shared_drives)
        trashed_too = self.settings.include_trashed
        files = visible_items(self.world, self.user, include_trashed=trashed_too, include_shared_drives=drives_too)
        drives = visible_drives(self.world, self.user) if drives_too else {}
        permissions = self._visible_permissions() if self.settings.sync_permissions else {}
        wrong_paths: list[Difference] = []
        if self.size.scopes:
            wrong_paths = path_differences(self.log.mirror, self.world, self.user, files)
            ids = within(self.settings, self.user, files, visible_drives(self.world, self.user))
            files = {file_id: file for file_id, file in files.items() if file_id in ids}
            drives = {drive_id: drive for drive_id, drive in drives.items() if holds_drive(self.settings, drive_id)}
            permissions = {key: each for key, each in permissions.items() if key[0] in files or key[0] in drives}
        differences = self.log.differences(
            files, drives, permissions, untold=untold(self.world, self.user), include_trashed=trashed_too
        )
        if self.size.details:
            differences += differences_of_details(self.log.mirror, self.world, self.user, self.settings)
        if self.size.scopes:
            differences = [each for each in differences if not is_opened_by_link(self.world, each)] + wrong_paths
        self.done[f"compared, {when}"] += 1
        if differences:
            text = "; ".join(map(str, differences[:8]))
            raise Broken(f"{when}: {len(differences)} differences: {text}")

    def _visible_permissions(self) -> dict[tuple[str, str], VisiblePermission]:
        return visible_permissions(
            self.world,
            self.user,
            include_trashed=self.settings.include_trashed,
            include_shared_drives=bool(self.settings.include_shared_drives),
        )

    def _check_cursors(self, checkpoint: Checkpoint) -> None:
        lacking = [
            name for name, corpus in checkpoint.corpora.items() if corpus.stage != "done" or corpus.change_token is None
        ]
        if lacking or USER_CORPUS not in checkpoint.corpora:
            raise Broken(f"a sync ends without the cursors of {lacking or USER_CORPUS}")

    # The worker's parts.

    def _begin(self, checkpoint: Checkpoint) -> None:
        self._note("begin")
        scope = scope_of(self.settings, include_shared_drives=True)
        now = self.google.time.now()
        step = engine.begin(checkpoint, CUSTOMER, scope, now, self.die.getrandbits(74), transformer)
        if step.checkpoint is not None and step.checkpoint.sync is not None:
            self.done[f"begun {step.checkpoint.sync.kind}"] += 1
        self._write(checkpoint, step)

    def _complete(self, checkpoint: Checkpoint) -> None:
        self._note("complete")
        self._check_cursors(checkpoint)
        as_wanted = checkpoint.scope == scope_of(self.settings, include_shared_drives=True)  # since it began
        step = engine.complete(checkpoint, self.google.time.now(), transformer)
        ends = step.checkpoint is not None and step.checkpoint.sync is None
        full = checkpoint.sync is not None and checkpoint.sync.kind == "full"
        if full and ends and checkpoint.owed is None and as_wanted and checkpoint.sync is not None:
            self._check_at = checkpoint.sync.sync_id
        self._write(checkpoint, step)

    def _write(self, before: Checkpoint, step: Step) -> None:
        entry = self.outbox.enter(before, step, {})
        assert isinstance(entry, Entry)  # nothing of the simulator's is too large
        self._enter(entry)

    def _enter(self, entry: Entry) -> None:
        if entry.checkpoint is not None and begins_full_sync(self.checkpoint, entry.checkpoint):
            self.memory.clear()
        self.checkpoint = entry.checkpoint
        self.memory.update(entry.remembered)
        self.pending.append(entry)

    def _recall(self, file_id: FileId) -> Remembered | None:
        return self.memory.get(file_id)

    def _retiming(self) -> Edit | None:
        """A client sets a file's modifiedTime: to long ago, to about now, or to a time that has yet to come."""
        indexes = [user.index for user in self.world.users.values()]
        item = self.die.choice(indexes).pick(self.die)
        if item is None or item.owner is None:
            return None
        days_ago = self.die.choice((self.die.uniform(0, 9_000), self.die.uniform(0, 900), self.die.uniform(-900, 0)))
        time = rfc3339(self.google.time.now() - timedelta(days=days_ago))
        query = {"supportsAllDrives": "true"}
        return Edit("retime", item.owner.email, "PATCH", f"files/{item.id}", query, {"modifiedTime": time})

    def _count_parts(self, before: Checkpoint, step: Step) -> None:
        """What became of the listings' parts, so that a run can say what it has exercised."""
        after = {} if step.checkpoint is None else step.checkpoint.corpora
        for name, corpus in after.items():
            old, new = before.corpora.get(name, corpus).parts, corpus.parts
            self.done["part: split off"] += max(0, len(new) - max(1, len(old)))
            self.done["part: out of order"] += sum(not part.ordered for part in new if part not in old)
            self.done["part: goes on from its frontier"] += sum(
                part.refusals > 0 and part.until is not None and part.page_token is None
                for part in new
                if part not in old
            )

    def _membership(self) -> Edit | None:
        """Somebody, the mirror's user most often, joins or leaves a drive."""
        drive = self.die.choice(list(self.world.drives.values()))
        manager = next((user for user, grant in drive.members.items() if grant.role == "organizer"), None)
        if manager is None or manager is self.user:
            return None
        path = f"files/{drive.id}/permissions"
        query = {"supportsAllDrives": "true"}
        if self.user in drive.members:
            return Edit("leave_drive", manager.email, "DELETE", f"{path}/{self.user.permission_id}", query)
        body = {"type": "user", "role": "writer", "emailAddress": self.user.email}
        return Edit("join_drive", manager.email, "POST", path, query, body)

    def _note(self, text: str) -> None:
        self.done[text.partition(" ")[0]] += 1
        self.trace.append(text)
