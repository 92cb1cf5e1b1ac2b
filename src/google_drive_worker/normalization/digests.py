"""Digests of what records say: 64 bits, by which the item index tells what has changed from what has not."""

import re
from collections.abc import Mapping

import msgspec
from xxhash import xxh3_64_intdigest

from google_drive_worker.domain.item_entry import Digest, PermissionDigests
from google_drive_worker.domain.record import Record

_PHOTO = re.compile(rb',?"photo_link":"(?:[^"\\]|\\.)*"')


def digest_of(data: bytes, people: bytes = b"") -> Digest:
    """The digest of a record's data. `people` follows it, and counts without the links to photos, which come and go."""
    return xxh3_64_intdigest(data + _PHOTO.sub(b"", people))


def digest_of_record(record: Record) -> Digest:
    """The digest of what a revision's or a comment's record says, without the links to photos."""
    data = record.data
    return digest_of(b"", bytes(data) if isinstance(data, msgspec.Raw) else msgspec.json.encode(data))


def digest_of_permissions(held: Mapping[str, Digest]) -> PermissionDigests:
    """An item's permissions by id, each with the digest of its data, as the index holds them."""
    pairs = tuple(sorted(held.items()))
    return PermissionDigests(digest_of(msgspec.json.encode(pairs)), pairs)
