"""Faults applied to HTTP: an aiohttp middleware that lets a `FaultPlan` decide about each request."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from drive_simulator.api.errors import ApiError
from drive_simulator.auth.oauth import TokenService
from drive_simulator.faults.plan import Call, Effect, FaultPlan

Classify = Callable[[web.Request], Call | None]
Note = Callable[[Call, int], None]

NO_ANSWER = 0

CUT = web.RequestKey("cut", int)
"""On a request whose answer is to be cut: after how many bytes, or 0 for the middle."""

GARBAGE = b"<html><title>Error</title>\x00\xff\xfe Temporarily overloaded"


def error_response(error: ApiError) -> web.Response:
    """Google's answer for an error."""
    return web.Response(
        status=error.status,
        body=error.body(),
        headers={"Content-Type": error.content_type, **error.headers, "Vary": "Origin, X-Origin, Referer"},
    )


def _unnoted(_call: Call, _status: int) -> None:
    """Takes no notice."""


def faults_middleware(plan: FaultPlan, tokens: TokenService, classify: Classify, note: Note = _unnoted) -> Middleware:
    """A middleware that strikes as the plan decides. `classify` names the call, or None for what is never struck.

    `note` is told of each call that does not reach the handler, with the status answered (NO_ANSWER for a cut).

    `classify` runs before the handler, so it looks at the token without refusing it.
    """

    @web.middleware
    async def strike(request: web.Request, handler: Handler) -> web.StreamResponse:
        call = classify(request)
        effect = None if call is None else plan.decide(call)
        if call is None or effect is None:
            return await handler(request)
        error = await before(effect, call, tokens)
        if effect.cut == "before":
            note(call, NO_ANSWER)
            return _cut(request)
        if error is not None:
            note(call, error.status)
            return error_response(error)
        if effect.cut == "body" or effect.cut_after_bytes is not None:
            request[CUT] = effect.cut_after_bytes or 0
        return await _after(effect, request, await handler(request))

    return strike


async def before(effect: Effect, call: Call, tokens: TokenService) -> ApiError | None:
    """What comes before serving: latency, tokens and grants that end. Returns the error to answer, if there is one.

    Parts of batches, which have no connection of their own, are struck by this alone.
    """
    if effect.latency_ms:
        await asyncio.sleep(effect.latency_ms / 1000)
    if effect.revoke_grants:
        tokens.revoke_grants(call.user)
    elif effect.expire_tokens:
        tokens.expire_tokens(call.user)
    return effect.api_error(call)


async def _after(effect: Effect, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if effect.cut is None and effect.body is None and effect.cut_after_bytes is None:
        return response
    if response.prepared:
        # A stream is cut while it goes out.
        return response
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return _cut(request)
    body = response.body
    if CUT in request:
        return await _cut_in_body(request, response, body, cut_at(request[CUT], len(body)))
    spoilt = {"truncated": body[: len(body) // 2], "garbage": GARBAGE, "empty": b""}[effect.body or "empty"]
    return web.Response(status=response.status, body=spoilt, content_type=response.content_type, charset="UTF-8")


def _cut(request: web.Request) -> web.Response:
    """Close the connection under the request; the response is for aiohttp alone, no client receives it."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def cut_at(after_bytes: int, length: int) -> int:
    """Where a body of that length is cut: after so many bytes, or in its middle."""
    return after_bytes if 0 < after_bytes < length else length // 2


async def _cut_in_body(request: web.Request, response: web.Response, body: bytes, end: int) -> web.StreamResponse:
    """Promise the whole body, send a part of it, and close."""
    kept = {name: value for name, value in response.headers.items() if name != "Content-Length"}
    partial = web.StreamResponse(status=response.status, headers={**kept, "Content-Length": str(len(body))})
    await partial.prepare(request)
    await partial.write(body[:end])
    if request.transport is not None:
        request.transport.close()
    return partial
