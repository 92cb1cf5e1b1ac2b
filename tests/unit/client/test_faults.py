"""The error table: every row of it, and bodies that are no error bodies."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from google_drive_worker.client.faults import (
    DRIVE_ERRORS,
    TOKEN_ERRORS,
    CallKind,
    Row,
    drive_error,
    token_error,
    until_daily_reset_s,
)
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

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ACCOUNT, LISTING, ITEM = CallKind.ACCOUNT, CallKind.LISTING, CallKind.ITEM


def body_of(status: int, reason: str | None, location: str | None = None, message: str = "Google's words") -> bytes:
    """Write an error body as Drive does."""
    detail = {"message": message, "domain": "global", "reason": reason, "location": location}
    return json.dumps({"error": {"code": status, "message": message, "errors": [detail]}}).encode()


def classify(
    status: int,
    reason: str | None = None,
    *,
    kind: CallKind = LISTING,
    location: str | None = None,
    method: str = "drive.files.list",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> WorkerError:
    """Classify an answer, to files.list if not to another."""
    content = body_of(status, reason, location) if body is None else body
    return drive_error(method, kind, status, headers or {}, content, now=NOW, redact=str)


@pytest.mark.parametrize(
    ("status", "reason", "kind", "expected", "code"),
    [
        (400, "badRequest", LISTING, Retryable, "bad_request"),
        (400, "badRequest", ACCOUNT, Terminal, "bad_request"),
        (400, "badRequest", ITEM, ItemUnavailable, "bad_request"),
        (400, "failedPrecondition", LISTING, Retryable, "bad_request"),
        (400, "failedPrecondition", ITEM, Retryable, "bad_request"),
        (400, "invalid", LISTING, Retryable, "bad_request"),
        (400, "invalid", ACCOUNT, Terminal, "bad_request"),
        (400, "invalidParameter", LISTING, Retryable, "bad_request"),
        (400, "invalidParameter", ACCOUNT, Terminal, "bad_request"),
        (400, "required", LISTING, Retryable, "bad_request"),
        (400, "required", ACCOUNT, Terminal, "bad_request"),
        (401, "authError", LISTING, NeedsReauth, "unauthorized"),
        (403, "pageTokenExpired", LISTING, PageTokenRejected, "page_token_rejected"),
        (403, "userRateLimitExceeded", LISTING, Retryable, "rate_limited"),
        (403, "rateLimitExceeded", LISTING, Retryable, "rate_limited"),
        (403, "sharingRateLimitExceeded", LISTING, Retryable, "sharing_rate_limited"),
        (403, "dailyLimitExceeded", LISTING, Retryable, "daily_limit_exceeded"),
        (403, "quotaExceeded", ITEM, ItemUnavailable, "file_quota_exceeded"),
        (403, "downloadQuotaExceeded", ITEM, ItemUnavailable, "file_quota_exceeded"),
        (403, "RATE_LIMIT_EXCEEDED", ITEM, Retryable, "rate_limited"),
        (403, "quotaExceeded", LISTING, Retryable, "file_quota_exceeded"),
        (403, "insufficientFilePermissions", ITEM, SkipItem, "access_denied"),
        (403, "appNotAuthorizedToFile", ITEM, SkipItem, "access_denied"),
        (403, "teamDriveMembershipRequired", ITEM, SkipItem, "access_denied"),
        (403, "teamDriveMembershipRequired", LISTING, Retryable, "forbidden"),
        (403, "insufficientPermissions", ITEM, Terminal, "insufficient_scope"),
        (403, "accessNotConfigured", ITEM, Terminal, "api_not_enabled"),
        (403, "domainPolicy", ITEM, ItemUnavailable, "domain_policy"),
        (403, "domainPolicy", LISTING, Retryable, "domain_policy"),
        (403, "somethingNew", LISTING, Retryable, "forbidden"),
        (403, "somethingNew", ITEM, Retryable, "forbidden"),
        (403, "forbidden", ITEM, Retryable, "forbidden"),
        (404, "notFound", ITEM, NotFound, "not_found"),
        (404, "notFound", LISTING, NotFound, "not_found"),
        (404, "notFound", ACCOUNT, Retryable, "not_found"),
        (404, "other", ITEM, Retryable, "not_from_drive"),
        (409, "conflict", ITEM, ItemUnavailable, "conflict"),
        (410, "deleted", ITEM, ItemUnavailable, "gone"),
        (410, "deleted", LISTING, Retryable, "gone"),
        (412, "conditionNotMet", ITEM, ItemUnavailable, "precondition_failed"),
        (451, None, ITEM, ItemUnavailable, "legally_unavailable"),
        (451, None, LISTING, Retryable, "legally_unavailable"),
        (408, None, LISTING, Retryable, "unavailable"),
        (416, "requestedRangeNotSatisfiable", ITEM, Retryable, "range_not_satisfiable"),
        (429, "rateLimitExceeded", LISTING, Retryable, "rate_limited"),
        (429, None, LISTING, Retryable, "rate_limited"),
        (500, "internalError", LISTING, Retryable, "unavailable"),
        (502, None, LISTING, Retryable, "unavailable"),
        (503, "backendError", LISTING, Retryable, "unavailable"),
        (504, None, LISTING, Retryable, "unavailable"),
        (520, None, LISTING, Retryable, "unavailable"),
        (418, "teapot", LISTING, Retryable, "unexpected_status"),
    ],
)
def test_each_row_of_drives_errors(
    status: int, reason: str | None, kind: CallKind, expected: type[WorkerError], code: str
) -> None:
    """Each status and reason gives the error that says what to do, with Google's words for it."""
    error = classify(status, reason, kind=kind)
    assert type(error) is expected
    assert (error.code, error.http_status, error.reason) == (code, status, reason)
    assert "Google's words" in error.message


@pytest.mark.parametrize("reason", ["invalid", "invalidParameter"])
def test_a_rejected_page_token_is_no_bug_of_ours(reason: str) -> None:
    """A 400 that points at pageToken restarts the listing instead of stopping the connection."""
    assert type(classify(400, reason, location="pageToken")) is PageTokenRejected
    assert type(classify(400, reason, location="fields")) is Retryable
    assert type(classify(400, reason, location="fields", kind=ACCOUNT)) is Terminal
    assert type(classify(400, "required", location="pageToken", kind=ACCOUNT)) is Terminal


def test_a_limit_of_the_day_waits_for_midnight_in_california() -> None:
    """dailyLimitExceeded says how long it is until Google's quotas start anew."""
    error = classify(403, "dailyLimitExceeded")
    assert isinstance(error, Retryable)
    assert error.retry_after_s == 20 * 3600  # noon UTC is four in the morning there


def test_the_reset_counts_real_hours_on_a_long_day() -> None:
    """On the day that summer time ends, a day there has 25 hours."""
    assert until_daily_reset_s(datetime(2026, 11, 1, 7, 0, tzinfo=UTC)) == 25 * 3600


def test_waits_differ_by_cause() -> None:
    """Sharing limits wait longer than any backoff; a file's own quota is no reason for a listing to wait for hours."""
    sharing, file = classify(403, "sharingRateLimitExceeded"), classify(403, "quotaExceeded", kind=LISTING)
    assert isinstance(sharing, Retryable)
    assert isinstance(file, Retryable)
    assert sharing.retry_after_s == 900
    assert file.retry_after_s is None


def test_retry_after_reaches_the_error() -> None:
    """Google's Retry-After is kept for who waits."""
    error = classify(503, "backendError", headers={"Retry-After": "17"})
    assert isinstance(error, Retryable)
    assert error.retry_after_s == 17


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        b'{"error": "a string"}',
        b'{"error": {"errors": [{"reason": 7}]}}',
        b'{"error": {"code": 503, "mess',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"error": {"message": "' + b"x" * 1_000_000 + b'"}}',
        b"null",
    ],
)
def test_bodies_that_are_no_error_bodies(body: bytes) -> None:
    """HTML, garbage and endless bodies are classified by the status alone, and none of them is final."""
    for status in (400, 401, 403, 404, 503):
        assert type(classify(status, body=body, kind=ITEM)) is Retryable
    for status in (410, 451):
        assert type(classify(status, body=body, kind=ITEM)) is ItemUnavailable
    assert classify(429, body=body).code == "rate_limited"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"errors": [{}]}, "forbidden"),
        ({"errors": []}, "forbidden"),
        ({"errors": "none"}, "forbidden"),
        ({"errors": [{"reason": 7}], "message": 7}, "forbidden"),
        ({"errors": ["x", 1, None], "details": [None, {"reason": ["x"]}]}, "forbidden"),
        ({"errors": [{"reason": "forbidden"}], "details": [{"reason": "RATE_LIMIT_EXCEEDED"}]}, "rate_limited"),
        ({"details": [{"@type": "x"}, {"reason": "RATE_LIMIT_EXCEEDED"}]}, "rate_limited"),
        ({"status": "RESOURCE_EXHAUSTED"}, "rate_limited"),
        ({"errors": [{"reason": "userRateLimitExceeded"}], "status": 9, "details": {}}, "rate_limited"),
    ],
)
def test_error_bodies_are_read_leniently(error: dict[str, object], expected: str) -> None:
    """A field of another type costs that field; reasons are read from Google's newer form as well."""
    made = classify(403, body=json.dumps({"error": error}).encode(), kind=ITEM)
    assert (type(made), made.code) == (Retryable, expected)


@pytest.mark.parametrize("odd", [b"\xff", b"\xc3", b"\\ud800"])
def test_one_odd_byte_in_a_refusal_leaves_its_reason(odd: bytes) -> None:
    """What is no Unicode costs a character of the text, of Drive's refusals and of the token endpoint's."""
    drives = body_of(404, "notFound").replace(b"Google's", odd)
    assert type(classify(404, body=drives, kind=ITEM)) is NotFound
    told = b'{"error": "invalid_grant", "error_description": "no ' + odd + b' more"}'
    made = token_error(400, {}, told, now=NOW, redact=str)
    assert type(made) is NeedsReauth
    assert "no \ufffd more" in made.message


def test_only_the_old_forms_reason_says_that_an_id_is_not_found() -> None:
    """The newer form's NOT_FOUND is what a wrong path is answered with too."""
    newer = json.dumps({"error": {"code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND"}})
    assert type(classify(404, body=newer.encode(), kind=ITEM)) is Retryable
    assert type(classify(404, "notFound", kind=ITEM)) is NotFound


def test_a_401_is_drives_own_before_it_ends_an_authorization() -> None:
    """By its reason, or by the canonical status."""
    newer = json.dumps({"error": {"code": 401, "status": "UNAUTHENTICATED"}}).encode()
    assert type(classify(401, body=newer)) is NeedsReauth
    assert type(classify(401, "push.webhookUrlUnauthorized")) is Retryable


FINAL = [
    (403, "exportSizeLimitExceeded", "drive.files.export", "export_too_large"),
    (403, "fileNotExportable", "drive.files.export", "not_exportable"),
    (403, "fileNotDownloadable", "drive.files.get.media", "not_downloadable"),
    (403, "cannotDownloadAbusiveFile", "drive.files.get.media", "abusive_file"),
    (403, "cannotDownloadFile", "drive.files.download", "not_downloadable"),
    (403, "revisionsNotSupported", "drive.revisions.list", "not_supported"),
    (400, "revisionsNotSupported", "drive.revisions.list", "not_supported"),
    (404, "notFound", "drive.comments.list", "not_supported"),
]


@pytest.mark.parametrize(("status", "reason", "method", "code"), FINAL)
def test_a_reason_is_final_for_the_calls_that_it_is_documented_for(
    status: int, reason: str, method: str, code: str
) -> None:
    """For those alone: of any other call it says nothing that is known."""
    final = classify(status, reason, kind=ITEM, method=method)
    assert (type(final), final.code) == (SkipItem, code)
    other = classify(status, reason, kind=ITEM, method="drive.permissions.list")
    assert type(other) is (NotFound if status == 404 else Retryable)
    html = classify(status, body=b"<html>sorry</html>", kind=ITEM, method=method)
    assert type(html) is Retryable


def test_a_conversion_that_there_is_not_is_final_for_an_export() -> None:
    """Google names the parameter that is at fault."""
    assert type(classify(400, "badRequest", kind=ITEM, method="drive.files.export", location="convertTo")) is SkipItem


def test_texts_are_bounded_and_printable() -> None:
    """Google's words reach the error cut short and without control characters."""
    error = classify(400, body=body_of(400, "bad\x00 \nReason" * 50, message="line\nbreak\x1b[31m" + "x" * 10_000))
    assert error.reason is not None
    assert len(error.reason) <= 64
    assert len(error.message) < 500
    assert error.message.isprintable()


def test_secrets_are_taken_out_of_googles_words() -> None:
    """Should an answer repeat a secret, the error does not."""
    body = body_of(401, "SECRET-reason", message="token SECRET-token is bad")
    error = drive_error("m", LISTING, 401, {}, body, now=NOW, redact=lambda text: text.replace("SECRET", "***"))
    assert "SECRET" not in f"{error} {error.reason} {error.message}"


def test_no_part_of_a_secret_is_left_by_cutting_a_text() -> None:
    """A secret that stands across the place where a text is cut is taken out whole."""
    secret = "S" * 100
    body = body_of(400, secret, message="x" * 250 + secret)
    error = drive_error("m", LISTING, 400, {}, body, now=NOW, redact=lambda text: text.replace(secret, "***"))
    assert "SS" not in f"{error} {error.reason}"


@pytest.mark.parametrize(
    ("status", "error", "expected", "code"),
    [
        (400, "invalid_grant", NeedsReauth, "reauth_required"),
        (401, "invalid_grant", NeedsReauth, "reauth_required"),
        (401, "invalid_client", Terminal, "invalid_client"),
        (400, "invalid_client", Terminal, "invalid_client"),
        (400, "unauthorized_client", Terminal, "unauthorized_client"),
        (401, "unauthorized_client", Terminal, "unauthorized_client"),
        (400, "invalid_scope", Terminal, "invalid_scope"),
        (400, "unsupported_grant_type", Terminal, "unsupported_grant_type"),
        (400, "invalid_request", Terminal, "invalid_request"),
        (401, "deleted_client", Terminal, "deleted_client"),
        (403, "org_internal", Terminal, "org_internal"),
        (401, "other", Retryable, "token_refused"),
        (400, "internal_failure", Retryable, "token_refused"),
        (400, "server_error", Retryable, "token_refused"),
        (400, "temporarily_unavailable", Retryable, "token_refused"),
        (403, "", Retryable, "token_refused"),
        (302, "", Retryable, "unexpected_status"),
        (403, "access_denied", NeedsReauth, "reauth_required"),
        (408, "", Retryable, "unavailable"),
        (429, "", Retryable, "rate_limited"),
        (500, "internal_failure", Retryable, "unavailable"),
        (502, "", Retryable, "unavailable"),
        (503, "", Retryable, "unavailable"),
        (504, "", Retryable, "unavailable"),
        (404, "", Retryable, "unexpected_status"),
    ],
)
def test_each_row_of_the_token_endpoints_errors(
    status: int, error: str, expected: type[WorkerError], code: str
) -> None:
    """Each OAuth error gives what to do, with the endpoint's own description."""
    body = json.dumps({"error": error, "error_description": "in words"}).encode()
    made = token_error(status, {}, body, now=NOW, redact=str)
    assert type(made) is expected
    assert made.code == code
    assert "in words" in made.message


@pytest.mark.parametrize(
    "description",
    [
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
        "Check your iat and exp values in the JWT claim.",
        "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe",
        "invalid jwt: check your IAT and EXP values and use a clock with skew to account for clock differences",
        "Token used too early, 1700000312 < 1700000620",
        "JWT is not valid before 2026-11-23",
        "The token was issued in the future",
        "JWT has expired",
        "Please check the clock of your system",
    ],
)
@pytest.mark.parametrize("status", [400, 401])
def test_a_refusal_of_our_times_is_our_clocks_fault(status: int, description: str) -> None:
    """It passes by itself once the clock is right, and the text says how far it is off."""
    body = json.dumps({"error": "invalid_grant", "error_description": description}).encode()
    date = format_datetime(NOW - timedelta(seconds=313), usegmt=True)
    made = token_error(status, {"Date": date}, body, now=NOW, redact=str)
    assert type(made) is Retryable
    assert (made.code, made.http_status, made.reason) == ("clock_skew", status, "invalid_grant")
    assert "this host's clock is 312 s ahead of Google's; synchronize it (NTP)" in made.message
    assert description in made.message
    assert "no Date" in token_error(status, {}, body, now=NOW, redact=str).message


@pytest.mark.parametrize(
    "description",
    [
        "Token has been expired or revoked.",
        "Bad Request",
        "Account has been deleted",
        "Invalid JWT Signature.",
        "Invalid grant: account not found",
        "Invalid email or User ID",
        "reauth related error (invalid_rapt)",
        "Stale token",
        "",
    ],
)
def test_other_refusals_of_a_grant_ask_for_a_new_authorization(description: str) -> None:
    """Whatever the Date says: our clock is not why."""
    body = json.dumps({"error": "invalid_grant", "error_description": description}).encode()
    date = format_datetime(NOW - timedelta(days=1), usegmt=True)
    assert type(token_error(400, {"Date": date}, body, now=NOW, redact=str)) is NeedsReauth


@pytest.mark.parametrize("description", [7, None, ["expired"], {"text": "expired"}])
def test_a_description_of_another_type_leaves_the_error(description: object) -> None:
    """A revoked grant is one, however it is described."""
    body = json.dumps({"error": "invalid_grant", "error_description": description}).encode()
    assert type(token_error(400, {}, body, now=NOW, redact=str)) is NeedsReauth


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 407, 451])
def test_a_page_in_html_ends_no_connection(status: int) -> None:
    """Something between us and the token endpoint wrote it, and it passes."""
    assert type(token_error(status, {}, b"<html>invalid_client</html>", now=NOW, redact=str)) is Retryable


def test_another_error_that_speaks_of_times_is_what_it_says() -> None:
    """Only a refused grant can be due to our clock."""
    body = json.dumps({"error": "invalid_client", "error_description": "check the clock"}).encode()
    assert type(token_error(401, {}, body, now=NOW, redact=str)) is Terminal


@pytest.mark.parametrize("table", [DRIVE_ERRORS, TOKEN_ERRORS])
def test_no_row_is_hidden_by_another(table: tuple[Row, ...]) -> None:
    """Each row of a table can be reached: none before it covers it."""
    for place, row in enumerate(table):
        for earlier in table[:place]:
            covers = earlier.status == row.status and earlier.reason in {None, row.reason}
            covers = covers and earlier.location in {None, row.location} and earlier.kind in {None, row.kind}
            covers = covers and (earlier.methods is None or earlier.methods == row.methods)
            assert not covers, row
