"""A page of files.list whose items were read as it came, in one pass over its bytes."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import overload

import msgspec

from google_drive_worker.domain.drive import FilesPage
from google_drive_worker.domain.record import ItemRecord


class ListedPage(FilesPage, frozen=True, gc=False):
    """A `FilesPage` with its items read, in their order: `None` stands for those of the numbers in `unread`.

    A type of its own, which nothing is decoded into: no answer can say what was read of it.
    """

    listed: Sequence[ItemRecord | None] = ()
    unread: tuple[int, ...] = ()

    def mentioning(self, text: bytes) -> Sequence[msgspec.Raw]:
        """As `FilesPage.mentioning`; where the items are `RawItems`, all of their bytes are searched at once."""
        return self.files.mentioning(text) if isinstance(self.files, RawItems) else super().mentioning(text)


class RawItems(Sequence[msgspec.Raw]):
    """The items of a page as they stand in its bytes: cut out when somebody asks for one, and then all at once."""

    __slots__ = ("_body", "_limits", "_raws")

    def __init__(self, body: bytes, limits: bytes) -> None:
        """`limits` are where each item begins and ends, in order, 32 bits each."""
        self._body = body
        self._limits = memoryview(limits).cast("I")  # of a page, which is far under 4 GB
        self._raws: list[msgspec.Raw] | None = None

    def __len__(self) -> int:
        return len(self._limits) // 2

    @overload
    def __getitem__(self, number: int) -> msgspec.Raw: ...
    @overload
    def __getitem__(self, number: slice) -> list[msgspec.Raw]: ...
    def __getitem__(self, number: int | slice) -> msgspec.Raw | list[msgspec.Raw]:
        return self._cut()[number]

    def __iter__(self) -> Iterator[msgspec.Raw]:
        return iter(self._cut())

    def mentioning(self, text: bytes) -> list[msgspec.Raw]:
        """The items that hold that text, wherever in them."""
        begins, ends, found = self._limits[::2], self._limits[1::2], list[msgspec.Raw]()
        at = self._body.find(text)
        while at >= 0:
            number = bisect_right(begins, at) - 1
            if number >= 0 and at + len(text) <= ends[number]:
                found.append(self[number])
                at = ends[number]
            at = self._body.find(text, at + 1)
        return found

    def _cut(self) -> list[msgspec.Raw]:
        if self._raws is None:
            body, limits = memoryview(self._body), iter(self._limits)
            self._raws = [msgspec.Raw(body[begin:end]) for begin, end in zip(limits, limits, strict=True)]
        return self._raws
