"""comments.*: remarks on a file. Every method but delete wants `fields`."""

from collections.abc import Mapping

from drive_simulator.api import errors
from drive_simulator.api.call import Call, Handler, answer
from drive_simulator.api.comment_resources import comment_resource
from drive_simulator.api.page_tokens import open_token, seal_token
from drive_simulator.api.wire import Response
from drive_simulator.model.capabilities import can_discuss
from drive_simulator.model.clock import parse_rfc3339
from drive_simulator.model.discussion import Post, comment_on, comments_of, remove_post, reword
from drive_simulator.model.items import MAP, Item


def list_comments(call: Call) -> Response:
    """comments.list, the latest changed first."""
    item = discussed_item(call)
    include_deleted = call.flag("includeDeleted")
    since = _start(call)
    found = [each for each in comments_of(item) if (include_deleted or not each.deleted) and each.modified_ms >= since]
    found.sort(key=lambda each: each.modified_ms, reverse=True)
    binding = f"comments:{call.user.email}:{item.id}:{include_deleted}:{since}"
    token = call.text("pageToken")
    start = open_token(binding, token)[1] if token else 0
    end = start + call.number("pageSize", 20)
    shown = [comment_resource(each, call.user, include_deleted=include_deleted) for each in found[start:end]]
    page: dict[str, object] = {"kind": "drive#commentList", "comments": shown}
    if end < len(found):
        page["nextPageToken"] = seal_token(binding, "", end, call.world.now_ms())
    return answer(call, "CommentList", page)


def get(call: Call) -> Response:
    """comments.get."""
    include_deleted = call.flag("includeDeleted")
    comment = find_comment(call, discussed_item(call), include_deleted=include_deleted)
    return answer(call, "Comment", comment_resource(comment, call.user, include_deleted=include_deleted))


def create(call: Call) -> Response:
    """comments.create."""
    item = discussed_item(call)
    body = call.body()
    anchor, quoted = body.get("anchor"), _quoted(body.get("quotedFileContent"))
    words = content_of(body)
    where = anchor if isinstance(anchor, str) else None
    comment = comment_on(call.world, item, call.user, words, anchor=where, quoted=quoted)
    return answer(call, "Comment", comment_resource(comment, call.user))


def update(call: Call) -> Response:
    """comments.update: its author writes it again."""
    item = discussed_item(call)
    comment = find_comment(call, item)
    _own(call, comment)
    reword(call.world, item, comment, comment, content_of(call.body()))
    return answer(call, "Comment", comment_resource(comment, call.user))


def delete(call: Call) -> Response:
    """comments.delete: it stays as a deleted one."""
    item = discussed_item(call)
    comment = find_comment(call, item)
    _own(call, comment)
    remove_post(call.world, item, comment, comment)
    return Response(204)


def discussed_item(call: Call) -> Item:
    """The file that the path names, where the user may see its comments, by commenting. Raises ApiError.

    Of a map Google says that there is no such file (Google's issue tracker; seen by several).
    """
    item = call.item(call.path["fileId"], "commenter")
    if item.mime_type == MAP:
        raise errors.not_found(item.id)
    if not can_discuss(item):
        raise errors.insufficient_file_permissions()
    return item


def find_comment(call: Call, item: Item, *, include_deleted: bool = False) -> Post:
    """The comment that the path names. Raises ApiError 404."""
    wanted = call.path["commentId"]
    for comment in comments_of(item):
        if comment.id == wanted and (include_deleted or not comment.deleted):
            return comment
    raise errors.resource_not_found("Comment", wanted, "commentId")


def content_of(body: Mapping[str, object]) -> str:
    """The words of a comment or reply that is written. Raises ApiError 400."""
    content = body.get("content")
    if not isinstance(content, str) or not content:
        raise errors.ApiError(400, "required", "Required", location="content")
    return content


def _quoted(value: object) -> dict[str, object] | None:
    """The passage that a comment is about: its text and type. Raises ApiError 400."""
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise errors.bad_request("Invalid value at 'quotedFileContent'.")
    return {name: value[name] for name in ("mimeType", "value") if name in value}


def _own(call: Call, post: Post) -> None:
    if post.author is not call.user:
        raise errors.insufficient_file_permissions()


def _start(call: Call) -> int:
    text = call.text("startModifiedTime")
    if text is None:
        return 0
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise errors.invalid("startModifiedTime") from None


HANDLERS: Mapping[str, Handler] = {
    "comments.create": create,
    "comments.delete": delete,
    "comments.get": get,
    "comments.list": list_comments,
    "comments.update": update,
}
