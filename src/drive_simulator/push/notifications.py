"""Push notifications on their way: HTTP POSTs with Google's headers, tried again as Google does.

Answers of 500, 502, 503 and 504 and broken connections are tried again, with growing pauses; any other answer ends the
message, whatever it says. Source: Drive guide "Notifications for resource changes".
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Protocol

import aiohttp
import msgspec

from drive_simulator.push.channels import Channel, ChannelBook, News

USER_AGENT = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"
RETRIED = frozenset({500, 502, 503, 504})
POST_TIMEOUT_S = 10.0
LATE_ENTRIES_EVERY_S = 0.05
"""How often it is looked whether late entries are due, while there are any."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast messages go out, in seconds that are slept by `sleep`.

    What happens within `fold_s` of a change is told in one message. Google's pauses are not documented.
    """

    fold_s: float = 0.02
    first_pause_s: float = 0.5
    longest_pause_s: float = 60.0
    attempts: int = 10
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Effect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a message that is struck."""

    lose: bool = False
    duplicates: int = 0
    delay_ms: int = 0
    replay: bool = False


class Faults(Protocol):
    """Says what becomes of messages."""

    def decide(self, user: str, channel: str, state: str, /) -> Effect:
        """What becomes of the message of that state, to that user's channel."""
        ...


class Notifier:
    """Delivers what the channels have to tell, from `start` to `stop`; each channel's messages one after another.

    `counts` has: `sent` (POSTs), `accepted` (answers below 300), `refused` (others that end a message), `retried`,
    `given_up`, `lost`, `delayed`, `duplicated` and `replayed`.
    """

    def __init__(self, book: ChannelBook, faults: Faults, pace: Pace) -> None:
        self.counts: Counter[str] = Counter()
        self._book = book
        self._faults = faults
        self._pace = pace
        self._session: aiohttp.ClientSession | None = None
        self._busy: set[Channel] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._awaits_late = False

    async def start(self) -> None:
        """Deliver from now on, what has gathered first."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=POST_TIMEOUT_S),
            headers={"User-Agent": USER_AGENT, "Accept": "*/*"},
            connector=aiohttp.TCPConnector(limit=0),
        )
        self._book.on_news = self._wake
        self._book.world.late_entries.on_wait = self._await_late_entries
        self._await_late_entries()
        for channel in self._book.living():
            self._wake(channel)

    async def stop(self) -> None:
        """Drop what is under way."""
        self._book.on_news = lambda _: None
        self._book.world.late_entries.on_wait = lambda: None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._busy.clear()
        self._awaits_late = False
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _wake(self, channel: Channel) -> None:
        if channel not in self._busy:
            self._busy.add(channel)
            self._spawn(self._tell(channel), f"channel {channel.order.id}")

    def _await_late_entries(self) -> None:
        """Bring late entries to their logs when they are due, so that channels hear of them though no reader asks."""
        if not self._awaits_late:
            self._awaits_late = True
            self._spawn(self._bring_late_entries(), "late entries")

    async def _bring_late_entries(self) -> None:
        late = self._book.world.late_entries
        try:
            while late:
                await self._pace.sleep(LATE_ENTRIES_EVERY_S)
                late.arrive()
        finally:
            self._awaits_late = False

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, channel: Channel) -> None:
        try:
            while channel.has_news():
                if channel.number:
                    await self._pace.sleep(self._pace.fold_s)
                news = channel.next_news(self._book.world)
                if news is not None:
                    headers = headers_of(channel, news)
                    await self._send(channel, news, headers, channel.last_headers)
                    channel.last_headers = headers
        finally:
            self._busy.discard(channel)

    async def _send(
        self, channel: Channel, news: News, headers: dict[str, str], previous: Mapping[str, str] | None
    ) -> None:
        effect = self._faults.decide(channel.user.email, channel.order.id, news.state)
        if effect.lose:
            self.counts["lost"] += 1
            return
        copies = [headers] * (1 + effect.duplicates)
        self.counts["duplicated"] += effect.duplicates
        if effect.replay and previous is not None:
            self.counts["replayed"] += 1
            copies.append(dict(previous))
        if effect.delay_ms:
            self.counts["delayed"] += 1
            self._spawn(self._post_later(channel, copies, effect.delay_ms / 1000), f"late {channel.order.id}")
            return
        for copy in copies:
            await self._post(channel, copy)

    async def _post_later(self, channel: Channel, copies: list[dict[str, str]], delay_s: float) -> None:
        await self._pace.sleep(delay_s)
        for copy in copies:
            await self._post(channel, copy)

    async def _post(self, channel: Channel, headers: Mapping[str, str]) -> None:
        """Send one message until it is answered; one that was on its way may come after its channel's end."""
        pause_s = self._pace.first_pause_s
        for attempt in range(1, self._pace.attempts + 1):
            status = await self._attempt(channel, headers)
            if status is not None and status not in RETRIED:
                self.counts["accepted" if status < 300 else "refused"] += 1  # noqa: PLR2004 - HTTP
                return
            if attempt == self._pace.attempts or channel.ended is not None:
                break
            self.counts["retried"] += 1
            await self._pace.sleep(pause_s)
            pause_s = min(pause_s * 2, self._pace.longest_pause_s)
        self.counts["given_up"] += 1

    async def _attempt(self, channel: Channel, headers: Mapping[str, str]) -> int | None:
        """The answer's status, None where there was none. Redirects are not followed."""
        assert self._session is not None  # noqa: S101 - for the type checker
        self.counts["sent"] += 1
        body = b'{"kind": "drive#changes"}' if channel.order.payload and channel.watched.file is None else b""
        try:
            async with self._session.post(
                channel.order.address, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


def headers_of(channel: Channel, news: News) -> dict[str, str]:
    """The headers of the channel's present message, in Google's words."""
    expires = datetime.fromtimestamp(channel.expiration_ms // 1000, UTC)
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "X-Goog-Channel-ID": channel.order.id,
        "X-Goog-Channel-Expiration": format_datetime(expires, usegmt=True),
        "X-Goog-Resource-ID": channel.watched.resource_id,
        "X-Goog-Resource-URI": channel.watched.resource_uri,
        "X-Goog-Resource-State": news.state,
        "X-Goog-Message-Number": str(channel.number),
    }
    if channel.order.token:
        headers["X-Goog-Channel-Token"] = channel.order.token
    if news.changed:
        headers["X-Goog-Changed"] = ",".join(news.changed)
    return headers
