"""The token endpoint: grants, refusals, lifetimes and scopes."""

import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer
from google.auth import crypt, jwt

from drive_simulator.api.errors import ApiError
from drive_simulator.auth.oauth import (
    DRIVE_METADATA_READONLY,
    DRIVE_READONLY,
    GOOGLE_TOKEN_URI,
    JWT_BEARER,
    OAuthError,
    TokenService,
    authorize,
)
from drive_simulator.auth.service_account import ServiceAccount, new_service_account

ANNA = "anna@example.com"


class Time:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def account() -> ServiceAccount:
    """One service account for all, since keys are slow to make."""
    return new_service_account("http://localhost/token")


@pytest.fixture
def clock() -> Time:
    """The time that tokens expire by."""
    return Time()


@pytest.fixture
def service(clock: Time, account: ServiceAccount) -> TokenService:
    """A token service with one client, one user's consent and one service account."""
    tokens = TokenService({ANNA}, clock)
    tokens.add_client("client", "secret")
    tokens.grant(ANNA, "client", (DRIVE_READONLY,), refresh_token="refresh")
    tokens.add_service_account(account)
    return tokens


def refresh_form(**changes: str) -> dict[str, str]:
    """A good refresh request, with changes."""
    good = {"grant_type": "refresh_token", "client_id": "client", "client_secret": "secret", "refresh_token": "refresh"}
    return good | changes


def assertion(account: ServiceAccount, clock: Time, **changes: object) -> dict[str, str]:
    """A good JWT-bearer request, with changes to its claims."""
    claims = {
        "iss": account.email,
        "aud": GOOGLE_TOKEN_URI,
        "scope": DRIVE_READONLY,
        "iat": int(clock()),
        "exp": int(clock()) + 3600,
        **changes,
    }
    signer = crypt.RSASigner.from_service_account_info(account.info())  # type: ignore[no-untyped-call]
    signed = jwt.encode(signer, claims)  # type: ignore[no-untyped-call]
    return {"grant_type": JWT_BEARER, "assertion": signed.decode()}


def bearer(answer: dict[str, object]) -> dict[str, str]:
    """The header that carries the token of an answer."""
    return {"Authorization": f"Bearer {answer['access_token']}"}


def test_refresh_gives_an_access_token_that_expires(service: TokenService, clock: Time) -> None:
    """A refreshed token names its user for 3,599 seconds and is refused after that."""
    answer = service.exchange(refresh_form())
    assert answer["expires_in"] == 3599
    assert answer["scope"] == DRIVE_READONLY
    assert service.authenticate(bearer(answer)).user == ANNA
    clock.now_s += 3599
    with pytest.raises(ApiError) as caught:
        service.authenticate(bearer(answer))
    assert (caught.value.status, caught.value.reason) == (401, "authError")
    assert "WWW-Authenticate" in caught.value.headers


@pytest.mark.parametrize(
    ("changes", "error", "status"),
    [
        ({"refresh_token": "other"}, "invalid_grant", 400),
        ({"client_id": "other"}, "invalid_client", 401),
        ({"client_secret": "other"}, "invalid_client", 401),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
        ({"refresh_token": ""}, "invalid_request", 400),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope", 400),
    ],
)
def test_refresh_is_refused(service: TokenService, changes: dict[str, str], error: str, status: int) -> None:
    """Wrong requests get RFC 6749's error codes."""
    with pytest.raises(OAuthError) as caught:
        service.exchange(refresh_form(**changes))
    assert (caught.value.body["error"], caught.value.status) == (error, status)


def test_client_of_another_grant_is_unauthorized(service: TokenService) -> None:
    """A refresh token belongs to the client it was given to."""
    service.add_client("other", "s")
    with pytest.raises(OAuthError) as caught:
        service.exchange(refresh_form(client_id="other", client_secret="s"))
    assert caught.value.body["error"] == "unauthorized_client"


def test_revoked_grant_ends_everything(service: TokenService) -> None:
    """After a revocation neither the access token nor the refresh token works."""
    answer = service.exchange(refresh_form())
    assert service.revoke_grants(ANNA) == 1
    with pytest.raises(ApiError):
        service.authenticate(bearer(answer))
    with pytest.raises(OAuthError):
        service.exchange(refresh_form())


def test_expired_tokens_leave_the_grant(service: TokenService) -> None:
    """Tokens ended by force can be refreshed."""
    answer = service.exchange(refresh_form())
    assert service.expire_tokens(ANNA) == 1
    with pytest.raises(ApiError):
        service.authenticate(bearer(answer))
    assert service.authenticate(bearer(service.exchange(refresh_form()))).user == ANNA


def test_service_account_speaks_for_itself_and_others(
    service: TokenService, account: ServiceAccount, clock: Time
) -> None:
    """Without `sub` it is itself; with `sub` the user of that name."""
    own = service.exchange(assertion(account, clock))
    assert service.authenticate(bearer(own)).user == account.email
    delegated = service.exchange(assertion(account, clock, sub=ANNA, aud=account.token_uri))
    assert service.authenticate(bearer(delegated)).user == ANNA


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"sub": "nobody@example.com"}, "invalid_grant"),
        ({"iss": "nobody@example.com"}, "invalid_grant"),
        ({"aud": "https://example.com"}, "invalid_grant"),
        ({"exp": 1_700_000_000}, "invalid_grant"),
        ({"exp": 1_800_090_000}, "invalid_grant"),
        ({"iat": 1_800_001_000}, "invalid_grant"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
def test_bad_assertions_are_refused(
    service: TokenService, account: ServiceAccount, clock: Time, changes: dict[str, object], error: str
) -> None:
    """Unknown accounts, audiences, times and scopes are refused."""
    with pytest.raises(OAuthError) as caught:
        service.exchange(assertion(account, clock, **changes))
    assert caught.value.body["error"] == error


@pytest.mark.parametrize("wrong_by_s", [-301, -4000, 4000, 86_400])
def test_a_client_whose_clock_is_wrong_is_told_to_look_at_its_times(
    service: TokenService, account: ServiceAccount, clock: Time, wrong_by_s: int
) -> None:
    """In Google's own words; the grant itself is good again as soon as the clocks agree."""
    service.ahead_s = wrong_by_s
    with pytest.raises(OAuthError) as caught:
        service.exchange(assertion(account, clock))
    assert (caught.value.status, caught.value.body["error"]) == (400, "invalid_grant")
    assert caught.value.body["error_description"] == (
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
        "Check your iat and exp values in the JWT claim."
    )
    service.ahead_s = 200
    assert service.exchange(assertion(account, clock))["token_type"] == "Bearer"


def test_foreign_signature_is_refused(service: TokenService, account: ServiceAccount, clock: Time) -> None:
    """The signature has to be the account's own."""
    forged = assertion(new_service_account("x", email=account.email), clock)
    with pytest.raises(OAuthError, match="Signature"):
        service.exchange(forged)
    with pytest.raises(OAuthError, match="Bad Request"):
        service.exchange(forged | {"assertion": "a.b.c"})


def test_delegation_has_to_be_granted(service: TokenService, account: ServiceAccount, clock: Time) -> None:
    """Without domain-wide delegation, or after its revocation, `sub` is unauthorized."""
    service.revoke_grants(ANNA)
    with pytest.raises(OAuthError) as caught:
        service.exchange(assertion(account, clock, sub=ANNA))
    assert caught.value.body["error"] == "unauthorized_client"


def test_scopes_bound_what_a_token_can_do(service: TokenService) -> None:
    """Metadata scope lists files, but gives no comments, exports, downloads or edits."""
    token = service.issue_access_token(ANNA, (DRIVE_METADATA_READONLY,))
    access = service.authenticate({"Authorization": f"Bearer {token}"})
    authorize(access, "files.list")
    authorize(access, "changes.list")
    for method_id in ("comments.list", "files.export", "files.create"):
        with pytest.raises(ApiError) as caught:
            authorize(access, method_id)
        assert caught.value.reason == "insufficientPermissions"
    with pytest.raises(ApiError):
        authorize(access, "files.get", media=True)


def test_no_header_is_login_required(service: TokenService) -> None:
    """No credentials at all is another 401."""
    with pytest.raises(ApiError, match="missing required authentication credential") as caught:
        service.authenticate({})
    assert (caught.value.status, caught.value.short) == (401, "Login Required.")


@pytest.fixture
async def server(service: TokenService) -> AsyncIterator[BaseTestServer]:
    """The endpoints over HTTP."""
    app = web.Application()
    service.add_routes(app)
    async with TestServer(app) as running:
        yield running


async def test_endpoint_speaks_forms_and_json(server: BaseTestServer) -> None:
    """Requests are forms, answers JSON; a revocation at the endpoint ends the grant."""
    async with aiohttp.ClientSession() as session:
        async with session.post(server.make_url("/token"), data=refresh_form()) as answer:
            assert answer.status == 200
            token = (await answer.json())["access_token"]
        async with session.post(server.make_url("/revoke"), data={"token": token}) as answer:
            assert answer.status == 200
        async with session.post(server.make_url("/token"), data=refresh_form()) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"] == "invalid_grant"


async def test_every_answer_is_dated_by_the_clock_that_assertions_are_checked_by(
    server: BaseTestServer, service: TokenService, clock: Time
) -> None:
    """A client can measure its own clock by it."""
    service.ahead_s = 312
    async with aiohttp.ClientSession() as session:
        for form, status in ((refresh_form(), 200), (refresh_form(refresh_token="other"), 400)):
            async with session.post(server.make_url("/token"), data=form) as answer:
                assert answer.status == status
                assert parsedate_to_datetime(answer.headers["Date"]).timestamp() == clock() + 312


def test_default_clock_is_the_machines(account: ServiceAccount) -> None:
    """Assertions of real clients are checked by the real time."""
    tokens = TokenService({ANNA})
    tokens.add_service_account(account)
    clock = Time()
    clock.now_s = time.time()
    assert tokens.exchange(assertion(account, clock))["token_type"] == "Bearer"
