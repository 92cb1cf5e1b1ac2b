"""Identifiers that look like Google's, drawn from a seeded source of randomness."""

import random
from base64 import b64encode

_ALPHABET_TAIL = b"-_"


class IdSource:
    """Makes ids; the same seed gives the same ids in the same order."""

    __slots__ = ("_bits", "_bytes")

    def __init__(self, seed: int) -> None:
        source = random.Random(seed)  # noqa: S311 - ids of a simulator, nothing secret
        self._bytes = source.randbytes
        self._bits = source.getrandbits

    def _text(self, byte_count: int) -> str:
        return b64encode(self._bytes(byte_count), _ALPHABET_TAIL).decode("ascii")

    def file_id(self) -> str:
        """A file's: 33 characters that begin with 1."""
        return "1" + self._text(24)

    def document_id(self) -> str:
        """A Workspace document's: 44 characters that begin with 1."""
        return "1" + self._text(33)[:43]

    def drive_id(self) -> str:
        """A shared drive's: 19 characters, `0A…9PVA`."""
        return "0A" + self._text(12)[:13] + "9PVA"[:4]

    def root_id(self) -> str:
        """A My Drive root folder's: 19 characters, `0A…PVA`."""
        return "0A" + self._text(12)[:14] + "PVA"

    def permission_id(self) -> str:
        """An account's permission id: 20 decimal digits."""
        return f"{self._bits(63) + 10**19:020d}"

    def short_id(self) -> str:
        """A comment's or reply's: 11 characters."""
        return "AAAA" + self._text(6)[:7]

    def token(self, byte_count: int) -> str:
        """Opaque text of that many random bytes."""
        return self._text(byte_count)
