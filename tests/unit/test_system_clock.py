"""The machine's clock fills the port."""

from datetime import UTC, datetime

from google_drive_worker.domain.ports import Clock
from google_drive_worker.system_clock import SystemClock


async def test_the_machines_clock() -> None:
    """It tells the time with its zone, never goes back, and sleeps without complaint about nothing."""
    clock: Clock = SystemClock()
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 5
    assert clock.now().tzinfo is UTC
    before_s = clock.monotonic_s()
    await clock.sleep(-1)
    await clock.sleep(0.001)
    assert clock.monotonic_s() > before_s
