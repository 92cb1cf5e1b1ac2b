"""An object store in memory, for turns that are tested without one."""

import hashlib
from collections.abc import AsyncIterable
from dataclasses import dataclass, field

from google_drive_worker.domain.connection import Connection
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.utils.errors import ChecksumMismatch, StoreUnavailable, WorkerError


@dataclass
class MemoryStore:
    """Implements `ObjectStores` and `ObjectStore`, for one customer; `problem` is raised while there is one,
    and objects of the checksums in `refused` are never taken."""

    objects: dict[str, bytes] = field(default_factory=dict)
    notes: dict[str, ObjectRef] = field(default_factory=dict)
    problem: WorkerError | None = None
    refused: set[str] = field(default_factory=set)

    def open(self, connection: Connection) -> "MemoryStore":
        """Itself."""
        del connection
        return self

    async def put(self, value: bytes, content_type: str) -> ObjectRef:
        """Keep the bytes."""
        self._check()
        sha256 = hashlib.sha256(value).hexdigest()
        if sha256 in self.refused:
            raise StoreUnavailable("too large for it", http_status=413)
        self.objects[sha256] = value
        return ObjectRef(f"memory:{sha256}", len(value), sha256, content_type)

    async def put_stream(
        self, chunks: AsyncIterable[bytes], content_type: str, *, sha256: str | None = None
    ) -> ObjectRef:
        """Keep what the chunks come to."""
        value = b"".join([chunk async for chunk in chunks])
        if sha256 not in {None, hashlib.sha256(value).hexdigest()}:
            raise ChecksumMismatch("other bytes")
        return await self.put(value, content_type)

    async def find(self, sha256: str, content_type: str) -> ObjectRef | None:
        """The object of that content."""
        self._check()
        value = self.objects.get(sha256)
        return None if value is None else ObjectRef(f"memory:{sha256}", len(value), sha256, content_type)

    async def recall(self, topic: str) -> ObjectRef | None:
        """The object noted under the topic."""
        self._check()
        return self.notes.get(topic)

    async def note(self, topic: str, ref: ObjectRef) -> None:
        """Note it."""
        self._check()
        self.notes[topic] = ref

    def _check(self) -> None:
        if self.problem is not None:
            raise self.problem
