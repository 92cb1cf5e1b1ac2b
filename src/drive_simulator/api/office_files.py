"""Small but valid files of the office formats, made of a title and lines of text. The same text gives the same bytes.

Sources: ECMA-376 (docx, xlsx, pptx), OpenDocument 1.2 part 3 (odt, ods, odp), EPUB 3 Open Container Format.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from html import escape
from string import ascii_uppercase

_DATE = (1980, 1, 1, 0, 0, 0)
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
_TYPES = "application/vnd.openxmlformats-officedocument."
_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_DEFLATED_UP_TO = 1 << 20


def zip_file(parts: Mapping[str, str | bytes], *, first_plain: bool = False) -> bytes:
    """A zip of those parts, in order; `first_plain` stores the first one without compression, as mimetypes want it.

    Parts that are large are stored as they are: who declares a large export wants large bytes.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for number, (name, part) in enumerate(parts.items()):
            data = part.encode() if isinstance(part, str) else part
            plain = (number == 0 and first_plain) or len(data) > _DEFLATED_UP_TO
            info = zipfile.ZipInfo(name, _DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, data, zipfile.ZIP_STORED if plain else zipfile.ZIP_DEFLATED)
    return target.getvalue()


def docx(title: str, lines: Sequence[str]) -> bytes:
    """A Word document: a paragraph a line."""
    main = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "".join(f'<w:p><w:r><w:t xml:space="preserve">{escape(each)}</w:t></w:r></w:p>' for each in (title, *lines))
    parts = {
        "[Content_Types].xml": _content_types({"/word/document.xml": "wordprocessingml.document.main"}),
        "_rels/.rels": _relations({"word/document.xml": "officeDocument"}),
        "word/document.xml": f'{_XML}<w:document xmlns:w="{main}"><w:body>{body}<w:sectPr/></w:body></w:document>',
    }
    return zip_file(parts)


def xlsx(title: str, rows: Sequence[Sequence[str]]) -> bytes:
    """A workbook with one sheet."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cells = "".join(
        f'<row r="{at}">'
        + "".join(
            f'<c r="{column}{at}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
            for column, value in zip(ascii_uppercase, row, strict=False)
        )
        + "</row>"
        for at, row in enumerate(rows, start=1)
    )
    sheet = f'<sheets><sheet name="{_sheet_name(title)}" sheetId="1" r:id="rId1"/></sheets>'
    types = {"/xl/workbook.xml": "spreadsheetml.sheet.main", "/xl/worksheets/sheet1.xml": "spreadsheetml.worksheet"}
    parts = {
        "[Content_Types].xml": _content_types(types),
        "_rels/.rels": _relations({"xl/workbook.xml": "officeDocument"}),
        "xl/workbook.xml": f'{_XML}<workbook xmlns="{main}" xmlns:r="{_RELATION}">{sheet}</workbook>',
        "xl/_rels/workbook.xml.rels": _relations({"worksheets/sheet1.xml": "worksheet"}),
        "xl/worksheets/sheet1.xml": f'{_XML}<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    return zip_file(parts)


def pptx(title: str, lines: Sequence[str]) -> bytes:
    """A presentation of one slide, with the master, the layout and the theme that it has to have."""
    tree = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    text = "".join(f"<a:p><a:r><a:t>{escape(each)}</a:t></a:r></a:p>" for each in (title, *lines))
    shape = (
        '<p:sp><p:nvSpPr><p:cNvPr id="2" name="Text"/><p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr><p:spPr><a:xfrm>'
        '<a:off x="457200" y="457200"/><a:ext cx="8229600" cy="4114800"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/>'
        f"</a:prstGeom></p:spPr><p:txBody><a:bodyPr/><a:lstStyle/>{text}</p:txBody></p:sp>"
    )
    ids = '<p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>'
    ids += '<p:sldIdLst><p:sldId id="256" r:id="rId2"/></p:sldIdLst>'
    sizes = '<p:sldSz cx="9144000" cy="5143500"/><p:notesSz cx="6858000" cy="9144000"/>'
    map_ = " ".join(f'{a}="{b}"' for a, b in (("bg1", "lt1"), ("tx1", "dk1"), ("bg2", "lt2"), ("tx2", "dk2")))
    map_ += "".join(f' accent{n}="accent{n}"' for n in range(1, 7)) + ' hlink="hlink" folHlink="folHlink"'
    layouts = '<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst>'
    types = {
        "/ppt/presentation.xml": "presentationml.presentation.main",
        "/ppt/slideMasters/slideMaster1.xml": "presentationml.slideMaster",
        "/ppt/slideLayouts/slideLayout1.xml": "presentationml.slideLayout",
        "/ppt/slides/slide1.xml": "presentationml.slide",
        "/ppt/theme/theme1.xml": "theme",
    }
    parts = {
        "[Content_Types].xml": _content_types(types),
        "_rels/.rels": _relations({"ppt/presentation.xml": "officeDocument"}),
        "ppt/presentation.xml": _slide_part("presentation", ids + sizes),
        "ppt/_rels/presentation.xml.rels": _relations(
            {"slideMasters/slideMaster1.xml": "slideMaster", "slides/slide1.xml": "slide"}
        ),
        "ppt/slideMasters/slideMaster1.xml": _slide_part(
            "sldMaster", f"<p:cSld><p:spTree>{tree}</p:spTree></p:cSld><p:clrMap {map_}/>{layouts}"
        ),
        "ppt/slideMasters/_rels/slideMaster1.xml.rels": _relations(
            {"../slideLayouts/slideLayout1.xml": "slideLayout", "../theme/theme1.xml": "theme"}
        ),
        "ppt/slideLayouts/slideLayout1.xml": _slide_part("sldLayout", f"<p:cSld><p:spTree>{tree}</p:spTree></p:cSld>"),
        "ppt/slideLayouts/_rels/slideLayout1.xml.rels": _relations({"../slideMasters/slideMaster1.xml": "slideMaster"}),
        "ppt/slides/slide1.xml": _slide_part("sld", f"<p:cSld><p:spTree>{tree}{shape}</p:spTree></p:cSld>"),
        "ppt/slides/_rels/slide1.xml.rels": _relations({"../slideLayouts/slideLayout1.xml": "slideLayout"}),
        "ppt/theme/theme1.xml": _theme(),
    }
    return zip_file(parts)


def open_document(kind: str, title: str, rows: Sequence[Sequence[str]]) -> bytes:
    """An OpenDocument file; `kind` is text, spreadsheet or presentation."""
    lines = "".join(f"<text:p>{escape(' '.join(row))}</text:p>" for row in rows)
    if kind == "spreadsheet":
        cells = "".join(
            "<table:table-row>"
            + "".join(
                f'<table:table-cell office:value-type="string"><text:p>{escape(value)}</text:p></table:table-cell>'
                for value in row
            )
            + "</table:table-row>"
            for row in rows
        )
        inner = f'<table:table table:name="{_sheet_name(title)}">{cells}</table:table>'
    elif kind == "presentation":
        inner = (
            '<draw:page draw:name="page1" draw:master-page-name="Default"><draw:frame svg:width="20cm" '
            f'svg:height="10cm"><draw:text-box>{lines}</draw:text-box></draw:frame></draw:page>'
        )
    else:
        inner = lines
    names = {"office": "office", "text": "text", "table": "table", "draw": "drawing", "style": "style"}
    spaces = " ".join(f'xmlns:{short}="{_OASIS}{name}:1.0"' for short, name in names.items())
    spaces += f' xmlns:svg="{_OASIS}svg-compatible:1.0" office:version="1.2"'
    mime_type = f"application/vnd.oasis.opendocument.{kind}"
    manifest = "".join(
        f'<manifest:file-entry manifest:full-path="{path}" manifest:media-type="{media}"/>'
        for path, media in (("/", mime_type), ("content.xml", "text/xml"), ("styles.xml", "text/xml"))
    )
    masters = '<style:master-page style:name="Default" style:page-layout-name="L"/>'
    layouts = '<office:automatic-styles><style:page-layout style:name="L"/></office:automatic-styles>'
    content = f"<office:body><office:{kind}>{inner}</office:{kind}></office:body>"
    parts = {
        "mimetype": mime_type,
        "content.xml": f"{_XML}<office:document-content {spaces}>{content}</office:document-content>",
        "styles.xml": f"{_XML}<office:document-styles {spaces}>{layouts}<office:master-styles>{masters}"
        "</office:master-styles></office:document-styles>",
        "META-INF/manifest.xml": f'{_XML}<manifest:manifest xmlns:manifest="{_OASIS}manifest:1.0" '
        f'manifest:version="1.2">{manifest}</manifest:manifest>',
    }
    return zip_file(parts, first_plain=True)


def epub(title: str, lines: Sequence[str], identifier: str) -> bytes:
    """A book of one chapter."""
    page = html_page(title, lines).replace("<html>", '<html xmlns="http://www.w3.org/1999/xhtml">')
    nav = (
        f'{_XML}<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>'
        f'{escape(title)}</title></head><body><nav epub:type="toc"><ol><li><a href="text.xhtml">{escape(title)}</a>'
        "</li></ol></nav></body></html>"
    )
    package = (
        f'{_XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"><metadata '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">{identifier}</dc:identifier>'
        f"<dc:title>{escape(title)}</dc:title><dc:language>en</dc:language>"
        '<meta property="dcterms:modified">1980-01-01T00:00:00Z</meta></metadata><manifest>'
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        '<item id="text" href="text.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="text"/></spine></package>'
    )
    container = (
        f'{_XML}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    parts = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": container,
        "content.opf": package,
        "nav.xhtml": nav,
        "text.xhtml": page,
    }
    return zip_file(parts, first_plain=True)


def html_page(title: str, lines: Sequence[str]) -> str:
    """A page that is XHTML as well."""
    body = "".join(f"<p>{escape(each)}</p>" for each in lines)
    head = f'<head><meta charset="UTF-8"/><title>{escape(title)}</title></head>'
    return f"<html>{head}<body><h1>{escape(title)}</h1>{body}</body></html>"


def rtf(title: str, lines: Sequence[str]) -> bytes:
    """Rich text: whatever is not ASCII is escaped."""
    paragraphs = "".join(_rtf_text(each) + "\\par\n" for each in (title, *lines))
    return ("{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Arial;}}\n" + paragraphs + "}\n").encode("ascii")


def _rtf_text(text: str) -> str:
    units = memoryview(text.encode("utf-16-le")).cast("H")
    shown = (chr(unit) if 32 <= unit < 127 else f"\\u{unit - 65536 if unit > 32767 else unit}?" for unit in units)  # noqa: PLR2004
    return "".join("\\" + each if each in "\\{}" else each for each in shown)


def _sheet_name(title: str) -> str:
    """What a sheet may be called: 31 characters, none of them punctuation of formulas."""
    return escape("".join(each for each in title if each not in "[]:*?/\\'")[:31].strip() or "Sheet1")


def _content_types(parts: Mapping[str, str]) -> str:
    defaults = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    defaults += '<Default Extension="xml" ContentType="application/xml"/>'
    overrides = "".join(
        f'<Override PartName="{name}" ContentType="{_TYPES}{kind}+xml"/>' for name, kind in parts.items()
    )
    return f'{_XML}<Types xmlns="{_PACKAGE}content-types">{defaults}{overrides}</Types>'


def _relations(targets: Mapping[str, str]) -> str:
    inner = "".join(
        f'<Relationship Id="rId{number}" Type="{_RELATION}/{kind}" Target="{target}"/>'
        for number, (target, kind) in enumerate(targets.items(), start=1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}relationships">{inner}</Relationships>'


def _slide_part(name: str, inner: str) -> str:
    spaces = f'xmlns:a="{_DRAWING}" xmlns:r="{_RELATION}" xmlns:p="{_SLIDES}"'
    return f"{_XML}<p:{name} {spaces}>{inner}</p:{name}>"


def _theme() -> str:
    names = ("dk1", "lt1", "dk2", "lt2", *(f"accent{n}" for n in range(1, 7)), "hlink", "folHlink")
    light = {"lt1", "lt2"}
    colours = "".join(
        f'<a:{each}><a:srgbClr val="{"FFFFFF" if each in light else "202020"}"/></a:{each}>' for each in names
    )
    font = '<a:latin typeface="Arial"/><a:ea typeface=""/><a:cs typeface=""/>'
    fill = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
    line = f'<a:ln w="9525">{fill}</a:ln>'
    effect = "<a:effectStyle><a:effectLst/></a:effectStyle>"
    return (
        f'{_XML}<a:theme xmlns:a="{_DRAWING}" name="Plain"><a:themeElements><a:clrScheme name="Plain">{colours}'
        f'</a:clrScheme><a:fontScheme name="Plain"><a:majorFont>{font}</a:majorFont><a:minorFont>{font}</a:minorFont>'
        f'</a:fontScheme><a:fmtScheme name="Plain"><a:fillStyleLst>{fill * 3}</a:fillStyleLst><a:lnStyleLst>{line * 3}'
        f"</a:lnStyleLst><a:effectStyleLst>{effect * 3}</a:effectStyleLst><a:bgFillStyleLst>{fill * 3}"
        "</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>"
    )
