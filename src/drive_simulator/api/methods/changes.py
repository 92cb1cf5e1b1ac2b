"""changes.getStartPageToken and changes.list."""

from collections.abc import Mapping

from drive_simulator.api import errors
from drive_simulator.api.call import Call, Handler, answer, json_response
from drive_simulator.api.fields import Mask
from drive_simulator.api.listing import page_length
from drive_simulator.api.methods.files import render_json
from drive_simulator.api.resources import drive_resource
from drive_simulator.api.visible_changes import ChangesRequest, ServedChange, read_changes, start_page_token
from drive_simulator.api.wire import Response
from drive_simulator.model.clock import rfc3339
from drive_simulator.model.items import SharedDrive


def get_start_page_token(call: Call) -> Response:
    """changes.getStartPageToken."""
    token = start_page_token(call.user, drive_of_log(call))
    return answer(call, "StartPageToken", {"kind": "drive#startPageToken", "startPageToken": token})


def list_changes(call: Call) -> Response:
    """changes.list."""
    drive = drive_of_list(call)
    mask = _list_mask(call, drive)
    size = call.number("pageSize", 100)
    # `changes/file/parents` falls under the same cap as in a listing.
    size = page_length(
        call.services.rules,
        size,
        parents=mask.includes("changes/file/parents"),
        permissions=mask.includes("changes/file/permissions"),
    )
    request = ChangesRequest(
        drive,
        include_all=call.include_all,
        include_removed=call.flag("includeRemoved"),
        include_corpus_removals=call.flag("includeCorpusRemovals"),
        restrict_to_my_drive=call.flag("restrictToMyDrive"),
        page_size=size,
    )
    page = read_changes(call.world, call.user, request, call.text("pageToken") or "")
    body: dict[str, object] = {"kind": "drive#changeList"}
    if page.next_token is not None:
        body["nextPageToken"] = page.next_token
    if page.new_start_token is not None:
        body["newStartPageToken"] = page.new_start_token
    kept = {name: value for name, value in body.items() if mask.includes(name)}
    if mask.includes("changes"):
        inner = mask.inner("changes")
        kept["changes"] = [_render(call, change, inner) for change in page.changes]
    return json_response(call, kept)


def _list_mask(call: Call, drive: SharedDrive | None) -> Mask:
    """The mask of the list. Where it is bad, what is wrong with the page token comes first, as in files.list."""
    try:
        return call.mask("ChangeList")
    except errors.ApiError:
        read_changes(call.world, call.user, ChangesRequest(drive, page_size=1), call.text("pageToken") or "")
        raise


def drive_of_list(call: Call) -> SharedDrive | None:
    """`drive_of_log` for methods that also take includeItemsFromAllDrives. Raises ApiError where they don't fit."""
    drive = drive_of_log(call)
    if call.lacks_all_drives_support:
        raise errors.include_items_not_supported()
    if drive is not None and not call.include_all:
        raise errors.include_items_required()
    return drive


def drive_of_log(call: Call) -> SharedDrive | None:
    """The shared drive whose log is meant, None for the user's. Raises ApiError 404 or 403."""
    if call.drive_id is None:
        return None
    if not call.supports_all_drives:
        raise errors.drive_not_found(call.drive_id)
    return call.drive(call.drive_id)


def _render(call: Call, change: ServedChange, mask: Mask) -> dict[str, object]:
    entry = change.entry
    kind = "drive" if entry.is_drive else "file"
    resource: dict[str, object] = {
        "kind": "drive#change",
        "changeType": kind,
        "type": "teamDrive" if entry.is_drive else "file",
        "time": rfc3339(entry.time_ms),
        "removed": change.removed,
        "driveId" if entry.is_drive else "fileId": entry.target_id,
    }
    if entry.is_drive:
        resource["teamDriveId"] = entry.target_id
    if change.drive is not None:
        resource["drive"] = drive_resource(change.drive, call.user)
    cut = mask.apply(resource)
    if change.item is not None and mask.includes("file"):
        cut["file"] = render_json(call, change.item, mask.inner("file"))
    return cut


HANDLERS: Mapping[str, Handler] = {
    "changes.getStartPageToken": get_start_page_token,
    "changes.list": list_changes,
}
