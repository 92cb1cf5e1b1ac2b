"""A real HTTP server whose answers a test writes down beforehand."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from aiohttp import web


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """Its body, read as a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class ScriptedServer:
    """Answers by `script`, in order, then always by `otherwise`; keeps what came in `seen`.

    What ends in a path of `aside` is answered by that, and is not in `seen`.
    """

    url: str = ""
    script: list[Answer] = field(default_factory=list)
    otherwise: Answer | None = None
    seen: list[Seen] = field(default_factory=list)
    aside: dict[str, Answer] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one request."""
        beside = next((each for path, each in self.aside.items() if request.path.endswith(path)), None)
        if beside is not None:
            return await beside(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.method, request.path, dict(request.query), headers, await request.read())
        self.seen.append(seen)
        answer = self.script.pop(0) if self.script else self.otherwise
        return web.Response(status=599, text="nothing scripted") if answer is None else await answer(request)


EMPTY_PAGE = b'{"files":[],"drives":[],"changes":[],"newStartPageToken":"1"}'
"""What is an empty page of any list."""


def reply(
    status: int = 200, body: bytes | str = EMPTY_PAGE, headers: dict[str, str] | None = None, *, times: int = 1
) -> list[Answer]:
    """Plain answers for a script."""

    async def answer(_: web.Request) -> web.StreamResponse:
        content = body.encode() if isinstance(body, str) else body
        return web.Response(status=status, body=content, headers=headers)

    return [answer] * times


async def cut(request: web.Request) -> web.StreamResponse:
    """Begin an answer and cut the connection in its middle."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"files": [')
    if request.transport is not None:
        request.transport.abort()
    return response


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Cut the connection before any answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@asynccontextmanager
async def scripted_server(*answers: Answer) -> AsyncIterator[ScriptedServer]:
    """Serve on a free port of this machine."""
    server = ScriptedServer(script=list(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
