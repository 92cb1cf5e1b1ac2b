"""gzip as Google does it: for who accepts it and has the word in the User-Agent."""

import gzip
from collections.abc import Callable, Mapping

MIN_BYTES = 256


def wants_gzip(headers: Mapping[str, str]) -> bool:
    """Whether Accept-Encoding has gzip and User-Agent says the word."""
    return "gzip" in headers.get("Accept-Encoding", "") and "gzip" in headers.get("User-Agent", "").lower()


def _compressor() -> Callable[[bytes], bytes]:
    try:
        from isal import igzip  # noqa: PLC0415 - not on every platform
    except ImportError:
        return lambda body: gzip.compress(body, 1, mtime=0)
    return lambda body: bytes(igzip.compress(body, 1))


compress = _compressor()
"""Compress a body at the fastest level."""
