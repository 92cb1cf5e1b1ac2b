"""The cluster in memory, beyond what `tests/contract/test_partition_log.py` asks of it and of a real broker."""

import pytest

from google_drive_worker.domain.message import Incoming
from google_drive_worker.domain.partitioning import partition_of
from google_drive_worker.kafka.in_memory_log import GroupMetadata, InMemoryLog, InMemoryProducer
from google_drive_worker.utils.errors import Fenced, Retryable

TOPIC = "state"


def seen(log: InMemoryLog, offset: int = 0) -> list[tuple[int, bytes | None, bytes | None]]:
    """What readers see of partition 0: offset, key and value."""
    return [(message.offset, message.key, message.value) for message in log.read(TOPIC, 0, offset)]


def began(log: InMemoryLog, name: str = "a") -> InMemoryProducer:
    """A producer with an open transaction."""
    producer = InMemoryProducer(log, name)
    producer.init_transactions()
    producer.begin()
    return producer


def test_compaction_keeps_the_latest_of_each_key_at_its_offset() -> None:
    """Tombstones stay until they are dropped; what is read from a later offset on is the same as before."""
    log = InMemoryLog({TOPIC: 1})
    for key, value in ((b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None), (b"c", b"1")):
        log.append(TOPIC, key, value)
    log.compact(TOPIC)
    assert seen(log) == [(2, b"a", b"2"), (3, b"b", None), (4, b"c", b"1")]
    assert seen(log, 3) == [(3, b"b", None), (4, b"c", b"1")]
    log.compact(TOPIC, drops_tombstones=True)
    assert seen(log) == [(2, b"a", b"2"), (4, b"c", b"1")]
    assert log.append(TOPIC, b"d", b"1") == (TOPIC, 0)
    assert seen(log, 5) == [(5, b"d", b"1")]


def test_compaction_leaves_what_is_not_committed() -> None:
    """An aborted value takes no committed one's place, and an open transaction is not touched."""
    log = InMemoryLog({TOPIC: 1})
    log.append(TOPIC, b"a", b"committed")
    aborted = began(log)
    aborted.produce(TOPIC, b"a", b"aborted")
    aborted.abort()
    open_still = began(log, "b")
    open_still.produce(TOPIC, b"a", b"open")
    log.compact(TOPIC)
    assert seen(log) == [(0, b"a", b"committed")]
    open_still.commit()
    assert seen(log) == [(0, b"a", b"committed"), (3, b"a", b"open")]


def test_a_transactions_end_takes_an_offset() -> None:
    """As on a broker: the end of what is committed is beyond the last message."""
    log = InMemoryLog({TOPIC: 1})
    producer = began(log)
    producer.produce(TOPIC, b"a", b"1")
    assert log.committed_end(TOPIC, 0) == 0
    producer.commit()
    assert log.committed_end(TOPIC, 0) == 2


def test_a_producer_that_takes_an_id_aborts_what_was_left_open() -> None:
    """Readers need not wait for the transaction's timeout; the one before can do nothing more."""
    log = InMemoryLog({TOPIC: 1})
    first = began(log)
    first.produce(TOPIC, b"a", b"first")
    second = began(log)
    second.produce(TOPIC, b"a", b"second")
    second.commit()
    assert [value for _, _, value in seen(log)] == [b"second"]
    for call in (first.commit, first.abort, first.begin, lambda: first.produce(TOPIC, b"a", b"late")):
        with pytest.raises(Fenced):
            call()


def test_a_key_decides_the_partition_as_with_javas_producers() -> None:
    """And headers come with the message."""
    log = InMemoryLog({TOPIC: 7})
    place = log.append(TOPIC, b"conn_abc", b"1", [("name", b"value")])
    number = partition_of("conn_abc", 7)
    assert place == (TOPIC, number)
    assert log.read(TOPIC, number) == [Incoming(TOPIC, number, 0, b"conn_abc", b"1", [("name", b"value")])]


def test_a_position_that_is_being_moved_is_not_read() -> None:
    """It would be the one before, while messages of the one after may be committed any moment."""
    log = InMemoryLog({TOPIC: 1})
    log.append(TOPIC, b"a", b"1")
    assert log.position("group", TOPIC, 0) == 0
    producer = began(log)
    producer.send_offsets(GroupMetadata("group", "", -1), {(TOPIC, 0): 1})
    with pytest.raises(Retryable):
        log.position("group", TOPIC, 0)
    producer.commit()
    assert log.position("group", TOPIC, 0) == 1
