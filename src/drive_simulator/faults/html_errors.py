"""Pages that Google's front end answers with instead of the API: HTML, which says nothing of what was asked for.

The text of 403 was reported (googleworkspace/python-samples #1424, google-api-nodejs-client #135); those of 404 and 502
are common knowledge, and that of 413 is assumed.
"""

from collections.abc import Mapping
from html import escape

from drive_simulator.api.errors import ApiError

_SORRY = (
    "<html><head><title>Sorry...</title></head><body><h1>We're sorry...</h1><p>... but your computer or network may be "
    "sending automated queries. To protect our users, we can't process your request right now.</p></body></html>"
)
_ERROR = (
    "<!DOCTYPE html><html lang=en><title>Error {status} ({title})!!1</title><p><b>{status}.</b> "
    "<ins>That\u2019s an error.</ins><p>{text} <ins>That\u2019s all we know.</ins>"
)

PAGES: Mapping[int, tuple[str, str]] = {
    403: ("Forbidden", ""),
    404: ("Not Found", "The requested URL <code>{path}</code> was not found on this server."),
    413: ("Request Entity Too Large", "Your client issued a request that was too large."),
    502: (
        "Server Error",
        "The server encountered a temporary error and could not complete your request. Please try again.",
    ),
}
"""Title and text, by status."""


class HtmlError(ApiError):
    """A page of that status, answered for `path`. Raises KeyError for a status that has no page."""

    content_type = "text/html; charset=UTF-8"

    def __init__(self, status: int, path: str) -> None:
        title, text = PAGES[status]
        super().__init__(status, "html", title)
        self._page = (
            _SORRY
            if not text
            else _ERROR.format(status=status, title=title, text=text.format(path=escape(path, quote=False)))
        )

    def body(self) -> bytes:
        """The page."""
        return self._page.encode()
