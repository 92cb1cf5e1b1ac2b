"""Where the permissions of a page's items come from: what is derived, and what has to be asked for."""

from collections.abc import Callable, Mapping

import msgspec
import pytest

from google_drive_worker.domain.drive import FOLDER_MIME_TYPE, UnreadableItem
from google_drive_worker.domain.ids import ConnectionId, FileId
from google_drive_worker.domain.sharing import (
    UNSEEN,
    ItemSharing,
    Permission,
    PermissionDetail,
    PermissionSet,
    set_of,
)
from google_drive_worker.sync.sharing import (
    Finding,
    FoldersOfConnection,
    Found,
    KnownFolders,
    ListPermissions,
    Question,
    ReadSharings,
    below,
    digest_of,
    seen,
    sharings_of,
)
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, SkipItem

DRIVE = "drive"
ANN, BOB = "ann", "bob"
CONNECTION = ConnectionId("conn")


def permission(name: str, role: str = "writer", *details: PermissionDetail, view: str | None = None) -> Permission:
    """Somebody's permission."""
    return Permission(name, "user", role, view=view, permission_details=details)


def own(role: str = "writer") -> PermissionDetail:
    """What the item itself gives."""
    return PermissionDetail("file", role)


def inherited(role: str, source: str) -> PermissionDetail:
    """What a folder or drive above gives."""
    return PermissionDetail("file", role, True, FileId(source))


def item(
    name: str,
    parent: str = DRIVE,
    *ids: str,
    folder: bool = False,
    augmented: bool | None = False,
    limited: bool = False,
) -> ItemSharing:
    """An item of the drive as a page shows it."""
    return ItemSharing(
        id=FileId(name),
        mime_type=FOLDER_MIME_TYPE if folder else "text/plain",
        drive_id=DRIVE,  # type: ignore[arg-type]
        parents=(FileId(parent),),
        permission_ids=ids or (ANN,),
        has_augmented_permissions=augmented,
        inherited_permissions_disabled=limited or None,
    )


class Google:
    """Answers questions from what it was given, and keeps them."""

    def __init__(
        self,
        permissions: Mapping[str, tuple[Permission | UnreadableItem, ...] | SkipItem] | None = None,
        sharings: Mapping[str, ItemSharing | SkipItem] | None = None,
    ) -> None:
        members: dict[str, tuple[Permission | UnreadableItem, ...] | SkipItem] = {
            DRIVE: (permission(ANN, "organizer", own("organizer")),)
        }
        self.permissions = {**members, **(permissions or {})}
        self.sharings = sharings or {}
        self.asked: list[Question] = []

    def answer(self, finding: Finding) -> Found:
        """Answer until it knows."""
        try:
            question = next(finding)
            while True:
                self.asked.append(question)
                match question:
                    case ReadSharings(ids):
                        question = finding.send({each: self.sharings[each] for each in ids})
                    case ListPermissions(ids):
                        question = finding.send({each: self.permissions[each] for each in ids})
        except StopIteration as end:
            found: Found = end.value
            return found

    def find(self, *items: ItemSharing, known: FoldersOfConnection | None = None) -> dict[str, object]:
        """What is found of the items: each grantee with role and where it comes from, or why nothing is known."""
        found = self.answer(sharings_of(items, {DRIVE: None}, known or folders()))
        return {str(each): told(sharing) for each, sharing in found.items() if each != DRIVE}


def folders(limit: int = 100) -> FoldersOfConnection:
    """Nothing known yet."""
    return KnownFolders(limit).under(CONNECTION, "mark")


def told(found: PermissionSet | SkipItem) -> object:
    """A set of permissions in short."""
    if isinstance(found, SkipItem):
        return found.code
    if not found.is_visible:
        return "unseen"
    return {
        each.id: (each.role, *(detail.inherited_from or "own" for detail in each.permission_details))
        for each in found.permissions
    }


MEMBER = {ANN: ("organizer", DRIVE)}


def asked(*names: str) -> ListPermissions:
    """permissions.list of those."""
    return ListPermissions(tuple(map(FileId, names)))


def read(*names: str) -> ReadSharings:
    """files.get of those."""
    return ReadSharings(tuple(map(FileId, names)))


def test_the_members_of_the_drive_are_asked_once_for_all_of_a_page() -> None:
    """A folder on the page is known from the page itself, in whatever order it comes."""
    google = Google()
    found = google.find(item("a", "f"), item("f", folder=True), item("b"), item("c", "f"))
    assert found == dict.fromkeys(("a", "f", "b", "c"), MEMBER)
    assert google.asked == [asked(DRIVE)]


def test_a_folder_above_is_read_up_to_one_that_is_known() -> None:
    """And only once: the next page asks nothing at all."""
    google = Google(sharings={"g": item("g", "f", folder=True), "f": item("f", folder=True)})
    known = folders()
    assert google.find(item("a", "g"), known=known) == {"a": MEMBER}
    assert google.asked == [read("g"), read("f"), asked(DRIVE)]
    assert google.find(item("b", "g"), item("c", "f"), known=known) == {"b": MEMBER, "c": MEMBER}
    assert len(google.asked) == 3


def test_an_item_with_permissions_of_its_own_is_asked() -> None:
    """Also where Google does not say whether it has any."""
    shared = (permission(ANN, "organizer", inherited("organizer", DRIVE)), permission(BOB, "reader", own("reader")))
    for augmented in (True, None):
        google = Google({"a": shared})
        found = google.find(item("a", DRIVE, ANN, BOB, augmented=augmented), item("b"))
        assert found == {"a": {ANN: ("organizer", DRIVE), BOB: ("reader", "own")}, "b": MEMBER}
        assert google.asked == [asked("a", DRIVE)]


def test_with_an_item_that_is_asked_the_members_are_once_they_were_written() -> None:
    """What it inherits may be of others than were written: known or not, the answer is to show them."""
    google = Google(
        {"a": (permission(ANN, "organizer", inherited("organizer", DRIVE)), permission(BOB, "reader", own()))}
    )
    members = seen(google.permissions[DRIVE])
    assert isinstance(members, PermissionSet)
    known = folders()
    known.put(FileId(DRIVE), members)
    found = google.answer(sharings_of([item("a", augmented=True), item("b")], {DRIVE: digest_of(members)}, known))
    assert google.asked == [asked("a", DRIVE)]
    assert found[FileId(DRIVE)] == members


def test_members_that_changed_and_changed_back_between_two_questions_are_told() -> None:
    """An item was asked for while they were others: the later answer does not take that back."""
    members = (permission(ANN, "organizer", own("organizer")),)
    others = (*members, permission(BOB, "reader", own("reader")))
    page = [item("f", folder=True, augmented=True), item("c", "f", ANN, BOB)]
    finding = sharings_of(page, {DRIVE: digest_of(set_of(members))}, folders())
    assert next(finding) == asked("f", DRIVE)
    assert finding.send({FileId("f"): members, FileId(DRIVE): others}) == asked("c", DRIVE)
    with pytest.raises(StopIteration) as end:
        finding.send({FileId("c"): members, FileId(DRIVE): members})
    assert end.value.value[FileId(DRIVE)] == set_of(others)


def test_an_item_in_several_folders_is_asked() -> None:
    """As old files may be: each of the folders gives it something."""
    both = msgspec.structs.replace(item("a"), parents=(FileId("f"), FileId(DRIVE)))
    assert next(sharings_of([both], {DRIVE: None}, folders())) == asked("a")


def test_children_inherit_from_a_folder_that_had_to_be_asked() -> None:
    """What is the folder's own, comes from the folder."""
    shared = (permission(ANN, "organizer", inherited("organizer", DRIVE)), permission(BOB, "reader", own("reader")))
    google = Google({"f": shared})
    found = google.find(item("f", DRIVE, ANN, BOB, folder=True, augmented=True), item("a", "f", ANN, BOB))
    assert found["a"] == {ANN: ("organizer", DRIVE), BOB: ("reader", "f")}
    assert google.asked == [asked("f")]


def test_ids_that_differ_from_what_was_derived_are_asked() -> None:
    """Something is going on that the folders above don't tell."""
    surprise = (permission(BOB, "reader", own("reader")),)
    google = Google({"a": surprise})
    assert google.find(item("a", DRIVE, ANN, BOB)) == {"a": {BOB: ("reader", "own")}}
    assert google.asked == [asked(DRIVE), asked("a")]


def test_limited_access_ends_what_is_inherited() -> None:
    """The folder is asked, and who sees no more of it than that it is there, sees nothing of what is in it."""
    limited = (
        permission(ANN, "organizer", inherited("organizer", DRIVE)),
        permission(BOB, "reader", inherited("reader", DRIVE), view="metadata"),
    )
    google = Google({"f": limited})
    found = google.find(item("f", DRIVE, ANN, BOB, folder=True, limited=True), item("a", "f", ANN))
    assert found["f"] == {ANN: ("organizer", DRIVE), BOB: ("reader", DRIVE)}
    assert found["a"] == MEMBER


@pytest.mark.parametrize("answer", [SkipItem("no", http_status=403)])
def test_who_may_not_see_a_drives_members_sees_none_of_its_items_permissions(answer: SkipItem) -> None:
    """But those of an item that was shared with them otherwise; and nothing of it is an error."""
    google = Google({DRIVE: answer, "b": (permission(BOB, "writer", own()),)})
    found = google.find(item("a"), item("b", DRIVE, ANN, BOB, augmented=True))
    assert found == {"a": "unseen", "b": {BOB: ("writer", "own")}}


def test_an_item_that_cant_be_asked_spoils_no_other() -> None:
    """It is told why; what is below it is asked by itself."""
    google = Google({"f": SkipItem("broken", code="broken"), "a": (permission(BOB, "writer", own()),)})
    found = google.find(item("f", folder=True, augmented=True), item("a", "f"), item("b"))
    assert found == {"f": "broken", "a": {BOB: ("writer", "own")}, "b": MEMBER}


def test_a_folder_above_that_is_out_of_sight_has_its_children_asked() -> None:
    """Nothing can be derived from it."""
    google = Google({"a": (permission(BOB, "writer", own()),)}, {"f": NotFound("gone")})
    assert google.find(item("a", "f")) == {"a": {BOB: ("writer", "own")}}
    assert google.asked == [read("f"), asked("a")]


def test_folders_in_one_another_are_asked() -> None:
    """They were moved while the page and its parents were read."""
    circle = {"f": item("f", "g", folder=True), "g": item("g", "f", folder=True)}
    mine = (permission(ANN, "organizer", own("organizer")),)
    google = Google({"f": mine, "g": mine, "a": mine}, circle)
    assert set(google.find(item("a", "f"))) == {"a"}


def test_an_item_of_my_drive_brings_its_permissions_along() -> None:
    """Where none are shown, the account may not see them; where they can't be read, they are asked for."""
    google = Google({"c": (permission(BOB, "writer", own()),), "d": NotFound("not ours")})
    shown = msgspec.Raw(b'[{"id":"ann","type":"user","role":"owner"}]')
    found = google.find(
        ItemSharing(FileId("a"), permissions=shown),
        ItemSharing(FileId("b")),
        ItemSharing(FileId("c"), permissions=msgspec.Raw(b"7")),
        ItemSharing(FileId("d"), drive_id="elsewhere"),  # type: ignore[arg-type]
    )
    assert found == {"a": {ANN: ("owner",)}, "b": "unseen", "c": {BOB: ("writer", "own")}, "d": "not_found"}
    assert google.asked == [asked("c", "d")]


def test_a_list_that_can_not_all_be_read_is_kept_as_what_it_is() -> None:
    """Its readable permissions are found, and that it is not whole, for which it is asked for again later."""
    shown = msgspec.Raw(b'[{"id":"ann","type":"user","role":"owner"},{"type":"user","role":"reader"},{"id":"bob"}]')
    google = Google({})
    found = google.answer(sharings_of([ItemSharing(FileId("a"), permissions=shown)], {}, folders()))
    assert google.asked == []
    inline = found[FileId("a")]
    assert isinstance(inline, PermissionSet)
    assert (inline.ids, [each.id for each in inline.unreadable]) == ((ANN,), [None, BOB])


def test_nothing_is_derived_from_members_that_can_not_all_be_read() -> None:
    """Each child asks for itself, and the next page asks again."""
    members = (permission(ANN, "organizer", own("organizer")), UnreadableItem(None, "no id"))
    google = Google({DRIVE: members, "a": (permission(ANN, "organizer", inherited("organizer", DRIVE)),)})
    known = folders()
    for _ in range(2):
        assert google.find(item("a"), known=known) == {"a": MEMBER}
    assert google.asked == [asked(DRIVE), asked("a")] * 2


def test_what_is_passed_on_unchanged_is_the_same_set() -> None:
    """So that the records of a whole tree are made once."""
    members = set_of((permission(ANN, "organizer", own("organizer")),))
    passed = below(members, FileId(DRIVE))
    assert below(passed, FileId("f")) is passed
    assert below(UNSEEN, FileId("f")) is UNSEEN


def test_permissions_without_details_are_inherited_all_the_same() -> None:
    """A folder's children have them from the folder."""
    passed = below(set_of((permission(ANN, "reader"),)), FileId("f"))
    assert told(passed) == {ANN: ("reader", "f")}


def test_a_refusal_that_is_no_invisibility_stays_one() -> None:
    """Only 403 and 404 mean that the account may not see, but for a 403 that says to come again later."""
    assert seen(ItemUnavailable("its own quota", http_status=403)) != UNSEEN
    assert seen(SkipItem("flagged", http_status=400)) != UNSEEN
    assert seen(SkipItem("no", http_status=403)) == UNSEEN


def test_what_is_known_counts_under_its_mark_alone() -> None:
    """Under another one a folder may have changed; and what a fetch from before puts there is not seen after."""
    known = KnownFolders[PermissionSet]()
    before = known.under(CONNECTION, 1)
    before.put(FileId("f"), UNSEEN)
    assert known.under(CONNECTION, 1).get(FileId("f")) is UNSEEN
    after = known.under(CONNECTION, 2)
    before.put(FileId("g"), UNSEEN)
    assert after.get(FileId("f")) is None
    assert after.get(FileId("g")) is None
    assert known.under(ConnectionId("other"), 2).get(FileId("f")) is None


def test_the_least_recently_used_folders_are_forgotten() -> None:
    """Memory is bounded, whatever the size of a drive, and what is forgotten is asked for anew."""
    known = KnownFolders[PermissionSet](limit=2)
    view = known.under(CONNECTION, 1)
    look: Callable[[str], PermissionSet | None] = lambda name: view.get(FileId(name))  # noqa: E731
    view.put(FileId("a"), UNSEEN)
    view.put(FileId("b"), UNSEEN)
    assert look("a") is UNSEEN
    view.put(FileId("c"), UNSEEN)
    assert (look("a"), look("b"), look("c")) == (UNSEEN, None, UNSEEN)
    assert len(known) == 2


def test_a_page_of_more_folders_than_are_known_at_a_time_is_found_all_the_same() -> None:
    """What one page needs is kept for it."""
    names = [f"f{number}" for number in range(20)]
    google = Google(sharings={name: item(name, folder=True) for name in names})
    found = google.find(*(item(f"in {name}", name) for name in names), known=folders(limit=3))
    assert found == {f"in {name}": MEMBER for name in names}
