"""files.list, get, create, update, copy, delete, emptyTrash and generateIds."""

from collections.abc import Mapping
from functools import partial

import orjson

from drive_simulator.api import errors
from drive_simulator.api.call import Call, Handler, json_response
from drive_simulator.api.fields import Mask
from drive_simulator.api.file_body import FileBody, read_file_body
from drive_simulator.api.label_resources import label_resources
from drive_simulator.api.listing import Listing, page_length
from drive_simulator.api.media import download
from drive_simulator.api.order_by import Order, check_sortable, parse_order_by
from drive_simulator.api.query import has_full_text, parse_query
from drive_simulator.api.resources import Resource, file_resource
from drive_simulator.api.uploads import Upload
from drive_simulator.api.wire import Response
from drive_simulator.model import item_changes, sharing
from drive_simulator.model.access import rank
from drive_simulator.model.capabilities import may_download, may_limit
from drive_simulator.model.items import FOLDER, RANK, SHORTCUT, Item, User

_BLOB = "application/octet-stream"
_MAX_PARENTS = 1
# Above that many items rendered JSON is not kept: it would take gigabytes.
_MAX_KEPT = 100_000


def render(item: Item, viewer: User, mask: Mask) -> Resource:
    """The item as the viewer sees it, cut by a mask of the File schema."""
    resource = file_resource(item, viewer, mask.names)
    return resource if mask.is_flat else mask.apply(resource)


def render_json(call: Call, item: Item, mask: Mask) -> orjson.Fragment:
    """`render` as JSON, kept on the item until something about it, or about anybody's access, changes."""
    world = call.world
    shown = call.text("includeLabels")
    key = (mask, call.user, item.version, world.epoch, shown)
    if item.rendered is not None and item.rendered[0] == key:
        return orjson.Fragment(item.rendered[1])
    text = orjson.dumps(_render_with_labels(call, item, mask, shown))
    if len(world.items) <= _MAX_KEPT:
        item.rendered = (key, text)
    return orjson.Fragment(text)


def _render_with_labels(call: Call, item: Item, mask: Mask, shown: str | None) -> Resource:
    """`render` with those of the item's labels that `includeLabels` names; without it there are none."""
    resource = render(item, call.user, mask)
    if shown and mask.includes("labelInfo"):
        labels = label_resources(call.world, item, shown.split(","))
        resource = {**resource, **mask.apply({"labelInfo": {"labels": labels}})}
    return resource


def answer_file(call: Call, item: Item) -> Response:
    """The item, cut by the call's `fields`."""
    resource = _render_with_labels(call, item, call.mask("File"), call.text("includeLabels"))
    return json_response(call, resource)


def list_files(call: Call) -> Response:
    """files.list. What is wrong is told in Google's order: orderBy, shared drives, q, pageToken, fields."""
    orders = parse_order_by(call.text("orderBy"))
    corpora, drive_id = _corpora(call)
    if orders and "fullText" in (call.text("q") or "") and has_full_text(parse_query(call.text("q") or "")):
        raise errors.sorting_of_full_text()
    mask = _list_mask(call, corpora, drive_id, orders)
    rules = call.services.rules
    size = page_length(
        rules,
        call.number("pageSize", 100),
        parents=mask.includes("files/parents"),
        permissions=mask.includes("files/permissions"),
    )
    listing = _listing(call, corpora, drive_id, size)
    page = call.services.lister.page(call.user, listing, call.text("pageToken") or None)
    body: dict[str, object] = {"kind": "drive#fileList", "incompleteSearch": page.incomplete}
    if page.next_token is not None:
        body["nextPageToken"] = page.next_token
    kept = {name: value for name, value in body.items() if mask.includes(name)}
    if mask.includes("files"):
        inner = mask.inner("files")
        kept["files"] = [render_json(call, item, inner) for item in page.items]
    return json_response(call, kept)


def _listing(call: Call, corpora: str, drive_id: str | None, size: int) -> Listing:
    return Listing(
        corpora,
        drive_id,
        call.include_all,
        call.text("q"),
        call.text("orderBy"),
        call.text("spaces") or "drive",
        size,
    )


def _list_mask(call: Call, corpora: str, drive_id: str | None, orders: tuple[Order, ...]) -> Mask:
    """The mask of the list. What is wrong with it, or with the index that the order needs, is told after what is wrong
    with the query and the page token."""
    try:
        check_sortable(orders)
        return call.mask("FileList")
    except errors.ApiError:
        call.services.lister.check(call.user, _listing(call, corpora, drive_id, 1), call.text("pageToken") or None)
        raise


def _corpora(call: Call) -> tuple[str, str | None]:
    """Which corpora, and which drive. Raises the errors that Google has for combinations that don't fit."""
    legacy = {"domain": "domain", "user": "user"}.get(call.text("corpus") or "")
    drive_id = call.drive_id
    corpora = call.text("corpora") or legacy or "user"
    if call.lacks_all_drives_support:
        raise errors.include_items_not_supported()
    if (drive_id is not None or corpora in {"drive", "allDrives"}) and not call.include_all:
        raise errors.include_items_required()
    if (drive_id is not None) != (corpora == "drive"):
        raise errors.drive_id_and_corpora()
    if drive_id is not None:
        call.drive(drive_id)
    return corpora, drive_id


def get(call: Call) -> Response:
    """files.get: the metadata, or with alt=media the bytes."""
    if call.says_true("acknowledgeAbuse") and call.text("alt") != "media":
        raise errors.abuse_acknowledgment_without_download()
    item = call.item(call.path["fileId"])
    if call.text("alt") == "media":
        acknowledged = call.flag("acknowledgeAbuse")
        bytes_of_it = download(item, item, call.user, call.request.headers, acknowledge_abuse=acknowledged)
        item_changes.view(call.world, item, call.user)
        return bytes_of_it
    return answer_file(call, item)


def create(call: Call) -> Response:
    """files.create, with or without media."""
    if call.upload:
        return call.services.uploads.receive(call.request, call.services.base_url, partial(_create, call))
    return _create(call, Upload(call.body(), None, None))


def _create(call: Call, upload: Upload) -> Response:
    body = read_file_body(call.user, upload.metadata)
    parent = _parent(call, body)
    mime_type = body.mime_type or upload.mime_type or _BLOB
    if mime_type == SHORTCUT:
        target = call.world.items.get(body.target_id or "")
        if target is None:
            raise errors.bad_request("The shortcut target is missing or invalid.")
        body.extras["target_id"] = target.id
        body.extras["target_mime_type"] = target.mime_type
        body.extras["target_resource_key"] = target.rare("resource_key")
    if body.id is not None and body.id in call.world.items:
        raise errors.ApiError(409, "fileIdInUse", "A file already exists with the provided ID.")
    if len(list(parent.chain())) >= item_changes.MAX_DEPTH:
        raise errors.ApiError(403, "myDriveHierarchyDepthLimitExceeded", "The hierarchy is too deep.")
    item = item_changes.create(
        call.world,
        call.user,
        body.name or "Untitled",
        mime_type,
        parent,
        item_id=body.id,
        content=upload.content if upload.content is not None or mime_type == FOLDER else b"",
        created_ms=body.created_ms,
        modified_ms=body.modified_ms,
        extras=body.extras,
    )
    if body.starred:
        item_changes.set_star(call.world, item, call.user, starred=True)
    return answer_file(call, item)


def _parent(call: Call, body: FileBody) -> Item:
    if not body.parents:
        return call.user.root
    if len(body.parents) > _MAX_PARENTS:
        raise errors.ApiError(403, "multipleParentsInsertNotAllowed", "A file can't be created with several parents.")
    return _writable_folder(call, body.parents[0])


def _writable_folder(call: Call, folder_id: str) -> Item:
    folder = call.item(folder_id)
    if not folder.is_folder:
        raise errors.ApiError(403, "parentNotAFolder", "The specified parent is not a folder.")
    if rank(call.user, folder) < RANK["writer"]:
        raise errors.insufficient_parent_permissions()
    return folder


def update(call: Call) -> Response:
    """files.update: metadata, parents and, by the upload path, new content."""
    if call.upload:
        if call.request.http_method == "POST" and "upload_id" not in dict(call.request.query):
            raise errors.method_not_found()
        call.item(call.path["fileId"], "writer")
        return call.services.uploads.receive(call.request, call.services.base_url, partial(_update, call))
    return _update(call, Upload(call.body(), None, None))


def _update(call: Call, upload: Upload) -> Response:
    item = call.item(call.path["fileId"])
    body = read_file_body(call.user, upload.metadata, existing=item)
    _check_update(call, item, body, upload)
    new_parent = _move_target(call, item)
    if new_parent is not None:
        item_changes.move(call.world, item, call.user, new_parent)
    if upload.content is not None:
        keep = call.flag("keepRevisionForever")
        item_changes.replace_content(call.world, item, call.user, content=upload.content, keep=keep)
    if body.mime_type is not None and not item.is_workspace:
        item.mime_type = body.mime_type
    if body.changes_metadata:
        item_changes.edit(call.world, item, call.user, name=body.name, extras=body.extras)
    if body.modified_ms is not None:
        item_changes.touch(call.world, item, call.user, modified_ms=body.modified_ms)
    if body.viewed_ms is not None:
        item_changes.mark_viewed(call.world, item, call.user, body.viewed_ms)
    if body.limited is not None:
        sharing.set_limited(call.world, item, limited=body.limited)
    if body.trashed is not None:
        item_changes.set_trashed(call.world, item, call.user, trashed=body.trashed)
    if body.starred is not None:
        item_changes.set_star(call.world, item, call.user, starred=body.starred)
    return answer_file(call, item)


def _check_update(call: Call, item: Item, body: FileBody, upload: Upload) -> None:
    standing = rank(call.user, item)
    edits = body.changes_metadata or body.modified_ms is not None or upload.content is not None
    if edits and standing < RANK["writer"]:
        raise errors.insufficient_file_permissions()
    if item.is_root and (body.name is not None or body.trashed is not None):
        raise errors.insufficient_file_permissions()
    if body.limited is not None and body.limited != item.is_limited:
        _check_limiting(item, standing)
    if body.trashed is not None and standing < RANK["owner" if item.drive is None else "fileOrganizer"]:
        raise errors.insufficient_file_permissions()


def _check_limiting(item: Item, standing: int) -> None:
    """Folders alone, by their owner or an organizer; in My Drive by writers too where they may share."""
    if not item.is_folder or item.is_root:
        raise errors.bad_request("Inherited permissions can be disabled on folders only.")
    if not may_limit(item, standing):
        raise errors.insufficient_file_permissions()


def _move_target(call: Call, item: Item) -> Item | None:
    """The folder that addParents and removeParents lead to; None where the item stays. A file has one parent."""
    add = [each for each in (call.text("addParents") or "").split(",") if each]
    if not add:
        if call.text("removeParents") and item.parent is not None:
            return _orphanage(call, item)
        return None
    if len(add) > _MAX_PARENTS:
        raise errors.ApiError(403, "cannotAddParent", "A file can't have several parents.")
    target = _writable_folder(call, add[0])
    if target is item.parent:
        return None
    needed = "writer" if target.drive is item.drive else ("owner" if item.drive is None else "fileOrganizer")
    if rank(call.user, item) < RANK[needed]:
        raise errors.insufficient_file_permissions()
    if not item_changes.can_hold(target, item):
        raise errors.ApiError(403, "cannotAddParent", "A folder can't be moved below itself.")
    return target


def _orphanage(call: Call, item: Item) -> Item | None:
    """Taken out of its only folder a file lands at the top of its owner's My Drive."""
    named = (call.text("removeParents") or "").split(",")
    owner = item.owner
    if item.parent is None or item.parent.id not in named or owner is None or item.parent is owner.root:
        return None
    if rank(call.user, item) < RANK["writer"]:
        raise errors.insufficient_file_permissions()
    return owner.root


def copy(call: Call) -> Response:
    """files.copy; folders can't be copied."""
    item = call.item(call.path["fileId"])
    if item.is_folder or not may_download(item, rank(call.user, item)):
        raise errors.ApiError(403, "cannotCopyFile", "This file cannot be copied by the user.")
    body = read_file_body(call.user, call.body())
    shown = item.parent is not None and rank(call.user, item.parent) >= RANK["writer"]
    parent = _parent(call, body) if body.parents else (item.parent if shown else call.user.root)
    twin = item_changes.copy(call.world, item, call.user, name=body.name, parent=parent)
    return answer_file(call, twin)


def delete(call: Call) -> Response:
    """files.delete: for good, with everything below."""
    item = call.item(call.path["fileId"])
    needed = "owner" if item.drive is None else "organizer"
    if item.is_root or rank(call.user, item) < RANK[needed]:
        raise errors.insufficient_file_permissions()
    item_changes.delete(call.world, item)
    return Response(204)


def empty_trash(call: Call) -> Response:
    """files.emptyTrash: of My Drive, or of one shared drive."""
    if call.drive_id is not None:
        trash = [item for item in call.drive(call.drive_id, "organizer").index if item.explicitly_trashed]
    else:
        trash = [item for item in call.user.index if item.explicitly_trashed and item.owner is call.user]
    for item in trash:
        if item.id in call.world.items:
            item_changes.delete(call.world, item)
    return Response(204)


def generate_ids(call: Call) -> Response:
    """files.generateIds."""
    ids = [call.world.ids.file_id() for _ in range(call.number("count", 10))]
    return json_response(
        call,
        call.mask("GeneratedIds").apply(
            {"kind": "drive#generatedIds", "space": call.text("space") or "drive", "ids": ids}
        ),
    )


HANDLERS: Mapping[str, Handler] = {
    "files.copy": copy,
    "files.create": create,
    "files.delete": delete,
    "files.emptyTrash": empty_trash,
    "files.generateIds": generate_ids,
    "files.get": get,
    "files.list": list_files,
    "files.update": update,
}
