"""What is kept of each mirrored item between syncs: no more than what Google's logs don't tell when it changes."""

from collections.abc import Callable

import msgspec

from google_drive_worker.domain.content import ContentStatus
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.objects import ObjectRef


class Remembered(msgspec.Struct, frozen=True, gc=False):
    """An item as it was last written.

    `permission_ids` are those of its permission records, sorted; a permission that is revoked is in no log of Google's.
    `head` is what its revisions were last read at: the head revision's id of a blob, the modifiedTime of a document.
    `content` is where its bytes are, of the edition `content_head`; `content_status` says why they are not to be had.
    `comments` says whether it had any when they were last read; `None`: they never were. `version` is Drive's, as far
    as it is known. An item that was deleted is kept as `is_gone`: a list that is behind still shows it.
    """

    is_folder: bool = False
    permission_ids: tuple[str, ...] = ()
    head: str | None = None
    content: ObjectRef | None = None
    content_head: str | None = None
    comments: bool | None = None
    version: int | None = None
    is_gone: bool = False
    content_status: ContentStatus | None = None


Recall = Callable[[FileId], Remembered | None]
"""Gives what is remembered of an item of the connection; `None` where it was never written."""


def held(recall: Recall) -> Recall:
    """Return what is remembered of those items alone that the mirror holds."""

    def recall_held(file_id: FileId) -> Remembered | None:
        known = recall(file_id)
        return None if known is None or known.is_gone else known

    return recall_held
