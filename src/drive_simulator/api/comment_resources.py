"""Comments and replies as Drive shows them."""

from html import escape

from drive_simulator.api.resources import Resource, user_resource
from drive_simulator.model.clock import rfc3339
from drive_simulator.model.discussion import Post
from drive_simulator.model.items import User


def comment_resource(comment: Post, viewer: User, *, include_deleted: bool = False) -> Resource:
    """The comment with its replies."""
    resource = _post_resource(comment, viewer, "drive#comment")
    resource["resolved"] = comment.resolved
    resource["replies"] = [
        reply_resource(reply, viewer) for reply in comment.replies if include_deleted or not reply.deleted
    ]
    if comment.anchor is not None:
        resource["anchor"] = comment.anchor
    if comment.quoted is not None:
        resource["quotedFileContent"] = comment.quoted
    return resource


def reply_resource(reply: Post, viewer: User) -> Resource:
    """A reply."""
    resource = _post_resource(reply, viewer, "drive#reply")
    if reply.action is not None:
        resource["action"] = reply.action
    return resource


def _post_resource(post: Post, viewer: User, kind: str) -> Resource:
    author = user_resource(post.author, viewer)
    resource: Resource = {
        "kind": kind,
        "id": post.id,
        "createdTime": rfc3339(post.created_ms),
        "modifiedTime": rfc3339(post.modified_ms),
        # Google shows authors of comments without their address.
        "author": {name: author[name] for name in ("kind", "displayName", "photoLink", "me")},
        "deleted": post.deleted,
    }
    if not post.deleted:
        resource["content"] = post.content
        resource["htmlContent"] = escape(post.content, quote=False).replace("\n", "<br>")
        resource["mentionedEmailAddresses"] = list(post.mentions)
        if post.assignee is not None:
            resource["assigneeEmailAddress"] = post.assignee
    return resource
