"""The state records of a partition's connections: how checkpoints become keys and values, and back."""

from collections.abc import Mapping
from typing import NamedTuple

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.message import KeyedValue
from google_drive_worker.sync.checkpoint import Checkpoint, CheckpointProblem, decode_checkpoint, encode_checkpoint


class StateRead(NamedTuple):
    """The checkpoints that state records come to; `damaged` says what is wrong with those that can't be read."""

    checkpoints: dict[ConnectionId, Checkpoint]
    damaged: dict[ConnectionId, str]


def encode_state(connection_id: ConnectionId, checkpoint: Checkpoint | None) -> list[KeyedValue]:
    """The records to write for a connection; `None` ends it."""
    return [(connection_id.encode(), None if checkpoint is None else encode_checkpoint(checkpoint))]


def decode_state(values: Mapping[bytes, bytes]) -> StateRead:
    """Read the latest values of a partition, by key.

    A damaged record is left out: its connection starts over with a full sync. Raises `CheckpointProblem` where a newer
    worker wrote one, as nothing good comes of going on without it.
    """
    read = StateRead({}, {})
    for key, value in values.items():
        connection_id = ConnectionId(key.decode("utf-8", "replace"))
        try:
            read.checkpoints[connection_id] = decode_checkpoint(value)
        except CheckpointProblem as problem:
            if problem.newer:
                raise CheckpointProblem(f"the state of {connection_id} is {problem}", newer=True) from None
            read.damaged[connection_id] = str(problem)
    return read
