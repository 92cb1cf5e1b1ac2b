"""Labels that Google refuses."""

import pytest
from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import Checkpoint, Pass, Scope, SyncKind, Walk
from google_drive_worker.sync.engine import begin
from google_drive_worker.sync.failure import on_failure
from google_drive_worker.sync.labels import asks_for_labels
from google_drive_worker.sync.plan import (
    Action,
    ListFiles,
    LookUpRemoved,
    ReadChanges,
    ReadContent,
    WalkFolder,
    plan,
)
from google_drive_worker.sync.step import Step, with_sync
from google_drive_worker.utils.errors import NotFound, Retryable, Terminal, WorkerError
from support.syncs import CUSTOMER, NOW, D, corpus, owed, state, sync_of, syncing, token

WANTED = Scope(label_ids=("l",))
REFUSED = Terminal("no such label", code="bad_request", http_status=400, reason="invalidParameter")


def failed(checkpoint: Checkpoint, action: Action, error: WorkerError) -> Step:
    """The step of a failure."""
    labelled = asks_for_labels(checkpoint)
    return on_failure(checkpoint, action, error, NOW, 0.0, transformer, labelled=labelled)


@pytest.mark.parametrize("status", [400, 403])
def test_a_refused_listing_is_asked_for_without_labels(status: int) -> None:
    """At once, with one report, and nothing rests."""
    before = syncing("full", user=corpus("listing"), scope=WANTED)
    action = ListFiles("user", None)
    step = failed(before, action, Terminal("no", http_status=status))
    assert (state(step).labels_refused, state(step).parked) == (True, None)
    assert [(each.code, each.category) for each in step.errors] == [("labels_refused", "skipped_item")]
    assert plan(state(step)) == plan(before)
    again = failed(state(step), action, Terminal("no", http_status=status))
    assert [each.code for each in again.errors] == ["terminal"]
    assert state(again).parked is not None


def test_calls_under_way_with_the_refused_one_are_made_again_too() -> None:
    """They asked for labels as well: nothing more is reported, and nothing rests."""
    before = syncing("full", user=corpus("listing"), d=corpus("listing"), scope=WANTED)
    refused = state(failed(before, ListFiles("user", None), REFUSED))
    step = on_failure(refused, ListFiles(D, None), REFUSED, NOW, 0.0, transformer, labelled=True)
    assert step == Step(refused)


@pytest.mark.parametrize(
    "action",
    [
        WalkFolder(Walk(FileId("f"))),
        LookUpRemoved((FileId("a"),)),
        ReadContent((FileId("a"),)),
    ],
)
def test_whatever_asks_for_labels_is_asked_for_without_them(action: Action) -> None:
    """A folder's files, those that are looked up, and those whose contents are mirrored: nothing of it is given up."""
    before = syncing("full", user=corpus("done"), scope=WANTED)
    sync = replace(sync_of(before), walks=(Walk(FileId("f")),), content=(Pass(is_whole=True),), contents=(FileId("a"),))
    before = with_sync(before, sync)
    step = failed(before, action, REFUSED)
    assert (state(step).labels_refused, state(step).parked) == (True, None)
    assert sync_of(step) == sync


def test_a_drive_is_not_lost_for_its_labels() -> None:
    """It is asked for without them before it is taken for gone."""
    before = syncing("incremental", d=corpus("changes"), scope=WANTED)
    action = ReadChanges(D, token("c1"))
    gone = NotFound("no such thing", http_status=404)
    step = failed(before, action, gone)
    assert (D in state(step).corpora, state(step).labels_refused) == (True, True)
    assert state(failed(state(step), action, gone)).corpora[D].doubtful


def test_other_trouble_is_none_of_the_labels() -> None:
    """An outage, a folder that is gone, and any trouble where none are asked for."""
    listing = syncing("full", user=corpus("listing"), scope=WANTED)
    assert not state(failed(listing, ListFiles("user", None), Retryable("500", http_status=500))).labels_refused
    walk = Walk(FileId("f"))
    walking = with_sync(listing, replace(sync_of(listing), walks=(walk,)))
    assert not state(failed(walking, WalkFolder(walk), NotFound("gone", http_status=404))).labels_refused
    without = syncing("full", user=corpus("listing"))
    assert not state(failed(without, ListFiles("user", None), REFUSED)).labels_refused


def test_an_unexplained_refusal_may_be_the_labels() -> None:
    """Google's own, of a reason that is documented nowhere; a rate limit and a proxy's page are not."""
    listing = syncing("full", user=corpus("listing"), scope=WANTED)
    action = ListFiles("user", None)
    for code, reason, is_theirs in (
        ("forbidden", "labelNotVisible", True),
        ("not_found", "notFound", True),
        ("forbidden", None, False),
        ("rate_limited", "userRateLimitExceeded", False),
    ):
        error = Retryable("no", code=code, reason=reason, http_status=404 if code == "not_found" else 403)
        assert state(failed(listing, action, error)).labels_refused is is_theirs


@pytest.mark.parametrize("kind", ["incremental", "full"])
def test_only_a_full_sync_asks_for_refused_labels_again(kind: SyncKind) -> None:
    """One cause makes one error, however many syncs go by."""
    resting = replace(
        syncing("full", user=corpus("done"), scope=WANTED), sync=None, labels_refused=True, owed=owed(kind)
    )
    begun = state(begin(resting, CUSTOMER, WANTED, NOW, 7, transformer))
    assert begun.labels_refused == (kind == "incremental")
