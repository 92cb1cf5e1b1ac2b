"""The state records of a partition's connections: how checkpoints become keys and values, and back.

A connection has a *head*, its checkpoint without corpora, under its id; and a record for each corpus, under its id, a
NUL and the corpus. So a step writes what it changed, however many shared drives there are. All that a step changes is
written in one transaction, and what is gone gets a tombstone: the latest values of a connection fit together.

A record that holds a checkpoint as a whole, corpora included, is read as well: workers wrote these before there were
heads. Records of single corpora count for nothing beside it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.message import KeyedValue
from google_drive_worker.sync.checkpoint import (
    VERSION,
    Checkpoint,
    CheckpointProblem,
    decode_checkpoint,
    decode_corpus,
    encode_checkpoint,
    encode_corpus,
)

_BETWEEN = b"\0"


class StateRecords:
    """What stands in the state topic of a partition's connections, and so what to write of their next checkpoints.

    `written` are the checkpoints whose head and corpora stand there. `stray` are the corpora of a connection that have
    a record all the same: beside a damaged head, a checkpoint as a whole, or none.
    """

    def __init__(
        self, written: Mapping[ConnectionId, Checkpoint] = {}, stray: Mapping[ConnectionId, frozenset[str]] = {}
    ) -> None:
        self._written = dict(written)
        self._stray = dict(stray)

    def replace(self, connection_id: ConnectionId, after: Checkpoint | None) -> list[KeyedValue]:
        """The records to write so that the connection's checkpoint is this one; `None` removes all that there is."""
        before = self._written.pop(connection_id, None)
        stray = self._stray.pop(connection_id, frozenset[str]())
        key, known = connection_id.encode(), {} if before is None else before.corpora
        kept = {} if after is None else after.corpora
        records: list[KeyedValue] = [
            (corpus_key(connection_id, name), encode_corpus(corpus))
            for name, corpus in kept.items()
            if known.get(name) != corpus
        ]
        records += [(corpus_key(connection_id, name), None) for name in sorted((stray | known.keys()) - kept.keys())]
        if after is None:
            return [*records, (key, None)]
        self._written[connection_id] = after
        if before is None or _head(before) != _head(after):
            records.append((key, encode_checkpoint(_head(after))))
        return records


class StateRead(NamedTuple):
    """The checkpoints that state records come to; `damaged` says what is wrong with those that can't be read."""

    checkpoints: dict[ConnectionId, Checkpoint]
    damaged: dict[ConnectionId, str]
    records: StateRecords


def corpus_key(connection_id: ConnectionId, corpus: str) -> bytes:
    """The key of the record of one corpus."""
    return connection_id.encode() + _BETWEEN + corpus.encode()


def split_key(key: bytes) -> tuple[ConnectionId, str | None]:
    """The connection that a record is of, and the corpus; `None` where it is the head, or the checkpoint as a whole."""
    connection_id, between, corpus = key.partition(_BETWEEN)
    return ConnectionId(connection_id.decode("utf-8", "replace")), corpus.decode(
        "utf-8", "replace"
    ) if between else None


def decode_state(values: Mapping[bytes, bytes]) -> StateRead:
    """Read the latest values of a partition, by key.

    What is damaged is left out: its connection starts over with a full sync. Raises `CheckpointProblem` where a newer
    worker wrote a record, as nothing good comes of going on without it.
    """
    heads: dict[ConnectionId, bytes] = {}
    corpora: dict[ConnectionId, dict[str, bytes]] = {}
    for key, value in values.items():
        connection_id, corpus = split_key(key)
        if corpus is None:
            heads[connection_id] = value
        else:
            corpora.setdefault(connection_id, {})[corpus] = value
    checkpoints: dict[ConnectionId, Checkpoint] = {}
    damaged: dict[ConnectionId, str] = {}
    written: dict[ConnectionId, Checkpoint] = {}
    for connection_id, head in heads.items():
        try:
            checkpoint, is_whole = join(head, corpora.get(connection_id, {}))
        except CheckpointProblem as problem:
            if problem.newer:
                raise CheckpointProblem(f"the state of {connection_id} is {problem}", newer=True) from None
            damaged[connection_id] = str(problem)
        else:
            checkpoints[connection_id] = checkpoint
            if not is_whole:
                written[connection_id] = checkpoint
    stray = {name: frozenset(found) for name, found in corpora.items() if name not in written}
    return StateRead(checkpoints, damaged, StateRecords(written, stray))


class Joined(NamedTuple):
    """A connection's checkpoint; `is_whole` says that one record held all of it."""

    checkpoint: Checkpoint
    is_whole: bool


def join(head: bytes, corpora: Mapping[str, bytes]) -> Joined:
    """Read a connection's records: its head, or its checkpoint as a whole, and those of single corpora.

    Raises `CheckpointProblem` where one of them is damaged, or written by a newer worker than this one can follow.
    """
    checkpoint = decode_checkpoint(head)
    if checkpoint.corpora or checkpoint.version < VERSION:
        return Joined(replace(checkpoint, version=1), is_whole=True)
    read = {name: decode_corpus(value) for name, value in corpora.items()}
    return Joined(replace(checkpoint, version=1, corpora=read), is_whole=False)


def _head(checkpoint: Checkpoint) -> Checkpoint:
    return replace(checkpoint, version=VERSION, corpora={})
