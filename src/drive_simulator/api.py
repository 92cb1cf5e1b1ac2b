"""The Drive API without its transport: a request in, an answer out. Authorization, parameters, masks and errors.

One call goes through: route → who calls → parameters → scope → (quota and faults, by the caller) → method → mask.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol, cast
from urllib.parse import unquote

import orjson

from drive_simulator import access, discovery, errors
from drive_simulator.channels import ChannelBook
from drive_simulator.errors import ApiError
from drive_simulator.exports import LINK_PATH
from drive_simulator.fields import Mask, compile_fields
from drive_simulator.items import RANK, Item, SharedDrive, User
from drive_simulator.listing import Lister, ListingRules
from drive_simulator.operations import Operations
from drive_simulator.sharing import end_expired
from drive_simulator.uploads import UploadSessions
from drive_simulator.wire import Request, Response
from drive_simulator.world import World

BASE_PATH = "/drive/v3/"
UPLOAD_PATHS = ("/upload/drive/v3/", "/resumable/upload/drive/v3/")
DOWNLOAD_LINK_PATH = "/download/drive/v3/operations/"

# The links that answers hold are no methods of the document; each asks for the scopes of one.
LINK_EXPORT, LINK_OPERATION = "links.export", "links.operation"
LINK_SCOPES = {LINK_EXPORT: "files.export", LINK_OPERATION: "files.download"}


@dataclass(frozen=True, slots=True)
class Route:
    """A method of the API and the values in its path. `upload`: it came by the upload path."""

    method_id: str
    path_parameters: dict[str, str]
    upload: bool = False


class Authenticator(Protocol):
    """Says who sent the headers, or raises ApiError 401."""

    def __call__(self, headers: Mapping[str, str], access_token: str | None, method_id: str, /, *, media: bool) -> str:
        """The caller's address, once the scopes allow the method."""
        ...


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

        Shared-drive items are not found without supportsAllDrives, by methods that have the parameter.
        """
        item = self.user.root if file_id == "root" else self.world.items.get(file_id)
        standing = 0 if item is None else access.rank(self.user, item)
        if item is None or standing == 0 or not self._has_key(item):
            raise errors.not_found(file_id)
        asks = "supportsAllDrives" in discovery.method_parameters(self.method_id)
        if item.drive is not None and asks and not self.supports_all_drives:
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


def json_object(body: bytes) -> dict[str, object]:
    """A body's JSON object, empty where there is none. Raises ApiError 400 `parseError`."""
    if not body.strip():
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise errors.parse_error() from None
    if not isinstance(value, dict):
        raise errors.parse_error()
    return cast(dict[str, object], value)


def answer(call: Call, schema: str, resource: dict[str, object], *, status: int = 200) -> Response:
    """The resource, cut by the call's `fields`."""
    return json_response(call, call.mask(schema).apply(resource), status=status)


def json_response(call: Call, value: dict[str, object], *, status: int = 200) -> Response:
    """The value as it is. Indented only where `prettyPrint=true` was written out: Google's default would cost much."""
    option = orjson.OPT_INDENT_2 if ("prettyPrint", "true") in call.request.query else 0
    return Response(status, orjson.dumps(value, option=option))


def error_response(error: ApiError) -> Response:
    """The error as Google words it."""
    return Response(error.status, error.body(), headers=error.headers)


def find_route(http_method: str, path: str) -> Route:
    """The method behind a path. Raises ApiError 404."""
    if http_method == "GET" and path == LINK_PATH:
        return Route(LINK_EXPORT, {})
    if http_method == "GET" and path.startswith(DOWNLOAD_LINK_PATH):
        return Route(LINK_OPERATION, {"name": unquote(path.removeprefix(DOWNLOAD_LINK_PATH))})
    upload = False
    for prefix in UPLOAD_PATHS:
        if path.startswith(prefix):
            path, upload = BASE_PATH + path.removeprefix(prefix), True
    # PUT carries the bytes of a resumable upload, whatever method began it.
    wanted = "PUT" if upload and http_method == "PUT" else http_method
    for pattern, method_id in _routes().get(wanted, ()):
        found = pattern.fullmatch(path)
        if found is not None and (not upload or discovery.methods()[method_id].media_upload):
            return Route(method_id, {name: unquote(value) for name, value in found.groupdict().items()}, upload)
    raise errors.method_not_found()


@cache
def _routes() -> dict[str, list[tuple[re.Pattern[str], str]]]:
    """Patterns by HTTP method; fixed paths before those with values in them."""
    routes: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    for method_id, method in sorted(discovery.methods().items(), key=lambda each: each[1].path.count("{")):
        text = re.escape(BASE_PATH + method.path).replace(r"\{", "{").replace(r"\}", "}")
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/:]+)", text))
        routes.setdefault(method.http_method, []).append((pattern, method_id))
        if method.media_upload:
            routes.setdefault("PUT", []).append((pattern, method_id))
    return routes


class DriveApi:
    """All methods over one world."""

    def __init__(self, services: Services, handlers: Mapping[str, Handler], authenticate: Authenticator) -> None:
        self.services = services
        self._handlers = handlers
        self._authenticate = authenticate

    def authorize(self, request: Request, route: Route) -> Call:
        """Who calls what, with which parameters. Raises ApiError."""
        query = dict(request.query)
        media = query.get("alt") == "media"
        email = self._authenticate(request.headers, query.get("access_token"), route.method_id, media=media)
        is_link = route.method_id in LINK_SCOPES
        parameters = {} if is_link else discovery.parse_parameters(route.method_id, request.query)
        # What has expired is gone before anybody looks.
        end_expired(self.services.world)
        user = self.services.world.user(email)
        return Call(self.services, route.method_id, user, route.path_parameters, parameters, request, route.upload)

    def execute(self, call: Call) -> Response:
        """Run the method. Raises ApiError."""
        handler = self._handlers.get(call.method_id)
        if handler is None:
            message = f"The simulator does not have drive.{call.method_id} yet."
            raise ApiError(501, "notImplemented", message)
        mask = call.parameters.get("fields")
        method = discovery.methods().get(call.method_id)
        if isinstance(mask, str) and method is not None and (schema := method.response) is not None:
            compile_fields(mask, schema)  # A bad mask is refused before anything happens.
        return handler(call)


def handlers_of(*tables: Mapping[str, Handler]) -> dict[str, Handler]:
    """The tables of all rooms in one."""
    together: dict[str, Handler] = {}
    for table in tables:
        together |= table
    return together
