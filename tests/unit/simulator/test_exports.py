"""Exports are real files: each is read by a parser that did not write it, and the same content gives the same bytes."""

import csv
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from drive_simulator.api.exports import DOWNLOAD_FORMATS, EXPORT_LIMIT_BYTES, declare_size, export
from drive_simulator.model.item_changes import create, replace_content
from drive_simulator.model.items import WORKSPACE_PREFIX, Item
from support.worlds import Stage

NAME = "Plan & <Ziele> für 🚀 メモ"
CASES = [(kind, each) for kind, formats in DOWNLOAD_FORMATS.items() for each in formats]


@pytest.fixture(scope="module")
def stage() -> Stage:
    """A world to export from."""
    return Stage()


def made(stage: Stage, kind: str) -> Item:
    """A document of that type."""
    return create(stage.world, stage.alice, NAME, kind)


def texts(xml: bytes | str) -> str:
    """All text of an XML document, which has to be well-formed."""
    return "".join(ElementTree.fromstring(xml).itertext())  # noqa: S314 - our own document


def check_zip(body: bytes) -> None:
    """A zip without a broken part, whose XML parts are well-formed and whose relations lead to parts that are there."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        parts = {name: archive.read(name) for name in names}
        if names[0] == "mimetype":
            assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
    shown = "".join(texts(part) for name, part in parts.items() if name.endswith((".xml", ".xhtml", ".html")))
    assert "Content 0 of" in shown
    for name, part in parts.items():
        if name.endswith((".rels", ".opf")):
            texts(part)
        if name.endswith(".rels"):
            folder = name.replace("_rels/", "").rpartition("/")[0]
            for target in re.findall(r'Target="([^"]+)"', part.decode()):
                path = f"{folder}/{target}".lstrip("/")
                path = re.sub(r"[^/]+/\.\./", "", path)
                assert path in names
    if "[Content_Types].xml" in names:
        declared = re.findall(r'PartName="/([^"]+)"', parts["[Content_Types].xml"].decode())
        assert set(declared) <= set(names)


def check_pdf(body: bytes) -> None:
    """A PDF whose cross-reference table leads to its objects and whose streams have the lengths they say."""
    assert body.startswith(b"%PDF-1.7\n")
    assert body.endswith(b"%%EOF\n")
    at = int(re.findall(rb"startxref\n(\d+)\n", body)[-1])
    assert body[at:].startswith(b"xref\n0 ")
    offsets = [int(each) for each in re.findall(rb"(\d{10}) 00000 n \n", body[at:])]
    for number, offset in enumerate(offsets, start=1):
        assert body[offset:].startswith(b"%d 0 obj\n" % number)
    streams = re.findall(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", body, re.DOTALL)
    assert streams
    assert all(int(length) == len(stream) for length, stream in streams)
    assert b"Content 0 of" in streams[0][1]


def check_png(body: bytes) -> None:
    """A PNG whose chunks have the right checksums and whose pixels are all there."""
    assert body.startswith(b"\x89PNG\r\n\x1a\n")
    at, pixels, width, height = 8, b"", 0, 0
    while at < len(body):
        (length,) = struct.unpack(">I", body[at : at + 4])
        name, data = body[at + 4 : at + 8], body[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack(">I", body[at + 8 + length : at + 12 + length])
        assert checksum == zlib.crc32(name + data)
        if name == b"IHDR":
            width, height = struct.unpack(">II", data[:8])
        pixels += data if name == b"IDAT" else b""
        at += length + 12
    assert name == b"IEND"
    assert len(zlib.decompress(pixels)) == (width + 1) * height


def check_jpeg(body: bytes) -> None:
    """A JPEG whose segments follow one another up to the scan, which decodes to as many blocks as the picture has."""
    assert body[:2] == b"\xff\xd8"
    assert body[-2:] == b"\xff\xd9"
    at = 2
    segments: dict[int, list[bytes]] = {}
    while body[at + 1] != 0xDA:
        (length,) = struct.unpack(">H", body[at + 2 : at + 4])
        segments.setdefault(body[at + 1], []).append(body[at + 4 : at + 2 + length])
        at += length + 2
    height, width = struct.unpack(">HH", segments[0xC0][0][1:5])
    table = segments[0xC4][0]
    codes, code, values = {}, 0, iter(table[17:])
    for length, count in enumerate(table[1:17], start=1):
        for _ in range(count):
            codes[f"{code:0{length}b}"] = next(values)
            code += 1
        code <<= 1
    (length,) = struct.unpack(">H", body[at + 2 : at + 4])
    scan = body[at + 2 + length : -2].replace(b"\xff\0", b"\xff")
    bits = "".join(f"{each:08b}" for each in scan)
    blocks = position = 0
    while blocks < height * width // 64:
        end = position + 1
        while bits[position:end] not in codes:
            end += 1
            assert end - position <= 16
        position = end + codes[bits[position:end]]
        assert bits[position] == "0"
        position += 1
        blocks += 1
    assert set(bits[position:]) <= {"1"}
    assert len(bits) - position < 8


def check_rtf(body: bytes) -> None:
    """Rich text with balanced braces, in ASCII."""
    text = body.decode("ascii")
    assert text.startswith("{\\rtf1")
    plain = re.sub(r"\\[{}\\]", "", text)
    assert plain.count("{") == plain.count("}")
    assert "\\u252?" in text


def check_mp4(body: bytes) -> None:
    """Boxes that fill the file."""
    at, names = 0, []
    while at < len(body):
        (length,) = struct.unpack(">I", body[at : at + 4])
        names.append(body[at + 4 : at + 8])
        at += length
    assert at == len(body)
    assert names == [b"ftyp", b"moov", b"free"]


def check_csv(delimiter: str) -> Callable[[bytes], None]:
    """Rows of two columns."""

    def check(body: bytes) -> None:
        rows = list(csv.reader(io.StringIO(body.decode()), delimiter=delimiter))
        assert rows[0] == ["Number", "Text"]
        assert {len(row) for row in rows} == {2}

    return check


def check_script(body: bytes) -> None:
    """A project of files, one of them the manifest."""
    assert {each["type"] for each in json.loads(body)["files"]} == {"server_js", "json"}


CHECKS: dict[str, Callable[[bytes], None]] = {
    "application/pdf": check_pdf,
    "image/png": check_png,
    "image/jpeg": check_jpeg,
    "image/svg+xml": lambda body: _says(texts(body)),
    "application/rtf": check_rtf,
    "text/html": lambda body: _says(texts(body)),
    "text/plain": lambda body: _says(body.decode("utf-8-sig")),
    "text/markdown": lambda body: _says(body.decode()),
    "text/csv": check_csv(","),
    "text/tab-separated-values": check_csv("\t"),
    "video/mp4": check_mp4,
    WORKSPACE_PREFIX + "script+json": check_script,
}


def _says(text: str) -> None:
    assert NAME in text
    assert "Content 0 of" in text


@pytest.mark.parametrize(("kind", "mime_type"), CASES)
def test_an_export_is_a_file_of_its_format(stage: Stage, kind: str, mime_type: str) -> None:
    """A parser of the format reads it; asked for again it is the same, with other content another."""
    item = made(stage, kind)
    body = export(item, mime_type)
    assert body is not None
    assert len(body) < 20_000
    CHECKS.get(mime_type, check_zip)(body)
    assert export(item, mime_type) == body
    replace_content(stage.world, item, stage.alice)
    assert export(item, mime_type) != body
    assert export(item, mime_type, salt=0) == body


@pytest.mark.parametrize(("kind", "mime_type"), CASES)
def test_a_document_can_be_declared_large(stage: Stage, kind: str, mime_type: str) -> None:
    """Its exports are over the limit then, and still files of their format."""
    item = made(stage, kind)
    declare_size(item, EXPORT_LIMIT_BYTES + 1)
    body = export(item, mime_type)
    assert body is not None
    assert EXPORT_LIMIT_BYTES < len(body) < 6 * EXPORT_LIMIT_BYTES
    CHECKS.get(mime_type, check_zip)(body)
