"""The change logs say enough: a reader who listens well ends with what the truth says."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import cast

import pytest

from drive_simulator.api.errors import ApiError
from drive_simulator.api.listing import ListingRules
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import MORE_KINDS, Edit, Editor, random_edits
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.items import FOLDER, User
from drive_simulator.model.world import World
from drive_simulator.truth.items import visible_drives, visible_items

File = dict[str, object]

_FIELDS = "id,name,mimeType,parents,driveId,trashed,version"


class Mirror:
    """A reader of one user's Drive: lists once, then follows the logs. It keeps what is not in the trash."""

    def __init__(self, world: World, user: User) -> None:
        self._editor = Editor(world, rules=ListingRules(short_page_probability=0.3))
        self._user = user
        self.files: dict[str, File] = {}
        self.drives: dict[str, File] = {}
        self._tokens: dict[str | None, str] = {}

    def list_all(self, between_pages: Callable[[], object]) -> None:
        """Start tokens first, then every listing."""
        drives = [cast(str, drive["id"]) for drive in self._pages("drives", "drives", {"pageSize": "2"})]
        for drive_id in (None, *drives):
            self._tokens[drive_id] = self._start_token(drive_id)
        for drive_id in (None, *drives):
            if drive_id is None or self._is_member(drive_id):
                self._list_or_drop(drive_id, between_pages)

    def catch_up(self) -> None:
        """Read every log to its end, the user's own first: it says which drives were joined and left."""
        self._read_log(None)
        for drive_id in [each for each in self._tokens if each is not None]:
            self._read_log(drive_id)

    def _list_or_drop(self, drive_id: str | None, between_pages: Callable[[], object]) -> None:
        try:
            self._list_corpus(drive_id, between_pages)
        except ApiError as error:
            # The drive was left between two pages; its change in the user's log says the same.
            if drive_id is None or error.status != 404:
                raise
            self._drop_drive(drive_id)

    def _list_corpus(self, drive_id: str | None, between_pages: Callable[[], object]) -> None:
        # Trash is asked for as well: a folder that is trashed before it is listed has children that were listed.
        query = {"pageSize": "50", **_corpus(drive_id)}
        if drive_id is not None:
            self.drives[drive_id] = self._get(f"drives/{drive_id}", {})
        for file in self._pages("files", "files", query, between_pages):
            # The user's corpus has some items of the user's drives as well: the drive's own listing has them all.
            if file["trashed"]:
                self._drop_tree(cast(str, file["id"]))
            elif drive_id is not None or file.get("driveId", "") not in self._tokens:
                self.files[cast(str, file["id"])] = file

    def _list_below(self, folder_id: str) -> None:
        query = {"q": f"'{folder_id}' in parents and trashed=false", "corpora": "user", **_ALL}
        for file in list(self._pages("files", "files", query)):
            self.files[cast(str, file["id"])] = file
            if file["mimeType"] == FOLDER:
                self._list_below(cast(str, file["id"]))

    def _read_log(self, drive_id: str | None) -> None:
        query: dict[str, str] = {"pageToken": self._tokens[drive_id], "pageSize": "20", **_ALL}
        if drive_id is not None:
            query["driveId"] = drive_id
        fields = f"nextPageToken,newStartPageToken,changes(changeType,removed,fileId,driveId,file({_FIELDS}))"
        while True:
            page = self._get("changes", {**query, "fields": fields})
            for change in cast(list[File], page["changes"]):
                self._apply(change, drive_id)
            if "nextPageToken" not in page:
                self._tokens[drive_id] = cast(str, page["newStartPageToken"])
                return
            query["pageToken"] = cast(str, page["nextPageToken"])

    def _apply(self, change: File, log: str | None) -> None:
        if change["changeType"] == "drive":
            self._apply_drive(cast(str, change["driveId"]), removed=cast(bool, change["removed"]))
            return
        file_id = cast(str, change["fileId"])
        file = cast(File | None, change.get("file"))
        if file is None:
            kept = self.files.get(file_id)
            # A shared drive's log speaks for that drive alone: the item may live on elsewhere.
            if kept is not None and (log is None or kept.get("driveId") == log):
                del self.files[file_id]
        elif file["trashed"]:
            self._drop_tree(file_id)
            self._drop_trashed_orphans()
        elif file_id not in {self._user.root.id, file.get("driveId")}:
            self.files[file_id] = file
            if file["mimeType"] == FOLDER:
                self._list_below(file_id)

    def _apply_drive(self, drive_id: str, *, removed: bool) -> None:
        if removed:
            self._drop_drive(drive_id)
        elif self._is_member(drive_id):
            self._drop_drive(drive_id)
            self._tokens[drive_id] = self._start_token(drive_id)
            self._list_corpus(drive_id, lambda: None)

    def _drop_drive(self, drive_id: str) -> None:
        self.drives.pop(drive_id, None)
        self._tokens.pop(drive_id, None)
        self.files = {each: file for each, file in self.files.items() if file.get("driveId") != drive_id}

    def _drop_tree(self, file_id: str) -> None:
        self.files.pop(file_id, None)
        below = [each for each, file in self.files.items() if file_id in cast(list[str], file.get("parents") or [])]
        for each in below:
            self._drop_tree(each)

    def _drop_trashed_orphans(self) -> None:
        """A folder that was shared and trashed between two readings has one entry: the items that were known without
        it are looked up."""
        for file_id in [each for each, file in self.files.items() if not file.get("parents")]:
            with suppress(ApiError):  # what is gone has a later entry
                if self._get(f"files/{file_id}", {"supportsAllDrives": "true", "fields": _FIELDS})["trashed"]:
                    self._drop_tree(file_id)

    def _is_member(self, drive_id: str) -> bool:
        return drive_id in {drive["id"] for drive in self._pages("drives", "drives", {})}

    def _start_token(self, drive_id: str | None) -> str:
        query = {} if drive_id is None else {"driveId": drive_id, "supportsAllDrives": "true"}
        return cast(str, self._get("changes/startPageToken", query)["startPageToken"])

    def _pages(
        self, path: str, name: str, query: dict[str, str], between_pages: Callable[[], object] | None = None
    ) -> Iterator[File]:
        fields = f"nextPageToken,files({_FIELDS})" if name == "files" else "*"
        query = {**query, "fields": fields}
        while True:
            page = self._get(path, query)
            yield from cast(list[File], page[name])
            if "nextPageToken" not in page:
                return
            query["pageToken"] = cast(str, page["nextPageToken"])
            if between_pages is not None:
                between_pages()

    def _get(self, path: str, query: dict[str, str]) -> File:
        return dict(self._editor.make(Edit("read", self._user.email, "GET", path, query)))


_ALL = {"includeItemsFromAllDrives": "true", "supportsAllDrives": "true"}


def _corpus(drive_id: str | None) -> dict[str, str]:
    return {"corpora": "user", **_ALL} if drive_id is None else {"corpora": "drive", "driveId": drive_id, **_ALL}


def _assert_equal(mirror: Mirror, world: World, user: User) -> None:
    truth = visible_items(world, user)
    assert set(mirror.files) == set(truth)
    for file_id, file in mirror.files.items():
        expected = truth[file_id]
        for name in ("name", "driveId"):
            assert file.get(name) == expected.get(name), (file, expected)
        assert file.get("parents") == expected.get("parents"), (file, expected)
    assert set(mirror.drives) == set(visible_drives(world, user))


@pytest.mark.parametrize("seed", range(6))
def test_a_mirror_follows_every_edit_also_during_the_listing(seed: int) -> None:
    """Whatever is created, moved, shared, trashed or left while somebody lists ends in their mirror."""
    world = generate(CorpusPlan(files=400, shared_drives=4, users=3, seed=seed), clock=ManualClock())
    rng = random.Random(seed)  # noqa: S311 - random edits
    mirrors = [(Mirror(world, user), user) for user in list(world.users.values())]
    for mirror, _ in mirrors:
        mirror.list_all(lambda: random_edits(world, rng, 15))
    for _ in range(4):
        random_edits(world, rng, 60)
        for mirror, user in mirrors:
            mirror.catch_up()
            _assert_equal(mirror, world, user)


@pytest.mark.parametrize("seed", range(6))
def test_a_mirror_follows_limits_and_ends_of_sharing_too(seed: int) -> None:
    """Folders that get limited access, roles that change and permissions that expire end in every mirror."""
    clock = ManualClock()
    world = generate(CorpusPlan(files=300, shared_drives=3, users=4, seed=seed, sharing=10), clock=clock)
    rng = random.Random(seed)  # noqa: S311 - random edits
    mirrors = [(Mirror(world, user), user) for user in list(world.users.values())]
    for mirror, _ in mirrors:
        mirror.list_all(lambda: random_edits(world, rng, 10, also=MORE_KINDS))
    for _ in range(6):
        kinds = random_edits(world, rng, 60, also=MORE_KINDS)
        assert sum(kinds.values()) == 60
        clock.advance(4 * 24 * 3600)
        for mirror, user in mirrors:
            mirror.catch_up()
            _assert_equal(mirror, world, user)


def test_every_kind_of_edit_is_made_and_allowed() -> None:
    """Among two thousand edits each kind comes up, and none is refused."""
    world = generate(CorpusPlan(files=300, shared_drives=3, users=4), clock=ManualClock())
    kinds = random_edits(world, random.Random(1), 2_000, also=MORE_KINDS)  # noqa: S311 - random edits
    expected = {"limit", "unlimit", "change_role", "expire", "link", "comment", "reply", "resolve", "reopen", "reword"}
    expected |= {"label", "delete_comment", "old_content", "publish_revision", "keep_revision", "purge_revision"}
    assert expected <= set(kinds)


def test_the_listings_hold_what_the_grants_say() -> None:
    """After a thousand edits each user's listing is exactly what the grants give them, once each."""
    world = generate(CorpusPlan(files=300, shared_drives=3, users=4), clock=ManualClock())
    random_edits(world, random.Random(5), 1_000, also=MORE_KINDS)  # noqa: S311
    for user in world.users.values():
        listed = [item.id for item in user.index]
        mine = {
            item.id
            for item in world.items.values()
            if item.parent is not None
            and item.is_reader(user.email)
            and not (item.drive and user in item.drive.members)
        }
        assert len(listed) == len(set(listed))
        assert {each for each in listed if not _as_member(world, each, user)} == mine


def _as_member(world: World, item_id: str, user: User) -> bool:
    drive = world.items[item_id].drive
    return drive is not None and user in drive.members
