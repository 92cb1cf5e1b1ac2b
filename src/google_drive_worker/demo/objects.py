"""Objects as a consumer reads them, of a store that is a directory."""

import hashlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from google_drive_worker.domain.objects import ObjectRef


def read_object(ref: ObjectRef) -> bytes:
    """The object's bytes. Raises `OSError` where it is not there, `ValueError` where it is another one."""
    value = Path(unquote(urlsplit(ref.uri).path)).read_bytes()
    check_object(ref, value)
    return value


def check_object(ref: ObjectRef, value: bytes) -> None:
    """Hold bytes against what the record says of them; raises `ValueError`."""
    found = len(value), hashlib.sha256(value).hexdigest()
    if found != (ref.size_bytes, ref.sha256):
        raise ValueError(f"{ref.uri} has {found[0]} bytes and the digest {found[1]}")
