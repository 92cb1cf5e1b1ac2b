"""Content-addressed objects in a bucket: the ports `ObjectStores` and `ObjectStore`."""

import hashlib
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import IO

import msgspec

from google_drive_worker.domain.connection import Connection, TemporaryKeys
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.storage.bucket import Bucket
from google_drive_worker.storage.credentials import NoKeys
from google_drive_worker.storage.keys import note_key, object_key, tenant_prefix
from google_drive_worker.storage.upload import PART_BYTES
from google_drive_worker.utils.errors import ChecksumMismatch, StoreUnavailable, WorkerError

KEPT_AT_MOST = 1_000
"""How many connections' own buckets are kept open."""

_CHECK = b"google-drive-worker was here to check\n"
_NOTE = msgspec.json.Decoder(ObjectRef)


class BucketObjects:
    """Implements `ObjectStore` for one customer."""

    def __init__(self, bucket: Bucket, customer_id: str) -> None:
        """Nothing is asked yet."""
        self._bucket = bucket
        self._prefix = tenant_prefix(customer_id)

    async def put(self, value: bytes, content_type: str) -> ObjectRef:
        """Keep the bytes; see `ObjectStore.put`."""
        sha256 = hashlib.sha256(value).hexdigest()
        await self._bucket.write(object_key(self._prefix, sha256), value, content_type)
        return self._ref(sha256, len(value), content_type)

    async def put_stream(
        self, chunks: AsyncIterable[bytes], content_type: str, *, sha256: str | None = None
    ) -> ObjectRef:
        """Keep what the chunks come to; see `ObjectStore.put_stream`.

        Where the checksum is known they go to their place at once, in parts. Where it is not, they wait in a file of
        the system's temporary directory until it is.
        """
        if sha256 is None:
            return await self._put_unknown(chunks, content_type)
        counted = _Counted(chunks, sha256)
        await self._bucket.write_parts(object_key(self._prefix, sha256), counted.parts(), content_type)
        return self._ref(sha256, counted.size_bytes, content_type)

    async def find(self, sha256: str, content_type: str) -> ObjectRef | None:
        """The object of that content; see `ObjectStore.find`."""
        size = await self._bucket.size(object_key(self._prefix, sha256))
        return None if size is None else self._ref(sha256, size, content_type)

    async def recall(self, topic: str) -> ObjectRef | None:
        """The object noted under the topic; see `ObjectStore.recall`."""
        note = await self._bucket.read(note_key(self._prefix, topic))
        if note is None:
            return None
        try:
            noted = _NOTE.decode(note)
        except msgspec.MsgspecError:
            return None
        found = await self.find(noted.sha256, noted.content_type)
        return found if found == noted else None

    async def note(self, topic: str, ref: ObjectRef) -> None:
        """Note an object under a topic; see `ObjectStore.note`."""
        await self._bucket.write(note_key(self._prefix, topic), msgspec.json.encode(ref), "application/json")

    async def _put_unknown(self, chunks: AsyncIterable[bytes], content_type: str) -> ObjectRef:
        counted = _Counted(chunks)
        try:
            with tempfile.TemporaryFile() as spool:
                async for part in counted.parts():
                    spool.write(part)
                spool.seek(0)
                key = object_key(self._prefix, counted.sha256)
                if counted.size_bytes <= PART_BYTES:
                    await self._bucket.write(key, spool.read(), content_type)
                else:
                    await self._bucket.write_parts(key, _read_on(spool), content_type)
            return self._ref(counted.sha256, counted.size_bytes, content_type)
        except OSError as problem:
            told = f"the temporary directory (TMPDIR) can't hold what waits for the store ({problem.strerror})"
        raise StoreUnavailable(told)

    def _ref(self, sha256: str, size_bytes: int, content_type: str) -> ObjectRef:
        return ObjectRef(self._bucket.uri(object_key(self._prefix, sha256)), size_bytes, sha256, content_type)


class _Counted:
    """Chunks gathered into parts, their bytes counted and their checksum known at the end."""

    def __init__(self, chunks: AsyncIterable[bytes], expected: str | None = None) -> None:
        self.size_bytes = 0
        self._chunks = chunks
        self._expected = expected
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of what has come so far."""
        return self._digest.hexdigest()

    async def parts(self) -> AsyncIterator[bytes]:
        """The same bytes in parts of `PART_BYTES`. Raises `ChecksumMismatch` at the end, before the last is given."""
        gathered = bytearray()
        async for chunk in self._chunks:
            self._digest.update(chunk)
            self.size_bytes += len(chunk)
            gathered += chunk
            while len(gathered) > PART_BYTES:
                yield bytes(gathered[:PART_BYTES])
                del gathered[:PART_BYTES]
        if self._expected not in {None, self.sha256}:
            raise ChecksumMismatch("the bytes are not those that were announced: their SHA-256 differs")
        yield bytes(gathered)


async def _read_on(spool: IO[bytes]) -> AsyncIterator[bytes]:
    while part := spool.read(PART_BYTES):
        yield part


TemporaryKeySource = Callable[[ConnectionId], Awaitable[TemporaryKeys | None]]
"""A connection's own keys; `None` where the environment's are to do."""


class BucketStores:
    """Implements `ObjectStores`: a connection's objects in the bucket that all share, or by its own keys to it."""

    def __init__(self, shared: Bucket, own: Callable[[ConnectionId], Bucket] | None = None) -> None:
        """`own` gives the bucket as a connection may use it, where connections may have keys of their own."""
        self._shared = shared
        self._own = own
        self._kept: OrderedDict[ConnectionId, Bucket] = OrderedDict()

    def open(self, connection: Connection) -> BucketObjects:
        """The connection's objects; cheap, no call is made."""
        return BucketObjects(self._bucket_of(connection.connection_id), connection.customer_id)

    async def problem(self, *, keys_are_brought: bool = True) -> str | None:
        """What keeps the bucket from being used, in one line; `None` where writing and reading went well.

        `None` also where there are no keys but those that connections bring: whether these will do, their syncs show.
        They bring none where `keys_are_brought` is false.
        """
        try:
            store = BucketObjects(self._shared, "google-drive-worker")
            ref = await store.put(_CHECK, "text/plain")
            if await store.find(ref.sha256, ref.content_type) != ref:
                return "the object store does not show what was written to it just now"
        except WorkerError as problem:
            is_none = keys_are_brought and self._own is not None and isinstance(problem, NoKeys)
            return None if is_none else problem.message
        return None

    def _bucket_of(self, connection_id: ConnectionId) -> Bucket:
        if self._own is None:
            return self._shared
        bucket = self._kept.get(connection_id) or self._own(connection_id)
        self._kept[connection_id] = bucket
        self._kept.move_to_end(connection_id)
        if len(self._kept) > KEPT_AT_MOST:
            self._kept.popitem(last=False)
        return bucket
