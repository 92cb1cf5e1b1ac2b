"""Message ids are real UUIDs, each given once."""

import uuid

from google_drive_worker.kafka.message_ids import new_message_ids


def test_ids_are_version_4_and_never_repeat() -> None:
    """Within a call and across calls, every id is a canonical UUIDv4 of its own."""
    ids = [message_id.decode() for count in (1, 5_000, 0, 3_000, 1) for message_id in new_message_ids(count)]
    assert len(set(ids)) == len(ids) == 8_002
    for text in ids:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert parsed.version == 4
        assert parsed.variant == uuid.RFC_4122
