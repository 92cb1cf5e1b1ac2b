"""The proxy's HTTP side: `POST /webhooks/google-drive`, `POST /triggers` and `GET /healthz`.

200 is said only after Kafka has acknowledged; 503 where it did not, upon which Google sends a notification again.
"""

import uuid
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from google_drive_worker.messages.trigger import decode_trigger
from google_drive_worker.proxy.notification import google_headers, raw_notification
from google_drive_worker.proxy.publisher import NotTaken, Publisher
from google_drive_worker.utils.errors import InvalidMessage, Misconfigured

WEBHOOK_PATH = "/webhooks/google-drive"
TRIGGER_PATH = "/triggers"
HEALTH_PATH = "/healthz"

MAX_BODY_BYTES = 64 * 1024
"""A trigger has a few hundred bytes, at most 8 KB of page token; Google's bodies are empty or name their kind."""

_RETRY_AFTER = {"Retry-After": "1"}


class WebhookProxy:
    """Serves while it is started; `port` 0 takes any free one."""

    def __init__(
        self, publisher: Publisher, *, host: str, port: int, integration_id: str, webhook_topic: str, trigger_topic: str
    ) -> None:
        self._publisher = publisher
        self._host = host
        self._wanted_port = port
        self._integration_id = integration_id
        self._webhook_topic = webhook_topic
        self._trigger_topic = trigger_topic
        self._runner: web.AppRunner | None = None

    @property
    def origin(self) -> str:
        """`http://HOST:PORT` as it is listened on."""
        port = self._wanted_port if self._runner is None else self._runner.addresses[0][1]
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}"

    async def start(self) -> None:
        """Listen and answer. Raises `Misconfigured` where the address can't be had."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post(WEBHOOK_PATH, self._take_notification)
        app.router.add_post(TRIGGER_PATH, self._take_trigger)
        app.router.add_get(HEALTH_PATH, self._tell_health)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=5.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._wanted_port).start()
        except OSError as problem:
            await runner.cleanup()
            where = f"{self._host}:{self._wanted_port} ({problem.strerror or problem})"
            raise Misconfigured(f"can't listen on {where}; choose another --port, or 0 for a free one") from None
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening and let open requests end; harmless where it was not started."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _take_notification(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            headers = google_headers(request.headers.items())
        except InvalidMessage as problem:
            return _refusal(problem.message)
        message_id, now = str(uuid.uuid4()), datetime.now(UTC)
        message = raw_notification(message_id, self._integration_id, now, headers, body)
        return await self._publish(self._webhook_topic, message.integration_connection_id, msgspec.json.encode(message))

    async def _take_trigger(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            trigger = decode_trigger(body, integration_id=self._integration_id)
        except InvalidMessage as problem:
            return _refusal(problem.message)
        if trigger is None:
            return _refusal(f"the trigger's `integration_id` is not {self._integration_id}")
        return await self._publish(self._trigger_topic, trigger.integration_connection_id, body)

    async def _publish(self, topic: str, key: str | None, value: bytes) -> web.Response:
        try:
            place = await self._publisher.publish(topic, key, value)
        except NotTaken as problem:
            return web.json_response({"error": f"Kafka did not take it: {problem}"}, status=503, headers=_RETRY_AFTER)
        return web.json_response(place._asdict())

    async def _tell_health(self, _: web.Request) -> web.Response:
        problem = await self._publisher.problem()
        if problem is not None:
            return web.json_response({"status": "not_ready", "reason": problem}, status=503)
        return web.json_response({"status": "ok"})


def _refusal(text: str) -> web.Response:
    return web.json_response({"error": text}, status=400)
