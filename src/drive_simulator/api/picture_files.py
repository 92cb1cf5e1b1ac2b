"""Small but valid PDF, PNG, JPEG, SVG and MP4 files. The same text gives the same bytes; `padding` makes them larger.

Sources: ISO 32000-1 §7.5 (PDF), the PNG specification, ITU-T T.81 (JPEG), ISO/IEC 14496-12 (MP4).
"""

import struct
import zlib
from collections.abc import Sequence
from hashlib import sha256
from html import escape

_LINES_A_PAGE = 48
_SIDE = 16


def pdf(title: str, lines: Sequence[str]) -> bytes:
    """A document of A4 pages in Helvetica; what Latin-1 has not is shown as a question mark."""
    every = [title, *lines]
    pages = [every[at : at + _LINES_A_PAGE] for at in range(0, len(every), _LINES_A_PAGE)]
    first_page = 4
    kids = " ".join(f"{first_page + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        content = first_page + 2 * number + 1
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % content
        )
        shown = b"".join(b"(%s) Tj T*\n" % _pdf_text(line) for line in page)
        stream = b"BT /F1 11 Tf 15 TL 50 790 Td\n" + shown + b"ET"
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, each in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % each for each in offsets)
    identity = sha256("\n".join(every).encode()).hexdigest()[:32].encode()
    out += b"trailer\n<< /Size %d /Root 1 0 R /ID [<%s> <%s>] >>\n" % (len(objects) + 1, identity, identity)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % table)


def _pdf_text(text: str) -> bytes:
    raw = text.encode("cp1252", "replace")
    return raw.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def png(text: str, padding: int = 0) -> bytes:
    """A grey square whose pixels are the text's digest, with the text in a comment."""
    shades = _shades(text)
    raw = b"".join(b"\0" + shades[row * _SIDE : (row + 1) * _SIDE] for row in range(_SIDE))
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    comment = b"Comment\0\0\0\0\0" + text.encode() + b" " * padding
    chunks = ((b"IHDR", header), (b"iTXt", comment), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name, data) for name, data in chunks)


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# The Huffman table of T.81, K.3.1, for DC coefficients of luminance: how many codes of each length, and their values.
_DC_COUNTS = (0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)
_DC_VALUES = tuple(range(12))
# Every block ends at once: the one code of the AC table is the end of a block, 0.
_AC_COUNTS = (1, *(0,) * 15)
_MAX_SEGMENT = 65_533


def jpeg(text: str, padding: int = 0) -> bytes:
    """A grey picture of 16 by 16 blocks, each of one shade, with the text in a comment."""
    side = 8 * _SIDE
    comment = text.encode() + b" " * padding
    pieces = [comment[at : at + _MAX_SEGMENT] for at in range(0, len(comment), _MAX_SEGMENT)]
    segments = [
        (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
        *((0xFE, piece) for piece in pieces),
        (0xDB, b"\0" + b"\x08" * 64),
        (0xC0, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0"),
        (0xC4, b"\0" + bytes(_DC_COUNTS) + bytes(_DC_VALUES)),
        (0xC4, b"\x10" + bytes(_AC_COUNTS) + b"\0"),
        (0xDA, b"\1\1\0\0\x3f\0"),
    ]
    head = b"".join(b"\xff%c" % marker + struct.pack(">H", len(data) + 2) + data for marker, data in segments)
    return b"\xff\xd8" + head + _jpeg_blocks(_shades(text)) + b"\xff\xd9"


def _jpeg_blocks(shades: bytes) -> bytes:
    codes = _dc_codes()
    bits, before = [], 0
    for shade in shades:
        level = shade - 128
        difference, before = level - before, level
        size = abs(difference).bit_length()
        bits.append(codes[size])
        if size:
            bits.append(f"{difference if difference > 0 else difference + (1 << size) - 1:0{size}b}")
        bits.append("0")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")


def _dc_codes() -> dict[int, str]:
    codes: dict[int, str] = {}
    values, code = iter(_DC_VALUES), 0
    for length, count in enumerate(_DC_COUNTS, start=1):
        for _ in range(count):
            codes[next(values)] = f"{code:0{length}b}"
            code += 1
        code <<= 1
    return codes


def svg(title: str, lines: Sequence[str]) -> bytes:
    """A drawing of the lines."""
    shown = "".join(
        f'<text x="10" y="{20 * number}">{escape(line)}</text>' for number, line in enumerate((title, *lines), start=1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480">'
        f"<title>{escape(title)}</title>{shown}</svg>\n"
    ).encode()


def mp4(text: str, padding: int = 0) -> bytes:
    """A film without a track: brand, header and the text as free space."""
    header = struct.pack(">IIIII", 0, 0, 0, 1_000, 0) + struct.pack(">IHH8x", 0x10000, 0x100, 0)
    header += struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000) + b"\0" * 24 + struct.pack(">I", 1)
    brand = b"isom" + struct.pack(">I", 512) + b"isommp41"
    moov = _box(b"mvhd", header)
    return _box(b"ftyp", brand) + _box(b"moov", moov) + _box(b"free", text.encode() + b" " * padding)


def _box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + name + data


def _shades(text: str) -> bytes:
    digest = sha256(text.encode()).digest()
    return digest * (_SIDE * _SIDE // len(digest))
