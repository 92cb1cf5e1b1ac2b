"""What failures come to: starting over, leaving out, resting."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.reports import CredentialsRefused
from google_drive_worker.domain.times import TimeRange, from_rfc3339
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import Checkpoint, Corpus, Parked, Part, Walk
from google_drive_worker.sync.engine import on_answer
from google_drive_worker.sync.failure import (
    PARK_BASE_S,
    PARK_CAP_S,
    RESTARTS_AT_ONCE,
    awaiting_credentials,
    on_failure,
    park,
    rest_refused,
)
from google_drive_worker.sync.parts import PROOF_TIMES
from google_drive_worker.sync.plan import (
    Action,
    ListDrives,
    ListFiles,
    LookUpRemoved,
    ProveOrder,
    ReadChanges,
    TakeStartToken,
    plan,
)
from google_drive_worker.sync.plan import WalkFolder as WalkAction
from google_drive_worker.sync.step import Step, with_sync
from google_drive_worker.utils.errors import (
    NeedsReauth,
    NotFound,
    PageTokenRejected,
    Retryable,
    Terminal,
    WorkerError,
)
from support.syncs import (
    NOW,
    SOURCE,
    D,
    corpus,
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


def test_a_rejected_listing_token_starts_the_listing_over() -> None:
    """At once for a few times, then with a rest: an outage is not hammered."""
    checkpoint = syncing("full", user=corpus("listing", listing="p2"))
    for restarts in range(RESTARTS_AT_ONCE):
        step = failed(checkpoint, ListFiles("user", token("p2")), REJECTED)
        beginning = (Part(refusals=restarts + 1),)
        assert state(step).corpora["user"].parts == beginning
        assert state(step).parked is None
        checkpoint = state(on_answer(state(step), ListFiles("user", None), files_page(more="p2"), transformer))
    assert state(failed(checkpoint, ListFiles("user", token("p2")), REJECTED)).parked is not None


def test_a_part_whose_token_is_refused_starts_over_alone() -> None:
    """From its frontier, where the order is proven; the others go on, and their pages do not end the trouble."""
    first = Part("2026-01-01T00:00:00", None, None, token("p2"), "2026-07-01T00:00:00.000Z")
    second = Part(None, "2026-01-01T00:00:00", None, token("p5"))
    first = replace(first, refusals=RESTARTS_AT_ONCE)
    checkpoint = syncing("full", user=replace(PROVEN, parts=(first, second)))
    step = failed(checkpoint, ListFiles("user", token("p2")), REJECTED)
    again = Part("2026-01-01T00:00:00", "2026-07-01T00:00:01", "2026-01-01T00:00:00", refusals=RESTARTS_AT_ONCE + 1)
    assert state(step).corpora["user"].parts == (again, second)
    assert state(step).parked is not None
    other = ListFiles("user", token("p5"), modified=TimeRange(None, "2026-01-01T00:00:00"))
    after = state(on_answer(rested(state(step)), other, files_page(more="p6"), transformer))
    assert after.parked is not None
    begun = ListFiles("user", None, modified=TimeRange("2026-01-01T00:00:00", "2026-07-01T00:00:01"))
    more = state(on_answer(after, begun, files_page(more="q2"), transformer))
    assert more.parked is not None
    more = state(on_answer(more, replace(begun, page_token=token("q2")), files_page(more="q3"), transformer))
    assert (more.parked, more.corpora["user"].parts[0].refusals) == (None, 0)
    last = state(on_answer(after, begun, files_page(), transformer))
    assert (last.parked, last.corpora["user"].parts) == (None, (replace(second, page_token=token("p6")),))


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


def test_a_listing_that_starts_over_still_knows_that_it_wrote() -> None:
    """Should its drive be left now, a full sync is owed."""
    checkpoint = syncing("full", d=corpus("listing", listing="p2", written=True))
    step = failed(checkpoint, ListFiles("drive-d", token("p2")), REJECTED)
    left = failed(state(step), ListFiles("drive-d", None), NotFound("no such drive"))
    assert (state(left).owed or pytest.fail("nothing owed")).kind == "full"


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
    """On the first page there is nothing to start over: it rests."""
    walk = Walk(FileId("f"), D, page_token=token("p2"))
    assert sync_of(failed(walking(walk), WalkAction(walk), REJECTED)).walks == (Walk(FileId("f"), D),)
    first = Walk(FileId("f"), D)
    assert state(failed(walking(first), WalkAction(first), REJECTED)).parked is not None
    listing = syncing("full")
    listing = with_sync(listing, replace(sync_of(listing), drives_listed=False, drives_token=token("p2")))
    assert sync_of(failed(listing, ListDrives(token("p2")), REJECTED)).drives_token is None


def test_walks_whose_tokens_are_refused_on_and_on_rest_longer_and_longer() -> None:
    """The first page comes each time, and says nothing of the next one's token."""
    walk = Walk(FileId("f"), D, page_token=token("p2"))
    checkpoint = walking(walk)
    rests, reports = [], 0
    for _ in range(RESTARTS_AT_ONCE + 3):
        step = failed(rested(checkpoint), WalkAction(walk), REJECTED, jitter=1.0)
        reports += len(step.errors)
        if state(step).parked is not None:
            rests.append(rest_s(step))
        again = Walk(FileId("f"), D)
        answered = on_answer(rested(state(step)), WalkAction(again), files_page(more="p2"), transformer)
        checkpoint = state(answered)
    assert rests == [PARK_BASE_S, 2 * PARK_BASE_S, 4 * PARK_BASE_S]
    assert reports == 1


@pytest.mark.parametrize(
    ("stage", "action"),
    [
        (corpus("start_token"), TakeStartToken("drive-d")),
        (corpus("listing"), ListFiles("drive-d", None)),
        (corpus("changes"), ReadChanges("drive-d", token("c1"))),
    ],
)
def test_a_drive_that_is_not_found_is_left(stage: Corpus, action: Action) -> None:
    """The user's own corpus can't be: that rests."""
    step = failed(syncing("incremental", d=stage), action, NotFound("no such drive"))
    assert written(step) == ["delete shared_drive drive-d"]
    assert "drive-d" not in state(step).corpora
    own = failed(syncing("full", user=corpus("listing")), ListFiles("user", None), NotFound("strange"))
    assert state(own).parked is not None


def test_a_folder_that_is_gone_is_not_walked_and_its_drive_doubted() -> None:
    """Its own entry deletes it; but should the drive have been left for a moment, its children would be lost."""
    walk = Walk(FileId("f"), D)
    step = failed(walking(walk), WalkAction(walk), NotFound("gone"))
    assert sync_of(step).walks == ()
    assert state(step).corpora["drive-d"].doubted
    assert not state(step).corpora["user"].doubted


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
def test_what_only_a_person_mends_rests_until_the_next_trigger(error: WorkerError, category: str) -> None:
    """It has no end of its own."""
    step = park(syncing("full"), "Connect", error, NOW, 0.5)
    assert (state(step).parked or pytest.fail("not parked")).until is None
    assert [(report.category, report.source) for report in step.errors] == [(category, SOURCE)]


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
