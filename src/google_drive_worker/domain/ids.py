"""Identifiers, each a type of its own, so that one can't be passed for another."""

from typing import NewType

ConnectionId = NewType("ConnectionId", str)
"""The platform's `integration_connection_id`: one customer's link to one Google account."""

CustomerId = NewType("CustomerId", str)
"""The platform's tenant."""

DriveId = NewType("DriveId", str)
"""A shared drive's id."""

FileId = NewType("FileId", str)
"""A file's or folder's id."""

PageToken = NewType("PageToken", str)
"""An opaque token of Google's: where a listing or a change log goes on."""

SyncId = NewType("SyncId", str)
"""One sync's id: a UUIDv7 (RFC 9562), so that later syncs of a connection sort later."""


def new_sync_id(now_ms: int, entropy: int, *, after: SyncId | None = None) -> SyncId:
    """Make the id of a sync that starts at `now_ms` (Unix milliseconds), out of 74 bits of `entropy`.

    The result sorts after `after`, the connection's previous sync, even where the clock went backwards.
    Source: RFC 9562, section 5.7.
    """
    if after is not None:
        now_ms = max(now_ms, int(after.replace("-", "")[:12], 16) + 1)
    random_a = entropy & 0xFFF
    random_b = (entropy >> 12) & ((1 << 62) - 1)
    value = (now_ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b
    text = f"{value:032x}"
    return SyncId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")
