"""What must hold in a run: at every step, at every commit, and at rest, when the mirror is the Drive."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from drive_simulator.model.items import User
from drive_simulator.model.world import World
from drive_simulator.truth.items import VisiblePermission, untold, visible_drives, visible_items, visible_permissions
from google_drive_worker.demo.mirror import Difference, Mirror, ReceivedRecord
from google_drive_worker.domain.connection import ConnectionSettings
from google_drive_worker.domain.ids import SyncId
from google_drive_worker.sync import engine
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint
from google_drive_worker.sync.content import Contents
from google_drive_worker.sync.gaps import hard_gaps
from google_drive_worker.sync.plan import Action, ListFiles
from google_drive_worker.sync.step import Step
from google_drive_worker.utils.errors import Retryable, WorkerError
from simulation.comparison import differences_of_contents, differences_of_details, differences_of_labels
from simulation.draws import Size
from simulation.events import differences_of_events
from simulation.findings import Broken, Finding, Findings
from simulation.google import CONNECTION
from simulation.log import Log
from simulation.oddities import Oddities
from simulation.scopes import holds_drive, is_opened_by_link, path_differences, within
from simulation.sights import Key, Sights
from support.memory_store import MemoryStore

_SEEN = frozenset({"file", "folder", "shared_drive", "permission", "revision", "comment"})
_LISTED = frozenset({"file", "folder", "shared_drive", "permission"})
_OF_MEMBERS = frozenset({"join_drive", "leave_drive", "change_member"})
"""Edits of a drive's members."""


class Checks:
    """Watches a run. `done` counts what was compared and what a run has exercised."""

    def __init__(
        self,
        size: Size,
        world: World,
        user: User,
        log: Log,
        store: MemoryStore,
        oddities: Oddities,
        done: Counter[str],
        findings: Findings,
    ) -> None:
        self._size = size
        self._world = world
        self._user = user
        self._log = log
        self._store = store
        self._oddities = oddities
        self._done = done
        self._findings = findings
        self.sights = Sights(world, user, scoped=size.scopes, details=size.details)
        self.was_state_lost = False
        self._begun: dict[str, int] = {}
        self._removed: dict[str, int] = {}
        self._mark: tuple[tuple[SyncId | None, int], int] | None = None
        self._replay_is_clean = False
        self._members_are_read = True
        self._check_at: SyncId | None = None
        self._failed: tuple[ListFiles, str] | None = None
        self._openings: Counter[str] = Counter()

    def on_edit(self, settings: ConnectionSettings, kind: str = "") -> None:
        """What is asked of the mirror has changed: a full sync under way need not come to it without a later one."""
        self._replay_is_clean = False
        if kind in _OF_MEMBERS:
            self._members_are_read = False
        self.sights.look(settings)

    def on_begun(self, sync_id: SyncId) -> None:
        """A sync begins."""
        self._begun[sync_id] = self.sights.moment

    def on_deletes(self, before: Checkpoint, step: Step, settings: ConnectionSettings, since: int | None) -> None:
        """No record deletes what is in sight, and was ever since the step's answer was asked for, unless one writes it
        after that. What an entry of a log says is as old as the entry's page, and what an item inherits as old as what
        is known of its folder, which is kept until a log tells of one that has changed."""
        since = self.sights.moment if since is None else since
        last = {(each.resource_type, each.resource_id): each for each in step.records if each.resource_type in _SEEN}
        deletes = [each for each in last.values() if each.operation == "delete"]
        if deletes:
            self.sights.look(settings)
            self._done["deletes judged"] += len(deletes)
        removals = _removals(before)
        known_since = min(since, self._note_mark(before))
        for each in deletes:
            item_id = each.resource_id.partition("/")[0]
            known = self._removed.get(item_id, since) if item_id in removals else since
            if each.resource_type == "permission" and self._is_inherited(each.resource_id):
                known = min(known, known_since)
            stood = self.sights.stood((each.resource_type, each.resource_id), min(since, known))
            if stood and not self._is_to_be_listed(before, item_id):
                kind = f"deleted {each.resource_type} that exists"
                self._findings.report([(kind, each.resource_id)], f"deleted what exists: {each}")
        self._removed.update(dict.fromkeys(_removals(step.checkpoint) - removals, since))

    def _note_mark(self, before: Checkpoint) -> int:
        """The moment since which the worker keeps what it knows of folders (`KnownFolders`)."""
        sync = before.sync
        mark = (None, 0) if sync is None else (sync.sync_id, sync.sightings)
        if self._mark is None or self._mark[0] != mark:
            self._mark = (mark, self.sights.moment)
        return self._mark[1]

    def _is_inherited(self, permission: str) -> bool:
        """Whether the permission comes to an item of a shared drive from a folder or the drive above it."""
        item_id, _, own = permission.partition("/")
        item = self._world.items.get(item_id)
        if item is None or item.drive is None or item.is_root:
            return False
        return not any(grant.id == own for grant in item.grants or ())

    def on_members(self) -> None:
        """The members of drives were read: no log is sure to tell of an edit of them."""
        self._members_are_read = True

    def on_listed(self) -> None:
        """A page was listed: edits until then are in the replay of the logs. It is the next sync's page where one that
        has closed is yet to be committed."""
        if self._check_at is None:
            self._replay_is_clean = True

    def on_crash(self) -> None:
        """The worker began anew."""
        self._replay_is_clean = False
        self._check_at = None

    def on_full_sync_closed(self, sync_id: SyncId) -> None:
        """When all of it is committed, the mirror is the Drive, if nobody has edited since it was listed."""
        self._check_at = sync_id

    def on_step(self, before: Checkpoint, action: Action, outcome: engine.Answer | WorkerError, step: Step) -> None:
        """What a part of a listing rests for, no other part's answer ends."""
        self._count_parts(before, step)
        self._count_gaps(before, step)
        if isinstance(outcome, Contents):
            self._done.update(f"content: {each.content.status}" for each in outcome.found)
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
        self._done["rest: kept"] += 1

    def on_commit(self, settings: ConnectionSettings, *, is_all: bool, labels_too: bool) -> None:
        """The log is in order; `is_all` says that nothing more is pending."""
        mirror = self._log.mirror
        if mirror.misorders or mirror.repeated_messages:
            raise Broken(f"{mirror.misorders} misorders, {mirror.repeated_messages} repeated: {mirror.notes}")
        if self._log.events.repeated:
            raise Broken(f"events that were told twice: {self._log.events.repeated}")
        self._judge_sweep(settings)
        if self._check_at is not None and is_all:
            if self._replay_is_clean and self._members_are_read:
                self.on_rest("completed", settings, labels_too=labels_too)
            self._check_at = None

    def _is_to_be_listed(self, before: Checkpoint, item_id: str) -> bool:
        """Whether a drive that was joined just now holds it: what an older log says of it is told first, and then the
        drive's listing brings it. The worker may not have read yet that it was joined again."""
        item = self._world.items.get(item_id)
        if item is None or item.drive is None:
            return False
        corpus = before.corpora.get(item.drive.id)
        return corpus is None or corpus.stage in {"start_token", "listing"}

    def _judge_sweep(self, settings: ConnectionSettings) -> None:
        """A full sync that says that it is completed leaves nothing to sweep that was in sight all the while."""
        closing = self._log.mirror.closing(CONNECTION)
        if closing is None or closing.data.status != "completed" or closing.sync_id not in self._begun:
            return
        began = self._begun.pop(closing.sync_id)
        self.sights.look(settings)
        if self.was_state_lost and self._size.consistency is not None:
            return  # what a list leaves out is held against nothing where it is not known what was written
        swept = self._log.mirror.swept(CONNECTION)
        stood = [each for each in swept if self.sights.stood(_key_of(each), began)]
        wrong = [each for each in stood if each.resource_type in _LISTED]
        self._findings.report(
            [(f"swept {each.resource_type} that exists", each.resource_id) for each in wrong],
            f"swept what exists: {[each.idempotency_key for each in wrong]}",
        )

    def on_rest(self, when: str, settings: ConnectionSettings, *, labels_too: bool) -> None:
        """The mirror is the Drive. Its labels are `labels_too`: not where they were refused.

        Of files that are bad for ever nothing is compared, and no full sync is completed: what only a sweep would take
        away may stay. A full sync that has just fetched contents has yet to read that the account viewed the files.
        """
        events_too = when == "settled" or not self._size.contents
        lasting = self._oddities.lasting if self._size.for_ever else frozenset[str]()
        differences = [
            each
            for each in self._differences(self._log.mirror, settings, labels_too=labels_too, events_too=events_too)
            if each.resource_id.partition("/")[0] not in lasting and not (lasting and self._is_to_be_swept(each))
        ]
        if not (self.was_state_lost or lasting or differences):
            unswept = self._differences(self._log.unswept, settings, labels_too=labels_too, events_too=False)
            differences = [replace(each, actual="where nothing is swept") for each in unswept]
        self._done[f"compared, {when}"] += 1
        text = "; ".join(map(str, differences[:8]))
        self._findings.report(map(_finding, differences), f"{when}: {len(differences)} differences: {text}")

    def _is_to_be_swept(self, difference: Difference) -> bool:
        """Whether what the mirror has too much is older than the last full sync."""
        closing = self._log.mirror.closing(CONNECTION)
        key = ("file" if difference.resource_type == "content" else difference.resource_type, difference.resource_id)
        held = [each for each in self._log.mirror.held(CONNECTION) if _key_of(each) == key]
        return closing is not None and bool(held) and all(each.sync_id < closing.sync_id for each in held)

    def on_lasting_gaps(self, checkpoint: Checkpoint, settings: ConnectionSettings) -> None:
        """Just the bad files that were asked for are gaps, and each has one error record for a cause and a full sync at
        most, however often it was tried."""
        self.sights.look(settings)
        bad = self._oddities.lasting
        # An odd element may be one of which an id is enough: then it is no gap.
        unasked = {"files.get"}  # what that would tell, a list may tell as well
        if not settings.sync_permissions:  # since the settings have changed
            unasked.add("permissions.list")
        # Of a file whose permissions are there already an answer may ask that turns out not to be the one to write it.
        whole = {each.resource_id.partition("/")[0] for each in self._log.mirror.held(CONNECTION, "permission")}
        met = {
            each
            for each, call in self._oddities.met
            if each in self._oddities.bad and call not in unasked and not (call == "permissions.list" and each in whole)
        }
        asked = {file_id for file_id in met if self.sights.holds(("file", file_id))}
        gaps = Counter(gap.id for gap in hard_gaps(checkpoint))
        if not asked <= gaps.keys() <= bad:
            raise Broken(f"gaps of {sorted(gaps)}, and {sorted(asked)} can't be had")
        tried = [each for each in self._log.error_records() if each.error.action == "retried"]
        # Several elements of one list that have no id are a record each, all of the same sync.
        causes = {(each.resource.id, each.resource.type, each.error.code, each.sync_id) for each in tried}
        told = Counter(cause[:3] for cause in causes)
        elements = {(each.resource.id or "").partition("/")[0] for each in tried}
        full_syncs = self._done["full syncs begun"]  # with a drive that is left and joined again they begin anew
        wrong = {
            file_id: count
            for (file_id, _, _), count in told.items()
            if file_id in gaps
            and count > max(full_syncs, self._openings[file_id or ""])  # one may have been filled for a while
        }
        wrong |= {file_id: 0 for file_id in gaps if file_id not in elements}
        if wrong:
            raise Broken(f"error records of gaps: {wrong}, of {gaps}")
        self._done["lasting gaps compared"] += len(gaps)

    def _differences(
        self, mirror: Mirror, settings: ConnectionSettings, *, labels_too: bool, events_too: bool
    ) -> list[Difference]:
        drives_too = bool(settings.include_shared_drives)
        trashed_too = settings.include_trashed
        files = visible_items(self._world, self._user, include_trashed=trashed_too, include_shared_drives=drives_too)
        drives = visible_drives(self._world, self._user) if drives_too else {}
        permissions = self._visible_permissions(settings) if settings.sync_permissions else {}
        wrong_paths: list[Difference] = []
        if self._size.scopes:
            wrong_paths = path_differences(mirror, self._world, self._user, files)
            ids = within(settings, self._user, files, visible_drives(self._world, self._user))
            files = {file_id: file for file_id, file in files.items() if file_id in ids}
            drives = {drive_id: drive for drive_id, drive in drives.items() if holds_drive(settings, drive_id)}
            permissions = {key: each for key, each in permissions.items() if key[0] in files or key[0] in drives}
        differences = self._log.differences(
            mirror, files, drives, permissions, untold=untold(self._world, self._user), include_trashed=trashed_too
        )
        differences += self._other_differences(mirror, settings, labels_too=labels_too, events_too=events_too)
        if self._size.scopes:
            differences = [each for each in differences if not is_opened_by_link(self._world, each)] + wrong_paths
        return differences

    def _other_differences(
        self, mirror: Mirror, settings: ConnectionSettings, *, labels_too: bool, events_too: bool
    ) -> Iterator[Difference]:
        """Those of what is beside items and their permissions."""
        world, user = self._world, self._user
        if self._size.details:
            yield from differences_of_details(mirror, world, user, settings, self._oddities.blurred)
        if self._size.contents:
            yield from differences_of_contents(mirror, world, user, settings, self._store)
        if self._size.labels and labels_too:
            yield from differences_of_labels(mirror, world, settings)
        if self._size.events and events_too and not self._size.scopes:
            yield from differences_of_events(mirror, self._log.events, world, user, settings)

    def _visible_permissions(self, settings: ConnectionSettings) -> dict[tuple[str, str], VisiblePermission]:
        return visible_permissions(
            self._world,
            self._user,
            include_trashed=settings.include_trashed,
            include_shared_drives=bool(settings.include_shared_drives),
        )

    def _count_gaps(self, before: Checkpoint, step: Step) -> None:
        """How many things could not be had, and how many of those were had at last."""
        if step.checkpoint is not None:
            old, new = ({(gap.scope, gap.id) for gap in each.gaps} for each in (before, step.checkpoint))
            self._done["gap: opened"] += len(new - old)
            self._openings.update(gap_id for _, gap_id in new - old)
            self._done["gap: closed"] += len(old - new)

    def _count_parts(self, before: Checkpoint, step: Step) -> None:
        """What became of the listings' parts, so that a run can say what it has exercised."""
        after = {} if step.checkpoint is None else step.checkpoint.corpora
        for name, corpus in after.items():
            old, new = before.corpora.get(name, corpus).parts, corpus.parts
            self._done["part: split off"] += max(0, len(new) - max(1, len(old)))
            self._done["part: out of order"] += sum(not part.ordered for part in new if part not in old)
            self._done["part: goes on from its frontier"] += sum(
                part.refusals > 0 and part.until is not None and part.page_token is None
                for part in new
                if part not in old
            )


def _removals(checkpoint: Checkpoint | None) -> set[str]:
    """Which items a log says are gone, and are yet to be looked up."""
    sync = None if checkpoint is None else checkpoint.sync
    return set() if sync is None else {removal.file_id for removal in sync.removals}


def _finding(difference: Difference) -> Finding:
    kind = "other data of" if difference.kind == "different" else difference.kind
    field = f": {difference.field}" if difference.kind == "different" else ""
    return f"{kind} {difference.resource_type}{field}", difference.resource_id


def _key_of(record: ReceivedRecord) -> Key:
    return record.resource_type, record.resource_id


def check_cursors(checkpoint: Checkpoint) -> None:
    """A sync that ends knows where every log goes on."""
    lacking = [
        name
        for name, corpus in checkpoint.corpora.items()
        if not corpus.held and (corpus.stage != "done" or corpus.change_token is None)
    ]
    if lacking or USER_CORPUS not in checkpoint.corpora:
        raise Broken(f"a sync ends without the cursors of {lacking or USER_CORPUS}")
