"""The bytes of files as the worker's client fetches them, from the simulator over real HTTP."""

from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from drive_simulator.api import exports
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.model import content
from drive_simulator.model.items import Item
from drive_simulator.server.server import Simulator
from google_drive_worker.domain.content import Content, Source
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.ports import Drive
from google_drive_worker.sync.checkpoint import Scope
from google_drive_worker.sync.content import source_of
from google_drive_worker.utils.errors import ChecksumMismatch, ItemUnavailable, SkipItem
from integration.test_drive_client import connected

MB = 1 << 20
SCOPE = Scope(sync_content=True)
DOCUMENT = "application/vnd.google-apps.document"
SHEET = "application/vnd.google-apps.spreadsheet"


def item_of(simulator: Simulator, fits: Callable[[Item], bool]) -> Item:
    """An item of the first user's own Drive."""
    user = simulator.world.user(simulator.accounts["conn_user_1"].email)
    return next(
        item
        for item in simulator.world.items.values()
        if item.owner is user and item.drive is None and not item.trashed and fits(item)
    )


def blob(at_least: int = 1) -> Callable[[Item], bool]:
    """A file with so many bytes."""
    return lambda item: item.size >= at_least


async def source(drive: Drive, item: Item, scope: Scope = SCOPE) -> Source:
    """How the item's bytes are had, by its metadata as it is now."""
    file = (await drive.get_files([FileId(item.id)]))[FileId(item.id)]
    assert not isinstance(file, SkipItem)
    found = source_of(scope, file)
    assert isinstance(found, Source)
    return found


async def fetched(drive: Drive, wanted: Source) -> bytes:
    """All of a file's bytes."""
    return b"".join([piece async for piece in drive.content(wanted)])


async def _drained(pieces: AsyncIterator[bytes]) -> None:
    async for _ in pieces:
        pass


async def test_a_blob_comes_as_it_is(tmp_path: Path) -> None:
    """Its checksum is the one that Drive shows."""
    async with connected(tmp_path) as (simulator, drive):
        item = item_of(simulator, blob(3 * MB))
        wanted = await source(drive, item)
        found = await fetched(drive, wanted)
        assert found == content.read(item)
        assert sha256(found).hexdigest() == wanted.file.sha256_checksum == wanted.head


async def test_a_cut_download_is_resumed(tmp_path: Path) -> None:
    """By Range, from where it was cut; what came is not fetched again."""
    async with connected(tmp_path) as (simulator, drive):
        item = item_of(simulator, blob(3 * MB))
        wanted = await source(drive, item)
        simulator.faults.add(Rule(Effect(cut_after_bytes=MB), Match(media=True), times=2))
        assert sha256(await fetched(drive, wanted)).hexdigest() == wanted.file.sha256_checksum
        calls = [entry for entry in simulator.counters.entries("files.get") if entry.parameter("alt") == "media"]
        assert [entry.status for entry in calls] == [200, 206, 206]


async def test_a_download_that_is_cut_on_and_on_is_given_up(tmp_path: Path) -> None:
    """As that file's own trouble, since other calls are answered."""
    async with connected(tmp_path) as (simulator, drive):
        wanted = await source(drive, item_of(simulator, blob(MB)))
        simulator.faults.add(Rule(Effect(cut="before"), Match(media=True)))
        with pytest.raises(ItemUnavailable):
            await fetched(drive, wanted)


async def test_a_file_that_becomes_shorter_is_no_longer_that_file(tmp_path: Path) -> None:
    """416 after a cut: it has to be fetched from zero."""
    async with connected(tmp_path) as (simulator, drive):
        item = item_of(simulator, blob(3 * MB))
        wanted = await source(drive, item)
        simulator.faults.add(Rule(Effect(cut_after_bytes=2 * MB), Match(media=True), times=1))
        pieces = drive.content(wanted)
        await anext(pieces)
        simulator.apply(lambda _: setattr(item, "size", MB))
        with pytest.raises(ChecksumMismatch):
            await _drained(pieces)


@pytest.mark.parametrize(
    ("mime_type", "export_type"), [(DOCUMENT, None), (SHEET, None), (DOCUMENT, "application/pdf"), (SHEET, "text/csv")]
)
async def test_a_document_is_exported(tmp_path: Path, mime_type: str, export_type: str | None) -> None:
    """To the usual format of its kind, or to the one that the connection asks for."""
    async with connected(tmp_path) as (simulator, drive):
        item = item_of(simulator, lambda each: each.mime_type == mime_type)
        scope = SCOPE if export_type is None else replace(SCOPE, export_formats={mime_type: export_type})
        wanted = await source(drive, item, scope)
        assert export_type in {None, wanted.content_type}
        assert await fetched(drive, wanted) == exports.export(item, wanted.content_type)


@pytest.mark.parametrize("failing", [0, 1], ids=["operation", "link"])
async def test_a_large_export_goes_another_way(tmp_path: Path, failing: int) -> None:
    """By an operation and the address that it ends with; where that fails, by the file's own export link."""
    async with connected(tmp_path) as (simulator, drive):
        item = item_of(simulator, lambda each: each.mime_type == DOCUMENT)
        simulator.apply(lambda _: exports.declare_size(item, 11 * MB))
        simulator.operations.fail_next = failing
        simulator.operations.polls = 1
        wanted = await source(drive, item)
        found = await fetched(drive, wanted)
        assert len(found) > 11 * MB
        assert found == exports.export(item, "text/markdown")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("cannotDownloadAbusiveFile", "abusive_file"),
        ("cannotDownloadFile", "not_downloadable"),
        ("fileNotDownloadable", "not_downloadable"),
    ],
)
async def test_what_is_not_given_out_is_skipped(tmp_path: Path, reason: str, code: str) -> None:
    """With Google's reason."""
    async with connected(tmp_path) as (simulator, drive):
        wanted = await source(drive, item_of(simulator, blob()))
        simulator.faults.add(Rule(Effect(error=reason), Match(media=True)))
        with pytest.raises(SkipItem) as caught:
            await fetched(drive, wanted)
        assert (caught.value.code, caught.value.reason) == (code, reason)


async def test_more_than_the_limit_is_not_taken(tmp_path: Path) -> None:
    """Whatever the metadata said; an export, too. What it says is enough to not even ask."""
    async with connected(tmp_path) as (simulator, drive):
        small = replace(SCOPE, max_file_size_bytes=50)
        document = item_of(simulator, lambda each: each.mime_type == DOCUMENT)
        with pytest.raises(SkipItem) as caught:
            await fetched(drive, await source(drive, document, small))
        assert caught.value.code == "content_too_large"
        large = item_of(simulator, blob(MB))
        file = (await drive.get_files([FileId(large.id)]))[FileId(large.id)]
        assert not isinstance(file, SkipItem)
        refused = source_of(small, file)
        assert isinstance(refused, Content)
        assert refused.status == "too_large"


async def test_a_format_that_google_does_not_know_is_that_files_own_trouble(tmp_path: Path) -> None:
    """No failed sync: the connection's settings are at fault, and the error says which type."""
    async with connected(tmp_path) as (simulator, drive):
        item = item_of(simulator, lambda each: each.mime_type == DOCUMENT)
        scope = replace(SCOPE, export_formats={DOCUMENT: "image/png"})
        with pytest.raises(SkipItem, match="image/png") as caught:
            await fetched(drive, await source(drive, item, scope))
        assert caught.value.code == "not_exportable"
