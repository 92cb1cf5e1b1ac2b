"""A partition's log on a real broker: the transactional writer, in a thread of its own."""

import contextlib

from google_drive_worker.domain.message import Batch
from google_drive_worker.kafka.transactions import TransactionalWriter
from google_drive_worker.kafka.writer_thread import WriterThread
from google_drive_worker.utils.errors import Fenced, Retryable

OPEN_TIMEOUT_S = 20.0
"""How long a partition's writer may take to open: the broker first ends what the owner before left open."""

COMMIT_TIMEOUT_S = 25.0
"""When a commit is given up: longer than each of its calls may take, well under the transaction's own timeout."""

CLOSE_TIMEOUT_S = 5.0
"""How long letting go waits for a commit under way: longer only makes the group wait."""


class KafkaPartitionLog:
    """A `PartitionLog`. `writer` is the partition's own, and is not opened yet."""

    def __init__(self, name: str, writer: TransactionalWriter) -> None:
        self._writer = writer
        self._thread = WriterThread(name)
        self._closed = False

    async def open(self) -> None:
        """See `PartitionLog.open`."""
        self._require_open()
        await self._thread.call(self._writer.open, OPEN_TIMEOUT_S)

    async def commit(self, batch: Batch) -> None:
        """See `PartitionLog.commit`."""
        self._require_open()
        await self._thread.call(lambda: self._writer.commit(batch), COMMIT_TIMEOUT_S)

    async def close(self) -> None:
        """See `PartitionLog.close`."""
        self._closed = True
        self._writer.give_up()
        try:
            with contextlib.suppress(Retryable):  # a broker that does not answer holds nothing up
                await self._thread.call(self._writer.close, CLOSE_TIMEOUT_S)
        finally:
            self._thread.end()

    def _require_open(self) -> None:
        if self._closed:
            raise Fenced("the partition's log is closed")
