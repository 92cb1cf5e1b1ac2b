"""What steps write of permissions: beside their items, those that were revoked, and the members of drives."""

from datetime import timedelta

import msgspec
import pytest

from google_drive_worker.domain.drive import UnreadableItem
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import ItemEntry, PermissionDigests
from google_drive_worker.domain.sharing import UNSEEN, Permission, PermissionSet, set_of
from google_drive_worker.domain.times import rfc3339
from google_drive_worker.normalization import transformer
from google_drive_worker.sync.checkpoint import Checkpoint, Corpus, Scope, Stage, Walk
from google_drive_worker.sync.engine import begin, on_answer
from google_drive_worker.sync.items import ItemsAnswer, Shared
from google_drive_worker.sync.members import MISJUDGED
from google_drive_worker.sync.page_sharing import permissions_of, sighted_of
from google_drive_worker.sync.plan import Action, ListFiles, LookUpRemoved, ReadChanges, ReadMembers, WalkFolder, plan
from google_drive_worker.sync.sharing import Found, KnownFolders, ListPermissions, digest_of
from google_drive_worker.sync.step import Step, with_corpus, with_sync
from google_drive_worker.utils.errors import SkipItem
from support.dict_index import DictIndex
from support.syncs import (
    CONNECTION,
    CUSTOMER,
    NOW,
    D,
    changed,
    changes_page,
    corpus,
    drive_change,
    drives_page,
    file,
    files_page,
    folder,
    in_drive,
    owed,
    read,
    removed,
    state,
    sync_of,
    syncing,
    token,
    written,
)

WANTED = Scope(sync_permissions=True)
LISTED = ListFiles("user", None)
LISTING = syncing("full", user=corpus("listing"), scope=WANTED)
FOLLOWING = syncing("incremental", user=corpus("changes"), scope=WANTED)
READ = ReadChanges("user", token("c1"))

Memory = dict[FileId, ItemEntry]


def shared_with(*names: str, role: str = "reader") -> PermissionSet:
    """The permissions of those grantees."""
    return set_of(tuple(Permission(name, "user", role) for name in names))


def found(**items: PermissionSet | SkipItem) -> Found:
    """What was found of items."""
    return {FileId(name): each for name, each in items.items()}


def kept(**items: ItemEntry) -> Memory:
    """What is remembered of items."""
    return {FileId(name): each for name, each in items.items()}


def shared(*ids: str, head: str | None = None) -> ItemEntry:
    """An entry of an item with those permissions, of which something has changed since."""
    return ItemEntry(permissions=PermissionDigests(0, tuple((each, 0) for each in ids)), head=head)


def ids_of(step: Step, name: str = "a") -> tuple[str, ...]:
    """The ids of an item's permissions, as the step leaves them in the index."""
    entry = step.changes.entries[FileId(name)]
    assert entry is not None
    assert entry.permissions is not None
    return entry.permissions.ids


def answered(
    before: Checkpoint,
    action: Action,
    answer: ItemsAnswer,
    permissions: Found | None = None,
    memory: Memory | None = None,
) -> Step:
    """The step of an answer with those permissions."""
    answer_with = Shared(answer, permissions or {}, sighted_of(before, action))
    return on_answer(before, action, answer_with, transformer, DictIndex(memory or {}))


def data_of(step: Step, at: int) -> dict[str, object]:
    """The data of one of the step's records."""
    data: dict[str, object] = msgspec.json.decode(msgspec.json.encode(step.records[at].data))
    return data


def test_an_items_permissions_come_right_after_it() -> None:
    """And are kept in mind, sorted, to be told apart from later ones."""
    step = answered(LISTING, LISTED, files_page(file("a"), folder("f")), found(a=shared_with("q", "p"), f=UNSEEN))
    assert written(step) == ["upsert file a", "upsert permission a/q", "upsert permission a/p", "upsert folder f"]
    assert (ids_of(step), ids_of(step, "f")) == (("p", "q"), ())
    assert sync_of(step).counts == {"file": 1, "folder": 1, "permission": 2}


def test_revoked_permissions_become_deletes() -> None:
    """The ids that were written less those that are there now; a head that is remembered stays so."""
    memory = kept(a=shared("p", "q", "r", head="head-1"))
    step = answered(FOLLOWING, READ, changes_page(changed(file("a"))), found(a=shared_with("q")), memory)
    deletes = ["delete permission a/p", "delete permission a/r"]
    assert written(step) == ["upsert file a", *deletes, "upsert permission a/q"]
    assert ids_of(step) == ("q",)
    assert step.changes.entries["a"].head == "head-1"  # type: ignore[index, union-attr]
    assert data_of(step, 1) == {"id": "p", "type": "permission", "deleted": True, "cause": "removed"}


def test_of_permissions_that_can_not_all_be_read_none_is_deleted() -> None:
    """Absence tells nothing then: what was written stays in mind, and each that can't be read is an error record."""
    memory = kept(a=shared("p", "q"))
    odd = (Permission("r", "user", "reader"), UnreadableItem(None, "no id"), UnreadableItem("q", "no role"))
    step = answered(FOLLOWING, READ, changes_page(changed(file("a"))), found(a=set_of(odd)), memory)
    assert written(step) == ["upsert file a", "upsert permission a/r"]
    assert ids_of(step) == ("p", "q", "r")
    memory = kept(a=shared("p", "q", "r"))
    reports = [(each.code, each.resource_type, each.resource_id) for each in step.errors]
    assert reports == [("unreadable_item", "permission", "a"), ("unreadable_item", "permission", "a/q")]
    whole = answered(FOLLOWING, READ, changes_page(changed(file("a"))), found(a=shared_with("r")), memory)
    assert written(whole) == [
        "upsert file a",
        "delete permission a/p",
        "delete permission a/q",
        "upsert permission a/r",
    ]


def test_permissions_that_may_not_be_seen_any_more_are_deleted_as_lost() -> None:
    """The account has lost its access to them, which does not mean that they are gone."""
    memory = kept(a=shared("p"))
    step = answered(FOLLOWING, READ, changes_page(changed(file("a"))), found(a=UNSEEN), memory)
    assert (data_of(step, 1)["id"], data_of(step, 1)["cause"]) == ("p", "access_lost")
    assert ids_of(step) == ()


def test_an_item_whose_permissions_were_lost_is_kept_in_mind() -> None:
    """Its drive may have been left between the answer and the question, and be joined again before a log says so; of
    what the account never saw, nothing is."""
    memory = kept(a=shared("p"), b=ItemEntry())
    page = changes_page(changed(file("a")), changed(file("b")), changed(file("c")))
    step = answered(FOLLOWING, READ, page, found(a=UNSEEN, b=UNSEEN, c=UNSEEN), memory)
    assert [each.file_id for each in state(step).gone] == ["a"]


def test_within_one_page_the_later_entry_knows_of_the_earlier_one() -> None:
    """What the step itself has written counts as remembered."""
    page = changes_page(changed(file("a")), removed("a"), changed(file("a")))
    step = answered(FOLLOWING, READ, page, found(a=shared_with("p")), kept(a=shared("p", "q")))
    item = ["upsert file a", "upsert permission a/p"]
    assert written(step) == [item[0], "delete permission a/q", item[1], "delete file a", *item]


def test_deleting_an_item_writes_no_deletes_of_its_permissions() -> None:
    """They go with it, by the contract, and it is forgotten."""
    memory = kept(a=shared("p", "q"))
    step = answered(FOLLOWING, READ, changes_page(changed(file("a", trashed=True))), {}, memory)
    assert written(step) == ["delete file a"]
    entry = step.changes.entries[FileId("a")]
    assert entry is not None
    assert (entry.is_gone, entry.permissions) == (True, None)


def test_an_item_that_cant_be_asked_keeps_what_it_had_and_is_reported_once() -> None:
    """Its metadata is written all the same."""
    problem = SkipItem("Google says no", code="broken", http_status=400, reason="weird")
    memory = kept(a=shared("p"))
    step = answered(FOLLOWING, READ, changes_page(changed(file("a"))), found(a=problem), memory)
    assert written(step) == ["upsert file a"]
    assert ids_of(step) == ("p",)
    [report] = step.errors
    assert (report.code, report.category, report.resource_id, report.reason) == ("broken", "skipped_item", "a", "weird")


def test_an_item_of_which_nothing_was_found_keeps_what_it_had() -> None:
    """Something else is on its way that will bring them, or permissions are not mirrored."""
    memory = kept(a=shared("p"))
    step = answered(FOLLOWING, READ, changes_page(changed(file("a"))), {}, memory)
    assert (written(step), ids_of(step), step.errors) == (["upsert file a"], ("p",), ())


def test_walks_write_permissions_too() -> None:
    """So a change of a folder reaches what is below it."""
    walk = Walk(FileId("f"))
    before = with_sync(FOLLOWING, msgspec.structs.replace(sync_of(FOLLOWING), walks=(walk,)))
    step = answered(before, WalkFolder(walk), files_page(file("a")), found(a=shared_with("p")))
    assert written(step) == ["upsert file a", "upsert permission a/p"]


def test_look_ups_write_permissions_too() -> None:
    """What moved between two corpora has others than before."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("done"), scope=WANTED)
    looking = state(answered(before, READ, changes_page(removed("b")), {}, kept(b=shared("p", "q"))))
    looked_up = {FileId("b"): read(in_drive("b", D, parents=[D]))}
    memory = kept(b=shared("p", "q"))
    step = answered(looking, LookUpRemoved((FileId("b"),)), looked_up, found(b=shared_with("p")), memory)
    assert written(step) == ["upsert file b", "delete permission b/q", "upsert permission b/p"]


@pytest.mark.parametrize(
    ("log", "entry"), [(D, changed(folder("f", driveId=D))), ("user", drive_change(D)), (D, drive_change(D))]
)
def test_an_answer_from_before_a_folder_changed_is_asked_for_again(log: str, entry: dict[str, object]) -> None:
    """What it says of permissions may come from what was known of the folder before."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("changes"), scope=WANTED)
    walk = Walk(FileId("g"), D)
    before = with_sync(before, msgspec.structs.replace(sync_of(before), walks=(walk,)))
    old = Shared(files_page(in_drive("a", D)), found(a=shared_with("p")), sighted_of(before, WalkFolder(walk)))
    step = answered(before, ReadChanges(log, token("c1")), changes_page(entry))
    assert sync_of(step).sightings == 1
    assert on_answer(state(step), WalkFolder(walk), old, transformer) == Step(state(step))


def test_a_folder_of_another_corpus_puts_no_answer_out_of_date() -> None:
    """Nothing of a drive's permissions comes from outside of it."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("changes"), scope=WANTED)
    old = Shared(changes_page(changed(in_drive("a", D))), found(a=shared_with("p")), 0)
    after = state(answered(before, READ, changes_page(changed(folder("f")))))
    step = on_answer(after, ReadChanges(D, token("c1")), old, transformer)
    assert written(step) == ["upsert file a", "upsert permission a/p"]


def test_a_changed_file_puts_nothing_else_out_of_date() -> None:
    """Nobody has their permissions from it."""
    assert sync_of(answered(FOLLOWING, READ, changes_page(changed(file("x"))))).sightings == 0


# From a trigger's cursor.


def test_where_nobody_remembers_an_item_its_old_permissions_go_with_it() -> None:
    """A worker that lost its state goes on from the trigger's cursor: the mirror holds what it knows nothing of."""
    before = msgspec.structs.replace(FOLLOWING, in_doubt=True)
    page = changes_page(changed(file("a")), changed(file("a")), changed(file("b")))
    memory = kept(b=shared("p"))
    step = answered(before, READ, page, found(a=shared_with("p"), b=shared_with("p")), memory)
    first, second = (["upsert file a", "upsert permission a/p"], ["upsert file b", "upsert permission b/p"])
    assert written(step) == ["delete file a", *first, *second]


def test_a_full_sync_ends_the_doubt_of_a_triggers_cursor() -> None:
    """From then on everything is remembered; the incremental syncs between go on in doubt."""
    fresh = msgspec.structs.replace(FOLLOWING, sync=None, corpora={}, owed=owed("incremental", page_token="c0"))
    first = state(begin(fresh, CUSTOMER, WANTED, NOW, 1, transformer))
    assert first.in_doubt
    idle = msgspec.structs.replace(first, sync=None, corpora={"user": corpus("done")}, owed=owed("incremental"))
    assert state(begin(idle, CUSTOMER, WANTED, NOW, 2, transformer)).in_doubt
    full = msgspec.structs.replace(idle, owed=owed("full"))
    assert not state(begin(full, CUSTOMER, WANTED, NOW, 3, transformer)).in_doubt


def test_a_checkpoint_from_before_permissions_brings_a_full_sync() -> None:
    """None are in its mirror; turning them off brings one as well, which sweeps them away."""
    for before, after in ((Scope(), WANTED), (WANTED, Scope())):
        idle = msgspec.structs.replace(FOLLOWING, scope=before, sync=None, owed=owed("incremental"))
        idle = with_corpus(idle, "user", corpus("done"))
        assert sync_of(begin(idle, CUSTOMER, after, NOW, 1, transformer)).kind == "full"


# Members of drives.


def due(stage: Stage = "changes", members: str | None = "old") -> Checkpoint:
    """An incremental sync with the members of a drive to be read."""
    drive = Corpus(stage, token("c1"), members=members, members_due=True)
    return with_corpus(syncing("incremental", user=corpus("changes"), scope=WANTED), D, drive)


def members_read(before: Checkpoint, members: PermissionSet | SkipItem, memory: tuple[str, ...] = ()) -> Step:
    """The members have come."""
    index = DictIndex({FileId(D): msgspec.structs.replace(shared(*memory), is_folder=True, corpus=D)})
    return on_answer(before, ReadMembers((FileId(D),)), {FileId(D): members}, transformer, index)


def test_a_drive_whose_members_are_not_seen_any_more_is_no_item_to_look_up() -> None:
    """It is no item that was lost sight of: as one it would be deleted, with all that hangs on it."""
    step = members_read(due(members=digest_of(shared_with("p"))), UNSEEN, ("p",))
    assert written(step) == [f"delete permission {D}/p"]
    assert state(step).gone == ()


def test_members_are_read_before_anything_else() -> None:
    """In an incremental sync, where they were not read for long, and for every drive that is joined."""
    idle = msgspec.structs.replace(due(), sync=None, owed=owed("incremental"))
    assert plan(state(begin(idle, CUSTOMER, WANTED, NOW, 1, transformer))) == [ReadMembers((FileId(D),))]
    full = with_sync(LISTING, msgspec.structs.replace(sync_of(LISTING), drives_listed=False))
    planned = plan(state(on_answer(full, plan(full)[0], drives_page(D), transformer)))
    assert ReadMembers((FileId(D),)) in planned
    assert not any(isinstance(each, ListFiles) for each in planned)


@pytest.mark.parametrize(
    ("age", "is_read"),
    [
        (None, True),
        (timedelta(0), False),
        (timedelta(hours=23, minutes=59), False),
        (timedelta(days=1), True),
        (timedelta(seconds=-1), True),
    ],
)
def test_members_of_which_no_log_tells_are_read_once_a_day(age: timedelta | None, is_read: bool) -> None:
    """A sync that begins reads them where they were last read a day ago, never, or at a time that is yet to come."""
    read_at = None if age is None else rfc3339(NOW - age)
    drive = Corpus("done", token("c1"), members="old", members_at=read_at)
    idle = msgspec.structs.replace(with_corpus(FOLLOWING, D, drive), sync=None, owed=owed("incremental"))
    begun = begin(idle, CUSTOMER, WANTED, NOW, 1, transformer)
    assert state(begun).corpora[D] == msgspec.structs.replace(drive, stage="changes", members_due=is_read)


def test_a_member_who_left_is_deleted() -> None:
    """Who were members stands in the index, under the drive's own id."""
    step = members_read(due(members=digest_of(shared_with("p", "q"))), shared_with("q"), ("p", "q"))
    assert written(step) == [f"delete permission {D}/p", f"upsert permission {D}/q"]


def test_members_that_stayed_the_same_come_to_nothing() -> None:
    """But what is known of folders is out of date all the same: the members may be newer than it."""
    members = shared_with("p", "q")
    step = members_read(due(members=digest_of(members)), members, ("p", "q"))
    assert written(step) == []
    assert not state(step).corpora[D].members_due
    assert state(step).corpora[D].stage == "changes"
    assert sync_of(step).sightings == 1


def test_members_that_could_not_be_read_before_items_were_written_list_the_drive_again() -> None:
    """These rest on members that may be others by now."""
    before = due(members=None)
    before = with_corpus(before, D, msgspec.structs.replace(before.corpora[D], written=True))
    assert state(members_read(before, shared_with("p"))).corpora[D].stage == "listing"
    unwritten = with_corpus(before, D, msgspec.structs.replace(before.corpora[D], written=False))
    assert state(members_read(unwritten, shared_with("p"))).corpora[D].stage == "changes"


def test_an_entry_that_neither_the_drive_nor_its_members_explain_owes_a_full_sync() -> None:
    """The account was away from the drive, and what went out of its sight meanwhile is in no log."""
    members = shared_with("p", "q")
    before = due(members=digest_of(members))
    before = with_corpus(before, D, msgspec.structs.replace(before.corpora[D], unexplained=True))
    for now, owes in ((members, True), (shared_with("p"), False)):
        step = members_read(before, now, ("p", "q"))
        assert (state(step).owed is not None, state(step).corpora[D].unexplained) == (owes, False)


def test_members_that_changed_earlier_in_the_sync_explain_an_entry() -> None:
    """They are read before the user's log, and once more when it tells of the drive."""
    now = shared_with("p")
    first = state(members_read(due(members=digest_of(shared_with("p", "q"))), now))
    told = msgspec.structs.replace(first.corpora[D], members_due=True, unexplained=True)
    assert state(members_read(with_corpus(first, D, told), now)).owed is None


@pytest.mark.parametrize("now", [shared_with("p", "r"), shared_with("p", "q", role="writer"), UNSEEN])
def test_a_change_of_members_lists_the_drive_anew(now: PermissionSet) -> None:
    """All of its items' permissions rest on them; the log goes on from where it was when they are written."""
    before = due(members=digest_of(shared_with("p", "q")))
    walks = (Walk(FileId("f"), D), Walk(FileId("t"), D, trashed=True), Walk(FileId("g")))
    before = with_sync(before, msgspec.structs.replace(sync_of(before), walks=walks))
    step = members_read(before, now, ("p", "q"))
    gone = [each for each in ("p", "q") if each not in now.ids]
    assert written(step) == [
        *(f"delete permission {D}/{each}" for each in gone),
        *(f"upsert permission {D}/{each}" for each in now.ids),
    ]
    assert state(step).corpora[D] == Corpus(
        "listing",
        token("c1"),
        members=digest_of(now),
        members_at=sync_of(before).started_at,
        members_new=True,
        relisted=True,
        sighted=1,
    )
    assert sync_of(step).walks == walks[1:]


def test_a_listing_under_way_begins_anew_with_new_members() -> None:
    """Its pages so far were written with the old ones."""
    listing = msgspec.structs.replace(corpus("listing", listing="p2"), members="old", members_due=True)
    step = members_read(with_corpus(due(), D, listing), shared_with("p"))
    assert state(step).corpora[D].parts == ()
    assert state(step).corpora[D].stage == "listing"


def test_a_drive_that_was_just_joined_is_not_listed_twice() -> None:
    """Its members are written, and its listing has yet to begin."""
    step = members_read(due("start_token", None), shared_with("p"))
    assert written(step) == [f"upsert permission {D}/p"]
    assert state(step).corpora[D].stage == "start_token"


def test_members_that_cant_be_read_are_reported_and_stay() -> None:
    """Other than where one may not see them, which is an answer."""
    step = members_read(due(), SkipItem("broken", code="broken"), ("p",))
    assert [error.code for error in step.errors] == ["broken"]
    assert state(step).corpora[D].members == "old"
    assert not state(step).corpora[D].members_due


def test_members_of_whom_one_can_not_be_read_are_written_and_none_is_deleted() -> None:
    """It is told once; the next list that is whole deletes who left."""
    odd = set_of((Permission("r", "user", "reader"), UnreadableItem(None, "no id")))
    step = members_read(due(), odd, ("p",))
    assert written(step) == [f"upsert permission {D}/r"]
    assert [(each.resource_type, each.resource_id) for each in step.errors] == [("permission", D)]
    members = state(step).corpora[D]
    assert ids_of(step, D) == ("p", "r")
    assert members.members == digest_of(odd)
    assert digest_of(odd) != digest_of(shared_with("r"))


def test_an_entry_about_a_drive_has_its_members_read_again() -> None:
    """It may be who is a member that has changed; what is not mirrored is not read."""
    for scope in (WANTED, Scope()):
        before = syncing("incremental", user=corpus("changes"), d=corpus("done"), scope=scope)
        step = answered(before, READ, changes_page(drive_change(D)))
        assert state(step).corpora[D].members_due is scope.sync_permissions


def test_a_members_picture_is_no_change_of_members() -> None:
    """Its address comes and goes."""
    one, other = (set_of((Permission("p", photo_link=link),)) for link in ("a", "b"))
    assert digest_of(one) == digest_of(other)
    assert digest_of(one) != digest_of(UNSEEN)


def test_an_answer_that_rests_on_other_members_than_were_written_is_dropped_and_they_are_read_again() -> None:
    """They may be the same again when they are read: the drive is listed anew even so."""
    members, others = shared_with("p"), shared_with("p", role="writer")
    before = msgspec.structs.replace(due(members=digest_of(members)))
    before = with_corpus(before, D, msgspec.structs.replace(before.corpora[D], members_due=False))
    page = changes_page(changed(in_drive("a", D)))
    right = answered(before, ReadChanges(D, token("c1")), page, {FileId(D): members, FileId("a"): members})
    assert written(right) == ["upsert file a", "upsert permission a/p"]
    wrong = answered(before, ReadChanges(D, token("c1")), page, {FileId(D): others, FileId("a"): others})
    assert written(wrong) == []
    assert state(wrong).corpora[D] == Corpus("changes", token("c1"), members=MISJUDGED, members_due=True)
    assert state(members_read(state(wrong), members)).corpora[D].stage == "listing"


def test_what_rests_on_the_members_of_a_held_drive_is_written_and_they_are_read_when_it_is_taken_up() -> None:
    """They are not read while it is held: an answer that waited for them would be dropped again and again."""
    members, others = shared_with("p"), shared_with("p", role="writer")
    before = with_corpus(due(), D, Corpus("changes", token("c1"), members=digest_of(members), held=True))
    by_name = in_drive("a", "drive-z", sharedWithMeTime="2026-01-01T00:00:00.000Z")
    action, page = ReadChanges("user", token("c1")), changes_page(changed(by_name))
    before = with_corpus(before, "user", corpus("changes"))
    dropped = answered(before, action, page, {FileId(D): others, FileId("a"): others})
    assert written(dropped) == []
    assert state(dropped).corpora[D].members == MISJUDGED
    assert (
        written(answered(state(dropped), action, page, {FileId(D): others, FileId("a"): others}))[0] == "upsert file a"
    )


def test_a_page_that_tells_of_a_folder_goes_by_nothing_that_was_known_before() -> None:
    """Nor does it leave anything behind; a page of files alone goes by what is known."""
    before = syncing("incremental", user=corpus("changes"), d=corpus("changes"), scope=WANTED)
    known = KnownFolders[PermissionSet]().under(CONNECTION, "mark")
    known.put(FileId(D), shared_with("p"))
    action = ReadChanges(D, token("c1"))
    shown = {"parents": [D], "permissionIds": ["p"], "hasAugmentedPermissions": False}
    entry = changed(in_drive("a", D, **shown))
    with pytest.raises(StopIteration):
        next(permissions_of(action, changes_page(entry), before, known))
    finding = permissions_of(action, changes_page(entry, changed(folder("f", driveId=D, **shown))), before, known)
    assert next(finding) == ListPermissions((FileId(D),))
    with pytest.raises(StopIteration) as end:
        finding.send({FileId(D): (Permission("p", "user", "writer"),)})
    assert {each.permissions[0].role for each in end.value.value.values()} == {"writer"}
    assert known.get(FileId(D)) == shared_with("p")
    assert known.get(FileId("f")) is None
