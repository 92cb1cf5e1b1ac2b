"""Where push notifications arrive in tests: an HTTP server that keeps them and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Notification:
    """One POST as it came: its headers named in lower case, and the status it was answered with."""

    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def state(self) -> str:
        """X-Goog-Resource-State."""
        return self.headers["x-goog-resource-state"]

    @property
    def number(self) -> int:
        """X-Goog-Message-Number."""
        return int(self.headers["x-goog-message-number"])


@dataclass
class Webhooks:
    """What came at `address`, in order. `answers` are the statuses of the next ones (0 hangs up); then 200."""

    address: str = ""
    answers: list[int] = field(default_factory=list)
    seen: list[Notification] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, wanted: Callable[[Sequence[Notification]], bool]) -> list[Notification]:
        """Wait until what came is as wanted, and return it; fails after ten seconds with what came instead."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not wanted(self.seen):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"this came instead: {self.seen}") from None
        return list(self.seen)

    async def take(self, request: web.Request) -> web.Response:
        """Keep one notification."""
        status = self.answers.pop(0) if self.answers else 200
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Notification(headers, await request.read(), status))
        self._news.set()
        if status == 0 and request.transport is not None:
            request.transport.abort()
        return web.Response(status=status or 200)


@asynccontextmanager
async def receiving() -> AsyncIterator[Webhooks]:
    """A receiver on a free port of this machine while the block runs."""
    webhooks = Webhooks()
    app = web.Application()
    app.router.add_post("/hook", webhooks.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        webhooks.address = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield webhooks
    finally:
        await runner.cleanup()
