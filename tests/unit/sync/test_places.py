"""Where items are: in scope or out of it, and the paths of folders."""

from collections.abc import Mapping

from google_drive_worker.domain.drive import ChangesPage, FilesPage
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.sharing import ItemSharing
from google_drive_worker.sync.checkpoint import Scope
from google_drive_worker.sync.items import NOWHERE, Places
from google_drive_worker.sync.places import KnownPlaces, Place, places_of
from google_drive_worker.sync.sharing import KnownFolders, ReadSharings
from google_drive_worker.utils.errors import ItemUnavailable, NotFound, SkipItem
from support.syncs import CONNECTION, changed, changes_page, file, files_page, folder, ids

FOLDERS = {
    "root": ItemSharing(FileId("r"), "My Drive", "application/vnd.google-apps.folder"),
    "a": ItemSharing(FileId("a"), "A/B", "application/vnd.google-apps.folder", parents=(FileId("r"),)),
    "b": ItemSharing(FileId("b"), "B", "application/vnd.google-apps.folder", parents=(FileId("a"),)),
    "lost": ItemSharing(FileId("lost"), "Shared", "application/vnd.google-apps.folder"),
}


def named(item_id: str, name: str, **fields: object) -> dict[str, object]:
    """A folder of that name."""
    return {**folder(item_id, **fields), "name": name}


class Google:
    """Knows those folders, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[FileId, ...]] = []
        self.broken: set[str] = set()
        self.known: KnownPlaces = KnownFolders[Place]().under(CONNECTION, "mark")

    def find(self, answer: FilesPage | ChangesPage, scope: Scope, drives: tuple[str, ...] = ()) -> Places:
        """Answer the questions, until the places are found."""
        finding = places_of(answer, scope, drives, self.known)
        try:
            question = next(finding)
            while True:
                assert isinstance(question, ReadSharings)
                self.asked.append(question.file_ids)
                answers: Mapping[FileId, ItemSharing | SkipItem] = {
                    each: ItemUnavailable("503") if each in self.broken else FOLDERS.get(each, NotFound("gone"))
                    for each in question.file_ids
                }
                question = finding.send(answers)
        except StopIteration as end:
            found: Places = end.value
        return found


def test_a_page_without_folders_asks_nothing() -> None:
    """Paths are folders' alone."""
    google = Google()
    assert google.find(files_page(file("x", parents=["b"])), Scope(paths=True)) is NOWHERE
    assert google.asked == []


def test_a_path_is_the_names_from_the_top_and_each_folder_is_read_once() -> None:
    """A name may hold a slash: a path is a list."""
    google = Google()
    page = files_page(named("c", "C", parents=["b"]), named("d", "D", parents=["c"]), file("x"))
    for _ in range(2):
        places = google.find(page, Scope(paths=True))
        assert places.paths == {"c": ("A/B", "B", "C"), "d": ("A/B", "B", "C", "D")}
        assert google.asked == [("root",), ("b",), ("a",)]


def test_a_folder_below_something_that_is_not_seen_has_no_path() -> None:
    """Nor has one that is shared by itself; the top of a shared drive is the drive."""
    google = Google()
    page = files_page(
        folder("c", parents=["hidden"]),
        folder("d"),
        folder("e", parents=["lost"]),
        named("f", "F", parents=["drive"], driveId="drive"),
        named("r", "My Drive"),
    )
    assert google.find(page, Scope(paths=True)).paths == {"f": ("F",), "r": ()}


def test_what_is_not_below_the_scopes_folders_is_outside() -> None:
    """Whatever drive it is in; of the types that are left out nothing is inside, but folders."""
    google = Google()
    scope = Scope(folder_ids=(FileId("a"),), exclude_mime_types=("image/png", "application/vnd.google-apps.folder"))
    page = files_page(
        file("in", parents=["b"]),
        file("out", parents=["r"]),
        file("picture", parents=["b"], mimeType="image/png"),
        folder("a", parents=["r"]),
        folder("deep", parents=["b"]),
        file("elsewhere", parents=["hidden"], driveId="drive"),
        file("nowhere"),
    )
    assert google.find(page, scope).outside == {"out", "picture", "elsewhere", "nowhere"}


def test_an_item_in_several_folders_is_inside_where_any_of_them_is() -> None:
    """Items from before September 2020 may be; the folders above may be in several as well."""
    google = Google()
    scope = Scope(folder_ids=(FileId("a"),))
    page = files_page(
        file("one", parents=["hidden", "b"]),
        file("other", parents=["r", "hidden"]),
        folder("f", parents=["hidden", "b"]),
        file("below", parents=["f"]),
    )
    assert google.find(page, scope).outside == {"other"}


def test_a_path_goes_over_the_first_folder_that_is_seen() -> None:
    """The others are not told."""
    page = files_page(named("c", "C", parents=["hidden", "b", "a"]), named("d", "D", parents=["hidden", "r"]))
    assert Google().find(page, Scope(paths=True)).paths == {"c": ("A/B", "B", "C"), "d": ("D",)}


def test_folders_in_one_another_end_the_search() -> None:
    """They were moved while they were read."""
    page = files_page(folder("x", parents=["y"]), folder("y", parents=["x"]))
    places = Google().find(page, Scope(folder_ids=(FileId("a"),), paths=True))
    assert places.outside == {"x", "y"}
    assert places.paths == {}
    assert Google().find(page, Scope(paths=True)).paths == {}


def test_what_is_below_a_folder_that_can_not_be_had_is_in_question() -> None:
    """Whether it is not found or not served. It is asked for again each time, and so is the top."""
    google, scope = Google(), Scope(folder_ids=(FileId("a"),), paths=True)
    page = files_page(file("x", parents=["b"]), file("y", parents=["hidden"]), file("z", parents=["r"]))
    google.broken = {"b"}
    places = google.find(page, scope)
    assert places.outside == {"x", "y", "z"}
    assert places.unsure == {"x", "y"}
    assert places.unread == {"x"}
    google.broken = set()
    assert google.find(page, scope).outside == {"y", "z"}
    other, named_top = Google(), Scope(folder_ids=(FileId("root"),))
    other.broken = {"root"}
    places = other.find(page, named_top)
    assert places.unread == {"x", "y", "z"}
    assert places.hidden[FileId("root")] is False
    assert places.hidden[FileId("hidden")] is True
    assert other.find(page, Scope(folder_ids=(FileId("a"),))).unread == set()  # it says nothing of those
    other.broken = set()
    assert other.find(page, named_top).outside == {"y"}


def test_a_folder_below_one_that_can_not_be_had_has_no_path_for_now() -> None:
    """One that is shared by itself never has one."""
    page = files_page(folder("c", parents=["hidden"]), folder("d"), named("e", "E", parents=["b"]))
    google = Google()
    assert google.find(page, Scope(paths=True)).pathless == {"c"}
    google = Google()
    google.broken = {"root"}
    places = google.find(page, Scope(paths=True))
    assert places.paths == {}
    assert places.pathless == {"c", "d", "e"}


def test_named_drives_are_all_that_is_inside() -> None:
    """My Drive is one of them where it is named; of a drive that the account is no member of nothing is."""
    google = Google()
    page = files_page(file("mine"), file("x", driveId="one"), file("y", driveId="two"))
    drives = ("one", "two")
    assert google.find(page, Scope(drive_ids=("one",)), drives).outside == {"mine", "y"}
    assert google.find(page, Scope(drive_ids=("one", "root")), drives).outside == {"y"}
    both = Scope(drive_ids=("one",), folder_ids=(FileId("y"),))
    assert google.find(page, both, drives).outside == {"mine"}
    assert google.find(page, Scope(drive_ids=("one", "root"))).outside == {"x", "y"}


def test_all_of_my_drive_may_be_named_by_its_alias() -> None:
    """Google takes `root` for an id everywhere."""
    google = Google()
    page = files_page(file("mine", parents=["b"]), file("other", parents=["lost"]))
    assert google.find(page, Scope(folder_ids=(FileId("root"),))).outside == {"other"}
    told = google.find(changes_page(changed(folder("x", parents=["lost"]))), Scope(folder_ids=(FileId("root"),)))
    assert told == Places(frozenset(ids("x")))


def test_what_happens_to_a_folder_above_a_chosen_one_reaches_it() -> None:
    """A log names the upper one alone, which is itself out of scope."""
    google = Google()
    scope = Scope(folder_ids=(FileId("b"), FileId("lost")))
    assert google.find(changes_page(changed(named("a", "New", parents=["r"]))), scope).roots == ("b",)
    assert google.find(changes_page(changed(folder("c", parents=["b"]))), scope).roots == ()


def test_a_page_that_tells_of_a_folder_goes_by_nothing_known_before() -> None:
    """It may have moved what was known, and what is read now may be older than what is on its way."""
    google = Google()
    google.known.put(FileId("b"), Place("Old", ids("r")))
    google.known.put(FileId("root"), Place(parents=ids("r")))
    places = google.find(changes_page(changed(named("c", "C", parents=["b"]))), Scope(paths=True))
    assert places.paths == {"c": ("A/B", "B", "C")}
    assert google.known.get(FileId("b")) == Place("Old", ids("r"))
