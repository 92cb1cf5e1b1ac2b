"""Items as Drive shows them: which fields there are, and for whom."""

import hashlib

import pytest

from drive_simulator.api.permission_resources import permission_ids, permission_resources
from drive_simulator.api.resources import file_resource
from drive_simulator.model.content import MAX_REVISIONS, checksums, read, revisions_of
from drive_simulator.model.item_changes import create, create_shortcut, replace_content
from drive_simulator.model.items import WORKSPACE_PREFIX
from drive_simulator.model.shared_drives import create_drive
from drive_simulator.model.sharing import add_grant, share
from support.worlds import Stage


@pytest.fixture
def stage() -> Stage:
    """Alice and Bob with empty Drives."""
    return Stage()


def test_a_blob_has_size_checksums_and_a_head_revision(stage: Stage) -> None:
    """And they fit the bytes that a download gives, made-up content included."""
    for item in (stage.file(), create(stage.world, stage.alice, "x.bin", "application/x", size=70_001)):
        resource, content = file_resource(item, stage.alice), read(item)
        assert resource["size"] == str(len(content))
        assert resource["md5Checksum"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
        assert resource["sha256Checksum"] == hashlib.sha256(content).hexdigest()
        assert resource["headRevisionId"] == revisions_of(item)[-1].id


def test_a_workspace_document_has_neither(stage: Stage) -> None:
    """It has export links instead."""
    item = create(stage.world, stage.alice, "Doc", WORKSPACE_PREFIX + "document")
    resource = file_resource(item, stage.alice)
    assert not {"md5Checksum", "headRevisionId", "webContentLink"} & resource.keys()
    assert "application/pdf" in resource["exportLinks"]  # type: ignore[operator]


def test_a_shortcut_says_where_it_leads(stage: Stage) -> None:
    """Target and its type."""
    file = stage.file()
    details = file_resource(create_shortcut(stage.world, stage.alice, "short", file), stage.alice)["shortcutDetails"]
    assert details == {"targetId": file.id, "targetMimeType": "text/plain"}


def test_items_of_shared_drives_have_no_owner_and_no_permissions_field(stage: Stage) -> None:
    """`owners`, `permissions`, `shared` and `ownedByMe` are left out; `permissionIds` are there."""
    drive = create_drive(stage.world, stage.alice, "Team")
    item = stage.file(parent=drive.root)
    share(stage.world, item, stage.alice, stage.bob, "reader")
    resource = file_resource(item, stage.alice)
    assert not {"owners", "permissions", "shared", "ownedByMe"} & resource.keys()
    assert resource["driveId"] == drive.id
    assert resource["hasAugmentedPermissions"] is True
    assert set(resource["permissionIds"]) == {stage.alice.permission_id, stage.bob.permission_id}  # type: ignore[call-overload]


def test_inherited_permissions_say_where_they_come_from(stage: Stage) -> None:
    """A member's and a folder's grants are inherited; a second, direct grant shows beside them."""
    drive = create_drive(stage.world, stage.alice, "Team")
    folder = stage.folder(parent=drive.root)
    item = stage.file(parent=folder)
    share(stage.world, folder, stage.alice, stage.bob, "reader")
    share(stage.world, item, stage.alice, stage.bob, "writer")
    bobs = next(each for each in permission_resources(item) if each["id"] == stage.bob.permission_id)
    alices = next(each for each in permission_resources(item) if each["id"] == stage.alice.permission_id)
    assert bobs["role"] == "writer"
    assert bobs["permissionDetails"] == [
        {"permissionType": "file", "role": "writer", "inherited": False},
        {"permissionType": "file", "role": "reader", "inherited": True, "inheritedFrom": folder.id},
    ]
    assert alices["permissionDetails"] == [
        {"permissionType": "member", "role": "organizer", "inherited": True, "inheritedFrom": drive.id}
    ]


def test_permission_ids_are_those_of_the_permissions(stage: Stage) -> None:
    """The short way and the long way agree, on links and on other people's folders too."""
    folder = stage.folder()
    share(stage.world, folder, stage.alice, stage.bob, "writer")
    item = stage.file(parent=folder, by=stage.bob)
    add_grant(stage.world, item, stage.bob, grant_type="anyone", role="reader")
    assert permission_ids(item) == [each["id"] for each in permission_resources(item)]
    assert "anyoneWithLink" in permission_ids(item)


def test_new_content_is_a_new_revision_and_old_bytes_stay(stage: Stage) -> None:
    """Up to two hundred revisions are kept, the present content is the last one."""
    item = stage.file("first")
    replace_content(stage.world, item, stage.alice, content=b"second")
    kept = revisions_of(item)
    assert [read(each) for each in kept] == [b"first", b"second"]
    assert checksums(kept[-1]) == checksums(item)
    for number in range(MAX_REVISIONS):
        replace_content(stage.world, item, stage.alice, content=str(number).encode())
    assert len(revisions_of(item)) == MAX_REVISIONS
