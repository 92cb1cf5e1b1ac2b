"""about.get: whose Drive this is and what it can do."""

from collections.abc import Mapping

from drive_simulator.api.call import Call, Handler, answer
from drive_simulator.api.exports import EXPORT_FORMATS
from drive_simulator.api.resources import user_resource
from drive_simulator.api.wire import Response

_LIMIT_BYTES = 2 * 1024**4


def get(call: Call) -> Response:
    """about.get."""
    user = call.user
    resource: dict[str, object] = {
        "kind": "drive#about",
        "user": user_resource(user, user),
        "appInstalled": True,
        "canCreateDrives": True,
        "canCreateTeamDrives": True,
        "maxUploadSize": str(5 * 1024**4),
        "exportFormats": {name: list(formats) for name, formats in EXPORT_FORMATS.items()},
        "importFormats": {},
        "maxImportSizes": {},
        "folderColorPalette": ["#ac725e", "#d06b64", "#8f8f8f"],
        "driveThemes": [],
        "teamDriveThemes": [],
    }
    if call.mask("About").includes("storageQuota"):
        resource["storageQuota"] = _storage(call)
    return answer(call, "About", resource)


def _storage(call: Call) -> dict[str, object]:
    used = trashed = 0
    for item in call.user.index:
        if item.owner is call.user and item.drive is None and item.size > 0:
            used += item.size
            trashed += item.size if item.trashed else 0
    return {
        "limit": str(_LIMIT_BYTES),
        "usage": str(used),
        "usageInDrive": str(used),
        "usageInDriveTrash": str(trashed),
    }


HANDLERS: Mapping[str, Handler] = {"about.get": get}
