"""permissions.*, comments.* and replies.* by Google's own client."""

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from drive_simulator.model.clock import rfc3339
from drive_simulator.model.sharing import delete_account, set_resource_key
from support.google_client import Site, reasons

DOCUMENT = "application/vnd.google-apps.document"
FOLDER = "application/vnd.google-apps.folder"


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


def test_a_link_with_a_resource_key_asks_for_it(site: Site) -> None:
    """An item with a key that is open by link alone is 404 without the key, and there with it; shortcuts carry it."""
    alice, bob = site.drive(site.alice), site.drive(site.bob)
    file_id = document(alice)
    alice.permissions().create(fileId=file_id, body={"type": "anyone", "role": "reader"}).execute()
    assert bob.files().get(fileId=file_id).execute()["id"] == file_id
    site.simulator.apply(lambda world: set_resource_key(world, world.items[file_id], "0-abcdefgh"))
    assert alice.files().get(fileId=file_id).execute()["resourceKey"] == "0-abcdefgh"
    for header, status in (("", 404), (f"{file_id}/0-wrong", 404), (f"x/y,{file_id}/0-abcdefgh", 200)):
        request = bob.files().get(fileId=file_id)
        request.headers["X-Goog-Drive-Resource-Keys"] = header
        if status == 200:
            assert request.execute()["resourceKey"] == "0-abcdefgh"
        else:
            with pytest.raises(HttpError) as caught:
                request.execute()
            assert (caught.value.status_code, reasons(caught.value)) == (404, ["notFound"])
    body = {"mimeType": "application/vnd.google-apps.shortcut", "shortcutDetails": {"targetId": file_id}}
    made = alice.files().create(body=body, fields="shortcutDetails").execute()
    assert made["shortcutDetails"]["targetResourceKey"] == "0-abcdefgh"


def test_a_permission_with_an_end_and_one_of_a_deleted_account(site: Site) -> None:
    """An expiry is shown, refused in the past and for links, and can be taken away; deleted accounts show as such."""
    drive = site.drive(site.alice)
    file_id = document(drive)
    body = {"type": "user", "role": "reader", "emailAddress": site.bob}
    ends = rfc3339(site.simulator.world.now_ms() + 3_600_000)
    made = drive.permissions().create(fileId=file_id, body={**body, "expirationTime": ends}, fields="*").execute()
    assert made["expirationTime"] == ends
    one = {"fileId": file_id, "permissionId": made["id"], "fields": "*"}
    gone = drive.permissions().update(body={"role": "reader"}, removeExpiration=True, **one).execute()
    assert "expirationTime" not in gone
    for wrong in (
        {**body, "expirationTime": "2020-01-01T00:00:00Z"},
        {"type": "anyone", "role": "reader", "expirationTime": ends},
    ):
        with pytest.raises(HttpError) as caught:
            drive.permissions().create(fileId=file_id, body=wrong).execute()
        assert caught.value.status_code == 403
    leaver = site.simulator.apply(lambda world: world.add_user("leaver@example.com"))
    leaving = {**body, "emailAddress": leaver.email}
    given = drive.permissions().create(fileId=file_id, body=leaving).execute()["id"]
    site.simulator.apply(lambda world: delete_account(world, leaver))
    shown = drive.permissions().get(fileId=file_id, permissionId=given, fields="*").execute()
    assert shown["deleted"] is True
    assert "emailAddress" not in shown


def test_the_published_view_has_permissions_of_its_own(site: Site) -> None:
    """They open nothing but that view, and are listed only where it is asked for."""
    drive = site.drive(site.alice)
    file_id = document(drive)
    body = {"type": "user", "role": "reader", "emailAddress": site.bob, "view": "published"}
    assert drive.permissions().create(fileId=file_id, body=body, fields="*").execute()["view"] == "published"
    with pytest.raises(HttpError):
        site.drive(site.bob).files().get(fileId=file_id).execute()
    assert len(drive.permissions().list(fileId=file_id).execute()["permissions"]) == 1
    listed = drive.permissions().list(fileId=file_id, includePermissionsForView="published").execute()["permissions"]
    assert len(listed) == 2


def test_life_of_a_folder_with_limited_access(site: Site) -> None:
    """A limited folder shows to who inherited it that it is there (view `metadata`), and nothing in it."""
    alice, bob = site.drive(site.alice), site.drive(site.bob)
    outer = alice.files().create(body={"name": "Outer", "mimeType": FOLDER}).execute()["id"]
    inner = alice.files().create(body={"name": "Inner", "mimeType": FOLDER, "parents": [outer]}).execute()["id"]
    secret = alice.files().create(body={"name": "Secret", "parents": [inner]}).execute()["id"]
    body = {"type": "user", "role": "writer", "emailAddress": site.bob}
    given = alice.permissions().create(fileId=outer, body=body).execute()["id"]
    assert bob.files().get(fileId=secret).execute()["id"] == secret
    limited = {"inheritedPermissionsDisabled": True}
    mask = "inheritedPermissionsDisabled,capabilities"
    seen = alice.files().update(fileId=inner, body=limited, fields=mask).execute()
    assert seen["inheritedPermissionsDisabled"] is True
    assert seen["capabilities"]["canEnableInheritedPermissions"] is True
    assert bob.files().get(fileId=inner, fields="capabilities").execute()["capabilities"]["canListChildren"] is False
    with pytest.raises(HttpError) as caught:
        bob.files().get(fileId=secret).execute()
    assert caught.value.status_code == 404
    assert bob.files().list(q=f"'{inner}' in parents").execute()["files"] == []
    shown = alice.permissions().get(fileId=inner, permissionId=given, fields="*").execute()
    assert (shown["view"], shown["role"]) == ("metadata", "reader")
    with pytest.raises(HttpError) as caught:
        alice.files().update(fileId=secret, body=limited).execute()
    assert caught.value.status_code == 400
    alice.files().update(fileId=inner, body={"inheritedPermissionsDisabled": False}).execute()
    assert bob.files().get(fileId=secret).execute()["id"] == secret


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
