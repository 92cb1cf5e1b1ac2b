"""The mirror that is rebuilt from records alone, and its comparison with the Drive."""

import itertools
import uuid

import msgspec
import pytest

from google_drive_worker.demo.mirror import Difference, Mirror, MirroredGap, Truth, compare
from google_drive_worker.domain.drive import FOLDER_MIME_TYPE, DriveFile, SharedDrive
from google_drive_worker.domain.ids import DriveId, FileId

OLD = "019a0000-0000-7000-8000-000000000001"
NEW = "019a0000-0001-7000-8000-000000000001"
NEWER = "019a0000-0002-7000-8000-000000000001"
CONNECTION = "conn_abc"
offsets = itertools.count()


def record(
    kind: str,
    resource_id: str,
    *,
    operation: str = "upsert",
    sync: str = NEW,
    connection: str = CONNECTION,
    message_id: str | None = None,
    **data: object,
) -> bytes:
    """A record as it stands in `ingestion.data`."""
    return msgspec.json.encode(
        {
            "message_id": message_id or str(uuid.uuid4()),
            "integration_connection_id": connection,
            "resource_type": kind,
            "resource_id": resource_id,
            "idempotency_key": f"google-drive:{connection}:{kind}:{resource_id}",
            "operation": operation,
            "sync_id": sync,
            "data": {"id": resource_id, "type": kind, **data},
        }
    )


def mirror_of(*values: bytes) -> Mirror:
    """A mirror that has read these records from one partition."""
    mirror = Mirror()
    for value in values:
        mirror.apply(value, partition=0, offset=next(offsets))
    return mirror


def ids(mirror: Mirror, connection: str = CONNECTION) -> set[str]:
    """What a mirror holds of a connection."""
    return {held.resource_id for held in mirror.held(connection)}


def test_the_last_word_on_a_key_counts() -> None:
    """An upsert replaces the one before it, a delete takes it away, and another connection's is another key."""
    mirror = mirror_of(
        record("file", "a", name="old", version=1),
        record("file", "a", name="new", version=2),
        record("file", "b"),
        record("file", "b", connection="other"),
        record("file", "b", operation="delete", deleted=True),
    )
    assert [held.data.name for held in mirror.held(CONNECTION)] == ["new"]
    assert ids(mirror, "other") == {"b"}
    assert mirror.records == {("file", "upsert"): 4, ("file", "delete"): 1}
    assert (mirror.duplicates.total(), mirror.regressions, mirror.misorders, mirror.repeated_messages) == (0, 0, 0, 0)


def test_a_closing_sync_sweeps_what_it_did_not_see() -> None:
    """What an older sync wrote and the closed one did not goes; other connections keep theirs."""
    mirror = mirror_of(
        record("file", "gone", sync=OLD),
        record("file", "stays", sync=OLD),
        record("file", "theirs", sync=OLD, connection="other"),
        record("sync", NEW, status="started"),
        record("file", "stays", sync=NEW),
        record("sync", NEW, status="completed"),
    )
    assert ids(mirror) == {"stays"}
    assert ids(mirror, "other") == {"theirs"}
    assert mirror.completed_syncs(CONNECTION) == [NEW]
    assert not mirror.duplicates


def test_an_incomplete_sync_sweeps_nothing() -> None:
    """What its gaps cover may still be there: everything held stays, and the gaps can be read from its record."""
    gap = {"scope": "item", "id": "hidden", "code": "unreadable_item", "message": "it does not fit its type"}
    mirror = mirror_of(
        record("file", "hidden", sync=OLD),
        record("sync", NEW, status="started"),
        record("file", "seen"),
        record("sync", NEW, status="incomplete", gaps=[gap]),
    )
    assert ids(mirror) == {"hidden", "seen"}
    assert mirror.completed_syncs(CONNECTION) == []
    assert mirror.swept(CONNECTION) == []
    closing = mirror.closing(CONNECTION)
    assert closing is not None
    assert closing.data.gaps == (MirroredGap("item", "hidden", "unreadable_item", "it does not fit its type"),)


def test_the_second_closing_record_sweeps_what_is_older_than_its_sync() -> None:
    """What filled a gap came under a later sync id and stays; what neither the full sync nor that one wrote goes."""
    mirror = mirror_of(
        record("file", "gone", sync=OLD),
        record("file", "hidden", sync=OLD),
        record("file", "seen", sync=NEW),
        record("sync", NEW, status="incomplete", gaps=[{"scope": "item", "id": "hidden"}]),
        record("file", "hidden", sync=NEWER),
        record("sync", NEW, status="completed"),
    )
    assert ids(mirror) == {"seen", "hidden"}
    assert [each.resource_id for each in mirror.swept(CONNECTION)] == ["gone"]
    assert mirror.completed_syncs(CONNECTION) == [NEW]
    assert mirror.misorders == 0


def test_repetitions_and_disorder_are_noticed() -> None:
    """The same version twice in a sync, an older version, a fallen offset, a second partition, an overtaken sync."""
    mirror = mirror_of(record("file", "a", version=2), record("file", "a", version=2), record("file", "a", version=1))
    assert (mirror.duplicates[NEW], mirror.regressions, mirror.misorders, mirror.repeated_messages) == (1, 1, 0, 0)

    mirror.apply(record("file", "b"), partition=0, offset=0)
    mirror.apply(record("file", "c"), partition=1, offset=1)
    mirror.apply(record("sync", NEW, status="completed"), partition=0, offset=1000)
    mirror.apply(record("file", "d", sync=OLD), partition=0, offset=1001)
    assert mirror.misorders == 3
    assert len(mirror.notes) == 3


def test_a_message_that_comes_twice_is_noticed() -> None:
    """The message id tells a record that was written twice from one that says the same again."""
    twice = record("file", "a", message_id="m1")
    assert mirror_of(twice, twice).repeated_messages == 1


def test_what_is_no_record_is_refused() -> None:
    """A mirror doesn't guess: a value that is no record raises."""
    with pytest.raises(msgspec.MsgspecError):
        mirror_of(b'{"resource_type": "file"}')


TRUTH = Truth(
    files={
        "f": DriveFile(FileId("f"), "Folder", FOLDER_MIME_TYPE, modified_time="2025-01-01T00:00:00.000Z"),
        "a": DriveFile(
            FileId("a"),
            "Größe.txt",
            "text/plain",
            parents=(FileId("f"),),
            size=12,
            md5_checksum="d41d8",
            modified_time="2025-01-01T00:00:00.500Z",
        ),
        "t": DriveFile(FileId("t"), "Trash", "text/plain", trashed=True),
    },
    drives={"d": SharedDrive(DriveId("d"), "Team")},
)
FOLDER = record("folder", "f", name="Folder", mime_type=FOLDER_MIME_TYPE, modified_at="2025-01-01T00:00:00Z")
FILE = record(
    "file",
    "a",
    name="Größe.txt",
    mime_type="text/plain",
    parents=["f"],
    size_bytes=12,
    checksums={"md5": "d41d8"},
    modified_at="2025-01-01T00:00:00.5+00:00",
)
DRIVE = record("shared_drive", "d", name="Team")


def test_an_equal_mirror_has_no_differences() -> None:
    """Times are compared as moments, checksums one by one, and trash is not expected."""
    assert compare(mirror_of(FOLDER, FILE, DRIVE), TRUTH, CONNECTION) == []


def test_every_difference_is_named() -> None:
    """What is missing, what is too much, and each field that differs, with both values."""
    wrong = record("file", "a", name="Other", mime_type="text/plain", parents=[], size_bytes=12, checksums={"md5": "x"})
    found = compare(mirror_of(FOLDER, wrong, record("file", "z")), TRUTH, CONNECTION)
    assert Difference("unexpected", "file", "z") in found
    assert Difference("missing", "shared_drive", "d") in found
    assert {each.field for each in found if each.resource_id == "a"} == {"name", "parents", "modified_at", "checksums"}
    assert "file a: name is 'Other', not 'Größe.txt'" in map(str, found)


def test_trash_is_expected_where_it_is_asked_for() -> None:
    """With the trash in scope, a mirror without it lacks something."""
    found = compare(mirror_of(FOLDER, FILE, DRIVE), TRUTH, CONNECTION, include_trashed=True)
    assert found == [Difference("missing", "file", "t")]


def test_a_folder_that_came_as_a_file_is_a_difference() -> None:
    """The resource type is part of the key, so it is part of the truth."""
    as_file = FOLDER.replace(b'"folder"', b'"file"').replace(b":folder:", b":file:")
    found = compare(mirror_of(as_file, FILE, DRIVE), TRUTH, CONNECTION)
    assert found == [Difference("unexpected", "file", "f"), Difference("missing", "folder", "f")]
