"""The bytes of files in a run: the worker's own code fetches them from the Google in process into a store in memory.

The engine only plans contents. Which files of a page are wanted, what the store has already, what is tried twice and
whose trouble is whose is decided in rooms that are not pure: `fetching` and `contents`. A model of those would share
their mistakes or have its own, so they run themselves, with their two ports in memory, on an event loop in which
nothing waits but for the run. Each of their calls to Google is a moment of its own: between a page and the bytes of its
files everything may happen, and these come in any order.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar, cast

from google_drive_worker.client.drive_api import DriveApi
from google_drive_worker.contents import ContentMirror
from google_drive_worker.domain.content import Source
from google_drive_worker.domain.drive import DriveFile, UnreadableItem
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.ports import Drive
from google_drive_worker.domain.sharing import ItemSharing, Permission
from google_drive_worker.fetching import Sources, fetch
from google_drive_worker.sync import engine
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.places import KnownPlaces
from google_drive_worker.sync.plan import ReadContent
from google_drive_worker.sync.sharing import FoldersOfConnection
from google_drive_worker.utils.errors import SkipItem, WorkerError
from simulation.google import at_once
from support.memory_store import MemoryStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call that waits for Google's answer; of a file's bytes where it names the file."""

    call: Callable[[DriveApi], object]
    answer: "asyncio.Future[object]"
    file_id: FileId | None = None

    def serve(self, drive: DriveApi) -> None:
        """Google answers it as things are now; nobody may wait for that any more, where another call has failed."""
        if self.answer.done():
            return
        try:
            self.answer.set_result(self.call(drive))
        except WorkerError as error:
            self.answer.set_exception(error)


class ContentFetch:
    """A fetch of contents under way. It is over when Google has answered all that it asks, one `serve` each."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        store: MemoryStore,
        checkpoint: Checkpoint,
        action: ReadContent,
        folders: FoldersOfConnection,
        places: KnownPlaces,
    ) -> None:
        self._loop = loop
        self._asked: list[_Asked] = []
        # The other methods of a Drive are for what is no content's.
        drive = cast("Drive", _AskingDrive(loop, self._asked))
        sources = Sources(drive, store, ContentMirror(), folders, places)
        self._task = loop.create_task(fetch(sources, checkpoint, action))
        self._go_on()

    @property
    def awaited(self) -> list[FileId]:
        """The files whose bytes are asked for."""
        return [each.file_id for each in self._asked if each.file_id is not None]

    def serve(self, drive: DriveApi, choice: int) -> engine.Answer | WorkerError | None:
        """Google answers one of the calls; the fetch's own answer where that was the last of them."""
        self._asked.pop(choice % len(self._asked)).serve(drive)
        self._go_on()
        if not self._task.done():
            return None
        try:
            return self._task.result()
        except WorkerError as error:
            return error

    def drop(self) -> None:
        """The worker that asked is dead."""
        self._task.cancel()
        self._loop.run_until_complete(asyncio.gather(self._task, return_exceptions=True))

    def _go_on(self) -> None:
        """Until it is over, or waits for an answer."""
        while True:
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()
            self._asked[:] = [each for each in self._asked if not each.answer.done()]
            if self._asked or self._task.done():
                return


class _AskingDrive:
    """The calls of `Drive` that contents make; each waits until the run serves it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, asked: list[_Asked]) -> None:
        self._loop = loop
        self._asked = asked

    async def is_served(self) -> bool:
        return await self._ask(lambda drive: drive.is_served())

    async def get_files(self, file_ids: Sequence[FileId]) -> Mapping[FileId, DriveFile | SkipItem]:
        return await self._ask(lambda drive: drive.get_files(file_ids))

    async def item_sharings(self, file_ids: Sequence[FileId]) -> Mapping[FileId, ItemSharing | SkipItem]:
        return await self._ask(lambda drive: drive.item_sharings(file_ids))

    async def list_permissions(
        self, file_ids: Sequence[FileId]
    ) -> Mapping[FileId, tuple[Permission | UnreadableItem, ...] | SkipItem]:
        return await self._ask(lambda drive: drive.list_permissions(file_ids))

    async def content(self, source: Source) -> AsyncGenerator[bytes, None]:
        yield await self._ask(lambda drive: _all_of(drive.content(source)), source.file.id)

    async def _ask(self, call: Callable[[DriveApi], Coroutine[object, object, T]], file_id: FileId | None = None) -> T:
        answer: asyncio.Future[object] = self._loop.create_future()
        self._asked.append(_Asked(lambda drive: at_once(call(drive)), answer, file_id))
        return cast("T", await answer)


async def _all_of(pieces: AsyncGenerator[bytes, None]) -> bytes:
    async with aclosing(pieces):
        return b"".join([piece async for piece in pieces])
