"""`google-drive-simulator`: a Google Drive on this machine, until it is stopped."""

import asyncio
import contextlib
import gc
import signal
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from drive_simulator.api.listing import ListingRules
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.model.world import World
from drive_simulator.server.quota import UNLIMITED, request_model, unit_model
from drive_simulator.server.recording import Recorder
from drive_simulator.server.server import Simulator

_BAR_FROM = 50_000
_QUOTA_MODELS = {"none": UNLIMITED, "requests": request_model(), "units": unit_model()}

_EPILOG = """\b
Examples:
  google-drive-simulator --files 20000 --shared-drives 5 --write-connections connections.toml
  GDRIVE_API_BASE_URL=http://127.0.0.1:8085/drive/v3 CONNECTIONS_FILE=connections.toml google-drive-worker run

\b
Beside Drive's own paths (see the Drive API v3 reference):
  GET    /_simulator/truth?user=EMAIL   what that user should have mirrored, a JSON object a line
  GET    /_simulator/counters           the calls served, by method and user
  POST   /_simulator/faults             errors, latency, cut connections … on demand
  POST   /_simulator/tokens/expire      every access token ends now
  POST   /_simulator/grants/revoke      every consent ends now
  POST   /_simulator/quota              another quota model
  PATCH  /_simulator/consistency        lists that lag, miss or repeat; logs that are late or silent
  GET    /_simulator/channels           push channels living, made, stopped and expired, by account
  POST   /_simulator/notifications/faults   push messages lost, doubled, late, replayed

\b
Google's own Python client works against it:
  build("drive", "v3", credentials=…, static_discovery=True,
        client_options={"api_endpoint": "http://127.0.0.1:8085/drive/v3/"})
It takes the addresses of uploads and batches from Google's discovery document alone: for those use
build_from_document with the document's rootUrl and baseUrl set to the simulator's.
"""


@click.command(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8085, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@click.option("--files", default=2_000, show_default=True, type=click.IntRange(0), help="Items to generate, in all.")
@click.option("--shared-drives", default=3, show_default=True, type=click.IntRange(0), help="Shared drives.")
@click.option("--users", default=3, show_default=True, type=click.IntRange(1), help="Accounts, each with a My Drive.")
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same Drive.")
@click.option("--latency-ms", default=0.0, show_default=True, type=click.FloatRange(0), help="Wait before each answer.")
@click.option(
    "--write-connections",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a connections.toml for the worker: one connection for each user, one service account.",
)
@click.option("--push", is_flag=True, help="Write the connections with push notifications on.")
@click.option(
    "--quota-model",
    default="none",
    show_default=True,
    type=click.Choice(sorted(_QUOTA_MODELS)),
    help="Google's limits: requests a minute (older projects) or quota units (newer ones).",
)
@click.option("--short-pages", is_flag=True, help="Cut one page in four at a random length, as Google may.")
@click.option("--full-pages", is_flag=True, help="Fill every page: no cap of 460 with parents, 100 with permissions.")
@click.option(
    "--record",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="DRIVE_SIMULATOR_RECORD",
    help="Write every exchange to a file in this directory, a JSON object a line.  [env: DRIVE_SIMULATOR_RECORD]",
)
@click.version_option(package_name="google-drive-worker", prog_name="google-drive-simulator")
def main(
    host: str,
    port: int,
    files: int,
    shared_drives: int,
    users: int,
    seed: int,
    latency_ms: float,
    write_connections: Path | None,
    quota_model: str,
    record: Path | None,
    *,
    push: bool,
    short_pages: bool,
    full_pages: bool,
) -> None:
    """A faithful local Google Drive, with made-up files, that speaks HTTP until it is stopped (Ctrl-C).

    It serves the Drive API v3, Google's token endpoint and batches. Several users own files, share them and are
    members of shared drives; every change lands in their change logs.
    """
    rules = ListingRules(short_page_probability=0.25 if short_pages else 0.0)
    if full_pages:
        rules.parents_cap = rules.permissions_cap = None
    world = _load(CorpusPlan(files, shared_drives, users, seed))
    simulator = Simulator(
        world, host=host, port=port, latency_ms=latency_ms, quota=_QUOTA_MODELS[quota_model], rules=rules, seed=seed
    )
    _settle()
    try:
        with contextlib.ExitStack() as stack:
            if record is not None:
                simulator.observers.append(stack.enter_context(Recorder(record)))
            _run(_serve(simulator, write_connections, push=push))
    except OSError as problem:
        reason = problem.strerror or str(problem)
        click.echo(f"Can't listen on {host}:{port}: {reason}. Choose another --port, or 0 for a free one.", err=True)
        sys.exit(1)


def _load(plan: CorpusPlan) -> World:
    if plan.files < _BAR_FROM:
        return generate(plan)
    columns = (TextColumn("Generating"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("files", total=plan.files)
        return generate(plan, on_progress=lambda done: progress.update(task, completed=done))


def _settle() -> None:
    """Take what was loaded out of the collector's sight: walking a million objects would stop the server."""
    gc.collect()
    gc.freeze()


async def _serve(simulator: Simulator, connections_file: Path | None, *, push: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stopped.set)
    await simulator.start()
    try:
        if connections_file is not None:
            simulator.write_connections(connections_file, push=push)
        _announce(simulator, connections_file)
        await stopped.wait()
    finally:
        await simulator.stop()


def _announce(simulator: Simulator, connections_file: Path | None) -> None:
    emails = sorted({account.email for account in simulator.accounts.values()})
    click.echo(f"GDRIVE_API_BASE_URL={simulator.base_url}")
    if connections_file is not None:
        click.echo(f"CONNECTIONS_FILE={connections_file.resolve()}")
    click.echo(f"# Token endpoint: {simulator.token_uri}")
    world = simulator.world
    click.echo(f"# {len(world.items):,} items, {len(world.drives)} shared drives, users: {', '.join(emails)}")
    if emails:
        token = simulator.access_token(emails[0])
        click.echo(f"# As {emails[0]}, for an hour:")
        click.echo(f"curl -H 'Authorization: Bearer {token}' '{simulator.base_url}/files?pageSize=3'")
    click.echo("# Serving until stopped (Ctrl-C).")


def _run(main_coroutine: "asyncio._CoroutineLike[None]") -> None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        asyncio.run(main_coroutine)  # type: ignore[arg-type]
    else:
        uvloop.run(main_coroutine)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
