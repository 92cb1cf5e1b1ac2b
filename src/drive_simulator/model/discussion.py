"""Comments and their replies, as they hang on an item.

Each thing said is an entry in the change logs: the file's version goes up, its modifiedTime stays. It is not known
whether Google does so: `Consistency.comments_logged` and `.comments_raise_version`.
"""

import re
from dataclasses import dataclass, field
from typing import cast

from drive_simulator.model.items import Item, User
from drive_simulator.model.world import World

_MENTION = re.compile(r"(\+|@)([\w.+-]+@[\w-]+(?:\.[\w-]+)+)")


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
    quoted: dict[str, object] | None = None
    replies: "list[Post]" = field(default_factory=list)

    @property
    def resolved(self) -> bool:
        """Whether the last reply with an action resolved it, deleted or not."""
        actions = [reply.action for reply in self.replies if reply.action is not None]
        return bool(actions) and actions[-1] == "resolve"

    @property
    def mentions(self) -> tuple[str, ...]:
        """The addresses that the words name as `@address` or `+address`, each once."""
        return tuple(dict.fromkeys(found[1].lower() for found in _MENTION.findall(self.content)))

    @property
    def assignee(self) -> str | None:
        """Whom the words give the work: the first address that stands behind a plus."""
        return next((found[1].lower() for found in _MENTION.findall(self.content) if found[0] == "+"), None)


def comments_of(item: Item) -> list[Post]:
    """The item's comments, oldest first; not to be changed."""
    return cast(list[Post], item.rare("comments") or [])


def add_comment(item: Item, comment: Post) -> None:
    """Put a comment on the item without a word in any log."""
    item.set_rare("comments", [*comments_of(item), comment])


def comment_on(
    world: World,
    item: Item,
    by: User,
    words: str,
    *,
    anchor: str | None = None,
    quoted: dict[str, object] | None = None,
) -> Post:
    """Say something about the item, and log it."""
    now = world.now_ms()
    comment = Post(world.ids.short_id(), by, words, now, now, anchor=anchor, quoted=quoted)
    add_comment(item, comment)
    _note(world, item)
    return comment


def reply_to(world: World, item: Item, comment: Post, by: User, words: str, action: str | None = None) -> Post:
    """Answer the comment; `action` resolves or reopens it."""
    now = world.now_ms()
    reply = Post(world.ids.short_id(), by, words, now, now, action=action)
    comment.replies.append(reply)
    comment.modified_ms = now
    _note(world, item)
    return reply


def reword(world: World, item: Item, comment: Post, post: Post, words: str) -> None:
    """Write the comment, or one of its replies, again."""
    post.content = words
    post.modified_ms = comment.modified_ms = world.now_ms()
    _note(world, item)


def remove_post(world: World, item: Item, comment: Post, post: Post) -> None:
    """Delete the comment, or one of its replies: it stays, without its words."""
    post.deleted = True
    post.modified_ms = comment.modified_ms = world.now_ms()
    _note(world, item)


def _note(world: World, item: Item) -> None:
    rules = world.consistency
    if rules.comments_logged:
        world.note_change(item, raises_version=rules.comments_raise_version)
    elif rules.comments_raise_version:
        item.version += 1
        item.rendered = None
        world.keep(item)
