"""The webhook proxy over HTTP, writing to a publisher that keeps what it is given."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from google_drive_worker.messages.trigger import decode_trigger
from google_drive_worker.proxy.notification import claimed_connection
from google_drive_worker.proxy.publisher import NotTaken, Place
from google_drive_worker.proxy.server import MAX_BODY_BYTES, WebhookProxy
from google_drive_worker.utils.errors import Misconfigured

TRIGGER = {
    "message_id": "m-1",
    "customer_id": "cust_1",
    "integration_id": "google-drive",
    "integration_connection_id": "conn_1",
    "trigger_type": "full_sync",
}
GOOGLE = {"X-Goog-Channel-ID": "ch-1", "X-Goog-Resource-State": "change", "X-Goog-Message-Number": "7"}


@dataclass
class MemoryPublisher:
    """A `Publisher` that keeps messages; `trouble` refuses them."""

    messages: list[tuple[str, str | None, bytes]] = field(default_factory=list)
    trouble: str | None = None

    async def publish(self, topic: str, key: str | None, value: bytes) -> Place:
        """Keep it."""
        if self.trouble is not None:
            raise NotTaken(self.trouble)
        self.messages.append((topic, key, value))
        return Place(topic, 0, len(self.messages) - 1)

    async def problem(self) -> str | None:
        """What refuses."""
        return self.trouble


@dataclass
class Caller:
    """A served proxy, and an HTTP client of it."""

    publisher: MemoryPublisher
    origin: str
    session: aiohttp.ClientSession

    async def post(self, path: str, data: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and answer."""
        async with self.session.post(self.origin + path, data=data, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def notify(self, body: bytes = b"", headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Send a notification that is taken, and return the message that was made of it."""
        status, _ = await self.post("/webhooks/google-drive", body, GOOGLE | (headers or {}))
        assert status == 200
        return dict(json.loads(self.publisher.messages[-1][2]))


def _proxy(publisher: MemoryPublisher, port: int = 0) -> WebhookProxy:
    return WebhookProxy(
        publisher,
        host="127.0.0.1",
        port=port,
        integration_id="google-drive",
        webhook_topic="webhook.raw",
        trigger_topic="integration.trigger",
    )


@asynccontextmanager
async def _served() -> AsyncIterator[Caller]:
    publisher = MemoryPublisher()
    proxy = _proxy(publisher)
    await proxy.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Caller(publisher, proxy.origin, session)
    finally:
        await proxy.stop()


async def test_a_notification_becomes_a_message_of_the_contract() -> None:
    """Google's headers pass on, whatever else the request holds does not; the key is the connection of the token."""
    async with _served() as caller:
        token = {"X-Goog-Channel-Token": "conn_9.c2lnbmF0dXJl"}
        message = await caller.notify(
            headers={"Authorization": "Bearer secret", "Cookie": "a=secret", "X-Other": "secret"} | token
        )
        topic, key, value = caller.publisher.messages[0]
        assert (topic, key) == ("webhook.raw", "conn_9")
        assert b"secret" not in value
        assert message["integration_connection_id"] == "conn_9"
        assert message["integration_id"] == "google-drive"
        assert message["body"] is None
        assert message["received_at"].endswith("Z")
        assert message["headers"] == GOOGLE | token


async def test_messages_have_ids_of_their_own() -> None:
    """The same notification twice is two messages."""
    async with _served() as caller:
        assert (await caller.notify())["message_id"] != (await caller.notify())["message_id"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", None),
        (b'{"kind": "drive#changes"}', {"kind": "drive#changes"}),
        (b"hello", "hello"),
        (b"[" * 5000, "[" * 5000),
        (b"\xff", "�"),
    ],
)
async def test_a_body_comes_through_in_each_form(body: bytes, expected: object) -> None:
    """Nothing, a JSON object, or text, which it is too where it can't be read."""
    async with _served() as caller:
        assert (await caller.notify(body))["body"] == expected


@pytest.mark.parametrize(
    ("token", "connection"),
    [(None, None), ("", None), ("no dot", None), (".mac", None), ("conn.", None), ("a.b.mac", "a.b"), ("c.mac", "c")],
)
def test_a_token_says_whose_it_is_before_its_last_dot(token: str | None, connection: str | None) -> None:
    """A token that says nothing leaves the message without a key."""
    assert claimed_connection(token) == connection


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Goog-Resource-State": "change"},
        GOOGLE | {"X-Goog-Resource-URI": "x" * 3000},
        GOOGLE | {f"X-Goog-{number}": "x" for number in range(40)},
    ],
)
async def test_what_is_no_notification_is_refused(headers: dict[str, str]) -> None:
    """400 with what is wrong, and no message."""
    async with _served() as caller:
        status, answer = await caller.post("/webhooks/google-drive", b"", headers)
        assert status == 400
        assert answer["error"]
        assert caller.publisher.messages == []


async def test_a_trigger_goes_through_as_it_is() -> None:
    """Under its connection's key, unknown fields and all; the answer says where it stands."""
    async with _served() as caller:
        text = json.dumps(TRIGGER | {"extra": 1}).encode()
        status, answer = await caller.post("/triggers", text)
        assert (status, answer) == (200, {"topic": "integration.trigger", "partition": 0, "offset": 0})
        assert caller.publisher.messages == [("integration.trigger", "conn_1", text)]
        assert decode_trigger(text, integration_id="google-drive") is not None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "ends too early"),
        (b"[]", "wrong type"),
        (json.dumps(TRIGGER | {"trigger_type": "everything"}).encode(), "full_sync, incremental, poll"),
        (json.dumps({k: v for k, v in TRIGGER.items() if k != "customer_id"}).encode(), "`customer_id` is missing"),
        (json.dumps(TRIGGER | {"integration_id": "slack"}).encode(), "`integration_id` is not google-drive"),
    ],
)
async def test_a_trigger_that_is_none_is_refused_with_the_reason(body: bytes, words: str) -> None:
    """400, and Kafka gets nothing."""
    async with _served() as caller:
        status, answer = await caller.post("/triggers", body)
        assert status == 400
        assert words in answer["error"]
        assert caller.publisher.messages == []


@pytest.mark.parametrize("path", ["/triggers", "/webhooks/google-drive"])
async def test_a_body_that_is_too_large_is_refused(path: str) -> None:
    """413, and Kafka gets nothing."""
    async with _served() as caller:
        status, _ = await caller.post(path, b"x" * (MAX_BODY_BYTES + 1), GOOGLE)
        assert status == 413
        assert caller.publisher.messages == []


async def test_what_kafka_does_not_take_is_to_come_again() -> None:
    """503, upon which Google sends a notification again; health says why."""
    async with _served() as caller:
        async with caller.session.get(caller.origin + "/healthz") as answer:
            assert answer.status == 200
        caller.publisher.trouble = "no broker"
        for path, body in (("/triggers", json.dumps(TRIGGER).encode()), ("/webhooks/google-drive", b"")):
            status, refusal = await caller.post(path, body, GOOGLE)
            assert (status, "no broker" in refusal["error"]) == (503, True)
        async with caller.session.get(caller.origin + "/healthz") as answer:
            assert (answer.status, (await answer.json())["reason"]) == (503, "no broker")


async def test_a_port_that_is_taken_is_said() -> None:
    """The start fails with a line that says how to mend it."""
    async with _served() as caller:
        port = int(caller.origin.rpartition(":")[2])
        with pytest.raises(Misconfigured, match="choose another --port"):
            await _proxy(MemoryPublisher(), port).start()
