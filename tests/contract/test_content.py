"""Bytes by Google's own client: uploads of all kinds, downloads, ranges, exports, revisions."""

import hashlib
import io
import random
from http.client import IncompleteRead
from urllib.request import Request, urlopen

import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload, MediaIoBaseDownload, MediaIoBaseUpload

from drive_simulator.api.exports import declare_size
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.model.item_changes import create
from support.google_client import Site, reasons

DOCUMENT = "application/vnd.google-apps.document"
CONTENT = random.Random(7).randbytes(700_000)  # noqa: S311 - content of a test


def download(request: object, chunk_size: int = 1024 * 1024) -> bytes:
    """What the client's own downloader gets, piece by piece."""
    target = io.BytesIO()
    downloader = MediaIoBaseDownload(target, request, chunksize=chunk_size)
    done = False
    while not done:
        _, done = downloader.next_chunk()
    return target.getvalue()


def test_multipart_upload_and_download(site: Site) -> None:
    """Metadata and bytes in one request come back as they were, with their checksums."""
    drive = site.drive(site.alice)
    media = MediaInMemoryUpload(CONTENT, mimetype="application/x-test")
    made = drive.files().create(body={"name": "b.bin"}, media_body=media, fields="*").execute()
    assert (made["name"], made["mimeType"], made["size"]) == ("b.bin", "application/x-test", str(len(CONTENT)))
    assert made["md5Checksum"] == hashlib.md5(CONTENT).hexdigest()  # noqa: S324 - Drive's checksum
    assert made["sha256Checksum"] == hashlib.sha256(CONTENT).hexdigest()
    assert made["headRevisionId"]
    assert drive.files().get_media(fileId=made["id"]).execute() == CONTENT


def test_simple_upload(site: Site) -> None:
    """Bytes alone make a file with a name of Google's."""
    drive = site.drive(site.alice)
    made = drive.files().create(media_body=MediaInMemoryUpload(b"abc", mimetype="text/plain")).execute()
    assert made["mimeType"] == "text/plain"
    assert drive.files().get_media(fileId=made["id"]).execute() == b"abc"


def test_resumable_upload_in_chunks(site: Site) -> None:
    """A resumable upload goes in pieces of 256 KB, and its progress is told between them."""
    drive = site.drive(site.alice)
    media = MediaIoBaseUpload(io.BytesIO(CONTENT), "application/x-test", chunksize=256 * 1024, resumable=True)
    request = drive.files().create(body={"name": "r.bin"}, media_body=media, fields="id,size")
    progress, made = [], None
    while made is None:
        status, made = request.next_chunk()
        if status is not None:
            progress.append(status.resumable_progress)
    assert progress == [256 * 1024, 512 * 1024]
    assert made["size"] == str(len(CONTENT))
    assert drive.files().get_media(fileId=made["id"]).execute() == CONTENT


def test_resumable_upload_of_nothing(site: Site) -> None:
    """An empty file can be uploaded so too."""
    drive = site.drive(site.alice)
    media = MediaIoBaseUpload(io.BytesIO(b""), "text/plain", resumable=True)
    made = drive.files().create(body={"name": "empty"}, media_body=media, fields="size").execute()
    assert made["size"] == "0"


def test_new_content_makes_a_revision(site: Site) -> None:
    """An update's bytes replace the content; both versions are listed, and the old one can be had."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "v"}, media_body=MediaInMemoryUpload(b"one", "text/plain")).execute()
    drive.files().update(fileId=made["id"], media_body=MediaInMemoryUpload(b"two", "text/plain")).execute()
    assert drive.files().get_media(fileId=made["id"]).execute() == b"two"
    listed = drive.revisions().list(fileId=made["id"], fields="*").execute()
    assert listed["kind"] == "drive#revisionList"
    first, last = listed["revisions"][0], listed["revisions"][-1]
    assert len(listed["revisions"]) == 2
    assert first["md5Checksum"] == hashlib.md5(b"one").hexdigest()  # noqa: S324 - Drive's checksum
    assert last["lastModifyingUser"]["emailAddress"] == site.alice
    one = drive.revisions().get(fileId=made["id"], revisionId=first["id"]).execute()
    assert one["id"] == first["id"]
    assert drive.revisions().get_media(fileId=made["id"], revisionId=first["id"]).execute() == b"one"
    head = drive.files().get(fileId=made["id"], fields="headRevisionId").execute()
    assert head["headRevisionId"] == last["id"]
    with pytest.raises(HttpError) as caught:
        drive.revisions().get(fileId=made["id"], revisionId="nope").execute()
    assert (caught.value.status_code, reasons(caught.value)) == (404, ["notFound"])


def test_download_in_ranges(site: Site) -> None:
    """The client's downloader asks for ranges and puts them together."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "d"}, media_body=MediaInMemoryUpload(CONTENT)).execute()
    assert download(drive.files().get_media(fileId=made["id"]), 200_000) == CONTENT


def test_range_behind_the_end_is_refused(site: Site) -> None:
    """A range that starts behind the end is 416."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "d"}, media_body=MediaInMemoryUpload(b"abc")).execute()
    request = drive.files().get_media(fileId=made["id"])
    request.headers["Range"] = "bytes=10-20"
    with pytest.raises(HttpError) as caught:
        request.execute()
    assert caught.value.status_code == 416


def test_a_range_with_a_condition_gets_everything(site: Site) -> None:
    """Nothing here has a validator: If-Range asks for a range of another content, so all of this one comes."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "d"}, media_body=MediaInMemoryUpload(b"abcdef")).execute()
    request = drive.files().get_media(fileId=made["id"])
    request.headers["Range"] = "bytes=2-3"
    assert request.execute() == b"cd"
    request = drive.files().get_media(fileId=made["id"])
    request.headers |= {"Range": "bytes=2-3", "If-Range": '"another"'}
    assert request.execute() == b"abcdef"


def test_a_huge_file_has_the_content_that_its_checksums_say(site: Site) -> None:
    """Content of many megabytes is made while it goes out, whole or in ranges, and its checksums are right."""
    size = 50_000_000
    huge = site.simulator.apply(lambda world: create(world, world.user(site.alice), "huge", "video/mp4", size=size))
    drive = site.drive(site.alice)
    content = download(drive.files().get_media(fileId=huge.id), 20_000_000)
    assert len(content) == size
    told = drive.files().get(fileId=huge.id, fields="size,md5Checksum,sha1Checksum,sha256Checksum").execute()
    assert told["md5Checksum"] == hashlib.md5(content).hexdigest()  # noqa: S324 - Drive's checksum
    assert told["sha1Checksum"] == hashlib.sha1(content).hexdigest()  # noqa: S324 - Drive's checksum
    assert told["sha256Checksum"] == hashlib.sha256(content).hexdigest()
    assert drive.files().get_media(fileId=huge.id).execute() == content


@pytest.mark.parametrize("size", [600_000, 5_000_000])
def test_a_download_that_is_cut_goes_on_by_range(site: Site, size: int) -> None:
    """A fault cuts the connection after so many bytes; what is missing is had by a range from there."""
    made = site.simulator.apply(lambda world: create(world, world.user(site.alice), "cut", "video/mp4", size=size))
    url = f"{site.simulator.base_url}/files/{made.id}?alt=media"
    headers = {"Authorization": f"Bearer {site.simulator.access_token(site.alice)}"}
    site.simulator.faults.add(Rule(Effect(cut_after_bytes=400_000), Match(media=True), times=1))
    received = b""
    with urlopen(Request(url, headers=headers)) as answer:  # noqa: S310
        assert answer.headers["Content-Length"] == str(size)
        with pytest.raises(IncompleteRead) as caught:
            answer.read()
    received += caught.value.partial
    assert 0 < len(received) <= 400_000
    headers["Range"] = f"bytes={len(received)}-"
    with urlopen(Request(url, headers=headers)) as answer:  # noqa: S310
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {len(received)}-{size - 1}/{size}"
        received += answer.read()
    told = site.drive(site.alice).files().get(fileId=made.id, fields="sha256Checksum").execute()
    assert hashlib.sha256(received).hexdigest() == told["sha256Checksum"]


def test_abuse_has_to_be_acknowledged_by_the_owner(site: Site) -> None:
    """A flagged file is 403 `cannotDownloadAbusiveFile`, for its owner until they acknowledge, for others always."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "evil"}, media_body=MediaInMemoryUpload(b"abc")).execute()
    body = {"type": "user", "role": "writer", "emailAddress": site.bob}
    drive.permissions().create(fileId=made["id"], body=body).execute()
    site.simulator.apply(lambda world: world.items[made["id"]].set_rare("abusive", True))
    for user, acknowledge in ((site.alice, False), (site.bob, False), (site.bob, True)):
        with pytest.raises(HttpError) as caught:
            site.drive(user).files().get_media(fileId=made["id"], acknowledgeAbuse=acknowledge).execute()
        assert (caught.value.status_code, reasons(caught.value)) == (403, ["cannotDownloadAbusiveFile"])
    assert drive.files().get_media(fileId=made["id"], acknowledgeAbuse=True).execute() == b"abc"


@pytest.mark.parametrize(
    "restriction",
    [
        {"copyRequiresWriterPermission": True},
        {"downloadRestrictions": {"itemDownloadRestriction": {"restrictedForReaders": True}}},
        {"downloadRestrictions": {"itemDownloadRestriction": {"restrictedForWriters": True}}},
    ],
)
def test_downloads_can_be_switched_off(site: Site, restriction: dict[str, object]) -> None:
    """Where the owner says so readers, or writers too, get neither bytes nor exports: 403 `cannotDownloadFile`."""
    alice, bob = site.drive(site.alice), site.drive(site.bob)
    blob = alice.files().create(body={"name": "b"}, media_body=MediaInMemoryUpload(b"abc")).execute()["id"]
    document = alice.files().create(body={"name": "d", "mimeType": DOCUMENT}).execute()["id"]
    role = "writer" if "Writers" in str(restriction) else "reader"
    for file_id in (blob, document):
        body = {"type": "user", "role": role, "emailAddress": site.bob}
        alice.permissions().create(fileId=file_id, body=body).execute()
        assert bob.files().get(fileId=file_id, fields="capabilities").execute()["capabilities"]["canDownload"]
        alice.files().update(fileId=file_id, body=restriction).execute()
        assert not bob.files().get(fileId=file_id, fields="capabilities").execute()["capabilities"]["canDownload"]
    for request in (
        bob.files().get_media(fileId=blob),
        bob.files().export(fileId=document, mimeType="application/pdf"),
    ):
        with pytest.raises(HttpError) as caught:
            request.execute()
        assert (caught.value.status_code, reasons(caught.value)) == (403, ["cannotDownloadFile"])
    assert alice.files().get_media(fileId=blob).execute() == b"abc"


def test_an_export_over_the_limit_is_refused(site: Site) -> None:
    """A document that is declared large is 403 `exportSizeLimitExceeded`."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "doc", "mimeType": DOCUMENT}).execute()["id"]
    site.simulator.apply(lambda world: declare_size(world.items[made], 11_000_000))
    with pytest.raises(HttpError) as caught:
        drive.files().export(fileId=made, mimeType="text/markdown").execute()
    assert (caught.value.status_code, reasons(caught.value)) == (403, ["exportSizeLimitExceeded"])


def test_export_of_a_document(site: Site) -> None:
    """A document is exported to the formats that about.get lists, and to no other."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "doc", "mimeType": DOCUMENT}).execute()
    pdf = drive.files().export(fileId=made["id"], mimeType="application/pdf").execute()
    assert pdf
    assert download(drive.files().export_media(fileId=made["id"], mimeType="text/plain")) is not None
    with pytest.raises(HttpError) as caught:
        drive.files().export(fileId=made["id"], mimeType="image/png").execute()
    assert (caught.value.status_code, reasons(caught.value)) == (400, ["badRequest"])


def test_export_and_download_are_not_confused(site: Site) -> None:
    """A blob can't be exported, a document not be downloaded: 403 with the reasons for it."""
    drive = site.drive(site.alice)
    document = drive.files().create(body={"name": "doc", "mimeType": DOCUMENT}).execute()
    blob = drive.files().create(body={"name": "b"}, media_body=MediaInMemoryUpload(b"abc")).execute()
    with pytest.raises(HttpError) as caught:
        drive.files().get_media(fileId=document["id"]).execute()
    assert (caught.value.status_code, reasons(caught.value)) == (403, ["fileNotDownloadable"])
    with pytest.raises(HttpError) as caught:
        drive.files().export(fileId=blob["id"], mimeType="application/pdf").execute()
    assert (caught.value.status_code, reasons(caught.value)) == (403, ["fileNotExportable"])


def test_resumable_upload_goes_on_after_a_cut(site: Site) -> None:
    """After a lost connection the client asks what has arrived and sends the rest."""
    drive = site.drive(site.alice)
    media = MediaIoBaseUpload(io.BytesIO(CONTENT), "application/x-test", chunksize=256 * 1024, resumable=True)
    request = drive.files().create(body={"name": "cut.bin"}, media_body=media, fields="id")
    request.next_chunk()
    site.simulator.faults.add(Rule(Effect(error="backendError"), Match(path="/upload/"), times=1))
    with pytest.raises(HttpError):
        request.next_chunk()
    made = None
    while made is None:
        _, made = request.next_chunk()
    assert drive.files().get_media(fileId=made["id"]).execute() == CONTENT


def test_uploaded_file_can_be_replaced_resumably(site: Site) -> None:
    """files.update takes resumable uploads too, with new metadata beside the bytes."""
    drive = site.drive(site.alice)
    made = drive.files().create(body={"name": "old"}, media_body=MediaInMemoryUpload(b"old", "text/plain")).execute()
    media = MediaIoBaseUpload(io.BytesIO(b"new bytes"), "text/plain", resumable=True)
    changed = (
        drive.files().update(fileId=made["id"], body={"name": "new"}, media_body=media, fields="name,size").execute()
    )
    assert changed == {"name": "new", "size": "9"}
