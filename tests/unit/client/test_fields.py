"""The `fields` masks against the structs and the discovery document."""

import json
from importlib.resources import files
from typing import Any, get_args

import msgspec
import pytest

from google_drive_worker.client import fields
from google_drive_worker.domain.details import Comment, Revision
from google_drive_worker.domain.drive import Change, ChangesPage, DriveFile, DrivesPage, FilesPage, SharedDrive, User
from google_drive_worker.domain.sharing import ItemSharing, Permission
from google_drive_worker.normalization.labels import LabelInfo
from google_drive_worker.normalization.nested import ContentRestriction, LinkShareMetadata, ShortcutDetails

Tree = dict[str, Any]

SCHEMAS: Tree = json.loads(
    (files("googleapiclient") / "discovery_cache/documents/drive.v3.json").read_text(encoding="utf-8")
)["schemas"]


def parse(mask: str) -> Tree:
    """Read a mask such as `a,b(c,d)` as a tree."""
    root: Tree = {}
    path, name = [root], ""
    for character in f"{mask},":
        if character in ",()" and name:
            path[-1][name] = {}
        if character == "(":
            path.append(path[-1][name])
        elif character == ")":
            path.pop()
        name = "" if character in ",()" else name + character
    return root


def structs_in(annotation: object) -> list[type[msgspec.Struct]]:
    """Find the structs that an annotation such as `tuple[User, ...] | None` holds."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [found for inner in get_args(annotation) for found in structs_in(inner)]


NESTED: dict[str, type[msgspec.Struct]] = {
    "trashingUser": User,
    "owners": User,
    "lastModifyingUser": User,
    "sharingUser": User,
    "shortcutDetails": ShortcutDetails,
    "contentRestrictions": ContentRestriction,
    "linkShareMetadata": LinkShareMetadata,
    "labelInfo": LabelInfo,
    "files": DriveFile,
    "changes": Change,
}
"""What is decoded later than what it stands in."""


def tree_of(struct: type[msgspec.Struct]) -> Tree:
    """The mask that a struct's fields amount to."""
    tree: Tree = {}
    for info in msgspec.structs.fields(struct):
        if info.name == "lossy":  # is set by us
            continue
        inner = structs_in(info.type) or ([NESTED[info.encode_name]] if info.encode_name in NESTED else [])
        tree[info.encode_name] = tree_of(inner[0]) if inner else {}
    return tree


def without_named_maps(tree: Tree) -> Tree:
    """Forget what is inside of `capabilities`, `restrictions` and a label's `fields`, which are maps in the structs."""
    return {
        name: {} if name in {"capabilities", "restrictions", "fields"} else without_named_maps(inner)
        for name, inner in tree.items()
    }


@pytest.mark.parametrize(
    ("mask", "struct"),
    [
        (fields.LABELLED_FILE_FIELDS, DriveFile),
        (fields.SHARED_DRIVE_FIELDS, SharedDrive),
        (fields.labelled(fields.CHANGE_FIELDS), Change),
        (fields.labelled(fields.FILES_PAGE_FIELDS), FilesPage),
        (fields.labelled(fields.CHANGES_PAGE_FIELDS), ChangesPage),
        (fields.DRIVES_PAGE_FIELDS, DrivesPage),
        (fields.REVISION_FIELDS, Revision),
        (fields.COMMENT_FIELDS, Comment),
    ],
)
def test_masks_ask_for_what_structs_hold(mask: str, struct: type[msgspec.Struct]) -> None:
    """Every field of a struct is asked for, and nothing else."""
    assert without_named_maps(parse(mask)) == without_named_maps(tree_of(struct))


def assert_known(tree: Tree, schema: Tree) -> None:
    """Fail where the mask names a field that the schema does not have."""
    while "$ref" in schema or "items" in schema:
        schema = SCHEMAS[schema["$ref"]] if "$ref" in schema else schema["items"]
    for name, inner in tree.items():
        assert name in schema["properties"], name
        if inner:
            assert_known(inner, schema["properties"][name])


@pytest.mark.parametrize(
    ("mask", "schema"),
    [
        (fields.FILES_PAGE_FIELDS, "FileList"),
        (fields.CHANGES_PAGE_FIELDS, "ChangeList"),
        (fields.DRIVES_PAGE_FIELDS, "DriveList"),
        (fields.START_PAGE_TOKEN_FIELDS, "StartPageToken"),
        (fields.SHARED_FILES_PAGE_FIELDS, "FileList"),
        (fields.labelled(fields.SHARED_FILES_PAGE_FIELDS), "FileList"),
        (fields.labelled(fields.SHARED_CHANGES_PAGE_FIELDS), "ChangeList"),
        (fields.PERMISSIONS_PAGE_FIELDS, "PermissionList"),
        (fields.SHARING_FIELDS, "File"),
        (fields.TIMES_FIELDS, "FileList"),
        (fields.REVISIONS_PAGE_FIELDS, "RevisionList"),
        (fields.COMMENTS_PAGE_FIELDS, "CommentList"),
    ],
)
def test_masks_name_fields_that_drive_has(mask: str, schema: str) -> None:
    """Every name is in Google's discovery document, inside of capabilities and restrictions too."""
    assert_known(parse(mask), {"$ref": schema})


def test_maps_hold_booleans() -> None:
    """What is asked of capabilities and restrictions is all yes or no, as the structs say."""
    for mask, schema, name in (
        (fields.FILE_CAPABILITIES, "File", "capabilities"),
        (fields.DRIVE_CAPABILITIES, "Drive", "capabilities"),
        (fields.DRIVE_RESTRICTIONS, "Drive", "restrictions"),
    ):
        properties = SCHEMAS[schema]["properties"][name]["properties"]
        assert {properties[field]["type"] for field in parse(mask)} == {"boolean"}


def test_permissions_are_asked_for_only_beside_the_plain_masks() -> None:
    """A page with `permissions` is cut to 100 files: the masks with them say the same as the plain ones, and them."""
    for plain, shared, path in (
        (fields.FILES_PAGE_FIELDS, fields.SHARED_FILES_PAGE_FIELDS, ["files"]),
        (fields.CHANGES_PAGE_FIELDS, fields.SHARED_CHANGES_PAGE_FIELDS, ["changes", "file"]),
    ):
        tree = parse(shared)
        at = tree
        for name in path:
            at = at[name]
        assert at.pop("permissions") == tree_of(Permission)
        assert tree == parse(plain)


def test_the_mask_of_an_items_sharing_asks_for_what_its_struct_holds() -> None:
    """But for the permissions, which items of shared drives do not have."""
    tree = tree_of(ItemSharing)
    del tree["permissions"]
    assert parse(fields.SHARING_FIELDS) == tree
