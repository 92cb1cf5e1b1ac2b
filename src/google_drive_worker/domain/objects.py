"""Objects: what is too large for a record, kept beside the log (platform contract, `payload_ref` and `content_ref`)."""

import msgspec


class ObjectRef(msgspec.Struct, frozen=True, gc=False):
    """Where an object is and what it holds. Its address is made from its content, under its tenant's own prefix."""

    uri: str
    size_bytes: int
    sha256: str
    content_type: str
