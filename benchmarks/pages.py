"""The pages that are served: 1,000 files of the simulator's corpus each, cut by the worker's own `fields` mask."""

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from drive_simulator.api.wire import Request
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.server.server import Simulator
from google_drive_worker.client.fields import FILES_PAGE_FIELDS

PAGE_SIZE = 1_000
"""Files a page: the most that Google gives."""

DISTINCT_PAGES = 8
"""They are served in turn: enough that nothing is fast for being the same page again."""

_GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""A header of gzip (RFC 1952): deflate, no name, no time."""

_FILES = 20_000
_SEED = 3


class Page(NamedTuple):
    """One page but for its beginning: the JSON from `"files"` on, and the same compressed (raw deflate)."""

    rest: bytes
    compressed: bytes

    def gzipped(self, number: int | None) -> bytes:
        """The whole page, with a nextPageToken of that number; `None` for the last page.

        No token comes twice in a listing: the worker would take that for a circle. What is compressed is used again.
        """
        head = b"{" if number is None else b'{"nextPageToken":"~!!~AI9FV7T%08d%s",' % (number, b"x" * 116)
        stored = b"\x00" + struct.pack("<HH", len(head), len(head) ^ 0xFFFF) + head  # RFC 1951, 3.2.4
        crc = zlib.crc32(self.rest, zlib.crc32(head))
        return _GZIP + stored + self.compressed + struct.pack("<II", crc, len(head) + len(self.rest))


class _Listing(msgspec.Struct, rename="camel", omit_defaults=True):
    next_page_token: str | None = None
    files: list[msgspec.Raw] = []


def make_pages() -> list[Page]:
    """Make the pages, always the same ones."""
    files = _files()
    pages = []
    for number in range(DISTINCT_PAGES):
        part = files[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]
        rest = b'"files":' + msgspec.json.encode(part) + b"}"
        pages.append(Page(rest, _deflated(rest)))
    return pages


def save(pages: list[Page], path: Path) -> None:
    """Write them for `load`."""
    path.write_bytes(msgspec.msgpack.encode(pages))


def load(path: Path) -> list[Page]:
    """Read what `save` wrote."""
    return msgspec.msgpack.decode(path.read_bytes(), type=list[Page])


def one_change(pages: list[Page]) -> bytes:
    """A page of changes.list with one changed file, plain."""
    listing = msgspec.json.decode(b"{" + pages[0].rest, type=_Listing)
    file = bytes(listing.files[1])
    head = (
        b'{"newStartPageToken":"2","changes":[{"changeType":"file","time":"2025-01-20T10:00:00.000Z","removed":false,'
    )
    return head + b'"file":' + file + b"}]}"


def _files() -> list[msgspec.Raw]:
    simulator = Simulator(generate(CorpusPlan(files=_FILES, shared_drives=0, users=1, seed=_SEED)))
    email = next(iter(simulator.world.users))
    headers = {"Authorization": f"Bearer {simulator.access_token(email)}"}
    query = [("corpora", "user"), ("q", "trashed = false"), ("pageSize", "1000"), ("fields", FILES_PAGE_FIELDS)]
    files: list[msgspec.Raw] = []
    token: list[tuple[str, str]] = []
    while len(files) < DISTINCT_PAGES * PAGE_SIZE:
        response = simulator.handle(Request("GET", "/drive/v3/files", (*query, *token), headers))
        listing = msgspec.json.decode(response.body, type=_Listing)
        files += listing.files
        if listing.next_page_token is None:
            raise RuntimeError(f"the corpus has {len(files)} files only ({response.status})")
        token = [("pageToken", listing.next_page_token)]
    return files


def _deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(6, wbits=-15)
    return compressor.compress(data) + compressor.flush()
