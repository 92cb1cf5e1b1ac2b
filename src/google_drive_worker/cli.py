"""The commands. What a person gets wrong is answered with one line that says what and how to mend it."""

import asyncio
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import click
import msgspec
import uvloop
from confluent_kafka import KafkaException, Producer

from google_drive_worker import __version__
from google_drive_worker.bootstrap import connections_of, run_worker, stores_of
from google_drive_worker.config import Settings, load_settings
from google_drive_worker.connections.setup import problems_of
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.kafka.topics import (
    ITEMS_CONFIG,
    STATE_CONFIG,
    Survey,
    create_own_topic,
    create_platform_topics,
    setting_problems,
    survey,
)
from google_drive_worker.kafka_clients import admin_client, producer_config, topic_names
from google_drive_worker.messages.trigger import TRIGGER_TYPES, Trigger, TriggerType
from google_drive_worker.observability.logs import configure_logging, log_format_of, log_uncaught
from google_drive_worker.system_clock import SystemClock
from google_drive_worker.telemetry import log
from google_drive_worker.utils.errors import WorkerError, category_of, first_of, origin

BROKER_TIMEOUT_S = 10.0
"""How long a command waits for the broker: a person is watching."""

PLATFORM_PARTITIONS = 4
"""Of the topics of a Kafka of one's own: enough to see several workers share them."""

EXIT_MISTAKE = 2
"""The exit status for what the caller can mend."""


EXIT_INTERRUPTED = 130
"""The exit status after a Ctrl-C that came before the worker could take it for a request to stop."""


class _End(NamedTuple):
    """What a command ended of: for the exit status, for machines, and for a person."""

    status: int
    code: str
    message: str


def _end_of(problem: BaseException) -> _End:
    first = first_of(problem)
    match first:
        case WorkerError() if first is problem:
            return _End(EXIT_MISTAKE, first.code, first.message)
        case WorkerError():
            return _End(1, first.code, f"the worker ended: {first.message}")
        case KafkaException():
            return _End(1, "kafka_refused", f"Kafka refuses: {first.args[0].str()}")
        case KeyboardInterrupt():
            return _End(EXIT_INTERRUPTED, "interrupted", "interrupted before the worker ran")
        case _:
            return _End(1, "internal_error", f"the worker ended: {origin(first)}")


@contextmanager
def _mistakes_in_a_line() -> Iterator[None]:
    try:
        yield
    except (WorkerError, ExceptionGroup, KafkaException) as problem:
        end = _end_of(problem)
        _print_error(end.message)
        sys.exit(end.status)


def _print_error(message: str) -> None:
    for line in message.splitlines():
        click.echo(f"error: {line}", err=True)


@contextmanager
def end_in_a_log_line() -> Iterator[None]:
    """Let a worker's last line be one of its log, whatever it ends of: JSON where logs are JSON, else text."""
    log_format = log_format_of(os.environ)
    configure_logging("INFO", log_format)
    log_uncaught()
    try:
        yield
    except SystemExit:
        raise
    except BaseException as problem:  # a panic of a library written in Rust is no `Exception`
        end = _end_of(problem)
        if log_format == "json":
            category = category_of(first_of(problem))
            log.critical(
                "worker_failed", classification=category, code=end.code, exit_status=end.status, message=end.message
            )
        else:
            _print_error(end.message)
        sys.exit(end.status)


class _Commands(click.Group):
    """The commands; `demo` and `proxy` are loaded when asked for, since the worker should not carry them along."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["demo", "proxy", *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "demo":
            from google_drive_worker.demo.command import demo  # noqa: PLC0415 - see above

            return demo
        if cmd_name == "proxy":
            from google_drive_worker.proxy.command import proxy  # noqa: PLC0415 - see above

            return proxy
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Mirror Google Drives into the Clustera Data Plane, exactly once, over Kafka.

    The worker reads triggers from `integration.trigger`, lists the connection's Drive or reads its change log, and
    writes records to `ingestion.data` in Kafka transactions.

    \b
    First steps:
      google-drive-worker demo                    see it all work, nothing needed
      google-drive-worker topics                  make the worker's own topic
      google-drive-worker check                   see whether all that it needs is there
      google-drive-worker run                     run the worker
      google-drive-worker trigger conn_1 --type full_sync
      google-drive-worker proxy                   take triggers and push notifications over HTTP

    Configuration is by environment variables: see .env.example and docs/configuration.md.
    """


@main.command()
def run() -> None:
    """Run the worker until SIGTERM or Ctrl-C.

    It needs a Kafka broker (KAFKA_BOOTSTRAP_SERVERS) with the platform's topics, and connections: from the Control
    Plane (CONTROL_PLANE_BASE_URL, over mutual TLS), or from a file (CONNECTIONS_FILE).
    What is missing is logged in a line, and tried again. Health is served on HEALTH_PORT under /health/live,
    /health/ready and /metrics.
    """
    with end_in_a_log_line():
        uvloop.run(run_worker(load_settings()))


@main.command()
@click.option("--check", is_flag=True, help="Create nothing, only look.")
@click.option("--platform", is_flag=True, help="Create the platform's missing topics too, for a Kafka of your own.")
def topics(*, check: bool, platform: bool) -> None:
    """Create the worker's own topics, and say what is wrong with the platform's.

    Ends with status 1 while something is wrong.
    """
    with _mistakes_in_a_line():
        settings = load_settings()
        configure_logging("ERROR", settings.log_format)
        problems = _topics(settings, check=check, platform=platform)
    for problem in problems:
        click.echo(f"wrong: {problem}", err=True)
    sys.exit(1 if problems else 0)


def _topics(settings: Settings, *, check: bool, platform: bool) -> list[str]:
    (client, trouble), names = admin_client(settings), topic_names(settings)
    replicas = settings.kafka_topic_replication_factor

    def look() -> Survey:
        return survey(client, settings.kafka_bootstrap_servers, names, BROKER_TIMEOUT_S, trouble)

    found = look()
    ours = {names.state: STATE_CONFIG, names.items: ITEMS_CONFIG}
    missing = [name for name in names if name not in ours and name not in found.partitions]
    if platform and not check and missing and found.answered:
        partitions = found.partitions.get(names.trigger, PLATFORM_PARTITIONS)
        create_platform_topics(client, missing, partitions, replicas, BROKER_TIMEOUT_S)
        click.echo(f"created: {', '.join(missing)}, {partitions} partitions each")
        found = look()
    lacking = [name for name in ours if name not in found.partitions]
    if not check and lacking and names.trigger in found.partitions:
        partitions = found.partitions[names.trigger]
        for name in lacking:
            create_own_topic(client, name, ours[name], partitions, replicas, BROKER_TIMEOUT_S)
            click.echo(f"created: {name}, {partitions} partitions, compacted")
        found = look()
    for name, partitions in sorted(found.partitions.items()):
        click.echo(f"found: {name}, {partitions} partition{'s' if partitions != 1 else ''}")
    return _kafka_problems(settings)


@main.command()
def check() -> None:
    """Look whether all that the worker needs is there and set up well: Kafka, connections, object store.

    Writes one small object, and nothing else. Ends with status 1 where something is wrong, and says how to mend it.
    """
    with _mistakes_in_a_line():
        settings = load_settings()
        configure_logging("CRITICAL", settings.log_format)
        found = asyncio.run(_check(settings))
    for what, problems in found.items():
        for problem in problems:
            click.echo(f"wrong: {what}: {problem}", err=True)
        if not problems:
            click.echo(f"ok: {what}")
    sys.exit(1 if any(found.values()) else 0)


async def _check(settings: Settings) -> dict[str, list[str]]:
    """What is wrong, by what was looked at. Who can't be asked about connections brings no keys to the store either."""
    async with connections_of(settings, SystemClock()) as owner:
        kafka, connections = await asyncio.gather(asyncio.to_thread(_kafka_problems, settings), problems_of(owner))
        store = await stores_of(settings, owner).problem(keys_are_brought=not connections)
    where = settings.connections_file or settings.control_plane_base_url
    return {
        f"Kafka at {settings.kafka_bootstrap_servers}": kafka,
        f"connections from {where}": connections,
        f"object store {settings.s3_bucket_name}": [store] if store else [],
    }


def _kafka_problems(settings: Settings) -> list[str]:
    (client, trouble), names = admin_client(settings), topic_names(settings)
    found = survey(client, settings.kafka_bootstrap_servers, names, BROKER_TIMEOUT_S, trouble)
    problems = list(found.problems)
    if {names.state, names.items, names.data, names.errors} <= found.partitions.keys():
        problems += setting_problems(client, names, BROKER_TIMEOUT_S)
    return problems


@main.command()
@click.argument("connection_id")
@click.option(
    "--type",
    "trigger_type",
    type=click.Choice(TRIGGER_TYPES),
    default="incremental",
    show_default=True,
    help="full_sync enumerates everything; incremental and poll read what changed.",
)
@click.option("--customer-id", help="Whose connection it is; by default CONNECTIONS_FILE or the Control Plane says so.")
def trigger(connection_id: str, trigger_type: TriggerType, customer_id: str | None) -> None:
    """Ask for a sync of CONNECTION_ID: writes one trigger to `integration.trigger`, as the Control Plane would."""
    with _mistakes_in_a_line():
        settings = load_settings()
        configure_logging("ERROR", settings.log_format)
        if customer_id is None:
            customer_id = asyncio.run(_customer_of(settings, ConnectionId(connection_id)))
        message = Trigger(
            message_id=str(uuid.uuid4()),
            customer_id=CustomerId(customer_id),
            integration_id=settings.worker_integration_id,
            integration_connection_id=ConnectionId(connection_id),
            trigger_type=trigger_type,
        )
        where = _send(settings, message)
    click.echo(f"{datetime.now(UTC):%H:%M:%S} {trigger_type} of {connection_id} asked for: {where}")


async def _customer_of(settings: Settings, connection_id: ConnectionId) -> CustomerId:
    async with connections_of(settings, SystemClock()) as owner:
        return (await owner.connections.get(connection_id)).customer_id


def _send(settings: Settings, message: Trigger) -> str:
    outcome: list[str] = []
    producer = Producer({**producer_config(settings), "delivery.report.only.error": False})

    def on_delivery(error: object, sent: object) -> None:
        if error is not None:
            raise KafkaException(error)
        outcome.append(f"{sent.topic()}, partition {sent.partition()}, offset {sent.offset()}")  # type: ignore[attr-defined]

    producer.produce(
        settings.kafka_topic_trigger,
        msgspec.json.encode(message),
        message.integration_connection_id.encode(),
        on_delivery=on_delivery,
    )
    if producer.flush(BROKER_TIMEOUT_S) or not outcome:
        producer.purge()
        raise WorkerError(
            f"no Kafka broker took the trigger at {settings.kafka_bootstrap_servers} (KAFKA_BOOTSTRAP_SERVERS)"
        )
    return outcome[0]


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)
