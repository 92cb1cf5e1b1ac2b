"""Permissions as Drive shows them: one for each grantee, with what is direct and what is inherited in the details."""

from drive_simulator.access import inherited_grants
from drive_simulator.clock import rfc3339
from drive_simulator.items import RANK, Grant, Item

Resource = dict[str, object]
_Held = list[tuple[Grant, Item]]


def permission_resources(item: Item) -> list[Resource]:
    """Every permission in force on the item, the owner's first."""
    held: dict[str, _Held] = {}
    if item.drive is None:
        at: Item | None = item
        while at is not None:
            owner = at.owner
            if owner is not None:
                role = "owner" if at is item else "writer"
                implied = Grant(owner.permission_id, "user", role, owner, owner.email)  # type: ignore[arg-type]
                held.setdefault(implied.id, []).append((implied, at))
            at = at.parent
    for grant in item.grants or ():
        held.setdefault(grant.id, []).append((grant, item))
    for grant, folder in inherited_grants(item):
        held.setdefault(grant.id, []).append((grant, folder))
    return [_resource(item, grants) for grants in held.values()]


def permission_ids(item: Item) -> list[str]:
    """The ids of `permission_resources`, in the same order, for much less."""
    owners: dict[str, None] = {}
    others: dict[str, None] = {}
    at: Item | None = item
    while at is not None:
        if at.owner is not None and item.drive is None:
            owners[at.owner.permission_id] = None
        if at.grants:
            others.update((grant.id, None) for grant in at.grants)
        at = at.parent
    return list(owners | others) if others else list(owners)


def permission_resource(item: Item, permission_id: str) -> Resource | None:
    """The permission of that id, `None` where the item has none."""
    return next((each for each in permission_resources(item) if each["id"] == permission_id), None)


def _resource(item: Item, held: _Held) -> Resource:
    grant = max((each for each, _ in held), key=lambda each: RANK[each.role])
    resource: Resource = {"kind": "drive#permission", "id": grant.id, "type": grant.type, "role": grant.role}
    if grant.type in {"user", "group"}:
        resource["emailAddress"] = grant.email
        resource["displayName"] = grant.user.display_name if grant.user is not None else grant.email
        resource["deleted"] = False
        resource["pendingOwner"] = False
    elif grant.type == "domain":
        resource["domain"] = grant.domain
        resource["displayName"] = grant.domain
    if grant.user is not None:
        resource["photoLink"] = f"https://lh3.googleusercontent.com/a/{grant.id}=s64"
    if grant.type in {"anyone", "domain"}:
        resource["allowFileDiscovery"] = grant.allow_discovery
    if grant.expiration_ms is not None:
        resource["expirationTime"] = rfc3339(grant.expiration_ms)
    details = [_detail(item, each, source) for each, source in held if not _implied_repeat(item, each, source, held)]
    resource["permissionDetails"] = details
    if item.drive is not None:
        resource["teamDrivePermissionDetails"] = [
            {("teamDrivePermissionType" if key == "permissionType" else key): value for key, value in detail.items()}
            for detail in details
        ]
    return resource


def _implied_repeat(item: Item, grant: Grant, source: Item, held: _Held) -> bool:
    """An owner also owns the folders above, which adds nothing."""
    return source is not item and grant.granted_ms == 0 and held[0][1] is item and held[0][0].role == "owner"


def _detail(item: Item, grant: Grant, source: Item) -> Resource:
    from_membership = source.drive is not None and source.parent is None
    detail: Resource = {
        "permissionType": "member" if from_membership else "file",
        "role": grant.role,
        "inherited": source is not item,
    }
    if source is not item:
        detail["inheritedFrom"] = source.id
    return detail
