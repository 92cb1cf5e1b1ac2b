"""`control-plane-simulator`: serve a file of connections over mutual TLS, and write what a client needs."""

import asyncio
import signal
from pathlib import Path

import click

from control_plane_simulator.authority import Authority
from control_plane_simulator.server import serving
from control_plane_simulator.state import State, connections_of


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--connections",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="TOML file with one table a connection, as `google-drive-simulator --write-connections` writes it.",
)
@click.option(
    "--certificates",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("certificates"),
    show_default=True,
    help="Where ca.crt, client.crt and client.key are written for the worker.",
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8443, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one.")
def main(connections: Path, certificates: Path, host: str, port: int) -> None:
    """Stand in for the Control Plane, until Ctrl-C.

    A new private authority is made at each start; the worker gets in with the certificate that is written for it:

    \b
      export CONTROL_PLANE_BASE_URL=https://127.0.0.1:8443
      export CONTROL_PLANE_MTLS_CERT_PATH=certificates/client.crt
      export CONTROL_PLANE_MTLS_KEY_PATH=certificates/client.key
      export CONTROL_PLANE_MTLS_CA_PATH=certificates/ca.crt
    """
    state = State(connections_of(connections))
    authority = Authority()
    certificates.mkdir(parents=True, exist_ok=True)
    authority.client().write(certificates, "client")
    (certificates / "ca.crt").write_bytes(authority.certificate)
    asyncio.run(_serve(state, authority, host, port, certificates))


async def _serve(state: State, authority: Authority, host: str, port: int, certificates: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(state, authority, identity=authority.server((host, "localhost")), host=host, port=port) as url:
        click.echo(f"{len(state.connections)} connections at {url}, certificates in {certificates}")
        await stop.wait()
