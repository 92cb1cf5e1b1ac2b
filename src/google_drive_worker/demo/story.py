"""The demonstration from beginning to end: a full sync, two rounds of edits with a sync after each, the comparison."""

import asyncio
import contextlib
import math
import random
import secrets
import socket
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from google_drive_worker.demo.details import Compared, TrueDetails, compare_details, compared, records_expected
from google_drive_worker.demo.drive_part import DrivePart, Person
from google_drive_worker.demo.drive_user import DriveUser
from google_drive_worker.demo.mirror import Difference, Mirror, Truth, compare
from google_drive_worker.demo.objects import read_object
from google_drive_worker.demo.plane_part import CONTENT_LIMIT_BYTES, PlanePart
from google_drive_worker.demo.push import PREFIX as PUSHED_PREFIX
from google_drive_worker.demo.push import PUSHED_EDITS, Arrivals, PushLatency
from google_drive_worker.demo.reader import TICK_S, TopicReader
from google_drive_worker.demo.report import Outcome, Phase
from google_drive_worker.demo.scenario import edit_my_drive, edit_shared_drives
from google_drive_worker.demo.states import LatestStates
from google_drive_worker.demo.topics import DemoKafka, demo_kafka

PATIENCE_S = 60.0
"""How long nothing at all may come before the demonstration gives up."""

SETTLE_S = 10.0
"""How long what was edited last may take to come, before what is missing counts as a difference."""

READY_S = 30.0
"""How long the worker may take to start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for."""

    files: int = 2000
    shared_drives: int = 3
    seed: int = 0
    latency_ms: float = 0.0
    bootstrap_servers: str | None = None
    keep: bool = False


_EDITORS = frozenset({"files.create"})
"""What the user calls while the worker is at work; the worker only reads."""


class SyncFailed(Exception):
    """The worker says that the connection's sync can't go on."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the demonstration is put together from.

    `drive` starts a simulator, `plane` a Control Plane that has the connections of a file, `webhooks` the webhook
    proxy, and tells its address, `worker` the real worker, both on settings given as environment variables; `settled`
    tells from a state record that nothing is owed any more, `trouble` that it never will be, and why.
    """

    drive: Callable[[Options], AbstractAsyncContextManager[DrivePart]]
    plane: Callable[[Path], AbstractAsyncContextManager[PlanePart]]
    webhooks: Callable[[Mapping[str, str]], AbstractAsyncContextManager[str]]
    worker: Callable[[Mapping[str, str]], AbstractAsyncContextManager[object]]
    settled: Callable[[bytes], bool]
    trouble: Callable[[bytes], str | None]


@dataclass(slots=True)
class Stage:
    """The running demonstration."""

    drive: DrivePart
    plane: PlanePart
    kafka: DemoKafka
    objects: Path
    reader: TopicReader
    parts: Parts
    mirror: Mirror
    states: LatestStates
    arrivals: Arrivals
    console: Console
    health_port: int
    phases: list[Phase] = field(default_factory=list)
    api_calls: Counter[str] = field(default_factory=Counter)
    edits: Counter[str] = field(default_factory=Counter)

    @property
    def owner(self) -> Person:
        """Whose Drive is mirrored."""
        return self.drive.people[0]

    @property
    def connection_id(self) -> str:
        """By which connection."""
        return self.owner.account.connection_id

    async def sync(self, name: str, trigger_type: str, expected: int) -> None:
        """Trigger a sync and wait for its end. Raises `SyncFailed`, and what the reader raises."""
        mark, records, calls = self.states.mark(self.connection_id), self.mirror.total, await self._calls()
        began_s = time.monotonic()
        self.kafka.send(self.kafka.trigger, self.connection_id, self._trigger(trigger_type))
        with _progress(self.console) as progress:
            bar = progress.add_task(name, total=expected or None)
            await self.reader.until(
                lambda: self._is_settled(mark),
                f"the end of the {name}",
                patience_s=PATIENCE_S,
                tick=lambda: progress.update(bar, completed=min(self.mirror.total - records, expected or math.inf)),
            )
            await self.reader.until_caught_up(patience_s=PATIENCE_S)
            took_s = time.monotonic() - began_s
            written = self.mirror.total - records
            progress.update(bar, completed=written, total=written)
        spent = await self._calls() - calls
        self.api_calls += spent
        self.phases.append(Phase(name, written, took_s, spent.total()))

    async def edit(self, draw: random.Random) -> None:
        """One round of edits by the user, with the help of a colleague where there is one."""
        async with contextlib.AsyncExitStack() as stack:
            people = [
                await stack.enter_async_context(
                    DriveUser(person.account, self.drive.api_base_url, self.drive.token_uri)
                )
                for person in self.drive.people[:2]
            ]
            user, colleague = people[0], people[1] if len(people) > 1 else None
            with self.console.status("Editing files through the Drive API …"):
                self.edits += await edit_my_drive(user, colleague, draw)
                self.edits += await edit_shared_drives(user, draw)

    async def edit_by_push(self) -> PushLatency:
        """Make files one after another and wait for the record of each; nobody asks for a sync but Google's messages.

        Raises `Stalled` where one does not come.
        """
        records, calls, began_s = self.mirror.total, await self._calls(), time.monotonic()
        account = self.owner.account
        async with DriveUser(account, self.drive.api_base_url, self.drive.token_uri) as user:
            with self.console.status("Editing, and waiting for what comes by push …"):
                for number in range(PUSHED_EDITS):
                    name = f"{PUSHED_PREFIX}{number}.txt"
                    await user.upload(name, b"pushed\n")
                    self.arrivals.expect(name)
                await self.reader.until(self.arrivals.all_came, "an edit by push", patience_s=PATIENCE_S)
        spent = await self._calls() - calls
        spent -= Counter({method: count for method, count in spent.items() if method in _EDITORS})
        self.edits["upload"] += PUSHED_EDITS
        self.api_calls += spent
        took_s = time.monotonic() - began_s
        self.phases.append(Phase("edits by push", self.mirror.total - records, took_s, spent.total()))
        return self.arrivals.latency()

    async def truth(self) -> tuple[Truth, TrueDetails]:
        """What the mirror should hold now."""
        return await self.drive.truth(self.owner.email, limit_bytes=CONTENT_LIMIT_BYTES)

    async def compared(self) -> tuple[list[Compared], list[Difference], int]:
        """What was compared, and how the mirror differs once nothing more comes by push, or after `SETTLE_S`.

        And of how many items the sharing could not be compared.
        """
        deadline_s = time.monotonic() + SETTLE_S
        while True:
            truth, details = await self.truth()
            await self.reader.until_caught_up(patience_s=PATIENCE_S)
            found = await asyncio.to_thread(self._differences, truth, details)
            if not found or time.monotonic() > deadline_s:
                return compared(truth, details, found), found, len(truth.untold & truth.files.keys())
            await asyncio.sleep(TICK_S)

    def _differences(self, truth: Truth, details: TrueDetails) -> list[Difference]:
        found = compare(self.mirror, truth, self.connection_id)
        return found + compare_details(self.mirror, details, self.connection_id, read_object)

    async def _calls(self) -> Counter[str]:
        return await self.drive.calls(self.owner.email)

    def _is_settled(self, mark: int) -> bool:
        value = self.states.since(self.connection_id, mark)
        if value is None:
            return False
        if (reason := self.parts.trouble(value)) is not None:
            raise SyncFailed(f"the sync of {self.connection_id} can't go on: {reason}")
        return self.parts.settled(value)

    def _trigger(self, trigger_type: str) -> bytes:
        return orjson.dumps(
            {
                "message_id": str(uuid.uuid4()),
                "customer_id": self.owner.customer_id,
                "integration_id": "google-drive",
                "integration_connection_id": self.connection_id,
                "trigger_type": trigger_type,
                "last_cursor": None,
            }
        )


@contextlib.asynccontextmanager
async def opened(options: Options, parts: Parts, console: Console) -> AsyncIterator[Stage]:
    """Start everything, the reader before the worker, and stop it in reverse."""
    mirror, states, arrivals = Mirror(read_object), LatestStates(), Arrivals()
    async with contextlib.AsyncExitStack() as stack:
        with console.status(f"Starting a simulated Google Drive with {options.files:,} files …"):
            drive = await stack.enter_async_context(parts.drive(options))
            plane = await stack.enter_async_context(parts.plane(drive.connections_file))
        kafka = stack.enter_context(demo_kafka(options.bootstrap_servers, keep=options.keep))

        def take(topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
            if topic == kafka.state:
                states.take(offset, key, value)
            elif value is not None:
                arrivals.take(mirror.apply(value, partition=partition, offset=offset).data.name)

        followed = {kafka.data: kafka.partitions, kafka.state: kafka.partitions}
        reader = stack.enter_context(TopicReader(kafka.bootstrap_servers, followed, take))
        webhooks = await stack.enter_async_context(parts.webhooks(kafka.environment))
        objects = Path(stack.enter_context(TemporaryDirectory(prefix="drive-objects-")))
        with console.status("Starting the worker …"):
            health_port = free_port()
            environment = worker_environment(drive, plane, kafka, objects, health_port) | {
                "GDRIVE_WEBHOOK_ADDRESS": webhooks,
                "WEBHOOK_TOKEN_SECRET": secrets.token_urlsafe(32),
            }
            await stack.enter_async_context(parts.worker(environment))
            await until_ready(health_port)
        yield Stage(drive, plane, kafka, objects, reader, parts, mirror, states, arrivals, console, health_port)


async def play(stage: Stage, options: Options) -> Outcome:
    """Sync, edit, sync, edit, sync, edit by push, compare.

    Raises `SyncFailed`, `RecordsLost`, `Stalled` or `CallFailed`.
    """
    began_s = time.monotonic()
    before, details = await stage.truth()
    expected = len(before.drives) + sum(not file.trashed for file in before.files.values())
    stage.console.print(
        f"A simulated Google of {options.files:,} items and {options.shared_drives} shared drives. The worker "
        f"mirrors the Drive of {stage.owner.email}, who sees {expected:,} of them.",
        highlight=False,
    )
    draw = random.Random(options.seed)  # noqa: S311 - a scenario, nothing secret
    await stage.sync("full sync", "full_sync", records_expected(before, details))
    for number in (1, 2):
        await stage.edit(draw)
        await stage.sync(f"incremental sync {number}", "incremental", 0)
    push = await stage.edit_by_push()
    lines, differences, untold = await stage.compared()
    mirror = stage.mirror
    return Outcome(
        records=mirror.records,
        phases=stage.phases,
        api_calls=stage.api_calls,
        edits=stage.edits,
        differences=differences,
        compared=lines,
        untold=untold,
        control_plane=stage.plane.calls(),
        duplicates=mirror.duplicates.total(),
        repeated_messages=mirror.repeated_messages,
        misorders=mirror.misorders,
        notes=mirror.notes,
        push=push,
        duration_s=time.monotonic() - began_s,
        kafka="embedded" if stage.kafka.embedded else stage.kafka.bootstrap_servers,
    )


async def until_ready(health_port: int) -> None:
    """Wait for the worker to own its partitions, so that the syncs are timed and not the start.

    Raises `SyncFailed` with the worker's own reasons after `READY_S`.
    """
    deadline_s = time.monotonic() + READY_S
    reasons = "it does not answer"
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline_s:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{health_port}/health/ready") as answer:
                    if answer.ok:
                        return
                    reasons = (await answer.text())[:500]
            await asyncio.sleep(TICK_S)
    raise SyncFailed(f"the worker did not get ready within {READY_S:.0f} s: {reasons}")


def free_port() -> int:
    """A local port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def worker_environment(
    drive: DrivePart, plane: PlanePart, kafka: DemoKafka, objects: Path, health_port: int
) -> dict[str, str]:
    """The worker's settings: where Drive, Control Plane, Kafka and objects are; its logs only say what went wrong."""
    return {
        **kafka.environment,
        **plane.environment,
        "GDRIVE_API_BASE_URL": drive.api_base_url,
        "GDRIVE_INCLUDE_SHARED_DRIVES": "true",
        "GDRIVE_PAGE_SIZE": "1000",
        # The simulated Google has no quota; Google's own would have a demo of two seconds take a minute.
        "GDRIVE_QUOTA_PROJECT_PER_MINUTE": "1000000000",
        "GDRIVE_QUOTA_USER_PER_MINUTE": "1000000000",
        "S3_BUCKET_NAME": objects.as_uri(),
        "HEALTH_HOST": "127.0.0.1",
        "HEALTH_PORT": str(health_port),
        "LOG_LEVEL": "WARNING",
        "LOG_FORMAT": "console",
    }


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("records"),
        TimeElapsedColumn(),
        console=console,
    )
