"""Google's resources become the contract's records, field by field."""

import json
import shutil
import sysconfig
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from google_drive_worker.domain.drive import DriveFile, SharedDrive, read_file
from google_drive_worker.domain.ids import FileId, PageToken, SyncId
from google_drive_worker.domain.record import DeleteCause, NamedGap, Record, ResourceType, SyncSummary
from google_drive_worker.normalization.pages import IS_COMPILED
from google_drive_worker.normalization.shapes import FileData, PeopleData, StandingData
from google_drive_worker.normalization.transformer import (
    deletion,
    sync_record,
    transform_drive,
    transform_file,
)
from google_drive_worker.normalization.values import snake_case

FILE: dict[str, Any] = {
    "id": "f1",
    "name": "Report",
    "mimeType": "application/pdf",
    "description": "a description",
    "driveId": "d1",
    "parents": ["p1", "p2"],
    "size": "12345",
    "quotaBytesUsed": "54321",
    "version": "17",
    "headRevisionId": "r1",
    "md5Checksum": "m5",
    "sha1Checksum": "s1",
    "sha256Checksum": "s256",
    "originalFilename": "report.tar.gz",
    "fileExtension": "gz",
    "fullFileExtension": "tar.gz",
    "createdTime": "2025-01-01T00:00:00.000Z",
    "modifiedTime": "2025-01-02T00:00:00.000Z",
    "modifiedByMeTime": "2025-01-03T00:00:00.000Z",
    "viewedByMeTime": "2025-01-04T00:00:00.000Z",
    "sharedWithMeTime": "2025-01-05T00:00:00.000Z",
    "trashed": True,
    "explicitlyTrashed": True,
    "trashedTime": "2025-01-06T00:00:00.000Z",
    "trashingUser": {"displayName": "Trasher"},
    "starred": True,
    "shared": False,
    "ownedByMe": True,
    "owners": [{"displayName": "Owner", "emailAddress": "o@x.org", "permissionId": "1", "photoLink": "ph", "me": True}],
    "lastModifyingUser": {"emailAddress": "editor@x.org"},
    "sharingUser": {"displayName": "Sharer", "me": False},
    "webViewLink": "https://view",
    "webContentLink": "https://content",
    "iconLink": "https://icon",
    "hasThumbnail": False,
    "shortcutDetails": {"targetId": "t1", "targetMimeType": "text/plain", "targetResourceKey": "0-t"},
    "spaces": ["drive"],
    "properties": {"someKey": "v"},
    "appProperties": {"appKey": "v"},
    "folderColorRgb": "#ff0000",
    "writersCanShare": True,
    "copyRequiresWriterPermission": False,
    "inheritedPermissionsDisabled": False,
    "hasAugmentedPermissions": True,
    "permissionIds": ["1", "anyone"],
    "resourceKey": "0-key",
    "capabilities": {"canEdit": True, "canAddChildren": False},
    "contentRestrictions": [
        {
            "readOnly": True,
            "reason": "final",
            "restrictionTime": "2025-01-07T00:00:00Z",
            "type": "globalContentRestriction",
        }
    ],
    "linkShareMetadata": {"securityUpdateEligible": True, "securityUpdateEnabled": False},
    "labelInfo": {
        "labels": [
            {"id": "l1", "revisionId": "2", "fields": {"s": {"id": "s", "valueType": "selection", "selection": ["x"]}}}
        ]
    },
}


def data_of(record: Record) -> dict[str, Any]:
    """A record's data as a consumer sees it."""
    data: dict[str, Any] = json.loads(msgspec.json.encode(record.data))
    return data


def transform(google: dict[str, Any]) -> dict[str, Any]:
    """A file's data, from what Google sends."""
    return data_of(transform_file(read_file(json.dumps(google).encode())))


def test_every_field_of_a_file_arrives_where_it_belongs() -> None:
    """A file with every field that the worker reads loses none of them."""
    assert transform(FILE) == {
        "id": "f1",
        "type": "file",
        "name": "Report",
        "mime_type": "application/pdf",
        "size_bytes": 12345,
        "created_at": "2025-01-01T00:00:00.000Z",
        "modified_at": "2025-01-02T00:00:00.000Z",
        "trashed": True,
        "description": "a description",
        "drive_id": "d1",
        "parent_id": "p1",
        "parents": ["p1", "p2"],
        "version": 17,
        "quota_bytes_used": 54321,
        "head_revision_id": "r1",
        "checksums": {"md5": "m5", "sha1": "s1", "sha256": "s256"},
        "original_filename": "report.tar.gz",
        "file_extension": "gz",
        "full_file_extension": "tar.gz",
        "modified_by_me_at": "2025-01-03T00:00:00.000Z",
        "viewed_by_me_at": "2025-01-04T00:00:00.000Z",
        "shared_with_me_at": "2025-01-05T00:00:00.000Z",
        "explicitly_trashed": True,
        "trashed_at": "2025-01-06T00:00:00.000Z",
        "trashed_by": {"display_name": "Trasher"},
        "starred": True,
        "shared": False,
        "owned_by_me": True,
        "owners": [
            {
                "display_name": "Owner",
                "email_address": "o@x.org",
                "permission_id": "1",
                "photo_link": "ph",
                "me": True,
            }
        ],
        "last_modified_by": {"email_address": "editor@x.org"},
        "shared_by": {"display_name": "Sharer", "me": False},
        "web_view_link": "https://view",
        "web_content_link": "https://content",
        "icon_link": "https://icon",
        "has_thumbnail": False,
        "shortcut": {"target_id": "t1", "target_mime_type": "text/plain", "target_resource_key": "0-t"},
        "spaces": ["drive"],
        "properties": {"someKey": "v"},
        "app_properties": {"appKey": "v"},
        "folder_color_rgb": "#ff0000",
        "writers_can_share": True,
        "copy_requires_writer_permission": False,
        "inherited_permissions_disabled": False,
        "has_augmented_permissions": True,
        "permission_ids": ["1", "anyone"],
        "resource_key": "0-key",
        "capabilities": {"can_edit": True, "can_add_children": False},
        "content_restrictions": [
            {
                "read_only": True,
                "reason": "final",
                "restricted_at": "2025-01-07T00:00:00Z",
                "type": "globalContentRestriction",
            }
        ],
        "link_share_metadata": {"security_update_eligible": True, "security_update_enabled": False},
        "labels": [
            {"id": "l1", "revision_id": "2", "fields": [{"id": "s", "value_type": "selection", "values": ["x"]}]}
        ],
    }


def test_the_example_above_has_every_field_there_is() -> None:
    """A field added to the domain or to the record has to be added to the test as well."""
    assert {*FILE, "(lossy)"} == {field.encode_name for field in msgspec.structs.fields(DriveFile)}
    assert {*transform(FILE), "export_formats"} == {
        field.name for shape in (FileData, PeopleData, StandingData) for field in msgspec.structs.fields(shape)
    }


def test_a_bare_file_has_the_specification_s_fields_and_nulls() -> None:
    """What the specification names is always there; the rest is left out where Google is silent."""
    assert transform({"id": "f1", "name": "n", "mimeType": "text/plain"}) == {
        "id": "f1",
        "type": "file",
        "name": "n",
        "mime_type": "text/plain",
        "size_bytes": None,
        "created_at": None,
        "modified_at": None,
        "trashed": False,
    }


def test_a_folder_is_a_resource_type_of_its_own() -> None:
    """The type of the record, of its data and of its key agree."""
    record = transform_file(DriveFile(FileId("f1"), "Folder", "application/vnd.google-apps.folder"))
    assert (record.resource_type, record.resource_id, record.operation) == ("folder", "f1", "upsert")
    assert data_of(record)["type"] == "folder"


@pytest.mark.parametrize(
    ("mime_type", "has"),
    [
        ("document", "text/markdown"),
        ("spreadsheet", "text/csv"),
        ("drawing", "image/svg+xml"),
        ("form", None),
        ("folder", None),
    ],
)
def test_export_formats_come_from_the_type(mime_type: str, has: str | None) -> None:
    """A Workspace document says what it can be exported to; what can't be exported says nothing."""
    formats = transform({"id": "f", "mimeType": f"application/vnd.google-apps.{mime_type}"}).get("export_formats", [])
    assert has in formats if has else formats == []


def test_one_poison_value_does_not_lose_the_file() -> None:
    """A size and times that make no sense become null, and everything else stays."""
    poisoned = transform({**FILE, "size": "huge", "createdTime": "long ago", "trashedTime": "x", "version": "-"})
    assert (poisoned["size_bytes"], poisoned["created_at"], poisoned["name"]) == (None, None, "Report")
    assert "trashed_at" not in poisoned
    assert "version" not in poisoned


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", None), ("-1", None), ("1.5", None),
     ("", None), ("9" * 5000, None), ("²", None), (7, 7), ("null", None)],
)  # fmt: skip
def test_numbers_are_int64_or_nothing(text: object, expected: int | None) -> None:
    """Google's int64 strings become integers; what is none becomes null, and the others stay."""
    data = transform({"id": "f", "size": text, "version": "3"})
    assert (data["size_bytes"], data["version"]) == (expected, 3)


EMPTY: list[tuple[str, object, object]] = [
    ("shortcutDetails", {"me": "perhaps"}, {}),
    ("shortcutDetails", {"canEdit": 1.5}, {}),
    ("lastModifyingUser", {"canEdit": 1.5}, {}),
    ("lastModifyingUser", {"me": "perhaps"}, {}),
    ("capabilities", {"me": "perhaps"}, {}),
    ("capabilities", {"canEdit": 1.5}, {}),
    ("owners", [{"readOnly": 7}], [{}]),
    ("contentRestrictions", [{"readOnly": 7}], [{}]),
]
"""What has none of the fields that are known, or none that makes sense, and what is left of it."""


@pytest.mark.parametrize(
    "name", ["owners", "lastModifyingUser", "capabilities", "shortcutDetails", "contentRestrictions"]
)
@pytest.mark.parametrize("value", [None, "text", 3, {"me": "perhaps"}, [{"readOnly": 7}], {"canEdit": 1.5}])
def test_what_is_nested_and_makes_no_sense_is_left_out(name: str, value: object) -> None:
    """It never loses the file, nor what else the file holds."""
    ours = {"lastModifyingUser": "last_modified_by", "shortcutDetails": "shortcut"}.get(name, snake_case(name))
    expected = transform(FILE)
    del expected[ours]
    for known, nonsense, left in EMPTY:
        if (name, value) == (known, nonsense):
            expected[ours] = left
    assert transform({**FILE, name: value}) == expected


_TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_FILES = st.fixed_dictionaries(
    {"id": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)},
    optional=dict.fromkeys(("size", "version", "createdTime", "trashedTime", "owners", "capabilities"), _TEXT),
)


@settings(deadline=None)
@given(_FILES)
def test_no_file_is_refused(google: dict[str, object]) -> None:
    """Whatever Google's strings hold, a record comes of it."""
    assert transform(google)["id"] == google["id"]


def test_a_shared_drive_keeps_its_restrictions_and_capabilities() -> None:
    """Every field of a shared drive arrives, nested restrictions included."""
    google = {
        "id": "d1",
        "name": "Team",
        "createdTime": "2025-01-15T10:00:00Z",
        "hidden": False,
        "orgUnitId": "ou",
        "themeId": "th",
        "colorRgb": "#00f",
        "backgroundImageLink": "https://bg",
        "restrictions": {"domainUsersOnly": True, "downloadRestriction": {"restrictedForReaders": True}},
        "capabilities": {"canAddChildren": True},
    }
    record = transform_drive(msgspec.json.decode(json.dumps(google), type=SharedDrive))
    assert (record.resource_type, record.resource_id, record.operation) == ("shared_drive", "d1", "upsert")
    assert data_of(record) == {
        "id": "d1",
        "type": "shared_drive",
        "name": "Team",
        "created_at": "2025-01-15T10:00:00Z",
        "hidden": False,
        "org_unit_id": "ou",
        "theme_id": "th",
        "color_rgb": "#00f",
        "background_image_link": "https://bg",
        "restrictions": {"domain_users_only": True, "download_restriction": {"restricted_for_readers": True}},
        "capabilities": {"can_add_children": True},
    }


@pytest.mark.parametrize("resource_type", get_args(ResourceType))
@pytest.mark.parametrize("cause", get_args(DeleteCause))
def test_a_deletion_says_what_and_why(resource_type: ResourceType, cause: DeleteCause) -> None:
    """A delete carries id, type, the mark and its cause, and nothing else."""
    record = deletion(resource_type, "r1", cause)
    assert (record.resource_type, record.resource_id, record.operation) == (resource_type, "r1", "delete")
    assert data_of(record) == {"id": "r1", "type": resource_type, "deleted": True, "cause": cause}


def test_the_two_ends_of_a_full_sync() -> None:
    """The opening record knows when, the closing one also how much and where changes go on; no field is ever absent."""
    opening = sync_record(SyncSummary(sync_id=SyncId("s1"), started_at="2025-01-20T10:00:00Z"))
    assert (opening.resource_type, opening.resource_id, opening.operation) == ("sync", "s1", "upsert")
    assert data_of(opening) == {
        "id": "s1",
        "type": "sync",
        "kind": "full_sync",
        "status": "started",
        "started_at": "2025-01-20T10:00:00Z",
        "completed_at": None,
        "counts": None,
        "cursor": None,
        "gaps": None,
    }
    closing = sync_record(
        SyncSummary(
            sync_id=SyncId("s1"),
            started_at="2025-01-20T10:00:00Z",
            completed_at="2025-01-20T11:00:00Z",
            counts={"file": 2, "folder": 1},
            page_token=PageToken("tok"),
        )
    )
    assert data_of(closing) == {
        **data_of(opening),
        "status": "completed",
        "completed_at": "2025-01-20T11:00:00Z",
        "counts": {"file": 2, "folder": 1},
        "cursor": {"page_token": "tok", "timestamp": "2025-01-20T11:00:00Z"},
        "gaps": [],
    }
    gap = NamedGap("item", "a", "bad_request", "no")
    summary = SyncSummary(sync_id=SyncId("s1"), started_at="x", completed_at="y", gaps=(gap,))
    told = data_of(sync_record(summary))
    assert (told["status"], told["gaps"]) == (
        "incomplete",
        [{"scope": "item", "id": "a", "code": "bad_request", "message": "no"}],
    )


def test_the_fast_way_is_there_where_it_can_be() -> None:
    """A machine with a C compiler that goes the long way would be slow, and nobody would know why."""
    headers = Path(sysconfig.get_path("include"), "Python.h")
    assert IS_COMPILED or shutil.which("cc") is None or not headers.exists()
