"""files.download, operations.get and the links in answers, by Google's own client and by plain HTTP."""

from collections.abc import Mapping
from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload

from drive_simulator.api.exports import declare_size, export
from drive_simulator.api.operations import LIFE_MS
from drive_simulator.auth.oauth import DRIVE_METADATA_READONLY, DRIVE_READONLY
from drive_simulator.model.item_changes import replace_content
from support.google_client import Site, reasons

DOCUMENT = "application/vnd.google-apps.document"
MARKDOWN = "text/markdown"
LARGE = 11_000_000


def fetch(site: Site, url: str, user: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """Status and bytes of a link, with the user's token."""
    token = {"Authorization": f"Bearer {site.simulator.access_token(user)}"}
    try:
        with urlopen(Request(url, headers={**token, **(headers or {})})) as answer:  # noqa: S310
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def finished(drive: Any, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation when it is done; it takes a few questions."""
    for _ in range(10):
        operation = drive.operations().get(name=operation["name"]).execute()
        if operation["done"]:
            return operation
    raise AssertionError(operation)


def document(site: Site, size: int = 0) -> str:
    """A document, declared to be of that size."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "doc", "mimeType": DOCUMENT}).execute()["id"]
    site.simulator.apply(lambda world: declare_size(world.items[made], size))
    return cast(str, made)


def test_a_large_export_comes_by_an_operation(site: Site) -> None:
    """files.download gives an operation that is done after some questions, and then a link to all of the bytes."""
    drive = site.drive(site.alice)
    made = document(site, LARGE)
    begun = drive.files().download(fileId=made, mimeType=MARKDOWN).execute()
    assert begun["done"] is False
    assert "response" not in begun
    done = finished(drive, begun)
    expected = site.simulator.apply(lambda world: export(world.items[made], MARKDOWN))
    assert expected is not None
    link = done["response"]["downloadUri"]
    assert fetch(site, link, site.alice) == (200, expected)
    assert fetch(site, link, site.alice, {"Range": "bytes=100-199"}) == (206, expected[100:200])
    assert fetch(site, link, site.bob)[0] == 404
    with pytest.raises(HTTPError, match="401"):
        urlopen(link)  # noqa: S310 - the simulator's address


def test_operations_of_others_and_of_nobody_are_not_found(site: Site) -> None:
    """Another user's operation and an unknown one are 404; one is valid for a day."""
    begun = site.drive(site.alice).files().download(fileId=document(site)).execute()
    for user, name in ((site.bob, begun["name"]), (site.alice, "nope")):
        with pytest.raises(HttpError) as caught:
            site.drive(user).operations().get(name=name).execute()
        assert (caught.value.status_code, reasons(caught.value)) == (404, ["notFound"])
    operations, alice = site.simulator.operations, site.simulator.world.user(site.alice)
    now_ms = site.simulator.world.now_ms()
    assert operations.find(begun["name"], alice, now_ms + LIFE_MS - 60_000) is not None
    assert operations.find(begun["name"], alice, now_ms + LIFE_MS + 60_000) is None


def test_an_operation_can_fail(site: Site) -> None:
    """A failed one is done and holds an error; so does that of a file that was deleted meanwhile."""
    drive = site.drive(site.alice)
    site.simulator.operations.fail_next = 1
    failed = finished(drive, drive.files().download(fileId=document(site)).execute())
    assert failed["error"]["code"] == 13
    gone = document(site)
    begun = drive.files().download(fileId=gone).execute()
    drive.files().delete(fileId=gone).execute()
    assert finished(drive, begun)["error"]["code"] == 5


def test_blobs_and_revisions_come_by_operations_too(site: Site) -> None:
    """A blob needs no format, and takes none; an old revision of blob or document can be asked for."""
    drive = site.drive(site.alice)
    blob = (
        drive.files().create(body={"name": "b"}, media_body=MediaInMemoryUpload(b"one", "text/plain")).execute()["id"]
    )
    drive.files().update(fileId=blob, media_body=MediaInMemoryUpload(b"two", "text/plain")).execute()
    old = drive.revisions().list(fileId=blob).execute()["revisions"][0]["id"]
    for revision, expected in ((None, b"two"), (old, b"one")):
        done = finished(drive, drive.files().download(fileId=blob, revisionId=revision).execute())
        assert fetch(site, done["response"]["downloadUri"], site.alice) == (200, expected)
    made = document(site)
    first = site.simulator.apply(lambda world: export(world.items[made], MARKDOWN))
    site.simulator.apply(lambda world: replace_content(world, world.items[made], world.user(site.alice)))
    done = finished(drive, drive.files().download(fileId=made, mimeType=MARKDOWN, revisionId="1").execute())
    assert fetch(site, done["response"]["downloadUri"], site.alice) == (200, first)
    for file_id, query in ((blob, {"mimeType": MARKDOWN}), (made, {"mimeType": "image/png"})):
        with pytest.raises(HttpError) as caught:
            drive.files().download(fileId=file_id, **query).execute()
        assert caught.value.status_code == 400


def test_export_links_lead_to_the_bytes(site: Site) -> None:
    """A document's exportLinks give what files.export would, over its limit too, to whoever may see the document."""
    drive = site.drive(site.alice)
    made = document(site, LARGE)
    links = drive.files().get(fileId=made, fields="exportLinks").execute()["exportLinks"]
    assert len(links) == 9
    expected = site.simulator.apply(lambda world: export(world.items[made], MARKDOWN))
    assert fetch(site, links[MARKDOWN], site.alice) == (200, expected)
    assert fetch(site, links[MARKDOWN], site.bob)[0] == 404
    small = document(site)
    shown = drive.files().get(fileId=small, fields="exportLinks").execute()["exportLinks"]
    for mime_type, link in shown.items():
        exported = drive.files().export(fileId=small, mimeType=mime_type).execute()
        assert fetch(site, link, site.alice) == (200, exported)
    revision = drive.revisions().list(fileId=small, fields="*").execute()["revisions"][0]
    assert fetch(site, revision["exportLinks"][MARKDOWN], site.alice)[0] == 200


def test_links_need_the_scope_of_content(site: Site) -> None:
    """A token for metadata alone begins no download; one for reading does."""
    made = document(site)
    for scope, allowed in ((DRIVE_METADATA_READONLY, False), (DRIVE_READONLY, True)):
        client = site.build(site.credentials(site.alice, (scope,)))
        if allowed:
            assert client.files().download(fileId=made).execute()["name"]
        else:
            with pytest.raises(HttpError) as caught:
                client.files().download(fileId=made).execute()
            assert (caught.value.status_code, reasons(caught.value)) == (403, ["insufficientPermissions"])
        client.close()
