"""The keys of objects: a tenant's prefix, and below it nothing but digests. No name of Drive's is in them."""

import hashlib
import re

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,128}")


def tenant_prefix(customer_id: str) -> str:
    """The prefix of all that is a customer's: its id, or where that is no plain word a digest of it.

    Different customers never share one: a digest is told by its dot.
    """
    if _PLAIN.fullmatch(customer_id):
        return f"{customer_id}/google-drive"
    return f"sha256.{hashlib.sha256(customer_id.encode('utf-8', 'surrogatepass')).hexdigest()}/google-drive"


def object_key(prefix: str, sha256: str) -> str:
    """Where the object of that content is; `sha256` in 64 hexadecimal digits."""
    return f"{prefix}/objects/{sha256[:2]}/{sha256}"


def note_key(prefix: str, topic: str) -> str:
    """Where it is noted which object a topic came to."""
    digest = hashlib.sha256(topic.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{prefix}/notes/{digest[:2]}/{digest}"
