"""Odd shapes that exist on Drive: some of each in a generated corpus, and how each is shown, found and followed."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import cast

import aiohttp
import pytest

from drive_simulator.api.errors import ApiError
from drive_simulator.api.listing import Lister, Listing, ListingRules
from drive_simulator.api.resources import file_resource
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.corpus.shapes import NO_SHAPES, Shapes
from drive_simulator.edits.random_edits import Edit, Editor
from drive_simulator.model.clock import ManualClock
from drive_simulator.model.content import checksums, read
from drive_simulator.model.item_changes import create, delete, move, replace_content, set_trashed
from drive_simulator.model.items import ENCRYPTED, THIRD_PARTY, Grant, Item, User
from drive_simulator.model.parents import add_parent
from drive_simulator.model.shared_drives import create_drive
from drive_simulator.model.sharing import remove_grant, share
from drive_simulator.model.world import World
from drive_simulator.truth.items import visible_contents, visible_items, visible_permissions, visible_revisions
from support.simulators import serving
from support.worlds import Stage

_ENCRYPTED_PDF = f'{ENCRYPTED}; content="application/pdf"'


@pytest.fixture
def stage() -> Stage:
    """Alice and Bob with empty Drives."""
    return Stage()


def _listed(world: World, user: User, q: str | None = None) -> list[str]:
    lister = Lister(world, ListingRules())
    page = lister.page(user, Listing(q=q, page_size=1_000), None)
    assert page.next_token is None
    return [item.id for item in page.items]


def _tree(world: World) -> list[tuple[object, ...]]:
    return [
        (item.id, item.name, item.created_ms, item.modified_ms, item.owner is None) for item in world.items.values()
    ]


def _of_shape(world: World) -> Mapping[str, list[Item]]:
    items = [item for item in world.items.values() if item.parent is not None]
    return {
        "third_party": [item for item in items if item.mime_type.startswith(THIRD_PARTY)],
        "encrypted": [item for item in items if item.mime_type.startswith(ENCRYPTED)],
        "without_checksums": [item for item in items if item.rare("no_checksums")],
        "several_parents": [item for item in items if item.more_parents],
        "several_owners": [item for item in items if len(item.owners) > 1],
        "orphaned": [item for item in items if item.parent is world.nowhere],
        "deleted_grantees": [item for item in items if any(grant.is_of_deleted for grant in item.grants or ())],
    }


@pytest.mark.parametrize("seed", range(3))
def test_a_corpus_has_some_of_each_shape(seed: int) -> None:
    """Each shape that is documented or was reported is in a corpus of usual size, and rare in it."""
    world = generate(CorpusPlan(files=2_000, seed=seed), clock=ManualClock())
    counts = {name: len(found) for name, found in _of_shape(world).items()}
    assert counts.keys() == {each.name for each in fields(Shapes)}
    assert all(1 <= count <= 20 for count in counts.values()), counts


@pytest.mark.parametrize("shape", [each.name for each in fields(Shapes)])
def test_a_shape_leaves_the_rest_of_a_corpus(shape: str) -> None:
    """Shapes have dice of their own: no item comes, goes or changes its id, name or times by them."""
    plan = CorpusPlan(files=300, shapes=NO_SHAPES)
    plain = generate(plan, clock=ManualClock())
    shaped = generate(replace(plan, shapes=replace(NO_SHAPES, **{shape: 0.2})), clock=ManualClock())
    assert _tree(plain) == _tree(shaped)
    assert not any(_of_shape(plain).values())
    assert [name for name, found in _of_shape(shaped).items() if found] == [shape]


def test_the_same_seed_gives_the_same_shapes() -> None:
    """A corpus is the same each time, shapes and all."""
    once, again = (generate(CorpusPlan(files=500, seed=4), clock=ManualClock()) for _ in range(2))
    for one, other in zip(once.users.values(), again.users.values(), strict=True):
        assert visible_items(once, one) == visible_items(again, other)
        assert visible_permissions(once, one) == visible_permissions(again, other)


def test_third_party_shortcuts_have_no_bytes(stage: Stage) -> None:
    """A shortcut to another application's content can't be downloaded. Documented in "Third-party shortcuts".

    That it has neither revisions nor comments is assumed.
    """
    item = create(stage.world, stage.alice, "Board", f"{THIRD_PARTY}.1234")
    resource = file_resource(item, stage.alice)
    assert not {"size", "md5Checksum", "headRevisionId", "exportLinks", "webContentLink"} & resource.keys()
    assert cast(Mapping[str, bool], resource["capabilities"])["canDownload"] is False
    with pytest.raises(ApiError) as refused:
        Editor(stage.world).make(Edit("read", stage.alice.email, "GET", f"files/{item.id}", {"alt": "media"}))
    assert (refused.value.status, refused.value.reason) == (403, "fileNotDownloadable")
    assert visible_contents(stage.world, stage.alice, {})[item.id].status == "not_exportable"
    assert visible_revisions(stage.world, stage.alice) == {}
    with pytest.raises(ApiError):
        Editor(stage.world).make(Edit("read", stage.alice.email, "GET", f"files/{item.id}/revisions"))


def test_encrypted_files_say_how(stage: Stage) -> None:
    """A client-side encrypted file is a blob with the type of what it holds, and `clientEncryptionDetails`.

    Documented in "Handle client-side encrypted files"; seen in the sources of ChromeOS: the form of its MIME type.
    """
    item = create(stage.world, stage.alice, "secret.pdf", _ENCRYPTED_PDF, content=b"cipher")
    shown = file_resource(item, stage.alice)
    details = cast(Mapping[str, object], shown["clientEncryptionDetails"])
    assert (shown["mimeType"], shown["size"]) == (_ENCRYPTED_PDF, "6")
    assert details["encryptionState"] == "encrypted"
    assert {"wrappedKey", "kaclsId", "jwt"} <= cast(Mapping[str, str], details["decryptionMetadata"]).keys()
    assert _listed(stage.world, stage.alice, f"mimeType contains '{ENCRYPTED}'") == [item.id]
    assert "clientEncryptionDetails" not in file_resource(stage.file(), stage.alice)


async def test_encrypted_files_are_served_as_they_are(stage: Stage) -> None:
    """A download of an encrypted file is its ciphertext. Documented in "Handle client-side encrypted files"."""
    item = create(stage.world, stage.alice, "secret.pdf", _ENCRYPTED_PDF, content=b"cipher")
    async with serving(stage.world) as simulator, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {simulator.tokens.issue_access_token(stage.alice.email)}"}
        for target in (f"/files/{item.id}?fields=*", f"/files/{item.id}?alt=media"):
            async with session.get(simulator.base_url + target, headers=headers) as response:
                assert response.status == 200
                body = await response.read()
        assert body == b"cipher"


def test_some_blobs_have_no_checksums(stage: Stage) -> None:
    """A blob may come without checksums, "if available" in the File schema; new bytes have them (assumed)."""
    item = stage.file("old.txt")
    item.set_rare("no_checksums", True)
    shown = file_resource(item, stage.alice)
    names = {"md5Checksum", "sha1Checksum", "sha256Checksum"}
    assert not names & shown.keys()
    assert {"size", "headRevisionId"} <= shown.keys()
    assert visible_contents(stage.world, stage.alice, {})[item.id].sha256 == checksums(item)[2]
    replace_content(stage.world, item, stage.alice, content=b"new")
    assert names <= file_resource(item, stage.alice).keys()
    assert read(item) == b"new"


def test_old_files_lie_in_several_folders(stage: Stage) -> None:
    """`parents` names every folder, and a query by any of them finds the file, once. Documented for old files."""
    first, second, third = (stage.folder(name) for name in ("first", "second", "third"))
    file = stage.file(parent=first)
    add_parent(file, second)
    add_parent(file, third)
    assert file_resource(file, stage.alice)["parents"] == [first.id, second.id, third.id]
    for folder in (first, second, third):
        assert _listed(stage.world, stage.alice, f"'{folder.id}' in parents") == [file.id]
    either = f"'{third.id}' in parents or '{second.id}' in parents or '{first.id}' in parents"
    assert _listed(stage.world, stage.alice, either) == [file.id]
    assert _listed(stage.world, stage.alice, f"'{third.id}' in parents or '{second.id}' in parents") == [file.id]
    assert _listed(stage.world, stage.alice).count(file.id) == 1


def test_only_parents_in_sight_are_named(stage: Stage) -> None:
    """Who sees one folder of an old file and not the other is told of that one, as of single parents."""
    first, second = stage.folder("first"), stage.folder("second")
    file = stage.file(parent=first)
    add_parent(file, second)
    for item in (file, second):
        share(stage.world, item, stage.alice, stage.bob, "reader")
    assert file_resource(file, stage.bob)["parents"] == [second.id]


def test_a_second_folder_out_of_sight_is_told(stage: Stage) -> None:
    """Who loses a folder, and keeps an old file in it by its other folder, has an entry of the file. Assumed."""
    first, second = stage.folder("first"), stage.folder("second")
    file = stage.file(parent=first)
    add_parent(file, second)
    share(stage.world, first, stage.alice, stage.bob, "reader")
    grant = share(stage.world, second, stage.alice, stage.bob, "reader")
    news = stage.listen(stage.bob)
    remove_grant(stage.world, second, grant)
    assert news.news() == {second.id: "removed", file.id: "changed"}
    assert file_resource(file, stage.bob)["parents"] == [first.id]


@pytest.mark.parametrize("ends", ["move", "delete", "trash", "move to a drive", "move the file"])
def test_a_second_folder_ends_without_the_file(stage: Stage, ends: str) -> None:
    """A file outlives its second folder, and its log tells of it; one that is moved has one parent.

    Documented: `enforceSingleParent` for moves; assumed for what happens to the folder.
    """
    first, second, other = stage.folder("first"), stage.folder("second"), stage.folder("other")
    file = stage.file(parent=first)
    add_parent(file, second)
    news = stage.listen(stage.alice)
    if ends == "move":
        move(stage.world, second, stage.alice, other)
    elif ends == "delete":
        delete(stage.world, second)
    elif ends == "trash":
        set_trashed(stage.world, second, stage.alice, trashed=True)
    elif ends == "move to a drive":
        move(stage.world, second, stage.alice, create_drive(stage.world, stage.alice, "Drive").root)
    else:
        move(stage.world, file, stage.alice, other)
    parents = file_resource(file, stage.alice)["parents"]
    expected = {"move": [first.id, second.id], "move the file": [other.id]}.get(ends, [first.id])
    assert (parents, file.trashed, file.id in stage.world.items) == (expected, False, True)
    assert (file.id in news.news()) == (ends != "move")
    assert _listed(stage.world, stage.alice, f"'{second.id}' in parents") == ([file.id] if ends == "move" else [])


def test_old_files_have_several_owners(stage: Stage) -> None:
    """ "Only certain legacy files may have more than one owner": `owners` in the File schema."""
    file = stage.file()
    bob = stage.bob
    with stage.world.changing_access(file):
        file.grants = [Grant(bob.permission_id, "user", "owner", bob, bob.email, granted_by=stage.alice)]
    for user in (stage.alice, bob):
        shown = file_resource(file, user)
        owners = [each["emailAddress"] for each in cast(list[Mapping[str, str]], shown["owners"])]
        roles = [each["role"] for each in cast(list[Mapping[str, str]], shown["permissions"])]
        assert (owners, roles, shown["ownedByMe"]) == ([stage.alice.email, bob.email], ["owner", "owner"], True)
        assert _listed(stage.world, user, "'me' in owners") == [file.id]
        assert {each.role for each in visible_permissions(stage.world, user).values()} == {"owner"}
    move(stage.world, file, stage.alice, create_drive(stage.world, stage.alice, "Drive").root)
    assert "owners" not in file_resource(file, stage.alice)
    assert _listed(stage.world, bob) == []


def test_orphans_have_no_parents() -> None:
    """A file that lies in no folder that anybody sees is its owner's all the same. Common knowledge."""
    shapes = replace(NO_SHAPES, orphaned=0.1)
    world = generate(CorpusPlan(files=200, users=2, shapes=shapes), clock=ManualClock())
    orphan = _of_shape(world)["orphaned"][0]
    owner = cast(User, orphan.owner)
    assert "parents" not in file_resource(orphan, owner)
    assert orphan.id in _listed(world, owner)
    assert orphan.id in visible_items(world, owner, include_trashed=True)
    place = {"addParents": owner.root.id, "fields": "parents"}
    found = Editor(world).make(Edit("move", owner.email, "PATCH", f"files/{orphan.id}", place, {}))
    assert found == {"parents": [owner.root.id]}


def test_deleted_grantees_have_no_address(stage: Stage) -> None:
    """The permission of an account that is gone is `deleted`, without an address. Documented: the Permission schema."""
    file = stage.file()
    file.grants = [Grant("123", "user", "reader")]
    shown = cast(list[Mapping[str, object]], file_resource(file, stage.alice)["permissions"])[-1]
    assert (shown["id"], shown["deleted"], shown["displayName"]) == ("123", True, "")
    assert not {"emailAddress", "photoLink"} & shown.keys()
    told = visible_permissions(stage.world, stage.alice)[file.id, "123"]
    assert (told.email, told.deleted, told.role) == (None, True, "reader")
