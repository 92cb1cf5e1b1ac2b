"""The seam between the demonstration and what it demonstrates: how the simulator and the worker are started."""

import contextlib
from collections.abc import AsyncIterator, Mapping

from google_drive_worker.demo.drive_part import DrivePart
from google_drive_worker.demo.states import incremental_done, trouble
from google_drive_worker.demo.story import Options, Parts


@contextlib.asynccontextmanager
async def running_drive(options: Options) -> AsyncIterator[DrivePart]:
    """Serve a generated corpus on a free port, from a thread of its own."""
    if options:
        raise NotImplementedError
    yield


@contextlib.asynccontextmanager
async def running_worker(environment: Mapping[str, str]) -> AsyncIterator[None]:
    """Run the real worker in this process on these settings, until left; then stop it in order."""
    if environment:
        raise NotImplementedError
    yield


PARTS = Parts(drive=running_drive, worker=running_worker, settled=incremental_done, trouble=trouble)
