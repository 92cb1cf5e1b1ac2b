"""The simulated Google as a process of its own: `python -m benchmarks.many_drives CONNECTIONS_FILE LATENCY_MS SIZE…`.

Each size is a user's My Drive, of which nothing is shared. Prints the API's address and serves until standard input
closes.
"""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.server.server import Simulator


@contextmanager
def many_drives(connections_file: Path, latency_ms: float, sizes: tuple[int, ...]) -> Iterator[str]:
    """Serve Drives of those sizes, those of the connections `conn_user_1`, `conn_user_2`, …; give the API's address."""
    with simulated(__name__, connections_file, latency_ms, *sizes) as base_url:
        yield base_url


@contextmanager
def simulated(module: str, *arguments: object) -> Iterator[str]:
    """Run a module that calls `serve`, in a process of its own, and give the API's address."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


async def serve(connections_file: Path, latency_ms: float, plan: CorpusPlan, *, synced: str = "") -> None:
    """Serve that world until standard input closes, and print the API's address as soon as it can be asked.

    Of what can be mirrored besides metadata, only what `synced` names is: permissions, revisions, comments.
    """
    left_out = [f"sync_{each} = false\n" for each in ("permissions", "revisions", "comments") if each not in synced]
    await serve_simulator(Simulator(generate(plan), latency_ms=latency_ms), connections_file, "".join(left_out))


async def serve_simulator(simulator: Simulator, connections_file: Path, settings: str) -> None:
    """The same for any simulator; `settings` are lines of TOML, those of each of its connections."""
    await simulator.start()
    simulator.write_connections(connections_file)
    with connections_file.open("a") as file:
        file.writelines(f"\n[{name}.settings]\n{settings}" for name in simulator.accounts)
    sys.stdout.write(f"{simulator.base_url}\n")
    sys.stdout.flush()
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=wait, daemon=True).start()
    await over.wait()
    await simulator.stop()


if __name__ == "__main__":
    my_drives = CorpusPlan(files=0, shared_drives=0, my_drives=tuple(map(int, sys.argv[3:])), sharing=0)
    uvloop.run(serve(Path(sys.argv[1]), float(sys.argv[2]), my_drives))
