"""One authorized call of a method, what methods work with beside it, and their answers."""

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from drive_simulator.api import discovery, errors
from drive_simulator.api.fields import Mask, compile_fields
from drive_simulator.api.listing import Lister, ListingRules
from drive_simulator.api.operations import Operations
from drive_simulator.api.uploads import UploadSessions
from drive_simulator.api.wire import Request, Response, json_object
from drive_simulator.model import access
from drive_simulator.model.items import RANK, Item, SharedDrive, User
from drive_simulator.model.world import World
from drive_simulator.push.channels import ChannelBook

DOWNLOAD_LINK_PATH = "/download/drive/v3/operations/"

# The links that answers hold are no methods of the document; each asks for the scopes of one.
LINK_EXPORT, LINK_OPERATION = "links.export", "links.operation"
LINK_SCOPES = {LINK_EXPORT: "files.export", LINK_OPERATION: "files.download"}


@dataclass(slots=True)
class Services:
    """What methods work with beside the call itself."""

    world: World
    rules: ListingRules
    lister: Lister
    uploads: UploadSessions
    operations: Operations
    channels: ChannelBook
    base_url: str = "http://127.0.0.1"
    drive_requests: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Call:
    """One authorized call of a method, its parameters typed."""

    services: Services
    method_id: str
    user: User
    path: dict[str, str]
    parameters: dict[str, discovery.ParameterValue]
    request: Request
    upload: bool = False

    @property
    def world(self) -> World:
        """The world it acts on."""
        return self.services.world

    def text(self, name: str) -> str | None:
        """A string parameter."""
        value = self.parameters.get(name)
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool:
        """A boolean parameter; one that is not given and has no default is false."""
        return self.parameters.get(name) is True

    def number(self, name: str, default: int) -> int:
        """An integer parameter."""
        value = self.parameters.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def says_true(self, *names: str) -> bool:
        """Whether one of the flags is given as the word `true`: some checks of Google's overlook `t`, `yes` and `1`."""
        return any(
            self.flag(name) and next(text for given, text in self.request.query if given == name).lower() == "true"
            for name in names
        )

    @property
    def lacks_all_drives_support(self) -> bool:
        """Whether items of shared drives are asked for by a call that does not say that it supports shared drives."""
        return self.says_true("includeItemsFromAllDrives", "includeTeamDriveItems") and not self.says_true(
            "supportsAllDrives", "supportsTeamDrives"
        )

    @property
    def supports_all_drives(self) -> bool:
        """supportsAllDrives, or its former name."""
        return self.flag("supportsAllDrives") or self.flag("supportsTeamDrives")

    @property
    def include_all(self) -> bool:
        """includeItemsFromAllDrives, or its former name."""
        return self.flag("includeItemsFromAllDrives") or self.flag("includeTeamDriveItems")

    @property
    def drive_id(self) -> str | None:
        """driveId, or its former name."""
        return self.text("driveId") or self.text("teamDriveId")

    def body(self) -> dict[str, object]:
        """The JSON object of the request's body, empty where there is none. Raises ApiError 400 `parseError`."""
        return json_object(self.request.body)

    def mask(self, schema: str) -> Mask:
        """The `fields` mask for answers of that schema."""
        return compile_fields(self.text("fields"), schema)

    def item(self, file_id: str, role: str = "reader") -> Item:
        """The item, if the user's standing on it allows at least that role. Raises ApiError 404 or 403.

        Shared-drive items are not found without supportsAllDrives, by methods that have the parameter; bytes are
        (`alt=media`: rclone asks for them without it).
        """
        item = self.user.root if file_id == "root" else self.world.items.get(file_id)
        standing = 0 if item is None else access.rank(self.user, item)
        if item is None or standing == 0 or not self._has_key(item):
            raise errors.not_found(file_id)
        asks = "supportsAllDrives" in discovery.method_parameters(self.method_id)
        if item.drive is not None and asks and not self.supports_all_drives and self.text("alt") != "media":
            raise errors.not_found(file_id)
        if standing < RANK[role]:
            raise errors.insufficient_file_permissions()
        return item

    def _has_key(self, item: Item) -> bool:
        """Whether the call may reach the item: one with a resource key that is open by a link alone asks for the key.

        It comes in the header X-Goog-Drive-Resource-Keys as `id/key,id/key`. Source: guide "Resource keys".
        """
        key = item.rare("resource_key")
        if key is None or access.sees(self.user, item):
            return True
        given = (self.request.headers.get("X-Goog-Drive-Resource-Keys") or "").split(",")
        return f"{item.id}/{key}" in (each.strip() for each in given)

    def drive(self, drive_id: str, role: str = "reader") -> SharedDrive:
        """The shared drive, if the user is a member with at least that role. Raises ApiError 404 or 403."""
        drive = self.world.drives.get(drive_id)
        grant = None if drive is None else drive.members.get(self.user)
        if drive is None or grant is None:
            raise errors.drive_not_found(drive_id)
        if RANK[grant.role] < RANK[role]:
            raise errors.insufficient_file_permissions()
        return drive


Handler = Callable[[Call], Response]


def answer(call: Call, schema: str, resource: dict[str, object], *, status: int = 200) -> Response:
    """The resource, cut by the call's `fields`."""
    return json_response(call, call.mask(schema).apply(resource), status=status)


def json_response(call: Call, value: dict[str, object], *, status: int = 200) -> Response:
    """The value as it is. Indented only where `prettyPrint=true` was written out: Google's default would cost much."""
    option = orjson.OPT_INDENT_2 if ("prettyPrint", "true") in call.request.query else 0
    return Response(status, orjson.dumps(value, option=option))
