"""Further kinds of random edits: what people do with one another on a file. Each is allowed when it is chosen."""

import random
from collections.abc import Callable, Mapping

from drive_simulator.edits.edit import ALL_DRIVES, Chooser, Edit, new_name, pick_item_where
from drive_simulator.model.access import rank
from drive_simulator.model.capabilities import can_discuss, can_have_revisions, may_limit
from drive_simulator.model.clock import rfc3339
from drive_simulator.model.content import revisions_of
from drive_simulator.model.discussion import Post, comments_of
from drive_simulator.model.items import RANK, Grant, Item, User
from drive_simulator.model.labels import labels_of
from drive_simulator.model.old_revisions import revisions_left
from drive_simulator.model.world import World

_DAY_MS = 24 * 3600 * 1000
_ROLES = ("reader", "commenter", "writer")


def _limit(world: World, rng: random.Random) -> Edit | None:
    """A folder gets limited access, or its inherited permissions back."""
    found = pick_item_where(world, rng, lambda item: item.is_folder)
    if found is None or not may_limit(found[0], rank(found[1], found[0])):
        return None
    item, actor = found
    kind = "unlimit" if item.is_limited else "limit"
    body = {"inheritedPermissionsDisabled": not item.is_limited}
    return Edit(kind, actor.email, "PATCH", f"files/{item.id}", ALL_DRIVES, body)


def _change_role(world: World, rng: random.Random) -> Edit | None:
    found = pick_item_where(world, rng, lambda item: bool(item.grants))
    if found is None:
        return None
    item, actor = found
    grant = rng.choice(item.grants or [])
    role = rng.choice([each for each in _ROLES if each != grant.role])
    path = f"files/{item.id}/permissions/{grant.id}"
    return Edit("change_role", actor.email, "PATCH", path, ALL_DRIVES, {"role": role})


def _expire(world: World, rng: random.Random) -> Edit | None:
    """A permission is to end within some days."""
    found = pick_item_where(world, rng, lambda item: any(_may_end(grant) for grant in item.grants or ()))
    if found is None:
        return None
    item, actor = found
    grant = rng.choice([each for each in item.grants or () if _may_end(each)])
    ends = rfc3339(world.now_ms() + rng.randrange(1, 30 * _DAY_MS))
    path = f"files/{item.id}/permissions/{grant.id}"
    return Edit("expire", actor.email, "PATCH", path, ALL_DRIVES, {"role": grant.role, "expirationTime": ends})


def _may_end(grant: Grant) -> bool:
    """Whether it is an account's, and not that of an old file's second owner."""
    return grant.user is not None and grant.role != "owner"


def _link(world: World, rng: random.Random) -> Edit | None:
    """Everybody with the link, a domain or a group outside of this world is let in."""
    found = pick_item_where(world, rng, lambda item: True)
    if found is None:
        return None
    body: Mapping[str, object] = rng.choice(
        (
            {"type": "anyone", "role": "reader"},
            {"type": "domain", "role": "commenter", "domain": "partner.example.org"},
            {"type": "group", "role": "reader", "emailAddress": "all@partner.example.org"},
        )
    )
    return Edit("link", found[1].email, "POST", f"files/{found[0].id}/permissions", ALL_DRIVES, body)


def _speaker(world: World, rng: random.Random, item: Item) -> User:
    able = [user for user in world.users.values() if rank(user, item) >= RANK["commenter"]]
    return rng.choice(able)


def _words(world: World, rng: random.Random) -> str:
    named = rng.choice(list(world.users.values())).email
    return new_name(rng) + rng.choice(("", "", f", @{named}", f", +{named}"))


def _comment(world: World, rng: random.Random) -> Edit | None:
    found = pick_item_where(world, rng, can_discuss)
    if found is None:
        return None
    body: dict[str, object] = {"content": _words(world, rng)}
    if rng.random() < 0.5:  # noqa: PLR2004
        quoted = {"mimeType": "text/plain", "value": new_name(rng)}
        body |= {"anchor": '{"region":{"kind":"drive#commentRegion"}}', "quotedFileContent": quoted}
    speaker = _speaker(world, rng, found[0])
    return Edit("comment", speaker.email, "POST", f"files/{found[0].id}/comments", {"fields": "*"}, body)


def _open_comment(world: World, rng: random.Random) -> tuple[Item, Post] | None:
    def has_one(item: Item) -> bool:
        return can_discuss(item) and any(not post.deleted for post in comments_of(item))

    found = pick_item_where(world, rng, has_one)
    if found is None:
        return None
    return found[0], rng.choice([post for post in comments_of(found[0]) if not post.deleted])


def _reply(kind: str, action_of: Callable[[Post], str | None]) -> Chooser:
    def choose(world: World, rng: random.Random) -> Edit | None:
        found = _open_comment(world, rng)
        if found is None:
            return None
        item, post = found
        action = action_of(post)
        body = {"content": _words(world, rng)} | ({} if action is None else {"action": action})
        path = f"files/{item.id}/comments/{post.id}/replies"
        return Edit(action or kind, _speaker(world, rng, item).email, "POST", path, {"fields": "*"}, body)

    return choose


def _author_edit(world: World, rng: random.Random) -> tuple[Item, Post, str] | None:
    """A comment or reply whose author may still change it, with its path."""
    found = _open_comment(world, rng)
    if found is None:
        return None
    item, comment = found
    path = f"files/{item.id}/comments/{comment.id}"
    said = [(comment, path)]
    said += [(each, f"{path}/replies/{each.id}") for each in comment.replies if not each.deleted]
    post, its_path = rng.choice(said)
    return (item, post, its_path) if rank(post.author, item) >= RANK["commenter"] else None


def _reword(world: World, rng: random.Random) -> Edit | None:
    found = _author_edit(world, rng)
    if found is None:
        return None
    _, post, path = found
    return Edit("reword", post.author.email, "PATCH", path, {"fields": "*"}, {"content": _words(world, rng)})


def _unsay(world: World, rng: random.Random) -> Edit | None:
    found = _author_edit(world, rng)
    return None if found is None else Edit("delete_comment", found[1].author.email, "DELETE", found[2])


def _old_content(world: World, rng: random.Random) -> Edit | None:
    """A new revision that says it was modified long ago, as a program that uploads a disk does."""
    found = pick_item_where(world, rng, lambda item: not item.is_workspace)
    if found is None:
        return None
    item, actor = found
    modified = rfc3339(world.now_ms() - rng.randrange(1, 3_000) * _DAY_MS)
    content = new_name(rng).encode()
    body = {"modifiedTime": modified}
    return Edit("old_content", actor.email, "PATCH", f"files/{item.id}", ALL_DRIVES, body, content)


def _revision_edit(kind: str, wanted: Callable[[Item], bool], body: Mapping[str, object] | None) -> Chooser:
    """Change (or, without a body, delete) a revision that is not the newest where there are several."""

    def choose(world: World, rng: random.Random) -> Edit | None:
        found = pick_item_where(world, rng, lambda item: can_have_revisions(item) and wanted(item))
        if found is None:
            return None
        item, actor = found
        kept = revisions_left(world, item)
        if body is None and len(kept) == 1:
            return None
        path = f"files/{item.id}/revisions/{rng.choice(kept[:-1] or kept).id}"
        return Edit(kind, actor.email, "DELETE" if body is None else "PATCH", path, {}, body)

    return choose


def _has_a_past(item: Item) -> bool:
    return not item.is_workspace and len(revisions_of(item)) > 1


def _label(world: World, rng: random.Random) -> Edit | None:
    """A label of the domain's is put on an item, written again or taken off."""
    if not world.labels:
        return None
    kind = rng.choice(list(world.labels.values()))
    found = pick_item_where(world, rng, lambda item: True)
    if found is None:
        return None
    texts = [each for each, value_type in kind.fields.items() if value_type == "text"]
    change: dict[str, object] = {"labelId": kind.id}
    if kind.id in labels_of(found[0]) and rng.random() < 0.5:  # noqa: PLR2004
        change["removeLabel"] = True
    else:
        change["fieldModifications"] = [{"fieldId": each, "setTextValues": [new_name(rng)]} for each in texts]
    body = {"labelModifications": [change]}
    return Edit("label", found[1].email, "POST", f"files/{found[0].id}/modifyLabels", {}, body)


MORE_KINDS: Mapping[str, tuple[tuple[int, Chooser], ...]] = {
    "comments": (
        (6, _comment),
        (4, _reply("reply", lambda _post: None)),
        (2, _reply("resolve", lambda post: "reopen" if post.resolved else "resolve")),
        (2, _reword),
        (2, _unsay),
    ),
    "labels": ((3, _label),),
    "purges": (
        (1, _revision_edit("keep_revision", _has_a_past, {"keepForever": True})),
        (1, _revision_edit("purge_revision", _has_a_past, None)),
    ),
    "revisions": (
        (3, _old_content),
        (1, _revision_edit("publish_revision", lambda item: item.is_workspace, {"published": True})),
    ),
    "sharing": ((3, _limit), (3, _change_role), (1, _expire), (2, _link)),
}
"""The choosers by what they are about, each with its weight. `purges` change revisions that are not the newest."""
