"""How far our clock is from Google's: what is measured, what is believed, and what a person reads."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from google_drive_worker.client.clock_offset import (
    MEASURE_EVERY_S,
    ClockOffset,
    MeasuredTransport,
    measured_offset_s,
    offset_text,
)
from google_drive_worker.http.transport import HttpRequest, HttpResponse
from support.clock import START, ManualClock

API = "https://www.googleapis.com/drive/v3"
TOKEN = "https://oauth2.googleapis.com/token"


class SettableClock(ManualClock):
    """A clock whose wall time can be set, which leaves its monotonic time alone."""

    ahead_s = 0.0

    def now(self) -> datetime:
        """The moment, as far ahead as it was set."""
        return super().now() + timedelta(seconds=self.ahead_s)


def date_of(moment: datetime) -> str:
    """A Date header."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def told(offset: ClockOffset, clock: SettableClock, *urls: str) -> None:
    """Google answers from each address, by the right time."""
    for url in urls:
        offset.observe(url, date_of(clock.now() - timedelta(seconds=clock.ahead_s)), sent=clock.now())


def clock_ahead(seconds: float) -> SettableClock:
    """A clock that is wrong by so much."""
    clock = SettableClock()
    clock.ahead_s = seconds
    return clock


@pytest.mark.parametrize("seconds", [312, -312, 86_400 * 366, -86_400 * 366 * 40])
def test_a_wrong_clock_is_measured_by_two_answers_that_agree(seconds: int) -> None:
    """Ahead counts as positive; a host that begins in 1986 or a year ahead is measured as well."""
    clock = clock_ahead(seconds)
    offset = ClockOffset(clock, API)
    assert offset.seconds is None
    told(offset, clock, TOKEN)
    assert (offset.seconds, offset.problems()) == (None, [])
    told(offset, clock, TOKEN)
    assert offset.seconds == pytest.approx(seconds, abs=1)
    [problem] = offset.problems()
    assert f"{'ahead of' if seconds > 0 else 'behind'} Google's; synchronize it (NTP)" in problem


def test_up_to_a_minute_is_no_problem() -> None:
    """It is shown, and the worker works."""
    clock = clock_ahead(61)  # of which the second that a Date is cut off to is not proven
    offset = ClockOffset(clock, API)
    told(offset, clock, TOKEN, API)
    assert offset.seconds == 60
    assert offset.problems() == []
    clock.ahead_s = 62
    told(offset, clock, TOKEN, API)
    assert len(offset.problems()) == 1


def test_one_odd_answer_proves_nothing() -> None:
    """A proxy's date of yesterday among right ones is not believed."""
    clock = clock_ahead(0)
    offset = ClockOffset(clock, API)
    for _ in range(3):
        told(offset, clock, API)
        offset.observe(API, date_of(clock.now() - timedelta(days=1)), sent=clock.now())
        assert offset.seconds == 0


def test_a_clock_that_is_set_right_is_right_at_once() -> None:
    """No answer is waited for; and one that is set wrong later counts when Google says so."""
    clock = clock_ahead(312)
    offset = ClockOffset(clock, API)
    told(offset, clock, TOKEN, TOKEN)
    assert offset.problems()
    clock.ahead_s = 0
    assert offset.seconds == pytest.approx(0, abs=1)
    assert offset.problems() == []
    clock.ahead_s = 312
    told(offset, clock, TOKEN, TOKEN)
    assert offset.problems()


def test_a_host_that_slept_is_not_wrong() -> None:
    """While it sleeps its monotonic clock stands, and the wall clock goes on."""
    clock = clock_ahead(0)
    offset = ClockOffset(clock, API)
    told(offset, clock, TOKEN, TOKEN)
    clock.ahead_s = 3600
    assert offset.seconds == 0


def test_a_slow_answer_is_no_wrong_clock() -> None:
    """Google wrote its date at some moment between sending and arrival."""
    date = date_of(START)
    assert measured_offset_s(date, sent=START, received=START + timedelta(seconds=90)) == 0
    assert measured_offset_s(date, sent=START - timedelta(seconds=90), received=START) == 0
    assert measured_offset_s(date, sent=START + timedelta(seconds=90), received=START + timedelta(seconds=95)) == 89


@pytest.mark.parametrize(
    "url",
    [
        "https://token.example.com/token",
        "https://oauth2.googleapis.com.example.com/token",
        "http://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com:8443/token",
        "https://drive.example.com:8443/token",
        "http://drive.example.com/token",
    ],
)
def test_an_address_that_a_tenant_names_says_nothing(url: str) -> None:
    """Another port of the API's own host included."""
    clock = clock_ahead(312)
    offset = ClockOffset(clock, "https://drive.example.com/drive/v3")
    told(offset, clock, url, url)
    assert offset.seconds is None
    told(offset, clock, "https://drive.example.com/batch", TOKEN)
    assert offset.seconds is not None


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "yesterday",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 23 Nov 2026 12:00:00 +99999999999999999999",
        "Mon, 23 Nov 2026 12:00:00 GMT" + " " * 100,
    ],
)
def test_a_date_that_makes_no_sense_is_ignored(date: str | None) -> None:
    """What was measured before stays."""
    clock = clock_ahead(0)
    offset = ClockOffset(clock, API)
    told(offset, clock, API)
    offset.observe(API, date, sent=clock.now())
    offset.observe(API, date, sent=clock.now())
    assert offset.seconds == 0


@given(st.text(max_size=80))
def test_any_text_is_a_number_or_nothing(date: str) -> None:
    """No header ends anything."""
    assert isinstance(measured_offset_s(date, sent=START, received=START), float | None)


def test_what_a_person_reads() -> None:
    """How much, which way, and what to do."""
    assert offset_text(312.4) == "this host's clock is 312 s ahead of Google's; synchronize it (NTP)"
    assert offset_text(-75.0) == "this host's clock is 75 s behind Google's; synchronize it (NTP)"
    assert "no Date" in offset_text(None)
    assert "right now" in offset_text(0.2)


class Drive:
    """Answers with the right date, a virtual second after it was asked."""

    def __init__(self, clock: SettableClock) -> None:
        self.clock = clock

    async def send(self, _: HttpRequest) -> HttpResponse:
        """Answer."""
        self.clock.advance(1.0)
        return HttpResponse(200, {"Date": date_of(self.clock.now() - timedelta(seconds=self.clock.ahead_s))}, b"")


async def test_answers_of_the_api_are_measured_once_a_minute() -> None:
    """The rest pass by; after one that disagrees the next is measured too."""
    clock = clock_ahead(0)
    offset = ClockOffset(clock, API)
    transport = MeasuredTransport(Drive(clock), API, clock, offset)
    request = HttpRequest("GET", "/files")
    assert (await transport.send(request)).status == 200
    assert offset.seconds == 0
    assert not offset.is_due()
    clock.ahead_s = 312
    for _ in range(5):
        await transport.send(request)
    assert offset.seconds == 0
    clock.advance(MEASURE_EVERY_S)
    await transport.send(request)
    await transport.send(request)
    assert offset.seconds == pytest.approx(312, abs=2)
    assert not offset.is_due()
