"""A file's bytes beside its metadata: how they are had, and what became of it."""

from typing import Literal

import msgspec

from google_drive_worker.domain.drive import DriveFile
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.utils.errors import SkipItem

ContentStatus = Literal["stored", "too_large", "not_downloadable", "not_exportable", "abusive", "unavailable"]
"""What became of a file's content (docs/records.md, `content_status`)."""


class Source(msgspec.Struct, frozen=True, gc=False):
    """How a file's bytes are had: exported to `export_type`, or (`None`) as they are.

    `head` changes whenever the bytes do; `limit_bytes` is how many of them are taken at the most.
    """

    file: DriveFile
    head: str
    limit_bytes: int
    export_type: str | None = None

    @property
    def content_type(self) -> str:
        """The MIME type of the bytes."""
        return self.export_type or self.file.mime_type

    @property
    def topic(self) -> str:
        """What tells these bytes from all others of the customer's: under it the store notes where they are."""
        return "\n".join(("content", self.file.id, self.head, self.export_type or ""))


class Content(msgspec.Struct, frozen=True):
    """What became of a file's content: where it is, or why it is not to be had."""

    status: ContentStatus
    ref: ObjectRef | None = None
    problem: SkipItem | None = None


class Mirrored(msgspec.Struct, frozen=True):
    """A file with what became of its content; `head` is the edition that its bytes are of."""

    file: DriveFile
    content: Content
    head: str | None = None
