"""Digests of what records say: 64 bits, by which the item index tells what has changed from what has not."""

import re

from xxhash import xxh3_64_intdigest

from google_drive_worker.domain.item_entry import Digest

_PHOTO = re.compile(rb',?"photo_link":"(?:[^"\\]|\\.)*"')


def digest_of(data: bytes, people: bytes = b"") -> Digest:
    """The digest of a record's data. `people` follows it, and counts without the links to photos, which come and go."""
    return xxh3_64_intdigest(data + _PHOTO.sub(b"", people))
