"""The lesser endpoints by Google's own client: hiding drives, keeping revisions, the trash, ownership."""

import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload

from support.google_client import Site, reasons

FOLDER = "application/vnd.google-apps.folder"


def test_drives_are_hidden_and_shown(site: Site) -> None:
    """A drive can be taken out of the default view and put back."""
    drive = site.drive(site.alice)
    made = drive.drives().create(requestId="hidden", body={"name": "Hidden"}).execute()
    drive.drives().hide(driveId=made["id"]).execute()
    assert drive.drives().get(driveId=made["id"], fields="hidden").execute() == {"hidden": True}
    drive.drives().unhide(driveId=made["id"]).execute()
    assert drive.drives().get(driveId=made["id"], fields="hidden").execute() == {"hidden": False}


def test_drive_with_items_is_not_deleted(site: Site) -> None:
    """A shared drive has to be empty; the same request id makes no second one."""
    drive = site.drive(site.alice)
    made = drive.drives().create(requestId="full", body={"name": "Full"}).execute()
    with pytest.raises(HttpError) as caught:
        drive.drives().create(requestId="full", body={"name": "Full"}).execute()
    assert caught.value.status_code == 409
    body = {"name": "Inside", "mimeType": FOLDER, "parents": [made["id"]]}
    drive.files().create(body=body, supportsAllDrives=True).execute()
    with pytest.raises(HttpError) as caught:
        drive.drives().delete(driveId=made["id"]).execute()
    assert caught.value.status_code == 403


def test_revisions_are_kept_and_deleted(site: Site) -> None:
    """A revision can be kept for ever, and an old one deleted, but not the last."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "v"}, media_body=MediaInMemoryUpload(b"one", "text/plain")).execute()
    drive.files().update(fileId=made["id"], media_body=MediaInMemoryUpload(b"two", "text/plain")).execute()
    first, last = drive.revisions().list(fileId=made["id"]).execute()["revisions"]
    query = {"fileId": made["id"], "revisionId": last["id"]}
    kept = drive.revisions().update(**query, body={"keepForever": True}, fields="keepForever").execute()
    assert kept == {"keepForever": True}
    drive.revisions().delete(fileId=made["id"], revisionId=first["id"]).execute()
    assert len(drive.revisions().list(fileId=made["id"]).execute()["revisions"]) == 1
    with pytest.raises(HttpError) as caught:
        drive.revisions().delete(**query).execute()
    assert caught.value.status_code in {400, 403}


def test_trash_is_emptied(site: Site) -> None:
    """What is in the trash goes for good, and nothing else."""
    drive = site.drive(site.bob)
    doomed, kept = (drive.files().create(body={"name": name}).execute()["id"] for name in ("Doomed", "Kept"))
    drive.files().update(fileId=doomed, body={"trashed": True}).execute()
    drive.files().emptyTrash().execute()
    assert drive.files().get(fileId=kept).execute()["name"] == "Kept"
    with pytest.raises(HttpError) as caught:
        drive.files().get(fileId=doomed).execute()
    assert reasons(caught.value) == ["notFound"]


def test_ownership_is_transferred(site: Site) -> None:
    """A file changes hands where transferOwnership says so; the former owner may still write."""
    alice, bob = site.drive(site.alice), site.drive(site.bob)
    file_id = alice.files().create(body={"name": "Given"}).execute()["id"]
    body = {"type": "user", "role": "owner", "emailAddress": site.bob}
    with pytest.raises(HttpError) as caught:
        alice.permissions().create(fileId=file_id, body=body).execute()
    assert caught.value.status_code == 403
    alice.permissions().create(fileId=file_id, body=body, transferOwnership=True).execute()
    assert bob.files().get(fileId=file_id, fields="ownedByMe").execute() == {"ownedByMe": True}
    assert alice.files().get(fileId=file_id, fields="capabilities/canEdit").execute()["capabilities"]["canEdit"]


def test_inherited_permissions_of_my_drive(site: Site) -> None:
    """Sharing a folder gives what is below it, and shows there as inherited."""
    alice, bob = site.drive(site.alice), site.drive(site.bob)
    outer = alice.files().create(body={"name": "Outer", "mimeType": FOLDER}).execute()["id"]
    inner = alice.files().create(body={"name": "Inner", "parents": [outer]}).execute()["id"]
    body = {"type": "user", "role": "commenter", "emailAddress": site.bob}
    given = alice.permissions().create(fileId=outer, body=body).execute()
    assert bob.files().get(fileId=inner).execute()["name"] == "Inner"
    seen = alice.permissions().get(fileId=inner, permissionId=given["id"], fields="*").execute()
    assert seen["permissionDetails"] == [{"permissionType": "file", "role": "commenter", "inherited": True}]
    with pytest.raises(HttpError) as caught:
        alice.permissions().delete(fileId=inner, permissionId=given["id"]).execute()
    assert caught.value.status_code == 403
    alice.permissions().delete(fileId=outer, permissionId=given["id"]).execute()
    with pytest.raises(HttpError) as caught:
        bob.files().get(fileId=inner).execute()
    assert caught.value.status_code == 404


def test_every_page_of_every_list(site: Site) -> None:
    """Revisions, replies and permissions come page by page, to the last."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "p"}, media_body=MediaInMemoryUpload(b"0", "text/plain")).execute()
    for n in range(4):
        drive.files().update(fileId=made["id"], media_body=MediaInMemoryUpload(b"%d" % n, "text/plain")).execute()
    comment = drive.comments().create(fileId=made["id"], body={"content": "?"}, fields="id").execute()["id"]
    scope = {"fileId": made["id"], "commentId": comment}
    for n in range(5):
        drive.replies().create(body={"content": f"{n}"}, fields="id", **scope).execute()
    for room, key, query in (
        (drive.revisions(), "revisions", {"fileId": made["id"]}),
        (drive.replies(), "replies", {**scope, "fields": "nextPageToken,replies(id)"}),
    ):
        found: list[str] = []
        request = room.list(pageSize=2, **query)
        while request is not None:
            answer = request.execute()
            found += [each["id"] for each in answer[key]]
            request = room.list_next(request, answer)
        assert len(set(found)) == len(found) == 5, key
