"""A partition's index: the same answers as an index in a dictionary, whatever is committed and applied when."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from google_drive_worker.domain.ids import ConnectionId, FileId, new_sync_id
from google_drive_worker.domain.item_entry import DetailDigests, IndexChanges, ItemEntry, PermissionDigests
from google_drive_worker.index.partition_index import PartitionIndex, Written
from google_drive_worker.index.store import Identity, LocalStore
from support.dict_index import DictIndex

CONNECTION, OTHER = ConnectionId("conn_abc"), ConnectionId("conn_other")
NAMES = [FileId(f"item-{number:02}") for number in range(24)]
IDENTITY = Identity("cluster", "topic", 0, "boot")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    """An empty store."""
    made = LocalStore(tmp_path / "store", IDENTITY)
    yield made
    made.close()


def drawn_entry(die: random.Random) -> ItemEntry:
    """Some entry."""
    held = tuple((name, die.randrange(3)) for name in ("p", "q", "r")[: die.randrange(4)])
    return ItemEntry(
        is_folder=die.random() < 0.3,
        parent_id=die.choice([None, *NAMES[:5]]),
        version=die.randrange(9),
        permissions=die.choice([None, PermissionDigests(hash(held) & 0xFFFF, held)]),
        changed_in=new_sync_id(die.randrange(1000), 1),
        gone_at=die.choice([None, None, None, "2026-01-01T00:00:00.000Z"]),
    )


def drawn_changes(die: random.Random) -> IndexChanges:
    """What some step changes."""
    entries = {
        each: die.choice([None, drawn_entry(die), drawn_entry(die)]) for each in die.sample(NAMES, die.randrange(6))
    }
    details = {
        each: die.choice([None, DetailDigests((("r", die.randrange(9)),))])
        for each in die.sample(NAMES, die.randrange(3))
    }
    seen = die.sample(NAMES, die.randrange(4))
    return IndexChanges(entries, details, seen, ends_seen=die.random() < 0.1, wipes=die.random() < 0.03)


def assert_same(index: PartitionIndex, model: DictIndex) -> None:
    """Fail where a question has two answers."""
    view = index.view(CONNECTION)
    for name in NAMES:
        assert view.get(name) == model.get(name)
        assert view.details(name) == model.details(name)
        assert view.is_seen(name) == model.is_seen(name)
        assert list(view.children(name)) == list(model.children(name))
        assert list(view.children(name, NAMES[3], 2)) == list(model.children(name, NAMES[3], 2))
    assert list(view.scan()) == list(model.scan())
    assert list(view.scan(NAMES[7], 3)) == list(model.scan(NAMES[7], 3))


@pytest.mark.parametrize("seed", range(12))
def test_it_answers_as_a_dictionary_does(store: LocalStore, tmp_path: Path, seed: int) -> None:
    """At any moment between writing, applying and forgetting; and so does a store that is built from the changelog."""
    die = random.Random(seed)  # noqa: S311 - a simulation
    index, model = PartitionIndex(store), DictIndex()
    pending: list[Written] = []
    applied: list[Written] = []
    log: list[tuple[bytes, bytes | None]] = []
    committed = DictIndex()
    for _ in range(120):
        match die.randrange(4):
            case 0 | 1:
                changes = drawn_changes(die)
                written = index.write(CONNECTION, changes)
                model.apply(changes)
                pending.append(written)
            case 2 if pending:
                count = die.randint(1, len(pending))
                index.apply(pending[:count])
                applied += pending[:count]
                for each in pending[:count]:
                    log += each.messages
                    committed.apply(each.changes)
                pending = pending[count:]
            case 3:
                index.applied(applied)
                applied = []
        assert_same(index, model)
    rebuilt = LocalStore(tmp_path / "rebuilt", IDENTITY)
    rebuilt.apply(log)
    assert_same(PartitionIndex(rebuilt), committed)
    rebuilt.apply(log[len(log) // 2 :])  # from a lower bound of where it stands
    assert_same(PartitionIndex(rebuilt), committed)
    rebuilt.close()


def test_connections_do_not_see_one_another(store: LocalStore) -> None:
    """The same item may be in two mirrors."""
    index = PartitionIndex(store)
    written = [
        index.write(CONNECTION, IndexChanges({NAMES[0]: ItemEntry(version=1)}, seen=[NAMES[1]])),
        index.write(OTHER, IndexChanges({NAMES[0]: ItemEntry(version=2)})),
    ]
    index.apply(written)
    index.applied(written)
    assert [index.view(each).get(NAMES[0]) for each in (CONNECTION, OTHER)] == [
        ItemEntry(version=1),
        ItemEntry(version=2),
    ]
    assert [index.view(each).is_seen(NAMES[1]) for each in (CONNECTION, OTHER)] == [True, False]
    gone = index.write(CONNECTION, IndexChanges(wipes=True))
    index.apply([gone])
    index.applied([gone])
    assert (index.view(CONNECTION).get(NAMES[0]), index.view(OTHER).get(NAMES[0])) == (None, ItemEntry(version=2))


def test_a_set_of_permissions_is_written_once(store: LocalStore) -> None:
    """However many items share it."""
    index = PartitionIndex(store)
    shared = PermissionDigests(5, tuple((f"grantee-{number}", number) for number in range(20)))
    first = index.write(CONNECTION, IndexChanges({name: ItemEntry(permissions=shared) for name in NAMES[:9]}))
    index.apply([first])
    index.applied([first])
    second = index.write(CONNECTION, IndexChanges({NAMES[9]: ItemEntry(permissions=shared)}))
    assert (len(first.messages), len(second.messages)) == (10, 1)
