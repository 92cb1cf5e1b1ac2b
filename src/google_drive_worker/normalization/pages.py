"""Pages of files.list, decoded and read as they come where there is a compiled way to, else decoded alone."""

from types import FunctionType

from google_drive_worker.domain.drive import FilesPage
from google_drive_worker.domain.listed import ListedPage
from google_drive_worker.domain.pages import read_files_page

try:
    from google_drive_worker.normalization.fast_page import fast_page
except ModuleNotFoundError as missing:
    if missing.name != "google_drive_worker.normalization.fast_page":
        raise  # else there was no C compiler when it was installed

    def fast_page(body: bytes) -> ListedPage | None:
        """No page goes the fast way."""
        del body
        return None


IS_COMPILED = not isinstance(fast_page, FunctionType)
"""Whether there is a fast way: without it a listing costs twice the processor time."""


def decode_page(body: bytes) -> FilesPage:
    """Decode an answer of files.list; raises what `read_files_page` raises, whichever way it goes."""
    return fast_page(body) or read_files_page(body)
