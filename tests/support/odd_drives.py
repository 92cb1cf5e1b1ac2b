"""Small Drives, one for each test, mirrored by one worker that speaks to Google through the altering proxy.

A test takes an `Estate`: a connection with a My Drive and three shared drives, each with files in a folder and beside
it, comments, revisions, and files that are shared by themselves. What the worker wrote of it is read from the topics.
Rules are made for one estate's requests, so that the cases of a test can run side by side, each with an estate.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import msgspec
import orjson

from drive_simulator.model import discussion
from drive_simulator.model.item_changes import create, edit
from drive_simulator.model.items import FOLDER, Item, User
from drive_simulator.model.shared_drives import create_drive
from drive_simulator.model.sharing import add_grant
from drive_simulator.model.world import World
from drive_simulator.truth.items import visible_contents
from google_drive_worker.demo.mirror import ReceivedRecord
from google_drive_worker.sync.content import EXPORTS
from support.altering_proxy import Alteration, AlteringProxy, Match, Request, Rule, altering
from support.consume import TopicReader, wait_for_open_transactions
from support.details import assert_equal_with_details
from support.mirroring import Stage, staged
from support.topics import Topics
from support.worker_process import WorkerProcess

DOCUMENT = "application/vnd.google-apps.document"

QUICK = {
    "GDRIVE_MAX_ATTEMPTS": "2",
    "GDRIVE_MAX_RETRY_TIME_S": "3",
    "GDRIVE_QUOTA_PROJECT_PER_MINUTE": "1000000000",
    "GDRIVE_QUOTA_USER_PER_MINUTE": "1000000000",
    "SYNC_GAP_RETRY_S": "0.5",
    "SYNC_CONFIRM_AFTER_S": "0.5",
    "WORKER_COMMIT_INTERVAL_MS": "20",
}
"""Settings by which trouble is over within a test's patience."""

DEADLINE_S = 60.0
MIRRORED_AT_ONCE = 6
FILES = 8
DOCUMENTS = 2


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """A My Drive (`id` is `None`) or a shared drive, by ids.

    The files with even numbers lie in the folder. Each has a comment with a reply; the first four have a grant of their
    own.
    """

    id: str | None
    root: str
    folder: str
    files: tuple[str, ...]
    documents: tuple[str, ...]

    @property
    def items(self) -> frozenset[str]:
        """All of them but the root."""
        return frozenset({self.folder, *self.files, *self.documents})


@dataclass(frozen=True)
class Mirrored:
    """A connection, and whose Drive it mirrors."""

    connection_id: str
    email: str

    def match(self, method: str, **how: Any) -> Match:
        """The connection's requests of that method; `how` as `Match` takes it."""
        return Match(method=method, user=self.email, **how)


@dataclass(frozen=True)
class Estate(Mirrored):
    """A connection, and all that is in its Drive."""

    own: Place
    drives: tuple[Place, Place, Place]

    @property
    def places(self) -> tuple[Place, ...]:
        """My Drive and the shared drives."""
        return (self.own, *self.drives)


@dataclass(frozen=True, slots=True)
class Closing:
    """A `sync` record that closes a full sync."""

    sync_id: str
    status: str
    gaps: tuple[dict[str, Any], ...]

    def gap_ids(self) -> set[str]:
        """The ids that the gaps name."""
        return {str(gap.get("id")) for gap in self.gaps}


def is_listing(request: Request) -> bool:
    """Whether it is a page of a corpus, with all of its items' metadata."""
    return not is_walk(request) and "quotaBytesUsed" in request.query["fields"]


def is_walk(request: Request) -> bool:
    """Whether it is a page of a folder."""
    return " in parents" in request.query.get("q", "")


@dataclass
class OddStage:
    """A stage with the proxy and a worker, and the estates that no test has taken yet.

    Its methods may be called by the cases of a test that run side by side (`each`).
    """

    stage: Stage
    proxy: AlteringProxy
    worker: WorkerProcess
    _errors: TopicReader
    _estates: Iterator[Estate]
    _mirrored: dict[str, list[Estate]] = field(default_factory=dict)
    _closings: dict[str, list[Closing]] = field(default_factory=dict)
    _opened: dict[str, list[str]] = field(default_factory=dict)
    _reported: list[dict[str, Any]] = field(default_factory=list)
    _noted: int = 0
    _began_s: dict[str, float] = field(default_factory=dict)

    def each(self, case: Callable[[T], None], values: Mapping[str, T]) -> None:
        """Run the case with each of the values, side by side; raises what failed of them, noted with the value's
        name."""
        with ThreadPoolExecutor(len(values)) as threads:
            runs = {name: threads.submit(case, value) for name, value in values.items()}
        failed = []
        for name, run in runs.items():
            problem = run.exception()
            if problem is not None:
                problem.add_note(f"case: {name}")
                failed.append(problem)
        if len(failed) == 1:
            raise failed[0]
        if failed:
            raise BaseExceptionGroup(f"{len(failed)} of {len(values)} cases", failed)

    def take(self, settings: Callable[[Estate], str] | str = "") -> Estate:
        """An estate of the test's own; `settings` are lines of TOML for its connection."""
        with self.stage.turn:
            estate = next(self._estates)
            lines = settings if isinstance(settings, str) else settings(estate)
            head = f"[{estate.connection_id}.settings]\n"
            file = self.stage.connections_file
            file.write_text(file.read_text().replace(head, f"{head}{lines}\n"))
        return estate

    def mirrored(self, settings: str = "") -> Estate:
        """An estate of the test's own whose mirror is equal, after a full sync without trouble.

        Some are mirrored at the same time, for later tests.
        """
        with self.stage.turn:
            ready = self._mirrored.setdefault(settings, [])
            if not ready:
                ready += self._mirror_some(settings)
            estate = ready.pop(0)
            self.assert_equal(estate)
        return estate

    def _mirror_some(self, settings: str) -> list[Estate]:
        some = list(islice(iter(partial(self.take, settings), None), MIRRORED_AT_ONCE))
        self.stage.trigger_all([each.connection_id for each in some], "full_sync")
        self.wait_until(lambda: all(self.closings(each) for each in some), "the first mirrors")
        wait_for_open_transactions(self.stage.topics.bootstrap_servers, self.stage.topics.data)
        assert [self.closings(each)[-1].status for each in some] == ["completed"] * len(some)
        return some

    def alter(self, alteration: Alteration, match: Match, **how: Any) -> Rule:
        """Put a rule in force; `how` as `AlteringProxy.add` takes it."""
        return self.proxy.add(alteration, match, **how)

    def once(self, alteration: Alteration, match: Match) -> Rule:
        """Put a rule in force that strikes once."""
        return self.proxy.add(alteration, match, times=1)

    def sync(self, estate: Mirrored, kind: str = "full_sync") -> None:
        """Trigger, and wait until the connection owes nothing; what has gaps may be asked for again later."""
        self.stage.trigger(estate.connection_id, kind)
        self.stage.settle(estate.connection_id, deadline_s=DEADLINE_S)

    def close(self, estate: Mirrored) -> Closing:
        """Run a full sync, and return the record that closes it first."""
        before = len(self.opened(estate))
        self.stage.trigger(estate.connection_id, "full_sync")
        self.wait_until(lambda: len(self.opened(estate)) > before, "a full sync")
        sync_id = self.opened(estate)[-1]
        self.wait_until(lambda: any(each.sync_id == sync_id for each in self.closings(estate)), "a closing record")
        for topic in (self.stage.topics.data, self.stage.topics.errors):
            wait_for_open_transactions(self.stage.topics.bootstrap_servers, topic)
        return next(each for each in self.closings(estate) if each.sync_id == sync_id)

    def wait_completed(self, estate: Mirrored) -> None:
        """Wait until the newest full sync says `completed`, which no trigger is needed for, and read the data."""
        sync_id = self.opened(estate)[-1]

        def is_completed() -> bool:
            closed = [each for each in self.closings(estate) if each.sync_id == sync_id]
            return bool(closed) and closed[-1].status == "completed"

        self.wait_until(is_completed, f"{estate.connection_id} completed")
        self.stage.settle(estate.connection_id, deadline_s=DEADLINE_S)

    def wait_whole(self, estate: Mirrored) -> None:
        """Wait until the newest full sync says `completed`, and the mirror is equal."""
        self.wait_completed(estate)
        self.assert_equal(estate)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition holds."""
        self.worker.wait_until(condition, what, deadline_s=DEADLINE_S)

    def heal(self, estate: Mirrored) -> None:
        """Let the connection's answers be right again, and wait until the mirror is equal by itself."""
        self.proxy.clear(estate.email)
        self.wait_whole(estate)

    def closings(self, estate: Mirrored) -> list[Closing]:
        """The connection's closing records so far."""
        self._look("data", self._read_data)
        return list(self._closings.get(estate.connection_id, ()))

    def opened(self, estate: Mirrored) -> list[str]:
        """The ids of the connection's full syncs so far."""
        self._look("data", self._read_data)
        return list(self._opened.get(estate.connection_id, ()))

    def errors(self, estate: Mirrored, resource_id: str | None = None) -> list[dict[str, Any]]:
        """The connection's error records so far, of one resource or of all."""
        self._look("errors", self._read_errors)
        reported = tuple(self._reported)
        return [
            each
            for each in reported
            if each["integration_connection_id"] == estate.connection_id
            and resource_id in {None, (each["resource"] or {}).get("id")}
        ]

    def codes(self, estate: Mirrored) -> list[str]:
        """The codes of the connection's error records, in order."""
        return [each["error"]["code"] for each in self.errors(estate)]

    def written(self, estate: Mirrored, sync_id: str, kind: str | None = None) -> set[str]:
        """The resource ids that a sync has written, of one kind or of all."""
        return {
            each.resource_id
            for each in self._records()
            if each.integration_connection_id == estate.connection_id
            and each.sync_id == sync_id
            and each.operation == "upsert"
            and kind in {None, each.resource_type}
        }

    def deleted(self, estate: Mirrored) -> list[str]:
        """The keys of what was deleted so far."""
        return [
            each.idempotency_key
            for each in self._records()
            if each.integration_connection_id == estate.connection_id and each.operation == "delete"
        ]

    def all_held(self, estate: Mirrored, kind: str | None = None) -> list[ReceivedRecord]:
        """What the mirror holds of the connection, of one kind or of all."""
        with self.stage.turn:
            self._look("data", self._read_data)
            return list(self.stage.mirror.held(estate.connection_id, kind))

    def held_ids(self, estate: Mirrored) -> set[str]:
        """The resource ids of all that the mirror holds of the connection."""
        return {each.resource_id for each in self.all_held(estate)}

    def rename(self, estate: Mirrored, *file_ids: str) -> None:
        """Let the connection's user call those files `renamed`."""

        def rename(world: World) -> None:
            for file_id in file_ids:
                edit(world, world.items[file_id], world.user(estate.email), name="renamed")

        self.stage.simulator.apply(rename)

    def name(self, estate: Mirrored, file_id: str) -> str | None:
        """The name that the mirror holds of a file; `None` where it holds none."""
        held = self.all_held(estate, "file")
        return next((each.data.name for each in held if each.resource_id == file_id), None)

    def held(self, estate: Mirrored, kind: str, item_id: str) -> dict[str, Any]:
        """What the mirror holds of a kind that hangs on an item, by resource id."""
        records = self.all_held(estate, kind)
        return {each.resource_id: each.data for each in records if each.resource_id.startswith(f"{item_id}/")}

    def assert_equal(self, estate: Mirrored) -> None:
        """Fail where the mirror is not what the user sees, or anything that exists was ever deleted."""
        with self.stage.turn:
            self._look("data", self._read_data)
            assert_equal_with_details(self.stage, estate.connection_id)
            assert self.deleted(estate) == []

    def assert_contents(self, estate: Mirrored) -> None:
        """Fail where the contents that are stored are not those of the files."""
        truth = self.stage.simulator.apply(
            lambda world: visible_contents(world, world.user(estate.email), {k: v for k, v in EXPORTS.items() if v})
        )
        held = {each.resource_id: each for each in self.all_held(estate, "file")}
        for name, wanted in truth.items():
            ref, status = held[name].content_ref, held[name].data.content_status
            if wanted.sha256 is None:
                assert status == wanted.status
                continue
            assert ref is not None, f"{name} has no content: {status}"
            assert ref.sha256 == wanted.sha256, f"{name} has another content than it should"

    def _records(self) -> tuple[ReceivedRecord, ...]:
        self._look("data", self._read_data)
        return tuple(self.stage.records)

    def _look(self, what: str, read: Callable[[], None]) -> None:
        """Read on, unless somebody began to after this was called: one reading serves all who wait for it."""
        called_s = monotonic()
        with self.stage.turn:
            if self._began_s.get(what, 0.0) <= called_s:
                self._began_s[what] = monotonic()
                read()

    def _read_errors(self) -> None:
        self._reported += [orjson.loads(message.value or b"") for message in self._errors.read_to_end()]

    def _read_data(self) -> None:
        self.stage.read()
        records = self.stage.records[self._noted :]
        self._noted += len(records)
        for record in records:
            if record.resource_type != "sync":
                continue
            name, data = record.integration_connection_id, record.data
            if data.status == "started":
                self._opened.setdefault(name, []).append(record.sync_id)
            else:
                gaps = tuple(msgspec.to_builtins(data.gaps or ()))
                self._closings.setdefault(name, []).append(Closing(record.sync_id, str(data.status), gaps))


def side_by_side(values: Mapping[str, T]) -> Callable[[Callable[[OddStage, T], None]], Callable[[OddStage], None]]:
    """Make one test of a test with a parameter: its cases, by name, run at the same time on one worker."""

    def decorate(case: Callable[[OddStage, T], None]) -> Callable[[OddStage], None]:
        def test(odd: OddStage) -> None:
            odd.each(partial(case, odd), values)

        test.__name__, test.__qualname__, test.__doc__ = case.__name__, case.__qualname__, case.__doc__
        test.__module__ = case.__module__
        return test

    return decorate


@contextmanager
def behind_proxy(
    world: World,
    topics: Topics,
    directory: Path,
    estates: Iterable[Estate] = (),
    *,
    seed: int = 0,
    settings: str = "",
    environment: Mapping[str, str] | None = None,
) -> Iterator[OddStage]:
    """Serve the world behind the proxy, and run a worker on it.

    `settings` are lines of TOML for each connection; `environment` goes over the worker's settings.
    """
    with (
        staged(world, topics, directory, details=True, settings=settings) as stage,
        altering(stage.simulator, seed=seed) as proxy,
        stage.worker({**QUICK, **proxy.environment, **(environment or {})}) as worker,
        closing(TopicReader(topics.bootstrap_servers, topics.errors)) as errors,
    ):
        yield OddStage(stage, proxy, worker, errors, iter(estates))


@contextmanager
def odd_stage(
    topics: Topics, directory: Path, estates: int = 30, environment: Mapping[str, str] | None = None
) -> Iterator[OddStage]:
    """Serve a world of so many estates behind the proxy, and run a worker on it."""
    world = World(seed=11)
    made = [_estate(world, number) for number in range(1, estates + 1)]
    with behind_proxy(world, topics, directory, made, environment=environment) as stage:
        yield stage


def _estate(world: World, number: int) -> Estate:
    user = world.add_user(f"owner{number}@example.com", f"Owner {number}")
    drives = [create_drive(world, user, f"Drive {number}.{letter}") for letter in "abc"]
    one, two, three = (_place(world, user, drive.root, drive.id) for drive in drives)
    return Estate(f"conn_user_{number}", user.email, _place(world, user, user.root, None), (one, two, three))


def _place(world: World, user: User, root: Item, drive_id: str | None) -> Place:
    folder = create(world, user, "Pläne", FOLDER, root)
    files = []
    for number in range(FILES):
        parent = root if number % 2 else folder
        content = f"{root.id} {number}".encode()  # of no other file: what is stored already is not fetched
        file = create(world, user, f"file {number}.txt", "text/plain", parent, content=content)
        comment = discussion.comment_on(world, file, user, f"What of {number}?")
        discussion.reply_to(world, file, comment, user, "That.")
        if number < FILES // 2:
            email = f"guest{number}@partner.example.org"
            add_grant(world, file, user, grant_type="user", role="reader", email=email)
        files.append(file.id)
    documents = [create(world, user, f"document {number}", DOCUMENT, root).id for number in range(DOCUMENTS)]
    return Place(drive_id, root.id, folder.id, tuple(files), tuple(documents))
