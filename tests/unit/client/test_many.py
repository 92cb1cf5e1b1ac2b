"""Many calls in batches: each is answered, refused and tried again for itself."""

import asyncio
import json
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
import pytest

from drive_simulator.server.batch import Answer, parse_batch, render_batch
from google_drive_worker.client.auth import Authorizers
from google_drive_worker.client.calls import CallReport
from google_drive_worker.client.drive_api import DriveApi, DriveApis
from google_drive_worker.client.load import BREAKER, CONNECTION_BUDGET
from google_drive_worker.client.many import BATCH_PATH
from google_drive_worker.client.quota import UNITS, QuotaLimiter, QuotaModel
from google_drive_worker.domain.connection import Credentials, Grant, Secret
from google_drive_worker.domain.details import Comment, Revision
from google_drive_worker.domain.drive import DriveFile, UnreadableItem
from google_drive_worker.domain.ids import ConnectionId, FileId
from google_drive_worker.domain.sharing import Permission
from google_drive_worker.http.retry import RetryPolicy
from google_drive_worker.http.transport import HttpRequest, HttpResponse
from google_drive_worker.utils.errors import ItemUnavailable, NeedsReauth, NotFound, Retryable, SkipItem, Terminal
from support.clock import ManualClock
from support.credentials import authorized_user, connection

BOUNDLESS = QuotaModel(1e12, 1e12)

Serve = Callable[[str], Answer]


def ok(body: object) -> Answer:
    """A success."""
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    """A refusal, as Drive writes it."""
    detail = {"domain": "global", "reason": reason, "message": "m"}
    body = {"error": {"code": status, "message": "m", "errors": [detail]}}
    return status, headers or {}, json.dumps(body).encode()


@dataclass
class Google:
    """Serves each target by `serve`, in batches or alone; `outer` are answers to whole batches, `None` for served."""

    serve: Serve
    outer: deque[HttpResponse | Exception | None] = field(default_factory=deque)
    sizes: list[int] = field(default_factory=list)
    targets: Counter[str] = field(default_factory=Counter)
    tokens: list[str] = field(default_factory=list)

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        self.tokens.append(request.headers["Authorization"])
        if request.target != BATCH_PATH:
            self.sizes.append(1)
            return HttpResponse(*self._answer(request.target))
        parts = parse_batch(request.headers["Content-Type"], request.body or b"")
        self.sizes.append(len(parts))
        outer = self.outer.popleft() if self.outer else None
        if isinstance(outer, Exception):
            raise outer
        if outer is not None:
            return outer
        answers = [self._answer(part.path_qs) for part in parts]
        content_type, body = render_batch(parts, answers, order=random.Random(1))  # noqa: S311 - an order
        return HttpResponse(200, {"Content-Type": content_type}, body)

    def _answer(self, target: str) -> Answer:
        name = target.partition("?")[0].rpartition("/files/")[2]
        self.targets[name] += 1
        return self.serve(target)


@dataclass
class Bench:
    """A Drive over it, and what was told of its calls."""

    google: Google
    clock: ManualClock = field(default_factory=ManualClock)
    model: QuotaModel = BOUNDLESS
    reports: list[CallReport] = field(default_factory=list)
    grants: int = 0

    def drive(self, attempts: int = 4) -> DriveApi:
        """Open it."""
        return self.drives(attempts).open(connection(authorized_user("https://oauth2.googleapis.com/token")))

    def drives(self, attempts: int) -> DriveApis:
        """All connections' Drives."""
        return DriveApis(
            base_url="https://googleapis.test/drive/v3",
            transport=self.google,
            authorizers=Authorizers(self._grant, self.clock, lambda: 0.5),
            limiter=QuotaLimiter(self.model, self.clock),
            clock=self.clock,
            retry=RetryPolicy(attempts=attempts),
            random=lambda: 0.5,
            on_call=self.reports.append,
        )

    async def _grant(self, _id: ConnectionId, _: Credentials) -> Grant:
        self.grants += 1
        return Grant(Secret(f"token-{self.grants}"), 3600.0)


def ids(count: int) -> list[FileId]:
    """So many items."""
    return [FileId(f"f{number}") for number in range(count)]


def name_of(target: str) -> str:
    """The item that a target asks for."""
    return target.partition("/files/")[2].partition("?")[0].partition("/")[0]


async def test_many_items_are_had_by_few_requests() -> None:
    """A hundred calls in each; the answers stand under their own items, and each call is told of."""
    bench = Bench(Google(lambda target: ok({"id": name_of(target), "name": "x"})))
    found = await bench.drive().get_files(ids(250))
    assert found == {each: DriveFile(id=each, name="x") for each in ids(250)}
    assert bench.google.sizes == [100, 100, 50]
    assert len(bench.reports) == 250
    assert {(report.method, report.status, report.attempts, report.error) for report in bench.reports} == {
        ("drive.files.get", 200, 1, None)
    }


async def test_one_item_needs_no_batch_and_none_no_request() -> None:
    """An id that would be another address is not asked for at all."""
    bench = Bench(Google(lambda target: ok({"id": name_of(target)})))
    assert await bench.drive().get_files([FileId("a")]) == {"a": DriveFile(id=FileId("a"))}
    assert bench.google.sizes == [1]
    [strange] = (await bench.drive().list_permissions([FileId("..")])).values()
    assert isinstance(strange, NotFound)
    assert bench.google.sizes == [1]


async def test_an_item_that_can_not_be_had_is_its_own_result() -> None:
    """Gone, forbidden, or of no type that is known: the others come all the same."""
    answers = {"f1": error(404, "notFound"), "f2": error(403, "insufficientFilePermissions"), "f3": ok({"id": 7})}
    bench = Bench(Google(lambda target: answers.get(name_of(target)) or ok({"id": name_of(target)})))
    found = await bench.drive().get_files(ids(5))
    assert [type(each) for each in found.values()] == [DriveFile, NotFound, SkipItem, ItemUnavailable, DriveFile]
    assert Counter(report.error is None for report in bench.reports) == {True: 2, False: 3}


async def test_only_what_failed_is_tried_again() -> None:
    """After a backoff, when the others are through; those are not asked for twice."""
    failures = Counter({"f3": 2, "f7": 1})

    def serve(target: str) -> Answer:
        name = name_of(target)
        failures[name] -= 1
        return error(503, "backendError") if failures[name] >= 0 else ok({"id": name})

    bench = Bench(Google(serve))
    found = await bench.drive().get_files(ids(10))
    assert all(isinstance(each, DriveFile) for each in found.values())
    assert bench.google.sizes == [10, 2, 1]
    assert bench.google.targets == Counter(dict.fromkeys(ids(10), 1) | {"f3": 3, "f7": 2})
    assert len(bench.clock.sleeps) == 2


BAD = [
    error(500, "backendError"),
    error(403, "forbidden"),
    error(404, "somethingElse"),
    error(400, "failedPrecondition"),
    error(418, "teapot"),
    (404, {}, b"<html>Not Found</html>"),
    (403, {}, b"<html>Sorry</html>"),
    (401, {}, b"<html>Who are you?</html>"),
    (200, {"Content-Type": "application/json"}, b"<html>"),
]


@pytest.mark.parametrize("count", [1, 2, 30])
@pytest.mark.parametrize("bad", BAD)
async def test_an_item_that_never_gets_through_is_unavailable_alone(bad: Answer, count: int) -> None:
    """After as many tries in a row as a single call has, with Google's own code; the others have their answers."""
    bench = Bench(Google(lambda target: bad if name_of(target) == "f0" else ok({"id": name_of(target)})))
    found = await bench.drive(attempts=3).get_files(ids(count))
    lost = found[FileId("f0")]
    assert isinstance(lost, ItemUnavailable)
    assert lost.http_status == bad[0]
    assert lost.attempts in {3, bench.google.targets["f0"]}
    assert 3 <= bench.google.targets["f0"] <= 6
    assert all(isinstance(found[each], DriveFile) for each in ids(count)[1:])
    assert bench.google.targets["f1"] == (count > 1)
    assert [report.method for report in bench.reports].count("drive.about.get") == 1


async def test_items_that_never_get_through_are_waited_for_together() -> None:
    """A tenth of all costs as much time as one."""
    bench = Bench(Google(lambda target: BAD[0] if name_of(target).endswith("7") else ok({"id": name_of(target)})))
    drive = bench.drive(attempts=3)
    found = await drive.get_files(ids(200))
    assert sum(isinstance(each, ItemUnavailable) for each in found.values()) == 20
    assert len(bench.clock.sleeps) == 2
    assert len(bench.google.sizes) < 10


async def test_trouble_of_all_is_no_items() -> None:
    """Where what needs no item is not answered either, it is raised: an outage, a quota, a token."""
    for trouble, kind in (
        (error(500, "backendError"), Retryable),
        (error(403, "forbidden"), Retryable),
        (error(429, "rateLimitExceeded"), Retryable),
        ((200, {"Content-Type": "text/html"}, b"<html>Please log in</html>"), Retryable),
        (error(401, "authError"), NeedsReauth),
    ):
        for count in (1, 3):
            bench = Bench(Google(lambda _, trouble=trouble: trouble))  # type: ignore[misc]
            with pytest.raises(kind):
                await bench.drive(attempts=3).get_files(ids(count))


@pytest.mark.parametrize("count", [1, 3])
async def test_a_rate_limit_is_never_an_items(count: int) -> None:
    """However often one item alone meets it."""
    limited = error(403, "userRateLimitExceeded")
    bench = Bench(Google(lambda target: limited if name_of(target) == "f0" else ok({"id": name_of(target)})))
    with pytest.raises(Retryable) as caught:
        await bench.drive(attempts=3).get_files(ids(count))
    assert caught.value.code == "rate_limited"


@pytest.mark.parametrize("count", [1, 3])
async def test_a_token_that_is_refused_for_one_item_is_not_given_up(count: int) -> None:
    """It is good for all else."""
    refused = error(401, "authError")
    bench = Bench(Google(lambda target: refused if name_of(target) == "f0" else ok({"id": name_of(target)})))
    found = await bench.drive(attempts=3).get_files(ids(count))
    assert isinstance(found[FileId("f0")], ItemUnavailable)
    assert len(found) == count


@pytest.mark.parametrize(
    "outer",
    [
        (404, {}, b"<html>Not Found</html>"),
        error(404, "notFound"),
        error(403, "forbidden"),
        error(403, "insufficientFilePermissions"),
        error(403, "insufficientPermissions"),
        error(403, "pageTokenExpired"),
        error(400, "badRequest"),
        (413, {}, b""),
        error(429, "rateLimitExceeded"),
        error(500, "backendError"),
        error(410, "gone"),
        (302, {}, b""),
        (200, {"Content-Type": "text/html"}, b"<html>"),
    ],
)
@pytest.mark.parametrize("attempts", [1, 4])
async def test_what_a_batch_is_refused_for_says_nothing_of_its_parts(outer: Answer, attempts: int) -> None:
    """For ever: each call is made alone in the end, but for a rate limit, which is waited for."""
    bench = Bench(Google(lambda target: ok({"id": name_of(target)})))
    bench.google.outer.extend([HttpResponse(*outer)] * 500)
    drive = bench.drive(attempts)
    if outer[0] == 429 and attempts == 1:
        with pytest.raises(Retryable):
            await drive.get_files(ids(3))
        return
    for count in (2, 3, 40):
        found = await drive.get_files(ids(count))
        assert all(isinstance(each, DriveFile) for each in found.values())
    bench.google.outer.clear()
    assert len(await drive.get_files(ids(100))) == 100


async def test_a_batch_endpoint_that_is_gone_costs_little() -> None:
    """What is sent one by one goes well for a while before a batch of two is tried again."""
    bench = Bench(Google(lambda target: ok({"id": name_of(target)})))
    bench.google.outer.extend([HttpResponse(404, {}, b"")] * 500)
    drive = bench.drive()
    for _ in range(10):
        await drive.get_files(ids(10))
    bench.google.sizes.clear()
    await drive.get_files(ids(100))
    assert sum(size > 1 for size in bench.google.sizes) <= 8


async def test_a_scope_that_is_refused_for_two_items_is_lacking() -> None:
    """Though what needs no item is answered; for one alone it is that item's trouble, also after others succeeded."""
    refused = error(403, "insufficientPermissions")

    def serve(target: str) -> Answer:
        return refused if "comments" in target else ok({"id": name_of(target)})

    for count in (2, 30):
        with pytest.raises(Terminal) as caught:
            await Bench(Google(serve)).drive().list_comments(ids(count))
        assert caught.value.code == "insufficient_scope"
    drive = Bench(Google(serve)).drive()
    [alone] = (await drive.list_comments(ids(1))).values()
    assert isinstance(alone, ItemUnavailable)
    with pytest.raises(Terminal):
        await drive.list_comments([FileId("another")])


async def test_a_scope_that_is_refused_in_passing_is_not_lacking() -> None:
    """Two parts of the first batch are refused for it, before any was served, and come the next time."""
    seen: Counter[str] = Counter()

    def serve(target: str) -> Answer:
        seen[target] += 1
        is_first = "comments" in target and seen[target] == 1
        return error(403, "insufficientPermissions") if is_first else ok({"comments": []})

    found = await Bench(Google(serve)).drive().list_comments(ids(2))
    assert list(found.values()) == [(), ()]


async def test_a_scope_that_is_proven_to_be_lacking_is_asked_for_once_more_each_time() -> None:
    """No tries are spent on it then, and an answer ends the proof."""
    answers = {"comments": error(403, "insufficientPermissions")}
    bench = Bench(Google(lambda target: answers["comments"] if "comments" in target else ok({})))
    drive = bench.drive()
    for _ in range(2):
        with pytest.raises(Terminal):
            await drive.list_comments(ids(2))
        bench.google.targets.clear()
    with pytest.raises(Terminal):
        await drive.list_comments(ids(1))
    assert bench.google.targets["f0/comments"] == 1
    answers["comments"] = ok({"comments": []})
    await drive.list_comments(ids(1))
    answers["comments"] = error(403, "insufficientPermissions")
    assert isinstance((await drive.list_comments(ids(1)))[FileId("f0")], ItemUnavailable)


async def test_a_scope_that_was_there_is_not_lacking() -> None:
    """Refusals of some items, of a method that has succeeded, are those items' own."""
    bad = {"f1", "f2"}

    def serve(target: str) -> Answer:
        return error(403, "insufficientPermissions") if name_of(target) in bad else ok({"comments": []})

    found = await Bench(Google(serve)).drive().list_comments(ids(4))
    assert [isinstance(each, ItemUnavailable) for each in found.values()] == [False, True, True, False]


@pytest.mark.parametrize("count", [1, 2])
async def test_a_page_token_that_was_never_sent_can_not_be_refused(count: int) -> None:
    """It is that item's trouble."""
    odd = error(403, "pageTokenExpired")
    bench = Bench(Google(lambda target: odd if name_of(target) == "f0" else ok({"id": name_of(target)})))
    found = await bench.drive(attempts=2).get_files(ids(count))
    lost = found[FileId("f0")]
    assert isinstance(lost, ItemUnavailable)
    assert lost.code == "page_token_rejected"


@pytest.mark.parametrize(
    ("tokens", "code"),
    [
        (lambda asked: "same", "page_token_stuck"),
        (lambda asked: {"": "a", "a": "b", "b": "a"}[asked], "page_token_stuck"),
        (lambda asked: str(int(asked or 0) + 1), "list_too_long"),
    ],
)
async def test_a_list_that_does_not_end_is_unavailable(tokens: Callable[[str], str], code: str) -> None:
    """A token that was seen already, or too many of them; another item's list is read."""

    def serve(target: str) -> Answer:
        asked = target.partition("pageToken=")[2].partition("&")[0]
        return ok({"revisions": [], "nextPageToken": tokens(asked) if name_of(target) == "f0" else ""})

    bench = Bench(Google(serve))
    found = await bench.drive().list_revisions(ids(2))
    lost = found[FileId("f0")]
    assert isinstance(lost, ItemUnavailable)
    assert lost.code == code
    assert found[FileId("f1")] == ()
    assert bench.google.targets["f1/revisions"] == 1


async def test_a_list_whose_token_is_refused_for_ever_is_unavailable() -> None:
    """It begins again a few times."""

    def serve(target: str) -> Answer:
        if name_of(target) == "f1":
            return ok({"comments": []})
        return error(403, "pageTokenExpired") if "pageToken" in target else ok({"comments": [], "nextPageToken": "t"})

    found = await Bench(Google(serve)).drive().list_comments(ids(2))
    lost = found[FileId("f0")]
    assert isinstance(lost, ItemUnavailable)
    assert lost.code == "page_token_rejected"
    assert found[FileId("f1")] == ()


@pytest.mark.parametrize("alone", [True, False])
async def test_bad_items_open_no_breaker_and_use_up_no_budget(alone: bool) -> None:
    """Whether asked for one by one or together, and however many."""
    bench = Bench(Google(lambda target: BAD[0] if name_of(target).startswith("f") else ok({"id": name_of(target)})))
    drive = bench.drive(attempts=6)
    for _ in range(5):
        for some in [[each] for each in ids(20)] if alone else [ids(20)]:
            assert all(isinstance(each, ItemUnavailable) for each in (await drive.get_files(some)).values())
    assert bench.google.targets["f19"] == 5 * 6
    assert isinstance((await drive.get_files([FileId("good")]))[FileId("good")], DriveFile)


async def test_a_breaker_stays_closed_while_bad_items_alone_are_under_way() -> None:
    """Their failures in a row are as many as an outage's, and nobody has given up yet."""
    bench = Bench(Google(lambda target: BAD[0] if name_of(target).startswith("f") else ok({"id": name_of(target)})))
    drive = bench.drive(attempts=6)
    found = await asyncio.gather(*[drive.get_files([each]) for each in ids(20)])
    assert {type(each) for answer in found for each in answer.values()} == {ItemUnavailable}


@pytest.mark.parametrize("seed", range(5))
async def test_a_storm_costs_rounds_and_loses_nothing(seed: int) -> None:
    """A third of all parts is refused, whatever the reason: every item is had in the end."""
    die = random.Random(seed)  # noqa: S311 - a storm that can be repeated
    refusals = [error(403, "userRateLimitExceeded"), error(429, "rateLimitExceeded"), error(503, "backendError")]
    bench = Bench(Google(lambda target: die.choice(refusals) if die.random() < 0.33 else ok({"id": name_of(target)})))
    found = await bench.drive(attempts=6).get_files(ids(400))
    assert all(isinstance(each, DriveFile) for each in found.values())


async def test_a_refused_token_is_replaced_once_for_all_parts() -> None:
    """Whether Google refuses parts of a batch or the whole of it; refused again, the customer has to act."""
    bench = Bench(Google(lambda target: ok({"id": name_of(target)})))
    bench.google.outer.append(HttpResponse(401, {}, error(401, "authError")[2]))
    assert len(await bench.drive().get_files(ids(3))) == 3
    assert bench.google.tokens == ["Bearer token-1", "Bearer token-2"]

    seen: Counter[str] = Counter()

    def serve(target: str) -> Answer:
        seen[target] += 1
        return error(401, "authError") if seen[target] == 1 else ok({"id": name_of(target)})

    bench = Bench(Google(serve))
    assert len(await bench.drive().get_files(ids(3))) == 3
    assert bench.grants == 2

    bench = Bench(Google(lambda _: error(401, "authError")))
    with pytest.raises(NeedsReauth):
        await bench.drive().get_files(ids(3))


async def test_a_batch_endpoint_that_takes_no_token_is_gone_around() -> None:
    """Its calls go one by one where the token is good for what needs no item."""
    bench = Bench(Google(lambda target: ok({"id": name_of(target)})))
    bench.google.outer.extend([HttpResponse(401, {}, error(401, "authError")[2])] * 9)
    found = await bench.drive().get_files(ids(10))
    assert all(isinstance(each, DriveFile) for each in found.values())
    assert Counter(bench.google.sizes) == {10: 2, 1: 11}  # the probe is one of them


@pytest.mark.parametrize("reason", ["insufficientPermissions", "accessNotConfigured"])
async def test_what_concerns_more_than_one_item_ends_them_all(reason: str) -> None:
    """Parts refused for the scope, or for the project's settings, as what needs no item is."""
    for count in (1, 3):
        bench = Bench(Google(lambda _: error(403, reason)))
        with pytest.raises(Terminal):
            await bench.drive().get_files(ids(count))


async def test_batches_that_are_too_large_are_halved() -> None:
    """Refused for their size, cut, or not answered in time."""
    too_large = Terminal("big", code="response_too_large")
    for trouble in (HttpResponse(413, {}, b""), Retryable("slow", code="timeout"), too_large):
        bench = Bench(Google(lambda target: ok({"id": name_of(target)})))
        bench.google.outer.extend([trouble])
        assert len(await bench.drive().get_files(ids(100))) == 100
        assert bench.google.sizes[:2] == [100, 50]


async def test_a_batch_pays_for_each_of_its_parts() -> None:
    """And leaves with those that have their quota, rather than wait long for the rest."""
    bench = Bench(Google(lambda target: ok({"permissions": []})), model=UNITS)
    await bench.drive().list_permissions(ids(1_000))
    spent = 1_000 * UNITS.list
    burst, rate = UNITS.user_per_minute * 0.1, UNITS.user_per_minute * 0.9 / 60
    assert sum(bench.clock.sleeps) == pytest.approx((spent - burst) / rate, rel=0.01)
    assert sum(bench.google.sizes) == 1_000


async def test_lists_are_read_to_their_ends() -> None:
    """An item whose list has more pages goes on in the next batch, the others don't."""

    def serve(target: str) -> Answer:
        if name_of(target) == "f1" and "pageToken" not in target:
            return ok({"permissions": [{"id": "p1", "type": "user", "role": "reader"}], "nextPageToken": "two"})
        return ok({"permissions": [{"id": "p2", "type": "user", "role": "reader"}]})

    bench = Bench(Google(serve))
    found = await bench.drive().list_permissions(ids(3))
    one, two = Permission("p1", "user", "reader"), Permission("p2", "user", "reader")
    assert found == {"f0": (two,), "f1": (one, two), "f2": (two,)}
    assert bench.google.sizes == [3, 1]


async def test_a_list_whose_token_is_refused_begins_anew() -> None:
    """A few times; what it had brought so far is not taken twice."""
    refused: list[str] = []

    def serve(target: str) -> Answer:
        if "pageToken" not in target:
            return ok({"revisions": [{"id": "1", "size": "5"}], "nextPageToken": "t"})
        if len(refused) < 2:
            refused.append(target)
            return error(403, "pageTokenExpired")
        return ok({"revisions": [{"id": "2"}]})

    found = await Bench(Google(serve)).drive().list_revisions(ids(2))
    assert found[FileId("f0")] == found[FileId("f1")] == (Revision("1", size=5), Revision("2"))


async def test_an_odd_element_costs_itself_in_every_list() -> None:
    """It stands among the others; what is odd of the others is dropped."""
    answers = {
        "permissions": [{"id": "1", "type": "user", "role": "reader", "domain": 5}, {"role": "reader"}, {"id": "2"}],
        "revisions": [{"id": "1", "size": ""}, {"size": "5"}],
        "comments": [{"id": "1", "replies": None}, {"content": "x"}],
    }

    def serve(target: str) -> Answer:
        what = target.partition("?")[0].rpartition("/")[2]
        return ok({what: answers[what], "nextPageToken": ""})

    drive = Bench(Google(serve)).drive()
    lists: list[Mapping[FileId, object]] = [
        await drive.list_permissions(ids(2)),
        await drive.list_revisions(ids(2)),
        await drive.list_comments(ids(2)),
    ]
    goods = [Permission("1", "user", "reader", lossy=True), Revision("1", lossy=True), Comment("1", lossy=True)]
    for found, good in zip(lists, goods, strict=True):
        for elements in found.values():
            assert isinstance(elements, tuple)
            assert elements[0] == good
            assert all(isinstance(each, UnreadableItem) for each in elements[1:])


@pytest.mark.parametrize("body", [{}, {"permissions": None}, {"nextPageToken": "two"}])
async def test_an_answer_without_its_list_is_asked_for_again(body: dict[str, object]) -> None:
    """It says nothing of what the list holds."""
    bad = [body, body]
    whole = {"permissions": [{"id": "p", "type": "user", "role": "reader"}]}
    found = await Bench(Google(lambda _: ok(bad.pop() if bad else whole))).drive().list_permissions(ids(2))
    assert list(found.values()) == [(Permission("p", "user", "reader"),)] * 2


async def test_an_item_whose_place_makes_no_sense_is_unavailable_alone() -> None:
    """Of a look-up as of what tells where its permissions come from."""
    drive = Bench(
        Google(lambda target: ok({"id": name_of(target), "parents": 7 if name_of(target) == "f1" else ["p"]}))
    ).drive()
    for found in (await drive.get_files(ids(3)), await drive.item_sharings(ids(3))):
        assert [isinstance(each, ItemUnavailable) for each in found.values()] == [False, True, False]


async def test_comments_are_asked_for_with_the_deleted_ones() -> None:
    """`fields` is required there."""
    bench = Bench(Google(lambda _: ok({"comments": [{"id": "c", "deleted": True, "replies": [{"id": "r"}]}]})))
    found = await bench.drive().list_comments(ids(2))
    [comment] = msgspec.convert(found[FileId("f0")], tuple[Comment, ...])
    assert (comment.id, comment.deleted, [reply.id for reply in comment.replies]) == ("c", True, ["r"])


async def test_an_outage_opens_the_breaker_and_costs_no_more_calls() -> None:
    """Once ten requests in a row failed, nothing is sent and no quota taken; one probe shows that it is over."""
    down = [True]
    bench = Bench(Google(lambda target: error(503, "backendError") if down else ok({"id": name_of(target)})))
    drive = bench.drive(attempts=6)
    for _ in range(4):
        with pytest.raises(Retryable) as caught:
            await drive.get_files(ids(3))
        assert caught.value.reason == "backendError"
    assert len(bench.google.sizes) == BREAKER.failures + 1  # the last is the probe
    assert caught.value.retry_after_s is not None
    bench.clock.advance(caught.value.retry_after_s)
    down.clear()
    assert list(await drive.get_files(ids(3))) == ids(3)
    assert list(await drive.get_files(ids(1))) == ids(1)


async def test_what_is_tried_again_is_bounded_though_every_call_is_worth_it() -> None:
    """A storm of quota answers opens no breaker; its retries end with the budget, and the call fails at once."""
    bench = Bench(Google(lambda _: error(429, "rateLimitExceeded")))
    drive = bench.drive(attempts=6)
    for _ in range(20):
        with pytest.raises(Retryable):
            await drive.get_files(ids(100))
    first_tries, elapsed_s = 20 * 100, bench.clock.monotonic_s()
    retries = sum(bench.google.targets.values()) - first_tries
    assert retries <= CONNECTION_BUDGET.capacity + elapsed_s * CONNECTION_BUDGET.per_s + 100  # one batch may overdraw
    assert bench.reports[-1].attempts == 1


async def test_slow_batches_of_one_connection_shrink_no_others() -> None:
    """The size belongs to the connection."""
    bench = Bench(Google(lambda target: ok({"id": name_of(target)})))
    drives = bench.drives(4)
    user = authorized_user("https://oauth2.googleapis.com/token")
    first, second = (drives.open(connection(user, name=name)) for name in ("a", "b"))
    bench.google.outer.append(Retryable("slow", code="timeout"))
    await first.get_files(ids(100))
    await second.get_files(ids(100))
    assert bench.google.sizes == [100, 50, 50, 100]
