"""Quotas of both models, by a clock that the test turns."""

from drive_simulator.server.quota import Quota, request_model, unit_model


class Time:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_requests_a_minute_of_a_user() -> None:
    """A minute's worth passes at once, the next call is refused, and a second later a sixtieth passes."""
    clock = Time()
    quota = Quota(request_model(project_per_minute=None, user_per_minute=60), clock)
    assert [quota.charge("files.get", "a") for _ in range(60)] == [None] * 60
    refused = quota.charge("files.get", "a")
    assert refused is not None
    assert (refused.status, refused.reason) == (403, "userRateLimitExceeded")
    assert quota.charge("files.get", "b") is None
    clock.now_s += 1
    assert quota.charge("files.get", "a") is None
    assert quota.charge("files.get", "a") is not None
    assert quota.refused == 2


def test_project_limit_is_shared() -> None:
    """Users share the project's limit, answered as configured, with Retry-After."""
    clock = Time()
    quota = Quota(request_model(project_per_minute=2), clock, project_status=429, retry_after=True)
    assert quota.charge("files.get", "a") is None
    assert quota.charge("files.get", "b") is None
    refused = quota.charge("files.get", "c")
    assert refused is not None
    assert (refused.status, refused.reason, refused.headers) == (429, "rateLimitExceeded", {"Retry-After": "30"})


def test_units_cost_by_kind() -> None:
    """In the unit model a list costs 100, a download 200, a read 5."""
    quota = Quota(unit_model(project_per_minute=None, user_per_minute=305), Time())
    assert quota.charge("files.list", "a") is None
    assert quota.charge("files.get", "a", media=True) is None
    assert quota.charge("files.get", "a") is None
    assert quota.charge("files.get", "a") is not None


def test_quota_user_has_its_own_bucket() -> None:
    """The parameter quotaUser takes the user's place."""
    quota = Quota(request_model(user_per_minute=1), Time())
    assert quota.charge("files.get", "a", "tenant-1") is None
    assert quota.charge("files.get", "a", "tenant-2") is None
    assert quota.charge("files.get", "b", "tenant-2") is not None


def test_limits_can_change() -> None:
    """A new model starts with full buckets; without limits everything passes."""
    quota = Quota(request_model(user_per_minute=1), Time())
    quota.charge("files.get", "a")
    quota.set_model(request_model(None, None))
    assert quota.charge("files.get", "a") is None
