"""What may be fetched, and what must wait for what."""

from msgspec.structs import replace

from google_drive_worker.domain.connection import ConnectionSettings
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.times import TimeRange
from google_drive_worker.sync.checkpoint import Checkpoint, Part, Removal, Scope, Walk
from google_drive_worker.sync.plan import (
    REMOVALS_AT_ONCE,
    WALKS_AT_ONCE,
    ListFiles,
    LookUpRemoved,
    ProveOrder,
    WalkFolder,
    fetch_key,
    plan,
    scope_of,
    step_name,
    still_wanted,
)
from google_drive_worker.sync.step import with_corpus, with_sync
from support.syncs import corpus, sync_of, syncing, token


def planned(checkpoint: Checkpoint) -> list[str]:
    """The names of what may be fetched."""
    return [step_name(action) for action in plan(checkpoint)]


def with_walks(checkpoint: Checkpoint, *walks: Walk) -> Checkpoint:
    """The checkpoint with folders to walk."""
    return with_sync(checkpoint, replace(sync_of(checkpoint), walks=walks))


def unlisted(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with drives yet to be listed."""
    return with_sync(checkpoint, replace(sync_of(checkpoint), drives_listed=False))


def test_the_users_start_token_comes_before_everything() -> None:
    """A drive that is joined after the drives were listed is then in a log yet to be read."""
    assert planned(unlisted(syncing("full", user=corpus("start_token")))) == ["TakeStartToken:user"]


def test_the_users_listing_waits_for_the_drives_and_their_start_tokens() -> None:
    """The drives' own listings begin as soon as they can."""
    first = unlisted(syncing("full", user=corpus("listing")))
    assert planned(first) == ["ListDrives"]
    second = syncing("full", user=corpus("listing"), d=corpus("start_token"), e=corpus("listing"))
    assert planned(second) == ["TakeStartToken:drive-d", "ListFiles:drive-e"]


def test_every_part_of_every_listing_may_be_fetched_the_newest_of_each_first() -> None:
    """Each by its own query, which is what it was before its part was split."""
    parts = (Part("2026-01-01T00:00:00", page_token=token("p2")), Part(None, "2026-01-01T00:00:00", None))
    checkpoint = syncing("full", user=replace(corpus("listing"), parts=parts), d=corpus("listing", listing="p9"))
    assert plan(checkpoint) == [
        ListFiles("user", token("p2")),
        ListFiles("drive-d", token("p9")),
        ListFiles("user", None, modified=TimeRange(None, "2026-01-01T00:00:00")),
    ]
    assert len({fetch_key(action) for action in plan(checkpoint)}) == 3


def test_the_order_is_asked_for_once_there_is_more_than_a_page() -> None:
    """Beside the pages and after them; not of a listing that asks for no order, and not again once it is known."""
    begun = replace(corpus("listing", listing="p2"), pages=1)
    plain = replace(begun, parts=(Part(page_token=token("p7"), ordered=False, plain=True),))
    checkpoint = syncing("full", user=begun, d=corpus("listing"), e=plain)
    assert planned(checkpoint) == ["ListFiles:user", "ListFiles:drive-d", "ListFiles:drive-e", "ProveOrder:user"]
    assert still_wanted(checkpoint, ProveOrder("user"))
    again = with_corpus(checkpoint, "user", replace(begun, prove_since="2026-01-01T00:00:00"))
    assert not still_wanted(again, ProveOrder("user"))
    assert plan(again)[-1] == ProveOrder("user", since="2026-01-01T00:00:00")
    known = with_corpus(checkpoint, "user", replace(begun, order="ignored"))
    assert not still_wanted(known, ProveOrder("user"))
    assert planned(known) == ["ListFiles:user", "ListFiles:drive-d", "ListFiles:drive-e"]


def test_an_answer_under_way_is_wanted_though_its_part_is_split_meanwhile() -> None:
    """A split changes what a part writes, not what it has asked for."""
    before = syncing("full", user=corpus("listing", listing="p2"))
    asked = plan(before)
    [part] = before.corpora["user"].parts
    parts = (replace(part, since="2026-01-01T00:00:00"), Part(None, "2026-01-01T00:00:00", None))
    after = with_corpus(before, "user", replace(before.corpora["user"], parts=parts))
    assert all(still_wanted(after, action) for action in asked)
    assert plan(after)[: len(asked)] == asked


def test_logs_are_read_only_after_all_listings() -> None:
    """What moves between a listed and an unlisted corpus is in a log yet to be read."""
    assert planned(syncing("full", user=corpus("changes"), d=corpus("listing"))) == ["ListFiles:drive-d"]


def test_the_users_log_is_read_before_the_drives() -> None:
    """It leaves their items to them, so what it says of one must not come last."""
    both = syncing("incremental", user=corpus("changes"), d=corpus("changes"), e=corpus("listing"))
    assert planned(both) == ["ReadChanges:user"]
    after = with_corpus(both, "user", corpus("done"))
    assert sorted(planned(after)) == ["ListFiles:drive-e", "ReadChanges:drive-d"]


def test_no_log_is_read_past_a_look_up_under_way() -> None:
    """Walks and look-ups come first and alone: what they see must not be older than what a log said."""
    checkpoint = syncing("incremental", d=corpus("changes"))
    walking = with_walks(checkpoint, Walk(FileId("f")))
    assert planned(walking) == ["WalkFolder:f"]
    looking = with_sync(checkpoint, replace(sync_of(checkpoint), removals=(Removal(FileId("x"), "user"),)))
    assert planned(looking) == ["LookUpRemoved"]


def test_the_deepest_folders_are_walked_first_a_few_at_once() -> None:
    """The stack stays short."""
    walks = tuple(Walk(FileId(f"f{number}")) for number in range(10))
    assert planned(with_walks(syncing("incremental"), *walks)) == [
        f"WalkFolder:f{number}" for number in range(9, 9 - WALKS_AT_ONCE, -1)
    ]


def test_a_trashed_folder_is_walked_with_its_trash() -> None:
    """What is in it is in the trash as well, and has to be deleted."""
    assert plan(with_walks(syncing("incremental"), Walk(FileId("f"), trashed=True))) == [
        WalkFolder(Walk(FileId("f"), trashed=True), include_trashed=True)
    ]


def test_look_ups_come_in_batches() -> None:
    """One step stays short however much was removed."""
    checkpoint = syncing("incremental")
    removals = tuple(Removal(FileId(str(number)), "user") for number in range(REMOVALS_AT_ONCE + 9))
    actions = plan(with_sync(checkpoint, replace(sync_of(checkpoint), removals=removals)))
    assert isinstance(actions[0], LookUpRemoved)
    assert len(actions[0].file_ids) == REMOVALS_AT_ONCE


def test_nothing_is_planned_without_a_sync_or_when_all_is_read() -> None:
    """That is when a sync is complete."""
    assert plan(replace(syncing("full"), sync=None)) == []
    assert plan(syncing("full", d=corpus("done"))) == []


def test_an_answer_is_wanted_under_its_own_token_only() -> None:
    """A drive left and joined again begins anew: what was asked of it before counts for nothing."""
    before = syncing("incremental", d=corpus("listing", listing="page-2"))
    asked = plan(before)
    assert all(still_wanted(before, action) for action in asked)
    for rejoined in (corpus("start_token"), corpus("listing"), corpus("changes")):
        assert not any(still_wanted(with_corpus(before, "drive-d", rejoined), action) for action in asked)


def test_a_connections_own_setting_comes_before_the_workers() -> None:
    """`include_shared_drives` may be overridden either way."""
    for setting, default, wanted in ((None, True, True), (None, False, False), (False, True, False)):
        settings = ConnectionSettings(include_shared_drives=setting)
        expected = Scope(wanted, sync_permissions=True, sync_revisions=True, sync_comments=True, paths=True)
        assert scope_of(settings, include_shared_drives=default) == expected
