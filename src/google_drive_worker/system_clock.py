"""The machine's clock, as the port `Clock`; tests bring their own."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """Implements `Clock` (`google_drive_worker.domain.ports`) by the machine's clocks and the running event loop."""

    def now(self) -> datetime:
        """The present moment, UTC, with its zone."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that long; nothing is waited for a length that isn't positive, but others get their turn."""
        await asyncio.sleep(max(0.0, seconds))
