"""A simulated Drive, the topics and a reader, put together: to trigger syncs, wait for their end, and compare.

What is compared comes from `ingestion.data` alone, as a committed reader sees it; it is held against the simulator's
model of what the user should see.
"""

import json
import random
import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import orjson
from confluent_kafka import Consumer, KafkaException, TopicPartition

from drive_simulator.edits.random_edits import random_edits
from drive_simulator.model.world import World
from drive_simulator.server.quota import QuotaModel
from drive_simulator.server.server import Simulator
from drive_simulator.truth.items import untold, visible_drives, visible_items, visible_permissions
from google_drive_worker.demo.mirror import Mirror, ReceivedRecord, Truth, compare
from google_drive_worker.demo.objects import read_object
from google_drive_worker.domain.drive import DriveFile, SharedDrive
from support.consume import PASSING, Message, TopicReader, read_all, wait_for_open_transactions
from support.produce import send
from support.sharing import true_permissions
from support.simulators import serving_in_thread
from support.topics import Topics
from support.worker_process import WorkerProcess, worker_process

SETTLE_DEADLINE_S = 90.0
MAX_SHOWN = 10

FIRST = "conn_user_1"
"""The connection of the simulator's first user, who is in every shared drive."""


@dataclass
class Stage:
    """One simulator, one set of topics, and what a consumer has read of them so far.

    Syncs may be waited for, and records read, by several threads; whoever compares holds `turn` where others read.
    """

    simulator: Simulator
    topics: Topics
    directory: Path
    data: TopicReader
    states: TopicReader
    mirror: Mirror = field(default_factory=lambda: Mirror(read_object))
    records: list[ReceivedRecord] = field(default_factory=list)
    _latest: dict[str, dict[str, Any]] = field(default_factory=dict)
    _corpora: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    _workers: int = 0
    turn: threading.RLock = field(default_factory=threading.RLock)

    @property
    def connections_file(self) -> Path:
        """The file that the worker's connections come from."""
        return self.directory / "connections.toml"

    @property
    def objects(self) -> Path:
        """The directory that is the object store."""
        return self.directory / "objects"

    @property
    def environment(self) -> dict[str, str]:
        """The worker's settings."""
        return {
            **self.topics.environment,
            "CONNECTIONS_FILE": str(self.connections_file),
            "S3_BUCKET_NAME": self.objects.as_uri(),
            "GDRIVE_API_BASE_URL": self.simulator.base_url,
        }

    @contextmanager
    def worker(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        start: bool = True,
        module: str = "google_drive_worker",
    ) -> Iterator[WorkerProcess]:
        """A worker on this stage, ready unless `start` is false; killed at the end."""
        self._workers += 1
        log = self.directory / f"worker-{self._workers}.log"
        with worker_process({**self.environment, **(settings or {})}, log, module=module) as worker:
            if start:
                worker.start()
                worker.wait_ready()
            yield worker

    def email(self, connection_id: str = FIRST) -> str:
        """The user whose Drive the connection mirrors."""
        return self.simulator.accounts[connection_id].email

    def trigger_value(self, connection_id: str = FIRST, kind: str = "incremental", **fields: object) -> str:
        """A trigger as the platform writes it; `fields` go over it."""
        account = self.simulator.accounts.get(connection_id)
        trigger = {
            "message_id": str(uuid.uuid4()),
            "customer_id": account.customer_id if account else "cust_unknown",
            "integration_id": "google-drive",
            "integration_connection_id": connection_id,
            "trigger_type": kind,
            "last_cursor": None,
        }
        return json.dumps({**trigger, **fields})

    def trigger(self, connection_id: str = FIRST, kind: str = "incremental", *, times: int = 1) -> None:
        """Ask for a sync as the platform does."""
        values = [(connection_id, self.trigger_value(connection_id, kind)) for _ in range(times)]
        send(self.topics.bootstrap_servers, self.topics.trigger, values)

    def trigger_all(self, connection_ids: Iterable[str], kind: str = "incremental") -> None:
        """Ask for a sync of each, all at once."""
        values = [(name, self.trigger_value(name, kind)) for name in connection_ids]
        send(self.topics.bootstrap_servers, self.topics.trigger, values)

    def sync(self, connection_id: str = FIRST, kind: str = "incremental") -> None:
        """Trigger, wait for the end of it, and read what was written."""
        self.trigger(connection_id, kind)
        self.settle(connection_id)

    def settle(self, *connection_ids: str, deadline_s: float = SETTLE_DEADLINE_S) -> None:
        """Wait until every trigger sent so far is taken in and the connections owe nothing; then read the data.

        Positions and states are committed together, so a settled state read after the positions is the last word.
        Raises `AssertionError` after `deadline_s`.
        """
        deadline = monotonic() + deadline_s
        wanted = self._last_triggers()
        config = {"bootstrap.servers": self.topics.bootstrap_servers, "group.id": self.topics.group_id, "log_level": 0}
        with closing(Consumer(config)) as c:
            asked = [TopicPartition(self.topics.trigger, partition) for partition in wanted]
            while not _are_taken_in(c, asked, wanted):
                self._look(deadline, "the triggers were not taken in")
        with self.turn:
            self._note_states(self.states.read_to_end())
        while not all(_is_settled(self._latest.get(name)) for name in connection_ids):
            self._look(deadline, f"no settled state of {connection_ids}")
        wait_for_open_transactions(self.topics.bootstrap_servers, self.topics.data)
        self.read()

    def state(self, connection_id: str = FIRST) -> dict[str, Any]:
        """The connection's checkpoint as it is committed now; empty where there is none."""
        with self.turn:
            self._note_states(self.states.read_to_end())
            head = self._latest.get(connection_id, {})
            return {**head, "corpora": dict(self._corpora[connection_id])} if head else {}

    def under_way(self) -> set[str]:
        """The connections of which a sync is in progress, as it is committed now."""
        self._note_states(self.states.read_to_end())
        return {name for name, state in self._latest.items() if state.get("sync")}

    def edit(self, seed: int, count: int, *, memberships: bool = True) -> Counter[str]:
        """Let people make so many random edits, the same for the same seed and world; returns how many of each kind."""
        draw = random.Random(seed)  # noqa: S311 - edits that can be repeated
        return self.simulator.apply(lambda world: random_edits(world, draw, count, memberships=memberships))

    def read(self) -> list[ReceivedRecord]:
        """Apply to the mirror what has come to `ingestion.data` since the last call, and return it."""
        with self.turn:
            new = [
                self.mirror.apply(message.value or b"", partition=message.partition, offset=message.offset)
                for message in self.data.read_to_end()
            ]
            self.records += new
        return new

    def errors(self) -> list[dict[str, Any]]:
        """Every error record so far, parsed, with `key` and `headers` beside it under `_message`."""
        return [
            {**orjson.loads(message.value or b""), "_message": message}
            for message in read_all(self.topics.bootstrap_servers, self.topics.errors)
        ]

    def truth(self, connection_id: str = FIRST) -> Truth:
        """What the user truly sees now."""
        email = self.email(connection_id)

        def look(world: World) -> Truth:
            user = world.user(email)
            files, drives = orjson.dumps(visible_items(world, user)), orjson.dumps(visible_drives(world, user))
            return Truth(
                msgspec.json.decode(files, type=dict[str, DriveFile], strict=False),
                msgspec.json.decode(drives, type=dict[str, SharedDrive]),
                true_permissions(visible_permissions(world, user)),
                untold(world, user),
            )

        return self.simulator.apply(look)

    def assert_equal(self, *connection_ids: str) -> None:
        """Fail where the mirror is not what the users see, or anything was written twice or out of order."""
        for connection_id in connection_ids or (FIRST,):
            truth = self.truth(connection_id)
            assert truth.files
            found = compare(self.mirror, truth, connection_id)
            shown = "\n".join(str(each) for each in found[:MAX_SHOWN])
            assert not found, f"{connection_id}: {len(found)} differences of {len(truth.files)} items:\n{shown}"
        assert self.mirror.repeated_messages == 0
        assert self.mirror.misorders == 0, self.mirror.notes

    def _last_triggers(self) -> dict[int, int]:
        last: dict[int, int] = {}
        for message in read_all(self.topics.bootstrap_servers, self.topics.trigger):
            last[message.partition] = message.offset
        return last

    def _look(self, deadline: float, what: str) -> None:
        assert monotonic() < deadline, f"{what}; states: {self._latest}\n{self._logs()}"
        with self.turn:
            self._note_states(self.states.read_some(0.05))

    def _note_states(self, messages: list[Message]) -> None:
        for message in messages:
            name, is_corpus, corpus = (message.key or b"").decode().partition("\0")
            if not is_corpus:
                self._latest[name] = _state(message.value)
            elif message.value is None:
                self._corpora[name].pop(corpus, None)
            else:
                self._corpora[name][corpus] = _state(message.value)

    def _logs(self) -> str:
        paths = sorted(self.directory.glob("worker-*.log"))
        return "\n".join("\n".join(path.read_text(errors="replace").splitlines()[-12:]) for path in paths)


def _are_taken_in(consumer: Consumer, asked: list[TopicPartition], wanted: Mapping[int, int]) -> bool:
    try:
        return all(found.offset > wanted[found.partition] for found in consumer.committed(asked, timeout=10))
    except KafkaException as problem:
        if problem.args[0].code() in PASSING:
            return False
        raise


def _state(value: bytes | None) -> dict[str, Any]:
    """A state record as it reads; empty where there is none, or what there is can't be read."""
    try:
        read = orjson.loads(value or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return read if isinstance(read, dict) else {}


def _is_settled(state: Mapping[str, Any] | None) -> bool:
    return state is not None and not any(state.get(name) for name in ("owed", "sync", "parked"))


@contextmanager
def staged(
    world: World,
    topics: Topics,
    directory: Path,
    *,
    latency_ms: float = 0,
    quota: QuotaModel | None = None,
    details: bool = False,
    push: bool = False,
    settings: str = "",
) -> Iterator[Stage]:
    """Serve the world, write its connections file into the directory, and read the topics.

    Revisions and comments, which take a call for each file, are mirrored where `details` are asked for.
    `push` switches push notifications on for every connection; `settings` are further lines of TOML, for each.
    """
    with (
        serving_in_thread(world, latency_ms=latency_ms, quota=quota) as (simulator, _),
        closing(TopicReader(topics.bootstrap_servers, topics.data)) as data,
        closing(TopicReader(topics.bootstrap_servers, topics.state)) as states,
    ):
        stage = Stage(simulator, topics, directory, data, states)
        simulator.write_connections(stage.connections_file)
        with stage.connections_file.open("a") as file:
            for name in simulator.accounts:
                wanted = f"push_notifications = {str(push).lower()}\n"
                wanted += "" if details else "sync_revisions = false\nsync_comments = false\n"
                file.write(f"\n[{name}.settings]\n{wanted}{settings}\n")
        yield stage
