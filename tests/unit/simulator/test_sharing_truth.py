"""Limited access, groups and expiry: what the API says of sharing is what the grants say."""

import random
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from drive_simulator.api.errors import ApiError
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import Edit, Editor, random_edits
from drive_simulator.model.access import rank, sees
from drive_simulator.model.clock import ManualClock, rfc3339
from drive_simulator.model.items import User
from drive_simulator.model.sharing import add_grant, end_expired, set_limited, share
from drive_simulator.model.world import World
from drive_simulator.truth.items import VisiblePermission, visible_drives, visible_items, visible_permissions
from drive_simulator.truth.reach import Reach
from support.worlds import Stage

ALL = {"supportsAllDrives": "true"}


def as_told(permission: Mapping[str, Any]) -> VisiblePermission:
    """A permission of the API in the truth's words."""
    details = permission["permissionDetails"]
    named = next((each for each in details if each["role"] == permission["role"]), details[0])
    inherited = all(each["inherited"] for each in details)
    return VisiblePermission(
        role=permission["role"],
        type=permission["type"],
        email=permission.get("emailAddress"),
        domain=permission.get("domain"),
        inherited=inherited,
        inherited_from=named.get("inheritedFrom") if inherited else None,
        expiration_time=permission.get("expirationTime"),
        allow_discovery=permission.get("allowFileDiscovery"),
        view=permission.get("view"),
        deleted=permission.get("deleted", False),
    )


def told(world: World, user: User) -> dict[tuple[str, str], VisiblePermission]:
    """What permissions.list tells the user of every item and drive that they see; refusals tell nothing."""
    editor = Editor(world)
    found: dict[tuple[str, str], VisiblePermission] = {}
    for item_id in (*visible_items(world, user, include_trashed=True), *visible_drives(world, user)):
        try:
            permissions = list(pages_of_permissions(editor, user, item_id))
        except ApiError as error:
            if error.reason != "insufficientFilePermissions":
                raise
            continue
        found |= {(item_id, each["id"]): as_told(each) for each in permissions}
    return found


def pages_of_permissions(editor: Editor, user: User, item_id: str) -> Iterator[Mapping[str, Any]]:
    """The permissions of an item, page by page."""
    query = {**ALL, "fields": "*", "pageSize": "3"}
    while True:
        page = editor.make(Edit("read", user.email, "GET", f"files/{item_id}/permissions", query))
        yield from cast(list[Mapping[str, Any]], page["permissions"])
        if "nextPageToken" not in page:
            return
        query["pageToken"] = str(page["nextPageToken"])


@pytest.mark.parametrize("seed", range(4))
def test_the_api_says_what_the_grants_say(seed: int) -> None:
    """After hundreds of edits permissions.list, permissionIds and the truth agree for every user and item."""
    clock = ManualClock()
    world = generate(CorpusPlan(files=200, shared_drives=3, users=4, seed=seed, sharing=8), clock=clock)
    rng = random.Random(seed)  # noqa: S311 - random edits
    for _ in range(3):
        random_edits(world, rng, 150, also=("sharing",))
        clock.advance(10 * 24 * 3600)
        end_expired(world)
        for user in world.users.values():
            reach = Reach(world, user)
            for item in world.items.values():
                assert (rank(user, item), sees(user, item)) == (reach.standing(item), reach.sees(item))
            expected = visible_permissions(world, user, include_trashed=True)
            assert told(world, user) == expected
            for item_id, file in visible_items(world, user, include_trashed=True).items():
                ids = {permission for of, permission in expected if of == item_id}
                assert not ids or set(cast(list[str], file["permissionIds"])) == ids


def test_a_folder_with_limited_access_shows_itself_and_no_more() -> None:
    """Who loses a limited folder still sees that it is there; what is in it is removed in their log."""
    stage = Stage()
    outer = stage.folder("Outer")
    inner = stage.folder("Inner", outer)
    secret = stage.file("secret.txt", inner)
    share(stage.world, outer, stage.alice, stage.bob, "writer")
    bob = stage.listen(stage.bob)
    set_limited(stage.world, inner, limited=True)
    assert bob.news() == {inner.id: "changed", secret.id: "removed"}
    seen = visible_items(stage.world, stage.bob)
    assert set(seen) == {outer.id, inner.id}
    assert seen[inner.id]["inheritedPermissionsDisabled"] is True
    assert cast(dict[str, bool], seen[inner.id]["capabilities"])["canListChildren"] is False
    mine = visible_permissions(stage.world, stage.alice)
    assert mine[inner.id, stage.bob.permission_id].view == "metadata"
    assert (secret.id, stage.bob.permission_id) not in mine
    set_limited(stage.world, inner, limited=False)
    assert bob.news() == {inner.id: "changed"}
    assert secret.id in visible_items(stage.world, stage.bob)


def test_organizers_and_whom_it_names_keep_a_limited_folder() -> None:
    """In a shared drive organizers and direct grants see what is in it; the log removes it for other members."""
    stage = Stage()
    carol, dave = stage.world.add_user("carol@example.com"), stage.world.add_user("dave@example.com")
    drive = stage.world.add_drive("Team", stage.alice)
    for user in (stage.bob, carol):
        stage.world.add_member(drive, user, "writer")
    folder = stage.folder("Board", drive.root)
    paper = stage.file("paper.txt", folder)
    share(stage.world, folder, stage.alice, carol, "reader")
    logs = {user: stage.listen(user, drive) for user in (stage.alice, stage.bob, carol)}
    set_limited(stage.world, folder, limited=True)
    expected = {stage.alice: "changed", stage.bob: "removed", carol: "changed"}
    for user, log in logs.items():
        assert log.news() == {folder.id: "changed", paper.id: expected[user]}
    assert not sees(dave, folder)
    permissions = visible_permissions(stage.world, stage.alice)
    on_paper = {pid: each.role for (of, pid), each in permissions.items() if of == paper.id}
    assert on_paper == {stage.alice.permission_id: "organizer", carol.permission_id: "reader"}


def test_a_permission_that_has_expired_is_gone() -> None:
    """At its time a permission ends by itself: the item is lost, and the log says so."""
    stage = Stage()
    file = stage.file()
    ends_ms = stage.clock.now_ms() + 60_000
    add_grant(
        stage.world, file, stage.alice, grant_type="user", role="reader", user=stage.bob, email=stage.bob.email,
        expiration_ms=ends_ms,
    )  # fmt: skip
    held = visible_permissions(stage.world, stage.alice)[file.id, stage.bob.permission_id]
    assert held.expiration_time == rfc3339(ends_ms)
    bob = stage.listen(stage.bob)
    stage.clock.advance(60)
    assert (file.id, stage.bob.permission_id) not in visible_permissions(stage.world, stage.alice)
    Editor(stage.world).make(Edit("read", stage.bob.email, "GET", "changes/startPageToken"))
    assert bob.news() == {file.id: "removed"}


def test_a_group_gives_its_members_access() -> None:
    """What is shared with a group is seen by each of its accounts; a group can be a member of a shared drive."""
    stage = Stage()
    team = stage.world.add_group("team@example.com", [stage.bob])
    file = stage.file()
    add_grant(stage.world, file, stage.alice, grant_type="group", role="writer", email=team.email, group=team)
    assert set(visible_items(stage.world, stage.bob)) == {file.id}
    drive = stage.world.add_drive("Team", stage.alice)
    bob, alice = stage.listen(stage.bob), stage.listen(stage.alice)
    add_grant(stage.world, drive.root, stage.alice, grant_type="group", role="reader", email=team.email, group=team)
    assert set(visible_drives(stage.world, stage.bob)) == {drive.id}
    assert (bob.news(), alice.news()) == ({drive.id: "changed"}, {})
    seen = visible_permissions(stage.world, stage.alice)
    assert seen[drive.id, team.permission_id].type == "group"
    assert (drive.id, team.permission_id) not in visible_permissions(stage.world, stage.bob)
