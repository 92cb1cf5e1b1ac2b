"""The simulator in a process of its own, so that it takes nothing from the worker that it is there to keep busy."""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from google_drive_worker.demo.drive_part import DrivePart
from google_drive_worker.demo.drive_user import CallFailed

START_DEADLINE_S = 120.0
STOP_DEADLINE_S = 5.0
_ASK_AGAIN_S = 0.05
_LOG_TAIL_CHARS = 2_000

# It ends when its standard input does, which happens however this process ends.
_PROGRAM = """\
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
from drive_simulator.server.cli import main
main()
"""


@contextlib.asynccontextmanager
async def simulator_process(*arguments: str, port: int) -> AsyncIterator[DrivePart]:
    """Run `google-drive-simulator` with these arguments on a port of this machine, until left.

    Raises `CallFailed` with the end of what it said where it does not start, or not within `START_DEADLINE_S`.
    """
    with tempfile.TemporaryDirectory(prefix="drive-simulator-") as directory:
        connections, log = Path(directory) / "connections.toml", Path(directory) / "log"
        where = ["--host", "127.0.0.1", "--port", str(port), "--write-connections", str(connections)]
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _PROGRAM, *arguments, *where),
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
        try:
            origin = f"http://127.0.0.1:{port}"
            await _until_it_answers(process, f"{origin}/_simulator/counters", connections, log)
            yield DrivePart(origin, f"{origin}/drive/v3", f"{origin}/token", connections)
        finally:
            await _stop(process)


async def _until_it_answers(process: asyncio.subprocess.Process, url: str, connections: Path, log: Path) -> None:
    deadline_s = time.monotonic() + START_DEADLINE_S
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline_s:
            if process.returncode is not None:
                raise CallFailed(f"the simulator ended with {process.returncode}: {_tail(log)}")
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    if answer.ok and await asyncio.to_thread(connections.exists):
                        return
            await asyncio.sleep(_ASK_AGAIN_S)
    raise CallFailed(f"the simulator did not answer within {START_DEADLINE_S:.0f} s: {_tail(log)}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_DEADLINE_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_LOG_TAIL_CHARS:].strip() or "it said nothing"
