"""What the worker remembers of the items that it wrote: bounded, and lost without harm.

It lives in this process alone. What was dropped to stay within bounds, and all that another owner of the partition
wrote, is not remembered; the checkpoint says so then (`Checkpoint.in_doubt`), and the engine deletes an item that it
does not know before it writes it. So nothing is wrong without a memory, only longer.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from google_drive_worker.domain.ids import ConnectionId, FileId
from google_drive_worker.domain.memory import Recall, Remembered

Items = dict[FileId, Remembered]


class ItemMemory:
    """The items of all connections of a worker, `limit` at the most: some 250 bytes each.

    Connections that were written to longest ago are dropped first, and whole. Of the one that is being written to, the
    items that were written longest ago.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[ConnectionId, Items] = OrderedDict()
        self._whole: set[ConnectionId] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def is_whole(self, connection_id: ConnectionId) -> bool:
        """Whether an item of the connection that is not remembered was never written, as far as it goes back."""
        return connection_id in self._whole

    def begin(self, connection_id: ConnectionId) -> None:
        """The connection's mirror holds nothing but what will be written from now on."""
        self.forget([connection_id])
        self._whole.add(connection_id)

    def forget(self, connection_ids: Iterable[ConnectionId]) -> None:
        """Drop all that is remembered of those connections."""
        for connection_id in connection_ids:
            self._count -= len(self._items.pop(connection_id, ()))
            self._whole.discard(connection_id)

    def note(self, connection_id: ConnectionId, remembered: Mapping[FileId, Remembered | None]) -> None:
        """Remember items as they are written now, and forget those that are gone (`None`)."""
        items = self._items.setdefault(connection_id, {})
        self._items.move_to_end(connection_id)
        before = len(items)
        for file_id, each in remembered.items():
            items.pop(file_id, None)  # a dict keeps its order: what is written now comes last
            if each is not None:
                items[file_id] = each
        self._count += len(items) - before
        while self._count > self._limit:
            self._drop_oldest()

    def recall(self, connection_id: ConnectionId) -> Recall:
        """What is remembered of the connection's items, to be asked item by item."""
        return self._items.get(connection_id, {}).get

    def _drop_oldest(self) -> None:
        connection_id, items = next(iter(self._items.items()))
        if len(self._items) > 1:
            self.forget([connection_id])
            return
        self._whole.discard(connection_id)
        for file_id in list(items)[: self._count - self._limit]:
            del items[file_id]
        self._count = len(items)
