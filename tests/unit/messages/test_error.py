"""Error records: their shape, their size, and that no secret is in them."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from google_drive_worker.domain.ids import ConnectionId, CustomerId, SyncId
from google_drive_worker.domain.record import ErrorReport, Source
from google_drive_worker.messages.error import MAX_ORIGINAL_BYTES, encode_error, error_headers, original_of

AT = "2025-01-20T10:00:00Z"


def test_a_full_report_has_the_contract_s_shape() -> None:
    """Every field stands where the contract draws it."""
    report = ErrorReport(
        code="rate_limited",
        category="retriable",
        message="Google asks for patience",
        action="retried",
        http_status=429,
        reason="userRateLimitExceeded",
        retry_after_s=12.5,
        attempts=4,
        customer_id=CustomerId("cust"),
        connection_id=ConnectionId("conn"),
        resource_type="file",
        resource_id="f1",
        source=Source("integration.trigger", 0, 17, "m-0"),
        sync_id=SyncId("s-1"),
        original="{}",
    )
    assert json.loads(encode_error(report, message_id="m-1", occurred_at=AT)) == {
        "message_id": "m-1",
        "customer_id": "cust",
        "integration_id": "google-drive",
        "integration_connection_id": "conn",
        "occurred_at": AT,
        "error": {
            "code": "rate_limited",
            "category": "retriable",
            "message": "Google asks for patience",
            "action": "retried",
            "http_status": 429,
            "reason": "userRateLimitExceeded",
            "retry_after_s": 12.5,
            "attempts": 4,
        },
        "resource": {"type": "file", "id": "f1"},
        "source": {"topic": "integration.trigger", "partition": 0, "offset": 17, "message_id": "m-0"},
        "sync_id": "s-1",
        "original": "{}",
    }


def test_what_is_unknown_is_null() -> None:
    """A report that knows little still has every field."""
    report = ErrorReport(code="invalid_message", category="invalid_message", message="no JSON")
    document = json.loads(encode_error(report, message_id="m", occurred_at=AT))
    assert document["error"]["http_status"] is None
    assert document["error"]["action"] == "none"
    for field in ("customer_id", "integration_connection_id", "resource", "source", "sync_id", "original"):
        assert document[field] is None


def test_error_headers_have_a_key_of_their_own() -> None:
    """Two errors of one connection never look like two versions of one thing."""
    report = ErrorReport(code="c", category="terminal", message="m", connection_id=ConnectionId("conn"))
    assert error_headers(report, "m-1")[1] == ("idempotency_key", b"google-drive:conn:error:m-1")
    assert error_headers(report, "m-1") != error_headers(report, "m-2")


def test_small_text_is_repeated_as_it_is() -> None:
    """A readable message without secrets is shown byte for byte."""
    assert original_of('{"a" : 1, "ü": [null]'.encode()) == '{"a" : 1, "ü": [null]'


def test_what_is_no_text_is_base64() -> None:
    """Binary rubbish can be had back exactly."""
    assert base64.b64decode(original_of(b"\xff\x00\xfe")) == b"\xff\x00\xfe"


@pytest.mark.parametrize("filler", [b'{"a":', "ü€".encode(), b"\xff\x00"])
def test_five_megabytes_become_a_small_record_that_says_so(filler: bytes) -> None:
    """A message as big as a broker allows still yields a small error record, with its size in it."""
    value = (filler * 5_000_000)[:5_000_000]
    original = original_of(value)
    report = ErrorReport(code="invalid_message", category="invalid_message", message="m" * 10**6, original=original)
    encoded = encode_error(report, message_id="m", occurred_at=AT)
    assert len(encoded) < 250_000
    assert "5000000 bytes in all" in json.loads(encoded)["original"]


SECRET = "S3CR3T-value-of-somebody"
KEYS = [
    "access_token",
    "refresh_token",
    "client_secret",
    "private_key",
    "Authorization",
    "PASSWORD",
    "X-Goog-Channel-Token",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "shape",
    [
        '{{"{key}": "{secret}", "ok": 1}}',
        '{{"a": [{{"{key}" : "{secret}"}}]}}',
        '{{"a": {{"{key}": {{"nested": "{secret}"}}}}}}',
        '{{"{key}": "{secret}", broken',
        '{{"{key}": "{secret}',
        "{{'{key}': '{secret}'}}",
        "{key}={secret}&b=1",
        "{key}: {secret}",
        "{key}: Basic {secret}",
        '{{"body": "{{\\"{key}\\": \\"{secret}\\"}}"}}',
        '{{"body": "{{\\"{key}\\": \\"{secret}\\"}}" broken',
    ],
)
def test_secrets_under_telling_keys_are_hidden(key: str, shape: str) -> None:
    """JSON, broken JSON, JSON within JSON and forms: what stands under such a key is not repeated."""
    text = shape.format(key=key, secret=SECRET)
    for encoding in ("utf-8", "latin-1"):
        assert SECRET not in original_of(text.encode(encoding))
    assert SECRET.encode() not in base64.b64decode(original_of(b"\xff" + text.encode()))


def test_an_escaped_key_hides_nothing() -> None:
    """A key spelt with JSON escapes is the same key."""
    assert SECRET not in original_of(f'{{"acc\\u0065ss_token": "{SECRET}"}}'.encode())


@pytest.mark.parametrize(
    "secret",
    ["ya29.a0AfB_byC-xyz", "1//0gAbCdEfGhIjKlMn", "GOCSPX-abcdef", "Bearer abc.def",
     "-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----"],
)  # fmt: skip
def test_google_s_secrets_are_known_by_their_shape(secret: str) -> None:
    """A token is hidden wherever it stands, also in an error's own text."""
    assert secret not in original_of(f'{{"note": "it was {secret} today"}}'.encode())
    report = ErrorReport(code="c", category="terminal", message=f"refused {secret}")
    assert secret not in encode_error(report, message_id="m", occurred_at=AT).decode()


def test_redacted_json_stays_json() -> None:
    """What on-call reads can still be parsed."""
    original = original_of(json.dumps({"body": json.dumps({"access_token": SECRET, "k": 1})}).encode())
    assert json.loads(json.loads(original)["body"]) == {"access_token": "***", "k": 1}


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "text",
    [
        "\\",
        '"',
        '"secret":"\\',
        '"secret"' + " " * 50,
        "secret =",
        "secret= ",
        "secret" + " " * 50 + "= ",
        "-----BEGIN PRIVATE KEY-----",
        "1//",
    ],
)
def test_redaction_takes_time_in_proportion(text: str) -> None:
    """No input makes the patterns run away: all of these would take minutes if one did."""
    original_of((text * MAX_ORIGINAL_BYTES)[:MAX_ORIGINAL_BYTES].encode())


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(min_value=1, max_value=64))
def test_any_bytes_can_be_shown(value: bytes, max_bytes: int) -> None:
    """Whatever a message was, its error record can be written."""
    report = ErrorReport(
        code="c", category="invalid_message", message="m", original=original_of(value, max_bytes=max_bytes)
    )
    json.loads(encode_error(report, message_id="m", occurred_at=AT))


@settings(deadline=None)
@given(st.text(max_size=50))
def test_any_text_can_be_written(text: str) -> None:
    """Also a lone surrogate, which has no encoding, stops no error record."""
    report = ErrorReport(
        code="c", category="terminal", message=text, resource_id=text, connection_id=ConnectionId(text)
    )
    json.loads(encode_error(report, message_id="m", occurred_at=AT))
    error_headers(report, "m")
