"""What must hold for any input: found by Hypothesis, not by us."""

import gzip
from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from google_drive_worker.client.faults import CallKind, drive_error, token_error
from google_drive_worker.client.quota import Bucket
from google_drive_worker.http.addresses import address_problem
from google_drive_worker.http.compression import CorruptGzip, TooLarge, gunzip
from google_drive_worker.http.retry import RetryPolicy, next_delay_s, parse_retry_after_s
from google_drive_worker.utils.errors import Retryable, WorkerError

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECONDS = st.floats(min_value=0, max_value=1e6)


@given(st.lists(st.tuples(st.floats(min_value=0, max_value=5), st.sampled_from([1.0, 5.0, 20.0, 60.0]), st.booleans())))
def test_no_minute_exceeds_a_buckets_quota(arrivals: list[tuple[float, float, bool]]) -> None:
    """Whatever calls come and whenever Google refuses, each sixty seconds stay within the quota."""
    bucket, now_s = Bucket(600.0, 0.0), 0.0
    taken: list[tuple[float, float]] = []
    for pause_s, price, refused in arrivals:
        now_s += pause_s
        if refused:
            bucket.slow_down(now_s)
        while (wait_s := bucket.take(price, now_s)) > 0:
            now_s += wait_s
        taken.append((now_s, price))
    for start_s, _ in taken:
        assert sum(price for at_s, price in taken if start_s <= at_s < start_s + 60) <= 600.001


@given(st.integers(1, 10_000), SECONDS, st.none() | SECONDS, st.floats(min_value=0, max_value=1))
def test_delays_keep_to_the_policy(attempt: int, elapsed_s: float, hint_s: float | None, luck: float) -> None:
    """A delay is never negative, never shorter than Retry-After, and never leads past the total time."""
    policy = RetryPolicy(attempts=9000, total_s=1e5)
    delay_s = next_delay_s(attempt, elapsed_s, Retryable("x", retry_after_s=hint_s), policy, lambda: luck)
    if delay_s is not None:
        assert (hint_s or 0) <= delay_s <= policy.cap_s * 1.1
        assert elapsed_s + delay_s <= policy.total_s


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,5} \d\d:\d\d:\d\d [+-]?\w*"))
def test_any_retry_after_is_read_or_left(header: str) -> None:
    """No header makes the reader fail or wait for longer than a day."""
    delay_s = parse_retry_after_s(header, NOW)
    assert delay_s is None or 0 <= delay_s <= 86400


@given(st.binary() | st.binary().map(gzip.compress), st.integers(0, 100))
def test_any_bytes_are_gunzipped_or_refused(data: bytes, limit_bytes: int) -> None:
    """What is no gzip stream within the limit is refused in one of two ways."""
    with suppress(CorruptGzip, TooLarge):
        assert len(gunzip(data, limit_bytes)) <= limit_bytes


@given(st.binary(max_size=200_000))
def test_gunzip_undoes_gzip(content: bytes) -> None:
    """What was compressed comes out as it was."""
    assert gunzip(gzip.compress(content, 1), len(content)) == content


@given(st.integers(100, 999), st.binary() | st.text().map(str.encode), st.sampled_from(CallKind))
def test_any_answer_is_classified(status: int, body: bytes, kind: CallKind) -> None:
    """Every status with every body gives an error of ours, from Drive and from the token endpoint."""
    drive = drive_error("m", kind, status, {"Retry-After": "x"}, body, now=NOW, redact=str)
    token = token_error(status, {}, body, now=NOW, redact=str)
    assert isinstance(drive, WorkerError)
    assert isinstance(token, WorkerError)
    assert drive.code
    assert drive.http_status == token.http_status == status


@given(st.text())
def test_any_text_is_an_address_or_not(url: str) -> None:
    """No text makes the check fail, and what passes is HTTPS or loopback."""
    if address_problem(url) is None:
        assert url.strip().lower().startswith(("https://", "http://"))
