"""`DriveApi` against a real HTTP server with scripted answers."""

import asyncio
import gzip
import json
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from google_drive_worker.client.auth import Authorizers
from google_drive_worker.client.calls import CallReport, quota_user
from google_drive_worker.client.drive_api import DriveApi, DriveApis
from google_drive_worker.client.fields import (
    CHANGES_PAGE_FIELDS,
    DRIVES_PAGE_FIELDS,
    FILE_FIELDS,
    FILES_PAGE_FIELDS,
    SHARED_CHANGES_PAGE_FIELDS,
    SHARED_FILES_PAGE_FIELDS,
)
from google_drive_worker.client.quota import REQUESTS, QuotaLimiter
from google_drive_worker.client.view import query_literal
from google_drive_worker.domain.connection import ConnectionSettings, Credentials, Grant, Secret
from google_drive_worker.domain.drive import DriveFile, SharedDrive
from google_drive_worker.domain.ids import ConnectionId, DriveId, FileId, PageToken
from google_drive_worker.domain.ports import Drives
from google_drive_worker.domain.times import TimeRange
from google_drive_worker.http.transport import AiohttpTransport
from google_drive_worker.utils.errors import (
    ItemUnavailable,
    Misconfigured,
    NeedsReauth,
    NotFound,
    PageTokenRejected,
    Retryable,
    Terminal,
    WorkerError,
)
from support.clock import ManualClock
from support.credentials import CANARY, authorized_user, connection
from support.scripted_http import EMPTY_PAGE, Answer, ScriptedServer, cut, hang_up, reply, scripted_server

DRIVE = DriveId("0Adrive")
PAGE = PageToken("page 2/=&")
COMMON = {"prettyPrint": "false", "quotaUser": quota_user(ConnectionId("conn_abc"))}


@dataclass
class Bench:
    """One connection's Drive, the server behind it, and what was seen on the way."""

    server: ScriptedServer
    clock: ManualClock
    drives: DriveApis
    reports: list[CallReport] = field(default_factory=list)
    grants: int = 0

    def drive(self, settings: ConnectionSettings | None = None) -> DriveApi:
        """Open the Drive."""
        return self.drives.open(connection(authorized_user("https://oauth2.googleapis.com/token"), settings=settings))


@asynccontextmanager
async def bench(*answers: Answer, page_size: int = 100, include_shared_drives: bool = True) -> AsyncIterator[Bench]:
    """Wire a client to a scripted server."""
    clock, reports = ManualClock(), list[CallReport]()

    async def grant(_id: ConnectionId, _: Credentials) -> Grant:
        made.grants += 1
        return Grant(Secret(f"CANARY-token-{made.grants}"), 3600.0)

    async with scripted_server(*answers) as server, AiohttpTransport(server.url) as transport:
        drives = DriveApis(
            base_url=f"{server.url}/drive/v3",
            transport=transport,
            authorizers=Authorizers(grant, clock, lambda: 0.5),
            limiter=QuotaLimiter(REQUESTS, clock),
            clock=clock,
            page_size=page_size,
            include_shared_drives=include_shared_drives,
            random=lambda: 0.5,
            on_call=reports.append,
        )
        made = Bench(server, clock, drives, reports)
        yield made


def error_body(status: int, reason: str, location: str | None = None) -> str:
    """A body as Drive's errors have it."""
    detail = {"domain": "global", "reason": reason, "message": "m", "location": location}
    return json.dumps({"error": {"code": status, "message": "m", "errors": [detail]}})


def refusal(status: int, reason: str, location: str | None = None, *, times: int = 1) -> list[Answer]:
    """Drive's errors, for a script."""
    return reply(status, error_body(status, reason, location), times=times)


async def list_files(drive: DriveApi) -> object:
    """The call that most tests make."""
    return await drive.list_files(None, None, include_trashed=False)


def test_it_fills_the_port() -> None:
    """`DriveApis` is a `Drives`, for the type checker to see."""
    port: Callable[..., Drives] = DriveApis
    assert port is DriveApis


async def test_files_of_the_user() -> None:
    """The user's corpus is listed with what is shared with them, trash left out, in pages of the configured size."""
    async with bench(*reply(), page_size=1000) as it:
        await it.drive().list_files(None, None, include_trashed=False)
        [seen] = it.server.seen
    assert seen.path == "/drive/v3/files"
    assert seen.headers["authorization"] == "Bearer CANARY-token-1"
    assert seen.query == COMMON | {
        "corpora": "user",
        "supportsAllDrives": "true",
        "includeItemsFromAllDrives": "true",
        "q": "trashed = false",
        "pageSize": "1000",
        "fields": SHARED_FILES_PAGE_FIELDS,
    }


async def test_permissions_come_with_the_users_items_where_they_are_wanted() -> None:
    """A page with them is cut to 100 files, so nobody asks without need; in shared drives there are none."""
    without = ConnectionSettings(sync_permissions=False)
    async with bench(*reply(times=3)) as it:
        await it.drive().list_children(FileId("f"), None, None, include_trashed=True)
        await it.drive(without).list_files(None, None, include_trashed=True)
        await it.drive().list_files(DRIVE, None, include_trashed=True)
        wanted = [seen.query["fields"] for seen in it.server.seen]
    assert wanted == [SHARED_FILES_PAGE_FIELDS, FILES_PAGE_FIELDS, FILES_PAGE_FIELDS]


async def test_files_of_a_range_newest_first() -> None:
    """Ranges of modifiedTime come in that order, with the query's other terms; an open range has the order alone."""
    january = TimeRange("2026-01-01T00:00:00", "2026-02-01T00:00:00")
    async with bench(*reply(times=3)) as it:
        await it.drive().list_files(None, None, include_trashed=False, modified=january)
        await it.drive().list_files(None, None, include_trashed=True, modified=TimeRange("2026-01-01T00:00:00"))
        await it.drive().list_files(DRIVE, PAGE, include_trashed=True, modified=TimeRange())
        first, second, third = (seen.query for seen in it.server.seen)
    limits = "modifiedTime >= '2026-01-01T00:00:00' and modifiedTime < '2026-02-01T00:00:00'"
    assert first["q"] == f"{limits} and trashed = false"
    assert second["q"] == "modifiedTime >= '2026-01-01T00:00:00'"
    assert "q" not in third
    assert [query["orderBy"] for query in (first, second, third)] == ["modifiedTime desc"] * 3


async def test_the_oldest_times_are_asked_for_alone_and_in_one_page() -> None:
    """The same listing from the other end, its files' times in the order that they come in; one without is left out."""
    body = '{"files":[{"modifiedTime":"2026-01-02T00:00:00.000Z"},{},{"modifiedTime":"2026-01-01T00:00:00.000Z"}]}'
    async with bench(*reply(200, body, times=2), page_size=10) as it:
        times = await it.drive().oldest_times(None, include_trashed=False)
        await it.drive().oldest_times(DRIVE, include_trashed=True, since="2026-01-01T00:00:00")
        first, second = (seen.query for seen in it.server.seen)
    assert times == ("2026-01-02T00:00:00.000Z", "2026-01-01T00:00:00.000Z")
    expected = {"orderBy": "modifiedTime", "pageSize": "1000", "fields": "incompleteSearch,files(modifiedTime)"}
    assert expected.items() <= first.items()
    assert expected.items() <= second.items()
    assert (first["corpora"], first["q"]) == ("user", "trashed = false")
    assert (second["driveId"], second["q"]) == (DRIVE, "modifiedTime >= '2026-01-01T00:00:00'")


async def test_files_without_shared_drives() -> None:
    """Where shared drives are not wanted, by default or by the connection, nothing is asked of them."""
    expected = COMMON | {"corpora": "user", "pageSize": "100", "fields": SHARED_FILES_PAGE_FIELDS, "pageToken": PAGE}
    async with bench(*reply(times=2), include_shared_drives=False) as it:
        await it.drive().list_files(None, PAGE, include_trashed=True)
        await it.drive(ConnectionSettings(include_shared_drives=True)).list_files(None, PAGE, include_trashed=True)
        assert it.server.seen[0].query == expected
        assert it.server.seen[1].query["supportsAllDrives"] == "true"
    async with bench(*reply()) as it:
        await it.drive(ConnectionSettings(include_shared_drives=False)).list_files(None, PAGE, include_trashed=True)
        assert it.server.seen[0].query == expected


async def test_files_of_a_shared_drive() -> None:
    """A shared drive is a corpus of its own."""
    async with bench(*reply(), include_shared_drives=False) as it:
        await it.drive().list_files(DRIVE, PAGE, include_trashed=True)
        [seen] = it.server.seen
    assert seen.query == COMMON | {
        "corpora": "drive",
        "driveId": DRIVE,
        "supportsAllDrives": "true",
        "includeItemsFromAllDrives": "true",
        "pageSize": "100",
        "fields": FILES_PAGE_FIELDS,
        "pageToken": PAGE,
    }


async def test_children_of_a_folder() -> None:
    """A folder's children are found by their parent, in its drive's corpus."""
    async with bench(*reply(times=2)) as it:
        await it.drive().list_children(FileId("1folder"), DRIVE, None, include_trashed=False)
        await it.drive().list_children(FileId("it's"), None, None, include_trashed=True)
        in_drive, in_my_drive = it.server.seen
    assert in_drive.query["q"] == "'1folder' in parents and trashed = false"
    assert (in_drive.query["corpora"], in_drive.query["driveId"]) == ("drive", DRIVE)
    assert in_my_drive.query["q"] == r"'it\'s' in parents"
    assert in_my_drive.query["corpora"] == "user"


def test_query_strings_are_escaped() -> None:
    """Quotes and backslashes can't end a string of the query language early."""
    assert query_literal(r"a'b\c") == r"'a\'b\\c'"


async def test_changes_and_their_start() -> None:
    """Each log is read with removals, its own and those of the corpus."""
    start = reply(body='{"startPageToken": "77"}', times=2)
    pages = reply(body='{"changes": [{"fileId": "1", "removed": true}], "newStartPageToken": "78"}', times=2)
    async with bench(*start, *pages) as it:
        drive = it.drive()
        assert await drive.start_page_token(None) == "77"
        assert await drive.start_page_token(DRIVE) == "77"
        page = await drive.list_changes(None, PAGE)
        await drive.list_changes(DRIVE, PAGE)
        start_user, start_drive, user, shared = it.server.seen
    assert page.new_start_page_token == "78"
    assert start_user.path == "/drive/v3/changes/startPageToken"
    assert start_user.query == COMMON | {"supportsAllDrives": "true", "fields": "startPageToken"}
    assert start_drive.query == start_user.query | {"driveId": DRIVE}
    assert user.path == "/drive/v3/changes"
    assert user.query == COMMON | {
        "supportsAllDrives": "true",
        "includeItemsFromAllDrives": "true",
        "includeRemoved": "true",
        "includeCorpusRemovals": "true",
        "spaces": "drive",
        "pageSize": "100",
        "fields": SHARED_CHANGES_PAGE_FIELDS,
        "pageToken": PAGE,
    }
    assert shared.query == user.query | {"driveId": DRIVE, "fields": CHANGES_PAGE_FIELDS}


async def test_labels_come_with_every_file_that_becomes_a_record_where_they_are_named() -> None:
    """And with nothing else; a Drive without them asks as if none were named."""
    named = ConnectionSettings(label_ids=("one", "two"))
    async with bench(*reply(times=7)) as it:
        drive = it.drive(named)
        await drive.list_files(None, None, include_trashed=True)
        await drive.list_children(FileId("f"), DRIVE, None, include_trashed=True)
        await drive.list_changes(None, PAGE)
        await drive.get_files([FileId("1a")])
        await drive.oldest_times(None, include_trashed=True)
        await drive.without_labels().list_files(None, None, include_trashed=True)
        await it.drive().without_labels().list_files(None, None, include_trashed=True)
        labelled, others = it.server.seen[:4], it.server.seen[4:]
    assert [seen.query["includeLabels"] for seen in labelled] == ["one,two"] * 4
    assert all("labelInfo(labels(id,revisionId,fields))" in seen.query["fields"] for seen in labelled)
    assert not any("includeLabels" in seen.query or "labelInfo" in seen.query["fields"] for seen in others)
    assert others[-2].query == others[-1].query


async def test_drives_and_one_file() -> None:
    """Shared drives come a hundred a page; a file is had whichever drive it is in."""
    answers = [*reply(body='{"drives": [{"id": "0A", "name": "Team"}]}'), *reply(body='{"id": "1a", "name": "x"}')]
    async with bench(*answers) as it:
        page = await it.drive().list_drives(None)
        files = await it.drive().get_files([FileId("1a")])
        drives, get = it.server.seen
    assert page.drives == (SharedDrive(DriveId("0A"), "Team"),)
    assert files == {"1a": DriveFile(id=FileId("1a"), name="x")}
    assert drives.query == COMMON | {"pageSize": "100", "fields": DRIVES_PAGE_FIELDS}
    assert get.path == "/drive/v3/files/1a"
    assert get.query == COMMON | {"supportsAllDrives": "true", "fields": FILE_FIELDS}


async def test_strange_ids_stay_ids() -> None:
    """An id can't lead to another address."""
    async with bench(*reply(404, error_body(404, "notFound"))) as it:
        for strange in ("", ".", "..", "a/../../secret?x=1"):
            [found] = (await it.drive().get_files([FileId(strange)])).values()
            assert isinstance(found, NotFound)
        assert [seen.path for seen in it.server.seen] == ["/drive/v3/files/a/../../secret?x=1"]
        assert "x" not in it.server.seen[0].query


async def test_compressed_pages_are_decoded() -> None:
    """A gzipped page of files comes out typed; an item that fits no type spoils only itself."""
    body = json.dumps({"files": [{"id": "1", "name": "ünï"}, {"id": "2", "trashed": 7}], "nextPageToken": "n"}).encode()
    async with bench(*reply(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})) as it:
        page = await it.drive().list_files(None, None, include_trashed=False)
    good, bad = page.items()
    assert isinstance(good, DriveFile)
    assert (good.name, page.next_page_token) == ("ünï", "n")
    assert not isinstance(bad, DriveFile)


@pytest.mark.parametrize(
    "trouble",
    [
        *refusal(403, "userRateLimitExceeded"),
        *refusal(403, "rateLimitExceeded"),
        *refusal(429, "rateLimitExceeded"),
        *reply(500, "<html>oops</html>"),
        *refusal(502, "x"),
        *refusal(503, "backendError"),
        *reply(504, b""),
        *reply(200, b'{"files": [{"id": "1"'),
        *reply(200, b"<html>not Drive at all</html>"),
        *reply(200, b""),
        *reply(200, b'{"files": 7}'),
        *reply(200, b'{"files": null}'),
        *reply(200, b'{"nextPageToken": "two"}'),
        *reply(200, b"{}"),
        *reply(200, b'{"files":' + b"[" * 100_000),
        *reply(200, gzip.compress(EMPTY_PAGE)[:-9], {"Content-Encoding": "gzip"}),
        cut,
    ],
)
async def test_what_passes_is_retried(trouble: Answer) -> None:
    """Quota answers, server errors, garbage, truncation and cuts are tried again until it works."""
    async with bench(trouble, trouble, *reply()) as it:
        await list_files(it.drive())
        assert len(it.server.seen) == 3
        assert it.clock.monotonic_s() > 0
        [report] = it.reports
    assert (report.method, report.status, report.attempts, report.error) == ("drive.files.list", 200, 3, None)
    assert report.duration_s > 0
    assert report.connection_id == "conn_abc"


async def test_retry_after_is_obeyed() -> None:
    """The next try waits for as long as Google asked."""
    async with bench(*reply(503, "", {"Retry-After": "40"}), *reply()) as it:
        await list_files(it.drive())
        assert it.clock.monotonic_s() >= 40


async def test_giving_up() -> None:
    """A Drive that stays down ends in an error that says how often it was tried, and when to come back."""
    async with bench(*refusal(503, "backendError", times=20)) as it:
        with pytest.raises(Retryable) as caught:
            await list_files(it.drive())
        assert len(it.server.seen) == caught.value.attempts == 6
        assert caught.value.retry_after_s
        assert it.reports[0].error == "unavailable"
        assert it.reports[0].status == 503


async def test_nobody_there() -> None:
    """A server that only hangs up is a failed connection, with no status."""
    async with bench(*[hang_up] * 30) as it:
        with pytest.raises(Retryable) as caught:
            await list_files(it.drive())
        assert caught.value.code == "connection_failed"
        assert it.reports[0].status is None


async def test_a_daily_limit_is_not_waited_for() -> None:
    """The reset may be hours away: the call ends at once and says when."""
    async with bench(*refusal(403, "dailyLimitExceeded")) as it:
        with pytest.raises(Retryable) as caught:
            await list_files(it.drive())
        assert len(it.server.seen) == 1
        assert caught.value.code == "daily_limit_exceeded"
        assert caught.value.retry_after_s == pytest.approx(20 * 3600, abs=60)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (refusal(400, "invalid", "pageToken"), PageTokenRejected),
        (refusal(403, "pageTokenExpired"), PageTokenRejected),
        (refusal(404, "notFound"), NotFound),
    ],
)
async def test_what_does_not_pass_is_told_at_once(answers: list[Answer], expected: type[WorkerError]) -> None:
    """Everything else is not tried again."""
    async with bench(*answers) as it:
        with pytest.raises(expected) as caught:
            await it.drive().list_files(DRIVE, PAGE, include_trashed=False)
        assert len(it.server.seen) == caught.value.attempts == 1


async def test_a_bad_request_is_final_where_it_names_no_drive_and_no_folder() -> None:
    """It may be the drive's or the folder's trouble otherwise: it is tried again, and the others go on."""
    answers = refusal(400, "invalidParameter", "pageSize") * 9
    async with bench(*answers) as it:
        with pytest.raises(Terminal):
            await it.drive().list_files(None, None, include_trashed=False)
        with pytest.raises(Retryable):
            await it.drive().list_files(DRIVE, None, include_trashed=False)
        with pytest.raises(Retryable):
            await it.drive().list_children(FileId("f"), None, None, include_trashed=False)


@pytest.mark.parametrize(
    "trouble",
    [
        *refusal(403, "newReason"),
        *refusal(404, "notFound"),
        *reply(404, "<html>Not Found</html>"),
        *reply(400, "<html>Bad Request</html>"),
        *reply(401, "<html>Who are you?</html>"),
        *reply(302, "", {"Location": "https://example.com/"}),
        *refusal(403, "domainPolicy"),
        *refusal(403, "pageTokenExpired"),
        *reply(418),
    ],
)
async def test_what_says_nothing_of_the_users_corpus_is_tried_again(trouble: Answer) -> None:
    """A refusal of no documented reason, of nothing that was named, or that is not Drive's at all."""
    async with bench(trouble, trouble, *reply()) as it:
        await list_files(it.drive())
        assert len(it.server.seen) == 3


@pytest.mark.parametrize("reason", ["insufficientPermissions", "accessNotConfigured"])
async def test_a_scope_is_lacking_where_a_call_that_needs_nothing_is_refused_too(reason: str) -> None:
    """Otherwise the one refusal is tried again, as any other."""
    async with bench(*refusal(403, reason, times=2)) as it:
        with pytest.raises(Terminal):
            await list_files(it.drive())
        assert [seen.path for seen in it.server.seen] == ["/drive/v3/files", "/drive/v3/about"]
        assert it.server.seen[1].query == COMMON | {"fields": "kind"}
    async with bench(*refusal(403, reason), *reply(times=2)) as it:
        await list_files(it.drive())
        assert [seen.path for seen in it.server.seen][2:] == ["/drive/v3/files"]


async def test_pages_that_fail_again_and_again_are_tried_smaller() -> None:
    """The same token with a quarter of the page; the next page begins small, and pages grow back by and by."""

    async def answer(request: web.Request) -> web.StreamResponse:
        is_small = int(request.query["pageSize"]) < 100
        return web.Response(text='{"files":[]}') if is_small else web.Response(status=500)

    async with bench(page_size=1000) as it:
        it.server.otherwise = answer
        drive = it.drive()
        await drive.list_files(None, PAGE, include_trashed=False)
        asked = [(seen.query["pageSize"], seen.query["pageToken"]) for seen in it.server.seen]
        assert asked == [("1000", PAGE), ("1000", PAGE), ("250", PAGE), ("62", PAGE)]
        it.server.otherwise = None
        it.server.script = reply(times=80)
        for _ in range(60):
            await drive.list_changes(None, PAGE)
        await drive.oldest_times(None, include_trashed=False)
        sizes = [int(seen.query["pageSize"]) for seen in it.server.seen[4:]]
    assert sizes[0] == 62
    assert sizes[-1] == sizes[-2] == 1000
    assert sizes[:-1] == sorted(sizes[:-1])


async def test_a_page_that_is_too_large_is_tried_smaller_at_once() -> None:
    """There is no use in reading as much again."""
    async with bench(*reply(headers={"Content-Length": str(10**9)}), *reply()) as it:
        await list_files(it.drive())
        assert [seen.query["pageSize"] for seen in it.server.seen] == ["100", "25"]


async def test_the_oldest_times_are_never_cut() -> None:
    """Fewer of them would be another answer."""
    async with bench(*refusal(500, "internalError", times=4), *reply()) as it:
        await it.drive().oldest_times(None, include_trashed=False)
        assert {seen.query["pageSize"] for seen in it.server.seen} == {"1000"}


async def test_a_drive_or_folder_that_is_named_may_be_not_found() -> None:
    """By Drive's own word on it alone; a proxy's 404 is tried again."""
    gone = refusal(404, "notFound", "driveId")
    async with bench(*gone, *gone, *gone, *gone, *gone, *reply(404, "<html>"), *reply(body='{"id": "0Adrive"}')) as it:
        drive = it.drive()
        for call in (
            drive.start_page_token(DRIVE),
            drive.list_files(DRIVE, None, include_trashed=False),
            drive.list_children(FileId("f"), None, None, include_trashed=False),
            drive.list_changes(DRIVE, PAGE),
            drive.get_drive(DRIVE),
        ):
            with pytest.raises(NotFound):
                await call
        assert (await drive.get_drive(DRIVE)).id == DRIVE


async def test_an_empty_page_token_is_never_sent() -> None:
    """It would mean the first page."""
    async with bench(*reply()) as it:
        await it.drive().list_files(None, PageToken(""), include_trashed=False)
        assert "pageToken" not in it.server.seen[0].query


async def test_the_daily_limit_stops_the_whole_project_until_the_reset() -> None:
    """The one call that hears of it is the last: no connection makes another, alone or in a batch, until then."""
    async with bench(*refusal(403, "dailyLimitExceeded"), *reply()) as it:
        with pytest.raises(Retryable) as first:
            await list_files(it.drive())
        for call in (list_files(it.drive()), it.drive().get_files([FileId("1"), FileId("2")])):
            with pytest.raises(Retryable) as later:
                await call
            assert later.value.code == first.value.code == "daily_limit_exceeded"
            assert later.value.retry_after_s == pytest.approx(first.value.retry_after_s, abs=1)
        assert len(it.server.seen) == 1

        it.clock.advance(first.value.retry_after_s or 0)
        await list_files(it.drive())
        assert len(it.server.seen) == 2


async def test_an_unknown_refusal_of_one_file_costs_that_file() -> None:
    """Tried again first, since it may pass; metadata that fits no type costs that file at once."""
    async with bench(*refusal(403, "newReason", times=6), *reply(times=1), *reply(body='{"id": 7}')) as it:
        for code in ("forbidden", "unreadable_item"):
            [found] = (await it.drive().get_files([FileId("1")])).values()
            assert isinstance(found, ItemUnavailable)
            assert found.code == code
        assert [seen.path.rpartition("/")[2] for seen in it.server.seen] == ["1"] * 6 + ["about", "1"]


async def test_a_refused_token_is_replaced_once() -> None:
    """After a 401 the call goes on with a new token, and the others do too."""
    async with bench(*refusal(401, "authError"), *reply(times=2)) as it:
        drive = it.drive()
        await list_files(drive)
        await list_files(drive)
        tokens = [seen.headers["authorization"] for seen in it.server.seen]
    assert tokens == ["Bearer CANARY-token-1", "Bearer CANARY-token-2", "Bearer CANARY-token-2"]
    assert it.clock.sleeps == []


async def test_fifty_refused_calls_cause_one_refresh() -> None:
    """Fifty calls whose token has expired meanwhile share one new one."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer CANARY-token-1":
            return web.Response(status=401, text=error_body(401, "authError"))
        return web.Response(body=EMPTY_PAGE)

    async with bench() as it:
        it.server.otherwise = answer
        drive = it.drive()
        await asyncio.gather(*[list_files(drive) for _ in range(50)])
        assert it.grants == 2


async def test_a_second_refusal_needs_a_new_authorization() -> None:
    """A fresh token that is refused too is no matter of tokens."""
    async with bench(*refusal(401, "authError", times=2)) as it:
        with pytest.raises(NeedsReauth) as caught:
            await list_files(it.drive())
        assert len(it.server.seen) == 2
        assert caught.value.http_status == 401


async def test_quota_answers_slow_the_calls_that_follow() -> None:
    """After a quota answer the same user's calls are let through more slowly; another's are not."""
    async with bench(*refusal(403, "userRateLimitExceeded"), *reply(times=400)) as it:
        drive = it.drive()
        await list_files(drive)
        refused_s = it.clock.monotonic_s()
        for _ in range(300):
            await list_files(drive)
        assert it.clock.monotonic_s() - refused_s > 1.0
        before_s = it.clock.monotonic_s()
        other = connection(authorized_user("https://oauth2.googleapis.com/token"), name="conn_other")
        await list_files(it.drives.open(other))
        assert it.clock.monotonic_s() == before_s


async def test_no_secret_in_errors_or_reports() -> None:
    """A Drive that repeats the token in its errors does not get it into ours, nor into reports."""

    async def echo(request: web.Request) -> web.StreamResponse:
        token = request.headers["Authorization"]
        body = {"error": {"message": token, "errors": [{"reason": token.split()[1], "message": token}]}}
        return web.json_response(body, status=int(request.query.get("pageToken", "400")))

    async with bench() as it:
        it.server.otherwise = echo
        for status in (400, 401, 403, 404, 429, 503):
            with pytest.raises(WorkerError) as caught:
                await it.drive().list_files(None, PageToken(str(status)), include_trashed=False)
            shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
            assert CANARY not in shown
        assert CANARY not in repr(it.reports)


async def test_a_cancelled_call_is_reported() -> None:
    """A call that is cancelled leaves a report too."""
    never, came = asyncio.Event(), asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        came.set()
        await never.wait()
        return web.Response()

    async with bench(silent) as it:
        call = asyncio.create_task(list_files(it.drive()), name="call")
        await asyncio.wait_for(came.wait(), 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        never.set()
    assert it.reports[0].error == "cancelled"


@pytest.mark.parametrize("page_size", [0, -1, 1001])
async def test_page_sizes_that_drive_refuses(page_size: int) -> None:
    """A page size out of Drive's range is found at the start."""
    with pytest.raises(Misconfigured, match="GDRIVE_PAGE_SIZE"):
        async with bench(page_size=page_size):
            pass


async def test_plain_http_to_elsewhere_is_refused() -> None:
    """A base address that would show tokens to the network is found at the start."""
    clock = ManualClock()
    async with AiohttpTransport("http://127.0.0.1:1") as transport:
        with pytest.raises(Misconfigured, match="GDRIVE_API_BASE_URL"):
            DriveApis(
                base_url="http://drive.example.com/drive/v3",
                transport=transport,
                authorizers=Authorizers(_no_grant, clock, lambda: 0.0),
                limiter=QuotaLimiter(REQUESTS, clock),
                clock=clock,
            )


async def _no_grant(_id: ConnectionId, _: Credentials) -> Grant:
    raise NeedsReauth("none")


def test_quota_users_are_short_and_stable() -> None:
    """Each connection has its own quota user, within Google's forty characters, that tells nothing of it."""
    one = quota_user(ConnectionId("conn_" + "x" * 500))
    assert one == quota_user(ConnectionId("conn_" + "x" * 500))
    assert len(one) <= 40
    assert one != quota_user(ConnectionId("conn_y"))
