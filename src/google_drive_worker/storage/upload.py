"""Uploads in parts, whose parts come from elsewhere while they are sent."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

import obstore
from obstore.store import LocalStore, S3Store

PART_BYTES = 8 * 1024 * 1024
"""S3 wants 5 MB at least, and takes 10,000 parts: files up to 80 GB."""

_PARTS_AT_ONCE = 2

_ABORT_S = 3.0
"""How long an upload that is broken off may take to be aborted: whoever breaks it off has to hand over or to stop."""

T = TypeVar("T")


async def upload(
    store: S3Store | LocalStore, key: str, parts: AsyncIterable[bytes], content_type: str | None = None
) -> None:
    """Keep what the parts come to. Raises what the store or the parts raise; an upload that does not end is aborted.

    obstore asks for parts in tasks of its own, which nobody else ends: cancelled, an upload would leave one of them
    behind, with the download that it reads. So the question under way is ended first, and obstore then aborts.
    """
    asked = _Asked(aiter(parts))
    putting = asyncio.ensure_future(
        obstore.put_async(
            store,
            key,
            asked,
            attributes=None if content_type is None else {"Content-Type": content_type},
            chunk_size=PART_BYTES,
            max_concurrency=_PARTS_AT_ONCE,
        )
    )
    try:
        await asyncio.shield(putting)
    finally:
        await asked.break_off()
        if not putting.done():
            putting.add_done_callback(_outcome)
            await asyncio.wait([putting], timeout=_ABORT_S)


def _outcome(putting: "asyncio.Future[T]") -> None:
    """Read it: nobody waits for it any more."""
    if not putting.cancelled():
        putting.exception()


class _BrokenOff(Exception):  # no error: it tells obstore to abort
    pass


class _Asked:
    """Parts that can be broken off, whoever is being given one."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts
        self._asking: asyncio.Task[object] | None = None
        self._is_over = False

    def __aiter__(self) -> "_Asked":
        return self

    async def __anext__(self) -> bytes:
        if self._is_over:
            raise _BrokenOff
        self._asking = asyncio.current_task()
        try:
            return await anext(self._parts)
        except asyncio.CancelledError:
            if self._is_over:
                raise _BrokenOff from None
            raise
        finally:
            self._asking = None

    async def break_off(self) -> None:
        """Give no more; returns when nobody waits for one."""
        self._is_over = True
        asking = self._asking
        if asking is not None:
            asking.cancel()
            await asyncio.wait([asking])
