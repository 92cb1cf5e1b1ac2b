"""files.* by Google's own client: create, read, change, search, page, copy, delete."""

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from support.google_client import Site, reasons

FOLDER = "application/vnd.google-apps.folder"
DOCUMENT = "application/vnd.google-apps.document"
SHORTCUT = "application/vnd.google-apps.shortcut"


def names(drive: Any, **query: object) -> list[str]:
    """The names that a search finds, over all pages, by the client's own paging."""
    found: list[str] = []
    request = drive.files().list(**query)
    while request is not None:
        answer = request.execute()
        found += [file["name"] for file in answer["files"]]
        request = drive.files().list_next(request, answer)
    return found


def folder(drive: Any, name: str, **more: object) -> str:
    """A new folder's id."""
    made = drive.files().create(body={"name": name, "mimeType": FOLDER, **more}, fields="id").execute()
    return str(made["id"])


def test_created_file_is_read_back(site: Site) -> None:
    """What is created has kind, id, name and type by default, and every field on demand."""
    drive = site.drive(site.alice)
    body = {"name": "Plan", "mimeType": DOCUMENT, "description": "d", "starred": True, "appProperties": {"k": "v"}}
    made = drive.files().create(body=body).execute()
    assert made == {"kind": "drive#file", "id": made["id"], "name": "Plan", "mimeType": DOCUMENT}
    whole = drive.files().get(fileId=made["id"], fields="*").execute()
    assert whole["description"] == "d"
    assert whole["starred"] is True
    assert whole["appProperties"] == {"k": "v"}
    assert whole["ownedByMe"] is True
    assert whole["owners"][0]["emailAddress"] == site.alice
    assert whole["permissions"][0]["role"] == "owner"
    assert whole["capabilities"]["canEdit"] is True
    assert "md5Checksum" not in whole
    assert "application/pdf" in whole["exportLinks"]


def test_fields_cut_the_answer(site: Site) -> None:
    """Masks select inner fields; an unknown one is refused with Google's words."""
    drive = site.drive(site.alice)
    file_id = folder(drive, "Masked")
    cut = drive.files().get(fileId=file_id, fields="owners(emailAddress),capabilities/canEdit").execute()
    assert cut == {"owners": [{"emailAddress": site.alice}], "capabilities": {"canEdit": True}}
    with site.observer.refusing(), pytest.raises(HttpError) as caught:
        drive.files().get(fileId=file_id, fields="nope").execute()
    assert caught.value.status_code == 400
    assert reasons(caught.value) == ["invalidParameter"]
    assert "Invalid field selection nope" in caught.value.reason


def test_update_renames_moves_and_trashes(site: Site) -> None:
    """A file can be renamed, moved between folders, trashed and restored."""
    drive = site.drive(site.alice)
    here, there = folder(drive, "Here"), folder(drive, "There")
    file_id = folder(drive, "Wanderer", parents=[here])
    moved = (
        drive.files()
        .update(
            fileId=file_id,
            addParents=there,
            removeParents=here,
            body={"name": "Settler"},
            fields="name,parents,version",
        )
        .execute()
    )
    assert (moved["name"], moved["parents"]) == ("Settler", [there])
    drive.files().update(fileId=file_id, body={"trashed": True}).execute()
    trashed = drive.files().get(fileId=file_id, fields="trashed,explicitlyTrashed").execute()
    assert trashed == {"trashed": True, "explicitlyTrashed": True}
    assert names(drive, q=f"'{there}' in parents and trashed = true") == ["Settler"]
    drive.files().update(fileId=file_id, body={"trashed": False}).execute()
    assert names(drive, q=f"'{there}' in parents and trashed = false") == ["Settler"]


def test_trash_of_a_folder_is_inherited(site: Site) -> None:
    """What lies in a trashed folder is trashed, but not by itself."""
    drive = site.drive(site.alice)
    outer = folder(drive, "Outer")
    inner = folder(drive, "Inner", parents=[outer])
    drive.files().update(fileId=outer, body={"trashed": True}).execute()
    state = drive.files().get(fileId=inner, fields="trashed,explicitlyTrashed").execute()
    assert state == {"trashed": True, "explicitlyTrashed": False}


def test_deleted_file_is_gone_with_what_it_holds(site: Site) -> None:
    """A deletion takes the folder's content along; both are 404 then."""
    drive = site.drive(site.alice)
    outer = folder(drive, "Doomed")
    inner = folder(drive, "Doomed too", parents=[outer])
    assert drive.files().delete(fileId=outer).execute() in {"", b""}
    for file_id in (outer, inner):
        with pytest.raises(HttpError) as caught:
            drive.files().get(fileId=file_id).execute()
        assert caught.value.status_code == 404
        assert reasons(caught.value) == ["notFound"]


def test_search_finds_by_every_kind_of_term(site: Site) -> None:
    """`q` works through the API, escapes and parentheses included."""
    drive = site.drive(site.alice)
    parent = folder(drive, "Searched")
    for name in ("Alpha report", "Beta's report", "Gamma"):
        drive.files().create(body={"name": name, "mimeType": DOCUMENT, "parents": [parent]}).execute()
    folder(drive, "Sub", parents=[parent])
    scope = f"'{parent}' in parents"
    assert names(drive, q=f"{scope} and name contains 'rep'", orderBy="name") == ["Alpha report", "Beta's report"]
    assert names(drive, q=rf"{scope} and name = 'Beta\'s report'") == ["Beta's report"]
    assert names(drive, q=f"{scope} and mimeType = '{FOLDER}'") == ["Sub"]
    assert names(drive, q=f"{scope} and not (name contains 'rep' or mimeType = '{FOLDER}')") == ["Gamma"]
    assert names(drive, q=f"{scope} and 'me' in owners and modifiedTime > '2012-06-04T12:00:00'", orderBy="name desc")[
        0
    ] == ("Sub")
    assert names(drive, q=f"{scope} and starred = true") == []
    with site.observer.refusing(), pytest.raises(HttpError) as caught:
        drive.files().list(q="name is x").execute()
    assert reasons(caught.value) == ["invalid"]


def test_pages_hold_everything_once(site: Site) -> None:
    """Paging by the client's own means gives each file once, in order."""
    drive = site.drive(site.alice)
    parent = folder(drive, "Paged")
    made = sorted(f"File {n:02d}" for n in range(23))
    for name in made:
        drive.files().create(body={"name": name, "mimeType": DOCUMENT, "parents": [parent]}).execute()
    query = {"q": f"'{parent}' in parents", "orderBy": "name", "pageSize": 5}
    first = drive.files().list(**query, fields="*").execute()
    assert first["kind"] == "drive#fileList"
    assert first["incompleteSearch"] is False
    assert names(drive, **query) == made


@pytest.mark.parametrize("size", [0, 1001])
def test_page_size_out_of_range_is_refused(site: Site, size: int) -> None:
    """A page size out of the range is 400 `invalidParameter`."""
    with site.observer.refusing(), pytest.raises(HttpError) as caught:
        site.drive(site.alice).files().list(pageSize=size).execute()
    assert (caught.value.status_code, reasons(caught.value)) == (400, ["invalidParameter"])


def test_bad_page_token_is_refused(site: Site) -> None:
    """A token that is no token is 400 `invalid` at `pageToken`."""
    with pytest.raises(HttpError) as caught:
        site.drive(site.alice).files().list(pageToken="nonsense").execute()
    assert (caught.value.status_code, reasons(caught.value)) == (400, ["invalid"])
    assert caught.value.error_details[0]["location"] == "pageToken"


def test_copy_is_a_new_file(site: Site) -> None:
    """A copy has its own id, the same type and a name of its own."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "Original", "mimeType": DOCUMENT}).execute()
    copy = drive.files().copy(fileId=made["id"], body={"name": "Copy"}).execute()
    assert copy["id"] != made["id"]
    assert (copy["name"], copy["mimeType"]) == ("Copy", DOCUMENT)


def test_generated_ids_can_be_used(site: Site) -> None:
    """Ids made beforehand can be given to new files, once."""
    drive = site.drive(site.alice)
    answer = drive.files().generateIds(count=3, space="drive").execute()
    assert len(set(answer["ids"])) == 3
    assert answer["kind"] == "drive#generatedIds"
    made = drive.files().create(body={"id": answer["ids"][0], "name": "Known", "mimeType": FOLDER}).execute()
    assert made["id"] == answer["ids"][0]
    with pytest.raises(HttpError) as caught:
        drive.files().create(body={"id": answer["ids"][0], "name": "Again", "mimeType": FOLDER}).execute()
    assert caught.value.status_code == 409


def test_shortcut_points_to_its_target(site: Site) -> None:
    """A shortcut carries its target's id and type."""
    drive = site.drive(site.alice)
    target = drive.files().create(body={"name": "Target", "mimeType": DOCUMENT}).execute()
    body = {"name": "Short", "mimeType": SHORTCUT, "shortcutDetails": {"targetId": target["id"]}}
    made = drive.files().create(body=body, fields="shortcutDetails,mimeType").execute()
    assert made["shortcutDetails"]["targetId"] == target["id"]
    assert made["shortcutDetails"]["targetMimeType"] == DOCUMENT


def test_about_tells_who_and_what(site: Site) -> None:
    """about.get knows the user, the quota and the export formats, and refuses to answer without `fields`."""
    drive = site.drive(site.alice)
    about = drive.about().get(fields="*").execute()
    assert about["user"]["emailAddress"] == site.alice
    assert about["user"]["me"] is True
    assert "application/pdf" in about["exportFormats"][DOCUMENT]
    assert int(about["storageQuota"]["usage"]) >= 0
    with site.observer.refusing(), pytest.raises(HttpError) as caught:
        drive.about().get().execute()
    assert (caught.value.status_code, reasons(caught.value)) == (400, ["required"])
