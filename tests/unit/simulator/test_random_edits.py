"""Thousands of random calls: nothing breaks, nothing differs from Google's document, and the change logs keep step.

A mirror that was listed once and then follows the change logs has to show what a fresh listing shows.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from drive_simulator.model.world import World
from support.direct import Direct
from support.simulators import unserved

FOLDER = "application/vnd.google-apps.folder"
TYPES = (FOLDER, FOLDER, "text/plain", "application/vnd.google-apps.document", "application/pdf")
USERS = ("a@example.com", "b@example.com", "c@example.org")
ALL = {"supportsAllDrives": True, "includeItemsFromAllDrives": True}
# `trashed` is left out: what a trashed folder holds is trashed without an entry of its own.
FILE = "id,name,mimeType,parents,explicitlyTrashed,driveId,modifiedTime,version"


@dataclass
class Mirror:
    """What somebody knows of one corpus: a first listing, and the changes since."""

    direct: Direct
    listing: dict[str, object]
    log: dict[str, object]
    token: str = ""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def begin(self) -> None:
        """Take the token, then list."""
        scope = {name: value for name, value in self.log.items() if name in {"driveId", "supportsAllDrives"}}
        self.token = self.direct.ok("GET", "changes/startPageToken", **scope)["startPageToken"]
        self.files = self.listed()

    def listed(self) -> dict[str, dict[str, Any]]:
        """What a fresh listing shows."""
        found = self.direct.pages("files", "files", fields=f"nextPageToken,files({FILE})", pageSize=7, **self.listing)
        assert len(found) == len({file["id"] for file in found})
        return {file["id"]: file for file in found}

    def follow(self) -> None:
        """Apply the changes since the last time."""
        mask = f"nextPageToken,newStartPageToken,changes(changeType,fileId,removed,file({FILE}))"
        changes, self.token = self.direct.changes(self.token, fields=mask, pageSize=5, **self.log)
        for change in changes:
            if change["changeType"] != "file":
                continue
            if change["removed"]:
                self.files.pop(change["fileId"], None)
            else:
                self.take(change["file"])

    def take(self, file: dict[str, Any]) -> None:
        """Keep a file; a folder that was not known, or not in this drive, is listed: its content has no entries."""
        known = self.files.get(file["id"])
        new = known is None or known.get("driveId") != file.get("driveId")
        self.files[file["id"]] = file
        if new and file["mimeType"] == FOLDER:
            query = {**self.listing, "q": f"'{file['id']}' in parents"}
            for child in self.direct.pages("files", "files", fields=f"nextPageToken,files({FILE})", **query):
                self.take(child)


class Editor:
    """Does one random thing after another; a refusal is as good as any answer, an error of ours is not."""

    def __init__(self, directs: list[Direct], drives: list[str], seed: int) -> None:
        self.die = random.Random(seed)  # noqa: S311 - a test
        self.directs = directs
        self.folders = list(drives)
        self.files: list[str] = []
        self.statuses: dict[int, int] = {}

    def step(self) -> None:
        """One edit."""
        direct = self.die.choice(self.directs)
        edits = [self.create, self.rename, self.rename, self.move, self.trash, self.delete, self.copy, self.share]
        edit = self.die.choice(edits)
        status = edit(direct)
        assert status < 500
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def create(self, direct: Direct) -> int:
        """A new file or folder somewhere."""
        body: dict[str, object] = {"name": f"n{self.die.random()}", "mimeType": self.die.choice(TYPES)}
        if self.folders and self.die.random() < 0.8:
            body["parents"] = [self.die.choice(self.folders)]
        status, answer = direct.call("POST", "files", body, supportsAllDrives=True, fields="*")
        if status == 200:
            self.files.append(answer["id"])
            if answer["mimeType"] == FOLDER:
                self.folders.append(answer["id"])
        return status

    def rename(self, direct: Direct) -> int:
        """Another name."""
        return self.patch(direct, {"name": f"renamed {self.die.random()}", "starred": self.die.random() < 0.5})

    def move(self, direct: Direct) -> int:
        """Another folder, maybe in another drive."""
        target = self.die.choice(self.folders) if self.folders else "root"
        return self.patch(direct, {}, addParents=target)

    def trash(self, direct: Direct) -> int:
        """Into the trash, or out of it."""
        return self.patch(direct, {"trashed": self.die.random() < 0.6})

    def patch(self, direct: Direct, body: dict[str, object], **query: object) -> int:
        """files.update of a file at random."""
        file_id = self.die.choice(self.files) if self.files else "none"
        return direct.call("PATCH", f"files/{file_id}", body, supportsAllDrives=True, fields="*", **query)[0]

    def delete(self, direct: Direct) -> int:
        """Gone for good, with what it holds."""
        file_id = self.die.choice(self.files) if self.files else "none"
        status = direct.call("DELETE", f"files/{file_id}", supportsAllDrives=True)[0]
        if status == 204:
            self.files = [each for each in self.files if self.exists(each)]
            self.folders = [each for each in self.folders if self.exists(each)]
        return status

    def exists(self, file_id: str) -> bool:
        """Whether anybody can still see it."""
        return any(direct.call("GET", f"files/{file_id}", supportsAllDrives=True)[0] == 200 for direct in self.directs)

    def share(self, direct: Direct) -> int:
        """A file or folder given to another user, or taken back."""
        file_id = self.die.choice(self.files) if self.files else "none"
        path = f"files/{file_id}/permissions"
        _, answer = direct.call("GET", path, supportsAllDrives=True)
        given = [each["id"] for each in (answer or {}).get("permissions", ()) if each["role"] == "reader"]
        if given:
            return direct.call("DELETE", f"{path}/{given[0]}", supportsAllDrives=True)[0]
        body = {"type": "user", "role": "reader", "emailAddress": self.die.choice(USERS)}
        return direct.call("POST", path, body, supportsAllDrives=True, fields="*")[0]

    def copy(self, direct: Direct) -> int:
        """A copy beside it."""
        file_id = self.die.choice(self.files) if self.files else "none"
        status, answer = direct.call("POST", f"files/{file_id}/copy", {}, supportsAllDrives=True, fields="*")
        if status == 200:
            self.files.append(answer["id"])
        return status


@pytest.mark.parametrize("seed", range(8))
def test_change_logs_keep_step_with_listings(seed: int) -> None:
    """My Drive, all that a user sees, and each shared drive: following the log equals listing anew."""
    world = World(seed=seed)
    for user in USERS:
        world.add_user(user)
    with unserved(world, seed=seed) as simulator:
        directs = [Direct(simulator, user) for user in USERS]
        drives = [directs[n].ok("POST", "drives", {"name": f"d{n}"}, requestId=f"r{n}")["id"] for n in range(2)]
        for n in range(2):
            body = {"type": "user", "role": "organizer", "emailAddress": USERS[2]}
            directs[n].ok("POST", f"files/{drives[n]}/permissions", body, supportsAllDrives=True)
        editor = Editor(directs, drives, seed)
        for _ in range(60):
            editor.step()
        mirrors = mirrors_of(directs, drives)
        for mirror in mirrors:
            mirror.begin()
        for _ in range(8):
            for _ in range(25):
                editor.step()
            for mirror in mirrors:
                mirror.follow()
                assert mirror.files == mirror.listed(), (mirror.direct.user, mirror.listing)
        assert editor.statuses[200] > 30


def mirrors_of(directs: list[Direct], drives: list[str]) -> list[Mirror]:
    """Every user's own corpus, the third user's both drives, and all that the third user sees."""
    own = [Mirror(direct, {}, {}) for direct in directs]
    scopes = [{"driveId": drive, **ALL} for drive in drives]
    shared = [Mirror(directs[2], {"corpora": "drive", **scope}, dict(scope)) for scope in scopes]
    return [*own, *shared, Mirror(directs[2], {"corpora": "allDrives", **ALL}, dict(ALL))]
