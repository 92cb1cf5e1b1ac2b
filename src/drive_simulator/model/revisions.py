"""One kept version of a file's content."""

from dataclasses import dataclass

from drive_simulator.model.items import User


@dataclass(slots=True)
class Revision:
    """One kept version of a file's content."""

    id: str
    modified_ms: int
    modified_by: User | None
    size: int
    salt: int
    mime_type: str
    keep_forever: bool = False
    content: bytes | None = None
    published: bool = False
    publish_auto: bool = False
    published_outside_domain: bool = False
