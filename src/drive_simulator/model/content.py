"""Bytes, checksums and revisions of files, derived where they are asked for.

A generated file keeps no bytes: its size and salt decide them, so that files of the same size and salt have the same
content and checksums cost little: a file is the beginning of any larger one of the same salt, so that hashing goes on
where it stopped. A file of two gigabytes takes some seconds once. Real bytes are kept for what was uploaded.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b, md5, sha1, sha256
from typing import cast

from drive_simulator.model.items import Item, User
from drive_simulator.model.revisions import Revision

MAX_REVISIONS = 200
_BLOCK = 64 * 1024
_MAX_STOPS = 256

Checksums = tuple[str, str, str]
"""MD5, SHA-1 and SHA-256, in hexadecimal."""


@lru_cache(maxsize=64)
def _block(salt: int) -> bytes:
    seed = blake2b(salt.to_bytes(8, "big", signed=False)).digest()
    return (seed * (_BLOCK // len(seed) + 1))[:_BLOCK]


def generated(size: int, salt: int, start: int = 0) -> Iterator[bytes]:
    """The bytes from `start` on of a file of that size and salt, in blocks."""
    block = _block(salt)
    at = start
    while at < size:
        piece = block[at % _BLOCK :][: size - at]
        yield piece
        at += len(piece)


def content_of(item: Item | Revision) -> tuple[int, bytes | None]:
    """A blob's size, and its bytes where they are kept."""
    kept = item.content if isinstance(item, Revision) else cast(bytes | None, item.rare("content"))
    return (item.size if kept is None else len(kept)), kept


def read(item: Item | Revision, start: int = 0, end: int | None = None) -> bytes:
    """The bytes from `start` up to `end` of a blob."""
    size, kept = content_of(item)
    end = size if end is None else min(end, size)
    if kept is not None:
        return kept[start:end]
    return b"".join(generated(end, item.salt, start))


def checksums(item: Item | Revision) -> Checksums:
    """The checksums of a blob's bytes."""
    size, kept = content_of(item)
    return _of_bytes(kept) if kept is not None else _of_generated(size, item.salt)


@lru_cache(maxsize=4096)
def _of_bytes(content: bytes) -> Checksums:
    hashes = md5(content, usedforsecurity=False), sha1(content, usedforsecurity=False), sha256(content)
    return hashes[0].hexdigest(), hashes[1].hexdigest(), hashes[2].hexdigest()


@lru_cache(maxsize=262_144)
def _of_generated(size: int, salt: int) -> Checksums:
    return _hashing(salt).checksums(size)


@lru_cache(maxsize=256)
def _hashing(salt: int) -> "_Hashing":
    return _Hashing(salt)


class _Hashing:
    """The hashes of one salt's endless content, kept at the sizes that were asked for."""

    def __init__(self, salt: int) -> None:
        self._salt = salt
        self._sizes = [0]
        self._hashes = {0: (md5(usedforsecurity=False), sha1(usedforsecurity=False), sha256())}

    def checksums(self, size: int) -> Checksums:
        """Those of the first `size` bytes."""
        at = self._sizes[bisect_right(self._sizes, size) - 1]
        hashes = self._hashes[at]
        copies = hashes[0].copy(), hashes[1].copy(), hashes[2].copy()
        for piece in generated(size, self._salt, at):
            for each in copies:
                each.update(piece)
        if at != size and len(self._sizes) < _MAX_STOPS:
            insort(self._sizes, size)
            self._hashes[size] = copies
        return copies[0].hexdigest(), copies[1].hexdigest(), copies[2].hexdigest()


def revision_id(item_id: str, salt: int) -> str:
    """The id of the revision that holds that content."""
    return "0B" + blake2b(f"{item_id}:{salt}".encode(), digest_size=25).hexdigest()


def revisions_of(item: Item) -> list[Revision]:
    """The kept revisions, oldest first; the last one is the present content."""
    kept = cast(list[Revision] | None, item.rare("revisions"))
    if kept is not None:
        return kept
    content = cast(bytes | None, item.rare("content"))
    written_ms, by = cast(tuple[int, User | None], item.rare("written") or (item.modified_ms, item.modified_by))
    head = Revision(
        revision_id(item.id, item.salt) if not item.is_workspace else "1",
        written_ms,
        by,
        item.size,
        item.salt,
        item.mime_type,
        content=content,
    )
    return [head]


def push_revision(item: Item, revision: Revision) -> None:
    """Add a revision; beyond MAX_REVISIONS the oldest one that is not kept forever goes."""
    revisions = [*revisions_of(item), revision]
    if len(revisions) > MAX_REVISIONS:
        oldest = next((each for each in revisions if not each.keep_forever), revisions[0])
        revisions.remove(oldest)
    item.set_rare("revisions", revisions)
