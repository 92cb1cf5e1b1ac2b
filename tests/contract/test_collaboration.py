"""permissions.*, comments.* and replies.* by Google's own client."""

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from support.google_client import Site, reasons

DOCUMENT = "application/vnd.google-apps.document"


def document(drive: Any) -> str:
    """A new document's id."""
    return str(drive.files().create(body={"name": "Discussed", "mimeType": DOCUMENT}).execute()["id"])


def test_life_of_a_permission(site: Site) -> None:
    """A permission is given, read, listed, raised and taken away."""
    drive = site.drive(site.alice)
    file_id = document(drive)
    body = {"type": "user", "role": "reader", "emailAddress": site.bob}
    made = drive.permissions().create(fileId=file_id, body=body, fields="*").execute()
    assert (made["kind"], made["role"], made["emailAddress"]) == ("drive#permission", "reader", site.bob)
    assert site.drive(site.bob).files().get(fileId=file_id).execute()["name"] == "Discussed"
    raised = drive.permissions().update(fileId=file_id, permissionId=made["id"], body={"role": "writer"}).execute()
    assert raised["role"] == "writer"
    assert drive.permissions().get(fileId=file_id, permissionId=made["id"]).execute()["role"] == "writer"
    listed = drive.permissions().list(fileId=file_id).execute()["permissions"]
    assert {permission["role"] for permission in listed} == {"owner", "writer"}
    drive.permissions().delete(fileId=file_id, permissionId=made["id"]).execute()
    with pytest.raises(HttpError) as caught:
        drive.permissions().get(fileId=file_id, permissionId=made["id"]).execute()
    assert (caught.value.status_code, reasons(caught.value)) == (404, ["notFound"])


def test_links_domains_and_pages_of_permissions(site: Site) -> None:
    """Links and domains can be given access; the list comes in pages where it is asked to."""
    drive = site.drive(site.alice)
    file_id = document(drive)
    anyone = drive.permissions().create(fileId=file_id, body={"type": "anyone", "role": "reader"}).execute()
    assert anyone["type"] == "anyone"
    body = {"type": "domain", "role": "commenter", "domain": site.alice.partition("@")[2]}
    drive.permissions().create(fileId=file_id, body=body).execute()
    found: list[str] = []
    request = drive.permissions().list(fileId=file_id, pageSize=2)
    while request is not None:
        answer = request.execute()
        found += [permission["type"] for permission in answer["permissions"]]
        request = drive.permissions().list_next(request, answer)
    assert sorted(found) == ["anyone", "domain", "user"]
    assert drive.files().list(q="visibility = 'anyoneWithLink'").execute()["files"][0]["id"] == file_id


def test_readers_can_not_write(site: Site) -> None:
    """A reader's edit is refused with 403 `insufficientFilePermissions`."""
    alice, bob = site.drive(site.alice), site.drive(site.bob)
    file_id = document(alice)
    body = {"type": "user", "role": "reader", "emailAddress": site.bob}
    alice.permissions().create(fileId=file_id, body=body).execute()
    with pytest.raises(HttpError) as caught:
        bob.files().update(fileId=file_id, body={"name": "Mine"}).execute()
    assert (caught.value.status_code, reasons(caught.value)) == (403, ["insufficientFilePermissions"])
    shared = bob.files().list(q="sharedWithMe and trashed = false", fields="files(id,sharedWithMeTime)").execute()
    assert file_id in {file["id"] for file in shared["files"]}


def test_life_of_a_comment(site: Site) -> None:
    """A comment is made, read, changed, listed and deleted; the deleted one shows where it is asked for."""
    drive = site.drive(site.alice)
    file_id = document(drive)
    made = drive.comments().create(fileId=file_id, body={"content": "Why?"}, fields="*").execute()
    assert (made["kind"], made["content"], made["resolved"]) == ("drive#comment", "Why?", False)
    assert made["author"]["me"] is True
    query = {"fileId": file_id, "commentId": made["id"], "fields": "*"}
    assert drive.comments().update(body={"content": "How?"}, **query).execute()["content"] == "How?"
    assert drive.comments().get(**query).execute()["content"] == "How?"
    assert len(drive.comments().list(fileId=file_id, fields="*").execute()["comments"]) == 1
    drive.comments().delete(fileId=file_id, commentId=made["id"]).execute()
    assert drive.comments().list(fileId=file_id, fields="comments(id)").execute()["comments"] == []
    listed = drive.comments().list(fileId=file_id, fields="comments", includeDeleted=True).execute()["comments"]
    assert listed[0]["deleted"] is True
    assert "content" not in listed[0]


def test_comments_come_in_pages(site: Site) -> None:
    """Pages of comments follow one another."""
    drive = site.drive(site.alice)
    file_id = document(drive)
    made = {
        drive.comments().create(fileId=file_id, body={"content": f"{n}"}, fields="id").execute()["id"] for n in range(5)
    }
    found: list[str] = []
    request = drive.comments().list(fileId=file_id, fields="nextPageToken,comments(id)", pageSize=2)
    while request is not None:
        answer = request.execute()
        found += [comment["id"] for comment in answer["comments"]]
        request = drive.comments().list_next(request, answer)
    assert set(found) == made
    assert len(found) == 5


def test_life_of_a_reply(site: Site) -> None:
    """Replies are made, changed, listed and deleted; one with an action resolves the comment."""
    drive = site.drive(site.alice)
    file_id = document(drive)
    comment = drive.comments().create(fileId=file_id, body={"content": "?"}, fields="id").execute()["id"]
    scope = {"fileId": file_id, "commentId": comment}
    made = drive.replies().create(body={"content": "!"}, fields="*", **scope).execute()
    assert (made["kind"], made["content"]) == ("drive#reply", "!")
    one = {**scope, "replyId": made["id"], "fields": "id,content"}
    assert drive.replies().update(body={"content": "!!"}, **one).execute()["content"] == "!!"
    assert drive.replies().get(**one).execute()["content"] == "!!"
    assert len(drive.replies().list(fields="*", **scope).execute()["replies"]) == 1
    drive.replies().create(body={"content": "done", "action": "resolve"}, fields="*", **scope).execute()
    whole = drive.comments().get(fields="*", **scope).execute()
    assert whole["resolved"] is True
    assert [reply["content"] for reply in whole["replies"]] == ["!!", "done"]
    drive.replies().delete(**scope, replyId=made["id"]).execute()
    assert len(drive.replies().list(fields="replies(id)", **scope).execute()["replies"]) == 1


def test_comments_need_fields(site: Site) -> None:
    """Comment methods refuse to answer without `fields`."""
    drive = site.drive(site.alice)
    with site.observer.refusing(), pytest.raises(HttpError) as caught:
        drive.comments().list(fileId=document(drive)).execute()
    assert (caught.value.status_code, reasons(caught.value)) == (400, ["required"])
