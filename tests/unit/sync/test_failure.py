"""What failures come to: starting over, leaving out, resting."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from google_drive_worker.domain.drive import SharedDrive
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.reports import CredentialsRefused
from google_drive_worker.domain.times import TimeRange, from_rfc3339
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import Checkpoint, Corpus, Lost, Parked, Part, Walk
from google_drive_worker.sync.engine import complete, due_at, on_answer
from google_drive_worker.sync.failure import (
    PARK_BASE_S,
    PARK_CAP_S,
    awaiting_credentials,
    on_failure,
    park,
    rest_refused,
)
from google_drive_worker.sync.gaps import TRIES_AT_ONCE
from google_drive_worker.sync.parts import PROOF_TIMES
from google_drive_worker.sync.plan import (
    Action,
    ListDrives,
    ListFiles,
    LookUpDrive,
    LookUpRemoved,
    ProveOrder,
    ReadChanges,
    TakeStartToken,
    plan,
)
from google_drive_worker.sync.plan import WalkFolder as WalkAction
from google_drive_worker.sync.step import Step, with_sync
from google_drive_worker.utils.errors import (
    ItemUnavailable,
    NeedsReauth,
    NotFound,
    PageTokenRejected,
    Retryable,
    Terminal,
    WorkerError,
)
from support.syncs import (
    CONNECTION,
    NOW,
    SOURCE,
    SYNC,
    D,
    changes_page,
    corpus,
    drive_change,
    files_page,
    ids,
    state,
    sync_of,
    syncing,
    token,
    written,
)

REJECTED = PageTokenRejected("rejected")
PROVEN = replace(corpus("listing"), order="kept", times_in_order=PROOF_TIMES)


def failed(checkpoint: Checkpoint, action: Action, error: WorkerError, jitter: float = 0.0) -> Step:
    """The step of a failure."""
    return on_failure(checkpoint, action, error, NOW, jitter, transformer)


def rest_s(step: Step) -> float:
    """How long the step's rest is."""
    parked = state(step).parked
    assert parked is not None
    assert parked.until
    return (from_rfc3339(parked.until) - NOW).total_seconds()


def walking(walk: Walk) -> Checkpoint:
    """A sync that walks a folder of the drive D."""
    before = syncing("incremental", d=corpus("done"))
    return with_sync(before, replace(sync_of(before), walks=(walk,)))


def gaps_of(step: Step) -> list[tuple[str, str, str]]:
    """The gaps of the step's checkpoint: what of which thing, and why."""
    return [(gap.scope, gap.id, gap.code) for gap in state(step).gaps]


def test_a_rejected_listing_token_starts_the_listing_over() -> None:
    """At once for a few times; then the sync goes on without the listing, which a gap takes up again."""
    checkpoint = syncing("full", user=corpus("listing", listing="p2"))
    for restarts in range(TRIES_AT_ONCE):
        step = failed(checkpoint, ListFiles("user", token("p2")), REJECTED)
        beginning = (Part(refusals=restarts + 1),)
        assert state(step).corpora["user"].parts == beginning
        assert state(step).parked is None
        checkpoint = state(on_answer(state(step), ListFiles("user", None), files_page(more="p2"), transformer))
    last = failed(checkpoint, ListFiles("user", token("p2")), REJECTED)
    assert gaps_of(last) == [("corpus", "user", "page_token_rejected")]
    assert [(error.code, error.resource_type) for error in last.errors] == [("page_token_rejected", "my_drive")]
    user = state(last).corpora["user"]
    assert (user.stage, user.unlisted, state(last).parked) == ("changes", True, None)


def test_a_part_whose_token_is_refused_starts_over_alone() -> None:
    """From its frontier, where the order is proven; the others go on."""
    first = Part("2026-01-01T00:00:00", None, None, token("p2"), "2026-07-01T00:00:00.000Z")
    second = Part(None, "2026-01-01T00:00:00", None, token("p5"))
    checkpoint = syncing("full", user=replace(PROVEN, parts=(first, second)))
    step = failed(checkpoint, ListFiles("user", token("p2")), REJECTED)
    again = Part("2026-01-01T00:00:00", "2026-07-01T00:00:01", "2026-01-01T00:00:00", refusals=1)
    assert state(step).corpora["user"].parts == (again, second)
    assert state(step).parked is None


@pytest.mark.parametrize("pages", [1, 3])
def test_tokens_that_expired_all_together_are_no_outage(pages: int) -> None:
    """After hours without a worker each part starts over once, and none of it rests or is reported."""
    years = [f"{2000 + number}-01-01T00:00:00" for number in range(17)]
    limits = list(pairwise(years))[::-1]
    parts = tuple(Part(since, until, since, token(f"old{until}")) for since, until in limits)
    checkpoint = syncing("full", user=replace(PROVEN, parts=parts, pages=500))
    for action in plan(checkpoint):
        step = failed(checkpoint, action, REJECTED)
        checkpoint = state(step)
        assert (step.errors, checkpoint.parked) == ((), None)
    for page in range(1, pages + 1):
        more = None if page == pages else f"p{page}"
        for action in plan(checkpoint):
            checkpoint = state(on_answer(checkpoint, action, files_page(more=more), transformer))
    assert checkpoint.corpora["user"].stage == "changes"


def test_a_rejected_log_token_owes_a_full_sync_from_new_start_tokens() -> None:
    """The log can't be followed any more."""
    before = replace(
        syncing("incremental", user=corpus("changes"), d=corpus("done")),
        parked=Parked("unavailable", "ReadChanges:user"),
    )
    after = state(failed(before, ReadChanges("user", token("c1")), REJECTED))
    assert (after.sync, after.corpora, after.parked) == (None, {}, None)
    assert after.owed is not None
    assert (after.owed.kind, after.owed.source) == ("full", SOURCE)


def test_rejected_tokens_of_walks_and_drives_start_those_over() -> None:
    """From their first pages."""
    walk = Walk(FileId("f"), D, page_token=token("p2"))
    again = Walk(FileId("f"), D, trouble=1)
    assert sync_of(failed(walking(walk), WalkAction(walk), REJECTED)).walks == (again,)
    listing = syncing("full")
    listing = with_sync(listing, replace(sync_of(listing), drives_listed=False, drives_token=token("p2")))
    assert sync_of(failed(listing, ListDrives(token("p2")), REJECTED)).drives_token is None


@pytest.mark.parametrize(
    "error", [REJECTED, NotFound("gone", http_status=404), ItemUnavailable("bad", http_status=500)]
)
def test_a_walk_that_fails_alone_is_tried_again_and_then_a_gap(error: WorkerError) -> None:
    """Nothing below the folder is deleted; one that is not found is looked up before it is walked again."""
    checkpoint = walking(Walk(FileId("f"), D))
    for _ in range(TRIES_AT_ONCE):
        step = failed(checkpoint, WalkAction(sync_of(checkpoint).walks[0]), error)
        checkpoint = state(step)
        assert (step.records, step.errors, checkpoint.gaps) == ((), (), ())
    last = failed(checkpoint, WalkAction(sync_of(checkpoint).walks[0]), error)
    assert sync_of(last).walks == ()
    assert gaps_of(last) == [("folder", "f", error.code)]
    end = complete(state(last), NOW, transformer)
    told_now, told_later = (end, last) if isinstance(error, NotFound) else (last, end)
    assert [(report.resource_type, report.resource_id) for report in told_now.errors] == [("folder", "f")]
    assert told_later.errors == ()
    assert state(last).gaps[0].missing is isinstance(error, NotFound)


@pytest.mark.parametrize(
    ("stage", "action"),
    [
        (corpus("start_token"), TakeStartToken("drive-d")),
        (corpus("listing"), ListFiles("drive-d", None)),
        (corpus("changes"), ReadChanges("drive-d", token("c1"))),
    ],
)
def test_a_drive_that_a_call_does_not_find_is_looked_up(stage: Corpus, action: Action) -> None:
    """Before anything else of it is asked. The user's own corpus is no drive to be looked up."""
    step = failed(syncing("incremental", d=stage), action, NotFound("no such drive"))
    assert written(step) == []
    assert plan(state(step)) == [LookUpDrive(FileId("drive-d"))]
    found = on_answer(state(step), LookUpDrive(FileId("drive-d")), SharedDrive(D, "D"), transformer)
    assert action in plan(state(found))
    own = failed(syncing("full", user=corpus("listing")), ListFiles("user", None), NotFound("strange"))
    assert not state(own).corpora["user"].doubtful


def test_a_drive_whose_calls_fail_alone_is_held_and_the_others_go_on() -> None:
    """It is there when it is looked up, so nothing of it is left; its gap is named and reported once."""
    checkpoint = syncing("full", user=corpus("listing"), d=corpus("listing", written=True))
    action, look = ListFiles("drive-d", None), LookUpDrive(FileId("drive-d"))
    for _ in range(TRIES_AT_ONCE):
        step = failed(checkpoint, action, NotFound("no such drive"))
        checkpoint = state(on_answer(state(step), look, SharedDrive(D, "D"), transformer))
    step = failed(checkpoint, action, NotFound("no such drive"))
    held = state(step).corpora["drive-d"]
    assert (held.stage, held.unlisted, state(step).parked) == ("changes", True, None)
    assert gaps_of(step) == [("corpus", "drive-d", "not_found")]
    assert [(error.resource_type, error.resource_id) for error in step.errors] == [("shared_drive", "drive-d")]
    assert plan(state(step)) == [ListFiles("user", None)]


def test_a_drive_is_left_when_google_says_twice_that_there_is_none() -> None:
    """The second time is in a later sync, a rest after the first; until then nothing of it is deleted. The user's log
    is asked at once, though."""
    checkpoint = syncing("incremental", d=replace(corpus("changes", written=True), doubtful=True))
    look = LookUpDrive(FileId("drive-d"))
    first = failed(checkpoint, look, NotFound("no such drive"))
    assert (written(first), gaps_of(first)) == ([], [("corpus", "drive-d", "not_found")])
    assert plan(state(first)) == [ReadChanges("user", token("c1"))]
    left = on_answer(
        state(first), ReadChanges("user", token("c1")), changes_page(drive_change(D, left=True)), transformer
    )
    assert (written(left), state(left).gaps) == (["delete shared_drive drive-d"], ())
    rested_gap = replace(state(first).gaps[0], state="tried")
    again = replace(checkpoint, gaps=(rested_gap,))
    second = failed(again, look, NotFound("no such drive"))
    assert written(second) == ["delete shared_drive drive-d"]
    assert "drive-d" not in state(second).corpora
    assert (state(second).owed, state(second).lost) == (None, (Lost("drive-d"),))
    assert state(second).gaps == ()


def test_the_failure_of_what_nobody_waits_for_changes_nothing() -> None:
    """A drive left and joined again is not left by the old drive's 404, nor is one that is gone looked for."""
    rejoined = syncing("incremental", d=corpus("start_token"))
    without = syncing("incremental")
    for error in (NotFound("no such drive"), REJECTED, Retryable("unavailable")):
        for checkpoint in (rejoined, without):
            assert failed(checkpoint, ListFiles("drive-d", token("p2")), error) == Step(checkpoint)


def test_the_rest_doubles_up_to_its_cap_and_the_cause_is_reported_once() -> None:
    """However often it is tried."""
    checkpoint = syncing("full", user=corpus("listing"))
    rests, reports = [], 0
    for _ in range(14):
        step = failed(rested(checkpoint), ListFiles("user", None), Retryable("unavailable"), jitter=1.0)
        checkpoint = state(step)
        rests.append(rest_s(step))
        reports += len(step.errors)
    assert rests[:3] == [PARK_BASE_S, 2 * PARK_BASE_S, 4 * PARK_BASE_S]
    assert rests[-1] == PARK_CAP_S
    assert reports == 1


def rested(checkpoint: Checkpoint) -> Checkpoint:
    """The same, its rest over."""
    if checkpoint.parked is None:
        return checkpoint
    return replace(checkpoint, parked=replace(checkpoint.parked, until="2020-01-01T00:00:00.000Z"))


def test_what_was_under_way_when_the_rest_began_neither_lengthens_it_nor_ends_it() -> None:
    """Two fetches that fail together are one rest; one that waits for a person goes on waiting."""
    checkpoint = syncing("full", user=corpus("listing"), d=corpus("listing"))
    first = state(failed(checkpoint, ListFiles("user", None), Retryable("unavailable"), jitter=1.0))
    second = failed(first, ListFiles("drive-d", None), Retryable("slow", code="timeout"), jitter=1.0)
    assert rest_s(second) == PARK_BASE_S
    assert [error.code for error in second.errors] == ["timeout"]
    blocked = state(failed(first, ListFiles("user", None), NeedsReauth("authorize anew")))
    step = failed(blocked, ListFiles("drive-d", None), Retryable("unavailable"))
    assert state(step).parked == blocked.parked
    assert step.errors == ()


OTHERS = ListFiles("user", token("p5"), modified=TimeRange("2025-01-01T00:00:00", "2026-01-01T00:00:00"))
FAILED = ListFiles("user", token("p8"), modified=TimeRange(None, "2025-01-01T00:00:00"))


def in_parts() -> Checkpoint:
    """A listing in three parts, with the tokens p2, p5 and p8."""
    limits = ("2026-01-01T00:00:00", "2025-01-01T00:00:00")
    first = Part(limits[0], None, None, token("p2"))
    second = Part(limits[1], limits[0], limits[1], token("p5"))
    third = Part(None, limits[1], None, token("p8"), "2024-07-01T00:00:00.000Z")
    return syncing("full", user=replace(PROVEN, parts=(first, second, third), pages=9))


def test_one_parts_trouble_is_not_ended_by_its_siblings_answers() -> None:
    """Its rest grows and its cause is reported once, though the others get on, until it succeeds itself."""
    checkpoint, rests, reports = in_parts(), [], 0
    for number in range(3):
        step = failed(rested(checkpoint), FAILED, Retryable("unavailable"), jitter=1.0)
        rests.append(rest_s(step))
        reports += len(step.errors)
        other = replace(OTHERS, page_token=token(f"p5{'+' * number}"))
        checkpoint = state(on_answer(state(step), other, files_page(more=f"p5+{'+' * number}"), transformer))
        assert checkpoint.parked == state(step).parked
    assert rests == [PARK_BASE_S, 2 * PARK_BASE_S, 4 * PARK_BASE_S]
    assert reports == 1
    assert state(on_answer(rested(checkpoint), FAILED, files_page(more="p9"), transformer)).parked is None


@pytest.mark.parametrize("error", [Retryable("slow", retry_after_s=600.0), Terminal("look at it"), NeedsReauth("anew")])
def test_what_one_part_rests_for_holds_against_its_siblings(error: WorkerError) -> None:
    """Their answers and their lesser troubles, which were under way, neither end it nor make it shorter."""
    blocked = state(failed(in_parts(), FAILED, error))
    after = state(on_answer(blocked, OTHERS, files_page(more="p6"), transformer))
    assert after.parked == blocked.parked
    after = state(failed(after, replace(OTHERS, page_token=token("p6")), Retryable("again", code=error.code)))
    assert after.parked == blocked.parked


def test_a_rest_ends_with_the_listing_where_its_part_is_no_more() -> None:
    """What failed was asked for in another way, by an older release or before the listing began anew."""
    for step in ("ListFiles:user", "ListFiles:user:2019-01-01T00:00:00.."):
        parked = Parked("unavailable", step, until="2020-01-01T00:00:00.000Z")
        last = syncing("full", user=corpus("listing", listing="p2"))
        before = replace(last, parked=parked)
        assert state(on_answer(before, ListFiles("user", token("p2")), files_page(), transformer)).parked is None
    plain = replace(
        syncing("full", user=Corpus("listing", token("c1"), token("p7"))), parked=Parked("x", "ListFiles:user")
    )
    action = ListFiles("user", token("p7"), modified=None)
    assert state(on_answer(plain, action, files_page(more="p8"), transformer)).parked is None


def test_a_part_that_starts_over_takes_its_rest_along() -> None:
    """Its query is another one now, and its success still ends the trouble."""
    resting = state(failed(in_parts(), FAILED, Retryable("unavailable")))
    over = state(failed(rested(resting), FAILED, REJECTED))
    begun = replace(FAILED, page_token=None, modified=TimeRange(None, "2024-07-01T00:00:01"))
    assert state(on_answer(over, begun, files_page(more="q2"), transformer)).parked is None


def test_new_change_tokens_that_are_refused_make_the_next_full_sync_rest() -> None:
    """Else full sync would follow upon full sync, until the quota is gone."""
    checkpoint = syncing("full", user=corpus("changes", "c1"))
    step = failed(checkpoint, ReadChanges("user", token("c1")), REJECTED, jitter=1.0)
    assert state(step).owed is not None
    assert rest_s(step) == PARK_BASE_S


@given(attempts=st.integers(1, 10_000), jitter=st.floats(0, 1))
def test_a_rest_is_between_half_its_ceiling_and_the_cap(attempts: int, jitter: float) -> None:
    """For any number of attempts and any jitter."""
    before = replace(syncing("full"), parked=Parked("unavailable", "Connect", attempts, "2020-01-01T00:00:00.000Z"))
    rest = rest_s(park(before, "Connect", Retryable("unavailable"), NOW, jitter))
    assert PARK_BASE_S / 2 <= rest <= PARK_CAP_S


def test_retry_after_is_kept_to() -> None:
    """Where Google names a longer rest."""
    step = failed(syncing("full", user=corpus("listing")), ListFiles("user", None), Retryable("x", retry_after_s=500.0))
    assert rest_s(step) == 500.0
    assert [(error.category, error.retry_after_s) for error in step.errors] == [("retriable", 500.0)]


@pytest.mark.parametrize(
    ("error", "category"), [(NeedsReauth("authorize anew"), "reauth"), (Terminal("look at it"), "terminal")]
)
def test_what_only_a_person_fixes_rests_until_the_next_trigger(error: WorkerError, category: str) -> None:
    """It has no end of its own."""
    step = park(syncing("full"), "Connect", error, NOW, 0.5)
    assert (state(step).parked or pytest.fail("not parked")).until is None
    assert [(report.category, report.source) for report in step.errors] == [(category, SOURCE)]


def test_a_rest_that_a_wrong_clock_has_set_is_replaced_by_one_that_is_asked_for() -> None:
    """What fails again rests as always, and not for the year that the clock was ahead."""
    ahead = NOW + timedelta(days=365)
    before = state(park(syncing("full"), "ListDrives", Retryable("a"), ahead, 0.0))
    assert due_at(before, NOW) == NOW
    after = park(before, "ListDrives", Retryable("a"), NOW, 0.0)
    assert 0 < rest_s(after) <= PARK_CAP_S
    assert (state(after).parked or pytest.fail("not parked")).attempts == 2


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (Retryable("x"), "retried"),
        (PageTokenRejected("x"), "retried"),
        (NeedsReauth("x"), "waits_for_credentials"),
        (Terminal("x"), "waits_for_trigger"),
    ],
)
def test_an_error_record_says_what_happens_next(error: WorkerError, action: str) -> None:
    """And which sync it was in, of which connection."""
    [report] = park(syncing("full"), "Connect", error, NOW, 0.5).errors
    assert report.action == action
    assert (report.connection_id, report.sync_id) == (CONNECTION, SYNC)
    assert (report.resource_type, report.resource_id) == ("connection", CONNECTION)


def test_another_cause_is_reported_anew() -> None:
    """And counts its own attempts where it is another step's."""
    first = state(park(syncing("full"), "Connect", Retryable("a"), NOW, 0.0))
    other = park(first, "ListDrives", Retryable("b", code="rate_limited"), NOW, 0.0)
    assert len(other.errors) == 1
    assert (state(other).parked or pytest.fail("not parked")).attempts == 1


def test_a_failed_look_up_rests_with_its_items() -> None:
    """They are looked up again afterwards."""
    before = syncing("incremental", d=corpus("done"))
    step = failed(before, LookUpRemoved(ids("x")), Retryable("unavailable"))
    assert rest_s(step) == timedelta(seconds=PARK_BASE_S / 2).total_seconds()


def test_a_question_about_the_order_that_fails_harms_nothing() -> None:
    """The listing goes on in one part, and nothing rests."""
    begun = replace(corpus("listing", listing="p2"), pages=1)
    for error in (Retryable("slow", retry_after_s=60.0), NotFound("gone"), REJECTED, Terminal("look at it")):
        checkpoint = syncing("full", user=begun, d=begun)
        for action in (ProveOrder("user"), ProveOrder("drive-d")):
            step = failed(checkpoint, action, error)
            assert (step.errors, state(step).parked) == ((), None)
            checkpoint = state(step)
        assert plan(checkpoint) == [ListFiles("user", token("p2")), ListFiles("drive-d", token("p2"))]


def test_refused_credentials_are_reported_as_long_as_they_are_the_same() -> None:
    """The worker that was to tell it may have ended before: whoever tells leaves out what it told already."""
    action, anew = ListFiles("user", None), NeedsReauth("authorize anew")
    before = syncing("full", user=corpus("listing"))
    step = awaiting_credentials(before, failed(before, action, anew), "fingerprint", NOW)
    assert [report.credentials for report in step.reports if isinstance(report, CredentialsRefused)] == ["fingerprint"]
    later = rest_refused(state(step), NOW + timedelta(hours=1))
    assert later.reports == step.reports
    assert later.errors == ()
    parked = state(later).parked
    assert parked is not None
    assert from_rfc3339(parked.until or "") > NOW + timedelta(hours=1)
