"""The revisions and comments that somebody should have mirrored, worked out from the model by itself, as `truth` is."""

from collections.abc import Iterable
from dataclasses import dataclass

from drive_simulator.api.exports import EXPORT_FORMATS
from drive_simulator.model import content
from drive_simulator.model.clock import rfc3339
from drive_simulator.model.discussion import Post, comments_of
from drive_simulator.model.items import BARE, RANK, THIRD_PARTY, Item, User
from drive_simulator.model.revisions import Revision
from drive_simulator.model.world import World
from drive_simulator.truth.reach import Reach, visible

_DAY_MS = 86_400_000
_DAYS_LEFT = 30
_BLOBS_LEFT = 100


@dataclass(frozen=True, slots=True)
class VisibleRevision:
    """One kept version of a file, in no API's words. Size, checksum and `keep_forever` are a blob's alone."""

    modified_time: str
    author: str | None
    mime_type: str
    size: int | None = None
    md5: str | None = None
    keep_forever: bool | None = None
    published: bool | None = None
    export_formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VisibleReply:
    """An answer to a comment; `action` is `resolve` or `reopen` where it does that. A deleted one has no words."""

    id: str
    author: str
    content: str | None
    created_time: str
    modified_time: str
    action: str | None = None
    deleted: bool = False
    mentions: tuple[str, ...] = ()
    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class VisibleComment:
    """A comment with its replies, the oldest first. Authors are shown by name; a deleted comment has no words."""

    author: str
    content: str | None
    created_time: str
    modified_time: str
    resolved: bool = False
    deleted: bool = False
    anchor: str | None = None
    quoted: str | None = None
    mentions: tuple[str, ...] = ()
    assignee: str | None = None
    replies: tuple[VisibleReply, ...] = ()


def visible_revisions(
    world: World,
    user: User,
    *,
    include_trashed: bool = False,
    include_shared_drives: bool = True,
    max_revisions: int | None = None,
    among: Iterable[Item] | None = None,
) -> dict[tuple[str, str], VisibleRevision]:
    """By file's id and revision's id: the newest `max_revisions` (all: None) of every file that the user may write.

    `among`: of these items alone.
    """
    found: dict[tuple[str, str], VisibleRevision] = {}
    reach = Reach(world, user)
    scope = {"include_trashed": include_trashed, "include_shared_drives": include_shared_drives}
    for item in visible(world, user, **scope, among=among):
        if item.mime_type in BARE or item.mime_type.startswith(THIRD_PARTY) or reach.standing(item) < RANK["writer"]:
            continue
        kept = _revisions(world, item)
        for each in kept[-max_revisions:] if max_revisions else kept:
            is_blob = item.size >= 0
            found[item.id, each.id] = VisibleRevision(
                rfc3339(each.modified_ms),
                None if each.modified_by is None else each.modified_by.email,
                each.mime_type,
                size=each.size if is_blob else None,
                md5=content.checksums(each)[0] if is_blob else None,
                keep_forever=each.keep_forever if is_blob else None,
                published=None if is_blob else each.published,
                export_formats=EXPORT_FORMATS.get(item.mime_type, ()),
            )
    return found


def _revisions(world: World, item: Item) -> list[Revision]:
    """Those that Google still has: by the day for documents, for 30 days and a hundred of them for blobs."""
    kept = content.revisions_of(item)
    if not world.consistency.revisions_dropped:
        return kept
    left: list[Revision] = []
    unkept = 0
    newer: Revision | None = None
    for each in reversed(kept):
        if newer is None:
            stays, unkept = True, 1
        elif item.is_workspace:
            age_days = (world.now_ms() - newer.modified_ms) / _DAY_MS
            same_day = rfc3339(each.modified_ms)[:10] == rfc3339(newer.modified_ms)[:10]
            stays = each.published or age_days < 1 or not same_day
        elif each.keep_forever:
            stays = True
        else:
            stays = unkept < _BLOBS_LEFT and world.now_ms() - newer.modified_ms < _DAYS_LEFT * _DAY_MS
            unkept += stays
        if stays:
            left.append(each)
        newer = each
    return left[::-1]


def visible_comments(
    world: World,
    user: User,
    *,
    include_trashed: bool = False,
    include_shared_drives: bool = True,
    include_deleted: bool = False,
    among: Iterable[Item] | None = None,
) -> dict[tuple[str, str], VisibleComment]:
    """By file's id and comment's id, with replies: those of every file that the user may comment on.

    `include_deleted`: also deleted comments and replies. `among`: of these items alone.
    """
    found: dict[tuple[str, str], VisibleComment] = {}
    reach = Reach(world, user)
    scope = {"include_trashed": include_trashed, "include_shared_drives": include_shared_drives}
    for item in visible(world, user, **scope, among=among):
        posts = comments_of(item)
        if posts and reach.standing(item) >= RANK["commenter"]:
            for post in posts:
                if include_deleted or not post.deleted:
                    found[item.id, post.id] = _comment(post, include_deleted=include_deleted)
    return found


def _comment(post: Post, *, include_deleted: bool) -> VisibleComment:
    resolving = [reply.action for reply in post.replies if reply.action is not None]
    return VisibleComment(
        post.author.display_name,
        None if post.deleted else post.content,
        rfc3339(post.created_ms),
        rfc3339(post.modified_ms),
        resolved=bool(resolving) and resolving[-1] == "resolve",
        deleted=post.deleted,
        anchor=post.anchor,
        quoted=None if post.quoted is None else str(post.quoted.get("value")),
        mentions=() if post.deleted else post.mentions,
        assignee=None if post.deleted else post.assignee,
        replies=tuple(_reply(each) for each in post.replies if include_deleted or not each.deleted),
    )


def _reply(post: Post) -> VisibleReply:
    return VisibleReply(
        post.id,
        post.author.display_name,
        None if post.deleted else post.content,
        rfc3339(post.created_ms),
        rfc3339(post.modified_ms),
        action=post.action,
        deleted=post.deleted,
        mentions=() if post.deleted else post.mentions,
        assignee=None if post.deleted else post.assignee,
    )
