"""replies.*: answers to a comment, which can resolve or reopen it."""

from collections.abc import Mapping

from drive_simulator.api import errors
from drive_simulator.api.call import Call, Handler, answer
from drive_simulator.api.comment_resources import reply_resource
from drive_simulator.api.methods.comments import content_of, discussed_item, find_comment
from drive_simulator.api.page_tokens import open_token, seal_token
from drive_simulator.api.wire import Response
from drive_simulator.model.discussion import Post, remove_post, reply_to, reword

_ACTIONS = ("resolve", "reopen")


def list_replies(call: Call) -> Response:
    """replies.list, oldest first."""
    include_deleted = call.flag("includeDeleted")
    comment = find_comment(call, discussed_item(call), include_deleted=include_deleted)
    found = [each for each in comment.replies if include_deleted or not each.deleted]
    binding = f"replies:{call.user.email}:{comment.id}:{include_deleted}"
    token = call.text("pageToken")
    start = open_token(binding, token)[1] if token else 0
    end = start + call.number("pageSize", 20)
    shown = [reply_resource(each, call.user) for each in found[start:end]]
    page: dict[str, object] = {"kind": "drive#replyList", "replies": shown}
    if end < len(found):
        page["nextPageToken"] = seal_token(binding, "", end, call.world.now_ms())
    return answer(call, "ReplyList", page)


def get(call: Call) -> Response:
    """replies.get."""
    comment = find_comment(call, discussed_item(call), include_deleted=call.flag("includeDeleted"))
    reply = _reply(call, comment, include_deleted=call.flag("includeDeleted"))
    return answer(call, "Reply", reply_resource(reply, call.user))


def create(call: Call) -> Response:
    """replies.create."""
    item = discussed_item(call)
    comment = find_comment(call, item)
    body = call.body()
    action = body.get("action")
    if action is not None and action not in _ACTIONS:
        raise errors.bad_request("Invalid value at 'action'.")
    words = str(body.get("content") or "") if action is not None else content_of(body)
    reply = reply_to(call.world, item, comment, call.user, words, None if action is None else str(action))
    return answer(call, "Reply", reply_resource(reply, call.user))


def update(call: Call) -> Response:
    """replies.update: its author writes it again."""
    item = discussed_item(call)
    comment = find_comment(call, item)
    reply = _own(call, _reply(call, comment))
    reword(call.world, item, comment, reply, content_of(call.body()))
    return answer(call, "Reply", reply_resource(reply, call.user))


def delete(call: Call) -> Response:
    """replies.delete: it stays as a deleted one."""
    item = discussed_item(call)
    comment = find_comment(call, item)
    reply = _own(call, _reply(call, comment))
    remove_post(call.world, item, comment, reply)
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
