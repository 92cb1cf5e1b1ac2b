"""The local store: kept where it was left in good order, and built again everywhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.item_entry import ItemEntry
from google_drive_worker.index.codec import DETAILS, ENTRY, encode_entry, key_of
from google_drive_worker.index.slots import take_slot
from google_drive_worker.index.store import Identity, LocalStore, leave_clean, open_store
from google_drive_worker.utils.errors import Misconfigured, Retryable

CONNECTION = ConnectionId("conn_abc")
IDENTITY = Identity("cluster", "topic", 3, "boot")
MESSAGES = [(key_of(CONNECTION, ENTRY, b"a"), encode_entry(ItemEntry(version=7)))]


def left(directory: Path, *, offset: int | None = 42, identity: Identity = IDENTITY) -> None:
    """A store that was left in good order."""
    store = LocalStore(directory, identity)
    store.apply(MESSAGES)
    store.close(offset)
    leave_clean(directory)


def held_by(store: LocalStore) -> bytes | None:
    """What the store holds of the item."""
    return store.get(CONNECTION, ENTRY, b"a")


def test_a_store_that_was_left_in_good_order_is_gone_on_with(tmp_path: Path) -> None:
    """From where it stood; it is in good order no more from then on."""
    left(tmp_path / "p")
    store = open_store(tmp_path / "p", IDENTITY)
    assert (store.offset(), held_by(store)) == (42, MESSAGES[0][1])
    store.mark(None)
    assert store.offset() is None
    store.close()
    again = open_store(tmp_path / "p", IDENTITY)
    assert (again.offset(), held_by(again)) == (None, None)
    again.close()


@pytest.mark.parametrize(
    "other",
    [
        IDENTITY._replace(cluster_id="x"),
        IDENTITY._replace(topic_id="x"),
        IDENTITY._replace(partition=4),
        IDENTITY._replace(boot_id="x"),
    ],
)
def test_a_store_of_something_else_is_built_again(tmp_path: Path, other: Identity) -> None:
    """Of another cluster, a topic that was made again, another partition, or from before the machine started."""
    left(tmp_path / "p", identity=other)
    store = open_store(tmp_path / "p", IDENTITY)
    assert (store.offset(), held_by(store)) == (None, None)
    store.close()


@pytest.mark.parametrize("damage", ["truncated", "zeroed", "missing"])
def test_files_that_were_damaged_are_not_read_unless_they_were_left_in_good_order(tmp_path: Path, damage: str) -> None:
    """Damaged files of LMDB's kill the process that reads them."""
    left(tmp_path / "p")
    (tmp_path / "p" / "clean").unlink()
    data = tmp_path / "p" / "data.mdb"
    match damage:
        case "truncated":
            os.truncate(data, 5_000)
        case "zeroed":
            data.write_bytes(bytes(data.stat().st_size))
        case _:
            data.unlink()
    store = open_store(tmp_path / "p", IDENTITY)
    store.apply(MESSAGES)
    assert held_by(store) == MESSAGES[0][1]
    store.close()


def test_a_value_that_does_not_match_its_checksum_is_damage(tmp_path: Path) -> None:
    """It is told, and not taken for what was written."""
    store = LocalStore(tmp_path / "p", IDENTITY)
    store.apply([(key_of(CONNECTION, DETAILS, b"a"), b"\x01" + b"A" * 500)])
    store.close()
    data = tmp_path / "p" / "data.mdb"
    raw = data.read_bytes()
    at = raw.index(b"A" * 500)
    data.write_bytes(raw[:at] + b"B" + raw[at + 1 :])
    again = LocalStore(tmp_path / "p", IDENTITY)
    with pytest.raises(Retryable, match="damaged"):
        again.get(CONNECTION, DETAILS, b"a")
    again.close()


def test_what_comes_late_changes_no_store_that_was_let_go_of(tmp_path: Path) -> None:
    """A commit that was given up may come to its end when another has opened the partition."""
    store = LocalStore(tmp_path / "p", IDENTITY)
    store.close()
    other = LocalStore(tmp_path / "p", IDENTITY)
    store.apply(MESSAGES)
    assert held_by(other) is None
    other.close()


def test_what_is_none_of_the_indexs_is_passed_by(tmp_path: Path) -> None:
    """Whoever may write the topic can't stop a partition with it, nor with an id that no key can hold."""
    store = LocalStore(tmp_path / "p", IDENTITY)
    store.apply(
        [
            (b"", b"x"),
            (b"conn", b"x"),
            (key_of(CONNECTION, ENTRY, b"b"), b"\xff"),
            (key_of(CONNECTION, ENTRY, b"i" * 600), encode_entry(ItemEntry())),
            (key_of(CONNECTION, b"s", b"run"), b"\x01odd"),
            *MESSAGES,
        ]
    )
    assert held_by(store) == MESSAGES[0][1]
    store.close()


def test_it_grows_as_it_is_filled(tmp_path: Path) -> None:
    """What it holds is many times what it began with."""
    store = LocalStore(tmp_path / "p", IDENTITY)
    value = b"\x01" + b"x" * 900
    count = 40_000
    for begin in range(0, count, 4_000):
        store.apply([(key_of(CONNECTION, b"d", b"%08d" % number), value) for number in range(begin, begin + 4_000)])
    assert sum(1 for _ in store.scan(CONNECTION, b"d", None)) == count
    store.close()


FILL = """
import resource, signal, sys
from pathlib import Path
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.index.codec import key_of
from google_drive_worker.index.store import Identity, LocalStore, StateDiskFull
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = LocalStore(Path(sys.argv[1]), Identity("cluster", "topic", 3, "boot"))
resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 20, 16 << 20))
value = b"\\x01" + b"x" * 900
try:
    for begin in range(0, 400_000, 4_000):
        keys = (key_of(ConnectionId("conn"), b"d", b"%08d" % number) for number in range(begin, begin + 4_000))
        store.apply([(key, value) for key in keys])
except StateDiskFull as problem:
    print(problem.code)
"""


def test_a_full_disk_is_an_error_and_no_signal(tmp_path: Path) -> None:
    """LMDB writes into the mapped file: without the room for it the process would be killed."""
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path / "p")], capture_output=True, timeout=60, check=True
    )
    assert done.stdout == b"state_disk_full\n"


def test_two_workers_have_a_slot_each(tmp_path: Path) -> None:
    """And one that ends leaves its slot to the next."""
    first, second = take_slot(tmp_path), take_slot(tmp_path)
    assert [first.directory.name, second.directory.name] == ["slot-0", "slot-1"]
    first.release()
    third = take_slot(tmp_path)
    assert third.directory.name == "slot-0"
    second.release()
    third.release()


def test_a_state_directory_that_is_none_is_named(tmp_path: Path) -> None:
    """With the setting that leads to it."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(Misconfigured, match="WORKER_STATE_DIR"):
        take_slot(tmp_path / "file")
