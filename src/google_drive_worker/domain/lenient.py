"""Reading Google's JSON: what does not fit its type is left out, and the rest stays.

Everything is decoded strictly first. Only what does not fit is taken apart, value by value, along its type: a value
that does not fit is dropped, of an object and of a list as little as possible. A resource is nothing without its
required fields, and wrong where a field does not fit that decisions rest on (`Resource.DECISIVE`): then it can't be
read.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from types import UnionType
from typing import Annotated, Any, ClassVar, Generic, NewType, TypeVar, Union, get_args, get_origin

import msgspec

T = TypeVar("T")

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What reading a resource may raise: it fits no type, or is no JSON, or is nested too deep."""

NOT_EMPTY = msgspec.Meta(min_length=1)
"""Of an id: an empty one names nothing."""


class Resource(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """Base of what Google sends: immutable, camelCase on the wire."""

    DECISIVE: ClassVar[frozenset[str]] = frozenset()
    """Fields that decisions rest on: where the value of one does not fit, the resource can't be read."""


def is_lossy() -> Any:
    """Return the default of a field that says that values of the resource were left out. No answer can set it: the name
    that it has in JSON is not one that Google's can have."""
    return msgspec.field(default=False, name="(lossy)")


_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""An escape of a JSON string: a surrogate pair, or (as the group) half of one, or any other."""


def repaired(text: bytes) -> bytes:
    """JSON with U+FFFD in place of what is no Unicode: bytes that are no UTF-8, escaped halves of surrogate pairs."""
    text = text.decode("utf-8", "replace").encode()
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], text)


class Reader(Generic[T]):
    """Reads resources as a type. `decode` is strict, `read` and `salvage` are not; all raise one of `UNREADABLE`."""

    def __init__(self, kind: Any, *, strict: bool = True) -> None:
        """`kind` is the type; where `strict` is false, numbers, true and false may stand in quotes."""
        self.decode: Callable[[bytes | msgspec.Raw], T] = msgspec.json.Decoder(kind, strict=strict).decode
        self._kind = kind
        self._is_strict = strict

    def read(self, resource: bytes | msgspec.Raw) -> T:
        """Read a resource, without what does not fit: it is `lossy` then, where its type has such a field."""
        try:
            return self.decode(resource)
        except UNREADABLE:
            return self.salvage(resource)[0]

    def salvage(self, resource: bytes | msgspec.Raw) -> tuple[T, list[str]]:
        """Read a resource that does not fit; also say what is wrong with each element of a list in it that is lost."""
        salvage, text = _Salvage(is_strict=self._is_strict), bytes(resource)
        fitting = salvage.fitting(self._kind, repaired(text))
        read = self.decode(fitting)
        if fitting != text and isinstance(read, msgspec.Struct) and hasattr(read, "lossy"):
            read = msgspec.structs.replace(read, lossy=True)
        return read, salvage.lost


class _Salvage:
    """Takes JSON apart along its type. `lost` are the problems of list elements that are nothing without an id."""

    def __init__(self, *, is_strict: bool) -> None:
        self.lost: list[str] = []
        self._is_strict = is_strict

    def fitting(self, kind: Any, text: bytes) -> bytes:
        """The value without what does not fit its type. Raises one of `UNREADABLE` where nothing that does is left."""
        try:
            self._check(kind, text)
        except UNREADABLE as misfit:
            problem: Exception = misfit
        else:
            return text
        for part in _parts(kind):
            try:
                left = self._without_misfits(part, text)
                self._check(kind, left)
            except UNREADABLE as misfit:
                problem = misfit
            else:
                return left
        raise problem

    def _rest(self, kind: Any, value: msgspec.Raw) -> msgspec.Raw:
        return msgspec.Raw(self.fitting(kind, bytes(value)))

    def _whole(self, kind: Any, value: msgspec.Raw) -> msgspec.Raw:
        self._check(kind, bytes(value))
        return value

    def _check(self, kind: Any, text: bytes) -> None:
        _decoder(kind, self._is_strict).decode(text)

    def _without_misfits(self, kind: Any, text: bytes) -> bytes:
        if isinstance(kind, type) and issubclass(kind, Resource):
            return msgspec.json.encode(self._fields(kind, _OBJECT.decode(text)))
        if get_origin(kind) is tuple:
            return msgspec.json.encode(list(self._elements(get_args(kind)[0], _ARRAY.decode(text))))
        if get_origin(kind) is dict:
            return msgspec.json.encode(dict(self._entries(get_args(kind)[1], _OBJECT.decode(text))))
        return text

    def _fields(self, kind: type[Resource], values: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
        kept: dict[str, msgspec.Raw] = {}
        for field in msgspec.structs.fields(kind):
            value = values.get(field.encode_name)
            if value is None:
                continue
            is_decisive = field.name in kind.DECISIVE
            read = self._whole if is_decisive else self._rest
            try:
                kept[field.encode_name] = read(field.type, value)
            except UNREADABLE as problem:
                if field.required or is_decisive:
                    raise msgspec.ValidationError(f"`{field.encode_name}`: {problem}") from None
        return kept

    def _elements(self, kind: Any, values: list[msgspec.Raw]) -> Iterator[msgspec.Raw]:
        for value in values:
            try:
                yield self._rest(kind, value)
            except UNREADABLE as problem:
                if isinstance(kind, type) and "id" in getattr(kind, "__struct_fields__", ()):
                    self.lost.append(str(problem))

    def _entries(self, kind: Any, values: dict[str, msgspec.Raw]) -> Iterator[tuple[str, msgspec.Raw]]:
        for name, value in values.items():
            try:
                yield name, self._rest(kind, value)
            except UNREADABLE:
                continue


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


@cache
def _decoder(kind: Any, is_strict: bool) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=is_strict)


def _parts(kind: Any) -> Iterator[Any]:
    """The types that a value of a type may have, but for null."""
    if isinstance(kind, NewType):
        yield from _parts(kind.__supertype__)
    elif get_origin(kind) is Annotated:
        yield from _parts(get_args(kind)[0])
    elif get_origin(kind) in {Union, UnionType}:
        for each in get_args(kind):
            yield from _parts(each)
    elif kind is not type(None):
        yield kind
