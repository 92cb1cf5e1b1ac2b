"""Which formats Workspace documents export to, and the exports: small, but real files of each format.

The same content gives the same bytes, whenever it is asked for. Source: Drive guide "Export formats".
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from drive_simulator.api import office_files, picture_files
from drive_simulator.model.items import WORKSPACE_PREFIX, Item

EXPORT_LIMIT_BYTES = 10 * 1024 * 1024
LINK_PATH = "/feeds/download/documents/export/Export"

_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."
_DOCX, _XLSX, _PPTX = (
    _OFFICE + "wordprocessingml.document",
    _OFFICE + "spreadsheetml.sheet",
    _OFFICE + "presentationml.presentation",
)
# The name that Google gives OpenDocument sheets beside the registered one.
_OPEN_SHEET = "application/x-vnd.oasis.opendocument.spreadsheet"

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
        _OPEN_SHEET,
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
    _OPEN_SHEET: "x-ods",
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

# What files.download gives, more than files.export. The first is what it gives unasked: Google documents no default.
DOWNLOAD_FORMATS: Mapping[str, tuple[str, ...]] = {**EXPORT_FORMATS, WORKSPACE_PREFIX + "vid": ("video/mp4",)}


def export_links(item: Item, base_url: str, revision_id: str | None = None) -> dict[str, str] | None:
    """A link, to who serves the simulator, for each format the item exports to; `None` for what does not export."""
    formats = EXPORT_FORMATS.get(item.mime_type)
    if formats is None:
        return None
    revision = "" if revision_id is None else f"&revision={revision_id}"
    base = f"{base_url}{LINK_PATH}?id={item.id}{revision}&exportFormat="
    return {format_: base + _SUFFIXES.get(format_, "json") for format_ in formats}


def format_of(item: Item, suffix: str) -> str | None:
    """The format that a link's `exportFormat` names; `None` where the item has none such."""
    formats = EXPORT_FORMATS.get(item.mime_type, ())
    return next((each for each in formats if _SUFFIXES.get(each, "json") == suffix), None)


def declare_size(item: Item, size_bytes: int) -> None:
    """Make the document a large one: its exports have at least that many bytes from now on."""
    item.set_rare("export_size", size_bytes)


def export(item: Item, mime_type: str, *, salt: int | None = None) -> bytes | None:
    """The item's content in that format, `None` where it does not export to it. Changes with the item's content.

    `salt` is that of an earlier revision.
    """
    if mime_type not in DOWNLOAD_FORMATS.get(item.mime_type, ()):
        return None
    return _WRITERS[mime_type](_text_of(item, item.salt if salt is None else salt))


@dataclass(frozen=True, slots=True)
class _Text:
    """What a document says: a title, lines, and how many bytes its exports have to have."""

    file_id: str
    title: str
    lines: Sequence[str]
    size: int

    @property
    def whole(self) -> str:
        return "\n".join((self.title, *self.lines)) + "\n"

    @property
    def rows(self) -> list[list[str]]:
        return [["Number", "Text"], *([str(number), line] for number, line in enumerate(self.lines, start=1))]


def _text_of(item: Item, salt: int) -> _Text:
    title = _printable(item.name)
    first = f"Content {salt} of {item.id}."
    line = "All that is said here is made up, and it is the same each time that somebody asks for it."
    size = item.rare("export_size")
    count = size // len(line) + 1 if isinstance(size, int) else 2
    return _Text(item.id, title, [first, *(line,) * count], size if isinstance(size, int) else 0)


def _printable(text: str) -> str:
    """The text as every format can carry it: XML knows no control characters."""
    kept = (each if each.isprintable() or each == " " else "\ufffd" for each in text)
    return "".join(kept).encode("utf-8", "replace").decode() or "Untitled"


def _table(text: _Text, dialect: str) -> bytes:
    target = io.StringIO()
    csv.writer(target, dialect).writerows(text.rows)
    return target.getvalue().encode()


def _script(text: _Text) -> bytes:
    source = "".join(f"// {line}\n" for line in text.lines) + "function main() {}\n"
    manifest = '{"timeZone": "Etc/UTC", "runtimeVersion": "V8"}'
    files = [
        {"id": f"{text.file_id}-code", "name": "Code", "type": "server_js", "source": source},
        {"id": f"{text.file_id}-manifest", "name": "appsscript", "type": "json", "source": manifest},
    ]
    return orjson.dumps({"files": files})


def _markdown(text: _Text) -> bytes:
    return (f"# {text.title}\n\n" + "\n\n".join(text.lines) + "\n").encode()


def _html_zip(text: _Text) -> bytes:
    return office_files.zip_file({"Document.html": office_files.html_page(text.title, text.lines)})


_WRITERS: Mapping[str, Callable[[_Text], bytes]] = {
    _DOCX: lambda text: office_files.docx(text.title, text.lines),
    _XLSX: lambda text: office_files.xlsx(text.title, text.rows),
    _PPTX: lambda text: office_files.pptx(text.title, text.lines),
    _OPEN + "text": lambda text: office_files.open_document("text", text.title, [[text.title], *text.rows]),
    _OPEN + "spreadsheet": lambda text: office_files.open_document("spreadsheet", text.title, text.rows),
    _OPEN_SHEET: lambda text: office_files.open_document("spreadsheet", text.title, text.rows),
    _OPEN + "presentation": lambda text: office_files.open_document("presentation", text.title, text.rows),
    "application/rtf": lambda text: office_files.rtf(text.title, text.lines),
    "application/pdf": lambda text: picture_files.pdf(text.title, text.lines),
    "text/plain": lambda text: b"\xef\xbb\xbf" + text.whole.encode(),
    "text/html": lambda text: office_files.html_page(text.title, text.lines).encode(),
    "application/zip": _html_zip,
    "application/epub+zip": lambda text: office_files.epub(text.title, text.lines, text.file_id),
    "text/markdown": _markdown,
    "text/csv": lambda text: _table(text, "excel"),
    "text/tab-separated-values": lambda text: _table(text, "excel-tab"),
    "image/jpeg": lambda text: picture_files.jpeg(text.title + text.lines[0], text.size),
    "image/png": lambda text: picture_files.png(text.title + text.lines[0], text.size),
    "image/svg+xml": lambda text: picture_files.svg(text.title, text.lines),
    "video/mp4": lambda text: picture_files.mp4(text.title + text.lines[0], text.size),
    WORKSPACE_PREFIX + "script+json": _script,
}
