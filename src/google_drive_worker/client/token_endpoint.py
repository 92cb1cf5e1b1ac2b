"""Access tokens from Google's token endpoint, by google-auth, whose calls block and therefore run in threads.

google-auth builds and signs the grants; the HTTP beneath it is ours, because its own retries by itself (there is one
retry layer, in `retry.py`) and its errors carry whole answers (no foreign text may reach an exception of ours).
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import google.auth.transport
import google.oauth2.credentials
import google.oauth2.service_account
import msgspec
import requests

from google_drive_worker.client.clock_offset import ClockOffset
from google_drive_worker.client.faults import token_error
from google_drive_worker.domain.connection import AuthorizedUser, Credentials, Grant, Secret, ServiceAccount
from google_drive_worker.domain.ports import Clock
from google_drive_worker.http.addresses import DEFAULT_TOKEN_URI, token_uri_problem
from google_drive_worker.messages.nesting import is_too_deep
from google_drive_worker.utils.errors import NeedsReauth, Retryable, Terminal, WorkerError

DRIVE_READONLY_SCOPE = "https://www.googleapis.com/auth/drive.readonly"
"""What a service account asks for: the narrowest scope that covers metadata, comments and content."""

_ANSWER_BYTES = 256 * 1024
_THREADS = 16
"""Of our own, so that refreshes that hang never hold up others' work in the loop's default threads."""
_WAITS = 3
"""A grant in all may take as long as so many single waits: to connect, to send, to read."""
_LIFETIME_S = 3600.0
"""RFC 6749 lets `expires_in` be left out; Google's tokens last an hour."""


class _TokenAnswer(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


class _Aborted(Exception):  # no error by itself: it carries one out through google-auth
    def __init__(self, error: WorkerError) -> None:
        super().__init__()
        self.error = error


@dataclass(frozen=True, slots=True)
class _HttpResponse:
    """What google-auth wants to see of an answer: its `transport.Response`, by shape."""

    status: int
    headers: Mapping[str, str]
    data: bytes = field(repr=False)


class TokenEndpoint:
    """Trades a connection's credentials for an access token, in one attempt. Close it at the end."""

    def __init__(
        self,
        clock: Clock,
        *,
        api_host: str | None = None,
        clock_offset: ClockOffset | None = None,
        timeout_s: float = 20.0,
        scopes: tuple[str, ...] = (DRIVE_READONLY_SCOPE,),
    ) -> None:
        """Make no call yet; `timeout_s` bounds each wait, `scopes` are a service account's.

        `api_host` is the Drive API's: the one host beside Google's own that credentials may be traded at.
        `clock_offset` measures our clock by the answers.
        """
        self._clock = clock
        self._api_host = api_host
        self._clock_offset = clock_offset
        self._timeout_s = timeout_s
        self._scopes = scopes
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="token-endpoint")
        self._session = requests.Session()
        self._session.trust_env = False  # no .netrc: it would replace what we send
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def close(self) -> None:
        """Close its connections, and let go of its threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def grant(self, credentials: Credentials) -> Grant:
        """Return a fresh token.

        Raises `NeedsReauth` where Google no longer takes the credentials, or nobody here can refresh them; `Terminal`
        where they are wrong; `Retryable` for what passes. No error holds a secret.
        """
        outcome: Grant | WorkerError = Retryable("the token endpoint did not answer in time", code="timeout")
        with suppress(TimeoutError):  # an answer that drips in ends no wait of the thread's
            async with asyncio.timeout(_WAITS * self._timeout_s):
                outcome = await asyncio.get_running_loop().run_in_executor(self._threads, self._attempt, credentials)
        if isinstance(outcome, WorkerError):
            raise outcome
        return outcome

    def _attempt(self, credentials: Credentials) -> Grant | WorkerError:
        """Run one grant in this thread. Errors are returned, so that no foreign exception hangs on what is raised."""
        token_uri = _token_uri(credentials)
        if problem := token_uri_problem(token_uri, self._api_host):
            return Terminal(f"the credentials' token_uri {problem}", code="bad_credentials")
        exchange = _Exchange(
            self._session, token_uri, self._timeout_s, self._clock.now, _redaction(credentials), self._clock_offset
        )
        try:
            google_credentials = _to_google(credentials, token_uri, self._scopes)
            if google_credentials is None:
                return NeedsReauth("the access token is used up, and the worker has none to refresh it with")
            google_credentials.refresh(exchange)
        except _Aborted as aborted:
            return aborted.error
        except Exception as problem:  # a key of another kind raises whatever cryptography does; its text may quote it
            return Terminal(f"google-auth refused the credentials ({type(problem).__name__})", code="bad_credentials")
        if exchange.grant is None:
            return Terminal("google-auth asked for no token", code="bad_credentials")
        return exchange.grant


@dataclass(slots=True)
class _Exchange(google.auth.transport.Request):
    """One POST to one token endpoint, as google-auth's transport; keeps the grant it saw."""

    session: requests.Session = field(repr=False)
    token_uri: str
    timeout_s: float
    now: Callable[[], datetime]
    redact: Callable[[str], str] = field(repr=False)
    clock_offset: ClockOffset | None = None
    grant: Grant | None = None

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> _HttpResponse:
        """Send; anything but a usable token ends the grant by `_Aborted`, past google-auth's own retries."""
        del timeout  # ours holds
        if url != self.token_uri:
            raise _Aborted(Terminal("google-auth asked for another address than token_uri", code="bad_credentials"))
        sent = self.now()
        response = self._post(method, body, headers)
        if isinstance(response, WorkerError):
            raise _Aborted(response)
        if self.clock_offset is not None:
            self.clock_offset.observe(self.token_uri, response.headers.get("Date"), sent=sent)
        if response.status != requests.codes.ok:
            error = token_error(
                response.status, response.headers, response.data, sent=sent, now=self.now(), redact=self.redact
            )
            raise _Aborted(error)
        answer = None
        if not is_too_deep(response.data):
            with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                answer = msgspec.json.decode(response.data, type=_TokenAnswer, strict=False)
        if answer is None or not answer.access_token:
            raise _Aborted(Retryable("the token endpoint's answer holds no token", code="bad_answer"))
        lifetime_s = _LIFETIME_S if answer.expires_in is None else max(0.0, answer.expires_in)
        self.grant = Grant(Secret(answer.access_token), lifetime_s)
        return response

    def _post(self, method: str, body: bytes | None, headers: Mapping[str, str] | None) -> _HttpResponse | WorkerError:
        try:
            with self.session.request(
                method,
                self.token_uri,
                data=body,
                headers=headers,
                timeout=self.timeout_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                data = response.raw.read(_ANSWER_BYTES + 1, decode_content=True)
                if len(data) > _ANSWER_BYTES:
                    return Retryable("the token endpoint's answer is too large", code="response_too_large")
                return _HttpResponse(response.status_code, response.headers, data)
        except requests.Timeout:
            return Retryable("the token endpoint did not answer in time", code="timeout")
        except Exception as problem:  # requests lets urllib3's errors through while a body is read
            return Retryable(
                f"no connection to the token endpoint ({type(problem).__name__})", code="connection_failed"
            )


def _token_uri(credentials: Credentials) -> str:
    match credentials:
        case AuthorizedUser(token_uri=uri):
            return uri or DEFAULT_TOKEN_URI
        case ServiceAccount(info=info):
            return info.token_uri or DEFAULT_TOKEN_URI
        case _:
            return DEFAULT_TOKEN_URI


def _to_google(credentials: Credentials, token_uri: str, scopes: tuple[str, ...]) -> Any:
    """Return google-auth's credentials (an untyped library: `Any`), or `None` where ours can't be refreshed."""
    match credentials:
        case AuthorizedUser():
            return google.oauth2.credentials.Credentials(  # type: ignore[no-untyped-call]
                None,
                refresh_token=credentials.refresh_token.reveal(),
                client_id=credentials.client_id,
                client_secret=credentials.client_secret.reveal(),
                token_uri=token_uri,
            )
        case ServiceAccount(info=info, subject=subject):
            key = {
                "client_email": info.client_email,
                "private_key": info.private_key.reveal(),
                "private_key_id": info.private_key_id,
                "token_uri": token_uri,
            }
            return google.oauth2.service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                key, scopes=list(scopes), subject=subject
            )
        case _:
            return None


def _redaction(credentials: Credentials) -> Callable[[str], str]:
    secrets: list[str] = []
    match credentials:
        case AuthorizedUser():
            secrets = [credentials.refresh_token.reveal(), credentials.client_secret.reveal()]
        case ServiceAccount(info=info):
            secrets = [info.private_key.reveal()]
        case _:
            pass

    def redact(text: str) -> str:
        for secret in secrets:
            if secret:
                text = text.replace(secret, "***")
        return text

    return redact
