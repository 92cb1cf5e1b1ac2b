"""What a user of the demonstration takes a file for."""

import pytest

from google_drive_worker.demo.drive_user import EditableFile
from google_drive_worker.domain.ids import FileId

_APPS = "application/vnd.google-apps."


@pytest.mark.parametrize(
    ("mime_type", "is_blob"),
    [("text/plain", True), ('application/vnd.google-gsuite.encrypted; content="text/plain"', True)]
    + [(_APPS + kind, False) for kind in ("document", "folder", "shortcut", "drive-sdk.1234")],
)
def test_only_blobs_have_bytes_to_replace(mime_type: str, is_blob: bool) -> None:
    """The type tells: Google shows a `size` of Docs editors' files, too."""
    assert EditableFile(FileId("a"), mime_type=mime_type).is_blob is is_blob
