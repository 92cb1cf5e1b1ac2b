"""The webhook proxy as an operator runs it: the simulator's pushes and triggers end up in Kafka."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from support.consume import Message, read_all
from support.simulators import serving
from support.topics import Topics
from support.worker_process import clean_environment
from support.worlds import Stage

DEADLINE_S = 30.0
TRIGGER = {
    "message_id": "m-1",
    "customer_id": "cust_1",
    "integration_id": "google-drive",
    "integration_connection_id": "conn_1",
    "trigger_type": "poll",
}


@asynccontextmanager
async def _running(environment: dict[str, str]) -> AsyncIterator[tuple[Process, str]]:
    """The command on a free port, and its origin."""
    words = (sys.executable, "-m", "google_drive_worker", "proxy", "--port", "0")
    settings = {**clean_environment(), **environment, "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=PIPE, env=settings)
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), DEADLINE_S)
        assert line.startswith(b"Listening on http://127.0.0.1:")
        yield process, line.split()[2].rstrip(b",").decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _read(topics: Topics, topic: str, count: int) -> list[Message]:
    return await asyncio.to_thread(
        read_all, topics.bootstrap_servers, topic, until=lambda messages: len(messages) >= count
    )


async def _post(session: aiohttp.ClientSession, url: str, body: Any, token: str | None = None) -> tuple[int, Any]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with session.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


@pytest.mark.kafka
async def test_pushes_and_triggers_reach_kafka(topics: Topics) -> None:
    """A change in Drive becomes a message of webhook.raw, a trigger one of integration.trigger, both keyed."""
    stage = Stage()
    async with (
        serving(stage.world) as simulator,
        _running(topics.environment) as (process, origin),
        aiohttp.ClientSession() as session,
    ):
        channel = {"id": "ch-1", "type": "web_hook", "address": f"{origin}/webhooks/google-drive"}
        watch = f"{simulator.base_url}/changes/watch?pageToken={stage.alice.log.end}"
        order = channel | {"token": "conn_1.signature"}
        status, opened = await _post(session, watch, order, simulator.access_token(stage.alice.email))
        assert status == 200
        await _read(topics, topics.webhook, 1)
        stage.file()
        sync, change = await _read(topics, topics.webhook, 2)
        assert (sync.key, change.key) == (b"conn_1", b"conn_1")
        message = json.loads(change.value or b"")
        assert message["headers"]["X-Goog-Resource-State"] == "change"
        assert message["headers"]["X-Goog-Resource-ID"] == opened["resourceId"]
        assert message["integration_connection_id"] == "conn_1"
        status, place = await _post(session, f"{origin}/triggers", TRIGGER)
        assert (status, place["topic"]) == (200, topics.trigger)
        (trigger,) = await _read(topics, topics.trigger, 1)
        assert (trigger.key, trigger.partition) == (b"conn_1", place["partition"])
        assert json.loads(trigger.value or b"") == TRIGGER
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), DEADLINE_S) == 0


async def test_without_a_broker_everything_is_to_come_again() -> None:
    """The proxy runs all the same, and answers 503 until Kafka is there."""
    nowhere = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    async with _running(nowhere) as (process, origin), aiohttp.ClientSession() as session:
        status, answer = await _post(session, f"{origin}/triggers", TRIGGER)
        assert status == 503
        assert "Kafka did not take it" in answer["error"]
        async with session.get(f"{origin}/healthz") as health:
            assert health.status == 503
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), DEADLINE_S) == 0
