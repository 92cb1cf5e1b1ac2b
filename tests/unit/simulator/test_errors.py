"""Error bodies as Google writes them."""

import orjson
import pytest

from drive_simulator.api import errors
from drive_simulator.api.errors_by_reason import by_reason


def test_body_of_a_missing_file() -> None:
    """A 404 names the file and the parameter."""
    assert orjson.loads(errors.not_found("x").body()) == {
        "error": {
            "code": 404,
            "message": "File not found: x.",
            "errors": [
                {
                    "message": "File not found: x.",
                    "domain": "global",
                    "reason": "notFound",
                    "location": "fileId",
                    "locationType": "parameter",
                }
            ],
        }
    }


def test_rate_limits_carry_their_domain_and_retry_after() -> None:
    """Limits are in the domain `usageLimits`, with Retry-After where it is asked for."""
    error = errors.rate_limit_exceeded(status=429, retry_after_s=3)
    assert (error.status, error.domain, error.headers) == (429, "usageLimits", {"Retry-After": "3"})


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("userRateLimitExceeded", 403),
        ("rateLimitExceeded", 403),
        ("dailyLimitExceeded", 403),
        ("authError", 401),
        ("notFound", 404),
        ("backendError", 503),
        ("internalError", 500),
        ("pageTokenExpired", 403),
        ("cannotDownloadAbusiveFile", 403),
        ("accessNotConfigured", 403),
        ("badRequest", 400),
    ],
)
def test_every_reason_can_be_asked_for(reason: str, status: int) -> None:
    """Faults on demand find each reason of Google's list."""
    error = by_reason(reason)
    assert (error.reason, error.status) == (reason, status)


def test_unknown_reasons_are_refused() -> None:
    """A reason that Google has not is a mistake of the caller."""
    with pytest.raises(KeyError):
        by_reason("tooTired")
