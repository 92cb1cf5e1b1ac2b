"""Drive's and the token endpoint's errors, each by (status, reason) in one table, and what to do about it.

Sources: the guide "Resolve errors"; `drive.v3.json`; RFC 6749, section 5.2. A row without a reason stands for the
status' other reasons. Drive's answers are input like any other: bounded, and read leniently (proxies answer in HTML).

Only Google's own JSON with a reason that Drive documents for that kind of call is final. All else is `Retryable`; what
becomes of an item whose calls go on failing is decided in `isolation.py`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone, tzinfo
from enum import Enum, auto
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from google_drive_worker.client.clock_offset import measured_offset_s, offset_text
from google_drive_worker.domain.lenient import UNREADABLE, repaired
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
    """What a call asks for, which decides what a refusal says."""

    ACCOUNT = auto()
    """What the account sees: no drive and no item is named, so that a refusal says nothing of any."""
    LISTING = auto()
    """A list or log of a drive or folder that the call names."""
    ITEM = auto()
    """One item: refused, the others can be had."""


class Action(Enum):
    """What to do about an error."""

    RETRY = auto()
    WAIT_LONG = auto()
    WAIT_FOR_RESET = auto()
    AUTHORIZE_ANEW = auto()
    RESTART_LISTING = auto()
    NOT_FOUND = auto()
    """The id that was asked for; retry where the call names none."""
    SKIP = auto()
    UNAVAILABLE = auto()
    """The item, where the call was for one; retry where it was not."""
    STOP = auto()
    UNAVAILABLE_OR_STOP = auto()
    """The item, where the call was for one; retry where it named a drive or folder, whose trouble it may be. Otherwise
    the request is wrong, and stays wrong."""


CONTENT_METHODS = frozenset(
    {
        "drive.files.get.media",
        "drive.files.export",
        "drive.files.exportLink",
        "drive.files.download",
        "drive.operations.get",
    }
)
"""The calls that give a file's bytes, by Google's ids and our own."""

_REVISIONS = frozenset({"drive.revisions.list"})
_COMMENTS = frozenset({"drive.comments.list"})
_EXPORT = frozenset({"drive.files.export"})
_WATCH = frozenset({"drive.changes.watch"})


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the fields after `code` narrow it down; `code` is the error's.

    `methods` and `kind` name the calls for which the reason is documented: for others the row does not count.
    """

    status: int
    reason: str | None
    action: Action
    code: str
    location: str | None = None
    methods: frozenset[str] | None = None
    kind: CallKind | None = None

    def fits(self, method: str, kind: CallKind | None, status: int, reason: str | None, location: str | None) -> bool:
        """Whether the row stands for that answer to that call."""
        return (
            self.status == status
            and self.reason in {None, reason}
            and self.location in {None, location}
            and (self.methods is None or method in self.methods)
            and self.kind in {None, kind}
        )


RATE_LIMITED = "rate_limited"
"""The code of quota answers, on which the limiter slows down."""

SHARING_RATE_LIMITED = "sharing_rate_limited"

DAILY_LIMIT = "daily_limit_exceeded"
"""The code of the answer after which the whole project makes no call before the quota starts again."""

INSUFFICIENT_SCOPE = "insufficient_scope"
API_NOT_ENABLED = "api_not_enabled"
UNAUTHORIZED_CODE = "unauthorized"

NOT_FROM_DRIVE = "not_from_drive"
"""The code of a 404 that is not Drive's own word on the id that was asked for."""

_ITEM = CallKind.ITEM

DRIVE_ERRORS: tuple[Row, ...] = (
    Row(400, "invalid", Action.RESTART_LISTING, "page_token_rejected", location="pageToken"),
    Row(400, "invalidParameter", Action.RESTART_LISTING, "page_token_rejected", location="pageToken"),
    Row(400, "channelIdNotUnique", Action.SKIP, "channel_not_unique", methods=_WATCH),
    Row(400, "badRequest", Action.SKIP, "not_exportable", location="convertTo", methods=_EXPORT),
    Row(400, "revisionsNotSupported", Action.SKIP, "not_supported", methods=_REVISIONS),
    Row(400, "badRequest", Action.UNAVAILABLE_OR_STOP, "bad_request"),
    Row(400, "invalid", Action.UNAVAILABLE_OR_STOP, "bad_request"),
    Row(400, "invalidParameter", Action.UNAVAILABLE_OR_STOP, "bad_request"),
    Row(400, "required", Action.UNAVAILABLE_OR_STOP, "bad_request"),
    Row(400, None, Action.RETRY, "bad_request"),
    Row(401, "authError", Action.AUTHORIZE_ANEW, UNAUTHORIZED_CODE),
    Row(401, "required", Action.AUTHORIZE_ANEW, UNAUTHORIZED_CODE),
    Row(401, "UNAUTHENTICATED", Action.AUTHORIZE_ANEW, UNAUTHORIZED_CODE),
    Row(401, None, Action.RETRY, UNAUTHORIZED_CODE),
    Row(403, "pageTokenExpired", Action.RESTART_LISTING, "page_token_rejected"),
    Row(403, "userRateLimitExceeded", Action.RETRY, RATE_LIMITED),
    Row(403, "rateLimitExceeded", Action.RETRY, RATE_LIMITED),
    Row(403, "RATE_LIMIT_EXCEEDED", Action.RETRY, RATE_LIMITED),
    Row(403, "RESOURCE_EXHAUSTED", Action.RETRY, RATE_LIMITED),
    Row(403, "sharingRateLimitExceeded", Action.WAIT_LONG, SHARING_RATE_LIMITED),
    Row(403, "dailyLimitExceeded", Action.WAIT_FOR_RESET, DAILY_LIMIT),
    Row(403, "quotaExceeded", Action.UNAVAILABLE, "file_quota_exceeded"),
    Row(403, "downloadQuotaExceeded", Action.UNAVAILABLE, "file_quota_exceeded"),
    Row(403, "exportSizeLimitExceeded", Action.SKIP, "export_too_large", methods=CONTENT_METHODS),
    Row(403, "fileNotExportable", Action.SKIP, "not_exportable", methods=CONTENT_METHODS),
    Row(403, "fileNotDownloadable", Action.SKIP, "not_downloadable", methods=CONTENT_METHODS),
    Row(403, "cannotDownloadAbusiveFile", Action.SKIP, "abusive_file", methods=CONTENT_METHODS),
    Row(403, "cannotDownloadFile", Action.SKIP, "not_downloadable", methods=CONTENT_METHODS),
    Row(403, "revisionsNotSupported", Action.SKIP, "not_supported", methods=_REVISIONS),
    Row(403, "insufficientFilePermissions", Action.SKIP, "access_denied", kind=_ITEM),
    Row(403, "appNotAuthorizedToFile", Action.SKIP, "access_denied", kind=_ITEM),
    Row(403, "teamDriveMembershipRequired", Action.SKIP, "access_denied", kind=_ITEM),
    Row(403, "insufficientPermissions", Action.STOP, INSUFFICIENT_SCOPE),
    Row(403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", Action.STOP, INSUFFICIENT_SCOPE),
    Row(403, "accessNotConfigured", Action.STOP, API_NOT_ENABLED),
    Row(403, "SERVICE_DISABLED", Action.STOP, API_NOT_ENABLED),
    Row(403, "domainPolicy", Action.UNAVAILABLE, "domain_policy"),
    Row(403, None, Action.RETRY, "forbidden"),
    Row(404, "notFound", Action.SKIP, "not_supported", methods=_COMMENTS),
    Row(404, "notFound", Action.NOT_FOUND, "not_found"),
    Row(404, None, Action.RETRY, NOT_FROM_DRIVE),
    Row(408, None, Action.RETRY, "unavailable"),
    Row(409, None, Action.UNAVAILABLE, "conflict"),
    Row(410, None, Action.UNAVAILABLE, "gone"),
    Row(412, None, Action.UNAVAILABLE, "precondition_failed"),
    Row(416, None, Action.RETRY, "range_not_satisfiable"),
    Row(429, None, Action.RETRY, RATE_LIMITED),
    Row(451, None, Action.UNAVAILABLE, "legally_unavailable"),
    Row(500, None, Action.RETRY, "unavailable"),
    Row(502, None, Action.RETRY, "unavailable"),
    Row(503, None, Action.RETRY, "unavailable"),
    Row(504, None, Action.RETRY, "unavailable"),
)
"""`comments.list` answers 404 for types without comments, and its reason is the same as that of a file that is gone:
whether the file is gone is another call's to say."""

_WRONG_CLIENT = (
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "invalid_request",
    "unsupported_grant_type",
    "deleted_client",
    "disabled_client",
    "org_internal",
)
"""What says that the credentials are wrong as they were set up. It stays wrong, and the customer can't change it."""

TOKEN_ERRORS: tuple[Row, ...] = (
    Row(400, "invalid_grant", Action.AUTHORIZE_ANEW, "reauth_required"),
    Row(401, "invalid_grant", Action.AUTHORIZE_ANEW, "reauth_required"),
    Row(403, "access_denied", Action.AUTHORIZE_ANEW, "reauth_required"),
    *(Row(status, reason, Action.STOP, reason) for status in (400, 401, 403) for reason in _WRONG_CLIENT),
    Row(400, None, Action.RETRY, "token_refused"),
    Row(401, None, Action.RETRY, "token_refused"),
    Row(403, None, Action.RETRY, "token_refused"),
    Row(429, None, Action.RETRY, RATE_LIMITED),
    Row(408, None, Action.RETRY, "unavailable"),
)
"""A refusal is final where the endpoint's own JSON names an OAuth error that stays. All else passes: its other errors
(`internal_failure`, `temporarily_unavailable`), and what something in between answers."""

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


def find_row(method: str, kind: CallKind, status: int, reasons: Sequence[str], location: str | None) -> Row:
    """Return the row of Drive's errors for the first reason that has one, or for the status; unknown ones are `RETRY`.

    `location` belongs to the first reason.
    """
    for reason in reasons:
        for row in DRIVE_ERRORS:
            if row.reason is not None and row.fits(method, kind, status, reason, location):
                return row
        location = None
    for row in DRIVE_ERRORS:
        if row.reason is None and row.fits(method, kind, status, None, None):
            return row
    return _unknown_row(status)


def _unknown_row(status: int) -> Row:
    return Row(status, None, Action.RETRY, "unavailable" if status >= _SERVER_ERROR else "unexpected_status")


def _find_token_row(status: int, reason: str | None) -> Row:
    for row in TOKEN_ERRORS:
        if row.fits("", None, status, reason, None):
            return row
    return _unknown_row(status)


class _Envelope(msgspec.Struct):
    """Google's error object, of which no field is sure to have the type that is documented."""

    message: object = None
    status: object = None
    errors: object = None
    details: object = None


class _DriveBody(msgspec.Struct):
    error: _Envelope


class _TokenBody(msgspec.Struct):
    error: str
    error_description: object = None


_DRIVE_BODY = msgspec.json.Decoder(_DriveBody)
_TOKEN_BODY = msgspec.json.Decoder(_TokenBody)


@dataclass(frozen=True, slots=True)
class Answer:
    """An error answer, read: all texts bounded and printable."""

    status: int
    reason: str | None = None
    location: str | None = None
    message: str | None = None
    reasons: tuple[str, ...] = ()
    """All that it gives, `reason` first: of `errors`, of `details` (google.rpc.ErrorInfo), and its canonical status."""


def read_drive_error(status: int, body: bytes, redact: Callable[[str], str]) -> Answer:
    """Read Drive's error body; HTML, garbage and nothing at all give an answer without a reason. A byte that is no
    UTF-8 costs itself alone.

    Secrets are taken out before texts are cut, so that no part of one is left.
    """
    try:
        error = _DRIVE_BODY.decode(repaired(body[:_BODY_READ_BYTES])).error
    except UNREADABLE:
        return Answer(status)
    first = _elements(error.errors)[:1]
    given = [_field(each, "reason") for each in (*first, *_elements(error.details))]
    named = tuple(word for value in given if (word := _word(value, redact)))
    canonical = _word(_string(error.status), redact)
    return Answer(
        status,
        named[0] if named else None,
        _word(_field(first[0], "location"), redact) if first else None,
        _text(_string(error.message), redact),
        (*named, canonical) if canonical else named,
    )


def _elements(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _field(value: object, name: str) -> str | None:
    return _string(value.get(name)) if isinstance(value, dict) else None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def read_token_error(status: int, body: bytes, redact: Callable[[str], str]) -> Answer:
    """Read a token endpoint's error body (RFC 6749, section 5.2), as tolerantly."""
    try:
        error = _TOKEN_BODY.decode(repaired(body[:_BODY_READ_BYTES]))
    except UNREADABLE:
        return Answer(status)
    return Answer(status, _word(error.error, redact), None, _text(_string(error.error_description), redact))


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
    row = find_row(method, kind, status, answer.reasons, answer.location)
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
    row = _find_token_row(status, answer.reason)
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
    made: type[WorkerError]
    match row.action:
        case Action.UNAVAILABLE:
            made = ItemUnavailable if kind is CallKind.ITEM else Retryable
        case Action.UNAVAILABLE_OR_STOP:
            made = _MADE_OF_BAD_REQUESTS[kind]
        case Action.NOT_FOUND:
            made = Retryable if kind is CallKind.ACCOUNT else NotFound
        case _:
            made = _MADE[row.action]
    if made is Retryable:
        wait_s = _wait_s(row.action, headers, now)
        return Retryable(text, retry_after_s=wait_s, code=row.code, http_status=answer.status, reason=answer.reason)
    return made(text, code=row.code, http_status=answer.status, reason=answer.reason)


_MADE: dict[Action, type[WorkerError]] = {
    Action.RETRY: Retryable,
    Action.WAIT_LONG: Retryable,
    Action.WAIT_FOR_RESET: Retryable,
    Action.AUTHORIZE_ANEW: NeedsReauth,
    Action.RESTART_LISTING: PageTokenRejected,
    Action.SKIP: SkipItem,
    Action.STOP: Terminal,
}


_MADE_OF_BAD_REQUESTS: dict[CallKind, type[WorkerError]] = {
    CallKind.ITEM: ItemUnavailable,
    CallKind.LISTING: Retryable,
    CallKind.ACCOUNT: Terminal,
}


def _wait_s(action: Action, headers: Mapping[str, str], now: datetime) -> float | None:
    match action:
        case Action.WAIT_LONG:
            return WAIT_LONG_S
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
