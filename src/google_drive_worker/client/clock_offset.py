"""How far this host's clock is from Google's, as the `Date` of Google's answers shows.

Only answers of Google's own token endpoint and of the configured API base count: an address that a tenant names says
nothing. An answer shows the least difference that there can be: Google wrote its date, in whole seconds, at some moment
between the sending of the request and the arrival of the answer.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from google_drive_worker.domain.ports import Clock
from google_drive_worker.http.addresses import HTTPS_PORT, TOKEN_HOSTS
from google_drive_worker.http.transport import HttpRequest, HttpResponse, Transport

LARGEST_OFFSET_S = 60.0
"""Beyond it the worker is not ready: Google refuses assertions, and tokens seem good that are not, or the reverse."""

MEASURE_EVERY_S = 60.0
"""How often an answer of the Drive API is measured; those of the token endpoint are few, and all are."""

_DATE_CHARS = 64
_GOOGLES_YEARS = range(2025, 2100)
"""A date of another year is no date of Google's. Ours may be of any year: a host without a battery begins in 1970."""
_GRAIN = timedelta(seconds=1)


def measured_offset_s(date: str | None, *, sent: datetime, received: datetime) -> float | None:
    """Return by how many seconds our clock is ahead of the one that wrote `date` (a `Date` header), negative if behind.

    `sent` and `received` are ours. 0 where the date lies between them; `None` where it is absent or makes no sense.
    """
    if date is None or len(date) > _DATE_CHARS:
        return None
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    if moment.year not in _GOOGLES_YEARS:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment + _GRAIN < sent:
        return (sent - moment - _GRAIN).total_seconds()
    if moment > received:
        return (received - moment).total_seconds()
    return 0.0


def offset_text(offset_s: float | None) -> str:
    """Say for a person what was measured and what to do about it."""
    if offset_s is None:
        return (
            "the answer has no Date to measure this host's clock by; compare it with the time, and synchronize it (NTP)"
        )
    seconds = round(abs(offset_s))
    if not seconds:
        return "by the answer's Date this host's clock is right now; synchronize it (NTP), should this come again"
    return f"this host's clock is {seconds} s {'ahead of' if offset_s > 0 else 'behind'} Google's; synchronize it (NTP)"


class _Measured(NamedTuple):
    agreed_s: float | None
    """What the last two answers agree on: one odd answer alone proves nothing."""
    last_s: float
    wall_ahead_s: float
    """Our wall clock minus the monotonic one at that moment: by its change a clock that was set shows at once."""


class ClockOffset:
    """The last measured offset of this process. Safe to use from several threads."""

    def __init__(self, clock: Clock, api_base_url: str) -> None:
        """Measure nothing yet; `api_base_url` is the operator's, and answers from there are Google's."""
        self._clock = clock
        parts = urlsplit(api_base_url)
        self._api = (parts.scheme, parts.netloc.lower())
        self._measured: _Measured | None = None
        self._due_s = clock.monotonic_s()

    def is_due(self) -> bool:
        """Whether an answer of the Drive API is to be measured."""
        return self._clock.monotonic_s() >= self._due_s

    def observe(self, url: str, date: str | None, *, sent: datetime) -> None:
        """Measure by an answer that has just come from `url`; what is not Google's or makes no sense is ignored."""
        offset_s = measured_offset_s(date, sent=sent, received=self._clock.now())
        if offset_s is None or not self._is_googles(url):
            return
        before, now_s = self._measured, self._clock.monotonic_s()
        others_s = 0.0 if before is None else before.last_s
        agreed_s = min(others_s, offset_s, key=abs) if before is not None or not offset_s else None
        self._measured = _Measured(agreed_s, offset_s, self._wall_ahead_s())
        if agreed_s == offset_s:  # else the next answer tells which of the two is right
            self._due_s = now_s + MEASURE_EVERY_S

    @property
    def seconds(self) -> float | None:
        """By how many seconds our clock is ahead of Google's; negative if behind, `None` where it is not known yet."""
        measured = self._measured
        if measured is None or measured.agreed_s is None:
            return None
        # A clock that was set right counts at once; one that stood still (a host that slept) is no proof of an error.
        since_set_s = measured.agreed_s + self._wall_ahead_s() - measured.wall_ahead_s
        return min(measured.agreed_s, since_set_s, key=abs)

    def problems(self) -> list[str]:
        """Why the worker can't work by this clock, as sentences for a person: none within `LARGEST_OFFSET_S`."""
        offset_s = self.seconds
        return [] if offset_s is None or abs(offset_s) <= LARGEST_OFFSET_S else [offset_text(offset_s)]

    def _wall_ahead_s(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic_s()

    def _is_googles(self, url: str) -> bool:
        parts = urlsplit(url)
        if (parts.scheme, parts.netloc.lower()) == self._api:
            return True
        return parts.scheme == "https" and parts.hostname in TOKEN_HOSTS and parts.port in {None, HTTPS_PORT}


class MeasuredTransport:
    """Implements `Transport` by another one, and measures by its answers once a minute."""

    def __init__(self, transport: Transport, origin: str, clock: Clock, offset: ClockOffset) -> None:
        """`origin` is the URL whose host `transport` speaks to."""
        self._transport = transport
        self._origin = origin
        self._clock = clock
        self._offset = offset

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send once; see `Transport.send`."""
        if not self._offset.is_due():
            return await self._transport.send(request)
        sent = self._clock.now()
        response = await self._transport.send(request)
        self._offset.observe(self._origin, response.headers.get("Date"), sent=sent)
        return response
