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


def test_ids_count_up_over_every_boundary() -> None:
    """The ids of a call differ in their last group alone, which counts up, and over its end begins at 0."""
    ids = [message_id.decode() for message_id in new_message_ids(10_000)]
    assert len({text[:24] for text in ids}) == 1
    numbers = [int(text[24:], 16) for text in ids]
    assert all((number - numbers[0]) % (1 << 48) == at for at, number in enumerate(numbers))
