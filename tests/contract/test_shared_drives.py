"""drives.* and items of shared drives by Google's own client."""

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from support.google_client import Site, reasons

FOLDER = "application/vnd.google-apps.folder"
ALL = {"supportsAllDrives": True, "includeItemsFromAllDrives": True}


def new_drive(drive: Any, name: str) -> str:
    """A new shared drive's id."""
    return str(drive.drives().create(requestId=f"request-{name}", body={"name": name}).execute()["id"])


def test_life_of_a_shared_drive(site: Site) -> None:
    """A drive is made once for a request id, read, renamed, hidden, listed page by page and deleted."""
    drive = site.drive(site.alice)
    made = drive.drives().create(requestId="once", body={"name": "Once"}).execute()
    assert made["kind"] == "drive#drive"
    whole = drive.drives().get(driveId=made["id"], fields="*").execute()
    assert whole["name"] == "Once"
    assert whole["capabilities"]["canRenameDrive"] is True
    drive.drives().update(driveId=made["id"], body={"name": "Twice"}).execute()
    for n in range(3):
        new_drive(drive, f"Many {n}")
    found: list[str] = []
    request = drive.drives().list(pageSize=2)
    while request is not None:
        answer = request.execute()
        found += [each["name"] for each in answer["drives"]]
        request = drive.drives().list_next(request, answer)
    assert {"Twice", "Many 0", "Many 1", "Many 2"} <= set(found)
    assert len(found) == len(set(found))
    drive.drives().delete(driveId=made["id"]).execute()
    with pytest.raises(HttpError) as caught:
        drive.drives().get(driveId=made["id"]).execute()
    assert (caught.value.status_code, reasons(caught.value)) == (404, ["notFound"])


def test_items_need_supports_all_drives(site: Site) -> None:
    """An item of a shared drive is not found without supportsAllDrives, and belongs to the drive with it."""
    drive = site.drive(site.alice)
    drive_id = new_drive(drive, "Items")
    body = {"name": "Inside", "mimeType": FOLDER, "parents": [drive_id]}
    made = drive.files().create(body=body, supportsAllDrives=True, fields="*").execute()
    assert made["driveId"] == drive_id
    assert "owners" not in made
    assert "permissions" not in made
    assert made["permissionIds"]
    with pytest.raises(HttpError) as caught:
        drive.files().get(fileId=made["id"]).execute()
    assert (caught.value.status_code, reasons(caught.value)) == (404, ["notFound"])
    assert drive.files().get(fileId=made["id"], supportsAllDrives=True).execute()["name"] == "Inside"


def test_corpora_choose_what_is_listed(site: Site) -> None:
    """The user's corpus, one drive and all drives list different files."""
    drive = site.drive(site.alice)
    drive_id = new_drive(drive, "Corpora")
    drive.files().create(
        body={"name": "In the drive", "mimeType": FOLDER, "parents": [drive_id]}, supportsAllDrives=True
    ).execute()
    drive.files().create(body={"name": "In my drive", "mimeType": FOLDER}).execute()

    def listed(**query: object) -> set[str]:
        answer = drive.files().list(pageSize=1000, **query).execute()
        return {file["name"] for file in answer["files"]}

    assert listed(corpora="drive", driveId=drive_id, **ALL) == {"In the drive"}
    assert {"In the drive", "In my drive"} <= listed(corpora="allDrives", **ALL)
    own = listed()
    assert "In my drive" in own
    assert "In the drive" not in own


def test_wrong_combinations_are_refused(site: Site) -> None:
    """driveId goes with corpora=drive; items of all drives need supportsAllDrives."""
    drive = site.drive(site.alice)
    drive_id = new_drive(drive, "Combined")
    with site.observer.refusing():
        for query, status in (
            ({"includeItemsFromAllDrives": True}, 403),
            ({"corpora": "drive", **ALL}, 403),
            ({"driveId": drive_id, "corpora": "user", **ALL}, 403),
            ({"corpora": "everything"}, 400),
        ):
            with pytest.raises(HttpError) as caught:
                drive.files().list(**query).execute()
            assert caught.value.status_code == status, query


def test_members_see_the_drive_and_others_do_not(site: Site) -> None:
    """A member that is added finds the drive and its items; one that is removed does not."""
    alice, bob = site.drive(site.alice), site.drive(site.bob)
    drive_id = new_drive(alice, "Members")
    with pytest.raises(HttpError) as caught:
        bob.drives().get(driveId=drive_id).execute()
    assert caught.value.status_code == 404
    body = {"type": "user", "role": "writer", "emailAddress": site.bob}
    member = alice.permissions().create(fileId=drive_id, body=body, supportsAllDrives=True, fields="*").execute()
    assert bob.drives().get(driveId=drive_id).execute()["name"] == "Members"
    made = (
        alice.files()
        .create(body={"name": "For all", "mimeType": FOLDER, "parents": [drive_id]}, supportsAllDrives=True)
        .execute()
    )
    inherited = bob.permissions().list(fileId=made["id"], supportsAllDrives=True, fields="*").execute()["permissions"]
    details = [detail for permission in inherited for detail in permission["permissionDetails"]]
    assert all(detail["inherited"] for detail in details)
    assert {detail["inheritedFrom"] for detail in details} == {drive_id}
    alice.permissions().delete(fileId=drive_id, permissionId=member["id"], supportsAllDrives=True).execute()
    with pytest.raises(HttpError) as caught:
        bob.files().get(fileId=made["id"], supportsAllDrives=True).execute()
    assert caught.value.status_code == 404


def test_move_between_drives(site: Site) -> None:
    """A file moved into a shared drive belongs to it."""
    drive = site.drive(site.alice)
    drive_id = new_drive(drive, "Moved into")
    made = drive.files().create(body={"name": "Mover", "mimeType": "text/plain"}, fields="id,parents").execute()
    moved = (
        drive.files()
        .update(
            fileId=made["id"],
            addParents=drive_id,
            removeParents=made["parents"][0],
            supportsAllDrives=True,
            fields="driveId,parents",
        )
        .execute()
    )
    assert moved == {"driveId": drive_id, "parents": [drive_id]}
