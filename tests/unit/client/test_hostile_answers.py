"""Answers that are too large or too deep, over real HTTP: a clear error each, and nothing of them in a record."""

import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from google_drive_worker.client.setup import open_drives
from google_drive_worker.client.token_endpoint import TokenEndpoint
from google_drive_worker.connections.control_plane import ControlPlane
from google_drive_worker.domain.connection import AccessToken, Secret
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.ports import Drive
from google_drive_worker.http.retry import RetryPolicy
from google_drive_worker.http.transport import AiohttpTransport, TransportLimits
from google_drive_worker.normalization import transformer
from google_drive_worker.utils.errors import Retryable, WorkerError
from support.clock import ManualClock
from support.credentials import authorized_user, connection
from support.scripted_http import reply, scripted_server

MEGABYTE = 1024 * 1024
GZIP = {"Content-Encoding": "gzip"}
ONE_TRY = RetryPolicy(attempts=1)
ID = ConnectionId("conn_abc")


def nested(levels: int) -> str:
    """Arrays within one another."""
    return "[" * levels + "]" * levels


def gzip_bomb(size_bytes: int) -> bytes:
    """Spaces, in a thousandth of their size."""
    return gzip.compress(b" " * size_bytes, 6)


@asynccontextmanager
async def drive_that_gets(body: bytes | str, headers: dict[str, str] | None = None) -> AsyncIterator[Drive]:
    """A Drive whose every answer is that."""
    async with (
        scripted_server(*reply(200, body, headers)) as server,
        open_drives(
            base_url=f"{server.url}/drive/v3", clock=ManualClock(), random=lambda: 0.5, retry=ONE_TRY
        ) as drives,
    ):
        yield drives.open(connection(AccessToken(Secret("a-token"))))


@pytest.mark.parametrize("is_bomb", [False, True])
async def test_a_page_of_a_hundred_megabytes_is_refused(is_bomb: bool) -> None:
    """Sent plainly, which is not even read, or as a bomb of a hundred kilobytes."""
    body = gzip_bomb(100 * MEGABYTE) if is_bomb else b" " * (100 * MEGABYTE)
    async with drive_that_gets(body, GZIP if is_bomb else None) as drive:
        with pytest.raises(Retryable) as caught:
            await drive.list_files(None, None, include_trashed=False)
    assert caught.value.code == "response_too_large"


@pytest.mark.parametrize(
    "page", ['{"files":%s}', '{"files":[],"more":%s}', '{"files":[{"id":"1","owners":%s}]}', '{"nextPageToken":%s}']
)
async def test_a_page_of_endless_depth_is_a_broken_answer(page: str) -> None:
    """Wherever the depth is: that a page is worth another try, and never more than a refusal."""
    async with drive_that_gets(page % nested(100_000)) as drive:
        with pytest.raises(Retryable) as caught:
            await drive.list_files(None, None, include_trashed=False)
    assert caught.value.code == "bad_answer"


@pytest.mark.parametrize("field", ["owners", "capabilities", "linkShareMetadata", "unknownToUs"])
async def test_depth_in_a_file_reaches_no_record(field: str) -> None:
    """What decoders skip without harm is skipped: a record is made of fields that have a type."""
    page = f'{{"files":[{{"id":"1","name":"a","mimeType":"text/plain","{field}":{nested(200)}}}]}}'
    async with drive_that_gets(page) as drive:
        got = await drive.list_files(None, None, include_trashed=False)
    [listed] = transformer.read_page(got)
    assert "[[[" not in repr(listed)


@pytest.mark.parametrize("is_bomb", [False, True])
async def test_a_token_answer_too_deep_or_too_large_is_refused(is_bomb: bool) -> None:
    """No token is taken from it."""
    body = gzip_bomb(100 * MEGABYTE) if is_bomb else f'{{"access_token":"t","more":{nested(200)}}}'
    endpoint = TokenEndpoint(ManualClock(), api_host="127.0.0.1")
    async with scripted_server(*reply(200, body, GZIP if is_bomb else None)) as server:
        try:
            with pytest.raises(WorkerError) as caught:
                await endpoint.grant(authorized_user(f"{server.url}/token"))
        finally:
            endpoint.close()
    assert caught.value.code in {"bad_answer", "response_too_large"}


async def _describe(plane: ControlPlane) -> object:
    return await plane.get(ID)


async def _refresh(plane: ControlPlane) -> object:
    return await plane.refresh_token(ID)


async def _keys(plane: ControlPlane) -> object:
    return await plane.object_store_keys(ID)


@pytest.mark.parametrize("call", [_describe, _refresh, _keys])
@pytest.mark.parametrize("size", ["deep", "large", "bomb"])
async def test_an_answer_of_the_control_planes_too_deep_or_too_large_is_refused(
    call: Callable[[ControlPlane], Awaitable[object]], size: str
) -> None:
    """Whatever it answers; nothing of it is told."""
    described = {"connection_id": ID, "customer_id": "c", "credentials": {"type": "access_token", "access_token": "t"}}
    token = {"access_token": "CANARY", "access_key_id": "a", "secret_access_key": "s", "session_token": "t"}
    deep = json.dumps({**described, **token, "expires_at": "", "more": json.loads(nested(200))})
    bodies: dict[str, bytes | str] = {"deep": deep, "large": b" " * (5 * MEGABYTE), "bomb": gzip_bomb(5 * MEGABYTE)}
    limits = TransportLimits(body_bytes=4 * MEGABYTE)
    async with (
        scripted_server(*reply(200, bodies[size], GZIP if size == "bomb" else None)) as server,
        AiohttpTransport(server.url, limits) as transport,
    ):
        plane = ControlPlane("", transport, ManualClock(), retry=ONE_TRY)
        with pytest.raises(WorkerError) as caught:
            await call(plane)
    if size == "deep":
        assert "nested too deeply" in caught.value.message
    else:
        assert caught.value.code == "response_too_large"
    assert "CANARY" not in caught.value.message
