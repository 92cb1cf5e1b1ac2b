"""files.download, operations.get, and the links that they and `exportLinks` give: with the token, by Range too."""

from collections.abc import Mapping

from drive_simulator.api import errors, exports
from drive_simulator.api.call import DOWNLOAD_LINK_PATH, LINK_EXPORT, LINK_OPERATION, Call, Handler, answer
from drive_simulator.api.errors import ApiError
from drive_simulator.api.media import check_download, serve_blob, serve_bytes
from drive_simulator.api.operations import Operation
from drive_simulator.api.wire import Response
from drive_simulator.model import item_changes
from drive_simulator.model.access import rank
from drive_simulator.model.capabilities import can_have_revisions, may_download
from drive_simulator.model.items import RANK, Item
from drive_simulator.model.old_revisions import revisions_left
from drive_simulator.model.revisions import Revision

_TYPE = "type.googleapis.com/google.apps.drive.v3.DownloadFile"
_FAILED = {"code": 13, "message": "Internal error encountered."}


def download(call: Call) -> Response:
    """files.download: begin it. Raises ApiError 403, or 400 for a format or revision that can't be had."""
    item = call.item(call.path["fileId"])
    mime_type, revision_id = call.text("mimeType"), call.text("revisionId")
    _check(call, item, mime_type, revision_id)
    item_changes.view(call.world, item, call.user)
    operation = call.services.operations.begin(call.user, item, mime_type, revision_id, call.world.now_ms())
    return answer(call, "Operation", _resource(call, operation))


def get_operation(call: Call) -> Response:
    """operations.get: is it done, and where is it to be had?"""
    name = call.path["name"]
    operation = call.services.operations.find(name, call.user, call.world.now_ms())
    if operation is None:
        raise errors.resource_not_found("Operation", name, "name")
    operation.asked += 1
    return answer(call, "Operation", _resource(call, operation))


def serve_export_link(call: Call) -> Response:
    """One of a document's `exportLinks`, or of one of its revisions'. Exports of any size come by it."""
    query = dict(call.request.query)
    item = _linked_item(call, query.get("id", ""))
    mime_type = exports.format_of(item, query.get("exportFormat", ""))
    if mime_type is None:
        raise errors.conversion_not_supported()
    return _serve(call, item, mime_type, query.get("revision"))


def serve_download_link(call: Call) -> Response:
    """What an operation's `downloadUri` leads to, while the operation is valid."""
    operation = call.services.operations.find(call.path["name"], call.user, call.world.now_ms())
    if operation is None or operation.asked < call.services.operations.polls:
        raise errors.method_not_found()
    item = _linked_item(call, operation.item.id)
    return _serve(call, item, operation.mime_type, operation.revision_id)


def _resource(call: Call, operation: Operation) -> dict[str, object]:
    metadata: dict[str, object] = {"@type": _TYPE + "Metadata"}
    key = operation.item.rare("resource_key")
    if isinstance(key, str):
        metadata["resourceKey"] = key
    resource: dict[str, object] = {"name": operation.name, "metadata": metadata, "done": False}
    operations = call.services.operations
    if operation.asked < operations.polls:
        return resource
    resource["done"] = True
    if call.world.items.get(operation.item.id) is not operation.item:
        resource["error"] = {"code": 5, "message": f"File not found: {operation.item.id}."}
    elif operation.asked == operations.polls and operations.fails():
        resource["error"] = _FAILED
    else:
        uri = f"{call.services.base_url}{DOWNLOAD_LINK_PATH}{operation.name}"
        resource["response"] = {"@type": _TYPE + "Response", "downloadUri": uri, "partialDownloadAllowed": True}
    return resource


def _linked_item(call: Call, file_id: str) -> Item:
    item = call.world.items.get(file_id)
    if item is None or rank(call.user, item) < RANK["reader"]:
        raise errors.not_found(file_id)
    return item


def _check(call: Call, item: Item, mime_type: str | None, revision_id: str | None) -> None:
    if item.is_workspace:
        formats = exports.DOWNLOAD_FORMATS.get(item.mime_type)
        if formats is None:
            raise errors.file_not_downloadable()
        if mime_type is not None and mime_type not in formats:
            raise errors.conversion_not_supported()
        if not may_download(item, rank(call.user, item)):
            raise errors.cannot_download_file()
    else:
        if mime_type is not None:
            raise errors.bad_request("mimeType can be set for Google Workspace documents only.", location="mimeType")
        check_download(item, call.user)
    if revision_id is not None:
        _revision(call, item, revision_id)


def _revision(call: Call, item: Item, revision_id: str) -> Revision:
    if not can_have_revisions(item):
        raise ApiError(400, "invalidArgument", "The file has no revisions.", location="revisionId")
    if rank(call.user, item) < RANK["writer"]:
        raise errors.insufficient_file_permissions()
    found = next((each for each in revisions_left(call.world, item) if each.id == revision_id), None)
    if found is None:
        raise errors.resource_not_found("Revision", revision_id, "revisionId")
    return found


def _serve(call: Call, item: Item, mime_type: str | None, revision_id: str | None) -> Response:
    _check(call, item, mime_type, revision_id)
    revision = None if revision_id is None else _revision(call, item, revision_id)
    item_changes.view(call.world, item, call.user)
    if not item.is_workspace:
        return serve_blob(revision or item, call.request.headers)
    mime_type = mime_type or exports.DOWNLOAD_FORMATS[item.mime_type][0]
    body = exports.export(item, mime_type, salt=None if revision is None else revision.salt)
    return serve_bytes(body or b"", mime_type, call.request.headers)


HANDLERS: Mapping[str, Handler] = {
    "files.download": download,
    "operations.get": get_operation,
    LINK_EXPORT: serve_export_link,
    LINK_OPERATION: serve_download_link,
}
