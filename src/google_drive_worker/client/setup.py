"""The client, put together: one way in for who needs a working `Drives`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from google_drive_worker.client.auth import TOKEN_RETRY, Authorizers
from google_drive_worker.client.calls import CallReport
from google_drive_worker.client.clock_offset import ClockOffset, MeasuredTransport
from google_drive_worker.client.drive_api import DriveApis
from google_drive_worker.client.load import LoadObserver
from google_drive_worker.client.quota import REQUESTS, QuotaLimiter, QuotaModel
from google_drive_worker.client.token_endpoint import TokenEndpoint
from google_drive_worker.domain.connection import AccessToken, Credentials, Grant
from google_drive_worker.domain.drive import FilesPage
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.pages import read_files_page
from google_drive_worker.domain.ports import Clock, TokenSource
from google_drive_worker.http.addresses import address_problem
from google_drive_worker.http.retry import DRIVE_RETRY, RetryPolicy
from google_drive_worker.http.transport import DEFAULT_LIMITS, AiohttpTransport, TransportLimits
from google_drive_worker.utils.errors import Misconfigured


@asynccontextmanager
async def open_drives(
    *,
    base_url: str,
    clock: Clock,
    random: Callable[[], float],
    page_size: int = 100,
    include_shared_drives: bool = True,
    quota: QuotaModel = REQUESTS,
    retry: RetryPolicy = DRIVE_RETRY,
    token_retry: RetryPolicy = TOKEN_RETRY,
    limits: TransportLimits = DEFAULT_LIMITS,
    on_call: Callable[[CallReport], None] | None = None,
    tokens: TokenSource | None = None,
    observer: LoadObserver | None = None,
    decode_listing: Callable[[bytes], FilesPage] = read_files_page,
    clock_offset: ClockOffset | None = None,
) -> AsyncIterator[DriveApis]:
    """Give a working `Drives`, and close its connections at the end. No call is made before a Drive is used.

    `tokens` refreshes the access tokens that the worker can't refresh by itself; without it these need a person.
    `clock_offset` measures our clock by Google's answers.

    Raises `Misconfigured`, naming `GDRIVE_API_BASE_URL` or `GDRIVE_PAGE_SIZE`, where these can't be.
    """
    if problem := address_problem(base_url):
        raise Misconfigured(f"GDRIVE_API_BASE_URL {problem}")
    clock_offset = clock_offset or ClockOffset(clock, base_url)
    endpoint = TokenEndpoint(clock, api_host=urlsplit(base_url).hostname, clock_offset=clock_offset)

    async def grant(connection_id: ConnectionId, credentials: Credentials) -> Grant:
        if tokens is not None and isinstance(credentials, AccessToken):
            return await tokens.refresh_token(connection_id)
        return await endpoint.grant(credentials)

    try:
        async with AiohttpTransport(base_url, limits) as transport:
            yield DriveApis(
                base_url=base_url,
                transport=MeasuredTransport(transport, base_url, clock, clock_offset),
                authorizers=Authorizers(grant, clock, random, retry=token_retry),
                limiter=QuotaLimiter(quota, clock, None if observer is None else observer.on_quota),
                clock=clock,
                retry=retry,
                page_size=page_size,
                include_shared_drives=include_shared_drives,
                random=random,
                on_call=on_call,
                downloads=transport,
                observer=observer,
                decode_listing=decode_listing,
            )
    finally:
        endpoint.close()
