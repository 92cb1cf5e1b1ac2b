"""Drive's and the token endpoint's errors, each by (status, reason) in one table, and what to do about it.

Sources: the guide "Resolve errors"; `drive.v3.json`; RFC 6749, section 5.2. A row without a reason stands for the
status' other reasons. Drive's answers are input like any other: bounded, and read with patience (proxies answer in
HTML).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone, tzinfo
from enum import Enum, auto
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from google_drive_worker.client.clock_offset import measured_offset_s, offset_text
from google_drive_worker.http.retry import parse_retry_after_s
from google_drive_worker.utils.errors import (
    ItemUnavailable,
    NeedsReauth,
    NotFound,
    PageTokenRejected,
    Retryable,
    SkipItem,
    Terminal,
    WorkerError,
)

_BODY_READ_BYTES = 64 * 1024
_TEXT_CHARS = 300
_REASON_CHARS = 64
_SERVER_ERROR = 500


class CallKind(Enum):
    """What a call is about, which decides what an unknown refusal costs."""

    LISTING = auto()
    """A page of many items: refused, the whole sync can't go on."""
    ITEM = auto()
    """One item: refused, the others can be had."""


class Action(Enum):
    """What to do about an error."""

    RETRY = auto()
    WAIT_LONG = auto()
    SKIP_FOR_HOURS = auto()
    """Skip where the call was for one item, whose own quota it is; wait where it was for a listing."""
    WAIT_FOR_RESET = auto()
    AUTHORIZE_ANEW = auto()
    RESTART_LISTING = auto()
    NOT_FOUND = auto()
    SKIP = auto()
    STOP = auto()
    SKIP_OR_STOP = auto()
    """Skip where the call was for one item, stop where it was for a listing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `reason` and `location` narrow it down; `code` is the error's."""

    status: int
    reason: str | None
    action: Action
    code: str
    location: str | None = None


RATE_LIMITED = "rate_limited"
"""The code of quota answers, on which the limiter slows down."""

DAILY_LIMIT = "daily_limit_exceeded"
"""The code of the answer after which the whole project makes no call before the quota starts anew."""

DRIVE_ERRORS: tuple[Row, ...] = (
    Row(400, "invalid", Action.RESTART_LISTING, "page_token_rejected", location="pageToken"),
    Row(400, "invalidParameter", Action.RESTART_LISTING, "page_token_rejected", location="pageToken"),
    Row(400, "channelIdNotUnique", Action.SKIP, "channel_not_unique"),
    Row(400, None, Action.STOP, "bad_request"),
    Row(401, None, Action.AUTHORIZE_ANEW, "unauthorized"),
    Row(403, "pageTokenExpired", Action.RESTART_LISTING, "page_token_rejected"),
    Row(403, "userRateLimitExceeded", Action.RETRY, RATE_LIMITED),
    Row(403, "rateLimitExceeded", Action.RETRY, RATE_LIMITED),
    Row(403, "sharingRateLimitExceeded", Action.WAIT_LONG, "sharing_rate_limited"),
    Row(403, "dailyLimitExceeded", Action.WAIT_FOR_RESET, DAILY_LIMIT),
    Row(403, "quotaExceeded", Action.SKIP_FOR_HOURS, "file_quota_exceeded"),
    Row(403, "downloadQuotaExceeded", Action.SKIP_FOR_HOURS, "file_quota_exceeded"),
    Row(403, "exportSizeLimitExceeded", Action.SKIP, "export_too_large"),
    Row(403, "fileNotExportable", Action.SKIP, "not_exportable"),
    Row(403, "fileNotDownloadable", Action.SKIP, "not_downloadable"),
    Row(403, "cannotDownloadAbusiveFile", Action.SKIP, "abusive_file"),
    Row(403, "cannotDownloadFile", Action.SKIP, "not_downloadable"),
    Row(403, "insufficientFilePermissions", Action.SKIP, "access_denied"),
    Row(403, "appNotAuthorizedToFile", Action.SKIP, "access_denied"),
    Row(403, "teamDriveMembershipRequired", Action.SKIP, "access_denied"),
    Row(403, "insufficientPermissions", Action.STOP, "insufficient_scope"),
    Row(403, "accessNotConfigured", Action.STOP, "api_not_enabled"),
    Row(403, "domainPolicy", Action.STOP, "domain_policy"),
    Row(403, None, Action.SKIP_OR_STOP, "forbidden"),
    Row(404, None, Action.NOT_FOUND, "not_found"),
    Row(408, None, Action.RETRY, "unavailable"),
    Row(416, None, Action.SKIP, "range_not_satisfiable"),
    Row(429, None, Action.RETRY, RATE_LIMITED),
    Row(500, None, Action.RETRY, "unavailable"),
    Row(502, None, Action.RETRY, "unavailable"),
    Row(503, None, Action.RETRY, "unavailable"),
    Row(504, None, Action.RETRY, "unavailable"),
)

TOKEN_ERRORS: tuple[Row, ...] = (
    Row(400, "invalid_grant", Action.AUTHORIZE_ANEW, "reauth_required"),
    Row(400, "invalid_client", Action.STOP, "invalid_client"),
    Row(400, "unauthorized_client", Action.STOP, "unauthorized_client"),
    Row(400, "invalid_scope", Action.STOP, "invalid_scope"),
    Row(400, None, Action.STOP, "token_refused"),
    Row(401, "invalid_grant", Action.AUTHORIZE_ANEW, "reauth_required"),
    Row(401, "invalid_client", Action.STOP, "invalid_client"),
    Row(401, "unauthorized_client", Action.STOP, "unauthorized_client"),
    Row(401, None, Action.STOP, "token_refused"),
    Row(403, "access_denied", Action.AUTHORIZE_ANEW, "reauth_required"),
    Row(408, None, Action.RETRY, "unavailable"),
    Row(429, None, Action.RETRY, RATE_LIMITED),
    Row(500, None, Action.RETRY, "unavailable"),
    Row(502, None, Action.RETRY, "unavailable"),
    Row(503, None, Action.RETRY, "unavailable"),
    Row(504, None, Action.RETRY, "unavailable"),
)

CLOCK_SKEW = "clock_skew"
"""The code of a refusal that says that our clock is wrong."""

_CLOCK_SKEW = Row(400, "invalid_grant", Action.RETRY, CLOCK_SKEW)
_OF_TIMES = re.compile(
    r"\b(iat|exp|nbf|clocks?)\b|time-?\s?frame|short-lived|too early|not valid before|not yet valid|in the future"
    r"|jwt (has |is )?expired",
    re.IGNORECASE,
)
"""What Google says of an assertion whose times don't fit its own clock, in all wordings that were seen. The credentials
are not to blame: it has not even looked at them."""

WAIT_LONG_S = 900.0
"""Sharing limits hold for longer than a backoff lasts; Google names no figure."""
WAIT_HOURS_S = 4 * 3600.0
"""A file's download quota is counted over a day; asking six times a day finds its end soon enough."""

_FALLBACK = Row(0, None, Action.STOP, "unexpected_status")


def find_row(table: tuple[Row, ...], status: int, reason: str | None, location: str | None) -> Row:
    """Return the first row that fits; other 5xx are `RETRY`, what is unknown is `STOP`."""
    for row in table:
        if row.status == status and row.reason in {None, reason} and (row.location is None or row.location == location):
            return row
    return Row(status, None, Action.RETRY, "unavailable") if status >= _SERVER_ERROR else _FALLBACK


class _Detail(msgspec.Struct):
    reason: str | None = None
    location: str | None = None


class _Envelope(msgspec.Struct):
    message: str | None = None
    errors: list[_Detail] = msgspec.field(default_factory=list)


class _DriveBody(msgspec.Struct):
    error: _Envelope


class _TokenBody(msgspec.Struct):
    error: str
    error_description: str | None = None


_DRIVE_BODY = msgspec.json.Decoder(_DriveBody)
_TOKEN_BODY = msgspec.json.Decoder(_TokenBody)


@dataclass(frozen=True, slots=True)
class Answer:
    """An error answer, read: all texts bounded and printable."""

    status: int
    reason: str | None = None
    location: str | None = None
    message: str | None = None


def read_drive_error(status: int, body: bytes, redact: Callable[[str], str]) -> Answer:
    """Read Drive's error body; HTML, garbage and nothing at all give an answer without a reason.

    Secrets are taken out before texts are cut, so that no part of one is left.
    """
    try:
        error = _DRIVE_BODY.decode(body[:_BODY_READ_BYTES]).error
    except (msgspec.MsgspecError, RecursionError):
        return Answer(status)
    detail = error.errors[0] if error.errors else _Detail()
    return Answer(status, _word(detail.reason, redact), _word(detail.location, redact), _text(error.message, redact))


def read_token_error(status: int, body: bytes, redact: Callable[[str], str]) -> Answer:
    """Read a token endpoint's error body (RFC 6749, section 5.2), as tolerantly."""
    try:
        error = _TOKEN_BODY.decode(body[:_BODY_READ_BYTES])
    except (msgspec.MsgspecError, RecursionError):
        return Answer(status)
    return Answer(status, _word(error.error, redact), None, _text(error.error_description, redact))


def _word(value: str | None, redact: Callable[[str], str]) -> str | None:
    return re.sub(r"[^\w.-]", "", redact(value), flags=re.ASCII)[:_REASON_CHARS] or None if value else None


def _text(value: str | None, redact: Callable[[str], str]) -> str | None:
    if not value:
        return None
    return "".join(c if c.isprintable() else " " for c in redact(value)[:_TEXT_CHARS]).strip() or None


def drive_error(
    method: str,
    kind: CallKind,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    redact: Callable[[str], str],
) -> WorkerError:
    """Turn Drive's answer to `method` (such as `drive.files.list`) into the error that says what to do.

    `redact` takes secrets out of Google's own text, should it ever repeat one.
    """
    answer = read_drive_error(status, body, redact)
    row = find_row(DRIVE_ERRORS, status, answer.reason, answer.location)
    return _error(f"{method} was refused", row, answer, kind=kind, headers=headers, now=now)


def token_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    redact: Callable[[str], str],
    sent: datetime | None = None,
) -> WorkerError:
    """Turn the token endpoint's answer into the error that says what to do.

    `sent` is when the request was sent, `now` where it is not given.
    """
    answer = read_token_error(status, body, redact)
    row = find_row(TOKEN_ERRORS, status, answer.reason, None)
    what = "Google gave no access token"
    if row.action is Action.AUTHORIZE_ANEW and answer.message and _OF_TIMES.search(answer.message):
        row = _CLOCK_SKEW
        offset_s = measured_offset_s(headers.get("Date"), sent=sent or now, received=now)
        what = f"{what}, since the times in the request don't fit its clock: {offset_text(offset_s)}"
    return _error(what, row, answer, kind=CallKind.LISTING, headers=headers, now=now)


def _error(
    what: str,
    row: Row,
    answer: Answer,
    *,
    kind: CallKind,
    headers: Mapping[str, str],
    now: datetime,
) -> WorkerError:
    text = f"{what}: {answer.status}" + (f" {answer.reason}" if answer.reason else "")
    text = f"{text}: {answer.message}" if answer.message else text
    action = row.action
    if action is Action.SKIP_OR_STOP:
        action = Action.SKIP if kind is CallKind.ITEM else Action.STOP
    if action is Action.SKIP_FOR_HOURS and kind is CallKind.ITEM:
        return ItemUnavailable(text, code=row.code, http_status=answer.status, reason=answer.reason)
    if action in _WAITS:
        wait_s = _wait_s(action, headers, now)
        return Retryable(text, retry_after_s=wait_s, code=row.code, http_status=answer.status, reason=answer.reason)
    return _MADE[action](text, code=row.code, http_status=answer.status, reason=answer.reason)


_WAITS = frozenset({Action.RETRY, Action.WAIT_LONG, Action.SKIP_FOR_HOURS, Action.WAIT_FOR_RESET})

_MADE: dict[Action, type[NeedsReauth | PageTokenRejected | SkipItem | Terminal]] = {
    Action.AUTHORIZE_ANEW: NeedsReauth,
    Action.RESTART_LISTING: PageTokenRejected,
    Action.NOT_FOUND: NotFound,
    Action.SKIP: SkipItem,
    Action.STOP: Terminal,
}


def _wait_s(action: Action, headers: Mapping[str, str], now: datetime) -> float | None:
    match action:
        case Action.WAIT_LONG:
            return WAIT_LONG_S
        case Action.SKIP_FOR_HOURS:
            return WAIT_HOURS_S
        case Action.WAIT_FOR_RESET:
            return until_daily_reset_s(now)
        case _:
            return parse_retry_after_s(headers.get("Retry-After"), now)


def _pacific() -> tzinfo:
    try:
        return ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:  # an image without tzdata: at most an hour late
        return timezone(timedelta(hours=-8))


_PACIFIC = _pacific()


def until_daily_reset_s(now: datetime) -> float:
    """Seconds from `now` to the next midnight in California, when Google's daily quotas start anew."""
    local = now.astimezone(_PACIFIC)
    midnight = datetime.combine(local.date() + timedelta(days=1), time(0), tzinfo=_PACIFIC)
    return midnight.timestamp() - now.timestamp()
