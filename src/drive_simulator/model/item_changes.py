"""What happens to items: created, edited, copied, moved, trashed, deleted. Nothing here asks whether one may."""

from collections.abc import Mapping
from typing import cast

from drive_simulator.model.access import member_openers, opened_by, openers, opening_rank, sees
from drive_simulator.model.content import push_revision, revision_id, revisions_of
from drive_simulator.model.items import FOLDER, SHORTCUT, WORKSPACE_PREFIX, Item, User
from drive_simulator.model.parents import drop_parents, drop_strays
from drive_simulator.model.revisions import Revision
from drive_simulator.model.world import World

MAX_DEPTH = 100


def create(
    world: World,
    by: User,
    name: str,
    mime_type: str,
    parent: Item | None = None,
    *,
    item_id: str | None = None,
    content: bytes | None = None,
    size: int | None = None,
    created_ms: int | None = None,
    modified_ms: int | None = None,
    extras: Mapping[str, object] | None = None,
) -> Item:
    """Make an item in `parent` (the user's My Drive root by default) and log it.

    A blob's bytes are `content`, or made up for `size`. In My Drive `by` becomes its owner.
    """
    parent = parent or by.root
    now = world.now_ms()
    is_workspace = mime_type.startswith(WORKSPACE_PREFIX)
    item = Item(
        item_id or (world.ids.document_id() if is_workspace and mime_type != FOLDER else world.ids.file_id()),
        name,
        mime_type,
        parent,
        parent.drive,
        None if parent.drive is not None else by,
        now if created_ms is None else created_ms,
        now if modified_ms is None else modified_ms,
        by,
        -1 if is_workspace else (size or 0) if content is None else len(content),
        0,
    )
    for key, value in (extras or {}).items():
        item.set_rare(key, value)
    if content is not None and not is_workspace:
        item.set_rare("content", content)
    if item.drive is not None:
        item.set_rare("created_by", by)
    world.enter(item)
    world.note_change(item)
    return item


def create_shortcut(world: World, by: User, name: str, target: Item, parent: Item | None = None) -> Item:
    """Make a shortcut to `target`."""
    extras: dict[str, object] = {"target_id": target.id, "target_mime_type": target.mime_type}
    extras["target_resource_key"] = target.rare("resource_key")
    return create(world, by, name, SHORTCUT, parent, extras=extras)


def edit(
    world: World, item: Item, by: User, *, name: str | None = None, extras: Mapping[str, object] | None = None
) -> None:
    """Change the name or rarely set properties; `None` among `extras` clears one."""
    if name is not None:
        item.name = name
    for key, value in (extras or {}).items():
        item.set_rare(key, value)
    touch(world, item, by)


def touch(world: World, item: Item, by: User, *, modified_ms: int | None = None) -> None:
    """Mark the item as modified now and log it."""
    if item.rare("revisions") is None and item.rare("written") is None and not item.is_folder:
        # Its only revision keeps the time at which it was written.
        item.set_rare("written", (item.modified_ms, item.modified_by))
    item.modified_ms = world.now_ms() if modified_ms is None else modified_ms
    world.retimed.append(item)
    item.modified_by = by
    world.note_change(item)


def replace_content(
    world: World, item: Item, by: User, *, content: bytes | None = None, size: int | None = None, keep: bool = False
) -> None:
    """Give the item new bytes: a new head revision. A Workspace document just gets a new revision."""
    earlier = revisions_of(item)
    item.set_rare("revisions", list(earlier))
    item.salt += 1
    now = world.now_ms()
    if item.is_workspace:
        new_id = str(int(earlier[-1].id) + 1)
    else:
        new_id = revision_id(item.id, item.salt)
        item.size = len(content) if content is not None else (item.size if size is None else size)
        item.set_rare("content", content)
        item.set_rare("no_checksums", None)
    push_revision(item, Revision(new_id, now, by, item.size, item.salt, item.mime_type, keep, content))
    touch(world, item, by)


def set_star(world: World, item: Item, user: User, *, starred: bool) -> None:
    """Set or take the user's own star, of which no other account's log tells."""
    stars = cast(set[str], item.rare("starred_by") or set())
    item.set_rare("starred_by", (stars | {user.email} if starred else stars - {user.email}) or None)
    item.rendered = None
    item.version += 1
    world.keep(item)
    if sees(user, item):
        user.log.record(item.id, world.now_ms(), from_drive=item.drive is not None)


def copy(world: World, item: Item, by: User, *, name: str | None = None, parent: Item | None = None) -> Item:
    """Copy a file's content into a new item of `by`'s."""
    kept = ("description", "target_id", "target_mime_type", "properties", "app_properties")
    extras = {key: value for key in kept if (value := item.rare(key)) is not None}
    content = cast(bytes | None, item.rare("content"))
    size = None if content is not None else max(item.size, 0)
    name = name or f"Copy of {item.name}"
    return create(world, by, name, item.mime_type, parent, content=content, size=size, extras=extras)


def set_trashed(world: World, item: Item, by: User, *, trashed: bool) -> None:
    """Put the item into the trash or take it out. What is below it follows without an entry in any log.

    Old files that lie in a trashed folder beside their first parent leave it, and are logged.
    """
    if item.explicitly_trashed == trashed:
        return
    item.explicitly_trashed = trashed
    item.set_rare("trashed_ms", world.now_ms() if trashed else None)
    item.set_rare("trashing_user", by if trashed else None)
    lost = _drop_second_parents(world, item) if trashed else []
    world.epoch += 1
    world.note_change(item)
    world.note_below(item)
    for each in lost:
        world.note_change(each)


def can_hold(parent: Item, item: Item) -> bool:
    """Whether `item` may go into `parent`: a folder, not below the item itself, not too deep."""
    chain = list(parent.chain())
    return parent.is_folder and item not in chain and len(chain) < MAX_DEPTH


def move(world: World, item: Item, by: User, new_parent: Item) -> None:
    """Put the item, and what is below it, into another folder, of another drive perhaps.

    Into a shared drive it loses its owners; out of one the mover becomes it. Raises `ValueError` where it can't go.
    """
    if item.parent is None or not can_hold(new_parent, item):
        message = "a folder can't go there"
        raise ValueError(message)
    old_parent, old_drive, new_drive = item.parent, item.drive, new_parent.drive
    knew = openers(item) | member_openers(item)
    drop_parents(item)
    lost = _drop_second_parents(world, item) if old_drive is not new_drive or new_parent.trashed else []
    with world.changing_access(item):
        if old_parent.children is not None:
            old_parent.children.discard(item)
        item.parent = new_parent
        world.hang(item)
        if old_drive is not new_drive:
            for each in item.subtree():
                each.drive = new_drive
                if new_drive is not None and each.is_limited:
                    new_drive.has_limits = True
                if new_drive is not None and each.grants:
                    each.grants = [grant for grant in each.grants if grant.role != "owner"] or None
                each.owner = None if new_drive is not None else (by if old_drive is not None else each.owner)
                each.rendered = None
    world.note_change(item)
    world.note_below(item, knew)
    for each in lost:
        world.note_change(each)


def delete(world: World, item: Item) -> int:
    """Delete the item and everything below it for good; each gets a removal. Returns how many items went."""
    gone = list(item.subtree())
    lost = _drop_second_parents(world, item)
    with world.changing_access(item, gone=True):
        if item.parent is not None and item.parent.children is not None:
            item.parent.children.discard(item)
        for each in gone:
            del world.items[each.id]
    for each in lost:
        world.note_change(each)
    return len(gone)


def _drop_second_parents(world: World, item: Item) -> list[Item]:
    """Leave what is at and below the item, and what lies in one of its folders, with its first parent alone.

    Returns the files from elsewhere that lose a folder, for the caller to log.
    """
    elsewhere: list[Item] = []
    for each in item.subtree():
        if each.extras is None:
            continue
        if each.more_parents:
            drop_parents(each)
            world.keep(each)
        for stray in drop_strays(each):
            if item in stray.chain():
                world.keep(stray)
            else:
                elsewhere.append(stray)
    return elsewhere


def view(world: World, item: Item, user: User) -> None:
    """Let the account open, download or export the item now: an entry in that account's own log alone.

    `version` and `modifiedTime` stay; an item of a shared drive has no entry in the drive's log. An item that the
    account reaches by a link alone has no entry. Source: google-api-dotnet-client #2544 (files and folders that were
    opened), google-api-java-client-services #3160 (an export by a delegated user is that user's view).
    """
    mark_viewed(world, item, user, world.now_ms())


def mark_viewed(world: World, item: Item, user: User, viewed_ms: int) -> None:
    """Set when the user last opened the item, as files.update does: a view at that time."""
    _keep_opened_link(world, item, user)
    views = cast(dict[str, int], item.rare("viewed_by") or {})
    item.set_rare("viewed_by", {**views, user.email: viewed_ms})
    item.rendered = None
    world.keep(item)
    if world.consistency.views_logged and sees(user, item):
        user.log.record(item.id, world.now_ms(), from_drive=item.drive is not None)


def _keep_opened_link(world: World, item: Item, user: User) -> None:
    """Make what a link opens one of the items of the account that opens it. Source: assumed, see `Consistency`."""
    if not world.consistency.opened_links_listed or item.is_root:
        return
    if not sees(user, item) and opening_rank(user, item) > 0:
        with world.changing_access(item):
            item.set_rare("opened_by", opened_by(item) | {user})
