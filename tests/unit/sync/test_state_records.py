"""State records: a step writes what it changed, and what was written comes back, whatever wrote it."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from google_drive_worker.domain.ids import ConnectionId, PageToken
from google_drive_worker.domain.message import KeyedValue
from google_drive_worker.sync.checkpoint import (
    USER_CORPUS,
    VERSION,
    Checkpoint,
    CheckpointProblem,
    Corpus,
    Parked,
    decode_checkpoint,
    encode_checkpoint,
)
from google_drive_worker.sync.state_records import StateRecords, corpus_key, decode_state, split_key
from support.syncs import CONNECTION, CUSTOMER

OTHER = ConnectionId("conn_other")
HEAD = CONNECTION.encode()
GOLDEN = Path(__file__).parent / "checkpoints"
STATES = sorted((Path(__file__).parent / "states").glob("v*-*.json"))


def checkpoint(connection_id: ConnectionId = CONNECTION, **corpora: str) -> Checkpoint:
    """A checkpoint with these corpora, each with its token."""
    read = {name: Corpus(change_token=PageToken(token)) for name, token in corpora.items()}
    return Checkpoint(connection_id, CUSTOMER, corpora=read)


class Topic:
    """The latest values of the topic, and what writes to it."""

    def __init__(self, values: dict[bytes, bytes] | None = None) -> None:
        self.values = values or {}
        self.restore()

    def restore(self) -> None:
        """Begin again from what stands there."""
        self.checkpoints, self.damaged, self.records = decode_state(self.values)

    def write(self, after: Checkpoint | None, connection_id: ConnectionId = CONNECTION) -> list[bytes]:
        """Write a checkpoint, and return the keys that it took."""
        written = self.records.replace(connection_id, after)
        self._take(written)
        return [key for key, _ in written]

    def _take(self, written: Sequence[KeyedValue]) -> None:
        for key, value in written:
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value


def key(corpus: str, connection_id: ConnectionId = CONNECTION) -> bytes:
    """The key of a corpus."""
    return corpus_key(connection_id, corpus)


def test_a_step_writes_only_what_it_changed() -> None:
    """The head, or single corpora; nothing where nothing is different."""
    topic = Topic()
    before = checkpoint(user="1", drive="1")
    assert topic.write(before) == [key("user"), key("drive"), HEAD]
    assert topic.write(before) == []
    assert topic.write(replace(before, parked=Parked("code", "step"))) == [HEAD]
    assert topic.write(checkpoint(user="2", drive="1")) == [key("user"), HEAD]
    assert topic.write(checkpoint(user="2", drive="1", another="1")) == [key("another")]
    topic.restore()
    assert topic.checkpoints == {CONNECTION: checkpoint(user="2", drive="1", another="1")}
    assert topic.write(checkpoint(user="3", drive="1", another="1")) == [key("user")]


def test_a_corpus_that_is_gone_gets_a_tombstone() -> None:
    """Before and after a restart; it may come again."""
    topic = Topic()
    topic.write(checkpoint(user="1", drive="1", another="1"))
    assert topic.write(checkpoint(user="1", another="1")) == [key("drive")]
    topic.restore()
    assert topic.write(checkpoint(user="1")) == [key("another")]
    assert topic.write(checkpoint(user="1", drive="1")) == [key("drive")]
    topic.restore()
    assert topic.checkpoints == {CONNECTION: checkpoint(user="1", drive="1")}


def test_ending_a_connection_removes_all_of_it() -> None:
    """And nothing of another, though its id begins alike; it may begin again."""
    topic, alike = Topic(), ConnectionId(f"{CONNECTION}x")
    topic.write(checkpoint(user="1", drive="1"))
    topic.write(checkpoint(alike, user="1"), alike)
    topic.restore()
    assert topic.write(None) == [key("drive"), key("user"), HEAD]
    assert topic.values.keys() == {alike.encode(), key("user", alike)}
    assert topic.write(checkpoint(user="2")) == [key("user"), HEAD]


def test_a_checkpoint_in_one_record_is_read_and_replaced() -> None:
    """As workers wrote it before; the first step after it writes all records."""
    whole = checkpoint(user="1", drive="1")
    topic = Topic({HEAD: encode_checkpoint(whole), key("drive"): b"{}", key("stray"): b"{}"})
    assert topic.checkpoints == {CONNECTION: whole}
    assert topic.write(checkpoint(user="1", drive="2")) == [key("user"), key("drive"), key("stray"), HEAD]
    topic.restore()
    assert topic.checkpoints == {CONNECTION: checkpoint(user="1", drive="2")}
    assert topic.values.keys() == {HEAD, key("user"), key("drive")}


@pytest.mark.parametrize("path", STATES, ids=lambda path: path.stem)
def test_every_shipped_state_loads(path: Path) -> None:
    """These files were written once, and are never written again: workers have left such records behind."""
    stored = json.loads(path.read_text())
    read = decode_state({name.encode(): json.dumps(value).encode() for name, value in stored.items()})
    assert read.damaged == {}
    [(connection_id, restored)] = read.checkpoints.items()
    again = StateRecords().replace(connection_id, restored)
    assert {name.decode(): json.loads(value or b"") for name, value in again} == stored


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_every_shipped_record_is_read_and_written_in_parts(path: Path) -> None:
    """What comes back of the parts is the same checkpoint."""
    stored = path.read_bytes()
    whole = decode_checkpoint(stored)
    topic = Topic({whole.connection_id.encode(): stored})
    [restored] = topic.checkpoints.values()
    assert restored == replace(whole, version=1)
    topic.write(restored, restored.connection_id)
    topic.restore()
    assert topic.checkpoints == {restored.connection_id: restored}
    assert decode_checkpoint(topic.values[whole.connection_id.encode()]).corpora == {}


@pytest.mark.parametrize("damage", [{HEAD: b"{"}, {key("user"): b"[]"}, {key("user"): b'{"stage": "nowhere"}'}])
def test_a_damaged_record_costs_its_connection_alone(damage: dict[bytes, bytes]) -> None:
    """It starts over, and what stands of its corpora is gone with the first thing that is written."""
    topic = Topic()
    topic.write(checkpoint(user="1", drive="1"))
    topic.write(checkpoint(OTHER, user="1"), OTHER)
    topic.values |= damage
    topic.restore()
    assert list(topic.damaged) == [CONNECTION]
    assert list(topic.checkpoints) == [OTHER]
    topic.write(checkpoint())
    topic.restore()
    assert topic.checkpoints == {CONNECTION: checkpoint(), OTHER: checkpoint(OTHER, user="1")}
    assert topic.values.keys() == {HEAD, OTHER.encode(), key("user", OTHER)}


def test_corpora_without_a_head_count_for_nothing() -> None:
    """They are removed with the first thing that is written of the connection."""
    topic = Topic({key("user"): b"{}"})
    assert not topic.checkpoints
    assert not topic.damaged
    assert topic.write(checkpoint(drive="1")) == [key("drive"), key("user"), HEAD]
    assert topic.values.keys() == {HEAD, key("drive")}


def test_a_newer_workers_head_stops_the_reading() -> None:
    """Whatever stands beside it."""
    newer = b'{"version": %d, "connection_id": "conn_abc", "customer_id": "c"}' % (VERSION + 1)
    with pytest.raises(CheckpointProblem, match=CONNECTION) as refused:
        decode_state({HEAD: newer, key("user"): b"not JSON"})
    assert refused.value.newer


def test_an_older_worker_refuses_a_head() -> None:
    """It would take it for a checkpoint without corpora, and list everything again."""
    topic = Topic()
    topic.write(checkpoint(user="1"))
    assert decode_checkpoint(topic.values[HEAD]).version == VERSION > 1


def test_a_key_tells_the_connection_and_the_corpus() -> None:
    """The head has no corpus."""
    assert split_key(HEAD) == (CONNECTION, None)
    assert split_key(key(USER_CORPUS)) == (CONNECTION, USER_CORPUS)


_CORPORA = st.dictionaries(st.sampled_from(["user", "a", "b", "c"]), st.sampled_from("123"))
_STEPS = st.lists(st.tuples(st.sampled_from([CONNECTION, OTHER]), st.none() | _CORPORA, st.booleans()), max_size=12)


@given(steps=_STEPS)
def test_whatever_is_written_comes_back(steps: list[tuple[ConnectionId, dict[str, str] | None, bool]]) -> None:
    """After every step, with restarts in between."""
    topic = Topic()
    wanted: dict[ConnectionId, Checkpoint] = {}
    for connection_id, corpora, restarts in steps:
        wanted.pop(connection_id, None)
        if corpora is not None:
            wanted[connection_id] = checkpoint(connection_id, **corpora)
        topic.write(wanted.get(connection_id), connection_id)
        assert decode_state(topic.values).checkpoints == wanted
        if restarts:
            topic.restore()
