"""changes.* by Google's own client: the user's log and a shared drive's."""

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from support.google_client import Site, reasons

FOLDER = "application/vnd.google-apps.folder"


def start_token(drive: Any, **query: object) -> str:
    """Where the log stands now."""
    answer = drive.changes().getStartPageToken(**query).execute()
    assert answer["kind"] == "drive#startPageToken"
    return str(answer["startPageToken"])


def changes(drive: Any, token: str, **query: object) -> list[dict[str, Any]]:
    """Every change since, by the client's own paging, to the page that brings the new token."""
    found: list[dict[str, Any]] = []
    request = drive.changes().list(pageToken=token, fields="*", **query)
    while request is not None:
        answer = request.execute()
        found += answer["changes"]
        following = drive.changes().list_next(request, answer)
        assert (following is None) == ("newStartPageToken" in answer)
        request = following
    return found


def folder(drive: Any, name: str) -> str:
    """A new folder's id."""
    return str(drive.files().create(body={"name": name, "mimeType": FOLDER}).execute()["id"])


def test_changes_tell_the_present_state(site: Site) -> None:
    """A file changed twice has one entry, with its state of now."""
    drive = site.drive(site.alice)
    token = start_token(drive)
    assert changes(drive, token) == []
    file_id = folder(drive, "One")
    drive.files().update(fileId=file_id, body={"name": "Two"}).execute()
    entries = [change for change in changes(drive, token) if change["fileId"] == file_id]
    assert len(entries) == 1
    assert entries[0]["kind"] == "drive#change"
    assert entries[0]["changeType"] == "file"
    assert entries[0]["removed"] is False
    assert entries[0]["file"]["name"] == "Two"


def test_trash_is_a_change_and_deletion_a_removal(site: Site) -> None:
    """Trashing shows in the file; deletion is `removed`, without a file; both can be left out."""
    drive = site.drive(site.alice)
    file_id = folder(drive, "Gone")
    token = start_token(drive)
    drive.files().update(fileId=file_id, body={"trashed": True}).execute()
    assert changes(drive, token)[0]["file"]["trashed"] is True
    drive.files().delete(fileId=file_id).execute()
    (removal,) = changes(drive, token)
    assert removal["removed"] is True
    assert "file" not in removal
    assert changes(drive, token, includeRemoved=False) == []


def test_changes_come_in_pages(site: Site) -> None:
    """Pages follow one another by nextPageToken; the last one alone brings newStartPageToken."""
    drive = site.drive(site.alice)
    token = start_token(drive)
    made = {folder(drive, f"Page {n}") for n in range(7)}
    assert {change["fileId"] for change in changes(drive, token, pageSize=3)} >= made


def test_access_comes_and_goes_in_the_log(site: Site) -> None:
    """Sharing with a user is a change in their log, the end of it a removal."""
    alice, bob = site.drive(site.alice), site.drive(site.bob)
    file_id = folder(alice, "Shared")
    token = start_token(bob)
    body = {"type": "user", "role": "reader", "emailAddress": site.bob}
    permission = alice.permissions().create(fileId=file_id, body=body, sendNotificationEmail=False).execute()
    (change,) = changes(bob, token)
    assert (change["fileId"], change["removed"]) == (file_id, False)
    token = start_token(bob)
    alice.permissions().delete(fileId=file_id, permissionId=permission["id"]).execute()
    (change,) = changes(bob, token)
    assert (change["fileId"], change["removed"]) == (file_id, True)


def test_shared_drive_has_its_own_log(site: Site) -> None:
    """A shared drive's items are in its log; a rename of the drive is a `drive` change in the user's."""
    drive = site.drive(site.alice)
    shared = drive.drives().create(requestId="changes-1", body={"name": "Logged"}).execute()
    scope = {"driveId": shared["id"], "supportsAllDrives": True}
    token, own = start_token(drive, **scope), start_token(drive)
    body = {"name": "Inside", "mimeType": FOLDER, "parents": [shared["id"]]}
    inside = drive.files().create(body=body, supportsAllDrives=True).execute()
    entries = changes(drive, token, includeItemsFromAllDrives=True, **scope)
    assert [change["fileId"] for change in entries if change["changeType"] == "file"] == [inside["id"]]
    assert entries[0]["file"]["driveId"] == shared["id"]
    drive.drives().update(driveId=shared["id"], body={"name": "Renamed"}).execute()
    log = changes(drive, own, includeItemsFromAllDrives=True, supportsAllDrives=True)
    renamed = [change for change in log if change["changeType"] == "drive"]
    assert renamed[-1]["drive"]["name"] == "Renamed"
    assert renamed[-1]["driveId"] == shared["id"]


def test_bad_tokens_are_refused(site: Site) -> None:
    """No token is 400 `required`; a bad one 400 `invalid` at `pageToken`."""
    drive = site.drive(site.alice)
    with pytest.raises(HttpError) as caught:
        drive.changes().list(pageToken="nonsense").execute()
    assert (caught.value.status_code, reasons(caught.value)) == (400, ["invalid"])
    status, body = site.get("/drive/v3/changes", site.alice)
    assert status == 400
    assert body["error"]["errors"][0]["reason"] == "required"
