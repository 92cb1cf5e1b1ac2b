"""`fields` masks, Google's partial responses: `a,b(c,d/e),f/*,*`.

A mask is compiled once (and cached) into nested pickers, checked against the schema it cuts. Without a mask Drive
answers a few fields only; `DEFAULT_FIELDS` holds them. Source: "Return specific fields" of the Drive guides.

Names are looked up in the answer and in the resource that it lists. Inside a resource's own fields Google lets unknown
names pass (measured): they select nothing.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from drive_simulator.api.discovery import Fields, schema_fields
from drive_simulator.api.errors import invalid_field_selection, invalid_parameter

MAX_LENGTH = 8_192
MAX_DEPTH = 12

DEFAULT_FIELDS: Mapping[str, str] = {
    "File": "kind,id,name,mimeType,resourceKey,driveId,teamDriveId",
    "FileList": "kind,nextPageToken,incompleteSearch,files(kind,id,name,mimeType,resourceKey,driveId,teamDriveId)",
    "Change": "kind,type,changeType,time,removed,fileId,file(kind,id,name,mimeType,driveId,teamDriveId),"
    "driveId,drive(kind,id,name),teamDriveId,teamDrive(kind,id,name)",
    "ChangeList": "kind,nextPageToken,newStartPageToken,changes(kind,type,changeType,time,removed,fileId,"
    "file(kind,id,name,mimeType,driveId,teamDriveId),driveId,drive(kind,id,name),teamDriveId,teamDrive(kind,id,name))",
    "Drive": "kind,id,name",
    "DriveList": "kind,nextPageToken,drives(kind,id,name)",
    "Permission": "kind,id,type,role",
    "PermissionList": "kind,nextPageToken,permissions(kind,id,type,role)",
    "Revision": "kind,id,mimeType,modifiedTime",
    "RevisionList": "kind,nextPageToken,revisions(kind,id,mimeType,modifiedTime)",
}

_SYNTAX = re.compile(r"[A-Za-z0-9_\-.]+|[*,/()]")

# What is chosen: None for all of it, or the inner fields.
_Tree = dict[str, "_Tree | None"]


class Mask:
    """A compiled selection. Objects are never changed: `apply` builds new ones and shares the leaves."""

    __slots__ = ("_inner", "_leaves", "_tree")

    def __init__(self, tree: "_Tree | None") -> None:
        self._tree = tree
        chosen = tree or {}
        self._leaves = tuple(name for name, inner in chosen.items() if inner is None)
        self._inner = tuple((name, Mask(inner)) for name, inner in chosen.items() if inner is not None)

    def apply(self, value: dict[str, object]) -> dict[str, object]:
        """What of `value` was asked for. Fields that it has not are left out."""
        if self._tree is None:
            return value
        result = {name: value[name] for name in self._leaves if name in value}
        for name, mask in self._inner:
            if name in value:
                result[name] = _cut(mask, value[name])
        return result

    def includes(self, path: str) -> bool:
        """Whether the field at `path` ("files/permissions"), or a part of it, is asked for."""
        tree = self._tree
        for name in path.split("/"):
            if tree is None:
                return True
            if name not in tree:
                return False
            tree = tree[name]
        return True

    @property
    def names(self) -> tuple[str, ...] | None:
        """The fields that are asked for, without what is inside of them; None for all."""
        return None if self._tree is None or "*" in self._tree else tuple(self._tree)

    @property
    def is_flat(self) -> bool:
        """Whether nothing is cut inside of fields."""
        return not self._inner

    def inner(self, name: str) -> "Mask":
        """The mask for the value of the field `name`, which must be included."""
        return next((mask for each, mask in self._inner if each == name), _EVERYTHING)


def _cut(mask: Mask, value: object) -> object:
    if isinstance(value, dict):
        return mask.apply(value)
    if isinstance(value, list):
        return [_cut(mask, item) for item in value]
    return value


_EVERYTHING = Mask(None)


@lru_cache(maxsize=1024)
def compile_fields(mask: str | None, schema_name: str, *, is_strict: bool = False) -> Mask:
    """The mask for answers of that schema; without a mask Drive's default fields, with an empty one nothing (measured).

    `is_strict` refuses unknown names at every depth, which Google does not: it is for judging a client. Raises ApiError
    400 `invalidParameter` at `fields`: unknown field, syntax, over MAX_LENGTH or MAX_DEPTH.
    """
    if mask is not None and not mask.strip():
        return Mask({})
    text = mask or DEFAULT_FIELDS.get(schema_name, "*")
    if len(text) > MAX_LENGTH:
        raise invalid_field_selection(text[:64])
    tokens = _SYNTAX.findall(text)
    if "".join(tokens) != "".join(text.split()):
        raise invalid_field_selection(text)
    parser = _Parser(tokens, text, MAX_DEPTH if is_strict else _strict_depth(schema_name))
    return Mask(_simplify(parser.parse(schema_fields(schema_name))))


def _strict_depth(schema_name: str) -> int:
    """How many levels of names have to be known: the resource's own, and those of the answer that lists it."""
    return 2 if schema_name.endswith("List") else 1


def _simplify(tree: _Tree) -> "_Tree | None":
    """A lone `*` is everything."""
    return None if tree.get("*", {}) is None else tree


class _Parser:
    """list = path {"," path}; path = name ["/" path | "(" list ")"]."""

    def __init__(self, tokens: list[str], text: str, strict_depth: int) -> None:
        self._tokens = tokens
        self._strict_depth = strict_depth
        self._text = text
        self._at = 0

    def parse(self, fields: Fields) -> _Tree:
        tree = self._list(fields, 0)
        if self._at < len(self._tokens):
            raise self._syntax_error()
        return tree

    def _list(self, fields: Fields, depth: int) -> _Tree:
        tree: _Tree = {}
        self._path(tree, fields, depth)
        while self._next_is(","):
            self._path(tree, fields, depth)
        return tree

    def _path(self, tree: _Tree, fields: Fields, depth: int) -> None:
        if depth > MAX_DEPTH or self._at >= len(self._tokens) or self._tokens[self._at] in ",/()":
            raise self._syntax_error()
        name = self._tokens[self._at]
        self._at += 1
        start = self._at
        for chosen in self._names(name, fields, depth):
            self._at = start
            self._choose(tree, chosen, _field(fields, chosen), depth)

    def _names(self, name: str, fields: Fields, depth: int) -> list[str]:
        """The fields that `name` means; `*` with something behind it means each that is an object."""
        inner_follows = self._at < len(self._tokens) and self._tokens[self._at] in "/("
        if name == "*" and inner_follows and isinstance(fields, dict):
            names = [field for field, inner in fields.items() if inner != ""]
            if not names:
                raise invalid_field_selection(name)
            return names
        if name != "*" and isinstance(fields, dict) and name not in fields and depth < self._strict_depth:
            raise invalid_field_selection(name)
        return [name]

    def _choose(self, tree: _Tree, name: str, inner: Fields, depth: int) -> None:
        chosen: _Tree | None = None
        if self._next_is("/"):
            chosen = {}
            self._path(chosen, self._object(inner, name), depth + 1)
        elif self._next_is("("):
            chosen = self._list(self._object(inner, name), depth + 1)
            if not self._next_is(")"):
                raise self._syntax_error()
        earlier = tree.get(name, {})
        tree[name] = None if chosen is None or earlier is None else _merge(earlier, _simplify(chosen))

    def _object(self, fields: Fields, name: str) -> Fields:
        if fields == "":
            raise invalid_field_selection(f"{name}/{self._tokens[self._at]}" if self._at < len(self._tokens) else name)
        return fields

    def _next_is(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False

    def _syntax_error(self) -> Exception:
        return invalid_parameter("fields", f"Invalid field selection {self._text}")


def _field(fields: Fields, name: str) -> Fields:
    """The inner fields of a field: a schema's name is resolved, a map allows every key."""
    if isinstance(fields, str):
        return "*" if fields == "*" else ""
    inner = "" if name == "*" else fields.get(name, "*")
    return schema_fields(inner) if isinstance(inner, str) and inner not in {"", "*"} else inner


def _merge(left: _Tree, right: "_Tree | None") -> "_Tree | None":
    if right is None:
        return None
    merged: _Tree = dict(left)
    for name, inner in right.items():
        earlier = merged.get(name, {})
        merged[name] = None if earlier is None or inner is None else _merge(earlier, inner)
    return merged
