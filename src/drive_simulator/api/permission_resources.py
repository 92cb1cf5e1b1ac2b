"""Permissions as Drive shows them: one for each grantee, with what is direct and what is inherited in the details.

`inheritedFrom` is filled on shared-drive items only. Who sees of a folder with limited access no more than that it is
there has a permission of the view `metadata` on it. Source: the Permission schema of the discovery document.
"""

from drive_simulator.model.access import held, held_in_metadata_view
from drive_simulator.model.clock import rfc3339
from drive_simulator.model.items import RANK, Grant, Item

Resource = dict[str, object]
_Given = list[tuple[Grant, Item]]


def permission_resources(item: Item, *, published: bool = False) -> list[Resource]:
    """Every permission in force on the item, the owner's first; with `published` also those of the published view."""
    opened = held(item)
    found = [_resource(item, given) for given in opened.values()]
    found += [_resource(item, given, view="metadata") for given in held_in_metadata_view(item, opened).values()]
    if published:
        found += [_resource(item, [(grant, item)], view="published") for grant in item.published_grants]
    return found


def permission_ids(item: Item) -> list[str]:
    """The ids of `permission_resources`, in the same order, for much less."""
    owners: dict[str, None] = {}
    others: dict[str, None] = {}
    at: Item | None = item
    while at is not None:
        extras, grants = at.extras, at.grants
        if extras is not None:
            if "limited" in extras:
                opened = held(item)
                return [*opened, *held_in_metadata_view(item, opened)]
            if "passed_on" in extras and at is not item:
                grants = list(at.passed_on)
        if at.owner is not None and item.drive is None:
            owners[at.owner.permission_id] = None
        if grants:
            others.update((grant.id, None) for grant in grants)
        at = at.parent
    return list(owners | others) if others else list(owners)


def permission_resource(item: Item, permission_id: str) -> Resource | None:
    """The permission of that id, `None` where the item has none."""
    return next((each for each in permission_resources(item) if each["id"] == permission_id), None)


def _resource(item: Item, given: _Given, view: str | None = None) -> Resource:
    grant = max((each for each, _ in given), key=lambda each: (RANK[each.role], each.lasts_until_ms))
    role = "reader" if view is not None else grant.role
    resource: Resource = {"kind": "drive#permission", "id": grant.id, "type": grant.type, "role": role}
    if view is not None:
        resource["view"] = view
    resource |= _grantee(grant)
    if grant.expiration_ms is not None:
        resource["expirationTime"] = rfc3339(grant.expiration_ms)
    details = [_detail(item, each, source, view) for each, source in given]
    resource["permissionDetails"] = details
    if item.drive is not None:
        resource["teamDrivePermissionDetails"] = [
            {("teamDrivePermissionType" if key == "permissionType" else key): value for key, value in detail.items()}
            for detail in details
        ]
    return resource


def _grantee(grant: Grant) -> Resource:
    """Who it is given to. Of a deleted account neither address nor picture is left."""
    if grant.type == "domain":
        return {"domain": grant.domain, "displayName": grant.domain, "allowFileDiscovery": grant.allow_discovery}
    if grant.type == "anyone":
        return {"allowFileDiscovery": grant.allow_discovery}
    shown: Resource = {"displayName": grant.email or "", "deleted": grant.is_of_deleted, "pendingOwner": False}
    if grant.user is not None:
        shown["displayName"] = grant.user.display_name
    if grant.is_of_deleted:
        return shown
    if grant.user is not None:
        shown["photoLink"] = f"https://lh3.googleusercontent.com/a/{grant.id}=s64"
    elif grant.group is not None:
        shown["displayName"] = grant.group.display_name
    shown["emailAddress"] = grant.email
    return shown


def _detail(item: Item, grant: Grant, source: Item, view: str | None) -> Resource:
    from_membership = source.drive is not None and source.parent is None
    detail: Resource = {
        "permissionType": "member" if from_membership else "file",
        "role": "reader" if view is not None else grant.role,
        "inherited": source is not item,
    }
    if source is not item and item.drive is not None:
        detail["inheritedFrom"] = source.id
    return detail
