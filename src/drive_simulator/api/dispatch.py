"""The Drive API without its transport: a request in, an answer out. Authorization, parameters, masks and errors.

One call goes through: route → who calls → parameters → scope → (quota and faults, by the caller) → method → mask.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol
from urllib.parse import unquote

from drive_simulator.api import discovery, errors
from drive_simulator.api.call import (
    DOWNLOAD_LINK_PATH,
    LINK_EXPORT,
    LINK_OPERATION,
    LINK_SCOPES,
    Call,
    Handler,
    Services,
)
from drive_simulator.api.errors import ApiError
from drive_simulator.api.exports import LINK_PATH
from drive_simulator.api.fields import compile_fields
from drive_simulator.api.wire import Request, Response
from drive_simulator.model.sharing import end_expired

BASE_PATH = "/drive/v3/"
UPLOAD_PATHS = ("/upload/drive/v3/", "/resumable/upload/drive/v3/")
# Where a batch sends its parts that ask for bytes.
DOWNLOAD_PATH = "/download/drive/v3/files/"


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


def error_response(error: ApiError) -> Response:
    """The error as Google words it."""
    return Response(error.status, error.body(), error.content_type, headers=error.headers)


def find_route(http_method: str, path: str) -> Route:
    """The method behind a path; HEAD asks for what GET does. Raises ApiError 404."""
    http_method = "GET" if http_method == "HEAD" else http_method
    if http_method == "GET" and path == LINK_PATH:
        return Route(LINK_EXPORT, {})
    if http_method == "GET" and path.startswith(DOWNLOAD_LINK_PATH):
        return Route(LINK_OPERATION, {"name": unquote(path.removeprefix(DOWNLOAD_LINK_PATH))})
    if http_method == "GET" and path.startswith(DOWNLOAD_PATH):
        path = path.removeprefix("/download")
    upload = False
    for prefix in UPLOAD_PATHS:
        if path.startswith(prefix):
            path, upload = BASE_PATH + path.removeprefix(prefix), True
    # PUT carries the bytes of a resumable upload, whatever method began it; with rclone and Go's client POST does.
    wanted = (http_method, "PUT") if upload and http_method == "POST" else (http_method,)
    for pattern, method_id in (route for method in wanted for route in _routes().get(method, ())):
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
        # A bad mask is refused before anything is changed; reads say first what is not found.
        if isinstance(mask, str) and method is not None and method.response and method.http_method != "GET":
            compile_fields(mask, method.response)
        return handler(call)


def handlers_of(*tables: Mapping[str, Handler]) -> dict[str, Handler]:
    """The tables of all rooms in one."""
    together: dict[str, Handler] = {}
    for table in tables:
        together |= table
    return together
