"""drives.*: shared drives as their members see and change them."""

import re
from collections.abc import Callable, Mapping

from drive_simulator.api import errors
from drive_simulator.api.call import Call, Handler, answer
from drive_simulator.api.page_tokens import open_token, seal_token
from drive_simulator.api.resources import drive_resource
from drive_simulator.api.wire import Response
from drive_simulator.model.items import SharedDrive
from drive_simulator.model.shared_drives import create_drive, delete_drive, rename_drive

_MAX_NAME = 1_000
_QUERY = re.compile(
    r"""hidden\s*=\s*(?P<hidden>(?i:true|false))|name(?P<operator>\s*=\s*|\s+contains\s+)(?P<quote>['"])(?P<value>.*)(?P=quote)""",
    re.DOTALL,
)
_RESTRICTIONS = (
    "adminManagedRestrictions",
    "copyRequiresWriterPermission",
    "domainUsersOnly",
    "driveMembersOnly",
    "sharingFoldersRequiresOrganizerPermission",
)


def list_drives(call: Call) -> Response:
    """drives.list: the drives that the user is a member of, by id. No account is a domain administrator."""
    token = call.text("pageToken")
    binding = f"drives:{call.user.email}:{call.text('q')}"
    after = open_token(binding, token)[0] if token else ""
    _refuse_administration(call)
    matches = _matcher(call)
    mine = sorted((d for d in call.world.drives.values() if call.user in d.members), key=lambda drive: drive.id)
    rest = [drive for drive in mine if drive.id > after and matches(drive)]
    size = call.number("pageSize", 10)
    page: dict[str, object] = {
        "kind": "drive#driveList",
        "drives": [drive_resource(drive, call.user) for drive in rest[:size]],
    }
    if len(rest) > size:
        page["nextPageToken"] = seal_token(binding, rest[size - 1].id, 0, call.world.now_ms())
    return answer(call, "DriveList", page)


def get(call: Call) -> Response:
    """drives.get."""
    _refuse_administration(call)
    return answer(call, "Drive", drive_resource(call.drive(call.path["driveId"]), call.user))


def create(call: Call) -> Response:
    """drives.create; the same requestId again makes no second drive."""
    name = _name(call.body())
    if name is None:
        raise errors.bad_request("The name of the shared drive is required.")
    request_id = f"{call.user.email}:{call.text('requestId')}"
    if request_id in call.services.drive_requests:
        raise errors.ApiError(409, "alreadyExists", "A shared drive already exists with the specified request ID.")
    drive = create_drive(call.world, call.user, name)
    call.services.drive_requests.add(request_id)
    return answer(call, "Drive", drive_resource(drive, call.user))


def update(call: Call) -> Response:
    """drives.update: name, colour, theme and restrictions."""
    _refuse_administration(call)
    drive = call.drive(call.path["driveId"], "organizer")
    body = call.body()
    colour, theme, restrictions = body.get("colorRgb"), body.get("themeId"), body.get("restrictions")
    if isinstance(colour, str):
        drive.color_rgb = colour
    if isinstance(theme, str):
        drive.theme_id = theme
    if isinstance(restrictions, dict):
        drive.restrictions |= {name: restrictions[name] is True for name in _RESTRICTIONS if name in restrictions}
    rename_drive(call.world, drive, _name(body) or drive.name)
    return answer(call, "Drive", drive_resource(drive, call.user))


def delete(call: Call) -> Response:
    """drives.delete: an empty drive, or any where allowItemDeletion is set."""
    _refuse_administration(call)
    drive = call.drive(call.path["driveId"], "organizer")
    if len(drive.index) and not call.flag("allowItemDeletion"):
        raise errors.ApiError(403, "cannotDeleteResourceWithChildren", "A shared drive with items can't be deleted.")
    delete_drive(call.world, drive)
    return Response(204)


def hide(call: Call) -> Response:
    """drives.hide: out of the user's default view."""
    drive = call.drive(call.path["driveId"])
    call.user.hidden_drives.add(drive.id)
    return answer(call, "Drive", drive_resource(drive, call.user))


def unhide(call: Call) -> Response:
    """drives.unhide."""
    drive = call.drive(call.path["driveId"])
    call.user.hidden_drives.discard(drive.id)
    return answer(call, "Drive", drive_resource(drive, call.user))


def _name(body: Mapping[str, object]) -> str | None:
    name = body.get("name")
    if name is None:
        return None
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME:
        raise errors.bad_request("Invalid name.")
    return name


def _refuse_administration(call: Call) -> None:
    """Raise ApiError 403 where a domain administrator's access is asked for: no account here has it. Measured of
    drives.list, assumed of the others."""
    if call.says_true("useDomainAdminAccess"):
        raise errors.administrator_required()


def _matcher(call: Call) -> Callable[[SharedDrive], bool]:
    """A small part of the drive query language: `name contains 'x'`, `name = 'x'` and `hidden = false`."""
    q = call.text("q")
    if not q:
        return lambda _drive: True
    found = _QUERY.fullmatch(q.strip())
    if found is None:
        raise errors.invalid("q")
    if found["hidden"] is not None:
        wanted = found["hidden"].lower() == "true"
        return lambda drive: (drive.id in call.user.hidden_drives) is wanted
    value, whole = found["value"].casefold(), found["operator"] != "contains"
    return lambda drive: value == drive.name.casefold() if whole else value in drive.name.casefold()


HANDLERS: Mapping[str, Handler] = {
    "drives.create": create,
    "drives.delete": delete,
    "drives.get": get,
    "drives.hide": hide,
    "drives.list": list_drives,
    "drives.unhide": unhide,
    "drives.update": update,
}
