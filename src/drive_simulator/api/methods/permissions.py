"""permissions.*: who may do what with an item, or is a member of a shared drive."""

from collections.abc import Mapping
from typing import cast

from drive_simulator.api import errors
from drive_simulator.api.call import Call, Handler, answer
from drive_simulator.api.page_tokens import open_token, seal_token
from drive_simulator.api.permission_resources import permission_resource, permission_resources
from drive_simulator.api.wire import Response
from drive_simulator.model import sharing
from drive_simulator.model.access import rank
from drive_simulator.model.capabilities import may_share
from drive_simulator.model.clock import parse_rfc3339
from drive_simulator.model.items import RANK, Grant, GranteeType, Item, Role, User

_TYPES = ("user", "group", "domain", "anyone")
_MAX_SHARED_DRIVE_PAGE = 100
_YEAR_MS = 366 * 24 * 3600 * 1000


def list_permissions(call: Call) -> Response:
    """permissions.list. Without pageSize everything comes at once, on shared-drive items a hundred.

    The token is looked at before the file (measured).
    """
    binding = f"permissions:{call.user.email}:{call.path['fileId']}"
    start = _start(binding, call.text("pageToken"))
    _refuse_administration(call)
    item = _shareable(call)
    view = call.text("includePermissionsForView")
    if view not in {None, "published"}:
        raise errors.invalid_parameter("includePermissionsForView", "Only 'published' is supported.")
    everyone = permission_resources(item, published=view == "published")
    size = call.number("pageSize", len(everyone) if item.drive is None else _MAX_SHARED_DRIVE_PAGE)
    page: dict[str, object] = {"kind": "drive#permissionList", "permissions": everyone[start : start + size]}
    if start + size < len(everyone):
        page["nextPageToken"] = seal_token(binding, "", start + size, call.world.now_ms())
    return answer(call, "PermissionList", page)


def get(call: Call) -> Response:
    """permissions.get."""
    _refuse_administration(call)
    return _answer(call, _shareable(call), call.path["permissionId"])


def create(call: Call) -> Response:
    """permissions.create: share the item, or add a member to a drive."""
    _refuse_administration(call)
    item = call.item(call.path["fileId"])
    body = call.body()
    kind, role = _kind(body), _role(item, body)
    _may_share(call, item, role)
    email, domain = body.get("emailAddress"), body.get("domain")
    if kind in {"user", "group"} and not isinstance(email, str):
        raise errors.ApiError(400, "invalidSharingRequest", "The emailAddress is required for this permission type.")
    if kind == "domain" and not isinstance(domain, str):
        raise errors.ApiError(400, "invalidSharingRequest", "The domain is required for this permission type.")
    user = _account(call, str(email)) if kind == "user" else None
    if role == "owner":
        if user is None or not call.flag("transferOwnership"):
            raise errors.ApiError(403, "forbidden", "The transferOwnership parameter must be enabled.")
        sharing.transfer_ownership(call.world, item, user)
        return _answer(call, item, user.permission_id)
    if body.get("view") == "published" and user is not None:
        sharing.publish(call.world, item, call.user, user)
        return answer(call, "Permission", permission_resources(item, published=True)[-1])
    grant = sharing.add_grant(
        call.world,
        item,
        call.user,
        grant_type=kind,
        role=role,
        user=user,
        email=str(email).lower() if isinstance(email, str) else None,
        domain=domain if isinstance(domain, str) else None,
        allow_discovery=body.get("allowFileDiscovery") is True,
        expiration_ms=_expiration(call, body, kind),
        group=call.world.groups.get(str(email).lower()) if kind == "group" else None,
    )
    return _answer(call, item, grant.id)


def update(call: Call) -> Response:
    """permissions.update: another role."""
    _refuse_administration(call)
    item = call.item(call.path["fileId"])
    permission_id = call.path["permissionId"]
    body = call.body()
    role = _role(item, body)
    _may_share(call, item, role)
    if role == "owner":
        new_owner = next((user for user in call.world.users.values() if user.permission_id == permission_id), None)
        if new_owner is None or not call.flag("transferOwnership"):
            raise errors.ApiError(403, "forbidden", "The transferOwnership parameter must be enabled.")
        sharing.transfer_ownership(call.world, item, new_owner)
    else:
        grant = _own_grant(item, permission_id)
        expiration_ms = _expiration(call, body, grant.type) or grant.expiration_ms
        expiration_ms = None if call.flag("removeExpiration") else expiration_ms
        sharing.set_expiration(call.world, item, grant, expiration_ms)
        sharing.change_role(call.world, item, grant, role)
    return _answer(call, item, permission_id)


def delete(call: Call) -> Response:
    """permissions.delete; one may always give up one's own."""
    _refuse_administration(call)
    item = call.item(call.path["fileId"])
    grant = _own_grant(item, call.path["permissionId"])
    if grant.user is not call.user:
        _may_share(call, item, grant.role)
    sharing.remove_grant(call.world, item, grant)
    return Response(204)


def _start(binding: str, token: str | None) -> int:
    """Where a page starts. An empty token is an expired one here, as is one of another list; all measured."""
    if token is None:
        return 0
    if not token:
        raise errors.page_token_expired()
    return open_token(binding, token, foreign=errors.page_token_expired, altered=errors.UnexplainedError)[1]


def _refuse_administration(call: Call) -> None:
    """Raise ApiError 404 where a domain administrator's access is asked for: no account here has it."""
    if call.says_true("useDomainAdminAccess"):
        raise errors.not_found(call.path["fileId"])


def _shareable(call: Call) -> Item:
    """The item, whose permissions are for who may share it. Raises ApiError 404, or 403 `insufficientFilePermissions`.

    Source: `permissions` in the File schema of the discovery document ("if the requesting user can share the file").
    """
    item = call.item(call.path["fileId"])
    if not may_share(item, rank(call.user, item)):
        raise errors.insufficient_file_permissions()
    return item


def _account(call: Call, email: str) -> User | None:
    email = email.lower()
    return call.world.users.get(email) or call.world.robots.get(email)


def _answer(call: Call, item: Item, permission_id: str) -> Response:
    resource = permission_resource(item, permission_id)
    if resource is None:
        raise errors.resource_not_found("Permission", permission_id, "permissionId")
    return answer(call, "Permission", resource)


def _own_grant(item: Item, permission_id: str) -> Grant:
    grant = sharing.grant_of(item, permission_id)
    if grant is not None:
        return grant
    if permission_resource(item, permission_id) is None:
        raise errors.resource_not_found("Permission", permission_id, "permissionId")
    message = "Cannot change or delete an inherited permission."
    raise errors.ApiError(403, "cannotModifyInheritedPermission", message)


def _may_share(call: Call, item: Item, role: str) -> None:
    standing = rank(call.user, item)
    is_drive = item.is_root and item.drive is not None
    needed = "organizer" if is_drive else "owner" if role == "owner" else "writer"
    if standing < RANK[needed] or not may_share(item, standing) or (item.is_root and item.drive is None):
        raise errors.insufficient_file_permissions()


def _kind(body: Mapping[str, object]) -> GranteeType:
    kind = body.get("type")
    if kind not in _TYPES:
        raise errors.bad_request("The permission type field is required.")
    return cast(GranteeType, kind)


def _role(item: Item, body: Mapping[str, object]) -> Role:
    role = body.get("role")
    if not isinstance(role, str) or role not in RANK:
        raise errors.bad_request("The permission role field is required.")
    drive_roles = {"organizer", "fileOrganizer"}
    if (role in drive_roles and item.drive is None) or (role == "owner" and item.drive is not None):
        raise errors.ApiError(403, "invalidSharingRequest", f"The role {role} can't be given on this item.")
    return cast(Role, role)


def _expiration(call: Call, body: Mapping[str, object], kind: GranteeType) -> int | None:
    """When the permission is to end: in the future, within a year, for users and groups alone."""
    value = body.get("expirationTime")
    if value is None:
        return None
    try:
        at = parse_rfc3339(str(value))
    except ValueError:
        raise errors.bad_request("Invalid value at 'expirationTime'.") from None
    if kind not in {"user", "group"}:
        message = "Expiration times can be set on user and group permissions only."
        raise errors.ApiError(403, "cannotSetExpirationOnAnyoneOrDomain", message)
    if not 0 < at - call.world.now_ms() <= _YEAR_MS:
        message = "Expiration times must be in the future, and within a year."
        raise errors.ApiError(403, "expirationDatesMustBeInTheFuture", message)
    return at


HANDLERS: Mapping[str, Handler] = {
    "permissions.create": create,
    "permissions.delete": delete,
    "permissions.get": get,
    "permissions.list": list_permissions,
    "permissions.update": update,
}
