"""The seam between the demonstration and what it demonstrates: how the simulators and the worker are started."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from google_drive_worker.bootstrap import run_worker
from google_drive_worker.config import load_settings
from google_drive_worker.demo.drive_part import DrivePart
from google_drive_worker.demo.plane_part import plane_part
from google_drive_worker.demo.simulator_process import simulator_process
from google_drive_worker.demo.states import incremental_done, trouble
from google_drive_worker.demo.story import Options, Parts, free_port
from google_drive_worker.proxy.command import running_proxy
from google_drive_worker.proxy.server import WEBHOOK_PATH


@contextlib.asynccontextmanager
async def running_drive(options: Options) -> AsyncIterator[DrivePart]:
    """Serve a generated corpus for three users on a free port; the first two are met."""
    arguments = {
        "--files": options.files,
        "--shared-drives": options.shared_drives,
        "--users": 3,
        "--seed": options.seed,
        "--latency-ms": options.latency_ms,
    }
    words = [str(word) for pair in arguments.items() for word in pair]
    async with simulator_process(*words, "--push", port=free_port()) as drive:
        yield await drive.meet(2)


@contextlib.asynccontextmanager
async def running_worker(environment: Mapping[str, str]) -> AsyncIterator[None]:
    """Run the real worker in this process on these settings, until left; then stop it in order.

    Where the worker fails, what runs in the block is cancelled, and the failure is raised in an exception group.
    """
    settings = load_settings(environment)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_worker(settings, stop), name="worker")
        try:
            yield
        finally:
            stop.set()


@contextlib.asynccontextmanager
async def running_webhooks(environment: Mapping[str, str]) -> AsyncIterator[str]:
    """Run the webhook proxy in this process on these settings, until left; the address where Google's messages go."""
    async with running_proxy(load_settings(environment), "127.0.0.1", 0) as proxy:
        yield proxy.origin + WEBHOOK_PATH


PARTS = Parts(
    drive=running_drive,
    plane=plane_part,
    webhooks=running_webhooks,
    worker=running_worker,
    settled=incremental_done,
    trouble=trouble,
)
