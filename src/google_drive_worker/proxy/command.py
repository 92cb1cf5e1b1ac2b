"""The `proxy` command."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import click

from google_drive_worker.config import Settings, load_settings
from google_drive_worker.kafka_clients import producer_config
from google_drive_worker.observability.logs import configure_logging
from google_drive_worker.proxy.publisher import KafkaPublisher
from google_drive_worker.proxy.server import HEALTH_PATH, TRIGGER_PATH, WEBHOOK_PATH, WebhookProxy
from google_drive_worker.utils.errors import Misconfigured

_EPILOG = f"""\b
Examples:
  google-drive-worker proxy
  export GDRIVE_WEBHOOK_ADDRESS=http://127.0.0.1:8090{WEBHOOK_PATH}      for a worker beside it
  curl http://127.0.0.1:8090{TRIGGER_PATH} -d '{{"message_id": "1", "customer_id": "cust_1",
    "integration_id": "google-drive", "integration_connection_id": "conn_1", "trigger_type": "full_sync"}}'

\b
What it serves:
  POST {WEBHOOK_PATH}   Google's push notification -> KAFKA_TOPIC_WEBHOOK (webhook.raw)
  POST {TRIGGER_PATH}                a trigger as JSON -> KAFKA_TOPIC_TRIGGER (integration.trigger)
  GET  {HEALTH_PATH}                 200 while Kafka answers

\b
It answers 200 once Kafka has the message, 503 where it has not (Google then sends it again), 400 with what is wrong,
and 413 for more than 64 KB. The Kafka settings are the worker's: see docs/configuration.md.
"""


@click.command(epilog=_EPILOG, context_settings={"max_content_width": 110})
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    envvar="PROXY_HOST",
    show_envvar=True,
    help="Address to listen on. It asks nobody who they are: beyond this machine put something in front that does.",
)
@click.option(
    "--port",
    default=8090,
    show_default=True,
    envvar="PROXY_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65_535),
    help="Port; 0 takes a free one.",
)
def proxy(*, host: str, port: int) -> None:
    """Turn HTTP into Kafka messages until SIGTERM or Ctrl-C: a small webhook proxy for development.

    It stands in for the platform's Webhook Proxy. Google's push notifications (the simulator's, too) become messages of
    `webhook.raw`, with Google's X-Goog-* headers and nothing else of the request; triggers go to `integration.trigger`.
    Whether a notification is genuine the worker decides, by the channel's token.
    """
    try:
        settings = load_settings()
        configure_logging("WARNING", settings.log_format)
        asyncio.run(_serve(settings, host, port))
    except Misconfigured as problem:
        for line in problem.message.splitlines():
            click.echo(f"error: {line}", err=True)
        raise SystemExit(2) from None


@asynccontextmanager
async def running_proxy(settings: Settings, host: str, port: int) -> AsyncIterator[WebhookProxy]:
    """Serve on these settings while the block runs. Raises `Misconfigured` where the address can't be had."""
    # The producer is no transactional one: a proxy has nothing to take back.
    config = {name: value for name, value in producer_config(settings).items() if name != "transaction.timeout.ms"}
    publisher = KafkaPublisher({**config, "client.id": "google-drive-webhook-proxy"})
    served = WebhookProxy(
        publisher,
        host=host,
        port=port,
        integration_id=settings.worker_integration_id,
        webhook_topic=settings.kafka_topic_webhook,
        trigger_topic=settings.kafka_topic_trigger,
    )
    publisher.start()
    try:
        await served.start()
        try:
            yield served
        finally:
            await served.stop()
    finally:
        await asyncio.to_thread(publisher.stop)


async def _serve(settings: Settings, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with running_proxy(settings, host, port) as served:
        click.echo(f"Listening on {served.origin}, writing to Kafka at {settings.kafka_bootstrap_servers}")
        click.echo(f"  POST {served.origin}{WEBHOOK_PATH} -> {settings.kafka_topic_webhook}")
        click.echo(f"  POST {served.origin}{TRIGGER_PATH} -> {settings.kafka_topic_trigger}")
        if not _is_loopback(host):
            click.echo("warning: whoever reaches this address can write triggers and notifications", err=True)
        await stopped.wait()
    click.echo("Stopped.")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
