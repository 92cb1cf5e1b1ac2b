"""The bytes of files, against the simulator over real HTTP, and against scripted answers for what it does not do."""

import asyncio
import gzip
import hashlib
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from drive_simulator.api import exports
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.model import content
from drive_simulator.model.items import Item
from drive_simulator.server.server import Simulator
from google_drive_worker.client.auth import Authorizers
from google_drive_worker.client.calls import CallReport
from google_drive_worker.client.downloads import REDIRECTS_AT_MOST, place_of
from google_drive_worker.client.drive_api import DriveApis
from google_drive_worker.client.quota import REQUESTS, QuotaLimiter
from google_drive_worker.client.setup import open_drives
from google_drive_worker.domain.connection import AccessToken, Credentials, Grant, Secret
from google_drive_worker.domain.content import Source
from google_drive_worker.domain.drive import DriveFile
from google_drive_worker.domain.ids import ConnectionId, FileId
from google_drive_worker.domain.ports import Clock, Drive
from google_drive_worker.http.retry import RetryPolicy
from google_drive_worker.http.transport import AiohttpTransport, HttpRequest, HttpResponse, HttpStream
from google_drive_worker.system_clock import SystemClock
from google_drive_worker.utils.errors import (
    ChecksumMismatch,
    ItemUnavailable,
    NeedsReauth,
    NotFound,
    Retryable,
    SkipItem,
    Terminal,
)
from support.clock import ManualClock
from support.credentials import authorized_user, connection
from support.scripted_http import Answer, ScriptedServer, cut, reply, scripted_server
from support.simulators import serving
from support.syncs import file, read

QUICK = RetryPolicy(attempts=4, total_s=20.0, base_s=0.01, cap_s=0.02)
APPS = "application/vnd.google-apps."
LARGE = 5_000_000
MEDIA = Match(method="files.get", media=True)


@asynccontextmanager
async def google(*answers: Answer) -> AsyncIterator[ScriptedServer]:
    """A server that answers so, and as an account in good order what names no file."""
    async with scripted_server(*answers) as server:
        server.aside["/about"] = reply(200)[0]
        yield server


@asynccontextmanager
async def drive_at(
    url: str, token: str, clock: Clock | None = None, reports: list[CallReport] | None = None
) -> AsyncIterator[Drive]:
    """The worker's client, at that address."""
    async with open_drives(
        base_url=url,
        clock=clock or SystemClock(),
        random=random.random,
        retry=QUICK,
        token_retry=QUICK,
        on_call=None if reports is None else reports.append,
    ) as drives:
        yield drives.open(connection(AccessToken(Secret(token))))


def bytes_of(shown: DriveFile, export_type: str | None = None) -> Source:
    """All of the file's bytes, or of its export."""
    return Source(shown, "head", 1 << 40, export_type)


@dataclass
class Bench:
    """A simulator, the worker's client at it, and its user's files."""

    simulator: Simulator
    drive: Drive
    owned: list[Item]
    clock: ManualClock
    reports: list[CallReport]

    def blob(self, size: int = 1000) -> Item:
        """A file of that size."""
        found = next(each for each in self.owned if each.size >= 0)
        found.size = size
        return found

    def document(self, kind: str = "document") -> Item:
        """A document of that kind."""
        found = self.owned[0]
        found.mime_type, found.size = APPS + kind, -1
        return found

    async def file(self, item: Item) -> DriveFile:
        """The file as Drive shows it."""
        found = (await self.drive.get_files([FileId(item.id)]))[FileId(item.id)]
        assert isinstance(found, DriveFile)
        return found

    def asked(self, method: str) -> int:
        """How many calls of that method came."""
        return self.simulator.counters.count(method)


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """A user with a few files."""
    world = generate(CorpusPlan(files=60, shared_drives=0, users=1, seed=4))
    user = next(iter(world.users.values()))
    clock, reports = ManualClock(), list[CallReport]()
    async with serving(world) as simulator:
        owned = [each for each in world.items.values() if each.owner is user and each.parent and not each.is_folder]
        async with drive_at(simulator.base_url, simulator.access_token(user.email), clock, reports) as drive:
            yield Bench(simulator, drive, [each for each in owned if not each.trashed], clock, reports)


async def all_of(chunks: AsyncGenerator[bytes, None]) -> bytes:
    """All bytes, in one."""
    async with aclosing(chunks):
        return b"".join([each async for each in chunks])


@pytest.mark.parametrize("size", [0, 1, 1000, LARGE])
async def test_a_file_s_bytes_come_as_they_are(size: int) -> None:
    """By one call of the price of a download, whatever their number."""
    async with bench() as b:
        item = b.blob(size)
        assert await all_of(b.drive.content(bytes_of(await b.file(item)))) == content.read(item)
        assert [(each.method, each.error, each.attempts) for each in b.reports if "media" in each.method] == [
            ("drive.files.get.media", None, 1)
        ]


async def test_pieces_are_small() -> None:
    """So that memory does not grow with the file."""
    async with bench() as b:
        chunks = b.drive.content(bytes_of(await b.file(b.blob(LARGE))))
        async with aclosing(chunks):
            assert max([len(each) async for each in chunks]) <= 1 << 20


@pytest.mark.parametrize("after_bytes", [1, 400_000, 2_000_000])
async def test_a_cut_download_goes_on_where_it_was(after_bytes: int) -> None:
    """By Range: what came is not asked for again, and the checksum is right."""
    async with bench() as b:
        item = b.blob(LARGE)
        b.simulator.faults.add(Rule(Effect(cut_after_bytes=after_bytes), MEDIA, times=2))
        assert await all_of(b.drive.content(bytes_of(await b.file(item)))) == content.read(item)
        assert b.asked("files.get") == 4  # the metadata, and three answers
        assert [each.attempts for each in b.reports if "media" in each.method] == [3]


async def test_a_server_that_cuts_on_and_on_is_given_up_on() -> None:
    """After as many tries as any call has, since hardly anything comes."""
    async with bench() as b:
        shown = await b.file(b.blob(LARGE))
        b.simulator.faults.add(Rule(Effect(cut_after_bytes=100), MEDIA))
        with pytest.raises(ItemUnavailable) as raised:
            await all_of(b.drive.content(bytes_of(shown)))
        assert (raised.value.code, raised.value.attempts) == ("truncated", QUICK.attempts)
        assert b.asked("files.get") == 1 + QUICK.attempts


async def test_a_refused_token_is_renewed_and_a_busy_server_asked_again() -> None:
    """As for every call."""
    async with bench() as b:
        item = b.blob()
        shown = await b.file(item)
        b.simulator.faults.add(Rule(Effect(error="backendError"), MEDIA, times=1))
        b.simulator.faults.add(Rule(Effect(error="userRateLimitExceeded"), MEDIA, times=1))
        assert await all_of(b.drive.content(bytes_of(shown))) == content.read(item)


async def test_a_token_that_becomes_stale_in_a_download_is_renewed_and_the_download_goes_on() -> None:
    """At its beginning or in its middle; without a backoff, and the bytes that came are not asked for again."""
    async with tokens_granted() as (server, drive, grants):
        server.script += [*refused(401, "authError"), cut_in_bytes, *refused(401, "authError"), *rest_of(10)]
        assert await all_of(drive.content(bytes_of(SHOWN))) == BYTES
        assert [each.headers["authorization"] for each in server.seen] == [
            "Bearer token-1",
            "Bearer token-2",
            "Bearer token-2",
            "Bearer token-3",
        ]
        assert len(grants) == 3


async def test_a_download_whose_new_token_is_refused_as_well_needs_a_person() -> None:
    """As every call does: nobody asks on and on."""
    async with tokens_granted() as (server, drive, grants):
        server.script += refused(401, "authError") * 3
        server.aside["/about"] = refused(401, "authError")[0]
        with pytest.raises(NeedsReauth):
            await all_of(drive.content(bytes_of(SHOWN)))
        assert len(server.seen) == 2
        assert grants[:2] == ["token-1", "token-2"]


@pytest.mark.parametrize(
    ("key", "code"), [("abusive", "abusive_file"), ("download_restriction", "not_downloadable"), ("", "not_found")]
)
async def test_what_may_not_be_downloaded_is_left_out(key: str, code: str) -> None:
    """Flagged as malware: never acknowledged. Restricted, or gone."""
    async with bench() as b:
        item = b.blob()
        shown = await b.file(item)
        if key == "abusive":
            item.set_rare(key, True)
        effect = {"abusive": None, "download_restriction": "cannotDownloadFile", "": "notFound"}[key]
        if effect is not None:
            b.simulator.faults.add(Rule(Effect(error=effect), MEDIA))
        with pytest.raises(SkipItem) as raised:
            await all_of(b.drive.content(bytes_of(shown)))
        assert raised.value.code == code
        assert isinstance(raised.value, NotFound) is (code == "not_found")


async def test_a_file_s_download_quota_is_that_file_s() -> None:
    """It is not tried again at once: hours are to pass."""
    async with bench() as b:
        shown = await b.file(b.blob())
        b.simulator.faults.add(Rule(Effect(error="downloadQuotaExceeded"), MEDIA))
        with pytest.raises(ItemUnavailable) as raised:
            await all_of(b.drive.content(bytes_of(shown)))
        assert raised.value.code == "file_quota_exceeded"
        assert b.clock.sleeps == []


@pytest.mark.parametrize(
    ("kind", "mime_type"),
    [
        ("document", "text/markdown"),
        ("spreadsheet", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("presentation", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
        ("drawing", "application/pdf"),
        ("script", APPS + "script+json"),
    ],
)
async def test_a_document_is_exported(kind: str, mime_type: str) -> None:
    """To each of the formats that content is mirrored in; a cut is asked for anew."""
    async with bench() as b:
        item = b.document(kind)
        shown = await b.file(item)
        b.simulator.faults.add(Rule(Effect(cut="body"), Match(method="files.export"), times=1))
        assert await all_of(b.drive.content(bytes_of(shown, mime_type))) == exports.export(item, mime_type)


async def test_an_impossible_format_is_the_file_s_trouble() -> None:
    """No failed sync: the connection's settings are at fault."""
    async with bench() as b:
        shown = await b.file(b.document())
        with pytest.raises(SkipItem) as raised:
            await all_of(b.drive.content(bytes_of(shown, "image/png")))
        assert raised.value.code == "not_exportable"


async def test_what_is_too_large_to_export_is_prepared_and_fetched() -> None:
    """By files.download, asked after by the clock; it goes on after a cut."""
    async with bench() as b:
        item = b.document()
        exports.declare_size(item, 11 << 20)
        b.simulator.faults.add(Rule(Effect(cut_after_bytes=3_000_000), Match(path="/download/drive/"), times=1))
        got = await all_of(b.drive.content(bytes_of(await b.file(item), "text/plain")))
        assert got == exports.export(item, "text/plain")
        assert (b.asked("files.export"), b.asked("files.download")) == (1, 1)
        assert b.clock.sleeps[:2] == [QUICK.base_s, 2 * QUICK.base_s]


async def test_where_preparing_fails_the_export_links_are_taken() -> None:
    """Exports of any size come by them."""
    async with bench() as b:
        item = b.document()
        exports.declare_size(item, 11 << 20)
        b.simulator.operations.fail_next = 1
        got = await all_of(b.drive.content(bytes_of(await b.file(item), "text/plain")))
        assert got == exports.export(item, "text/plain")


async def test_a_film_is_prepared_at_once() -> None:
    """Google exports it by files.download alone."""
    async with bench() as b:
        item = b.document("vid")
        assert await all_of(b.drive.content(bytes_of(await b.file(item), "video/mp4"))) == exports.export(
            item, "video/mp4"
        )
        assert b.asked("files.export") == 0


async def test_a_download_that_nobody_reads_to_its_end_is_over() -> None:
    """Its connection is closed, and the call told of as cancelled."""
    async with bench() as b:
        chunks = b.drive.content(bytes_of(await b.file(b.blob(LARGE))))
        async with aclosing(chunks):
            assert await anext(chunks)
        assert [each.error for each in b.reports if "media" in each.method] == ["cancelled"]


BYTES = b"0123456789" * 100
SHOWN = read(
    file("a", mimeType="text/plain", size=str(len(BYTES)), sha256Checksum=hashlib.sha256(BYTES).hexdigest().upper())
)


async def scripted(*answers: Answer, shown: DriveFile = SHOWN) -> tuple[bytes, list[str | None], list[str | None]]:
    """What a download brings by those answers, and which ranges and resource keys were sent."""
    async with (
        google(*answers) as server,
        drive_at(server.url + "/drive/v3", "a-token", ManualClock()) as drive,
    ):
        got = await all_of(drive.content(bytes_of(shown)))
        ranges = [each.headers.get("range") for each in server.seen]
        return got, ranges, [each.headers.get("x-goog-drive-resource-keys") for each in server.seen]


@asynccontextmanager
async def tokens_granted() -> AsyncIterator[tuple[ScriptedServer, Drive, list[str]]]:
    """A server, a Drive at it, and the tokens that were granted: a new one each time."""
    grants: list[str] = []

    async def grant(_id: ConnectionId, _: Credentials) -> Grant:
        grants.append(f"token-{len(grants) + 1}")
        return Grant(Secret(grants[-1]), 3600.0)

    clock = ManualClock()
    async with google() as server, AiohttpTransport(server.url) as transport:
        drives = DriveApis(
            base_url=server.url + "/drive/v3",
            transport=transport,
            authorizers=Authorizers(grant, clock, random.random),
            limiter=QuotaLimiter(REQUESTS, clock),
            clock=clock,
            retry=QUICK,
            downloads=transport,
        )
        yield server, drives.open(connection(authorized_user("https://oauth2.googleapis.com/token"))), grants


def rest_of(start: int) -> list[Answer]:
    """What is left of the bytes from there on."""
    return list(reply(206, BYTES[start:], {"Content-Range": f"bytes {start}-{len(BYTES) - 1}/{len(BYTES)}"}))


async def cut_in_bytes(request: web.Request) -> web.StreamResponse:
    """Some of the bytes, and the end of the connection."""
    response = web.StreamResponse(headers={"Content-Length": str(len(BYTES))})
    await response.prepare(request)
    await response.write(BYTES[:10])
    await asyncio.sleep(0)
    if request.transport is not None:
        request.transport.close()
    return response


async def test_a_server_that_knows_no_ranges_sends_all_of_it_again() -> None:
    """A 200 instead of a 206 is read over what came."""
    got, ranges, _ = await scripted(cut_in_bytes, *reply(200, BYTES))
    assert (got, ranges) == (BYTES, [None, "bytes=10-"])


@pytest.mark.parametrize("status", [206, 416])
async def test_where_a_range_leads_nowhere_all_is_read_again(status: int) -> None:
    """Another part than was asked for, or none: the file is read from zero, and what came is skipped."""
    answer = reply(status, BYTES[5:], {"Content-Range": f"bytes 5-{len(BYTES) - 1}/{len(BYTES)}"})
    got, ranges, _ = await scripted(cut_in_bytes, *answer, *reply(200, BYTES))
    assert (got, ranges) == (BYTES, [None, "bytes=10-", None])


async def test_a_file_that_became_shorter_is_another_content() -> None:
    """What came of it is no part of what is there now."""
    with pytest.raises(ChecksumMismatch):
        await scripted(cut_in_bytes, *reply(416), *reply(200, BYTES[:5]))


PACKED = gzip.compress(BYTES, mtime=0)
GZIP = {"Content-Encoding": "gzip"}


def cut_after(data: bytes, headers: dict[str, str]) -> Answer:
    """Those bytes of more that are announced, and the end of the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(data) + 100), **headers})
        await response.prepare(request)
        await response.write(data)
        await asyncio.sleep(0)
        if request.transport is not None:
            request.transport.close()
        return response

    return answer


async def test_bytes_that_are_compressed_unasked_are_decoded() -> None:
    """A file that is itself a .gz is left as it is: its answer has no coding."""
    assert (await scripted(*reply(200, PACKED, GZIP)))[0] == BYTES
    itself = read(file("a", size=str(len(PACKED)), md5Checksum=hashlib.md5(PACKED, usedforsecurity=False).hexdigest()))
    assert (await scripted(*reply(200, PACKED), shown=itself))[0] == PACKED


async def test_an_encoded_download_is_not_gone_on_with_by_range() -> None:
    """A Range counts encoded bytes: it is read from zero, and what is known is skipped."""
    got, ranges, _ = await scripted(cut_after(PACKED[:-9], GZIP), *reply(200, PACKED, GZIP))
    assert (got, ranges) == (BYTES, [None, None])
    part = {**GZIP, "Content-Range": f"bytes 10-{len(BYTES) - 1}/{len(BYTES)}"}
    got, ranges, _ = await scripted(cut_in_bytes, *reply(206, PACKED[10:], part), *reply(200, BYTES))
    assert (got, ranges) == (BYTES, [None, "bytes=10-", None])


@pytest.mark.parametrize(("coding", "data"), [("br", b"x"), ("gzip", PACKED[:-4]), ("gzip", b"no gzip")])
async def test_bytes_that_can_not_be_decoded_are_asked_for_again(coding: str, data: bytes) -> None:
    """They are never taken for the file's own; for ever, it is that file's trouble."""
    bad = reply(200, data, {"Content-Encoding": coding}, times=QUICK.attempts)
    assert (await scripted(bad[0], *reply(200, BYTES)))[0] == BYTES
    with pytest.raises(ItemUnavailable):
        await scripted(*bad)


@pytest.mark.parametrize("name", ["md5", "sha1"])
async def test_the_best_checksum_that_drive_shows_is_held_to(name: str) -> None:
    """SHA-256 is the object store's to look at; for what has none it is done here."""
    field = f"{name}Checksum"
    right, wrong = (hashlib.new(name, each, usedforsecurity=False).hexdigest() for each in (BYTES, b""))
    assert (await scripted(*reply(200, BYTES), shown=read(file("a", **{field: right.upper()}))))[0] == BYTES
    with pytest.raises(ChecksumMismatch):
        await scripted(*reply(200, BYTES), shown=read(file("a", **{field: wrong})))


async def test_more_bytes_than_drive_shows_are_no_content() -> None:
    """Whatever their checksum."""
    with pytest.raises(ChecksumMismatch):
        await scripted(*reply(200, BYTES + b"!"))


async def test_a_resource_key_is_sent_where_the_file_has_one() -> None:
    """In its header; one that no header can hold is not."""
    assert (await scripted(*reply(200, b"x"), shown=read(file("a", resourceKey="0-key"))))[2] == ["a/0-key"]
    assert (await scripted(*reply(200, b"x"), shown=read(file("a", resourceKey="k\r\nX: y"))))[2] == [None]


async def test_a_link_to_another_host_is_not_followed() -> None:
    """The token stays with Google; the other host hears nothing."""
    refused = reply(403, '{"error":{"errors":[{"reason":"exportSizeLimitExceeded"}]}}')
    async with scripted_server() as other:
        done = reply(200, f'{{"name":"o","done":true,"response":{{"downloadUri":"{other.url}/x"}}}}')
        links = reply(200, f'{{"exportLinks":{{"text/plain":"{other.url}/y"}}}}')
        async with (
            google(*refused, *done, *links) as server,
            drive_at(server.url + "/drive/v3", "a-token", ManualClock()) as drive,
        ):
            with pytest.raises(ItemUnavailable) as raised:
                await all_of(drive.content(bytes_of(read(file("a", mimeType=APPS + "document")), "text/plain")))
            assert raised.value.code == "bad_address"
            assert other.seen == []


GOOGLE = "https://www.googleapis.com"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (f"{GOOGLE}/drive/v3/x?y=z", None),
        ("https://docs.google.com/export?id=1", "https://docs.google.com"),
        ("https://docs.google.com:443/export?id=1", "https://docs.google.com"),
        ("https://doc-0s-docs.googleusercontent.com/x", "https://doc-0s-docs.googleusercontent.com"),
    ],
)
def test_googles_own_addresses_are_taken(url: str, origin: str | None) -> None:
    """The API's host, and those where Google keeps exports."""
    place = place_of(GOOGLE, url)
    assert place is not None
    assert (place.origin, place.target) == (origin, "/" + url.split("/", 3)[3])


@pytest.mark.parametrize(
    "url",
    [
        "http://docs.google.com/x",
        "https://docs.google.com:8443/x",
        "https://docs.google.com.example.com/x",
        "https://example.com/docs.google.com",
        "https://example.com\\.googleapis.com/x",
        "https://example.com%2f.googleapis.com/x",
        "https://www.googleapis.com@example.com/x",
        "https://user:password@docs.google.com/x",
        "https://googleusercontent.com/x",
        "https://xgoogleapis.com/x",
        "//docs.google.com/x",
        "file:///etc/passwd",
        "https://[::1/x",
        "https://docs.google.com/x\x01",
        "https://docs.google.com/x?y=\x7f",
        "https://docs.google.com/x y",
        "https://docs.google.com/\u00e9",
        f"{GOOGLE}/x\n",
        "",
    ],
)
def test_no_token_goes_to_an_address_that_only_looks_like_googles(url: str) -> None:
    """Whatever an answer names: other schemes, ports and hosts, and names that other parsers read differently."""
    assert place_of(GOOGLE, url) is None


@pytest.mark.parametrize("url", ["https://docs.google.com/x", "https://127.0.0.1:80/x", "http://127.0.0.1:81/x"])
def test_an_api_of_ones_own_has_no_other_hosts(url: str) -> None:
    """Where the API is not Google's, no address but its own is taken."""
    assert place_of("http://127.0.0.1:80", url) is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_download_follows_no_redirect(status: int) -> None:
    """Its token goes to the host that it was asked for at. One answer of a proxy's is tried again."""
    async with scripted_server() as other:
        away = {"Location": f"{other.url}/steal"}
        assert (await scripted(*reply(status, headers=away), *reply(200, BYTES)))[0] == BYTES
        with pytest.raises(ItemUnavailable) as raised:
            await scripted(*reply(status, headers=away, times=QUICK.attempts))
        assert raised.value.code == "redirected"
        assert other.seen == []


async def test_an_export_that_is_made_anew_is_not_gone_on_with() -> None:
    """Two exports of a document need not be the same bytes: after a cut the rest of another one is no rest of it."""
    refused = reply(403, '{"error":{"errors":[{"reason":"exportSizeLimitExceeded"}]}}')
    async with (
        google(*refused, *reply(404, b'{"error":{"errors":[{"reason":"notFound"}]}}')) as server,
        drive_at(server.url + "/drive/v3", "a-token", ManualClock()) as drive,
    ):
        server.script += [*reply(200, f'{{"exportLinks":{{"text/plain":"{server.url}/y"}}}}'), cut_in_bytes]
        with pytest.raises(ItemUnavailable) as raised:
            await all_of(drive.content(bytes_of(read(file("a", mimeType=APPS + "document")), "text/plain")))
        assert raised.value.code == "truncated"
        assert server.seen[-1].path == "/y"


GOOGLE = "https://www.googleapis.com"
SIGNED = "https://doc-0s-4k-docs.googleusercontent.com/export/abc?signature=xyz"


@dataclass
class Hosts:
    """Google's hosts, as a transport to all of them: answers each address by a status, headers and a body."""

    answers: dict[str, tuple[int, dict[str, str], bytes]]
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def send(self, request: HttpRequest) -> HttpResponse:
        """A call of the API."""
        return HttpResponse(*self._answer(GOOGLE, request))

    @asynccontextmanager
    async def stream(self, request: HttpRequest, origin: str | None = None) -> AsyncIterator[HttpStream]:
        """An answer in one piece."""
        status, headers, body = self._answer(origin or GOOGLE, request)

        async def pieces() -> AsyncIterator[bytes]:
            yield body

        yield HttpStream(status, headers, pieces)

    def _answer(self, origin: str, request: HttpRequest) -> tuple[int, dict[str, str], bytes]:
        address = origin + request.target
        self.seen.append((address, dict(request.headers)))
        plain = address.partition("?")[0]
        return self.answers.get(address) or self.answers.get(plain) or (404, {}, b"{}")


async def exported_by(hosts: Hosts) -> bytes:
    """A large document's export, which Google gives by a link alone."""

    async def grant(_id: ConnectionId, _: Credentials) -> Grant:
        return Grant(Secret("a-token"), 3600.0)

    too_large = b'{"error":{"errors":[{"reason":"exportSizeLimitExceeded"}]}}'
    links = b'{"exportLinks":{"text/plain":"https://docs.google.com/feeds/export?id=a"}}'
    hosts.answers |= {
        f"{GOOGLE}/drive/v3/about": (200, {}, b"{}"),
        f"{GOOGLE}/drive/v3/files/a/export": (403, {}, too_large),
        f"{GOOGLE}/drive/v3/files/a/download": (404, {}, b'{"error":{"errors":[{"reason":"notFound"}]}}'),
        f"{GOOGLE}/drive/v3/files/a": (200, {}, links),
    }
    clock = ManualClock()
    drives = DriveApis(
        base_url=f"{GOOGLE}/drive/v3",
        transport=hosts,
        authorizers=Authorizers(grant, clock, random.random),
        limiter=QuotaLimiter(REQUESTS, clock),
        clock=clock,
        retry=QUICK,
        downloads=hosts,
    )
    shown = read(file("a", mimeType=APPS + "document", resourceKey="a-key"))
    drive = drives.open(connection(authorized_user("https://oauth2.googleapis.com/token")))
    return await all_of(drive.content(bytes_of(shown, "text/plain")))


LINK = "https://docs.google.com/feeds/export"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_an_exports_link_is_followed_to_google_without_the_token(status: int) -> None:
    """The address that it leads to is signed, and needs neither token nor resource key."""
    hosts = Hosts({LINK: (status, {"Location": SIGNED}, b""), SIGNED: (200, {}, b"text")})
    assert await exported_by(hosts) == b"text"
    (link, told), (signed, told_there) = hosts.seen[-2:]
    assert (link.partition("?")[0], told["Authorization"]) == (LINK, "Bearer a-token")
    assert (signed, told_there) == (SIGNED, {"Accept": "*/*"})


@pytest.mark.parametrize(
    "location",
    ["https://evil.example/x", "http://docs.google.com/x", "https://docs.google.com.evil.example/", "//[", "", LINK],
)
async def test_an_exports_link_that_leads_elsewhere_or_nowhere_is_not_followed(location: str) -> None:
    """Nothing is asked of a stranger, and nobody is led in circles; the file alone is left out."""
    hosts = Hosts({LINK: (302, {"Location": location}, b"")})
    with pytest.raises(ItemUnavailable) as raised:
        await exported_by(hosts)
    assert raised.value.code == "redirected"
    assert {address.partition("?")[0] for address, _ in hosts.seen if "googleapis" not in address} == {LINK}
    assert len([told for _, told in hosts.seen if "Authorization" not in told]) <= REDIRECTS_AT_MOST * QUICK.attempts


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_an_exports_address_that_lets_nobody_in_is_that_files_trouble(status: int) -> None:
    """The token was not sent there, and is as good as before; the file is no more gone than before."""
    hosts = Hosts({LINK: (302, {"Location": SIGNED}, b""), SIGNED: (status, {}, b"")})
    with pytest.raises(ItemUnavailable) as raised:
        await exported_by(hosts)
    assert (raised.value.code, raised.value.http_status) == ("link_refused", status)


def refused(status: int, reason: str) -> list[Answer]:
    """A refusal in Google's own form."""
    return list(reply(status, f'{{"error":{{"code":{status},"errors":[{{"reason":"{reason}"}}]}}}}'))


async def export_by(mime_type: str = APPS + "document", **answers: Answer) -> tuple[bytes, list[str]]:
    """What an export brings, and what was asked in turn, by the last part of its path. Each is answered so each time:
    `export`, `download` (the operation), `a` (the links), and the addresses `operated` and `linked`."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        if name not in asked:
            asked.append(name)
        return await answers.get(name, bare)(request)

    async with (
        google() as server,
        drive_at(server.url + "/drive/v3", "a-token", ManualClock()) as drive,
    ):
        server.otherwise = answer
        got = await all_of(drive.content(bytes_of(read(file("a", mimeType=mime_type)), "text/plain")))
        return got, asked


bare, html, whole = reply(200, "{}")[0], reply(404, "<html>")[0], reply(200, BYTES)[0]
too_large, refused_operation = refused(403, "exportSizeLimitExceeded")[0], refused(403, "fileNotExportable")[0]


def failed(code: int) -> Answer:
    """An operation that ended so."""
    return reply(200, f'{{"name":"o","done":true,"error":{{"code":{code},"message":"x"}}}}')[0]


async def done(request: web.Request) -> web.StreamResponse:
    """A finished operation, with an address on the same server."""
    uri = f"http://{request.host}/operated"
    return web.json_response({"name": "o", "done": True, "response": {"downloadUri": uri}})


async def linked(request: web.Request) -> web.StreamResponse:
    """An export link on the same server."""
    return web.json_response({"exportLinks": {"text/plain": f"http://{request.host}/linked"}})


ODD: dict[str, Answer] = {
    "500": reply(500, "<html>")[0],
    "coding": reply(200, b"x", {"Content-Encoding": "br"})[0],
    "cut": cut,
    "empty": reply(204)[0],
    "sign-in page": reply(200, "<html>Sign in</html>", {"Content-Type": "text/html; charset=utf-8"})[0],
    "redirect": reply(302, headers={"Location": "http://elsewhere.example/"})[0],
}


@pytest.mark.parametrize("odd", ODD)
async def test_an_export_that_never_comes_goes_the_other_ways(odd: str) -> None:
    """There are documents that files.export answers with 500 for ever, and that can be had all the same."""
    got, asked = await export_by(export=ODD[odd], download=done, operated=whole)
    assert (got, asked) == (BYTES, ["export", "download", "operated"])
    got, asked = await export_by(export=ODD[odd], download=ODD["500"], a=linked, linked=whole)
    assert (got, asked) == (BYTES, ["export", "download", "a", "linked"])


async def test_an_address_that_gives_nothing_is_left_for_the_next_way() -> None:
    """An operation that ends well may name an address that has expired."""
    got, asked = await export_by(export=too_large, download=done, operated=html, a=linked, linked=whole)
    assert (got, asked) == (BYTES, ["export", "download", "operated", "a", "linked"])


@pytest.mark.parametrize("odd", ["empty", "sign-in page"])
async def test_an_address_that_gives_no_export_is_left_for_the_next_way(odd: str) -> None:
    """No page of somebody's is stored as the document."""
    got, asked = await export_by(export=too_large, download=done, operated=ODD[odd], a=linked, linked=whole)
    assert (got, asked) == (BYTES, ["export", "download", "operated", "a", "linked"])
    with pytest.raises(ItemUnavailable) as raised:
        await export_by(export=too_large, download=refused_operation, a=linked, linked=ODD[odd])
    assert raised.value.http_status in {200, 204}


async def test_an_export_to_html_is_html() -> None:
    """It is taken where it was asked for, and so is a document without a word."""
    page = reply(200, "<html>text</html>", {"Content-Type": "text/html"})
    document = read(file("a", mimeType=APPS + "document"))
    for answers, export_type, expected in (
        (page, "text/html", b"<html>text</html>"),
        (reply(200, b" "), "text/plain", b" "),
    ):
        async with google(*answers) as server, drive_at(server.url + "/drive/v3", "a-token") as drive:
            assert await all_of(drive.content(bytes_of(document, export_type))) == expected


async def test_a_document_that_comes_in_no_way_is_a_gap() -> None:
    """Its trouble may pass, even where some way says no for good; what is told is the trouble."""
    with pytest.raises(ItemUnavailable) as raised:
        await export_by(export=ODD["500"], download=refused_operation)
    assert (raised.value.code, raised.value.http_status) == ("unavailable", 500)
    with pytest.raises(ItemUnavailable) as raised:
        await export_by(export=too_large, download=failed(13))
    assert raised.value.code == "operation_failed"


async def test_a_document_that_every_way_refuses_for_good_is_no_gap() -> None:
    """A large Drive has to be able to complete: the first refusal is the one that is told."""
    with pytest.raises(SkipItem) as raised:
        await export_by(export=too_large, download=failed(3))
    assert (type(raised.value), raised.value.code) == (SkipItem, "export_too_large")
    with pytest.raises(SkipItem) as raised:
        await export_by(APPS + "vid", download=refused(404, "notFound")[0])
    assert (type(raised.value), raised.value.code) == (SkipItem, "not_exportable")


async def test_an_operation_s_odd_address_is_left_for_the_next_way() -> None:
    """It could not be sent, and is the document's trouble alone."""
    odd = reply(200, '{"name":"o","done":true,"response":{"downloadUri":"http://127.0.0.1/\\u0001"}}')[0]
    got, asked = await export_by(export=too_large, download=odd, a=linked, linked=whole)
    assert (got, asked) == (BYTES, ["export", "download", "a", "linked"])
    with pytest.raises(ItemUnavailable) as raised:
        await export_by(export=too_large, download=odd)
    assert raised.value.code == "bad_address"


@pytest.mark.parametrize("code", [0, 1, 2, 4, 5, 6, 8, 11, 13, 16, 17, 99])
async def test_an_operation_that_fails_for_an_unknown_reason_is_a_gap(code: int) -> None:
    """Only what says that it stays so is final."""
    with pytest.raises(ItemUnavailable) as raised:
        await export_by(export=too_large, download=failed(code))
    assert raised.value.code == "operation_failed"


async def test_an_operation_that_is_not_found_is_a_gap() -> None:
    """It says nothing of the file, which may be exported by another operation later."""
    begun = reply(200, '{"name":"o","done":false}')[0]
    with pytest.raises(ItemUnavailable) as raised:
        await export_by(export=too_large, download=begun, o=refused(404, "notFound")[0])
    assert raised.value.http_status == 404


@pytest.mark.parametrize("reason", ["fileNotExportable", "cannotDownloadFile", "notFound"])
async def test_a_documented_refusal_of_an_export_is_the_last_word(reason: str) -> None:
    """No other way is asked."""
    answer = refused(404 if reason == "notFound" else 403, reason)[0]
    with pytest.raises(SkipItem) as raised:
        await export_by(export=answer, download=done, operated=whole)
    assert not isinstance(raised.value, ItemUnavailable)


@pytest.mark.parametrize("status", [400, 403, 408, 410, 451, 500, 503, 599])
async def test_a_file_that_google_never_serves_is_a_gap_of_its_own(status: int) -> None:
    """Whatever it answers, in HTML or with a reason that Drive does not document: it is never "not for you"."""
    for answers in (reply(status, "<html>", times=9), refused(status, "somethingElse") * 9):
        with pytest.raises(ItemUnavailable) as raised:
            await scripted(*answers)
        assert raised.value.http_status == status


async def test_a_token_without_the_scope_of_contents_is_told_apart_from_files_that_are_refused() -> None:
    """Two files are asked for with all their tries; then it is the connection's, and each further file is one call."""
    async with google() as server, drive_at(server.url + "/drive/v3", "a-token", ManualClock()) as drive:
        server.otherwise = refused(403, "insufficientPermissions")[0]
        others = [read(file(each, mimeType="text/plain", size="9")) for each in "abc"]
        with pytest.raises(ItemUnavailable):
            await all_of(drive.content(bytes_of(others[0])))
        for other in others[1:]:
            server.seen.clear()
            with pytest.raises(Terminal) as raised:
                await all_of(drive.content(bytes_of(other)))
            assert raised.value.code == "insufficient_scope"
        assert len(server.seen) == 1


async def test_one_file_s_401_is_that_file_s_where_the_token_can_not_be_refreshed() -> None:
    """The token goes on being used where what needs no item takes it; where that refuses it, a person has to act."""
    async with google() as server, drive_at(server.url + "/drive/v3", "a-token", ManualClock()) as drive:
        server.otherwise = refused(401, "authError")[0]
        with pytest.raises(ItemUnavailable):
            await all_of(drive.content(bytes_of(SHOWN)))
        [found] = (await drive.get_files([FileId("b")])).values()
        assert isinstance(found, ItemUnavailable)
        server.aside["/about"] = refused(401, "authError")[0]
        with pytest.raises(NeedsReauth):
            await drive.get_files([FileId("b")])


async def test_an_outage_is_no_file_s_trouble() -> None:
    """Where many calls fail in a row the connection rests, and no further file is blamed."""
    async with (
        scripted_server() as server,
        drive_at(server.url + "/drive/v3", "a-token", ManualClock()) as drive,
    ):
        server.otherwise = reply(503)[0]
        found = [await failure_of(drive) for _ in range(5)]
        assert found[-3:] == [Retryable] * 3


async def failure_of(drive: Drive) -> type[Exception]:
    """What kind of trouble a download comes to."""
    try:
        await all_of(drive.content(bytes_of(SHOWN)))
    except (ItemUnavailable, Retryable) as problem:
        return type(problem)
    raise AssertionError("it came")


@pytest.mark.parametrize("answer", [refused(429, "rateLimitExceeded"), refused(403, "dailyLimitExceeded")])
async def test_a_quota_is_the_connection_s_trouble(answer: list[Answer]) -> None:
    """No other way of an export is tried then."""
    with pytest.raises(Retryable):
        await export_by(export=answer[0], download=done, operated=whole)
