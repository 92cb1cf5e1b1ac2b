"""Faults on demand: the plan's decisions, their application over HTTP, and the admin endpoints."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from drive_simulator.auth.oauth import TokenService
from drive_simulator.faults.effects import faults_middleware
from drive_simulator.faults.plan import Call, Effect, FaultPlan, Match, Rule
from drive_simulator.faults.presets import parse_rules
from drive_simulator.server.admin import add_admin_routes
from drive_simulator.server.counters import Counters
from drive_simulator.server.quota import Quota

LIST = Call("files.list", user="a", path="/drive/v3/files", query="q=x")
STORM = Effect(error="userRateLimitExceeded")


def test_first_rule_that_strikes_decides() -> None:
    """Rules are asked in order; one that has ended lets the next decide."""
    plan = FaultPlan([Rule(STORM, times=2), Rule(Effect(error="backendError"))])
    struck = [effect.error for effect in (plan.decide(LIST) for _ in range(3)) if effect is not None]
    assert struck == ["userRateLimitExceeded", "userRateLimitExceeded", "backendError"]


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        (Match(method="files.list"), True),
        (Match(method="files.*"), True),
        (Match(method="files.get"), False),
        (Match(user="a"), True),
        (Match(user="b"), False),
        (Match(path="/files"), True),
        (Match(query="q=y"), False),
        (Match(media=True), False),
        (Match(page_token=True), False),
    ],
)
def test_matching(match: Match, fits: bool) -> None:
    """Every member of a match has to fit."""
    assert (FaultPlan([Rule(STORM, match)]).decide(LIST) is not None) is fits


def test_nth_calls() -> None:
    """`skip` and `every` pick calls by their number."""
    plan = FaultPlan([Rule(STORM, Match(skip=1, every=2))])
    assert [plan.decide(LIST) is not None for _ in range(5)] == [False, False, True, False, True]


def test_probability_is_seeded() -> None:
    """The same seed strikes the same calls, about as many as asked for."""
    runs = []
    for _ in range(2):
        plan = FaultPlan([Rule(STORM, Match(probability=0.3))], seed=7)
        runs.append([plan.decide(LIST) is not None for _ in range(1000)])
    assert runs[0] == runs[1]
    assert 200 < sum(runs[0]) < 400


def test_page_token_faults_strike_calls_with_a_token_alone() -> None:
    """A rejected page token is no matter for the first page."""
    plan = FaultPlan([Rule(Effect(page_token="expired"))])
    assert plan.decide(LIST) is None
    effect = plan.decide(Call("files.list", page_token=True))
    assert effect is not None
    error = effect.api_error(LIST)
    assert error is not None
    assert error.reason == "pageTokenExpired"


@pytest.mark.parametrize(
    "rule",
    [
        b'{"effect": {"error": "tooTired"}}',
        b'{"effect": {}, "match": {"every": 0}}',
        b'{"effect": {"cut": "never"}}',
        b'{"effekt": {}}',
        b"[1]",
        b"nonsense",
    ],
)
def test_nonsense_is_refused(rule: bytes) -> None:
    """A rule that means nothing is refused when it comes, not when it should strike."""
    plan = FaultPlan()
    with pytest.raises(ValueError, match=r".+"):
        [plan.add(one) for one in parse_rules(rule)]


@dataclass
class Site:
    """A small server with the middleware and the admin endpoints."""

    server: BaseTestServer
    plan: FaultPlan
    tokens: TokenService
    session: aiohttp.ClientSession


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A server whose one page answers JSON."""
    plan, tokens, counters = FaultPlan(), TokenService({"a"}), Counters()

    async def page(_: web.Request) -> web.Response:
        counters.record("files.list", "a", {}, 200)
        return web.json_response({"files": list(range(1000))})

    def classify(request: web.Request) -> Call | None:
        return None if request.path.startswith("/_simulator") else Call("files.list", "a", request.path)

    app = web.Application(middlewares=[faults_middleware(plan, tokens, classify)])
    app.router.add_get("/files", page)
    add_admin_routes(app, plan, counters, tokens, Quota())
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield Site(server, plan, tokens, session)


async def test_error_storm(site: Site) -> None:
    """An error is answered with Google's body and header, as often as asked for."""
    site.plan.add(Rule(Effect(error="rateLimitExceeded", status=429, retry_after_s=5), times=1))
    async with site.session.get(site.server.make_url("/files")) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "5")
        assert (await answer.json())["error"]["errors"][0]["reason"] == "rateLimitExceeded"
    async with site.session.get(site.server.make_url("/files")) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("where", ["before", "body"])
async def test_cut_connections(site: Site, where: str) -> None:
    """A connection cut before the answer, or in its middle, is an error to the client."""
    site.plan.add(Rule(Effect(cut="before" if where == "before" else "body")))

    async def read() -> bytes:
        async with site.session.get(site.server.make_url("/files")) as answer:
            return await answer.read()

    with pytest.raises(aiohttp.ClientError):
        await read()


@pytest.mark.parametrize("body", ["truncated", "garbage", "empty"])
async def test_spoilt_bodies(site: Site, body: str) -> None:
    """A spoilt body comes with status 200 and can't be parsed."""
    site.plan.add(parse_rules(b'{"effect": {"body": "%s", "latency_ms": 1}}' % body.encode())[0])
    async with site.session.get(site.server.make_url("/files")) as answer:
        assert answer.status == 200
        received = await answer.read()
    with pytest.raises(ValueError, match=r".+"):
        json.loads(received)


async def test_tokens_and_grants_end(site: Site) -> None:
    """A fault can end the caller's tokens and grants."""
    site.tokens.issue_access_token("a")
    site.tokens.grant("a", "client")
    site.plan.add(Rule(Effect(revoke_grants=True), times=1))
    async with site.session.get(site.server.make_url("/files")) as answer:
        assert answer.status == 200
    assert site.tokens.expire_tokens() == 0
    assert site.tokens.revoke_grants() == 0


async def test_admin_endpoints(site: Site) -> None:
    """Rules come and go, counters are read, tokens and grants end, quotas change: over HTTP."""
    session = site.session
    rules = [{"effect": {"error": "backendError"}, "times": 1}, {"effect": {"latency_ms": 1}}]
    async with session.post(site.server.make_url("/_simulator/faults"), json=rules) as answer:
        assert await answer.json() == {"ids": [1, 2]}
    async with session.post(site.server.make_url("/_simulator/faults"), json={"effect": {"error": "x"}}) as answer:
        assert answer.status == 400
    async with session.delete(site.server.make_url("/_simulator/faults/1")) as answer:
        assert answer.status == 204
    async with session.get(site.server.make_url("/files")) as answer:
        assert answer.status == 200
    async with session.get(site.server.make_url("/_simulator/faults")) as answer:
        assert [(rule["id"], rule["struck"]) for rule in (await answer.json())["rules"]] == [(2, 1)]
    async with session.get(site.server.make_url("/_simulator/counters")) as answer:
        assert (await answer.json())["methods"] == {"files.list": 1}
    async with session.get(site.server.make_url("/_simulator/calls")) as answer:
        assert (await answer.json())["calls"][0]["method_id"] == "files.list"
    for path in ("faults", "counters"):
        async with session.delete(site.server.make_url(f"/_simulator/{path}")) as answer:
            assert answer.status == 204
    for path in ("tokens/expire", "grants/revoke"):
        async with session.post(site.server.make_url(f"/_simulator/{path}"), json={"user": "a"}) as answer:
            assert answer.status == 200
    async with session.post(site.server.make_url("/_simulator/quota"), json={"model": "units"}) as answer:
        assert answer.status == 204


def test_counters_find_repeated_pages() -> None:
    """A page listed twice by the same user is found; another page or a failed call is not one."""
    counters = Counters(limit=10)
    counters.record("files.list", "a", {"pageToken": "1", "pageSize": 5, "access_token": "secret"}, 200)
    counters.record("files.list", "a", {"pageToken": "2", "pageSize": 5}, 503)
    counters.record("files.list", "a", {"pageToken": "2", "pageSize": 5}, 200)
    assert counters.repeated_pages() == ()
    counters.record("files.list", "a", {"pageToken": "1", "pageSize": 5}, 200)
    assert [entry.parameter("pageToken") for entry in counters.repeated_pages()] == ["1"]
    assert counters.count("files.list", "a") == 4
    assert counters.count(user="b") == 0
    assert "secret" not in str(counters.entries())
    snapshot = counters.snapshot()
    assert snapshot["statuses"] == {"200": 3, "503": 1}
    counters.clear()
    assert counters.count() == 0
