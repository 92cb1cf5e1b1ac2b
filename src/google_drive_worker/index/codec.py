"""Messages of the item index's changelog, and back. Pure.

A key is the connection's id, a NUL, a letter for the kind, and an id: `e` an item's entry, `d` what hangs on a file,
`p` a set of permissions by its digest, which the items of a connection share, `s` a run of items that a full sync saw
unchanged. A value begins with its format. An entry's flags and parent stand first, so that where an item is can be read
without the rest.
"""

from collections.abc import Iterable
from hashlib import blake2b
from struct import Struct, pack
from typing import NamedTuple
from uuid import UUID

import msgspec
from xxhash import xxh3_64_intdigest

from google_drive_worker.domain.content import ContentStatus
from google_drive_worker.domain.ids import ConnectionId, FileId, SyncId
from google_drive_worker.domain.item_entry import DetailDigests, Digest, ItemEntry, PermissionDigests
from google_drive_worker.domain.objects import ObjectRef

FORMAT = b"\x01"
"""The format of all values; a store or a changelog of another one is read by no other version."""

ENTRY, DETAILS, SET, SEEN = b"e", b"d", b"p", b"s"

_NUL = b"\0"
_HASH = Struct(">Q")

(
    _FOLDER,
    _TRASHED,
    _LIMITED,
    _OWN,
    _PERMISSIONS_DUE,
    _MISSING,
    _GONE,
    _HAS_REVISIONS,
    _HAS_COMMENTS,
    _HAS_CONTENT,
    _REVISIONS_DUE,
    _COMMENTS_DUE,
    _CONTENT_DUE,
) = (1 << bit for bit in range(13))


class IndexProblem(Exception):
    """A key or a value that is none of the index's."""


class IndexKey(NamedTuple):
    """A key, taken apart."""

    connection_id: ConnectionId
    kind: bytes
    id: bytes


class _Entry(msgspec.Struct, frozen=True, gc=False, array_like=True, omit_defaults=True):
    flags: int
    parent_id: str | None
    corpus: str
    version: int | None
    digest: int | None
    permissions: int | None
    changed_in: bytes | None
    gone_at: str | None = None
    head: str | None = None
    comments: bool | None = None
    comments_until: str | None = None
    path: tuple[str, ...] | None = None
    rights: int | None = None
    passes_on: int | None = None
    content: tuple[str, int, str, str] | None = None
    content_head: str | None = None
    content_status: ContentStatus | None = None


class _Place(msgspec.Struct, frozen=True, gc=False, array_like=True):
    flags: int
    parent_id: str | None


class _Details(msgspec.Struct, frozen=True, gc=False, array_like=True):
    revisions: tuple[tuple[str, int], ...] | None
    comments: tuple[tuple[str, int], ...] | None


_encode = msgspec.msgpack.Encoder().encode
_decode_entry = msgspec.msgpack.Decoder(_Entry).decode
_decode_place = msgspec.msgpack.Decoder(_Place).decode
_decode_details = msgspec.msgpack.Decoder(_Details).decode
_decode_set = msgspec.msgpack.Decoder(tuple[tuple[str, int], ...]).decode


def key_of(connection_id: ConnectionId, kind: bytes, own_id: bytes) -> bytes:
    """The key of a message."""
    return connection_id.encode() + _NUL + kind + own_id


def split_key(key: bytes) -> IndexKey:
    """Take a key apart. Raises `IndexProblem`."""
    connection, nul, rest = key.partition(_NUL)
    if not nul or len(rest) < 2 or rest[:1] not in {ENTRY, DETAILS, SET, SEEN}:  # noqa: PLR2004 - a kind and an id
        raise IndexProblem(f"not a key of the item index: {key[:80]!r}")
    try:
        return IndexKey(ConnectionId(connection.decode()), rest[:1], rest[1:])
    except UnicodeDecodeError as problem:
        raise IndexProblem(f"not a connection's id: {connection[:80]!r}") from problem


def encode_entry(entry: ItemEntry) -> bytes:
    """Encode an entry; of its permissions, the digest of the set."""
    flags = (
        _FOLDER * entry.is_folder
        | _TRASHED * entry.is_trashed
        | _LIMITED * entry.limits_access
        | _OWN * entry.has_own_permissions
        | _PERMISSIONS_DUE * entry.permissions_due
        | _MISSING * entry.is_missing
        | _GONE * (entry.gone_at is not None)
        | _HAS_REVISIONS * entry.has_revisions
        | _HAS_COMMENTS * entry.has_comments
        | _HAS_CONTENT * entry.has_content
        | _REVISIONS_DUE * entry.revisions_due
        | _COMMENTS_DUE * entry.comments_due
        | _CONTENT_DUE * entry.content_due
    )
    content = entry.content
    return FORMAT + _encode(
        _Entry(
            flags,
            entry.parent_id,
            entry.corpus,
            entry.version,
            entry.digest,
            None if entry.permissions is None else entry.permissions.digest,
            None if entry.changed_in is None else UUID(entry.changed_in).bytes,
            entry.gone_at,
            entry.head,
            entry.comments,
            entry.comments_until,
            entry.path,
            entry.rights,
            entry.passes_on,
            None if content is None else (content.uri, content.size_bytes, content.sha256, content.content_type),
            entry.content_head,
            entry.content_status,
        )
    )


class DecodedEntry(NamedTuple):
    """An entry without its permissions, and the digest of their set."""

    entry: ItemEntry
    permissions: Digest | None


def decode_entry(value: bytes) -> DecodedEntry:
    """Decode an entry. Raises `IndexProblem`."""
    try:
        packed = _decode_entry(_body(value))
        changed_in = None if packed.changed_in is None else SyncId(str(UUID(bytes=packed.changed_in)))
    except (msgspec.MsgspecError, ValueError) as problem:
        raise IndexProblem(f"not an entry of the item index: {problem}") from problem
    flags, content = packed.flags, packed.content
    entry = ItemEntry(
        is_folder=bool(flags & _FOLDER),
        corpus=packed.corpus,
        parent_id=None if packed.parent_id is None else FileId(packed.parent_id),
        version=packed.version,
        digest=packed.digest,
        changed_in=changed_in,
        is_trashed=bool(flags & _TRASHED),
        limits_access=bool(flags & _LIMITED),
        has_own_permissions=bool(flags & _OWN),
        permissions_due=bool(flags & _PERMISSIONS_DUE),
        is_missing=bool(flags & _MISSING),
        has_revisions=bool(flags & _HAS_REVISIONS),
        has_comments=bool(flags & _HAS_COMMENTS),
        has_content=bool(flags & _HAS_CONTENT),
        revisions_due=bool(flags & _REVISIONS_DUE),
        comments_due=bool(flags & _COMMENTS_DUE),
        content_due=bool(flags & _CONTENT_DUE),
        gone_at=packed.gone_at,
        path=packed.path,
        rights=packed.rights,
        passes_on=packed.passes_on,
        head=packed.head,
        comments=packed.comments,
        comments_until=packed.comments_until,
        content=None if content is None else ObjectRef(*content),
        content_head=packed.content_head,
        content_status=packed.content_status,
    )
    return DecodedEntry(entry, packed.permissions)


def with_permissions(entry: ItemEntry, permissions: PermissionDigests) -> ItemEntry:
    """The entry with its permissions."""
    return msgspec.structs.replace(entry, permissions=permissions)


def parent_in(value: bytes) -> str | None:
    """The folder that an entry's item is in; `None` where it is in none, or gone. Raises `IndexProblem`."""
    try:
        place = _decode_place(_body(value))
    except msgspec.MsgspecError as problem:
        raise IndexProblem(f"not an entry of the item index: {problem}") from problem
    return None if place.flags & _GONE else place.parent_id


def encode_details(details: DetailDigests) -> bytes:
    """Encode what hangs on a file."""
    return FORMAT + _encode(_Details(details.revisions, details.comments))


def decode_details(value: bytes) -> DetailDigests:
    """Decode what hangs on a file. Raises `IndexProblem`."""
    try:
        packed = _decode_details(_body(value))
    except msgspec.MsgspecError as problem:
        raise IndexProblem(f"not what hangs on a file: {problem}") from problem
    return DetailDigests(packed.revisions, packed.comments)


def encode_set(permissions: PermissionDigests) -> bytes:
    """Encode a set of permissions."""
    return FORMAT + _encode(permissions.held)


def decode_set(digest: Digest, value: bytes) -> PermissionDigests:
    """Decode a set of permissions. Raises `IndexProblem`."""
    try:
        return PermissionDigests(digest, _decode_set(_body(value)))
    except msgspec.MsgspecError as problem:
        raise IndexProblem(f"not a set of permissions: {problem}") from problem


def set_id(digest: Digest) -> bytes:
    """The id of a set in its key."""
    return _HASH.pack(digest)


def seen_hash(item_id: str) -> bytes:
    """Eight bytes that stand for an item in a run of those that were seen."""
    return _HASH.pack(xxh3_64_intdigest(item_id.encode()))


def encode_seen(item_ids: Iterable[str]) -> tuple[bytes, bytes]:
    """Encode a run of items that were seen; return its id and its value."""
    hashes = b"".join(map(seen_hash, item_ids))
    return blake2b(hashes, digest_size=8).digest(), FORMAT + hashes


def decode_seen(value: bytes) -> list[bytes]:
    """The hashes of a run of items that were seen. Raises `IndexProblem`."""
    hashes = _body(value)
    if len(hashes) % _HASH.size:
        raise IndexProblem(f"not a run of hashes: {len(hashes)} bytes")
    return [hashes[at : at + _HASH.size] for at in range(0, len(hashes), _HASH.size)]


def _body(value: bytes) -> bytes:
    if value[:1] != FORMAT:
        raise IndexProblem(f"of another format: {value[:1]!r}")
    return value[1:]


def number_key(number: int) -> bytes:
    """A connection's number in a local store, as the beginning of its keys."""
    return pack(">I", number)
