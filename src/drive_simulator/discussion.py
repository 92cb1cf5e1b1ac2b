"""Comments and their replies, as they hang on an item."""

from dataclasses import dataclass, field
from typing import cast

from drive_simulator.clock import rfc3339
from drive_simulator.items import Item, User
from drive_simulator.resources import Resource, user_resource


@dataclass(slots=True)
class Post:
    """A comment or a reply. A deleted one keeps its place without its words."""

    id: str
    author: User
    content: str
    created_ms: int
    modified_ms: int
    deleted: bool = False
    action: str | None = None
    anchor: str | None = None
    quoted: Resource | None = None
    resolved: bool = False
    replies: "list[Post]" = field(default_factory=list)


def comments_of(item: Item) -> list[Post]:
    """The item's comments, oldest first; not to be changed."""
    return cast(list[Post], item.rare("comments") or [])


def add_comment(item: Item, comment: Post) -> None:
    """Put a comment on the item. Comments make no entry in change logs."""
    item.set_rare("comments", [*comments_of(item), comment])


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
        resource["htmlContent"] = post.content
    return resource
