"""Permissions as records."""

import msgspec
import pytest

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.sharing import Permission, PermissionDetail
from google_drive_worker.normalization.shapes import PermissionData
from google_drive_worker.normalization.transformer import permission_frames, transform_permissions


def data_of(permission: Permission, file_id: str = "1abc") -> dict[str, object]:
    """The data of its record."""
    [record] = transform_permissions(FileId(file_id), permission_frames([permission]))
    assert (record.resource_type, record.operation) == ("permission", "upsert")
    assert record.resource_id == f"{file_id}/{permission.id}"
    encoded = msgspec.json.encode(record.data)
    msgspec.json.decode(encoded, type=PermissionData)
    found: dict[str, object] = msgspec.json.decode(encoded)
    return found


def test_every_field_of_a_permission() -> None:
    """Each from its source, times in UTC."""
    full = Permission(
        id="p1",
        type="user",
        role="writer",
        email_address="ann@example.com",
        domain="example.com",
        display_name="Ann",
        photo_link="https://example.com/ann",
        expiration_time="2026-12-01T01:00:00+01:00",
        allow_file_discovery=False,
        view="metadata",
        deleted=False,
        pending_owner=False,
        permission_details=(PermissionDetail("file", "writer", True, FileId("f")),),
    )
    assert data_of(full) == {
        "id": "p1",
        "type": "permission",
        "file_id": "1abc",
        "role": "writer",
        "grantee_type": "user",
        "inherited": True,
        "email_address": "ann@example.com",
        "domain": "example.com",
        "display_name": "Ann",
        "photo_link": "https://example.com/ann",
        "expires_at": "2026-12-01T00:00:00Z",
        "allow_file_discovery": False,
        "view": "metadata",
        "deleted": False,
        "pending_owner": False,
        "inherited_from": "f",
    }


def test_what_google_does_not_say_is_left_out() -> None:
    """But for who may do what."""
    assert data_of(Permission("anyone", "anyone", "reader")) == {
        "id": "anyone",
        "type": "permission",
        "file_id": "1abc",
        "role": "reader",
        "grantee_type": "anyone",
        "inherited": False,
    }


OWN = PermissionDetail("file", "reader")
NEAR = PermissionDetail("file", "commenter", True, FileId("near"))
FAR = PermissionDetail("file", "writer", True, FileId("far"))


@pytest.mark.parametrize(
    ("role", "details", "inherited", "source"),
    [
        ("reader", (), False, None),
        ("reader", (OWN,), False, None),
        ("writer", (OWN, FAR), False, None),
        ("writer", (NEAR, FAR), True, "far"),
        ("reader", (NEAR, FAR), True, "near"),
        ("writer", (PermissionDetail("file", "writer", True),), True, None),
    ],
)
def test_inherited_is_what_nothing_of_the_items_own_gives(
    role: str, details: tuple[PermissionDetail, ...], inherited: bool, source: str | None
) -> None:
    """It comes from the first that gives the role, or else the first; My Drive does not say from where."""
    data = data_of(Permission("p", "user", role, permission_details=details))
    assert (data["inherited"], data.get("inherited_from")) == (inherited, source)


@pytest.mark.parametrize("file_id", ["1abc", 'a"b', "\\", "ü/ö", '"file_id":""'])
@pytest.mark.parametrize("own_id", ["p", '"file_id":""', '\\"file_id":'])
def test_an_items_id_is_put_in_whatever_it_holds(file_id: str, own_id: str) -> None:
    """No id or name can pass for the place where it belongs."""
    data = data_of(Permission(own_id, "user", "reader", display_name='"file_id":""'), file_id)
    assert (data["id"], data["file_id"], data["display_name"]) == (own_id, file_id, '"file_id":""')
