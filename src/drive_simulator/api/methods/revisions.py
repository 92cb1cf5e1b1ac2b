"""revisions.*: the kept versions of a file's content."""

from collections.abc import Mapping
from dataclasses import replace

from drive_simulator.api import errors
from drive_simulator.api.call import Call, Handler, answer
from drive_simulator.api.media import download
from drive_simulator.api.page_tokens import open_token, seal_token
from drive_simulator.api.resources import revision_resource
from drive_simulator.api.wire import Response
from drive_simulator.model.capabilities import can_have_revisions
from drive_simulator.model.item_changes import view
from drive_simulator.model.items import Item
from drive_simulator.model.old_revisions import revisions_left
from drive_simulator.model.revisions import Revision

MAX_KEPT = 200
_OF_BLOBS = {"keepForever": "keep_forever"}
_OF_DOCUMENTS = {
    "published": "published",
    "publishAuto": "publish_auto",
    "publishedOutsideDomain": "published_outside_domain",
}


def list_revisions(call: Call) -> Response:
    """revisions.list, oldest first."""
    item = _item(call)
    kept = revisions_left(call.world, item)
    binding = f"revisions:{call.user.email}:{item.id}"
    token = call.text("pageToken")
    start = open_token(binding, token)[1] if token else 0
    end = start + call.number("pageSize", 200)
    page: dict[str, object] = {
        "kind": "drive#revisionList",
        "revisions": [revision_resource(item, each, call.user) for each in kept[start:end]],
    }
    if end < len(kept):
        page["nextPageToken"] = seal_token(binding, "", end, call.world.now_ms())
    return answer(call, "RevisionList", page)


def get(call: Call) -> Response:
    """revisions.get: the metadata, or with alt=media the bytes."""
    item = _item(call)
    revision = _revision(call, item)
    if call.text("alt") == "media":
        acknowledged = call.flag("acknowledgeAbuse")
        bytes_of_it = download(item, revision, call.user, call.request.headers, acknowledge_abuse=acknowledged)
        view(call.world, item, call.user)
        return bytes_of_it
    return answer(call, "Revision", revision_resource(item, revision, call.user))


def update(call: Call) -> Response:
    """revisions.update: keepForever of blobs (200 at most), publishing of documents. It makes an entry in the log."""
    item = _item(call, "writer")
    revision = _revision(call, item)
    wanted = _wanted(call, item)
    kept = revisions_left(call.world, item)
    if wanted.get("keep_forever") and sum(each.keep_forever for each in kept if each.id != revision.id) >= MAX_KEPT:
        raise errors.ApiError(403, "cannotKeepMoreRevisions", "200 revisions at most can be kept forever.")
    if wanted:
        revision = replace(revision)
        for name, value in wanted.items():
            setattr(revision, name, value)
        item.set_rare("revisions", [revision if each.id == revision.id else each for each in kept])
        call.world.note_change(item)
    return answer(call, "Revision", revision_resource(item, revision, call.user))


def delete(call: Call) -> Response:
    """revisions.delete; the last one and those of Workspace documents stay."""
    item = _item(call, "writer")
    revision = _revision(call, item)
    kept = revisions_left(call.world, item)
    if item.is_workspace or revision.id == kept[-1].id:
        raise errors.ApiError(403, "cannotDeleteRevision", "This revision can't be deleted.")
    item.set_rare("revisions", [each for each in kept if each.id != revision.id])
    call.world.note_change(item)
    return Response(204)


def _wanted(call: Call, item: Item) -> dict[str, bool]:
    """What the body changes of the revision: what its kind of file has. Raises ApiError 400."""
    names = _OF_DOCUMENTS if item.is_workspace else _OF_BLOBS
    found: dict[str, bool] = {}
    for name, value in call.body().items():
        if name in {*_OF_DOCUMENTS, *_OF_BLOBS} and not isinstance(value, bool):
            raise errors.bad_request(f"Invalid value at '{name}'.")
        if name in names and isinstance(value, bool):
            found[names[name]] = value
    return found


def _item(call: Call, role: str = "writer") -> Item:
    # Readers and commenters have no access to the past: "Roles and permissions" of the guides.
    item = call.item(call.path["fileId"], role)
    if not can_have_revisions(item):
        raise errors.ApiError(403, "revisionsNotSupported", "The file does not support revisions.")
    return item


def _revision(call: Call, item: Item) -> Revision:
    wanted = call.path["revisionId"]
    kept = revisions_left(call.world, item)
    if wanted == "head":
        return kept[-1]
    revision = next((each for each in kept if each.id == wanted), None)
    if revision is None:
        raise errors.resource_not_found("Revision", wanted, "revisionId")
    return revision


HANDLERS: Mapping[str, Handler] = {
    "revisions.delete": delete,
    "revisions.get": get,
    "revisions.list": list_revisions,
    "revisions.update": update,
}
