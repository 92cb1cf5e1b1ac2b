"""What a file can have, by its MIME type: bytes, revisions, comments. One table for all that asks."""

from typing import NamedTuple

from google_drive_worker.domain.drive import FOLDER_MIME_TYPE

_APPS = "application/vnd.google-apps."
SHORTCUT_MIME_TYPE = _APPS + "shortcut"


class Holds(NamedTuple):
    """What a type has. `content` is false where there is nothing to download."""

    content: bool = True
    revisions: bool = True
    comments: bool = True


_EVERYTHING = Holds()
_NOTHING = Holds(content=False, revisions=False, comments=False)
_NOTHING_HANGS_ON_IT = Holds(revisions=False, comments=False)

_TYPES = {
    FOLDER_MIME_TYPE: _NOTHING,
    SHORTCUT_MIME_TYPE: _NOTHING,
    _APPS + "form": _NOTHING_HANGS_ON_IT,
    _APPS + "fusiontable": _NOTHING_HANGS_ON_IT,
    _APPS + "jam": _NOTHING_HANGS_ON_IT,
    _APPS + "map": _NOTHING_HANGS_ON_IT,
    _APPS + "site": _NOTHING_HANGS_ON_IT,
}

_THIRD_PARTY_SHORTCUT = _APPS + "drive-sdk"
"""With the app's id behind it."""


def holds_of(mime_type: str) -> Holds:
    """Return what a file of that type has; of a type that is not known, everything may be asked.

    Asked for what they lack, forms and folders answer 403 `revisionsNotSupported`, and My Maps answer 404, as if the
    file were gone.
    """
    if mime_type.startswith(_THIRD_PARTY_SHORTCUT):
        return _NOTHING_HANGS_ON_IT
    return _TYPES.get(mime_type, _EVERYTHING)
