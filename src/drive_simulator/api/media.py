"""Bytes that leave: alt=media, exports and downloads by link, whole or by Range (RFC 9110 §14)."""

import re
from collections.abc import Mapping

from drive_simulator.api import errors
from drive_simulator.api.wire import Response, Stream
from drive_simulator.model import content
from drive_simulator.model.access import rank
from drive_simulator.model.capabilities import may_download
from drive_simulator.model.items import RANK, Item, User
from drive_simulator.model.revisions import Revision

# Above that a body that can be made while it goes out is.
STREAM_FROM_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


def download(
    item: Item, source: Item | Revision, user: User, headers: Mapping[str, str], *, acknowledge_abuse: bool
) -> Response:
    """The bytes of the item or of one of its revisions. Raises ApiError 403 or 416."""
    check_download(item, user, acknowledge_abuse=acknowledge_abuse)
    return serve_blob(source, headers)


def check_download(item: Item, user: User, *, acknowledge_abuse: bool = False) -> None:
    """Whether the user may have the blob's bytes. Raises ApiError 403.

    Abuse can be acknowledged by the owner, or an organizer of the drive, alone (parameter `acknowledgeAbuse`).
    """
    if item.is_workspace:
        raise errors.file_not_downloadable()
    standing = rank(user, item)
    if not may_download(item, standing):
        raise errors.cannot_download_file()
    if item.rare("abusive") and not (acknowledge_abuse and standing >= RANK["organizer"]):
        raise errors.cannot_download_abusive_file()


def serve_blob(source: "Item | Revision", headers: Mapping[str, str]) -> Response:
    """A blob's bytes, or the range of them that the headers ask for. Raises ApiError 416."""
    size, kept = content.content_of(source)
    if kept is not None or size <= STREAM_FROM_BYTES:
        return serve_bytes(content.read(source), source.mime_type, headers)
    start, end = _range(headers, size) or (0, size)
    stream = Stream(end - start, lambda: content.generated(end, source.salt, start))
    status, told = _told(headers, size)
    return Response(status, b"", source.mime_type, told, stream)


def serve_bytes(body: bytes, mime_type: str, headers: Mapping[str, str]) -> Response:
    """The bytes, or the range of them that the headers ask for. Raises ApiError 416."""
    start, end = _range(headers, len(body)) or (0, len(body))
    status, told = _told(headers, len(body))
    return Response(status, body[start:end], mime_type, told)


def _told(headers: Mapping[str, str], size: int) -> tuple[int, dict[str, str]]:
    wanted = _range(headers, size)
    if wanted is None:
        return 200, {"Accept-Ranges": "bytes"}
    return 206, {"Accept-Ranges": "bytes", "Content-Range": f"bytes {wanted[0]}-{wanted[1] - 1}/{size}"}


def _range(headers: Mapping[str, str], size: int) -> tuple[int, int] | None:
    """The half-open range that is asked for; None for all of it: no range, several, or one that is none.

    Nothing here has a validator, so that a range with If-Range is for another content and all of it is sent.
    """
    found = _RANGE.match(headers.get("Range") or "")
    if found is None or not (found[1] or found[2]) or headers.get("If-Range"):
        return None
    if found[1] and found[2] and int(found[2]) < int(found[1]):
        return None
    if not found[1]:
        start, end = max(size - int(found[2]), 0), size
    else:
        start, end = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
    if start >= size or end <= start:
        raise errors.range_not_satisfiable(size)
    return start, end
