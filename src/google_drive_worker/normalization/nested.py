"""What is nested in a file, from Google's JSON to ours: people, capabilities, locks. Pure, and total: what makes no
sense is left out.

Most files of a drive have the same owner, the same editor and the same capabilities. What is the same, byte for byte,
is therefore read, renamed and encoded once, and the files that come after it copy the result.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec

from google_drive_worker.domain.drive import ABSENT, DriveFile, User
from google_drive_worker.domain.lenient import UNREADABLE, Reader, Resource
from google_drive_worker.normalization.shapes import ContentRestrictionData, LinkShareData, PersonData, ShortcutData
from google_drive_worker.normalization.values import flags, utc_time

T = TypeVar("T")

REMEMBERED = 1024
"""How many different combinations are kept; with their keys' limit some 8 MB at the most."""

REMEMBERED_BYTES = 4096
"""How long a combination may be to be kept: four times what is usual."""

_BETWEEN = b"\0"
"""Between the parts of a key: no JSON holds this byte."""


class ShortcutDetails(Resource, frozen=True, gc=False):
    """Where a shortcut leads."""

    target_id: str | None = None
    target_mime_type: str | None = None
    target_resource_key: str | None = None


class ContentRestriction(Resource, frozen=True, gc=False):
    """A lock on a file's content."""

    read_only: bool | None = None
    reason: str | None = None
    restriction_time: str | None = None
    type: str | None = None


class LinkShareMetadata(Resource, frozen=True, gc=False):
    """Whether a link needs the item's resource key."""

    security_update_eligible: bool | None = None
    security_update_enabled: bool | None = None


class Nested(NamedTuple):
    """Fields of `FileData`, encoded; `ABSENT` where Google does not say."""

    owners: msgspec.Raw
    last_modified_by: msgspec.Raw
    capabilities: msgspec.Raw
    link_share_metadata: msgspec.Raw
    shared_by: msgspec.Raw
    trashed_by: msgspec.Raw


def nested_of(file: DriveFile) -> Nested:
    """What many files have in common of what is nested in them."""
    key = _BETWEEN.join(
        (
            file.owners,
            file.last_modifying_user,
            file.capabilities,
            file.link_share_metadata,
            file.sharing_user,
            file.trashing_user,
        )
    )
    return _remembered(key) if len(key) <= REMEMBERED_BYTES else _nested(key)


@lru_cache(maxsize=REMEMBERED)
def _remembered(key: bytes) -> Nested:
    return _nested(key)


def _nested(key: bytes) -> Nested:
    owners, last_modifying_user, capabilities, link_share, sharing_user, trashing_user = key.split(_BETWEEN)
    return Nested(
        _encoded(owners, _USERS, lambda users: tuple(map(_person, users))),
        _encoded(last_modifying_user, _USER, _person),
        _encoded(capabilities, _CAPABILITIES, flags),
        _encoded(link_share, _LINK_SHARE, _link_share),
        _encoded(sharing_user, _USER, _person),
        _encoded(trashing_user, _USER, _person),
    )


def shortcut_of(raw: msgspec.Raw) -> msgspec.Raw:
    """Where a shortcut leads."""
    return _encoded(raw, _SHORTCUT, _shortcut)


def content_restrictions_of(raw: msgspec.Raw) -> msgspec.Raw:
    """The locks on a file's content."""
    return _encoded(raw, _LOCKS, lambda locks: tuple(map(_lock, locks)))


_USER: Reader[User | None] = Reader(User | None)
_USERS: Reader[tuple[User, ...] | None] = Reader(tuple[User, ...] | None)
_CAPABILITIES: Reader[dict[str, bool] | None] = Reader(dict[str, bool] | None)
_LINK_SHARE: Reader[LinkShareMetadata | None] = Reader(LinkShareMetadata | None)
_SHORTCUT: Reader[ShortcutDetails | None] = Reader(ShortcutDetails | None)
_LOCKS: Reader[tuple[ContentRestriction, ...] | None] = Reader(tuple[ContentRestriction, ...] | None)


def _encoded(raw: bytes | msgspec.Raw, reader: Reader[T | None], transform: Callable[[T], Any]) -> msgspec.Raw:
    try:
        value = reader.read(raw) if raw else None
    except UNREADABLE:
        value = None
    return ABSENT if value is None else msgspec.Raw(msgspec.json.encode(transform(value)))


def _person(user: User) -> PersonData:
    return PersonData(user.display_name, user.email_address, user.permission_id, user.photo_link, user.me)


def _shortcut(details: ShortcutDetails) -> ShortcutData:
    return ShortcutData(details.target_id, details.target_mime_type, details.target_resource_key)


def _lock(lock: ContentRestriction) -> ContentRestrictionData:
    return ContentRestrictionData(lock.read_only, lock.reason, utc_time(lock.restriction_time), lock.type)


def _link_share(metadata: LinkShareMetadata) -> LinkShareData:
    return LinkShareData(metadata.security_update_eligible, metadata.security_update_enabled)
