"""Which formats Google exports its own documents to. Source: the guide "Export MIME types for Workspace documents"."""

_APPS = "application/vnd.google-apps."
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."

EXPORT_FORMATS: dict[str, tuple[str, ...]] = {
    _APPS + "document": (
        _OFFICE + "wordprocessingml.document",
        _OPEN + "text",
        "application/rtf",
        "application/pdf",
        "text/plain",
        "application/zip",
        "application/epub+zip",
        "text/markdown",
    ),
    _APPS + "spreadsheet": (
        _OFFICE + "spreadsheetml.sheet",
        _OPEN + "spreadsheet",
        "application/pdf",
        "application/zip",
        "text/csv",
        "text/tab-separated-values",
    ),
    _APPS + "presentation": (
        _OFFICE + "presentationml.presentation",
        _OPEN + "presentation",
        "application/pdf",
        "text/plain",
    ),
    _APPS + "drawing": ("application/pdf", "image/jpeg", "image/png", "image/svg+xml"),
    _APPS + "script": (_APPS + "script+json",),
    _APPS + "vid": ("video/mp4",),
}
"""By a Workspace document's MIME type. What is not here can't be exported."""
