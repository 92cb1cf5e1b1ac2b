"""The pages of Google's lists, read element by element; one that can't be read stands among the others as such.

A page is one only where it holds its list: an answer without it is a bad answer, which is worth another try. An empty
token is none.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar, cast

import msgspec

from google_drive_worker.domain.details import Comment, Revision
from google_drive_worker.domain.drive import (
    ChangesPage,
    DrivesPage,
    FilesPage,
    SharedDrive,
    UnreadableItem,
    unreadable,
)
from google_drive_worker.domain.ids import PageToken
from google_drive_worker.domain.lenient import NOT_EMPTY, UNREADABLE, Reader, Resource, repaired
from google_drive_worker.domain.sharing import Permission, roled

T = TypeVar("T")

LOST_AT_MOST = 3
"""How many of what is lost of one element are told of one by one; of the others their number is."""

_COMPLETE = (b"false", b"null")
"""What `incompleteSearch` says where all was searched. What makes no sense proves nothing."""


class ListPage(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """A page of any list."""

    items: tuple[T, ...]
    next_page_token: PageToken | None = None
    incomplete_search: bool = False
    new_start_page_token: PageToken | None = None


class PageReader(Generic[T]):
    """Reads pages of one list: the field that holds it, and the type of its elements.

    A page is decoded in one go; only one that does not fit is read element by element.
    """

    def __init__(self, what: str, kind: Any, *, strict: bool = True) -> None:
        self._decode = msgspec.json.Decoder(_page_type(what, kind, bool), strict=strict).decode
        self._take_apart = msgspec.json.Decoder(_page_type(what, msgspec.Raw, msgspec.Raw)).decode
        self._reader: Reader[T] = Reader(kind, strict=False)

    def read(self, body: bytes) -> ListPage[T | UnreadableItem]:
        """Read a page. Raises one of `UNREADABLE` where it is none."""
        try:
            page: Any = self._decode(body)
            items = page.items
            is_incomplete = page.incomplete_search
        except UNREADABLE:
            page = self._taken_apart(body)
            items = tuple(each for raw in page.items for each in self._elements(raw))
            is_incomplete = bytes(page.incomplete_search) not in _COMPLETE
        return ListPage(items, page.next_page_token or None, is_incomplete, page.new_start_page_token or None)

    def _taken_apart(self, body: bytes) -> Any:
        try:
            return self._take_apart(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:  # half of an escaped surrogate pair, perhaps, which msgspec takes for no JSON
            return self._take_apart(repaired(body))

    def _elements(self, raw: msgspec.Raw) -> Iterator[T | UnreadableItem]:
        """The element; beside it what is lost of the elements that it has itself, such as a comment's replies."""
        try:
            element, lost = self._reader.salvage(raw)
        except UNREADABLE as problem:
            yield unreadable(raw, problem)
            return
        yield element
        if not lost:
            return
        odd = unreadable(raw, msgspec.ValidationError(f"an element of it is left out: {lost[0]}"))
        yield odd
        for why in lost[1:LOST_AT_MOST]:
            yield msgspec.structs.replace(odd, problem=f"an element of it is left out: {why}")
        if len(lost) > LOST_AT_MOST:
            yield msgspec.structs.replace(odd, problem=f"{len(lost) - LOST_AT_MOST} more elements of it are left out")


def _page_type(what: str, element: Any, incomplete: type) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        "Page",
        [
            ("items", tuple[element, ...]),
            ("next_page_token", PageToken | None, None),
            ("incomplete_search", incomplete, False if incomplete is bool else msgspec.Raw(b"false")),
            ("new_start_page_token", PageToken | None, None),
        ],
        rename={
            "items": what,
            "next_page_token": "nextPageToken",
            "incomplete_search": "incompleteSearch",
            "new_start_page_token": "newStartPageToken",
        },
    )


class _Timed(Resource, frozen=True, gc=False):
    modified_time: str | None = None


class _StartPageToken(Resource, frozen=True, gc=False):
    start_page_token: Annotated[PageToken, NOT_EMPTY]


_FILES: PageReader[msgspec.Raw] = PageReader("files", msgspec.Raw)
_CHANGES: PageReader[msgspec.Raw] = PageReader("changes", msgspec.Raw)
_DRIVES: PageReader[SharedDrive] = PageReader("drives", SharedDrive)
_TIMES: PageReader[_Timed] = PageReader("files", _Timed)
_PERMISSIONS: PageReader[Permission] = PageReader("permissions", Permission)
_REVISIONS: PageReader[Revision] = PageReader("revisions", Revision, strict=False)
_COMMENTS: PageReader[Comment] = PageReader("comments", Comment)
_START_PAGE_TOKEN = msgspec.json.Decoder(_StartPageToken)

# Each of these raises one of `UNREADABLE` where the answer is no such page.


def read_files_page(body: bytes) -> FilesPage:
    """Read a page of files.list, and leave its items as they are."""
    page = cast("ListPage[msgspec.Raw]", _FILES.read(body))
    return FilesPage(page.items, page.next_page_token, page.incomplete_search)


def read_changes_page(body: bytes) -> ChangesPage:
    """Read a page of changes.list, and leave its items as they are. One that leads nowhere is none."""
    page = cast("ListPage[msgspec.Raw]", _CHANGES.read(body))
    if page.next_page_token is None and page.new_start_page_token is None:
        raise msgspec.ValidationError("a page of changes has neither `nextPageToken` nor `newStartPageToken`")
    return ChangesPage(page.items, page.next_page_token, page.new_start_page_token)


def read_drives_page(body: bytes) -> DrivesPage:
    """Read a page of drives.list."""
    page = _DRIVES.read(body)
    return DrivesPage(page.items, page.next_page_token)


def read_times(body: bytes) -> tuple[str, ...]:
    """Read the modifiedTimes of a page of files.list; none where not all was searched, which proves nothing."""
    page = _TIMES.read(body)
    if page.incomplete_search:
        return ()
    return tuple(
        each.modified_time for each in page.items if isinstance(each, _Timed) and each.modified_time is not None
    )


def read_permissions_page(body: bytes) -> ListPage[Permission | UnreadableItem]:
    """Read a page of permissions.list."""
    page = _PERMISSIONS.read(body)
    return ListPage(tuple(map(roled, page.items)), page.next_page_token)


def read_revisions_page(body: bytes) -> ListPage[Revision | UnreadableItem]:
    """Read a page of revisions.list."""
    return _REVISIONS.read(body)


def read_comments_page(body: bytes) -> ListPage[Comment | UnreadableItem]:
    """Read a page of comments.list."""
    return _COMMENTS.read(body)


def read_start_page_token(body: bytes) -> PageToken:
    """Read an answer of changes.getStartPageToken."""
    return _START_PAGE_TOKEN.decode(body).start_page_token
