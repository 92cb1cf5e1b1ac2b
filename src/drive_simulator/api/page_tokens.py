"""Opaque page tokens of listings: bound to what was asked, and dated.

A token tells whether it was altered apart from whether it is another listing's: permissions.list answers the two
differently.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import blake2b

import orjson

from drive_simulator.api.errors import ApiError, invalid_page_token

_PREFIX = "~!!~"
MAX_LENGTH = 2_048
_SEAL_BYTES, _DIGEST_BYTES = 4, 8


def seal_token(binding: str, key: str, position: int, issued_ms: int) -> str:
    """A token that leads to `position` within `key`, for the listing `binding` alone."""
    content = _digest(binding.encode(), _DIGEST_BYTES) + orjson.dumps([key, position, issued_ms])
    return _PREFIX + urlsafe_b64encode(_digest(content, _SEAL_BYTES) + content).decode("ascii").rstrip("=")


def open_token(
    binding: str,
    token: str,
    *,
    foreign: Callable[[], ApiError] = invalid_page_token,
    altered: Callable[[], ApiError] = invalid_page_token,
) -> tuple[str, int, int]:
    """Key, position and time of issue.

    Raises ApiError 400 `invalid` for what is no token, and what `foreign` and `altered` make for another listing's
    token and for one that was changed.
    """
    text = token.removeprefix(_PREFIX)
    if text == token or len(token) > MAX_LENGTH:
        raise invalid_page_token()
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise invalid_page_token() from None
    seal, content = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
    if len(content) <= _DIGEST_BYTES:
        raise invalid_page_token()
    if seal != _digest(content, _SEAL_BYTES):
        raise altered()
    if content[:_DIGEST_BYTES] != _digest(binding.encode(), _DIGEST_BYTES):
        raise foreign()
    key, position, issued_ms = orjson.loads(content[_DIGEST_BYTES:])
    return str(key), int(position), int(issued_ms)


def _digest(content: bytes, size: int) -> bytes:
    return blake2b(content, digest_size=size).digest()
