"""Push channels over ten days: every corpus is covered, none is leaked, whatever happens between any two steps."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from google_drive_worker.domain.channel import Notice, Watched
from google_drive_worker.domain.drive import ChangesPage
from google_drive_worker.domain.times import from_rfc3339, rfc3339
from google_drive_worker.sync import channels
from google_drive_worker.sync.channels import Stop, Watch
from google_drive_worker.sync.checkpoint import USER_CORPUS, Channel, Checkpoint
from google_drive_worker.utils.errors import NotFound, Retryable, SkipItem, Terminal, WorkerError
from support.syncs import CONNECTION, CUSTOMER, NOW, D, corpus

ADDRESS = "https://hooks.example/google"
ELSEWHERE = "https://elsewhere.example/google"
DAY = timedelta(days=1)

NOTHING, REFUSED, ANSWER_LOST, CRASH_BEFORE, CRASH_AFTER = range(5)
"""What can go wrong with a call to Google: nothing, a refusal, an answer that never comes, a crash on either side."""


@dataclass
class Google:
    """Google's channels: each with its resource and end. `longest` is the life that Google gives."""

    longest: timedelta = timedelta(days=7)
    living: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def watch(self, channel: Channel, now: datetime) -> Watched | WorkerError:
        """changes.watch."""
        self.expire(now)
        if channel.channel_id in self.living:
            return SkipItem("not unique", code=channels.NOT_UNIQUE, http_status=400)
        ends = min(from_rfc3339(channel.expires_at), now + self.longest)
        self.living[channel.channel_id] = (f"resource-{channel.corpus}", ends)
        return Watched(f"resource-{channel.corpus}", rfc3339(ends))

    def stop(self, channel: Channel, now: datetime) -> WorkerError | None:
        """channels.stop."""
        self.expire(now)
        resource, _ = self.living.get(channel.channel_id, ("", now))
        if resource != channel.resource_id:
            return NotFound("no such channel")
        del self.living[channel.channel_id]
        return None

    def expire(self, now: datetime) -> None:
        """End what is over."""
        self.living = {name: each for name, each in self.living.items() if each[1] > now}


@dataclass
class Connection:
    """A connection whose state is `committed`; what a worker holds in mind is lost when it crashes."""

    google: Google = field(default_factory=Google)
    now: datetime = NOW
    address: str | None = ADDRESS
    on: bool = True
    committed: Checkpoint = field(
        default_factory=lambda: Checkpoint(
            CONNECTION,
            CUSTOMER,
            corpora={USER_CORPUS: corpus("done"), D: corpus("done", "d1")},
            completed_at=rfc3339(NOW),
        )
    )
    new_ids: Iterator[str] = field(default_factory=lambda: (f"channel-{number}" for number in count(1)))

    def look(self, mishaps: Iterable[int] = ()) -> None:
        """What `channel_care` does, with a mishap for each call to Google."""
        left = iter(mishaps)
        for _ in range(10):
            self.committed = channels.settle(self.committed, self.address, self.now, self.new_ids, on=self.on)
            todo = channels.actions(self.committed, self.now)
            if not todo:
                return
            for action in todo:
                mishap = next(left, NOTHING)
                if mishap == CRASH_BEFORE:
                    return
                answer = self._ask(action, mishap)
                if mishap == CRASH_AFTER:
                    return
                self._take_in(action, answer)

    def _ask(self, action: Watch | Stop, mishap: int) -> Watched | WorkerError | None:
        if mishap == REFUSED:
            return Terminal("refused", http_status=403)
        watched = isinstance(action, Watch)
        answer = self.google.watch(action.channel, self.now) if watched else self.google.stop(action.channel, self.now)
        return Retryable("timeout") if mishap == ANSWER_LOST else answer

    def _take_in(self, action: Watch | Stop, answer: Watched | WorkerError | None) -> None:
        channel_id = action.channel.channel_id
        if isinstance(action, Watch):
            assert answer is not None
            self.committed = channels.on_watched(self.committed, channel_id, answer, self.now, 0.5)
        else:
            assert not isinstance(answer, Watched)
            self.committed = channels.on_stopped(self.committed, channel_id, answer, self.now, 0.5)

    def pass_time(self, until: datetime, mishaps: Iterable[int] = ()) -> None:
        """Look whenever a look is due, as the scheduler does."""
        for _ in range(10_000):
            due = channels.due_at(self.committed, self.address, self.now)
            if due is None or due > until:
                self.now = until
                return
            self.now = max(self.now, due)
            self.look(mishaps)
            self.committed = channels.postponed(self.committed, self.address, self.now)
        raise AssertionError("a look follows upon a look without end")

    def known(self) -> dict[str, Channel]:
        """The channels of the state."""
        watching = self.committed.watching
        return {each.channel_id: each for each in watching.channels} if watching else {}

    def covered(self) -> Counter[str]:
        """How many channels live at Google for each corpus."""
        self.google.expire(self.now)
        return Counter(resource.removeprefix("resource-") for resource, _ in self.google.living.values())

    def assert_none_unknown(self) -> None:
        """Whatever lives at Google is in the state, and is to end."""
        self.google.expire(self.now)
        assert set(self.google.living) <= set(self.known())


MISHAPS = st.lists(st.integers(NOTHING, CRASH_AFTER), max_size=60)


@settings(max_examples=150, deadline=None)
@given(MISHAPS, st.sampled_from([1, 6, 24, 7 * 24]), st.lists(st.integers(1, 48), min_size=5, max_size=5))
def test_ten_days_of_mishaps_leave_every_corpus_covered_and_no_channel_behind(
    mishaps: list[int], longest_h: int, hours: list[int]
) -> None:
    """Refusals, lost answers and crashes on either side of any call; then quiet, and one channel for each corpus."""
    made = Connection(Google(timedelta(hours=longest_h)))
    left = iter(mishaps)
    for each in hours:
        made.pass_time(made.now + timedelta(hours=each), left)
        made.assert_none_unknown()
        made.committed = replace(made.committed)  # a restart: nothing but the state goes on
    made.pass_time(NOW + 10 * DAY)
    made.pass_time(NOW + 10 * DAY + timedelta(hours=1))
    made.assert_none_unknown()
    assert set(made.covered()) == {USER_CORPUS, D}
    made.on = False
    made.pass_time(made.now + timedelta(hours=2))
    lost = {name for name, each in made.known().items() if each.state == "lost"}
    assert set(made.google.living) <= lost
    made.pass_time(made.now + 8 * DAY)
    assert not made.google.living
    assert not made.known()


def test_a_channel_is_renewed_with_overlap_and_only_then_the_old_one_stopped() -> None:
    """At any moment of ten days there is one that lives, and never more than two."""
    made = Connection()
    for _ in range(10 * 24):
        made.pass_time(made.now + timedelta(hours=1))
        assert set(made.covered()) == {USER_CORPUS, D}
        assert max(made.covered().values()) == 1
    assert len(made.google.living) == 2
    assert next(made.new_ids) == "channel-5"


def test_an_answer_that_got_lost_costs_one_more_channel_which_tells_how_to_stop_the_first() -> None:
    """Google says that it has the id already, and the successor's resource id is the same."""
    made = Connection()
    made.look([CRASH_AFTER])
    assert set(made.google.living) == {"channel-1"}
    made.pass_time(made.now + timedelta(hours=1))
    assert made.covered() == {USER_CORPUS: 1, D: 1}
    assert "channel-1" not in made.google.living


def test_the_message_of_a_lost_channel_tells_how_to_stop_it() -> None:
    """Where push was switched off meanwhile no successor will tell."""
    made = Connection()
    made.look([CRASH_AFTER])
    made.on = False
    made.look()
    assert made.known()["channel-1"].state == "lost"
    heeded = channels.heed(made.committed, Notice("channel-1", "resource-user", 1, is_sync=True), made.now)
    assert heeded.checkpoint is not None
    made.committed = heeded.checkpoint
    made.pass_time(made.now + timedelta(minutes=1))
    assert not made.google.living


@pytest.mark.parametrize("change", ["off", "drive left", "address"])
def test_what_is_not_wanted_any_more_is_stopped(change: str) -> None:
    """Push switched off, a drive that was left, another address."""
    made = Connection()
    made.look()
    before = set(made.google.living)
    if change == "off":
        made.on = False
    elif change == "address":
        made.address = ELSEWHERE
    else:
        made.committed = replace(made.committed, corpora={USER_CORPUS: corpus("done")})
    made.pass_time(made.now + 2 * channels.LOOK_EVERY)
    made.look()
    left = {"off": 0, "drive left": 1, "address": 2}[change]
    assert len(made.google.living) == left
    assert (before & set(made.google.living) == set()) == (change != "drive left")


@pytest.mark.parametrize("mishaps", [(), (REFUSED, REFUSED)])
def test_channels_of_a_clock_a_year_ahead_are_renewed_when_it_is_right(mishaps: tuple[int, ...]) -> None:
    """Neither a look nor a retry nor a renewal waits for the year to pass."""
    made = Connection(now=NOW + 365 * DAY)
    made.look(mishaps)
    made.google.living = {name: (resource, NOW + 7 * DAY) for name, (resource, _) in made.google.living.items()}
    made.now = NOW
    assert channels.due_at(made.committed, ADDRESS, NOW) == NOW
    made.look()
    assert {each.state for each in made.known().values()} == {"standing"}
    for days in range(1, 21):
        made.pass_time(NOW + days * DAY)
        assert set(made.covered()) == {USER_CORPUS, D}
        made.assert_none_unknown()


def test_nothing_begins_before_the_first_full_sync_has_ended() -> None:
    """Its own listing reads all that a notification could tell of."""
    made = Connection()
    made.committed = replace(made.committed, completed_at=None)
    assert channels.due_at(made.committed, ADDRESS, NOW) is None
    made.look()
    assert made.committed.watching is None


def test_drives_that_are_not_listed_yet_keep_their_channels() -> None:
    """A full sync begins without them."""
    made = Connection()
    made.look()
    made.committed = replace(made.committed, corpora={})
    made.look()
    assert made.covered() == {USER_CORPUS: 1, D: 1}


def test_the_first_channel_makes_a_sync_follow_and_its_successors_none() -> None:
    """What happened before the first one stood was told to nobody."""
    made = Connection()
    made.look()
    assert made.committed.owed is not None
    made.committed = replace(made.committed, owed=None)
    made.pass_time(made.now + 6 * DAY)
    assert len(made.google.living) == 2
    assert made.committed.owed is None


@pytest.mark.parametrize(
    ("notice", "later", "outcome"),
    [
        (Notice("channel-1", "resource-user", 5), timedelta(0), "accepted"),
        (Notice("channel-1", "resource-user", 4), timedelta(0), "replayed"),
        (Notice("channel-1", "resource-user", 3), timedelta(0), "replayed"),
        (Notice("channel-1", "resource-other", 5), timedelta(0), "foreign_resource"),
        (Notice("channel-9", "resource-user", 5), timedelta(0), "unknown_channel"),
        (Notice("channel-1", "resource-user", 5), 8 * DAY, "expired"),
        (Notice("channel-1", "resource-user", 5, is_sync=True), timedelta(0), "confirmed"),
    ],
)
def test_only_a_new_message_of_a_living_channel_counts(notice: Notice, later: timedelta, outcome: str) -> None:
    """Channel, resource, number and time have to fit the state."""
    made = Connection()
    made.look()
    first = channels.heed(made.committed, Notice("channel-1", "resource-user", 4), NOW)
    assert first.checkpoint is not None
    heeded = channels.heed(first.checkpoint, notice, NOW + later)
    assert heeded.outcome == outcome
    assert heeded.owes == (outcome == "accepted")
    assert (heeded.checkpoint is None) == (outcome not in {"accepted", "confirmed"})


def test_a_notification_may_come_before_the_answer() -> None:
    """The channel stands by it, and the answer changes nothing of that."""
    made = Connection()
    made.look([CRASH_BEFORE])
    heeded = channels.heed(made.committed, Notice("channel-1", "resource-user", 1, is_sync=True), NOW)
    assert heeded.checkpoint is not None
    answered = channels.on_watched(heeded.checkpoint, "channel-1", Watched("resource-user"), NOW, 0.5)
    assert answered.watching is not None
    assert [each.state for each in answered.watching.channels] == ["standing", "asked"]


def changes_at(*moments: datetime) -> ChangesPage:
    """A page of a log with changes of those moments."""
    return ChangesPage(tuple(msgspec.Raw(b'{"time":"%b","fileId":"f"}' % rfc3339(each).encode()) for each in moments))


def test_a_channel_that_google_has_dropped_is_known_by_its_silence_and_made_anew() -> None:
    """A poll finds what no message told of; a sync follows the new one, and the drive's channel stays."""
    made = Connection()
    made.look()
    made.committed = replace(made.committed, owed=None)
    made.pass_time(made.now + timedelta(hours=8))
    dropped = next(each for each in made.known().values() if each.corpus == USER_CORPUS)
    del made.google.living[dropped.channel_id]
    made.committed = channels.untold(made.committed, USER_CORPUS, changes_at(made.now - timedelta(hours=1)))
    made.look()
    assert made.covered() == {USER_CORPUS: 1, D: 1}
    assert dropped.channel_id not in made.known()
    assert made.committed.owed is not None
    assert len(made.known()) == 2


@pytest.mark.parametrize(
    ("age", "change", "heard"),
    [
        (timedelta(hours=5), timedelta(hours=1), None),  # it is young
        (timedelta(hours=8), timedelta(minutes=9), None),  # its message may be on its way
        (timedelta(hours=8), timedelta(hours=9), None),  # it happened before the channel was made
        (timedelta(hours=8), timedelta(hours=1), timedelta(hours=1, minutes=4)),  # so far may clocks be apart
        (timedelta(hours=8), timedelta(hours=1), timedelta(minutes=59)),  # it was told of
    ],
)
def test_a_channel_that_may_be_well_is_left_alone(age: timedelta, change: timedelta, heard: timedelta | None) -> None:
    """Where it is young, the change is, or a message came since."""
    made = Connection()
    made.look()
    now = NOW + age
    if heard is not None:
        heeded = channels.heed(made.committed, Notice("channel-1", "resource-user", 4), now - heard)
        assert heeded.checkpoint is not None
        made.committed = heeded.checkpoint
    made.committed = channels.untold(made.committed, USER_CORPUS, changes_at(now - change, NOW - DAY))
    made.now = now
    before = set(made.known())
    made.look()
    assert set(made.known()) == before


def test_a_message_that_comes_after_all_clears_a_silence() -> None:
    """The sync before it has read the change already."""
    made = Connection()
    made.look()
    made.committed = channels.untold(made.committed, USER_CORPUS, changes_at(NOW + timedelta(hours=7)))
    assert made.known()["channel-1"].untold_at is not None
    heeded = channels.heed(made.committed, Notice("channel-1", "resource-user", 4), NOW + timedelta(hours=7))
    assert heeded.checkpoint is not None
    made.committed = heeded.checkpoint
    assert made.known()["channel-1"].untold_at is None


@pytest.mark.parametrize("body", [b"{}", b'{"time":null}', b'{"time":7}', b'{"time":"soon"}'])
def test_a_change_without_a_time_says_nothing_of_a_channel(body: bytes) -> None:
    """Nor does one of a corpus that no channel watches."""
    made = Connection()
    made.look()
    assert channels.untold(made.committed, USER_CORPUS, ChangesPage((msgspec.Raw(body),))) is made.committed
    assert channels.untold(made.committed, "elsewhere", changes_at(NOW + DAY)) is made.committed
