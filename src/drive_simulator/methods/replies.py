"""replies.*: answers to a comment, which can resolve or reopen it."""

from collections.abc import Mapping

from drive_simulator import errors
from drive_simulator.api import Call, Handler, answer
from drive_simulator.discussion import Post, reply_resource
from drive_simulator.methods.comments import content_of, find_comment
from drive_simulator.page_tokens import open_token, seal_token
from drive_simulator.wire import Response

_ACTIONS = ("resolve", "reopen")


def list_replies(call: Call) -> Response:
    """replies.list, oldest first."""
    include_deleted = call.flag("includeDeleted")
    comment = find_comment(call, call.item(call.path["fileId"]), include_deleted=include_deleted)
    found = [each for each in comment.replies if include_deleted or not each.deleted]
    binding = f"replies:{call.user.email}:{comment.id}:{include_deleted}"
    token = call.text("pageToken")
    start = 0 if token is None else open_token(binding, token)[1]
    end = start + call.number("pageSize", 20)
    shown = [reply_resource(each, call.user) for each in found[start:end]]
    page: dict[str, object] = {"kind": "drive#replyList", "replies": shown}
    if end < len(found):
        page["nextPageToken"] = seal_token(binding, "", end, call.world.now_ms())
    return answer(call, "ReplyList", page)


def get(call: Call) -> Response:
    """replies.get."""
    comment = find_comment(call, call.item(call.path["fileId"]), include_deleted=call.flag("includeDeleted"))
    reply = _reply(call, comment, include_deleted=call.flag("includeDeleted"))
    return answer(call, "Reply", reply_resource(reply, call.user))


def create(call: Call) -> Response:
    """replies.create."""
    comment = find_comment(call, call.item(call.path["fileId"], "commenter"))
    body = call.body()
    action = body.get("action")
    if action is not None and action not in _ACTIONS:
        raise errors.bad_request("Invalid value at 'action'.")
    now = call.world.now_ms()
    content = str(body.get("content") or "") if action is not None else content_of(body)
    reply = Post(
        call.world.ids.short_id(), call.user, content, now, now, action=None if action is None else str(action)
    )
    comment.replies.append(reply)
    comment.modified_ms = now
    if action is not None:
        comment.resolved = action == "resolve"
    return answer(call, "Reply", reply_resource(reply, call.user))


def update(call: Call) -> Response:
    """replies.update: its author writes it anew."""
    comment = find_comment(call, call.item(call.path["fileId"], "commenter"))
    reply = _own(call, _reply(call, comment))
    reply.content = content_of(call.body())
    reply.modified_ms = comment.modified_ms = call.world.now_ms()
    return answer(call, "Reply", reply_resource(reply, call.user))


def delete(call: Call) -> Response:
    """replies.delete: it stays as a deleted one."""
    comment = find_comment(call, call.item(call.path["fileId"], "commenter"))
    reply = _own(call, _reply(call, comment))
    reply.deleted = True
    reply.modified_ms = comment.modified_ms = call.world.now_ms()
    return Response(204)


def _reply(call: Call, comment: Post, *, include_deleted: bool = False) -> Post:
    wanted = call.path["replyId"]
    for reply in comment.replies:
        if reply.id == wanted and (include_deleted or not reply.deleted):
            return reply
    raise errors.resource_not_found("Reply", wanted, "replyId")


def _own(call: Call, reply: Post) -> Post:
    if reply.author is not call.user:
        raise errors.insufficient_file_permissions()
    return reply


HANDLERS: Mapping[str, Handler] = {
    "replies.create": create,
    "replies.delete": delete,
    "replies.get": get,
    "replies.list": list_replies,
    "replies.update": update,
}
