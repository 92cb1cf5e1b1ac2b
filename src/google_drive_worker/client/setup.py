"""The client, put together: one way in for who needs a working `Drives`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from google_drive_worker.client.addresses import address_problem
from google_drive_worker.client.auth import TOKEN_RETRY, Authorizers
from google_drive_worker.client.calls import CallReport
from google_drive_worker.client.drive_api import DriveApis
from google_drive_worker.client.load import LoadObserver
from google_drive_worker.client.quota import REQUESTS, QuotaLimiter, QuotaModel
from google_drive_worker.client.retry import DRIVE_RETRY, RetryPolicy
from google_drive_worker.client.token_endpoint import TokenEndpoint
from google_drive_worker.client.transport import DEFAULT_LIMITS, AiohttpTransport, TransportLimits
from google_drive_worker.domain.ports import Clock
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
    observer: LoadObserver | None = None,
) -> AsyncIterator[DriveApis]:
    """Give a working `Drives`, and close its connections at the end. No call is made before a Drive is used.

    Raises `Misconfigured`, naming `GDRIVE_API_BASE_URL` or `GDRIVE_PAGE_SIZE`, where these can't be.
    """
    if problem := address_problem(base_url):
        raise Misconfigured(f"GDRIVE_API_BASE_URL {problem}")
    endpoint = TokenEndpoint(clock)
    try:
        async with AiohttpTransport(base_url, limits) as transport:
            yield DriveApis(
                base_url=base_url,
                transport=transport,
                authorizers=Authorizers(endpoint.grant, clock, random, retry=token_retry),
                limiter=QuotaLimiter(quota, clock, None if observer is None else observer.on_quota),
                clock=clock,
                retry=retry,
                page_size=page_size,
                include_shared_drives=include_shared_drives,
                random=random,
                on_call=on_call,
                observer=observer,
            )
    finally:
        endpoint.close()
