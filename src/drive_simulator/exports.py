"""Which formats Workspace documents export to, and exports that look so. Source: Drive guide "Export formats"."""

from drive_simulator.items import WORKSPACE_PREFIX, Item

EXPORT_LIMIT_BYTES = 10 * 1024 * 1024

_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."
_DOCX, _XLSX, _PPTX = (
    _OFFICE + "wordprocessingml.document",
    _OFFICE + "spreadsheetml.sheet",
    _OFFICE + "presentationml.presentation",
)

EXPORT_FORMATS: dict[str, tuple[str, ...]] = {
    WORKSPACE_PREFIX + "document": (
        _DOCX,
        _OPEN + "text",
        "application/rtf",
        "application/pdf",
        "text/plain",
        "text/html",
        "application/zip",
        "application/epub+zip",
        "text/markdown",
    ),
    WORKSPACE_PREFIX + "spreadsheet": (
        _XLSX,
        _OPEN + "spreadsheet",
        "application/x-vnd.oasis.opendocument.spreadsheet",
        "application/pdf",
        "application/zip",
        "text/csv",
        "text/tab-separated-values",
    ),
    WORKSPACE_PREFIX + "presentation": (_PPTX, _OPEN + "presentation", "application/pdf", "text/plain"),
    WORKSPACE_PREFIX + "drawing": ("application/pdf", "image/jpeg", "image/png", "image/svg+xml"),
    WORKSPACE_PREFIX + "script": (WORKSPACE_PREFIX + "script+json",),
}

_SUFFIXES = {
    _DOCX: "docx",
    _XLSX: "xlsx",
    _PPTX: "pptx",
    _OPEN + "text": "odt",
    _OPEN + "spreadsheet": "ods",
    _OPEN + "presentation": "odp",
    "application/rtf": "rtf",
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/html": "html",
    "application/zip": "zip",
    "application/epub+zip": "epub",
    "text/markdown": "markdown",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
}


def export_links(item: Item) -> dict[str, str] | None:
    """A link for each format the item exports to; `None` for what does not export."""
    formats = EXPORT_FORMATS.get(item.mime_type)
    if formats is None:
        return None
    kind = item.mime_type.removeprefix(WORKSPACE_PREFIX)
    base = f"https://docs.google.com/feeds/download/{kind}s/Export?id={item.id}&exportFormat="
    return {format_: base + _SUFFIXES.get(format_, "json") for format_ in formats}


def export(item: Item, mime_type: str) -> bytes | None:
    """The item's content in that format, `None` where it does not export to it. Changes with the item's content."""
    if mime_type not in EXPORT_FORMATS.get(item.mime_type, ()):
        return None
    size = item.rare("export_size")
    text = f"{item.name}\n{item.id} at version {item.salt} as {mime_type}\n".encode()
    if mime_type == "application/pdf":
        text = b"%PDF-1.7\n" + text
    return text if not isinstance(size, int) else (text * (size // len(text) + 1))[:size]
