"""files.export: a Workspace document in another format, 10 MB at most."""

from collections.abc import Mapping

from drive_simulator.api import errors, exports
from drive_simulator.api.call import Call, Handler
from drive_simulator.api.media import serve_bytes
from drive_simulator.api.wire import Response
from drive_simulator.model import item_changes
from drive_simulator.model.access import rank
from drive_simulator.model.capabilities import may_download


def export(call: Call) -> Response:
    """files.export. The format's case does not matter; the answer has the type as it was asked for (measured).

    Raises ApiError: 403 `fileNotExportable`, `exportSizeLimitExceeded`; 400 for another format.
    """
    item = call.item(call.path["fileId"])
    if item.mime_type not in exports.EXPORT_FORMATS:
        raise errors.file_not_exportable()
    if not may_download(item, rank(call.user, item)):
        raise errors.cannot_download_file()
    mime_type = call.text("mimeType") or ""
    known = next((each for each in exports.EXPORT_FORMATS[item.mime_type] if each.lower() == mime_type.lower()), None)
    body = None if known is None else exports.export(item, known)
    if body is None:
        raise errors.conversion_not_supported()
    if len(body) > exports.EXPORT_LIMIT_BYTES:
        raise errors.export_size_limit_exceeded()
    item_changes.view(call.world, item, call.user)
    return serve_bytes(body, mime_type, call.request.headers)


HANDLERS: Mapping[str, Handler] = {"files.export": export}
