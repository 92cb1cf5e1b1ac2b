"""Tokens: single-flight, early refresh, invalidation; and the token endpoint over real HTTP."""

import asyncio
import base64
import json
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from google_drive_worker.client.auth import Authorizer, Authorizers
from google_drive_worker.client.clock_offset import ClockOffset
from google_drive_worker.client.token_endpoint import DRIVE_READONLY_SCOPE, TokenEndpoint
from google_drive_worker.domain.connection import AccessToken, Credentials, Grant, Secret
from google_drive_worker.http.addresses import token_uri_problem
from google_drive_worker.http.retry import RetryPolicy
from google_drive_worker.utils.errors import NeedsReauth, Retryable, Terminal, WorkerError
from support.clock import START, ManualClock
from support.credentials import CANARY, authorized_user, connection, service_account
from support.scripted_http import ScriptedServer, cut, hang_up, reply, scripted_server

ED25519_KEY = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
USER = authorized_user("https://oauth2.googleapis.com/token")


@dataclass
class Grants:
    """Gives out tokens numbered from 1, or fails as told; each takes a virtual second."""

    clock: ManualClock
    lifetime_s: float = 3600.0
    failures: list[WorkerError] = field(default_factory=list)
    calls: int = 0

    async def __call__(self, _: Credentials) -> Grant:
        """Give one."""
        self.calls += 1
        await self.clock.sleep(1.0)
        if self.failures:
            raise self.failures.pop(0)
        return Grant(Secret(f"token-{self.calls}"), self.lifetime_s)


def authorizer_of(grants: Grants, credentials: Credentials = USER, *, attempts: int = 3) -> Authorizer:
    """An authorizer without jitter."""
    policy = RetryPolicy(attempts=attempts, base_s=1.0)
    return Authorizer(credentials, grants, grants.clock, lambda: 0.0, policy)


async def test_fifty_callers_cause_one_refresh() -> None:
    """However many need a token at once, one refresh serves them all."""
    grants = Grants(ManualClock())
    authorizer = authorizer_of(grants)
    tokens = await asyncio.gather(*[authorizer.token() for _ in range(50)])
    assert set(tokens) == {"token-1"}
    assert grants.calls == 1


async def test_fifty_callers_share_one_failure() -> None:
    """A refresh that fails for good fails for all who waited for it, without a call each."""
    grants = Grants(ManualClock(), failures=[NeedsReauth("revoked")])
    authorizer = authorizer_of(grants)
    results = await asyncio.gather(*[authorizer.token() for _ in range(50)], return_exceptions=True)
    assert all(isinstance(result, NeedsReauth) for result in results)
    assert len({id(result) for result in results}) == 50
    assert grants.calls == 1


async def test_trouble_is_retried_before_it_is_told() -> None:
    """A refresh that fails for a moment is tried again by itself."""
    grants = Grants(ManualClock(), failures=[Retryable("503"), Retryable("503")])
    assert await authorizer_of(grants).token() == "token-3"


async def test_lasting_trouble_says_how_often_it_was_tried() -> None:
    """A refresh that keeps failing ends as `Retryable`, with its attempts."""
    grants = Grants(ManualClock(), failures=[Retryable("503")] * 3)
    with pytest.raises(Retryable) as caught:
        await authorizer_of(grants).token()
    assert caught.value.attempts == 3


async def test_a_token_is_used_until_shortly_before_its_end() -> None:
    """Within its life no token is asked for twice; 300 s before its end it is."""
    grants = Grants(ManualClock())
    authorizer = authorizer_of(grants)
    assert await authorizer.token() == "token-1"
    grants.clock.advance(3299)
    assert await authorizer.token() == "token-1"
    grants.clock.advance(2)
    assert await authorizer.token() == "token-2"


async def test_an_early_refresh_holds_up_nobody_else() -> None:
    """While one refreshes early the others go on with the token that is still good."""
    grants = Grants(ManualClock())
    authorizer = authorizer_of(grants)
    await authorizer.token()
    grants.clock.advance(3400)
    first, *others = await asyncio.gather(*[authorizer.token() for _ in range(50)])
    assert first == "token-2"
    assert set(others) == {"token-1"}
    assert grants.calls == 2


async def test_an_early_refresh_that_fails_does_no_harm() -> None:
    """While the old token is good a failed refresh is put off, not told."""
    grants = Grants(ManualClock())
    authorizer = authorizer_of(grants, attempts=1)
    await authorizer.token()
    grants.clock.advance(3320)
    grants.failures = [Retryable("503")]
    assert await authorizer.token() == "token-1"
    assert await authorizer.token() == "token-1"
    assert grants.calls == 2
    grants.clock.advance(31)
    assert await authorizer.token() == "token-3"


async def test_early_moments_differ() -> None:
    """Connections made together don't refresh together."""
    clock = ManualClock()

    async def refreshed_at(random: Callable[[], float]) -> float:
        grants = Grants(clock)
        authorizer = Authorizer(USER, grants, clock, random)
        await authorizer.token()
        start_s = clock.monotonic_s()
        while grants.calls == 1:
            clock.advance(10)
            await authorizer.token()
        return clock.monotonic_s() - start_s

    assert await refreshed_at(lambda: 0.0) - await refreshed_at(lambda: 0.99) > 100


async def test_a_short_token_is_not_refreshed_at_once() -> None:
    """A token of a minute serves half its life before the next is asked for."""
    grants = Grants(ManualClock(), lifetime_s=60.0)
    authorizer = authorizer_of(grants)
    assert await authorizer.token() == "token-1"
    grants.clock.advance(20)
    assert await authorizer.token() == "token-1"
    grants.clock.advance(15)
    assert await authorizer.token() == "token-2"


async def test_a_token_of_seconds_is_used() -> None:
    """Even a token that lives for some seconds only serves more than one call."""
    grants = Grants(ManualClock(), lifetime_s=4.0)
    authorizer = authorizer_of(grants)
    assert await authorizer.token() == "token-1"
    grants.clock.advance(1.9)
    assert await authorizer.token() == "token-1"


async def test_invalidation_forgets_that_token_only() -> None:
    """A refused token is replaced once, however many calls it was refused to."""
    grants = Grants(ManualClock())
    authorizer = authorizer_of(grants)
    await authorizer.token()
    for _ in range(10):
        authorizer.invalidate("token-1")
    assert await authorizer.token() == "token-2"
    authorizer.invalidate("token-1")
    assert await authorizer.token() == "token-2"
    assert grants.calls == 2


async def test_a_cancelled_refresh_is_done_by_the_next() -> None:
    """Whoever is cancelled in the middle of a refresh leaves it to the next in line."""
    grants = Grants(ManualClock())
    authorizer = authorizer_of(grants)
    first = asyncio.create_task(authorizer.token(), name="first")
    second = asyncio.create_task(authorizer.token(), name="second")
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.wait_for(second, 5) == "token-2"


async def test_a_token_that_came_with_the_credentials_is_used() -> None:
    """An unexpired access token needs no refresh, an expired one does, and one without expiry is tried."""
    clock = ManualClock()
    for expiry, expected in (
        ((clock.now() + timedelta(hours=1)).isoformat(), "given"),
        ((clock.now() - timedelta(hours=1)).isoformat(), "token-1"),
        ("next week", "token-1"),
        ("2026-11-24T00:00:00Z", "given"),
        (None, "given"),
    ):
        user = authorized_user("https://oauth2.googleapis.com/token", access_token="given", expiry=expiry)
        assert await authorizer_of(Grants(clock), user).token() == expected


async def test_a_bare_access_token_is_used_as_it_is() -> None:
    """It serves to its end, without early refreshes; then its source is asked for another."""
    clock = ManualClock()
    grants = Grants(clock, failures=[NeedsReauth("the owner has none", http_status=404)])
    bare = AccessToken(Secret("bare"), (clock.now() + timedelta(seconds=600)).isoformat())
    authorizer = authorizer_of(grants, bare)
    clock.advance(580)
    assert await authorizer.token() == "bare"
    assert grants.calls == 0
    clock.advance(15)
    with pytest.raises(NeedsReauth):
        await authorizer.token()


@pytest.mark.parametrize("left_s", [600, -86_400])
async def test_a_bare_access_token_ends_when_google_says_so(left_s: float) -> None:
    """Where none can refresh it our clock, which may be wrong, is no reason to ask for a new authorization."""
    clock = ManualClock()
    grants = Grants(clock, failures=[NeedsReauth("nobody here can refresh it") for _ in range(2)])
    authorizer = authorizer_of(
        grants, AccessToken(Secret("bare"), (clock.now() + timedelta(seconds=left_s)).isoformat())
    )
    clock.advance(3600)
    assert set(await asyncio.gather(*[authorizer.token() for _ in range(9)])) == {"bare"}
    assert grants.calls == 1


@pytest.mark.parametrize("http_status", [None, 409])
async def test_a_bare_access_token_that_one_call_was_refused_with_is_tried_on(http_status: int | None) -> None:
    """There is no other; whether it is at its end is asked by a call that needs no item."""
    clock = ManualClock()
    grants = Grants(clock, failures=[NeedsReauth("there is no other", http_status=http_status)])
    authorizer = authorizer_of(grants, AccessToken(Secret("bare"), None))
    assert await authorizer.token() == "bare"
    authorizer.invalidate("bare")
    assert await authorizer.token() == "bare"
    authorizer.invalidate("bare")
    assert await authorizer.token() == "token-2"  # its owner has another one by now


async def test_authorizers_live_as_long_as_the_credentials() -> None:
    """A connection keeps its token until its credentials change, and the longest unused are forgotten."""
    clock = ManualClock()
    grants = Grants(clock)
    authorizers = Authorizers(lambda _, credentials: grants(credentials), clock, lambda: 0.0, keep=2)
    one = authorizers.of(connection(USER))
    assert authorizers.of(connection(authorized_user("https://oauth2.googleapis.com/token"))) is one
    changed = authorizers.of(connection(authorized_user("https://example.com/token")))
    assert changed is not one
    authorizers.of(connection(USER, name="second"))
    assert authorizers.of(connection(changed.credentials)) is changed
    authorizers.of(connection(USER, name="third"))
    assert authorizers.of(connection(changed.credentials)) is changed


@pytest.fixture
async def google() -> AsyncIterator[ScriptedServer]:
    """A token endpoint on a free port."""
    async with scripted_server() as server:
        yield server


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    """The client's side of it."""
    token_endpoint = TokenEndpoint(ManualClock(), api_host="127.0.0.1", timeout_s=5.0)
    yield token_endpoint
    token_endpoint.close()


def answer_of(**fields: object) -> bytes:
    """A token endpoint's body."""
    return json.dumps(fields).encode()


async def test_a_users_refresh(google: ScriptedServer, endpoint: TokenEndpoint) -> None:
    """The refresh-token grant is posted as a form, and its answer is a token with its lifetime."""
    google.script = reply(body=answer_of(access_token="fresh", expires_in=3599, token_type="Bearer"))
    assert await endpoint.grant(authorized_user(f"{google.url}/token")) == Grant(Secret("fresh"), 3599)
    [seen] = google.seen
    assert (seen.method, seen.path) == ("POST", "/token")
    assert seen.form == {
        "grant_type": "refresh_token",
        "client_id": "client-1",
        "client_secret": "CANARY-client-secret",
        "refresh_token": "CANARY-refresh-token",
    }


@pytest.mark.parametrize("subject", [None, "ada@example.com"])
async def test_a_service_accounts_grant(google: ScriptedServer, endpoint: TokenEndpoint, subject: str | None) -> None:
    """A service account posts a signed assertion, for the user it acts as where it names one."""
    google.script = reply(body=answer_of(access_token="fresh"))
    assert await endpoint.grant(service_account(f"{google.url}/token", subject=subject)) == Grant(Secret("fresh"), 3600)
    form = google.seen[0].form
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    payload = form["assertion"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims.get("sub") == subject
    assert (claims["iss"], claims["scope"]) == ("robot@project.example.com", DRIVE_READONLY_SCOPE)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, answer_of(error="invalid_grant", error_description="Token has been expired or revoked."), NeedsReauth),
        (401, answer_of(error="invalid_client"), Terminal),
        (400, answer_of(error="unauthorized_client"), Terminal),
        (400, answer_of(error="invalid_scope"), Terminal),
        (408, b"", Retryable),
        (429, b"slow down", Retryable),
        (500, b"<html>", Retryable),
        (503, answer_of(error="internal_failure"), Retryable),
        (302, b"", Retryable),
        (403, b"<html>blocked</html>", Retryable),
        (404, b"<html>no such page</html>", Retryable),
        (400, answer_of(error="temporarily_unavailable"), Retryable),
        (200, b"<html>captive portal</html>", Retryable),
        (200, b"{}", Retryable),
        (200, b'{"access_token": "\xff"}', Retryable),
        (200, b'{"access_token": "a", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", Retryable),
        (200, answer_of(access_token=""), Retryable),
        (200, b"x" * 1_000_000, Retryable),
    ],
)
async def test_answers_of_the_token_endpoint(
    google: ScriptedServer, endpoint: TokenEndpoint, status: int, body: bytes, expected: type[WorkerError]
) -> None:
    """Each refusal says what to do, after one call: google-auth's own retries are left out."""
    google.script = reply(status, body, {"Location": f"{google.url}/steal"} if status == 302 else None)
    with pytest.raises(expected):
        await endpoint.grant(authorized_user(f"{google.url}/token"))
    assert len(google.seen) == 1


async def test_every_answer_of_the_token_endpoint_measures_our_clock(google: ScriptedServer) -> None:
    """Granted or refused; and a refusal of our times says by how much our clock is wrong."""
    clock = ManualClock()
    offset = ClockOffset(clock, google.url)
    endpoint = TokenEndpoint(clock, api_host="127.0.0.1", clock_offset=offset)
    headers = {"Date": format_datetime(START + timedelta(seconds=312), usegmt=True)}
    late = answer_of(error="invalid_grant", error_description="Invalid JWT: Check your iat and exp values")
    google.script = [*reply(400, late, headers), *reply(200, answer_of(access_token="fresh"), headers)]
    with pytest.raises(Retryable, match="312 s behind Google's") as caught:
        await endpoint.grant(service_account(f"{google.url}/token"))
    assert caught.value.code == "clock_skew"
    await endpoint.grant(authorized_user(f"{google.url}/token"))
    assert offset.seconds == -312
    endpoint.close()


async def test_a_clock_that_is_wrong_is_tried_again_and_shared_by_all_callers() -> None:
    """As any trouble that passes: no credentials are blamed."""
    grants = Grants(ManualClock(), failures=[Retryable("our clock", code="clock_skew")])
    assert await authorizer_of(grants).token() == "token-2"


async def test_a_token_endpoint_out_of_reach(google: ScriptedServer, endpoint: TokenEndpoint) -> None:
    """A cut, and a server that is gone, pass."""
    google.script = [hang_up, cut]
    for _ in range(2):
        with pytest.raises(Retryable):
            await endpoint.grant(authorized_user(f"{google.url}/token"))
    with pytest.raises(Retryable) as gone:
        await endpoint.grant(authorized_user("http://127.0.0.1:1/token"))
    assert gone.value.code == "connection_failed"


@pytest.mark.parametrize("token_uri", ["http://oauth2.googleapis.com/token", "file:///etc/passwd", "nonsense"])
async def test_secrets_go_over_https_only(endpoint: TokenEndpoint, token_uri: str) -> None:
    """A token_uri that would show the refresh token to the network is refused before anything is sent."""
    with pytest.raises(Terminal) as caught:
        await endpoint.grant(authorized_user(token_uri))
    assert caught.value.code == "bad_credentials"


@pytest.mark.parametrize(
    "token_uri",
    [
        "https://token.example.com/token",
        "https://oauth2.googleapis.com.example.com/token",
        "https://oauth2.googleapis.com:8443/token",
        "https://127.0.0.1.example.com/token",
        "https://169.254.169.254/token",
    ],
)
async def test_credentials_are_traded_at_google_alone(endpoint: TokenEndpoint, token_uri: str) -> None:
    """Or at the Drive API's own host: a customer's key file does not say whom the worker calls."""
    for credentials in (authorized_user(token_uri), service_account(token_uri)):
        with pytest.raises(Terminal, match="must be Google's, or on the host of GDRIVE_API_BASE_URL") as caught:
            await endpoint.grant(credentials)
        assert caught.value.code == "bad_credentials"


@pytest.mark.parametrize(
    "token_uri",
    ["https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token", "https://127.0.0.1/token"],
)
def test_googles_own_token_endpoints_are_all_known(token_uri: str) -> None:
    """Those that older keys name as well, and the API's host's."""
    assert token_uri_problem(token_uri, "127.0.0.1") is None


def test_this_machine_is_spoken_to_only_where_the_api_is_on_it() -> None:
    """By whatever name."""
    assert token_uri_problem("http://localhost:1/token", "127.0.0.1") is None
    assert token_uri_problem("http://localhost:1/token", "www.googleapis.com") is not None


@pytest.mark.parametrize("pem", [f"{CANARY}-no-key", ED25519_KEY, "-----BEGIN PRIVATE KEY-----\nx"])
async def test_a_key_that_is_no_key(endpoint: TokenEndpoint, pem: str) -> None:
    """A private key that can't be read, or is of another kind, stops the connection, without a call."""
    credentials = service_account("http://127.0.0.1:1/token", private_key=pem)
    with pytest.raises(Terminal) as caught:
        await endpoint.grant(credentials)
    assert caught.value.code == "bad_credentials"
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_a_used_up_access_token_has_no_refresh_here(endpoint: TokenEndpoint) -> None:
    """A bare access token can't be refreshed by the worker: a new authorization is needed."""
    with pytest.raises(NeedsReauth):
        await endpoint.grant(AccessToken(Secret("CANARY-bare")))


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 500])
async def test_no_secret_in_any_text(google: ScriptedServer, endpoint: TokenEndpoint, status: int) -> None:
    """An endpoint that repeats our secrets in its answer does not get them into an exception, its chain or a repr."""
    echo = "CANARY-refresh-token and CANARY-client-secret"
    google.script = reply(status, answer_of(error="CANARY-refresh-token", error_description=echo))
    credentials = authorized_user(f"{google.url}/token")
    with pytest.raises(WorkerError) as caught:
        await endpoint.grant(credentials)
    shown: list[object] = [credentials, endpoint, Grant(Secret("CANARY-access"), 1.0)]
    problem: BaseException | None = caught.value
    while problem is not None:
        shown += [problem, problem.args, vars(problem)]
        problem = problem.__context__
    assert CANARY not in "".join(f"{thing!r} {thing}" for thing in shown)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
