"""files.export: a Workspace document in another format, 10 MB at most."""

from collections.abc import Mapping

from drive_simulator import errors, exports
from drive_simulator.api import Call, Handler
from drive_simulator.wire import Response


def export(call: Call) -> Response:
    """files.export. Raises ApiError: 403 `fileNotExportable`, `exportSizeLimitExceeded`; 400 for another format."""
    item = call.item(call.path["fileId"])
    if item.mime_type not in exports.EXPORT_FORMATS:
        raise errors.file_not_exportable()
    mime_type = call.text("mimeType") or ""
    body = exports.export(item, mime_type)
    if body is None:
        raise errors.conversion_not_supported()
    if len(body) > exports.EXPORT_LIMIT_BYTES:
        raise errors.export_size_limit_exceeded()
    return Response(200, body, mime_type)


HANDLERS: Mapping[str, Handler] = {"files.export": export}
