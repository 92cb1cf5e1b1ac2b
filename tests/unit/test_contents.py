"""Content, from a Drive into an object store: what is fetched, what is not, and what becomes of trouble."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator

import pytest

from google_drive_worker.contents import ContentMirror, Places
from google_drive_worker.domain.content import Content, ContentStatus, Source
from google_drive_worker.domain.drive import DriveFile
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.sync.checkpoint import Scope
from google_drive_worker.utils.errors import (
    ChecksumMismatch,
    ItemUnavailable,
    NotFound,
    Retryable,
    SkipItem,
    StoreUnavailable,
    Terminal,
    WorkerError,
)
from support.memory_drive import MemoryDrive
from support.memory_store import MemoryStore
from support.syncs import CONNECTION, file, read

SCOPE = Scope(sync_content=True, max_file_size_bytes=100)
DOCUMENT = "application/vnd.google-apps.document"


def blob(name: str, content: bytes, **fields: object) -> DriveFile:
    """A file of those bytes, as Drive shows it."""
    sha256 = hashlib.sha256(content).hexdigest()
    shown = {"mimeType": "text/plain", "size": str(len(content)), "sha256Checksum": sha256, **fields}
    return read(file(name, **shown))


async def mirror_content(drive: MemoryDrive, store: MemoryStore, scope: Scope, shown: DriveFile) -> Content:
    """What becomes of one file's content."""
    (found,) = await ContentMirror().mirror(CONNECTION, drive, store, scope, [shown])
    return found.content


async def test_bytes_go_from_the_drive_into_the_store_once() -> None:
    """What the store has under the file's checksum is not fetched again, whatever the file is called."""
    drive, store = MemoryDrive(contents={"a": b"text"}), MemoryStore()
    content = await mirror_content(drive, store, SCOPE, blob("a", b"text"))
    assert content.status == "stored"
    assert content.ref is not None
    assert store.objects[content.ref.sha256] == b"text"
    again = await mirror_content(drive, store, SCOPE, blob("b", b"text"))
    assert (again.ref, drive.calls) == (content.ref, ["content a"])


async def test_an_export_is_fetched_anew_when_the_document_or_the_format_changed() -> None:
    """Drive shows no checksum of it: the store notes what each state of the document came to."""
    drive, store = MemoryDrive(contents={"a": b"text"}), MemoryStore()
    before = read(file("a", mimeType=DOCUMENT, modifiedTime="1"))
    for _ in range(2):
        content = await mirror_content(drive, store, SCOPE, before)
    assert content.ref is not None
    assert content.ref.content_type == "text/markdown"
    as_text = Scope(sync_content=True, export_formats={DOCUMENT: "text/plain"})
    await mirror_content(drive, store, as_text, before)
    await mirror_content(drive, store, SCOPE, read(file("a", mimeType=DOCUMENT, modifiedTime="2")))
    assert drive.calls == ["content a"] * 3


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (SkipItem("x", code="abusive_file", http_status=403), "abusive"),
        (SkipItem("x", code="not_downloadable", http_status=403), "not_downloadable"),
        (SkipItem("x", code="access_denied", http_status=403), "not_downloadable"),
        (SkipItem("x", code="not_exportable", http_status=403), "not_exportable"),
        (SkipItem("x", code="export_too_large"), "too_large"),
        (SkipItem("x", code="something_new", http_status=403), "unavailable"),
        (ItemUnavailable("x", code="link_refused", http_status=403), "unavailable"),
        (ItemUnavailable("x", code="not_downloadable", http_status=403), "unavailable"),
        (ItemUnavailable("x", code="file_quota_exceeded", http_status=403), "unavailable"),
        (ChecksumMismatch("x"), "unavailable"),
    ],
)
async def test_a_file_s_own_trouble_is_a_status(trouble: WorkerError, status: ContentStatus) -> None:
    """And nobody else's."""
    drive = MemoryDrive(contents={"a": trouble, "b": b"text"})
    found = await ContentMirror().mirror(
        CONNECTION, drive, MemoryStore(), SCOPE, [blob("a", b"other"), blob("b", b"text")]
    )
    assert [(each.file.id, each.content.status) for each in found] == [("a", status), ("b", "stored")]
    assert found[0].content.problem is not None
    assert found[0].content.problem.code == trouble.code


@pytest.mark.parametrize(
    "trouble",
    [
        Retryable("x", code="connection_failed"),
        Retryable("x", code="rate_limited", http_status=429),
        Retryable("x", http_status=500, reason="backendError"),
        Terminal("x", code="insufficient_scope", http_status=403),
    ],
)
async def test_what_is_more_than_a_file_s_trouble_is_raised(trouble: Exception) -> None:
    """The connection rests for it, or the pass ends."""
    drive = MemoryDrive(contents={"a": trouble})
    with pytest.raises(type(trouble)) as raised:
        await ContentMirror().mirror(CONNECTION, drive, MemoryStore(), SCOPE, [blob("a", b"text")])
    assert raised.value is trouble


async def test_bytes_that_never_are_what_drive_shows_are_a_gap() -> None:
    """After one more try; bytes that are right the second time are kept."""
    drive = MemoryDrive(contents={"a": b"other"})
    content = await mirror_content(drive, MemoryStore(), SCOPE, blob("a", b"text"))
    assert content.status == "unavailable"
    assert isinstance(content.problem, ItemUnavailable)
    assert content.problem.code == "checksum_mismatch"
    assert drive.calls == ["content a"] * 2


async def test_a_store_that_is_out_of_use_is_the_connection_s_trouble() -> None:
    """No file is blamed, and the store's own words are kept."""
    store = MemoryStore(problem=StoreUnavailable("set S3_REGION"))
    with pytest.raises(StoreUnavailable, match="set S3_REGION"):
        await mirror_content(MemoryDrive(contents={"a": b"text"}), store, SCOPE, blob("a", b"text"))


async def test_an_object_that_the_store_never_takes_is_that_file_s_trouble() -> None:
    """Where the store takes others it is no reason for the connection to rest."""
    drive, store = MemoryDrive(contents={"a": b"text", "b": b"more"}), MemoryStore()
    store.refused.add(hashlib.sha256(b"text").hexdigest())
    found = await ContentMirror().mirror(CONNECTION, drive, store, SCOPE, [blob("a", b"text"), blob("b", b"more")])
    assert [each.content.status for each in found] == ["unavailable", "stored"]
    problem = found[0].content.problem
    assert isinstance(problem, ItemUnavailable)
    assert (problem.code, problem.http_status) == ("not_stored", 413)


async def test_an_export_follows_the_version_where_its_time_was_set_back() -> None:
    """`modifiedTime` is any client's to set; a view, which leaves the version, fetches nothing."""
    drive, store = MemoryDrive(contents={"a": b"text"}), MemoryStore()
    for version in ("7", "7", "8"):
        shown = read(file("a", mimeType=DOCUMENT, modifiedTime="2020-01-01T00:00:00Z", version=version))
        await mirror_content(drive, store, SCOPE, shown)
    assert drive.calls == ["content a"] * 2


async def test_a_file_that_is_gone_has_no_content_and_no_record() -> None:
    """Its log will tell."""
    drive = MemoryDrive(contents={"a": NotFound("gone", http_status=404)})
    assert await ContentMirror().mirror(CONNECTION, drive, MemoryStore(), SCOPE, [blob("a", b"text")]) == ()


async def test_a_file_that_is_there_without_its_bytes_is_a_gap() -> None:
    """Google does not find its bytes, and shows the file: it is not gone."""
    shown = file("a", mimeType="text/plain", size="4")
    drive = MemoryDrive(files={"a": shown}, contents={"a": NotFound("gone", http_status=404)})
    content = await mirror_content(drive, MemoryStore(), SCOPE, read(shown))
    assert (content.status, type(content.problem)) == ("unavailable", ItemUnavailable)


async def test_what_the_listing_shows_is_not_asked_for() -> None:
    """Too large, or not for this account."""
    drive = MemoryDrive()
    large = await mirror_content(drive, MemoryStore(), SCOPE, blob("a", b"x" * 101))
    closed = await mirror_content(drive, MemoryStore(), SCOPE, blob("b", b"x", capabilities={"canDownload": False}))
    assert (large.status, closed.status, drive.calls) == ("too_large", "not_downloadable", [])


async def test_connections_take_turns_at_the_places() -> None:
    """Who comes behind one with many waits for one of them at a time; a waiter that gives up holds nobody back."""
    places, served = Places(1), list[str]()

    async def use(whose: str, number: int) -> None:
        async with places.one(ConnectionId(whose)):
            served.append(f"{whose}{number}")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        many = [group.create_task(use("many", number)) for number in range(5)]
        await asyncio.sleep(0)
        group.create_task(use("few", 0))
        group.create_task(use("few", 1))
        many[1].cancel()
    assert served[:2] == ["many0", "few0"]
    assert served.index("few1") <= 3
    assert [each for each in served if each.startswith("many")] == ["many0", "many2", "many3", "many4"]


class StoppingDrive(MemoryDrive):
    """A Drive whose bytes fail at the very moment when who asked for them is cancelled."""

    asking: asyncio.Future[Content] | None = None

    async def content(self, source: Source) -> AsyncGenerator[bytes, None]:
        """No bytes."""
        if self.asking is not None and self.asking.cancel():
            raise Retryable("unavailable")
        yield b""


async def test_a_fetch_that_is_cancelled_while_a_file_fails_is_cancelled() -> None:
    """Its worker stops or loses the connection: no call is to be made to find out whether Google serves others."""
    drive = StoppingDrive()
    drive.asking = asyncio.ensure_future(mirror_content(drive, MemoryStore(), SCOPE, blob("a", b"text")))
    with pytest.raises(asyncio.CancelledError):
        await drive.asking
