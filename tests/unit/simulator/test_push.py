"""Push notifications of the simulator, over HTTP: channels, what they tell, and how messages go astray."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import aiohttp
import pytest

from drive_simulator.model.clock import FastClock, ManualClock
from drive_simulator.model.consistency import Consistency
from drive_simulator.model.item_changes import create, delete, edit, move, replace_content, set_trashed, view
from drive_simulator.model.sharing import share
from drive_simulator.push.notifications import Pace
from drive_simulator.server.server import Simulator
from support.observer import DiscoveryObserver
from support.simulators import serving
from support.webhooks import Webhooks, receiving
from support.worlds import Stage

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
QUICK = Pace(fold_s=0.01, first_pause_s=0.01, longest_pause_s=0.05, attempts=4)
ALL_DRIVES = {"supportsAllDrives": "true", "includeItemsFromAllDrives": "true"}


@dataclass
class Theatre:
    """A stage that is served, and somebody who is told."""

    stage: Stage
    simulator: Simulator
    webhooks: Webhooks
    session: aiohttp.ClientSession

    @property
    def now_ms(self) -> int:
        """The simulator's time."""
        return self.stage.clock.now_ms()

    async def post(
        self, path: str, body: dict[str, Any], query: dict[str, str] | None = None, user: str = "alice@example.com"
    ) -> tuple[int, Any]:
        """Status and JSON of a call."""
        headers = {"Authorization": f"Bearer {self.simulator.access_token(user)}"}
        address = f"{self.simulator.base_url}/{path}"
        async with self.session.post(address, json=body, params=query or {}, headers=headers) as answer:
            return answer.status, await answer.json() if answer.status != 204 else None

    def order(self, channel_id: str = "ch-1", **more: Any) -> dict[str, Any]:
        """A channel's body."""
        return {"id": channel_id, "type": "web_hook", "address": self.webhooks.address, **more}

    async def watch(self, channel_id: str = "ch-1", drive_id: str | None = None, **more: Any) -> dict[str, Any]:
        """Open a channel of Alice's log, or of a drive's, and wait for its first message."""
        log = self.stage.alice.log if drive_id is None else self.stage.world.drives[drive_id].log
        query = {"pageToken": str(log.end), **ALL_DRIVES} | ({} if drive_id is None else {"driveId": drive_id})
        status, channel = await self.post("changes/watch", self.order(channel_id, **more), query)
        assert status == 200, channel
        await self.webhooks.until(lambda seen: any(each.headers["x-goog-channel-id"] == channel_id for each in seen))
        return dict(channel)

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """JSON of an admin call."""
        async with self.session.request(method, f"{self.simulator.origin}/_simulator/{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json() if answer.status != 204 else None


@asynccontextmanager
async def _theatre(pace: Pace = QUICK) -> AsyncIterator[Theatre]:
    stage = Stage(ManualClock())
    async with (
        receiving() as webhooks,
        serving(stage.world, pace=pace) as simulator,
        aiohttp.ClientSession() as session,
    ):
        yield Theatre(stage, simulator, webhooks, session)


@contextmanager
def _refusing(simulator: Simulator) -> Iterator[None]:
    with ExitStack() as stack:
        for observer in simulator.observers:
            if isinstance(observer, DiscoveryObserver):
                stack.enter_context(observer.refusing())
        yield


async def test_a_channel_says_sync_first_and_then_each_change() -> None:
    """The messages carry Google's headers: ids, token, end, resource, state and numbers that rise."""
    async with _theatre() as it:
        channel = await it.watch(token="a token", expiration=str(it.now_ms + 2 * HOUR_MS))
        assert channel["kind"] == "api#channel"
        assert channel["expiration"] == str(it.now_ms + 2 * HOUR_MS)
        it.stage.file()
        first, second = await it.webhooks.until(lambda seen: len(seen) == 2)
        assert (first.state, first.number, second.state) == ("sync", 1, "change")
        assert second.number > 1
        assert second.body == b""
        expected = {
            "x-goog-channel-id": "ch-1",
            "x-goog-channel-token": "a token",
            "x-goog-channel-expiration": "Thu, 01 Jan 2026 02:00:00 GMT",
            "x-goog-resource-id": channel["resourceId"],
            "x-goog-resource-uri": channel["resourceUri"],
        }
        assert {name: second.headers[name] for name in expected} == expected


async def test_a_payload_is_sent_where_it_is_asked_for() -> None:
    """With `payload` the body of a message is a JSON object that names its kind alone."""
    async with _theatre() as it:
        await it.watch(payload=True)
        assert it.webhooks.seen[0].body == b'{"kind": "drive#changes"}'


@pytest.mark.parametrize(("asked_ms", "given_ms"), [(None, HOUR_MS), (30 * DAY_MS, 7 * DAY_MS), (DAY_MS, DAY_MS)])
async def test_a_channel_of_changes_lives_a_week_at_most(asked_ms: int | None, given_ms: int) -> None:
    """An hour where nothing is asked for, what is asked for, and never more than seven days."""
    async with _theatre() as it:
        more = {} if asked_ms is None else {"expiration": str(it.now_ms + asked_ms)}
        channel = await it.watch(**more)
        assert int(channel["expiration"]) == it.now_ms + given_ms


async def test_a_channel_of_a_file_lives_a_day_at_most() -> None:
    """What is asked for beyond a day is cut."""
    async with _theatre() as it:
        order = it.order(expiration=str(it.now_ms + 7 * DAY_MS))
        _, channel = await it.post(f"files/{it.stage.file().id}/watch", order)
        assert int(channel["expiration"]) == it.now_ms + DAY_MS


async def test_a_burst_gives_fewer_messages_and_numbers_leap() -> None:
    """A hundred changes at once are told together, under a number that counts them all."""
    async with _theatre() as it:
        await it.watch()
        for number in range(100):
            it.stage.file(f"{number}.txt")
        seen = await it.webhooks.until(lambda seen: seen[-1].number == 101)
        assert len(seen) < 10


async def test_each_log_has_its_own_channel() -> None:
    """A drive's channel tells of the drive alone; a user's, with all drives included, of both."""
    async with _theatre() as it:
        drive = it.stage.world.add_drive("Team", it.stage.alice)
        await it.watch("user")
        await it.watch("drive", drive.id)
        before = len(it.webhooks.seen)
        it.stage.file()
        seen = await it.webhooks.until(lambda seen: len(seen) > before)
        assert {each.headers["x-goog-channel-id"] for each in seen[before:]} == {"user"}
        create(it.stage.world, it.stage.alice, "plan", "text/plain", drive.root, content=b"")
        seen = await it.webhooks.until(lambda seen: len(seen) == before + 3)
        assert {each.headers["x-goog-channel-id"] for each in seen[-2:]} == {"user", "drive"}


async def test_nobody_hears_of_what_they_do_not_see() -> None:
    """Bob's new file is no news on Alice's channel until it is shared with her."""
    async with _theatre() as it:
        await it.watch()
        private = it.stage.file(by=it.stage.bob)
        assert it.simulator.channels.living()[0].folded == 0
        share(it.stage.world, private, it.stage.bob, it.stage.alice, "reader")
        await it.webhooks.until(lambda seen: [each.state for each in seen] == ["sync", "change"])


async def test_a_file_channel_says_what_happened() -> None:
    """Content, name, folder, sharing, trash and end of a file are told apart."""
    async with _theatre() as it:
        world, alice, file = it.stage.world, it.stage.alice, it.stage.file()
        folder = it.stage.folder()
        status, _ = await it.post(f"files/{file.id}/watch", it.order())
        assert status == 200
        await it.webhooks.until(lambda seen: len(seen) == 1)
        steps = (
            (lambda: replace_content(world, file, alice, content=b"new"), "update", "content"),
            (lambda: edit(world, file, alice, name="other"), "update", "properties"),
            (lambda: move(world, file, alice, folder), "update", "parents"),
            (lambda: share(world, file, alice, it.stage.bob, "reader"), "update", "permissions"),
            (lambda: set_trashed(world, file, alice, trashed=True), "trash", None),
            (lambda: set_trashed(world, file, alice, trashed=False), "untrash", None),
            (lambda: delete(world, file), "remove", None),
        )
        for step, state, changed in steps:
            it.webhooks.seen.clear()
            step()
            seen = await it.webhooks.until(lambda seen: len(seen) == 1)
            assert (seen[-1].state, seen[-1].headers.get("x-goog-changed")) == (state, changed)


async def test_a_stopped_channel_is_silent_and_unknown() -> None:
    """After channels.stop nothing comes any more, and a second stop is 404."""
    async with _theatre() as it:
        channel = await it.watch()
        closing = {"id": "ch-1", "resourceId": channel["resourceId"]}
        status, _ = await it.post("channels/stop", {**closing, "resourceId": "another"})
        assert status == 404
        status, _ = await it.post("channels/stop", closing, user="bob@example.com")
        assert status == 404
        status, _ = await it.post("channels/stop", closing)
        assert status == 204
        status, answer = await it.post("channels/stop", closing)
        assert (status, answer["error"]["errors"][0]["reason"]) == (404, "notFound")
        await it.watch("ch-2")
        it.stage.file()
        seen = await it.webhooks.until(lambda seen: seen[-1].state == "change")
        assert [each.headers["x-goog-channel-id"] for each in seen] == ["ch-1", "ch-2", "ch-2"]


async def test_an_expired_channel_is_silent_and_counted() -> None:
    """By the simulator's own clock; the counts tell the living from the ended, by account."""
    async with _theatre() as it:
        await it.watch("short")
        await it.watch("long", expiration=str(it.now_ms + DAY_MS))
        gone = await it.watch("stopped")
        await it.post("channels/stop", {"id": "stopped", "resourceId": gone["resourceId"]})
        await it.watch("dropped")
        assert await it.admin("POST", "channels/drop", {"channel": "dropped"}) == {"dropped": 1}
        it.stage.clock.advance(3600)
        it.stage.file()
        seen = await it.webhooks.until(lambda seen: seen[-1].state == "change")
        assert [each.headers["x-goog-channel-id"] for each in seen if each.state == "change"] == ["long"]
        told = await it.admin("GET", "channels")
        counts = {"living": 1, "made": 4, "stopped": 1, "expired": 1, "dropped": 1}
        assert told["accounts"] == {"alice@example.com": counts}
        assert [each["id"] for each in told["channels"]] == ["long"]


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"id": None}, 400, "required"),
        ({"address": None}, 400, "required"),
        ({"type": None}, 400, "required"),
        ({"type": "pigeon"}, 400, "invalid"),
        ({"id": "x" * 65}, 400, "invalid"),
        ({"token": "x" * 257}, 400, "invalid"),
        ({"address": "no address"}, 400, "invalid"),
        ({"address": "http://example.com/hook"}, 400, "push.webhookUrlNotHttps"),
        ({"expiration": "tomorrow"}, 400, "invalid"),
        ({"expiration": "1"}, 400, "invalid"),
        ({"id": "taken"}, 400, "channelIdNotUnique"),
    ],
)
async def test_what_is_wrong_with_a_channel_is_said_as_google_does(
    change: dict[str, str | None], status: int, reason: str
) -> None:
    """A channel that can't be is refused, and none is made."""
    async with _theatre() as it:
        await it.watch("taken")
        order = {name: value for name, value in (it.order() | change).items() if value is not None}
        with _refusing(it.simulator):
            given, answer = await it.post("changes/watch", order, {"pageToken": str(it.stage.alice.log.end)})
        assert (given, answer["error"]["errors"][0]["reason"]) == (status, reason)
        assert len(it.simulator.channels.living()) == 1


async def test_a_page_token_of_nowhere_is_refused() -> None:
    """changes.watch takes the same tokens as changes.list."""
    async with _theatre() as it:
        status, _ = await it.post("changes/watch", it.order(), {"pageToken": "7"})
        assert status == 400


@pytest.mark.parametrize("trouble", [500, 502, 503, 504, 0])
async def test_trouble_is_tried_again(trouble: int) -> None:
    """After a server's error, or a broken connection, the same message comes until it is taken."""
    async with _theatre() as it:
        it.webhooks.answers = [trouble, trouble]
        await it.watch()
        seen = await it.webhooks.until(lambda seen: len(seen) == 3)
        assert [(each.number, each.status) for each in seen] == [(1, trouble), (1, trouble), (1, 200)]


async def test_a_refusal_is_not_tried_again() -> None:
    """A message that is answered with another status is over."""
    async with _theatre() as it:
        it.webhooks.answers = [404]
        await it.watch()
        it.stage.file()
        seen = await it.webhooks.until(lambda seen: len(seen) == 2)
        assert [each.state for each in seen] == ["sync", "change"]


async def test_messages_go_astray_on_demand() -> None:
    """Lost, doubled and replayed ones; the number of a lost one is missing."""
    async with _theatre() as it:
        await it.watch()
        for effect in ({"lose": True}, {"duplicates": 1}, {"replay": True}):
            await it.admin("POST", "notifications/faults", {"effect": effect, "times": 1})
        it.stage.file("lost")
        while it.simulator.notifier.counts["lost"] == 0:
            await it.admin("GET", "channels")
        it.stage.file("twice")
        await it.webhooks.until(lambda seen: len(seen) == 3)
        it.stage.file("and again")
        seen = await it.webhooks.until(lambda seen: len(seen) == 5)
        assert [each.number for each in seen] == [1, 3, 3, 4, 3]
        rules = (await it.admin("GET", "notifications/faults"))["rules"]
        assert [rule["struck"] for rule in rules] == [1, 1, 1]
        await it.admin("DELETE", "notifications/faults")


async def test_a_late_message_is_overtaken() -> None:
    """The next one does not wait for it, so that numbers come out of order."""
    async with _theatre() as it:
        await it.watch()
        await it.admin("POST", "notifications/faults", {"effect": {"delay_ms": 300}, "times": 1})
        it.stage.file("late")
        while it.simulator.notifier.counts["delayed"] == 0:
            await it.admin("GET", "channels")
        it.stage.file("swift")
        seen = await it.webhooks.until(lambda seen: len(seen) == 3)
        assert [each.number for each in seen] == [1, 3, 2]


def test_a_fast_clock_lives_a_day_in_a_moment() -> None:
    """It begins where it is told and goes on by itself, as many times faster."""
    clock, deadline_s = FastClock(1_000_000, now_ms=0), monotonic() + 10
    while clock.now_ms() < DAY_MS:
        assert monotonic() < deadline_s


async def test_a_view_is_pushed_to_who_opened_the_file_alone() -> None:
    """Reported: push fires for views too (google-api-dotnet-client #2544), of that account alone."""
    async with _theatre() as it:
        file = it.stage.file()
        share(it.stage.world, file, it.stage.alice, it.stage.bob, "reader")
        await it.watch()
        view(it.stage.world, file, it.stage.bob)
        view(it.stage.world, file, it.stage.alice)
        _, news = await it.webhooks.until(lambda seen: len(seen) == 2)
        assert (news.state, news.number) == ("change", 2)


async def test_a_late_entry_is_pushed_when_it_arrives() -> None:
    """No reader has to look at the log for it (assumed: push and the log go by the same entry)."""
    async with _theatre() as it:
        it.stage.world.consistency = Consistency(entry_lag_s=30.0)
        await it.watch()
        it.stage.file()
        it.stage.clock.advance(29)
        assert len(it.stage.world.late_entries) == 1
        it.stage.clock.advance(1)
        _, news = await it.webhooks.until(lambda seen: len(seen) == 2)
        assert (news.state, news.number, len(it.stage.world.late_entries)) == ("change", 2, 0)
