"""Drives whose members the account may not see, and the items that tell of them all the same."""

import msgspec

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import ItemEntry
from google_drive_worker.domain.sharing import UNSEEN, Permission, PermissionDetail, PermissionSet, set_of
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import Checkpoint, Corpus, Scope, Witness
from google_drive_worker.sync.engine import on_answer
from google_drive_worker.sync.items import Shared
from google_drive_worker.sync.page_sharing import sighted_of
from google_drive_worker.sync.plan import ListFiles, ReadChanges, ReadMembers, plan
from google_drive_worker.sync.sharing import Found, digest_of
from google_drive_worker.sync.step import Step, with_corpus
from google_drive_worker.sync.witnesses import WITNESSES_AT_MOST, read_members
from google_drive_worker.utils.errors import NotFound, SkipItem
from support.dict_index import DictIndex
from support.syncs import D, changed, changes_page, corpus, files_page, ids, in_drive, removed, state, syncing, token

LOG = ReadChanges(D, token("c1"))


def given(*names: str, role: str = "reader") -> PermissionSet:
    """What the drive's members of those names may do with an item."""
    details = (PermissionDetail(role=role, inherited=True, inherited_from=FileId(D)),)
    return set_of(tuple(Permission(name, "user", role, permission_details=details) for name in names))


def following(members: PermissionSet = UNSEEN, **witnesses: tuple[PermissionSet, bool]) -> Checkpoint:
    """An incremental sync of a drive with those members; each witness with what it was written with, and if alone."""
    found = {digest_of(each): Witness(FileId(name), alone) for name, (each, alone) in witnesses.items()}
    drive = Corpus("changes", token("c1"), members=digest_of(members), witnesses=found)
    scope = Scope(include_shared_drives=True, sync_permissions=True)
    return with_corpus(syncing("incremental", user=corpus("done"), scope=scope), D, drive)


def told(before: Checkpoint, *entries: dict[str, object], **found: PermissionSet | SkipItem) -> Step:
    """The step of a page of the drive's log, with those permissions of its items."""
    permissions: Found = {FileId(name): each for name, each in found.items()}
    memory = {FileId("w"): ItemEntry()}
    shared = Shared(changes_page(*entries, more="c2"), permissions, sighted_of(before, LOG))
    return on_answer(before, LOG, shared, transformer, DictIndex(memory))


def members_read(before: Checkpoint, **found: PermissionSet | SkipItem) -> Corpus:
    """The drive after its members were asked for, in vain, and its witnesses."""
    drive = msgspec.structs.replace(before.corpora[D], members_due=True)
    before = with_corpus(before, D, drive)
    [action] = plan(before)
    answer = {FileId(D): UNSEEN, **{FileId(name): each for name, each in found.items()}}
    return state(on_answer(before, action, answer, transformer)).corpora[D]


def witnesses_after(step: Step) -> dict[str, Witness]:
    """Those of the drive."""
    return state(step).corpora[D].witnesses


def test_an_item_whose_permissions_are_seen_becomes_the_witness_of_a_drive() -> None:
    """Where its members are hidden; one whose own are hidden as well tells nothing."""
    entries = [changed(in_drive("w", D)), changed(in_drive("x", D))]
    step = told(following(), *entries, w=given("p"), x=UNSEEN)
    assert witnesses_after(step) == {digest_of(given("p")): Witness(FileId("w"))}
    assert witnesses_after(told(following(given("p")), *entries, w=given("p"), x=UNSEEN)) == {}


def test_one_witness_stands_for_all_items_with_the_same_permissions() -> None:
    """And is then not alone."""
    entries = [changed(in_drive(name, D)) for name in ("w", "x")]
    step = told(following(), *entries, w=given("p"), x=given("p"))
    assert witnesses_after(step) == {digest_of(given("p")): Witness(FileId("w"), alone=False)}


def test_a_witness_that_is_written_again_tells_of_what_it_has_now() -> None:
    """What others were written with stays to be watched."""
    for alone in (True, False):
        before = following(w=(given("p"), alone))
        after = witnesses_after(told(before, changed(in_drive("w", D)), w=given("p", "q")))
        assert after.pop(digest_of(given("p", "q"))) == Witness(FileId("w"))
        assert (after == {}) is alone


def test_a_witness_that_is_gone_or_hidden_is_watched_no_more() -> None:
    """Its log has told of it."""
    before = following(w=(given("p"), True))
    assert witnesses_after(told(before, removed("w"))) == before.corpora[D].witnesses  # it is looked up first
    assert witnesses_after(told(before, changed(in_drive("w", D, trashed=True)))) == {}
    assert witnesses_after(told(before, changed(in_drive("w", D)), w=UNSEEN)) == {}


def test_witnesses_are_asked_with_the_members() -> None:
    """In the same batch."""
    before = following(w=(given("p"), True))
    before = with_corpus(before, D, msgspec.structs.replace(before.corpora[D], members_due=True))
    assert plan(before) == [ReadMembers(ids(D), ids("w"))]


def test_a_member_who_left_or_has_another_role_lists_the_drive_again() -> None:
    """Nothing but the witness tells of it; the listing finds witnesses of its own."""
    before = following(w=(given("p", "q"), True))
    for now in (given("q"), given("p", "q", role="writer"), UNSEEN):
        drive = members_read(before, w=now)
        assert (drive.stage, drive.relisted, drive.witnesses) == ("listing", True, {})


def test_a_witness_that_says_the_same_or_nothing_changes_nothing() -> None:
    """A call that failed is no evidence, and one that is deleted alone tells of nobody else."""
    before = following(w=(given("p"), True))
    for now in (given("p"), SkipItem("broken", code="broken"), NotFound("gone")):
        drive = members_read(before, w=now)
        assert (drive.stage, drive.witnesses) == ("changes", before.corpora[D].witnesses)
    assert members_read(before).stage == "changes"


def test_the_loss_of_a_witness_of_many_lists_the_drive_again() -> None:
    """There is none left for the others."""
    assert members_read(following(w=(given("p"), False)), w=NotFound("gone")).stage == "listing"


def test_a_witness_that_is_not_found_is_told_apart_from_one_that_is_hidden() -> None:
    """Of a drive both mean that nobody is shown."""
    answers = {FileId(name): NotFound("gone", http_status=404) for name in (D, "w")}
    found = read_members(ids(D), ids("w", "x"), {**answers, FileId("x"): SkipItem("hidden", http_status=403)})
    assert isinstance(found[FileId(D)], NotFound)
    assert found[FileId("x")] == UNSEEN
    assert isinstance(found[FileId("w")], NotFound)


def test_no_more_sets_of_permissions_are_watched_than_fit() -> None:
    """The checkpoint is written at every step."""
    full = {str(number): Witness(FileId(str(number))) for number in range(WITNESSES_AT_MOST)}
    before = following()
    before = with_corpus(before, D, msgspec.structs.replace(before.corpora[D], witnesses=full))
    assert witnesses_after(told(before, changed(in_drive("w", D)), w=given("p"))) == full


def test_the_end_of_a_listing_keeps_the_witnesses() -> None:
    """They were found by it."""
    before = following(w=(given("p"), True))
    [_, drive] = before.corpora.values()
    listing = msgspec.structs.replace(drive, stage="listing")
    before = with_corpus(before, D, listing)
    [action] = [each for each in plan(before) if isinstance(each, ListFiles)]
    step = on_answer(before, action, Shared(files_page(), {}, sighted_of(before, action)), transformer)
    assert state(step).corpora[D].stage == "changes"
    assert witnesses_after(step) == drive.witnesses
