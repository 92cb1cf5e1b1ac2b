"""Batches, quotas and faults by Google's own client."""

from typing import Any

import pytest
from googleapiclient.errors import BatchError, HttpError

from drive_simulator.faults.plan import Effect, FaultPlan, Match, Rule
from drive_simulator.server.quota import UNLIMITED, request_model, unit_model
from support.google_client import Site, reasons

# Google's client leaves the socket open that it refreshes a batch's credentials by.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")

FOLDER = "application/vnd.google-apps.folder"


class Answers:
    """What a batch brought, by request id."""

    def __init__(self) -> None:
        self.good: dict[str, Any] = {}
        self.bad: dict[str, HttpError] = {}

    def __call__(self, request_id: str, answer: Any, error: HttpError | None) -> None:
        if error is None:
            self.good[request_id] = answer
        else:
            self.bad[request_id] = error


def test_parts_are_answered_each_for_itself(site: Site) -> None:
    """Reads, writes and failures go together; each part has its own answer."""
    drive, answers = site.drive(site.alice), Answers()
    batch = drive.new_batch_http_request(callback=answers)
    for n in range(30):
        batch.add(drive.files().create(body={"name": f"Ünïcode {n}", "mimeType": FOLDER}), request_id=f"create {n}")
    batch.add(drive.files().get(fileId="missing"), request_id="missing")
    batch.add(drive.about().get(fields="user"), request_id="about")
    batch.execute()
    assert {answers.good[f"create {n}"]["name"] for n in range(30)} == {f"Ünïcode {n}" for n in range(30)}
    assert answers.good["about"]["user"]["emailAddress"] == site.alice
    assert reasons(answers.bad["missing"]) == ["notFound"]


def test_hundred_parts_and_no_more(site: Site) -> None:
    """The limit is a hundred parts; one more and the whole batch is 400."""
    drive, answers = site.drive(site.alice), Answers()
    batch = drive.new_batch_http_request(callback=answers)
    for _ in range(100):
        batch.add(drive.files().generateIds(count=1))
    batch.execute()
    assert len(answers.good) == 100
    batch = drive.new_batch_http_request(callback=answers)
    for _ in range(101):
        batch.add(drive.files().generateIds(count=1))
    with pytest.raises((HttpError, BatchError)) as caught:
        batch.execute()
    assert caught.value.resp.status == 400


def test_parts_pay_for_themselves(site: Site) -> None:
    """With a quota of ten requests, ten parts of twenty pass."""
    drive, answers = site.drive(site.alice), Answers()
    drive.about().get(fields="user").execute()
    batch = drive.new_batch_http_request(callback=answers)
    for _ in range(20):
        batch.add(drive.about().get(fields="user"))
    site.simulator.quota.set_model(request_model(user_per_minute=10))
    try:
        batch.execute()
    finally:
        site.simulator.quota.set_model(UNLIMITED)
    assert len(answers.good) == 10
    assert {reason for error in answers.bad.values() for reason in reasons(error)} == {"userRateLimitExceeded"}


def test_project_quota_in_units(site: Site) -> None:
    """In the unit model two lists spend 200 units of the project; the third call is refused."""
    drive = site.drive(site.alice)
    drive.about().get(fields="user").execute()
    site.simulator.quota.set_model(unit_model(project_per_minute=200))
    try:
        drive.files().list().execute()
        drive.files().list().execute()
        with pytest.raises(HttpError) as caught:
            drive.files().list().execute()
    finally:
        site.simulator.quota.set_model(UNLIMITED)
    assert (caught.value.status_code, reasons(caught.value)) == (403, ["rateLimitExceeded"])


@pytest.mark.parametrize("reason", ["userRateLimitExceeded", "backendError", "pageTokenExpired", "dailyLimitExceeded"])
def test_faults_look_like_googles(site: Site, reason: str) -> None:
    """An error on demand is an HttpError with its reason, once."""
    drive = site.drive(site.alice)
    drive.about().get(fields="user").execute()
    site.simulator.faults.add(Rule(Effect(error=reason), Match(method="files.list"), times=1))
    with pytest.raises(HttpError) as caught:
        drive.files().list().execute()
    assert reasons(caught.value) == [reason]
    assert drive.files().list().execute()["kind"] == "drive#fileList"


def test_faults_strike_parts_of_batches(site: Site) -> None:
    """A part can fail while the others pass, and the client's own retries get over a storm."""
    drive, answers = site.drive(site.alice), Answers()
    drive.about().get(fields="user").execute()
    site.simulator.faults.add(Rule(Effect(error="rateLimitExceeded", status=429), Match(method="about.*"), times=1))
    batch = drive.new_batch_http_request(callback=answers)
    batch.add(drive.about().get(fields="user"))
    batch.add(drive.files().list())
    batch.execute()
    assert (len(answers.good), len(answers.bad)) == (1, 1)


def test_expired_tokens_within_a_batch_are_refreshed(site: Site) -> None:
    """Parts that are 401 are sent again by the client after a refresh."""
    drive, answers = site.drive(site.alice), Answers()
    drive.about().get(fields="user").execute()
    site.simulator.tokens.expire_tokens()
    batch = drive.new_batch_http_request(callback=answers)
    batch.add(drive.about().get(fields="user"))
    batch.execute()
    assert len(answers.good) == 1


def test_calls_are_counted(site: Site) -> None:
    """Every call is counted by method and user, parts of batches too, and pages that repeat are told."""
    drive, answers = site.drive(site.bob), Answers()
    site.simulator.counters.clear()
    batch = drive.new_batch_http_request(callback=answers)
    for _ in range(3):
        batch.add(drive.about().get(fields="user"))
    batch.execute()
    drive.files().list().execute()
    assert site.simulator.counters.count("about.get", site.bob) == 3
    assert site.simulator.counters.repeated_pages() == ()
    drive.files().list().execute()
    assert len(site.simulator.counters.repeated_pages()) == 1


def test_struck_calls_are_counted(site: Site) -> None:
    """A call that a fault answers is a call served, with the fault's status; also in a batch."""
    drive, answers = site.drive(site.bob), Answers()
    drive.about().get(fields="user").execute()
    site.simulator.counters.clear()
    site.simulator.faults.add(Rule(Effect(error="backendError"), Match(method="files.get"), times=2))
    with pytest.raises(HttpError):
        drive.files().get(fileId="x").execute()
    batch = drive.new_batch_http_request(callback=answers)
    batch.add(drive.files().get(fileId="y"))
    batch.execute()
    calls = site.simulator.counters.entries("files.get")
    assert [(call.user, call.parameter("fileId"), call.status) for call in calls] == [
        (site.bob, "x", 503),
        (site.bob, "y", 503),
    ]


def test_plan_is_the_simulators_own(site: Site) -> None:
    """A simulator has one plan, which starts empty."""
    assert isinstance(site.simulator.faults, FaultPlan)
    assert site.simulator.faults.states() == ()
