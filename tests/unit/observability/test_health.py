"""Health over real HTTP."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from google_drive_worker.observability.health import HealthServer, Readiness
from google_drive_worker.observability.metrics import Metrics
from google_drive_worker.utils.errors import Misconfigured

HOST = "127.0.0.1"


@pytest.fixture
def readiness() -> Readiness:
    """Two conditions, of which none holds yet."""
    return Readiness(["kafka", "connections"])


@pytest.fixture
def metrics() -> Metrics:
    """The metrics that are served."""
    return Metrics()


@pytest.fixture
async def server(readiness: Readiness, metrics: Metrics) -> AsyncIterator[HealthServer]:
    """A started server on a free port."""
    server = HealthServer(HOST, 0, metrics, readiness)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def http(server: HealthServer) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of that server."""
    async with aiohttp.ClientSession(f"http://{HOST}:{server.port}") as session:
        yield session


async def test_alive_while_not_ready(http: aiohttp.ClientSession) -> None:
    """A worker that waits for Kafka is alive: restarting it would mend nothing."""
    async with http.get("/health/live") as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "alive"}


async def test_ready_when_all_conditions_hold(http: aiohttp.ClientSession, readiness: Readiness) -> None:
    """Until then the answer is 503 and says what is missing; a condition lost makes it so again."""
    readiness.set("kafka", False, "no broker at localhost:9092")
    async with http.get("/health/ready") as answer:
        assert answer.status == 503
        assert await answer.json() == {
            "status": "not_ready",
            "reasons": {"kafka": "no broker at localhost:9092", "connections": "starting"},
        }
    readiness.set("kafka", True)
    readiness.set("connections", True)
    assert readiness.ready
    async with http.get("/health/ready") as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "ready"}
    readiness.set("kafka", False)
    async with http.get("/health/ready") as answer:
        assert answer.status == 503


async def test_metrics_are_scraped_in_both_forms(http: aiohttp.ClientSession, metrics: Metrics) -> None:
    """Prometheus' text by default, OpenMetrics where the scraper asks for it."""
    metrics.message_processed("integration.trigger")
    async with http.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        assert 'messages_processed_total{topic="integration.trigger"} 1.0' in await answer.text()
    async with http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}) as answer:
        assert answer.content_type == "application/openmetrics-text"
        assert (await answer.text()).endswith("# EOF\n")


async def test_other_paths_are_not_found(http: aiohttp.ClientSession) -> None:
    """Nothing else is served."""
    async with http.get("/") as answer:
        assert answer.status == 404


async def test_a_taken_port_is_one_line_with_the_mend(server: HealthServer, readiness: Readiness) -> None:
    """The line names the variable and what to set."""
    second = HealthServer(HOST, server.port, Metrics(), readiness)
    with pytest.raises(Misconfigured) as caught:
        await second.start()
    assert caught.value.message.startswith(f"HEALTH_PORT={server.port} can't be listened on at {HOST} (")
    assert "set another port" in caught.value.message
    assert "\n" not in caught.value.message
    await second.stop()


async def test_an_address_of_another_machine_is_named(readiness: Readiness) -> None:
    """A host that makes no sense is a line about the host."""
    with pytest.raises(Misconfigured, match=r"^HEALTH_HOST=256\.0\.0\.1\.invalid "):
        await HealthServer("256.0.0.1.invalid", 0, Metrics(), readiness).start()


async def test_stopping_frees_the_port(metrics: Metrics, readiness: Readiness) -> None:
    """After a stop the port can be had again, and stopping twice does no harm."""
    server = HealthServer(HOST, 0, metrics, readiness)
    await server.start()
    port = server.port
    await server.stop()
    await server.stop()
    with socket.create_server((HOST, port)):
        pass
