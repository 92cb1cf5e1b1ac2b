"""What hangs on files, and their bytes, held against the Drive's."""

import hashlib
import itertools
import uuid

import msgspec
import pytest

from google_drive_worker.demo.details import (
    Compared,
    TrueComment,
    TrueContent,
    TrueDetails,
    TrueRevision,
    compare_details,
    compared,
)
from google_drive_worker.demo.mirror import Difference, Mirror, TruePermission, Truth
from google_drive_worker.domain.drive import FOLDER_MIME_TYPE, DriveFile
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.objects import ObjectRef

CONNECTION = "conn_abc"
BYTES = b"what is in it"
DIGEST = hashlib.sha256(BYTES).hexdigest()
REF = {"uri": "file:///objects/1", "size_bytes": len(BYTES), "sha256": DIGEST, "content_type": "text/plain"}
AT = "2026-01-01T00:00:00.000Z"
TRUE = TrueDetails(
    contents={
        "stored": TrueContent("available", len(BYTES), DIGEST),
        "large": TrueContent("available", 101, "0" * 64),
        "form": TrueContent("not_exportable"),
    },
    revisions={"stored/r1": TrueRevision(AT, len(BYTES))},
    comments={"stored/c1": TrueComment(AT, "good")},
    limit_bytes=100,
)
offsets = itertools.count()


def record(kind: str, resource_id: str, *, content_ref: dict[str, object] | None = None, **data: object) -> bytes:
    """A record as it stands in `ingestion.data`."""
    return msgspec.json.encode(
        {
            "message_id": str(uuid.uuid4()),
            "integration_connection_id": CONNECTION,
            "resource_type": kind,
            "resource_id": resource_id,
            "idempotency_key": f"google-drive:{CONNECTION}:{kind}:{resource_id}",
            "operation": "upsert",
            "sync_id": "019a0000-0000-7000-8000-000000000001",
            "data": {"id": resource_id, "type": kind, **data},
            "content_ref": content_ref,
        }
    )


def a_mirror(**changes: bytes) -> Mirror:
    """What is right; `changes` are other records in place of those of that name."""
    records = {
        "stored": record("file", "stored", content_status="stored", content_ref=REF),
        "large": record("file", "large", content_status="too_large"),
        "form": record("file", "form", content_status="not_exportable"),
        "shortcut": record("file", "shortcut"),
        "revision": record("revision", "stored/r1", modified_at=AT, size_bytes=len(BYTES)),
        "comment": record("comment", "stored/c1", modified_at=AT, content="good", resolved=False),
    }
    mirror = Mirror()
    for value in (records | changes).values():
        mirror.apply(value, partition=0, offset=next(offsets))
    return mirror


def differences(mirror: Mirror, bytes_: bytes = BYTES) -> list[str]:
    """In words, where the object store has these bytes."""

    def fetch(ref: ObjectRef) -> bytes:
        if ref.uri != REF["uri"]:
            raise FileNotFoundError(ref.uri)
        return bytes_

    return [str(each) for each in compare_details(mirror, TRUE, CONNECTION, fetch)]


def test_what_is_right_has_no_difference() -> None:
    """Bytes, the reasons why there are none, revisions and comments; a shortcut has nothing."""
    assert differences(a_mirror()) == []


def test_other_bytes_in_the_object_store_are_a_difference() -> None:
    """The bytes themselves count, not what the record says of them."""
    (found,) = differences(a_mirror(), b"something else")
    assert found.startswith("content stored: content is ")
    assert found.endswith(f", not '{DIGEST}'")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stored": record("file", "stored")}, "content stored: content is None"),
        ({"large": record("file", "large", content_status="stored", content_ref=REF)}, "not 'too_large'"),
        (
            {"form": record("file", "form", content_status="stored", content_ref=REF | {"uri": "file:///no"})},
            "file:///no",
        ),
        ({"revision": record("revision", "stored/r2", modified_at=AT)}, "unexpected revision stored/r2"),
        ({"revision": record("revision", "stored/r2", modified_at=AT)}, "missing revision stored/r1"),
        ({"revision": record("revision", "stored/r1", modified_at=AT, size_bytes=1)}, "revision stored/r1: what it"),
        ({"comment": record("comment", "stored/c1", modified_at=AT, content="bad")}, "comment stored/c1: what it"),
    ],
)
def test_each_thing_that_is_wrong_is_told(changes: dict[str, bytes], told: str) -> None:
    """Nothing of what is compared can be wrong unseen."""
    assert any(told in each for each in differences(a_mirror(**changes)))


def test_the_figures_cover_every_kind_and_every_difference() -> None:
    """What is left out of the comparison, trash and sharing that nobody tells of, is not counted."""
    truth = Truth(
        {
            "f": DriveFile(id=FileId("f"), mime_type="text/plain"),
            "t": DriveFile(id=FileId("t"), mime_type="text/plain", trashed=True),
            "d": DriveFile(id=FileId("d"), mime_type=FOLDER_MIME_TYPE),
        },
        {},
        {("f", "p"): TruePermission("reader", "user"), ("d", "p"): TruePermission("reader", "user")},
        frozenset({"d"}),
    )
    found = [Difference("missing", "permission", "f/p"), Difference("different", "content", "stored", "content")]
    assert compared(truth, TRUE, found) == [
        Compared("file", 1, 0),
        Compared("folder", 1, 0),
        Compared("shared_drive", 0, 0),
        Compared("permission", 1, 1),
        Compared("revision", 1, 0),
        Compared("comment", 1, 0),
        Compared("content", 1, 1),
    ]
