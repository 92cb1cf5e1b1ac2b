"""Health and metrics over HTTP: `/health/live`, `/health/ready` and `/metrics`."""

import socket
from collections.abc import Iterable

from aiohttp import web

from google_drive_worker.observability.metrics import Metrics
from google_drive_worker.utils.errors import Misconfigured


class Readiness:
    """Whether the worker can do its work, as named conditions that all have to hold.

    Those named at the start don't hold until somebody says that they do.
    """

    def __init__(self, conditions: Iterable[str] = ()) -> None:
        self._problems: dict[str, str] = dict.fromkeys(conditions, "starting")

    def set(self, name: str, ok: bool, detail: str = "") -> None:
        """Say whether a condition holds; `detail` tells a person why not, and holds no secret."""
        if ok:
            self._problems.pop(name, None)
        else:
            self._problems[name] = detail or "not ready"

    @property
    def ready(self) -> bool:
        """Whether all conditions hold."""
        return not self._problems

    def problems(self) -> dict[str, str]:
        """The conditions that don't hold, each with its detail."""
        return dict(self._problems)


class HealthServer:
    """Serves health and metrics while it is started; `port` 0 takes any free one."""

    def __init__(self, host: str, port: int, metrics: Metrics, readiness: Readiness) -> None:
        self._host = host
        self._wanted_port = port
        self._metrics = metrics
        self._readiness = readiness
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; before the start, the one that was asked for."""
        if self._runner is None or not self._runner.addresses:
            return self._wanted_port
        port: int = self._runner.addresses[0][1]
        return port

    async def start(self) -> None:
        """Listen and answer. Raises `Misconfigured` where the address can't be had."""
        app = web.Application()
        app.router.add_get("/health/live", _live)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/metrics", self._scrape)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._wanted_port).start()
        except OSError as problem:
            await runner.cleanup()
            raise Misconfigured(self._explain(problem)) from None
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening and let open requests end; harmless where it was not started."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _explain(self, problem: OSError) -> str:
        if isinstance(problem, socket.gaierror):
            return (
                f"HEALTH_HOST={self._host} is no address of this machine; set one of its addresses, or 0.0.0.0 for all"
            )
        return (
            f"HEALTH_PORT={self._wanted_port} can't be listened on at {self._host} ({problem.strerror or problem}); "
            "set another port, 0 for any free one, or -1 for no health server"
        )

    async def _ready(self, _request: web.Request) -> web.Response:
        if self._readiness.ready:
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "not_ready", "reasons": self._readiness.problems()}, status=503)

    async def _scrape(self, request: web.Request) -> web.Response:
        body, content_type = self._metrics.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})


async def _live(_request: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})
