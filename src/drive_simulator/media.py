"""Bytes that leave: alt=media and exports, whole or by Range."""

import re
from typing import TYPE_CHECKING

from drive_simulator import content, errors
from drive_simulator.items import Item, Revision
from drive_simulator.wire import Response

if TYPE_CHECKING:
    from drive_simulator.api import Call

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


def download(call: "Call", item: Item, source: "Item | Revision") -> Response:
    """The bytes of the item or of one of its revisions. Raises ApiError 403 or 416."""
    if item.is_workspace:
        raise errors.file_not_downloadable()
    if item.rare("abusive") and not call.flag("acknowledgeAbuse"):
        raise errors.cannot_download_abusive_file()
    size, _ = content.content_of(source)
    wanted = _range(call.request.headers, size)
    mime_type = source.mime_type
    if wanted is None:
        return _bytes(200, content.read(source), mime_type)
    start, end = wanted
    headers = {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return _bytes(206, content.read(source, start, end), mime_type, headers)


def _bytes(status: int, body: bytes, mime_type: str, headers: dict[str, str] | None = None) -> Response:
    return Response(status, body, mime_type, headers or {})


def _range(headers: object, size: int) -> tuple[int, int] | None:
    """The half-open range that is asked for; None for all of it."""
    text = headers.get("Range") if hasattr(headers, "get") else None
    found = _RANGE.match(text) if isinstance(text, str) else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(size - int(found[2]), 0), size
    start = int(found[1])
    end = min(int(found[2]) + 1, size) if found[2] else size
    if start >= size or end <= start:
        raise errors.range_not_satisfiable()
    return start, end
