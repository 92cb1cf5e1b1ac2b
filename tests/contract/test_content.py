"""Bytes by Google's own client: uploads of all kinds, downloads, ranges, exports, revisions."""

import hashlib
import io
import random

import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload, MediaIoBaseDownload, MediaIoBaseUpload

from drive_simulator.faults import Effect, Match, Rule
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
