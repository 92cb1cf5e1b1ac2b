"""What hangs on files, and their bytes: the mirror's held against the Drive's. What was compared, in figures."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import msgspec

from google_drive_worker.demo.mirror import Difference, Fetch, Mirror, MirroredData, ReceivedRecord, Truth


class TrueContent(msgspec.Struct, frozen=True, gc=False):
    """A file's bytes as the simulator knows them (`drive_simulator.truth.contents`)."""

    status: Literal["available", "not_downloadable", "not_exportable"]
    size: int | None = None
    sha256: str | None = None


class TrueRevision(msgspec.Struct, frozen=True, gc=False):
    """A revision as the simulator knows it; the part of it that is compared."""

    modified_time: str
    size: int | None = None


class TrueComment(msgspec.Struct, frozen=True, gc=False):
    """A comment as the simulator knows it; the part of it that is compared."""

    modified_time: str
    content: str | None = None
    resolved: bool = False


@dataclass(frozen=True, slots=True)
class TrueDetails:
    """What a user can have of files beside their metadata: bytes by file's id, the rest by the record's resource id.

    Files of more than `limit_bytes` are to be left out.
    """

    contents: Mapping[str, TrueContent]
    revisions: Mapping[str, TrueRevision]
    comments: Mapping[str, TrueComment]
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of what was compared: how many the Drive has, and how many differences there are."""

    what: str
    count: int
    differences: int


def compare_details(mirror: Mirror, true: TrueDetails, connection_id: str, fetch: Fetch) -> list[Difference]:
    """Hold a connection's revisions, comments and bytes in the mirror against the truth; empty: they are equal.

    Bytes are had by `fetch` and compared by their SHA-256. A file that the mirror lacks altogether is `compare`'s to
    tell.
    """
    revisions: _Shown = {key: (each.modified_time, each.size) for key, each in true.revisions.items()}
    comments: _Shown = {key: (each.modified_time, each.content, each.resolved) for key, each in true.comments.items()}
    return [
        *_hanging_differences(mirror, connection_id, "revision", revisions),
        *_hanging_differences(mirror, connection_id, "comment", comments),
        *_content_differences(mirror, connection_id, true, fetch),
    ]


def compared(truth: Truth, true: TrueDetails, differences: Sequence[Difference]) -> list[Compared]:
    """All that is held against the Drive, kind by kind; every difference is in one of the lines."""
    kinds = Counter("folder" if file.is_folder else "file" for file in truth.files.values() if not file.trashed)
    told = sum(1 for item_id, _ in truth.permissions or () if item_id not in truth.untold)
    counts = {
        "file": kinds["file"],
        "folder": kinds["folder"],
        "shared_drive": len(truth.drives),
        "permission": told,
        "revision": len(true.revisions),
        "comment": len(true.comments),
        "content": sum(_has_bytes(each, true.limit_bytes) for each in true.contents.values()),
    }
    found = Counter(each.resource_type for each in differences)
    return [Compared(what, count, found[what]) for what, count in counts.items()]


def records_expected(truth: Truth, true: TrueDetails) -> int:
    """How many records a full sync of it writes, or nearly: what is shown of its way.

    Files come a second time with their contents, and two records say where the sync begins and ends.
    """
    items = sum(not file.trashed for file in truth.files.values()) + len(truth.drives)
    hanging = len(truth.permissions or ()) + len(true.revisions) + len(true.comments)
    return items + hanging + len(true.contents) + 2


_Shown = dict[str, tuple[object, ...]]
"""By resource id, what is compared."""


def _hanging_differences(
    mirror: Mirror, connection_id: str, resource_type: str, expected: _Shown
) -> Iterator[Difference]:
    held = {record.resource_id: _shown(record.data) for record in mirror.held(connection_id, resource_type)}
    for resource_id in held.keys() | expected.keys():
        if resource_id not in expected:
            yield Difference("unexpected", resource_type, resource_id)
        elif resource_id not in held:
            yield Difference("missing", resource_type, resource_id)
        elif held[resource_id] != expected[resource_id]:
            what = expected[resource_id], held[resource_id]
            yield Difference("different", resource_type, resource_id, "what it holds", *what)


def _shown(data: MirroredData) -> tuple[object, ...]:
    if data.type == "revision":
        return data.modified_at, data.size_bytes
    return data.modified_at, data.content, data.resolved


def _content_differences(mirror: Mirror, connection_id: str, true: TrueDetails, fetch: Fetch) -> Iterator[Difference]:
    for record in mirror.held(connection_id, "file"):
        expected = _expected(true.contents.get(record.resource_id), true.limit_bytes)
        actual = _actual(record, fetch)
        if actual != expected:
            yield Difference("different", "content", record.resource_id, "content", expected, actual)


def _has_bytes(content: TrueContent, limit_bytes: int) -> bool:
    return content.status == "available" and (content.size or 0) <= limit_bytes


def _expected(content: TrueContent | None, limit_bytes: int) -> str | None:
    """The SHA-256 of the bytes, or why there are none; shortcuts have neither."""
    if content is None or content.status != "available":
        return None if content is None else content.status
    return content.sha256 if _has_bytes(content, limit_bytes) else "too_large"


def _actual(record: ReceivedRecord, fetch: Fetch) -> str | None:
    if record.content_ref is None:
        return record.data.content_status
    try:
        return sha256(fetch(record.content_ref)).hexdigest()
    except (OSError, ValueError) as problem:
        return str(problem)
