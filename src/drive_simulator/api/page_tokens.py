"""Opaque page tokens of listings: bound to what was asked, and dated."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b

import orjson

from drive_simulator.api.errors import invalid_page_token

_PREFIX = "~!!~"
MAX_LENGTH = 2_048


def seal_token(binding: str, key: str, position: int, issued_ms: int) -> str:
    """A token that leads to `position` within `key`, for the listing `binding` alone."""
    place = orjson.dumps([key, position, issued_ms])
    return _PREFIX + urlsafe_b64encode(_digest(binding, place) + place).decode("ascii").rstrip("=")


def open_token(binding: str, token: str) -> tuple[str, int, int]:
    """Key, position and time of issue. Raises ApiError 400 `invalid` for junk and for another listing's token."""
    text = token.removeprefix(_PREFIX)
    if text == token or len(token) > MAX_LENGTH:
        raise invalid_page_token()
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise invalid_page_token() from None
    digest, place = raw[:12], raw[12:]
    if digest != _digest(binding, place):
        raise invalid_page_token()
    key, position, issued_ms = orjson.loads(place)
    return str(key), int(position), int(issued_ms)


def _digest(binding: str, place: bytes) -> bytes:
    return blake2b(binding.encode() + b"\0" + place, digest_size=12).digest()
