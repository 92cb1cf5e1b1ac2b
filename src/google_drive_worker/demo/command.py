"""The `demo` command."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import click
from aiohttp import ClientError
from confluent_kafka import KafkaException
from rich.console import Console

from google_drive_worker.demo.drive_user import CallFailed
from google_drive_worker.demo.embedded_kafka import EmbeddedKafkaUnavailable
from google_drive_worker.demo.parts import PARTS
from google_drive_worker.demo.reader import RecordsLost, Stalled
from google_drive_worker.demo.report import failure_json, show, to_json
from google_drive_worker.demo.story import Options, Stage, SyncFailed, opened, play
from google_drive_worker.utils.errors import WorkerError

EXPECTED_FAILURES = (
    CallFailed,
    ClientError,
    EmbeddedKafkaUnavailable,
    KafkaException,
    RecordsLost,
    Stalled,
    SyncFailed,
    TimeoutError,
    WorkerError,
)


@click.command()
@click.option(
    "--files",
    default=2000,
    show_default=True,
    type=click.IntRange(0, 5_000_000),
    help="Items, of all users.",
)
@click.option("--shared-drives", default=3, show_default=True, type=click.IntRange(0, 1000), help="Shared drives.")
@click.option("--seed", default=0, show_default=True, help="The same seed, the same Drive and the same edits.")
@click.option("--latency-ms", default=0.0, show_default=True, type=click.FloatRange(0), help="Added to each API call.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object on the last line.")
@click.option("--keep", is_flag=True, help="Stay up afterwards and say how to reach each part; end with Ctrl-C.")
def demo(*, files: int, shared_drives: int, seed: int, latency_ms: float, as_json: bool, keep: bool) -> None:
    """Mirror a simulated Google Drive into Kafka, edit it, and prove that the mirror is equal.

    The worker has its connection from a simulated Control Plane, over mutual TLS, and leaves the contents of files in a
    directory. Nothing needs to be installed or running. Kafka is embedded, unless KAFKA_BOOTSTRAP_SERVERS names a
    cluster; there, the demonstration makes topics of its own and drops them at the end. Exits 0 only if mirror and
    Drive are equal.
    """
    options = Options(
        files=files,
        shared_drives=shared_drives,
        seed=seed,
        latency_ms=latency_ms,
        bootstrap_servers=os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or None,
        keep=keep,
    )
    # With --json the tables go to standard error, so that standard output holds the object alone.
    console = Console(stderr=as_json)
    equal = False
    try:
        equal = asyncio.run(_run(options, console, as_json=as_json))
    except* EXPECTED_FAILURES as problems:
        reason = "; ".join(f"{type(problem).__name__}: {problem}" for problem in _leaves(problems))
        console.print(f"The demonstration failed: {reason}", style="bold red", markup=False, highlight=False)
        if as_json:
            click.echo(failure_json(reason))
    sys.exit(0 if equal else 1)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for problem in group.exceptions:
        if isinstance(problem, BaseExceptionGroup):
            yield from _leaves(problem)
        else:
            yield problem


async def _run(options: Options, console: Console, *, as_json: bool) -> bool:
    async with opened(options, PARTS, console) as stage:
        outcome = await play(stage, options)
        show(outcome, console)
        if as_json:
            click.echo(to_json(outcome))
        if options.keep:
            await _stay(stage, console)
        return outcome.equal


async def _stay(stage: Stage, console: Console) -> None:
    """Say how to reach each part, and wait for Ctrl-C or SIGTERM."""
    drive, kafka = stage.drive, stage.kafka
    lines = {
        "Google Drive API (simulated)": drive.api_base_url,
        "its token endpoint": drive.token_uri,
        "its counters and truth": f"{drive.origin}/_simulator/counters, …/_simulator/truth?user={stage.owner.email}",
        "Control Plane (simulated)": stage.plane.base_url,
        "certificates to get in": str(stage.plane.certificates),
        "objects": str(stage.objects),
        "Kafka": kafka.bootstrap_servers,
        "topics": ", ".join(kafka.all_topics),
        "connection": stage.connection_id,
        "health and metrics": f"http://127.0.0.1:{stage.health_port}/health/ready, …/metrics",
    }
    console.print("\nEverything stays up until Ctrl-C:", style="bold")
    for name, value in lines.items():
        console.print(f"  {name}: {value}", markup=False, highlight=False, soft_wrap=True)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
