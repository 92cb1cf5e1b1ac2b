"""What is remembered of items: within bounds, and known for what it is."""

from google_drive_worker.domain.ids import ConnectionId, FileId
from google_drive_worker.domain.memory import Remembered
from google_drive_worker.kafka.item_memory import ItemMemory

ONE, TWO = ConnectionId("conn_1"), ConnectionId("conn_2")


def items(*names: str) -> dict[FileId, Remembered | None]:
    """Items with a permission named as they are."""
    return {FileId(name): Remembered(permission_ids=(name,)) for name in names}


def test_what_was_written_is_recalled_and_each_connection_sees_its_own() -> None:
    """Also that an item is gone; what was never written is not known."""
    memory = ItemMemory(10)
    memory.begin(ONE)
    memory.note(ONE, {**items("a"), FileId("b"): None})
    memory.note(TWO, items("c"))
    assert memory.recall(ONE)(FileId("a")) == Remembered(permission_ids=("a",))
    assert memory.recall(ONE)(FileId("b")) is None
    assert memory.recall(ONE)(FileId("c")) is None
    assert memory.is_whole(ONE)
    assert not memory.is_whole(TWO)


def test_what_is_over_the_limit_is_dropped_and_said_to_be() -> None:
    """A connection's own oldest items, where there is no other; one that is written again is young again."""
    memory = ItemMemory(3)
    memory.begin(ONE)
    memory.note(ONE, items("a", "b", "c"))
    assert memory.is_whole(ONE)
    memory.note(ONE, items("a"))
    memory.note(ONE, items("d"))
    assert len(memory) == 3
    assert [name for name in "abcd" if memory.recall(ONE)(FileId(name)) is not None] == ["a", "c", "d"]
    assert not memory.is_whole(ONE)


def test_connections_that_were_not_written_to_for_long_go_first() -> None:
    """The whole of them: half a memory is worth no more than none."""
    memory = ItemMemory(4)
    for connection in (ONE, TWO):
        memory.begin(connection)
    memory.note(TWO, items("a"))
    memory.note(ONE, items("a"))
    memory.note(TWO, items("b", "c", "d"))
    assert memory.recall(ONE)(FileId("a")) is None
    assert not memory.is_whole(ONE)
    assert memory.is_whole(TWO)
    assert len(memory) == 4


def test_a_connection_begins_anew_with_nothing() -> None:
    """As does one that was forgotten; its items make room."""
    memory = ItemMemory(10)
    memory.note(ONE, items("a", "b"))
    memory.begin(ONE)
    assert (len(memory), memory.is_whole(ONE), memory.recall(ONE)(FileId("a"))) == (0, True, None)
    memory.forget([ONE, TWO])
    assert not memory.is_whole(ONE)
