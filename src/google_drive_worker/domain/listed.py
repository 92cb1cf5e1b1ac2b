"""A page of files.list whose items were read as it came, in one pass over its bytes."""

from collections.abc import Iterator, Sequence
from typing import overload

import msgspec

from google_drive_worker.domain.drive import FilesPage
from google_drive_worker.domain.ids import DriveId
from google_drive_worker.domain.record import Record


class ListedFile(Record, frozen=True, gc=False):
    """The upsert of an item of a listing, with what decides whether it is written; its time is `sortable`."""

    drive_id: DriveId | None = None
    trashed: bool = False
    modified_time: str | None = None


class ListedPage(FilesPage, frozen=True, gc=False):
    """A `FilesPage` with its items read, in their order: `None` stands for those of the numbers in `unread`.

    A type of its own, which nothing is decoded into: no answer can say what was read of it.
    """

    listed: Sequence[ListedFile | None] = ()
    unread: tuple[int, ...] = ()


class RawItems(Sequence[msgspec.Raw]):
    """The items of a page as they stand in its bytes: each is cut out when it is asked for."""

    __slots__ = ("_body", "_limits")

    def __init__(self, body: bytes, limits: bytes) -> None:
        """`limits` are where each item begins and ends, 32 bits each."""
        self._body = memoryview(body)
        self._limits = memoryview(limits).cast("I")  # of a page, which is far under 4 GB

    def __len__(self) -> int:
        return len(self._limits) // 2

    @overload
    def __getitem__(self, number: int) -> msgspec.Raw: ...
    @overload
    def __getitem__(self, number: slice) -> list[msgspec.Raw]: ...
    def __getitem__(self, number: int | slice) -> msgspec.Raw | list[msgspec.Raw]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        at = 2 * range(len(self))[number]
        return msgspec.Raw(self._body[self._limits[at] : self._limits[at + 1]])

    def __iter__(self) -> Iterator[msgspec.Raw]:
        body, limits = self._body, iter(self._limits)
        return (msgspec.Raw(body[begin:end]) for begin, end in zip(limits, limits, strict=True))
