"""Google's OAuth token endpoint: the refresh-token grant, and the JWT-bearer grant of service accounts.

Access tokens live for a configured time, carry their scopes, and end when they are expired or their grant is revoked.
Error bodies are RFC 6749's `{"error", "error_description"}` with Google's texts.
Sources: RFC 6749, RFC 7523, "Using OAuth 2.0 for Server to Server Applications" of Google's identity guides.
"""

import base64
import binascii
import secrets
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from email.utils import formatdate

import orjson
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from drive_simulator.api.credential_errors import insufficient_permissions, invalid_credentials, login_required
from drive_simulator.api.discovery import methods
from drive_simulator.auth.service_account import ServiceAccount

SCOPE_PREFIX = "https://www.googleapis.com/auth/"
DRIVE = SCOPE_PREFIX + "drive"
DRIVE_READONLY = SCOPE_PREFIX + "drive.readonly"
DRIVE_METADATA_READONLY = SCOPE_PREFIX + "drive.metadata.readonly"

# google-auth sets this audience whatever `token_uri` says.
GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXPIRES_IN_S = 3599
MAX_JWT_LIFE_S = 3600
CLOCK_SKEW_S = 300
MAX_TOKENS = 100_000

_METADATA_SCOPES = frozenset({"drive.metadata", "drive.metadata.readonly"})


@dataclass(frozen=True, slots=True)
class Access:
    """Who calls, and what the token lets them do."""

    user: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Grant:
    user: str
    client_id: str
    scopes: frozenset[str]


@dataclass(slots=True)
class _Token:
    access: Access
    expires_at_s: float
    refresh_token: str | None


GrantObserver = Callable[[Mapping[str, str], Mapping[str, object]], None]
"""Is told of the form and the answer of each token request that was granted: all of it secret."""


class OAuthError(Exception):
    """An answer of the token endpoint that is an error: RFC 6749 §5.2."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}


class TokenService:
    """Issues and checks access tokens. `users` are the emails that exist; `now_s` is the wall clock, epoch seconds.

    `observers` are called for every grant of the token endpoint. `ahead_s` puts its clock ahead: to it, the clock of
    every client is wrong then.
    """

    def __init__(
        self,
        users: Container[str],
        now_s: Callable[[], float] = time.time,
        *,
        expires_in_s: int = EXPIRES_IN_S,
        audiences: Container[str] = (GOOGLE_TOKEN_URI,),
    ) -> None:
        self._users = users
        self._now_s = now_s
        self.ahead_s = 0.0
        self._expires_in_s = expires_in_s
        self._audiences = audiences
        self._clients: dict[str, str] = {}
        self._service_accounts: dict[str, ServiceAccount] = {}
        self._grants: dict[str, _Grant] = {}
        self._tokens: dict[str, _Token] = {}
        self._revoked: set[str] = set()
        self.issued = 0
        self.observers: list[GrantObserver] = []

    def add_client(self, client_id: str, client_secret: str) -> None:
        """Make an OAuth client known."""
        self._clients[client_id] = client_secret

    def add_service_account(self, account: ServiceAccount) -> None:
        """Make a service account known; it is a user of its own beside those it may speak for."""
        self._service_accounts[account.email] = account

    def grant(
        self, user: str, client_id: str, scopes: tuple[str, ...] = (DRIVE,), *, refresh_token: str | None = None
    ) -> str:
        """The user consents: a refresh token of that client, chosen by the caller or at random."""
        token = refresh_token or "1//" + secrets.token_urlsafe(32)
        self._revoked.discard(user)
        self._grants[token] = _Grant(user, client_id, _short(scopes))
        return token

    def issue_access_token(
        self, user: str, scopes: tuple[str, ...] = (DRIVE,), *, refresh_token: str | None = None
    ) -> str:
        """An access token, outside of any endpoint."""
        return self._issue(Access(user, _short(scopes)), refresh_token)

    def exchange(self, form: Mapping[str, str]) -> dict[str, object]:
        """The answer to a token request. Raises OAuthError."""
        match form.get("grant_type"):
            case "refresh_token":
                return self._refresh(form)
            case grant_type if grant_type == JWT_BEARER:
                return self._jwt_bearer(form)
            case None:
                raise OAuthError("invalid_request", "Missing required parameter: grant_type")
            case grant_type:
                raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {grant_type}")

    def authenticate(self, headers: Mapping[str, str], *, access_token: str | None = None) -> Access:
        """Who sent these headers (case-insensitive, or the query's `access_token`). Raises ApiError 401."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if not scheme and access_token is not None:
            scheme, token = "Bearer", access_token
        if not scheme:
            raise login_required()
        known = self._tokens.get(token.strip())
        if scheme.lower() != "bearer" or known is None or known.expires_at_s <= self._time_s():
            raise invalid_credentials()
        return known.access

    def expire_tokens(self, user: str | None = None) -> int:
        """End the access tokens of a user (of all) now; grants stay. Returns how many."""
        ended = [token for token, known in self._tokens.items() if user in {None, known.access.user}]
        for token in ended:
            del self._tokens[token]
        return len(ended)

    def revoke_grants(self, user: str | None = None) -> int:
        """Withdraw the consent of a user (of all): refresh tokens, delegation and access tokens end. Returns grants."""
        ended = [token for token, grant in self._grants.items() if user in {None, grant.user}]
        for token in ended:
            del self._grants[token]
        if user is not None:
            self._revoked.add(user)
        else:
            self._service_accounts.clear()
        self.expire_tokens(user)
        return len(ended)

    def revoke_token(self, token: str) -> bool:
        """RFC 7009: end the grant behind a refresh or access token. Returns whether it was known."""
        known = self._tokens.get(token)
        refresh_token = known.refresh_token if known is not None else token
        grant = self._grants.pop(refresh_token or "", None)
        ended = [
            key for key, value in self._tokens.items() if key == token or value.refresh_token == (refresh_token or "-")
        ]
        for key in ended:
            del self._tokens[key]
        return grant is not None or bool(ended)

    def add_routes(self, app: web.Application, *, token_path: str = "/token", revoke_path: str = "/revoke") -> None:  # noqa: S107
        """Serve the token and the revocation endpoint."""
        app.router.add_post(token_path, self._serve_token)
        app.router.add_post(revoke_path, self._serve_revoke)

    def _refresh(self, form: Mapping[str, str]) -> dict[str, object]:
        client_id = _required(form, "client_id")
        if client_id not in self._clients:
            raise OAuthError("invalid_client", "The OAuth client was not found.", status=401)
        if not secrets.compare_digest(form.get("client_secret", "").encode(), self._clients[client_id].encode()):
            raise OAuthError("invalid_client", "The provided client secret is invalid.", status=401)
        refresh_token = _required(form, "refresh_token")
        grant = self._grants.get(refresh_token)
        if grant is None or grant.user not in self._users:
            raise OAuthError("invalid_grant", "Token has been expired or revoked.")
        if grant.client_id != client_id:
            raise OAuthError("unauthorized_client", "Unauthorized", status=401)
        scopes = grant.scopes
        if form.get("scope"):
            scopes = _short(form["scope"].split())
            if not scopes <= grant.scopes:
                raise OAuthError("invalid_scope", "Some requested scopes were invalid.")
        return self._answer(Access(grant.user, scopes), refresh_token)

    def _jwt_bearer(self, form: Mapping[str, str]) -> dict[str, object]:
        claims = self._claims(_required(form, "assertion"))
        issuer = str(claims["iss"])
        account = self._service_accounts[issuer]
        scopes = _short(str(claims.get("scope", "")).split())
        if not scopes:
            raise OAuthError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        user = str(claims.get("sub") or issuer)
        if user != issuer:
            if not account.domain_wide_delegation or user in self._revoked:
                message = "Client is unauthorized to retrieve access tokens using this method, or client not authorized"
                raise OAuthError("unauthorized_client", message + " for any of the scopes requested.", status=401)
            if user not in self._users:
                raise OAuthError("invalid_grant", "Invalid email or User ID")
        return self._answer(Access(user, scopes), None)

    def _claims(self, assertion: str) -> dict[str, object]:
        """The claims of a signed assertion, all checks done."""
        header, claims, signed, signature = _split(assertion)
        if header.get("alg") != "RS256":
            raise OAuthError("invalid_grant", "Invalid JWT: unsupported algorithm.")
        account = self._service_accounts.get(str(claims.get("iss")))
        if account is None:
            raise OAuthError("invalid_grant", "Invalid grant: account not found")
        try:
            account.public_key.verify(signature, signed, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            raise OAuthError("invalid_grant", "Invalid JWT Signature.") from None
        if claims.get("aud") not in self._audiences and claims.get("aud") != account.token_uri:
            raise OAuthError("invalid_grant", "Invalid JWT: Failed audience check.")
        issued, expires, now = claims.get("iat"), claims.get("exp"), self._time_s()
        if (
            not isinstance(issued, int | float)
            or not isinstance(expires, int | float)
            or not issued - CLOCK_SKEW_S <= now < expires + CLOCK_SKEW_S
            or expires - issued > MAX_JWT_LIFE_S
        ):
            message = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
            raise OAuthError("invalid_grant", message + " Check your iat and exp values in the JWT claim.")
        return claims

    def _answer(self, access: Access, refresh_token: str | None) -> dict[str, object]:
        return {
            "access_token": self._issue(access, refresh_token),
            "expires_in": self._expires_in_s,
            "scope": " ".join(sorted(SCOPE_PREFIX + scope for scope in access.scopes)),
            "token_type": "Bearer",
        }

    def _issue(self, access: Access, refresh_token: str | None) -> str:
        token = "ya29." + secrets.token_urlsafe(48)
        if len(self._tokens) >= MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[token] = _Token(access, self._time_s() + self._expires_in_s, refresh_token)
        self.issued += 1
        return token

    async def _serve_token(self, request: web.Request) -> web.Response:
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        try:
            answer = self.exchange(form)
        except OAuthError as error:
            return self._json(error.status, error.body)
        for observer in self.observers:
            observer(form, answer)
        return self._json(200, answer)

    async def _serve_revoke(self, request: web.Request) -> web.Response:
        form = await request.post()
        token = form.get("token") or request.query.get("token", "")
        if self.revoke_token(str(token)):
            return self._json(200, {})
        return self._json(400, {"error": "invalid_token", "error_description": "Token expired or revoked"})

    def _time_s(self) -> float:
        return self._now_s() + self.ahead_s

    def _json(self, status: int, body: Mapping[str, object]) -> web.Response:
        return web.Response(
            status=status,
            body=orjson.dumps(body),
            content_type="application/json",
            charset="utf-8",
            headers={
                "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
                "Date": formatdate(self._time_s(), usegmt=True),  # by the clock that assertions are checked by
            },
        )


def authorize(access: Access, method_id: str, *, media: bool = False) -> None:
    """Let a call pass, or raise ApiError 403 `insufficientPermissions`. `media` (`alt=media`) asks for content."""
    usable = access.scopes - _METADATA_SCOPES if media else access.scopes
    if usable.isdisjoint(methods()[method_id].scopes):
        raise insufficient_permissions()


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise OAuthError("invalid_request", f"Missing required parameter: {name}")
    return value


def _short(scopes: "tuple[str, ...] | list[str]") -> frozenset[str]:
    return frozenset(scope.removeprefix(SCOPE_PREFIX) for scope in scopes)


def _split(assertion: str) -> tuple[dict[str, object], dict[str, object], bytes, bytes]:
    """Header, claims, what was signed, and the signature."""
    try:
        head, body, signature = assertion.split(".")
        header, claims = orjson.loads(_unbase64(head)), orjson.loads(_unbase64(body))
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise TypeError
        return header, claims, f"{head}.{body}".encode(), _unbase64(signature)
    except (ValueError, TypeError, binascii.Error):
        raise OAuthError("invalid_grant", "Bad Request") from None


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
