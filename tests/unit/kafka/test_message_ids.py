"""Message ids are real UUIDs, each given once."""

import uuid

from google_drive_worker.kafka.message_ids import MessageIds


def test_ids_are_version_4_and_never_repeat() -> None:
    """Across several draws of entropy, every id is a canonical UUIDv4 of its own."""
    new_id = MessageIds()
    ids = [new_id() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    for text in ids:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert parsed.version == 4
        assert parsed.variant == uuid.RFC_4122
