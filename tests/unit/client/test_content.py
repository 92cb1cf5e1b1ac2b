"""The bytes of files, against the simulator over real HTTP, and against scripted answers for what it does not do."""

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from drive_simulator import content, exports
from drive_simulator.corpus import CorpusPlan, generate
from drive_simulator.faults import Effect, Match, Rule
from drive_simulator.items import Item
from drive_simulator.server import Simulator
from google_drive_worker.client.auth import Authorizers
from google_drive_worker.client.calls import CallReport
from google_drive_worker.client.content import REDIRECTS_AT_MOST, place_of
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
    SkipItem,
    Terminal,
)
from support.clock import ManualClock
from support.credentials import authorized_user, connection
from support.scripted_http import Answer, ScriptedServer, reply, scripted_server
from support.simulators import serving
from support.syncs import file, read

QUICK = RetryPolicy(attempts=4, total_s=20.0, base_s=0.01, cap_s=0.02)
APPS = "application/vnd.google-apps."
LARGE = 5_000_000
MEDIA = Match(method="files.get", media=True)


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
        assert raised.value.code == "truncated"
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
        server.script += [*reply(401), cut_in_bytes, *reply(401), *rest_of(10)]
        assert await all_of(drive.content(bytes_of(SHOWN))) == BYTES
        assert [each.headers["authorization"] for each in server.seen] == [
            "Bearer token-1",
            "Bearer token-2",
            "Bearer token-2",
            "Bearer token-3",
        ]
        assert len(grants) == 3


async def test_a_download_whose_new_token_is_refused_as_well_needs_a_person() -> None:
    """Where it is refused for what needs no file as well; otherwise the file alone can't be had."""
    refused = '{"error":{"errors":[{"reason":"authError"}]}}'
    async with tokens_granted() as (server, drive, _):
        server.script += reply(401, refused, times=4)
        with pytest.raises(NeedsReauth):
            await all_of(drive.content(bytes_of(SHOWN)))
        assert [seen.path.rpartition("/")[2] for seen in server.seen] == ["a", "a", "about", "about"]
    async with tokens_granted() as (server, drive, _):
        server.script += [*reply(401, refused, times=2), *reply()]
        with pytest.raises(ItemUnavailable):
            await all_of(drive.content(bytes_of(SHOWN)))


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
        scripted_server(*answers) as server,
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
    async with scripted_server() as server, AiohttpTransport(server.url) as transport:
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
async def test_another_part_than_was_asked_for_is_not_taken(status: int) -> None:
    """Nor is there nothing to be had where there were bytes before: the content is another one by now."""
    answer = reply(status, BYTES[5:], {"Content-Range": f"bytes 5-{len(BYTES) - 1}/{len(BYTES)}"})
    with pytest.raises(ChecksumMismatch):
        await scripted(cut_in_bytes, *answer)


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
            scripted_server(*refused, *done, *links) as server,
            drive_at(server.url + "/drive/v3", "a-token", ManualClock()) as drive,
        ):
            with pytest.raises(SkipItem) as raised:
                await all_of(drive.content(bytes_of(read(file("a", mimeType=APPS + "document")), "text/plain")))
            assert raised.value.code == "export_too_large"
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
    """Its token goes to the host that it was asked for at."""
    async with scripted_server() as other:
        answers = reply(status, headers={"Location": f"{other.url}/steal"})
        async with (
            scripted_server(*answers) as server,
            drive_at(server.url + "/drive/v3", "a-token", ManualClock()) as drive,
        ):
            with pytest.raises(Terminal) as raised:
                await all_of(drive.content(bytes_of(read(file("a", size="1")))))
            assert raised.value.code == "redirected"
        assert other.seen == []


async def test_an_export_that_is_made_anew_is_not_gone_on_with() -> None:
    """Two exports of a document need not be the same bytes: after a cut the rest of another one is no rest of it."""
    refused = reply(403, '{"error":{"errors":[{"reason":"exportSizeLimitExceeded"}]}}')
    missing = reply(404, '{"error":{"errors":[{"reason":"notFound"}]}}')
    async with (
        scripted_server(*refused, *missing) as server,
        drive_at(server.url + "/drive/v3", "a-token", ManualClock()) as drive,
    ):
        server.script += [*reply(200, f'{{"exportLinks":{{"text/plain":"{server.url}/y"}}}}'), cut_in_bytes, *reply()]
        with pytest.raises(ItemUnavailable) as raised:
            await all_of(drive.content(bytes_of(read(file("a", mimeType=APPS + "document")), "text/plain")))
        assert raised.value.code == "truncated"
        assert server.seen[-2].path == "/y"


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
        f"{GOOGLE}/drive/v3/files/a/export": (403, {}, too_large),
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
    with pytest.raises(Terminal) as raised:
        await exported_by(hosts)
    assert raised.value.code == "redirected"
    assert {address.partition("?")[0] for address, _ in hosts.seen if "googleapis" not in address} == {LINK}
    assert len([told for _, told in hosts.seen if "Authorization" not in told]) <= REDIRECTS_AT_MOST


async def test_an_exports_address_that_lets_nobody_in_is_that_files_trouble() -> None:
    """The token was not sent there, and is as good as before."""
    hosts = Hosts({LINK: (302, {"Location": SIGNED}, b""), SIGNED: (401, {}, b"")})
    with pytest.raises(SkipItem) as raised:
        await exported_by(hosts)
    assert raised.value.code == "link_refused"
